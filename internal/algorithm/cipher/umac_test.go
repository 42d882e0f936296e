package cipher

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// The vectors of RFC 4418, appendix, without the message of 2^25 bytes. The
// last four bytes of the long tags, which it does not print, are nettle's.
func TestUMACVectors(t *testing.T) {
	const nonce = 0x6263646566676869 // "bcdefghi"
	for _, v := range []struct {
		unit    string
		n       int
		t8, t16 string
	}{
		{"", 0, "6e155fad26900be1", "32fedb100c79ad58f07ff7643cc60465"},
		{"a", 3, "44b5cb542f220104", "185e4fe905cba7bd85e4c2dc3d117d8d"},
		{"a", 1 << 10, "26bf2f5d60118bd9", "7a54abe04af82d60fb298c3cbd195bcb"},
		{"a", 1 << 15, "27f8ef643b0d118d", "7b136bd911e4b734286ef2be501f2c3c"},
		{"a", 1 << 20, "a4477e87e9f55853", "f8acfa3ac31cfeea047f7b115b03bef5"},
		{"abc", 1, "d4d7b9f6bd4fbfcf", "883c3d4b97a61976ffcf232308cba5a5"},
		{"abc", 500, "d4cf26ddefd5c01a", "8824a260c53c66a36c9260a62cb83aa1"},
	} {
		msg := []byte(strings.Repeat(v.unit, v.n))
		for size, want := range map[int]string{8: v.t8, 16: v.t16} {
			u := newTestUMAC(t, "abcdefghijklmnop", size)
			if got := hex.EncodeToString(u.tag(nonce, msg)); got != want {
				t.Errorf("%d bytes of %q %d times: %s, want %s", size, v.unit, v.n, got, want)
			}
		}
	}
}

func newTestUMAC(t testing.TB, key string, size int) *umac {
	m, err := newUMAC((*[16]byte)([]byte(key)), size)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*umac)
}

// Tags that nettle 3.8 made, around every border of the three layers.
func TestUMACNettle(t *testing.T) {
	key := make([]byte, 16)
	for i := range key {
		key[i] = byte(i*17 + 3)
	}
	u8, u16 := newTestUMAC(t, string(key), 8), newTestUMAC(t, string(key), 16)
	for _, v := range []struct {
		n, nonce int
		t8, t16  string
	}{
		{0, 256, "f9f49b96d72bea3c", "f9f49b96d72bea3c6e44b91cf2e77c75"},
		{15, 259, "5b4deac570113bae", "eac0b0a8589b1dbab4d589b3e1184c45"},
		{16, 260, "84106a59e9635953", "84106a59e9635953eb1f9a8b52fbeab4"},
		{31, 261, "c5a456d33329b555", "c19aad944bd9bd8d48331c03748736dc"},
		{32, 262, "37c8a9f1a56b2a72", "37c8a9f1a56b2a72597634b1474eda36"},
		{33, 263, "072515461951183e", "142e70ebcf5199bebfc77dbb8693a606"},
		{63, 264, "21c8b4c058192ab0", "21c8b4c058192ab099568bd76d635e2a"},
		{64, 265, "4b3e797eb4f5fa9e", "daf8fa5726bd45f02c5a68718d09de19"},
		{65, 266, "c10592a5f9c8c099", "c10592a5f9c8c0999283d43019bcaa8d"},
		{100, 267, "094015815092e606", "96d99b6373444d6bdbb922d486c34124"},
		{255, 268, "3319a4055f3b53f0", "3319a4055f3b53f07668ca7be2ed38c4"},
		{256, 269, "b43dd7b0c69ad088", "e93dab83568c1be58fc0739a33c64f7a"},
		{257, 270, "4c37e8628765f914", "4c37e8628765f914ce83337d729e6532"},
		{1000, 271, "a7595258e09a22a1", "9dd661c0bd35cc2ac0d80f36c55183fc"},
		{1023, 272, "304cdee1bf6bd970", "304cdee1bf6bd9701d5d3ca9092ab426"},
		{1025, 274, "56a5ba53599089cf", "56a5ba53599089cfa8486b5b8dcda1d9"},
		{1055, 275, "766eb79ca1452883", "3f210ce0245ea93309000c2b82cd5e59"},
		{2048, 279, "f96ce9a5f2bdefc7", "43e412525cdee0f20719a9a5fa0d8609"},
		{2049, 280, "20cbb9b8cdc798ec", "20cbb9b8cdc798ecb5003096504e9f6f"},
		{4096, 282, "75ac98869db747bd", "75ac98869db747bdb89ac10682e2ada7"},
		{10000, 283, "c30403c535047e67", "5eaaac7dcdc3544b07d4b8dce46cf1fb"},
		{32768, 284, "491bb0c96df68f2f", "491bb0c96df68f2f204948d854ac55a2"},
		{32769, 285, "787988deac988f4f", "a123acc164f1d34068c1dfa05face8b9"},
		{65535, 286, "232e114a7025fa70", "232e114a7025fa70eb58e25520bfb5bb"},
		{131072, 287, "94bbe05ed2aeb22d", "265caa7ce86961821c6492ac5125ee83"},
		{262144, 288, "de690b20170e02df", "de690b20170e02df34a5dda5f8afc813"},
		{1048575, 289, "1ca0ec195bc6b24f", "0e4fcf8c92f232992c9c483d118f546c"},
	} {
		msg := make([]byte, v.n)
		for i := range msg {
			msg[i] = byte(i*i*7 + i*3 + i>>8 + v.n)
		}
		if got := hex.EncodeToString(u8.sum(uint32(v.nonce), msg)); got != v.t8 {
			t.Errorf("64 bits of %d bytes: %s, want %s", v.n, got, v.t8)
		}
		if got := hex.EncodeToString(u16.sum(uint32(v.nonce), msg)); got != v.t16 {
			t.Errorf("128 bits of %d bytes: %s, want %s", v.n, got, v.t16)
		}
	}
	// All ones, which NH and POLY carry furthest.
	for _, v := range []struct {
		n  int
		t8 string
	}{
		{1024, "1da48ab9c8b608e6"},
		{4096, "dc286cb42e86e7c6"},
		{16384, "09d70971138ec084"},
		{65536, "241ef5116de06c49"},
		{262144, "cb7ed0e7c3591b18"},
		{1048576, "0aafd68a8c04bb9d"},
	} {
		msg := bytes.Repeat([]byte{0xff}, v.n)
		if got := hex.EncodeToString(u8.sum(0, msg)); got != v.t8 {
			t.Errorf("64 bits of %d ones: %s, want %s", v.n, got, v.t8)
		}
	}
}

// The polynomial's arithmetic against math/big, where no message leads easily:
// words of the escaped range, and results that need the last subtraction.
func TestUMACPoly(t *testing.T) {
	p := new(big.Int).SetUint64(umacPrime64)
	mulAdd := func(y, k, m uint64) uint64 {
		r := new(big.Int).SetUint64(y)
		r.Mul(r, new(big.Int).SetUint64(k))
		r.Add(r, new(big.Int).SetUint64(m))
		return r.Mod(r, p).Uint64()
	}
	edges := []uint64{0, 1, 58, 59, 60, umacMark64 - 1, umacMark64, umacMark64 + 59, umacPrime64 - 1, umacPrime64, umacPrime64 + 1, 1<<64 - 1}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		k := r.Uint64() & umacMask64
		if r.IntN(8) == 0 {
			k = umacMask64
		}
		y, m := r.Uint64(), r.Uint64()
		if r.IntN(2) == 0 {
			y = edges[r.IntN(len(edges))]
		}
		if r.IntN(2) == 0 {
			m = edges[r.IntN(len(edges))]
		}
		y %= umacPrime64
		if got, want := umacMulAdd(y, k, m), mulAdd(y, k, m); got != want {
			t.Fatalf("%#x*%#x+%#x = %#x, want %#x", y, k, m, got, want)
		}
		want := mulAdd(y, k, m)
		if m >= umacMark64 {
			want = mulAdd(mulAdd(y, k, umacPrime64-1), k, m-umacOffset64)
		}
		if got := umacPoly(y, k, m); got != want {
			t.Fatalf("step of %#x by %#x with %#x: %#x, want %#x", y, k, m, got, want)
		}
	}
}

func BenchmarkUMAC(b *testing.B) {
	for _, size := range []int{8, 16} {
		u := newTestUMAC(b, "abcdefghijklmnop", size)
		for _, n := range []int{48, 1024, 32768} {
			msg := make([]byte, n)
			b.Run(map[int]string{8: "64", 16: "128"}[size]+"/"+itoa(n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					u.sum(7, msg)
				}
			})
		}
	}
}
