//go:build linux || darwin || freebsd || openbsd

package login

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Status is how a program ended.
type Status struct {
	Code   int
	Signal string // RFC 4254 §6.10 without "SIG"; "" when it exited
	Core   bool
}

// Process is a program of a session.
type Process struct {
	pid  int
	uid  uint32
	wait func() Status

	mu     sync.Mutex // of reaped: no signal may reach a number that is somebody else's by now
	reaped bool

	once   sync.Once
	status Status
}

// NewProcess is a process that somebody else has started and reaps; wait
// returns once that is done.
func NewProcess(pid int, uid uint32, wait func() Status) *Process {
	return &Process{pid: pid, uid: uid, wait: wait}
}

// Spawn starts c, as leader of a session of its own, and closes what is the
// process's alone.
func Spawn(c *Command) (*Process, error) {
	defer c.Close()
	pidfd := -1
	sys := attributes(&pidfd)
	sys.Setsid = true
	if c.TTY {
		sys.Setctty, sys.Ctty = true, 0
	}
	proc, err := os.StartProcess(c.Path, c.Argv, &os.ProcAttr{Dir: c.Dir, Env: c.Env, Files: c.Files, Sys: sys})
	if err != nil {
		if c.report != nil {
			c.report.Close()
			c.report = nil
		}
		return nil, err
	}
	return NewProcess(proc.Pid, c.UID, func() Status {
		parkUntilGone(pidfd)
		return statusOf(proc.Wait())
	}), nil
}

// Pid is its number, for the log.
func (p *Process) Pid() int { return p.pid }

// Wait waits for the end of the process. It may be called by several.
func (p *Process) Wait() Status {
	p.once.Do(func() {
		p.status = p.wait()
		p.mu.Lock()
		p.reaped = true
		p.mu.Unlock()
	})
	return p.status
}

func statusOf(st *os.ProcessState, err error) Status {
	if err != nil || st == nil {
		return Status{Code: 255}
	}
	ws, ok := st.Sys().(syscall.WaitStatus)
	if !ok {
		return Status{Code: st.ExitCode()}
	}
	return StatusOf(ws)
}

// StatusOf is what the system's word about the end of a process means.
func StatusOf(ws syscall.WaitStatus) Status {
	if ws.Signaled() {
		return Status{Signal: signalName(ws.Signal()), Core: ws.CoreDump()}
	}
	return Status{Code: ws.ExitStatus()}
}

// signals are the names of RFC 4254 §6.10.
var signals = [...]struct {
	name string
	num  syscall.Signal
	ask  bool // a client may ask for it
}{
	{"ABRT", syscall.SIGABRT, false},
	{"ALRM", syscall.SIGALRM, false},
	{"FPE", syscall.SIGFPE, false},
	{"HUP", syscall.SIGHUP, true},
	{"ILL", syscall.SIGILL, false},
	{"INT", syscall.SIGINT, true},
	{"KILL", syscall.SIGKILL, true},
	{"PIPE", syscall.SIGPIPE, false},
	{"QUIT", syscall.SIGQUIT, true},
	{"SEGV", syscall.SIGSEGV, false},
	{"TERM", syscall.SIGTERM, true},
	{"USR1", syscall.SIGUSR1, true},
	{"USR2", syscall.SIGUSR2, true},
}

func signalName(s syscall.Signal) string {
	for _, r := range signals {
		if r.num == s {
			return r.name
		}
	}
	return "SIG@openssh.com"
}

// ErrSignal says that a client asked for a signal it may not send.
var ErrSignal = errors.New("unsupported signal")

// Signal sends the signal called name to the process's group, with the rights
// of its user: what the user could not stop, the client cannot.
func (p *Process) Signal(name string) error {
	for _, r := range signals {
		if r.name == name && r.ask {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.reaped {
				return os.ErrProcessDone
			}
			return As(p.uid, 0, nil, func() error { return unix.Kill(-p.pid, unix.Signal(r.num)) })
		}
	}
	return ErrSignal
}

// As runs f with the effective rights of a user, on a thread that then ends. A
// process that is not root's runs it as it is. With groups nil those of this
// process stay, which matters to nothing but files.
func As(uid, gid uint32, groups []uint32, f func() error) error {
	if os.Geteuid() != 0 || uid == 0 {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its ids
		err := threadAs(uid, gid, groups)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
