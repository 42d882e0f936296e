package pty

import (
	"os"

	"golang.org/x/sys/unix"
)

const ioctlGet = unix.TCGETS

func sendBreak(fd int) error {
	return os.NewSyscallError("TCSBRK", unix.IoctlSetInt(fd, unix.TCSBRK, 0))
}
