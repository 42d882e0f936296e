package rawio

import (
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxIovecs is the system's UIO_MAXIOV: more vectors in one call are refused.
	maxIovecs = 1024
	// ttyBatch is how much one Readv gathers from a terminal, which hands out
	// at most 4 KiB per read.
	ttyBatch = 32 << 10
	// ttyFull is from where a read of a terminal counts as full: 4,096 less
	// what the line discipline keeps for itself.
	ttyFull = 2048
)

// File is one end of a pipe, a terminal, a socket, or an inherited descriptor.
// One goroutine may read while another writes; a Try method never waits for
// the other direction or for a call that is under way.
type File struct {
	f        *os.File        // own description, in the poller; nil: inherited, blocking
	rc       syscall.RawConn // of f
	fd       int             // inherited descriptor, -1 when there is none
	name     string
	mode     uint32 // S_IFMT bits
	tty      bool
	nonblock bool     // no call on it can wait
	mem      bool     // memory device such as /dev/null: never waits
	wake     *os.File // not nil: fd is ours to close; its other end ends a wait for fd
	woken    *os.File

	once     sync.Once
	closeErr error
	closed   atomic.Bool

	r, w half
	one  struct{ r, w [1][]byte }
	grow struct {
		after, size, moved atomic.Int64
		budget             *atomic.Int32
	}

	waitFn func(fd uintptr) bool
	shutFn func(fd uintptr)
	waited bool
	gather gather
}

// half is the state of one direction, owned by the holder of mu.
type half struct {
	mu    sync.Mutex
	iov   []unix.Iovec
	rest  []unix.Iovec // what is left of iov
	n     int
	err   error
	again bool // EAGAIN met
	fn    func(fd uintptr) bool
	tryFn func(fd uintptr)
}

// NewFile takes over f, which must come from a non-blocking descriptor to be
// in the poller (this package's pipes, internal/system/pty's masters and
// os.Pipe are); a regular file is read and written directly. Close closes f.
func NewFile(f *os.File) *File {
	k := &File{f: f, fd: -1, name: f.Name()}
	rc, err := f.SyscallConn()
	if err != nil {
		return k // every call says os.ErrInvalid
	}
	k.rc = rc
	_ = rc.Control(func(fd uintptr) { k.inspect(int(fd)) })
	k.bind()
	return k
}

// Inherited wraps standard descriptor fd, which other processes may share.
// Pipes and terminals are opened a second time, privately, where the system
// lets us, so that waiting and non-blocking writing disturb nobody; sockets are
// asked per call; everything else is used as it is. Close also gives up fd
// itself: it then refers to the null device, so that its number is not reused.
func Inherited(fd int, name string) *File {
	k := &File{fd: fd, name: name}
	k.inspect(fd)
	if k.mode == unix.S_IFIFO || k.tty {
		k.f = reopen(fd, name)
		if k.f != nil {
			if rc, err := k.f.SyscallConn(); err == nil {
				k.rc, k.nonblock = rc, true
			} else {
				k.f.Close()
				k.f = nil
			}
		}
	}
	k.bind()
	return k
}

// Received wraps a descriptor that another process has passed and goes on
// using: as Inherited, but Close closes fd, once whoever waits for it has been
// woken.
func Received(fd int, name string) *File {
	f := Inherited(fd, name)
	if r, w, err := os.Pipe(); err == nil {
		f.woken, f.wake = r, w
	}
	return f
}

func (f *File) bind() {
	f.r.fn, f.r.tryFn = f.readNow, f.tryReadNow
	f.w.fn, f.w.tryFn = f.writeNow, f.tryWriteNow
	f.waitFn, f.shutFn = f.waitNow, shutWrite
}

func (f *File) inspect(fd int) {
	var st unix.Stat_t
	if err := ignoreEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return
	}
	f.mode = st.Mode & unix.S_IFMT
	if f.f != nil { // ours alone: the flag stays as it is
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		f.nonblock = err == nil && flags&unix.O_NONBLOCK != 0
	}
	if f.mode == unix.S_IFCHR {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		f.tty = err == nil
		f.mem = unix.Major(uint64(st.Rdev)) == 1
	}
}

// reopen opens the pipe or terminal behind fd again, with a description of our
// own; nil when it may not (another user's, no /proc).
func reopen(fd int, name string) *os.File {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil
	}
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	how := flags&unix.O_ACCMODE | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	var nfd int
	err = ignoreEINTR(func() (err error) { nfd, err = unix.Open(path, how, 0); return })
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(nfd), name)
}

// IsPipe tells whether the file is a pipe.
func (f *File) IsPipe() bool { return f.mode == unix.S_IFIFO }

// IsRegular tells whether the file is a regular file.
func (f *File) IsRegular() bool { return f.mode == unix.S_IFREG }

// IsTerminal tells whether the file is a terminal, either end of it.
func (f *File) IsTerminal() bool { return f.tty }

// IsSocket tells whether the file is a socket.
func (f *File) IsSocket() bool { return f.mode == unix.S_IFSOCK }

// Name is the name given when the file was made.
func (f *File) Name() string { return f.name }

// SyscallConn gives access to the descriptor for calls this package does not
// know, such as a terminal's window size.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if f.rc == nil {
		return nil, f.fail("syscallconn", os.ErrInvalid)
	}
	return f.rc, nil
}

// Readv fills bufs in order with what is there, waiting for the first byte.
// 0, io.EOF is the end; a terminal whose other side is gone has ended too.
// From a terminal it gathers up to 32 KiB, as each read gives at most 4 KiB.
func (f *File) Readv(bufs [][]byte) (int, error) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return f.readv(bufs)
}

// readv is Readv with the lock held.
func (f *File) readv(bufs [][]byte) (int, error) {
	if err := f.r.load(bufs); err != nil {
		return 0, err
	}
	var err error
	if f.rc != nil {
		err = f.rc.Read(f.r.fn)
	} else {
		for err = f.check(); err == nil && !f.readNow(uintptr(f.fd)); err = f.check() {
			f.poll(unix.POLLIN, -1) // somebody else has set O_NONBLOCK
		}
	}
	return f.doneRead(err)
}

// TryReadv is Readv without the wait: 0, ErrAgain when nothing is there. On an
// inherited descriptor that could not be opened again it asks first, and may
// then wait if another process takes the bytes in between.
func (f *File) TryReadv(bufs [][]byte) (int, error) {
	if !f.r.mu.TryLock() {
		return 0, ErrAgain
	}
	defer f.r.mu.Unlock()
	if err := f.r.load(bufs); err != nil {
		return 0, err
	}
	var err error
	switch {
	case f.rc != nil:
		err = f.rc.Control(f.r.tryFn)
	case f.check() != nil:
		err = f.check()
	case f.waits() && !f.poll(unix.POLLIN, 0):
		f.r.again = true
	default:
		f.readNow(uintptr(f.fd))
	}
	again := f.r.again
	n, err := f.doneRead(err)
	if n == 0 && err == nil && again {
		err = ErrAgain
	}
	return n, err
}

// WaitRead waits until a read would not, and reads nothing: a caller that
// holds no buffer while it waits takes one afterwards.
func (f *File) WaitRead() error {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if f.rc == nil {
		if err := f.check(); err != nil {
			return err
		}
		if f.waits() {
			f.poll(unix.POLLIN, -1)
		}
		return f.check()
	}
	if f.mode == unix.S_IFIFO {
		f.gather.pause()
	}
	f.waited = false
	return f.fail("read", f.rc.Read(f.waitFn))
}

func (f *File) waitNow(fd uintptr) bool {
	if f.waited {
		return true
	}
	f.waited = true
	return readable(fd)
}

func (f *File) readNow(fd uintptr) bool {
	f.tryReadNow(fd)
	return f.r.n > 0 || f.r.err != nil || !f.r.again
}

func (f *File) tryReadNow(fd uintptr) {
	h := &f.r
	h.again = false
	for len(h.rest) > 0 {
		n, errno := iovCall(unix.SYS_READV, fd, h.rest, f.nonblock)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			h.again = true
			return
		case errno == unix.EIO && f.tty, errno == 0 && n == 0:
			if h.n == 0 {
				h.err = io.EOF
			}
			return
		case errno != 0:
			if h.n == 0 {
				h.err = errno
			}
			return
		}
		h.n += n
		// A blocking descriptor must not be asked twice.
		if !f.tty || f.rc == nil || n < ttyFull || h.n >= ttyBatch {
			return
		}
		h.advance(n)
	}
}

func (f *File) doneRead(err error) (int, error) {
	n := f.r.n
	if f.r.err != nil {
		err = f.r.err
	}
	f.r.unload()
	if n > 0 {
		f.count(n)
		f.gather.read += int64(n)
		return n, nil
	}
	if err == io.EOF {
		return 0, err
	}
	return 0, f.fail("read", err)
}

// Read reads into p.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.one.r[0] = p
	n, err := f.readv(f.one.r[:])
	f.one.r[0] = nil
	return n, err
}

// Writev writes all of bufs in order and may wait. A short count comes with an
// error.
func (f *File) Writev(bufs [][]byte) (int, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.writev(bufs)
}

// writev is Writev with the lock held.
func (f *File) writev(bufs [][]byte) (int, error) {
	n := 0
	for {
		// More than maxIovecs go in turns, so that the vectors need not grow.
		part := bufs[:min(len(bufs), maxIovecs)]
		f.w.load(part)
		var err error
		if f.rc != nil {
			err = f.rc.Write(f.w.fn)
		} else {
			for err = f.check(); err == nil && !f.writeNow(uintptr(f.fd)); err = f.check() {
				f.poll(unix.POLLOUT, -1)
			}
		}
		m, err := f.doneWrite(err)
		n += m
		bufs = bufs[len(part):]
		if err != nil || len(bufs) == 0 {
			return n, err
		}
	}
}

// TryWritev writes what goes at once and never waits: a short count with a nil
// error means full, or that another write is under way.
func (f *File) TryWritev(bufs [][]byte) (int, error) {
	if !f.w.mu.TryLock() {
		return 0, nil
	}
	defer f.w.mu.Unlock()
	return f.tryWritev(bufs)
}

// tryWritev is TryWritev with the lock held.
func (f *File) tryWritev(bufs [][]byte) (int, error) {
	n := 0
	for {
		part := bufs[:min(len(bufs), maxIovecs)]
		f.w.load(part)
		want := total(part)
		var err error
		switch {
		case f.rc != nil:
			err = f.rc.Control(f.w.tryFn)
		case f.check() != nil:
			err = f.check()
		case f.mode == unix.S_IFSOCK:
			f.trySend()
		case f.mode == unix.S_IFREG || f.mem:
			f.tryWriteNow(uintptr(f.fd))
		default:
			f.w.again = true
		}
		m, err := f.doneWrite(err)
		n += m
		bufs = bufs[len(part):]
		if err != nil || m < want || len(bufs) == 0 {
			return n, err
		}
	}
}

// Write writes all of p and may wait.
func (f *File) Write(p []byte) (int, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.one.w[0] = p
	n, err := f.writev(f.one.w[:])
	f.one.w[0] = nil
	return n, err
}

func (f *File) tryWrite(p []byte) (int, error) {
	if !f.w.mu.TryLock() {
		return 0, nil
	}
	defer f.w.mu.Unlock()
	f.one.w[0] = p
	n, err := f.tryWritev(f.one.w[:])
	f.one.w[0] = nil
	return n, err
}

func (f *File) writeNow(fd uintptr) bool {
	f.tryWriteNow(fd)
	return !f.w.again
}

func (f *File) tryWriteNow(fd uintptr) {
	h := &f.w
	h.again = false
	for len(h.rest) > 0 {
		n, errno := iovCall(unix.SYS_WRITEV, fd, h.rest, f.nonblock)
		if !f.wrote(n, errno) {
			return
		}
	}
}

// trySend is tryWriteNow for a shared socket, which may be blocking.
func (f *File) trySend() {
	h := &f.w
	h.again = false
	for len(h.rest) > 0 {
		m := unix.Msghdr{Iov: &h.rest[0]}
		m.SetIovlen(len(h.rest))
		n, _, errno := syscall.Syscall(unix.SYS_SENDMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if !f.wrote(int(n), errno) {
			return
		}
	}
}

// wrote books the result of one call and tells whether to go on.
func (f *File) wrote(n int, errno syscall.Errno) bool {
	h := &f.w
	switch {
	case errno == unix.EINTR:
		return true
	case errno == unix.EAGAIN:
		h.again = true
		return false
	case errno != 0:
		h.err = errno
		return false
	}
	h.n += n
	h.advance(n)
	return true
}

func (f *File) doneWrite(err error) (int, error) {
	n := f.w.n
	if f.w.err != nil {
		err = f.w.err
	}
	f.w.unload()
	if n > 0 {
		f.count(n)
	}
	return n, f.fail("write", err)
}

// Close closes the file; parked readers and writers return. A second Close
// returns what the first did.
func (f *File) Close() error {
	f.once.Do(func() {
		f.closed.Store(true)
		if f.f != nil {
			f.closeErr = f.f.Close()
		}
		if f.wake != nil {
			f.wake.Close()
			go func() {
				f.r.mu.Lock()
				f.w.mu.Lock()
				unix.Close(f.fd)
				f.woken.Close()
				f.w.mu.Unlock()
				f.r.mu.Unlock()
			}()
		} else if f.fd >= 0 {
			if err := blank(f.fd); f.closeErr == nil {
				f.closeErr = err
			}
		}
	})
	return f.closeErr
}

// blank makes fd refer to the null device.
func blank(fd int) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	err = unix.Dup3(null, fd, 0)
	unix.Close(null)
	return os.NewSyscallError("dup3", err)
}

// CloseWrite ends the outgoing direction: a socket's half, anything else but a
// terminal altogether. A terminal has no end of its own and is left alone.
func (f *File) CloseWrite() error {
	switch {
	case f.tty:
		return nil
	case f.mode != unix.S_IFSOCK:
		return f.Close()
	case f.rc != nil:
		return f.rc.Control(f.shutFn)
	}
	shutWrite(uintptr(f.fd))
	return nil
}

func shutWrite(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }

// SetReadDeadline is os.File's; os.ErrNoDeadline when not in the poller.
func (f *File) SetReadDeadline(t time.Time) error {
	if f.f == nil {
		return os.ErrNoDeadline
	}
	return f.f.SetReadDeadline(t)
}

// SetWriteDeadline is os.File's; os.ErrNoDeadline when not in the poller.
func (f *File) SetWriteDeadline(t time.Time) error {
	if f.f == nil {
		return os.ErrNoDeadline
	}
	return f.f.SetWriteDeadline(t)
}

// GrowPipe makes a pipe hold size bytes. It is a hint: what the system does
// not grant is left as it is.
func (f *File) GrowPipe(size int) {
	if f.mode != unix.S_IFIFO {
		return
	}
	if f.rc != nil {
		_ = f.rc.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
	} else if f.fd >= 0 {
		_, _ = unix.FcntlInt(uintptr(f.fd), unix.F_SETPIPE_SZ, size)
	}
}

// GrowPipeAfter has the file call GrowPipe(size) by itself once moved bytes
// went through it: a user's pipe pages are limited, so only pipes that carry
// bulk should take them. When budget is not nil, one is taken from it at that
// moment, and nothing grows when it is used up. Call it before the file is in
// use.
func (f *File) GrowPipeAfter(moved int64, size int, budget *atomic.Int32) {
	if f.mode == unix.S_IFIFO {
		f.grow.budget = budget
		f.grow.size.Store(int64(size))
		f.grow.after.Store(moved)
	}
}

func (f *File) count(n int) {
	after := f.grow.after.Load()
	if after == 0 || f.grow.moved.Add(int64(n)) < after || !f.grow.after.CompareAndSwap(after, 0) {
		return
	}
	if b := f.grow.budget; b != nil && b.Add(-1) < 0 {
		return
	}
	f.GrowPipe(int(f.grow.size.Load()))
}

// waits tells whether a read of the inherited descriptor could wait.
func (f *File) waits() bool { return f.mode != unix.S_IFREG && !f.mem }

// poll waits up to timeout milliseconds, without end below 0, for the
// inherited descriptor.
func (f *File) poll(events int16, timeout int) bool {
	if f.woken == nil {
		return pollFd(f.fd, events, timeout)
	}
	ready := false
	rc, err := f.woken.SyscallConn()
	if err != nil {
		return true
	}
	_ = rc.Control(func(wake uintptr) {
		p := [2]unix.PollFd{{Fd: int32(f.fd), Events: events}, {Fd: int32(wake), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(p[:], timeout)
			if err == unix.EINTR {
				continue
			}
			ready = n > 0 || err != nil
			return
		}
	})
	return ready
}

// readable tells whether a read of fd would not wait.
func readable(fd uintptr) bool { return pollFd(int(fd), unix.POLLIN, 0) }

func pollFd(fd int, events int16, timeout int) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(p[:], timeout)
		if err == unix.EINTR {
			continue
		}
		return n > 0 || err != nil // an error is met again by the call that follows
	}
}

func (f *File) check() error {
	if f.closed.Load() {
		return os.ErrClosed
	}
	if f.rc == nil && f.fd < 0 {
		return os.ErrInvalid
	}
	return nil
}

func (f *File) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(syscall.Errno); !ok && f.closed.Load() {
		err = os.ErrClosed // the poller's own error for it is not exported
	}
	return &os.PathError{Op: op, Path: f.name, Err: err}
}

// load turns bufs into vectors, at most maxIovecs.
func (h *half) load(bufs [][]byte) error {
	h.n, h.err, h.again = 0, nil, false
	h.iov = h.iov[:0]
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		if len(h.iov) == maxIovecs {
			break
		}
		v := unix.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		h.iov = append(h.iov, v)
	}
	h.rest = h.iov
	if len(h.iov) == 0 {
		return errNoRoom
	}
	return nil
}

// unload lets go of the callers' buffers.
func (h *half) unload() {
	clear(h.iov)
	h.rest, h.err = nil, nil
}

// advance drops n bytes from the front of rest.
func (h *half) advance(n int) {
	for n > 0 {
		v := &h.rest[0]
		if l := int(v.Len); n >= l {
			n -= l
			h.rest = h.rest[1:]
			continue
		}
		v.Base = (*byte)(unsafe.Add(unsafe.Pointer(v.Base), n))
		v.SetLen(int(v.Len) - n)
		return
	}
}

// iovCall is readv or writev. On a non-blocking descriptor it is a raw call: it
// lasts as long as its copy, tens of microseconds for 256 KiB, and the scheduler
// is better off not knowing. Told of it, its monitor wakes every 20 µs, takes
// the processor away and hands it to another thread, back and forth for every
// call.
func iovCall(trap uintptr, fd uintptr, iov []unix.Iovec, nonblock bool) (int, syscall.Errno) {
	if nonblock {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		return int(n), errno
	}
	n, _, errno := syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
	return int(n), errno
}

func ignoreEINTR(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}

// rawFiles says that a File has raw paths on this system.
const rawFiles = true
