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
		var u *unix.Ucred
		if u, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); inner == nil {
			uid = u.Uid
		}
	})
	if err == nil {
		err = inner
	}
	return uid, err
}
