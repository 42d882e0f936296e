//go:build linux || darwin || freebsd || openbsd

package tty

import (
	"os"

	"golang.org/x/sys/unix"
)

// SetSize sets the window size of terminal fd, each number cut to what a
// terminal can have; the foreground process group is told by SIGWINCH. It works
// on both ends of a pseudo-terminal.
func SetSize(fd int, s Size) error {
	cut := func(n uint32) uint16 { return uint16(min(n, 65535)) }
	return os.NewSyscallError("TIOCSWINSZ", unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ,
		&unix.Winsize{Row: cut(s.Rows), Col: cut(s.Columns), Xpixel: cut(s.Width), Ypixel: cut(s.Height)}))
}
