//go:build linux || darwin || freebsd || openbsd

package login

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Files of the system that a session looks at.
const (
	defaultLogin = "/etc/default/login"
	debianMark   = "/etc/debian_version"
	defaultShell = "/bin/sh"
	passwdPath   = "/usr/bin/passwd"
)

// The PATH of a session for users and for root: as OpenSSH has it built in, and
// as Debian does.
const (
	StdPath       = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"
	debianPath    = "/usr/local/bin:/usr/bin:/bin:/usr/games"
	debianSysPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Kind is what a client asks a session to run.
type Kind int

// Kinds of requests.
const (
	Shell     Kind = iota
	Exec           // Name is the command
	Subsystem      // Name is the subsystem's
)

// Request is what a client asks a session to run, and with what.
type Request struct {
	Kind Kind
	Name string
	// Env are the accepted variables as "NAME=value", in order of arrival.
	Env  []string
	Term string // TERM of the pty-req
	TTY  string // path of its terminal, "" without one

	Display      string // DISPLAY, "" without X11 forwarding
	X11          string // "PROTO COOKIE"
	XAuthDisplay string // name of the xauth entry
	AgentSocket  string // SSH_AUTH_SOCK
	Tunnels      string // SSH_TUNNEL
	Terminfo     string // directory with what the client says of its terminal
}

// SessionInfo is what a session's plan is made of.
type SessionInfo struct {
	Account *account.Account
	// Identity is who the process is to be; nil if it has the right ids already.
	Identity *Identity
	Config   *sshconfig.Server          // as matched
	Options  *keyfile.AuthorizedOptions // of all keys together
	Request  Request

	// The ends of the connection; a missing address is "UNKNOWN" 65535.
	Remote, Local         string
	RemotePort, LocalPort int

	AuthFile   string   // of ExposeAuthInfo
	PAMEnv     []string // of PAM, process environment first
	NotOpen    bool     // the PAM session could not be opened
	MustChange bool     // the password has expired
	// Messages are the lines collected for the user since the last start of a
	// program, LastLogin what Records found when it allocated the terminal.
	Messages  []string
	LastLogin string

	TZ       string // of the server's own environment
	OOMScore string // what the listener's own was before it protected itself
	Debug    bool   // sshd -d
	Self     string // path of this program; "" finds it
}

// RefusedError says that a request is not served. The log has been told nothing
// yet.
type RefusedError struct {
	Level sshconfig.LogLevel
	Line  string // for the log
	// Text is for the client's standard output, before status 1; "" refuses the
	// request itself.
	Text string
}

func (e *RefusedError) Error() string { return "login: " + e.Line }

const internalSFTP = "internal-sftp"

// isInternalSFTP tells whether the built-in sftp server is meant.
func isInternalSFTP(command string) bool {
	rest, ok := strings.CutPrefix(command, internalSFTP)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// choice is what is to run.
type choice struct {
	title     string
	command   *string // nil: a login shell
	original  string  // SSH_ORIGINAL_COMMAND
	subsystem bool
	forced    bool
	internal  []string // words of the built-in sftp server
}

// choose settles what runs: ForceCommand beats the keys' command, which beats
// what the client asks.
func (s *SessionInfo) choose() (*choice, error) {
	c := &choice{}
	var asked string
	switch s.Request.Kind {
	case Shell:
		c.title = "shell"
	case Exec:
		c.title, asked = "command", s.Request.Name
		c.command = &asked
	case Subsystem:
		c.subsystem = true
		c.title = "subsystem '" + s.Request.Name + "'"
		found := false
		for _, sub := range s.Config.Subsystem {
			if found = sub.Name == s.Request.Name; found {
				asked = sub.Command
				break
			}
		}
		if !found {
			return nil, &RefusedError{Level: sshconfig.Info, Line: fmt.Sprintf("subsystem request for %.100s by user %s failed, subsystem not found", s.Request.Name, s.Account.Name)}
		}
		c.command = &asked
	}
	forced, where := s.Config.ForceCommand, "config"
	if forced == "" && s.Options.Command != nil {
		forced, where = *s.Options.Command, "key-option"
	}
	if forced != "" {
		c.forced, c.original, c.command = true, asked, &forced
		c.title = fmt.Sprintf("forced-command (%s) '%s'", where, forced)
		if isInternalSFTP(forced) && !c.subsystem {
			return nil, &RefusedError{Level: sshconfig.Error, Text: "This service allows sftp connections only.\n",
				Line: fmt.Sprintf("Connection from user %s %s port %d: refusing non-sftp session", s.Account.Name, s.Remote, s.RemotePort)}
		}
	}
	if c.command != nil && (c.forced || c.subsystem) && isInternalSFTP(*c.command) {
		words, err := sshconfig.SplitCommand(*c.command)
		if err != nil {
			return nil, &RefusedError{Level: sshconfig.Error, Line: fmt.Sprintf("%s: %v", *c.command, err)}
		}
		c.internal = words
	}
	return c, nil
}

// NewSession is the plan of a session. The error is a *RefusedError when the
// request is not to be served.
func NewSession(s *SessionInfo) (*Plan, error) {
	c, err := s.choose()
	if err != nil {
		return nil, err
	}
	a, cfg := s.Account, s.Config
	p := &Plan{
		Title: c.title, Forced: c.forced, Subsystem: c.subsystem, Self: s.Self,
		User: a.Name, Identity: s.Identity, OOMScore: s.OOMScore,
		Home: a.Home, PrintEnv: s.Debug,
		NotOpen: s.NotOpen, MustChange: s.MustChange, TTY: s.Request.TTY != "",
		Nologin:  !cfg.UsePAM && a.UID != 0,
		RC:       s.Options.UserRC && cfg.PermitUserRC && !c.subsystem && cfg.ForceCommand == "",
		SystemRC: true,
		X11:      s.Request.X11, XAuthDisplay: s.Request.XAuthDisplay,
	}
	if p.Chroot, err = chrootPath(cfg.ChrootDirectory, a); err != nil {
		return nil, &RefusedError{Level: sshconfig.Fatal, Line: err.Error()}
	}
	if p.X11 != "" && !strings.EqualFold(cfg.XAuthLocation, "none") {
		p.XAuth = cfg.XAuthLocation
	}
	if u := cfg.PermitUserEnvironment; u.On {
		p.EnvFile = userPatterns(u)
	}
	for _, m := range s.Messages {
		p.Text += m + "\n"
	}
	if c.command == nil {
		if p.TTY && cfg.PrintLastLog {
			p.Text += s.LastLogin
		}
		p.Motd = p.TTY && cfg.PrintMotd
	} else if !s.NotOpen {
		p.Text = ""
	}
	p.Early, p.Late = s.environment(c)
	p.setCommand(a.Shell, c.command)
	if c.internal != nil {
		p.Role, p.Argv = SFTP, c.internal
	}
	return p, nil
}

// setCommand fills in what is run: command by the shell, or the shell as a login
// shell when command is nil.
func (p *Plan) setCommand(shell string, command *string) {
	if shell == "" {
		shell = defaultShell
	}
	p.Shell = shell
	base := filepath.Base(shell)
	if command == nil {
		p.Argv = []string{"-" + base}
	} else {
		p.Argv = []string{base, "-c", *command}
	}
}

func userPatterns(u sshconfig.UserEnvironment) string {
	if u.Patterns == "" {
		return "*"
	}
	return u.Patterns
}

// chrootPath is ChrootDirectory for an account.
func chrootPath(dir string, a *account.Account) (string, error) {
	if dir == "" || strings.EqualFold(dir, "none") {
		return "", nil
	}
	if dir == "~" || strings.HasPrefix(dir, "~/") {
		dir = a.Home + dir[1:]
	}
	var b strings.Builder
	for i := 0; i < len(dir); i++ {
		if dir[i] != '%' {
			b.WriteByte(dir[i])
			continue
		}
		if i++; i == len(dir) {
			return "", fmt.Errorf("ChrootDirectory %s: a percent sign at the end", dir)
		}
		switch dir[i] {
		case '%':
			b.WriteByte('%')
		case 'h':
			b.WriteString(a.Home)
		case 'u':
			b.WriteString(a.Name)
		case 'U':
			b.WriteString(strconv.FormatUint(uint64(a.UID), 10))
		default:
			return "", fmt.Errorf("ChrootDirectory %s: unknown key %%%c", dir, dir[i])
		}
	}
	return b.String(), nil
}

// EnvAllowed tells whether AcceptEnv lets a client set the variable name. What
// tells a loader which code to run is never taken, be a pattern as wide as it
// may (CHN-18).
func EnvAllowed(name string, patterns []string) bool {
	if name == "" || len(name) > MaxClientValue || strings.ContainsAny(name, "=\x00") {
		return false
	}
	for _, p := range patterns {
		if sshconfig.MatchPattern(name, p) {
			return p == name || !loads(name)
		}
	}
	return false
}

// loads tells whether a variable tells a loader or interpreter where code is.
func loads(name string) bool {
	return strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_") || name == "PATH" || strings.HasSuffix(name, "_PATH")
}

// environment is what comes before and after ~/.ssh/environment; a later value
// replaces an earlier one.
func (s *SessionInfo) environment(c *choice) (early, late environment) {
	a, cfg, r := s.Account, s.Config, &s.Request
	taken := 0
	for _, kv := range r.Env {
		name, value, _ := strings.Cut(kv, "=")
		if taken < MaxClientEnv && len(kv) <= MaxClientValue && EnvAllowed(name, cfg.AcceptEnv) {
			early.set(name, value)
			taken++
		}
	}
	early.set("USER", a.Name)
	early.set("LOGNAME", a.Name)
	early.set("HOME", a.Home)
	early.set("PATH", Path(a.UID == 0))
	if !cfg.UsePAM {
		early.set("MAIL", "/var/mail/"+a.Name)
	}
	early.set("SHELL", a.Shell)
	for _, v := range [...]struct{ name, value string }{
		{"TZ", s.TZ}, {"TERM", r.Term}, {"TERMINFO", r.Terminfo}, {"DISPLAY", r.Display}, {"SSH_AUTH_SOCK", r.AgentSocket},
	} {
		if v.value != "" {
			early.set(v.name, v.value)
		}
	}
	if u := cfg.PermitUserEnvironment; u.On {
		names := userPatterns(u)
		early.setAll(s.Options.Environment, func(name string) bool { return sshconfig.MatchList(name, names, false) == 1 })
	}
	late.setAll(s.PAMEnv, func(name string) bool {
		return !strings.HasPrefix(name, "SSH_AUTH_INFO") && !strings.HasPrefix(name, "SSH_CONNECTION")
	})
	late.setAll(cfg.SetEnv, nil)
	late.set("SSH_CLIENT", fmt.Sprintf("%s %d %d", s.Remote, s.RemotePort, s.LocalPort))
	late.set("SSH_CONNECTION", fmt.Sprintf("%s %d %s %d", s.Remote, s.RemotePort, s.Local, s.LocalPort))
	for _, v := range [...]struct{ name, value string }{
		{"SSH_TUNNEL", r.Tunnels}, {"SSH_USER_AUTH", s.AuthFile}, {"SSH_TTY", r.TTY}, {"SSH_ORIGINAL_COMMAND", c.original},
	} {
		if v.value != "" {
			late.set(v.name, v.value)
		}
	}
	return early, late
}

// Path is the PATH of a session: what /etc/default/login says, else what
// the system's own server has built in.
func Path(root bool) string {
	name, path := "PATH", StdPath
	if exists(debianMark) {
		path = debianPath
	}
	if root {
		name = "SUPATH"
		if path == debianPath {
			path = debianSysPath
		}
	}
	f, err := os.Open(defaultLogin)
	if err != nil {
		return path
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return path
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok && v != "" {
			path = v
		}
	}
	return path
}

// LastLoginLine is what a user is told about the login before; "" when there
// was none.
func LastLoginLine(at time.Time, host string) string {
	if at.IsZero() {
		return ""
	}
	line := "Last login: " + at.Format("Mon Jan _2 15:04:05 2006")
	if host != "" {
		line += " from " + host
	}
	return line + "\r\n"
}

// NewSockets is the plan of the process that opens sockets for the connection's
// forwards, as service says.
func NewSockets(s *SessionInfo, service []byte) (*Plan, error) {
	root, err := chrootPath(s.Config.ChrootDirectory, s.Account)
	if err != nil {
		return nil, &RefusedError{Level: sshconfig.Fatal, Line: err.Error()}
	}
	return &Plan{
		Title: "sockets", Self: s.Self, Role: Sockets, User: s.Account.Name, Identity: s.Identity,
		Chroot: root, OOMScore: s.OOMScore, Service: service,
	}, nil
}
