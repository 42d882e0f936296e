//go:build !unix

package fdpass

import (
	"errors"
	"net"
)

// Send cannot be had on this system.
func Send(*net.UnixConn, int) error { return errors.ErrUnsupported }

// Receive cannot be had on this system.
func Receive(*net.UnixConn) (int, error) { return -1, errors.ErrUnsupported }

// Close closes a received descriptor that nobody took.
func Close(int) {}
