package keyfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// MaxLine is how long a line of authorized_keys may be, in bytes; longer ones
// hold no key. A composite key is about 1,900 bytes, a certificate by a large
// RSA key 5,000; the rest is room for options.
const MaxLine = 64 << 10

// ErrLine is a line of authorized_keys that holds no key.
var ErrLine = errors.New("keyfile: line holds no usable key")

// Line is a line of authorized_keys taken apart, and nothing more: the key is
// not decoded and the options are not read, since most lines are not about the
// key that is asked for. Fields alias the line.
type Line struct {
	Options []byte // in front of the key, as they stand; empty if there are none
	Type    []byte // the word in front of the blob
	Base64  []byte // the blob
	Comment []byte // what follows, without blanks around it
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// ScanLine takes a line apart. It is false for empty lines, comments and lines
// in which no word is a key type. It does not allocate.
func ScanLine(line []byte) (l Line, ok bool) {
	line = bytes.TrimRight(line, "\r\n \t")
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 || len(line) > MaxLine || line[0] == '#' {
		return l, false
	}
	if l.key(line) {
		return l, true
	}
	n := optionsEnd(line)
	if n < 0 {
		return Line{}, false
	}
	l.Options = line[:n]
	return l, l.key(bytes.TrimLeft(line[n:], " \t"))
}

// key reads type, blob and comment from the front of b.
func (l *Line) key(b []byte) bool {
	n := 0
	for n < len(b) && !blank(b[n]) {
		n++
	}
	if !isKeyType(b[:n]) {
		return false
	}
	l.Type, b = b[:n], bytes.TrimLeft(b[n:], " \t")
	n = 0
	for n < len(b) && !blank(b[n]) {
		n++
	}
	l.Base64, l.Comment = b[:n], bytes.TrimLeft(b[n:], " \t")
	return n > 0
}

// isKeyType takes the names of key types and, as OpenSSH does, those of
// signature algorithms: "rsa-sha2-256" in front of an RSA key.
func isKeyType(word []byte) bool {
	return typeOf(word) != ""
}

func typeOf(word []byte) string {
	for i := range pubkey.Algorithms {
		if a := &pubkey.Algorithms[i]; string(word) == a.Name {
			return a.KeyType
		}
	}
	return ""
}

// optionsEnd is where the options at the front of b end: at the first blank
// outside of double quotes. It is negative if a quote is not closed.
func optionsEnd(b []byte) int {
	quoted := false
	i := 0
	for ; i < len(b) && (quoted || !blank(b[i])); i++ {
		if b[i] == '\\' && i+1 < len(b) && b[i+1] == '"' {
			i++
		} else if b[i] == '"' {
			quoted = !quoted
		}
	}
	if quoted {
		return -1
	}
	return i
}

// Key decodes the key. The word in front of it must be its type's.
func (l *Line) Key() (pubkey.PublicKey, error) {
	blob, err := base64.StdEncoding.Strict().AppendDecode(nil, l.Base64)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if key.Type() != typeOf(l.Type) {
		return nil, fmt.Errorf("%w: a key of type %s is called %s", ErrLine, key.Type(), l.Type)
	}
	return key, nil
}

// Matcher finds the lines of one key among many without decoding the others.
type Matcher struct {
	typ, text string
}

// NewMatcher looks for key.
func NewMatcher(key pubkey.PublicKey) *Matcher {
	return &Matcher{key.Type(), base64.StdEncoding.EncodeToString(key.Marshal())}
}

// Match reports whether the line is about the key. Base64 has one form only,
// so comparing the text is comparing the blob.
func (m *Matcher) Match(l *Line) bool {
	return string(l.Base64) == m.text && typeOf(l.Type) == m.typ
}

// ParseAuthorizedKey reads the first line of in that holds a key, and skips
// those before it. Options are split at commas, with their quotes; rest is
// what follows the line. It has the shape of golang.org/x/crypto/ssh's.
func ParseAuthorizedKey(in []byte) (key pubkey.PublicKey, comment string, options []string, rest []byte, err error) {
	var last error
	for len(in) > 0 {
		line := in
		if i := bytes.IndexByte(in, '\n'); i >= 0 {
			line, in = in[:i], in[i+1:]
		} else {
			in = nil
		}
		l, ok := ScanLine(line)
		if !ok {
			continue
		}
		if key, err = l.Key(); err != nil {
			last = err
			continue
		}
		return key, string(l.Comment), SplitOptions(string(l.Options)), in, nil
	}
	if last == nil {
		last = ErrLine
	}
	return nil, "", nil, nil, last
}

// SplitOptions splits options at the commas outside of quotes. Quotes stay.
func SplitOptions(s string) []string {
	if s == "" {
		return nil
	}
	var l []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			l = append(l, s[start:i])
			start = i + 1
		}
	}
	return append(l, s[start:])
}

// dequote reads a quoted string from the front of s and returns what follows
// it. Only \" is special inside.
func dequote(s string) (value, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", errors.New("missing start quote")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("missing end quote")
}
