//go:build unix && !linux

package listener

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func accept(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, sa, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(n)
		_ = unix.SetNonblock(n, false) // inherited
		options(n, true)
	}
	return n, sa, err
}
