//go:build goexperiment.simd && amd64

package cipher

import (
	"simd/archsimd"
	"unsafe"
)

// polyPower256 is polyPower for 4 lanes.
type polyPower256 [9][4]uint64

func (p *polyPower256) broadcast(x fe) {
	l0, l1, l2, l3, l4 := x.limbs()
	archsimd.BroadcastUint64x4(l0).Store(&p[0])
	archsimd.BroadcastUint64x4(l1).Store(&p[1])
	archsimd.BroadcastUint64x4(l2).Store(&p[2])
	archsimd.BroadcastUint64x4(l3).Store(&p[3])
	archsimd.BroadcastUint64x4(l4).Store(&p[4])
	archsimd.BroadcastUint64x4(5 * l1).Store(&p[5])
	archsimd.BroadcastUint64x4(5 * l2).Store(&p[6])
	archsimd.BroadcastUint64x4(5 * l3).Store(&p[7])
	archsimd.BroadcastUint64x4(5 * l4).Store(&p[8])
}

const polyPair256 = 128 // bytes in two groups of AVX2

// polyState256 is h, and the powers it is stepped with.
type polyState256 struct {
	h      [5][4]uint64
	r4, r8 polyPower256
	// bit is polyBit for every block of the pair that is one, in lane order.
	bit [2][4]uint64
}

func poly1305AVX2(out *[16]byte, b []byte, key *[32]byte) {
	var s polyState256
	r := polyKey(key)
	r2 := r.mul(r)
	r3, r4 := r2.mul(r), r2.mul(r2)
	s.r4.broadcast(r4)
	s.r8.broadcast(r4.mul(r4))

	// The first blocks, fewer than a pair has, behind zeros.
	var pair [polyPair256]byte
	blocks := (len(b) + 15) / 16
	n := blocks % 8
	if n > 0 && n < blocks {
		copy(pair[polyPair256-16*n:], b[:16*n])
		s.setBits(8-n, 8)
		s.step(pair[:])
		b = b[16*n:]
	}
	// Whole pairs, but the last one if its last block is short.
	s.setBits(0, 8)
	if len(b)%16 == 0 {
		n = len(b) / polyPair256 * polyPair256
	} else {
		n = (len(b) - 1) / polyPair256 * polyPair256
	}
	if n > 0 {
		s.step(b[:n])
		b = b[n:]
	}
	if len(b) > 0 {
		// With room for the whole message, where that is less than a pair.
		n = (len(b) + 15) / 16
		pair = [polyPair256]byte{}
		m := pair[polyPair256-16*n:]
		copy(m, b)
		short := 0
		if len(b)%16 != 0 {
			m[len(b)] = 1
			short = 1
		}
		s.setBits(8-n, 8-short)
		s.step(pair[:])
	}
	// A lane's last block stands in front of that many others: lane order.
	last := &s.r4
	for i, x := range [4]fe{r4, r2, r3, r} {
		l0, l1, l2, l3, l4 := x.limbs()
		last[0][i], last[1][i], last[2][i], last[3][i], last[4][i] = l0, l1, l2, l3, l4
		last[5][i], last[6][i], last[7][i], last[8][i] = 5*l1, 5*l2, 5*l3, 5*l4
	}
	h0, h1, h2, h3, h4 := s.sum(last)
	polyFinish(out, key, h0, h1, h2, h3, h4)
}

// setBits marks the blocks of a pair that are from first on, before end.
func (s *polyState256) setBits(first, end int) {
	for i := range 8 {
		bit := uint64(0)
		if first <= i && i < end {
			bit = polyBit
		}
		// The interleaving of two loads of 2 blocks puts block i of a group there.
		s.bit[i/4][i%2*2+i%4/2] = bit
	}
}

// step takes the pairs of groups in b.
func (s *polyState256) step(b []byte) {
	p, q := &s.r8, &s.r4
	mask := archsimd.BroadcastUint64x4(mask26)
	h0, h1, h2, h3, h4 := load256(&s.h[0]), load256(&s.h[1]), load256(&s.h[2]), load256(&s.h[3]), load256(&s.h[4])
	for len(b) >= polyPair256 {
		m := (*[4][4]uint64)(unsafe.Pointer(unsafe.SliceData(b)))
		x, y := load256(&m[0]), load256(&m[1])
		lo, hi := x.InterleaveLoGrouped(y), x.InterleaveHiGrouped(y)
		d0 := polyMul256(h0, load256(&p[0]))
		d1 := polyMul256(h0, load256(&p[1]))
		d2 := polyMul256(h0, load256(&p[2]))
		d3 := polyMul256(h0, load256(&p[3]))
		d4 := polyMul256(h0, load256(&p[4]))
		d0 = d0.Add(polyMul256(h1, load256(&p[8])))
		d1 = d1.Add(polyMul256(h1, load256(&p[0])))
		d2 = d2.Add(polyMul256(h1, load256(&p[1])))
		d3 = d3.Add(polyMul256(h1, load256(&p[2])))
		d4 = d4.Add(polyMul256(h1, load256(&p[3])))
		d0 = d0.Add(polyMul256(h2, load256(&p[7])))
		d1 = d1.Add(polyMul256(h2, load256(&p[8])))
		d2 = d2.Add(polyMul256(h2, load256(&p[0])))
		d3 = d3.Add(polyMul256(h2, load256(&p[1])))
		d4 = d4.Add(polyMul256(h2, load256(&p[2])))
		d0 = d0.Add(polyMul256(h3, load256(&p[6])))
		d1 = d1.Add(polyMul256(h3, load256(&p[7])))
		d2 = d2.Add(polyMul256(h3, load256(&p[8])))
		d3 = d3.Add(polyMul256(h3, load256(&p[0])))
		d4 = d4.Add(polyMul256(h3, load256(&p[1])))
		d0 = d0.Add(polyMul256(h4, load256(&p[5])))
		d1 = d1.Add(polyMul256(h4, load256(&p[6])))
		d2 = d2.Add(polyMul256(h4, load256(&p[7])))
		d3 = d3.Add(polyMul256(h4, load256(&p[8])))
		d4 = d4.Add(polyMul256(h4, load256(&p[0])))

		g := lo.And(mask)
		d0 = d0.Add(polyMul256(g, load256(&q[0])))
		d1 = d1.Add(polyMul256(g, load256(&q[1])))
		d2 = d2.Add(polyMul256(g, load256(&q[2])))
		d3 = d3.Add(polyMul256(g, load256(&q[3])))
		d4 = d4.Add(polyMul256(g, load256(&q[4])))
		g = lo.ShiftAllRight(26).And(mask)
		d0 = d0.Add(polyMul256(g, load256(&q[8])))
		d1 = d1.Add(polyMul256(g, load256(&q[0])))
		d2 = d2.Add(polyMul256(g, load256(&q[1])))
		d3 = d3.Add(polyMul256(g, load256(&q[2])))
		d4 = d4.Add(polyMul256(g, load256(&q[3])))
		g = lo.ShiftAllRight(52).Or(hi.ShiftAllLeft(12)).And(mask)
		d0 = d0.Add(polyMul256(g, load256(&q[7])))
		d1 = d1.Add(polyMul256(g, load256(&q[8])))
		d2 = d2.Add(polyMul256(g, load256(&q[0])))
		d3 = d3.Add(polyMul256(g, load256(&q[1])))
		d4 = d4.Add(polyMul256(g, load256(&q[2])))
		g = hi.ShiftAllRight(14).And(mask)
		d0 = d0.Add(polyMul256(g, load256(&q[6])))
		d1 = d1.Add(polyMul256(g, load256(&q[7])))
		d2 = d2.Add(polyMul256(g, load256(&q[8])))
		d3 = d3.Add(polyMul256(g, load256(&q[0])))
		d4 = d4.Add(polyMul256(g, load256(&q[1])))
		g = hi.ShiftAllRight(40).Or(load256(&s.bit[0]))
		d0 = d0.Add(polyMul256(g, load256(&q[5])))
		d1 = d1.Add(polyMul256(g, load256(&q[6])))
		d2 = d2.Add(polyMul256(g, load256(&q[7])))
		d3 = d3.Add(polyMul256(g, load256(&q[8])))
		d4 = d4.Add(polyMul256(g, load256(&q[0])))

		x, y = load256(&m[2]), load256(&m[3])
		lo, hi = x.InterleaveLoGrouped(y), x.InterleaveHiGrouped(y)
		d0 = d0.Add(lo.And(mask))
		d1 = d1.Add(lo.ShiftAllRight(26).And(mask))
		d2 = d2.Add(lo.ShiftAllRight(52).Or(hi.ShiftAllLeft(12)).And(mask))
		d3 = d3.Add(hi.ShiftAllRight(14).And(mask))
		d4 = d4.Add(hi.ShiftAllRight(40).Or(load256(&s.bit[1])))

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
		b = b[polyPair256:]
	}
	h0.Store(&s.h[0])
	h1.Store(&s.h[1])
	h2.Store(&s.h[2])
	h3.Store(&s.h[3])
	h4.Store(&s.h[4])
}

// sum multiplies the lanes with p and adds them.
func (s *polyState256) sum(p *polyPower256) (uint64, uint64, uint64, uint64, uint64) {
	mask := archsimd.BroadcastUint64x4(mask26)
	h0, h1, h2, h3, h4 := load256(&s.h[0]), load256(&s.h[1]), load256(&s.h[2]), load256(&s.h[3]), load256(&s.h[4])
	d0 := polyMul256(h0, load256(&p[0])).Add(polyMul256(h1, load256(&p[8]))).Add(polyMul256(h2, load256(&p[7]))).Add(polyMul256(h3, load256(&p[6]))).Add(polyMul256(h4, load256(&p[5])))
	d1 := polyMul256(h0, load256(&p[1])).Add(polyMul256(h1, load256(&p[0]))).Add(polyMul256(h2, load256(&p[8]))).Add(polyMul256(h3, load256(&p[7]))).Add(polyMul256(h4, load256(&p[6])))
	d2 := polyMul256(h0, load256(&p[2])).Add(polyMul256(h1, load256(&p[1]))).Add(polyMul256(h2, load256(&p[0]))).Add(polyMul256(h3, load256(&p[8]))).Add(polyMul256(h4, load256(&p[7])))
	d3 := polyMul256(h0, load256(&p[3])).Add(polyMul256(h1, load256(&p[2]))).Add(polyMul256(h2, load256(&p[1]))).Add(polyMul256(h3, load256(&p[0]))).Add(polyMul256(h4, load256(&p[8])))
	d4 := polyMul256(h0, load256(&p[4])).Add(polyMul256(h1, load256(&p[3]))).Add(polyMul256(h2, load256(&p[2]))).Add(polyMul256(h3, load256(&p[1]))).Add(polyMul256(h4, load256(&p[0])))
	d1 = d1.Add(d0.ShiftAllRight(26))
	d2 = d2.Add(d1.ShiftAllRight(26))
	d3 = d3.Add(d2.ShiftAllRight(26))
	d4 = d4.Add(d3.ShiftAllRight(26))
	c := d4.ShiftAllRight(26)
	d0 = d0.And(mask).Add(c).Add(c.ShiftAllLeft(2))
	return polyLanes256(d0), polyLanes256(d1.And(mask)), polyLanes256(d2.And(mask)), polyLanes256(d3.And(mask)), polyLanes256(d4.And(mask))
}

func polyLanes256(x archsimd.Uint64x4) uint64 {
	y := x.GetLo().Add(x.GetHi())
	return y.GetElem(0) + y.GetElem(1)
}

// polyMul256 multiplies the low halves of the lanes: all that limbs have.
func polyMul256(x, y archsimd.Uint64x4) archsimd.Uint64x4 {
	return x.AsUint32x8().MulEvenWiden(y.AsUint32x8())
}

func load256(p *[4]uint64) archsimd.Uint64x4 { return archsimd.LoadUint64x4(p) }
