package kex

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"math/bits"
	"strconv"
)

// Moduli are the groups of a moduli file (moduli(5)). It is read-only once
// parsed and may be shared.
type Moduli struct{ groups []modulus }

type modulus struct {
	bits int
	p, g []byte // big endian, no leading zeros
}

// ErrNoModuli is the error of a file without one usable line.
var ErrNoModuli = errors.New("kex: moduli: no usable group in the file; group exchange falls back to built-in ones")

// Fields of a line, and what they must hold.
const (
	moduliSafePrime  = 2    // type
	moduliTestsLimit = 0x1f // all bits of the tests field
	moduliComposite  = 1    // the bit of tests that says it is no prime
	moduliTries      = 1 << 30
	moduliSize       = 64 << 10
)

// ParseModuli reads /etc/ssh/moduli: lines of time, type, tests, tries, size,
// generator and modulus. Lines that are no safe prime, whose tests are missing
// or found it composite, without tries or whose size is wrong are skipped, as
// are comments. The result is never nil; the error is ErrNoModuli if nothing
// is in it.
func ParseModuli(b []byte) (*Moduli, error) {
	m := new(Moduli)
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if g, ok := parseModulus(bytes.Trim(line, " \t\r")); ok {
			m.groups = append(m.groups, g)
		}
	}
	if len(m.groups) == 0 {
		return m, ErrNoModuli
	}
	return m, nil
}

func parseModulus(line []byte) (modulus, bool) {
	var f [7][]byte
	if len(line) == 0 || line[0] == '#' {
		return modulus{}, false
	}
	for i := range f {
		var more bool
		f[i], line, more = bytes.Cut(line, []byte(" "))
		if len(f[i]) == 0 || more == (i == len(f)-1) {
			return modulus{}, false
		}
	}
	kind := number(f[1], 5)
	tests := number(f[2], moduliTestsLimit)
	tries := number(f[3], moduliTries)
	size := number(f[4], moduliSize)
	if kind != moduliSafePrime || tests&moduliComposite != 0 || tests <= 0 || tries <= 0 || size <= 0 {
		return modulus{}, false
	}
	g, ok := unhex(f[5])
	if !ok || len(g) == 0 || len(g) == 1 && g[0] == 1 {
		return modulus{}, false
	}
	p, ok := unhex(f[6])
	if !ok || len(p) == 0 || p[len(p)-1]&1 == 0 {
		return modulus{}, false
	}
	n := 8*len(p) - bits.LeadingZeros8(p[0])
	return modulus{n, p, g}, n == size+1 // the file's sizes are one short
}

// number is the value of a decimal field from 0 to limit, -1 if it is none.
func number(f []byte, limit int) int {
	n, err := strconv.Atoi(string(f))
	if err != nil || n < 0 || n > limit {
		return -1
	}
	return n
}

// unhex decodes hexadecimal digits of any number, without leading zeros.
func unhex(f []byte) ([]byte, bool) {
	if len(f)%2 == 1 {
		f = append([]byte{'0'}, f...)
	}
	b := make([]byte, len(f)/2)
	if _, err := hex.Decode(b, f); err != nil {
		return nil, false
	}
	return bytes.TrimLeft(b, "\x00"), true
}

// Len is the number of groups.
func (m *Moduli) Len() int { return len(m.groups) }

// Pick returns a group of the smallest size in [minBits, maxBits] that is not
// below preferred, else of the largest below it; among those of that size any
// with equal chances. random may be nil for crypto/rand. It reports false when
// no size fits or random fails. p and g must not be changed.
func (m *Moduli) Pick(minBits, preferred, maxBits int, random io.Reader) (p, g []byte, ok bool) {
	best, count := 0, 0
	for i := range m.groups {
		n := m.groups[i].bits
		if n < minBits || n > maxBits {
			continue
		}
		// Towards preferred from below, and then down to it from above.
		if best == 0 || n > best && best < preferred || n < best && n >= preferred {
			best, count = n, 0
		}
		if n == best {
			count++
		}
	}
	if count == 0 {
		return nil, nil, false
	}
	if random == nil {
		random = rand.Reader
	}
	which, err := rand.Int(random, big.NewInt(int64(count)))
	if err != nil {
		return nil, nil, false
	}
	skip := which.Int64()
	for i := range m.groups {
		if m.groups[i].bits != best {
			continue
		}
		if skip == 0 {
			return m.groups[i].p, m.groups[i].g, true
		}
		skip--
	}
	return nil, nil, false
}
