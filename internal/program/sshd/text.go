//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"strconv"

	reasons "github.com/nacre-ssh/nacre/internal/system/reason"
)

func itoa(n int) string { return strconv.Itoa(n) }

// reason is the system's text of an error, without what was tried.
func reason(err error) string { return reasons.Of(err) }
