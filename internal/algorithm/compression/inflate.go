package compression

import (
	"encoding/binary"
	"fmt"
)

// inflater is a zlib stream (RFC 1950) that arrives in pieces. It gives out
// whatever the bits so far determine, and stops at any bit.
//
// It takes nothing from the input that it cannot use: a symbol with all that
// belongs to it (at most 48 bits, so that 64 hold one) is consumed at once or
// not at all. What remains is the short list of stages below.
type inflater struct {
	hold  uint64 // bits that were read and not used, the next one lowest
	bits  uint   // how many: all higher ones of hold are zero
	stage stage
	final bool // the last block of the stream has begun
	err   error

	left int // bytes to come of a stored block

	// The tables of the current block: these, or those of fixed blocks, which
	// are made when one comes.
	lit     *litTable
	dist    *distTable
	dynLit  litTable
	dynDist distTable
	fixed   *fixedTables

	// A block's code lengths while they are read.
	lengths        [maxLit + maxDist]uint8
	nlen, ndist    int
	ncode, lengthN int

	// The last output, as a ring: the next byte goes to window[head].
	window [windowSize]byte
	head   int
	have   int // bytes in it
}

type fixedTables struct {
	lit  litTable
	dist distTable
}

type stage uint8

const (
	stageZlib stage = iota
	stageBlock
	stageStoredLength
	stageStored
	stageCounts
	stageCodeLengths
	stageLengths
	stageSymbols
)

const (
	windowSize = 32 << 10 // RFC 1951 §2
	maxMatch   = 258
	maxLit     = 286 // symbols for literals and lengths
	maxDist    = 30  // symbols for distances
	maxCodeLen = 15

	// outputSlack is the free output that the fast loop asks for: what a turn
	// writes at most, a literal and a match, and the bytes that copying in steps
	// of eight writes and reads too many.
	outputSlack = 1 + maxMatch + 8
	// maxOutput is more than any packet, and far from where sizes overflow.
	maxOutput = 1 << 28
	// outputFirst is how much is taken at least when the output must grow.
	outputFirst = 1024
)

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }

// decompress is Decompressor.Decompress.
func (f *inflater) decompress(dst, src []byte, limit int) ([]byte, error) {
	if f.err != nil {
		return dst, f.err
	}
	o := output{b: dst[:cap(dst)], base: len(dst), n: len(dst), max: min(max(limit, 0), maxOutput)}
	f.err = f.inflate(&o, src)
	f.remember(o.b[o.base:o.n])
	return o.b[:o.n], f.err
}

// output is a slice that is being appended to: b[:n] is written, the rest is
// room.
type output struct {
	b    []byte
	base int // where this packet's begins
	n    int
	max  int // bytes that this packet may have
}

// room makes it possible to write n more bytes, and says whether that is
// allowed.
func (o *output) room(n int) bool {
	if n > o.max-(o.n-o.base) {
		return false
	}
	if n > len(o.b)-o.n {
		o.grow(n)
	}
	return true
}

// grow makes room for n bytes, by doubling, but not for more than is allowed.
func (o *output) grow(n int) {
	size := max(2*len(o.b), outputFirst, o.n+n)
	if most := o.base + o.max + outputSlack; size > most {
		size = max(most, o.n+n)
	}
	b := make([]byte, size)
	copy(b, o.b[:o.n])
	o.b = b
}

// need reads whole bytes from src until hold has n bits, n <= 57, and returns
// the rest of src and whether there were enough.
func (f *inflater) need(src []byte, n uint) ([]byte, bool) {
	for f.bits < n {
		if len(src) == 0 {
			return src, false
		}
		f.hold |= uint64(src[0]) << f.bits
		f.bits += 8
		src = src[1:]
	}
	return src, true
}

// take uses n bits of hold, n <= f.bits.
func (f *inflater) take(n uint) uint {
	v := uint(f.hold & (1<<n - 1))
	f.hold >>= n
	f.bits -= n
	return v
}

func (f *inflater) inflate(o *output, src []byte) error {
	var ok bool
	for {
		switch f.stage {
		case stageZlib:
			if src, ok = f.need(src, 16); !ok {
				return nil
			}
			method, flags := f.take(8), f.take(8)
			switch {
			case (method<<8|flags)%31 != 0:
				return corrupt("bad header")
			case method&15 != 8 || method>>4 > 7:
				return corrupt("unknown method")
			case flags&0x20 != 0:
				return corrupt("asks for a dictionary")
			}
			f.stage = stageBlock

		case stageBlock:
			if f.final {
				return ErrEnded
			}
			if src, ok = f.need(src, 3); !ok {
				return nil
			}
			f.final = f.take(1) == 1
			switch f.take(2) {
			case 0:
				f.take(f.bits % 8)
				f.stage = stageStoredLength
			case 1:
				f.useFixed()
				f.stage = stageSymbols
			case 2:
				f.stage = stageCounts
			default:
				return corrupt("unknown kind of block")
			}

		case stageStoredLength:
			if src, ok = f.need(src, 32); !ok {
				return nil
			}
			n, inverse := f.take(16), f.take(16)
			if n != ^inverse&0xffff {
				return corrupt("bad length of a stored block")
			}
			f.left = int(n)
			f.stage = stageStored

		case stageStored:
			// Whole bytes may wait in hold: what was read for longer fields.
			for f.left > 0 && f.bits > 0 {
				if !o.room(1) {
					return ErrTooLarge
				}
				o.b[o.n] = byte(f.take(8))
				o.n++
				f.left--
			}
			if f.left > 0 {
				n := min(f.left, len(src))
				if n == 0 {
					return nil
				}
				if !o.room(n) {
					return ErrTooLarge
				}
				copy(o.b[o.n:], src[:n])
				o.n += n
				src = src[n:]
				f.left -= n
			}
			if f.left == 0 {
				f.stage = stageBlock
			}

		case stageCounts:
			if src, ok = f.need(src, 14); !ok {
				return nil
			}
			f.nlen, f.ndist, f.ncode = int(f.take(5))+257, int(f.take(5))+1, int(f.take(4))+4
			if f.nlen > maxLit || f.ndist > maxDist {
				return corrupt("too many symbols")
			}
			clear(f.lengths[:codeSymbols])
			f.lengthN = 0
			f.stage = stageCodeLengths

		case stageCodeLengths:
			for f.lengthN < f.ncode {
				if src, ok = f.need(src, 3); !ok {
					return nil
				}
				f.lengths[codeOrder[f.lengthN]] = uint8(f.take(3))
				f.lengthN++
			}
			// The distance table is free until the lengths are known.
			if !build(f.dynDist[:], codeBits, f.lengths[:codeSymbols], false, codePlain, codeMeaning[:]) {
				return corrupt("bad code of code lengths")
			}
			f.lengthN = 0
			f.stage = stageLengths

		case stageLengths:
			if src, ok = f.readLengths(src); !ok {
				return nil
			}
			if f.lengthN > f.nlen+f.ndist {
				return corrupt("bad repeat of a code length")
			}
			if err := f.useDynamic(); err != nil {
				return err
			}
			f.stage = stageSymbols

		case stageSymbols:
			var done bool
			var err error
			if src, done, err = f.symbols(o, src); err != nil || !done {
				return err
			}
			f.stage = stageBlock
		}
	}
}

func (f *inflater) useFixed() {
	if f.fixed == nil {
		f.fixed = new(fixedTables)
		buildFixed(&f.fixed.lit, &f.fixed.dist)
	}
	f.lit, f.dist = &f.fixed.lit, &f.fixed.dist
}

func (f *inflater) useDynamic() error {
	lit, dist := f.lengths[:f.nlen], f.lengths[f.nlen:f.nlen+f.ndist]
	switch {
	case lit[256] == 0:
		return corrupt("a block without an end")
	case !build(f.dynLit[:], litBits, lit, true, litPlain, litMeaning[:]):
		return corrupt("bad code of literals and lengths")
	case !build(f.dynDist[:], distBits, dist, true, distPlain, distMeaning[:]):
		return corrupt("bad code of distances")
	}
	f.lit, f.dist = &f.dynLit, &f.dynDist
	return nil
}

// readLengths reads the code lengths of both tables; lengthN is beyond their
// number after a mistake. It reports whether it is through.
func (f *inflater) readLengths(src []byte) ([]byte, bool) {
	for f.lengthN < f.nlen+f.ndist {
		var e entry
		for {
			e = f.dynDist[f.hold&(1<<codeBits-1)]
			if e.bits() <= f.bits {
				break
			}
			if len(src) == 0 {
				return src, false
			}
			src, _ = f.need(src, f.bits+1)
		}
		sym := e.value()
		if sym == 16 && f.lengthN == 0 { // repeat of what was not there
			f.lengthN = len(f.lengths) + 1
			return src, true
		}
		var ok bool
		if src, ok = f.need(src, e.bits()+e.extra()); !ok {
			return src, false
		}
		f.take(e.bits())
		if sym < 16 {
			f.lengths[f.lengthN] = uint8(sym)
			f.lengthN++
			continue
		}
		v, n := uint8(0), codeRepeat[sym-16]+int(f.take(e.extra()))
		if sym == 16 {
			v = f.lengths[f.lengthN-1]
		}
		if f.lengthN+n > f.nlen+f.ndist {
			f.lengthN = len(f.lengths) + 1
			return src, true
		}
		for range n {
			f.lengths[f.lengthN] = v
			f.lengthN++
		}
	}
	return src, true
}

// symbols decodes a block until its end, which it reports, or until src is
// used up.
func (f *inflater) symbols(o *output, src []byte) ([]byte, bool, error) {
	for {
		// Many at once while there is plenty of everything.
		if len(src) >= 8 {
			if o.n+outputSlack > len(o.b) && o.n-o.base+outputSlack <= o.max {
				o.grow(outputSlack)
			}
			if o.n+outputSlack <= min(len(o.b), o.base+o.max) {
				var done bool
				var err error
				if src, done, err = f.fast(o, src); done || err != nil {
					return src, done, err
				}
			}
		}
		// One, with care: nothing of f changes until it is whole.
		for f.bits < 56 && len(src) > 0 {
			f.hold |= uint64(src[0]) << f.bits
			f.bits += 8
			src = src[1:]
		}
		hold := f.hold
		e := f.lit[hold&(1<<litBits-1)]
		if e.kind() == kindTable {
			e = f.lit[e.value()+int(hold>>litBits&(1<<e.extra()-1))]
		}
		used := e.bits()
		if used > f.bits {
			return src, false, nil
		}
		switch e.kind() {
		case kindLiteral:
			f.take(used)
			if !o.room(1) {
				return src, false, ErrTooLarge
			}
			o.b[o.n] = byte(e.value())
			o.n++
			continue
		case kindEnd:
			f.take(used)
			return src, true, nil
		case kindInvalid:
			return src, false, corrupt("unknown literal or length")
		}
		hold >>= used
		length := e.value() + int(hold&(1<<e.extra()-1))
		hold >>= e.extra()
		used += e.extra()

		e = f.dist[hold&(1<<distBits-1)]
		if e.kind() == kindTable {
			e = f.dist[e.value()+int(hold>>distBits&(1<<e.extra()-1))]
		}
		if used+e.bits() > f.bits {
			return src, false, nil
		}
		if e.kind() == kindInvalid {
			return src, false, corrupt("unknown distance")
		}
		hold >>= e.bits()
		distance := e.value() + int(hold&(1<<e.extra()-1))
		used += e.bits() + e.extra()
		if used > f.bits {
			return src, false, nil
		}
		f.take(used)
		if !o.room(length) {
			return src, false, ErrTooLarge
		}
		if err := f.match(o, length, distance); err != nil {
			return src, false, err
		}
	}
}

// fast decodes while 8 bytes of input and outputSlack of output are there. It
// reports the end of the block.
func (f *inflater) fast(o *output, src []byte) ([]byte, bool, error) {
	hold, bits := f.hold, f.bits
	lit, dist := f.lit, f.dist
	b, n := o.b, o.n
	last := min(len(b), o.base+o.max) - outputSlack
	done := false
	var err error
	for len(src) >= 8 && n <= last {
		// 56 bits at least: two literals, or a literal whose code is in the
		// first table and a match, or a match. Bits above are right as well,
		// but not counted.
		hold |= binary.LittleEndian.Uint64(src) << (bits & 63)
		src = src[(63-bits)>>3:]
		bits |= 56
		e := lit[hold&(1<<litBits-1)]
		if e.kind() == kindLiteral {
			hold >>= e.bits() & 63
			bits -= e.bits()
			b[n] = byte(e.value())
			n++
			e = lit[hold&(1<<litBits-1)]
			if e.kind() == kindLiteral {
				hold >>= e.bits() & 63
				bits -= e.bits()
				b[n] = byte(e.value())
				n++
				e = lit[hold&(1<<litBits-1)]
				if e.kind() == kindLiteral {
					hold >>= e.bits() & 63
					bits -= e.bits()
					b[n] = byte(e.value())
					n++
				}
				continue
			}
			if bits < 48 {
				continue
			}
		}
		if e.kind() == kindTable {
			e = lit[e.value()+int(hold>>litBits&(1<<e.extra()-1))]
		}
		hold >>= e.bits() & 63
		bits -= e.bits()
		if e.kind() != kindBase {
			if e.kind() == kindLiteral {
				b[n] = byte(e.value())
				n++
				continue
			}
			if e.kind() == kindEnd {
				done = true
			} else {
				err = corrupt("unknown literal or length")
			}
			break
		}
		length := e.value() + int(hold&(1<<e.extra()-1))
		hold >>= e.extra() & 63
		bits -= e.extra()
		e = dist[hold&(1<<distBits-1)]
		if e.kind() == kindTable {
			e = dist[e.value()+int(hold>>distBits&(1<<e.extra()-1))]
		}
		if e.kind() == kindInvalid {
			err = corrupt("unknown distance")
			break
		}
		hold >>= e.bits() & 63
		distance := e.value() + int(hold&(1<<e.extra()-1))
		hold >>= e.extra() & 63
		bits -= e.bits() + e.extra()

		if distance > n-o.base {
			o.n = n
			if err = f.match(o, length, distance); err != nil {
				break
			}
			n = o.n
			continue
		}
		from := b[n-distance : n+length+8]
		to := b[n : n+length+8]
		n += length
		if distance >= 8 {
			for i := 0; i < length; i += 8 {
				binary.LittleEndian.PutUint64(to[i:i+8], binary.LittleEndian.Uint64(from[i:i+8]))
			}
			continue
		}
		copyOverlap(to[:length], from)
	}
	f.hold, f.bits = hold&(1<<bits-1), bits
	o.n = n
	return src, done, err
}

// copyOverlap fills to with what lies at from, which is before it and may run
// into it: then what was written is repeated.
func copyOverlap(to, from []byte) {
	// from[d] is to[0] for the distance d, so each copy doubles what is there.
	for i := 0; i < len(to); {
		i += copy(to[i:], from[:len(from)-len(to)-8+i])
	}
}

// match appends length bytes from that distance back, for which there is room.
func (f *inflater) match(o *output, length, distance int) error {
	here := o.n - o.base
	if distance > here {
		back := distance - here // in the ring, from its newest byte
		if back > f.have {
			return corrupt("distance before the beginning")
		}
		n := min(length, back)
		at := (f.head - back) & (windowSize - 1)
		k := copy(o.b[o.n:o.n+n], f.window[at:])
		copy(o.b[o.n+k:o.n+n], f.window[:])
		o.n += n
		length -= n
	}
	for ; length > 0; length-- { // here at the ends only, not in the bulk
		o.b[o.n] = o.b[o.n-distance]
		o.n++
	}
	return nil
}

// remember puts the end of a packet into the ring.
func (f *inflater) remember(b []byte) {
	f.have = min(f.have+len(b), windowSize)
	if len(b) > windowSize {
		b = b[len(b)-windowSize:]
	}
	n := copy(f.window[f.head:], b)
	copy(f.window[:], b[n:])
	f.head = (f.head + len(b)) & (windowSize - 1)
}
