//go:build !(linux || darwin || freebsd || openbsd)

package tty

import (
	"errors"

	"golang.org/x/term"
)

// errUnsupported says that this system's terminals have no such settings.
var errUnsupported = errors.New("tty: not supported on this system")

// State is the settings of a terminal at one moment.
type State struct{ s *term.State }

// IsTerminal reports whether descriptor fd is a terminal.
func IsTerminal(fd int) bool { return term.IsTerminal(fd) }

// GetState reads the settings of terminal fd.
func GetState(fd int) (*State, error) {
	s, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	return &State{s}, nil
}

// Restore sets terminal fd to s.
func (s *State) Restore(fd int) error { return term.Restore(fd, s.s) }

// Raw sets terminal fd to raw mode and returns the settings before.
func Raw(fd int) (*State, error) {
	s, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return &State{s}, nil
}

// Modes is the encoded terminal modes: none but the end.
func (s *State) Modes() []byte { return []byte{0} }

// Apply fails: there are no such settings here.
func Apply(fd int, modes []byte) ([]byte, error) { return nil, errUnsupported }

// Size is a window's size, in characters and in pixels. Zero is unknown.
type Size struct{ Columns, Rows, Width, Height uint32 }

// GetSize reads the window size of terminal fd.
func GetSize(fd int) (Size, error) {
	w, h, err := term.GetSize(fd)
	if err != nil {
		return Size{}, err
	}
	return Size{Columns: uint32(w), Rows: uint32(h)}, nil
}

// SetSize fails: there are no pseudo-terminals here.
func SetSize(int, Size) error { return errUnsupported }

// SendBreak fails: there are no lines here.
func SendBreak(int) error { return errUnsupported }

// OnResize does nothing: nobody tells of a new size here.
func OnResize(f func()) (stop func()) { return func() {} }

// Foreground reports true: there are no process groups here.
func Foreground(fd int) bool { return true }

// Suspend fails: there is no job control here.
func Suspend() error { return errUnsupported }
