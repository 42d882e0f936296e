package rows

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serverKinds are whom our client is tried against.
var serverKinds = [...]string{"openssh", "nacre"}

// withKey is the configuration of one with another key.
func withKey(p *place, conf, key string) string {
	p.Helper()
	data, err := os.ReadFile(conf)
	if err != nil {
		p.Fatal(err)
	}
	return p.file("config.key", strings.ReplaceAll(string(data), p.w.UserKey("ed25519"), key))
}

// R01: a key that others may read is not used, and is after the chmod.
func TestR01_PrivateKeyFile(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		conf := one(p, kind)
		data, err := os.ReadFile(p.w.UserKey("ed25519"))
		if err != nil {
			t.Fatal(err)
		}
		key := p.file("key", string(data))
		os.Chmod(key, 0o644)
		argv := []string{"ssh", "-F", withKey(p, conf, key), "-o", "BatchMode=yes", "box", "echo here"}
		o := p.run(argv...)
		for _, text := range []string{"UNPROTECTED PRIVATE KEY FILE!", "Permissions 0644 for '" + key + "' are too open.", "Permission denied (publickey"} {
			if o.code != 255 || !strings.Contains(o.err, text) {
				t.Errorf("%s: no %q in %+v", kind, text, o)
			}
		}
		os.Chmod(key, 0o600)
		if o := p.run(argv...); o.out != "here\n" || o.code != 0 {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}

// R02: which keys were offered is in the client's log.
func TestR02_OfferedKeys(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		conf := one(p, kind)
		key := filepath.Join(p.dir, "wrong")
		if o := p.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); o.code != 0 {
			t.Fatalf("%+v", o)
		}
		o := p.run("ssh", "-v", "-F", withKey(p, conf, key), "-o", "BatchMode=yes", "box", "true")
		for _, text := range []string{"Offering public key: " + key + " ED25519 SHA256:", "Permission denied (publickey"} {
			if o.code != 255 || !strings.Contains(o.err, text) {
				t.Errorf("%s: no %q in %+v", kind, text, o)
			}
		}
	}
}

// R10: nobody listens.
func TestR10_Refused(t *testing.T) {
	p := newPlace(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	o := p.run("ssh", "-F", "none", "-p", fmt.Sprint(port), "user@127.0.0.1", "true")
	if want := fmt.Sprintf("ssh: connect to host 127.0.0.1 port %d: Connection refused\n", port); o.code != 255 || o.err != want {
		t.Errorf("%+v, want %q", o, want)
	}
}

// R11: a server that takes the connection and says nothing is not waited for
// longer than ConnectTimeout.
func TestR11_TimedOut(t *testing.T) {
	p := newPlace(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	o := p.run("ssh", "-F", "none", "-o", "ConnectTimeout=1", "-p", fmt.Sprint(port), "user@127.0.0.1", "true")
	want := fmt.Sprintf("Connection timed out during banner exchange\nConnection to 127.0.0.1 port %d timed out\n", port)
	if o.code != 255 || o.err != want {
		t.Errorf("%+v, want %q", o, want)
	}
}

// R12: the options shorten the proposal as given.
func TestR12_ShortProposal(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		conf := one(p, kind)
		o := p.run("ssh", "-v", "-F", conf, "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "Ciphers=aes128-ctr", "-o", "MACs=hmac-sha2-256", "box", "echo here")
		if o.out != "here\n" || !strings.Contains(o.err, "kex: client->server cipher: aes128-ctr MAC: hmac-sha2-256 compression: none") {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}

// R13: a SHELL without its folder does not break a proxy command.
func TestR13_ShellPath(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		conf := one(p, kind)
		inner := p.file("relay.sh", "exec ssh -F "+conf+" -W 127.0.0.1:$2 box\n")
		for _, shell := range []string{"sh", "zsh", "/no/such/shell"} {
			o := p.with([]string{"SHELL=" + shell}, "ssh", "-F", conf, "-o", "ProxyCommand=/bin/sh "+inner+" %h %p", "box", "echo here")
			if o.out != "here\n" || o.code != 0 {
				t.Errorf("%s, SHELL=%s: %+v", kind, shell, o)
			}
		}
	}
}

// R15: the line of the guide, its tilde expanded here.
func TestR15_MkdirTerminfo(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		p.need("bash")
		conf := one(p, kind)
		script := "cd; ssh -F " + conf + " box mkdir -p  ~/.terminfo/${TERM:0:1}"
		if o := p.with([]string{"TERM=xterm", "HOME=" + p.w.Home}, "bash", "-c", script); o.code != 0 {
			t.Errorf("%s: %+v", kind, o)
		}
		dir := filepath.Join(p.w.Home, ".terminfo", "x")
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			t.Errorf("%s: %v", kind, err)
		}
		os.RemoveAll(filepath.Dir(dir))
	}
}

// R20: nothing in common, in the words of the guide, and the way out.
func TestR20_NoCommonKeyExchange(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		s := p.start(kind, "KexAlgorithms diffie-hellman-group1-sha1")
		conf := boxConfig(p, s.Port)
		o := p.run("ssh", "-F", conf, "box", "true")
		want := fmt.Sprintf("Unable to negotiate with 127.0.0.1 port %d: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1", s.Port)
		if o.code != 255 || !strings.HasPrefix(o.err, want) {
			t.Errorf("%s: %+v, want %q", kind, o, want)
		}
		if o := p.run("ssh", "-F", conf, "-o", "KexAlgorithms=+diffie-hellman-group1-sha1", "box", "echo here"); o.out != "here\n" || o.code != 0 {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}

// The checklist by itself, against both servers.
func TestDoctor(t *testing.T) {
	for _, kind := range serverKinds {
		p := newPlace(t)
		conf := one(p, kind)
		os.Symlink(filepath.Join(p.w.Tree, "build", "nacre"), filepath.Join(p.dir, "bin", "nacre"))
		o := p.run("nacre", "doctor", "-F", conf, "box")
		if !strings.Contains(o.out, "ok       login      "+p.w.User+" logged in with publickey") || strings.Contains(strings.ReplaceAll(o.out, "PROBLEM  folders", ""), "PROBLEM") {
			t.Errorf("%s: %+v", kind, o)
		}
		o = p.run("nacre", "doctor", "-F", conf, "-l", "nobody-of-that-name", "box")
		if o.code != 1 || !strings.Contains(o.out, "PROBLEM  login      permission denied: 1 keys were offered") {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}
