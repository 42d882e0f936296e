package sftpserver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/program/getopt"
	"github.com/nacre-ssh/nacre/sftp"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Options are what the command line says.
type Options struct {
	StartDir string // -d, tokens and tildes as they were given
	Stderr   bool   // -e
	Facility sshconfig.Facility
	Level    sshconfig.LogLevel
	ReadOnly bool
	Deny     sftp.OpSet // of -P and -p together
	Umask    int        // -1: as it is
}

// Exit says that there is nothing to serve.
type Exit struct {
	Status   int
	Out, Err string // for standard output and standard error
}

const letters = "d:f:l:P:p:Q:u:cehR"

// maxUmask is the largest value of -u.
const maxUmask = 0o777

// Parse reads the words behind the program's name, which program is.
func Parse(program string, args []string) (*Options, *Exit) {
	o := &Options{Facility: sshconfig.FacilityAuth, Level: sshconfig.Error, Umask: -1}
	usage := func() (*Options, *Exit) {
		return nil, &Exit{Status: 1, Err: "usage: " + program + ` [-ehR] [-d start_directory] [-f log_facility] [-l log_level]
	[-P denied_requests] [-p allowed_requests] [-u umask]
       ` + program + " -Q protocol_feature\n"}
	}
	bad := func(status int, format string, args ...any) (*Options, *Exit) {
		return nil, &Exit{Status: status, Err: fmt.Sprintf(format, args...) + "\n"}
	}
	var allow, deny *string
	r := getopt.Reader{Args: args, Value: getopt.Letters(letters)}
	for {
		letter, value, err := r.Next()
		if err != nil {
			return usage()
		}
		switch letter {
		case 0:
			if deny != nil {
				o.Deny |= opsOf(*deny)
			}
			if allow != nil {
				o.Deny |= ^opsOf(*allow)
			}
			return o, nil
		case 'Q':
			if value != "requests" {
				return bad(1, "Invalid query type")
			}
			var b strings.Builder
			for op := range sftp.Ops {
				fmt.Fprintln(&b, op)
			}
			return nil, &Exit{Out: b.String()}
		case 'R':
			o.ReadOnly = true
		case 'c':
			// Started as a login shell, with a command: nothing else counts.
			r.Args = nil
		case 'e':
			o.Stderr = true
		case 'l':
			var ok bool
			if o.Level, ok = sshconfig.ParseLogLevel(value); !ok {
				return bad(1, "Invalid log level \"%s\"", value)
			}
		case 'f':
			var ok bool
			if o.Facility, ok = sshconfig.ParseFacility(value); !ok {
				return bad(1, "Invalid log facility \"%s\"", value)
			}
		case 'd':
			o.StartDir = value
		case 'p':
			if allow != nil {
				return bad(255, "Permitted requests already set")
			}
			allow = &value
		case 'P':
			if deny != nil {
				return bad(255, "Refused requests already set")
			}
			deny = &value
		case 'u':
			n, err := strconv.ParseInt(value, 8, 32)
			if err != nil || n < 0 || n > maxUmask {
				return bad(255, "Invalid umask \"%s\"", value)
			}
			o.Umask = int(n)
		default: // 'h'
			return usage()
		}
	}
}

// opsOf are the requests in a list; names that are none match nothing, as in
// OpenSSH.
func opsOf(list string) (s sftp.OpSet) {
	for name := range strings.SplitSeq(list, ",") {
		if op, ok := sftp.ParseOp(name); ok {
			s = s.With(op)
		}
	}
	return s
}
