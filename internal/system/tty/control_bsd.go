//go:build darwin || freebsd || openbsd

package tty

import "golang.org/x/sys/unix"

// SendBreak sends a break: what a serial line has and a pseudo-terminal ignores,
// or refuses, as its system does.
func SendBreak(fd int) error {
	if err := unix.IoctlSetInt(fd, unix.TIOCSBRK, 0); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TIOCCBRK, 0)
}
