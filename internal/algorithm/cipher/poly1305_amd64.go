//go:build goexperiment.simd && amd64

package cipher

import (
	"encoding/binary"
	"math/bits"
	"simd/archsimd"
	"unsafe"
)

// Poly1305 (RFC 8439 §2.5) in lanes. The message is a polynomial in r, its
// blocks of 16 bytes the coefficients; lane i takes every 8th (AVX-512) or 4th
// (AVX2) block and steps by r^8 or r^4. Two groups of blocks are taken a time,
//
//	h = h·r^16 + a·r^8 + b        (r^8 and r^4 with AVX2)
//
// so that one carry serves both. At the end lane i is multiplied with the power
// of r that its place asks for, and the lanes are added.
//
// Numbers modulo 2^130-5 are 5 limbs of 26 bits in lanes of 64. Products have
// less than 2^56, sums of ten of them and the carries fit well.
//
// To have whole pairs of groups, the message is seen with zeros before it (of
// which Poly1305 knows nothing, if they lack the bit above the block) and a
// last block that may be short.

const (
	mask26 = 1<<26 - 1
	mask42 = 1<<42 - 1
	mask44 = 1<<44 - 1
)

// fe is a number below 2^131 modulo 2^130-5 as limbs of 44, 44 and 42 bits.
type fe struct{ a, b, c uint64 }

func (x fe) mul(y fe) fe {
	// 2^132 is 20 modulo the prime.
	s1, s2 := y.b*20, y.c*20
	h0, l0 := bits.Mul64(x.a, y.a)
	h, l := bits.Mul64(x.b, s2)
	l0, k := bits.Add64(l0, l, 0)
	h0 += h + k
	h, l = bits.Mul64(x.c, s1)
	l0, k = bits.Add64(l0, l, 0)
	h0 += h + k

	h1, l1 := bits.Mul64(x.a, y.b)
	h, l = bits.Mul64(x.b, y.a)
	l1, k = bits.Add64(l1, l, 0)
	h1 += h + k
	h, l = bits.Mul64(x.c, s2)
	l1, k = bits.Add64(l1, l, 0)
	h1 += h + k

	h2, l2 := bits.Mul64(x.a, y.c)
	h, l = bits.Mul64(x.b, y.b)
	l2, k = bits.Add64(l2, l, 0)
	h2 += h + k
	h, l = bits.Mul64(x.c, y.a)
	l2, k = bits.Add64(l2, l, 0)
	h2 += h + k

	l1, k = bits.Add64(l1, l0>>44|h0<<20, 0)
	h1 += k
	l2, k = bits.Add64(l2, l1>>44|h1<<20, 0)
	h2 += k
	z := fe{l0 & mask44, l1 & mask44, l2 & mask42}
	z.a += (l2>>42 | h2<<22) * 5
	z.b += z.a >> 44
	z.a &= mask44
	return z
}

// polyPower is a power of r in every lane: limbs 0 to 4, and 5 times limbs 1
// to 4 behind them, for what is carried around the prime.
type polyPower [9][8]uint64

func (p *polyPower) broadcast(x fe) {
	l0, l1, l2, l3, l4 := x.limbs()
	archsimd.BroadcastUint64x8(l0).Store(&p[0])
	archsimd.BroadcastUint64x8(l1).Store(&p[1])
	archsimd.BroadcastUint64x8(l2).Store(&p[2])
	archsimd.BroadcastUint64x8(l3).Store(&p[3])
	archsimd.BroadcastUint64x8(l4).Store(&p[4])
	archsimd.BroadcastUint64x8(5 * l1).Store(&p[5])
	archsimd.BroadcastUint64x8(5 * l2).Store(&p[6])
	archsimd.BroadcastUint64x8(5 * l3).Store(&p[7])
	archsimd.BroadcastUint64x8(5 * l4).Store(&p[8])
}

func (x fe) limbs() (l0, l1, l2, l3, l4 uint64) {
	return x.a & mask26, (x.a>>26 | x.b<<18) & mask26, x.b >> 8 & mask26, (x.b>>34 | x.c<<10) & mask26, x.c >> 16
}

// polyKey is r, clamped.
func polyKey(key *[32]byte) fe {
	t0 := binary.LittleEndian.Uint64(key[:]) & 0x0ffffffc0fffffff
	t1 := binary.LittleEndian.Uint64(key[8:]) & 0x0ffffffc0ffffffc
	return fe{t0 & mask44, (t0>>44 | t1<<20) & mask44, t1 >> 24}
}

// polyFinish reduces h, of limbs below 2^40, and adds the key's second half.
func polyFinish(out *[16]byte, key *[32]byte, h0, h1, h2, h3, h4 uint64) {
	h1 += h0 >> 26
	h2 += h1 >> 26
	h3 += h2 >> 26
	h4 += h3 >> 26
	h0 = h0&mask26 + h4>>26*5
	h1 = h1&mask26 + h0>>26
	// At most 2^130 now, h1 at most 2^26: as words of 64 bits.
	lo, c := bits.Add64(h0&mask26+h1<<26, h2&mask26<<52, 0)
	hi, _ := bits.Add64(h2&mask26>>12, h3&mask26<<14, c)
	top := h4 & mask26 >> 24
	hi, c = bits.Add64(hi, h4<<40, 0)
	top += c
	// h - p, kept if it is not negative: without a branch.
	g0, c := bits.Sub64(lo, 1<<64-5, 0)
	g1, c := bits.Sub64(hi, 1<<64-1, c)
	_, c = bits.Sub64(top, 3, c)
	lo = lo&-c | g0&^-c
	hi = hi&-c | g1&^-c
	lo, c = bits.Add64(lo, binary.LittleEndian.Uint64(key[16:]), 0)
	hi, _ = bits.Add64(hi, binary.LittleEndian.Uint64(key[24:]), c)
	binary.LittleEndian.PutUint64(out[:], lo)
	binary.LittleEndian.PutUint64(out[8:], hi)
}

// polyBit is the bit above every whole block, in limb 4.
const polyBit = 1 << 24

const polyPair512 = 256 // bytes in two groups of AVX-512

// polyState512 is h, and the powers it is stepped with. It should lie at a
// multiple of 64: else every vector lies in two cache lines.
type polyState512 struct {
	h       [5][8]uint64
	r8, r16 polyPower
	// bit is polyBit for every block of the pair that is one, in lane order.
	bit [2][8]uint64
}

func poly1305AVX512(out *[16]byte, b []byte, key *[32]byte) {
	var room [unsafe.Sizeof(polyState512{}) + 64]byte
	at := unsafe.Pointer(&room)
	s := (*polyState512)(unsafe.Add(at, -uintptr(at)&63))
	r := polyKey(key)
	r2 := r.mul(r)
	r3, r4 := r2.mul(r), r2.mul(r2)
	r5, r6, r7, r8 := r4.mul(r), r4.mul(r2), r4.mul(r3), r4.mul(r4)
	s.r8.broadcast(r8)
	s.r16.broadcast(r8.mul(r8))

	// The first blocks, fewer than a pair has, behind zeros.
	var pair [polyPair512]byte
	blocks := (len(b) + 15) / 16
	n := blocks % 16
	if n > 0 && n < blocks {
		copy(pair[polyPair512-16*n:], b[:16*n])
		s.setBits(16-n, 16)
		s.step(pair[:])
		b = b[16*n:]
	}
	// Whole pairs, but the last one if its last block is short.
	s.setBits(0, 16)
	if len(b)%16 == 0 {
		n = len(b) / polyPair512 * polyPair512
	} else {
		n = (len(b) - 1) / polyPair512 * polyPair512
	}
	if n > 0 {
		s.step(b[:n])
		b = b[n:]
	}
	if len(b) > 0 {
		// With room for the whole message, where that is less than a pair.
		n = (len(b) + 15) / 16
		pair = [polyPair512]byte{}
		m := pair[polyPair512-16*n:]
		copy(m, b)
		short := 0
		if len(b)%16 != 0 {
			m[len(b)] = 1
			short = 1
		}
		s.setBits(16-n, 16-short)
		s.step(pair[:])
	}
	// A lane's last block stands in front of that many others: lane order.
	last := &s.r8
	for i, x := range [8]fe{r8, r4, r7, r3, r6, r2, r5, r} {
		l0, l1, l2, l3, l4 := x.limbs()
		last[0][i], last[1][i], last[2][i], last[3][i], last[4][i] = l0, l1, l2, l3, l4
		last[5][i], last[6][i], last[7][i], last[8][i] = 5*l1, 5*l2, 5*l3, 5*l4
	}
	h0, h1, h2, h3, h4 := s.sum(last)
	polyFinish(out, key, h0, h1, h2, h3, h4)
}

// setBits marks the blocks of a pair that are from first on, before end.
func (s *polyState512) setBits(first, end int) {
	for i := range 16 {
		bit := uint64(0)
		if first <= i && i < end {
			bit = polyBit
		}
		// The interleaving of two loads of 4 blocks puts block i of a group there.
		s.bit[i/8][i%4*2+i%8/4] = bit
	}
}

// step takes the pairs of groups in b.
func (s *polyState512) step(b []byte) {
	p, q := &s.r16, &s.r8
	mask := archsimd.BroadcastUint64x8(mask26)
	h0, h1, h2, h3, h4 := load512(&s.h[0]), load512(&s.h[1]), load512(&s.h[2]), load512(&s.h[3]), load512(&s.h[4])
	for len(b) >= polyPair512 {
		m := (*[4][8]uint64)(unsafe.Pointer(unsafe.SliceData(b)))
		x, y := load512(&m[0]), load512(&m[1])
		lo, hi := x.InterleaveLoGrouped(y), x.InterleaveHiGrouped(y)
		d0 := h0.Mul(load512(&p[0]))
		d1 := h0.Mul(load512(&p[1]))
		d2 := h0.Mul(load512(&p[2]))
		d3 := h0.Mul(load512(&p[3]))
		d4 := h0.Mul(load512(&p[4]))
		d0 = d0.Add(h1.Mul(load512(&p[8])))
		d1 = d1.Add(h1.Mul(load512(&p[0])))
		d2 = d2.Add(h1.Mul(load512(&p[1])))
		d3 = d3.Add(h1.Mul(load512(&p[2])))
		d4 = d4.Add(h1.Mul(load512(&p[3])))
		d0 = d0.Add(h2.Mul(load512(&p[7])))
		d1 = d1.Add(h2.Mul(load512(&p[8])))
		d2 = d2.Add(h2.Mul(load512(&p[0])))
		d3 = d3.Add(h2.Mul(load512(&p[1])))
		d4 = d4.Add(h2.Mul(load512(&p[2])))
		d0 = d0.Add(h3.Mul(load512(&p[6])))
		d1 = d1.Add(h3.Mul(load512(&p[7])))
		d2 = d2.Add(h3.Mul(load512(&p[8])))
		d3 = d3.Add(h3.Mul(load512(&p[0])))
		d4 = d4.Add(h3.Mul(load512(&p[1])))
		d0 = d0.Add(h4.Mul(load512(&p[5])))
		d1 = d1.Add(h4.Mul(load512(&p[6])))
		d2 = d2.Add(h4.Mul(load512(&p[7])))
		d3 = d3.Add(h4.Mul(load512(&p[8])))
		d4 = d4.Add(h4.Mul(load512(&p[0])))

		g := lo.And(mask)
		d0 = d0.Add(g.Mul(load512(&q[0])))
		d1 = d1.Add(g.Mul(load512(&q[1])))
		d2 = d2.Add(g.Mul(load512(&q[2])))
		d3 = d3.Add(g.Mul(load512(&q[3])))
		d4 = d4.Add(g.Mul(load512(&q[4])))
		g = lo.ShiftAllRight(26).And(mask)
		d0 = d0.Add(g.Mul(load512(&q[8])))
		d1 = d1.Add(g.Mul(load512(&q[0])))
		d2 = d2.Add(g.Mul(load512(&q[1])))
		d3 = d3.Add(g.Mul(load512(&q[2])))
		d4 = d4.Add(g.Mul(load512(&q[3])))
		g = lo.ShiftAllRight(52).Or(hi.ShiftAllLeft(12)).And(mask)
		d0 = d0.Add(g.Mul(load512(&q[7])))
		d1 = d1.Add(g.Mul(load512(&q[8])))
		d2 = d2.Add(g.Mul(load512(&q[0])))
		d3 = d3.Add(g.Mul(load512(&q[1])))
		d4 = d4.Add(g.Mul(load512(&q[2])))
		g = hi.ShiftAllRight(14).And(mask)
		d0 = d0.Add(g.Mul(load512(&q[6])))
		d1 = d1.Add(g.Mul(load512(&q[7])))
		d2 = d2.Add(g.Mul(load512(&q[8])))
		d3 = d3.Add(g.Mul(load512(&q[0])))
		d4 = d4.Add(g.Mul(load512(&q[1])))
		g = hi.ShiftAllRight(40).Or(load512(&s.bit[0]))
		d0 = d0.Add(g.Mul(load512(&q[5])))
		d1 = d1.Add(g.Mul(load512(&q[6])))
		d2 = d2.Add(g.Mul(load512(&q[7])))
		d3 = d3.Add(g.Mul(load512(&q[8])))
		d4 = d4.Add(g.Mul(load512(&q[0])))

		x, y = load512(&m[2]), load512(&m[3])
		lo, hi = x.InterleaveLoGrouped(y), x.InterleaveHiGrouped(y)
		d0 = d0.Add(lo.And(mask))
		d1 = d1.Add(lo.ShiftAllRight(26).And(mask))
		d2 = d2.Add(lo.ShiftAllRight(52).Or(hi.ShiftAllLeft(12)).And(mask))
		d3 = d3.Add(hi.ShiftAllRight(14).And(mask))
		d4 = d4.Add(hi.ShiftAllRight(40).Or(load512(&s.bit[1])))

		// Carry, in two chains that do not wait for each other.
		d1 = d1.Add(d0.ShiftAllRight(26))
		d4 = d4.Add(d3.ShiftAllRight(26))
		h0, h3 = d0.And(mask), d3.And(mask)
		c := d4.ShiftAllRight(26)
		d2 = d2.Add(d1.ShiftAllRight(26))
		h0 = h0.Add(c).Add(c.ShiftAllLeft(2))
		h1, h4 = d1.And(mask), d4.And(mask)
		h3 = h3.Add(d2.ShiftAllRight(26))
		h1 = h1.Add(h0.ShiftAllRight(26))
		h0, h2 = h0.And(mask), d2.And(mask)
		h4 = h4.Add(h3.ShiftAllRight(26))
		h3 = h3.And(mask)
		b = b[polyPair512:]
	}
	h0.Store(&s.h[0])
	h1.Store(&s.h[1])
	h2.Store(&s.h[2])
	h3.Store(&s.h[3])
	h4.Store(&s.h[4])
}

// sum multiplies the lanes with p and adds them.
func (s *polyState512) sum(p *polyPower) (uint64, uint64, uint64, uint64, uint64) {
	mask := archsimd.BroadcastUint64x8(mask26)
	h0, h1, h2, h3, h4 := load512(&s.h[0]), load512(&s.h[1]), load512(&s.h[2]), load512(&s.h[3]), load512(&s.h[4])
	d0 := h0.Mul(load512(&p[0])).Add(h1.Mul(load512(&p[8]))).Add(h2.Mul(load512(&p[7]))).Add(h3.Mul(load512(&p[6]))).Add(h4.Mul(load512(&p[5])))
	d1 := h0.Mul(load512(&p[1])).Add(h1.Mul(load512(&p[0]))).Add(h2.Mul(load512(&p[8]))).Add(h3.Mul(load512(&p[7]))).Add(h4.Mul(load512(&p[6])))
	d2 := h0.Mul(load512(&p[2])).Add(h1.Mul(load512(&p[1]))).Add(h2.Mul(load512(&p[0]))).Add(h3.Mul(load512(&p[8]))).Add(h4.Mul(load512(&p[7])))
	d3 := h0.Mul(load512(&p[3])).Add(h1.Mul(load512(&p[2]))).Add(h2.Mul(load512(&p[1]))).Add(h3.Mul(load512(&p[0]))).Add(h4.Mul(load512(&p[8])))
	d4 := h0.Mul(load512(&p[4])).Add(h1.Mul(load512(&p[3]))).Add(h2.Mul(load512(&p[2]))).Add(h3.Mul(load512(&p[1]))).Add(h4.Mul(load512(&p[0])))
	d1 = d1.Add(d0.ShiftAllRight(26))
	d2 = d2.Add(d1.ShiftAllRight(26))
	d3 = d3.Add(d2.ShiftAllRight(26))
	d4 = d4.Add(d3.ShiftAllRight(26))
	c := d4.ShiftAllRight(26)
	d0 = d0.And(mask).Add(c).Add(c.ShiftAllLeft(2))
	return polyLanes(d0), polyLanes(d1.And(mask)), polyLanes(d2.And(mask)), polyLanes(d3.And(mask)), polyLanes(d4.And(mask))
}

func polyLanes(x archsimd.Uint64x8) uint64 {
	y := x.GetLo().Add(x.GetHi())
	z := y.GetLo().Add(y.GetHi())
	return z.GetElem(0) + z.GetElem(1)
}

func load512(p *[8]uint64) archsimd.Uint64x8 { return archsimd.LoadUint64x8(p) }
