package compression

import "math/bits"

// A Huffman code (RFC 1951 §3.2.2) is a table that the next bits of the stream
// index: litBits of them, and for longer codes the rest in a second table
// behind it.
const (
	litBits  = 10
	distBits = 8
	codeBits = 7 // the code of code lengths has no longer one

	// The most entries that complete codes of 286 and 30 symbols need, with
	// first tables of these sizes and 15 bits at most.
	litEntries  = 1334
	distEntries = 402
)

type (
	litTable  [litEntries]entry
	distTable [distEntries]entry
)

// entry is what a code means: the bits of the code in the lowest byte, a kind,
// a number of extra bits that follow, and a value in the upper half: the
// literal, the base of a length or distance, or the place of a second table,
// whose index has extra bits. An entry of a second table counts all bits.
type entry uint32

type kind uint32

const (
	kindLiteral kind = iota
	kindBase
	kindEnd
	kindTable
	kindInvalid
)

func (e entry) bits() uint  { return uint(e & 63) }
func (e entry) kind() kind  { return kind(e >> 8 & 15) }
func (e entry) extra() uint { return uint(e >> 12 & 15) }
func (e entry) value() int  { return int(e >> 16) }

// invalid is for bits that begin no code. It takes one bit, that is all that
// must be there to know.
const invalid = 1 | entry(kindInvalid)<<8

const codeSymbols = 19

// codeOrder is the order in which the code lengths of code lengths come.
var codeOrder = [codeSymbols]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codeRepeat is how often symbols 16 to 18 repeat a length, at least.
var codeRepeat = [3]int{3, 3, 11}

// What symbols mean, §3.2.5 and §3.2.7, as entries that lack the bits: extra
// bits and base. Symbols below the number that goes with such a list mean
// themselves.
const (
	base  = entry(kindBase) << 8
	noSym = entry(kindInvalid) << 8

	litPlain  = 256
	distPlain = 0
	codePlain = 16
)

var litMeaning = [...]entry{
	entry(kindEnd) << 8,
	base | 0<<12 | 3<<16, base | 0<<12 | 4<<16, base | 0<<12 | 5<<16, base | 0<<12 | 6<<16,
	base | 0<<12 | 7<<16, base | 0<<12 | 8<<16, base | 0<<12 | 9<<16, base | 0<<12 | 10<<16,
	base | 1<<12 | 11<<16, base | 1<<12 | 13<<16, base | 1<<12 | 15<<16, base | 1<<12 | 17<<16,
	base | 2<<12 | 19<<16, base | 2<<12 | 23<<16, base | 2<<12 | 27<<16, base | 2<<12 | 31<<16,
	base | 3<<12 | 35<<16, base | 3<<12 | 43<<16, base | 3<<12 | 51<<16, base | 3<<12 | 59<<16,
	base | 4<<12 | 67<<16, base | 4<<12 | 83<<16, base | 4<<12 | 99<<16, base | 4<<12 | 115<<16,
	base | 5<<12 | 131<<16, base | 5<<12 | 163<<16, base | 5<<12 | 195<<16, base | 5<<12 | 227<<16,
	base | 0<<12 | 258<<16,
	noSym, noSym,
}

var distMeaning = [...]entry{
	base | 0<<12 | 1<<16, base | 0<<12 | 2<<16, base | 0<<12 | 3<<16, base | 0<<12 | 4<<16,
	base | 1<<12 | 5<<16, base | 1<<12 | 7<<16, base | 2<<12 | 9<<16, base | 2<<12 | 13<<16,
	base | 3<<12 | 17<<16, base | 3<<12 | 25<<16, base | 4<<12 | 33<<16, base | 4<<12 | 49<<16,
	base | 5<<12 | 65<<16, base | 5<<12 | 97<<16, base | 6<<12 | 129<<16, base | 6<<12 | 193<<16,
	base | 7<<12 | 257<<16, base | 7<<12 | 385<<16, base | 8<<12 | 513<<16, base | 8<<12 | 769<<16,
	base | 9<<12 | 1025<<16, base | 9<<12 | 1537<<16, base | 10<<12 | 2049<<16, base | 10<<12 | 3073<<16,
	base | 11<<12 | 4097<<16, base | 11<<12 | 6145<<16, base | 12<<12 | 8193<<16, base | 12<<12 | 12289<<16,
	base | 13<<12 | 16385<<16, base | 13<<12 | 24577<<16,
	noSym, noSym,
}

var codeMeaning = [...]entry{2<<12 | 16<<16, 3<<12 | 17<<16, 7<<12 | 18<<16}

// build makes the table, with a first one of root bits, of the code whose
// symbols have those lengths. Codes must be complete; loose allows one alone
// with one bit, and none at all. It reports whether the code is good.
func build(table []entry, root int, lengths []uint8, loose bool, plain int, meaning []entry) bool {
	var count [maxCodeLen + 1]int
	for _, n := range lengths {
		count[n&maxCodeLen]++
	}
	count[0] = 0
	longest := maxCodeLen
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	var place [maxCodeLen + 1]int // in sorted, of the next symbol of a length
	left, total := 1, 0           // left: codes that are free
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		place[n] = total
		total += count[n]
	}
	if left > 0 {
		if !loose || longest > 1 {
			return false
		}
		for i := range table[:1<<root] {
			table[i] = invalid
		}
	}
	var sorted [512]uint16 // symbols in the order of their codes
	for sym, n := range lengths {
		if n &= maxCodeLen; n > 0 {
			sorted[place[n]&511] = uint16(sym)
			place[n]++
		}
	}

	code, next := 0, 0 // next is in sorted
	first := table[:1<<root]
	for n := 1; n <= min(root, longest); n++ {
		for range count[n] {
			e := means(int(sorted[next&511]), plain, meaning) | entry(n)
			next++
			for i := reverse(code, n); i < len(first); i += 1 << n {
				first[i] = e
			}
			code++
		}
		code <<= 1
	}

	// Codes that begin alike are neighbours. Of a complete code they fill a
	// second table as large as the longest one of them needs.
	free := 1 << root // where the next second table goes
	begin := -1
	var second []entry
	for n := root + 1; n <= longest; n++ {
		for ; count[n] > 0; count[n]-- {
			if b := code >> (n - root); b != begin {
				begin = b
				size := n - root
				for room := 1 << size; root+size < longest; room <<= 1 {
					if room -= count[root+size]; room <= 0 {
						break
					}
					size++
				}
				if free+1<<size > len(table) {
					return false // never with a complete code
				}
				second = table[free : free+1<<size]
				first[reverse(begin, root)] = entry(root) | entry(kindTable)<<8 | entry(size)<<12 | entry(free)<<16
				free += 1 << size
			}
			e := means(int(sorted[next&511]), plain, meaning) | entry(n)
			next++
			for i := reverse(code, n) >> root; i < len(second); i += 1 << (n - root) {
				second[i] = e
			}
			code++
		}
		code <<= 1
	}
	return true
}

func means(sym, plain int, meaning []entry) entry {
	if sym < plain {
		return entry(sym) << 16
	}
	return meaning[sym-plain]
}

// reverse turns around the n bits of a code: the stream has its first lowest.
func reverse(code, n int) int {
	return int(bits.Reverse16(uint16(code)) >> (16 - n))
}

const (
	fixedLits  = 288 // symbols of the fixed codes, RFC 1951 §3.2.6
	fixedDists = 32
)

func buildFixed(lit *litTable, dist *distTable) {
	var lengths [fixedLits]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	build(lit[:], litBits, lengths[:], false, litPlain, litMeaning[:])
	for i := range fixedDists {
		lengths[i] = 5
	}
	build(dist[:], distBits, lengths[:fixedDists], false, distPlain, distMeaning[:])
}
