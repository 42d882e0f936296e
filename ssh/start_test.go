package ssh

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/transport"
)

// beginElsewhere accepts one connection and has its first words as another
// process would.
func beginElsewhere(t *testing.T, s *Server, l net.Listener, waited time.Duration) (net.Conn, *Start) {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	hello, err := s.Hello()
	if err != nil {
		t.Fatal(err)
	}
	cookie := [transport.CookieSize]byte{7}
	c.Write(hello.Append(nil, cookie))
	var o transport.Opening
	var data []byte
	b := make([]byte, 512)
	for {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, b[:n]...)
		n, kexInit, err := o.Next(data)
		if err != nil {
			t.Fatal(err)
		}
		data = data[n:]
		if kexInit != nil {
			return c, o.Start(hello, cookie, kexInit, data, waited)
		}
	}
}

// A connection that began elsewhere serves as any other, and the time it spent
// there counts against the time for logging in (LOD-2, VER-4).
func TestServeConnFrom(t *testing.T) {
	host, user := newSigner(t), newSigner(t)
	s := &Server{HostKeys: []Signer{host}, Handler: handleTest,
		PublicKey: func(context.Context, *ConnMeta, PublicKey) (*Permissions, error) { return nil, nil }}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx := context.Background()
	ended := make(chan error, 1)
	go func() {
		c, start := beginElsewhere(t, s, l, time.Second)
		ended <- s.ServeConnFrom(ctx, c, start, nil)
	}()
	c, err := Dial(ctx, "tcp", l.Addr().String(), &ClientConfig{User: "u", Auth: []AuthMethod{PublicKeys(user)}, HostKey: FixedHostKey(host.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(ctx, "zero 3"); err != nil || len(out) != 3 {
		t.Errorf("got %q, %v", out, err)
	}
	c.Close()
	<-ended

	s.LoginGraceTime = time.Hour
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	go func() {
		cfg := s.transport
		a.Write(cfg.Hello().Append(nil, [transport.CookieSize]byte{}))
	}()
	b, start := beginElsewhere(t, s, l, time.Hour)
	if err := s.ServeConnFrom(ctx, b, start, nil); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want the grace time to be over", err)
	}
}
