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
