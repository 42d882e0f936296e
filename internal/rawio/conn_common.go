package rawio

import (
	"net"
	"time"
)

// Close closes the connection; a parked reader or writer returns.
func (c *Conn) Close() error { return c.c.Close() }

// CloseWrite ends the outgoing direction where the connection can.
func (c *Conn) CloseWrite() error {
	if h, ok := c.c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

// SetReadDeadline is net.Conn's; it also ends a ReadReady that waits.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.c.SetReadDeadline(t) }

// SetWriteDeadline is net.Conn's; it also ends a Write that waits.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.c.SetWriteDeadline(t) }

// NetConn is the wrapped connection.
func (c *Conn) NetConn() net.Conn { return c.c }

// LocalAddr is the wrapped connection's.
func (c *Conn) LocalAddr() net.Addr { return c.c.LocalAddr() }

// RemoteAddr is the wrapped connection's.
func (c *Conn) RemoteAddr() net.Addr { return c.c.RemoteAddr() }
