package transport

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Batch is a bulk sender's buffer: slots of the shape
//
//	length 4 | padding_length 1 | head | data length 4 | data … | padding | tag
//
// each as large as a full packet. The source reads straight into the data
// areas; then headers are written, the slots sealed in place and all of them
// sent in one write, without a copy. All slots but the last are full, so the
// packets lie one behind the other.
//
// A Batch belongs to one goroutine. Between Prepare and Send it holds a buffer
// of the connection's pool.
type Batch struct {
	c     *Conn
	slab  *[]byte
	class int // of slab in the read pools, or -1 for a bulk buffer
	lay   layout
	head  int // bytes of a payload in front of the data's length
	slot  int
	data  int // of a full slot
	areas [][]byte
}

// smallClass is the buffer of a batch that carries keystrokes and short
// answers: one of the read buffers.
const smallClass = 1

// Prepare takes a buffer and returns areas with room for at most want bytes of
// data in packets of at most maxData, want > 0, maxData > 0. A bulk batch has
// room for 256 KiB, another for one packet of up to 15 KiB.
func (b *Batch) Prepare(c *Conn, head, maxData, want int, bulk bool) [][]byte {
	b.c, b.head = c, head
	c.out.mu.Lock()
	b.lay = c.out.layout
	c.out.mu.Unlock()
	if bulk {
		b.slab, b.class = c.cfg.Buffers.getBatch(), -1
	} else {
		b.slab, b.class = c.cfg.Buffers.getRead(smallClass), smallClass
		maxData = min(maxData, len(*b.slab)-1024)
	}
	b.data = maxData
	b.slot = b.size(maxData)
	b.areas = b.areas[:0]
	buf := *b.slab
	for at := 0; want > 0 && at+b.slot <= len(buf) && len(b.areas) < 1024; at += b.slot {
		n := min(want, maxData)
		start := at + 5 + head + 4
		b.areas = append(b.areas, buf[start:start+n])
		want -= n
	}
	return b.areas
}

// size is the length of a packet with n bytes of data.
func (b *Batch) size(n int) int {
	n += b.head + 4
	return 5 + n + b.lay.padding(n) + b.lay.tag
}

// Release gives the buffer back unsent.
func (b *Batch) Release() {
	if b.slab == nil {
		return
	}
	if b.class < 0 {
		b.c.cfg.Buffers.putBatch(b.slab)
	} else {
		b.c.cfg.Buffers.putRead(b.class, b.slab)
	}
	b.slab = nil
}

// Send sends the first n bytes of the areas as packets that begin with head,
// and gives the buffer back. It waits while an exchange runs and while somebody
// else writes. It returns after the bytes were written to the stream. When over
// has been set by QueueLast nothing is sent and the error is ErrOver.
func (b *Batch) Send(head []byte, n int, over *atomic.Bool) error {
	defer b.Release()
	o := &b.c.out
	o.mu.Lock()
	for o.err == nil && (o.kexing || o.writing || o.deflate != nil && len(o.obuf) > MaxOutbound) {
		o.changed.Wait()
	}
	if o.err != nil || over.Load() {
		err := o.err
		o.mu.Unlock()
		if err == nil {
			err = ErrOver
		}
		return err
	}
	// A key exchange between Prepare and here may have changed what a packet
	// looks like; a compressor changes its length. Then the payloads are copied.
	inPlace := o.layout == b.lay && o.deflate == nil
	buf, at := *b.slab, 0
	for left := n; left > 0; {
		data := min(left, b.data)
		left -= data
		p := buf[at : at+b.size(data)]
		copy(p[5:], head)
		binary.BigEndian.PutUint32(p[5+b.head:], uint32(data))
		if inPlace {
			o.finishLocked(p, b.head+4+data)
		} else {
			o.sealLocked(p[5 : 5+b.head+4+data])
		}
		at += len(p)
	}
	if inPlace && o.err == nil {
		o.writeLocked(buf[:at])
	}
	err := o.flushLocked()
	due := o.rekeyDueLocked()
	o.mu.Unlock()
	if err == nil && due {
		err = b.c.RequestRekey()
	}
	return err
}

// HeadLen is the head of CHANNEL_DATA and of CHANNEL_EXTENDED_DATA: number,
// recipient channel and, for the latter, the data type code.
const (
	HeadLen         = 5
	ExtendedHeadLen = 9
)

// AppendHead appends the head of the data messages of channel to b.
func AppendHead(b []byte, channel, extended uint32) []byte {
	if extended == 0 {
		return wire.AppendUint32(append(b, wire.MsgChannelData), channel)
	}
	return wire.AppendUint32(wire.AppendUint32(append(b, wire.MsgChannelExtendedData), channel), extended)
}
