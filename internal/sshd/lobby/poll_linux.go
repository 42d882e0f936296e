package lobby

import (
	"errors"
	"os"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"golang.org/x/sys/unix"
)

// batch is how many strangers one round looks at.
const batch = 128

// epoll watches strangers without a goroutine for each: the set is itself a
// descriptor in the runtime's poller.
type epoll struct {
	fd     int
	f      *rawio.File
	events [batch]unix.EpollEvent
}

func newPoller() (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &epoll{fd: fd, f: rawio.NewFile(os.NewFile(uintptr(fd), "epoll"))}, nil
}

func (e *epoll) add(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (e *epoll) remove(fd int) { _ = unix.EpollCtl(e.fd, unix.EPOLL_CTL_DEL, fd, nil) }

func (e *epoll) arm(deadline time.Time) { _ = e.f.SetReadDeadline(deadline) }

func (e *epoll) wake() { _ = e.f.SetReadDeadline(time.Unix(1, 0)) }

func (e *epoll) wait(ready []int) ([]int, error) {
	if err := e.f.WaitRead(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	n, err := unix.EpollWait(e.fd, e.events[:], 0)
	if err != nil && err != unix.EINTR {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		ready = append(ready, int(e.events[i].Fd))
	}
	return ready, nil
}

func (e *epoll) close() { e.f.Close() }

func quickAck(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}
