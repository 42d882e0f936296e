package pty

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// open asks the master for its peer, so that it works without a path to it: in
// a chroot and across mount namespaces.
func open() (*Pty, error) {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	fail := func(what string, err error) (*Pty, error) {
		unix.Close(m)
		return nil, os.NewSyscallError(what, err)
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		return fail("TIOCSPTLCK", err)
	}
	n, err := unix.IoctlGetUint32(m, unix.TIOCGPTN)
	if err != nil {
		return fail("TIOCGPTN", err)
	}
	name := "/dev/pts/" + strconv.Itoa(int(n))
	const how = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	s, _, errno := syscall.Syscall(unix.SYS_IOCTL, uintptr(m), unix.TIOCGPTPEER, how)
	if errno != 0 {
		return fail("TIOCGPTPEER", errno)
	}
	return &Pty{
		Master: os.NewFile(uintptr(m), "/dev/ptmx"),
		Slave:  os.NewFile(s, name),
		Name:   name,
	}, nil
}
