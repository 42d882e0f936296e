package connection

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Sink takes a channel's data. *rawio.File is one.
type Sink interface {
	// TryWritev writes what goes without waiting: a short count and a nil error
	// mean full.
	TryWritev(bufs [][]byte) (int, error)
	// Write writes all of p and may wait.
	Write(p []byte) (int, error)
	// CloseWrite tells the sink that no more will come.
	CloseWrite() error
}

// Source gives a channel's data. *rawio.File is one.
type Source interface {
	// WaitRead waits until something is there.
	WaitRead() error
	// Readv reads what is there, waiting for the first byte.
	Readv(bufs [][]byte) (int, error)
	// TryReadv is Readv without the wait: rawio.ErrAgain when nothing is there.
	TryReadv(bufs [][]byte) (int, error)
}

// Channel is one channel (RFC 4254 §5). Read and Write carry its data, Stderr
// its extended data. The exported methods may be called from any goroutine.
type Channel struct {
	// constant once confirmed
	m       *Mux
	typ     string
	id      uint32 // ours
	peer    uint32 // the other side's number
	maxOut  uint32 // of data in one message to the peer
	tty     bool
	name    string     // for listings
	opened  chan error // the answer to our open
	onReq   func(*Request)
	onEOF   func()
	onClose func(error)

	guessed bool // peer is QueueOpen's guess as long as it is not confirmed

	confirmed bool // under Mux.mu

	mu        sync.Mutex
	changed   sync.Cond // of everything below
	err       error     // the channel is over
	abandoned bool      // nobody waits for our open any more

	// sending
	window    int64 // bytes that the peer still takes
	sentEOF   bool
	sentClose bool
	asked     []chan<- reply

	over atomic.Bool // CLOSE has its place on the wire: no data may follow

	// receiving
	in       [2]stream
	granted  int64 // bytes that the peer may still send
	target   int64 // size of the window
	owed     int64 // consumed and not given back
	growth   int64 // consumed since growthAt
	growthAt time.Time
	trial    uint8     // whether the window has just grown
	grown    int64     // by how much
	rate     float64   // bytes a second before that
	settled  time.Time // no growth before
	debt     int64     // of a window that shrank: not given back
	gotEOF   bool
	gotClose bool

	readBy, writeBy deadline
	idle            idle

	// requests of the peer
	busy  bool // one is being answered later
	queue []*Request
}

type reply struct {
	ok  bool
	err error
}

// stream is one of a channel's two incoming streams.
type stream struct {
	sink    Sink
	pending [][]byte // slices of the in-buffer, for the next drain
	npend   int
	ring    ring
	pumping bool // a goroutine empties the ring into the sink
	discard bool // nobody wants it: its window is given back at once
	ended   bool // the sink was told
}

func newChannel(m *Mux, typ string) *Channel {
	ch := &Channel{m: m, typ: typ, granted: Window, target: Window}
	ch.changed.L = &ch.mu
	return ch
}

func (ch *Channel) peerOpened(id, window, maxPacket uint32) {
	ch.peer, ch.maxOut = id, min(maxPacket, MaxPacket)
	ch.window = int64(window)
}

// Type is the channel type of RFC 4250 §4.9.1.
func (ch *Channel) Type() string { return ch.typ }

// ID is our number of the channel.
func (ch *Channel) ID() uint32 { return ch.id }

// Mux is the connection that the channel belongs to.
func (ch *Channel) Mux() *Mux { return ch.m }

// SetInteractive keeps messages small enough that a keystroke never waits
// behind a large one. It is called before data flows.
func (ch *Channel) SetInteractive() {
	ch.tty = true
}

// SetName gives the channel a name for listings: see State. It is called from
// a setup function.
func (ch *Channel) SetName(name string) { ch.name = name }

// Handle sets what is called for the peer's requests, its EOF and the
// channel's end. They run on the reader and must not wait. It is called from a
// setup function.
func (ch *Channel) Handle(request func(*Request), eof func(), closed func(error)) {
	ch.onReq, ch.onEOF, ch.onClose = request, eof, closed
}

// stream index of a data type code.
func streamOf(extended uint32) int {
	if extended == wire.ExtendedDataStderr {
		return 1
	}
	return 0
}

// AttachSink has a stream's data go to s: 0 for the data, 1 for stderr. What
// was received before goes first. s is told of the end by CloseWrite.
func (ch *Channel) AttachSink(stream int, s Sink) {
	ch.mu.Lock()
	st := &ch.in[stream]
	st.sink, st.discard = s, false
	if st.ring.len() > 0 {
		ch.startPumpLocked(st)
	} else if ch.gotEOF || ch.gotClose || ch.err != nil {
		ch.endSinkLocked(st)
	}
	ch.mu.Unlock()
}

// Discard drops what comes on a stream and gives its window back, so that an
// unread stderr never holds up the data (CHN-9).
func (ch *Channel) Discard(stream int) {
	ch.mu.Lock()
	st := &ch.in[stream]
	st.discard = true
	ch.owed += int64(st.ring.len())
	st.ring = ring{}
	n := ch.giveBackLocked()
	ch.changed.Broadcast()
	ch.mu.Unlock()
	ch.adjust(n)
}

// data handles CHANNEL_DATA on the byte path.
func (m *Mux) data(p []byte) error {
	r := wire.NewReader(p[1:])
	id, d := r.Uint32(), r.String()
	if err := r.Done(); err != nil {
		return protocolError("CHANNEL_DATA: %w", err)
	}
	ch, err := m.channel(id)
	if err != nil || ch == nil {
		return err
	}
	return ch.receive(0, d)
}

func (m *Mux) extendedData(p []byte) error {
	r := wire.NewReader(p[1:])
	id, code, d := r.Uint32(), r.Uint32(), r.String()
	if err := r.Done(); err != nil {
		return protocolError("CHANNEL_EXTENDED_DATA: %w", err)
	}
	ch, err := m.channel(id)
	if err != nil || ch == nil {
		return err
	}
	if code != wire.ExtendedDataStderr {
		return ch.receive(-1, d) // of unknown kind: dropped, its window given back
	}
	return ch.receive(1, d)
}

// receive takes d, a slice of the in-buffer, for a stream, or for none.
func (ch *Channel) receive(n int, d []byte) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if int64(len(d)) > ch.granted || len(d) > MaxPacket {
		return protocolError("channel %d: peer ignored channel window", ch.id) // CHN-2
	}
	if ch.gotEOF || ch.gotClose {
		return protocolError("channel %d: data after its end", ch.id)
	}
	ch.granted -= int64(len(d))
	ch.movedLocked()
	if len(d) == 0 {
		return nil
	}
	if n < 0 || ch.in[n].discard || ch.err != nil || ch.sentClose {
		ch.owed += int64(len(d))
		ch.dirtyLocked()
		return nil
	}
	st := &ch.in[n]
	if st.sink != nil && st.ring.len() == 0 && !st.pumping {
		if st.npend == 0 {
			ch.dirtyLocked()
		}
		st.pending = append(st.pending, d)
		st.npend += len(d)
		return nil
	}
	// The sink is full or there is none: the one copy. The ring stays within the
	// window, since granted does.
	st.ring.write(d)
	ch.changed.Broadcast()
	return nil
}

// dirtyLocked puts the channel on the reader's list.
func (ch *Channel) dirtyLocked() {
	m := ch.m
	for _, c := range m.dirty {
		if c == ch {
			return
		}
	}
	m.dirty = append(m.dirty, ch)
}

// drain delivers the pending slices, one write for all of a stream.
func (ch *Channel) drain() error {
	ch.mu.Lock()
	for i := range ch.in {
		if st := &ch.in[i]; st.npend > 0 {
			ch.deliverLocked(st)
		}
	}
	n := ch.giveBackLocked()
	ch.mu.Unlock()
	if n == 0 {
		return nil
	}
	// Built in place: one adjust for each read would be one allocation for each.
	m := ch.m
	m.adjust = appendAdjust(m.adjust[:0], ch.peer, n)
	return ch.control(m.adjust)
}

func (ch *Channel) deliverLocked(st *stream) {
	n, err := st.sink.TryWritev(st.pending)
	if err != nil {
		// The sink is gone: what comes is dropped, and the peer is told that
		// nothing more is read where the protocol has a word for it.
		st.discard = true
		n = st.npend
		ch.sinkFailedLocked(st)
	}
	ch.owed += int64(n)
	left := st.npend - n
	if left > 0 {
		for _, b := range st.pending {
			if n >= len(b) {
				n -= len(b)
				continue
			}
			st.ring.write(b[n:])
			n = 0
		}
		ch.startPumpLocked(st)
	}
	clear(st.pending)
	st.pending, st.npend = st.pending[:0], 0
}

func (ch *Channel) startPumpLocked(st *stream) {
	if st.pumping {
		return
	}
	st.pumping = true
	ch.m.cfg.Go(func() { ch.pumpRing(st) })
}

// pumpRing is the goroutine that finishes what a full sink left over. It ends
// when the ring is empty.
func (ch *Channel) pumpRing(st *stream) {
	ch.mu.Lock()
	for st.ring.len() > 0 && !st.discard {
		b := st.ring.front()
		ch.mu.Unlock()
		n, err := st.sink.Write(b)
		ch.mu.Lock()
		st.ring.skip(n)
		ch.owed += int64(n)
		if err != nil {
			st.discard = true
			ch.owed += int64(st.ring.len())
			st.ring = ring{}
			ch.sinkFailedLocked(st)
		}
		if g := ch.giveBackLocked(); g > 0 {
			ch.mu.Unlock()
			ch.adjust(g)
			ch.mu.Lock()
		}
	}
	st.ring = ring{}
	st.pumping = false
	if ch.gotEOF || ch.gotClose || ch.err != nil {
		ch.endSinkLocked(st)
	}
	ch.changed.Broadcast()
	ch.mu.Unlock()
}

// sinkFailedLocked: for the data stream of a session OpenSSH has a word.
func (ch *Channel) sinkFailedLocked(st *stream) {
	if st != &ch.in[0] || ch.sentClose || ch.gotEOF || ch.typ != "session" {
		return
	}
	ch.m.sendEOW(ch)
}

// sendEOW tells an OpenSSH peer that nothing more is read (eow@openssh.com).
func (m *Mux) sendEOW(ch *Channel) {
	if !opensshPeer(m.t.RemoteVersion()) {
		return
	}
	msg := wire.ChannelRequest{Recipient: ch.peer, Type: "eow@openssh.com"}
	m.t.Queue(msg.Append(nil))
}

// opensshPeer: the extension goes only to names that begin so, as an unknown
// request without reply confuses some old servers.
func opensshPeer(version []byte) bool {
	const prefix = "SSH-2.0-OpenSSH"
	return len(version) >= len(prefix) && string(version[:len(prefix)]) == prefix
}

func (ch *Channel) endSinkLocked(st *stream) {
	if st.sink == nil || st.ended || st.pumping || st.ring.len() > 0 {
		return
	}
	st.ended = true
	sink := st.sink
	ch.m.cfg.Go(func() { sink.CloseWrite() }) // closing may wait (a tty drains)
}

// giveBackLocked is how much window to give back now: consumed bytes in not too
// small pieces, and growth where the path is long.
func (ch *Channel) giveBackLocked() int64 {
	if ch.owed == 0 || ch.gotEOF || ch.gotClose || ch.sentClose || ch.err != nil {
		return 0
	}
	part := ch.target / 4
	if ch.target > Window {
		part = ch.target / 8
	}
	// A slow sink takes little at a time. Giving that back at once would have
	// the peer send crumbs, so a few packets' worth is waited for.
	if ch.owed < part && (ch.granted > ch.target/2 || ch.owed < min(part, 3*MaxPacketTTY)) {
		return 0
	}
	n := ch.owed
	ch.growth += n
	ch.owed = 0
	n += ch.growLocked()
	if ch.debt > 0 { // the window shrinks: what was promised stays promised
		less := min(n, ch.debt)
		ch.debt -= less
		n -= less
	}
	ch.granted += n
	return n
}

// growLocked widens the window when more than half of it goes through in a
// round trip of a long path: then it may be the window that limits. If the rate
// does not follow, it was not, and the growth is taken back: round trips seen in
// the protocol hold the peer's computing too, and a stock peer with a large
// window on a short path copies its own queue over and over.
//
// Rates are those of at least a whole round trip, because a window arrives in
// one burst for each.
func (ch *Channel) growLocked() int64 {
	rtt := ch.m.t.RTT()
	if rtt < minGrowthRTT {
		return 0
	}
	now := ch.m.cfg.Now()
	took := now.Sub(ch.growthAt)
	if ch.growthAt.IsZero() || took < rtt {
		if ch.growthAt.IsZero() {
			ch.growth, ch.growthAt = 0, now
		}
		return 0
	}
	rate := float64(ch.growth) / took.Seconds()
	ch.growth, ch.growthAt = 0, now
	switch ch.trial {
	case trialBegun:
		ch.trial = trialJudged // what came in this round trip left before the growth
		return 0
	case trialJudged:
		ch.trial = noTrial
		if rate < growthPays*ch.rate {
			ch.target -= ch.grown
			ch.debt += ch.grown
			ch.m.cfg.Budget.give(ch.grown)
			ch.settled = now.Add(max(time.Second, 20*rtt))
			return 0
		}
	}
	if rate*rtt.Seconds() < float64(ch.target)/2 || ch.target >= MaxWindow || now.Before(ch.settled) {
		return 0
	}
	more := 3 * ch.target // four times as much while it is small
	if ch.target > MaxWindow/4 {
		more = MaxWindow - ch.target
	}
	if !ch.m.cfg.Budget.take(more) {
		if more = ch.target; !ch.m.cfg.Budget.take(more) {
			return 0
		}
	}
	ch.target += more
	ch.trial, ch.rate, ch.grown = trialBegun, rate, more
	return more
}

// States of a window that has grown.
const (
	noTrial = iota
	trialBegun
	trialJudged
)

// growthPays is the gain in rate that a larger window must bring.
const growthPays = 1.3

// minGrowthRTT: below it 2 MiB are a GB/s or more.
const minGrowthRTT = 2 * time.Millisecond

func appendAdjust(b []byte, peer uint32, n int64) []byte {
	return wire.AppendUint32(wire.AppendUint32(append(b, wire.MsgChannelWindowAdjust), peer), uint32(n))
}

// adjust gives window back from goroutines other than the reader.
func (ch *Channel) adjust(n int64) {
	if n > 0 && ch.control(appendAdjust(nil, ch.peer, n)) == nil {
		ch.m.t.Flush()
	}
}

// control queues a message about the channel unless CLOSE was sent: then the
// peer has forgotten it. That is looked at and the place on the wire taken in
// one step.
func (ch *Channel) control(msg []byte) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.sentClose {
		return nil
	}
	return ch.m.t.Queue(msg)
}

func (m *Mux) windowAdjust(p []byte) error {
	r := wire.NewReader(p[1:])
	id, n := r.Uint32(), r.Uint32()
	if err := r.Done(); err != nil {
		return protocolError("CHANNEL_WINDOW_ADJUST: %w", err)
	}
	ch, err := m.channel(id)
	if err != nil || ch == nil {
		return err
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.window+int64(n) > 1<<32-1 {
		return protocolError("channel %d: window beyond 2^32-1", id) // CHN-3
	}
	ch.window += int64(n)
	ch.changed.Broadcast()
	return nil
}

// end handles CHANNEL_EOF and CHANNEL_CLOSE.
func (m *Mux) end(p []byte) error {
	r := wire.NewReader(p[1:])
	id := r.Uint32()
	if err := r.Done(); err != nil {
		return protocolError("%s: %w", wire.MessageName(p[0]), err)
	}
	ch, err := m.channel(id)
	if err != nil || ch == nil {
		return err
	}
	if err := ch.drain(); err != nil { // its data comes before its end
		return err
	}
	ch.mu.Lock()
	if ch.gotClose {
		ch.mu.Unlock()
		return protocolError("%s for channel %d after its CLOSE", wire.MessageName(p[0]), id)
	}
	if p[0] == wire.MsgChannelEOF {
		first := !ch.gotEOF
		ch.gotEOF = true
		for i := range ch.in {
			ch.endSinkLocked(&ch.in[i])
		}
		ch.changed.Broadcast()
		ch.mu.Unlock()
		if first && ch.onEOF != nil {
			ch.onEOF()
		}
		return nil
	}
	ch.gotClose, ch.gotEOF = true, true
	ch.mu.Unlock()
	return ch.closeFromReader()
}

// closeFromReader sends our CLOSE unless it went before, without waiting.
func (ch *Channel) closeFromReader() error {
	ch.mu.Lock()
	send := !ch.sentClose
	ch.sentClose = true
	both := ch.gotClose
	ch.mu.Unlock()
	var err error
	if send {
		err = ch.m.t.QueueLast(ch.message(wire.MsgChannelClose), &ch.over)
	}
	if both {
		ch.m.remove(ch)
		ch.lost(io.EOF)
	}
	return err
}

func (ch *Channel) message(n byte) []byte {
	return wire.AppendUint32([]byte{n}, ch.peer)
}

// lost ends the channel: everybody who waits gets err. What has been received
// can still be read.
func (ch *Channel) lost(err error) {
	ch.mu.Lock()
	if ch.err != nil {
		ch.mu.Unlock()
		return
	}
	ch.err = err
	ch.idle.stop()
	asked := ch.asked
	ch.asked, ch.queue = nil, nil
	for i := range ch.in {
		ch.endSinkLocked(&ch.in[i])
	}
	ch.m.cfg.Budget.give(ch.target - Window)
	ch.target = Window
	ch.changed.Broadcast()
	ch.mu.Unlock()
	for _, c := range asked {
		c <- reply{err: err}
	}
	if ch.opened != nil {
		select {
		case ch.opened <- err:
		default:
		}
	}
	if ch.onClose != nil {
		ch.onClose(err)
	}
}

// Close sends CLOSE (RFC 4254 §5.3). The channel is gone when the peer has
// answered. It is idempotent.
func (ch *Channel) Close() error {
	ch.mu.Lock()
	if ch.sentClose || ch.err != nil {
		ch.mu.Unlock()
		return nil
	}
	ch.sentClose = true
	both := ch.gotClose
	ch.changed.Broadcast()
	ch.mu.Unlock()
	err := ch.m.t.QueueLast(ch.message(wire.MsgChannelClose), &ch.over)
	if err == nil {
		err = ch.m.t.Flush()
	}
	if both {
		ch.m.remove(ch)
		ch.lost(io.EOF)
	}
	return err
}

// CloseWrite sends EOF: nothing more will be written, reading goes on.
func (ch *Channel) CloseWrite() error {
	ch.mu.Lock()
	if ch.sentEOF || ch.sentClose || ch.err != nil {
		ch.mu.Unlock()
		return nil
	}
	ch.sentEOF = true
	err := ch.m.t.Queue(ch.message(wire.MsgChannelEOF))
	ch.mu.Unlock()
	if err != nil {
		return err
	}
	return ch.m.t.Flush()
}

// Read reads the channel's data. It returns io.EOF at the peer's EOF.
func (ch *Channel) Read(p []byte) (int, error) { return ch.read(0, p) }

func (ch *Channel) read(n int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	ch.mu.Lock()
	st := &ch.in[n]
	for st.ring.len() == 0 {
		if ch.gotEOF || ch.gotClose || ch.err != nil || st.discard {
			err := ch.err
			ch.mu.Unlock()
			if err == nil || errors.Is(err, io.EOF) || ch.gotEOF {
				err = io.EOF
			}
			return 0, err
		}
		if ch.readBy.expired {
			ch.mu.Unlock()
			return 0, errDeadline
		}
		ch.changed.Wait()
	}
	c := st.ring.read(p)
	ch.owed += int64(c)
	g := ch.giveBackLocked()
	ch.mu.Unlock()
	ch.adjust(g)
	return c, nil
}

// Stderr is the extended data stream: reading gives what the peer sent as
// stderr, writing sends such.
func (ch *Channel) Stderr() io.ReadWriter { return stderr{ch} }

type stderr struct{ ch *Channel }

func (s stderr) Read(p []byte) (int, error)  { return s.ch.read(1, p) }
func (s stderr) Write(p []byte) (int, error) { return s.ch.write(wire.ExtendedDataStderr, p) }

// Write sends p as data, in as many messages as the window and the peer's
// packet size ask for.
func (ch *Channel) Write(p []byte) (int, error) { return ch.write(0, p) }

// WriteExtended sends p as extended data of the given type code (RFC 4254 §5.2).
func (ch *Channel) WriteExtended(code uint32, p []byte) (int, error) { return ch.write(code, p) }

// maxData is the most data in one message.
func (ch *Channel) maxData() int {
	if ch.tty {
		return int(min(ch.maxOut, MaxPacketTTY))
	}
	return int(ch.maxOut)
}

// reserve takes up to want bytes of the peer's window, waiting until there is a
// piece worth sending.
func (ch *Channel) reserve(want int) (int, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for ch.window <= 0 && ch.err == nil && !ch.sentClose && !ch.sentEOF && !ch.gotClose && !ch.writeBy.expired {
		ch.changed.Wait()
	}
	if ch.writeBy.expired {
		return 0, errDeadline
	}
	if ch.err != nil {
		return 0, ch.err
	}
	if ch.sentClose || ch.sentEOF || ch.gotClose {
		return 0, io.EOF
	}
	n := min(int64(want), ch.window)
	ch.window -= n
	ch.movedLocked()
	return int(n), nil
}

func (ch *Channel) unreserve(n int) {
	if n > 0 {
		ch.mu.Lock()
		if ch.window <= 0 { // the other stream may wait for what this one gives back
			ch.changed.Broadcast()
		}
		ch.window += int64(n)
		ch.mu.Unlock()
	}
}

// smallWrite is what goes through the shared batch, copied; more goes through a
// batch of its own.
const smallWrite = 4 << 10

func (ch *Channel) write(extended uint32, p []byte) (int, error) {
	var headBuf [transport.ExtendedHeadLen]byte
	head := transport.AppendHead(headBuf[:0], ch.peer, extended)
	var batch transport.Batch
	sent := 0
	for sent < len(p) {
		n, err := ch.reserve(min(len(p)-sent, 256<<10))
		if err != nil {
			return sent, err
		}
		if n <= smallWrite && n <= ch.maxData() {
			var buf [smallWrite + transport.ExtendedHeadLen + 4]byte
			msg := wire.AppendString(append(buf[:0], head...), p[sent:sent+n])
			err = ch.m.t.SendUnless(&ch.over, msg)
		} else {
			filled := 0
			for _, a := range batch.Prepare(ch.m.t, len(head), ch.maxData(), n, true) {
				filled += copy(a, p[sent+filled:sent+n])
			}
			ch.unreserve(n - filled)
			n = filled
			err = batch.Send(head, n, &ch.over)
		}
		if err != nil {
			return sent, ended(err)
		}
		sent += n
	}
	return sent, nil
}

// ended is how a write after the channel's end reads.
func ended(err error) error {
	if err == transport.ErrOver {
		return io.EOF
	}
	return err
}

// Pump sends what src gives as data, or as stderr for stream 1, until src ends
// or the channel does. Bytes go from src straight into packets. It returns how
// many were sent and nil at the end of src.
func (ch *Channel) Pump(stream int, src Source) (total int64, err error) {
	extended := uint32(0)
	if stream == 1 {
		extended = wire.ExtendedDataStderr
	}
	var headBuf [transport.ExtendedHeadLen]byte
	head := transport.AppendHead(headBuf[:0], ch.peer, extended)
	var batch transport.Batch
	bulk, idle := false, true
	for {
		if idle {
			// No buffer and no window is held while nothing comes.
			if err := src.WaitRead(); err != nil {
				return total, ignoreEOF(err)
			}
		}
		want := 256 << 10
		if !bulk {
			want = ch.maxData()
		}
		got, err := ch.reserve(want)
		if err != nil {
			return total, err
		}
		areas := batch.Prepare(ch.m.t, len(head), ch.maxData(), got, bulk)
		room := 0
		for _, a := range areas {
			room += len(a)
		}
		var n int
		if idle {
			n, err = src.Readv(areas) // something is there: this does not wait
		} else {
			n, err = src.TryReadv(areas)
		}
		ch.unreserve(got - n)
		if n == 0 {
			batch.Release()
			if idle = err == rawio.ErrAgain; idle {
				continue
			}
			return total, ignoreEOF(err)
		}
		// A full read means that more is waiting: then the large batch pays.
		bulk, idle = n == room && (n >= smallBulk || bulk) || bulk && n >= smallBulk, false
		if err := batch.Send(head, n, &ch.over); err != nil {
			return total, ended(err)
		}
		total += int64(n)
	}
}

// smallBulk is the read that shows a stream to be bulk.
const smallBulk = 8 << 10

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// WaitClosed waits until both sides have closed the channel, the connection is
// over, or ctx ends.
func (ch *Channel) WaitClosed(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		ch.mu.Lock()
		ch.changed.Broadcast()
		ch.mu.Unlock()
	})
	defer stop()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for ch.err == nil && ctx.Err() == nil {
		ch.changed.Wait()
	}
	if ch.err != nil {
		return nil
	}
	return context.Cause(ctx)
}

// WaitDelivered waits until everything received so far, up to the peer's EOF,
// has gone to the attached sinks.
func (ch *Channel) WaitDelivered() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for {
		left := false
		for i := range ch.in {
			st := &ch.in[i]
			left = left || st.sink != nil && (st.pumping || st.npend > 0)
		}
		if !left && (ch.gotEOF || ch.gotClose || ch.err != nil) {
			return
		}
		ch.changed.Wait()
	}
}
