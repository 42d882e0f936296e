package sntrup761

// The encoding of NTRU Prime packs numbers below m pairwise into numbers below
// m², moves low bytes out while at least 2^14 values are left, and goes on with
// half as many numbers. All moduli of one level are equal except the last one,
// so a level is described by two numbers.

// levelLimit is the bound below which a level's moduli are kept.
const levelLimit = 1 << 14

// encode appends the numbers r[i] < m to dst and returns it. r is destroyed.
func encode(dst []byte, r []uint32, m uint32) []byte {
	last := m
	for len(r) > 1 {
		n := len(r)
		both := m
		for i := 0; i+1 < n; i += 2 {
			right := m
			if i+2 == n {
				right = last
			}
			x, y := r[i]+r[i+1]*m, m*right
			for y >= levelLimit {
				dst = append(dst, byte(x))
				x, y = x>>8, (y+255)>>8
			}
			r[i/2] = x
			if i+2 == n {
				last = y
			} else {
				both = y
			}
		}
		if n%2 == 1 {
			r[n/2] = r[n-1]
		}
		m, r = both, r[:(n+1)/2]
	}
	for x, y := r[0], last; y > 1; x, y = x>>8, (y+255)>>8 {
		dst = append(dst, byte(x))
	}
	return dst
}

// decode reads len(r) numbers below m from src, whose length must be what
// encode makes of them. Any bytes decode to something in range, so several
// strings may decode to the same numbers. It divides by public moduli only,
// but takes a time that may depend on src: what it decodes must be public.
func decode(r []uint32, src []byte, m uint32) {
	var scratch [2 * P]uint32
	decodeLevel(r, src, m, m, scratch[:])
}

// decodeLevel decodes a level whose moduli are m and at the end last. The
// levels above it live in scratch, which has room for 2·len(r) numbers.
func decodeLevel(r []uint32, src []byte, m, last uint32, scratch []uint32) {
	n := len(r)
	if n == 1 {
		x := uint32(0)
		for i, y := 0, last; y > 1; i, y = i+1, (y+255)>>8 {
			x |= uint32(src[i]) << (8 * i)
		}
		r[0] = x % last
		return
	}
	// The low bytes of this level stand in front of the next level's.
	low := func(right uint32) (bytes int, rest uint32) {
		for rest = m * right; rest >= levelLimit; rest = (rest + 255) >> 8 {
			bytes++
		}
		return bytes, rest
	}
	each, both := low(m)
	pairs := n / 2
	skip := pairs * each
	lastBytes, lastBoth := each, last
	if n%2 == 0 {
		lastBytes, lastBoth = low(last)
		skip += lastBytes - each
	}
	up := scratch[:(n+1)/2]
	decodeLevel(up, src[skip:], both, lastBoth, scratch[(n+1)/2:])
	at := 0
	for i := 0; i < pairs; i++ {
		bytes, right := each, m
		if i == pairs-1 && n%2 == 0 {
			bytes, right = lastBytes, last
		}
		x := up[i]
		for k := bytes - 1; k >= 0; k-- {
			x = x<<8 | uint32(src[at+k])
		}
		at += bytes
		r[2*i], r[2*i+1] = x%m, x/m%right
	}
	if n%2 == 1 {
		r[n-1] = up[n/2]
	}
}
