package cipher

import "testing"

// The suites that people meet, and every level of chacha20-poly1305.
func BenchmarkPacket(b *testing.B) {
	type bench struct {
		name string
		make func() (seal, open Packet)
	}
	var all []bench
	for level := levelNone; level <= vectorLevel(); level++ {
		name := "chacha20-poly1305"
		if v := vectorName(level); v != "" {
			name += "-" + v
		}
		all = append(all, bench{name, func() (Packet, Packet) {
			seal, _ := newChaCha((*[64]byte)(bytesOf(64, 1)), level)
			open, _ := newChaCha((*[64]byte)(bytesOf(64, 1)), level)
			return seal, open
		}})
	}
	for _, v := range []struct{ cipher, mac string }{
		{nameAES128GCM, ""},
		{nameAES256GCM, ""},
		{"aes128-ctr", "umac-64-etm@openssh.com"},
		{"aes128-ctr", "umac-128-etm@openssh.com"},
		{"aes256-ctr", "hmac-sha2-256-etm@openssh.com"},
		{"aes128-ctr", "hmac-sha1"},
		{"aes128-cbc", "hmac-sha2-256"},
	} {
		s := suite{CipherByName(v.cipher), MACByName(v.mac)}
		all = append(all, bench{s.String(), func() (Packet, Packet) { return s.pair(b) }})
	}
	for _, v := range all {
		for _, size := range []int{48, 256, 1024, 4096, 32768, 131072} {
			seal, open := v.make()
			n := size - 5 - seal.Tag() - 16
			buf := packet(seal, max(n, 1), 1)
			length := [4]byte(buf)
			b.Run("seal/"+v.name+"/"+itoa(size), func(b *testing.B) {
				b.SetBytes(int64(len(buf)))
				b.ReportAllocs()
				seq := uint32(0)
				for b.Loop() {
					copy(buf, length[:])
					seal.Seal(buf, seq)
					seq++
				}
			})
			// A packet opens once, so opening is timed with the sealing before it.
			b.Run("both/"+v.name+"/"+itoa(size), func(b *testing.B) {
				b.SetBytes(int64(len(buf)))
				b.ReportAllocs()
				seal, open = v.make()
				seq := uint32(0)
				for b.Loop() {
					copy(buf, length[:])
					seal.Seal(buf, seq)
					open.Length(buf, seq)
					if !open.Open(buf, seq) {
						b.Fatal("refused")
					}
					seq++
				}
			})
		}
	}
}
