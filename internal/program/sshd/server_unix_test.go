//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

// The test binary is the program too when it is called by its name.
func TestMain(m *testing.M) {
	if role, _ := room.FromArgs(os.Args[1:]); role != room.Listener || filepath.Base(os.Args[0]) == "sshd" {
		os.Exit(Main(context.Background(), stdio.Process("sshd"), os.Args[1:]))
	}
	world.Enter() // accounts and login records stay the test's own
	os.Exit(m.Run())
}

// tester is the account of the tests: our own numbers, another name and home.
const tester = "tester"

// rig is a server with its world.
type rig struct {
	t    *testing.T
	home string
	keys string // authorized_keys
	user ssh.Signer
	host ssh.Signer
	addr string
	log  lockedBuffer
	g    *generation
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.ReplaceAll(l.b.String(), "\r\n", "\n")
}

// await waits until the log holds text.
func (r *rig) await(text string) {
	r.t.Helper()
	end := time.Now().Add(time.Minute)
	for !strings.Contains(r.log.String(), text) {
		if time.Now().After(end) {
			r.t.Fatalf("no %q in\n%s", text, r.log.String())
		}
		time.Sleep(time.Millisecond)
	}
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := ssh.NewSignerFromKey(k)
	must(t, err)
	return s
}

func line(s ssh.Signer) string {
	return strings.TrimSpace(string(keyfile.MarshalAuthorizedKey(s.PublicKey())))
}

// newRig starts a server with the given lines of configuration; %h and the
// like are of the tester's account.
func newRig(t *testing.T, config ...string) *rig {
	t.Helper()
	r := &rig{t: t, user: newKey(t), host: newKey(t)}
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	r.home = filepath.Join(top, "home")
	must(t, os.MkdirAll(filepath.Join(r.home, ".ssh"), 0o700))
	r.keys = filepath.Join(r.home, ".ssh/authorized_keys")
	r.authorize(line(r.user))
	passwd := filepath.Join(top, "passwd")
	entry := fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\nother:x:%d:%d::/:/bin/sh\nlocked:!:%d:%d::/:/bin/sh\nshell:x:%d:%d::/:/nonexistent\n",
		tester, os.Getuid(), os.Getgid(), r.home, os.Getuid()+1, os.Getgid(), os.Getuid(), os.Getgid(), os.Getuid(), os.Getgid())
	must(t, os.WriteFile(passwd, []byte(entry), 0o644))
	group := filepath.Join(top, "group")
	must(t, os.WriteFile(group, fmt.Appendf(nil, "testers:x:%d:\nothers:x:4242:%s\n", os.Getgid(), tester), 0o644))

	s := &server{io: stdio.Stdio{Err: os.Stderr}, flags: &flags{}, log: &sshdlog.Logger{}, db: &account.Database{Passwd: passwd, Group: group}}
	must(t, s.log.Configure(sshdlog.Config{Output: &r.log}))
	cfg := sshconfig.NewServer(configContext(s.db, s.log))
	for _, o := range append([]string{"LogLevel=VERBOSE"}, config...) {
		if !strings.HasPrefix(o, "Match") && !strings.HasPrefix(o, "\t") {
			must(t, cfg.Set(o))
		}
	}
	var file strings.Builder
	match := false
	for _, o := range config {
		if match = match || strings.HasPrefix(o, "Match"); match {
			file.WriteString(o + "\n")
		}
	}
	must(t, cfg.Load(sshconfig.Source{Name: "test", Data: []byte(file.String() + "\n")}))
	s.log.SetLevel(cfg.LogLevel)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.addr = l.Addr().String()
	r.g, err = s.newGeneration(cfg, []ssh.Signer{r.host}, nil)
	must(t, err)
	var active sync.WaitGroup
	active.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			active.Go(func() { r.g.visit(context.Background(), c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.g.room.Close()
		active.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", r.log.String())
		}
	})
	return r
}

// authorize makes lines the tester's authorized_keys.
func (r *rig) authorize(lines ...string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.keys, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

func (r *rig) config(user string, keys ...ssh.Signer) *ssh.ClientConfig {
	if keys == nil {
		keys = []ssh.Signer{r.user}
	}
	return &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(keys...)}, HostKey: ssh.FixedHostKey(r.host.PublicKey())}
}

func (r *rig) dial(user string, keys ...ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial(r.t.Context(), "tcp", r.addr, r.config(user, keys...))
}

func (r *rig) login(keys ...ssh.Signer) *ssh.Client {
	r.t.Helper()
	c, err := r.dial(tester, keys...)
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *rig) session(c *ssh.Client) *ssh.ClientSession {
	r.t.Helper()
	s, err := c.NewSession(r.t.Context())
	must(r.t, err)
	return s
}

// output runs a command with a login of its own.
func (r *rig) output(command string) string {
	r.t.Helper()
	c := r.login()
	defer c.Close()
	out, err := r.session(c).CombinedOutput(r.t.Context(), command)
	if err != nil {
		r.t.Errorf("%s: %v", command, err)
	}
	return string(out)
}

func TestCommand(t *testing.T) {
	r := newRig(t)
	c := r.login()
	s := r.session(c)
	var out, errs bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader("input\n"), &out, &errs
	err := s.Run(t.Context(), `read x; echo "got $x"; echo problem >&2; pwd; exit 9`)
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.Status != 9 {
		t.Errorf("status %v", err)
	}
	if out.String() != "got input\n"+r.home+"\n" || errs.String() != "problem\n" {
		t.Errorf("out %q, err %q", &out, &errs)
	}
	if err := r.session(c).Run(t.Context(), "kill -SEGV $$"); !errors.As(err, &exit) || exit.Signal != ssh.SIGSEGV {
		t.Errorf("signal %v", err)
	}
	if err := r.session(c).Run(t.Context(), "exec >&- 2>&-; sleep 0.1; exit 6"); !errors.As(err, &exit) || exit.Status != 6 {
		t.Errorf("early end %v", err)
	}
	c.Close()
	r.await("Disconnected from user " + tester)
	for _, want := range []string{
		"Connection from 127.0.0.1 port ",
		"Accepted key ED25519 " + ssh.FingerprintSHA256(r.user.PublicKey()) + " found at " + r.keys + ":1\n",
		"Accepted publickey for tester from 127.0.0.1 port ",
		" ssh2: ED25519 " + ssh.FingerprintSHA256(r.user.PublicKey()) + "\n",
		"Starting session: command for tester from 127.0.0.1 port ",
		"Close session: user tester from 127.0.0.1 port ",
		"Received disconnect from 127.0.0.1 port ",
	} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("no %q in\n%s", want, r.log.String())
		}
	}
	if strings.Contains(r.log.String(), "[preauth]") {
		t.Errorf("strangers' lines in\n%s", r.log.String())
	}
}

func TestShellIsALoginShell(t *testing.T) {
	r := newRig(t)
	s := r.session(r.login())
	var out bytes.Buffer
	s.Stdin, s.Stdout = strings.NewReader("echo $0; exit 3\n"), &out
	must(t, s.Shell(t.Context()))
	var exit *ssh.ExitError
	if err := s.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 3 || out.String() != "-sh\n" {
		t.Errorf("%v %q", err, &out)
	}
}

func TestBackgroundHoldsThePipeAndNothingElse(t *testing.T) {
	r := newRig(t)
	c := r.login()
	s := r.session(c)
	out, err := s.StdoutPipe()
	must(t, err)
	fifo := filepath.Join(r.home, "fifo")
	must(t, s.Start(t.Context(), "mkfifo "+fifo+"; (read x <"+fifo+"; echo later) & echo now; exit 2"))
	b := make([]byte, 4)
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "now\n" {
		t.Errorf("%q %v", b, err)
	}
	must(t, os.WriteFile(fifo, []byte("go\n"), 0)) // waits for its reader
	rest, err := io.ReadAll(out)
	if string(rest) != "later\n" || err != nil {
		t.Errorf("%q %v", rest, err)
	}
	var exit *ssh.ExitError
	if err := s.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 2 {
		t.Errorf("%v", err)
	}
	// A client that leaves does not wait for its program, nor kill it.
	s = r.session(c)
	must(t, s.Start(t.Context(), "trap 'echo hup >"+fifo+".x' HUP; cat; echo end >"+fifo+"; exit"))
	c.Close()
	got, err := os.ReadFile(fifo)
	if string(got) != "end\n" || err != nil {
		t.Errorf("the program got no end of file, but %q %v", got, err)
	}
}

func TestBulk(t *testing.T) {
	r := newRig(t)
	c := r.login()
	want := make([]byte, 20<<20)
	rand.Read(want)
	s := r.session(c)
	var out bytes.Buffer
	s.Stdin, s.Stdout = bytes.NewReader(want), &out
	must(t, s.Run(t.Context(), "cat"))
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes came back, %d were sent", out.Len(), len(want))
	}
}

func TestEnvironment(t *testing.T) {
	r := newRig(t, "AcceptEnv=LANG LC_* SSH_TTY PATH", "SetEnv=SET=config LC_ALL=config", "PermitUserEnvironment=KEY*,FILE*")
	r.authorize(`environment="KEY1=k",environment="LD_PRELOAD=/x" ` + line(r.user))
	must(t, os.WriteFile(filepath.Join(r.home, ".ssh/environment"), []byte("FILE=1\nBAD=1\n"), 0o600))
	t.Setenv("SECRET_OF_THE_SERVER", "1")
	c := r.login()
	s := r.session(c)
	for _, e := range []struct {
		name string
		ok   bool
	}{{"LANG", true}, {"LC_X", true}, {"LC_ALL", true}, {"OTHER", false}, {"PATH", true}, {"SSH_TTY", true}, {"LANG2", false}} {
		if err := s.Setenv(t.Context(), e.name, "client"); (err == nil) != e.ok {
			t.Errorf("%s: %v", e.name, err)
		}
	}
	out, err := s.Output(t.Context(), "env")
	must(t, err)
	got := map[string]string{}
	for l := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(l), "=")
		got[name] = value
	}
	host, port, _ := net.SplitHostPort(c.LocalAddr().String())
	_, sport, _ := net.SplitHostPort(r.addr)
	want := map[string]string{
		"USER": tester, "LOGNAME": tester, "HOME": r.home, "SHELL": "/bin/sh", "PATH": login.Path(os.Getuid() == 0), "MAIL": "/var/mail/" + tester,
		"LANG": "client", "LC_X": "client", "LC_ALL": "config", "SET": "config", "KEY1": "k", "FILE": "1", "SSH_TTY": "client",
		"SSH_CLIENT": host + " " + port + " " + sport, "SSH_CONNECTION": host + " " + port + " 127.0.0.1 " + sport,
	}
	for _, mayBe := range []string{"PWD", "OLDPWD", "SHLVL", "_"} {
		delete(got, mayBe) // the shell's own
	}
	for n, v := range want {
		if got[n] != v {
			t.Errorf("%s=%q, want %q", n, got[n], v)
		}
		delete(got, n)
	}
	if len(got) != 0 {
		t.Errorf("more than that: %v", got)
	}
}

func TestTerminal(t *testing.T) {
	for _, motd := range []string{"PrintMotd=no", "PrintMotd=yes"} { // at once, and by way of a login process
		t.Run(motd, func(t *testing.T) { testTerminal(t, newRig(t, motd)) })
	}
}

func testTerminal(t *testing.T, r *rig) {
	c := r.login()
	s := r.session(c)
	in, err := s.StdinPipe()
	must(t, err)
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "vt220", Window: ssh.Window{Columns: 77, Rows: 33},
		Modes: []byte{53, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0}})) // no ECHO, no ONLCR
	must(t, s.Shell(t.Context()))
	expect := func(script, want string) {
		t.Helper()
		_, err := io.WriteString(in, script+"; printf '\\001'\n")
		must(t, err)
		var got []byte
		b := make([]byte, 1)
		for !bytes.HasSuffix(got, []byte{1}) {
			if _, err := out.Read(b); err != nil {
				t.Fatalf("%q %v", got, err)
			}
			got = append(got, b...)
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	expect("echo $0 $TERM $SSH_TTY-$(tty)", "-sh vt220 /dev/")
	expect("stty size", "33 77\n")
	expect("test $SSH_TTY = $(tty) && echo same", "same\n")
	expect(`trap 'stty size; printf "\002"' WINCH; PS1=; echo ok`, "ok\n")
	must(t, s.WindowChange(ssh.Window{Columns: 100, Rows: 40}))
	b := make([]byte, 1)
	var got []byte
	for !bytes.HasSuffix(got, []byte{2}) {
		// The shell runs its trap when a line comes.
		if len(got) == 0 {
			io.WriteString(in, "\n")
		}
		if _, err := out.Read(b); err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	if !strings.Contains(string(got), "40 100\n") {
		t.Errorf("after the change: %q", got)
	}
	io.WriteString(in, "exit 4\n")
	io.Copy(io.Discard, out)
	var exit *ssh.ExitError
	if err := s.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 4 {
		t.Errorf("%v", err)
	}
	r.await("Starting session: shell on pts/")
}

// A background program neither keeps a terminal's session open nor survives
// it unless it wants to.
// readFifo awaits a writer that says something: one that is hung up between
// opening and writing says nothing.
func readFifo(path string) (b []byte, err error) {
	for len(b) == 0 && err == nil {
		b, err = os.ReadFile(path)
	}
	return b, err
}

func TestTerminalHangsUp(t *testing.T) {
	r := newRig(t)
	c := r.login()
	s := r.session(c)
	must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "x"}))
	fifo := filepath.Join(r.home, "fifo")
	out, err := s.Output(t.Context(), "mkfifo "+fifo+"; sh -c 'trap \"echo background >"+fifo+"; exit\" HUP; echo >"+fifo+"; while :; do sleep 0.1; done' 2>/dev/null & read x <"+fifo+"; echo last") // the background shell says nothing of its sleep's end
	must(t, err)
	if string(out) != "last\r\n" {
		t.Errorf("%q", out)
	}
	if got, err := readFifo(fifo); string(got) != "background\n" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	// The foreground program gets the hangup when the client leaves.
	s = r.session(c)
	must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "x"}))
	pipe, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start(t.Context(), "trap 'echo hup >"+fifo+"; exit' HUP; echo ready; while :; do sleep 0.1; done"))
	io.ReadFull(pipe, make([]byte, 5))
	c.Close()
	got, err := readFifo(fifo)
	if string(got) != "hup\n" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestSignalRequest(t *testing.T) {
	r := newRig(t)
	s := r.session(r.login())
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start(t.Context(), "trap 'echo usr1; exit 5' USR1; echo ready; while :; do sleep 0.05; done"))
	b := make([]byte, 6)
	_, err = io.ReadFull(out, b)
	must(t, err)
	must(t, s.Signal("STOP")) // not one of those
	must(t, s.Signal(ssh.SIGUSR1))
	rest, _ := io.ReadAll(out)
	var exit *ssh.ExitError
	if err := s.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 5 || string(rest) != "usr1\n" {
		t.Errorf("%v %q", err, rest)
	}
	r.await(`unsupported signal "STOP"`)
}

func TestSubsystem(t *testing.T) {
	r := newRig(t, "Subsystem=echo /bin/sh -c \"echo sub; echo err >&2; exit 23\"")
	c := r.login()
	s := r.session(c)
	out, err := s.StdoutPipe()
	must(t, err)
	errs, err := s.StderrPipe()
	must(t, err)
	must(t, s.RequestSubsystem(t.Context(), "echo"))
	b, _ := io.ReadAll(out)
	e, _ := io.ReadAll(errs)
	var exit *ssh.ExitError
	if err := s.Wait(t.Context()); !errors.As(err, &exit) || exit.Status != 23 || string(b) != "sub\n" || len(e) != 0 {
		t.Errorf("%v %q %q", err, b, e)
	}
	var refused *ssh.RequestError
	if err := r.session(c).RequestSubsystem(t.Context(), "other"); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	r.await("Starting session: subsystem 'echo' for tester")
}

func TestForcedCommands(t *testing.T) {
	r := newRig(t, "Subsystem=sub /bin/true")
	r.authorize(`command="echo forced: $SSH_ORIGINAL_COMMAND" ` + line(r.user))
	if got := r.output("rm -rf /"); got != "forced: rm -rf /\n" {
		t.Errorf("%q", got)
	}
	c := r.login()
	s := r.session(c)
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.RequestSubsystem(t.Context(), "sub"))
	if b, _ := io.ReadAll(out); string(b) != "forced: /bin/true\n" {
		t.Errorf("%q", b)
	}
	s = r.session(c)
	if out, err = s.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	must(t, s.Shell(t.Context()))
	if b, _ := io.ReadAll(out); string(b) != "forced:\n" {
		t.Errorf("%q", b)
	}
	r.await("Starting session: forced-command (key-option) 'echo forced: $SSH_ORIGINAL_COMMAND' for tester")

	r = newRig(t, "ForceCommand=echo config")
	r.authorize(`command="echo key" ` + line(r.user))
	if got := r.output("x"); got != "config\n" {
		t.Errorf("%q", got)
	}
	r.await("forced-command (config) 'echo config'")
}

func TestRestrictions(t *testing.T) {
	r := newRig(t)
	pty := func() error {
		return r.session(r.login()).RequestPTY(t.Context(), &ssh.PTY{Term: "x"})
	}
	for _, c := range []struct {
		options string
		pty     bool
	}{{"", true}, {"no-pty ", false}, {"restrict ", false}, {"restrict,pty ", true}} {
		r.authorize(c.options + line(r.user))
		if err := pty(); (err == nil) != c.pty {
			t.Errorf("%s: %v", c.options, err)
		}
	}
	r = newRig(t, "PermitTTY=no")
	if pty() == nil {
		t.Error("PermitTTY no")
	}
}

// Who is let in, and what the log says of those who are not.
func TestWho(t *testing.T) {
	for _, c := range []struct {
		name   string
		config []string
		keys   string // %s is the key's line
		user   string
		in     bool
		log    string
	}{
		{name: "plain", in: true},
		{name: "no such user", user: "nobody-knows", log: "Invalid user nobody-knows from 127.0.0.1 port "},
		{name: "a name that is none", user: "a:b", log: "Invalid user a from"},
		{name: "locked", user: "locked", log: "User locked not allowed because account is locked"},
		{name: "no shell", user: "shell", log: "User shell not allowed because shell /nonexistent does not exist"},
		{name: "another key", keys: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGn51uBsL7NBLbvUiRWCZcjnwCSWIWg3y6JWkWKQyKJf x", log: "Failed publickey for tester from"},
		{name: "broken lines before", keys: "# x\nssh-ed25519 AAAA\nnonsense\nbadoption %[1]s\n%[1]s", in: true},
		{name: "unknown option", keys: "badoption %s", log: "Failed publickey"},
		{name: "from", keys: `from="10.0.0.0/8,!127.0.0.1" %s`, log: ":1: Authentication tried for tester with correct key but not from a permitted host (host=127.0.0.1, ip=127.0.0.1, required=10.0.0.0/8,!127.0.0.1)."},
		{name: "from here", keys: `from="127.0.0.*" %s`, in: true},
		{name: "expired", keys: `expiry-time="20200101" %s`, log: "Failed publickey"},
		{name: "not expired", keys: `expiry-time="20990101Z" %s`, in: true},
		{name: "malformed time", keys: `expiry-time="soon" %s`, log: "Failed publickey"},
		{name: "cert-authority is no user's key", keys: `cert-authority %s`, log: "Failed publickey"},
		{name: "AllowUsers", config: []string{"AllowUsers=somebody"}, log: "User tester from 127.0.0.1 not allowed because not listed in AllowUsers"},
		{name: "AllowUsers lets in", config: []string{"AllowUsers=x te*@127.0.0.0/8"}, in: true},
		{name: "AllowUsers elsewhere", config: []string{"AllowUsers=tester@10.0.0.0/8"}, log: "not listed in AllowUsers"},
		{name: "DenyUsers", config: []string{"DenyUsers=test??", "AllowUsers=tester"}, log: "User tester from 127.0.0.1 not allowed because listed in DenyUsers"},
		{name: "DenyGroups", config: []string{"DenyGroups=others"}, log: "because a group is listed in DenyGroups"},
		{name: "AllowGroups", config: []string{"AllowGroups=wheel"}, log: "because none of user's groups are listed in AllowGroups"},
		{name: "AllowGroups lets in", config: []string{"AllowGroups=wheel test*"}, in: true},
		{name: "PubkeyAuthentication", config: []string{"PubkeyAuthentication=no"}},
		{name: "keys elsewhere", config: []string{"AuthorizedKeysFile=%h/.ssh/none .ssh/authorized_%%u /nonexistent/%U"}, log: ""},
		{name: "keys by pattern", config: []string{"AuthorizedKeysFile=.ssh/auth*_keys"}, in: true},
		{name: "no keys", config: []string{"AuthorizedKeysFile=none"}},
		{name: "match", config: []string{"Match User tester", "\tAuthorizedKeysFile none"}},
		{name: "match another", config: []string{"Match User other", "\tAuthorizedKeysFile none"}, in: true},
		{name: "RefuseConnection", config: []string{"RefuseConnection=yes"}, log: "administratively prohibited connection for tester from 127.0.0.1 port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.config...)
			if c.keys != "" {
				if strings.Contains(c.keys, "%") {
					c.keys = fmt.Sprintf(c.keys, line(r.user))
				}
				r.authorize(c.keys)
			}
			user := c.user
			if user == "" {
				user = tester
			}
			client, err := r.dial(user)
			if (err == nil) != c.in {
				t.Errorf("%v", err)
			}
			if err == nil {
				client.Close()
			}
			r.await(c.log)
		})
	}
}

func TestStrictModesRefuse(t *testing.T) {
	r := newRig(t)
	must(t, os.Chmod(r.home, 0o777))
	if _, err := r.dial(tester); err == nil {
		t.Error("a home that everybody may write")
	}
	r.await("Authentication refused: bad ownership or modes for directory " + r.home)
	must(t, os.Chmod(r.home, 0o700))
	r.login()
	must(t, os.Remove(r.keys))
	must(t, os.Mkdir(r.keys, 0o700))
	if _, err := r.dial(tester); err == nil {
		t.Error("a directory")
	}
	r.await("User 'tester' authorized keys '" + r.keys + "' is not a regular file")
}

func TestRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the rules are for uid 0")
	}
	for _, c := range []struct {
		config, options string
		in              bool
	}{
		{"yes", "", true}, {"prohibit-password", "", true}, {"no", "", false},
		{"forced-commands-only", "", false}, {"forced-commands-only", `command="true" `, true},
	} {
		r := newRig(t, "PermitRootLogin="+c.config)
		r.authorize(c.options + line(r.user))
		_, err := r.dial(tester)
		if (err == nil) != c.in {
			t.Errorf("%s %s: %v", c.config, c.options, err)
		}
		if !c.in {
			r.await("ROOT LOGIN REFUSED FROM 127.0.0.1 port ")
		}
	}
}

func TestTwoKeys(t *testing.T) {
	r := newRig(t, "AuthenticationMethods=publickey,publickey", "PermitUserEnvironment=yes")
	second := newKey(t)
	r.authorize(`environment="A=1",no-pty `+line(r.user), `environment="B=2" `+line(second))
	if _, err := r.dial(tester); err == nil {
		t.Error("one key was enough")
	}
	c := r.login(r.user, second)
	out, err := r.session(c).Output(t.Context(), "echo $A$B")
	if string(out) != "12\n" || err != nil {
		t.Errorf("%q %v", out, err)
	}
	if r.session(c).RequestPTY(t.Context(), &ssh.PTY{Term: "x"}) == nil {
		t.Error("the first key's restriction is lost")
	}
	r.await("Partial publickey for tester from")
}

func certify(t *testing.T, ca, key ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{Key: key.PublicKey(), Serial: 7, CertType: ssh.UserCert, KeyId: "id of the key",
		ValidPrincipals: []string{tester}, ValidBefore: pubkey.CertTimeInfinity,
		Permissions: pubkey.Permissions{CriticalOptions: map[string]string{}, Extensions: map[string]string{"permit-pty": ""}}}
	if change != nil {
		change(c)
	}
	must(t, c.SignCert(rand.Reader, ca))
	s, err := ssh.NewCertSigner(c, key)
	must(t, err)
	return s
}

func TestCertificates(t *testing.T) {
	ca := newKey(t)
	top := t.TempDir()
	caFile, principals := filepath.Join(top, "ca"), filepath.Join(top, "principals")
	must(t, os.WriteFile(caFile, []byte(line(ca)+"\n"), 0o644))
	must(t, os.WriteFile(principals, []byte("# x\nsomebody\nno-pty role\n"), 0o600))
	for _, c := range []struct {
		name   string
		config []string
		keys   string // with %s for the CA's line
		change func(*ssh.Certificate)
		in     bool
		log    string
		out    string // of "true"
		noPTY  bool
	}{
		{name: "trusted", config: []string{"TrustedUserCAKeys=" + caFile}, in: true, log: `Accepted certificate ID "id of the key" (serial 7) signed by ED25519 CA SHA256:`},
		{name: "unknown authority"},
		{name: "in authorized_keys", keys: "cert-authority %s", in: true, log: `Accepted certificate ID "id of the key" (serial 7) signed by CA ED25519 SHA256:`},
		{name: "the authority's own key is none", keys: "%s"},
		{name: "principals of the line", keys: `cert-authority,principals="x,role" %s`, change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"role"} }, in: true},
		{name: "the name does not help then", keys: `cert-authority,principals="x,role" %s`, log: "Certificate invalid: name is not a listed principal"},
		{name: "no principals", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.ValidPrincipals = nil }, log: "Certificate invalid: name is not a listed principal"},
		{name: "another's", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"other"} }},
		{name: "expired", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.ValidBefore = 1000 }, log: "Certificate invalid: has expired"},
		{name: "a host's", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.CertType = ssh.HostCert }},
		{name: "unknown critical option", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.CriticalOptions["x"] = "" }},
		{name: "from elsewhere", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.CriticalOptions["source-address"] = "10.0.0.0/8" }},
		{name: "forced", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.CriticalOptions["force-command"] = "echo forced" }, in: true, out: "forced\n"},
		{name: "forced twice, not the same", keys: `cert-authority,command="echo line" %s`, change: func(c *ssh.Certificate) { c.CriticalOptions["force-command"] = "echo forced" }},
		{name: "no extensions", config: []string{"TrustedUserCAKeys=" + caFile}, change: func(c *ssh.Certificate) { c.Extensions = nil }, in: true, noPTY: true},
		{name: "principals file", config: []string{"TrustedUserCAKeys=" + caFile, "AuthorizedPrincipalsFile=" + principals, "StrictModes=no"}, change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"role"} }, in: true, noPTY: true},
		{name: "not in it", config: []string{"TrustedUserCAKeys=" + caFile, "AuthorizedPrincipalsFile=" + principals, "StrictModes=no"}},
		{name: "revoked authority", config: []string{"TrustedUserCAKeys=" + caFile, "RevokedKeys=" + caFile}, log: "revoked by file " + caFile},
		{name: "unreadable list", config: []string{"TrustedUserCAKeys=" + caFile, "RevokedKeys=/nonexistent/x"}, log: "Error checking authentication key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.config...)
			keys := "# none"
			if c.keys != "" {
				keys = fmt.Sprintf(c.keys, line(ca))
			}
			r.authorize(keys)
			client, err := r.dial(tester, certify(t, ca, newKey(t), c.change))
			if (err == nil) != c.in {
				t.Fatalf("%v", err)
			}
			r.await(c.log)
			if err != nil {
				return
			}
			defer client.Close()
			out, err := r.session(client).Output(t.Context(), "true")
			if string(out) != c.out || err != nil {
				t.Errorf("%q %v", out, err)
			}
			if err := r.session(client).RequestPTY(t.Context(), &ssh.PTY{Term: "x"}); (err != nil) != c.noPTY {
				t.Errorf("terminal: %v", err)
			}
		})
	}
}

func TestRevokedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "revoked")
	r := newRig(t, "RevokedKeys="+file)
	must(t, os.WriteFile(file, []byte("# nobody\n"), 0o644))
	r.login()
	must(t, os.WriteFile(file, []byte(line(r.user)+"\n"), 0o644))
	if _, err := r.dial(tester); err == nil {
		t.Error("a revoked key logs in")
	}
	must(t, os.WriteFile(file, []byte("SSHKRL\n\x00 ..."), 0o644))
	if _, err := r.dial(tester); err == nil {
		t.Error("a list that cannot be read must refuse all")
	}
}

func TestBannerAndInfo(t *testing.T) {
	banner := filepath.Join(t.TempDir(), "banner")
	must(t, os.WriteFile(banner, []byte("Authorised users only.\n"), 0o644))
	r := newRig(t, "Banner="+banner, "ExposeAuthInfo=yes")
	cfg := r.config(tester)
	shown := ""
	cfg.Banner = func(s string) { shown += s }
	c, err := ssh.Dial(t.Context(), "tcp", r.addr, cfg)
	must(t, err)
	defer c.Close()
	if shown != "Authorised users only.\n" {
		t.Errorf("banner %q", shown)
	}
	out, err := r.session(c).Output(t.Context(), "cat $SSH_USER_AUTH; ls -l $SSH_USER_AUTH | cut -c1-10; echo $SSH_USER_AUTH")
	must(t, err)
	want := "publickey " + line(r.user) + "\n-rw-------\n"
	name, ok := strings.CutPrefix(string(out), want)
	if !ok {
		t.Errorf("%q, want %q", out, want)
	}
	c.Close()
	r.await("Disconnected from")
	if _, err := os.Stat(strings.TrimSpace(name)); err == nil {
		t.Error("the file stays")
	}
}

func TestTries(t *testing.T) {
	r := newRig(t, "MaxAuthTries=2")
	var keys []ssh.Signer
	for range 3 {
		keys = append(keys, newKey(t))
	}
	if _, err := r.dial(tester, append(keys, r.user)...); err == nil {
		t.Error("the fourth try was let in")
	}
	r.await("maximum authentication attempts exceeded for tester from 127.0.0.1 port ")
	r.await(" ssh2 [preauth]\nDisconnecting authenticating user tester 127.0.0.1 port ")
	r.await(": Too many authentication failures [preauth]\n")
}

func TestStrangers(t *testing.T) {
	r := newRig(t)
	talk := func(say string, close bool) string {
		c, err := net.Dial("tcp", r.addr)
		must(t, err)
		defer c.Close()
		io.WriteString(c, say)
		if close {
			c.(*net.TCPConn).CloseWrite()
		}
		b, _ := io.ReadAll(c)
		return string(b)
	}
	if got := talk("GET / HTTP/1.0\r\n\r\n", false); !strings.HasPrefix(got, "SSH-2.0-") || !strings.Contains(got, "Invalid SSH identification string.\r\n") {
		t.Errorf("%q", got)
	}
	r.await("kex_exchange_identification: ")
	r.await("banner exchange: Connection from 127.0.0.1 port ")
	r.await(": invalid format [preauth]\n")
	if got := talk("", true); !strings.HasPrefix(got, "SSH-2.0-") {
		t.Errorf("%q", got)
	}
	r.await("Connection closed by 127.0.0.1 port ")
	talk("SSH-2.0-x\r\n", true)
	cfg := r.config(tester)
	cfg.KeyExchanges = []string{"diffie-hellman-group1-sha1"}
	if _, err := ssh.Dial(t.Context(), "tcp", r.addr, cfg); err == nil {
		t.Error("an old method")
	}
	r.await("no matching key exchange method found. Their offer: diffie-hellman-group1-sha1")
	// Somebody who leaves in the middle of logging in.
	cfg = r.config(tester, newKey(t))
	ssh.Dial(t.Context(), "tcp", r.addr, cfg)
	r.await(" authenticating user tester 127.0.0.1 port ")
}

func TestGraceTime(t *testing.T) {
	r := newRig(t, "LoginGraceTime=1")
	c, err := net.Dial("tcp", r.addr)
	must(t, err)
	defer c.Close()
	io.Copy(io.Discard, c) // until the server hangs up
	r.await("Timeout before authentication for connection from 127.0.0.1 to 127.0.0.1, pid = ")
}

func TestSessionsLimit(t *testing.T) {
	r := newRig(t, "MaxSessions=2")
	c := r.login()
	r.session(c)
	s := r.session(c)
	if _, err := c.NewSession(t.Context()); err == nil {
		t.Error("a third session")
	}
	s.Close()
	s.Channel().WaitClosed(t.Context())
	r.session(c)
}

func TestNothingIsLeftOpen(t *testing.T) {
	r := newRig(t)
	c := r.login()
	for range 3 {
		_ = r.session(c).Run(t.Context(), "true")
	}
	before := openFiles(t)
	for range 5 {
		must(t, r.session(c).Run(t.Context(), "true"))
		s := r.session(c)
		must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "x"}))
		if err := s.Run(t.Context(), "true"); err != nil {
			t.Error(err)
		}
	}
	end := time.Now().Add(time.Minute)
	after := openFiles(t)
	for ; after > before && time.Now().Before(end); after = openFiles(t) {
		time.Sleep(time.Millisecond) // the last session's ends are closed after its CLOSE
	}
	if after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// Root's server runs programs with the rights of whoever logged in.
func TestOtherAccount(t *testing.T) {
	r := newRig(t, "AuthorizedKeysFile="+"%h/keys", "StrictModes=no")
	uid, gid := os.Getuid()+1, os.Getgid()+1
	top := filepath.Dir(r.home)
	for d := top; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	home := filepath.Join(top, "other")
	must(t, os.Mkdir(home, 0o755))
	must(t, os.WriteFile(filepath.Join(home, "keys"), []byte(line(r.user)+"\n"), 0o644))
	passwd := fmt.Sprintf("other:x:%d:%d::%s:/bin/sh\n", uid, gid, home)
	must(t, os.WriteFile(r.g.s.db.Passwd, []byte(passwd), 0o644))
	must(t, os.WriteFile(r.g.s.db.Group, fmt.Appendf(nil, "g:x:%d:\nmore:x:4242:other\n", gid), 0o644))
	c, err := r.dial("other")
	if os.Getuid() != 0 {
		if err == nil {
			t.Error("a server of one user let another in")
		}
		r.await("User other not allowed because this server runs with the rights of uid")
		return
	}
	must(t, err)
	defer c.Close()
	out, err := r.session(c).CombinedOutput(t.Context(), "id -u; id -g; id -G; pwd; echo $HOME; cat /proc/self/status | grep CapEff; cat /etc/shadow >/dev/null 2>&1 || echo no")
	if err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("%d\n%d\n%d 4242\n%s\n%s\nCapEff:\t0000000000000000\nno\n", uid, gid, gid, home, home)
	if string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
	s := r.session(c)
	must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "x"}))
	out, err = s.Output(t.Context(), "stat -c '%u %a' $(tty); echo x >$(tty)")
	if !strings.HasPrefix(string(out), fmt.Sprint(uid)+" 6") || !strings.HasSuffix(string(out), "x\r\n") {
		t.Errorf("%q %v", out, err)
	}
}

// A service manager may open the socket.
func TestGivenSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	f, err := l.(*net.TCPListener).File()
	must(t, err)
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	must(t, writeKey(filepath.Join(dir, "host")))
	notify := filepath.Join(dir, "notify")
	n, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	must(t, err)
	defer n.Close()
	must(t, os.Symlink(executable(t), filepath.Join(dir, "sshd")))
	cmd := exec.Command("/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec "+dir+"/sshd -D -f none -h "+dir+"/host -o PidFile=none -E "+dir+"/log")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify)
	cmd.ExtraFiles = []*os.File{f}
	must(t, cmd.Start())
	f.Close()
	b := make([]byte, 100)
	k, err := n.Read(b)
	must(t, err)
	if string(b[:k]) != "READY=1" {
		t.Errorf("%q", b[:k])
	}
	c, err := net.Dial("tcp", addr)
	must(t, err)
	k, _ = c.Read(b)
	if !strings.HasPrefix(string(b[:k]), "SSH-2.0-") {
		t.Errorf("%q", b[:k])
	}
	c.Close()
	must(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	if cmd.ProcessState.Success() {
		t.Error("death by signal looks like success")
	}
}

func executable(t *testing.T) string {
	exe, err := os.Executable()
	must(t, err)
	return exe
}

func TestKeyCommand(t *testing.T) {
	r := newRig(t, "AuthorizedKeysFile=none", "AuthorizedKeysCommand=/bin/cat \"%h/keys of %u\"", "AuthorizedKeysCommandUser="+tester)
	if _, err := r.dial(tester); err == nil {
		t.Error("a program that fails let somebody in")
	}
	r.await("AuthorizedKeysCommand /bin/cat failed: exit status 1")
	must(t, os.WriteFile(filepath.Join(r.home, "keys of "+tester), []byte(line(newKey(t))+"\n"+line(r.user)+"\n"), 0o600))
	r.login()

	bad := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(bad, []byte("#!/bin/sh\ncat "+r.home+"/keys*\n"), 0o755))
	r = newRig(t, "AuthorizedKeysFile=none", "AuthorizedKeysCommand="+bad, "AuthorizedKeysCommandUser="+tester)
	if _, err := r.dial(tester); err == nil {
		t.Error("a program that anybody may change was believed")
	}
	r.await(`Unsafe AuthorizedKeysCommand "` + bad + `": bad ownership or modes for `)

	ca := newKey(t)
	file := filepath.Join(t.TempDir(), "ca")
	must(t, os.WriteFile(file, []byte(line(ca)+"\n"), 0o644))
	r = newRig(t, "TrustedUserCAKeys="+file, "AuthorizedPrincipalsCommand=/bin/echo serial-%s", "AuthorizedPrincipalsCommandUser="+tester)
	user := newKey(t)
	r.login(certify(t, ca, user, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"serial-7"} }))
	if _, err := r.dial(tester, certify(t, ca, user, nil)); err == nil {
		t.Error("the account's name is no principal here")
	}
}

func TestHostKeys(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, n := range []string{"good", "second", "open"} {
		must(t, writeKey(path(n)))
	}
	must(t, os.Chmod(path("open"), 0o640))
	must(t, os.WriteFile(path("broken"), []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), 0o600))
	b, err := os.ReadFile(path("good"))
	must(t, err)
	key, err := ssh.ParsePrivateKey(b)
	must(t, err)
	ca := newKey(t)
	write := func(name string, key ssh.Signer, kind uint32) {
		c := certify(t, ca, key, func(c *ssh.Certificate) { c.CertType = kind })
		must(t, os.WriteFile(path(name), ssh.MarshalAuthorizedKey(c.PublicKey()), 0o644))
	}
	write("cert", key, ssh.HostCert)
	write("usercert", key, ssh.UserCert)
	write("foreign", newKey(t), ssh.HostCert)
	var log lockedBuffer
	l, err := sshdlog.New(sshdlog.Config{Level: sshconfig.Debug1, Output: &log})
	must(t, err)
	cfg := sshconfig.NewServer(nil)
	for _, n := range []string{"none", "broken", "open", "good", "second"} {
		must(t, cfg.Set("HostKey="+path(n)))
	}
	for _, n := range []string{"none", "good.pub", "usercert", "foreign", "cert"} {
		must(t, cfg.Set("HostCertificate="+path(n)))
	}
	must(t, cfg.Load())
	keys, certs := hostKeys(cfg, l)
	if len(keys) != 1 || !pubkey.Equal(keys[0].PublicKey(), key.PublicKey()) || len(certs) != 1 {
		t.Errorf("%d keys, %d certificates", len(keys), len(certs))
	}
	for _, want := range []string{
		"Unable to load host key: " + path("none") + "\n",
		"Unable to load host key: " + path("broken") + "\n",
		"@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n",
		"Permissions 0640 for '" + path("open") + "' are too open.\nIt is required that your private key files are NOT accessible by others.\nThis private key will be ignored.\n",
		"Unable to load host key \"" + path("open") + "\": bad permissions\n",
		"private host key #3: ssh-ed25519 SHA256:",
		"Host key " + path("second") + ": there is one of its type already",
		"Could not load host certificate \"" + path("good.pub") + "\": not a certificate\n",
		"Could not load host certificate \"" + path("usercert") + "\": not a host certificate\n",
		"No matching private key for certificate: " + path("foreign") + "\n",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log.String())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openFiles(t *testing.T) int {
	d, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(d)
}
