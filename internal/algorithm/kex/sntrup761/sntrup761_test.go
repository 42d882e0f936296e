package sntrup761

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"testing"
)

// drbg is the generator of NIST's test vector programs: AES-256 in counter
// mode whose state changes with every request.
type drbg struct {
	key [32]byte
	v   [16]byte
}

func newDRBG(seed []byte) *drbg {
	d := new(drbg)
	d.update(seed)
	return d
}

func (d *drbg) block(out []byte) {
	for i := 15; i >= 0; i-- {
		d.v[i]++
		if d.v[i] != 0 {
			break
		}
	}
	c, err := aes.NewCipher(d.key[:])
	if err != nil {
		panic(err)
	}
	c.Encrypt(out, d.v[:])
}

func (d *drbg) update(data []byte) {
	var t [48]byte
	for i := 0; i < 48; i += 16 {
		d.block(t[i : i+16])
	}
	for i, b := range data {
		t[i] ^= b
	}
	copy(d.key[:], t[:32])
	copy(d.v[:], t[32:])
}

func (d *drbg) Read(p []byte) (int, error) {
	for q := p; len(q) > 0; {
		var b [16]byte
		d.block(b[:])
		q = q[copy(q, b[:]):]
	}
	d.update(nil)
	return len(p), nil
}

// seeded is a repeatable source of randomness.
func seeded(n byte) io.Reader { return mathrand.NewChaCha8([32]byte{n}) }

// secret is the encoding of a private key in the submission to NIST.
func (k *PrivateKey) secret() []byte {
	var f, g [smallSize]byte
	encodeSmall(&f, &k.f)
	encodeSmall(&g, &k.ginv)
	return bytes.Join([][]byte{f[:], g[:], k.public[:], k.rho[:], k.cache[:]}, nil)
}

// The first test vector, whose SHA-256 is published by PQClean
// (crypto_kem/sntrup761/META.yml) and liboqs.
func TestKnownAnswer(t *testing.T) {
	const want = "afc42c3a5b10f4ef69654250097ebda9b9564570f4086744b24a6daf2bd1f89a"
	var entropy, seed [48]byte
	for i := range entropy {
		entropy[i] = byte(i)
	}
	newDRBG(entropy[:]).Read(seed[:])
	d := newDRBG(seed[:])
	k, err := GenerateKey(d)
	if err != nil {
		t.Fatal(err)
	}
	ss, ct, err := Encapsulate(d, k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("count = 0\nseed = %X\npk = %X\nsk = %X\nct = %X\nss = %X\n", seed, k.PublicKey(), k.secret(), ct, ss)
	if sum := sha256.Sum256([]byte(text)); hex.EncodeToString(sum[:]) != want {
		t.Errorf("SHA-256 of the vector is %x, want %s", sum, want)
	}
	if got, err := k.Decapsulate(ct); err != nil || !bytes.Equal(got, ss) {
		t.Errorf("Decapsulate: %x, %v; want %x", got, err, ss)
	}
}

func TestRoundTrip(t *testing.T) {
	for n := range byte(40) {
		r := seeded(n)
		k, err := GenerateKey(r)
		if err != nil {
			t.Fatal(err)
		}
		ss, ct, err := Encapsulate(r, k.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if len(ss) != SharedKeySize || len(ct) != CiphertextSize || len(k.PublicKey()) != PublicKeySize {
			t.Fatalf("sizes %d, %d, %d", len(ss), len(ct), len(k.PublicKey()))
		}
		if got, err := k.Decapsulate(ct); err != nil || !bytes.Equal(got, ss) {
			t.Fatalf("seed %d: %x, %v; want %x", n, got, err, ss)
		}
	}
}

// A ciphertext that was not made for the key gives a secret, always the same
// one and never the sender's; no error tells that it was bad (KEX-6).
func TestImplicitRejection(t *testing.T) {
	r := seeded(1)
	k, _ := GenerateKey(r)
	other, _ := GenerateKey(r)
	ss, ct, _ := Encapsulate(r, k.PublicKey())
	foreign, _, _ := Encapsulate(r, other.PublicKey())
	bad := [][]byte{foreign, make([]byte, CiphertextSize), bytes.Repeat([]byte{0xff}, CiphertextSize)}
	for _, i := range []int{0, 1, 500, roundedSize - 1, roundedSize, CiphertextSize - 1} {
		c := bytes.Clone(ct)
		c[i] ^= 1
		bad = append(bad, c)
	}
	_, bad[0], _ = Encapsulate(r, other.PublicKey())
	seen := map[string]bool{string(ss): true}
	for i, c := range bad {
		a, err := k.Decapsulate(c)
		b, _ := k.Decapsulate(c)
		if err != nil || len(a) != SharedKeySize || !bytes.Equal(a, b) {
			t.Fatalf("%d: %x and %x, %v", i, a, b, err)
		}
		if seen[string(a)] {
			t.Errorf("%d: the secret is another ciphertext's", i)
		}
		seen[string(a)] = true
		// The rule of the submission: hash of 0, rho and the ciphertext.
		if want := session(0, &k.rho, c); string(want[:]) != string(a) {
			t.Errorf("%d: %x, want %x", i, a, want)
		}
	}
}

// What does not decrypt to the weight w is replaced before it is encrypted.
func TestDecryptReplaces(t *testing.T) {
	r := seeded(15)
	k, _ := GenerateKey(r)
	var want small
	for i := range W {
		want[i] = 1
	}
	var c [roundedSize]byte
	for range 10 {
		io.ReadFull(r, c[:])
		var got small
		if k.decrypt(&got, c[:]); got != want {
			t.Fatal("noise decrypted to something else")
		}
	}
}

func TestRefusals(t *testing.T) {
	r := seeded(2)
	k, _ := GenerateKey(r)
	pk := k.PublicKey()
	for _, n := range []int{0, 1, PublicKeySize - 1, PublicKeySize + 1} {
		if _, _, err := Encapsulate(r, make([]byte, n)); !errors.Is(err, ErrPublicKeySize) {
			t.Errorf("public key of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, 1, CiphertextSize - 1, CiphertextSize + 1} {
		if _, err := k.Decapsulate(make([]byte, n)); !errors.Is(err, ErrCiphertextSize) {
			t.Errorf("ciphertext of %d bytes: %v", n, err)
		}
	}
	// Bytes that no list of coefficients below q encodes to.
	over := bytes.Clone(pk)
	over[PublicKeySize-1] = 0xff
	for _, bad := range [][]byte{over, bytes.Repeat([]byte{0xff}, PublicKeySize)} {
		if _, _, err := Encapsulate(r, bad); !errors.Is(err, ErrPublicKey) {
			t.Errorf("coefficients out of range: %v", err)
		}
	}
	if _, _, err := Encapsulate(r, pk); err != nil {
		t.Error(err)
	}
	k.Erase()
	if _, err := k.Decapsulate(make([]byte, CiphertextSize)); !errors.Is(err, ErrErased) {
		t.Errorf("erased key: %v", err)
	}
	if k.f != (small{}) || k.ginv != (small{}) || k.rho != [smallSize]byte{} {
		t.Error("Erase left something")
	}
}

// A source of randomness that fails does so at every point without harm.
func TestRandomnessFails(t *testing.T) {
	for n := 0; n < 4*P*2+smallSize; n += 500 {
		if _, err := GenerateKey(io.LimitReader(seeded(3), int64(n))); err == nil {
			t.Errorf("a key from %d bytes", n)
		}
	}
	k, _ := GenerateKey(seeded(3))
	if _, _, err := Encapsulate(io.LimitReader(rand.Reader, 100), k.PublicKey()); err == nil {
		t.Error("a ciphertext from 100 bytes")
	}
}

func randomRq(r io.Reader) *rq {
	var w [P]uint32
	randomWords(&w, r)
	var a rq
	for i, v := range w {
		a[i] = uint16(v % Q)
	}
	return &a
}

// slowMul is the product in R/q by definition.
func slowMul(a *rq, b *small) *rq {
	var full [2 * P]int64
	for i, x := range a {
		for j, y := range b {
			full[i+j] += int64(x) * int64(y)
		}
	}
	for i := 2*P - 1; i >= P; i-- {
		full[i-P] += full[i]
		full[i-P+1] += full[i]
	}
	out := new(rq)
	for i := range out {
		out[i] = uint16((full[i]%Q + Q) % Q)
	}
	return out
}

func fill(b int8) *small {
	a := new(small)
	for i := range a {
		a[i] = b
	}
	return a
}

func TestMulSmall(t *testing.T) {
	r := seeded(4)
	most := new(rq)
	for i := range most {
		most[i] = Q - 1
	}
	short, tern := new(small), new(small)
	randomShort(short, r)
	randomSmall(tern, r)
	for _, a := range []*rq{new(rq), most, randomRq(r), randomRq(r), {P - 1: 1}} {
		for _, b := range []*small{new(small), fill(1), fill(-1), short, tern, {P - 1: 1}, {0: -1}} {
			var got rq
			mulSmall(&got, a, b)
			if got != *slowMul(a, b) {
				t.Fatalf("%v… · %v…", a[:4], b[:4])
			}
		}
	}
}

func TestInvertTriple(t *testing.T) {
	r := seeded(5)
	check := func(name string, a *small, must bool) {
		var inv, triple rq
		if !invertTriple(&inv, a) {
			if must {
				t.Errorf("%s: given up", name)
			}
			return
		}
		for i, v := range inv {
			triple[i] = uint16(3 * uint32(v) % Q)
		}
		if *slowMul(&triple, a) != (rq{0: 1}) {
			t.Errorf("%s: 3·a·out is not 1", name)
		}
	}
	for i := range 30 {
		a := new(small)
		randomShort(a, r)
		check(fmt.Sprint("random ", i), a, true)
	}
	// Zeros at the end drive δ up; up to slack the answer is right, beyond it
	// there is none.
	for n := range 2 * slack {
		a := new(small)
		for {
			randomSmall(a, r)
			if clear(a[P-n:]); a[P-1-n] != 0 {
				break
			}
		}
		check(fmt.Sprint(n, " zeros"), a, n < slack-2)
	}
	none := new(small)
	none[0] = 1
	var out rq
	if invertTriple(&out, none) {
		t.Error("δ of 761 was not noticed")
	}
	// Regular elements meet long rows of zeros later.
	for _, a := range []*small{fill(1), fill(-1), {P - 1: 1}, {P - 1: -1, 0: 1}} {
		check("regular", a, false)
	}
}

func TestInverse(t *testing.T) {
	for a := range uint32(Q) {
		want := uint32(1)
		if a == 0 {
			want = 0
		}
		if got := inverse(a); got >= Q || got*a%Q != want {
			t.Fatalf("1/%d = %d", a, got)
		}
	}
}

// The vector form does what the plain one does, and both stay below 2q for the
// largest lanes.
func TestCombine(t *testing.T) {
	r := seeded(6)
	var w [P]uint32
	for round := range 200 {
		randomWords(&w, r)
		n := 1 + round%40
		x, y := make([]uint64, n), make([]uint64, n)
		for i := range n {
			x[i] = uint64(w[4*i]%(2*Q)) | uint64(w[4*i+1]%(2*Q))<<32
			y[i] = uint64(w[4*i+2]%(2*Q)) | uint64(w[4*i+3]%(2*Q))<<32
			if round%4 == 0 {
				x[i], y[i] = (2*Q-1)<<32|(2*Q-1), (2*Q-1)<<32|(2*Q-1)
			}
		}
		c := uint64(w[700]%Q + 1)
		if round%3 == 0 {
			c = Q
		}
		swap := -uint64(w[701] & 1)
		x1, y1, x2, y2 := slices.Clone(x), slices.Clone(y), slices.Clone(x), slices.Clone(y)
		combine(x1, y1, c, swap)
		combineWords(x2, y2, c, swap)
		if !slices.Equal(x1, x2) || !slices.Equal(y1, y2) {
			t.Fatal("combine differs from combineWords")
		}
		for i := range n {
			wantX := x[i]
			if swap != 0 {
				wantX = y[i]
			}
			if x1[i] != wantX {
				t.Fatalf("x = %x, want %x", x1[i], wantX)
			}
			for s := 0; s < 64; s += 32 {
				a, b, z := x[i]>>s&0xffffffff, y[i]>>s&0xffffffff, y1[i]>>s&0xffffffff
				if z >= 2*Q || z%Q != (b+c*a)%Q {
					t.Fatalf("%d + %d·%d = %d", b, c, a, z)
				}
			}
		}
	}
}

// Every quotient estimate for every reachable lane.
func TestReduction(t *testing.T) {
	for z := uint64(0); z <= (2*Q-1)+Q*(2*Q-1); z++ {
		k := (z >> 10) * reciprocal >> 17
		if k > 1<<15-1 || z>>10 > 1<<22-1 || k*Q > z || z-k*Q >= 2*Q {
			t.Fatalf("z = %d: quotient %d", z, k)
		}
	}
}

func slowMulTernary(a, b *small) *small {
	var full [2 * P]int
	for i, x := range a {
		for j, y := range b {
			full[i+j] += int(x) * int(y)
		}
	}
	for i := 2*P - 1; i >= P; i-- {
		full[i-P] += full[i]
		full[i-P+1] += full[i]
	}
	out := new(small)
	for i := range out {
		out[i] = int8((full[i]%3+4)%3 - 1)
	}
	return out
}

func TestTernary(t *testing.T) {
	r := seeded(7)
	for _, x := range []int{-1, 0, 1} {
		for _, y := range []int{-1, 0, 1} {
			bit := func(b bool) uint64 {
				if b {
					return 1
				}
				return 0
			}
			p, m := add3(bit(x == 1), bit(x == -1), bit(y == 1), bit(y == -1))
			if sum := (x+y+4)%3 - 1; int(p)-int(m) != sum || p&m != 0 {
				t.Errorf("%d + %d = %d - %d", x, y, p, m)
			}
		}
	}
	invertible := 0
	for range 60 {
		a, b := new(small), new(small)
		randomSmall(a, r)
		randomSmall(b, r)
		var got small
		mulTernary(&got, a, b)
		if got != *slowMulTernary(a, b) {
			t.Fatal("wrong product")
		}
		if invertTernary(&got, a) {
			invertible++
			if *slowMulTernary(a, &got) != (small{0: 1}) {
				t.Fatal("wrong inverse")
			}
		}
	}
	if invertible < 40 {
		t.Errorf("only %d of 60 are invertible", invertible)
	}
	var got small
	if invertTernary(&got, new(small)) {
		t.Error("0 has an inverse")
	}
	for _, a := range []*small{{0: 1}, {0: -1}, {1: 1}, {760: 1}} {
		if !invertTernary(&got, a) || *slowMulTernary(a, &got) != (small{0: 1}) {
			t.Error("a unit has a wrong inverse")
		}
	}
}

func TestSortWords(t *testing.T) {
	r := seeded(8)
	for i := range 50 {
		var w [P]uint32
		randomWords(&w, r)
		for j := range w {
			w[j] >>= i % 32 // many equal ones too
		}
		want := w
		slices.Sort(want[:])
		if sortWords(&w); w != want {
			t.Fatal("not sorted")
		}
	}
	// The zero-one principle's hardest inputs.
	for i := range P + 1 {
		var w, want [P]uint32
		for j := range i {
			w[j] = 1
			want[P-1-j] = 1
		}
		if sortWords(&w); w != want {
			t.Fatalf("%d ones first", i)
		}
	}
}

func TestShortHasItsWeight(t *testing.T) {
	r := seeded(9)
	signs := [3]int{}
	for range 20 {
		var a small
		randomShort(&a, r)
		n := 0
		for _, c := range a {
			signs[c+1]++
			if c != 0 {
				n++
			}
		}
		if n != W {
			t.Fatalf("weight %d", n)
		}
	}
	if signs[0] < 20*W/3 || signs[2] < 20*W/3 {
		t.Errorf("signs are lopsided: %v", signs)
	}
}

// refEncode is the submission's recursive description, with a modulus for each
// number.
func refEncode(r, m []uint32) []byte {
	if len(r) == 1 {
		var out []byte
		for x, y := r[0], m[0]; y > 1; x, y = x>>8, (y+255)>>8 {
			out = append(out, byte(x))
		}
		return out
	}
	var out []byte
	var r2, m2 []uint32
	for i := 0; i+1 < len(r); i += 2 {
		x, y := r[i]+r[i+1]*m[i], m[i]*m[i+1]
		for y >= 16384 {
			out = append(out, byte(x))
			x, y = x>>8, (y+255)>>8
		}
		r2, m2 = append(r2, x), append(m2, y)
	}
	if len(r)%2 == 1 {
		r2, m2 = append(r2, r[len(r)-1]), append(m2, m[len(r)-1])
	}
	return append(out, refEncode(r2, m2)...)
}

func TestEncode(t *testing.T) {
	r := seeded(10)
	for _, m := range []uint32{2, 3, 255, 256, 257, rounded, Q, 16383} {
		for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 95, 128, 760, 761} {
			var w [P]uint32
			randomWords(&w, r)
			nums, mods := make([]uint32, n), make([]uint32, n)
			for i := range nums {
				nums[i], mods[i] = w[i]%m, m
				if w[0]%4 == 0 {
					nums[i] = m - 1
				}
			}
			want := refEncode(nums, mods)
			enc := encode(nil, slices.Clone(nums), m)
			if !bytes.Equal(enc, want) {
				t.Fatalf("%d numbers below %d: %x, want %x", n, m, enc, want)
			}
			got := make([]uint32, n)
			decode(got, enc, m)
			if !slices.Equal(got, nums) {
				t.Fatalf("%d numbers below %d: %v became %v", n, m, nums, got)
			}
		}
	}
}

func FuzzEncapsulate(f *testing.F) {
	k, _ := GenerateKey(seeded(11))
	f.Add(k.PublicKey())
	f.Add(make([]byte, PublicKeySize))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, pk []byte) {
		ss, ct, err := Encapsulate(seeded(12), pk)
		if err != nil {
			return
		}
		var h rq
		decodeRq(&h, pk)
		if !bytes.Equal(encodeRq(nil, &h), pk) || len(ss) != SharedKeySize || len(ct) != CiphertextSize {
			t.Error("a key that is not canonical was taken")
		}
	})
}

func FuzzDecapsulate(f *testing.F) {
	k, _ := GenerateKey(seeded(13))
	ss, ct, _ := Encapsulate(seeded(14), k.PublicKey())
	f.Add(ct)
	f.Add(make([]byte, CiphertextSize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, c []byte) {
		got, err := k.Decapsulate(c)
		if (err == nil) != (len(c) == CiphertextSize) {
			t.Errorf("%d bytes: %v", len(c), err)
		}
		if err == nil && bytes.Equal(got, ss) != bytes.Equal(c, ct) {
			t.Error("two ciphertexts carry one secret")
		}
	})
}

func BenchmarkGenerateKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		GenerateKey(rand.Reader)
	}
}

func BenchmarkEncapsulate(b *testing.B) {
	k, _ := GenerateKey(rand.Reader)
	pk := k.PublicKey()
	b.ReportAllocs()
	for b.Loop() {
		Encapsulate(rand.Reader, pk)
	}
}

func BenchmarkDecapsulate(b *testing.B) {
	k, _ := GenerateKey(rand.Reader)
	_, ct, _ := Encapsulate(rand.Reader, k.PublicKey())
	b.ReportAllocs()
	for b.Loop() {
		k.Decapsulate(ct)
	}
}

func BenchmarkParts(b *testing.B) {
	var a, out small
	randomShort(&a, rand.Reader)
	x := randomRq(rand.Reader)
	var y rq
	b.Run("invertTriple", func(b *testing.B) {
		for b.Loop() {
			invertTriple(&y, &a)
		}
	})
	b.Run("invertTernary", func(b *testing.B) {
		for b.Loop() {
			invertTernary(&out, &a)
		}
	})
	b.Run("mulSmall", func(b *testing.B) {
		for b.Loop() {
			mulSmall(&y, x, &a)
		}
	})
	b.Run("mulTernary", func(b *testing.B) {
		for b.Loop() {
			mulTernary(&out, &a, &a)
		}
	})
	b.Run("randomShort", func(b *testing.B) {
		for b.Loop() {
			randomShort(&out, rand.Reader)
		}
	})
}
