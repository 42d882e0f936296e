//go:build !(linux || darwin || freebsd || openbsd)

package pty

import (
	"errors"
	"os"
	"syscall"
)

func open() (*Pty, error) { return nil, errors.ErrUnsupported }

func leader(sys *syscall.SysProcAttr) *syscall.SysProcAttr { return sys }

func setSize(fd int, rows, columns, width, height uint16) error { return errors.ErrUnsupported }

func modes(fd int) (lines, echo bool, err error) { return false, false, errors.ErrUnsupported }

func sendBreak(fd int) error { return errors.ErrUnsupported }

// SetOwner fails: there are no such terminals here.
func (p *Pty) SetOwner(uid, gid uint32, mode os.FileMode) error { return errors.ErrUnsupported }
