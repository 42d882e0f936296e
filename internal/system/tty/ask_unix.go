//go:build linux || darwin || freebsd || openbsd

package tty

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Open opens the terminal that this process belongs to, or fails with
// ErrNoTerminal.
func Open() (*os.File, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	return f, nil
}

// Raise makes this process die of signal s, as it would have without any
// handler.
func Raise(s os.Signal) {
	signal.Reset(s)
	if n, ok := s.(syscall.Signal); ok {
		syscall.Kill(syscall.Getpid(), n)
		select {} // the signal is on its way to some thread
	}
}

// asking is a terminal without echo and the goroutine that puts it back when
// a signal comes.
type asking struct {
	t       *os.File
	q       Question
	signals chan os.Signal
	done    chan struct{}

	mu     sync.Mutex
	before *State // nil: echo was left on
}

// echoOff begins a question on terminal t. Every nil error needs an end.
func echoOff(t *os.File, q Question) (*asking, error) {
	a := &asking{t: t, q: q, signals: make(chan os.Signal, 4), done: make(chan struct{})}
	for _, s := range [...]os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGCONT} {
		if !signal.Ignored(s) { // nohup and its kind keep their word
			signal.Notify(a.signals, s)
		}
	}
	err := a.off()
	if err != nil {
		signal.Stop(a.signals)
		return nil, err
	}
	go a.watch()
	return a, nil
}

func (a *asking) off() (err error) {
	if a.q.Echo {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return control(a.t, func(fd int) error {
		a.before, err = noEcho(fd)
		return err
	})
}

// on puts the terminal back. It may be called again.
func (a *asking) on() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.before == nil {
		return nil
	}
	before := a.before
	a.before = nil
	return control(a.t, func(fd int) error { return before.Restore(fd) })
}

// end finishes a question: terminal back, a new line in place of the one that
// was typed unseen, no more watching.
func (a *asking) end() error {
	signal.Stop(a.signals)
	close(a.signals)
	<-a.done
	if !a.q.Echo {
		io.WriteString(a.t, "\n")
	}
	return a.on()
}

func (a *asking) watch() {
	defer close(a.done)
	for s := range a.signals {
		switch s {
		case syscall.SIGTSTP:
			a.on()
			Suspend()
		case syscall.SIGCONT:
			// Whoever continues us may have changed the terminal.
			a.on()
			if a.off() == nil {
				io.WriteString(a.t, "\r"+a.q.Prompt)
			}
		default:
			io.WriteString(a.t, "\n")
			a.on()
			if a.q.Interrupted != nil {
				a.q.Interrupted(s)
			} else {
				Raise(s)
			}
		}
	}
}

// control runs f on t's descriptor without taking it from the poller.
func control(t *os.File, f func(fd int) error) error {
	c, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
