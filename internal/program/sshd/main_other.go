//go:build !(linux || darwin || freebsd || openbsd)

package sshd

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
)

// Main says that this system has neither the accounts nor the terminals that
// the program needs. The library's server runs here too.
func Main(ctx context.Context, io stdio.Stdio, args []string) int {
	io.Errorf("sshd: not available on this system")
	return 255
}
