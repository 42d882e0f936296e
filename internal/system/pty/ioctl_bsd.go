//go:build darwin || freebsd || openbsd

package pty

import "golang.org/x/sys/unix"

const ioctlGet = unix.TIOCGETA

func sendBreak(fd int) error {
	if err := unix.IoctlSetInt(fd, unix.TIOCSBRK, 0); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TIOCCBRK, 0)
}
