//go:build !linux

package privsep

import (
	"errors"
	"os"
)

// SocketPair is not to be had: the server runs in one process here.
func SocketPair() (ours, theirs *os.File, err error) { return nil, nil, errors.ErrUnsupported }

// NewConn is not to be had: see SocketPair.
func NewConn(f *os.File) (*Conn, error) {
	f.Close()
	return nil, errors.ErrUnsupported
}
