package sntrup761

// Inversion in R/q by the constant-time division steps of Bernstein and Yang
// ("Fast constant-time gcd computation and modular inversion", 2019): with f
// the reversed modulus and g the reversed element, 2p-1 times
//
//	f, g ← f or, where δ > 0 and g(0) ≠ 0, g;  (g - (g(0)/f(0))·f) / x
//	δ ← 1 + δ or, in the second case, 1 - δ
//
// (the paper's second g is -f(0)/g(0) times that one; a factor common to g and
// r does no harm), and the same combination of v and r, where v is multiplied
// by x instead of dividing r. Up to powers of x modulo the reversed modulus, f
// stays v times the reversed element; it ends as a constant.
//
// What makes it quick:
//   - two coefficients share a word, as 32-bit lanes, and are reduced together;
//   - the lanes hold the lower and the upper half of a polynomial, so that
//     dividing or multiplying by x is a step of the slice's start;
//   - the degrees of f, g and v, r are bounded by the number of steps and δ,
//     and so is the part worked on. |δ| exceeds slack with a probability below
//     2^-26 (it takes that many leading zeros in a row); then the element is
//     given up, as one that is not invertible is.
const (
	steps = 2*P - 1
	slack = 40
	block = 32 // steps between two moves to shorter slices
	lanes = (P + 2) / 2
)

const (
	// Lanes stay below 2q. For z = y + c·x, c ≤ q, z < 2^25.4 and
	// (z>>10)·29234 >> 17, where 29234 = ⌊2^27/q⌋, falls short of z/q by less
	// than 2: 1024/q for the bits shifted out, 2^15.4·0.98/2^17 for the
	// reciprocal, 1 for the last shift. So z minus q times it is below 2q
	// again and never negative; products of a lane stay below 2^32.
	reciprocal = 1 << 27 / Q
	laneMask22 = 0x003fffff_003fffff
	laneMask15 = 0x00007fff_00007fff
)

// combineWords replaces y by y + c·x modulo q, lane by lane, and x by the old y
// where swap is all ones.
func combineWords(x, y []uint64, c, swap uint64) {
	y = y[:len(x)]
	for i, a := range x {
		b := y[i]
		x[i] = a ^ (a^b)&swap
		z := b + c*a
		k := (z >> 10 & laneMask22) * reciprocal >> 17 & laneMask15
		y[i] = z - k*Q
	}
}

// inverse is 1/a modulo q, and 0 for 0: a^(q-2).
func inverse(a uint32) uint32 {
	a2 := a * a % Q
	a3 := a2 * a % Q
	a6 := a3 * a3 % Q
	a12 := a6 * a6 % Q
	a15 := a12 * a3 % Q
	t := a2 * a2 % Q
	t = t * t % Q // 8
	for range 4 {
		t = t * t % Q // 128
	}
	t = t * a15 % Q // 143
	for range 3 {
		t = t * t % Q
	}
	t = t * a3 % Q // 1147
	t = t * t % Q
	t = t * t % Q
	return t * a % Q // 4589
}

// load spreads a polynomial of up to 2·len(dst) coefficients over lanes.
func load(dst []uint64, src *[2 * lanes]uint32) {
	h := len(dst)
	for i := range dst {
		dst[i] = uint64(src[i]) | uint64(src[i+h])<<32
	}
}

// store is the reverse of load; the rest of dst becomes zero.
func store(dst *[2 * lanes]uint32, src []uint64) {
	h := len(src)
	for i, w := range src {
		dst[i], dst[i+h] = uint32(w), uint32(w>>32)
	}
	clear(dst[2*h:])
}

// invertTriple sets out = 1/(3a) in R/q. It reports false, with nothing said of
// out, for the rare element that needs more slack.
func invertTriple(out *rq, a *small) bool {
	var f, g, v, r [2 * lanes]uint32
	f[0], f[P-1], f[P] = 1, Q-1, Q-1
	for i, c := range a {
		g[P-1-i] = uint32(int32(c)+Q) % Q
	}
	r[0] = (2*Q + 1) / 3 // 1/3, as q is 1 modulo 3
	var lf, lr [lanes]uint64
	var lg, lv [lanes + block]uint64
	delta, bad := int64(1), int64(0)
	for n := 0; n < steps; n += block {
		// 2·deg f ≤ 2p-1-n+δ, 2·deg g ≤ 2p-1-n-δ; 2·deg v ≤ n+δ-1,
		// 2·deg r ≤ n-δ+1.
		count := min(block, steps-n)
		hf := min(lanes, ((steps-n+slack)/2+2)/2)
		hv := min(lanes, ((n+count+slack)/2+2)/2)
		F, R := lf[:hf], lr[:hv]
		load(F, &f)
		load(R, &r)
		gAt, vAt := 0, block
		load(lg[:hf], &g)
		load(lv[vAt:vAt+hv], &v)
		for range count {
			G := lg[gAt : gAt+hf+1]
			f0, g0 := uint32(F[0])%Q, uint32(G[0])%Q
			swap := -delta >> 63 & (-int64(g0) >> 63)
			delta ^= swap & (delta ^ -delta)
			delta++
			bad |= slack - delta // below -slack it comes only from above slack
			c := uint64(Q - g0*inverse(f0)%Q)

			combine(F, G[:hf], c, uint64(swap))
			// g/x: the upper half's first coefficient becomes the lower
			// half's last.
			G[hf] = G[0] >> 32
			gAt++

			// x·v: the lower half's last coefficient becomes the upper
			// half's first.
			vAt--
			V := lv[vAt : vAt+hv+1]
			V[0] = V[hv] << 32
			combine(V[:hv], R, c, uint64(swap))
		}
		store(&f, F)
		store(&g, lg[gAt:gAt+hf])
		store(&v, lv[vAt:vAt+hv])
		store(&r, R)
	}
	scale := inverse(f[0] % Q)
	for i := range out {
		out[i] = uint16(v[P-1-i] % Q * scale % Q)
	}
	clear(f[:])
	clear(g[:])
	clear(v[:])
	clear(r[:])
	clear(lf[:])
	clear(lg[:])
	clear(lv[:])
	clear(lr[:])
	return bad >= 0
}
