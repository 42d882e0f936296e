//go:build goexperiment.simd && amd64

package sntrup761

import "simd/archsimd"

// combine is combineWords, four words at a time where the processor can.
func combine(x, y []uint64, c, swap uint64) {
	y = y[:len(x)]
	if archsimd.X86.AVX2() {
		factor, mask := archsimd.BroadcastUint32x8(uint32(c)), archsimd.BroadcastUint64x4(swap)
		recip, modulus := archsimd.BroadcastUint32x8(reciprocal), archsimd.BroadcastUint32x8(Q)
		for len(x) >= 4 && len(y) >= 4 {
			a, b := archsimd.LoadUint64x4Slice(x), archsimd.LoadUint64x4Slice(y)
			a.Xor(a.Xor(b).And(mask)).StoreSlice(x)
			z := b.AsUint32x8().Add(a.AsUint32x8().Mul(factor))
			k := z.ShiftAllRight(10).Mul(recip).ShiftAllRight(17)
			z.Sub(k.Mul(modulus)).AsUint64x4().StoreSlice(y)
			x, y = x[4:], y[4:]
		}
		archsimd.ClearAVXUpperBits()
	}
	combineWords(x, y, c, swap)
}
