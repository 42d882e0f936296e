//go:build unix

package ssh

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/tty"
)

func notifyResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }

func isResize(s os.Signal) bool { return s == syscall.SIGWINCH }

// tellResize tells a master that the size of a passenger's terminal changed.
func tellResize(pid int) { syscall.Kill(pid, syscall.SIGWINCH) }

func onResize(f func()) (stop func()) { return tty.OnResize(f) }
