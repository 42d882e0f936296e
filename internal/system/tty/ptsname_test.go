//go:build linux

package tty

import (
	"strconv"

	"golang.org/x/sys/unix"
)

func ptsName(fd int) (string, error) {
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	return "/dev/pts/" + strconv.Itoa(n), err
}
