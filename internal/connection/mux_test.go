package connection

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// nowhere is a stream that takes everything and gives nothing.
type nowhere struct {
	mu  sync.Mutex
	out []byte
	rtt time.Duration
}

func (n *nowhere) ReadReady(func() []byte) (int, error) { return 0, io.EOF }
func (n *nowhere) OnPark(func())                        {}
func (n *nowhere) Write(p []byte) (int, error) {
	n.mu.Lock()
	n.out = append(n.out, p...)
	n.mu.Unlock()
	return len(p), nil
}
func (n *nowhere) TryWrite(p []byte) (int, error)   { return n.Write(p) }
func (n *nowhere) QuickAck()                        {}
func (n *nowhere) RTT() time.Duration               { return n.rtt }
func (n *nowhere) SetReadDeadline(time.Time) error  { return nil }
func (n *nowhere) SetWriteDeadline(time.Time) error { return nil }
func (n *nowhere) Close() error                     { return nil }

// sent are the payloads that were written so far, in clear.
func (n *nowhere) sent() (payloads [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.out
	n.out = nil
	for len(b) >= 5 {
		length := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		payloads = append(payloads, b[5:4+length-int(b[4])])
		b = b[4+length:]
	}
	return payloads
}

// lone is a Mux without a peer: the test says what arrives.
func lone(cfg *Config) (*Mux, *nowhere) {
	stream := &nowhere{}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Go == nil {
		cfg.Go = func(f func()) { go f() }
	}
	t := transport.New(stream, &transport.Config{Now: cfg.Now, Buffers: &transport.Buffers{}}, cfg.Go)
	t.SetAuthenticated()
	return New(t, cfg), stream
}

// accepting opens every channel.
func accepting(setup func(*Channel)) *Config {
	return &Config{Open: func(in *Incoming) { in.Accept(setup) }}
}

func openMessage(typ string) []byte {
	return (&wire.ChannelOpen{Type: typ, Sender: 7, Window: 1 << 30, MaxPacket: 1 << 15}).Append(nil)
}

func data(id uint32, p []byte) []byte {
	return wire.AppendString(wire.AppendUint32([]byte{wire.MsgChannelData}, id), p)
}

func TestRing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q ring
	var want []byte
	for range 20000 {
		if r.IntN(2) == 0 {
			p := make([]byte, r.IntN(40000))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			if len(want)+len(p) < 1<<20 {
				q.write(p)
				want = append(want, p...)
			}
		} else {
			p := make([]byte, r.IntN(50000))
			n := q.read(p)
			if n != min(len(p), len(want)) || !bytes.Equal(p[:n], want[:n]) {
				t.Fatalf("read %d of %d", n, len(want))
			}
			want = want[n:]
		}
		if q.len() != len(want) {
			t.Fatalf("holds %d, want %d", q.len(), len(want))
		}
	}
	q.skip(q.len())
	if len(q.b) > ringStart {
		t.Errorf("an empty ring holds %d bytes", len(q.b))
	}
}

// half takes at most n bytes at once and no more until told.
type half struct {
	mu   sync.Mutex
	room int
	got  []byte
	wake sync.Cond
	end  bool
}

func newHalf(room int) *half {
	h := &half{room: room}
	h.wake.L = &h.mu
	return h
}

func (h *half) TryWritev(bufs [][]byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range bufs {
		c := min(h.room, len(b))
		h.got = append(h.got, b[:c]...)
		h.room -= c
		n += c
	}
	return n, nil
}

func (h *half) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.room == 0 {
		h.wake.Wait()
	}
	n := min(h.room, len(p))
	h.got = append(h.got, p[:n]...)
	h.room -= n
	if n < len(p) {
		h.mu.Unlock()
		m, err := h.Write(p[n:])
		h.mu.Lock()
		return n + m, err
	}
	return n, nil
}

func (h *half) CloseWrite() error {
	h.mu.Lock()
	h.end = true
	h.wake.Broadcast()
	h.mu.Unlock()
	return nil
}

func (h *half) open(n int) {
	h.mu.Lock()
	h.room += n
	h.wake.Broadcast()
	h.mu.Unlock()
}

func (h *half) awaitEnd() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.end {
		h.wake.Wait()
	}
	return h.got
}

// TestSlowSink: what a full sink leaves over arrives whole and in order, and
// the window is given back only for what was taken.
func TestSlowSink(t *testing.T) {
	sink := newHalf(10)
	m, stream := lone(accepting(func(ch *Channel) { ch.AttachSink(0, sink) }))
	if err := m.Dispatch(openMessage("session")); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i := range 64 {
		p := bytes.Repeat([]byte{byte(i)}, 32000)
		want = append(want, p...)
		if err := m.Dispatch(data(0, p)); err != nil {
			t.Fatal(err)
		}
		if err := m.Drain(); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Dispatch(data(0, make([]byte, Window-len(want)+1))); err == nil {
		t.Error("one byte beyond the window was taken")
	}
	ch, _ := m.channel(0)
	if ch.granted != int64(Window-len(want)) {
		t.Errorf("%d bytes are granted while the sink is full", ch.granted)
	}
	sink.open(len(want))
	if err := m.Dispatch(wire.AppendUint32([]byte{wire.MsgChannelEOF}, 0)); err != nil {
		t.Fatal(err)
	}
	if got := sink.awaitEnd(); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	stream.sent()
}

// TestWindowGrowth: over a path that holds no more than the window in a round
// trip the window doubles until the source is the limit, within the budget; on
// a short path, and where growth brings nothing, it stays. The end gives it
// all back.
func TestWindowGrowth(t *testing.T) {
	const packet = 32 << 10
	for _, c := range []struct {
		name   string
		rtt    time.Duration // as the stream tells it
		path   time.Duration // as it is
		budget int64
		source float64 // bytes a second
		least  int64   // of the window at the end
		most   int64
	}{
		{"long path", 100 * time.Millisecond, 100 * time.Millisecond, 1 << 30, 1e12, MaxWindow, MaxWindow},
		{"slow source", 100 * time.Millisecond, 100 * time.Millisecond, 1 << 30, 3e6, Window, Window},
		{"source of 200 MB/s", 100 * time.Millisecond, 100 * time.Millisecond, 1 << 30, 200e6, 16 << 20, 64 << 20},
		{"short path", time.Millisecond, time.Millisecond, 1 << 30, 1e9, Window, Window},
		{"short path that looks long", 100 * time.Millisecond, 100 * time.Microsecond, 1 << 30, 1e9, Window, Window},
		{"budget", 100 * time.Millisecond, 100 * time.Millisecond, 7 << 20, 1e12, 8 << 20, 8 << 20},
		{"no budget", 100 * time.Millisecond, 100 * time.Millisecond, 0, 1e12, Window, Window},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			budget := &Budget{Limit: c.budget}
			cfg := accepting(func(ch *Channel) { ch.Discard(0) })
			cfg.Now, cfg.Budget = func() time.Time { return now }, budget
			m, stream := lone(cfg)
			stream.rtt = c.rtt
			m.Dispatch(openMessage("session"))
			ch, _ := m.channel(0)
			// The peer: it may send what it was granted half a round trip ago.
			type grant struct {
				at time.Time
				n  int64
			}
			grants := []grant{{now, Window}}
			granted, credit := int64(Window), int64(0)
			free := now // when the source has the next packet
			for range 12000 {
				for credit < packet {
					if now.Before(grants[0].at) {
						now = grants[0].at
					}
					credit += grants[0].n
					grants = grants[1:]
				}
				if free = free.Add(time.Duration(packet / c.source * 1e9)); free.After(now) {
					now = free
				} else {
					free = now
				}
				credit -= packet
				granted -= packet
				if err := m.Dispatch(data(0, make([]byte, packet))); err != nil {
					t.Fatal(err)
				}
				m.Drain()
				m.Flush()
				for _, p := range stream.sent() {
					if p[0] == wire.MsgChannelWindowAdjust {
						r := wire.NewReader(p[5:])
						n := int64(r.Uint32())
						granted += n
						grants = append(grants, grant{now.Add(c.path), n})
					}
				}
				if granted != ch.granted || granted < 0 || granted > ch.target+ch.debt {
					t.Fatalf("the peer counts %d, we %d, window %d", granted, ch.granted, ch.target)
				}
			}
			if ch.target < c.least || ch.target > c.most {
				t.Errorf("window is %d, want %d to %d", ch.target, c.least, c.most)
			}
			if used := budget.used.Load(); used != ch.target-Window {
				t.Errorf("%d bytes of the budget are used, window %d", used, ch.target)
			}
			m.Close(io.EOF)
			if used := budget.used.Load(); used != 0 {
				t.Errorf("%d bytes of the budget stay used", used)
			}
		})
	}
}

func TestPendingOpens(t *testing.T) {
	var waiting []*Incoming
	m, stream := lone(&Config{Open: func(in *Incoming) { waiting = append(waiting, in) }})
	for range MaxOpening {
		if err := m.Dispatch(openMessage("x")); err != nil {
			t.Fatal(err)
		}
	}
	m.Flush()
	if got := stream.sent(); len(got) != 0 {
		t.Fatalf("%d answers, none was given", len(got))
	}
	if err := m.Dispatch(openMessage("x")); err != nil {
		t.Fatal(err)
	}
	m.Flush()
	var fail wire.ChannelOpenFailure
	if got := stream.sent(); len(got) != 1 || fail.Decode(got[0]) != nil || fail.Reason != wire.OpenResourceShortage {
		t.Fatalf("got %q", got)
	}
	if len(waiting) != MaxOpening {
		t.Errorf("%d opens were asked about", len(waiting))
	}
	for _, in := range waiting {
		in.Reject(wire.OpenConnectFailed, "no")
		in.Accept(nil) // the first answer counts
	}
	if m.Open() != 0 || m.pending != 0 {
		t.Errorf("%d open, %d pending", m.Open(), m.pending)
	}
	// What stands behind the open is bounded too: it is kept while it waits.
	waiting = nil
	for _, n := range []int{MaxOpenLen, MaxOpenLen + 1} {
		msg := wire.ChannelOpen{Type: "x", Window: 1, MaxPacket: 1 << 15, Payload: make([]byte, n)}
		if err := m.Dispatch(msg.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if len(waiting) != 1 {
		t.Errorf("%d opens were asked about, want the one that is not too long", len(waiting))
	}
}

func TestStates(t *testing.T) {
	var ch *Channel
	m, _ := lone(accepting(func(c *Channel) { ch = c }))
	m.Dispatch(openMessage("x"))
	m.Dispatch(data(0, make([]byte, 5)))
	ch.CloseWrite()
	own, err := m.StartOpen("y", nil, func(c *Channel) { c.SetInteractive() })
	if err != nil {
		t.Fatal(err)
	}
	want := []State{
		{ID: 0, Peer: 7, Type: "x", Open: true, Waiting: [2]int{5, 0}, SentEOF: true},
		{ID: own.ID(), Type: "y", TTY: true},
	}
	if got := m.States(); !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestRequestsKeepOrder: requests that wait for an answer that comes later are
// answered in their order, and beyond the limit the connection ends.
func TestRequestsKeepOrder(t *testing.T) {
	var first *Request
	var seen []string
	m, stream := lone(accepting(func(ch *Channel) {
		ch.Handle(func(r *Request) {
			seen = append(seen, r.Type)
			if first == nil {
				first = r
				r.Later()
				return
			}
			r.Reply(r.Type == "b")
		}, nil, nil)
	}))
	m.Dispatch(openMessage("x"))
	ask := func(name string) error {
		return m.Dispatch((&wire.ChannelRequest{Type: name, WantReply: true, Payload: []byte(name)}).Append(nil))
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := ask(name); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Fatalf("asked about %q", seen)
	}
	m.Flush()
	stream.sent()
	first.Reply(false)
	var got []byte
	for _, p := range stream.sent() {
		got = append(got, p[0])
	}
	if !bytes.Equal(got, []byte{wire.MsgChannelFailure, wire.MsgChannelSuccess, wire.MsgChannelFailure}) {
		t.Errorf("answers are %v", got)
	}
	first = nil
	ask("a")
	var err error
	n := 0
	for ; err == nil && n < 2*MaxPending; n++ {
		err = ask("x")
	}
	var d *wire.DisconnectError
	if !errors.As(err, &d) || n != MaxPending+1 {
		t.Errorf("%d requests wait, %v", n, err)
	}
}

// TestNothingAfterClose: whatever races with CLOSE, the peer sees nothing of the
// channel behind it.
func TestNothingAfterClose(t *testing.T) {
	for range 200 {
		m, stream := lone(accepting(nil))
		m.Dispatch(openMessage("session"))
		ch, _ := m.channel(0)
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if _, err := ch.Write(make([]byte, 100)); err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			for {
				if _, err := ch.Write(make([]byte, 100000)); err != nil {
					return
				}
			}
		})
		wg.Go(func() { ch.SendRequest(context.Background(), "x", false, nil) })
		wg.Go(func() { ch.CloseWrite() })
		if rand.IntN(2) == 0 {
			ch.Close()
		} else {
			m.Dispatch(wire.AppendUint32([]byte{wire.MsgChannelClose}, 0))
		}
		wg.Wait()
		m.Flush()
		closed := false
		for _, p := range stream.sent() {
			if closed && p[0] != wire.MsgChannelOpenConfirmation {
				t.Fatalf("%s after CLOSE", wire.MessageName(p[0]))
			}
			closed = closed || p[0] == wire.MsgChannelClose
		}
		if !closed {
			t.Fatal("no CLOSE")
		}
	}
}

// TestDeadlines: waits of a channel end when told.
func TestDeadlines(t *testing.T) {
	m, _ := lone(&Config{Open: func(in *Incoming) { in.Accept(nil) }})
	m.Dispatch((&wire.ChannelOpen{Type: "x", Window: 0, MaxPacket: 100}).Append(nil))
	ch, _ := m.channel(0)
	ch.SetDeadline(time.Now().Add(time.Millisecond))
	if _, err := ch.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	if _, err := ch.Write([]byte{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	ch.SetDeadline(time.Time{})
	m.Dispatch(data(0, []byte{5}))
	if n, err := ch.Read(make([]byte, 9)); n != 1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

// FuzzDispatch: no sequence of messages makes a Mux panic, or hold more than its
// windows.
func FuzzDispatch(f *testing.F) {
	join := func(msgs ...[]byte) (b []byte) {
		for _, m := range msgs {
			b = append(append(b, byte(len(m))), m...)
		}
		return b
	}
	f.Add(join(openMessage("session"), data(0, []byte("x")), []byte{96, 0, 0, 0, 0}, []byte{97, 0, 0, 0, 0}))
	f.Add(join(openMessage("session"), (&wire.ChannelRequest{Type: "exec", WantReply: true}).Append(nil), []byte{93, 0, 0, 0, 0, 255, 255, 255, 255}))
	f.Add(join((&wire.GlobalRequest{Type: "x", WantReply: true}).Append(nil), []byte{81}, []byte{82}, (&wire.ChannelOpenConfirmation{MaxPacket: 1}).Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := lone(&Config{
			Open: func(in *Incoming) {
				if in.Type == "session" {
					in.Accept(func(ch *Channel) {
						ch.Handle(func(r *Request) { r.Reply(true) }, nil, nil)
						ch.Discard(1)
					})
					return
				}
				in.Reject(wire.OpenUnknownChannelType, "no")
			},
			Global: func(r *GlobalRequest) { r.Reply(true, r.Payload) },
		})
		m.StartOpen("mine", nil, nil)
		for len(b) > 1 {
			n := min(int(b[0]), len(b)-1)
			if n > 0 && m.Dispatch(b[1:1+n]) != nil {
				break
			}
			if m.Drain() != nil {
				break
			}
			b = b[1+n:]
		}
		for _, ch := range m.channels {
			if ch != nil && ch.in[0].ring.len() > Window {
				t.Fatalf("a ring holds %d bytes", ch.in[0].ring.len())
			}
		}
		m.Close(io.EOF)
	})
}
