package client

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/ssh"
)

// How keystrokes are hidden, as OpenSSH does it (OBS-1).
const (
	chaffLeast = 1024 * time.Millisecond // after the last keystroke
	chaffMore  = 2048 * time.Millisecond // at most so much longer, by chance
	paceBulk   = 256                     // bytes typed at once that are no keystrokes
)

// Pacer hides when keys are pressed: what is typed leaves on the ticks of a
// grid, and for a while after the last key a tick without any sends something
// of the same size. The first key of a while leaves at once. It is made with
// NewPacer. Safe for concurrent use.
type Pacer struct {
	w        io.WriteCloser
	interval time.Duration
	chaff    func() error // nil: the server has no answer for it

	mu     sync.Mutex
	buf    []byte
	until  time.Time // chaff ends
	active bool
	err    error
}

// NewPacer writes to w on ticks of interval. chaff sends a message that looks
// like a keystroke.
func NewPacer(w io.WriteCloser, interval time.Duration, chaff func() error) *Pacer {
	return &Pacer{w: w, interval: interval, chaff: chaff}
}

// Paced hides the keystrokes that go to a session of c by way of w, where
// interval says so.
func Paced(w io.WriteCloser, c *ssh.Client, interval time.Duration) io.WriteCloser {
	if interval <= 0 {
		return w
	}
	var chaff func() error
	if c.PeerPings() {
		// As long as the data of one key.
		chaff = func() error { return c.Ping([]byte("PING!")) }
	}
	return NewPacer(w, interval, chaff)
}

// random is a number below n.
func random(n int64) int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) % uint64(n))
}

// Write takes what was typed. Much at once is no typing and is not held back.
func (p *Pacer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	p.until = time.Now().Add(chaffLeast + time.Duration(random(int64(chaffMore))))
	if p.active && len(p.buf)+len(b) <= paceBulk {
		p.buf = append(p.buf, b...)
		return len(b), nil
	}
	if err := p.flushLocked(); err != nil {
		return 0, err
	}
	if _, p.err = p.w.Write(b); p.err != nil {
		return 0, p.err
	}
	if !p.active {
		p.active = true
		go p.run()
	}
	return len(b), nil
}

// Close sends what is held back and ends the stream.
func (p *Pacer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flushLocked()
	if p.err == nil {
		p.err = io.ErrClosedPipe
	}
	return p.w.Close()
}

func (p *Pacer) flushLocked() error {
	if len(p.buf) > 0 && p.err == nil {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
	return p.err
}

// run is the grid, for as long as something was typed lately.
func (p *Pacer) run() {
	next := time.Now()
	for {
		// A tenth of chance, so that the clocks of two machines say nothing.
		next = next.Add(p.interval - p.interval/20 + time.Duration(random(int64(max(p.interval/10, 1)))))
		time.Sleep(time.Until(next))
		if late := time.Since(next); late > p.interval {
			next = next.Add(late) // the machine slept: no burst of ticks
		}
		p.mu.Lock()
		switch {
		case p.err != nil:
		case len(p.buf) > 0:
			p.flushLocked()
		case time.Now().After(p.until):
			p.active = false
		case p.chaff != nil:
			if err := p.chaff(); err != nil {
				p.err = err
			}
		}
		over := !p.active || p.err != nil
		if over {
			p.active = false
		}
		p.mu.Unlock()
		if over {
			return
		}
	}
}
