//go:build linux || darwin || freebsd || openbsd

package tty

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// State is the settings of a terminal at one moment.
type State struct{ t unix.Termios }

// IsTerminal reports whether descriptor fd is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, ioctlGet)
	return err == nil
}

// GetState reads the settings of terminal fd.
func GetState(fd int) (*State, error) {
	t, err := unix.IoctlGetTermios(fd, ioctlGet)
	if err != nil {
		return nil, err
	}
	return &State{*t}, nil
}

// set writes t by the ioctl how, again as long as signals interrupt it.
func set(fd int, how uint, t *unix.Termios) error {
	for {
		if err := unix.IoctlSetTermios(fd, how, t); err != unix.EINTR {
			return err
		}
	}
}

// Restore sets terminal fd to s once its output is drained.
func (s *State) Restore(fd int) error { return set(fd, ioctlSetDrain, &s.t) }

// Raw sets terminal fd to raw mode, as OpenSSH's client does, and returns the
// settings before: no signals, no lines, no echo, no flow control, output as
// it is, parity errors ignored.
func Raw(fd int) (*State, error) {
	before, err := GetState(fd)
	if err != nil {
		return nil, err
	}
	t := before.t
	t.Iflag |= unix.IGNPAR
	t.Iflag &^= unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXANY | unix.IXOFF | rawClear
	t.Lflag &^= unix.ISIG | unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL | unix.IEXTEN
	t.Oflag &^= unix.OPOST
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := set(fd, ioctlSetDrain, &t); err != nil {
		return nil, err
	}
	return before, nil
}

// noEcho sets terminal fd to lines without echo and returns the settings
// before. What was typed ahead is thrown away.
func noEcho(fd int) (*State, error) {
	before, err := GetState(fd)
	if err != nil {
		return nil, err
	}
	t := before.t
	t.Lflag &^= unix.ECHO | unix.ECHONL
	t.Lflag |= unix.ICANON | unix.ISIG
	return before, set(fd, ioctlSetFlush, &t)
}

// Modes encodes the settings as RFC 4254 §8 wants them in pty-req, the ending
// opcode 0 included, byte for byte as OpenSSH does.
func (s *State) Modes() []byte { return appendModes(nil, s) }

// Apply sets what the encoded modes of a pty-req say on terminal fd and
// returns the opcodes that this system has no setting for. Settings that
// modes does not name stay as they are.
func Apply(fd int, modes []byte) (unknown []byte, err error) {
	s, err := GetState(fd)
	if err != nil {
		return nil, err
	}
	unknown = applyModes(s, modes)
	return unknown, set(fd, ioctlSet, &s.t)
}

func (s *State) char(i int) byte       { return s.t.Cc[i] }
func (s *State) setChar(i int, c byte) { s.t.Cc[i] = c }

func (s *State) flags(f field) uint32 {
	switch f {
	case iflag:
		return uint32(s.t.Iflag)
	case oflag:
		return uint32(s.t.Oflag)
	case cflag:
		return uint32(s.t.Cflag)
	default:
		return uint32(s.t.Lflag)
	}
}

func (s *State) setFlags(f field, bits uint32, on bool) {
	switch f {
	case iflag:
		setBits(&s.t.Iflag, bits, on)
	case oflag:
		setBits(&s.t.Oflag, bits, on)
	case cflag:
		setBits(&s.t.Cflag, bits, on)
	case lflag:
		setBits(&s.t.Lflag, bits, on)
	}
}

func setBits[T uint32 | uint64](word *T, bits uint32, on bool) {
	if on {
		*word |= T(bits)
	} else {
		*word &^= T(bits)
	}
}

func (s *State) speeds() (in, out uint32) { return uint32(s.t.Ispeed), uint32(s.t.Ospeed) }

// Size is a window's size, in characters and in pixels. Zero is unknown.
type Size struct{ Columns, Rows, Width, Height uint32 }

// GetSize reads the window size of terminal fd.
func GetSize(fd int) (Size, error) {
	w, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return Size{}, err
	}
	return Size{uint32(w.Col), uint32(w.Row), uint32(w.Xpixel), uint32(w.Ypixel)}, nil
}

// OnResize calls f, on a goroutine of its own, whenever this process is told
// that its terminal's window has another size. stop ends that and waits for a
// call under way.
func OnResize(f func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGWINCH)
	go func() {
		defer close(done)
		for range signals {
			f()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// Foreground reports whether this process is in the foreground group of
// terminal fd.
func Foreground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
