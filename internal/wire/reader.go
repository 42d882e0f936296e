package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of what one field may hold, whatever the packet around it allows.
const (
	MaxNameList = 64 << 10 // bytes of one name-list (NEG-6)
	MaxName     = 64       // bytes of one name in a list (RFC 4251 §6)
)

// Decoding errors. ErrShort is also what a length beyond the message gives.
var (
	ErrShort    = errors.New("wire: message is truncated")
	ErrTrailing = errors.New("wire: message has bytes after its last field")
	ErrMpint    = errors.New("wire: mpint is negative or not in its shortest form")
	ErrNameList = errors.New("wire: malformed name-list")
	ErrNumber   = errors.New("wire: another message number was expected")
	ErrTooMany  = errors.New("wire: more entries than are taken")
	ErrNUL      = errors.New("wire: text holds a NUL byte")
)

// Reader decodes one message from the front. The first failure sticks: every
// later call returns zero values, and Err or Done reports it. Slices that it
// returns alias the message.
type Reader struct {
	b   []byte
	err error
}

// NewReader starts at the first byte of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *Reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail(ErrShort)
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

// Byte decodes a byte.
func (r *Reader) Byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

// Bool decodes a boolean; any value but zero is true (RFC 4251 §5).
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Uint32 decodes a uint32.
func (r *Reader) Uint32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

// Uint64 decodes a uint64.
func (r *Reader) Uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// Fixed decodes n bytes that carry no length of their own.
func (r *Reader) Fixed(n int) []byte { return r.take(n) }

// String decodes a string. The result aliases the message.
func (r *Reader) String() []byte {
	n := r.Uint32()
	if uint64(n) > uint64(len(r.b)) {
		r.fail(ErrShort)
		return nil
	}
	return r.take(int(n))
}

// Text decodes a string into Go's own, copying it.
func (r *Reader) Text() string { return string(r.String()) }

// Name decodes a string that may not hold a NUL byte, copying it.
func (r *Reader) Name() string {
	s := r.String()
	for _, c := range s {
		if c == 0 {
			r.fail(ErrNUL)
			return ""
		}
	}
	return string(s)
}

// Mpint decodes a non-negative mpint and returns its magnitude without
// leading zeros, empty for zero. Negative and non-minimal forms are errors
// (KEX-16).
func (r *Reader) Mpint() []byte {
	s := r.String()
	if r.err != nil || len(s) == 0 {
		return nil
	}
	if s[0]&0x80 != 0 || s[0] == 0 && (len(s) == 1 || s[1]&0x80 == 0) {
		r.fail(ErrMpint)
		return nil
	}
	if s[0] == 0 {
		s = s[1:]
	}
	return s
}

// NameList decodes a name-list: at most MaxNameList bytes of printable ASCII
// names of 1 to MaxName bytes each (NEG-6). An empty list gives nil.
func (r *Reader) NameList() []string {
	s := r.String()
	if r.err != nil || len(s) == 0 {
		return nil
	}
	if len(s) > MaxNameList {
		r.fail(fmt.Errorf("%w: %d bytes", ErrNameList, len(s)))
		return nil
	}
	n := 1
	for _, c := range s {
		if c == ',' {
			n++
		} else if c <= ' ' || c >= 0x7f {
			r.fail(fmt.Errorf("%w: byte %#02x", ErrNameList, c))
			return nil
		}
	}
	names := make([]string, 0, n)
	text := string(s)
	start := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] != ',' {
			continue
		}
		if i == start || i-start > MaxName {
			r.fail(fmt.Errorf("%w: name of %d bytes", ErrNameList, i-start))
			return nil
		}
		names = append(names, text[start:i])
		start = i + 1
	}
	return names
}

// Rest returns what is left, aliasing the message.
func (r *Reader) Rest() []byte {
	p := r.b
	r.b = nil
	return p
}

// Len reports how many bytes are left.
func (r *Reader) Len() int { return len(r.b) }

// Err is the first failure so far.
func (r *Reader) Err() error { return r.err }

// Done is the first failure, or ErrTrailing if bytes are left.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) > 0 {
		return ErrTrailing
	}
	return r.err
}
