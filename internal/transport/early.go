package transport

import "github.com/nacre-ssh/nacre/internal/wire"

// Guess is what became of a first key exchange message that was sent before the
// peer's KEXINIT came (RFC 4253 §7), and what the peer's KEXINIT would have
// made a right one.
type Guess struct {
	Sent, Right  bool
	Kex, HostKey string // the peer's first names
}

// Guess tells of the first exchange, once it is done.
func (c *Conn) Guess() Guess { return c.guessed }

// early are messages of a client that went out before it was logged in, for the
// time after. A peer that was not willing yet answers each with UNIMPLEMENTED,
// by its sequence number (RFC 4253 §11.4).
type early struct {
	on      bool
	first   uint32
	count   uint32
	refused uint32
	opening bool // the first of them was refused
}

// refuse counts an UNIMPLEMENTED.
func (e *early) refuse(p []byte) {
	r := wire.NewReader(p[1:])
	seq := r.Uint32()
	if r.Done() != nil || !e.on {
		return
	}
	if n := seq - e.first; n < e.count && e.refused < e.count {
		e.refused++
		e.opening = e.opening || n == 0
	}
}

// Early calls queue, which queues messages that count only if the peer lets us
// in by what was queued before them. It is the reader's, before SetAuthenticated.
func (c *Conn) Early(queue func() error) error {
	c.out.mu.Lock()
	first := c.out.seq
	c.out.mu.Unlock()
	err := queue()
	c.out.mu.Lock()
	if c.out.seq != first {
		c.early = early{on: true, first: first, count: c.out.seq - first}
	}
	c.out.mu.Unlock()
	return err
}

// EarlyRefused reports whether the peer refused the first of the messages that
// Early queued last. When a later request has logged us in, that is known.
func (c *Conn) EarlyRefused() bool { return c.early.on && c.early.opening }

// Settle deals with what has arrived as far as it is the transport's own
// business, EXT_INFO above all, and does not wait. It is the reader's.
func (c *Conn) Settle() error {
	if c.peeked != nil {
		return nil
	}
	p, err := c.Next()
	c.peeked = p
	return err
}
