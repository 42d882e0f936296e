package cipher

import (
	"bytes"
	"crypto/aes"
	stdcipher "crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/poly1305"
)

func TestTables(t *testing.T) {
	var ciphers, macs []string
	for i := range Ciphers {
		c := &Ciphers[i]
		ciphers = append(ciphers, c.Name)
		if CipherByName(c.Name) != c {
			t.Errorf("CipherByName(%s) is another row", c.Name)
		}
		if c.Legacy == slices.Contains(DefaultCiphers(), c.Name) {
			t.Errorf("%s: legacy and default at once, or neither", c.Name)
		}
	}
	for i := range MACs {
		m := &MACs[i]
		macs = append(macs, m.Name)
		if MACByName(m.Name) != m {
			t.Errorf("MACByName(%s) is another row", m.Name)
		}
		if m.Legacy == slices.Contains(DefaultMACs(), m.Name) {
			t.Errorf("%s: legacy and default at once, or neither", m.Name)
		}
	}
	if want := []string{"3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-ctr", "aes192-ctr", "aes256-ctr",
		"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"}; !slices.Equal(ciphers, want) {
		t.Errorf("ciphers %q", ciphers)
	}
	want := []string{"hmac-sha1", "hmac-sha1-96", "hmac-sha2-256", "hmac-sha2-512", "hmac-md5", "hmac-md5-96", "umac-64@openssh.com", "umac-128@openssh.com"}
	for _, name := range want[:8:8] {
		name, _, _ = strings.Cut(name, "@")
		want = append(want, name+"-etm@openssh.com")
	}
	if !slices.Equal(macs, want) {
		t.Errorf("macs %q", macs)
	}
	client := ClientCiphers()
	slices.Sort(client)
	if all := DefaultCiphers(); !slices.Equal(client, slices.Sorted(slices.Values(all))) {
		t.Errorf("the client's order has other names: %q", client)
	}
	if CipherByName("none") != nil || MACByName("") != nil {
		t.Error("a row for a name that is none")
	}
}

func TestRekeyBlocks(t *testing.T) {
	for name, want := range map[string]uint64{"aes128-ctr": 1 << 32, "aes256-gcm@openssh.com": 1 << 32, "3des-cbc": 1 << 27, "chacha20-poly1305@openssh.com": 1 << 27} {
		if got := CipherByName(name).RekeyBlocks(); got != want {
			t.Errorf("%s: %d blocks, want %d", name, got, want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	ctr, gcm, mac := CipherByName("aes128-ctr"), CipherByName("aes128-gcm@openssh.com"), MACByName("hmac-sha2-256")
	b := make([]byte, 64)
	for _, v := range []struct {
		c               *Cipher
		m               *MAC
		key, iv, macKey []byte
		want            error
	}{
		{nil, mac, b[:16], b[:16], b[:32], ErrNoCipher},
		{ctr, nil, b[:16], b[:16], nil, ErrNoMAC},
		{ctr, mac, b[:15], b[:16], b[:32], ErrKeySize},
		{ctr, mac, b[:17], b[:16], b[:32], ErrKeySize},
		{ctr, mac, b[:16], b[:12], b[:32], ErrIVSize},
		{ctr, mac, b[:16], b[:16], b[:31], ErrMACSize},
		{gcm, nil, b[:16], b[:16], nil, ErrIVSize},
		{gcm, nil, b[:32], b[:12], nil, ErrKeySize},
		{gcm, mac, b[:16], b[:12], nil, nil},
	} {
		p, err := New(v.c, v.m, v.key, v.iv, v.macKey, true)
		if !errors.Is(err, v.want) || (p == nil) != (v.want != nil) {
			t.Errorf("%+v: %v, want %v", v.c, err, v.want)
		}
	}
}

// Every suite opens what it sealed, over many packets of many sizes, and the
// numbers that it gives for framing are those that its peers use.
func TestRoundTrip(t *testing.T) {
	for _, s := range suites() {
		t.Run(s.String(), func(t *testing.T) {
			seal, open := s.pair(t)
			etm := s.m == nil || s.m.ETM
			first, aad, tag := 4, 4, 16
			if s.m != nil {
				tag = s.m.TagSize
			}
			if !etm {
				first, aad = s.c.BlockSize, 0
			}
			cbc := s.c.mode == modeAESCBC || s.c.mode == mode3DESCBC
			if seal.First() != first || seal.AAD() != aad || seal.Tag() != tag || seal.Block() != s.c.BlockSize || seal.Oracle() != (cbc && !etm) {
				t.Errorf("First %d AAD %d Tag %d Block %d Oracle %v", seal.First(), seal.AAD(), seal.Tag(), seal.Block(), seal.Oracle())
			}
			seq := uint32(1<<32 - 40) // and over the end of the numbers
			for i := range 150 {
				n := i
				if i > 100 {
					n = 1 + i*i*i%40000
				}
				clear := packet(seal, n, uint64(i))
				b := bytes.Clone(clear)
				seal.Seal(b, seq)
				body := len(b) - seal.Tag()
				if bytes.Equal(b[aad:body], clear[aad:body]) {
					t.Fatalf("packet %d is in clear", i)
				}
				got := open.Length(b[:open.First()], seq)
				if want := binary.BigEndian.Uint32(clear); got != want {
					t.Fatalf("packet %d: length %d, want %d", i, got, want)
				}
				if !open.Open(b, seq) {
					t.Fatalf("packet %d of %d bytes refused", i, len(b))
				}
				if !bytes.Equal(b[:body], clear[:body]) {
					t.Fatalf("packet %d is another", i)
				}
				seq++
			}
		})
	}
}

// Seal and Open touch nothing behind the packet: the next one may lie there.
func TestInPlace(t *testing.T) {
	for _, s := range suites() {
		seal, open := s.pair(t)
		for i, n := range []int{1, 100, 300, 5000} {
			p := packet(seal, n, 9)
			buf := bytes.Repeat([]byte{0xa5}, 7+len(p)+200)
			b := buf[7 : 7+len(p)]
			copy(b, p)
			seal.Seal(b, uint32(i))
			open.Length(b, uint32(i))
			if !open.Open(b, uint32(i)) {
				t.Fatalf("%s: %d bytes refused", s, n)
			}
			if want := bytes.Repeat([]byte{0xa5}, 200); !bytes.Equal(buf[7+len(p):], want) || !bytes.Equal(buf[:7], want[:7]) {
				t.Fatalf("%s: %d bytes: wrote outside of the packet", s, n)
			}
		}
	}
}

// Every single bit counts, in the length, the body and the tag, and so does
// the number of the packet (PKT-5, PKT-6).
func TestForgeries(t *testing.T) {
	for _, s := range suites() {
		seal, _ := s.pair(t)
		const seq = 3
		sealed := packet(seal, 40, 5)
		seal.Seal(sealed, seq)
		refused := func(what string, i int, b []byte, seq uint32) {
			t.Helper()
			_, open := s.pair(t)
			open.Length(b, seq)
			if open.Open(b, seq) {
				t.Fatalf("%s: %s %d accepted", s, what, i)
			}
		}
		for bit := range 8 * len(sealed) {
			b := bytes.Clone(sealed)
			b[bit/8] ^= 1 << (bit % 8)
			refused("flipped bit", bit, b, seq)
		}
		if s.c.mode != modeGCM { // which numbers packets by itself
			for _, other := range []uint32{seq - 1, seq + 1, seq ^ 1<<31} {
				refused("packet number", int(other), bytes.Clone(sealed), other)
			}
		}
		_, open := s.pair(t)
		open.Length(bytes.Clone(sealed), seq)
		refused("cut by", 1, sealed[:len(sealed)-1], seq)
		refused("tag alone", 0, append(make([]byte, seal.First()), sealed[len(sealed)-seal.Tag():]...), seq)
	}
}

// A packet twice, or the second before the first, is refused by the ciphers
// that count by themselves as well.
func TestReplay(t *testing.T) {
	for _, s := range suites() {
		seal, open := s.pair(t)
		b := packet(seal, 40, 5)
		seal.Seal(b, 0)
		again := bytes.Clone(b)
		open.Length(b, 0)
		if !open.Open(b, 0) {
			t.Fatalf("%s: refused", s)
		}
		open.Length(again, 1)
		if open.Open(again, 1) {
			t.Fatalf("%s: replay accepted", s)
		}
	}
}

// Open refuses, and does not panic on, anything shorter than a packet.
func TestShort(t *testing.T) {
	for _, s := range suites() {
		for n := range 100 {
			_, open := s.pair(t)
			b := make([]byte, n)
			if n >= open.First() {
				open.Length(b, 0)
			}
			if open.Open(b, 0) {
				t.Fatalf("%s: %d zeros accepted", s, n)
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	for _, s := range suites() {
		seal, open := s.pair(t)
		for _, n := range []int{20, 250, 1000, 2100} {
			b := packet(seal, n, 1)
			length := [4]byte(b)
			seq := uint32(0)
			ok := true
			if got := testing.AllocsPerRun(50, func() {
				copy(b, length[:])
				seal.Seal(b, seq)
				open.Length(b, seq)
				ok = ok && open.Open(b, seq)
				seq++
			}); got != 0 {
				t.Errorf("%s: %v allocations for a packet of %d bytes", s, got, n)
			}
			if !ok {
				t.Errorf("%s: refused", s)
			}
			seal, open = s.pair(t)
		}
	}
}

func TestErase(t *testing.T) {
	for _, s := range suites() {
		seal, open := s.pair(t)
		b := packet(seal, 40, 5)
		seal.Seal(b, 0)
		open.(Eraser).Erase()
		open.Length(bytes.Clone(b), 0)
		if open.Open(b, 0) {
			t.Errorf("%s: opens after Erase", s)
		}
		seal.(Eraser).Erase()
		b = packet(seal, 40, 5)
		seal.Seal(b, 1)
		if !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("%s: seals after Erase", s)
		}
	}
}

// UMAC keys and ChaCha20 keys are ours to clear (PKT-15).
func TestEraseClears(t *testing.T) {
	u := newTestUMAC(t, "abcdefghijklmnop", 16)
	u.sum(0, make([]byte, 100))
	u.erase()
	if u.nh != (umac{}).nh || u.poly != (umac{}).poly || u.inner != (umac{}).inner || u.final != (umac{}).final || u.last != (umac{}).last {
		t.Error("UMAC keeps key material")
	}
	p, _ := newChaCha((*[64]byte)(bytesOf(64, 1)), levelNone)
	p.Seal(packet(p, 1000, 1), 0)
	p.(Eraser).Erase()
	if c := p.(*chacha); c.k1 != [32]byte{} || c.k2 != [32]byte{} || c.pk != [32]byte{} || c.block0 != [64]byte{} {
		t.Error("ChaCha20 keeps key material")
	}
}

// The counter of AES-GCM wraps, but is never used twice (PKT-7).
func TestGCMCounter(t *testing.T) {
	key := bytesOf(16, 1)
	iv := [12]byte{1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}
	seal, err := newGCM(key, &iv)
	if err != nil {
		t.Fatal(err)
	}
	open, _ := newGCM(key, &iv)
	block, _ := aes.NewCipher(key)
	aead, _ := stdcipher.NewGCM(block)
	for _, nonce := range []string{"01020304fffffffffffffffe", "01020304ffffffffffffffff", "010203040000000000000000", "010203040000000000000001"} {
		b := packet(seal, 50, 6)
		e := len(b) - gcmTag
		want := aead.Seal(bytes.Clone(b[:4]), unhex(t, nonce), b[4:e], b[:4])
		seal.Seal(b, 0)
		if !bytes.Equal(b, want) {
			t.Fatalf("nonce %s: %x, want %x", nonce, b, want)
		}
		if !open.Open(b, 0) {
			t.Fatalf("nonce %s: refused", nonce)
		}
	}

	seal.(*gcm).left, open.(*gcm).left = 1, 1
	b := packet(seal, 50, 6)
	seal.Seal(b, 0)
	if !open.Open(b, 0) {
		t.Fatal("the last nonce was refused")
	}
	b = packet(seal, 50, 6)
	seal.Seal(b, 0)
	if !bytes.Equal(b, make([]byte, len(b))) {
		t.Fatal("sealed without a nonce")
	}
	if open.Open(b, 0) {
		t.Fatal("opened without a nonce")
	}
}

// reference seals as the specifications say it, with nothing kept but the
// chaining of the cipher.
func (s suite) reference(t *testing.T) func(b []byte, seq uint32) {
	key, iv := bytesOf(s.c.KeySize, 1), bytesOf(s.c.IVSize, 2)
	switch s.c.mode {
	case modeChaCha:
		return func(b []byte, seq uint32) { referenceChaCha((*[64]byte)(key), b, seq) }
	case modeGCM:
		block, _ := aes.NewCipher(key)
		aead, _ := stdcipher.NewGCM(block)
		return func(b []byte, _ uint32) {
			aead.Seal(b[4:4], iv, b[4:len(b)-16], b[:4])
			binary.BigEndian.PutUint64(iv[4:], binary.BigEndian.Uint64(iv[4:])+1)
		}
	}
	macKey := bytesOf(s.m.KeySize, 3)
	mac := func(seq uint32, b []byte) []byte {
		var h hash.Hash
		switch s.m.hash {
		case macUMAC:
			return newTestUMAC(t, string(macKey), s.m.TagSize).tag(uint64(seq), b)
		case macSHA1:
			h = hmac.New(sha1.New, macKey)
		case macSHA256:
			h = hmac.New(sha256.New, macKey)
		case macSHA512:
			h = hmac.New(sha512.New, macKey)
		case macMD5:
			h = hmac.New(md5.New, macKey)
		}
		h.Write(binary.BigEndian.AppendUint32(nil, seq))
		h.Write(b)
		return h.Sum(nil)[:s.m.TagSize]
	}
	var crypt func([]byte)
	if s.c.mode == modeCTR {
		block, _ := aes.NewCipher(key)
		ctr := stdcipher.NewCTR(block, iv)
		crypt = func(b []byte) { ctr.XORKeyStream(b, b) }
	} else {
		block, _ := aes.NewCipher(key)
		if s.c.mode == mode3DESCBC {
			block, _ = des.NewTripleDESCipher(key)
		}
		cbc := stdcipher.NewCBCEncrypter(block, iv)
		crypt = func(b []byte) { cbc.CryptBlocks(b, b) }
	}
	return func(b []byte, seq uint32) {
		e := len(b) - s.m.TagSize
		if s.m.ETM {
			crypt(b[4:e])
			copy(b[e:], mac(seq, b[:e]))
		} else {
			copy(b[e:], mac(seq, b[:e]))
			crypt(b[:e])
		}
	}
}

// referenceChaCha is chacha20-poly1305@openssh.com of its plainest parts.
func referenceChaCha(key *[64]byte, b []byte, seq uint32) {
	nonce := binary.BigEndian.AppendUint64(make([]byte, 4), uint64(seq))
	length, _ := chacha20.NewUnauthenticatedCipher(key[32:], nonce)
	length.XORKeyStream(b[:4], b[:4])
	body, _ := chacha20.NewUnauthenticatedCipher(key[:32], nonce)
	var poly [32]byte
	body.XORKeyStream(poly[:], poly[:])
	body.SetCounter(1)
	e := len(b) - 16
	body.XORKeyStream(b[4:e], b[4:e])
	poly1305.Sum((*[16]byte)(b[e:]), b[:e], &poly)
}

func TestReference(t *testing.T) {
	for _, s := range suites() {
		seal, _ := s.pair(t)
		want := s.reference(t)
		for i, n := range []int{1, 11, 12, 13, 100, 255, 256, 300, 1000, 1024, 1025, 5000, 32768, 1, 40000} {
			a := packet(seal, n, uint64(i))
			b := bytes.Clone(a)
			seal.Seal(a, uint32(i))
			want(b, uint32(i))
			if !bytes.Equal(a, b) {
				t.Fatalf("%s: packet %d of %d bytes differs", s, i, n)
			}
		}
	}
}

// chacha20-poly1305@openssh.com at every level of this build against the plain
// parts, sealing and opening in place, at odd alignments, in and out of order.
func TestChaChaLevels(t *testing.T) {
	key := (*[64]byte)(bytesOf(64, 8))
	sizes := []int{32 << 10, 32<<10 + 14, 128 << 10, 128<<10 - 1}
	for n := range 3001 {
		sizes = append(sizes, n)
	}
	for level := levelNone; level <= vectorLevel(); level++ {
		seal, _ := newChaCha(key, level)
		open, _ := newChaCha(key, level)
		for i, n := range sizes {
			seq := uint32(i)
			if i%3 == 0 {
				seq = uint32(i) * 0x9e3779b9
			}
			clear := bytesOf(4+n+chachaTag, uint64(n))
			off := i % 67
			b := append(make([]byte, off, off+len(clear)), clear...)[off:]
			seal.Seal(b, seq)
			want := bytes.Clone(clear)
			referenceChaCha(key, want, seq)
			if !bytes.Equal(b, want) {
				t.Fatalf("level %d: %d bytes, packet %#x: sealed otherwise", level, n, seq)
			}
			if got := open.Length(b, seq); got != binary.BigEndian.Uint32(clear) {
				t.Fatalf("level %d: %d bytes: length %#x", level, n, got)
			}
			if !open.Open(b, seq) || !bytes.Equal(b[:4+n], clear[:4+n]) {
				t.Fatalf("level %d: %d bytes, packet %#x: refused or another", level, n, seq)
			}
		}
	}
}

// The same over packets in a row, where key stream that was made ahead for
// packets of one size meets packets of another.
func TestChaChaMixedSizes(t *testing.T) {
	key := (*[64]byte)(bytesOf(64, 8))
	r := rand.New(rand.NewPCG(5, 6))
	for level := levelNone; level <= vectorLevel(); level++ {
		seal, _ := newChaCha(key, level)
		open, _ := newChaCha(key, level)
		most := 1
		for seq := uint32(1<<32 - 500); seq != 1500; seq++ {
			if r.IntN(10) == 0 {
				most = 1 + r.IntN(1500)
			}
			n := r.IntN(most)
			clear := bytesOf(4+n+chachaTag, uint64(seq))
			b, want := bytes.Clone(clear), bytes.Clone(clear)
			seal.Seal(b, seq)
			referenceChaCha(key, want, seq)
			if !bytes.Equal(b, want) {
				t.Fatalf("level %d: %d bytes, packet %#x: sealed otherwise", level, n, seq)
			}
			open.Length(b, seq)
			if !open.Open(b, seq) || !bytes.Equal(b[:4+n], clear[:4+n]) {
				t.Fatalf("level %d: %d bytes, packet %#x: refused or another", level, n, seq)
			}
		}
	}
}

// NIST SP 800-38A, F.2 and F.5: the body of an encrypt-then-MAC packet, or a
// whole packet that claims an absurd length.
func TestNISTModes(t *testing.T) {
	const plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
	for _, v := range []struct{ name, key, iv, want string }{
		{"aes128-cbc", "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f", "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
		{"aes192-cbc", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f", "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
		{"aes256-cbc", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "000102030405060708090a0b0c0d0e0f", "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
		{"aes128-ctr", "2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
		{"aes192-ctr", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e941e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"},
		{"aes256-ctr", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"},
		// Made with OpenSSL 3.0.
		{"3des-cbc", "0123456789abcdef23456789abcdef01456789abcdef0123", "f69f2445df4f9b17", "2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da79bd86425fae429fdbd65a7a21b6e5d20925d8b0ef919a428154b96ed90f2bc1e"},
	} {
		for _, name := range []string{"hmac-sha2-256", "hmac-sha2-256-etm@openssh.com"} {
			m := MACByName(name)
			p, err := New(CipherByName(v.name), m, unhex(t, v.key), unhex(t, v.iv), make([]byte, m.KeySize), true)
			if err != nil {
				t.Fatal(err)
			}
			b := append(make([]byte, p.AAD()), unhex(t, plain)...)
			b = append(b, make([]byte, p.Tag())...)
			p.Seal(b, 0)
			if got := hex.EncodeToString(b[p.AAD() : len(b)-p.Tag()]); got != v.want {
				t.Errorf("%s with %s: %s, want %s", v.name, name, got, v.want)
			}
		}
	}
}

// RFC 2202 and RFC 4231, case 1, 2 and 6, of which the first four bytes pass
// as the sequence number.
func TestHMACVectors(t *testing.T) {
	key := func(b byte, n int) string { return string(bytes.Repeat([]byte{b}, n)) }
	for _, v := range []struct{ mac, key, data, want string }{
		{"hmac-md5", key(0x0b, 16), "Hi There", "9294727a3638bb1c13f48ef8158bfc9d"},
		{"hmac-md5", "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"},
		{"hmac-md5-96", "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e31"},
		{"hmac-sha1", key(0x0b, 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
		{"hmac-sha1", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{"hmac-sha1-96", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5"},
		{"hmac-sha2-256", key(0x0b, 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"hmac-sha2-256", "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"hmac-sha2-256", key(0xaa, 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{"hmac-sha2-512", key(0x0b, 20), "Hi There", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{"hmac-sha2-512", "Jefe", "what do ya want for nothing?", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	} {
		m, err := newMAC(MACByName(v.mac), []byte(v.key))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second from the kept state
			if got := hex.EncodeToString(m.sum(binary.BigEndian.Uint32([]byte(v.data)), []byte(v.data[4:]))); got != v.want {
				t.Errorf("%s: %s, want %s", v.mac, got, v.want)
			}
		}
	}
}

func TestVectorName(t *testing.T) {
	if got := Vector(); got != vectorName(vectorLevel()) || vectorLevel() == levelNone && got != "" {
		t.Errorf("Vector() = %q at level %d", got, vectorLevel())
	}
}

// Ends of many connections at once, while the collector stops the goroutines
// wherever they are: vector registers must survive that.
func TestConcurrentPackets(t *testing.T) {
	key := (*[64]byte)(bytesOf(64, 8))
	clear := bytesOf(64<<10, 1)
	want := bytes.Clone(clear)
	referenceChaCha(key, want, 1)
	stop := make(chan struct{})
	var collector, ends sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for range 4 {
		ends.Go(func() {
			b := make([]byte, len(clear))
			for range 300 {
				p, _ := newChaCha(key, vectorLevel())
				copy(b, clear)
				p.Seal(b, 1)
				if !bytes.Equal(b, want) {
					t.Error("sealed otherwise")
					return
				}
				p.Length(b, 1)
				if !p.Open(b, 1) {
					t.Error("refused")
					return
				}
			}
		})
	}
	ends.Wait()
	close(stop)
	collector.Wait()
}
