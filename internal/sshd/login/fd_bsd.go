//go:build darwin || freebsd || openbsd

package login

import "golang.org/x/sys/unix"

// CloseOnExec marks every descriptor from first on: no program that is started
// from now on gets it.
func CloseOnExec(first int) {
	for fd := first; fd < 1024; fd++ {
		unix.CloseOnExec(fd)
	}
}

// unblock leaves the mask to the runtime, which blocks nothing.
func unblock() {}

// untraceable does nothing here.
func untraceable() {}
