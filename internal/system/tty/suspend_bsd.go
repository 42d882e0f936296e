//go:build darwin || freebsd || openbsd

package tty

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopping is how long a signal may take to reach some thread of this process.
const stopping = 100 * time.Millisecond

// Suspend stops this process as the terminal's suspend character would and
// returns when it is continued.
func Suspend() error {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	select {
	case <-continued:
	case <-time.After(stopping):
	}
	return nil
}
