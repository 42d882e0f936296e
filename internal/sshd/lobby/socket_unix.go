//go:build unix

package lobby

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptor is a socket's number, which lasts as long as the file is open, and
// makes sure that nothing on it waits.
func descriptor(f *os.File) (fd int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	e := rc.Control(func(n uintptr) { fd, err = int(n), unix.SetNonblock(int(n), true) })
	return fd, errors.Join(e, err)
}

// read reads what is there.
func read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// write writes what goes at once: a fresh socket takes all of it, and for one
// that does not nobody waits.
func write(fd int, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	for {
		n, err := unix.Write(fd, p)
		switch {
		case err == unix.EINTR:
		case err == nil && n < len(p):
			return syscall.EAGAIN
		default:
			return err
		}
	}
}

// greet says hello, and asks for acknowledgements at once.
func greet(fd int, hello []byte) error {
	quickAck(fd)
	return write(fd, hello)
}

func again(err error) bool { return errors.Is(err, syscall.EAGAIN) }
