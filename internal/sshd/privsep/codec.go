package privsep

import (
	"errors"
	"fmt"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// ErrLimit is a field beyond its limit.
var ErrLimit = errors.New("privsep: a field is beyond its limit")

// Message is one of the table's, or an answer.
type Message interface {
	// fields walks the fields in their order, to write or to read them.
	fields(c *codec)
}

// codec writes fields or reads them: one walk for both, so that they cannot
// differ.
type codec struct {
	reading bool
	b       []byte
	r       wire.Reader
	err     error
}

func (c *codec) fail() {
	if c.err == nil {
		c.err = ErrLimit
	}
}

// Append writes m's fields to b.
func Append(b []byte, m Message) ([]byte, error) {
	c := codec{b: b}
	m.fields(&c)
	return c.b, c.err
}

// Decode reads m's fields, which may alias b.
func Decode(b []byte, m Message) error {
	c := codec{reading: true, r: wire.NewReader(b)}
	m.fields(&c)
	if c.err == nil {
		c.err = c.r.Done()
	}
	if c.err != nil {
		return fmt.Errorf("privsep: %T: %w", m, c.err)
	}
	return nil
}

func (c *codec) bytes(p *[]byte, most int) {
	if c.reading {
		*p = c.r.String()
	} else {
		c.b = wire.AppendString(c.b, *p)
	}
	if len(*p) > most {
		*p = nil
		c.fail()
	}
}

func (c *codec) text(p *string, most int) {
	if !c.reading {
		c.b = wire.AppendText(c.b, *p)
		if len(*p) > most {
			c.fail()
		}
		return
	}
	s := c.r.String()
	if len(s) > most {
		c.fail()
		return
	}
	*p = string(s)
}

func (c *codec) bool(p *bool) {
	if c.reading {
		*p = c.r.Bool()
	} else {
		c.b = wire.AppendBool(c.b, *p)
	}
}

func (c *codec) byte(p *uint8) {
	if c.reading {
		*p = c.r.Byte()
	} else {
		c.b = append(c.b, *p)
	}
}

func (c *codec) uint32(p *uint32) {
	if c.reading {
		*p = c.r.Uint32()
	} else {
		c.b = wire.AppendUint32(c.b, *p)
	}
}

func (c *codec) uint64(p *uint64) {
	if c.reading {
		*p = c.r.Uint64()
	} else {
		c.b = wire.AppendUint64(c.b, *p)
	}
}

func (c *codec) int(p *int) {
	n := uint64(int64(*p))
	c.uint64(&n)
	*p = int(int64(n))
}

func (c *codec) int64(p *int64) {
	n := uint64(*p)
	c.uint64(&n)
	*p = int64(n)
}

func (c *codec) duration(p *time.Duration) {
	n := int64(*p)
	c.int64(&n)
	*p = time.Duration(n)
}

// count is the length of a list; each entry takes at least four bytes.
func (c *codec) count(n, most int) int {
	v := uint32(n)
	c.uint32(&v)
	if int64(v) > int64(most) || c.reading && int64(v)*4 > int64(c.r.Len()) {
		c.fail()
		return 0
	}
	return int(v)
}

func list[T any](c *codec, p *[]T, most int, each func(*T)) {
	n := c.count(len(*p), most)
	if c.reading {
		*p = nil
		if n > 0 {
			*p = make([]T, 0, min(n, 64))
		}
		for range n {
			var v T
			each(&v)
			if c.err != nil || c.r.Err() != nil {
				return
			}
			*p = append(*p, v)
		}
		return
	}
	for i := range *p {
		each(&(*p)[i])
	}
}

func (c *codec) texts(p *[]string, most, each int) {
	list(c, p, most, func(s *string) { c.text(s, each) })
}
