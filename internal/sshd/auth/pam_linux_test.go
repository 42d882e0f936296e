package auth

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

// pamHost is a Host with PAM and a stack of its own; a stack of "" is Debian's.
func pamHost(t *testing.T, stack, config string) *Host {
	t.Helper()
	needRoot(t)
	path, err := nativePath()
	must(t, err)
	if _, err := os.Stat("/etc/pam.d/common-auth"); err != nil {
		t.Skip("peer lacks Linux-PAM with Debian's stacks")
	}
	service := "sshd"
	if stack != "" {
		service = "nacretest"
		must(t, os.WriteFile("/etc/pam.d/"+service, []byte(stack), 0o644))
	}
	for _, u := range []world.User{
		{Name: "ann", UID: 60001, Hash: interopHash},
		{Name: "old", UID: 60002, Hash: interopHash, Aging: "1:0:10:7::"},
		{Name: "gone", UID: 60003, Hash: interopHash, Aging: "19000:0:99999:7::100"},
		{Name: "root", UID: 0, Home: "/root", Hash: interopHash},
	} {
		must(t, u.Add())
	}
	h := host(t, account.System(), "UsePAM yes\nPAMServiceName "+service+"\n"+config)
	h.Native = path
	return h
}

// quick is pam_unix without the pause after a failure.
const quick = `auth required pam_unix.so nodelay
account required pam_unix.so
password required pam_unix.so
session required pam_unix.so
`

func TestPAMPassword(t *testing.T) {
	h := pamHost(t, quick, "")
	v, p, l := visit(t, h, "ann")
	if !p.Password || !slices.Equal(p.Devices, []string{"pam"}) {
		t.Errorf("%+v", p)
	}
	if err := v.Password(t.Context(), []byte("wrong")); err == nil {
		t.Error("a wrong password is taken")
	}
	l.want(t, "INFO Failed password for ann from 192.0.2.1 port 4711 ssh2")
	if _, err := v.Authorize(t.Context()); !errors.Is(err, ErrOrder) {
		t.Errorf("authorized: %v", err)
	}
	must(t, v.Password(t.Context(), []byte("interop")))
	if err := v.Password(t.Context(), []byte("interop")); !errors.Is(err, ErrOrder) {
		t.Errorf("once more: %v", err)
	}
	login, err := v.Authorize(t.Context())
	must(t, err)
	defer login.CloseSession()
	l.want(t, "INFO Accepted password for ann from 192.0.2.1 port 4711 ssh2")
	must(t, login.OpenSession(t.Context()))
	if login.NotOpen || login.MustChange || login.Account.UID != 60001 || !slices.Equal(login.Completed, []string{"password"}) {
		t.Errorf("%+v", login)
	}
}

// Nobody, and whom the configuration does not let in, are asked like others and
// never taken, right password or not.
func TestPAMRefused(t *testing.T) {
	h := pamHost(t, quick, "DenyUsers ann\n")
	for _, c := range []struct{ user, first, failed string }{
		{"nobody-there", "INFO Invalid user nobody-there from 192.0.2.1 port 4711", "INFO Failed password for invalid user nobody-there from 192.0.2.1 port 4711 ssh2"},
		{"ann", "INFO User ann from 192.0.2.1 not allowed because listed in DenyUsers", "INFO Failed password for invalid user ann from 192.0.2.1 port 4711 ssh2"},
		{"root", "", "INFO Failed password for root from 192.0.2.1 port 4711 ssh2"},
		{"../../etc/x", "INFO Invalid user ../../etc/x from 192.0.2.1 port 4711", "INFO Failed password for invalid user ../../etc/x from 192.0.2.1 port 4711 ssh2"},
	} {
		v, p, l := visit(t, h, c.user)
		if !p.Password || len(p.Devices) != 1 || !p.PublicKey {
			t.Errorf("%s: %+v", c.user, p)
		}
		if err := v.Password(t.Context(), []byte("interop")); err == nil {
			t.Errorf("%s is in", c.user)
		}
		want := []string{c.failed}
		if c.first != "" {
			want = []string{c.first, c.failed}
		}
		l.want(t, want...)
		if got, want := v.End(context.Background()), EventAuthFail; got != want {
			t.Errorf("%s: event %v", c.user, got)
		}
	}
}

// dialogueOf answers prompts by their text and keeps what was asked.
type dialogueOf struct {
	answers map[string]string
	asked   []string
}

func (d *dialogueOf) ask(_ context.Context, name, instruction string, prompts []Prompt) ([]string, error) {
	if name != "" {
		return nil, errors.New("a name")
	}
	if len(prompts) == 0 {
		d.asked = append(d.asked, "("+instruction+")")
		return nil, nil
	}
	var out []string
	for _, p := range prompts {
		d.asked = append(d.asked, p.Text)
		out = append(out, d.answers[p.Text])
	}
	return out, nil
}

func TestPAMDialogue(t *testing.T) {
	h := pamHost(t, quick, "")
	v, _, l := visit(t, h, "ann")
	d := &dialogueOf{answers: map[string]string{"Password: ": "wrong"}}
	if err := v.Interactive(t.Context(), "pam", d.ask); err == nil {
		t.Error("a wrong password is taken")
	}
	l.want(t, "ERROR PAM: Authentication failure for ann from 192.0.2.1", "VERBOSE Failed keyboard-interactive/pam for ann from 192.0.2.1 port 4711 ssh2")
	// An expired password is changed in the dialogue.
	v, _, l = visit(t, h, "old")
	d = &dialogueOf{answers: map[string]string{"Password: ": "interop", "Current password: ": "interop", "New password: ": "n3w-s3cret!", "Retype new password: ": "n3w-s3cret!"}}
	must(t, v.Interactive(t.Context(), "pam", d.ask))
	login, err := v.Authorize(t.Context())
	must(t, err)
	defer login.CloseSession()
	if login.MustChange || !slices.Equal(login.Completed, []string{"keyboard-interactive/pam"}) {
		t.Errorf("%+v", login)
	}
	if n := len(d.asked); n < 4 || d.asked[0] != "Password: " || d.asked[n-1] != "()" {
		t.Errorf("asked: %q", d.asked)
	}
	l.want(t, "INFO Accepted keyboard-interactive/pam for old from 192.0.2.1 port 4711 ssh2")
	// With a password the session must change it.
	must(t, (&world.User{Name: "old", UID: 60002, Hash: interopHash, Aging: "1:0:10:7::"}).Add())
	v, _, _ = visit(t, h, "old")
	must(t, v.Password(t.Context(), []byte("interop")))
	if login, err = v.Authorize(t.Context()); err != nil || !login.MustChange || login.Options.PortForwarding {
		t.Errorf("%+v %v", login, err)
	}
	login.CloseSession()
	// The client gives up.
	v, _, _ = visit(t, h, "ann")
	gone := errors.New("gone")
	if err := v.Interactive(t.Context(), "pam", func(context.Context, string, string, []Prompt) ([]string, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("gave up: %v", err)
	}
	// So does who asks: the helper is in the middle of it, and the next attempt
	// has another.
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- v.Interactive(ctx, "pam", func(ctx context.Context, _, _ string, _ []Prompt) ([]string, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	}()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	must(t, v.Interactive(t.Context(), "pam", (&dialogueOf{answers: map[string]string{"Password: ": "interop"}}).ask))
}

// AUT-20: PAM's account phase is obeyed whatever the method was.
func TestAUT20_PAMAccount(t *testing.T) {
	h := pamHost(t, quick, "")
	v, _, l := visit(t, h, "gone")
	must(t, v.Password(t.Context(), []byte("interop")))
	var f *Fatal
	if login, err := v.Authorize(t.Context()); !errors.As(err, &f) || login != nil || f.Banner == "" {
		t.Errorf("%+v %v", login, err)
	}
	l.want(t, "INFO Failed password for gone from 192.0.2.1 port 4711 ssh2", "FATAL Access denied for user gone by PAM account configuration [preauth]")
	if err := v.Password(t.Context(), []byte("interop")); !errors.Is(err, ErrOrder) {
		t.Errorf("after the end: %v", err)
	}
	v, _, l = visit(t, h, "gone")
	d := &dialogueOf{answers: map[string]string{"Password: ": "interop"}}
	if err := v.Interactive(t.Context(), "pam", d.ask); err == nil {
		t.Error("an account that has expired is in")
	}
	l.take()
	if err := v.Interactive(t.Context(), "pam", (&dialogueOf{}).ask); err == nil {
		t.Error("and once more")
	}
	l.want(t, "VERBOSE Failed keyboard-interactive/pam for gone from 192.0.2.1 port 4711 ssh2")
}

// HST-10: a module that makes somebody else of the user lets nobody in, and a
// helper that dies lets nobody in.
func TestHST10_PAM(t *testing.T) {
	h := pamHost(t, "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n", "")
	v, _, l := visit(t, h, "ann")
	p, err := v.pam(t.Context())
	must(t, err)
	must(t, p.cmd.Process.Kill())
	<-p.done
	var f *Fatal
	if err := v.Password(t.Context(), []byte("x")); !errors.As(err, &f) {
		t.Errorf("%v", err)
	}
	if lines := l.take(); len(lines) == 0 || !strings.HasPrefix(lines[0], "FATAL PAM: ") {
		t.Errorf("%q", lines)
	}
	if _, err := v.Authorize(t.Context()); err == nil {
		t.Error("in")
	}
	// No helper at all.
	h.Native = ""
	if h.Check() == nil {
		t.Error("UsePAM without a helper")
	}
	v, _, _ = visit(t, h, "ann")
	if err := v.Password(t.Context(), []byte("interop")); !errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

// A session that cannot be opened lets the user in to be told so.
func TestPAMSessionFails(t *testing.T) {
	h := pamHost(t, "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_echo.so no session today\nsession required pam_deny.so\n", "")
	v, _, l := visit(t, h, "ann")
	must(t, v.Password(t.Context(), []byte("x")))
	login, err := v.Authorize(t.Context())
	must(t, err)
	defer login.CloseSession()
	l.take()
	must(t, login.OpenSession(t.Context()))
	if !login.NotOpen || login.Options.PortForwarding || !slices.Contains(login.Messages, "no session today") {
		t.Errorf("%+v", login)
	}
	if lines := l.take(); len(lines) != 1 || !strings.HasPrefix(lines[0], "ERROR PAM: pam_open_session(): ") {
		t.Errorf("%q", lines)
	}
}

// What modules set of a process is there in the programs: limits, umask,
// groups, variables; and close_session runs when the session ends.
func TestPAMSession(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	limits := filepath.Join(dir, "limits")
	must(t, os.WriteFile(limits, []byte("ann hard nofile 777\nann soft nofile 776\n"), 0o644))
	env := filepath.Join(dir, "env")
	must(t, os.WriteFile(env, []byte("FROM_PAM=yes\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "ended.sh"), []byte("#!/bin/sh\n[ \"$PAM_TYPE\" = close_session ] && echo \"$PAM_USER $PAM_RHOST $PAM_TTY $PAM_SERVICE\" >"+dir+"/ended\nexit 0\n"), 0o755))
	must(t, os.WriteFile("/etc/security/group.conf", []byte("*;*;*;Al0000-2400;games\n"), 0o644))
	must(t, world.Group("extra", 61000, "ann"))
	h := pamHost(t, `auth required pam_permit.so
auth optional pam_group.so
account required pam_permit.so
session required pam_limits.so conf=`+limits+`
session required pam_umask.so umask=0027
session required pam_env.so conffile=/dev/null envfile=`+env+`
session required pam_exec.so `+dir+`/ended.sh
`, "")
	v, _, _ := visit(t, h, "ann")
	must(t, v.Password(t.Context(), []byte("x")))
	l, err := v.Authorize(t.Context())
	must(t, err)
	must(t, l.OpenSession(t.Context()))
	if !slices.Contains(l.Env, "FROM_PAM=yes") {
		t.Errorf("environment: %q", l.Env)
	}
	r, w, err := os.Pipe()
	must(t, err)
	null, err := os.Open("/dev/null")
	must(t, err)
	p, err := l.Start(t.Context(), &login.Command{Path: "/bin/sh", Argv: []string{"sh", "-c", "ulimit -n; umask; id -G; ulimit -Hn; exit 7"}, Env: []string{}, Dir: "/", Files: []*os.File{null, w, w}})
	must(t, err)
	w.Close()
	out := make([]byte, 4096)
	n, _ := r.Read(out)
	for {
		m, err := r.Read(out[n:])
		if n += m; err != nil {
			break
		}
	}
	got := strings.Fields(string(out[:n]))
	if len(got) < 5 || got[0] != "776" || got[1] != "0027" || got[2] != "60001" || got[len(got)-1] != "777" ||
		!slices.Contains(got, "61000") || !slices.Contains(got, "60") {
		t.Errorf("the program has %q", out[:n])
	}
	if st := p.Wait(); st.Code != 7 {
		t.Errorf("%+v", st)
	}
	l.CloseSession()
	<-l.helper.done
	if b, err := os.ReadFile(dir + "/ended"); string(b) != "ann 192.0.2.1 ssh nacretest\n" {
		t.Errorf("close_session: %q %v", b, err)
	}
}

// Debian's own stack, with the codes of google-authenticator before it.
func TestPAMGoogleAuthenticator(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/*/security/pam_google_authenticator.so"); len(found) == 0 {
		t.Skip("peer lacks pam_google_authenticator")
	}
	b, err := os.ReadFile("/etc/pam.d/sshd")
	if err != nil {
		t.Skip("peer lacks /etc/pam.d/sshd")
	}
	h := pamHost(t, "auth required pam_google_authenticator.so nullok\n"+string(b), "AuthenticationMethods keyboard-interactive:pam\n")
	ann := &world.User{Name: "ann", UID: 60001, Hash: interopHash}
	must(t, ann.Add())
	must(t, ann.Write(".google_authenticator", "ABCDEFGHIJKLMNOP\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n11223344\n"))
	out, err := exec.Command("oathtool", "--totp", "-b", "ABCDEFGHIJKLMNOP").Output()
	if err != nil {
		t.Skip("peer lacks oathtool")
	}
	code := strings.TrimSpace(string(out))
	for i, c := range []struct {
		code string
		in   bool
	}{{code, true}, {code, false}, {"11223344", true}, {"11223344", false}} {
		v, _, l := visit(t, h, "ann")
		d := &dialogueOf{answers: map[string]string{"Verification code: ": c.code, "Password: ": "interop"}}
		err := v.Interactive(t.Context(), "pam", d.ask)
		if (err == nil) != c.in {
			t.Errorf("%d: %v, asked %q, %q", i, err, d.asked, l.take())
		}
		if err != nil {
			continue
		}
		login, err := v.Authorize(t.Context())
		must(t, err)
		must(t, login.OpenSession(t.Context()))
		if login.NotOpen {
			t.Errorf("session of Debian's stack: %q", l.take())
		}
		login.CloseSession()
		select {
		case <-login.helper.done:
		case <-time.After(helperPatience):
			t.Fatal("the helper does not end")
		}
	}
}

func TestNativeCrypt(t *testing.T) {
	needRoot(t)
	path, err := nativePath()
	must(t, err)
	h := &Host{Native: path}
	const yescrypt = "$y$j9T$abcdefgh$79JhsKZwfY/UU2qrk3QcffpHl7EyEEJK0pA5pD1wu73"
	for password, want := range map[string]bool{"password": true, "Password": false, "": false} {
		if ok, err := h.nativeCrypt(t.Context(), yescrypt, []byte(password)); ok != want || err != nil {
			t.Errorf("%q: %v %v", password, ok, err)
		}
	}
	for _, hash := range []string{"", "*", "!", "x", "*0", "$y$"} {
		if ok, err := h.nativeCrypt(t.Context(), hash, []byte("password")); ok {
			t.Errorf("%q fits: %v", hash, err)
		}
	}
}
