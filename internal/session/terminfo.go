package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// ReqTerminfo brings the compiled description of the client's terminal, for
// servers that may not have it: string name, string entry (term(5)). It stands
// between pty-req and the program's start, once a session.
const ReqTerminfo = "terminfo@nacre-ssh.github.io"

// MaxTerminfo is the number of bytes of an entry, as ncurses bounds it.
const MaxTerminfo = 32 << 10

// Terminfo is a terminal's compiled description.
type Terminfo struct {
	Name  string // of the entry, what TERM says
	Entry []byte // as term(5) has it
}

// Append writes the payload of ReqTerminfo.
func (t *Terminfo) Append(b []byte) []byte {
	return wire.AppendString(wire.AppendText(b, t.Name), t.Entry)
}

// ParseTerminfo reads the payload of ReqTerminfo and checks the entry.
func ParseTerminfo(p []byte) (*Terminfo, error) {
	r := wire.NewReader(p)
	t := &Terminfo{Name: r.Text()}
	t.Entry = append([]byte(nil), r.String()...)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("session: %s: %w", ReqTerminfo, err)
	}
	return t, t.Check()
}

// ErrTerminfo is an entry that is none, or one whose name no file can have.
var ErrTerminfo = errors.New("session: no compiled terminal description")

// ValidTermName reports whether a terminal's name can be that of a file.
func ValidTermName(name string) bool {
	if name == "" || len(name) > MaxTerm || name[0] == '.' || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c > '~' || strings.IndexByte("/\\|:,*?'\"`$&;<>()[]{}!#%", c) >= 0 {
			return false
		}
	}
	return true
}

// Check holds the entry to term(5), every offset and length of it: what it
// passes, no reader of such files has to be afraid of.
func (t *Terminfo) Check() error {
	if !ValidTermName(t.Name) || len(t.Entry) > MaxTerminfo {
		return ErrTerminfo
	}
	e := entry{rest: t.Entry}
	magic := e.short()
	number := 2
	switch magic {
	case 0o432:
	case 0o1036:
		number = 4
	default:
		return ErrTerminfo
	}
	names, bools, numbers, strs, table := e.short(), e.short(), e.short(), e.short(), e.short()
	if names < 1 || bools < 0 || numbers < 0 || strs < 0 || table < 0 || e.bad {
		return ErrTerminfo
	}
	if !named(e.take(names)) {
		return ErrTerminfo
	}
	e.take(bools)
	e.even()
	e.take(numbers * number)
	offsets := e.take(strs * 2)
	if text := e.take(table); e.bad || !within(offsets, text) {
		return ErrTerminfo
	}
	if len(e.rest) <= 1 {
		return nil // an odd byte may end it
	}
	// The extended part (user-defined capabilities): the string table holds the
	// values, then the names, whose offsets begin anew behind the values.
	e.even()
	bools, numbers, strs = e.short(), e.short(), e.short()
	items := e.short()
	table = e.short()
	if bools < 0 || numbers < 0 || strs < 0 || items < 0 || table < 0 || e.bad {
		return ErrTerminfo
	}
	e.take(bools)
	e.even()
	e.take(numbers * number)
	values := e.take(strs * 2)
	keys := e.take((bools + numbers + strs) * 2)
	text := e.take(table)
	if e.bad || len(e.rest) > 1 || !within(values, text) {
		return ErrTerminfo
	}
	end := 0 // of the values
	for i := 0; i < len(values); i += 2 {
		if at := int(int16(binary.LittleEndian.Uint16(values[i:]))); at >= 0 {
			end = max(end, at+strings.IndexByte(string(text[at:]), 0)+1)
		}
	}
	if !within(keys, text[end:]) {
		return ErrTerminfo
	}
	return nil
}

// named reports whether the names, `xterm|alias|description` and a NUL, can be
// such. The file's own need not be among them: distributions link entries.
func named(list []byte) bool {
	if len(list) < 2 || list[len(list)-1] != 0 {
		return false
	}
	for _, c := range list[:len(list)-1] {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// within reports whether each offset, unless negative, is that of a string with
// its end in text.
func within(offsets, text []byte) bool {
	last := strings.LastIndexByte(string(text), 0)
	for i := 0; i+1 < len(offsets); i += 2 {
		if at := int(int16(binary.LittleEndian.Uint16(offsets[i:]))); at > last {
			return false
		}
	}
	return true
}

// entry reads an entry from its front.
type entry struct {
	rest []byte
	read int
	bad  bool
}

func (e *entry) take(n int) []byte {
	if n < 0 || n > len(e.rest) {
		e.bad = true
		return nil
	}
	p := e.rest[:n]
	e.rest = e.rest[n:]
	e.read += n
	return p
}

func (e *entry) short() int {
	p := e.take(2)
	if len(p) < 2 {
		return -1
	}
	return int(int16(binary.LittleEndian.Uint16(p)))
}

// even passes over the byte that aligns what follows.
func (e *entry) even() {
	if e.read%2 != 0 {
		e.take(1)
	}
}
