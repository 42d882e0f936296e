//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// loginWord is the first argument that makes this program the short-lived
// process between a session and the user's program. It has the user's rights
// and nothing else, so calling it by hand gains nobody anything.
const loginWord = "--login"

const (
	planFD       = 3
	maxPlan      = growTo
	maxEnvLines  = 1000
	maxShellName = 255 // bytes of a login shell's last path part
	nologinFile  = "/etc/nologin"
	motdFile     = "/etc/motd"
	systemRC     = "/etc/ssh/sshrc"
	refused      = 254 // exit status when the login is refused after all
)

// plan is all that is to be done, with the user's rights, between the start of
// a session's process and the program of the user.
type plan struct {
	shell       string
	argv        []string
	early, late environment
	envFile     string // pattern-list of names ~/.ssh/environment may set; "" reads none
	home        string
	text        string // shown first
	motd        bool
	nologin     bool // look at /etc/nologin
	user        string
	rc          bool   // ~/.ssh/rc may run
	sysRC       bool   // /etc/ssh/sshrc may run
	x11         string // "PROTO COOKIE" for the rc files; "" without X11
	xauth       string // program; "" runs none
	authDisplay string // name of the xauth entry
}

func (p *plan) marshal() []byte {
	var b []byte
	text := func(s ...string) {
		for _, s := range s {
			b = wire.AppendText(b, s)
		}
	}
	list := func(l []string) {
		b = wire.AppendUint32(b, uint32(len(l)))
		text(l...)
	}
	text(p.shell)
	list(p.argv)
	list(p.early)
	list(p.late)
	text(p.envFile, p.home, p.text)
	b = wire.AppendBool(wire.AppendBool(b, p.motd), p.nologin)
	text(p.user)
	b = wire.AppendBool(wire.AppendBool(b, p.rc), p.sysRC)
	text(p.x11, p.xauth, p.authDisplay)
	return b
}

func (p *plan) unmarshal(b []byte) error {
	r := wire.NewReader(b)
	list := func() (l []string) {
		for n := r.Uint32(); n > 0 && r.Err() == nil; n-- {
			l = append(l, r.Text())
		}
		return l
	}
	p.shell = r.Text()
	p.argv = list()
	p.early = list()
	p.late = list()
	p.envFile, p.home, p.text = r.Text(), r.Text(), r.Text()
	p.motd, p.nologin = r.Bool(), r.Bool()
	p.user = r.Text()
	p.rc, p.sysRC = r.Bool(), r.Bool()
	p.x11, p.xauth, p.authDisplay = r.Text(), r.Text(), r.Text()
	return r.Done()
}

// direct tells whether nothing of the plan needs a process of its own, so that
// the user's program can be started at once: p.early and p.late are then its
// whole environment. It may be asked only with the user's own rights.
func (p *plan) direct() bool {
	if p.envFile != "" && exists(filepath.Join(p.home, ".ssh/environment")) ||
		p.text != "" || p.motd || p.x11 != "" ||
		p.nologin && exists(nologinFile) ||
		p.rc && exists(filepath.Join(p.home, ".ssh/rc")) ||
		p.sysRC && exists(systemRC) {
		return false
	}
	return unix.Access(p.home, unix.X_OK) == nil && isDir(p.home)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// setCommand fills in what is run: command by the shell, or the shell as a login
// shell when command is nil.
func (p *plan) setCommand(shell string, command *string) {
	p.shell = shell
	base := filepath.Base(shell)
	if command == nil {
		p.argv = []string{"-" + base}
	} else {
		p.argv = []string{base, "-c", *command}
	}
}

// runLogin is the process: it reads the plan, does what it says and becomes
// the user's program. It returns only when that fails.
func runLogin() int {
	closeOnExec(planFD) // whatever came from above
	f := os.NewFile(planFD, "plan")
	if f == nil {
		return 1
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPlan))
	f.Close()
	var p plan
	if err != nil || p.unmarshal(b) != nil || len(p.argv) == 0 {
		io.WriteString(os.Stderr, "sshd: this way of starting is for sshd itself\n")
		return 1
	}
	return p.run(os.Stdin, os.Stdout, os.Stderr, syscall.Exec)
}

// run does what the plan says; become is execve.
func (p *plan) run(stdin, stdout, stderr *os.File, become func(path string, argv, env []string) error) int {
	if p.nologin {
		if b, err := os.ReadFile(nologinFile); err == nil {
			stderr.Write(b)
			return refused
		}
	}
	io.WriteString(stdout, p.text)
	if p.motd && !exists(filepath.Join(p.home, ".hushlogin")) {
		if b, err := os.ReadFile(motdFile); err == nil {
			stdout.Write(b)
		}
	}
	env := join(p.early)
	if p.envFile != "" {
		if !readEnvFile(&env, filepath.Join(p.home, ".ssh/environment"), p.envFile, stderr) {
			return 255
		}
	}
	env = join(env, p.late)
	if err := os.Chdir(p.home); err != nil {
		io.WriteString(stderr, "Could not chdir to home directory "+p.home+": "+reason(err)+"\n")
		os.Chdir("/")
	}
	p.runRC(env, stdout, stderr)
	if len(filepath.Base(p.shell)) > maxShellName {
		io.WriteString(stderr, p.shell+": "+reason(syscall.EINVAL)+"\n")
		return 1
	}
	err := become(p.shell, p.argv, env)
	io.WriteString(stderr, p.shell+": "+reason(err)+"\n")
	return 1
}

// readEnvFile adds what ~/.ssh/environment says. A file that is too long is
// fatal, as in OpenSSH.
func readEnvFile(env *environment, file, names string, stderr io.Writer) bool {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return true
	}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 64<<10)
	for n := 1; sc.Scan(); n++ {
		if n > maxEnvLines {
			io.WriteString(stderr, "Too many lines in environment file "+file+"\n")
			return false
		}
		line := strings.TrimLeft(sc.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			io.WriteString(stderr, "Bad line "+itoa(n)+" in "+file+"\n")
			continue
		}
		if sshconfig.MatchList(name, names, false) == 1 {
			env.set(name, value)
		}
	}
	return true
}

// runRC runs the first that there is of the user's rc, the system's, and xauth.
func (p *plan) runRC(env environment, stdout, stderr *os.File) {
	input := ""
	if p.x11 != "" {
		input = p.x11 + "\n"
	}
	var cmd *exec.Cmd
	user := filepath.Join(p.home, ".ssh/rc")
	switch {
	case p.rc && exists(user):
		// The shell of the user runs sh, as in OpenSSH: an account whose shell
		// runs nothing runs no rc either.
		cmd = exec.Command("/bin/sh", "-c", shellQuote(p.shell)+" -c "+shellQuote("/bin/sh "+shellQuote(user)))
	case p.sysRC && exists(systemRC):
		cmd = exec.Command("/bin/sh", systemRC)
	case p.x11 != "" && p.xauth != "":
		cmd = exec.Command(p.xauth, "-q", "-")
		input = "remove " + p.authDisplay + "\nadd " + p.authDisplay + " " + p.x11 + "\n"
	default:
		return
	}
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, strings.NewReader(input), stdout, stderr
	_ = cmd.Run() // its result is nobody's business
}

// shellQuote makes s one word of a shell line.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// reason is the system's text of an error, without what was tried.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return strerror(errno)
	}
	return err.Error()
}
