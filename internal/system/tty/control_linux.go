package tty

import (
	"os"

	"golang.org/x/sys/unix"
)

// SendBreak sends a break: what a serial line has and a pseudo-terminal ignores,
// or refuses, as its system does.
func SendBreak(fd int) error {
	return os.NewSyscallError("TCSBRK", unix.IoctlSetInt(fd, unix.TCSBRK, 0))
}
