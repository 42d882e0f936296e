package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// forwarding makes a server forward by rules.
func forwarding(rules *forward.Rules, seen *sync.Map) func(*Server) {
	if rules.Key == nil {
		rules.Key, _ = keyfile.ParseOptions("", nil)
	}
	return func(s *Server) {
		var mu sync.Mutex
		made := map[*ServerConn]*forward.Server{}
		of := func(c *ServerConn) *forward.Server {
			mu.Lock()
			defer mu.Unlock()
			f := made[c]
			if f == nil {
				f = &forward.Server{Rules: rules,
					Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
						var d net.Dialer
						return d.DialContext(ctx, network, addr)
					},
					Listen: func(ctx context.Context, network, addr string) (net.Listener, error) {
						var l net.ListenConfig
						return l.Listen(ctx, network, addr)
					},
					Debug: func(text string) { c.SendDebug(text) },
				}
				made[c] = f
				if seen != nil {
					seen.Store(f, true)
				}
			}
			return f
		}
		s.Channels = map[string]func(context.Context, *ServerConn, *NewChannel){
			forward.DirectTCPIP: func(ctx context.Context, c *ServerConn, n *NewChannel) { of(c).DirectTCPIP(ctx, c, n) },
		}
		s.Requests = map[string]func(context.Context, *ServerConn, *GlobalRequest){
			forward.TCPIPForward:       func(ctx context.Context, c *ServerConn, r *GlobalRequest) { of(c).TCPIPForward(ctx, c, r) },
			forward.CancelTCPIPForward: func(ctx context.Context, c *ServerConn, r *GlobalRequest) { of(c).CancelTCPIPForward(ctx, c, r) },
		}
	}
}

func everything() *forward.Rules { return &forward.Rules{Local: true, Remote: true} }

// target is a server that does f with each connection.
func target(t *testing.T, f func(*net.TCPConn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				f(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wait.Wait()
	})
	return l.Addr().String()
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	rand.Read(p)
	return p
}

// TestForwardHalfClose: the end of one direction leaves the other open, both
// ways, with data that fills every window on the road.
func TestForwardHalfClose(t *testing.T) {
	addr, host, user := testServer(t, forwarding(everything(), nil))
	c := dialTest(t, addr, host, user, nil)
	defer c.Close()
	up, down := randomBytes(5<<20), randomBytes(7<<20)

	t.Run("client ends first", func(t *testing.T) {
		at := target(t, func(c *net.TCPConn) {
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, up) {
				t.Errorf("target read %d bytes, %v", len(got), err)
			}
			c.Write(down)
		})
		conn, err := c.Dial(context.Background(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(up); err != nil {
			t.Fatal(err)
		}
		conn.(interface{ CloseWrite() error }).CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, down) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
	t.Run("target ends first", func(t *testing.T) {
		told := make(chan [32]byte, 1)
		at := target(t, func(c *net.TCPConn) {
			c.Write(down)
			c.CloseWrite()
			got, _ := io.ReadAll(c)
			told <- sha256.Sum256(got)
		})
		conn, err := c.Dial(context.Background(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, down) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		conn.Write(up)
		conn.Close()
		if <-told != sha256.Sum256(up) {
			t.Error("target read something else")
		}
	})
	awaitChannels(t, &c.Conn, 0)
}

// awaitChannels waits until a connection has n channels.
func awaitChannels(t *testing.T, c *Conn, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(c.Channels()) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("channels: %+v", c.Channels())
		}
	}
}

// TestForwardResets: streams that break leave no channel behind.
func TestForwardResets(t *testing.T) {
	addr, host, user := testServer(t, forwarding(everything(), nil))
	c := dialTest(t, addr, host, user, nil)
	defer c.Close()
	at := target(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1))
		c.SetLinger(0)
	})
	for range 20 {
		conn, err := c.Dial(context.Background(), "tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(make([]byte, 100))
		io.ReadAll(conn) // ends though the target said nothing in good order
		conn.Close()
	}
	awaitChannels(t, &c.Conn, 0)
}

// listenAt asks for a listener and returns the port.
func listenAt(t *testing.T, c *Client, host string, port uint16) (uint16, bool) {
	t.Helper()
	ok, reply, err := c.SendRequest(context.Background(), forward.TCPIPForward, true, forward.Listen{Host: host, Port: port}.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if ok && port == 0 {
		if port, err = forward.ParsePort(reply); err != nil {
			t.Fatal(err)
		}
	}
	return port, ok
}

// TestForwardRemote: a port that the server chooses, connections to it with
// their peer's address, its cancellation, and its end with the connection.
func TestForwardRemote(t *testing.T) {
	addr, host, user := testServer(t, forwarding(everything(), nil))
	got := make(chan forward.Open, 1)
	c := dialTest(t, addr, host, user, func(cfg *ClientConfig) {
		cfg.Channels = map[string]func(context.Context, *Client, *NewChannel){
			forward.ForwardedTCPIP: func(ctx context.Context, c *Client, n *NewChannel) {
				o, err := forward.ParseOpen(n.Payload)
				if err != nil {
					t.Error(err)
				}
				ch, err := n.Accept(func(ch *Channel) { ch.Discard(1) })
				if err != nil {
					return
				}
				c.Flush()
				io.Copy(ch, ch)
				ch.CloseWrite()
				ch.Close()
				got <- o
			},
		}
	})
	defer c.Close()
	port, ok := listenAt(t, c, "localhost", 0)
	if !ok {
		t.Fatal("refused")
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	text := randomBytes(3 << 20)
	go func() {
		conn.Write(text)
		conn.(*net.TCPConn).CloseWrite()
	}()
	back, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(back, text) {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
	origin := conn.LocalAddr().(*net.TCPAddr)
	if o := <-got; o != (forward.Open{Host: "localhost", Port: port, OriginHost: "127.0.0.1", OriginPort: uint16(origin.Port)}) {
		t.Errorf("open says %+v", o)
	}
	conn.Close()
	if _, ok := listenAt(t, c, "localhost", port); ok {
		t.Error("the same port twice")
	}
	cancel := func(l forward.Listen) bool {
		ok, _, err := c.SendRequest(context.Background(), forward.CancelTCPIPForward, true, l.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if cancel(forward.Listen{Host: "other", Port: port}) || !cancel(forward.Listen{Host: "localhost", Port: port}) || cancel(forward.Listen{Host: "localhost", Port: port}) {
		t.Error("cancelled what was not asked for, or not what was")
	}
	if conn, err := net.Dial("tcp", at); err == nil {
		conn.Close()
		t.Error("is listened on after the cancel")
	}
	port, _ = listenAt(t, c, "localhost", 0)
	c.Close()
	c.Wait()
	at = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("is listened on after the connection's end")
		}
	}
}

// TestGLB02_Listeners: a client has its number of listeners and no more; one
// that is cancelled makes room (GLB-2).
func TestGLB02_Listeners(t *testing.T) {
	var seen sync.Map
	rules := everything()
	rules.Family = forward.OnlyIPv4
	addr, host, user := testServer(t, forwarding(rules, &seen))
	c := dialTest(t, addr, host, user, nil)
	defer c.Close()
	var last uint16
	for i := range forward.MaxListeners {
		port, ok := listenAt(t, c, "", 0)
		if !ok {
			t.Fatalf("listener %d refused", i)
		}
		last = port
	}
	if _, ok := listenAt(t, c, "", 0); ok {
		t.Error("one listener too many")
	}
	if ok, _, _ := c.SendRequest(context.Background(), forward.CancelTCPIPForward, true, forward.Listen{Port: last}.Append(nil)); !ok {
		t.Error("not cancelled")
	}
	if _, ok := listenAt(t, c, "", 0); !ok {
		t.Error("no room after a cancel")
	}
	// 70000 is no port, least of all 4464.
	ok, _, err := c.SendRequest(context.Background(), forward.TCPIPForward, true, wire.AppendUint32(wire.AppendText(nil, ""), 70000))
	if ok || err != nil {
		t.Errorf("port 70000: %v, %v", ok, err)
	}
	if _, ok := listenAt(t, c, "", 80); ok {
		t.Error("a low port")
	}
}

// TestGLB05_ForwardsRefused: what the rules refuse is refused with OpenSSH's
// words, and kinds of the other side are unknown (GLB-5, GLB-7, GLB-8).
func TestGLB05_ForwardsRefused(t *testing.T) {
	rules := &forward.Rules{Local: true, Open: forward.ParsePermits([]string{"127.0.0.1:9"})}
	addr, host, user := testServer(t, forwarding(rules, nil))
	c := dialTest(t, addr, host, user, nil)
	defer c.Close()
	for _, open := range []struct {
		typ, host string
		port      uint16
		reason    wire.OpenReason
		text      string
	}{
		{forward.DirectTCPIP, "127.0.0.1", 22, wire.OpenAdministrativelyProhibited, "open failed"},
		{forward.DirectTCPIP, "localhost", 9, wire.OpenAdministrativelyProhibited, "open failed"},
		{forward.DirectTCPIP, "127.0.0.1\nx", 9, wire.OpenConnectFailed, "open failed"},
		{forward.DirectTCPIP, "127.0.0.1", 9, wire.OpenConnectFailed, ""}, // nobody there
		{forward.ForwardedTCPIP, "127.0.0.1", 9, wire.OpenUnknownChannelType, ""},
		{"x11", "127.0.0.1", 9, wire.OpenUnknownChannelType, ""},
		{"auth-agent@openssh.com", "127.0.0.1", 9, wire.OpenUnknownChannelType, ""},
	} {
		o := forward.Open{Host: open.host, Port: open.port, OriginHost: "127.0.0.1", OriginPort: 1}
		_, err := c.OpenChannel(context.Background(), open.typ, o.Append(nil))
		var e *OpenChannelError
		if !errors.As(err, &e) || e.Reason != open.reason || open.text != "" && e.Message != open.text {
			t.Errorf("%s to %q %d: %v", open.typ, open.host, open.port, err)
		}
	}
	if _, ok := listenAt(t, c, "localhost", 0); ok {
		t.Error("listens though only local forwards are allowed")
	}
}

// TestCLI10_UnaskedChannels: a client takes no channel that nobody asked for
// (CLI-10, GLB-7).
func TestCLI10_UnaskedChannels(t *testing.T) {
	errs := make(chan error, 10)
	types := []string{"session", forward.DirectTCPIP, forward.ForwardedTCPIP, "x11", "auth-agent@openssh.com", "direct-streamlocal@openssh.com"}
	addr, host, user := testServer(t, func(s *Server) {
		s.Handler = func(ses *Session) {
			o := forward.Open{Host: "127.0.0.1", Port: 22}
			for _, typ := range types {
				_, err := ses.Conn().OpenChannel(ses.Context(), typ, o.Append(nil))
				errs <- err
			}
		}
	})
	c := dialTest(t, addr, host, user, nil)
	defer c.Close()
	c.Run(context.Background(), "x")
	for _, typ := range types {
		var e *connection.OpenError
		if err := <-errs; !errors.As(err, &e) || e.Reason != wire.OpenUnknownChannelType {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
