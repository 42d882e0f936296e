//go:build linux || darwin || freebsd || openbsd

package pty

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func leader(sys *syscall.SysProcAttr) *syscall.SysProcAttr {
	var a syscall.SysProcAttr
	if sys != nil {
		a = *sys
	}
	a.Setsid, a.Setctty, a.Ctty = true, true, 0
	return &a
}

func modes(fd int) (lines, echo bool, err error) {
	t, err := unix.IoctlGetTermios(fd, ioctlGet)
	if err != nil {
		return false, false, os.NewSyscallError("termios", err)
	}
	return t.Lflag&unix.ICANON != 0, t.Lflag&unix.ECHO != 0, nil
}

// SetOwner gives the terminal to user uid: group gid and mode, 0620 for the
// group of terminals, 0600 for any other. What is right already is left alone,
// so it works without rights, and on a file system that is read-only.
func (p *Pty) SetOwner(uid, gid uint32, mode os.FileMode) error {
	st, err := p.Slave.Stat()
	if err != nil {
		return err
	}
	sys := st.Sys().(*syscall.Stat_t)
	if sys.Uid != uid || sys.Gid != gid {
		if err := p.Slave.Chown(int(uid), int(gid)); err != nil {
			return err
		}
	}
	if st.Mode().Perm() != mode {
		return p.Slave.Chmod(mode)
	}
	return nil
}
