//go:build linux || darwin || freebsd || openbsd

package login

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// Word is the first argument that makes this program a login process.
const Word = "--room=login"

// Descriptors of a login process beside 0, 1 and 2.
const (
	planFD   = 3 // it is read from
	reportFD = 4 // lines for the log go there
)

// Command is how a login process is started: plain data, so that another
// process can do it too.
type Command struct {
	Path      string
	Argv, Env []string
	Dir       string
	// Files are its descriptors from 0 on. Those behind the first three belong
	// to the Command, see Close.
	Files []*os.File
	// TTY says that descriptor 0 is a terminal that is to control the process.
	// With or without one it leads a session of its own.
	TTY bool
	// UID is whose rights its signals are sent with.
	UID uint32

	report *os.File // our end
}

// Close lets go of the descriptors that are the process's alone. It is called
// once the process has them, or will not be started.
func (c *Command) Close() {
	for _, f := range c.Files[min(3, len(c.Files)):] {
		f.Close()
	}
	c.Files = c.Files[:min(3, len(c.Files))]
}

// Command makes the command that carries p out, on the three files, which stay
// the caller's. With tty they are one terminal.
func (p *Plan) Command(stdin, stdout, stderr *os.File, tty bool) (*Command, error) {
	c := &Command{Files: []*os.File{stdin, stdout, stderr}, TTY: tty, UID: uint32(os.Geteuid())}
	if p.Identity != nil {
		c.UID = p.Identity.UID
	}
	if p.direct() {
		c.Path, c.Argv, c.Env, c.Dir = p.Shell, p.Argv, join(p.Early, p.Late), p.Home
		return c, nil
	}
	return c, p.process(c)
}

// Channel makes the command of a process that is spoken with over the socket
// at, which stays the caller's: it is all that the role Sockets has.
func (p *Plan) Channel(at *os.File) (*Command, error) {
	c := &Command{Files: []*os.File{at, os.Stderr, os.Stderr}, UID: uint32(os.Geteuid())}
	if p.Identity != nil {
		c.UID = p.Identity.UID
	}
	return c, p.process(c)
}

// process adds what a login process needs.
func (p *Plan) process(c *Command) error {
	plan, err := planFile(p.Marshal())
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		plan.Close()
		return err
	}
	c.Path, c.Argv, c.Env, c.Dir = p.Self, []string{title(p.User), Word}, []string{}, "/"
	if c.Path == "" {
		c.Path = self()
	}
	c.Files, c.report = append(c.Files, plan, w), r
	return nil
}

// titleRoom is how long the title of a process may become: it has to stand where
// the kernel put the first argument.
const titleRoom = 80

// title is the first argument of a login process, by which the suite's one
// program knows what it is, and which ps shows.
func title(user string) string {
	t := "sshd: " + user
	return t + strings.Repeat(" ", max(0, titleRoom-len(t)))
}

// self is the program of this process, also when its file has been replaced
// or deleted.
func self() string {
	const link = "/proc/self/exe"
	if _, err := os.Readlink(link); err == nil {
		return link
	}
	exe, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return exe
}

// planFile is the reading end of a pipe that holds plan.
func planFile(plan []byte) (*os.File, error) {
	if len(plan) > MaxPlan {
		return nil, errTooLong
	}
	r, w, err := rawio.PipeToChild()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	w.GrowPipe(MaxPlan)
	n, err := w.TryWritev([][]byte{plan})
	if err == nil && n < len(plan) {
		err = errTooLong
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// direct tells whether nothing of the plan needs a process of its own, so that
// the user's program can be started at once. It is so only where this process
// has the user's rights already.
func (p *Plan) direct() bool {
	if p.Identity != nil || p.Role != Run || p.Chroot != "" || p.OOMScore != "" || p.NotOpen || p.MustChange || p.PrintEnv ||
		p.EnvFile != "" && exists(filepath.Join(p.Home, ".ssh/environment")) ||
		p.Text != "" || p.Motd || p.X11 != "" ||
		p.Nologin && exists(nologinFile) ||
		p.RC && exists(filepath.Join(p.Home, ".ssh/rc")) ||
		p.SystemRC && exists(systemRC) ||
		len(filepath.Base(p.Shell)) > maxShellName {
		return false
	}
	return unix.Access(p.Home, unix.X_OK) == nil && isDir(p.Home)
}

// maxReport is how long one line of a login process may be.
const maxReport = 4 << 10

// report is a line of a login process on its way to the log.
func appendReport(b []byte, v sshconfig.LogLevel, text string) []byte {
	text = text[:min(len(text), maxReport-8)]
	b = wire.AppendUint32(b, uint32(v))
	return wire.AppendText(b, text)
}

// Relay writes what the process has to tell, until the user's program has taken
// its place. It tells whether the login is to end: the process met something
// that lets none of its kind succeed. It returns when the process has said its
// last word.
func (c *Command) Relay(lines *log.Lines) (fatal bool) {
	if c.report == nil {
		return false
	}
	defer c.report.Close()
	var b []byte
	buf := make([]byte, maxReport)
	for {
		m, err := c.report.Read(buf)
		b = append(b, buf[:m]...)
		for {
			r := wire.NewReader(b)
			v, text := sshconfig.LogLevel(r.Uint32()), r.Text()
			if r.Err() != nil {
				break
			}
			b = r.Rest()
			fatal = fatal || v == sshconfig.Fatal
			lines.Relay(log.Record{Level: v, Text: text}, time.Now())
		}
		if err != nil || len(b) > 2*maxReport {
			break
		}
	}
	return fatal
}
