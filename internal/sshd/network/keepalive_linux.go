package network

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// keepAlive are the probes of a socket.
func keepAlive(fd int) (c net.KeepAliveConfig, known bool) {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	if err != nil {
		return c, false
	}
	seconds := func(option int) time.Duration {
		n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
		if err != nil {
			return -1
		}
		return time.Duration(n) * time.Second
	}
	c = net.KeepAliveConfig{Enable: on != 0, Idle: seconds(unix.TCP_KEEPIDLE), Interval: seconds(unix.TCP_KEEPINTVL), Count: -1}
	if n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT); err == nil {
		c.Count = n
	}
	return c, true
}
