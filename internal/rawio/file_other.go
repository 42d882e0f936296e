//go:build !linux

package rawio

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"
)

// File is one end of a pipe, a terminal, a socket, or an inherited descriptor.
// One goroutine may read while another writes.
type File struct {
	f    *os.File
	mode os.FileMode
	tty  bool
}

// NewFile takes over f. Close closes f.
func NewFile(f *os.File) *File {
	k := &File{f: f}
	if st, err := f.Stat(); err == nil {
		k.mode = st.Mode()
	}
	if k.mode&os.ModeCharDevice != 0 {
		if rc, err := f.SyscallConn(); err == nil {
			_ = rc.Control(func(fd uintptr) { k.tty = term.IsTerminal(int(fd)) })
		}
	}
	return k
}

// Inherited wraps standard descriptor fd, which other processes may share.
func Inherited(fd int, name string) *File {
	switch fd {
	case 0:
		return NewFile(os.Stdin)
	case 1:
		return NewFile(os.Stdout)
	case 2:
		return NewFile(os.Stderr)
	}
	return NewFile(os.NewFile(uintptr(fd), name))
}

// Received wraps a descriptor that another process has passed; Close closes it.
func Received(fd int, name string) *File { return NewFile(os.NewFile(uintptr(fd), name)) }

// IsPipe tells whether the file is a pipe.
func (f *File) IsPipe() bool { return f.mode&os.ModeNamedPipe != 0 }

// IsRegular tells whether the file is a regular file.
func (f *File) IsRegular() bool { return f.mode.IsRegular() }

// IsTerminal tells whether the file is a terminal.
func (f *File) IsTerminal() bool { return f.tty }

// IsSocket tells whether the file is a socket.
func (f *File) IsSocket() bool { return f.mode&os.ModeSocket != 0 }

// Name is the file's name.
func (f *File) Name() string { return f.f.Name() }

// SyscallConn gives access to the descriptor.
func (f *File) SyscallConn() (syscall.RawConn, error) { return f.f.SyscallConn() }

// Readv fills the first of bufs that has room with what is there, waiting for
// the first byte. 0, io.EOF is the end.
func (f *File) Readv(bufs [][]byte) (int, error) {
	for _, b := range bufs {
		if len(b) > 0 {
			return f.Read(b)
		}
	}
	return 0, errNoRoom
}

// TryReadv cannot tell whether bytes are there, so it says that none are.
func (f *File) TryReadv(bufs [][]byte) (int, error) { return 0, ErrAgain }

// WaitRead does not wait: the read that follows does.
func (f *File) WaitRead() error { return nil }

// Read reads into p.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.f.Read(p)
	if n == 0 && err != nil && f.tty && errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}

// Writev writes all of bufs in order and may wait.
func (f *File) Writev(bufs [][]byte) (n int, err error) {
	for _, b := range bufs {
		m, err := f.f.Write(b)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// TryWritev would have to wait, so it writes nothing: 0, nil.
func (f *File) TryWritev(bufs [][]byte) (int, error) { return 0, nil }

// Write writes all of p and may wait.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// CloseWrite ends the outgoing direction; a terminal is left alone.
func (f *File) CloseWrite() error {
	if f.tty {
		return nil
	}
	return f.f.Close()
}

// SetReadDeadline is os.File's.
func (f *File) SetReadDeadline(t time.Time) error { return f.f.SetReadDeadline(t) }

// SetWriteDeadline is os.File's.
func (f *File) SetWriteDeadline(t time.Time) error { return f.f.SetWriteDeadline(t) }

// GrowPipe has no effect here.
func (f *File) GrowPipe(size int) {}

// GrowPipeAfter has no effect here.
func (f *File) GrowPipeAfter(moved int64, size int, budget *atomic.Int32) {}

// rawFiles says that a File has raw paths on this system.
const rawFiles = false
