//go:build darwin || freebsd || openbsd

package network

import (
	"net"

	"golang.org/x/sys/unix"
)

// keepAlive is whether a socket has probes; their times become those of the
// runtime.
func keepAlive(fd int) (c net.KeepAliveConfig, known bool) {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	return net.KeepAliveConfig{Enable: on != 0, Idle: -1, Interval: -1, Count: -1}, err == nil
}
