package cipher

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// suite is a cipher with the MAC beside it, nil for an AEAD.
type suite struct {
	c *Cipher
	m *MAC
}

func (s suite) String() string {
	if s.m == nil {
		return s.c.Name
	}
	return s.c.Name + "+" + s.m.Name
}

// suites is everything that can be negotiated.
func suites() (all []suite) {
	for i := range Ciphers {
		if Ciphers[i].AEAD {
			all = append(all, suite{&Ciphers[i], nil})
			continue
		}
		for j := range MACs {
			all = append(all, suite{&Ciphers[i], &MACs[j]})
		}
	}
	return all
}

// bytesOf is n bytes that depend on the seed.
func bytesOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 77))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// pair makes the two ends of a direction.
func (s suite) pair(t testing.TB) (seal, open Packet) {
	t.Helper()
	var macKey []byte
	if s.m != nil {
		macKey = bytesOf(s.m.KeySize, 3)
	}
	key, iv := bytesOf(s.c.KeySize, 1), bytesOf(s.c.IVSize, 2)
	var err error
	if seal, err = New(s.c, s.m, key, iv, macKey, true); err != nil {
		t.Fatal(err)
	}
	if open, err = New(s.c, s.m, key, iv, macKey, false); err != nil {
		t.Fatal(err)
	}
	return seal, open
}

// packet is a well-formed packet of a payload of n bytes, with room for the
// tag.
func packet(p Packet, n int, seed uint64) []byte {
	pad := p.Block() - (5+n-p.AAD())%p.Block()
	if pad < 4 {
		pad += p.Block()
	}
	b := append(make([]byte, 5), bytesOf(n+pad, seed)...)
	binary.BigEndian.PutUint32(b, uint32(1+n+pad))
	b[4] = byte(pad)
	return append(b, make([]byte, p.Tag())...)
}
