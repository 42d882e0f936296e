package ssh_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/ssh"
)

// serveWith serves one connection of a server and logs a client in.
func serveWith(t *testing.T, s *ssh.Server, own any) (*ssh.Client, <-chan error) {
	t.Helper()
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- s.ServeConnFrom(context.Background(), b, nil, own) }()
	c, err := ssh.NewClient(t.Context(), a, "host", &ssh.ClientConfig{User: "u", Auth: []ssh.AuthMethod{ssh.Password("x")},
		HostKey: ssh.FixedHostKey(s.HostKeys[0].PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, ended
}

func TestPolicyAndSignaturesOfOneConnection(t *testing.T) {
	key := newKey()
	signed := 0
	s := &ssh.Server{
		HostKeys: []ssh.Signer{key},
		Handler:  func(s *ssh.Session) { <-s.Context().Done() },
		None: func(_ context.Context, m *ssh.ConnMeta) (*ssh.Permissions, error) {
			return nil, errors.New("no")
		},
		Password: func(_ context.Context, m *ssh.ConnMeta, _ []byte) (*ssh.Permissions, error) { return nil, nil },
		Sign: func(m *ssh.ConnMeta, k ssh.PublicKey, algorithm string, hash []byte) ([]byte, error) {
			if m.Own != "mine" {
				t.Errorf("own %v", m.Own)
			}
			signed++
			sig, err := pubkey.SignWith(key, rand.Reader, hash, algorithm)
			if err != nil {
				return nil, err
			}
			return pubkey.MarshalSignature(sig), nil
		},
	}
	s.LoggedIn = func(c *ssh.ServerConn) {
		c.SetPolicy(&ssh.Policy{
			MaxSessions: 1,
			AcceptEnv:   func(name string) bool { return name == "YES" },
			RekeyBytes:  64 << 10,
			ChannelTimeout: func(typ string) time.Duration {
				if typ == "session:shell" {
					return time.Millisecond
				}
				return 0
			},
		})
	}
	c, _ := serveWith(t, s, "mine")
	one, err := c.NewSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewSession(t.Context()); err == nil {
		t.Error("a second session")
	}
	if one.Setenv(t.Context(), "YES", "1") != nil || one.Setenv(t.Context(), "NO", "1") == nil {
		t.Error("environment")
	}
	if signed != 1 {
		t.Errorf("%d signatures", signed)
	}
	if err := one.Shell(t.Context()); err != nil {
		t.Fatal(err)
	}
	one.Wait(t.Context()) // its channel is closed because nothing moves
}

func TestUnusedConnectionEnds(t *testing.T) {
	s := &ssh.Server{HostKeys: []ssh.Signer{newKey()}, Handler: func(*ssh.Session) {},
		Password: func(context.Context, *ssh.ConnMeta, []byte) (*ssh.Permissions, error) { return nil, nil }}
	s.LoggedIn = func(c *ssh.ServerConn) { c.SetPolicy(&ssh.Policy{UnusedTimeout: 5 * time.Millisecond}) }
	_, ended := serveWith(t, s, nil)
	if err := <-ended; !errors.Is(err, ssh.ErrUnused) {
		t.Errorf("%v", err)
	}
}
