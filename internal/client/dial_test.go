package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// listen accepts on a loopback port and gives the accepted connections away.
func listen(t *testing.T) (port int, accepted <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conns := make(chan net.Conn, 4)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, conns
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestDial(t *testing.T) {
	port, accepted := listen(t)
	var log bytes.Buffer
	d := Dialer{Log: NewLogger(&log, LevelDebug1, true), BindAddress: "127.0.0.2"}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.1")}
	c, err := d.DialAddrs(t.Context(), "name", addrs, port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer := <-accepted
	defer peer.Close()
	if got := peer.RemoteAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.2" {
		t.Errorf("connected from %s, not from the bind address", got)
	}
	p := strconv.Itoa(port)
	want := "debug1: Connecting to name [127.0.0.3] port " + p + ".\r\n" +
		"debug1: connect to address 127.0.0.3 port " + p + ": Connection refused\r\n" +
		"debug1: Connecting to name [127.0.0.1] port " + p + ".\r\n" +
		"debug1: Connection established.\r\n"
	if log.String() != want {
		t.Errorf("log\n%s\nwant\n%s", log.String(), want)
	}
}

// An address that does not answer is not waited for, one that refuses less so.
func TestRace(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	more := []netip.Addr{six, netip.MustParseAddr("2001:db8::2"), four, netip.MustParseAddr("192.0.2.2")}
	for _, c := range []struct {
		name    string
		answers map[string]time.Duration // when; negative: refused then
		took    time.Duration
		tried   string
	}{
		{"first answers", map[string]time.Duration{"2001:db8::1": time.Millisecond}, time.Millisecond, "2001:db8::1"},
		{"first is silent", map[string]time.Duration{"192.0.2.1": 10 * time.Millisecond}, attemptDelay + 10*time.Millisecond, "2001:db8::1 192.0.2.1"},
		{"first is slow and wins", map[string]time.Duration{"2001:db8::1": 400 * time.Millisecond, "192.0.2.1": time.Second}, 400 * time.Millisecond, "2001:db8::1 192.0.2.1"},
		{"first refuses", map[string]time.Duration{"2001:db8::1": -time.Millisecond, "192.0.2.1": time.Millisecond}, 2 * time.Millisecond, "2001:db8::1 192.0.2.1"},
		{"only the last", map[string]time.Duration{"192.0.2.2": 0}, 3 * attemptDelay, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"},
		{"all refuse", map[string]time.Duration{"2001:db8::1": -1, "192.0.2.1": -1, "2001:db8::2": -1, "192.0.2.2": -1}, 4, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tried []string
			d := Dialer{dial: func(ctx context.Context, a netip.Addr, _ int) (net.Conn, error) {
				tried = append(tried, a.String())
				after, ok := c.answers[a.String()]
				if !ok {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				select {
				case <-time.After(max(after, -after)):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				if after < 0 {
					return nil, syscall.ECONNREFUSED
				}
				conn, _ := net.Pipe()
				return conn, nil
			}}
			start := time.Now()
			conn, err := d.DialAddrs(t.Context(), "name", more, 22)
			if took := time.Since(start); took != c.took || strings.Join(tried, " ") != c.tried {
				t.Errorf("%s: after %v, tried %v; want %v, %s", c.name, took, tried, c.took, c.tried)
			}
			if c.name == "all refuse" {
				if err == nil || err.Error() != "connect to host name port 22: Connection refused" {
					t.Errorf("%s: %v", c.name, err)
				}
			} else if err != nil || conn == nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

func TestPassedSocket(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("peer lacks python3")
	}
	port, accepted := listen(t)
	const dialer = `python3 -c "import socket
c = socket.create_connection(('127.0.0.1', %d))
socket.send_fds(socket.socket(fileno=1), [b'x'], [c.fileno()])"`
	var log bytes.Buffer
	c, err := passedSocket("", fmt.Sprintf(dialer, port), nil, nil, NewLogger(&log, LevelDebug1, true))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer := <-accepted
	defer peer.Close()
	if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("%T is not the socket itself", c)
	}
	io.WriteString(peer, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if !strings.HasPrefix(log.String(), "debug1: Executing proxy dialer command: exec python3") {
		t.Errorf("log %q", log.String())
	}
	if _, err := passedSocket("", "true", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "did not pass back a connection") {
		t.Errorf("a dialer without a socket: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	port := closedPort(t)
	p := strconv.Itoa(port)
	for _, c := range []struct {
		d          Dialer
		host, want string
		log        string
	}{
		{Dialer{}, "127.0.0.1", "connect to host 127.0.0.1 port " + p + ": Connection refused", "connect to address"},
		{Dialer{}, "no-such-name.invalid", "Could not resolve hostname no-such-name.invalid: Name or service not known", ""},
		{Dialer{Network: "tcp6"}, "127.0.0.1", "Could not resolve hostname 127.0.0.1: Address family for hostname not supported", ""},
		{Dialer{BindAddress: "192.0.2.1"}, "127.0.0.1", "connect to host 127.0.0.1 port " + p + ": failure", "bind 192.0.2.1: Cannot assign requested address"},
		{Dialer{BindInterface: "no-such-if"}, "127.0.0.1", "connect to host 127.0.0.1 port " + p + ": failure", "getifaddrs: no-such-if: no suitable addresses"},
		{Dialer{Attempts: 2}, "127.1", "connect to host 127.1 port " + p + ": Connection refused", "Trying again..."},
	} {
		var log bytes.Buffer
		c.d.Log = NewLogger(&log, LevelDebug1, true)
		_, err := c.d.Dial(t.Context(), c.host, port)
		if err == nil {
			t.Fatalf("%+v: connected", c)
		}
		if got := err.Error(); got != c.want && !strings.Contains(got, "Temporary failure") {
			t.Errorf("%s: %q, want %q", c.host, got, c.want)
		}
		if !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: log %q lacks %q", c.host, log.String(), c.log)
		}
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, err := new(Dialer).Dial(ctx, "127.0.0.1", port)
	if err == nil || !strings.HasSuffix(err.Error(), "Connection timed out") {
		t.Errorf("beyond the deadline: %v", err)
	}
	var ce *ConnectError
	if !errors.As(err, &ce) {
		t.Errorf("%T is no *ConnectError", err)
	}
}

func TestProxy(t *testing.T) {
	var log bytes.Buffer
	p, err := StartProxy("", "cat", nil, nil, NewLogger(&log, LevelDebug1, true))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, "through")
	got := make([]byte, 7)
	if _, err := io.ReadFull(p, got); err != nil || string(got) != "through" {
		t.Errorf("read %q, %v", got, err)
	}
	if log.String() != "debug1: Executing proxy command: exec cat\r\n" {
		t.Errorf("log %q", log.String())
	}
	p.Stop()
	p.Stop()
	<-p.Done()

	// One that ends gives the end of the stream; one that ignores its input
	// is told to go.
	p, err = StartProxy("/bin/sh", "true", nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(got); err != io.EOF {
		t.Errorf("read from an ended command: %v", err)
	}
	p.Stop()
	p, err = StartProxy("", "sleep 1000", nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	<-p.Done()
	if _, err := StartProxy("/nonexistent", "true", nil, nil, nil); err == nil {
		t.Error("a missing shell started")
	}
}
