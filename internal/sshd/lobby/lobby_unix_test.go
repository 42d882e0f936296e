//go:build unix

package lobby

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a lobby and the listener in front of it.
type rig struct {
	t      *testing.T
	l      *Lobby
	link   *privsep.Conn
	ln     net.Listener
	clock  atomic.Int64 // ahead of the real one
	number int64
	gone   chan privsep.Gone
	over   chan handed
	admit  atomic.Bool
	served chan error
}

type handed struct {
	number int64
	start  *transport.Start
	f      *os.File
}

func newSigner(t testing.TB) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRig(t *testing.T, srv *ssh.Server, rules privsep.Rules) *rig {
	t.Helper()
	if srv == nil {
		srv = &ssh.Server{HostKeys: []ssh.Signer{newSigner(t)}, Password: func(context.Context, *ssh.ConnMeta, []byte) (*ssh.Permissions, error) {
			return nil, errors.New("no")
		}}
	}
	hello, err := srv.Hello()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, gone: make(chan privsep.Gone, 10000), over: make(chan handed, 100), served: make(chan error, 1)}
	r.admit.Store(true)
	ours, theirs := privsep.Pair()
	r.link = ours
	r.l, err = New(Config{Hello: hello, Listener: theirs, Now: func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) },
		HandOver: func(n int64, b []byte, f *os.File) error {
			s, err := transport.ParseStart(b)
			if err != nil {
				t.Error(err)
			}
			r.over <- handed{n, s, f}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if r.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		ours.Serve(context.Background(), func(_ context.Context, in *privsep.Incoming) error {
			switch in.Number {
			case privsep.NumLeave:
				return in.Answer(&privsep.Verdict{Admit: r.admit.Load(), Text: "Not allowed at this time"})
			case privsep.NumGone:
				var m privsep.Gone
				if err := in.Decode(&m); err != nil {
					return err
				}
				r.gone <- m
			}
			return nil
		})
	})
	wg.Go(func() { r.served <- r.l.Serve(context.Background()) })
	t.Cleanup(func() {
		r.link.Close()
		r.ln.Close()
		wg.Wait()
		for len(r.over) > 0 {
			(<-r.over).f.Close()
		}
	})
	if err := ours.Notify(&rules); err != nil {
		t.Fatal(err)
	}
	return r
}

var rules = privsep.Rules{PerSource: 20, Max: 100, Bits4: 32, Bits6: 64, Grace: time.Minute}

// connect is a client from one of the loopback's addresses, and its number.
func (r *rig) connect(from string) (net.Conn, int64) {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", r.ln.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c, r.accept()
}

func (r *rig) accept() int64 {
	r.t.Helper()
	s, err := r.ln.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.Close()
	rc, err := s.(*net.TCPConn).SyscallConn()
	if err != nil {
		r.t.Fatal(err)
	}
	var fd int
	rc.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil {
		r.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "stranger")
	r.number++
	m := &privsep.Stranger{Number: r.number, Remote: s.RemoteAddr().(*net.TCPAddr).AddrPort(), Local: s.LocalAddr().(*net.TCPAddr).AddrPort()}
	if err := r.link.Notify(m, f); err != nil {
		r.t.Fatal(err)
	}
	return r.number
}

// pass has the lobby's clock go on.
func (r *rig) pass(d time.Duration) {
	r.clock.Add(int64(d))
	r.l.mu.Lock()
	r.l.poller.wake()
	r.l.mu.Unlock()
}

func (r *rig) wantGone() privsep.Gone {
	r.t.Helper()
	select {
	case g := <-r.gone:
		return g
	case <-time.After(30 * time.Second):
		r.t.Fatal("nobody is gone")
		panic("")
	}
}

func (r *rig) await(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("it does not happen: ", what)
		}
	}
}

// hear reads what the server says first.
func hear(t *testing.T, c net.Conn) {
	t.Helper()
	b := make([]byte, 8)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "SSH-2.0-" {
		t.Fatalf("heard %q, %v", b, err)
	}
}

// A client that says what a client says is handed over, and logs in as if
// nothing had been between (LOD-2).
func TestHandOver(t *testing.T) {
	host, user := newSigner(t), newSigner(t)
	srv := &ssh.Server{HostKeys: []ssh.Signer{host}, Handler: func(s *ssh.Session) { fmt.Fprint(s, "hello") },
		PublicKey: func(context.Context, *ssh.ConnMeta, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	r := newRig(t, srv, rules)
	done := make(chan error, 1)
	go func() {
		h := <-r.over
		c, err := net.FileConn(h.f)
		h.f.Close()
		if err != nil {
			done <- err
			return
		}
		srv.ServeConnFrom(context.Background(), c, h.start, nil)
		done <- nil
	}()
	go r.accept()
	ctx := context.Background()
	c, err := ssh.Dial(ctx, "tcp", r.ln.Addr().String(), &ssh.ClientConfig{User: "u", Auth: []ssh.AuthMethod{ssh.PublicKeys(user)}, HostKey: ssh.FixedHostKey(host.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(ctx, "x"); err != nil || string(out) != "hello" {
		t.Errorf("got %q, %v", out, err)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := r.l.Count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// One who says nothing and one who drips have the same time, and it is not
// extended (VER-4).
func TestGrace(t *testing.T) {
	r := newRig(t, nil, rules)
	silent, _ := r.connect("127.0.0.1")
	drips, _ := r.connect("127.0.0.2")
	hear(t, silent)
	hear(t, drips)
	r.pass(rules.Grace - time.Second)
	drips.Write([]byte("SSH-"))
	r.await("the drop has been taken", func() bool {
		r.l.mu.Lock()
		defer r.l.mu.Unlock()
		return r.l.held == 4
	})
	if r.l.Count() != 2 || len(r.gone) > 0 {
		t.Error("somebody went before his time")
	}
	r.pass(time.Second + maxTail)
	for range 2 {
		if g := r.wantGone(); penalty.Event(g.Event) != penalty.GraceExceeded || g.End != privsep.EndTimeout {
			t.Errorf("gone: %+v", g)
		}
	}
	for _, c := range []net.Conn{silent, drips} {
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Error(err)
		}
	}
}

// Without a grace time nobody's time is over.
func TestNoGrace(t *testing.T) {
	forever := rules
	forever.Grace = 0
	r := newRig(t, nil, forever)
	c, _ := r.connect("127.0.0.1")
	hear(t, c)
	r.pass(1000 * time.Hour)
	c.Write([]byte("x\n"))
	if g := r.wantGone(); g.End != privsep.EndIdent {
		t.Errorf("gone: %+v", g)
	}
}

// A source that has more than its share loses its oldest, but not in the first
// moment (LOD-1).
func TestShare(t *testing.T) {
	r := newRig(t, nil, rules)
	var conns []net.Conn
	for range rules.PerSource + 5 {
		c, _ := r.connect("127.0.0.1")
		hear(t, c)
		conns = append(conns, c)
	}
	other, _ := r.connect("127.0.0.2")
	hear(t, other)
	if r.l.Count() != rules.PerSource+6 || len(r.gone) > 0 {
		t.Errorf("%d are here, %d gone", r.l.Count(), len(r.gone))
	}
	r.pass(Youth)
	for i := range int64(5) {
		if g := r.wantGone(); g.Number != i+1 || g.End != privsep.EndRefused || g.Text != "LobbyPerSource" {
			t.Errorf("gone: %+v", g)
		}
		if _, err := io.Copy(io.Discard, conns[i]); err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Error(err)
		}
	}
	if n := r.l.Count(); n != rules.PerSource+1 {
		t.Errorf("%d are here", n)
	}
	// The youth of many has a bound too.
	for range 8*rules.PerSource + 1 {
		r.connect("127.0.0.3")
	}
	if g := r.wantGone(); g.Text != "LobbyPerSource" && g.Text != "LobbyMax" {
		t.Errorf("gone: %+v", g)
	}
}

// When all places are taken the busiest source loses its oldest, and a fresh one
// is let in (LOD-1).
func TestEviction(t *testing.T) {
	few := rules
	few.Max, few.PerSource = 10, 100
	r := newRig(t, nil, few)
	quiet, _ := r.connect("127.0.0.2")
	hear(t, quiet)
	for range 9 {
		c, _ := r.connect("127.0.0.1")
		hear(t, c)
	}
	for i := range int64(5) {
		c, _ := r.connect(fmt.Sprintf("127.0.0.%d", 10+i))
		hear(t, c)
		if g := r.wantGone(); g.Number != 2+i || g.Text != "LobbyMax" || penalty.Event(g.Event) != penalty.None {
			t.Errorf("gone: %+v", g)
		}
	}
	if n := r.l.Count(); n != 10 {
		t.Errorf("%d are here", n)
	}
	quiet.Write([]byte("x\n"))
	if g := r.wantGone(); g.Number != 1 {
		t.Errorf("the quiet one was evicted: %+v", g)
	}
}

// What no client says ends the connection, with the words for it (VER-1, VER-7).
func TestEnds(t *testing.T) {
	r := newRig(t, nil, rules)
	clear := func(p []byte) string {
		pad := 8 - (5+len(p))%8
		if pad < 4 {
			pad += 8
		}
		b := wire.AppendUint32(nil, uint32(1+len(p)+pad))
		return string(append(append(append(b, byte(pad)), p...), make([]byte, pad)...))
	}
	const id = "SSH-2.0-x\r\n"
	for _, tt := range []struct {
		name, say, hear string
		end             privsep.End
		text            string
	}{
		{"nothing", "", "", privsep.EndClosed, "identification"},
		{"an introduction", id, "", privsep.EndClosed, ""},
		{"HTTP", "GET / HTTP/1.0\r\n\r\n", "Invalid SSH identification string.", privsep.EndIdent, "GET / HTTP/1.0"},
		{"SSH 1", "SSH-1.5-x\n", "Protocol major versions differ.", privsep.EndIdent, "SSH-1.5-x"},
		{"a long line", "SSH-2.0-" + strings.Repeat("x", 300), "Invalid SSH", privsep.EndIdent, ""},
		{"a length", id + "\xff\xff\xff\xff....", "Bad packet length", privsep.EndOurs, "Bad packet length 4294967295."},
		{"goodbye", id + clear((&wire.Disconnect{Reason: 11, Description: "bye"}).Append(nil)), "", privsep.EndDisconnect, "bye"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, n := r.connect("127.0.0.1")
			hear(t, c)
			io.WriteString(c, tt.say)
			c.(*net.TCPConn).CloseWrite()
			said, _ := io.ReadAll(c)
			if !bytes.Contains(said, []byte(tt.hear)) {
				t.Errorf("heard %q", said)
			}
			g := r.wantGone()
			if g.Number != n || g.End != tt.end || tt.text != "" && g.Text != tt.text || penalty.Event(g.Event) != penalty.NoAuth {
				t.Errorf("gone: %+v", g)
			}
		})
	}
}

// Whom the listener does not let go on is told so, with the code for it.
func TestRefused(t *testing.T) {
	r := newRig(t, nil, rules)
	r.admit.Store(false)
	go r.accept()
	_, err := ssh.Dial(context.Background(), "tcp", r.ln.Addr().String(), &ssh.ClientConfig{User: "u", Auth: []ssh.AuthMethod{ssh.Password("x")},
		HostKey: func(context.Context, string, net.Addr, ssh.PublicKey) error { return nil }})
	var d *ssh.PeerDisconnectError
	if !errors.As(err, &d) || d.Reason != wire.ReasonTooManyConnections || d.Message != "Not allowed at this time" {
		t.Errorf("got %v", err)
	}
}

// Beginnings of packets have a bound in all (LOD-2).
func TestHeld(t *testing.T) {
	many := rules
	many.Max, many.PerSource = 10000, 10000
	r := newRig(t, nil, many)
	piece := append([]byte("SSH-2.0-x\n"), wire.AppendUint32(nil, 34996)...)
	piece = append(piece, make([]byte, 30000)...)
	for n := 0; len(r.gone) == 0; n++ {
		c, _ := r.connect("127.0.0.1")
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
		if n > 2*MaxHeld/30000 {
			t.Fatal("nothing bounds what is held")
		}
		if n%50 == 0 {
			r.await("they are read", func() bool {
				r.l.mu.Lock()
				defer r.l.mu.Unlock()
				return r.l.held >= min((n+1)*30000, MaxHeld-100*30000)
			})
		}
	}
	if g := r.wantGone(); g.Text != "LobbyMax" {
		t.Errorf("gone: %+v", g)
	}
}

// A draining lobby ends when its last stranger has left.
func TestDrain(t *testing.T) {
	r := newRig(t, nil, rules)
	c, _ := r.connect("127.0.0.1")
	hear(t, c)
	r.l.Drain()
	select {
	case err := <-r.served:
		t.Fatalf("it ended with a stranger in it: %v", err)
	default:
	}
	c.Close()
	r.wantGone()
	if err := <-r.served; err != nil {
		t.Error(err)
	}
	r.served <- nil
}

// Five thousand strangers that say nothing, or only their name, cost less than
// 16 KiB each, no goroutine, and nobody waits for them (LOD-1, LOD-2).
func TestMany(t *testing.T) {
	const many, most = 5000, 16 << 10
	need := uint64(2*many + 200)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil || uint64(lim.Cur) < need {
		t.Skipf("peer lacks descriptors: %d of %d", lim.Cur, need)
	}
	wide := rules
	wide.Max, wide.PerSource = 6000, 6000
	r := newRig(t, nil, wide)
	port := r.ln.Addr().(*net.TCPAddr).Port
	use := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse + m.OtherSys + m.MSpanInuse
	}
	routines := runtime.NumGoroutine()
	before := use()
	fds := make([]int, 0, many)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for i := range many {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, byte(i >> 8), byte(i)}}); err != nil {
			// The loopback's own address will do where it has only one.
			if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			unix.Write(fd, []byte("SSH-2.0-half_open\r\n"))
		}
		r.accept()
	}
	r.await("they are here", func() bool { return r.l.Count() == many })
	r.await("half of them are known", func() bool {
		r.l.mu.Lock()
		defer r.l.mu.Unlock()
		n := 0
		for _, s := range r.l.here {
			if s.opening.Version() != nil {
				n++
			}
		}
		return n == many/2
	})
	each := (int64(use()) - int64(before)) / many
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("%d bytes for each half-open connection, at most %d may be", each, most)
	}
	if n := runtime.NumGoroutine(); n > routines+20 {
		t.Errorf("%d goroutines, %d before", n, routines)
	}
}

// Sources are what the rules say.
func TestSources(t *testing.T) {
	l := &Lobby{rules: rules}
	l.bits.IPv4, l.bits.IPv6 = 24, 64
	l.sources = map[netip.Prefix]*source{}
	for i, a := range []string{"192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"} {
		l.enterLocked(&stranger{number: int64(i)}, penalty.Source(netip.MustParseAddr(a), l.bits))
	}
	if len(l.sources) != 3 {
		t.Errorf("%d sources", len(l.sources))
	}
}
