//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"strconv"
	"syscall"

	reasons "github.com/nacre-ssh/nacre/internal/system/reason"
)

func itoa(n int) string { return strconv.Itoa(n) }

func strerror(errno syscall.Errno) string { return reasons.Text(errno) }
