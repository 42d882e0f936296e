package cipher

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
)

// mac is a message authentication code with its key.
type mac interface {
	// sum returns the tag of the packet b of that sequence number, in memory
	// of the mac that the next call overwrites.
	sum(seq uint32, b []byte) []byte
	size() int
	erase()
}

func newMAC(m *MAC, key []byte) (mac, error) {
	if m.hash == macUMAC {
		return newUMAC((*[umacKeySize]byte)(key), m.TagSize)
	}
	h := hmacMAC{n: m.TagSize}
	switch m.hash {
	case macSHA1:
		h.h = hmac.New(sha1.New, key)
	case macSHA256:
		h.h = hmac.New(sha256.New, key)
	case macSHA512:
		h.h = hmac.New(sha512.New, key)
	case macMD5:
		h.h = hmac.New(md5.New, key)
	}
	return &h, nil
}

// hmacMAC is RFC 2104 over sequence number and packet, cut to n bytes. One
// keyed hash serves for ever: Reset returns to the state after the key.
type hmacMAC struct {
	h   hash.Hash
	n   int
	seq [4]byte // here, because what goes through an interface escapes
	out [sha512.Size]byte
}

func (m *hmacMAC) sum(seq uint32, b []byte) []byte {
	binary.BigEndian.PutUint32(m.seq[:], seq)
	m.h.Reset()
	m.h.Write(m.seq[:])
	m.h.Write(b)
	// Not into the packet: a cut tag has less room there than the whole one.
	return m.h.Sum(m.out[:0])[:m.n]
}

func (m *hmacMAC) size() int { return m.n }
func (m *hmacMAC) erase()    { m.out = [sha512.Size]byte{} }
