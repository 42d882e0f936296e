package sntrup761

// Elements of R/3 as two bit planes, 64 coefficients in a word: plus marks the
// coefficients that are 1, minus those that are -1.
type r3 struct{ plus, minus [planeWords]uint64 }

const (
	planeWords = (P + 1 + 63) / 64 // 12, room for 762 coefficients
	topWord    = P / 64
	topBit     = P % 64 // where x^761 is
)

func (t *r3) set(a *small) {
	*t = r3{}
	for i, c := range a {
		t.plus[i/64] |= uint64(c&^(c>>7)&1) << (i % 64)
		t.minus[i/64] |= uint64(c>>7&1) << (i % 64)
	}
}

// coeff is the i-th coefficient's planes, each 0 or 1.
func (t *r3) coeff(i int) (plus, minus uint64) {
	return t.plus[i/64] >> (i % 64) & 1, t.minus[i/64] >> (i % 64) & 1
}

func (t *r3) small(a *small) {
	for i := range a {
		plus, minus := t.coeff(i)
		a[i] = int8(plus) - int8(minus)
	}
}

// add3 adds 64 coefficients. For all nine pairs: u is 1 where the sum is ±1 or
// an operand is 0 and the other is not.
func add3(ap, am, bp, bm uint64) (plus, minus uint64) {
	u := (ap | bm) ^ (am | bp)
	return (am | bm) ^ u, (ap | bp) ^ u
}

// mulTernary sets out = a·b in R/3, by Horner's rule over a's coefficients.
func mulTernary(out *small, a, b *small) {
	var x, y, z r3
	x.set(a)
	y.set(b)
	for i := P - 1; i >= 0; i-- {
		cp, cm := x.coeff(i)
		cp, cm = -cp, -cm
		var hp, hm uint64
		for j := range planeWords {
			zp, zm := z.plus[j], z.minus[j]
			sp, sm := zp<<1|hp, zm<<1|hm
			hp, hm = zp>>63, zm>>63
			yp, ym := y.plus[j], y.minus[j]
			z.plus[j], z.minus[j] = add3(sp, sm, yp&cp|ym&cm, ym&cp|yp&cm)
		}
		// x^761 = x + 1
		tp, tm := z.plus[topWord]>>topBit&1, z.minus[topWord]>>topBit&1
		z.plus[topWord] &^= 1 << topBit
		z.minus[topWord] &^= 1 << topBit
		z.plus[0], z.minus[0] = add3(z.plus[0], z.minus[0], tp|tp<<1, tm|tm<<1)
	}
	z.small(out)
	x, y, z = r3{}, r3{}, r3{}
}

// invertTernary sets out = 1/a in R/3 and reports whether there is one: R/3 is
// no field. The steps are those of invertTriple, where f(0) is its own inverse.
func invertTernary(out, a *small) bool {
	var f, g, v, r r3
	f.plus[0] = 1
	f.minus[(P-1)/64] |= 1 << ((P - 1) % 64)
	f.minus[P/64] |= 1 << (P % 64)
	var rev small
	for i, c := range a {
		rev[P-1-i] = c
	}
	g.set(&rev)
	r.plus[0] = 1
	delta := int64(1)
	for range steps {
		fp, fm := -(f.plus[0] & 1), -(f.minus[0] & 1)
		gp, gm := -(g.plus[0] & 1), -(g.minus[0] & 1)
		swap := uint64(-delta>>63) & (gp | gm)
		delta ^= int64(swap) & (delta ^ -delta)
		delta++
		// c = -g(0)/f(0) = -g(0)·f(0)
		cp, cm := gp&fm|gm&fp, gp&fp|gm&fm

		var hp, hm uint64 // bits moving down from the word above
		for j := planeWords - 1; j >= 0; j-- {
			ap, am, bp, bm := f.plus[j], f.minus[j], g.plus[j], g.minus[j]
			f.plus[j], f.minus[j] = ap^(ap^bp)&swap, am^(am^bm)&swap
			zp, zm := add3(bp, bm, ap&cp|am&cm, am&cp|ap&cm)
			g.plus[j], g.minus[j] = zp>>1|hp, zm>>1|hm
			hp, hm = zp<<63, zm<<63
		}
		hp, hm = 0, 0 // bits moving up from the word below
		for j := range planeWords {
			vp, vm := v.plus[j], v.minus[j]
			ap, am := vp<<1|hp, vm<<1|hm
			hp, hm = vp>>63, vm>>63
			bp, bm := r.plus[j], r.minus[j]
			v.plus[j], v.minus[j] = ap^(ap^bp)&swap, am^(am^bm)&swap
			r.plus[j], r.minus[j] = add3(bp, bm, ap&cp|am&cm, am&cp|ap&cm)
		}
	}
	fm := -(f.minus[0] & 1)
	for j := range planeWords { // v/f(0): f(0) = -1 exchanges the planes
		t := (v.plus[j] ^ v.minus[j]) & fm
		v.plus[j], v.minus[j] = v.plus[j]^t, v.minus[j]^t
	}
	v.small(&rev)
	for i := range out {
		out[i] = rev[P-1-i]
	}
	f, g, v, r = r3{}, r3{}, r3{}, r3{}
	clear(rev[:])
	return delta == 0
}
