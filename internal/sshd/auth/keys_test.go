//go:build linux

package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

func newKey(t testing.TB) pubkey.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := pubkey.NewSignerFromKey(private)
	must(t, err)
	return s
}

// line is a key as in authorized_keys.
func line(k pubkey.PublicKey) string {
	return k.Type() + " " + base64.StdEncoding.EncodeToString(k.Marshal())
}

// certify makes a user certificate of a key.
func certify(t testing.TB, ca pubkey.Signer, key pubkey.PublicKey, change func(*pubkey.Certificate)) *pubkey.Certificate {
	t.Helper()
	c := &pubkey.Certificate{Key: key, CertType: pubkey.UserCert, KeyId: "id", Serial: 7, ValidPrincipals: []string{"ann"},
		ValidBefore: pubkey.CertTimeInfinity, Nonce: make([]byte, 32)}
	c.Extensions = map[string]string{pubkey.ExtensionPTY: "", pubkey.ExtensionPortForwarding: ""}
	if change != nil {
		change(c)
	}
	must(t, c.SignCert(rand.Reader, ca))
	return c
}

// person is an account that tests log in to.
func person(t testing.TB) *world.User {
	t.Helper()
	needRoot(t)
	u := &world.User{Name: "ann", UID: 60001, Hash: interopHash}
	must(t, os.RemoveAll("/home/ann"))
	must(t, u.Add())
	return u
}

const (
	interopHash = "$6$nacre$LYbm0yoit5NiROaLvlacfTnPN6W.HsJWZmLWlzVeuhug3eW77Q/3U.1BQEaX7DGvNcmvTJRq62uCoGZHFnsCc." // of "interop"
	edd         = "ssh-ed25519"
)

// allowed asks about a key and wants an answer.
func allowed(t testing.TB, h *Host, key pubkey.PublicKey, want bool) (*keyfile.AuthorizedOptions, []string) {
	t.Helper()
	v, _, l := visit(t, h, "ann")
	o, err := v.KeyAllowed(t.Context(), key, key.Type(), true)
	lines := l.take()
	if (err == nil) != want {
		t.Errorf("allowed: %v, want %v; log %q", err, want, lines)
	}
	return o, lines
}

func TestAuthorizedKeys(t *testing.T) {
	u := person(t)
	key, other := newKey(t).PublicKey(), newKey(t).PublicKey()
	fp := pubkey.FingerprintSHA256(key)
	h := host(t, account.System(), "")
	long := strings.Repeat("x", keyfile.MaxLine)
	for _, c := range []struct {
		name, file string
		in         bool
		log        string // that one line must begin with
	}{
		{"plain", line(key), true, "VERBOSE Accepted key ED25519 " + fp + " found at /home/ann/.ssh/authorized_keys:1"},
		{"second line", line(other) + "\n# x\n" + line(key) + " comment\n", true, "VERBOSE Accepted key ED25519 " + fp + " found at /home/ann/.ssh/authorized_keys:3"},
		{"none", line(other), false, "VERBOSE Failed publickey for ann from 192.0.2.1 port 4711 ssh2: ED25519 " + fp},
		{"from", `from="192.0.2.*" ` + line(key), true, ""},
		{"from a network", `from="192.0.2.0/24" ` + line(key), true, ""},
		{"from elsewhere", `from="10.0.0.0/8" ` + line(key), false, "INFO /home/ann/.ssh/authorized_keys:1: Authentication tried for ann with correct key but not from a permitted host (host=192.0.2.1, ip=192.0.2.1, required=10.0.0.0/8)."},
		{"from all but", `from="!192.0.2.1,*" ` + line(key), false, ""},
		{"expired", `expiry-time="20200101" ` + line(key), false, ""},
		{"not yet expired", `expiry-time="29990101" ` + line(key), true, ""},
		{"authority's line for a plain key", `cert-authority ` + line(key), false, ""},
		{"HST-4: option in the place of the type", `command="x" ` + line(key)[len(edd)+1:], false, ""},
		{"HST-4: unknown option", `commnad="x" ` + line(key), false, ""},
		{"HST-4: other type", "ssh-rsa " + line(key)[len(edd)+1:], false, ""},
		{"HST-3: line of 64 KiB", `command="` + strings.Repeat("x", 64<<10-len(line(key))-len(`command="" `)) + `" ` + line(key) + "\n", true, ""},
		{"HST-3: one byte more", `command="` + strings.Repeat("x", 64<<10-len(line(key))-len(`command="" `)+1) + `" ` + line(key) + "\n", false, ""},
		{"HST-2: line 10,000", strings.Repeat("#\n", 9999) + line(key) + "\n", true, ""},
		{"HST-2: line 10,001", strings.Repeat("#\n", 10000) + line(key) + "\n", false, "INFO /home/ann/.ssh/authorized_keys has more than 10000 lines; the rest is not read"},
		{"HST-2: 1 MiB", line(key) + "\n" + strings.Repeat("x", 1<<20-len(line(key))-1), true, ""},
		{"HST-2: one byte more", line(key) + "\n" + strings.Repeat("x", 1<<20-len(line(key))), false, "INFO Could not open user 'ann' authorized keys '/home/ann/.ssh/authorized_keys': /home/ann/.ssh/authorized_keys is longer than 1048576 bytes"},
		{"HST-3: long line", long + line(key) + "\n", false, ""},
		{"HST-3: long line hides nothing", long + "\n" + line(key) + "\n", true, ""},
		{"HST-3: NUL", `command="a` + "\x00" + `" ` + line(key), false, ""},
		{"HST-3: CR ends no line", "# x\r" + line(key), false, ""},
		{"HST-3: CR LF", line(key) + "\r\n", true, ""},
		{"HST-3: form feed", "# x\f" + line(key), false, ""},
	} {
		must(t, u.Write(".ssh/authorized_keys", c.file))
		_, lines := allowed(t, h, key, c.in)
		if c.log != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, c.log) }) {
			t.Errorf("%s: log %q", c.name, lines)
		}
		if t.Failed() {
			t.Fatalf("it was %s", c.name)
		}
	}
}

// Every option arrives.
func TestKeyOptions(t *testing.T) {
	u := person(t)
	key := newKey(t).PublicKey()
	h := host(t, account.System(), "")
	must(t, u.Write(".ssh/authorized_keys", `restrict,pty,user-rc,command="echo \"x\"",environment="A=1",environment="B=2",environment="A=3",permitopen="h:1",permitopen="[::1]:*",permitlisten="8080",tunnel="3",verify-required,no-touch-required `+line(key)))
	o, _ := allowed(t, h, key, true)
	if o == nil {
		return
	}
	if !o.PTY || !o.UserRC || o.PortForwarding || o.AgentForwarding || o.X11Forwarding || *o.Command != `echo "x"` || *o.Tunnel != 3 ||
		!slices.Equal(o.Environment, []string{"A=1", "B=2"}) || !o.MayOpen("h", 1) || o.MayOpen("h", 2) || !o.MayOpen("::1", 7) ||
		!o.MayListen("x", 8080) || o.MayListen("x", 1) || !o.SK.VerifyRequired || !o.SK.NoTouchRequired {
		t.Errorf("%+v", o)
	}
	o, _ = allowed(t, host(t, account.System(), "PubkeyAuthOptions touch-required\n"), key, true)
	if o.SK.NoTouchRequired {
		t.Error("touch-required of the configuration must win")
	}
}

func TestKeyFiles(t *testing.T) {
	u := person(t)
	key := newKey(t).PublicKey()
	must(t, u.Dir(".ssh/more"))
	must(t, u.Write(".ssh/more/b", line(key)))
	must(t, os.MkdirAll("/etc/ssh/keys", 0o755))
	must(t, os.WriteFile("/etc/ssh/keys/ann-60001", []byte(line(key)), 0o644))
	for _, c := range []struct {
		config string
		in     bool
	}{
		{"AuthorizedKeysFile .ssh/none .ssh/more/b", true},
		{"AuthorizedKeysFile .ssh/more/*", true},
		{"AuthorizedKeysFile %h/.ssh/more/b", true},
		{"AuthorizedKeysFile /etc/ssh/keys/%u-%U", true},
		{"AuthorizedKeysFile /etc/ssh/keys/%%u", false},
		{"AuthorizedKeysFile none", false},
		{"PubkeyAuthentication no\nAuthorizedKeysFile .ssh/more/b", false},
		{"AuthorizedKeysFile none\nMatch user ann\nAuthorizedKeysFile .ssh/more/b", true},
	} {
		if _, lines := allowed(t, host(t, account.System(), c.config+"\n"), key, c.in); t.Failed() {
			t.Fatalf("%s: %q", c.config, lines)
		}
	}
}

// HST-1 and HST-2: files that others may change, links, pipes and what only
// root may read.
func TestHST01_HST02_KeyFilesOfUsers(t *testing.T) {
	u := person(t)
	key := newKey(t).PublicKey()
	h := host(t, account.System(), "")
	lax := host(t, account.System(), "StrictModes no\n")
	file := "/home/ann/.ssh/authorized_keys"
	write := func() { must(t, os.RemoveAll(file)); must(t, u.Write(".ssh/authorized_keys", line(key))) }
	for _, c := range []struct {
		name, log  string
		do, undo   func()
		strict, lx bool
	}{
		{"good", "", func() {}, func() {}, true, true},
		{"file for the group to write", "INFO Authentication refused: bad ownership or modes for file /home/ann/.ssh/authorized_keys",
			func() { must(t, os.Chmod(file, 0o620)) }, func() {}, false, true},
		{"folder for others to write", "INFO Authentication refused: bad ownership or modes for directory /home/ann/.ssh",
			func() { must(t, os.Chmod("/home/ann/.ssh", 0o707)) }, func() { must(t, os.Chmod("/home/ann/.ssh", 0o700)) }, false, true},
		{"home of another", "INFO Authentication refused: bad ownership or modes for directory /home/ann",
			func() { must(t, os.Chown("/home/ann", 60009, 60009)) }, func() { must(t, os.Chown("/home/ann", 60001, 60001)) }, false, true},
		{"somebody else's file", "INFO Authentication refused: bad ownership or modes for file /home/ann/.ssh/authorized_keys",
			func() { must(t, os.Chown(file, 60009, 60001)); must(t, os.Chmod(file, 0o640)) }, func() {}, false, true},
		{"pipe", "INFO User 'ann' authorized keys '/home/ann/.ssh/authorized_keys' is not a regular file",
			func() {
				must(t, os.Remove(file))
				must(t, syscall.Mkfifo(file, 0o600))
				must(t, os.Chown(file, 60001, 60001))
			}, func() {}, false, false},
		{"directory", "INFO User 'ann' authorized keys '/home/ann/.ssh/authorized_keys' is not a regular file",
			func() {
				must(t, os.Remove(file))
				must(t, os.Mkdir(file, 0o700))
				must(t, os.Chown(file, 60001, 60001))
			}, func() {}, false, false},
		{"root's secrets through a link", "INFO Could not open user 'ann' authorized keys '/home/ann/.ssh/authorized_keys': Permission denied",
			func() {
				must(t, os.WriteFile("/etc/secret", []byte(line(key)), 0o600))
				must(t, os.Remove(file))
				must(t, os.Symlink("/etc/secret", file))
			}, func() {}, false, false},
	} {
		write()
		c.do()
		_, lines := allowed(t, h, key, c.strict)
		if c.log != "" && !slices.Contains(lines, c.log) {
			t.Errorf("%s: log %q", c.name, lines)
		}
		allowed(t, lax, key, c.lx)
		c.undo()
		if t.Failed() {
			t.Fatalf("it was %s", c.name)
		}
	}
}

// A thread that had a user's ids does not come back: what is opened afterwards
// is opened as root, and the process looks like before.
func TestAsUser(t *testing.T) {
	needRoot(t)
	must(t, os.WriteFile("/etc/secret", []byte("x"), 0o600))
	for range 50 {
		err := asUser(t.Context(), 60001, 60001, []uint32{60002}, func() error {
			if _, err := os.ReadFile("/etc/secret"); !errors.Is(err, os.ErrPermission) {
				return fmt.Errorf("as the user: %v", err)
			}
			return nil
		})
		must(t, err)
		if _, err := os.ReadFile("/etc/secret"); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("/proc/self/status")
	must(t, err)
	if !strings.Contains(string(b), "Uid:\t0\t0\t0\t0\n") {
		t.Errorf("%s", b)
	}
}

func TestCertificates(t *testing.T) {
	u := person(t)
	ca, key := newKey(t), newKey(t).PublicKey()
	must(t, os.WriteFile("/etc/ssh/ca.pub", []byte(line(ca.PublicKey())+"\n"), 0o644))
	cert := func(f func(*pubkey.Certificate)) *pubkey.Certificate { return certify(t, ca, key, f) }
	trusted := "TrustedUserCAKeys /etc/ssh/ca.pub\n"
	must(t, os.WriteFile("/etc/ssh/principals", []byte("# x\nfrom=\"10.0.0.0/8\" web\ncommand=\"w\" ops\n"), 0o644))
	script(t, "/etc/ssh/names", "echo ops")
	for _, c := range []struct {
		name, config, keys string
		cert               *pubkey.Certificate
		in                 bool
		log                string
	}{
		{"trusted", trusted, "", cert(nil), true, "VERBOSE Accepted certificate ID \"id\" (serial 7) signed by ED25519 CA " + pubkey.FingerprintSHA256(ca.PublicKey()) + " via /etc/ssh/ca.pub"},
		{"not trusted", "", "", cert(nil), false, ""},
		{"another's name", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"bob"} }), false, "ERROR Certificate invalid: name is not a listed principal"},
		{"AUT-8: no principals", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = nil }), false, "ERROR Certificate invalid: name is not a listed principal"},
		{"AUT-8: wildcard", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"*"} }), false, ""},
		{"AUT-8: comma", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"bob,ann"} }), false, ""},
		{"expired", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidBefore = 1 }), false, "ERROR Certificate invalid: has expired"},
		{"not yet", trusted, "", cert(func(c *pubkey.Certificate) { c.ValidAfter = 1 << 40 }), false, "ERROR Certificate invalid: is not yet valid"},
		{"host's", trusted, "", cert(func(c *pubkey.Certificate) { c.CertType = pubkey.HostCert; c.Extensions = nil }), false, ""},
		{"AUT-7: source", trusted, "", cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"source-address": "192.0.2.0/24"} }), true, ""},
		{"AUT-7: other source", trusted, "", cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"source-address": "10.0.0.0/8"} }), false, ""},
		{"AUT-7: empty source", trusted, "", cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"source-address": ""} }), false, ""},
		{"AUT-7: unknown critical option", trusted, "", cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"x@y": "1"} }), false, ""},
		{"authority of the user's own", "", "cert-authority " + line(ca.PublicKey()), cert(nil), true, ""},
		{"with principals", "", "cert-authority,principals=\"web,ops\" " + line(ca.PublicKey()), cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"ops"} }), true, ""},
		{"without these", "", "cert-authority,principals=\"web,ops\" " + line(ca.PublicKey()), cert(nil), false, ""},
		{"plain line of the authority", "", line(ca.PublicKey()), cert(nil), false, ""},
		{"principals' file", trusted + "AuthorizedPrincipalsFile /etc/ssh/principals\n", "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"ops"} }), true, ""},
		{"principals' file, wrong source", trusted + "AuthorizedPrincipalsFile /etc/ssh/principals\n", "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"web"} }), false, ""},
		{"principals' file, login name does not count", trusted + "AuthorizedPrincipalsFile /etc/ssh/principals\n", "", cert(nil), false, ""},
		{"principals' command", trusted + "AuthorizedPrincipalsCommand /etc/ssh/names %i %u\nAuthorizedPrincipalsCommandUser nobody\n", "", cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"ops"} }), true, ""},
		{"principals' command says others", trusted + "AuthorizedPrincipalsCommand /etc/ssh/names\nAuthorizedPrincipalsCommandUser nobody\n", "", cert(nil), false, ""},
	} {
		must(t, u.Write(".ssh/authorized_keys", c.keys))
		o, lines := allowed(t, host(t, account.System(), c.config), c.cert, c.in)
		if c.log != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, c.log) }) {
			t.Errorf("%s: log %q", c.name, lines)
		}
		if c.name == "principals' file" && (o == nil || o.Command == nil || *o.Command != "w") {
			t.Errorf("%s: options %+v", c.name, o)
		}
		if c.in && o != nil && (!o.PTY || o.AgentForwarding) {
			t.Errorf("%s: a certificate permits what it names: %+v", c.name, o)
		}
		if t.Failed() {
			t.Fatalf("it was %s", c.name)
		}
	}
	// The plain key of a trusted authority is no user.
	allowed(t, host(t, account.System(), trusted), ca.PublicKey(), false)
	// Forced commands of both must agree.
	must(t, u.Write(".ssh/authorized_keys", `cert-authority,command="a" `+line(ca.PublicKey())))
	for command, in := range map[string]bool{"a": true, "b": false} {
		c := cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"force-command": command} })
		allowed(t, host(t, account.System(), ""), c, in)
	}
}

// script writes a program of root's.
func script(t testing.TB, path, body string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
	must(t, os.Chmod(path, 0o755))
}

// HST-13: the commands run as their account with its groups, root's programs
// only, bounded.
func TestHST13_KeysCommand(t *testing.T) {
	person(t)
	must(t, world.Group("cmdgroup", 62001, "cmd"))
	must(t, (&world.User{Name: "cmd", UID: 62000}).Add())
	key := newKey(t).PublicKey()
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	out := filepath.Join(dir, "out")
	must(t, os.WriteFile(out, nil, 0o666))
	must(t, os.Chmod(out, 0o666))
	script(t, "/etc/ssh/keys-of", `{ id -u; id -G; echo "$@"; env | sort; echo "$0"; } >`+out+`; echo "command=\"c\" `+line(key)+`"`)
	h := host(t, account.System(), "AuthorizedKeysFile none\nAuthorizedKeysCommand /etc/ssh/keys-of %u %U %h %t %f %% \"a b\" %C\nAuthorizedKeysCommandUser cmd\n")
	o, lines := allowed(t, h, key, true)
	if o == nil || o.Command == nil {
		t.Fatalf("%+v %q", o, lines)
	}
	b, err := os.ReadFile(out)
	must(t, err)
	want := "62000\n62000 62001\nann 60001 /home/ann ssh-ed25519 " + pubkey.FingerprintSHA256(key) + " % a b 198.51.100.1 22 192.0.2.1 4711\n" +
		"HOME=/home/cmd\nLOGNAME=cmd\nPATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin\nPWD=/\nUSER=cmd\n/etc/ssh/keys-of\n"
	if got := strings.ReplaceAll(string(b), "LANG="+os.Getenv("LANG")+"\n", ""); got != want {
		t.Errorf("it ran with\n%swant\n%s", got, want)
	}
	script(t, "/etc/ssh/fails", `echo "`+line(key)+`"; exit 1`)
	script(t, "/etc/ssh/floods", `exec cat /dev/zero`)
	script(t, "/etc/ssh/full", fmt.Sprintf(`echo "%s"; exec head -c %d /dev/zero`, line(key), 1<<20-len(line(key))-1))
	script(t, "/etc/ssh/over", fmt.Sprintf(`echo "%s"; exec head -c %d /dev/zero`, line(key), 1<<20-len(line(key))))
	script(t, "/etc/ssh/open", `echo "`+line(key)+`"`)
	must(t, os.Chmod("/etc/ssh/open", 0o777))
	script(t, "/etc/ssh/bare", `[ "$*" = ann ] && echo "`+line(key)+`"`)
	for _, c := range []struct {
		config, log string
		in          bool
	}{
		{"/etc/ssh/fails", "ERROR AuthorizedKeysCommand /etc/ssh/fails failed", false},
		{"/etc/ssh/floods", "ERROR AuthorizedKeysCommand /etc/ssh/floods failed", false},
		{"/etc/ssh/full", "", true},
		{"/etc/ssh/over", "ERROR AuthorizedKeysCommand /etc/ssh/over failed", false},
		{"/etc/ssh/open", "ERROR Unsafe AuthorizedKeysCommand \"/etc/ssh/open\": bad ownership or modes for file /etc/ssh/open", false},
		{"/etc/ssh/none", "ERROR Unsafe AuthorizedKeysCommand \"/etc/ssh/none\": No such file or directory", false},
		{"/etc/ssh/bare", "", true},
	} {
		_, lines := allowed(t, host(t, account.System(), "AuthorizedKeysFile none\nAuthorizedKeysCommand "+c.config+"\nAuthorizedKeysCommandUser cmd\n"), key, c.in)
		if c.log != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, c.log) }) {
			t.Errorf("%s: log %q", c.config, lines)
		}
	}
	_, lines = allowed(t, host(t, account.System(), "AuthorizedKeysFile none\nAuthorizedKeysCommand /etc/ssh/bare\nAuthorizedKeysCommandUser nosuch\n"), key, false)
	if !slices.Contains(lines, "ERROR AuthorizedKeysCommand user \"nosuch\" not found") {
		t.Errorf("log %q", lines)
	}
}

// HST-13: a command that does not end is ended.
func TestHST13_CommandTime(t *testing.T) {
	person(t)
	key := newKey(t).PublicKey()
	script(t, "/etc/ssh/hangs", `echo "`+line(key)+`"; exec sleep 1000`)
	script(t, "/etc/ssh/ends", `echo "`+line(key)+`"`)
	v, _, _ := visit(t, host(t, account.System(), ""), "ann")
	k := v.keyCheck()
	if k.commandTime != 10*time.Second {
		t.Errorf("it may take %v", k.commandTime)
	}
	if b, err := k.run(t.Context(), "AuthorizedKeysCommand", "/etc/ssh/ends", "ann", key); err != nil || string(b) != line(key)+"\n" {
		t.Errorf("%q, %v", b, err)
	}
	k.commandTime = 100 * time.Millisecond
	if b, err := k.run(t.Context(), "AuthorizedKeysCommand", "/etc/ssh/hangs", "ann", key); err == nil {
		t.Errorf("a command that hangs gives %q", b)
	}
}

func TestRevokedKeys(t *testing.T) {
	u := person(t)
	ca, key := newKey(t), newKey(t).PublicKey()
	cert := certify(t, ca, key, nil)
	must(t, u.Write(".ssh/authorized_keys", line(key)+"\ncert-authority "+line(ca.PublicKey())+"\n"))
	revoked := "/etc/ssh/revoked"
	h := host(t, account.System(), "RevokedKeys "+revoked+"\n")
	for _, c := range []struct {
		file         string
		plain, inCrt bool
	}{
		{"", true, true}, {line(key), false, false}, {line(ca.PublicKey()), true, false}, {"# " + line(key), true, true},
	} {
		must(t, os.WriteFile(revoked, []byte(c.file+"\n"), 0o644))
		_, lines := allowed(t, h, key, c.plain)
		if want := "ERROR Authentication key ED25519 " + pubkey.FingerprintSHA256(key) + " revoked by file " + revoked; !c.plain && !slices.Contains(lines, want) {
			t.Errorf("log %q", lines)
		}
		allowed(t, h, cert, c.inCrt)
	}
	must(t, os.WriteFile(revoked, []byte("SSHKRL\n\x00 ..."), 0o644))
	allowed(t, h, key, false) // a list that cannot be understood refuses all
	must(t, os.Remove(revoked))
	allowed(t, h, key, false) // and so does one that cannot be read
	// Binary lists, of the stock tool.
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/key.pub", []byte(line(key)+"\n"), 0o644))
	must(t, os.WriteFile(dir+"/ca.pub", []byte(line(ca.PublicKey())+"\n"), 0o644))
	must(t, os.WriteFile(dir+"/other.pub", []byte(line(newKey(t).PublicKey())+"\n"), 0o644))
	for _, c := range []struct {
		args         []string
		spec         string
		plain, inCrt bool
	}{
		{[]string{dir + "/key.pub"}, "", false, false},
		{[]string{dir + "/other.pub"}, "", true, true},
		{[]string{"-s", dir + "/ca.pub", dir + "/spec"}, "serial: 7\n", true, false},
		{[]string{"-s", dir + "/ca.pub", dir + "/spec"}, "serial: 8-9\n", true, true},
		{[]string{"-s", dir + "/ca.pub", dir + "/spec"}, "id: id\n", true, false},
	} {
		must(t, os.WriteFile(dir+"/spec", []byte(c.spec), 0o644))
		out, err := exec.Command("ssh-keygen", append([]string{"-q", "-k", "-f", revoked}, c.args...)...).CombinedOutput()
		if err != nil {
			t.Skipf("peer lacks ssh-keygen -k: %s", out)
		}
		allowed(t, h, key, c.plain)
		if allowed(t, h, cert, c.inCrt); t.Failed() {
			t.Fatalf("it was %q %q", c.args, c.spec)
		}
	}
}

// prove goes through a whole publickey login.
func prove(t testing.TB, v *Visitor, s pubkey.Signer) error {
	t.Helper()
	key := s.PublicKey()
	if _, err := v.KeyAllowed(t.Context(), key, key.Type(), false); err != nil {
		return err
	}
	data := []byte("what is signed")
	sig, err := s.Sign(rand.Reader, data)
	must(t, err)
	return v.KeyVerified(t.Context(), key, key.Type(), data, pubkey.MarshalSignature(sig))
}

func TestPublicKeyLogin(t *testing.T) {
	u := person(t)
	s, other := newKey(t), newKey(t)
	fp := pubkey.FingerprintSHA256(s.PublicKey())
	must(t, u.Write(".ssh/authorized_keys", `command="one",environment="A=1" `+line(s.PublicKey())+"\n"+`restrict,pty,environment="A=2",permitopen="h:1" `+line(other.PublicKey())+"\n"))
	h := host(t, account.System(), "")
	v, p, l := visit(t, h, "ann")
	if p.None || !p.PublicKey || !p.Password || p.Methods != nil || !slices.Equal(p.Devices, []string{"otp"}) {
		t.Errorf("%+v", p)
	}
	ctx, key := t.Context(), s.PublicKey()
	_, err := v.KeyAllowed(ctx, key, edd, true)
	must(t, err)
	l.want(t, "VERBOSE Accepted key ED25519 "+fp+" found at /home/ann/.ssh/authorized_keys:1", "VERBOSE Postponed publickey for ann from 192.0.2.1 port 4711 ssh2: ED25519 "+fp+" [preauth]")
	must(t, prove(t, v, s))
	login, err := v.Authorize(ctx)
	must(t, err)
	l.want(t, "VERBOSE Accepted key ED25519 "+fp+" found at /home/ann/.ssh/authorized_keys:1", "INFO Accepted publickey for ann from 192.0.2.1 port 4711 ssh2: ED25519 "+fp)
	if *login.Options.Command != "one" || !login.Options.PTY || login.Account.Name != "ann" || !slices.Equal(login.Groups, []uint32{60001}) {
		t.Errorf("%+v", login)
	}
	if !slices.Equal(login.Completed, []string{"publickey " + line(key)}) {
		t.Errorf("SSH_USER_AUTH: %q", login.Completed)
	}
	if v.End(ctx) != EventNone {
		t.Error("a login is no event")
	}

	// AUT-5: what a key may do that was asked about says nothing of another.
	v, _, _ = visit(t, h, "ann")
	_, err = v.KeyAllowed(ctx, key, edd, false)
	must(t, err)
	sig, _ := other.Sign(rand.Reader, []byte("x"))
	if err := v.KeyVerified(ctx, other.PublicKey(), edd, []byte("x"), pubkey.MarshalSignature(sig)); !errors.Is(err, ErrOrder) {
		t.Errorf("AUT-5: %v", err)
	}
	if err := v.KeyVerified(ctx, key, edd, []byte("x"), pubkey.MarshalSignature(sig)); !errors.Is(err, ErrOrder) {
		t.Errorf("an answer counts once: %v", err)
	}
	if _, err := v.Authorize(ctx); !errors.Is(err, ErrOrder) {
		t.Errorf("%v", err)
	}
	// A signature that is wrong, or by another.
	if _, err = v.KeyAllowed(ctx, key, edd, false); err != nil {
		t.Fatal(err)
	}
	if err := v.KeyVerified(ctx, key, edd, []byte("x"), pubkey.MarshalSignature(sig)); err == nil {
		t.Error("another's signature")
	}
}

// AUT-6: two keys together may what both may, and must what either must.
func TestAUT06_TwoKeys(t *testing.T) {
	u := person(t)
	s, other := newKey(t), newKey(t)
	must(t, u.Write(".ssh/authorized_keys", `command="one",environment="A=1" `+line(s.PublicKey())+"\n"+`restrict,pty,environment="A=2",permitopen="h:1" `+line(other.PublicKey())+"\n"))
	h := host(t, account.System(), "AuthenticationMethods publickey,publickey\n")
	ctx := t.Context()
	v, p, l := visit(t, h, "ann")
	if len(p.Methods) != 1 || len(p.Methods[0]) != 2 {
		t.Errorf("%q", p.Methods)
	}
	must(t, prove(t, v, s))
	if _, err := v.Authorize(ctx); !errors.Is(err, ErrOrder) {
		t.Errorf("half way: %v", err)
	}
	if lines := l.take(); lines[len(lines)-1] != "VERBOSE Partial publickey for ann from 192.0.2.1 port 4711 ssh2: ED25519 "+pubkey.FingerprintSHA256(s.PublicKey()) {
		t.Errorf("log %q", lines)
	}
	if err := prove(t, v, s); !errors.Is(err, userauth.ErrKeyUsed) {
		t.Errorf("the same key twice: %v", err)
	}
	ca := newKey(t)
	if err := prove(t, v, &certSigner{s, certify(t, ca, s.PublicKey(), nil)}); !errors.Is(err, userauth.ErrKeyUsed) {
		t.Errorf("its certificate: %v", err)
	}
	must(t, prove(t, v, other))
	login, err := v.Authorize(ctx)
	must(t, err)
	o := login.Options
	if o.Command == nil || *o.Command != "one" || o.PortForwarding || o.AgentForwarding || o.UserRC || !o.PTY || !slices.Equal(o.Environment, []string{"A=1"}) || o.MayOpen("h", 2) {
		t.Errorf("AUT-6: %+v", o)
	}
	// Forced commands that differ refuse the second.
	must(t, u.Write(".ssh/authorized_keys", `command="one" `+line(s.PublicKey())+"\n"+`command="two" `+line(other.PublicKey())+"\n"))
	v, _, _ = visit(t, h, "ann")
	must(t, prove(t, v, s))
	if err := prove(t, v, other); !errors.Is(err, keyfile.ErrCommands) {
		t.Errorf("two commands: %v", err)
	}
}

type certSigner struct {
	pubkey.Signer
	cert *pubkey.Certificate
}

func (s *certSigner) PublicKey() pubkey.PublicKey { return s.cert }

// AUT-9: the judge counts for itself, whatever the network room says.
func TestAUT09_Tries(t *testing.T) {
	person(t)
	h := host(t, account.System(), "MaxAuthTries 3\n")
	v, p, l := visit(t, h, "ann")
	if p.MaxAuthTries != 3 {
		t.Error(p.MaxAuthTries)
	}
	ctx := t.Context()
	key := newKey(t).PublicKey()
	_, err := v.KeyAllowed(ctx, key, edd, true)
	if err == nil {
		t.Error("in")
	}
	v.Failed("publickey") // one that could not be read
	if err := v.Password(ctx, []byte("wrong")); err == nil {
		t.Error("in")
	}
	l.want(t, "VERBOSE Failed publickey for ann from 192.0.2.1 port 4711 ssh2: ED25519 "+pubkey.FingerprintSHA256(key),
		"INFO Failed password for ann from 192.0.2.1 port 4711 ssh2")
	var f *Fatal
	if err := v.Password(ctx, []byte("interop")); !errors.As(err, &f) || !errors.Is(err, userauth.ErrTooManyFailures) {
		t.Errorf("the fourth: %v", err)
	}
	l.take()
	v.TooMany()
	l.want(t, "ERROR maximum authentication attempts exceeded for ann from 192.0.2.1 port 4711 ssh2 [preauth]")
	if v.End(ctx) != EventAuthFail {
		t.Error("event")
	}
	// The first none is free.
	v, _, _ = visit(t, h, "ann")
	v.Failed("none")
	v.Failed("none")
	v.Failed("none")
	must(t, v.Password(ctx, []byte("interop")))
}

func TestPermitRootLogin(t *testing.T) {
	needRoot(t)
	must(t, (&world.User{Name: "root", Home: "/root", Hash: interopHash}).Add())
	s, forced := newKey(t), newKey(t)
	must(t, os.WriteFile("/root/.ssh/authorized_keys", []byte(line(s.PublicKey())+"\n"+`command="c" `+line(forced.PublicKey())+"\n"), 0o600))
	must(t, os.Chmod("/root", 0o700))
	for _, c := range []struct {
		value                 string
		key, forced, password bool
	}{
		{"yes", true, true, true},
		{"prohibit-password", true, true, false},
		{"without-password", true, true, false},
		{"forced-commands-only", false, true, false},
		{"no", false, false, false},
	} {
		h := host(t, account.System(), "PermitRootLogin "+c.value+"\n")
		try := func(what string, want bool, f func(*Visitor) error) {
			v, _, l := visit(t, h, "root")
			err := f(v)
			if (err == nil) != want {
				t.Errorf("%s: %s: %v %q", c.value, what, err, l.take())
			}
			if lines := l.take(); err != nil && what != "password" && !slices.Contains(lines, "INFO ROOT LOGIN REFUSED FROM 192.0.2.1 port 4711") {
				t.Errorf("%s: %s: log %q", c.value, what, lines)
			}
			if _, err := v.Authorize(t.Context()); (err == nil) != want {
				t.Errorf("%s: %s: authorized: %v", c.value, what, err)
			}
		}
		try("key", c.key, func(v *Visitor) error { return prove(t, v, s) })
		try("forced", c.forced, func(v *Visitor) error { return prove(t, v, forced) })
		try("password", c.password, func(v *Visitor) error { return v.Password(t.Context(), []byte("interop")) })
	}
}

func TestAccounts(t *testing.T) {
	needRoot(t)
	must(t, world.Group("friends", 61500, "ann"))
	for _, u := range []world.User{
		{Name: "ann", UID: 60001, Hash: interopHash},
		{Name: "locked", UID: 60011, Hash: "!" + interopHash},
		{Name: "star", UID: 60012, Hash: "*"},
		{Name: "expired", UID: 60013, Hash: interopHash, Aging: "19000:0:99999:7::100"},
		{Name: "noshell", UID: 60014, Hash: interopHash, Shell: "/nonexistent/sh"},
		{Name: "badshell", UID: 60015, Hash: interopHash, Shell: "/etc/passwd"},
	} {
		must(t, u.Add())
	}
	ann := "User ann from 192.0.2.1 not allowed because "
	for _, c := range []struct{ user, config, log string }{
		{"ann", "", ""},
		{"star", "", ""},
		{"nosuch", "", "Invalid user nosuch from 192.0.2.1 port 4711"},
		{"locked", "", "User locked not allowed because account is locked"},
		{"expired", "", "Account expired has expired\nUser expired not allowed because account is locked"},
		{"noshell", "", "User noshell not allowed because shell /nonexistent/sh does not exist"},
		{"noshell", "ChrootDirectory /var/empty", ""},
		{"badshell", "", "User badshell not allowed because shell /etc/passwd is not executable"},
		{"ann", "DenyUsers ann", ann + "listed in DenyUsers"},
		{"ann", "DenyUsers bob", ""},
		{"ann", "DenyUsers ann@10.*", ""},
		{"ann", "DenyUsers ann@192.0.2.0/24", ann + "listed in DenyUsers"},
		{"ann", "AllowUsers bob a*", ""},
		{"ann", "AllowUsers bob", ann + "not listed in AllowUsers"},
		{"ann", "AllowUsers ann@192.0.2.0/24", ""},
		{"ann", "AllowUsers ann@10.0.0.0/8", ann + "not listed in AllowUsers"},
		{"ann", "AllowUsers ann\nDenyUsers ann", ann + "listed in DenyUsers"},
		{"ann", "AllowGroups friends", ""},
		{"ann", "AllowGroups ann", ""},
		{"ann", "AllowGroups root", ann + "none of user's groups are listed in AllowGroups"},
		{"ann", "DenyGroups friends", ann + "a group is listed in DenyGroups"},
		{"ann", "AllowUsers nobody\nMatch user ann\nAllowUsers ann", ""},
		{"ann", "Match group friends\nDenyUsers ann", ann + "listed in DenyUsers"},
		{"ann", "Match rdomain x\nDenyUsers ann", ""},
		{"ann", "Match version OpenSSH_10.*\nDenyUsers ann", ann + "listed in DenyUsers"},
		{"ann", "Match localport 22 localaddress 198.51.100.1 address 192.0.2.0/24\nDenyUsers ann", ann + "listed in DenyUsers"},
	} {
		v, p, l := visit(t, host(t, account.System(), c.config+"\n"), c.user)
		var want []string
		for s := range strings.SplitSeq(c.log, "\n") {
			if s != "" {
				want = append(want, "INFO "+s)
			}
		}
		l.want(t, want...)
		if v.valid != (c.log == "") {
			t.Errorf("%s, %q: valid is %v", c.user, c.config, v.valid)
		}
		// AUT-11: what the client is told does not depend on it.
		if !p.Password || !p.PublicKey || p.None || p.Hostbased || p.Banner != "" || p.Methods != nil {
			t.Errorf("%s, %q: %+v", c.user, c.config, p)
		}
		// AUT-20: nothing lets in who may not.
		if !v.valid {
			if err := v.Password(t.Context(), []byte("interop")); err == nil {
				t.Errorf("%s, %q: in", c.user, c.config)
			}
			l.want(t, "INFO Failed password for invalid user "+c.user+" from 192.0.2.1 port 4711 ssh2")
			if _, err := v.KeyAllowed(t.Context(), newKey(t).PublicKey(), edd, true); err == nil {
				t.Errorf("%s, %q: key in", c.user, c.config)
			}
			l.want(t) // OpenSSH has no line for keys of nobody
		}
	}
	// RefuseConnection, for those that do not exist.
	h := host(t, account.System(), "Match invalid-user\nRefuseConnection yes\n")
	l := &lineLog{level: sshconfig.Verbose}
	v := h.Visit(peer(l))
	var f *Fatal
	if _, err := v.Meet(t.Context(), "nosuch", ""); !errors.As(err, &f) || !f.RefuseConnection {
		t.Errorf("%v", err)
	}
	l.want(t, "INFO Invalid user nosuch from 192.0.2.1 port 4711", "INFO administratively prohibited connection for invalid user nosuch from 192.0.2.1 port 4711 [preauth]")
	if v.End(t.Context()) != EventRefuseConnection {
		t.Error("event")
	}
	v, _, _ = visit(t, h, "ann")
	if v.End(t.Context()) != EventNoAuth {
		t.Error("event of a silent client")
	}
	v, _, _ = visit(t, host(t, account.System(), ""), "nosuch")
	v.KeyAllowed(t.Context(), newKey(t).PublicKey(), edd, true)
	if v.End(t.Context()) != EventInvalidUser {
		t.Error("event of keys for nobody")
	}
	if _, err := v.Meet(t.Context(), "ann", ""); !errors.As(err, &f) {
		t.Error("two names")
	}
}

// AUT-25: a visitor that has not met anybody lets nobody in.
func TestAUT25_Order(t *testing.T) {
	needRoot(t)
	h := host(t, account.System(), "PermitEmptyPasswords yes\nHostbasedAuthentication yes\n")
	l := &lineLog{}
	key := newKey(t).PublicKey()
	for _, v := range []*Visitor{h.Visit(peer(l)), h.Visit(Peer{Lines: l})} {
		ctx := context.Background()
		_, e1 := v.KeyAllowed(ctx, key, edd, false)
		_, e2 := v.Authorize(ctx)
		for i, err := range []error{e1, e2, v.KeyVerified(ctx, key, edd, nil, nil), v.Password(ctx, nil), v.None(ctx),
			v.Interactive(ctx, "otp", nil), v.HostbasedAllowed(ctx, key, edd, "h", "u"), v.HostbasedVerified(ctx, key, edd, "h", "u", nil, nil), v.ChangePassword(ctx, nil, nil)} {
			if err == nil {
				t.Errorf("%d succeeds", i)
			}
		}
		v.Failed("publickey")
		v.Nobody("x\ny")
		if err := v.Password(ctx, []byte("x")); err == nil {
			t.Error("nobody is in")
		}
		if v.End(ctx) != EventInvalidUser {
			t.Error("event")
		}
	}
}

func TestPasswords(t *testing.T) {
	needRoot(t)
	const yescrypt = "$y$j9T$abcdefgh$79JhsKZwfY/UU2qrk3QcffpHl7EyEEJK0pA5pD1wu73" // "password"
	today := int(time.Now().Unix() / day)
	for _, u := range []world.User{
		{Name: "ann", UID: 60001, Hash: interopHash},
		{Name: "yes", UID: 60021, Hash: yescrypt},
		{Name: "blow", UID: 60022, Hash: "$2b$04$.g8rhZhL7ehjR4eQFUrvgeiVNVa4jFxaZ7sZvvIm3nkr9h1Obu/TC"},
		{Name: "star", UID: 60012, Hash: "*"},
		{Name: "forced", UID: 60023, Hash: interopHash, Aging: "0:0:99999:7::"},
		{Name: "aged", UID: 60024, Hash: interopHash, Aging: fmt.Sprintf("%d:0:10:7::", today-11)},
		{Name: "soon", UID: 60025, Hash: interopHash, Aging: fmt.Sprintf("%d:0:10:7::%d", today-9, today+2)},
		{Name: "never", UID: 60026, Hash: interopHash, Aging: "1:::::"},
	} {
		must(t, u.Add())
	}
	// An empty field.
	must(t, (&world.User{Name: "empty", UID: 60027, Hash: "EMPTY"}).Add())
	b, err := os.ReadFile("/etc/shadow")
	must(t, err)
	must(t, os.WriteFile("/etc/shadow", []byte(strings.Replace(string(b), "empty:EMPTY:", "empty::", 1)), 0o640))
	path, err := nativePath()
	must(t, err)
	for _, native := range []string{path, ""} {
		h := host(t, account.System(), "")
		h.Native = native
		for _, c := range []struct {
			user, password string
			in             bool
		}{
			{"ann", "interop", true}, {"ann", "Interop", false}, {"ann", "", false}, {"ann", "interop\x00", false},
			{"ann", strings.Repeat("x", 1025), false}, {"yes", "password", true}, {"yes", "x", false}, {"blow", "password", true}, {"blow", "x", false},
			{"star", "*", false}, {"star", "", false}, {"empty", "", false}, {"empty", "x", false}, {"nosuch", "interop", false},
		} {
			v, _, l := visit(t, h, c.user)
			err := v.Password(t.Context(), []byte(c.password))
			if (err == nil) != c.in {
				t.Errorf("native %q: %s %q: %v %q", native, c.user, c.password, err, l.take())
			}
		}
	}
	h := host(t, account.System(), "")
	for _, c := range []struct {
		user     string
		must     bool
		log      string
		messages []string
	}{
		{"forced", true, "INFO User forced password has expired (root forced)", nil},
		{"aged", true, "INFO User aged password has expired (password aged)", nil},
		{"soon", false, "", []string{"Your account will expire in 2 days.", "Your password will expire in 1 day."}},
		{"never", false, "", nil},
		{"ann", false, "", nil},
	} {
		v, _, l := visit(t, h, c.user)
		must(t, v.Password(t.Context(), []byte("interop")))
		if lines := l.take(); strings.Join(lines, "") != c.log {
			t.Errorf("%s: %q", c.user, lines)
		}
		login, err := v.Authorize(t.Context())
		must(t, err)
		if login.MustChange != c.must || login.Options.PortForwarding == c.must || !login.Options.PTY || !slices.Equal(login.Messages, c.messages) {
			t.Errorf("%s: %+v", c.user, login)
		}
	}
	// AUT-21: empty passwords, and the none method with them.
	h = host(t, account.System(), "PermitEmptyPasswords yes\n")
	v, p, l := visit(t, h, "empty")
	if !p.None || !p.PermitEmptyPasswords {
		t.Errorf("%+v", p)
	}
	must(t, v.None(t.Context()))
	_, err = v.Authorize(t.Context())
	must(t, err)
	l.want(t, "INFO Accepted none for empty from 192.0.2.1 port 4711 ssh2")
	v, _, _ = visit(t, h, "ann")
	if v.None(t.Context()) == nil || v.None(t.Context()) == nil {
		t.Error("ann's password is not empty")
	}
	v, _, _ = visit(t, host(t, account.System(), "PermitEmptyPasswords yes\nPasswordAuthentication no\n"), "empty")
	if v.None(t.Context()) == nil || v.Password(t.Context(), nil) == nil {
		t.Error("PasswordAuthentication no")
	}
	v, _, l = visit(t, host(t, account.System(), ""), "ann")
	if v.ChangePassword(t.Context(), []byte("interop"), []byte("x")) == nil {
		t.Error("changed")
	}
	if lines := l.take(); lines[0] != "INFO password change not supported" {
		t.Errorf("%q", lines)
	}
}

// AUT-10: a name that is in the file is not found out sooner than one that other
// sources were asked about in vain.
func TestAUT10_LookupTakesAsLong(t *testing.T) {
	person(t)
	dir := t.TempDir()
	script(t, dir+"/getent", "sleep 0.03; exit 2")
	must(t, os.WriteFile(dir+"/switch", []byte("passwd: files ldap\n"), 0o644))
	db := account.System()
	db.Getent, db.Switch = dir+"/getent", dir+"/switch"
	h := host(t, db, "")
	for _, user := range []string{"ann", "nosuch", "ann"} {
		start := time.Now()
		visit(t, h, user)
		if took := time.Since(start); took < 25*time.Millisecond {
			t.Errorf("%s is looked up within %v", user, took)
		}
	}
}

// Failures are recorded, names that do not exist once.
func TestFailedLogin(t *testing.T) {
	person(t)
	h := host(t, account.System(), "")
	var got []string
	h.FailedLogin = func(user, host string, addr netip.Addr) { got = append(got, user+" "+host+" "+addr.String()) }
	v, _, _ := visit(t, h, "nosuch")
	v.Password(t.Context(), []byte("x"))
	v, _, _ = visit(t, h, "ann")
	v.Password(t.Context(), []byte("x"))
	v.KeyAllowed(t.Context(), newKey(t).PublicKey(), edd, true)
	if want := []string{"nosuch 192.0.2.1 192.0.2.1", "nosuch 192.0.2.1 192.0.2.1", "ann 192.0.2.1 192.0.2.1"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A login knows the client's name with UseDNS, and its address without.
func TestLoginHost(t *testing.T) {
	person(t)
	for _, c := range []struct{ config, want string }{{"UseDNS yes\n", "localhost"}, {"UseDNS no\n", "127.0.0.1"}} {
		l := &lineLog{level: sshconfig.Verbose}
		p := peer(l)
		p.Remote = netip.MustParseAddrPort("127.0.0.1:4711")
		v := host(t, account.System(), c.config).Visit(p)
		_, err := v.Meet(t.Context(), "ann", "")
		must(t, err)
		must(t, v.Password(t.Context(), []byte("interop")))
		login, err := v.Authorize(t.Context())
		must(t, err)
		if login.Host != c.want {
			t.Errorf("%s: %q, log %q", c.config, login.Host, l.take())
		}
		v.End(t.Context())
	}
}

func TestCodes(t *testing.T) {
	u := person(t)
	const file = "ABCDEFGHIJKLMNOP\n\" RATE_LIMIT 9 30\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n11223344\n55667788\n"
	must(t, u.Write(".google_authenticator", file))
	h := host(t, account.System(), "")
	dialogue := func(user, password, code string) (error, *dialogueOf) {
		v, _, _ := visit(t, h, user)
		d := &dialogueOf{answers: map[string]string{"Password: ": password, "Verification code: ": code}}
		return v.Interactive(t.Context(), "otp", d.ask), d
	}
	for _, c := range []struct {
		user, password, code string
		in                   bool
	}{
		{"ann", "wrong", "11223344", false}, {"ann", "interop", "11223345", false}, {"ann", "interop", "11223344", true},
		{"ann", "interop", "11223344", false}, {"ann", "interop", "", false}, {"nosuch", "interop", "55667788", false}, {"root", "interop", "55667788", false},
	} {
		err, d := dialogue(c.user, c.password, c.code)
		if (err == nil) != c.in {
			t.Errorf("%+v: %v", c, err)
		}
		// AUT-11: whether the password was right is not told by what is asked.
		want := []string{"Password: "}
		if c.user == "ann" {
			want = append(want, "Verification code: ")
		}
		if !slices.Equal(d.asked, want) {
			t.Errorf("%+v: asked %q", c, d.asked)
		}
	}
	b, err := os.ReadFile("/home/ann/.google_authenticator")
	must(t, err)
	if strings.Contains(string(b), "11223344") || !strings.Contains(string(b), "55667788") {
		t.Errorf("%s", b)
	}
	st, err := os.Stat("/home/ann/.google_authenticator")
	must(t, err)
	if sys := st.Sys().(*syscall.Stat_t); sys.Uid != 60001 || st.Mode().Perm() != 0o600 {
		t.Errorf("%d %v", sys.Uid, st.Mode())
	}
	// A file for others to read is no secret.
	must(t, os.Chmod("/home/ann/.google_authenticator", 0o644))
	if err, _ := dialogue("ann", "interop", "55667788"); err == nil {
		t.Error("a file that others read")
	}
	must(t, os.Chmod("/home/ann/.google_authenticator", 0o600))
	// Where it cannot be written no code counts.
	must(t, os.Chown("/home/ann", 0, 0))
	if err, _ := dialogue("ann", "interop", "55667788"); err == nil {
		t.Error("a folder that cannot be written")
	}
	must(t, os.Chown("/home/ann", 60001, 60001))
	if err, _ := dialogue("ann", "interop", "55667788"); err != nil {
		t.Error(err)
	}
	// With a key before it there is only the code to ask, under the name that
	// the list gives the device.
	s := newKey(t)
	must(t, u.Write(".ssh/authorized_keys", line(s.PublicKey())))
	must(t, u.Write(".google_authenticator", file))
	h = host(t, account.System(), "AuthenticationMethods publickey,keyboard-interactive:pam\n")
	v, p, l := visit(t, h, "ann")
	d := &dialogueOf{answers: map[string]string{"Verification code: ": "11223344"}}
	if err := v.Interactive(t.Context(), "pam", d.ask); err == nil || len(d.asked) > 0 || !slices.Equal(p.Devices, []string{"pam"}) {
		t.Errorf("before its turn: %v %q %q", err, d.asked, p.Devices)
	}
	must(t, prove(t, v, s))
	must(t, v.Interactive(t.Context(), "pam", d.ask))
	if !slices.Equal(d.asked, []string{"Verification code: "}) {
		t.Errorf("asked %q", d.asked)
	}
	login, err := v.Authorize(t.Context())
	must(t, err)
	if lines := l.take(); lines[len(lines)-1] != "INFO Accepted keyboard-interactive/pam for ann from 192.0.2.1 port 4711 ssh2" {
		t.Errorf("log %q", lines)
	}
	if !slices.Equal(login.Completed, []string{"publickey " + line(s.PublicKey()), "keyboard-interactive/pam"}) {
		t.Errorf("%q", login.Completed)
	}
}

// Without PAM the device is there for passwords where they are permitted, and
// where a list wants it; whoever switched passwords off has no way left open.
func TestInteractiveWithoutCodes(t *testing.T) {
	u := person(t)
	const file = "ABCDEFGHIJKLMNOP\n\" TOTP_AUTH\n11223344\n"
	const off, list = "PasswordAuthentication no\n", "AuthenticationMethods keyboard-interactive\n"
	const keyed = "AuthenticationMethods publickey,keyboard-interactive\n"
	s := newKey(t)
	must(t, u.Write(".ssh/authorized_keys", line(s.PublicKey())))
	for _, c := range []struct {
		config, user, password, code string
		key, codes, in               bool
		device, asked                string
	}{
		{config: "", user: "ann", password: "interop", in: true, device: "otp", asked: "P"},
		{config: "", user: "ann", password: "wrong", device: "otp", asked: "P"},
		{config: "", user: "nosuch", password: "interop", device: "otp", asked: "P"},
		{config: "", user: "root", password: "interop", device: "otp", asked: "P"},
		{config: "", user: "ann", password: "interop", code: "11223344", codes: true, in: true, device: "otp", asked: "PV"},
		{config: "", user: "ann", password: "interop", code: "11223345", codes: true, device: "otp", asked: "PV"},
		{config: off, user: "ann", password: "interop", device: "", asked: ""},
		{config: off, user: "ann", password: "interop", code: "11223344", codes: true, device: "", asked: ""},
		{config: "Match user ann\n" + off, user: "ann", password: "interop", device: "", asked: ""},
		{config: off + "AuthenticationMethods publickey\n", user: "ann", password: "interop", device: "", asked: ""},
		{config: off + list, user: "ann", password: "interop", device: "otp", asked: "P"},
		{config: off + list, user: "nosuch", password: "interop", device: "otp", asked: "P"},
		{config: off + list, user: "ann", password: "interop", code: "11223344", codes: true, in: true, device: "otp", asked: "PV"},
		{config: off + list, user: "ann", password: "wrong", code: "11223344", codes: true, device: "otp", asked: "PV"},
		{config: keyed, user: "ann", password: "interop", key: true, in: true, device: "otp", asked: "P"},
		{config: keyed, user: "ann", password: "wrong", key: true, device: "otp", asked: "P"},
		{config: keyed, user: "ann", code: "11223344", key: true, codes: true, in: true, device: "otp", asked: "V"},
		{config: off + keyed, user: "ann", code: "11223344", key: true, codes: true, in: true, device: "otp", asked: "V"},
		{config: off + keyed, user: "ann", password: "interop", code: "11223344", key: true, device: "otp", asked: "V"},
		{config: "AuthenticationMethods password,keyboard-interactive\n", user: "ann", password: "interop", device: "otp", asked: "V"},
	} {
		if os.Remove("/home/ann/.google_authenticator"); c.codes {
			must(t, u.Write(".google_authenticator", file))
		}
		v, p, _ := visit(t, host(t, account.System(), c.config), c.user)
		if c.key {
			must(t, prove(t, v, s))
		}
		if strings.HasPrefix(c.config, "AuthenticationMethods password") {
			must(t, v.Password(t.Context(), []byte("interop")))
		}
		d := &dialogueOf{answers: map[string]string{"Password: ": c.password, "Verification code: ": c.code}}
		err := v.Interactive(t.Context(), c.device, d.ask)
		if err == nil {
			_, err = v.Authorize(t.Context())
		}
		asked := ""
		for _, q := range d.asked {
			asked += q[:1]
		}
		if (err == nil) != c.in || asked != c.asked || !slices.Equal(p.Devices, []string{c.device}) {
			t.Errorf("%+v: %v, asked %q, devices %q", c, err, asked, p.Devices)
		}
		if v.Interactive(t.Context(), "pam", d.ask) == nil {
			t.Errorf("%+v: a device that is not there", c)
		}
	}
}

func TestMethodLists(t *testing.T) {
	person(t)
	for _, c := range []struct {
		config  string
		methods string // "any": one is enough
		log     []string
	}{
		{"", "any", nil},
		{"AuthenticationMethods any", "any", nil},
		{"AuthenticationMethods publickey,password password", "publickey,password password", nil},
		{"AuthenticationMethods publickey,hostbased password", "password", []string{`INFO Authentication methods list "publickey,hostbased" contains disabled method, skipping`}},
		{"AuthenticationMethods keyboard-interactive:bsdauth", "", []string{`INFO Authentication methods list "keyboard-interactive:bsdauth" contains disabled method, skipping`, "ERROR No AuthenticationMethods left after eliminating disabled methods"}},
		{"AuthenticationMethods password\nPasswordAuthentication no", "", []string{`INFO Authentication methods list "password" contains disabled method, skipping`, "ERROR No AuthenticationMethods left after eliminating disabled methods"}},
		{"AuthenticationMethods any\nMatch user ann\nAuthenticationMethods password,publickey", "password,publickey", nil},
		{"Match user ann\nAuthenticationMethods password,publickey", "password,publickey", nil},
	} {
		v, p, l := visit(t, host(t, account.System(), c.config+"\n"), "ann")
		var got []string
		for _, m := range p.Methods {
			got = append(got, strings.Join(m, ","))
		}
		text := strings.Join(got, " ")
		if p.Methods == nil {
			text = "any"
		}
		if text != c.methods {
			t.Errorf("%q: %q", c.config, text)
		}
		l.want(t, c.log...)
		if c.methods == "" {
			if err := v.Password(t.Context(), []byte("interop")); err == nil {
				t.Errorf("%q: in", c.config)
			}
		}
	}
}

func TestHostbased(t *testing.T) {
	u := person(t)
	s := newKey(t)
	key := s.PublicKey()
	must(t, os.WriteFile("/etc/ssh/ssh_known_hosts", []byte("192.0.2.1 "+line(key)+"\n"), 0o644))
	const base = "HostbasedAuthentication yes\n"
	for _, c := range []struct {
		name, config, shosts, rhosts, equiv, client string
		in                                          bool
	}{
		{"nothing", "", "", "", "", "ann", false},
		{"equiv", "", "", "", "192.0.2.1\n", "ann", true},
		{"equiv, other user", "", "", "", "192.0.2.1\n", "bob", false},
		{"equiv, that user", "", "", "", "192.0.2.1 bob\n", "bob", true},
		{"equiv, not him", "", "", "", "192.0.2.1 -bob\n192.0.2.1 bob\n", "bob", false},
		{"equiv, not that host", "", "", "", "-192.0.2.1 ann\n192.0.2.1\n", "ann", false},
		{"AUT-26: everybody", "", "", "", "+\n", "ann", false},
		{"AUT-26: everybody of everywhere", "", "", "", "+ +\n", "ann", false},
		{"net groups let nobody in", "", "", "", "@all\n", "ann", false},
		{"net groups keep everybody out", "", "", "", "192.0.2.1 -@all\n192.0.2.1\n", "ann", false},
		{"garbage", "", "", "", "192.0.2.1 ann more\n", "ann", false},
		{"comment", "", "", "", "# 192.0.2.1\n", "ann", false},
		{"other host", "", "", "", "192.0.2.2\n", "ann", false},
		{".shosts is ignored", "", "192.0.2.1\n", "", "", "ann", false},
		{".shosts", "IgnoreRhosts no\n", "192.0.2.1\n", "", "", "ann", true},
		{".shosts only", "IgnoreRhosts shosts-only\n", "192.0.2.1\n", "", "", "ann", true},
		{".rhosts where .shosts only", "IgnoreRhosts shosts-only\n", "", "192.0.2.1\n", "", "ann", false},
		{".rhosts", "IgnoreRhosts no\n", "", "192.0.2.1 bob\n", "", "bob", true},
		{"off", "HostbasedAuthentication no\n", "", "", "192.0.2.1\n", "ann", false},
	} {
		for name, text := range map[string]string{".shosts": c.shosts, ".rhosts": c.rhosts} {
			os.Remove("/home/ann/" + name)
			if text != "" {
				must(t, u.Write(name, text))
			}
		}
		must(t, os.WriteFile("/etc/ssh/shosts.equiv", []byte(c.equiv), 0o644))
		h := host(t, account.System(), c.config+base)
		v, _, l := visit(t, h, "ann")
		err := v.HostbasedAllowed(t.Context(), key, edd, "client.example.", c.client)
		if (err == nil) != c.in {
			t.Errorf("%s: %v %q", c.name, err, l.take())
		}
		if err != nil {
			continue
		}
		sig, err := s.Sign(rand.Reader, []byte("data"))
		must(t, err)
		must(t, v.HostbasedVerified(t.Context(), key, edd, "client.example", c.client, []byte("data"), pubkey.MarshalSignature(sig)))
		_, err = v.Authorize(t.Context())
		must(t, err)
		lines := l.take()
		want := "INFO Accepted hostbased for ann from 192.0.2.1 port 4711 ssh2: ED25519 " + pubkey.FingerprintSHA256(key) + `, client user "` + c.client + `", client host "client.example"`
		if lines[0] != "INFO userauth_hostbased mismatch: client sends client.example, but we resolve 192.0.2.1 to 192.0.2.1" || lines[len(lines)-1] != want {
			t.Errorf("%s: log %q", c.name, lines)
		}
	}
	must(t, os.WriteFile("/etc/ssh/shosts.equiv", []byte("192.0.2.1\nclient.example\n"), 0o644))
	try := func(name, config string, key pubkey.PublicKey, in bool) {
		t.Helper()
		v, _, l := visit(t, host(t, account.System(), config+base), "ann")
		if err := v.HostbasedAllowed(t.Context(), key, key.Type(), "client.example", "ann"); (err == nil) != in {
			t.Errorf("%s: %v %q", name, err, l.take())
		}
	}
	try("known", "", key, true)
	try("unknown key", "", newKey(t).PublicKey(), false)
	try("the packet's name is not known", "HostbasedUsesNameFromPacketOnly yes\n", key, false)
	must(t, os.WriteFile("/etc/ssh/ssh_known_hosts", []byte("client.example "+line(key)+"\n"), 0o644))
	try("the packet's name", "HostbasedUsesNameFromPacketOnly yes\n", key, true)
	try("known by name only", "", key, false)
	must(t, u.Write(".ssh/known_hosts", "192.0.2.1 "+line(key)+"\n"))
	try("known to the user", "", key, true)
	try("which does not count", "IgnoreUserKnownHosts yes\n", key, false)
	must(t, os.Chmod("/home/ann/.ssh/known_hosts", 0o620))
	try("file that others write", "", key, false)
	must(t, os.Chmod("/home/ann/.ssh/known_hosts", 0o600))
	must(t, os.WriteFile("/etc/ssh/ssh_known_hosts", []byte("@revoked * "+line(key)+"\n"), 0o644))
	try("revoked", "", key, false)
	// A host's certificate.
	ca := newKey(t)
	cert := certify(t, ca, key, func(c *pubkey.Certificate) {
		c.CertType, c.ValidPrincipals, c.Extensions = pubkey.HostCert, []string{"192.0.2.1"}, nil
	})
	must(t, os.WriteFile("/etc/ssh/ssh_known_hosts", []byte("@cert-authority * "+line(ca.PublicKey())+"\n"), 0o644))
	must(t, os.Remove("/home/ann/.ssh/known_hosts"))
	try("certificate", "", cert, true)
	try("certificate of another", "", certify(t, newKey(t), key, func(c *pubkey.Certificate) {
		c.CertType, c.ValidPrincipals, c.Extensions = pubkey.HostCert, []string{"192.0.2.1"}, nil
	}), false)
	try("certificate for another", "", certify(t, ca, key, func(c *pubkey.Certificate) {
		c.CertType, c.ValidPrincipals, c.Extensions = pubkey.HostCert, []string{"192.0.2.2"}, nil
	}), false)
}
