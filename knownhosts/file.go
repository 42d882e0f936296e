package knownhosts

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Bounds of what is read.
const (
	MaxFileSize = 16 << 20 // bytes of a file
	MaxLine     = 64 << 10 // bytes of a line; a longer one is passed over
)

// Marker is the word a line may begin with.
type Marker uint8

// Markers.
const (
	Plain         Marker = iota // none
	CertAuthority               // @cert-authority
	Revoked                     // @revoked
)

func (m Marker) String() string {
	switch m {
	case CertAuthority:
		return "@cert-authority"
	case Revoked:
		return "@revoked"
	}
	return ""
}

// File is the text of one known_hosts file.
type File struct {
	Name  string
	Lines []Line
}

// Line is one line of a file.
type Line struct {
	Number int    // from 1
	Text   string // as it is, without the line's end
	Err    error  // why it is not used; nil for entries, comments and blank lines

	Marker  Marker
	Hosts   string // names, patterns or one hash; "" in comments and blank lines
	KeyType string
	rest    string // key type, base64 and comment as they are
}

// Reasons for passing over a line.
var (
	ErrTooLong = errors.New("knownhosts: line is too long")
	ErrNUL     = errors.New("knownhosts: line has a NUL in it")
	ErrMarker  = errors.New("knownhosts: unknown or second marker: only @cert-authority or @revoked may stand in front")
	ErrFields  = errors.New("knownhosts: line has no key")
	ErrKeyType = errors.New("knownhosts: unknown key type")
	ErrKey     = errors.New("knownhosts: broken key")
)

// Parse splits a file into lines and those into fields. It cannot fail: what
// is wrong with a line is in its Err. Keys are decoded only when asked for.
func Parse(name string, data []byte) *File {
	f := &File{Name: name}
	text := string(data)
	f.Lines = make([]Line, 0, bytes.Count(data, []byte{'\n'})+1)
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		f.Lines = append(f.Lines, parseLine(n, line))
	}
	return f
}

const blanks = " \t"

func parseLine(number int, text string) (l Line) {
	l.Number, l.Text = number, text
	switch {
	case len(text) > MaxLine:
		l.Err = ErrTooLong
		return l
	case strings.IndexByte(text, 0) >= 0:
		l.Err = ErrNUL
		return l
	}
	s := strings.TrimLeft(strings.TrimSuffix(text, "\r"), blanks)
	if s == "" || s[0] == '#' {
		return l
	}
	marker := Plain
	if s[0] == '@' {
		var word string
		word, s = field(s)
		switch word {
		case "@cert-authority":
			marker = CertAuthority
		case "@revoked":
			marker = Revoked
		default:
			l.Err = ErrMarker
			return l
		}
		if strings.HasPrefix(s, "@") {
			l.Err = ErrMarker
			return l
		}
	}
	hosts, rest := field(s)
	keyType, data := field(rest)
	switch {
	case hosts == "" || keyType == "" || data == "":
		l.Err = ErrFields
		return l
	case !isKeyType(keyType):
		l.Err = ErrKeyType
		return l
	}
	l.Marker, l.Hosts, l.KeyType, l.rest = marker, hosts, keyType, rest
	return l
}

// field takes the first word off s.
func field(s string) (word, rest string) {
	i := strings.IndexAny(s, blanks)
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], blanks)
}

func isKeyType(name string) bool {
	a := pubkey.AlgorithmByName(name)
	return a != nil && !a.SigOnly
}

// IsEntry tells a line that has a host and a key from comments, blank and
// broken lines.
func (l *Line) IsEntry() bool { return l.Hosts != "" }

// Key decodes the line's key. Its type must be the one the line names.
func (l *Line) Key() (pubkey.PublicKey, error) {
	if !l.IsEntry() {
		return nil, ErrFields
	}
	blob, err := base64.StdEncoding.DecodeString(l.base64())
	if err != nil {
		return nil, ErrKey
	}
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return nil, ErrKey
	}
	if key.Type() != l.KeyType {
		return nil, ErrKeyType
	}
	return key, nil
}

// base64 is the key as the line has it.
func (l *Line) base64() string {
	_, data := field(l.rest)
	data, _ = field(data)
	return data
}

// Comment is what stands behind the key.
func (l *Line) Comment() string {
	_, data := field(l.rest)
	_, comment := field(data)
	return comment
}

// IsHashed tells a line whose name is hashed.
func (l *Line) IsHashed() bool { return strings.HasPrefix(l.Hosts, hashMagic) }

// HasWildcards tells a line with "*", "?" or "!" in its names.
func (l *Line) HasWildcards() bool { return !l.IsHashed() && strings.ContainsAny(l.Hosts, "*?!") }

// Matches tells whether the line is about the host of that name, which is
// what [Name] makes: "host" or "[host]:port".
func (l *Line) Matches(name string) bool {
	if l.IsHashed() {
		return matchHash(l.Hosts, strings.ToLower(name))
	}
	return l.IsEntry() && matchList(strings.ToLower(name), l.Hosts)
}

// matchList matches a name in lower case against a comma list; a negated
// element that matches beats all others.
func matchList(name, list string) bool {
	found := false
	for more := true; more; {
		var p string
		p, list, more = strings.Cut(list, ",")
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		if !pubkey.MatchPattern(name, strings.ToLower(p)) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

const (
	hashMagic = "|1|" // HMAC-SHA1
	saltSize  = sha1.Size
)

// matchHash compares a name with |1|SALT|HASH.
func matchHash(hashed, name string) bool {
	salt64, hash64, ok := strings.Cut(hashed[len(hashMagic):], "|")
	if !ok || len(salt64) > 64 || len(hash64) > 64 {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(salt64)
	if err != nil || len(salt) != saltSize {
		return false
	}
	hash, err := base64.StdEncoding.DecodeString(hash64)
	return err == nil && hmac.Equal(hash, hostHash(salt, name))
}

func hostHash(salt []byte, name string) []byte {
	m := hmac.New(sha1.New, salt)
	m.Write([]byte(name))
	return m.Sum(nil)
}

// Find lists the entries about a host, markers included.
func (f *File) Find(name string) []*Line {
	var found []*Line
	for i := range f.Lines {
		if f.Lines[i].Matches(name) {
			found = append(found, &f.Lines[i])
		}
	}
	return found
}

// FindKey lists the plain entries that hold a key, whatever their names.
func (f *File) FindKey(key pubkey.PublicKey) []*Line {
	var found []*Line
	blob := base64.StdEncoding.EncodeToString(key.Marshal())
	for i := range f.Lines {
		if l := &f.Lines[i]; l.IsEntry() && l.Marker == Plain && l.base64() == blob {
			found = append(found, l)
		}
	}
	return found
}

// Bytes is the file as it is to be written: every line ends.
func (f *File) Bytes() []byte {
	n := 0
	for i := range f.Lines {
		n += len(f.Lines[i].Text) + 1
	}
	b := make([]byte, 0, n)
	for i := range f.Lines {
		b = append(append(b, f.Lines[i].Text...), '\n')
	}
	return b
}
