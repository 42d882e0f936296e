package rawio

import (
	"io"
	"net"
	"os"
)

// Stream is what a channel's bytes come from and go to: a [File], or any
// connection by way of [NewStream].
type Stream interface {
	WaitRead() error
	Readv(bufs [][]byte) (int, error)
	TryReadv(bufs [][]byte) (int, error)
	TryWritev(bufs [][]byte) (int, error)
	Write(p []byte) (int, error)
	CloseWrite() error
	Close() error
}

// NewStream takes over c. TCP and Unix connections become a [File], with its
// raw paths, where the system has them; others are read and written as they
// are, by calls that may wait.
func NewStream(c net.Conn) Stream {
	if rawFiles {
		var dup func() (*os.File, error)
		switch c := c.(type) {
		case *net.TCPConn:
			dup = c.File
		case *net.UnixConn:
			dup = c.File
		}
		if dup != nil {
			if f, err := dup(); err == nil {
				c.Close()
				return NewFile(f)
			}
		}
	}
	return connStream{c}
}

// connStream is any connection. Whether bytes are there, or room, it cannot
// tell.
type connStream struct{ net.Conn }

func (connStream) WaitRead() error                   { return nil }
func (connStream) TryReadv([][]byte) (int, error)    { return 0, ErrAgain }
func (connStream) TryWritev(b [][]byte) (int, error) { return 0, nil }

func (s connStream) Readv(bufs [][]byte) (int, error) {
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		n, err := s.Read(b)
		if n > 0 {
			return n, nil // an error that came with bytes comes again
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		return 0, err
	}
	return 0, errNoRoom
}

// CloseWrite ends the outgoing direction; of a connection that has no such
// end nothing is closed, since the other direction may go on.
func (s connStream) CloseWrite() error {
	if h, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}
