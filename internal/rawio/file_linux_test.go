package rawio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func fds(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(e)
}

// openPty gives both ends of a terminal, the master in the poller.
func openPty(t *testing.T) (master *File, slave *os.File) {
	t.Helper()
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(m, unix.TIOCGPTN)
	must(t, err)
	s, err := unix.Open("/dev/pts/"+strconv.Itoa(int(n)), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(t, err)
	tio, err := unix.IoctlGetTermios(s, unix.TCGETS)
	must(t, err)
	tio.Lflag &^= unix.ECHO | unix.ICANON
	tio.Oflag &^= unix.OPOST
	must(t, unix.IoctlSetTermios(s, unix.TCSETS, tio))
	master = NewFile(os.NewFile(uintptr(m), "ptmx"))
	slave = os.NewFile(uintptr(s), "pts")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func TestPty(t *testing.T) {
	m, s := openPty(t)
	if !m.IsTerminal() {
		t.Error("not a terminal")
	}
	must(t, m.CloseWrite()) // a terminal stays open
	s.Write([]byte("hello"))
	b := make([]byte, 100)
	n, err := m.Read(b)
	if err != nil || string(b[:n]) != "hello" {
		t.Errorf("%q %v", b[:n], err)
	}
	if _, err := m.TryReadv([][]byte{b}); err != ErrAgain {
		t.Errorf("empty: %v", err)
	}
	if n, err := m.TryWritev([][]byte{[]byte("typ"), []byte("ed")}); n != 5 || err != nil {
		t.Error(n, err)
	}
	n, err = s.Read(b)
	if err != nil || string(b[:n]) != "typed" {
		t.Errorf("%q %v", b[:n], err)
	}
	// What was written before the last slave end closed is read before the end.
	s.Write([]byte("last words"))
	s.Close()
	n, err = m.Read(b)
	if err != nil || string(b[:n]) != "last words" {
		t.Errorf("%q %v", b[:n], err)
	}
	if n, err := m.Read(b); n != 0 || err != io.EOF {
		t.Errorf("EIO: %d %v", n, err)
	}
	if n, err := m.TryReadv([][]byte{b}); n != 0 || err != io.EOF {
		t.Errorf("EIO: %d %v", n, err)
	}
}

func TestPtyGathers(t *testing.T) {
	m, s := openPty(t)
	want := bytes.Repeat([]byte("x"), 200_000)
	go func() { s.Write(want); s.Close() }()
	got := 0
	b := [][]byte{make([]byte, 20_000), make([]byte, 20_000)}
	for {
		n, err := m.Readv(b)
		got += n
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	if got != len(want) {
		t.Errorf("got %d", got)
	}
}

func TestFullPipe(t *testing.T) {
	child, w, err := PipeToChild()
	must(t, err)
	defer child.Close()
	defer w.Close()
	chunk := make([]byte, 10_000)
	sent := 0
	for {
		n, err := w.TryWritev([][]byte{chunk, chunk})
		must(t, err)
		sent += n
		if n < 2*len(chunk) {
			break
		}
	}
	if n, err := w.TryWritev([][]byte{chunk}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if sent < 32<<10 || sent > 64<<10 {
		t.Errorf("a pipe took %d", sent)
	}
	done := make(chan error)
	go func() { _, err := w.Write(chunk); done <- err }()
	io.CopyN(io.Discard, child, int64(sent+len(chunk)))
	must(t, <-done)
}

func TestGrowPipe(t *testing.T) {
	size := func(f *File) int {
		n := 0
		f.rc.Control(func(fd uintptr) { n, _ = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
		return n
	}
	budget := new(atomic.Int32)
	budget.Store(1)
	for i, want := range []int{1 << 20, 64 << 10} { // the second finds no budget
		r, child, err := PipeFromChild()
		must(t, err)
		cw := NewFile(child)
		r.GrowPipeAfter(100, 1<<20, budget)
		b := make([]byte, 99)
		cw.Write(b)
		r.Read(b)
		if n := size(r); n != 64<<10 {
			t.Errorf("%d: grown too early to %d", i, n)
		}
		cw.Write(b)
		r.Read(b)
		if n := size(r); n != want {
			t.Errorf("%d: size %d, want %d", i, n, want)
		}
		r.Close()
		cw.Close()
	}
}

func TestWaitRead(t *testing.T) {
	r, child, err := PipeFromChild()
	must(t, err)
	b := make([]byte, 8)
	if _, err := r.TryReadv([][]byte{b}); err != ErrAgain {
		t.Error(err)
	}
	done := make(chan error)
	go func() { done <- r.WaitRead() }()
	child.Write([]byte("now"))
	must(t, <-done)
	if n, err := r.TryReadv([][]byte{b}); n != 3 || err != nil {
		t.Error(n, err)
	}
	go func() { done <- r.WaitRead() }()
	child.Close()
	must(t, <-done)
	if _, err := r.TryReadv([][]byte{b}); err != io.EOF {
		t.Error(err)
	}
	r.Close()
	if err := r.WaitRead(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func socketpair(t *testing.T) (int, int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	return p[0], p[1]
}

func nonblocking(t *testing.T, fd int) bool {
	t.Helper()
	fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	must(t, err)
	return fl&unix.O_NONBLOCK != 0
}

func TestSocketFile(t *testing.T) {
	a, b := socketpair(t)
	must(t, unix.SetNonblock(a, true))
	f := NewFile(os.NewFile(uintptr(a), "sock"))
	defer f.Close()
	peer := os.NewFile(uintptr(b), "peer")
	defer peer.Close()
	if !f.IsSocket() {
		t.Error("kind")
	}
	f.Write([]byte("ask"))
	must(t, f.CloseWrite())
	got, err := io.ReadAll(peer)
	if string(got) != "ask" || err != nil {
		t.Error(got, err)
	}
	peer.Write([]byte("answer")) // half closed: the other way still works
	buf := make([]byte, 20)
	if n, err := f.Read(buf); string(buf[:n]) != "answer" {
		t.Error(n, err)
	}
}

func TestInherited(t *testing.T) {
	chunk := bytes.Repeat([]byte("y"), 4096)
	fill := func(t *testing.T, f *File) (sent int) {
		for {
			n, err := f.TryWritev([][]byte{chunk})
			must(t, err)
			sent += n
			if n < len(chunk) || sent > 8<<20 {
				return sent
			}
		}
	}
	t.Run("pipe", func(t *testing.T) {
		before := fds(t)
		var p [2]int
		must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		r, w := Inherited(p[0], "in"), Inherited(p[1], "out")
		if n := fill(t, w); n == 0 || n > 64<<10 {
			t.Errorf("took %d", n)
		}
		if nonblocking(t, p[0]) || nonblocking(t, p[1]) {
			t.Error("O_NONBLOCK on the shared description")
		}
		got := 0
		for got < 64<<10 {
			n, err := r.Readv([][]byte{make([]byte, 1<<20)})
			must(t, err)
			got += n
		}
		if _, err := r.TryReadv([][]byte{chunk}); err != ErrAgain {
			t.Error(err)
		}
		must(t, w.Close())
		if n, err := r.Read(make([]byte, 5)); n != 0 || err != io.EOF {
			t.Error("no end after Close", n, err)
		}
		must(t, r.Close())
		if _, err := w.Write(chunk); !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
		unix.Close(p[0])
		unix.Close(p[1])
		if after := fds(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("socket", func(t *testing.T) {
		a, b := socketpair(t)
		f := Inherited(a, "sock")
		if n := fill(t, f); n == 0 || n > 8<<20 {
			t.Errorf("took %d", n)
		}
		if nonblocking(t, a) {
			t.Error("O_NONBLOCK on the shared description")
		}
		peer := os.NewFile(uintptr(b), "peer")
		peer.Write([]byte("hi"))
		must(t, f.WaitRead())
		buf := make([]byte, 8)
		if n, err := f.TryReadv([][]byte{buf}); n != 2 || err != nil {
			t.Error(n, err)
		}
		if _, err := f.TryReadv([][]byte{buf}); err != ErrAgain {
			t.Error(err)
		}
		f.CloseWrite()
		io.Copy(io.Discard, peer)
		f.Close()
		unix.Close(a)
		peer.Close()
	})
	t.Run("full socket of a dead peer", func(t *testing.T) {
		a, b := socketpair(t)
		unix.Close(b)
		f := Inherited(a, "sock")
		if _, err := f.TryWritev([][]byte{chunk}); !errors.Is(err, unix.EPIPE) {
			t.Error(err)
		}
		f.Close()
		unix.Close(a)
	})
	t.Run("regular", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		file, err := os.Create(path)
		must(t, err)
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		must(t, err)
		file.Close()
		f := Inherited(fd, "file")
		if n, err := f.TryWritev([][]byte{chunk, chunk}); n != 2*len(chunk) || err != nil {
			t.Error(n, err)
		}
		f.Close()
		unix.Close(fd)
		if st, _ := os.Stat(path); st.Size() != int64(2*len(chunk)) {
			t.Error(st.Size())
		}
	})
	t.Run("null", func(t *testing.T) {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		must(t, err)
		f := Inherited(fd, "null")
		if n, err := f.TryWritev([][]byte{chunk}); n != len(chunk) || err != nil {
			t.Error(n, err)
		}
		if n, err := f.TryReadv([][]byte{chunk}); n != 0 || err != io.EOF {
			t.Error(n, err)
		}
		if f.SetReadDeadline(time.Time{}) != os.ErrNoDeadline {
			t.Error("deadline on a device")
		}
		f.Close()
		unix.Close(fd)
	})
	t.Run("terminal", func(t *testing.T) {
		m, s := openPty(t)
		fd, err := unix.FcntlInt(s.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		must(t, err)
		f := Inherited(fd, "tty")
		if !f.IsTerminal() || f.f == nil {
			t.Error("kind")
		}
		if n := fill(t, f); n == 0 || n > 1<<20 { // stopped: nobody reads
			t.Errorf("took %d", n)
		}
		if nonblocking(t, fd) {
			t.Error("O_NONBLOCK on the shared description")
		}
		m.Write([]byte("k"))
		b := make([]byte, 4)
		if n, err := f.Read(b); n != 1 || err != nil {
			t.Error(n, err)
		}
		f.Close()
		unix.Close(fd)
	})
	t.Run("pipe that may not be opened again", func(t *testing.T) {
		var p [2]int
		must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		f := &File{fd: p[1], name: "out"}
		f.inspect(p[1])
		f.bind()
		if n, err := f.TryWritev([][]byte{chunk}); n != 0 || err != nil {
			t.Error("must say full", n, err)
		}
		if n, err := f.Write(chunk); n != len(chunk) || err != nil {
			t.Error(n, err)
		}
		r := &File{fd: p[0], name: "in"}
		r.inspect(p[0])
		r.bind()
		if n, err := r.TryReadv([][]byte{make([]byte, 5000)}); n != len(chunk) || err != nil {
			t.Error(n, err)
		}
		if _, err := r.TryReadv([][]byte{make([]byte, 5000)}); err != ErrAgain {
			t.Error(err)
		}
		// O_NONBLOCK set by somebody else: wait, do not fail.
		must(t, unix.SetNonblock(p[0], true))
		must(t, unix.SetNonblock(p[1], true))
		big := make([]byte, 300_000)
		go func() { f.Write(big); f.Close() }()
		got, err := io.ReadAll(r)
		if len(got) != len(big) || err != nil {
			t.Error(len(got), err)
		}
		r.Close()
		unix.Close(p[0])
		unix.Close(p[1])
	})
	t.Run("nothing", func(t *testing.T) {
		f := Inherited(9999, "none")
		if _, err := f.Write(chunk); !errors.Is(err, unix.EBADF) {
			t.Error(err)
		}
		if _, err := f.Read(chunk); !errors.Is(err, unix.EBADF) {
			t.Error(err)
		}
	})
}

// A child must not see more than its three descriptors.
func TestNothingLeaksToChildren(t *testing.T) {
	sees := func() string {
		out, err := exec.Command("/bin/sh", "-c", "ls /proc/self/fd").Output()
		must(t, err)
		return string(out)
	}
	before := sees()
	r, child, err := PipeFromChild()
	must(t, err)
	in, w, err := PipeToChild()
	must(t, err)
	tty := Inherited(int(child.Fd()), "again")
	if after := sees(); after != before {
		t.Errorf("a child sees descriptors %q, before %q", after, before)
	}
	_ = tty.f.Close()
	for _, c := range []io.Closer{r, child, in, w} {
		c.Close()
	}
}

func TestFileDoesNotAllocate(t *testing.T) {
	r, child, err := PipeFromChild()
	must(t, err)
	defer r.Close()
	cw := Inherited(int(child.Fd()), "w")
	defer child.Close()
	defer cw.f.Close()
	a, b := socketpair(t)
	sock := Inherited(a, "sock")
	peer := Inherited(b, "peer")
	defer unix.Close(a)
	defer unix.Close(b)
	p := make([]byte, 10)
	bufs := [][]byte{p, make([]byte, 10)}
	if n := testing.AllocsPerRun(200, func() {
		for _, x := range [...]struct{ r, w *File }{{r, cw}, {peer, sock}} {
			x.w.Writev(bufs)
			x.r.Readv(bufs)
			x.w.TryWritev(bufs)
			x.r.TryReadv(bufs)
			x.r.TryReadv(bufs)
			x.w.Write(p)
			x.r.WaitRead()
			x.r.Read(p)
		}
	}); n != 0 {
		t.Errorf("%v allocations per round", n)
	}
}

func TestDuplexTryWrite(t *testing.T) {
	a, b := pairs(t, "duplex")
	if n, err := NewConn(a).TryWrite([]byte("quick")); n != 5 || err != nil {
		t.Error(n, err)
	}
	p := make([]byte, 9)
	if n, _ := b.Read(p); string(p[:n]) != "quick" {
		t.Error(n)
	}
	if a.RemoteAddr().String() != "UNKNOWN" || a.LocalAddr().Network() != "file" {
		t.Error("addresses")
	}
	var _ net.Conn = a
}
