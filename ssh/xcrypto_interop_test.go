package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"testing"

	xssh "golang.org/x/crypto/ssh"
)

// xKey is one key in both libraries' hands.
func xKey(t testing.TB) (Signer, xssh.Signer) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := xssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestXClient logs golang.org/x/crypto/ssh in to our server.
func TestXClient(t *testing.T) {
	addr, host, _ := testServer(t, func(s *Server) {
		s.PublicKey = func(context.Context, *ConnMeta, PublicKey) (*Permissions, error) { return nil, nil }
		s.Requests = map[string]func(context.Context, *ServerConn, *GlobalRequest){
			"echo@example.org": func(_ context.Context, _ *ServerConn, r *GlobalRequest) { r.ReplyLater(true, r.Payload) },
		}
	})
	_, key := xKey(t)
	hk, err := xssh.ParsePublicKey(host.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	c, err := xssh.Dial("tcp", addr, &xssh.ClientConfig{User: "x", Auth: []xssh.AuthMethod{xssh.PublicKeys(key)},
		HostKeyCallback: xssh.FixedHostKey(hk), Config: xssh.Config{RekeyThreshold: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data := make([]byte, 8<<20)
	rand.Read(data)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	s.Stdin = bytes.NewReader(data)
	out, err := s.Output("cat")
	if err != nil || !bytes.Equal(out, data) {
		t.Fatalf("echo of %d bytes gave %d, %v", len(data), len(out), err)
	}
	s, _ = c.NewSession()
	if err := s.Run("exit 3"); err == nil || err.(*xssh.ExitError).ExitStatus() != 3 {
		t.Fatalf("got %v", err)
	}
	ok, reply, err := c.SendRequest("echo@example.org", true, []byte("payload"))
	if err != nil || !ok || string(reply) != "payload" {
		t.Fatalf("got %v %q %v", ok, reply, err)
	}
}

// TestXServer logs our client in to golang.org/x/crypto/ssh.
func TestXServer(t *testing.T) {
	ours, host := xKey(t)
	cfg := &xssh.ServerConfig{PublicKeyCallback: func(xssh.ConnMetadata, xssh.PublicKey) (*xssh.Permissions, error) { return nil, nil }}
	cfg.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			go serveX(c, cfg)
		}
	}()
	user, _ := xKey(t)
	c := dialTest(t, l.Addr().String(), ours.PublicKey(), user, func(cfg *ClientConfig) { cfg.RekeyBytes = 1 << 20 })
	data := make([]byte, 8<<20)
	rand.Read(data)
	s, err := c.NewSession(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.Stdin = bytes.NewReader(data)
	out, err := s.Output(context.Background(), "sum")
	if want := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || string(out) != want {
		t.Fatalf("got %q, %v, want %q", out, err, want)
	}
}

func serveX(c net.Conn, cfg *xssh.ServerConfig) {
	_, channels, requests, err := xssh.NewServerConn(c, cfg)
	if err != nil {
		return
	}
	go xssh.DiscardRequests(requests)
	for n := range channels {
		ch, requests, err := n.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				r.Reply(r.Type == "exec", nil)
				if r.Type == "exec" {
					h := sha256.New()
					io.Copy(h, ch)
					fmt.Fprintf(ch, "%x", h.Sum(nil))
					ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
					ch.Close()
				}
			}
		}()
	}
}
