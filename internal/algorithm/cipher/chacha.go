package cipher

import (
	stdcipher "crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/poly1305"
)

// chacha20-poly1305@openssh.com has two ChaCha20 keys. The first 32 bytes of
// the 64 encrypt the packet from the padding length on, from block 1, and give
// the one-time Poly1305 key in block 0; the last 32 encrypt the length with
// block 0 of their own, so that it can be read before the packet is there. The
// nonce of both is the sequence number. The tag covers all ciphertext.
//
// The ChaCha20 meant has a nonce and a counter of 64 bits each. With four zero
// bytes in front of the nonce the one of RFC 8439 gives the same up to a
// counter of 32 bits, which no packet reaches.
const (
	chachaTag   = 16
	chachaBlock = 64
)

// newChaCha makes the Packet for a vector level of vectorLevel or below.
func newChaCha(key *[64]byte, level int) (Packet, error) {
	if level > levelNone {
		return newChaChaVector(key, level)
	}
	c := &chacha{}
	copy(c.k1[:], key[:32])
	copy(c.k2[:], key[32:])
	if chachaSealTrick {
		body, err := chacha20poly1305.New(c.k1[:])
		if err != nil {
			return nil, fmt.Errorf("cipher: chacha20-poly1305: %w", err)
		}
		c.body = body
	}
	return c, nil
}

// chachaTrickMin is the body length from which the AEAD's Seal is a cheaper
// ChaCha20 than the package chacha20 without assembly.
const chachaTrickMin = 256

// chacha is the portable chacha20-poly1305@openssh.com.
//
// Where x/crypto's ChaCha20 has no assembly but its AEAD of RFC 8439 has, the
// AEAD's Seal is the stream cipher: it too begins the body at block 1, and
// seals and opens alike. Its tag lands where ours goes afterwards.
type chacha struct {
	k1, k2 [32]byte
	body   stdcipher.AEAD
	erased bool
	n      [12]byte // these are here, because what goes through an interface escapes
	length [lengthSize]byte
	pk     [32]byte
	tag    [chachaTag]byte
	block0 [chachaBlock]byte
}

// begin sets the nonce.
func (c *chacha) begin(seq uint32) {
	binary.BigEndian.PutUint32(c.n[8:], seq)
}

func (c *chacha) cryptLength(b *[lengthSize]byte) {
	s, _ := chacha20.NewUnauthenticatedCipher(c.k2[:], c.n[:])
	s.XORKeyStream(b[:], b[:])
}

// start computes the Poly1305 key and leaves the cipher at block 1.
func (c *chacha) start(s *chacha20.Cipher) {
	c.block0 = [chachaBlock]byte{}
	s.XORKeyStream(c.block0[:], c.block0[:])
	copy(c.pk[:], c.block0[:])
}

func (c *chacha) cryptBody(s *chacha20.Cipher, b []byte) {
	if chachaSealTrick && len(b)-chachaTag >= chachaTrickMin {
		c.body.Seal(b[:0], c.n[:], b[:len(b)-chachaTag], nil)
		return
	}
	b = b[:len(b)-chachaTag]
	s.XORKeyStream(b, b)
}

func (c *chacha) Seal(b []byte, seq uint32) {
	if c.erased {
		clear(b)
		return
	}
	c.begin(seq)
	c.cryptLength((*[lengthSize]byte)(b))
	s, _ := chacha20.NewUnauthenticatedCipher(c.k1[:], c.n[:])
	c.start(s)
	c.cryptBody(s, b[lengthSize:])
	e := len(b) - chachaTag
	poly1305.Sum((*[chachaTag]byte)(b[e:]), b[:e], &c.pk)
}

func (c *chacha) Length(b []byte, seq uint32) uint32 {
	c.begin(seq)
	c.length = [lengthSize]byte(b)
	c.cryptLength(&c.length)
	return binary.BigEndian.Uint32(c.length[:])
}

func (c *chacha) Open(b []byte, seq uint32) bool {
	e := len(b) - chachaTag
	if e < lengthSize || c.erased {
		return false
	}
	c.begin(seq)
	s, _ := chacha20.NewUnauthenticatedCipher(c.k1[:], c.n[:])
	c.start(s)
	poly1305.Sum(&c.tag, b[:e], &c.pk)
	if subtle.ConstantTimeCompare(c.tag[:], b[e:]) != 1 {
		return false
	}
	copy(b, c.length[:])
	c.cryptBody(s, b[lengthSize:])
	return true
}

func (c *chacha) First() int   { return lengthSize }
func (c *chacha) Tag() int     { return chachaTag }
func (c *chacha) Block() int   { return 8 }
func (c *chacha) AAD() int     { return lengthSize }
func (c *chacha) Oracle() bool { return false }

func (c *chacha) Erase() { *c = chacha{erased: true} }
