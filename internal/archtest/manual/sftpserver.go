package manual

import (
	"strings"

	"github.com/nacre-ssh/nacre/sftp"
)

const sftpServerIntro = `sftp-server speaks the server's side of the file transfer protocol over standard input and output. People do not start it: sshd(8) does, where its configuration says "Subsystem sftp", and with the rights of who has logged in. "internal-sftp" in sshd_config(5) means the same without another program, and takes the same options.`

// sftpServerFlags is the command line of sftp-server(8).
var sftpServerFlags = [...]struct{ letter, arg, says string }{
	{"c", "", "With this the words behind it do not count: the program is somebody's login shell."},
	{"d", "start_directory", "Begin in this folder instead of the home. A tilde at its front is a home; %d stands for the home, %u for the name of the user, %% for a percent sign."},
	{"e", "", "Log to standard error instead of the system's log."},
	{"f", "log_facility", "The facility of the system's log: DAEMON, USER, AUTH, AUTHPRIV, LOCAL0 to LOCAL7. The default is AUTH."},
	{"h", "", "Show the options and end."},
	{"l", "log_level", "What is logged: QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3. INFO has a line for every file. The default is ERROR."},
	{"P", "denied_requests", "Requests that are refused, parted by commas. This beats -p."},
	{"p", "allowed_requests", "Only these requests are served, parted by commas."},
	{"Q", "protocol_feature", "List what can be asked about; \"requests\" lists the names for -P and -p."},
	{"R", "", "Serve for reading only: whatever would change something is refused."},
	{"u", "umask", "The umask, in octal, instead of the session's."},
}

func sftpServer8() string {
	var b strings.Builder
	b.WriteString(head("sftp-server", "SFTP-SERVER", "8", "serve files over standard input and output"))
	b.WriteString(".Sh SYNOPSIS\n.Nm sftp-server\n.Op options\n.Nm sftp-server\n.Fl Q Ar protocol_feature\n")
	section(&b, "DESCRIPTION", sftpServerIntro)
	b.WriteString(".Sh OPTIONS\n.Bl -tag -width Ds\n")
	for _, f := range sftpServerFlags {
		b.WriteString(".It Fl " + f.letter)
		if f.arg != "" {
			b.WriteString(" Ar " + roff(f.arg))
		}
		b.WriteString("\n" + roff(f.says) + "\n")
	}
	b.WriteString(".El\n")
	var names []string
	for op := range sftp.Ops {
		names = append(names, op.String())
	}
	section(&b, "REQUESTS", "Those of version 3 of the protocol and the extensions of OpenSSH: "+strings.Join(names, ", ")+".")
	section(&b, "EXIT STATUS", "0 when the client has ended the session, 1 when its stream failed or the command line is wrong, 11 after a packet that cannot be one, 255 when nothing can be served.")
	section(&b, "SEE ALSO", "sshd(8), sshd_config(5)")
	return b.String()
}
