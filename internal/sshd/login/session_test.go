//go:build linux || darwin || freebsd || openbsd

package login

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// session is the start of a session of ann's with the given configuration.
func session(t *testing.T, options string, config ...string) *SessionInfo {
	t.Helper()
	cfg := sshconfig.NewServer(nil)
	for _, c := range config {
		must(t, cfg.Set(c))
	}
	must(t, cfg.Load())
	o, err := keyfile.ParseOptions(options, nil)
	must(t, err)
	return &SessionInfo{
		Account: &account.Account{Name: "ann", UID: 4001, GID: 4001, Home: "/home/ann", Shell: "/bin/bash"},
		Config:  cfg, Options: o,
		Remote: "192.0.2.7", RemotePort: 5000, Local: "192.0.2.1", LocalPort: 22,
	}
}

// Which command runs, and what the log calls it: ForceCommand beats the key's
// command, which beats what is asked, whatever is asked (HST-5).
func TestChoose(t *testing.T) {
	sftp := "Subsystem=sftp internal-sftp -l INFO"
	other := "Subsystem=echo /bin/echo hi"
	for _, c := range []struct {
		name    string
		options string
		config  []string
		kind    Kind
		ask     string

		title, argv, original string
		forced, subsystem     bool
		role                  Role
		refused, text         string
	}{
		{name: "shell", title: "shell", argv: "-bash"},
		{name: "exec", kind: Exec, ask: "ls -l", title: "command", argv: "bash|-c|ls -l"},
		{name: "subsystem", config: []string{other}, kind: Subsystem, ask: "echo", title: "subsystem 'echo'", argv: "bash|-c|/bin/echo hi", subsystem: true},
		{name: "sftp", config: []string{sftp}, kind: Subsystem, ask: "sftp", title: "subsystem 'sftp'", argv: "internal-sftp|-l|INFO", role: SFTP, subsystem: true},
		{name: "no such subsystem", kind: Subsystem, ask: "sftp", refused: "subsystem request for sftp by user ann failed, subsystem not found"},
		{name: "nor is it found when forced", options: `command="x"`, kind: Subsystem, ask: "sftp", refused: "subsystem request for sftp by user ann failed, subsystem not found"},
		{name: "config, shell", config: []string{"ForceCommand=date"}, title: "forced-command (config) 'date'", argv: "bash|-c|date", forced: true},
		{name: "config, exec", config: []string{"ForceCommand=date"}, kind: Exec, ask: "rm -rf /", title: "forced-command (config) 'date'", argv: "bash|-c|date", original: "rm -rf /", forced: true},
		{name: "config, subsystem", config: []string{"ForceCommand=date", sftp}, kind: Subsystem, ask: "sftp", title: "forced-command (config) 'date'", argv: "bash|-c|date", original: "internal-sftp -l INFO", forced: true, subsystem: true},
		{name: "key", options: `command="who"`, kind: Exec, ask: "ls", title: "forced-command (key-option) 'who'", argv: "bash|-c|who", original: "ls", forced: true},
		{name: "config beats key", options: `command="who"`, config: []string{"ForceCommand=date"}, title: "forced-command (config) 'date'", argv: "bash|-c|date", forced: true},
		{name: "forced sftp", config: []string{"ForceCommand=internal-sftp -R", sftp}, kind: Subsystem, ask: "sftp", title: "forced-command (config) 'internal-sftp -R'", argv: "internal-sftp|-R", original: "internal-sftp -l INFO", role: SFTP, forced: true, subsystem: true},
		{name: "forced sftp for any subsystem", config: []string{"ForceCommand=internal-sftp", other}, kind: Subsystem, ask: "echo", title: "forced-command (config) 'internal-sftp'", argv: "internal-sftp", original: "/bin/echo hi", role: SFTP, forced: true, subsystem: true},
		{name: "forced sftp, shell", config: []string{"ForceCommand=internal-sftp"}, refused: "Connection from user ann 192.0.2.7 port 5000: refusing non-sftp session", text: "This service allows sftp connections only.\n"},
		{name: "forced sftp, exec", options: `command="internal-sftp"`, kind: Exec, ask: "internal-sftp", refused: "Connection from user ann 192.0.2.7 port 5000: refusing non-sftp session", text: "This service allows sftp connections only.\n"},
		{name: "a command of that name is a command", kind: Exec, ask: "internal-sftp", title: "command", argv: "bash|-c|internal-sftp"},
		{name: "one that begins so too", config: []string{"ForceCommand=internal-sftpd"}, title: "forced-command (config) 'internal-sftpd'", argv: "bash|-c|internal-sftpd", forced: true},
		{name: "quotes", config: []string{`Subsystem=sftp internal-sftp -d "/a b"`}, kind: Subsystem, ask: "sftp", title: "subsystem 'sftp'", argv: "internal-sftp|-d|/a b", role: SFTP, subsystem: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := session(t, c.options, c.config...)
			s.Request = Request{Kind: c.kind, Name: c.ask}
			p, err := NewSession(s)
			var refused *RefusedError
			if errors.As(err, &refused) {
				if refused.Line != c.refused || refused.Text != c.text {
					t.Errorf("%+v", refused)
				}
				return
			}
			must(t, err)
			got := strings.Join(p.Argv, "|")
			original := ""
			for _, kv := range p.Late {
				if v, ok := strings.CutPrefix(kv, "SSH_ORIGINAL_COMMAND="); ok {
					original = v
				}
			}
			if c.refused != "" || p.Title != c.title || got != c.argv || original != c.original || p.Forced != c.forced || p.Subsystem != c.subsystem || p.Role != c.role {
				t.Errorf("%s %q original %q forced %v subsystem %v role %v", p.Title, got, original, p.Forced, p.Subsystem, p.Role)
			}
		})
	}
}

// What a later source says replaces what an earlier one said, in its place.
func TestEnvironmentOrder(t *testing.T) {
	s := session(t, `environment="KEY=k",environment="USER=key",environment="SSH_CLIENT=key",environment="FILE=k"`,
		"AcceptEnv=LANG USER FAKE_* SSH_TTY A", "SetEnv=SET=s KEY=set SSH_CONNECTION=set", "PermitUserEnvironment=yes", "UsePAM=yes")
	s.Request = Request{Kind: Exec, Name: "x", Term: "vt100", TTY: "", Display: "localhost:10.0", AgentSocket: "/a", Tunnels: "tun0",
		Env: []string{"LANG=c", "USER=evil", "OTHER=no", "SSH_TTY=client", "A=1", "A=2"}}
	s.TZ, s.AuthFile = "UTC", "/tmp/sshauth"
	s.PAMEnv = []string{"PAM=p", "SSH_AUTH_INFO_0=x", "SSH_CONNECTION=pam", "LANG=pam", "SET=pam"}
	p, err := NewSession(s)
	must(t, err)
	want := []string{
		"LANG=pam", "USER=key", "SSH_TTY=client", "A=2", "LOGNAME=ann", "HOME=/home/ann", "PATH=" + Path(false), "SHELL=/bin/bash", "TZ=UTC", "TERM=vt100",
		"DISPLAY=localhost:10.0", "SSH_AUTH_SOCK=/a", "KEY=set", "SSH_CLIENT=192.0.2.7 5000 22", "FILE=k", "PAM=p", "SET=s",
		"SSH_CONNECTION=192.0.2.7 5000 192.0.2.1 22", "SSH_TUNNEL=tun0", "SSH_USER_AUTH=/tmp/sshauth",
	}
	if got := join(p.Early, p.Late); !slices.Equal(got, want) {
		t.Errorf("\n%q\n%q", []string(got), want)
	}
	if p.EnvFile != "*" {
		t.Error(p.EnvFile)
	}
	s = session(t, `environment="KEY=k",environment="BAD=k"`, "PermitUserEnvironment=K*,FILE")
	p, err = NewSession(s)
	must(t, err)
	env := join(p.Early, p.Late)
	if env.get("KEY") != "k" || env.get("BAD") != "" || env.get("MAIL") != "/var/mail/ann" || p.EnvFile != "K*,FILE" {
		t.Errorf("%q", []string(env))
	}
	s = session(t, `environment="KEY=k"`)
	if p, _ = NewSession(s); join(p.Early, p.Late).get("KEY") != "" || p.EnvFile != "" {
		t.Error("PermitUserEnvironment is off")
	}
}

// A client's variables are those of AcceptEnv; what tells loaders where code is
// must stand there by its name; and there are so many and no more (CHN-18).
func TestEnvAllowed(t *testing.T) {
	for _, c := range []struct {
		name, patterns string
		want           bool
	}{
		{"LANG", "LANG", true}, {"lang", "LANG", false}, {"LC_ALL", "LANG LC_*", true}, {"LD_PRELOAD", "*", false}, {"DYLD_INSERT_LIBRARIES", "D*", false},
		{"PERL5_PATH", "*", false}, {"PATH", "*", false}, {"LD_PRELOAD", "LD_PRELOAD", true}, {"A=B", "*", false}, {"", "*", false}, {"A\x00", "*", false}, {"X", "", false},
	} {
		if got := EnvAllowed(c.name, strings.Fields(c.patterns)); got != c.want {
			t.Errorf("%q of %q: %v", c.name, c.patterns, got)
		}
	}
	s := session(t, "", "AcceptEnv=V*")
	for i := range MaxClientEnv + 5 {
		s.Request.Env = append(s.Request.Env, fmt.Sprintf("V%d=", i))
	}
	p, err := NewSession(s)
	must(t, err)
	n := 0
	for _, kv := range p.Early {
		if kv[0] == 'V' {
			n++
		}
	}
	if n != MaxClientEnv {
		t.Errorf("%d variables", n)
	}
	s.Request.Env = []string{"V1=" + strings.Repeat("x", MaxClientValue-3), "V2=" + strings.Repeat("x", MaxClientValue-2)}
	p, err = NewSession(s)
	must(t, err)
	if env := join(p.Early); len(env.get("V1")) != MaxClientValue-3 || env.get("V2") != "" {
		t.Error("length of a value")
	}
}

// Who sees which messages.
func TestMessages(t *testing.T) {
	last := LastLoginLine(time.Date(2026, 11, 24, 22, 8, 1, 0, time.UTC), "host")
	if last != "Last login: Tue Nov 24 22:08:01 2026 from host\r\n" {
		t.Errorf("%q", last)
	}
	if got := LastLoginLine(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ""); got != "Last login: Fri Jan  2 03:04:05 2026\r\n" {
		t.Errorf("%q", got)
	}
	if got := LastLoginLine(time.Time{}, "host"); got != "" {
		t.Errorf("%q", got)
	}
	for _, c := range []struct {
		name    string
		config  []string
		options string
		request Request
		notOpen bool
		text    string
		motd    bool
	}{
		{name: "shell on a terminal", request: Request{TTY: "/dev/pts/0"}, text: "m1\nm2\n" + last, motd: true},
		{name: "shell without", text: "m1\nm2\n"},
		{name: "command", request: Request{Kind: Exec, Name: "x", TTY: "/dev/pts/0"}},
		{name: "forced", options: `command="x"`, request: Request{TTY: "/dev/pts/0"}},
		{name: "no motd", config: []string{"PrintMotd=no"}, request: Request{TTY: "/dev/pts/0"}, text: "m1\nm2\n" + last},
		{name: "no last login", config: []string{"PrintLastLog=no"}, request: Request{TTY: "/dev/pts/0"}, text: "m1\nm2\n", motd: true},
		{name: "not open", request: Request{Kind: Exec, Name: "x"}, notOpen: true, text: "m1\nm2\n"},
	} {
		s := session(t, c.options, c.config...)
		s.Request, s.Messages, s.LastLogin, s.NotOpen = c.request, []string{"m1", "m2"}, last, c.notOpen
		p, err := NewSession(s)
		must(t, err)
		if p.Text != c.text || p.Motd != c.motd {
			t.Errorf("%s: %q %v", c.name, p.Text, p.Motd)
		}
	}
}

// When the user's rc file may run: not for subsystems, nor under ForceCommand,
// but under the command of a key.
func TestUserRC(t *testing.T) {
	sub := "Subsystem=echo /bin/echo"
	for _, c := range []struct {
		config  []string
		options string
		kind    Kind
		want    bool
	}{
		{nil, "", Shell, true}, {nil, "", Exec, true}, {[]string{sub}, "", Subsystem, false}, {[]string{"ForceCommand=x"}, "", Shell, false},
		{nil, `command="x"`, Shell, true}, {nil, "no-user-rc", Shell, false}, {nil, "restrict", Shell, false}, {[]string{"PermitUserRC=no"}, "", Shell, false},
	} {
		s := session(t, c.options, c.config...)
		s.Request = Request{Kind: c.kind, Name: "echo"}
		p, err := NewSession(s)
		must(t, err)
		if p.RC != c.want || !p.SystemRC {
			t.Errorf("%+v: %v %v", c, p.RC, p.SystemRC)
		}
	}
}

func TestChrootPath(t *testing.T) {
	a := &account.Account{Name: "ann", UID: 7, Home: "/home/ann"}
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"none", ""}, {"NONE", ""}, {"/srv/%u", "/srv/ann"}, {"%h", "/home/ann"}, {"/c/%U%%", "/c/7%"}, {"~", "/home/ann"}, {"~/x", "/home/ann/x"}, {"/a~", "/a~"},
	} {
		if got, err := chrootPath(c.in, a); got != c.want || err != nil {
			t.Errorf("%q: %q %v", c.in, got, err)
		}
	}
	for _, bad := range []string{"/%x", "/%"} {
		if _, err := chrootPath(bad, a); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What a program gets that nobody has to start a process for.
func TestDirect(t *testing.T) {
	home := t.TempDir()
	p := &Plan{Home: home, RC: true, EnvFile: "*", Shell: "/bin/sh"}
	if !p.direct() {
		t.Error("an empty home needs a process")
	}
	for name, change := range map[string]func(p *Plan){
		"missing home": func(p *Plan) { p.Home = home + "/missing" }, "identity": func(p *Plan) { p.Identity = &Identity{} }, "chroot": func(p *Plan) { p.Chroot = "/x" },
		"text": func(p *Plan) { p.Text = "x" }, "motd": func(p *Plan) { p.Motd = true }, "x11": func(p *Plan) { p.X11 = "x y" }, "sftp": func(p *Plan) { p.Role = SFTP },
		"password": func(p *Plan) { p.MustChange = true }, "not open": func(p *Plan) { p.NotOpen = true }, "environment": func(p *Plan) { p.PrintEnv = true },
		"long name": func(p *Plan) { p.Shell = "/" + strings.Repeat("x", maxShellName+1) },
	} {
		q := *p
		change(&q)
		if q.direct() {
			t.Errorf("%s: at once", name)
		}
	}
	must(t, os.MkdirAll(home+"/.ssh", 0o700))
	must(t, os.WriteFile(home+"/.ssh/rc", nil, 0o600))
	if p.direct() {
		t.Error("an rc file")
	}
}

// A file for SSH_USER_AUTH is the user's alone, and never outside of the root
// directory of the session.
func TestAuthInfo(t *testing.T) {
	s := session(t, "")
	a, err := NewAuthInfo(s, []string{"publickey ssh-ed25519 AAAA", "password"})
	must(t, err)
	st, err := os.Stat(a.File())
	must(t, err)
	b, _ := os.ReadFile(a.File())
	if string(b) != "publickey ssh-ed25519 AAAA\npassword\n" || st.Mode() != 0o600 || !strings.HasPrefix(a.File(), "/tmp/sshauth.") || len(a.File()) != len("/tmp/sshauth.XXXXXXXXXXXXXXX") {
		t.Errorf("%s %v %q", a.File(), st.Mode(), b)
	}
	a.Remove()
	if _, err := os.Stat(a.File()); !os.IsNotExist(err) {
		t.Error("it is left behind")
	}
	var none *AuthInfo
	if none.Remove(); none.File() != "" {
		t.Error("no file has a name")
	}
	dir := t.TempDir()
	s = session(t, "", "ChrootDirectory="+dir)
	must(t, os.Symlink("/tmp", dir+"/tmp"))
	if _, err := NewAuthInfo(s, nil); err == nil {
		t.Error("a way out is followed")
	}
	os.Remove(dir + "/tmp")
	must(t, os.Mkdir(dir+"/tmp", 0o700))
	a, err = NewAuthInfo(s, nil)
	must(t, err)
	if _, err := os.Stat(dir + a.File()); err != nil {
		t.Error(err)
	}
	a.Remove()
}
