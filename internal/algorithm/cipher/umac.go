package cipher

import (
	"crypto/aes"
	stdcipher "crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// UMAC (RFC 4418) with tags of 8 and 16 bytes, the nonce being the sequence
// number as 64 bits. A tag of 4·n bytes is n independent hashes of 4 bytes
// ("streams"), each in three layers (NH, a polynomial, an inner product), XORed
// with a pad that AES makes of the nonce.
const (
	umacKeySize  = 16
	umacStreams  = 4       // most that are used: a tag of 16 bytes
	umacChunk    = 1024    // bytes that one key of NH hashes
	umacNHKey    = 256     // words of 32 bits in it
	umacShift    = 4       // words by which the key of the next stream starts later
	umacMax      = 1 << 24 // longest message; beyond it §5.3 has one more layer, which no packet needs
	umacPrime36  = 1<<36 - 5
	umacOffset64 = 59                 // 2^64 - the prime
	umacPrime64  = 1<<64 - 59         // of the polynomial
	umacMark64   = 1<<64 - 1<<32      // words from here on are escaped by a marker
	umacMask64   = 0x01ffffff01ffffff // of the key of the polynomial
)

// umac is umac-64@openssh.com and umac-128@openssh.com.
type umac struct {
	pad     stdcipher.Block // PDF, §4
	streams int             // 2 or 4
	nh      [umacNHKey + umacShift*(umacStreams-1)]uint32
	poly    [umacStreams]uint64
	inner   [umacStreams][4]uint64 // the second half of L3's key; the first meets zeros
	final   [umacStreams]uint32
	nonce   [aes.BlockSize]byte // these are here, because what goes through an interface escapes
	out     [aes.BlockSize]byte
	last    [32]byte // the padded end of a message
}

// newUMAC expands the key (§3.2, KDF) for tags of that many bytes, 8 or 16.
func newUMAC(key *[umacKeySize]byte, tag int) (mac, error) {
	kdf, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("umac: %w", err)
	}
	u := &umac{streams: tag / 4}
	var pad [umacKeySize]byte
	umacDerive(kdf, 0, pad[:])
	if u.pad, err = aes.NewCipher(pad[:]); err != nil {
		return nil, fmt.Errorf("umac: %w", err)
	}
	var b [4 * len(u.nh)]byte
	umacDerive(kdf, 1, b[:])
	for i := range u.nh {
		u.nh[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	// Of 24 bytes a stream, the last 16 are for messages over umacMax.
	umacDerive(kdf, 2, b[:24*umacStreams])
	for i := range u.poly {
		u.poly[i] = binary.BigEndian.Uint64(b[24*i:]) & umacMask64
	}
	umacDerive(kdf, 3, b[:64*umacStreams])
	for i := range u.inner {
		for j := range u.inner[i] {
			u.inner[i][j] = binary.BigEndian.Uint64(b[64*i+32+8*j:]) % umacPrime36
		}
	}
	umacDerive(kdf, 4, b[:4*umacStreams])
	for i := range u.final {
		u.final[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	clear(b[:])
	clear(pad[:])
	return u, nil
}

// umacDerive is KDF of §3.2.1: AES over the index and a counter from 1.
func umacDerive(kdf stdcipher.Block, index uint64, out []byte) {
	var in, block [aes.BlockSize]byte
	binary.BigEndian.PutUint64(in[:], index)
	for i := uint64(1); len(out) > 0; i++ {
		binary.BigEndian.PutUint64(in[8:], i)
		kdf.Encrypt(block[:], in[:])
		out = out[copy(out, block[:]):]
	}
	clear(block[:])
}

func (u *umac) sum(seq uint32, b []byte) []byte {
	return u.tag(uint64(seq), b)
}

// tag is UMAC of b, len(b) <= umacMax, under the nonce.
func (u *umac) tag(nonce uint64, b []byte) []byte {
	var hash [umacStreams]uint32
	if len(b) <= umacChunk {
		var l1 [umacStreams]uint64
		u.layer1(&l1, b)
		for i := range u.streams {
			hash[i] = u.layer3(i, l1[i])
		}
	} else {
		y := [umacStreams]uint64{1, 1, 1, 1}
		for len(b) > 0 {
			n := min(len(b), umacChunk)
			var l1 [umacStreams]uint64
			u.layer1(&l1, b[:n])
			for i := range u.streams {
				y[i] = umacPoly(y[i], u.poly[i], l1[i])
			}
			b = b[n:]
		}
		for i := range u.streams {
			hash[i] = u.layer3(i, y[i])
		}
	}

	// PDF, §4: a pad block holds two tags of 8 bytes, chosen by the lowest bit.
	half := uint64(0)
	if u.streams == 2 {
		half, nonce = nonce&1, nonce&^1
	}
	binary.BigEndian.PutUint64(u.nonce[:], nonce)
	u.pad.Encrypt(u.out[:], u.nonce[:])
	out := u.out[half*8:]
	for i := range u.streams {
		binary.BigEndian.PutUint32(out[4*i:], binary.BigEndian.Uint32(out[4*i:])^hash[i])
	}
	return out[:4*u.streams]
}

// layer1 is NH (§5.2.2) of one chunk, padded with zeros to 32 bytes, plus its
// length in bits, for every stream.
func (u *umac) layer1(l1 *[umacStreams]uint64, b []byte) {
	n := len(b) &^ 31
	if u.streams == 2 {
		l1[0], l1[1] = umacNH2(u.nh[:], b[:n], 0, 0)
	} else {
		umacNH4(l1, u.nh[:], b[:n])
	}
	if n < len(b) || len(b) == 0 {
		last := u.last[:]
		clear(last[copy(last, b[n:]):])
		if u.streams == 2 {
			l1[0], l1[1] = umacNH2(u.nh[n/4:], last, l1[0], l1[1])
		} else {
			umacNH4(l1, u.nh[n/4:], last)
		}
	}
	for i := range l1 {
		l1[i] += 8 * uint64(len(b))
	}
}

// umacNH2 adds to s and t NH of b, a multiple of 32 bytes, under the first two
// streams' keys in k, which has 12 words for the first 32 bytes.
func umacNH2(k []uint32, b []byte, s, t uint64) (uint64, uint64) {
	for len(b) >= 32 && len(k) >= 12 {
		m0, m4 := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[16:])
		s += uint64(m0+k[0]) * uint64(m4+k[4])
		t += uint64(m0+k[4]) * uint64(m4+k[8])
		m1, m5 := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[20:])
		s += uint64(m1+k[1]) * uint64(m5+k[5])
		t += uint64(m1+k[5]) * uint64(m5+k[9])
		m2, m6 := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[24:])
		s += uint64(m2+k[2]) * uint64(m6+k[6])
		t += uint64(m2+k[6]) * uint64(m6+k[10])
		m3, m7 := binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[28:])
		s += uint64(m3+k[3]) * uint64(m7+k[7])
		t += uint64(m3+k[7]) * uint64(m7+k[11])
		b, k = b[32:], k[8:]
	}
	return s, t
}

// umacNH4 is umacNH2 for four streams; k has 20 words for the first 32 bytes.
func umacNH4(l1 *[umacStreams]uint64, k []uint32, b []byte) {
	s, t, v, w := l1[0], l1[1], l1[2], l1[3]
	for len(b) >= 32 && len(k) >= 20 {
		m0, m4 := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[16:])
		s += uint64(m0+k[0]) * uint64(m4+k[4])
		t += uint64(m0+k[4]) * uint64(m4+k[8])
		v += uint64(m0+k[8]) * uint64(m4+k[12])
		w += uint64(m0+k[12]) * uint64(m4+k[16])
		m1, m5 := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[20:])
		s += uint64(m1+k[1]) * uint64(m5+k[5])
		t += uint64(m1+k[5]) * uint64(m5+k[9])
		v += uint64(m1+k[9]) * uint64(m5+k[13])
		w += uint64(m1+k[13]) * uint64(m5+k[17])
		m2, m6 := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[24:])
		s += uint64(m2+k[2]) * uint64(m6+k[6])
		t += uint64(m2+k[6]) * uint64(m6+k[10])
		v += uint64(m2+k[10]) * uint64(m6+k[14])
		w += uint64(m2+k[14]) * uint64(m6+k[18])
		m3, m7 := binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[28:])
		s += uint64(m3+k[3]) * uint64(m7+k[7])
		t += uint64(m3+k[7]) * uint64(m7+k[11])
		v += uint64(m3+k[11]) * uint64(m7+k[15])
		w += uint64(m3+k[15]) * uint64(m7+k[19])
		b, k = b[32:], k[8:]
	}
	l1[0], l1[1], l1[2], l1[3] = s, t, v, w
}

// umacPoly is a step of POLY (§5.3.2) over the prime of 64 bits: words in the
// range that the prime does not cover are sent as a marker and an offset.
func umacPoly(y, k, m uint64) uint64 {
	if m >= umacMark64 {
		y = umacMulAdd(y, k, umacPrime64-1)
		m -= umacOffset64
	}
	return umacMulAdd(y, k, m)
}

// umacMulAdd is y·k + m modulo the prime, fully reduced; k <= umacMask64.
func umacMulAdd(y, k, m uint64) uint64 {
	hi, lo := bits.Mul64(y, k)
	// hi < 2^57, so 59·hi fits: 2^64 is 59 modulo the prime.
	var c uint64
	lo, c = bits.Add64(lo, hi*umacOffset64, 0)
	lo, c = bits.Add64(lo, c*umacOffset64, 0)
	lo += c * umacOffset64
	lo, c = bits.Add64(lo, m, 0)
	lo, c = bits.Add64(lo, c*umacOffset64, 0)
	lo += c * umacOffset64
	// Both subtractions are done, one is kept: no branch on the value.
	r, borrow := bits.Sub64(lo, umacPrime64, 0)
	return lo&-borrow | r&^-borrow
}

// layer3 is L3-HASH (§5.4): of its 16 bytes of input the first eight are zero,
// for all messages up to umacMax.
func (u *umac) layer3(i int, x uint64) uint32 {
	k := &u.inner[i]
	// 16 bits by 36, four times: 54 bits.
	y := x>>48*k[0] + x>>32&0xffff*k[1] + x>>16&0xffff*k[2] + x&0xffff*k[3]
	return uint32(y%umacPrime36) ^ u.final[i]
}

func (u *umac) size() int { return 4 * u.streams }

func (u *umac) erase() {
	pad, streams := u.pad, u.streams
	*u = umac{pad: pad, streams: streams}
}
