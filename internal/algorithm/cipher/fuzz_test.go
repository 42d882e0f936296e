package cipher

import (
	"bytes"
	"testing"
)

// FuzzOpen hands every suite bytes that no peer with the key made: they are
// refused, without a panic, whole and after a packet that was good.
func FuzzOpen(f *testing.F) {
	all := suites()
	for i, s := range all {
		seal, _ := s.pair(f)
		b := packet(seal, 20, 1)
		other, _ := New(s.c, s.m, bytesOf(s.c.KeySize, 9), bytesOf(s.c.IVSize, 2), macKeyOf(s, 9), true)
		other.Seal(b, 0)
		f.Add(uint8(i), uint32(0), b)
		if i%16 == 0 {
			f.Add(uint8(i), uint32(1<<32-1), b[:len(b)-1])
			f.Add(uint8(i), uint32(7), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, seq uint32, b []byte) {
		s := all[int(which)%len(all)]
		seal, open := s.pair(t)
		good := packet(seal, 33, 4)
		seal.Seal(good, seq-1)
		open.Length(good, seq-1)
		if !open.Open(good, seq-1) {
			t.Fatalf("%s: a good packet refused", s)
		}
		b = bytes.Clone(b)
		if len(b) >= open.First() {
			open.Length(b, seq)
		}
		if open.Open(b, seq) {
			t.Fatalf("%s: garbage accepted", s)
		}
	})
}

func macKeyOf(s suite, seed uint64) []byte {
	if s.m == nil {
		return nil
	}
	return bytesOf(s.m.KeySize, seed)
}
