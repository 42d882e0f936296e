//go:build unix

package fdpass

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

var errNone = errors.New("fdpass: no descriptor came")

// Send sends a duplicate of descriptor fd.
func Send(c *net.UnixConn, fd int) error {
	_, _, err := c.WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil)
	return err
}

// Receive takes one descriptor. Nothing behind its byte is read. It is closed
// when another program starts.
func Receive(c *net.UnixConn) (fd int, err error) {
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := c.ReadMsgUnix(b[:], oob)
	if err != nil {
		return -1, err
	}
	if n == 0 {
		return -1, io.EOF
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return -1, err
	}
	fd = -1
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, f := range fds {
			if fd >= 0 {
				unix.Close(f) // one was asked for
				continue
			}
			fd = f
			unix.CloseOnExec(fd)
		}
	}
	if fd < 0 {
		return -1, errNone
	}
	return fd, nil
}

// Close closes a received descriptor that nobody took.
func Close(fd int) { unix.Close(fd) }
