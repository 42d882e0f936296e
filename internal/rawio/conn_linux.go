package rawio

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn is a transport connection. One goroutine may read while another writes;
// Write and TryWrite from several goroutines do not mix their bytes.
type Conn struct {
	c    net.Conn
	rc   syscall.RawConn // nil: portable
	dup  *Duplex         // not nil: two files
	kind string          // "tcp" or "unix", for errors

	// Owned by the reader.
	rmu    sync.Mutex
	get    func() []byte
	put    func()
	parked bool // this call has waited: something is there
	rn     int
	rerr   error
	readFn func(fd uintptr) bool

	// Owned by whoever holds wmu.
	wmu     sync.Mutex
	wbuf    []byte
	wn      int
	werr    error
	writeFn func(fd uintptr) bool
	tryFn   func(fd uintptr)

	quickFn func(fd uintptr)
}

// NewConn wraps c. The raw paths are taken for *net.TCPConn, for stream
// *net.UnixConn and for *Duplex, not for types that embed one of them: such a
// type may have a Read of its own that must not be passed by.
func NewConn(c net.Conn) *Conn {
	k := &Conn{c: c}
	var sc syscall.Conn
	switch c := c.(type) {
	case *net.TCPConn:
		sc, k.kind = c, "tcp"
	case *net.UnixConn:
		if a := c.LocalAddr(); a != nil && a.Network() == "unix" {
			sc, k.kind = c, "unix"
		}
	case *Duplex:
		k.dup = c
	}
	if sc != nil {
		if rc, err := sc.SyscallConn(); err == nil {
			k.rc = rc
			k.readFn = k.readNow
			k.writeFn = k.writeNow
			k.tryFn = k.tryNow
			k.quickFn = quickAck
		}
	}
	return k
}

// OnPark has put called, on the reader's goroutine, whenever ReadReady has
// asked for a buffer, found nothing to read, and is about to wait: the buffer
// of the last get may go back to its pool then. With OnPark, ReadReady costs
// one system call when bytes are there; without it, it first asks the system
// with another one whether they are. Call it before the first ReadReady.
func (c *Conn) OnPark(put func()) { c.put = put }

// ReadReady waits for bytes and reads them into the slice that get returns. get
// is called once bytes are there, or after OnPark for each try; it must return
// at least one byte of room. n counts the bytes in the slice of its last call.
// The end of the stream is 0, io.EOF.
func (c *Conn) ReadReady(get func() []byte) (n int, err error) {
	if c.rc == nil {
		if c.dup != nil {
			if err := c.dup.r.WaitRead(); err != nil {
				return 0, err
			}
		}
		return readReady(c.c, get)
	}
	c.rmu.Lock()
	c.get, c.parked, c.rn, c.rerr = get, false, 0, nil
	err = c.rc.Read(c.readFn)
	n = c.rn
	if c.rerr != nil {
		err = c.rerr
	}
	c.get, c.rerr = nil, nil
	c.rmu.Unlock()
	return n, err
}

// readNow is the raw read callback: false parks.
func (c *Conn) readNow(fd uintptr) bool {
	if c.put == nil && !c.parked {
		// An end or an error is met again, and reported, by the read below.
		if !readable(fd) {
			c.parked = true
			return false
		}
	}
	p := c.get()
	if len(p) == 0 {
		c.rerr = errNoRoom
		return true
	}
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			c.parked = true
			if c.put != nil {
				c.put()
			}
			return false
		case errno != 0:
			c.rerr = c.opError("read", errno)
		case n == 0:
			c.rerr = io.EOF
		default:
			c.rn = int(n)
		}
		return true
	}
}

// Write writes all of p and may wait. A short count comes with an error.
func (c *Conn) Write(p []byte) (int, error) {
	if c.rc == nil {
		return c.c.Write(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	c.wmu.Lock()
	c.wbuf, c.wn, c.werr = p, 0, nil
	err := c.rc.Write(c.writeFn)
	n := c.wn
	if c.werr != nil {
		err = c.werr
	}
	c.wbuf, c.werr = nil, nil
	c.wmu.Unlock()
	return n, err
}

func (c *Conn) writeNow(fd uintptr) bool {
	c.tryNow(fd)
	return c.werr != nil || c.wn == len(c.wbuf)
}

// tryNow writes until everything is out, the socket is full, or it fails.
func (c *Conn) tryNow(fd uintptr) {
	for c.wn < len(c.wbuf) {
		p := c.wbuf[c.wn:]
		n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			c.werr = c.opError("write", errno)
			return
		}
		c.wn += int(n)
	}
}

// TryWrite writes what goes at once and never waits: a short count with a nil
// error means that the rest would have to wait, be it for the peer or for a
// Write that is under way. Without a descriptor it is always 0, nil.
func (c *Conn) TryWrite(p []byte) (int, error) {
	if c.rc == nil {
		if c.dup != nil {
			return c.dup.w.tryWrite(p)
		}
		return 0, nil
	}
	if !c.wmu.TryLock() {
		return 0, nil
	}
	c.wbuf, c.wn, c.werr = p, 0, nil
	err := c.rc.Control(c.tryFn)
	n := c.wn
	if c.werr != nil {
		err = c.werr
	}
	c.wbuf, c.werr = nil, nil
	c.wmu.Unlock()
	return n, err
}

func (c *Conn) opError(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: c.kind, Source: c.c.LocalAddr(), Addr: c.c.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

func quickAck(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}

// QuickAck asks the system to acknowledge what has arrived at once. It does
// not stick: call it after each read that should be acknowledged.
func (c *Conn) QuickAck() {
	if c.kind == "tcp" && c.rc != nil {
		_ = c.rc.Control(c.quickFn)
	}
}

// RTT is the round-trip time that TCP has measured, 0 when unknown.
func (c *Conn) RTT() (rtt time.Duration) {
	if c.kind == "tcp" && c.rc != nil {
		_ = c.rc.Control(func(fd uintptr) {
			if ti, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				rtt = time.Duration(ti.Rtt) * time.Microsecond
			}
		})
	}
	return rtt
}

// NotSentLowat bounds the bytes that wait unsent in the socket to n, so that a
// keystroke does not queue behind a whole socket buffer of bulk data.
func (c *Conn) NotSentLowat(n int) {
	if c.kind == "tcp" && c.rc != nil {
		_ = c.rc.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
		})
	}
}

// SetIPQoS sets the traffic class (TOS byte, DSCP in its upper six bits) of
// outgoing packets in both address families.
func (c *Conn) SetIPQoS(tos int) {
	if c.kind == "tcp" && c.rc != nil {
		_ = c.rc.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, tos)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos)
		})
	}
}
