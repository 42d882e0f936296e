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

func newEntry(bits uint, k kind, extra uint, value int) entry {
	return entry(bits) | entry(k)<<8 | entry(extra)<<12 | entry(value)<<16
}

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

// codeRepeat and codeExtra are for its symbols 16 to 18.
var (
	codeRepeat = [3]int{3, 3, 11}
	codeExtra  = [3]uint8{2, 3, 7}
)

// Lengths and distances, §3.2.5.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// litEntry is the entry of a symbol of literals and lengths, without its bits.
func litEntry(sym int) entry {
	switch {
	case sym < 256:
		return newEntry(0, kindLiteral, 0, sym)
	case sym == 256:
		return newEntry(0, kindEnd, 0, 0)
	case sym < maxLit:
		return newEntry(0, kindBase, uint(lengthExtra[sym-257]), int(lengthBase[sym-257]))
	}
	return newEntry(0, kindInvalid, 0, 0)
}

func distEntry(sym int) entry {
	if sym < maxDist {
		return newEntry(0, kindBase, uint(distExtra[sym]), int(distBase[sym]))
	}
	return newEntry(0, kindInvalid, 0, 0)
}

// codeEntry is the entry of a code length, whose value is the symbol.
func codeEntry(sym int) entry {
	if sym < 16 {
		return newEntry(0, kindLiteral, 0, sym)
	}
	return newEntry(0, kindLiteral, uint(codeExtra[sym-16]), sym)
}

// build makes the table, with a first one of root bits, of the code whose
// symbols have those lengths. Codes must be complete; loose allows one alone
// with one bit, and none at all. It reports whether the code is good.
func build(table []entry, root uint, lengths []uint8, loose bool, mean func(int) entry) bool {
	var count [maxCodeLen + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	longest := maxCodeLen
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	var place [maxCodeLen + 2]int // in sorted, of the next symbol of a length
	left := 1                     // codes that are free
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		place[n+1] = place[n] + count[n]
	}
	if left > 0 {
		if !loose || longest > 1 {
			return false
		}
		for i := range table[:1<<root] {
			table[i] = invalid
		}
	}
	total := place[longest+1]
	var sorted [fixedLits]uint16 // symbols in the order of their codes
	for sym, n := range lengths {
		if n > 0 {
			sorted[place[n]] = uint16(sym)
			place[n]++
		}
	}

	free := 1 << root // where the next second table goes
	code := 0
	for i := 0; i < total; {
		n := uint(lengths[sorted[i]])
		if n <= root {
			e := mean(int(sorted[i])) | entry(n)
			for j := reverse(code, n); j < 1<<root; j += 1 << n {
				table[j] = e
			}
			i++
			code = nextCode(code, lengths, sorted[:total], i)
			continue
		}
		// Codes that begin alike are neighbours, the longest one last: its
		// length is the size of their second table.
		begin := code >> (n - root)
		end, c, m := i, code, n
		for end < total {
			l := uint(lengths[sorted[end]])
			if c>>(l-root) != begin {
				break
			}
			m = l
			end++
			c = nextCode(c, lengths, sorted[:total], end)
		}
		size := m - root
		if free+1<<size > len(table) {
			return false // never with a complete code
		}
		second := table[free : free+1<<size]
		table[reverse(begin, root)] = newEntry(0, kindTable, size, free)
		free += 1 << size
		for ; i < end; i++ {
			n = uint(lengths[sorted[i]])
			e := mean(int(sorted[i])) | entry(n)
			for j := reverse(code, n) >> root; j < 1<<size; j += 1 << (n - root) {
				second[j] = e
			}
			code = nextCode(code, lengths, sorted[:total], i+1)
		}
	}
	return true
}

// nextCode is the code of sorted[i], code being that of the symbol before.
func nextCode(code int, lengths []uint8, sorted []uint16, i int) int {
	if i >= len(sorted) {
		return 0
	}
	return (code + 1) << (lengths[sorted[i]] - lengths[sorted[i-1]])
}

// reverse turns around the n bits of a code: the stream has its first lowest.
func reverse(code int, n uint) int {
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
	build(lit[:], litBits, lengths[:], false, litEntry)
	for i := range fixedDists {
		lengths[i] = 5
	}
	build(dist[:], distBits, lengths[:fixedDists], false, distEntry)
}
