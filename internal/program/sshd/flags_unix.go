//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"strconv"

	"github.com/nacre-ssh/nacre/internal/program/getopt"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	maxPorts       = 256
	maxDebug       = 3
	maxUtmpHost    = 256 // -u
	defaultUtmp    = 65
	letters        = "46C:DE:GO:QRTb:c:def:g:h:ik:o:p:qrtu:V"
	usageArguments = `usage: sshd [-46DdeGiqTtV] [-C connection_spec] [-c host_cert_file]
            [-E log_file] [-f config_file] [-g login_grace_time]
            [-h host_key_file] [-o option] [-p port] [-u len]
`
)

// flags is the command line.
type flags struct {
	debug                            int
	foreground, stderr, inetd, quiet bool
	test, extended, dump             bool // -t, -T, -G
	logFile                          string
	config                           string
	control                          string   // -O
	options                          []string // -o and what other letters mean, in their order
	ports                            []int
	spec                             *sshconfig.Connection // -C
	utmp                             int
	args                             []string // as they were, for the daemon
}

// parse reads the command line. done is set when the program is to end with
// status.
func parse(io stdio.Stdio, args []string) (f *flags, status int, done bool) {
	f = &flags{utmp: defaultUtmp, args: args}
	bad := func(format string, args ...any) (*flags, int, bool) {
		io.Errorf(format, args...)
		return nil, 1, true
	}
	r := getopt.Reader{Args: args, Value: getopt.Letters(letters)}
	for {
		letter, value, err := r.Next()
		if err != nil {
			io.Errorf("%s: %v", io.Name, err)
			io.Errorf("%s", version.Line(""))
			return bad(usageArguments)
		}
		switch letter {
		case 0:
			if len(r.Args) > 0 {
				return bad("Extra argument %s.", r.Args[0])
			}
			return f, 0, false
		case '4':
			f.options = append(f.options, "AddressFamily=inet")
		case '6':
			f.options = append(f.options, "AddressFamily=inet6")
		case 'C':
			if f.spec == nil {
				f.spec = new(sshconfig.Connection)
			}
			if err := f.spec.ParseConnection(value); err != nil {
				return bad("%v", err)
			}
		case 'D':
			f.foreground = true
		case 'd':
			f.debug = min(f.debug+1, maxDebug)
		case 'E':
			f.logFile = value
		case 'e':
			f.stderr = true
		case 'f':
			f.config = value
		case 'G':
			f.dump = true
		case 'O':
			f.control = value
		case 'T':
			f.extended = true
		case 't':
			f.test = true
		case 'i':
			f.inetd = true
		case 'q':
			f.quiet = true
		case 'c':
			f.options = append(f.options, sshconfig.Option("HostCertificate", absolute(value)))
		case 'h':
			f.options = append(f.options, sshconfig.Option("HostKey", absolute(value)))
		case 'g':
			if _, ok := sshconfig.ParseTime(value); !ok {
				return bad("Invalid login grace time.")
			}
			f.options = append(f.options, "LoginGraceTime="+value)
		case 'o':
			f.options = append(f.options, value)
		case 'p':
			if len(f.ports) == maxPorts {
				return bad("too many ports.")
			}
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 {
				return bad("Bad port number.")
			}
			f.ports = append(f.ports, int(n))
		case 'u':
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n > maxUtmpHost {
				return bad("Invalid utmp length.")
			}
			f.utmp = int(n)
		case 'V':
			io.Errorf("%s", version.Line(""))
			return nil, 0, true
		case 'R':
			io.Errorf("sshd: -R is no option of this program: its sessions need none")
			return nil, 255, true
		case 'b', 'k', 'Q', 'r':
			// Of protocol 1 and of former ways to start: nothing to do.
		}
	}
}

// onlyLooks tells whether nothing is to be served.
func (f *flags) onlyLooks() bool { return f.test || f.extended || f.dump }

// daemon tells whether the server goes to the background.
func (f *flags) daemon() bool {
	return !f.foreground && f.debug == 0 && !f.inetd && !f.onlyLooks()
}
