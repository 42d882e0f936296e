package listener

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// mayAsk says whether the other end of a socket is root or this user.
func mayAsk(c *net.UnixConn) bool {
	rc, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	_ = rc.Control(func(fd uintptr) {
		u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		ok = err == nil && (u.Uid == 0 || int(u.Uid) == os.Geteuid())
	})
	return ok
}
