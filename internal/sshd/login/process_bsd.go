//go:build darwin || freebsd || openbsd

package login

import (
	"errors"
	"syscall"
)

// attributes are those of a process.
func attributes(*int) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// parkUntilGone leaves the waiting to wait4.
func parkUntilGone(int) {}

// threadAs refuses: here a thread has no ids of its own.
func threadAs(uint32, uint32, []uint32) error { return errors.ErrUnsupported }
