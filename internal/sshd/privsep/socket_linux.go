package privsep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets of a link between processes: SOCK_SEQPACKET keeps messages apart and
// says when the other end is gone.
const socketType = unix.SOCK_SEQPACKET

// SocketPair makes the two ends of a link between processes: one for NewConn
// here, the other to be given to the other process. Both are close-on-exec.
func SocketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, socketType|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "privsep"), os.NewFile(uintptr(fds[1]), "privsep"), nil
}

// NewConn is the end of a link that f is. It takes over f.
func NewConn(f *os.File) (*Conn, error) {
	f, err := pollable(f)
	if err != nil {
		return nil, err
	}
	rc, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return newConn(&socket{f: f, rc: rc}), nil
}

// pollable is f, or in its place a file that the poller knows: a descriptor that
// came by exec is a blocking one.
func pollable(f *os.File) (*os.File, error) {
	if f.SetDeadline(time.Time{}) == nil {
		return f, nil
	}
	defer f.Close()
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if e := rc.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) }); e != nil {
		err = e
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "privsep"), nil
}

type socket struct {
	f      *os.File
	rc     syscall.RawConn
	closed atomic.Bool
}

func (s *socket) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.f.Close()
}

func (s *socket) send(f frame) error {
	defer f.close()
	var oob []byte
	if len(f.files) > 0 {
		fds := make([]int, 0, MaxFiles)
		for _, file := range f.files {
			rc, err := file.SyscallConn()
			if err != nil {
				return err
			}
			// The number stays ours until f is closed, after sendmsg.
			if err := rc.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
				return err
			}
		}
		oob = unix.UnixRights(fds...)
	}
	var n int
	var err error
	e := s.rc.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), f.b, oob, nil, unix.MSG_NOSIGNAL)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case e != nil:
		err = e
	case err == nil && n < len(f.b):
		err = io.ErrShortWrite
	}
	if err != nil && s.closed.Load() {
		return ErrClosed
	}
	return linkError("send", err)
}

func (s *socket) recv() (f frame, err error) {
	var n, oobn, flags int
	oob := make([]byte, unix.CmsgSpace(MaxFiles*4))
	e := s.rc.Read(func(fd uintptr) bool {
		for {
			// How long it is first, so that an idle link holds no buffer.
			n, _, err = unix.Recvfrom(int(fd), nil, unix.MSG_PEEK|unix.MSG_TRUNC)
			if err == unix.EINTR {
				continue
			}
			if err == unix.EAGAIN {
				return false
			}
			if err != nil || n <= 0 || n > MaxMessage {
				return true
			}
			f.b = make([]byte, n)
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), f.b, oob, unix.MSG_CMSG_CLOEXEC)
			if err == unix.EINTR {
				continue
			}
			return err != unix.EAGAIN
		}
	})
	if e != nil {
		err = e
	}
	if err != nil {
		if s.closed.Load() {
			return frame{}, io.EOF
		}
		return frame{}, linkError("receive", err)
	}
	if n == 0 {
		return frame{}, io.EOF
	}
	if oobn > 0 {
		f.files, err = rights(oob[:oobn])
	}
	if err == nil && (n > MaxMessage || n != len(f.b) || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0) {
		err = ErrProtocol
	}
	if err != nil {
		f.close()
	}
	return f, err
}

// rights are the descriptors of a control message.
func rights(oob []byte) (files []*os.File, err error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range msgs {
		fds, e := unix.ParseUnixRights(&msgs[i])
		if e != nil {
			err = fmt.Errorf("%w: control message", ErrProtocol)
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, err
}

// linkError says that the other end is gone in one word.
func linkError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN):
		if what == "receive" {
			return io.EOF
		}
		return ErrClosed
	}
	return os.NewSyscallError(what, err)
}
