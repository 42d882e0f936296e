package sntrup761

import "math/bits"

// Products in R/q of an element by a small one are computed as products of
// large integers (Kronecker substitution): coefficients become slots of 24
// bits, so that one 64-bit multiplication does seven coefficient products.
// One step of Karatsuba halves the operands first.
const (
	half      = (P + 1) / 2     // 381: coefficients of a half; the upper one has 380
	slots     = 384             // half, rounded up to eight slots in three words
	halfWords = slots / 8 * 3   // words of a packed half
	prodWords = 2 * halfWords   // words of a product of two halves
	fullCoeff = 2*half + 2*half // room for the coefficients of the whole product
)

// The largest coefficient is that of the middle product: half terms, each at
// most 2(q-1) by 2·2. This fails to compile when it outgrows a slot.
const _ = uint(1<<24 - 1 - half*2*(Q-1)*4)

// pack writes 384 coefficients below 2^24 into 24-bit slots.
func pack(dst *[halfWords]uint64, src *[slots]uint32) {
	for i, j := 0, 0; i < slots; i, j = i+8, j+3 {
		c := src[i : i+8 : i+8]
		dst[j] = uint64(c[0]) | uint64(c[1])<<24 | uint64(c[2])<<48
		dst[j+1] = uint64(c[2])>>16 | uint64(c[3])<<8 | uint64(c[4])<<32 | uint64(c[5])<<56
		dst[j+2] = uint64(c[5])>>8 | uint64(c[6])<<16 | uint64(c[7])<<40
	}
}

// unpack is the reverse of pack for a product.
func unpack(dst *[2 * slots]uint32, src *[prodWords]uint64) {
	const mask = 1<<24 - 1
	for i, j := 0, 0; i < 2*slots; i, j = i+8, j+3 {
		a, b, c := src[j], src[j+1], src[j+2]
		d := dst[i : i+8 : i+8]
		d[0] = uint32(a) & mask
		d[1] = uint32(a>>24) & mask
		d[2] = uint32(a>>48|b<<16) & mask
		d[3] = uint32(b>>8) & mask
		d[4] = uint32(b>>32) & mask
		d[5] = uint32(b>>56|c<<8) & mask
		d[6] = uint32(c>>16) & mask
		d[7] = uint32(c >> 40)
	}
}

// mulWords sets z = x·y. The work does not depend on the values.
func mulWords(z *[prodWords]uint64, x, y *[halfWords]uint64) {
	clear(z[:])
	for i := 0; i < halfWords; i += 2 {
		// Two rows at a time: half the loads and stores of z.
		y0, y1 := y[i], y[i+1]
		var c0, c1, prev, carry uint64
		row := z[i : i+halfWords+2 : i+halfWords+2]
		for j, xj := range x {
			h0, l0 := bits.Mul64(xj, y0)
			h1, l1 := bits.Mul64(prev, y1)
			prev = xj
			l0, carry = bits.Add64(l0, row[j], 0)
			h0, _ = bits.Add64(h0, 0, carry)
			l0, carry = bits.Add64(l0, c0, 0)
			c0, _ = bits.Add64(h0, 0, carry)
			l1, carry = bits.Add64(l1, l0, 0)
			h1, _ = bits.Add64(h1, 0, carry)
			l1, carry = bits.Add64(l1, c1, 0)
			c1, _ = bits.Add64(h1, 0, carry)
			row[j] = l1
		}
		h1, l1 := bits.Mul64(prev, y1)
		l1, carry = bits.Add64(l1, c0, 0)
		h1 += carry
		l1, carry = bits.Add64(l1, c1, 0)
		h1 += carry
		row[halfWords] = l1
		row[halfWords+1] = h1
	}
}

// mulSmall sets out = a·b in R/q. b has coefficients -1, 0 and 1.
func mulSmall(out, a *rq, b *small) {
	var x, y [3][slots]uint32 // lower half, upper half, their sum
	for i := range half {
		// b+1 is never negative; what the ones add is taken off below.
		x[0][i], y[0][i] = uint32(a[i]), uint32(b[i]+1)
	}
	for i := half; i < P; i++ {
		x[1][i-half], y[1][i-half] = uint32(a[i]), uint32(b[i]+1)
	}
	for i := range half {
		x[2][i], y[2][i] = x[0][i]+x[1][i], y[0][i]+y[1][i]
	}
	var px, py [halfWords]uint64
	var pz [prodWords]uint64
	var z [3][2 * slots]uint32
	for k := range 3 {
		pack(&px, &x[k])
		pack(&py, &y[k])
		mulWords(&pz, &px, &py)
		unpack(&z[k], &pz)
	}
	var full [fullCoeff]int32
	for i := range 2*half - 1 {
		lo, hi, mid := int32(z[0][i]), int32(z[1][i]), int32(z[2][i])
		full[i] += lo
		full[i+half] += mid - lo - hi
		full[i+2*half] += hi
	}
	// a·(b+1) = a·b + a·(1 + x + … + x^760).
	sum := int32(0)
	for i := range P {
		sum += int32(a[i])
		full[i] -= sum
	}
	for i := P; i < 2*P-1; i++ {
		sum -= int32(a[i-P])
		full[i] -= sum
	}
	// x^761 = x + 1.
	for i := 2*P - 2; i >= P; i-- {
		full[i-P] += full[i]
		full[i-P+1] += full[i]
	}
	// At most three coefficients of P·q each came together.
	const lift = 3 * P * Q
	for i := range out {
		out[i] = uint16(uint32(full[i]+lift) % Q)
	}
	for k := range 3 {
		clear(x[k][:])
		clear(y[k][:])
		clear(z[k][:])
	}
	clear(px[:])
	clear(py[:])
	clear(pz[:])
	clear(full[:])
}
