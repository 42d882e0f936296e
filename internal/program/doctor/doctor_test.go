package doctor

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/ssh"
)

// patient is somebody the doctor looks at: a folder with a key and a server.
type patient struct {
	t    *testing.T
	dir  string
	port int
	host ssh.Signer
}

func newSigner(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, s
}

func newPatient(t *testing.T, takes bool) *patient {
	t.Helper()
	p := &patient{t: t, dir: t.TempDir()}
	_, p.host = newSigner(t)
	key, _ := newSigner(t)
	data, err := keyfile.MarshalPrivateKey(key, "a key", keyfile.MarshalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.write("key", string(data))
	p.knows(p.host)
	server := &ssh.Server{HostKeys: []ssh.Signer{p.host},
		PublicKey: func(context.Context, *ssh.ConnMeta, ssh.PublicKey) (*ssh.Permissions, error) {
			if takes {
				return nil, nil
			}
			return nil, errors.New("no")
		},
		Handler: func(s *ssh.Session) { s.Exit(0) },
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	done := make(chan struct{})
	go func() { server.Serve(context.Background(), l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return p
}

func (p *patient) write(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) knows(s ssh.Signer) {
	p.write("known", "box "+string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

// ask is what the doctor says.
func (p *patient) ask(args ...string) (string, int) {
	p.t.Helper()
	p.write("config", fmt.Sprintf("Host *\n  HostName 127.0.0.1\n  Port %d\n  User ann\n  HostKeyAlias box\n  IdentityFile %s/key\n  IdentityAgent none\n"+
		"  UserKnownHostsFile %s/known\n  GlobalKnownHostsFile none\n", p.port, p.dir, p.dir))
	out, err := os.Create(filepath.Join(p.dir, "out"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		p.t.Fatal(err)
	}
	defer in.Close()
	code := Main(p.t.Context(), stdio.Stdio{In: in, Out: out, Err: out, Env: os.Environ(), Name: "doctor"}, append([]string{"-F", p.dir + "/config"}, args...))
	data, _ := os.ReadFile(out.Name())
	return string(data), code
}

func (p *patient) wants(text string, code, want int, parts ...string) {
	p.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.t.Errorf("no %q in\n%s", part, text)
		}
	}
	// The account's own folders may have findings of their own.
	if code != want && !strings.Contains(text, "PROBLEM  folders") {
		p.t.Errorf("status %d, want %d\n%s", code, want, text)
	}
}

func TestAllWell(t *testing.T) {
	p := newPatient(t, true)
	text, code := p.ask("box")
	p.wants(text, code, 0, "ok       settings   ann@127.0.0.1 port ", "ok       name       127.0.0.1 is 127.0.0.1", "ok       port", "ok       banner     the server is OpenSSH_compatible_nacre",
		"ok       algorithms key exchange ", "ok       host key   Host 'box' is known and matches the ED25519 host key.", "ok       keys       "+p.dir+"/key", "ok       login      ann logged in with publickey, ")
}

func TestFindings(t *testing.T) {
	t.Run("denied", func(t *testing.T) {
		p := newPatient(t, false)
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  login      permission denied: 1 keys were offered and none was taken", "authorized_keys", "AllowUsers", "note     offered    "+p.dir+"/key ED25519 SHA256:")
	})
	t.Run("no key", func(t *testing.T) {
		p := newPatient(t, false)
		os.Remove(p.dir + "/key")
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  keys       "+p.dir+"/key does not exist", "PROBLEM  keys       there is no key to offer", "ssh-copy-id -p ")
	})
	t.Run("open key", func(t *testing.T) {
		p := newPatient(t, true)
		os.Chmod(p.dir+"/key", 0o644)
		text, code := p.ask("box")
		p.wants(text, code, 1, "may be read by others (mode 0644): it is not used", "-> chmod 600 "+p.dir+"/key")
	})
	t.Run("unknown host key", func(t *testing.T) {
		p := newPatient(t, true)
		p.write("known", "")
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  host key   the server's key is not known yet: SHA256:")
		if data, _ := os.ReadFile(p.dir + "/known"); len(data) != 0 {
			t.Errorf("learned %s", data)
		}
	})
	t.Run("changed host key", func(t *testing.T) {
		p := newPatient(t, true)
		_, other := newSigner(t)
		p.knows(other)
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  host key   the server's key is not the one that is known: SHA256:", "ssh-keygen -R 'box'")
	})
	t.Run("refused", func(t *testing.T) {
		p := newPatient(t, true)
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  port       connection refused: nobody listens on port ", "systemctl status ssh")
	})
	t.Run("no name", func(t *testing.T) {
		p := newPatient(t, true)
		text, code := p.ask("-o", "HostName=no-such-name.invalid", "box")
		p.wants(text, code, 1, "PROBLEM  name       Could not resolve hostname no-such-name.invalid: ")
	})
	t.Run("no algorithm", func(t *testing.T) {
		p := newPatient(t, true)
		text, code := p.ask("-o", "KexAlgorithms=diffie-hellman-group1-sha1", "box")
		p.wants(text, code, 1, "PROBLEM  algorithms no matching key exchange method found", "in ~/.ssh/config: KexAlgorithms +")
	})
	t.Run("no SSH server", func(t *testing.T) {
		p := newPatient(t, true)
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, "SSH-1.5-ancient\r\n")
				c.Close()
			}
		}()
		p.port = l.Addr().(*net.TCPAddr).Port
		text, code := p.ask("box")
		p.wants(text, code, 1, "PROBLEM  banner     what answers")
	})
}

func TestCannot(t *testing.T) {
	p := newPatient(t, true)
	if text, code := p.ask("-o", "Nonsense=1", "box"); code != 255 || !strings.Contains(text, "Bad configuration option") {
		t.Errorf("status %d\n%s", code, text)
	}
	if text, code := p.ask(); code != 255 {
		t.Errorf("status %d\n%s", code, text)
	}
}
