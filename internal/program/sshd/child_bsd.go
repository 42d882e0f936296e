//go:build darwin || freebsd || openbsd

package sshd

import "syscall"

// attributes are those of the program's process.
func (c *child) attributes(p *program) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: p.cred}
}

// parkUntilGone leaves the waiting to wait4.
func (c *child) parkUntilGone() {}
