package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func newSigner(t testing.TB) Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testServer serves a server whose handler echoes, counts or fails by command.
func testServer(t testing.TB, change func(*Server)) (addr string, hostKey PublicKey, user Signer) {
	t.Helper()
	host, user := newSigner(t), newSigner(t)
	s := &Server{
		HostKeys: []Signer{host},
		PublicKey: func(_ context.Context, m *ConnMeta, k PublicKey) (*Permissions, error) {
			if string(k.Marshal()) != string(user.PublicKey().Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
		Handler: handleTest,
	}
	s.Ended = func(m *ConnMeta, err error) {
		var p *PanicError
		if errors.As(err, &p) {
			t.Errorf("server: %v\n%s", err, p.Stack)
		}
		t.Logf("server: %v", err)
	}
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		s.Close()
		<-done
	})
	return l.Addr().String(), host.PublicKey(), user
}

func handleTest(s *Session) {
	switch cmd := s.Command(); {
	case cmd == "cat":
		io.Copy(s, s)
	case cmd == "sum":
		h := sha256.New()
		n, _ := io.Copy(h, s)
		fmt.Fprintf(s, "%d %x", n, h.Sum(nil))
	case strings.HasPrefix(cmd, "zero "):
		var n int
		fmt.Sscanf(cmd, "zero %d", &n)
		b := make([]byte, 64<<10)
		for n > 0 {
			c, err := s.Write(b[:min(n, len(b))])
			if err != nil {
				return
			}
			n -= c
		}
	case cmd == "stderr":
		io.WriteString(s.Stderr(), "to stderr")
		io.WriteString(s, "to stdout")
	case cmd == "exit 3":
		s.Exit(3)
	case cmd == "kill":
		s.ExitSignal(SIGTERM, false, "gone")
	default:
		fmt.Fprintf(s, "shell %q", cmd)
	}
}

func dialTest(t testing.TB, addr string, host PublicKey, user Signer, change func(*ClientConfig)) *Client {
	t.Helper()
	cfg := &ClientConfig{User: "ann", Auth: []AuthMethod{PublicKeys(user)}, HostKey: FixedHostKey(host)}
	if change != nil {
		change(cfg)
	}
	c, err := Dial(context.Background(), "tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); c.Wait() })
	return c
}

func TestSession(t *testing.T) {
	addr, host, user := testServer(t, nil)
	c := dialTest(t, addr, host, user, nil)
	ctx := context.Background()
	out, err := c.Output(ctx, "hello")
	if err != nil || string(out) != `shell "hello"` {
		t.Fatalf("got %q, %v", out, err)
	}
	var exit *ExitError
	if err := c.Run(ctx, "exit 3"); !errors.As(err, &exit) || exit.Status != 3 {
		t.Fatalf("got %v", err)
	}
	if err := c.Run(ctx, "kill"); !errors.As(err, &exit) || exit.Signal != SIGTERM || exit.Message != "gone" {
		t.Fatalf("got %v", err)
	}
	s, err := c.NewSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	s.Stdout, s.Stderr = &stdout, &stderr
	if err := s.Run(ctx, "stderr"); err != nil || stdout.String() != "to stdout" || stderr.String() != "to stderr" {
		t.Fatalf("got %q, %q, %v", stdout.String(), stderr.String(), err)
	}
}

func TestBulk(t *testing.T) {
	addr, host, user := testServer(t, func(s *Server) {
		s.Ciphers = []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-cbc"}
	})
	const size = 6 << 20
	data := make([]byte, size)
	rand.Read(data)
	want := fmt.Sprintf("%d %x", size, sha256.Sum256(data))
	for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-cbc"} {
		for _, rekey := range []uint64{0, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", cipher, rekey), func(t *testing.T) {
				c := dialTest(t, addr, host, user, func(cfg *ClientConfig) {
					cfg.Ciphers, cfg.RekeyBytes = []string{cipher}, rekey
				})
				s, err := c.NewSession(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				s.Stdin = bytes.NewReader(data)
				out, err := s.Output(context.Background(), "sum")
				if err != nil || string(out) != want {
					t.Fatalf("got %q, %v, want %q", out, err, want)
				}
				s, _ = c.NewSession(context.Background())
				s.Stdin = bytes.NewReader(data)
				out, err = s.Output(context.Background(), "cat")
				if err != nil || !bytes.Equal(out, data) {
					t.Fatalf("echo of %d bytes gave %d, %v", size, len(out), err)
				}
			})
		}
	}
}

func TestPipe(t *testing.T) {
	host, user := newSigner(t), newSigner(t)
	s := &Server{HostKeys: []Signer{host}, Handler: handleTest,
		PublicKey: func(context.Context, *ConnMeta, PublicKey) (*Permissions, error) { return nil, nil }}
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- s.ServeConn(context.Background(), a) }()
	c, err := NewClient(context.Background(), b, "pipe:22", &ClientConfig{User: "u", Auth: []AuthMethod{PublicKeys(user)}, HostKey: FixedHostKey(host.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(context.Background(), "x"); err != nil || string(out) != `shell "x"` {
		t.Fatalf("got %q, %v", out, err)
	}
	c.Close()
	var p *PeerDisconnectError
	if err := <-ended; !errors.As(err, &p) || p.Reason != 11 {
		t.Fatalf("server saw %v", err)
	}
}

func TestRefused(t *testing.T) {
	addr, host, _ := testServer(t, nil)
	cfg := &ClientConfig{User: "ann", Auth: []AuthMethod{PublicKeys(newSigner(t))}, HostKey: FixedHostKey(host)}
	_, err := Dial(context.Background(), "tcp", addr, cfg)
	var denied *DeniedError
	if !errors.As(err, &denied) || fmt.Sprint(denied.Methods) != "[publickey]" {
		t.Fatalf("got %v", err)
	}
	cfg.HostKey = FixedHostKey(newSigner(t).PublicKey())
	var hostErr *HostKeyError
	if _, err := Dial(context.Background(), "tcp", addr, cfg); !errors.As(err, &hostErr) {
		t.Fatalf("got %v", err)
	}
	cfg.HostKey = nil
	if _, err := Dial(context.Background(), "tcp", addr, cfg); err != ErrNoHostKeyCheck {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	l, _ := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	defer l.Close()
	cfg.HostKey = FixedHostKey(host)
	if _, err := Dial(ctx, "tcp", l.Addr().String(), cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// The description of the client's terminal arrives with the session, once, and
// only if it is that of the terminal that was asked for.
func TestTerminfo(t *testing.T) {
	entry := append([]byte{0x1a, 1, 6, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "odd|x\x00\x01\x00"...)
	got := make(chan *Terminfo, 1)
	addr, host, user := testServer(t, func(s *Server) {
		s.Handler = func(s *Session) { got <- s.Terminfo(); s.Exit(0) }
	})
	client := dialTest(t, addr, host, user, nil)
	for _, c := range []struct {
		pty, name string
		entry     []byte
		want      bool
	}{{"odd", "odd", entry, true}, {"odd", "x", entry, false}, {"odd", "odd", entry[:9], false}, {"", "odd", entry, false}} {
		s, err := client.NewSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := &Program{Command: "x", Terminfo: &Terminfo{Name: c.name, Entry: c.entry}}
		if c.pty != "" {
			p.PTY = &PTY{Term: c.pty}
		}
		if err := s.Begin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if x := <-got; x != nil != c.want || c.want && (x.Name != c.name || string(x.Entry) != string(c.entry)) {
			t.Errorf("%+v: got %v", c, x)
		}
		s.Wait(t.Context())
	}
}
