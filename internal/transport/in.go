package transport

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/compression"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// in is the receiving half. It belongs to the reader.
type in struct {
	stream  Stream
	buffers *Buffers
	get     func() []byte // a method value made once: a closure for each read allocates

	slab  *[]byte // what rb is cut from, nil at rest
	class int     // of slab
	want  int     // class to take next
	rb    []byte
	a, e  int // data is rb[a:e]
	plen  int // packet_length of the packet at a, -1 while unknown

	cipher  cipher.Packet // nil: no key yet
	seq     uint32
	packets uint64 // under the current key
	bytes   uint64 // likewise
	limit   uint64 // of bytes, 0 for none
	inflate compression.Decompressor
	plain   []byte // inflated payload, reused

	swallow  int // bytes to read on before a length or MAC error is told (PKT-4)
	fault    error
	total    uint64 // bytes since the start
	totalPkt uint64
	quick    int // reads still acknowledged at once
}

func (in *in) init(s Stream, b *Buffers) {
	in.stream, in.buffers, in.plen, in.quick = s, b, -1, quickAcks
	in.get = in.space
	s.OnPark(in.release)
}

// space is where the next read goes: the room behind the data, after taking a
// buffer if none is held.
func (in *in) space() []byte {
	if in.slab == nil {
		in.class = in.want
		in.slab = in.buffers.getRead(in.class)
		in.rb, in.a, in.e = *in.slab, 0, 0
	}
	return in.rb[in.e:]
}

// preload puts bytes that were read elsewhere before all that will be read.
func (in *in) preload(b []byte) {
	if len(b) == 0 {
		return
	}
	for in.want < len(readSizes)-1 && readSizes[in.want] < len(b) {
		in.want++
	}
	in.e += copy(in.space(), b)
}

// release gives the buffer back while nothing is in it, so that a connection
// at rest has none.
func (in *in) release() {
	if in.slab != nil && in.a == in.e {
		in.buffers.putRead(in.class, in.slab)
		in.slab, in.rb, in.a, in.e = nil, nil, 0, 0
	}
}

// makeRoom prepares for a read: the usual case is an empty buffer that starts
// again at its front. Otherwise the cut-off packet moves to the front when it
// would not fit, and the buffer grows only by what has really arrived.
func (in *in) makeRoom() {
	if in.slab == nil {
		return
	}
	if in.a == in.e {
		in.a, in.e = 0, 0
		if in.class != in.want {
			in.release()
		}
		return
	}
	free := len(in.rb) - in.e
	if in.a > 0 && (free < len(in.rb)/4 || in.plen >= 0 && in.a+in.total4() > len(in.rb)) {
		in.e = copy(in.rb, in.rb[in.a:in.e])
		in.a = 0
		free = len(in.rb) - in.e
	}
	if free == 0 || in.want > in.class && in.a == 0 && free < len(in.rb)/2 {
		in.grow()
	}
}

func (in *in) total4() int {
	n := 4 + in.plen
	if in.cipher != nil {
		n += in.cipher.Tag()
	}
	return n
}

func (in *in) grow() {
	next := min(max(in.class+1, in.want), len(readSizes)-1)
	if next == in.class {
		return
	}
	slab := in.buffers.getRead(next)
	n := copy(*slab, in.rb[in.a:in.e])
	in.buffers.putRead(in.class, in.slab)
	in.slab, in.class, in.want = slab, next, next
	in.rb, in.a, in.e = *slab, 0, n
}

// fill reads once from the stream. Payloads handed out before are gone.
func (in *in) fill() error {
	in.makeRoom()
	if in.quick > 0 {
		// The peer may wait for an acknowledgement of its first small writes:
		// Linux delays them by 40 ms, and the request does not stick.
		in.quick--
		in.stream.QuickAck()
	}
	n, err := in.stream.ReadReady(in.get)
	if n > 0 {
		room := len(in.rb) - in.e
		in.e += n
		in.total += uint64(n)
		switch {
		case n*2 > room && n*2 > readSizes[in.class]:
			in.want = min(in.class+1, len(readSizes)-1)
		case in.class > 0 && n*8 < readSizes[in.class] && in.e-in.a < readSizes[in.class]/8:
			in.want = in.class - 1
		}
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// errMAC is what a failed check of a packet gives.
var errMAC = &wire.DisconnectError{Reason: wire.ReasonMACError, Message: "Corrupted MAC on input."}

// next opens the packet at the front of the buffer in place and returns its
// payload, or nil when it has not all arrived (RFC 4253 §6).
func (in *in) next() ([]byte, error) {
	if in.swallow > 0 {
		return nil, in.swallowed()
	}
	tag, block, aad, first := 0, 8, 0, 4
	if in.cipher != nil {
		tag, block, aad, first = in.cipher.Tag(), max(8, in.cipher.Block()), in.cipher.AAD(), in.cipher.First()
	}
	if in.e-in.a < first {
		return nil, nil
	}
	if in.plen < 0 {
		var n uint32
		if in.cipher == nil {
			n = binary.BigEndian.Uint32(in.rb[in.a:])
		} else {
			n = in.cipher.Length(in.rb[in.a:in.e], in.seq)
		}
		if n < 5 || n > wire.MaxPacket || (int(n)+4-aad)%block != 0 || 4+int(n) < first {
			err := wire.Disconnectf(wire.ReasonProtocolError, "Bad packet length %d.", n)
			return nil, in.fail(err)
		}
		in.plen = int(n)
	}
	total := 4 + in.plen + tag
	if in.e-in.a < total {
		return nil, nil
	}
	p := in.rb[in.a : in.a+total : in.a+total]
	if in.cipher != nil && !in.cipher.Open(p, in.seq) {
		return nil, in.fail(errMAC)
	}
	n, pad := in.plen, int(p[4])
	if pad < 4 || pad >= n-1 {
		return nil, in.fail(wire.Disconnectf(wire.ReasonProtocolError, "padding error: need %d block %d mod %d", n, block, n%block))
	}
	in.seq++
	in.packets++
	in.totalPkt++
	in.bytes += uint64(total)
	in.a += total
	in.plen = -1
	p = p[5 : 4+n-pad]
	if in.inflate != nil {
		var err error
		in.plain, err = in.inflate.Decompress(in.plain[:0], p, wire.MaxPacket)
		if err != nil {
			return nil, wire.Disconnectf(wire.ReasonCompressionError, "compressed packet: %w", err)
		}
		if len(in.plain) == 0 {
			return nil, wire.Disconnectf(wire.ReasonProtocolError, "compressed packet holds nothing")
		}
		p = in.plain
	}
	return p, nil
}

// fail ends the half. Where the mode would tell an attacker about plaintext by
// when the refusal comes, it comes only after as many bytes as the largest
// packet has.
func (in *in) fail(err error) error {
	if in.cipher == nil || !in.cipher.Oracle() {
		return err
	}
	in.fault, in.swallow = errMAC, max(1, wire.MaxPacket-(in.e-in.a))
	in.a = in.e
	in.plen = -1
	return nil
}

func (in *in) swallowed() error {
	in.swallow -= in.e - in.a
	in.a = in.e
	if in.swallow <= 0 {
		return in.fault
	}
	return nil
}

// buffered reports whether bytes are waiting that were not handed out.
func (in *in) buffered() int { return in.e - in.a }

// newKeys switches to the next key: what follows NEWKEYS is under it.
func (in *in) newKeys(c cipher.Packet, resetSeq bool) {
	erase(in.cipher)
	in.cipher = c
	in.packets, in.bytes = 0, 0
	if resetSeq {
		in.seq = 0
	}
}

func erase(c cipher.Packet) {
	if e, ok := c.(interface{ Erase() }); ok {
		e.Erase()
	}
}

var errClosed = errors.New("transport: connection is closed")
