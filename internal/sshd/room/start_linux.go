package room

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"golang.org/x/sys/unix"
)

const (
	// FirstFile is the number of the first descriptor that a room is given.
	FirstFile = 3
	// maxFiles bounds them, and selfFD is above: the number has to last until
	// exec.
	maxFiles = 32
	selfFD   = 200
	// titleRoom is how many bytes a process's title may have.
	titleRoom = 160
)

// number is a file's descriptor. It lasts as long as the caller keeps the file
// open; unlike Fd it leaves the file in the poller.
func number(f *os.File) (fd int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	e := rc.Control(func(n uintptr) { fd = int(n) })
	return fd, e
}

// Binary is the file of the running program.
type Binary struct{ f *os.File }

// Self opens the file of the running program, whatever has become of its name.
func Self() (*Binary, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		name, e := os.Executable()
		if e != nil {
			return nil, err
		}
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, selfFD)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Binary{os.NewFile(uintptr(fd), "self")}, nil
}

// Close lets go of the file.
func (b *Binary) Close() error { return b.f.Close() }

// Path is what to execute; it holds in this process and in a child between fork
// and exec.
func (b *Binary) Path() string {
	if _, err := os.Lstat("/proc/self/fd"); err == nil {
		return "/proc/self/fd/" + strconv.Itoa(int(b.f.Fd()))
	}
	name, _ := os.Executable()
	return name
}

// Command says how a room is started.
type Command struct {
	Role  Role
	Title string   // what ps shows, such as "sshd: [net]"
	Args  []string // behind the role's word
	Env   []string
	Files []*os.File // FirstFile and up in the room
	// Stderr is where a dying room says why, nil for nowhere.
	Stderr *os.File
	Attr   *syscall.SysProcAttr // of login rooms; nil otherwise
}

// Start starts a room. The files stay the caller's.
func (b *Binary) Start(c *Command) (*Process, error) {
	if len(c.Files) > maxFiles {
		return nil, fmt.Errorf("room: %d descriptors", len(c.Files))
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	stderr := c.Stderr
	if stderr == nil {
		stderr = null
	}
	var fds []uintptr
	for _, f := range append([]*os.File{null, null, stderr}, c.Files...) {
		fd, err := number(f)
		if err != nil {
			return nil, err
		}
		fds = append(fds, uintptr(fd))
	}
	attr := syscall.SysProcAttr{}
	if c.Attr != nil {
		attr = *c.Attr
	}
	pidfd := -1
	attr.PidFD = &pidfd
	title := c.Title
	if len(title) < titleRoom { // for longer ones later: see Title
		title += strings.Repeat(" ", titleRoom-len(title))
	}
	argv := append([]string{title, c.Role.Word()}, c.Args...)
	pid, _, err := syscall.StartProcess(b.Path(), argv, &syscall.ProcAttr{Env: c.Env, Files: fds, Sys: &attr, Dir: "/"})
	if err != nil {
		return nil, fmt.Errorf("room: cannot start %s: %w", c.Role, err)
	}
	p := &Process{pid: pid}
	if pidfd >= 0 && unix.SetNonblock(pidfd, true) == nil {
		p.watch = rawio.NewFile(os.NewFile(uintptr(pidfd), "pidfd"))
	}
	return p, nil
}

// Process is a room that was started.
type Process struct {
	pid   int
	watch *rawio.File // a pidfd; nil before Linux 5.4

	once   sync.Once
	status syscall.WaitStatus
	err    error

	mu   sync.Mutex
	gone bool // the number is another's
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.pid }

// Wait waits for the end of the process, without a thread of its own for each,
// and says how it was. It may be called more than once.
func (p *Process) Wait() (syscall.WaitStatus, error) {
	p.once.Do(func() {
		if p.watch != nil {
			_ = p.watch.WaitRead()
		} else {
			// A thread waits, and leaves the reaping to below.
			_ = unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone = true
		for {
			_, p.err = syscall.Wait4(p.pid, &p.status, 0, nil)
			if p.err != syscall.EINTR {
				break
			}
		}
		if p.watch != nil {
			p.watch.Close()
		}
	})
	return p.status, p.err
}

// Signal sends a signal to the process, if it is still there.
func (p *Process) Signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return os.ErrProcessDone
	}
	return syscall.Kill(p.pid, s) // not reaped yet: the number is its own
}

// Kill ends the process at once.
func (p *Process) Kill() error { return p.Signal(syscall.SIGKILL) }

// Crashed tells whether an end was one that nobody wanted: a signal that the
// kernel or the program itself sends, or Go's own exit after a panic.
func Crashed(s syscall.WaitStatus) bool {
	if s.Signaled() {
		switch s.Signal() {
		case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL:
			return false
		}
		return true
	}
	const panicked = 2 // what the Go runtime exits with
	return s.Exited() && s.ExitStatus() == panicked
}

// Files are the n descriptors that this room was given, closed on exec.
func Files(n int) []*os.File {
	list := make([]*os.File, n)
	for i := range n {
		unix.CloseOnExec(FirstFile + i)
		_ = unix.SetNonblock(FirstFile+i, true)
		list[i] = os.NewFile(uintptr(FirstFile+i), "room")
	}
	return list
}
