//go:build unix

package client

import (
	"net"
	"syscall"
)

// setNonblock undoes what giving the descriptor to a program did: that makes
// it blocking, and the mode is the connection's, not the descriptor's.
func setNonblock(c net.Conn) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := s.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { syscall.SetNonblock(int(fd), true) })
	}
}
