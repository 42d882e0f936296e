//go:build goexperiment.simd && amd64

package cipher

import (
	"math/bits"
	"simd/archsimd"
	"unsafe"
)

// ChaCha20 (RFC 8439 §2.3) of 16 blocks at a time with AVX-512, of 8 with AVX2:
// a vector is one word of the state in all of them.
const (
	chachaLanes = 16
	chachaWide  = chachaLanes * chachaBlock
)

// chachaState is the input of 16 blocks: row i of in is word i of their states.
// It should lie at a multiple of 64, as what align gives: else every vector
// lies in two cache lines.
type chachaState struct {
	in [16][chachaLanes]uint32
	c  [4][chachaLanes]uint32 // of xorAVX512, which lacks registers for the third row
}

// chachaRoom is a chachaState wherever the stack is.
type chachaRoom [unsafe.Sizeof(chachaState{}) + 64]byte

func (r *chachaRoom) align() *chachaState {
	p := unsafe.Pointer(r)
	return (*chachaState)(unsafe.Add(p, -uintptr(p)&63))
}

// Permutations of 64-bit words that put quarters of rows together.
var (
	chachaQuarters0 = [8]uint64{0, 1, 8, 9, 2, 3, 10, 11}   // first and second of both
	chachaQuarters2 = [8]uint64{4, 5, 12, 13, 6, 7, 14, 15} // third and fourth of both
	chachaHalves0   = [8]uint64{0, 1, 2, 3, 8, 9, 10, 11}
	chachaHalves1   = [8]uint64{4, 5, 6, 7, 12, 13, 14, 15}
)

// chachaCount numbers lanes.
var chachaCount = [chachaLanes]uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// set fills the state for 16 blocks of the packet, from that number on. Counter
// and nonce are 64 bits each, of which the upper halves are zero. What is
// stored with one width is loaded with the same: else the load waits.
func (s *chachaState) set(k *[8]uint32, seq, block uint32, level int) {
	seq = bits.ReverseBytes32(seq)
	if level >= levelAVX512 {
		archsimd.BroadcastUint32x16(0x61707865).Store(&s.in[0])
		archsimd.BroadcastUint32x16(0x3320646e).Store(&s.in[1])
		archsimd.BroadcastUint32x16(0x79622d32).Store(&s.in[2])
		archsimd.BroadcastUint32x16(0x6b206574).Store(&s.in[3])
		for i, w := range k {
			archsimd.BroadcastUint32x16(w).Store(&s.in[4+i])
		}
		archsimd.BroadcastUint32x16(block).Add(load32(&chachaCount)).Store(&s.in[12])
		archsimd.BroadcastUint32x16(0).Store(&s.in[13])
		archsimd.BroadcastUint32x16(0).Store(&s.in[14])
		archsimd.BroadcastUint32x16(seq).Store(&s.in[15])
		return
	}
	s.setRow(0, 0x61707865)
	s.setRow(1, 0x3320646e)
	s.setRow(2, 0x79622d32)
	s.setRow(3, 0x6b206574)
	for i, w := range k {
		s.setRow(4+i, w)
	}
	for i := range s.in[12] {
		s.in[12][i] = block + uint32(i)
	}
	s.setRow(13, 0)
	s.setRow(14, 0)
	s.setRow(15, seq)
}

// setRow makes a word the same in all blocks.
func (s *chachaState) setRow(i int, w uint32) {
	x := archsimd.BroadcastUint32x8(w)
	x.Store((*[8]uint32)(s.in[i][:8]))
	x.Store((*[8]uint32)(s.in[i][8:]))
}

// setLanes puts another key into the lanes of the bits.
func (s *chachaState) setLanes(k *[8]uint32, lanes uint16, level int) {
	if level >= levelAVX512 {
		mask := archsimd.Mask32x16FromBits(lanes)
		for i, w := range k {
			archsimd.BroadcastUint32x16(w).Merge(load32(&s.in[4+i]), mask).Store(&s.in[4+i])
		}
		return
	}
	for ; lanes != 0; lanes &= lanes - 1 {
		lane := bits.TrailingZeros16(lanes) & 15
		for i, w := range k {
			s.in[4+i][lane] = w
		}
	}
}

// xor XORs b with the blocks of the state, which advances by as many. len(b) is
// a multiple of 1024, or at the end, with AVX2, of 512.
func (s *chachaState) xor(b []byte, level int) {
	if level >= levelAVX512 {
		s.xorAVX512(b)
		return
	}
	for ; len(b) >= chachaWide; b = b[chachaWide:] {
		s.xorAVX2(b, 0)
		s.xorAVX2(b[chachaWide/2:], 8)
		for i := range s.in[12] {
			s.in[12][i] += chachaLanes
		}
	}
	if len(b) > 0 {
		s.xorAVX2(b, 0)
	}
}

// xorAVX512 takes 1024 bytes at a time. Variables and not arrays, because those
// stay in registers; of the third row only two, because there are fifteen.
func (s *chachaState) xorAVX512(b []byte) {
	for len(b) >= chachaWide {
		x0 := load32(&s.in[0])
		x1 := load32(&s.in[1])
		x2 := load32(&s.in[2])
		x3 := load32(&s.in[3])
		x4 := load32(&s.in[4])
		x5 := load32(&s.in[5])
		x6 := load32(&s.in[6])
		x7 := load32(&s.in[7])
		c0, c1 := load32(&s.in[8]), load32(&s.in[9])
		load32(&s.in[10]).Store(&s.c[2])
		load32(&s.in[11]).Store(&s.c[3])
		x12 := load32(&s.in[12])
		x13 := load32(&s.in[13])
		x14 := load32(&s.in[14])
		x15 := load32(&s.in[15])
		for range 10 {
			x0 = x0.Add(x4)
			x1 = x1.Add(x5)
			x12 = x12.Xor(x0).RotateAllLeft(16)
			x13 = x13.Xor(x1).RotateAllLeft(16)
			c0 = c0.Add(x12)
			c1 = c1.Add(x13)
			x4 = x4.Xor(c0).RotateAllLeft(12)
			x5 = x5.Xor(c1).RotateAllLeft(12)
			x0 = x0.Add(x4)
			x1 = x1.Add(x5)
			x12 = x12.Xor(x0).RotateAllLeft(8)
			x13 = x13.Xor(x1).RotateAllLeft(8)
			c0 = c0.Add(x12)
			c1 = c1.Add(x13)
			x4 = x4.Xor(c0).RotateAllLeft(7)
			x5 = x5.Xor(c1).RotateAllLeft(7)
			c0.Store(&s.c[0])
			c1.Store(&s.c[1])
			c0 = load32(&s.c[2])
			c1 = load32(&s.c[3])
			x2 = x2.Add(x6)
			x3 = x3.Add(x7)
			x14 = x14.Xor(x2).RotateAllLeft(16)
			x15 = x15.Xor(x3).RotateAllLeft(16)
			c0 = c0.Add(x14)
			c1 = c1.Add(x15)
			x6 = x6.Xor(c0).RotateAllLeft(12)
			x7 = x7.Xor(c1).RotateAllLeft(12)
			x2 = x2.Add(x6)
			x3 = x3.Add(x7)
			x14 = x14.Xor(x2).RotateAllLeft(8)
			x15 = x15.Xor(x3).RotateAllLeft(8)
			c0 = c0.Add(x14)
			c1 = c1.Add(x15)
			x6 = x6.Xor(c0).RotateAllLeft(7)
			x7 = x7.Xor(c1).RotateAllLeft(7)
			// Diagonals.
			x0 = x0.Add(x5)
			x1 = x1.Add(x6)
			x15 = x15.Xor(x0).RotateAllLeft(16)
			x12 = x12.Xor(x1).RotateAllLeft(16)
			c0 = c0.Add(x15)
			c1 = c1.Add(x12)
			x5 = x5.Xor(c0).RotateAllLeft(12)
			x6 = x6.Xor(c1).RotateAllLeft(12)
			x0 = x0.Add(x5)
			x1 = x1.Add(x6)
			x15 = x15.Xor(x0).RotateAllLeft(8)
			x12 = x12.Xor(x1).RotateAllLeft(8)
			c0 = c0.Add(x15)
			c1 = c1.Add(x12)
			x5 = x5.Xor(c0).RotateAllLeft(7)
			x6 = x6.Xor(c1).RotateAllLeft(7)
			c0.Store(&s.c[2])
			c1.Store(&s.c[3])
			c0 = load32(&s.c[0])
			c1 = load32(&s.c[1])
			x2 = x2.Add(x7)
			x3 = x3.Add(x4)
			x13 = x13.Xor(x2).RotateAllLeft(16)
			x14 = x14.Xor(x3).RotateAllLeft(16)
			c0 = c0.Add(x13)
			c1 = c1.Add(x14)
			x7 = x7.Xor(c0).RotateAllLeft(12)
			x4 = x4.Xor(c1).RotateAllLeft(12)
			x2 = x2.Add(x7)
			x3 = x3.Add(x4)
			x13 = x13.Xor(x2).RotateAllLeft(8)
			x14 = x14.Xor(x3).RotateAllLeft(8)
			c0 = c0.Add(x13)
			c1 = c1.Add(x14)
			x7 = x7.Xor(c0).RotateAllLeft(7)
			x4 = x4.Xor(c1).RotateAllLeft(7)
		}
		x0 = x0.Add(load32(&s.in[0]))
		x1 = x1.Add(load32(&s.in[1]))
		x2 = x2.Add(load32(&s.in[2]))
		x3 = x3.Add(load32(&s.in[3]))
		x4 = x4.Add(load32(&s.in[4]))
		x5 = x5.Add(load32(&s.in[5]))
		x6 = x6.Add(load32(&s.in[6]))
		x7 = x7.Add(load32(&s.in[7]))
		x12 = x12.Add(load32(&s.in[12]))
		x13 = x13.Add(load32(&s.in[13]))
		x14 = x14.Add(load32(&s.in[14]))
		x15 = x15.Add(load32(&s.in[15]))
		x8, x9 := c0.Add(load32(&s.in[8])), c1.Add(load32(&s.in[9]))
		x10, x11 := load32(&s.c[2]).Add(load32(&s.in[10])), load32(&s.c[3]).Add(load32(&s.in[11]))
		load32(&s.in[12]).Add(archsimd.BroadcastUint32x16(chachaLanes)).Store(&s.in[12])

		// Transpose 4 rows by 4 lanes, within quarters of vectors: of a0 to a3,
		// then p0 has 4 words of blocks 0, 4, 8, 12, p1 of blocks 1, 5, 9, 13.
		a0, a1 := x0.InterleaveLoGrouped(x1).AsUint64x8(), x0.InterleaveHiGrouped(x1).AsUint64x8()
		a2, a3 := x2.InterleaveLoGrouped(x3).AsUint64x8(), x2.InterleaveHiGrouped(x3).AsUint64x8()
		p0, p1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
		p2, p3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
		a0, a1 = x4.InterleaveLoGrouped(x5).AsUint64x8(), x4.InterleaveHiGrouped(x5).AsUint64x8()
		a2, a3 = x6.InterleaveLoGrouped(x7).AsUint64x8(), x6.InterleaveHiGrouped(x7).AsUint64x8()
		q0, q1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
		q2, q3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
		a0, a1 = x8.InterleaveLoGrouped(x9).AsUint64x8(), x8.InterleaveHiGrouped(x9).AsUint64x8()
		a2, a3 = x10.InterleaveLoGrouped(x11).AsUint64x8(), x10.InterleaveHiGrouped(x11).AsUint64x8()
		r0, r1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
		r2, r3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
		a0, a1 = x12.InterleaveLoGrouped(x13).AsUint64x8(), x12.InterleaveHiGrouped(x13).AsUint64x8()
		a2, a3 = x14.InterleaveLoGrouped(x15).AsUint64x8(), x14.InterleaveHiGrouped(x15).AsUint64x8()
		s0, s1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
		s2, s3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)

		m := (*[chachaLanes][8]uint64)(unsafe.Pointer(unsafe.SliceData(b)))
		i0, i1 := load512(&chachaQuarters0), load512(&chachaQuarters2)
		j0, j1 := load512(&chachaHalves0), load512(&chachaHalves1)

		p0, r0, q0, s0 = p0.ConcatPermute(q0, i0), r0.ConcatPermute(s0, i0), p0.ConcatPermute(q0, i1), r0.ConcatPermute(s0, i1)
		xorBlock(&m[0], p0.ConcatPermute(r0, j0))
		xorBlock(&m[4], p0.ConcatPermute(r0, j1))
		xorBlock(&m[8], q0.ConcatPermute(s0, j0))
		xorBlock(&m[12], q0.ConcatPermute(s0, j1))

		p1, r1, q1, s1 = p1.ConcatPermute(q1, i0), r1.ConcatPermute(s1, i0), p1.ConcatPermute(q1, i1), r1.ConcatPermute(s1, i1)
		xorBlock(&m[1], p1.ConcatPermute(r1, j0))
		xorBlock(&m[5], p1.ConcatPermute(r1, j1))
		xorBlock(&m[9], q1.ConcatPermute(s1, j0))
		xorBlock(&m[13], q1.ConcatPermute(s1, j1))

		p2, r2, q2, s2 = p2.ConcatPermute(q2, i0), r2.ConcatPermute(s2, i0), p2.ConcatPermute(q2, i1), r2.ConcatPermute(s2, i1)
		xorBlock(&m[2], p2.ConcatPermute(r2, j0))
		xorBlock(&m[6], p2.ConcatPermute(r2, j1))
		xorBlock(&m[10], q2.ConcatPermute(s2, j0))
		xorBlock(&m[14], q2.ConcatPermute(s2, j1))

		p3, r3, q3, s3 = p3.ConcatPermute(q3, i0), r3.ConcatPermute(s3, i0), p3.ConcatPermute(q3, i1), r3.ConcatPermute(s3, i1)
		xorBlock(&m[3], p3.ConcatPermute(r3, j0))
		xorBlock(&m[7], p3.ConcatPermute(r3, j1))
		xorBlock(&m[11], q3.ConcatPermute(s3, j0))
		xorBlock(&m[15], q3.ConcatPermute(s3, j1))
		b = b[chachaWide:]
	}
}

func load32(p *[chachaLanes]uint32) archsimd.Uint32x16 { return archsimd.LoadUint32x16(p) }

func xorBlock(p *[8]uint64, x archsimd.Uint64x8) { load512(p).Xor(x).Store(p) }
