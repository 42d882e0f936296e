package ssh

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/sshconfig/defaults"
)

func itoa(n int) string { return strconv.Itoa(n) }

// context is what the configuration may ask of this machine and run.
func (r *run) context() *sshconfig.ClientContext {
	x := &sshconfig.ClientContext{
		UID:        strconv.Itoa(os.Getuid()),
		Version:    strings.TrimSuffix(version.Compatible, "p1"),
		Algorithms: defaults.Client(),
		Files:      r,
		Getenv:     r.io.LookupEnv,
		LookupPort: func(service string) int {
			n, _ := client.ParsePort(service)
			return n
		},
		Exec:       r.matchExec,
		LocalAddrs: localAddrs,
		LookupHost: client.LookupHost,
		Warn:       r.remark,
	}
	x.LocalHost, _ = os.Hostname()
	db := account.System()
	if a, err := db.LookupID(uint32(os.Getuid())); err == nil {
		x.LocalUser, x.Home, r.login = a.Name, a.Home, a.Shell
	} else {
		r.noAccount = true
	}
	x.LookupHome = func(user string) (string, bool) {
		a, err := db.Lookup(user)
		if err != nil {
			return "", false
		}
		return a.Home, true
	}
	return x
}

// ReadFile and Glob make a run the files of its configuration: those of the
// machine, with a line in the log for each that is read.
func (r *run) ReadFile(name string, guarded bool) ([]byte, error) {
	data, err := sshconfig.OSFiles{}.ReadFile(name, guarded)
	if err == nil {
		r.log.Debug1("Reading configuration data %s", name)
	}
	return data, err
}

// Glob implements sshconfig.Files.
func (r *run) Glob(pattern string) ([]string, error) { return sshconfig.OSFiles{}.Glob(pattern) }

// remark logs what reading the configuration has to say.
func (r *run) remark(level sshconfig.Level, text string) {
	switch level {
	case sshconfig.LevelError:
		r.log.Error("%s", text)
	case sshconfig.LevelInfo:
		r.log.Info("%s", text)
	case sshconfig.LevelDebug:
		r.log.Debug1("%s", text)
	default:
		r.log.Debug2("%s", text)
	}
}

// shell is the shell that runs commands of the configuration: $SHELL where that
// is a program's full name, else the account's.
func (r *run) shell() string {
	shell := r.io.Getenv("SHELL")
	if shell == "" {
		return "/bin/sh"
	}
	for _, s := range [...]string{shell, r.login} {
		if !strings.HasPrefix(s, "/") {
			continue
		}
		if st, err := os.Stat(s); err == nil && !st.IsDir() {
			return s
		}
	}
	return "/bin/sh"
}

// matchExec runs the command of a Match exec.
func (r *run) matchExec(command string) (bool, error) {
	r.log.Debug3("Executing command: '%.500s'", command)
	cmd := exec.Command(r.shell(), "-c", command)
	cmd.Env = r.io.Env
	if r.log.Enabled(client.LevelDebug1) {
		cmd.Stderr = r.io.Err
	}
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		return false, err
	}
	r.log.Debug3("command returned status %d", cmd.ProcessState.ExitCode())
	return err == nil, nil
}

func localAddrs() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var l []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					l = append(l, ip.Unmap())
				}
			}
		}
	}
	return l, nil
}

// expandTilde expands a leading ~ or ~user.
func expandTilde(path string, x *sshconfig.ClientContext) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	user, tail, _ := strings.Cut(rest, "/")
	home := x.Home
	if user != "" {
		if home, ok = x.LookupHome(user); !ok {
			return path, fault("No such user " + user)
		}
	}
	return strings.TrimSuffix(home, "/") + "/" + tail, nil
}

func isTerminal(f *os.File) bool {
	c, err := f.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	c.Control(func(fd uintptr) { is = tty.IsTerminal(int(fd)) })
	return is
}
