package simnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Over pipes and a fake clock a byte arrives exactly when it is due.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		done := make(chan Count, 1)
		go func() { done <- Link{Delay: 50 * time.Millisecond}.Join(t.Context(), a, b) }()
		go io.Copy(server, server)

		buf := make([]byte, 5)
		for range 3 {
			start := time.Now()
			client.Write([]byte("hello"))
			io.ReadFull(client, buf)
			if d := time.Since(start); d != 100*time.Millisecond || string(buf) != "hello" {
				t.Errorf("%q after %v, want hello after 100ms", buf, d)
			}
		}
		client.Close()
		server.Close()
		c := <-done
		if want := (Count{Conns: 1, Up: 15, Down: 15, Turns: 6, Rounds: 3}); c != want {
			t.Errorf("counted %+v, want %+v", c, want)
		}
	})
}

// A limited link takes size ÷ rate, and what is in flight at once does not
// wait for each other.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		go Link{Delay: time.Second, Rate: 1 << 20}.Join(t.Context(), a, b)
		start := time.Now()
		go func() {
			for range 64 {
				client.Write(make([]byte, 64<<10))
			}
		}()
		n, err := io.CopyN(io.Discard, server, 4<<20)
		if d := time.Since(start); n != 4<<20 || err != nil || d != 5*time.Second {
			t.Errorf("%d bytes, %v after %v; want 4 MiB after 5s", n, err, d)
		}
		client.Close()
		server.Close()
	})
}

// What is held in flight has a bound: the writer is stopped at it and goes on
// as the far side takes.
func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, a := net.Pipe()
		b, server := net.Pipe()
		go Link{InFlight: 4 << 20}.Join(t.Context(), a, b)
		var sent int
		over := make(chan bool)
		go func() {
			defer close(over)
			for range 160 {
				n, _ := client.Write(make([]byte, 64<<10))
				sent += n
			}
			client.Close()
		}()
		synctest.Wait() // the reader of the pipe is stopped by the bound
		if sent > 4<<20 || sent < 3<<20 {
			t.Errorf("%d bytes went in with nobody reading; the bound is 4 MiB", sent)
		}
		if n, err := io.Copy(io.Discard, server); n != 10<<20 || err != nil {
			t.Errorf("%d bytes came out, %v; want 10 MiB", n, err)
		}
		<-over
		server.Close()
	})
}

func proxy(t *testing.T, link Link, serve func(net.Conn)) (*Proxy, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c, err := ln.Accept(); err == nil {
			serve(c)
			c.Close()
		}
	}()
	p, err := Listen("127.0.0.1:0", ln.Addr().String(), link)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); p.Close(); ln.Close(); <-served })
	return p, c.(*net.TCPConn)
}

// Over real sockets: every byte, in order, and a half-close that leaves the
// way back open.
func TestHalfClose(t *testing.T) {
	_, c := proxy(t, Link{Delay: time.Millisecond}, func(s net.Conn) {
		h := sha256.New()
		io.Copy(h, s) // ends with the client's half-close
		s.Write(h.Sum(nil))
	})
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
	want := sha256.Sum256(data)
	if _, err := c.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
}

// When the far side dies, so does the near side.
func TestReset(t *testing.T) {
	_, c := proxy(t, Link{}, func(s net.Conn) { s.(*net.TCPConn).SetLinger(0) })
	for {
		if _, err := c.Write(make([]byte, 1<<16)); err != nil {
			break
		}
	}
}

// Close cuts connections that would never end by themselves.
func TestClose(t *testing.T) {
	joined := make(chan struct{})
	p, c := proxy(t, Link{Delay: time.Hour}, func(s net.Conn) { close(joined); io.Copy(io.Discard, s) })
	<-joined
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from a closed proxy", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a, b := net.Pipe()
	Link{}.Join(ctx, a, b) // returns
}
