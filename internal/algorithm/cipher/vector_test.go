//go:build goexperiment.simd && amd64

package cipher

import (
	"bytes"
	"math/rand/v2"
	"simd/archsimd"
	"testing"

	"golang.org/x/crypto/poly1305"
)

// polys are the vector Poly1305 that this CPU can run.
func polys(t testing.TB) map[string]func(*[16]byte, []byte, *[32]byte) {
	m := map[string]func(*[16]byte, []byte, *[32]byte){}
	if archsimd.X86.AVX2() {
		m["avx2"] = poly1305AVX2
	}
	if archsimd.X86.AVX512() {
		m["avx512"] = poly1305AVX512
	}
	if len(m) == 0 {
		t.Skip("this CPU has no AVX2")
	}
	return m
}

func TestPoly1305Vector(t *testing.T) {
	r := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, 128<<10+64)
	key := new([32]byte)
	for name, sum := range polys(t) {
		check := func(msg []byte) {
			t.Helper()
			var got, want [16]byte
			poly1305.Sum(&want, msg, key)
			sum(&got, msg, key)
			if got != want {
				t.Fatalf("%s: %d bytes: %x, want %x", name, len(msg), got, want)
			}
		}
		for n := range 3001 {
			r.Read(key[:])
			r.Read(buf[:n+64])
			off := n % 61
			check(buf[off : off+n])
		}
		for _, n := range []int{32 << 10, 32<<10 + 1, 32<<10 - 1, 128 << 10} {
			for off := range 17 {
				r.Read(key[:])
				check(buf[off : off+n])
			}
		}
		// What carries furthest: all ones, in the key as well; and zeros.
		for _, fill := range []byte{0, 0xff, 0xfb, 0x80} {
			for _, k := range [][]byte{bytes.Repeat([]byte{0xff}, 32), make([]byte, 32), append([]byte{1}, make([]byte, 31)...), append([]byte{2}, make([]byte, 31)...)} {
				copy(key[:], k)
				for n := range 1100 {
					check(bytes.Repeat([]byte{fill}, n))
				}
			}
		}
		// Sums near the prime: r = 1 adds the blocks up.
		copy(key[:], append([]byte{1}, make([]byte, 31)...))
		for i := range 2000 {
			msg := bytes.Repeat([]byte{0xff}, 16*(1+i%40))
			for range i % 7 {
				msg[r.Uint64()%uint64(len(msg))] = byte(r.Uint64())
			}
			msg[len(msg)-16] = byte(i)
			check(msg)
		}
	}
}

func BenchmarkPoly1305(b *testing.B) {
	all := polys(b)
	all["x/crypto"] = poly1305.Sum
	for name, sum := range all {
		for _, n := range []int{64, 256, 512, 768, 1024, 4096, 32768} {
			msg := make([]byte, n)
			b.Run(name+"/"+itoa(n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				var out [16]byte
				var key [32]byte
				key[3] = 5
				for b.Loop() {
					sum(&out, msg, &key)
				}
			})
		}
	}
}
