package transport

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/compression"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// out is the sending half. All fields are under mu but those of the block
// marked constant.
type out struct {
	// constant
	stream  Stream
	goFunc  func(func())
	buffers *Buffers

	mu      sync.Mutex
	changed sync.Cond // of writing, kexing, obuf and err
	err     error     // the first failure; sticks
	broken  bool      // the stream itself failed: nothing can be told any more

	cipher  cipher.Packet
	seq     uint32
	packets uint64 // under the current key
	bytes   uint64
	deflate compression.Compressor
	squeeze []byte        // deflated payload, reused
	padding *rand.ChaCha8 // for modes whose padding must vary
	layout  layout        // of a sealed packet under the current key

	obuf    []byte  // sealed, waiting to be written; part of slab, if that is not nil
	slab    *[]byte // of the pool that connections share: none is held at rest
	class   int     // of slab
	writing bool    // somebody is in a write of stream, outside mu
	helper  bool    // the writer goroutine runs

	kexing    bool     // from our KEXINIT to our NEWKEYS
	held      [][]byte // payloads of the reader that wait for NEWKEYS
	heldBytes int

	padNext  int    // see Conn.PadNext
	limit    uint64 // bytes under one key, 0 for none
	total    uint64 // bytes since the start
	totalPkt uint64
	limited  bool // the limits before authentication hold (PKT-8)
}

// layout is what a slot of a batch must know of the cipher.
type layout struct{ tag, block, aad int }

func layoutOf(c cipher.Packet) layout {
	if c == nil {
		return layout{0, 8, 0}
	}
	return layout{c.Tag(), max(8, c.Block()), c.AAD()}
}

// padding is how many bytes follow a payload of n bytes (RFC 4253 §6).
func (l layout) padding(n int) int {
	pad := l.block - (5-l.aad+n)%l.block
	if pad < 4 {
		pad += l.block
	}
	return pad
}

// padTo is a larger padding that makes the packet's length a multiple of n, as
// far as padding goes.
func (l layout) padTo(payload, pad, n int) int {
	if n%l.block != 0 {
		return pad
	}
	for pad+l.block <= 255 && (5-l.aad+payload+pad)%n != 0 {
		pad += l.block
	}
	return pad
}

func (o *out) init(s Stream, b *Buffers, goFunc func(func())) {
	o.stream, o.buffers, o.goFunc = s, b, goFunc
	o.changed.L = &o.mu
	o.layout = layoutOf(nil)
	o.limited = true
}

// sealLocked appends payload as a packet to obuf.
func (o *out) sealLocked(payload []byte) {
	if o.deflate != nil {
		// The deflate state has no error but of its own making.
		if p, err := o.deflate.Compress(o.squeeze[:0], payload); err == nil {
			o.squeeze, payload = p, p
		} else {
			o.failLocked(err)
			return
		}
	}
	pad := o.layout.padding(len(payload))
	if o.padNext > 0 {
		pad = o.layout.padTo(len(payload), pad, o.padNext)
		o.padNext = 0
	}
	total := 5 + len(payload) + pad + o.layout.tag
	b := o.growLocked(total)
	copy(b[5:], payload)
	o.finishLocked(b, len(payload))
}

// finishLocked writes header and padding around the n payload bytes at b[5:],
// and seals b, which ends with its tag's room.
func (o *out) finishLocked(b []byte, n int) {
	pad := len(b) - o.layout.tag - 5 - n
	binary.BigEndian.PutUint32(b, uint32(1+n+pad))
	b[4] = byte(pad)
	p := b[5+n : 5+n+pad]
	clear(p) // an old buffer's bytes are not the peer's business
	if o.padding != nil {
		o.padding.Read(p)
	}
	if o.cipher != nil {
		o.cipher.Seal(b, o.seq)
	}
	o.seq++
	o.packets++
	o.bytes += uint64(len(b))
	o.total += uint64(len(b))
	o.totalPkt++
	if o.limited && (o.total > PreAuthBytes || o.totalPkt > PreAuthPackets) {
		o.failLocked(wire.Disconnectf(wire.ReasonProtocolError, "too much was exchanged before authentication"))
	}
}

// text puts clear text behind what waits: identification lines.
func (o *out) text(s string) {
	o.mu.Lock()
	copy(o.growLocked(len(s)), s)
	o.mu.Unlock()
}

// growLocked makes obuf longer by n bytes, which it returns.
func (o *out) growLocked(n int) []byte {
	start := len(o.obuf)
	if start+n > cap(o.obuf) {
		old, oldClass := o.slab, o.class
		nb := o.roomLocked(start + n)
		nb = nb[:copy(nb[:start], o.obuf)]
		if old != nil {
			o.buffers.putRead(oldClass, old)
		}
		o.obuf = nb
	}
	o.obuf = o.obuf[:start+n]
	return o.obuf[start:]
}

// roomLocked takes a buffer with room for n bytes: a shared one, but for what
// no pool has.
func (o *out) roomLocked(n int) []byte {
	for class, size := range readSizes {
		if n <= size {
			o.slab, o.class = o.buffers.getRead(class), class
			return (*o.slab)[:0]
		}
	}
	o.slab = nil
	return make([]byte, 0, 2*n)
}

// emptyLocked gives up a buffer that was written out.
func (o *out) emptyLocked(slab *[]byte, class int) {
	if slab != nil {
		o.buffers.putRead(class, slab)
	}
}

func (o *out) failLocked(err error) {
	if o.err == nil {
		o.err = err
		o.changed.Broadcast()
	}
}

func (o *out) fail(err error) {
	o.mu.Lock()
	o.failLocked(err)
	o.mu.Unlock()
}

// send seals payload and has it written, by this goroutine or by the one that
// is writing. It waits while an exchange runs or too much is outstanding: not
// for the reader.
func (o *out) send(over *atomic.Bool, payloads ...[]byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (o.kexing || len(o.obuf) > MaxOutbound) {
		o.changed.Wait()
	}
	if o.err != nil {
		return o.err
	}
	if over != nil && over.Load() {
		return ErrOver
	}
	for _, p := range payloads {
		o.sealLocked(p)
	}
	return o.flushLocked()
}

// ErrOver is what a message gets that would have followed the last one of its
// kind; see Conn.QueueLast.
var ErrOver = errors.New("transport: nothing may follow any more")

// queueLast seals payload and sets over in one step: no send that asks over can
// come behind it.
func (o *out) queueLast(payload []byte, over *atomic.Bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	over.Store(true)
	return o.queueLocked(payload, false)
}

// queue seals payload for the reader, which must not wait: during an exchange
// it is held back, within a limit. transportMsg passes even then.
func (o *out) queue(payload []byte, transportMsg bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queueLocked(payload, transportMsg)
}

func (o *out) queueLocked(payload []byte, transportMsg bool) error {
	if o.err != nil {
		return o.err
	}
	if o.kexing && !transportMsg {
		if o.heldBytes += len(payload) + 64; o.heldBytes > MaxHeld {
			o.failLocked(wire.Disconnectf(wire.ReasonProtocolError, "key exchange was not finished while %d bytes of answers waited", o.heldBytes))
			return o.err
		}
		o.held = append(o.held, append([]byte(nil), payload...))
		return nil
	}
	o.sealLocked(payload)
	return o.err
}

// flushLocked writes what has gathered unless somebody is already at it: that
// one will take ours along.
func (o *out) flushLocked() error {
	for !o.writing && len(o.obuf) > 0 && o.err == nil {
		o.writeLocked(nil)
	}
	return o.err
}

// writeLocked writes obuf and then more, both sealed already, outside the lock.
func (o *out) writeLocked(more []byte) {
	b, slab, class := o.obuf, o.slab, o.class
	o.obuf, o.slab = nil, nil
	o.writing = true
	o.mu.Unlock()
	var err error
	if len(b) > 0 {
		_, err = o.stream.Write(b)
	}
	if err == nil && len(more) > 0 {
		_, err = o.stream.Write(more)
	}
	o.mu.Lock()
	o.writing = false
	o.emptyLocked(slab, class)
	if err != nil {
		o.broken = true
		o.failLocked(err)
	}
	o.changed.Broadcast()
}

// tryFlush is the reader's flush: one attempt that cannot wait; a writer
// goroutine finishes the rest.
func (o *out) tryFlush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || len(o.obuf) == 0 || o.err != nil {
		return o.err
	}
	n, err := o.stream.TryWrite(o.obuf)
	if err != nil {
		o.broken = true
		o.failLocked(err)
		return err
	}
	if n == len(o.obuf) {
		o.emptyLocked(o.slab, o.class)
		o.obuf, o.slab = nil, nil
		o.changed.Broadcast()
		return nil
	}
	if n > 0 {
		o.obuf = o.obuf[:copy(o.obuf, o.obuf[n:])]
	}
	if !o.helper {
		o.helper = true
		o.goFunc(o.drain)
	}
	return nil
}

// drain is the writer goroutine. It lives while there is something to write.
func (o *out) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && len(o.obuf) > 0 {
		if o.writing {
			o.changed.Wait()
			continue
		}
		o.writeLocked(nil)
	}
	o.helper = false
}

// roomForReader waits until the outbound queue is below its bound. It is how a
// peer that asks and asks and never reads its answers is stopped: its own
// requests stay unread (PKT-16, GLB-1).
func (o *out) roomForReader() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && len(o.obuf) > MaxOutbound {
		if !o.helper && !o.writing {
			o.helper = true
			o.goFunc(o.drain)
		}
		o.changed.Wait()
	}
	return o.err
}

// newKeys sends NEWKEYS, switches to the next key, sends first under it, and
// lets the held messages and waiting senders go on.
func (o *out) newKeys(c cipher.Packet, deflate compression.Compressor, resetSeq, randomPadding bool, first []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	newkeys := [1]byte{wire.MsgNewKeys}
	o.sealLocked(newkeys[:])
	erase(o.cipher)
	o.cipher, o.layout, o.deflate = c, layoutOf(c), deflate
	o.packets, o.bytes = 0, 0
	if resetSeq {
		o.seq = 0
	}
	o.padding = nil
	if randomPadding {
		o.padding = rand.NewChaCha8(randomSeed())
	}
	if first != nil {
		o.sealLocked(first)
	}
	o.kexing = false
	for _, p := range o.held {
		o.sealLocked(p)
	}
	o.held, o.heldBytes = nil, 0
	o.changed.Broadcast()
	return o.err
}

// queued reports whether something waits to be written.
func (o *out) queued() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.obuf) > 0
}
