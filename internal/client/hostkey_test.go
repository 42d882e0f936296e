package client

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/knownhosts"
	"github.com/nacre-ssh/nacre/ssh"
)

// hostRig is a known_hosts file and what is asked about it.
type hostRig struct {
	t    *testing.T
	file string
	log  bytes.Buffer
	h    *HostKeys
}

func newHostRig(t *testing.T, text, lines string) *hostRig {
	t.Helper()
	r := &hostRig{t: t, file: filepath.Join(t.TempDir(), "known")}
	if lines != "" {
		if err := os.WriteFile(r.file, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config(t, "GlobalKnownHostsFile none\nUserKnownHostsFile "+r.file+"\nHostname h.example\n"+text)
	r.h = &HostKeys{Conf: c, Log: NewLogger(&r.log, LevelDebug1, true), Ask: dialog(t, "echo yes")}
	r.h.Load()
	return r
}

func (r *hostRig) check(k ssh.PublicKey) error {
	r.t.Helper()
	return r.h.Check(r.t.Context(), "h.example:22", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 22}, k)
}

func (r *hostRig) order() []string {
	r.t.Helper()
	names, err := r.h.Algorithms(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

func line(name string, k ssh.PublicKey) string { return knownhosts.EntryText([]string{name}, k) + "\n" }

func TestHostKeys(t *testing.T) {
	_, s := key(t)
	_, other := key(t)
	k, o := s.PublicKey(), other.PublicKey()
	for _, c := range []struct {
		name, text, lines string
		ok                bool
		log               string // must be in the log
		learned           string // name in the file afterwards
	}{
		{"known", "", line("h.example", k), true, "is known and matches the ED25519 host key.", ""},
		{"other case", "Hostname H.Example", line("h.example", k), true, "", ""},
		{"alias", "HostKeyAlias Al", line("al", k), true, "", ""},
		{"port", "Port 99", line("[h.example]:99", k), true, "", ""},
		{"without port", "Port 99", line("h.example", k), true, "found matching key w/out port", ""},
		{"strict", "StrictHostKeyChecking yes", "", false, "No ED25519 host key is known for h.example and you have requested strict checking.", ""},
		{"ask", "StrictHostKeyChecking ask", "", true, "Permanently added 'h.example' (ED25519)", "h.example"},
		{"batch", "StrictHostKeyChecking ask\nBatchMode yes", "", false, "", ""},
		{"accept-new", "StrictHostKeyChecking accept-new\nPort 99", "", true, "Permanently added '[h.example]:99' (ED25519)", "[h.example]:99"},
		{"no", "StrictHostKeyChecking no", "", true, "", "h.example"},
		{"changed", "StrictHostKeyChecking ask", line("h.example", o), false, "Offending ED25519 key in ", ""},
		{"changed, new only", "StrictHostKeyChecking accept-new", line("h.example", o), false, "IDENTIFICATION HAS CHANGED", ""},
		{"revoked", "", "@revoked " + line("h.example", k) + line("h.example", k), false, "REVOKED HOST KEY", ""},
		{"address too", "CheckHostIP yes\nStrictHostKeyChecking no", "", true, "Permanently added 'h.example,192.0.2.7' (ED25519)", "192.0.2.7"},
		{"address later", "CheckHostIP yes", line("h.example", k), true, "Permanently added the ED25519 host key for IP address '192.0.2.7'", "192.0.2.7"},
		{"address differs", "CheckHostIP yes\nStrictHostKeyChecking yes", line("h.example", k) + line("192.0.2.7", o), false, "Exiting, you have requested strict checking.", ""},
		{"address differs, asked", "CheckHostIP yes\nStrictHostKeyChecking ask", line("h.example", k) + line("192.0.2.7", o), true, "", ""},
		{"both differ", "CheckHostIP yes", line("h.example", o) + line("192.0.2.7", k), false, "POSSIBLE DNS SPOOFING DETECTED", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, c.text, c.lines)
			err := r.check(k)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrHostKey) {
				t.Errorf("%v; log\n%s", err, r.log.String())
			}
			if !strings.Contains(r.log.String(), c.log) {
				t.Errorf("the log lacks %q:\n%s", c.log, r.log.String())
			}
			data, _ := os.ReadFile(r.file)
			if got := strings.TrimPrefix(string(data), c.lines); (got != "") != (c.learned != "") || !strings.Contains(got, c.learned) {
				t.Errorf("learned %q, want the name %q", got, c.learned)
			}
		})
	}
}

// TestChangedKeyDisarms: who goes on in spite of a changed key gives nothing
// away that a man in the middle could use.
func TestChangedKeyDisarms(t *testing.T) {
	_, s := key(t)
	_, other := key(t)
	r := newHostRig(t, "StrictHostKeyChecking no\nForwardAgent yes\nForwardX11 yes\nLocalForward 1 a:1\nUpdateHostKeys yes", line("h.example", other.PublicKey()))
	if err := r.check(s.PublicKey()); err != nil {
		t.Fatal(err)
	}
	c := r.h.Conf
	if c.PasswordAuthentication || c.KbdInteractiveAuthentication || c.ForwardAgent.On || c.ForwardX11 || len(c.LocalForward) > 0 || !r.h.Unsafe || r.h.Trusted {
		t.Errorf("left armed: %+v", c)
	}
	for _, m := range (&Login{Conf: c, Identities: &Identities{Conf: c}}).Methods() {
		if m.Name() != "publickey" {
			t.Errorf("would still log in by %s", m.Name())
		}
	}
	r = newHostRig(t, "StrictHostKeyChecking no\nExitOnForwardFailure yes\nLocalForward 1 a:1", line("h.example", other.PublicKey()))
	if err := r.check(s.PublicKey()); err == nil {
		t.Error("goes on without a forward that must not fail")
	}
}

func TestHostCertificates(t *testing.T) {
	_, s := key(t)
	good := certificate(t, s.PublicKey(), ssh.HostCert, "h.example")
	wrong := certificate(t, s.PublicKey(), ssh.HostCert, "elsewhere")
	user := certificate(t, s.PublicKey(), ssh.UserCert, "h.example")
	for _, c := range []struct {
		name  string
		cert  *ssh.Certificate
		lines string
		ok    bool
	}{
		{"good", good, "@cert-authority " + line("*.example", good.SignatureKey), true},
		{"other authority", good, "@cert-authority " + line("*.example", s.PublicKey()), false},
		{"authority for others", good, "@cert-authority " + line("*.elsewhere", good.SignatureKey), false},
		{"other name", wrong, "@cert-authority " + line("*.example", wrong.SignatureKey), false},
		{"user's", user, "@cert-authority " + line("*.example", user.SignatureKey), false},
		{"plain key known", wrong, "@cert-authority " + line("*.example", wrong.SignatureKey) + line("h.example", s.PublicKey()), true},
		{"authority revoked", good, "@cert-authority " + line("*.example", good.SignatureKey) + "@revoked " + line("*", good.SignatureKey), false},
	} {
		r := newHostRig(t, "StrictHostKeyChecking yes", c.lines)
		if err := r.check(c.cert); (err == nil) != c.ok {
			t.Errorf("%s: %v\n%s", c.name, err, r.log.String())
		}
	}
}

// TestHostKeyOrder: algorithms whose key is known come first, unless the
// person gave the list.
func TestHostKeyOrder(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	r := newHostRig(t, "", line("h.example", s.PublicKey()))
	if got := r.order()[0]; !strings.HasPrefix(got, "ecdsa-sha2-nistp256") {
		t.Errorf("first algorithm is %s", got)
	}
	r = newHostRig(t, "HostKeyAlgorithms rsa-sha2-512,ssh-ed25519", line("h.example", s.PublicKey()))
	if got := r.order()[0]; got != "rsa-sha2-512" {
		t.Errorf("first algorithm of a given list is %s", got)
	}
}
