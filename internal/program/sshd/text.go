//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"strconv"
	"strings"
	"syscall"
)

func itoa(n int) string { return strconv.Itoa(n) }

// strerror is strerror(3): Go's texts are the same but for the first letter.
func strerror(errno syscall.Errno) string {
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
