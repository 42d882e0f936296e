//go:build unix && !linux

package lobby

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// polls watches strangers with poll(2), which looks at all of them each time:
// enough where the server is one process.
type polls struct {
	r, w *os.File // wakes

	mu       sync.Mutex
	fds      map[int]struct{}
	deadline time.Time
}

func newPoller() (poller, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &polls{r: r, w: w, fds: map[int]struct{}{}}, nil
}

func (p *polls) add(fd int) error {
	p.mu.Lock()
	p.fds[fd] = struct{}{}
	p.mu.Unlock()
	p.wake()
	return nil
}

func (p *polls) remove(fd int) {
	p.mu.Lock()
	delete(p.fds, fd)
	p.mu.Unlock()
}

func (p *polls) arm(deadline time.Time) {
	p.mu.Lock()
	p.deadline = deadline
	p.mu.Unlock()
}

func (p *polls) wake() { _, _ = p.w.Write([]byte{0}) }

func (p *polls) wait(ready []int) ([]int, error) {
	wake, err := descriptor(p.r)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	fds := []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}
	for fd := range p.fds {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	timeout := -1
	if !p.deadline.IsZero() {
		timeout = int(max(0, time.Until(p.deadline)/time.Millisecond) + 1)
	}
	p.mu.Unlock()
	if _, err := unix.Poll(fds, timeout); err != nil && err != unix.EINTR {
		return nil, os.NewSyscallError("poll", err)
	}
	if fds[0].Revents != 0 {
		var b [64]byte
		_, _ = read(wake, b[:])
	}
	for _, f := range fds[1:] {
		if f.Revents != 0 {
			ready = append(ready, int(f.Fd))
		}
	}
	return ready, nil
}

func (p *polls) close() {
	p.r.Close()
	p.w.Close()
}

func quickAck(int) {}
