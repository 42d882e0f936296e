//go:build goexperiment.simd && amd64

package cipher

import (
	"simd/archsimd"
	"unsafe"
)

// Rotations by whole bytes, as the permutations that AVX2 has for them.
var (
	chachaTurn16 = [32]int8{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13}
	chachaTurn8  = [32]int8{3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14}
)

// xorAVX2 XORs the first 512 bytes of b with the eight blocks of the state
// from that lane on.
func (s *chachaState) xorAVX2(b []byte, lane int) {
	_ = b[chachaWide/2-1]
	in := unsafe.Pointer(&s.in[0][lane&8])
	turn16, turn8 := archsimd.LoadInt8x32(&chachaTurn16), archsimd.LoadInt8x32(&chachaTurn8)
	x0 := row256(in, 0)
	x1 := row256(in, 1)
	x2 := row256(in, 2)
	x3 := row256(in, 3)
	x4 := row256(in, 4)
	x5 := row256(in, 5)
	x6 := row256(in, 6)
	x7 := row256(in, 7)
	x8 := row256(in, 8)
	x9 := row256(in, 9)
	x10 := row256(in, 10)
	x11 := row256(in, 11)
	x12 := row256(in, 12)
	x13 := row256(in, 13)
	x14 := row256(in, 14)
	x15 := row256(in, 15)
	for range 10 {
		x0 = x0.Add(x4)
		x1 = x1.Add(x5)
		x2 = x2.Add(x6)
		x3 = x3.Add(x7)
		x12 = turn(x12.Xor(x0), turn16)
		x13 = turn(x13.Xor(x1), turn16)
		x14 = turn(x14.Xor(x2), turn16)
		x15 = turn(x15.Xor(x3), turn16)
		x8 = x8.Add(x12)
		x9 = x9.Add(x13)
		x10 = x10.Add(x14)
		x11 = x11.Add(x15)
		x4 = rotate12(x4.Xor(x8))
		x5 = rotate12(x5.Xor(x9))
		x6 = rotate12(x6.Xor(x10))
		x7 = rotate12(x7.Xor(x11))
		x0 = x0.Add(x4)
		x1 = x1.Add(x5)
		x2 = x2.Add(x6)
		x3 = x3.Add(x7)
		x12 = turn(x12.Xor(x0), turn8)
		x13 = turn(x13.Xor(x1), turn8)
		x14 = turn(x14.Xor(x2), turn8)
		x15 = turn(x15.Xor(x3), turn8)
		x8 = x8.Add(x12)
		x9 = x9.Add(x13)
		x10 = x10.Add(x14)
		x11 = x11.Add(x15)
		x4 = rotate7(x4.Xor(x8))
		x5 = rotate7(x5.Xor(x9))
		x6 = rotate7(x6.Xor(x10))
		x7 = rotate7(x7.Xor(x11))
		x0 = x0.Add(x5)
		x1 = x1.Add(x6)
		x2 = x2.Add(x7)
		x3 = x3.Add(x4)
		x15 = turn(x15.Xor(x0), turn16)
		x12 = turn(x12.Xor(x1), turn16)
		x13 = turn(x13.Xor(x2), turn16)
		x14 = turn(x14.Xor(x3), turn16)
		x10 = x10.Add(x15)
		x11 = x11.Add(x12)
		x8 = x8.Add(x13)
		x9 = x9.Add(x14)
		x5 = rotate12(x5.Xor(x10))
		x6 = rotate12(x6.Xor(x11))
		x7 = rotate12(x7.Xor(x8))
		x4 = rotate12(x4.Xor(x9))
		x0 = x0.Add(x5)
		x1 = x1.Add(x6)
		x2 = x2.Add(x7)
		x3 = x3.Add(x4)
		x15 = turn(x15.Xor(x0), turn8)
		x12 = turn(x12.Xor(x1), turn8)
		x13 = turn(x13.Xor(x2), turn8)
		x14 = turn(x14.Xor(x3), turn8)
		x10 = x10.Add(x15)
		x11 = x11.Add(x12)
		x8 = x8.Add(x13)
		x9 = x9.Add(x14)
		x5 = rotate7(x5.Xor(x10))
		x6 = rotate7(x6.Xor(x11))
		x7 = rotate7(x7.Xor(x8))
		x4 = rotate7(x4.Xor(x9))
	}

	// Each time 4 words of blocks 0 and 4, 1 and 5, 2 and 6, 3 and 7.
	x0 = x0.Add(row256(in, 0))
	x1 = x1.Add(row256(in, 1))
	x2 = x2.Add(row256(in, 2))
	x3 = x3.Add(row256(in, 3))
	a0, a1 := x0.InterleaveLoGrouped(x1).AsUint64x4(), x0.InterleaveHiGrouped(x1).AsUint64x4()
	a2, a3 := x2.InterleaveLoGrouped(x3).AsUint64x4(), x2.InterleaveHiGrouped(x3).AsUint64x4()
	p0, p1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
	p2, p3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
	x4 = x4.Add(row256(in, 4))
	x5 = x5.Add(row256(in, 5))
	x6 = x6.Add(row256(in, 6))
	x7 = x7.Add(row256(in, 7))
	a0, a1 = x4.InterleaveLoGrouped(x5).AsUint64x4(), x4.InterleaveHiGrouped(x5).AsUint64x4()
	a2, a3 = x6.InterleaveLoGrouped(x7).AsUint64x4(), x6.InterleaveHiGrouped(x7).AsUint64x4()
	q0, q1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
	q2, q3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
	x8 = x8.Add(row256(in, 8))
	x9 = x9.Add(row256(in, 9))
	x10 = x10.Add(row256(in, 10))
	x11 = x11.Add(row256(in, 11))
	a0, a1 = x8.InterleaveLoGrouped(x9).AsUint64x4(), x8.InterleaveHiGrouped(x9).AsUint64x4()
	a2, a3 = x10.InterleaveLoGrouped(x11).AsUint64x4(), x10.InterleaveHiGrouped(x11).AsUint64x4()
	r0, r1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
	r2, r3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)
	x12 = x12.Add(row256(in, 12))
	x13 = x13.Add(row256(in, 13))
	x14 = x14.Add(row256(in, 14))
	x15 = x15.Add(row256(in, 15))
	a0, a1 = x12.InterleaveLoGrouped(x13).AsUint64x4(), x12.InterleaveHiGrouped(x13).AsUint64x4()
	a2, a3 = x14.InterleaveLoGrouped(x15).AsUint64x4(), x14.InterleaveHiGrouped(x15).AsUint64x4()
	t0, t1 := a0.InterleaveLoGrouped(a2), a0.InterleaveHiGrouped(a2)
	t2, t3 := a1.InterleaveLoGrouped(a3), a1.InterleaveHiGrouped(a3)

	m := (*[16][4]uint64)(unsafe.Pointer(unsafe.SliceData(b)))
	xorHalf(&m[0], p0.Select128FromPair(0, 2, q0))
	xorHalf(&m[1], r0.Select128FromPair(0, 2, t0))
	xorHalf(&m[8], p0.Select128FromPair(1, 3, q0))
	xorHalf(&m[9], r0.Select128FromPair(1, 3, t0))
	xorHalf(&m[2], p1.Select128FromPair(0, 2, q1))
	xorHalf(&m[3], r1.Select128FromPair(0, 2, t1))
	xorHalf(&m[10], p1.Select128FromPair(1, 3, q1))
	xorHalf(&m[11], r1.Select128FromPair(1, 3, t1))
	xorHalf(&m[4], p2.Select128FromPair(0, 2, q2))
	xorHalf(&m[5], r2.Select128FromPair(0, 2, t2))
	xorHalf(&m[12], p2.Select128FromPair(1, 3, q2))
	xorHalf(&m[13], r2.Select128FromPair(1, 3, t2))
	xorHalf(&m[6], p3.Select128FromPair(0, 2, q3))
	xorHalf(&m[7], r3.Select128FromPair(0, 2, t3))
	xorHalf(&m[14], p3.Select128FromPair(1, 3, q3))
	xorHalf(&m[15], r3.Select128FromPair(1, 3, t3))
}

// row256 loads eight lanes of row i.
func row256(in unsafe.Pointer, i uintptr) archsimd.Uint32x8 {
	return archsimd.LoadUint32x8((*[8]uint32)(unsafe.Add(in, i*4*chachaLanes)))
}

func xorHalf(p *[4]uint64, x archsimd.Uint64x4) { load256(p).Xor(x).Store(p) }

func turn(x archsimd.Uint32x8, by archsimd.Int8x32) archsimd.Uint32x8 {
	return x.AsInt8x32().PermuteOrZeroGrouped(by).AsUint32x8()
}

func rotate12(x archsimd.Uint32x8) archsimd.Uint32x8 {
	return x.ShiftAllLeft(12).Or(x.ShiftAllRight(20))
}

func rotate7(x archsimd.Uint32x8) archsimd.Uint32x8 {
	return x.ShiftAllLeft(7).Or(x.ShiftAllRight(25))
}
