package connection

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits of one connection.
const (
	MaxChannels   = 1000      // open at once, of both sides' making (CHN-1)
	MaxPending    = 64        // requests of the peer that wait for an answer
	MaxOpening    = 256       // opens of the peer that wait for an answer: a browser through SOCKS has many
	MaxOpenLen    = 4 << 10   // bytes of what stands behind a CHANNEL_OPEN
	Window        = 2 << 20   // granted at first, as every peer is used to
	MaxWindow     = 64 << 20  // a window that has grown with the path
	MaxPacket     = 128 << 10 // announced, and the most that is sent in one message
	MaxPacketTTY  = 32 << 10  // on interactive channels: a keystroke waits behind one packet
	MaxTypeLen    = 64        // bytes of a channel's or request's name
	MaxRequestLen = wire.MaxPacket
)

// Config is what a Mux needs to know. The callbacks run on the reader and must
// not wait; a nil one refuses.
type Config struct {
	Now func() time.Time
	Go  func(func())
	// Open is asked about a channel that the peer wants to open.
	Open func(*Incoming)
	// Global is asked about a global request. Payload is valid until it returns.
	Global func(*GlobalRequest)
	// Opened, if set, is told of every channel that has opened, whoever opened it.
	Opened func(*Channel)
	// Budget bounds what windows grow beyond their first size, over all
	// connections that share it. nil: no growth.
	Budget *Budget
}

// Budget is memory promised to peers by windows larger than the first.
type Budget struct {
	Limit int64 // bytes
	used  atomic.Int64
}

func (b *Budget) take(n int64) bool {
	if b == nil {
		return false
	}
	if b.used.Add(n) > b.Limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *Budget) give(n int64) {
	if b != nil && n != 0 {
		b.used.Add(-n)
	}
}

// Mux is the connection protocol on one transport.
type Mux struct {
	// constant
	t   *transport.Conn
	cfg *Config

	// owned by the reader
	dirty  []*Channel // with packets to deliver before the next read
	adjust []byte     // a WINDOW_ADJUST in the making

	mu       sync.Mutex
	channels []*Channel // index is the local number; nil is free
	used     uint32     // numbers that were given out
	open     int
	pending  int // opens of the peer without an answer
	asked    []chan<- globalReply
	queue    []*GlobalRequest // of the peer, in order, first one being answered
	unused   idle             // while no channel is open
	expired  func()
	err      error
	done     chan struct{} // closed with err
	ever     uint64        // channels that there ever were
	empty    chan struct{} // not nil: closed when no channel is left
}

type globalReply struct {
	ok      bool
	payload []byte
	err     error
}

// New starts the connection protocol on t. The caller's reader loop calls
// Dispatch and Drain.
func New(t *transport.Conn, cfg *Config) *Mux {
	m := &Mux{t: t, cfg: cfg, done: make(chan struct{})}
	t.OnDrain = m.Drain
	return m
}

// Transport is what the Mux runs over.
func (m *Mux) Transport() *transport.Conn { return m.t }

// Done is closed when the connection is over; Err tells why.
func (m *Mux) Done() <-chan struct{} { return m.done }

// Err is why the connection is over, nil while it lasts.
func (m *Mux) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func protocolError(format string, args ...any) error {
	return wire.Disconnectf(wire.ReasonProtocolError, format, args...)
}

// Dispatch handles one message of 80 to 127. It is the reader's.
func (m *Mux) Dispatch(p []byte) error {
	switch p[0] {
	case wire.MsgChannelData:
		return m.data(p)
	case wire.MsgChannelExtendedData:
		return m.extendedData(p)
	case wire.MsgChannelWindowAdjust:
		return m.windowAdjust(p)
	case wire.MsgGlobalRequest:
		return m.globalRequest(p)
	case wire.MsgRequestSuccess, wire.MsgRequestFailure:
		return m.globalAnswer(p)
	case wire.MsgChannelOpen:
		return m.channelOpen(p)
	case wire.MsgChannelOpenConfirmation, wire.MsgChannelOpenFailure:
		return m.openAnswer(p)
	case wire.MsgChannelEOF, wire.MsgChannelClose:
		return m.end(p)
	case wire.MsgChannelRequest:
		return m.channelRequest(p)
	case wire.MsgChannelSuccess, wire.MsgChannelFailure:
		return m.requestAnswer(p)
	}
	return m.t.Unimplemented()
}

// channel is the live channel of a local number that a message names. nil
// without an error is one that was open once: what was on its way when it
// closed is ignored (CHN-6).
func (m *Mux) channel(id uint32) (*Channel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if uint64(id) < uint64(len(m.channels)) {
		if ch := m.channels[id]; ch != nil && ch.confirmed {
			return ch, nil
		} else if ch == nil {
			return nil, nil
		}
	} else if id < m.used {
		return nil, nil
	}
	return nil, protocolError("message for channel %d, which is not open", id)
}

// addLocked gives ch the lowest free number.
func (m *Mux) addLocked(ch *Channel) error {
	if m.err != nil {
		return m.err
	}
	if m.open >= MaxChannels {
		return errTooMany
	}
	m.open++
	m.ever++
	m.usedLocked()
	for i, c := range m.channels {
		if c == nil {
			m.channels[i], ch.id = ch, uint32(i)
			return nil
		}
	}
	ch.id = uint32(len(m.channels))
	m.channels = append(m.channels, ch)
	m.used = max(m.used, uint32(len(m.channels)))
	return nil
}

var (
	errTooMany = errors.New("connection: too many channels are open")
	errClosed  = errors.New("connection: closed")
)

func (m *Mux) remove(ch *Channel) {
	m.mu.Lock()
	if int(ch.id) < len(m.channels) && m.channels[ch.id] == ch {
		m.channels[ch.id] = nil
		if m.open--; m.open == 0 {
			m.unusedLocked()
			if m.empty != nil {
				close(m.empty)
				m.empty = nil
			}
		}
		for n := len(m.channels); n > 0 && m.channels[n-1] == nil; n-- {
			m.channels = m.channels[:n-1]
		}
	}
	m.mu.Unlock()
}

// State is what a listing of channels shows of one.
type State struct {
	ID, Peer uint32 // our number and the other side's
	Type     string
	Name     string // of SetName
	Open     bool   // confirmed
	Waiting  [2]int // bytes received and not taken yet, of data and stderr
	SentEOF  bool
	GotEOF   bool
	Stderr   bool // the stderr stream is used
	TTY      bool
}

// States describes the channels, by their numbers.
func (m *Mux) States() []State {
	m.mu.Lock()
	channels := slices.Clone(m.channels)
	confirmed := make([]bool, len(channels))
	for i, ch := range channels {
		confirmed[i] = ch != nil && ch.confirmed
	}
	m.mu.Unlock()
	var l []State
	for i, ch := range channels {
		if ch == nil {
			continue
		}
		s := State{ID: ch.id, Type: ch.typ, Name: ch.name, Open: confirmed[i]}
		ch.mu.Lock()
		if s.Open {
			s.Peer = ch.peer
		}
		for i := range ch.in {
			s.Waiting[i] = ch.in[i].ring.len()
		}
		s.SentEOF, s.GotEOF, s.Stderr, s.TTY = ch.sentEOF, ch.gotEOF, ch.in[1].sink != nil, ch.tty
		ch.mu.Unlock()
		l = append(l, s)
	}
	return l
}

// Idle is closed as soon as there is no channel, at once if there is none now.
// ever is how many there have been until now.
func (m *Mux) Idle() (c <-chan struct{}, ever uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open > 0 && m.empty == nil {
		m.empty = make(chan struct{})
	}
	if m.open > 0 {
		return m.empty, m.ever
	}
	none := make(chan struct{})
	close(none)
	return none, m.ever
}

// Open reports how many channels there are.
func (m *Mux) Open() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

func (m *Mux) opened(ch *Channel) {
	if m.cfg.Opened != nil {
		m.cfg.Opened(ch)
	}
}

// Drain delivers what the packets of the last read left in sinks' lists. It is
// the reader's; afterwards the in-buffer may be used again.
func (m *Mux) Drain() error {
	for i, ch := range m.dirty {
		m.dirty[i] = nil
		if err := ch.drain(); err != nil {
			return err
		}
	}
	m.dirty = m.dirty[:0]
	return nil
}

// Close ends everything with err: waiters get it, channels end. It is the
// reader's teardown.
func (m *Mux) Close(err error) {
	if err == nil {
		err = io.EOF
	}
	m.mu.Lock()
	if m.err != nil {
		m.mu.Unlock()
		return
	}
	m.err = err
	channels, asked := m.channels, m.asked
	m.channels, m.asked, m.queue, m.open = nil, nil, nil, 0
	m.unused.stop()
	close(m.done)
	m.mu.Unlock()
	for _, c := range asked {
		c <- globalReply{err: err}
	}
	for _, ch := range channels {
		if ch != nil {
			ch.lost(err)
		}
	}
}

// SendRequest makes a global request (RFC 4254 §4). Without wantReply it
// returns true at once.
func (m *Mux) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if !wantReply {
		msg := (&wire.GlobalRequest{Type: name, Payload: payload}).Append(nil)
		return true, nil, m.t.Send(msg)
	}
	a, err := m.StartRequest(name, payload)
	if err != nil {
		return false, nil, err
	}
	return a.Wait(ctx)
}

// GlobalAnswer is the answer to a global request, still to come.
type GlobalAnswer struct{ c <-chan globalReply }

// Wait waits for it. When ctx ends first the answer is dropped as it comes.
func (a GlobalAnswer) Wait(ctx context.Context) (bool, []byte, error) {
	select {
	case r := <-a.c:
		return r.ok, r.payload, r.err
	case <-ctx.Done():
		return false, nil, context.Cause(ctx) // the answer's place in the list stays
	}
}

// StartRequest makes a global request and does not wait for its answer.
func (m *Mux) StartRequest(name string, payload []byte) (GlobalAnswer, error) {
	msg := (&wire.GlobalRequest{Type: name, WantReply: true, Payload: payload}).Append(nil)
	answer := make(chan globalReply, 1)
	// The place in the list and the place on the wire must agree.
	m.mu.Lock()
	if m.err != nil {
		m.mu.Unlock()
		return GlobalAnswer{}, m.err
	}
	m.asked = append(m.asked, answer)
	err := m.t.Queue(msg)
	m.mu.Unlock()
	if err != nil {
		return GlobalAnswer{}, err
	}
	return GlobalAnswer{answer}, m.t.Flush()
}

func (m *Mux) globalAnswer(p []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.asked) == 0 {
		return nil // nobody waits for it: dropped (CHN-7)
	}
	c := m.asked[0]
	m.asked = m.asked[1:]
	c <- globalReply{ok: p[0] == wire.MsgRequestSuccess, payload: append([]byte(nil), p[1:]...)}
	return nil
}

// GlobalRequest is one of the peer's (RFC 4254 §4). Answers leave in the order
// of the requests, however late one comes.
type GlobalRequest struct {
	Type      string
	WantReply bool
	Payload   []byte

	m        *Mux
	answered bool
	answer   []byte
	done     chan struct{} // closed with the answer; made for the first who waits
}

func (m *Mux) globalRequest(p []byte) error {
	var w wire.GlobalRequest
	if err := w.Decode(p); err != nil {
		return protocolError("GLOBAL_REQUEST: %w", err)
	}
	if len(w.Type) > MaxTypeLen {
		return protocolError("GLOBAL_REQUEST with a name of %d bytes", len(w.Type))
	}
	r := &GlobalRequest{Type: w.Type, WantReply: w.WantReply, Payload: w.Payload, m: m}
	if r.WantReply {
		m.mu.Lock()
		if len(m.queue) >= MaxPending {
			m.mu.Unlock()
			return protocolError("more than %d unanswered global requests", MaxPending)
		}
		m.queue = append(m.queue, r)
		m.mu.Unlock()
	}
	if m.cfg.Global == nil {
		r.Reply(false, nil)
		return nil
	}
	m.cfg.Global(r)
	return nil
}

// Keep copies the payload so that it may be used after the callback.
func (r *GlobalRequest) Keep() { r.Payload = append([]byte(nil), r.Payload...) }

// Reply answers the request once; without WantReply it does nothing. It never
// waits and may be called from any goroutine.
func (r *GlobalRequest) Reply(ok bool, payload []byte) error {
	if !r.WantReply {
		return nil
	}
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.answered {
		return nil
	}
	r.answered = true
	if r.done != nil {
		close(r.done)
	}
	if ok {
		r.answer = append([]byte{wire.MsgRequestSuccess}, payload...)
	} else {
		r.answer = []byte{wire.MsgRequestFailure}
	}
	for len(m.queue) > 0 && m.queue[0].answered {
		if err := m.t.Queue(m.queue[0].answer); err != nil {
			return err
		}
		m.queue[0] = nil
		m.queue = m.queue[1:]
	}
	if len(m.queue) == 0 {
		m.queue = nil
	}
	return nil
}

// Settled waits until the peer's global requests that have come so far and want
// an answer have theirs, or ctx ends.
func (m *Mux) Settled(ctx context.Context) error {
	var wait []chan struct{}
	m.mu.Lock()
	for _, r := range m.queue {
		if !r.answered {
			if r.done == nil {
				r.done = make(chan struct{})
			}
			wait = append(wait, r.done)
		}
	}
	m.mu.Unlock()
	for _, done := range wait {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// ReplyLater is Reply for goroutines other than the reader: it sees to it that
// the answer leaves.
func (r *GlobalRequest) ReplyLater(ok bool, payload []byte) error {
	if err := r.Reply(ok, payload); err != nil {
		return err
	}
	return r.m.t.Flush()
}
