//go:build darwin || freebsd

package fdpass

import (
	"net"

	"golang.org/x/sys/unix"
)

// Peer is the user at the other end of c.
func Peer(c *net.UnixConn) (uid uint32, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var inner error
	err = rc.Control(func(fd uintptr) {
		var u *unix.Xucred
		if u, inner = unix.GetsockoptXucred(int(fd), 0, unix.LOCAL_PEERCRED); inner == nil {
			uid = u.Uid
		}
	})
	if err == nil {
		err = inner
	}
	return uid, err
}
