//go:build linux || darwin || freebsd || openbsd

package sockets

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
	"go.uber.org/goleak"
)

// The test binary is the login process too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == login.Word {
		os.Exit(login.Main(login.Services{Sockets: func(_ string, channel *os.File, service []byte, say func(v sshconfig.LogLevel, text string)) int {
			return Main(channel, service, say)
		}}))
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all permits everything.
func all() *privsep.Forwarding {
	return &privsep.Forwarding{Local: true, Remote: true, Gateway: uint8(forward.GatewayClientSpecified), Any: true, AnyListen: true, Key: true}
}

// pair is a room and the process that it asks, in one process.
func pair(t *testing.T, f *privsep.Forwarding) *Client {
	t.Helper()
	before := goleak.IgnoreCurrent()
	a, b := privsep.Pair()
	c := New(a)
	done := make(chan error, 2)
	go func() { done <- c.Run(t.Context()) }()
	go func() { done <- Serve(context.WithoutCancel(t.Context()), b, f) }()
	t.Cleanup(func() {
		c.Close()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		goleak.VerifyNone(t, before)
	})
	return c
}

// echo is a server that gives back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func talk(t *testing.T, c net.Conn) {
	t.Helper()
	defer c.Close()
	_, err := c.Write([]byte("hello"))
	must(t, err)
	must(t, c.(*net.TCPConn).CloseWrite())
	if b, err := io.ReadAll(c); string(b) != "hello" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

func testSockets(t *testing.T, c *Client) {
	addr := echo(t)
	conn, err := c.Dial(t.Context(), "tcp", addr)
	must(t, err)
	talk(t, conn)

	l, err := c.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	must(t, err)
	for range 3 {
		us, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		them, err := l.Accept()
		must(t, err)
		if us.LocalAddr().String() != them.RemoteAddr().String() {
			t.Errorf("from %s, it says %s", us.LocalAddr(), them.RemoteAddr())
		}
		go func() { io.Copy(them, them); them.Close() }()
		talk(t, us)
	}
	if _, err := c.Listen(t.Context(), "tcp4", l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("in use: %v", err)
	}
	must(t, l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	for deadline := time.Now().Add(time.Minute); ; { // it is gone, soon
		us, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		us.Close()
		if time.Now().After(deadline) {
			t.Fatal("still listening")
		}
	}
	// A port that nobody listens on any more, and a name that nobody has.
	if _, err := c.Dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
	if _, err := c.Dial(t.Context(), "tcp", "no-such-host.invalid:1"); !errors.Is(err, forward.ErrUnknownHost) {
		t.Errorf("unknown: %v", err)
	}
}

func TestSockets(t *testing.T) { testSockets(t, pair(t, all())) }

// Nothing is opened that the login may not have, whatever the room asks.
func TestNotPermitted(t *testing.T) {
	addr := echo(t)
	_, p, _ := net.SplitHostPort(addr)
	with := func(change func(f *privsep.Forwarding)) *privsep.Forwarding {
		f := all()
		change(f)
		return f
	}
	for _, c := range []struct {
		name         string
		f            *privsep.Forwarding
		dial, listen bool
		bind         string
	}{
		{"all", all(), true, true, "127.0.0.1:0"},
		{"nothing", &privsep.Forwarding{}, false, false, "127.0.0.1:0"},
		{"no key", with(func(f *privsep.Forwarding) { f.Key = false }), false, false, "127.0.0.1:0"},
		{"local only", with(func(f *privsep.Forwarding) { f.Remote = false }), true, false, "127.0.0.1:0"},
		{"remote only", with(func(f *privsep.Forwarding) { f.Local = false }), false, true, "127.0.0.1:0"},
		{"PermitOpen elsewhere", with(func(f *privsep.Forwarding) { f.Any, f.Open = false, []string{"127.0.0.1:1"} }), false, true, "127.0.0.1:0"},
		{"PermitOpen there", with(func(f *privsep.Forwarding) { f.Any, f.Open = false, []string{"127.0.0.1:1", "127.0.0.1:" + p} }), true, true, "127.0.0.1:0"},
		{"PermitOpen none", with(func(f *privsep.Forwarding) { f.Any = false }), false, true, "127.0.0.1:0"},
		{"permitopen elsewhere", with(func(f *privsep.Forwarding) { f.KeyOpen = []string{"localhost:" + p} }), false, true, "127.0.0.1:0"},
		{"PermitListen elsewhere", with(func(f *privsep.Forwarding) { f.AnyListen, f.Listen = false, []string{"1"} }), true, false, "127.0.0.1:2000"},
		{"permitlisten elsewhere", with(func(f *privsep.Forwarding) { f.KeyListen = []string{"1"} }), true, false, "127.0.0.1:2000"},
		{"PermitListen none", with(func(f *privsep.Forwarding) { f.AnyListen = false }), true, false, "127.0.0.1:0"},
		{"no gateway", with(func(f *privsep.Forwarding) { f.Gateway = uint8(forward.GatewayNo) }), true, false, "0.0.0.0:0"},
		{"no gateway, loopback", with(func(f *privsep.Forwarding) { f.Gateway = uint8(forward.GatewayNo) }), true, true, "127.0.0.1:0"},
		{"gateway", with(func(f *privsep.Forwarding) { f.Gateway = uint8(forward.GatewayYes) }), true, false, "127.0.0.1:0"},
		{"gateway, any", with(func(f *privsep.Forwarding) { f.Gateway = uint8(forward.GatewayYes) }), true, true, "0.0.0.0:0"},
		{"low port", all(), true, false, "127.0.0.1:80"},
		{"no address", all(), true, false, "127.0.0.1:http"},
		{"no name", all(), true, false, "a b:2000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := pair(t, c.f)
			conn, err := cl.Dial(t.Context(), "tcp", addr)
			if c.dial {
				must(t, err)
				conn.Close()
			} else if !errors.Is(err, ErrNotPermitted) {
				t.Errorf("dial: %v", err)
			}
			l, err := cl.Listen(t.Context(), "tcp4", c.bind)
			if c.listen {
				must(t, err)
				l.Close()
			} else if !errors.Is(err, ErrNotPermitted) {
				t.Errorf("listen: %v", err)
			}
		})
	}
	cl := pair(t, all())
	for _, n := range []string{"unix", "udp", "tcp7", ""} {
		if _, err := cl.Dial(t.Context(), n, addr); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("dial %s: %v", n, err)
		}
		if _, err := cl.Listen(t.Context(), n, "127.0.0.1:0"); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("listen %s: %v", n, err)
		}
	}
}

// A port that the system chose may be had for the other family too, although
// its number is not in the list.
func TestChosenPort(t *testing.T) {
	f := all()
	f.AnyListen, f.Listen = false, []string{"*:*"}
	cl := pair(t, f)
	l, err := cl.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l2, err := cl.Listen(t.Context(), "tcp6", "[::1]:"+port)
	if err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Fatal(err)
	}
	if err == nil {
		l2.Close()
	}
}

// A room has so many listeners and no more (GLB-2).
func TestListenerLimit(t *testing.T) {
	cl := pair(t, all())
	var open []net.Listener
	for range MaxListeners {
		l, err := cl.Listen(t.Context(), "tcp4", "127.0.0.1:0")
		must(t, err)
		open = append(open, l)
	}
	if _, err := cl.Listen(t.Context(), "tcp4", "127.0.0.1:0"); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("one more: %v", err)
	}
	must(t, open[0].Close())
	l, err := cl.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	must(t, err)
	l.Close()
}

// What the room does not take does not fill it: it is refused.
func TestPendingLimit(t *testing.T) {
	cl := pair(t, all())
	l, err := cl.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	must(t, err)
	var ours []net.Conn
	for range maxPending + 10 {
		c, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		ours = append(ours, c)
	}
	closed := 0
	for _, c := range ours[maxPending:] {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			closed++
		}
	}
	if closed != 10 {
		t.Errorf("%d of 10 were refused", closed)
	}
	for _, c := range ours {
		c.Close()
	}
}

// Words that a room has no business saying end the link.
func TestNonsense(t *testing.T) {
	for _, m := range []privsep.Message{&privsep.User{Name: "root"}, &privsep.Accepted{ID: 1}, &privsep.Sockets{}} {
		a, b := privsep.Pair()
		done := make(chan error, 1)
		go func() { done <- Serve(t.Context(), b, all()) }()
		go func() { _ = a.Serve(t.Context(), func(context.Context, *privsep.Incoming) error { return nil }) }()
		if row := privsep.Find(privsep.NumUser); row == nil {
			t.Fatal("no row")
		}
		switch m.(type) {
		case *privsep.Accepted:
			f, err := os.Open(os.DevNull)
			must(t, err)
			must(t, a.Notify(m, f))
		default:
			go a.Call(t.Context(), m, &privsep.Outcome{})
		}
		if err := <-done; !errors.Is(err, privsep.ErrProtocol) {
			t.Errorf("%T: %v", m, err)
		}
		a.Close()
	}
}

// The process: it takes on its user's ids, and can do nothing but what it is
// for.
func TestProcess(t *testing.T) {
	cfg := sshconfig.NewServer(nil)
	must(t, cfg.Load())
	service, err := privsep.Append(nil, all())
	must(t, err)
	info := &login.SessionInfo{Account: &account.Account{Name: "nobody", UID: 65534, GID: 65534}, Config: cfg}
	if os.Getuid() == 0 {
		info.Identity = &login.Identity{UID: 65534, GID: 65534, Groups: []uint32{65534}}
	}
	plan, err := login.NewSockets(info, service)
	must(t, err)
	ours, theirs, err := privsep.SocketPair()
	must(t, err)
	cmd, err := plan.Channel(theirs)
	must(t, err)
	p, err := login.Spawn(cmd)
	must(t, err)
	theirs.Close()
	told := make(chan bool)
	var b strings.Builder
	lg, err := log.New(log.Config{Level: sshconfig.Debug3, Output: &b})
	must(t, err)
	go func() { told <- cmd.Relay(lg.For(1)) }()
	conn, err := privsep.NewConn(ours)
	must(t, err)
	c := New(conn)
	done := make(chan error, 1)
	go func() { done <- c.Run(t.Context()) }()
	defer func() {
		if t.Failed() {
			t.Logf("it told %q", b.String())
		}
	}()
	testSockets(t, c)
	if status, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid()) + "/status"); err == nil {
		for _, want := range []string{"NoNewPrivs:\t1\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("no %q in\n%s", want, status)
			}
		}
		if os.Getuid() == 0 {
			for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t65534 \n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"} {
				if !strings.Contains(string(status), want) {
					t.Errorf("no %q in\n%s", want, status)
				}
			}
		}
	}
	c.Close()
	<-done
	if st := p.Wait(); st != (login.Status{}) {
		t.Errorf("%+v", st)
	}
	if <-told || b.Len() > 0 {
		t.Errorf("it told %q", b.String())
	}
}
