//go:build darwin || freebsd || openbsd

package pty

import "golang.org/x/sys/unix"

const ioctlGet = unix.TIOCGETA
