//go:build !(linux || darwin || freebsd || openbsd)

package tty

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Open opens the terminal that this process belongs to, or fails with
// ErrNoTerminal.
func Open() (*os.File, error) {
	f, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTerminal, err)
	}
	return f, nil
}

// Raise ends this process.
func Raise(s os.Signal) {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
}

type asking struct {
	t      *os.File
	q      Question
	before *term.State
}

// echoOff begins a question on terminal t. Every nil error needs an end.
func echoOff(t *os.File, q Question) (*asking, error) {
	a := &asking{t: t, q: q}
	if q.Echo {
		return a, nil
	}
	before, err := term.GetState(int(t.Fd()))
	if err != nil {
		return nil, err
	}
	a.before = before
	_, err = term.MakeRaw(int(t.Fd()))
	return a, err
}

func (a *asking) end() error {
	if a.before == nil {
		return nil
	}
	io.WriteString(os.Stderr, "\n")
	return term.Restore(int(a.t.Fd()), a.before)
}
