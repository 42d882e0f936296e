//go:build linux || darwin || freebsd || openbsd

package login

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

const (
	maxEnvLines  = 1000
	maxShellName = 255     // bytes of a login shell's last path part
	maxText      = 1 << 20 // of a motd or nologin that is shown
	nologinFile  = "/etc/nologin"
	motdFile     = "/etc/motd"
	systemRC     = "/etc/ssh/sshrc"
	refused      = 254 // exit status when the login is refused after all
	fatal        = 255
)

// Services are what a login process can be beside a user's program; what is
// not there is not served. They are handed in, because whoever decides about
// logins links this package and must not link them.
type Services struct {
	// SFTP serves files on standard input and output. It returns an exit status.
	SFTP func(*Files) int
	// Sockets serves the forwards of a user's connection over channel, as service says.
	Sockets func(user string, channel *os.File, service []byte, say func(v sshconfig.LogLevel, text string)) int
}

// Files is a session of the built-in sftp server.
type Files struct {
	User, Home string
	Args       []string // words of its command, its name first
	Client     string   // address of the other end
	// NoLog says that the system's log cannot be reached from here, as in most
	// changed root directories; Say tells a line all the same.
	NoLog bool
	Say   func(v sshconfig.LogLevel, text string)
}

// Main is the process: it reads its plan, does what it says and becomes the
// user's program. It returns only when that fails or a service has ended.
func Main(s Services) int {
	CloseOnExec(planFD)
	f := os.NewFile(planFD, "plan")
	if f == nil {
		return 1
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxPlan+1))
	f.Close()
	var p Plan
	if err != nil || p.Unmarshal(b) != nil {
		io.WriteString(os.Stderr, "sshd: this way of starting is for sshd itself\n")
		return 1
	}
	return p.run(s, os.NewFile(reportFD, "report"))
}

// reporter sends lines to the log.
type reporter struct{ w *os.File }

func (r reporter) say(v sshconfig.LogLevel, format string, args ...any) {
	if r.w != nil {
		_, _ = r.w.Write(appendReport(nil, v, fmt.Sprintf(format, args...)))
	}
}

// run does what the plan says.
func (p *Plan) run(s Services, report *os.File) int {
	r := reporter{report}
	stdout, stderr := os.Stdout, os.Stderr
	if err := p.become(r.say); err != nil {
		r.say(sshconfig.Fatal, "%s", err)
		return fatal
	}
	if p.Role == Sockets {
		if s.Sockets == nil {
			return fatal
		}
		// A duplicate, as standard input may be in the poller or not.
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			r.say(sshconfig.Fatal, "%s", reason.Of(err))
			return fatal
		}
		return s.Sockets(p.User, os.NewFile(uintptr(fd), "channel"), p.Service, func(v sshconfig.LogLevel, text string) { r.say(v, "%s", text) })
	}
	if p.Role == Refuse {
		io.WriteString(stdout, p.RefusalText)
		return p.ExitCode
	}
	if p.MustChange {
		return p.changePassword(stdout, stderr)
	}
	if p.Nologin && exists(nologinFile) {
		r.say(sshconfig.Info, "User %.100s not allowed because %s exists", p.User, nologinFile)
		show(stderr, nologinFile)
		return refused
	}
	if p.NotOpen || !exists(filepath.Join(p.Home, ".hushlogin")) {
		io.WriteString(stdout, p.Text)
		if p.Motd && !p.NotOpen {
			show(stdout, motdFile)
		}
	}
	if p.NotOpen {
		r.say(sshconfig.Debug3, "PAM session not opened, exiting")
		return refused
	}
	env := join(p.Early)
	if p.EnvFile != "" {
		if !readEnvFile(&env, filepath.Join(p.Home, ".ssh/environment"), p.EnvFile, stderr) {
			return fatal
		}
	}
	env = join(env, p.Late)
	if p.PrintEnv {
		io.WriteString(stderr, "Environment:\n")
		for _, kv := range env {
			io.WriteString(stderr, "  "+kv[:min(len(kv), 200)]+"\n")
		}
	}
	if err := os.Chdir(p.Home); err != nil {
		_ = os.Chdir("/")
		if p.Chroot == "" {
			io.WriteString(stderr, "Could not chdir to home directory "+p.Home+": "+reason.Of(err)+"\n")
		}
	}
	p.runRC(env, stdout, stderr)
	if p.Role == SFTP {
		if s.SFTP == nil {
			io.WriteString(stderr, "sshd: no sftp server\n")
			return 1
		}
		untraceable()
		client, _, _ := strings.Cut(env.get("SSH_CLIENT"), " ")
		return s.SFTP(&Files{User: p.User, Home: p.Home, Args: p.Argv, Client: client,
			NoLog: p.Chroot != "" && !exists("/dev/log"), Say: func(v sshconfig.LogLevel, text string) { r.say(v, "%s", text) }})
	}
	if len(filepath.Base(p.Shell)) > maxShellName {
		io.WriteString(stderr, p.Shell+": "+reason.Of(syscall.EINVAL)+"\n")
		return 1
	}
	err := replace(p.Shell, p.Argv, env)
	io.WriteString(stderr, p.Shell+": "+reason.Of(err)+"\n")
	return 1
}

// replace becomes the program: no signal is ignored or blocked there.
func replace(path string, argv, env []string) error {
	for s := syscall.Signal(1); s < 32; s++ {
		if signal.Ignored(s) {
			// What is caught is back at its default after exec.
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unblock()
	return syscall.Exec(path, argv, env)
}

// changePassword has the user choose a new one, if there is a terminal for it,
// and nothing else.
func (p *Plan) changePassword(stdout, stderr *os.File) int {
	io.WriteString(stderr, "WARNING: Your password has expired.\n")
	if !p.TTY {
		io.WriteString(stderr, "Password change required but no TTY available.\n")
		return 1
	}
	io.WriteString(stderr, "You must change your password now and log in again!\n")
	err := replace(passwdPath, []string{"passwd"}, join(p.Early, p.Late))
	io.WriteString(stderr, passwdPath+": "+reason.Of(err)+"\n")
	return 1
}

// show copies the beginning of a text file.
func show(w io.Writer, path string) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return
	}
	_, _ = io.Copy(w, io.LimitReader(f, maxText))
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
			io.WriteString(stderr, "Bad line "+strconv.Itoa(n)+" in "+file+"\n")
			continue
		}
		if sshconfig.MatchList(name, names, false) == 1 {
			env.set(name, value)
		}
	}
	return true
}

// runRC runs the first that there is of the user's rc, the system's, and xauth.
func (p *Plan) runRC(env environment, stdout, stderr *os.File) {
	input := ""
	if p.X11 != "" {
		input = p.X11 + "\n"
	}
	var cmd *exec.Cmd
	user := filepath.Join(p.Home, ".ssh/rc")
	switch {
	case p.RC && exists(user):
		// The shell of the user runs sh, as in OpenSSH: an account whose shell
		// runs nothing runs no rc either.
		cmd = exec.Command(defaultShell, "-c", shellQuote(p.Shell)+" -c "+shellQuote(defaultShell+" "+shellQuote(user)))
	case p.SystemRC && exists(systemRC):
		cmd = exec.Command(defaultShell, systemRC)
	case p.X11 != "" && p.XAuth != "":
		cmd = exec.Command(p.XAuth, "-q", "-")
		input = "remove " + p.XAuthDisplay + "\nadd " + p.XAuthDisplay + " " + p.X11 + "\n"
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
