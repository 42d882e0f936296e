package sshd

import (
	"os"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"golang.org/x/sys/unix"
)

// attributes are those of the program's process, with a descriptor for it that
// the poller can watch.
func (c *child) attributes(p *program) *syscall.SysProcAttr {
	c.pidfd = -1
	return &syscall.SysProcAttr{Credential: p.cred, PidFD: &c.pidfd}
}

// parkUntilGone waits for the end of the program in the poller: wait4 would
// hold a thread for every shell that somebody has left open. Where there are
// no such descriptors (before Linux 5.4) it returns at once.
func (c *child) parkUntilGone() {
	if c.pidfd < 0 {
		return
	}
	if unix.SetNonblock(c.pidfd, true) != nil {
		unix.Close(c.pidfd)
		return
	}
	f := rawio.NewFile(os.NewFile(uintptr(c.pidfd), "pidfd"))
	_ = f.WaitRead()
	f.Close()
}
