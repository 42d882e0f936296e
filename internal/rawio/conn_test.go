package rawio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pairs gives both ends of each kind of connection, the one under test first.
func pairs(t *testing.T, name string) (a, b net.Conn) {
	t.Helper()
	if name == "pipe" {
		a, b = net.Pipe()
	} else if name == "duplex" {
		r1, w1, err := PipeFromChild()
		must(t, err)
		r2, w2, err := PipeToChild()
		must(t, err)
		a = NewDuplex(r1, w2, "UNKNOWN")
		b = NewDuplex(NewFile(r2), NewFile(w1), "peer")
	} else {
		addr := "127.0.0.1:0"
		if name == "unix" {
			addr = filepath.Join(t.TempDir(), "s")
		}
		l, err := net.Listen(name, addr)
		must(t, err)
		defer l.Close()
		done := make(chan net.Conn)
		go func() {
			c, _ := l.Accept()
			done <- c
		}()
		a, err = net.Dial(name, l.Addr().String())
		must(t, err)
		b = <-done
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var kinds = [...]string{"tcp", "unix", "pipe", "duplex"}

func TestConnBothWays(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			a, b := pairs(t, kind)
			c, d := NewConn(a), NewConn(b)
			want := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
			var wg sync.WaitGroup
			wg.Go(func() {
				if n, err := d.Write(want); n != len(want) || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
				d.CloseWrite()
				if kind == "pipe" {
					d.Close()
				}
			})
			var got []byte
			buf := make([]byte, 70_000)
			for {
				n, err := c.ReadReady(func() []byte { return buf })
				got = append(got, buf[:n]...)
				if err != nil {
					if err != io.EOF {
						t.Errorf("ReadReady: %v", err)
					}
					break
				}
				if n == 0 {
					t.Fatal("0, nil")
				}
			}
			wg.Wait()
			if !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// A buffer must be asked for only when bytes are there: the goroutine parks
// with none in its hands.
func TestReadReadyParksWithoutBuffer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no raw descriptors")
	}
	for _, kind := range [...]string{"tcp", "unix", "duplex"} {
		for _, hook := range []bool{false, true} {
			a, b := pairs(t, kind)
			c := NewConn(a)
			var holds atomic.Bool
			if hook {
				c.OnPark(func() { holds.Store(false) })
			}
			buf := make([]byte, 16)
			got := make(chan string)
			go func() {
				defer close(got)
				for {
					n, err := c.ReadReady(func() []byte { holds.Store(true); return buf })
					if err != nil {
						return
					}
					holds.Store(false) // done with it
					got <- string(buf[:n])
				}
			}()
			for _, s := range []string{"first", "second", "a buffer full of", "x"} {
				waitParked(t)
				if holds.Load() {
					t.Errorf("%s hook=%v: a buffer is held while parked", kind, hook)
				}
				b.Write([]byte(s))
				if g := <-got; g != s {
					t.Errorf("got %q, want %q", g, s)
				}
			}
			c.Close()
			for range got {
			}
		}
	}
}

// waitParked waits until a goroutine is parked in the poller.
func waitParked(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
			if bytes.Contains(g, []byte("ReadReady")) && bytes.Contains(g, []byte("[IO wait")) {
				return
			}
		}
		runtime.Gosched()
	}
}

func TestTryWriteNeverWaits(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			a, b := pairs(t, kind)
			c := NewConn(a)
			chunk := make([]byte, 1<<16)
			sent := 0
			for {
				n, err := c.TryWrite(chunk)
				must(t, err)
				sent += n
				if n < len(chunk) {
					break
				}
			}
			if n, err := c.TryWrite(chunk); n != 0 || err != nil {
				t.Errorf("full TryWrite = %d, %v", n, err)
			}
			if runtime.GOOS == "linux" && kind != "pipe" && sent == 0 {
				t.Error("nothing went out")
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if n, err := c.Write(chunk); n != len(chunk) || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
			}()
			got, err := io.CopyN(io.Discard, b, int64(sent+len(chunk)))
			must(t, err)
			<-done
			_ = got
			c.Close()
			if n, err := c.TryWrite(chunk); n != 0 || err == nil && kind != "pipe" && runtime.GOOS == "linux" {
				t.Errorf("closed TryWrite = %d, %v", n, err)
			}
		})
	}
}

func TestTryWriteWhileWriteWaits(t *testing.T) {
	a, b := pairs(t, "unix")
	c := NewConn(a)
	big := make([]byte, 8<<20)
	var wg sync.WaitGroup
	wg.Go(func() { c.Write(big) })
	one := make([]byte, 1)
	if _, err := b.Read(one); err != nil { // the writer is at work
		t.Fatal(err)
	}
	if n, err := c.TryWrite([]byte("mixed in")); n != 0 || err != nil {
		t.Errorf("TryWrite = %d, %v", n, err)
	}
	got, err := io.ReadAll(io.LimitReader(b, int64(len(big)-1)))
	must(t, err)
	if !bytes.Equal(got, big[1:]) {
		t.Error("bytes mixed")
	}
	wg.Wait()
}

func TestDeadlineAndClose(t *testing.T) {
	for _, kind := range kinds {
		a, _ := pairs(t, kind)
		c := NewConn(a)
		must(t, c.SetReadDeadline(time.Now().Add(-time.Second)))
		get := func() []byte { return make([]byte, 8) }
		if _, err := c.ReadReady(get); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", kind, err)
		}
		must(t, c.SetReadDeadline(time.Time{}))
		errc := make(chan error)
		go func() {
			_, err := c.ReadReady(get)
			errc <- err
		}()
		c.Close()
		if err := <-errc; !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: closed read gives %v", kind, err)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			t.Errorf("%s: closed write gives nil", kind)
		}
	}
}

func TestPeerReset(t *testing.T) {
	a, b := pairs(t, "tcp")
	b.(*net.TCPConn).SetLinger(0)
	b.Close()
	c := NewConn(a)
	_, err := c.ReadReady(func() []byte { return make([]byte, 8) })
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestGetMustGive(t *testing.T) {
	for _, kind := range kinds {
		a, b := pairs(t, kind)
		go b.Write([]byte("x"))
		if _, err := NewConn(a).ReadReady(func() []byte { return nil }); err != errNoRoom {
			t.Errorf("%s: %v", kind, err)
		}
		a.Close()
	}
}

// wrapped has a Read that must not be passed by.
type wrapped struct{ *net.TCPConn }

func (w wrapped) Read(p []byte) (int, error) { return copy(p, "seen"), nil }

func TestWrappersAreNotPassedBy(t *testing.T) {
	a, _ := pairs(t, "tcp")
	p := make([]byte, 8)
	n, err := NewConn(wrapped{a.(*net.TCPConn)}).ReadReady(func() []byte { return p })
	if err != nil || string(p[:n]) != "seen" {
		t.Errorf("%q, %v", p[:n], err)
	}
}

func TestSocketOptions(t *testing.T) {
	for _, kind := range kinds {
		a, b := pairs(t, kind)
		c := NewConn(a)
		c.QuickAck()
		c.NotSentLowat(128 << 10)
		c.SetIPQoS(0xb8)
		if kind == "tcp" && runtime.GOOS == "linux" {
			go b.Write([]byte("x"))
			c.ReadReady(func() []byte { return make([]byte, 1) })
			if c.RTT() <= 0 {
				t.Error("no RTT")
			}
		} else if c.RTT() != 0 {
			t.Errorf("%s has an RTT", kind)
		}
		if c.NetConn() != a || c.LocalAddr() != a.LocalAddr() && c.LocalAddr().String() != a.LocalAddr().String() {
			t.Errorf("%s: not the connection", kind)
		}
		_ = c.RemoteAddr()
		must(t, c.SetWriteDeadline(time.Now().Add(time.Minute)))
	}
}

func TestConnDoesNotAllocate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no raw descriptors")
	}
	for _, kind := range [...]string{"tcp", "unix", "duplex"} {
		a, b := pairs(t, kind)
		c, d := NewConn(a), NewConn(b)
		p := make([]byte, 64)
		buf := make([]byte, 64)
		get := func() []byte { return buf }
		if n := testing.AllocsPerRun(200, func() {
			c.Write(p)
			for got := 0; got < len(p); {
				n, err := d.ReadReady(get)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
			if n, err := c.TryWrite(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			for got := 0; got < len(p); {
				n, _ := d.ReadReady(get)
				got += n
			}
			d.QuickAck()
		}); n != 0 {
			t.Errorf("%s: %v allocations per round", kind, n)
		}
	}
}
