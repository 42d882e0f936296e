//go:build unix && !linux

package listener

import "net"

// mayAsk leaves it to the socket's mode.
func mayAsk(*net.UnixConn) bool { return true }
