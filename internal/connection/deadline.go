package connection

import (
	"context"
	"time"
)

// deadline ends the waits of one direction. It is under Channel.mu.
type deadline struct {
	timer   *time.Timer
	expired bool
}

// SetReadDeadline makes reads fail with context.DeadlineExceeded from t on; the
// zero time means never.
func (ch *Channel) SetReadDeadline(t time.Time) error { return ch.setDeadline(&ch.readBy, t) }

// SetWriteDeadline does so for writes that wait for the peer's window.
func (ch *Channel) SetWriteDeadline(t time.Time) error { return ch.setDeadline(&ch.writeBy, t) }

// SetDeadline sets both.
func (ch *Channel) SetDeadline(t time.Time) error {
	ch.setDeadline(&ch.readBy, t)
	return ch.setDeadline(&ch.writeBy, t)
}

func (ch *Channel) setDeadline(d *deadline, t time.Time) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired = false
	if t.IsZero() {
		return nil
	}
	wait := t.Sub(ch.m.cfg.Now())
	if wait <= 0 {
		d.expired = true
		ch.changed.Broadcast()
		return nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		ch.mu.Lock()
		if d.timer == timer {
			d.expired = true
			ch.changed.Broadcast()
		}
		ch.mu.Unlock()
	})
	d.timer = timer
	return nil
}

// errDeadline is a timeout in the sense of net.Error.
var errDeadline = context.DeadlineExceeded

// idle closes what nothing moves in. It is under the lock of its owner.
type idle struct {
	after time.Duration // 0: never
	moved time.Time
	timer *time.Timer
}

func (i *idle) stop() {
	if i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
	i.after = 0
}

// SetTimeout has expired called, once, when no data went either way for so
// long (ChannelTimeout); 0 takes that back. It replaces what was set before.
func (ch *Channel) SetTimeout(after time.Duration, expired func()) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.idle.stop()
	if after <= 0 || ch.err != nil {
		return
	}
	ch.idle.after, ch.idle.moved = after, ch.m.cfg.Now()
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		ch.mu.Lock()
		if ch.idle.timer != timer || ch.err != nil {
			ch.mu.Unlock()
			return
		}
		if left := after - ch.m.cfg.Now().Sub(ch.idle.moved); left > 0 {
			timer.Reset(left)
			ch.mu.Unlock()
			return
		}
		ch.idle.stop()
		ch.mu.Unlock()
		expired()
	})
	ch.idle.timer = timer
}

// movedLocked notes that data moved.
func (ch *Channel) movedLocked() {
	if ch.idle.after > 0 {
		ch.idle.moved = ch.m.cfg.Now()
	}
}

// SetUnused has expired called when no channel has been open for so long
// (UnusedConnectionTimeout); 0 takes that back.
func (m *Mux) SetUnused(after time.Duration, expired func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unused.stop()
	m.expired = expired
	if m.unused.after = after; m.open == 0 {
		m.unusedLocked()
	}
}

// unusedLocked starts to wait for a channel.
func (m *Mux) unusedLocked() {
	if m.unused.after <= 0 || m.err != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(m.unused.after, func() {
		m.mu.Lock()
		now := m.unused.timer == timer && m.open == 0 && m.err == nil
		m.mu.Unlock()
		if now {
			m.expired()
		}
	})
	m.unused.timer = timer
}

// usedLocked stops waiting for one.
func (m *Mux) usedLocked() {
	if m.unused.timer != nil {
		m.unused.timer.Stop()
		m.unused.timer = nil
	}
}
