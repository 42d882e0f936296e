package native

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// HelperFD is the helper's descriptor of the socket.
const HelperFD = 3

// Conn is one end. Receive is for one goroutine, Send and Close for several.
type Conn struct {
	f  *os.File
	rc syscall.RawConn
	mu sync.Mutex // of writing
}

// NewConn is the end at descriptor fd, which it owns.
func NewConn(fd int) (*Conn, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	c := &Conn{f: os.NewFile(uintptr(fd), "native")}
	var err error
	c.rc, err = c.f.SyscallConn()
	return c, err
}

// Pair makes a socket: our end, and the file to give to a helper as its
// HelperFD.
func Pair() (*Conn, *os.File, error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range p {
		// A message must fit as a whole.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 2*MaxMessage)
	}
	theirs := os.NewFile(uintptr(p[1]), "native")
	c, err := NewConn(p[0])
	if err != nil {
		unix.Close(p[0])
		theirs.Close()
		return nil, nil, err
	}
	return c, theirs, nil
}

// Send sends m. Its files stay the caller's.
func (c *Conn) Send(m *Message) error {
	b := m.Append(nil)
	defer clear(b)
	if len(b) > MaxMessage || len(m.List) > MaxList || len(m.Files) > MaxFiles {
		return errTooLong
	}
	var oob []byte
	if len(m.Files) > 0 {
		fds := make([]int, len(m.Files))
		for i, f := range m.Files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var sent error
	err := c.rc.Write(func(fd uintptr) bool {
		sent = retry(func() error { return unix.Sendmsg(int(fd), b, oob, nil, unix.MSG_NOSIGNAL) })
		return sent != unix.EAGAIN
	})
	if err == nil {
		err = os.NewSyscallError("sendmsg", sent)
	}
	return err
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// Receive waits for the next message. The error is io.EOF's kind when the
// other end is gone: a message of no bytes does not exist.
func (c *Conn) Receive() (*Message, error) {
	b := make([]byte, MaxMessage)
	defer clear(b)
	oob := make([]byte, unix.CmsgSpace(MaxFiles*4))
	var n, oobn, flags int
	var got error
	err := c.rc.Read(func(fd uintptr) bool {
		got = retry(func() (err error) {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), b, oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		return got != unix.EAGAIN
	})
	if err == nil {
		err = os.NewSyscallError("recvmsg", got)
	}
	if err != nil {
		return nil, err
	}
	files, err := received(oob[:oobn])
	m := &Message{}
	switch {
	case err != nil:
	case n == 0:
		err = errGone
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errMessage
	default:
		err = m.Decode(b[:n])
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	m.Files = files
	return m, nil
}

func received(oob []byte) (files []*os.File, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	list, err := unix.ParseSocketControlMessage(oob)
	for i := range list {
		fds, e := unix.ParseUnixRights(&list[i])
		if e != nil {
			err = e
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, err
}

// Close ends the conversation: a Receive that waits returns.
func (c *Conn) Close() { c.f.Close() }

// Shutdown says that we will say no more. What the other end says still comes.
func (c *Conn) Shutdown() error {
	var err error
	if e := c.rc.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); e != nil {
		return e
	}
	return os.NewSyscallError("shutdown", err)
}
