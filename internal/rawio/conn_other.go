//go:build !linux

package rawio

import (
	"net"
	"time"
)

// Conn is a transport connection. One goroutine may read while another writes.
type Conn struct{ c net.Conn }

// NewConn wraps c.
func NewConn(c net.Conn) *Conn { return &Conn{c: c} }

// OnPark has no effect here: a buffer is held while ReadReady waits.
func (c *Conn) OnPark(put func()) {}

// ReadReady calls get and reads into the slice that it returns. The end of the
// stream is 0, io.EOF.
func (c *Conn) ReadReady(get func() []byte) (int, error) { return readReady(c.c, get) }

// Write writes all of p and may wait.
func (c *Conn) Write(p []byte) (int, error) { return c.c.Write(p) }

// TryWrite would have to wait, so it writes nothing: 0, nil.
func (c *Conn) TryWrite(p []byte) (int, error) { return 0, nil }

// QuickAck has no effect here.
func (c *Conn) QuickAck() {}

// RTT is unknown here.
func (c *Conn) RTT() time.Duration { return 0 }

// NotSentLowat has no effect here.
func (c *Conn) NotSentLowat(n int) {}

// SetIPQoS has no effect here.
func (c *Conn) SetIPQoS(tos int) {}
