package xcrypto_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
	"github.com/nacre-ssh/nacre/ssh/xcrypto"
	"golang.org/x/crypto/ssh"
	xagent "golang.org/x/crypto/ssh/agent"
)

var signers = sync.OnceValue(func() map[string]pubkey.Signer {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	m := make(map[string]pubkey.Signer)
	add := func(raw any, err error) {
		must(err)
		s, err := pubkey.NewSignerFromKey(raw)
		must(err)
		m[s.PublicKey().Type()] = s
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	add(ed, err)
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		add(k, err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	add(r, err)
	ml, err := pubkey.GenerateMLDSA44ED25519(nil)
	add(ml, err)
	for _, t := range []string{pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKECDSA256} {
		tok, err := sktest.New(t, "ssh:")
		must(err)
		m[t] = tok.Signer()
	}
	return m
})

func signedBy(t *testing.T, s pubkey.Signer, ca string, kind uint32) pubkey.MultiAlgorithmSigner {
	t.Helper()
	c := &pubkey.Certificate{Key: s.PublicKey(), CertType: kind, KeyId: "id", Serial: 3, ValidPrincipals: []string{"ann"}, ValidBefore: pubkey.CertTimeInfinity,
		Permissions: pubkey.Permissions{Extensions: map[string]string{"permit-pty": ""}}}
	if err := c.SignCert(nil, signers()[ca]); err != nil {
		t.Fatal(err)
	}
	cs, err := pubkey.NewCertSigner(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func TestKeysBothWays(t *testing.T) {
	for name, s := range signers() {
		for _, s := range []pubkey.Signer{s, signedBy(t, s, pubkey.KeyAlgoECDSA256, pubkey.UserCert), signedBy(t, s, pubkey.KeyAlgoMLDSA44ED25519, pubkey.UserCert)} {
			pub := s.PublicKey()
			x, err := xcrypto.ToPublicKey(pub)
			if err != nil {
				t.Fatal(err)
			}
			back, err := xcrypto.FromPublicKey(x)
			if err != nil || !pubkey.Equal(back, pub) || x.Type() != pub.Type() || !bytes.Equal(x.Marshal(), pub.Marshal()) {
				t.Errorf("%s: %v", name, err)
			}
			xs, err := xcrypto.ToSigner(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range append(xs.Algorithms(), "") {
				sig, err := xs.SignWithAlgorithm(rand.Reader, []byte("x"), alg)
				if err != nil {
					t.Fatal(err)
				}
				if err := x.Verify([]byte("x"), sig); err != nil {
					t.Errorf("%s, %s: %v", name, alg, err)
				}
				if alg == "" && sig.Format != pubkey.Plain(pub).Type() {
					t.Errorf("%s: Sign uses %s", name, sig.Format)
				}
				if err := pub.Verify([]byte("x"), xcrypto.FromSignature(sig)); err != nil {
					t.Errorf("%s, %s: %v", name, alg, err)
				}
			}
			if again, err := xcrypto.FromSigner(xs); err != nil || again != s {
				t.Errorf("%s: a converted signer is wrapped once more: %v", name, err)
			}
		}
	}
}

func TestCertificates(t *testing.T) {
	s := signers()[pubkey.KeyAlgoED25519]
	c := signedBy(t, s, pubkey.KeyAlgoRSA, pubkey.UserCert).PublicKey().(*pubkey.Certificate)
	x, err := xcrypto.ToCertificate(c)
	if err != nil || x.Serial != 3 || x.KeyId != "id" {
		t.Fatal(err)
	}
	back, err := xcrypto.FromCertificate(x)
	if err != nil || !pubkey.Equal(back, c) {
		t.Error(err)
	}
	if _, err := xcrypto.ToCertificate(signedBy(t, s, pubkey.KeyAlgoMLDSA44ED25519, pubkey.UserCert).PublicKey().(*pubkey.Certificate)); err == nil {
		t.Error("a certificate that x/crypto cannot read")
	}
	for i, f := range []func() error{
		func() error { _, err := xcrypto.ToCertificate(nil); return err },
		func() error { _, err := xcrypto.FromCertificate(nil); return err },
		func() error { _, err := xcrypto.ToCertificate(&pubkey.Certificate{}); return err },
		func() error { _, err := xcrypto.FromCertificate(&ssh.Certificate{}); return err },
		func() error { _, err := xcrypto.ToPublicKey(&pubkey.Certificate{}); return err },
		func() error { _, err := xcrypto.FromPublicKey(&ssh.Certificate{}); return err },
		func() error { _, err := xcrypto.ToPublicKey(nil); return err },
		func() error { _, err := xcrypto.FromPublicKey(nil); return err },
		func() error { _, err := xcrypto.ToSigner(nil); return err },
		func() error { _, err := xcrypto.FromSigner(nil); return err },
	} {
		if f() == nil {
			t.Errorf("%d: nothing is something", i)
		}
	}
	if xcrypto.FromSignature(nil) != nil || xcrypto.ToSignature(nil) != nil {
		t.Error("no signature is one")
	}
}

// plain hides what a signer can be told.
type plain struct{ ssh.Signer }

// told can be told, and does not say what.
type told struct{ ssh.AlgorithmSigner }

func (told) Algorithms() {} // not the method that x/crypto looks for

func TestFromSigner(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	x, err := ssh.NewSignerFromKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	only, err := ssh.NewSignerWithAlgorithms(x.(ssh.AlgorithmSigner), []string{"rsa-sha2-256"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id     string
		signer ssh.Signer
		want   string // of Sign
		multi  bool
	}{
		{"multi", x, pubkey.KeyAlgoRSASHA256, true}, // x/crypto's first
		{"restricted", only, pubkey.KeyAlgoRSASHA256, true},
		{"algorithm", told{x.(ssh.AlgorithmSigner)}, pubkey.KeyAlgoRSASHA512, false},
		{"plain", plain{x}, pubkey.KeyAlgoRSA, false},
	} {
		s, err := xcrypto.FromSigner(c.signer)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Sign(nil, []byte("x"))
		if err != nil || s.PublicKey().Verify([]byte("x"), sig) != nil || sig.Format != c.want {
			t.Errorf("%s: %v %v", c.id, sig, err)
		}
		if _, ok := s.(pubkey.MultiAlgorithmSigner); ok != c.multi {
			t.Errorf("%s: says its algorithms: %v", c.id, ok)
		}
		if c.id != "plain" {
			if sig, err := pubkey.SignWith(s, nil, []byte("x"), "rsa-sha2-256-cert-v01@openssh.com"); err != nil || sig.Format != "rsa-sha2-256" {
				t.Errorf("%s: %v", c.id, err)
			}
		}
	}
	s, _ := xcrypto.FromSigner(only)
	if _, err := pubkey.SignWith(s, nil, nil, pubkey.KeyAlgoRSASHA512); err == nil {
		t.Error("a restriction is lost")
	}
	dsa := wireKey("ssh-dss")
	if _, err := xcrypto.FromPublicKey(dsa); !errors.Is(err, pubkey.ErrUnknownType) {
		t.Errorf("DSA: %v", err)
	}
}

func wireKey(format string) ssh.PublicKey {
	return &xagent.Key{Format: format, Blob: ssh.Marshal(struct{ Name string }{format})}
}

// x/crypto's client and server with our keys, host and user, with and without
// certificates.
func TestHandshake(t *testing.T) {
	for name, user := range signers() {
		if name == pubkey.KeyAlgoMLDSA44ED25519 {
			continue
		}
		for i, pair := range [][2]pubkey.Signer{{signers()[pubkey.KeyAlgoRSA], user}, {signers()[pubkey.KeyAlgoED25519], signedBy(t, user, pubkey.KeyAlgoRSA, pubkey.UserCert)}} {
			host, err := xcrypto.ToSigner(pair[0])
			if err != nil {
				t.Fatal(err)
			}
			us, err := xcrypto.ToSigner(pair[1])
			if err != nil {
				t.Fatal(err)
			}
			server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if bytes.Equal(key.Marshal(), us.PublicKey().Marshal()) {
					return nil, nil
				}
				return nil, errors.New("no")
			}}
			server.AddHostKey(host)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				s, err := l.Accept()
				if err != nil {
					done <- err
					return
				}
				conn, _, reqs, err := ssh.NewServerConn(s, server)
				if err == nil {
					go ssh.DiscardRequests(reqs)
					_ = conn.Wait()
				}
				s.Close()
				done <- err
			}()
			client, err := ssh.Dial("tcp", l.Addr().String(), &ssh.ClientConfig{User: "ann", Auth: []ssh.AuthMethod{ssh.PublicKeys(us)},
				HostKeyCallback: ssh.FixedHostKey(host.PublicKey()), Timeout: time.Minute})
			if err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			} else {
				client.Close()
			}
			if err := <-done; err != nil {
				t.Errorf("%s %d: server: %v", name, i, err)
			}
			l.Close()
		}
	}
}

func TestAgentsBothWays(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(make([]byte, 32))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	use := func(id string, a agent.ExtendedAgent) {
		t.Helper()
		for _, k := range []any{ed, rsaKey} {
			s, _ := pubkey.NewSignerFromKey(k)
			cert := signedBy(t, s, pubkey.KeyAlgoRSA, pubkey.UserCert).PublicKey().(*pubkey.Certificate)
			for _, c := range []*pubkey.Certificate{nil, cert} {
				if err := a.Add(agent.AddedKey{PrivateKey: k, Certificate: c, Comment: "c", LifetimeSecs: 1000}); err != nil {
					t.Fatalf("%s: %v", id, err)
				}
			}
		}
		keys, err := a.List()
		if err != nil || len(keys) != 4 || keys[0].Comment != "c" {
			t.Fatalf("%s: %v %v", id, keys, err)
		}
		l, err := a.Signers()
		if err != nil || len(l) != 4 {
			t.Fatalf("%s: %d signers: %v", id, len(l), err)
		}
		for _, s := range l {
			sig, err := s.Sign(nil, []byte("x"))
			if err != nil || s.PublicKey().Verify([]byte("x"), sig) != nil {
				t.Errorf("%s: %s: %v", id, s.PublicKey().Type(), err)
			}
			if strings.Contains(s.PublicKey().Type(), "rsa") && sig.Format == pubkey.KeyAlgoRSA {
				t.Errorf("%s: SHA-1", id)
			}
			if sig, err := a.Sign(s.PublicKey(), []byte("x")); err != nil || s.PublicKey().Verify([]byte("x"), sig) != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		if sig, err := a.SignWithFlags(l[2].PublicKey(), nil, agent.SignatureFlagRsaSha512); err != nil || sig.Format != pubkey.KeyAlgoRSASHA512 {
			t.Errorf("%s: flags: %v", id, err)
		}
		if _, err := a.Extension("unknown@example.com", nil); !errors.Is(err, agent.ErrExtensionUnsupported) {
			t.Errorf("%s: extension: %v", id, err)
		}
		if err := a.Lock([]byte("p")); err != nil {
			t.Error(err)
		}
		if l, err := a.List(); err != nil || len(l) != 0 {
			t.Errorf("%s: locked: %v", id, err)
		}
		if err := a.Unlock([]byte("p")); err != nil {
			t.Error(err)
		}
		if err := a.Remove(l[0].PublicKey()); err != nil {
			t.Error(err)
		}
		if err := a.RemoveAll(); err != nil {
			t.Error(err)
		}
	}
	ring := func() *agent.Keyring { return &agent.Keyring{Now: time.Now} }
	use("theirs", xcrypto.FromAgent(xagent.NewKeyring()))
	use("ours, there and back by their client", func() agent.ExtendedAgent {
		c, s := net.Pipe()
		t.Cleanup(func() { c.Close() })
		go func() { _ = xagent.ServeAgent(xcrypto.ToAgent(ring()), s) }()
		return xcrypto.FromAgent(xagent.NewClient(c))
	}())
	use("theirs, there and back by our client", func() agent.ExtendedAgent {
		c, s := net.Pipe()
		t.Cleanup(func() { c.Close() })
		go func() { _ = agent.ServeAgent(xcrypto.FromAgent(xagent.NewKeyring()), s) }()
		return agent.NewClient(c)
	}())
	k := ring()
	if xcrypto.FromAgent(xcrypto.ToAgent(k)) != agent.ExtendedAgent(k) {
		t.Error("an agent is wrapped twice")
	}
	x := xcrypto.ToAgent(k)
	if err := x.Add(xagent.AddedKey{PrivateKey: &ed, ConstraintExtensions: []xagent.ConstraintExtension{{ExtensionName: "x@y"}}}); err == nil {
		t.Error("a constraint is lost")
	}
	if err := x.Add(xagent.AddedKey{PrivateKey: &ed, ConfirmBeforeUse: true}); err == nil {
		t.Error("confirmation is lost")
	}
	if s, err := x.Signers(); err != nil || len(s) != 0 {
		t.Error(err)
	}
	if err := x.Add(xagent.AddedKey{PrivateKey: &ed}); err != nil {
		t.Error(err)
	}
	if s, err := x.Signers(); err != nil || len(s) != 1 {
		t.Error(err)
	}
	if _, err := x.Extension("unknown@example.com", nil); !errors.Is(err, xagent.ErrExtensionUnsupported) {
		t.Errorf("extension: %v", err)
	}
	if b, err := x.Extension("query", nil); err != nil || len(b) == 0 {
		t.Errorf("query: %v", err)
	}
}
