//go:build goexperiment.simd && amd64

package cipher

import (
	stdcipher "crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/chacha20poly1305"
)

// chachaVector is chacha20-poly1305@openssh.com on vectors. Every packet needs
// block 0 of both keys and, for most, a few blocks of body: one call makes them
// for several packets ahead, so that short packets cost a fraction of a call.
// What is longer takes calls of its own.
type chachaVector struct {
	k1, k2 [8]uint32
	level  int
	erased bool

	// Packet i after base has stride blocks in ahead from i*stride on: block 0
	// of the key of lengths, block 0 of the other, and its body's first.
	ahead  [chachaWide]byte
	base   uint32 // sequence number
	count  uint32 // packets in ahead
	stride int
	last   int // blocks that the last body had: what the next will want

	// The AEAD whose Seal is the cipher of long bodies, as in chacha: nil at
	// levels that beat its assembly.
	aead stdcipher.AEAD
	n    [12]byte // here, because what goes through an interface escapes
	tag  [chachaTag]byte
}

// chachaHead is the start of the key stream of one packet.
type chachaHead []byte

func (h chachaHead) length() []byte  { return h[:lengthSize] }
func (h chachaHead) poly() *[32]byte { return (*[32]byte)(h[chachaBlock:]) }
func (h chachaHead) body() []byte    { return h[2*chachaBlock:] }

// chachaHeadMost is the most blocks of a body that are made ahead.
const chachaHeadMost = chachaLanes - 2

// chachaVectorTrickMin is the length of body from which the AEAD is the
// cheaper cipher with AVX2.
const chachaVectorTrickMin = 384

func newChaChaVector(key *[64]byte, level int) (Packet, error) {
	c := &chachaVector{level: level}
	if level < levelAVX512 {
		aead, err := chacha20poly1305.New(key[:32])
		if err != nil {
			return nil, fmt.Errorf("cipher: chacha20-poly1305: %w", err)
		}
		c.aead = aead
	}
	for i := range c.k1 {
		c.k1[i] = binary.LittleEndian.Uint32(key[4*i:])
		c.k2[i] = binary.LittleEndian.Uint32(key[32+4*i:])
	}
	return c, nil
}

// head returns the start of the key stream of the packet.
func (c *chachaVector) head(seq uint32) chachaHead {
	i := seq - c.base
	if i >= c.count {
		c.fill(seq)
		i = 0
	}
	n := c.stride * chachaBlock
	return c.ahead[int(i)*n:][:n]
}

func (c *chachaVector) fill(seq uint32) {
	body := c.last
	switch {
	case c.aead != nil && body*chachaBlock > chachaVectorTrickMin:
		body = 0
	case body < 1 || body > chachaHeadMost:
		body = 1 // a long packet takes calls of its own anyway
	}
	c.base, c.stride = seq, 2+body
	n := chachaLanes / c.stride
	c.count = uint32(n)

	var room chachaRoom
	s := room.align()
	s.set(&c.k1, seq, 0, c.level)
	lengths := uint16(0)
	for i := range n {
		lane := i * c.stride
		lengths |= 1 << lane
		nonce := bits.ReverseBytes32(seq + uint32(i))
		s.in[15][lane], s.in[12][lane] = nonce, 0
		for j := 1; j < c.stride; j++ {
			s.in[15][lane+j], s.in[12][lane+j] = nonce, uint32(j-1)
		}
	}
	s.setLanes(&c.k2, lengths, c.level)
	clear(c.ahead[:])
	s.xor(c.ahead[:], c.level)
}

// crypt XORs the body, which begins with block 1 and has room for a tag behind.
func (c *chachaVector) crypt(b []byte, h chachaHead, seq uint32) {
	b = b[:len(b)-chachaTag]
	c.last = (len(b) + chachaBlock - 1) / chachaBlock
	if c.aead != nil && len(b) >= chachaVectorTrickMin {
		binary.BigEndian.PutUint32(c.n[8:], seq)
		c.aead.Seal(b[:0], c.n[:], b, nil)
		return
	}
	n := subtle.XORBytes(b, b, h.body())
	if n == len(b) {
		return
	}
	c.stream(b[n:], seq, uint32(1+n/chachaBlock))
}

// stream XORs b with the key stream of the packet from that block on.
func (c *chachaVector) stream(b []byte, seq, block uint32) {
	var room chachaRoom
	s := room.align()
	s.set(&c.k1, seq, block, c.level)
	n := len(b) / chachaWide * chachaWide
	if n > 0 {
		s.xor(b[:n], c.level)
		b = b[n:]
	}
	if len(b) > 0 {
		var out [chachaWide]byte
		end := out[:]
		if len(b) <= chachaWide/2 && c.level < levelAVX512 {
			end = out[:chachaWide/2]
		}
		s.xor(end, c.level)
		subtle.XORBytes(b, b, end)
	}
}

func (c *chachaVector) Seal(b []byte, seq uint32) {
	if c.erased {
		clear(b)
		return
	}
	h := c.head(seq)
	e := len(b) - chachaTag
	subtle.XORBytes(b[:lengthSize], b[:lengthSize], h.length())
	c.crypt(b[lengthSize:], h, seq)
	poly1305Sum((*[chachaTag]byte)(b[e:]), b[:e], h.poly(), c.level)
}

func (c *chachaVector) Length(b []byte, seq uint32) uint32 {
	return binary.BigEndian.Uint32(b) ^ binary.BigEndian.Uint32(c.head(seq).length())
}

func (c *chachaVector) Open(b []byte, seq uint32) bool {
	e := len(b) - chachaTag
	if e < lengthSize || c.erased {
		return false
	}
	h := c.head(seq)
	poly1305Sum(&c.tag, b[:e], h.poly(), c.level)
	if subtle.ConstantTimeCompare(c.tag[:], b[e:]) != 1 {
		return false
	}
	subtle.XORBytes(b[:lengthSize], b[:lengthSize], h.length())
	c.crypt(b[lengthSize:], h, seq)
	return true
}

func (c *chachaVector) First() int   { return lengthSize }
func (c *chachaVector) Tag() int     { return chachaTag }
func (c *chachaVector) Block() int   { return 8 }
func (c *chachaVector) AAD() int     { return lengthSize }
func (c *chachaVector) Oracle() bool { return false }

func (c *chachaVector) Erase() { *c = chachaVector{erased: true} }
