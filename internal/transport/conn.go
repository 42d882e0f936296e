package transport

import (
	"crypto/rand"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/compression"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// minSample is what a round trip seen in the protocol must be to count: it
// holds the peer's computing too. Where the system's own figure says less and
// this one more, a proxy or a jump host stands between.
const minSample = 25 * time.Millisecond

// RTT is the best known round-trip time to the peer itself, 0 when unknown. It
// may be called from any goroutine.
func (c *Conn) RTT() time.Duration {
	if d := time.Duration(c.rtt.Load()); d >= minSample {
		return d
	}
	// The system is asked at most once a second.
	now := c.cfg.Now().UnixNano()
	if at := c.pathAt.Load(); now-at < int64(time.Second) {
		return time.Duration(c.pathRTT.Load())
	}
	d := c.stream.RTT()
	c.pathRTT.Store(int64(d))
	c.pathAt.Store(now)
	return d
}

// sample takes a round trip that the protocol itself showed; the least counts.
func (c *Conn) sample(d time.Duration) {
	if old := c.rtt.Load(); d > 0 && (old == 0 || int64(d) < old) {
		c.rtt.Store(int64(d))
	}
}

// Conn is one connection's transport. Handshake comes first; then Next and
// Fill, or ReadPacket, are the reader's alone, and the sending methods are
// everybody's.
type Conn struct {
	// constant after construction
	cfg    *Config
	stream Stream

	// constant after Handshake
	mineID, peerID []byte
	sessionID      []byte
	hostKey        []byte // K_S of the first exchange

	// owned by the reader
	in            in
	first         [2][]byte // KEXINIT payloads of the first exchange, until it is done
	strict        bool
	authenticated bool
	exchanges     int    // finished
	bound         uint64 // bytes that the ciphers allow under one key, MaxUint64 for any
	rekeyBytes    uint64 // and the configuration, 0 for any
	extInfos      int    // EXT_INFO taken
	Algorithms    Algorithms
	PeerExt       PeerExtensions
	silent        bool          // the peer does not speak SSH: no DISCONNECT
	unimplemented int           // answers in the current second
	unimplSince   time.Time     //
	exchangeCost  time.Duration // computing of exchanges since exchangeSince (NEG-10)
	exchangeSince time.Time

	// OnDrain is called by the reader before slices that Next returned become
	// invalid.
	OnDrain func() error

	rtt             atomic.Int64 // least round trip seen in the protocol, in nanoseconds
	pathRTT, pathAt atomic.Int64 // the stream's own, and when it was asked

	guess   kex.Client // made before the peer's KEXINIT came
	guessed Guess
	peeked  []byte // opened by Settle, not handed out yet
	early   early
	kexinit []byte    // our KEXINIT of the exchange under way; under out.mu
	keyedAt time.Time // under out.mu

	out out
}

// New makes a connection over stream. Nothing is sent before Handshake.
// start starts a goroutine of the connection.
func New(stream Stream, cfg *Config, start func(func())) *Conn {
	c := &Conn{cfg: cfg, stream: stream, rekeyBytes: cfg.RekeyBytes, bound: math.MaxUint64}
	c.in.init(stream, cfg.Buffers)
	c.out.init(stream, cfg.Buffers, start)
	return c
}

func randomSeed() (seed [32]byte) {
	rand.Read(seed[:])
	return seed
}

// SessionID identifies the connection: the first exchange hash (RFC 4253 §7.2).
func (c *Conn) SessionID() []byte { return c.sessionID }

// HostKey is the host key blob of the first exchange.
func (c *Conn) HostKey() []byte { return c.hostKey }

// LocalVersion and RemoteVersion are the identification lines without CR LF.
func (c *Conn) LocalVersion() []byte { return c.mineID }

// RemoteVersion: see LocalVersion.
func (c *Conn) RemoteVersion() []byte { return c.peerID }

// Handshake introduces both sides and runs the first key exchange. The peer has
// until the stream's read deadline.
func (c *Conn) Handshake() error {
	c.mineID = []byte(c.cfg.Version)
	c.out.text(c.cfg.Version + "\r\n")
	c.cfg.trace(1, "Local version string %s", c.mineID)
	// A server that offers group exchanges must know whom to: see quirks.go. Else
	// nobody waits for the other.
	first := c.cfg.Client || !offersGroupExchange(c.cfg.KeyExchanges)
	if first {
		if err := c.begin(); err != nil {
			return err
		}
	}
	if err := c.out.tryFlush(); err != nil {
		return err
	}
	if err := c.readIdent(); err != nil {
		return err
	}
	if !first {
		if err := c.begin(); err != nil {
			return err
		}
	}
	c.cfg.trace(1, "Remote protocol version 2.0, remote software version %s", printable(softwareVersion(c.peerID)))
	p, err := c.readExchange(wire.MsgKexInit)
	if err != nil {
		return err
	}
	// It is hashed at the end of the exchange, when the in-buffer holds other
	// bytes.
	return c.exchange(append([]byte(nil), p...))
}

// HandshakeFrom is Handshake for a server whose connection began in another
// place: what was said there counts as said here, and the exchange goes on
// behind the peer's KEXINIT.
func (c *Conn) HandshakeFrom(s *Start) error {
	c.mineID, c.peerID = s.LocalVersion, s.RemoteVersion
	c.in.preload(s.Rest)
	c.in.seq, c.in.totalPkt, c.in.total = s.Received, uint64(s.Received), s.BytesIn
	c.out.mu.Lock()
	c.out.seq, c.out.totalPkt, c.out.total = s.Sent, uint64(s.Sent), s.BytesOut
	c.out.kexing, c.kexinit = true, s.LocalKexInit
	c.out.mu.Unlock()
	c.cfg.trace(1, "Local version string %s", c.mineID)
	c.cfg.trace(1, "Remote protocol version 2.0, remote software version %s", printable(softwareVersion(c.peerID)))
	c.cfg.trace(1, "SSH2_MSG_KEXINIT sent")
	return c.exchange(s.RemoteKexInit)
}

// softwareVersion is what stands behind the protocol version.
func softwareVersion(id []byte) []byte {
	for i, n := 0, 0; i < len(id); i++ {
		if id[i] == '-' {
			if n++; n == 2 {
				return id[i+1:]
			}
		}
	}
	return id
}

func printable(b []byte) string {
	s := make([]byte, 0, len(b))
	for _, c := range b {
		if c < ' ' || c > '~' {
			c = '?'
		}
		s = append(s, c)
	}
	return string(s)
}

// Next opens the next packet of the in-buffer. nil without an error means that
// none is whole: the caller does what it has put off, and calls Fill. Messages
// that are the transport's own business are dealt with here.
func (c *Conn) Next() ([]byte, error) {
	for {
		if c.in.inflate != nil && c.OnDrain != nil {
			// Packets are inflated into one buffer: what was handed out must be
			// delivered first.
			if err := c.OnDrain(); err != nil {
				return nil, err
			}
		}
		if p := c.peeked; p != nil {
			c.peeked = nil
			return p, nil
		}
		p, err := c.in.next()
		if p == nil || err != nil {
			return nil, err
		}
		if !c.authenticated && (c.in.total > PreAuthBytes || c.in.totalPkt > PreAuthPackets) {
			return nil, wire.Disconnectf(wire.ReasonProtocolError, "too much was sent before authentication")
		}
		ph := phaseAuth
		if c.authenticated {
			ph = phaseOpen
		}
		switch judge(c.cfg.Client, ph, p[0]) {
		case vUp:
			return p, nil
		case vDrop:
		case vHere:
			if err := c.own(p); err != nil {
				return nil, err
			}
		case vUnimplemented:
			if err := c.Unimplemented(); err != nil {
				return nil, err
			}
		default:
			return nil, wire.Disconnectf(wire.ReasonProtocolError, "%s where none may stand", wire.MessageName(p[0]))
		}
	}
}

// own handles a message of the transport outside an exchange.
func (c *Conn) own(p []byte) error {
	switch p[0] {
	case wire.MsgDisconnect:
		return peerDisconnect(p)
	case wire.MsgDebug:
		c.debug(p)
		return nil
	case wire.MsgExtInfo:
		return c.extInfo(p)
	case wire.MsgUnimplemented:
		c.early.refuse(p)
		return nil
	case wire.MsgPing:
		r := wire.NewReader(p[1:])
		data := r.String()
		if err := r.Done(); err != nil {
			return wire.Disconnectf(wire.ReasonProtocolError, "PING: %w", err)
		}
		if err := c.out.roomForReader(); err != nil {
			return err
		}
		return c.out.queue(wire.AppendString([]byte{wire.MsgPong}, data), false)
	case wire.MsgKexInit:
		p = append([]byte(nil), p...)
		if c.OnDrain != nil {
			if err := c.OnDrain(); err != nil {
				return err
			}
		}
		// The exchange has deep frames: on a goroutine of its own it leaves the
		// reader's stack small for the connection's long life.
		done := make(chan error, 1)
		c.out.goFunc(func() { done <- c.exchange(p) })
		return <-done
	}
	return nil
}

func peerDisconnect(p []byte) error {
	var m wire.Disconnect
	if err := m.Decode(p); err != nil {
		return wire.Disconnectf(wire.ReasonProtocolError, "DISCONNECT: %w", err)
	}
	return &wire.PeerDisconnect{Reason: m.Reason, Message: m.Description[:min(len(m.Description), MaxDescription)]}
}

func (c *Conn) debug(p []byte) {
	var m wire.Debug
	if c.cfg.Trace == nil || m.Decode(p) != nil {
		return
	}
	c.cfg.trace(1, "Remote: %s", printable([]byte(m.Message)))
}

// Unimplemented answers the packet that Next returned last (RFC 4253 §11.4), at
// most MaxUnimplemented times a second.
func (c *Conn) Unimplemented() error {
	now := c.cfg.Now()
	if now.Sub(c.unimplSince) >= time.Second {
		c.unimplSince, c.unimplemented = now, 0
	}
	if c.unimplemented++; c.unimplemented > MaxUnimplemented {
		return nil
	}
	return c.Queue(wire.AppendUint32([]byte{wire.MsgUnimplemented}, c.in.seq-1))
}

// WriteUnimplemented is Unimplemented under the name that services know.
func (c *Conn) WriteUnimplemented() error { return c.Unimplemented() }

// PadNext pads the payload that is queued next so that its packet's length is a
// multiple of n: the length of a password does not show.
func (c *Conn) PadNext(n int) {
	c.out.mu.Lock()
	c.out.padNext = n
	c.out.mu.Unlock()
}

// Fill sends what the reader has queued and reads from the stream once.
func (c *Conn) Fill() error {
	if c.OnDrain != nil {
		if err := c.OnDrain(); err != nil {
			return err
		}
	}
	if err := c.out.tryFlush(); err != nil {
		return err
	}
	if err := c.out.roomForReader(); err != nil {
		return err
	}
	if c.rekeyDueIn() {
		if err := c.requestRekey(); err != nil {
			return err
		}
	}
	err := c.in.fill()
	if err != nil {
		// A write that failed first knows the cause better.
		c.out.mu.Lock()
		if c.out.err != nil && !errors.Is(c.out.err, errClosed) {
			err = c.out.err
		}
		c.out.mu.Unlock()
	}
	return err
}

// ReadPacket is Next and Fill in one, for services that speak in turns. The
// slice is valid until the next call.
func (c *Conn) ReadPacket() ([]byte, error) {
	for {
		p, err := c.Next()
		if p != nil || err != nil {
			return p, err
		}
		// A client's turn ends here and the server says nothing unasked: the
		// wait is a round trip and the server's work.
		turn := c.cfg.Client && c.in.buffered() == 0 && c.out.queued()
		begun := c.cfg.Now()
		if err := c.Fill(); err != nil {
			return nil, err
		}
		if turn {
			c.sample(c.cfg.Now().Sub(begun))
		}
	}
}

// WritePacket is Queue under the name that services know.
func (c *Conn) WritePacket(p []byte) error { return c.Queue(p) }

// Queue seals p for the reader or for a service that speaks in turns; it leaves
// with the next Fill, Flush or Send. It never waits.
func (c *Conn) Queue(p []byte) error { return c.out.queue(p, p[0] < wire.MsgServiceRequest) }

// Flush writes what is queued as far as it goes without waiting and leaves the
// rest to the writer.
func (c *Conn) Flush() error { return c.out.tryFlush() }

// Send seals the payloads one behind the other and has them written. It may
// wait, so it is not for the reader.
func (c *Conn) Send(payloads ...[]byte) error { return c.SendUnless(nil, payloads...) }

// QueueLast is Queue for a message that nothing of its kind may follow, such as
// a channel's CLOSE: from the moment that it has its place on the wire over is
// set, and Batch.Send and SendUnless refuse.
func (c *Conn) QueueLast(p []byte, over *atomic.Bool) error { return c.out.queueLast(p, over) }

// SendUnless is Send unless over was set; then the error is ErrOver.
func (c *Conn) SendUnless(over *atomic.Bool, payloads ...[]byte) error {
	if err := c.out.send(over, payloads...); err != nil {
		return err
	}
	c.out.mu.Lock()
	due := c.out.rekeyDueLocked()
	c.out.mu.Unlock()
	if due {
		return c.RequestRekey()
	}
	return nil
}

// SetAuthenticated ends the limits for strangers and starts delayed
// compression (zlib@openssh.com). A server calls it behind USERAUTH_SUCCESS, a
// client when that arrives.
func (c *Conn) SetAuthenticated() {
	c.authenticated = true
	if c.Algorithms.Read.Compression == zlibDelayed {
		c.in.inflate = compression.NewDecompressor()
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.limited = false
	if c.Algorithms.Write.Compression == zlibDelayed {
		c.out.deflate = compression.NewCompressor(6)
	}
}

const (
	zlibDelayed = "zlib@openssh.com"
	zlibPlain   = "zlib"
)

// Disconnect tells the peer why and closes the stream. err is nil for the
// application's own end; see [wire.DisconnectError]. Errors of the stream and a
// DISCONNECT of the peer are not answered.
func (c *Conn) Disconnect(err error) {
	var d *wire.DisconnectError
	var p *wire.PeerDisconnect
	m := wire.Disconnect{Reason: wire.ReasonByApplication, Description: "disconnected by user"}
	switch {
	case errors.As(err, &d):
		m.Reason, m.Description = d.Reason, d.Message
	case err == nil:
	case errors.As(err, &p), errors.Is(err, io.EOF):
		c.Close()
		return
	default:
		m.Description = "connection ended"
	}
	if !c.silent {
		c.out.farewell(m.Append(nil), c.cfg.Now().Add(disconnectWait))
	}
	c.Close()
}

// farewell seals the last packet, whatever else is wrong, and writes as much as
// the stream takes until the deadline.
func (o *out) farewell(p []byte, deadline time.Time) {
	o.stream.SetWriteDeadline(deadline)
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.changed.Wait() // the deadline ends that write
	}
	if o.broken {
		return
	}
	o.err = nil
	o.deflate = nil // a peer that failed to inflate would not understand
	o.sealLocked(p)
	if len(o.obuf) > 0 {
		o.writeLocked(nil)
	}
	o.failLocked(errClosed)
}

// Close closes the stream. Everybody who waits gets an error.
func (c *Conn) Close() error {
	c.out.fail(errClosed)
	return c.stream.Close()
}

// Fail makes every sender fail with err.
func (c *Conn) Fail(err error) { c.out.fail(err) }

// Stats are the counters of one connection.
type Stats struct{ BytesIn, BytesOut, PacketsIn, PacketsOut uint64 }

// Stats reads the counters. Those of the in half are the reader's: a little
// stale elsewhere.
func (c *Conn) Stats() Stats {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return Stats{BytesOut: c.out.total, PacketsOut: c.out.totalPkt, BytesIn: c.in.total, PacketsIn: c.in.totalPkt}
}

// Release erases key material. It is the reader's last call.
func (c *Conn) Release() {
	erase(c.in.cipher)
	c.in.cipher = nil
	c.in.a, c.in.e = 0, 0
	c.in.release()
	c.out.mu.Lock()
	if !c.out.writing {
		erase(c.out.cipher)
	}
	c.out.mu.Unlock()
}
