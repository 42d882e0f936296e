package cipher

import (
	"crypto/aes"
	stdcipher "crypto/cipher"
	"encoding/binary"
	"fmt"
)

// gcmTag is the size of the tag of AES-GCM.
const gcmTag = 16

// gcm is aes128-gcm@openssh.com and aes256-gcm@openssh.com: RFC 5647 with the
// packet_length in clear, as associated data. The nonce is 4 fixed bytes and
// an invocation counter of 8, both begun by key exchange; sequence numbers do
// not matter.
type gcm struct {
	aead stdcipher.AEAD
	iv   [12]byte // here, because what goes through an interface escapes
	left uint64   // nonces that were not used under this key
}

func newGCM(key []byte, iv *[12]byte) (Packet, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher: aes-gcm: %w", err)
	}
	aead, err := stdcipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cipher: aes-gcm: %w", err)
	}
	// One less than all 2^64, which the type cannot hold.
	return &gcm{aead: aead, iv: *iv, left: 1<<64 - 1}, nil
}

// next steps the invocation counter. The counter may wrap from all ones to
// zero, as RFC 5647 §7.1 has it, but never come back to where it began:
// the caller has stopped by then (PKT-7).
func (g *gcm) next() {
	binary.BigEndian.PutUint64(g.iv[4:], binary.BigEndian.Uint64(g.iv[4:])+1)
	g.left--
}

func (g *gcm) Seal(b []byte, _ uint32) {
	if g.left == 0 {
		// No nonce is left (PKT-7), or the key was erased. Nothing may leave
		// that would tell about other packets; the peer refuses this.
		clear(b)
		return
	}
	e := len(b) - gcmTag
	g.aead.Seal(b[lengthSize:lengthSize], g.iv[:], b[lengthSize:e], b[:lengthSize])
	g.next()
}

func (g *gcm) Length(b []byte, _ uint32) uint32 { return binary.BigEndian.Uint32(b) }

func (g *gcm) Open(b []byte, _ uint32) bool {
	if len(b) < lengthSize+gcmTag || g.left == 0 {
		return false
	}
	_, err := g.aead.Open(b[lengthSize:lengthSize], g.iv[:], b[lengthSize:], b[:lengthSize])
	g.next()
	return err == nil
}

func (g *gcm) First() int   { return lengthSize }
func (g *gcm) Tag() int     { return gcmTag }
func (g *gcm) Block() int   { return aes.BlockSize }
func (g *gcm) AAD() int     { return lengthSize }
func (g *gcm) Oracle() bool { return false }

// Erase ends the use of the key, which the library holds.
func (g *gcm) Erase() { g.iv, g.left = [12]byte{}, 0 }
