package client

import (
	"strings"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// CommandHelp is the answer to -h on the command line of the escape ~C.
func CommandHelp(localCommand bool) []string {
	l := []string{
		"Commands:",
		"      -L[bind_address:]port:host:hostport    Request local forward",
		"      -R[bind_address:]port:host:hostport    Request remote forward",
		"      -D[bind_address:]port                  Request dynamic forward",
		"      -KL[bind_address:]port                 Cancel local forward",
		"      -KR[bind_address:]port                 Cancel remote forward",
		"      -KD[bind_address:]port                 Cancel dynamic forward",
	}
	if localCommand {
		l = append(l, "      !args                                  Execute local command")
	}
	return l
}

// Command does what was typed on the command line of the escape ~C. Answers
// are lines of the log. run runs a local command; nil where that is not
// permitted.
func (w *Forwards) Command(line string, run func(string)) {
	s := strings.TrimLeft(line, " \t\r\n")
	s = strings.TrimPrefix(s, "-")
	if s == "" {
		return
	}
	if strings.IndexByte("hH?", s[0]) >= 0 {
		for _, l := range CommandHelp(run != nil) {
			w.log.Info("%s", l)
		}
		return
	}
	if s[0] == '!' && run != nil {
		run(s[1:])
		return
	}
	cancel := s[0] == 'K'
	if cancel {
		s = s[1:]
	}
	var way ForwardWay
	switch {
	case strings.HasPrefix(s, "L"):
		way = ForwardLocal
	case strings.HasPrefix(s, "R"):
		way = ForwardRemote
	case strings.HasPrefix(s, "D"):
		way = ForwardDynamic
	default:
		w.log.Info("Invalid command.")
		return
	}
	spec := strings.Trim(s[1:], " \t\r\n")
	if cancel {
		f, err := sshconfig.ParseForward(spec, true, way == ForwardRemote)
		switch {
		case err != nil:
			w.log.Info("Bad forwarding close specification.")
		case w.Cancel(way, f, true) != nil:
			w.log.Info("Unknown port forwarding.")
		default:
			w.log.Info("Canceled forwarding.")
		}
		return
	}
	f, err := sshconfig.ParseForward(spec, way == ForwardDynamic, way == ForwardRemote)
	if err != nil && way == ForwardRemote {
		f, err = sshconfig.ParseForward(spec, true, true)
	}
	if err != nil {
		word := "local"
		if way == ForwardRemote {
			word = "remote"
		}
		w.log.Info("Bad %s forwarding specification.", word)
		return
	}
	port, err := w.Add(way, f)
	if err != nil {
		w.log.Info("Port forwarding failed.")
		return
	}
	if way == ForwardRemote && f.ListenPort == 0 {
		w.log.Info("Allocated port %d for remote forward to %s", port, ConnectText(&f))
	}
	w.log.Info("Forwarding port.")
}
