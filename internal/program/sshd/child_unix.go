//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"golang.org/x/sys/unix"
)

const (
	// growAfter is when a child's pipe has shown that it carries bulk, and
	// growTo what it may then hold. A pipe of 1 MiB instead of 64 KiB saves 20
	// to 35 % of the processor time of a transfer; a user's pipe pages are
	// limited, so not every pipe gets it.
	growAfter = 256 << 10
	growTo    = 1 << 20
	// growBudget is how many of a login's pipes may be that large at once.
	growBudget = 16
)

// program is what a session runs.
type program struct {
	path string
	argv []string
	env  []string
	dir  string // "" keeps ours
	cred *syscall.Credential
	plan []byte // for a login process: what it reads from descriptor 3
}

// status is how a program ended.
type status struct {
	code   int
	signal string // RFC 4254 §6.10 without "SIG"; "" when it exited
	core   bool
}

// child is a program of a session and our ends of its three descriptors.
type child struct {
	proc  *os.Process
	pidfd int // as attributes prepared it

	in, out, err *rawio.File // in and out are one terminal when pty is set; err is nil then
	pty          *pty.Pty

	mu     sync.Mutex // of reaped: no signal may reach a number that is somebody else's by now
	reaped bool

	gone   atomic.Bool // the program has ended: what its terminal holds is the rest
	ended  chan struct{}
	status status
}

// startPlain runs p on three pipes, as leader of a session of its own. budget
// limits how many pipes may grow. The caller calls watch.
func startPlain(p *program, budget *atomic.Int32) (*child, error) {
	c := &child{ended: make(chan struct{})}
	var theirs []*os.File
	fail := func(err error) (*child, error) {
		closeAll(theirs)
		c.close()
		return nil, err
	}
	cin, in, err := rawio.PipeToChild()
	if err != nil {
		return fail(err)
	}
	c.in, theirs = in, append(theirs, cin)
	out, cout, err := rawio.PipeFromChild()
	if err != nil {
		return fail(err)
	}
	c.out, theirs = out, append(theirs, cout)
	errs, cerr, err := rawio.PipeFromChild()
	if err != nil {
		return fail(err)
	}
	c.err, theirs = errs, append(theirs, cerr)
	for _, f := range [...]*rawio.File{c.in, c.out, c.err} {
		f.GrowPipeAfter(growAfter, growTo, budget)
	}
	sys := c.attributes(p)
	sys.Setsid = true
	plan, err := planFile(p)
	if err != nil {
		return fail(err)
	}
	if plan != nil {
		theirs = append(theirs, plan)
	}
	c.proc, err = os.StartProcess(p.path, p.argv, &os.ProcAttr{Dir: p.dir, Env: p.env, Files: theirs, Sys: sys})
	if err != nil {
		return fail(err)
	}
	closeAll(theirs)
	return c, nil
}

// startTerminal runs p on terminal t, which it takes over. The caller calls
// watch.
func startTerminal(p *program, t *pty.Pty) (*child, error) {
	c := &child{ended: make(chan struct{}), pty: t}
	c.out = rawio.NewFile(t.Master)
	c.in = c.out
	plan, err := planFile(p)
	if err != nil {
		t.Slave.Close()
		c.close()
		return nil, err
	}
	var extra []*os.File
	if plan != nil {
		defer plan.Close()
		extra = append(extra, plan)
	}
	c.proc, err = t.Start(p.path, p.argv, &os.ProcAttr{Dir: p.dir, Env: p.env, Sys: c.attributes(p)}, extra...)
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// planFile is the reading end of a pipe that holds p.plan, nil without one. A
// plan is smaller than a pipe, so nobody need stay behind to write it.
func planFile(p *program) (*os.File, error) {
	if p.plan == nil {
		return nil, nil
	}
	r, w, err := rawio.PipeToChild()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	w.GrowPipe(growTo)
	n, err := w.TryWritev([][]byte{p.plan})
	if err == nil && n < len(p.plan) {
		err = errors.New("sshd: environment and command are too long for one session")
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// watch reaps the program on a goroutine of its own, and then calls ended. It
// may outlive the session: then reaping is all it does.
func (c *child) watch(ended func(status)) { go c.wait(ended) }

func (c *child) wait(ended func(status)) {
	c.parkUntilGone()
	st, err := c.proc.Wait()
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	c.status = statusOf(st, err)
	c.gone.Store(true)
	if c.pty != nil {
		// Wake a reader that waits: what is there is all there will be.
		_ = c.out.SetReadDeadline(time.Unix(1, 0))
	}
	if ended != nil {
		ended(c.status)
	}
	close(c.ended)
}

func statusOf(st *os.ProcessState, err error) status {
	if err != nil || st == nil {
		return status{code: 255}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return status{signal: signalName(ws.Signal()), core: ws.CoreDump()}
	}
	return status{code: st.ExitCode()}
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

// errSignal says that a client asked for a signal it may not send.
var errSignal = errors.New("unsupported signal")

// kill sends the signal called name to the program's process group.
func (c *child) kill(name string) error {
	for _, r := range signals {
		if r.name == name && r.ask {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.reaped {
				return os.ErrProcessDone
			}
			return unix.Kill(-c.proc.Pid, unix.Signal(r.num))
		}
	}
	return errSignal
}

// resize tells the terminal its new size.
func (c *child) resize(s tty.Size) error {
	if c.pty == nil {
		return errors.ErrUnsupported
	}
	return c.pty.SetSize(s)
}

// close gives up our ends. The program lives on; on a terminal it is hung up.
func (c *child) close() {
	for _, f := range [...]*rawio.File{c.in, c.out, c.err} {
		if f != nil {
			f.Close()
		}
	}
}

// output is the terminal as a source that ends when the program does: a
// background process that still holds the terminal does not hold the session.
type output struct {
	c *child
	f *rawio.File
}

func (o output) WaitRead() error {
	for {
		if o.c.gone.Load() {
			return nil
		}
		if err := o.f.WaitRead(); !errors.Is(err, os.ErrDeadlineExceeded) || !o.c.gone.Load() {
			return err
		}
	}
}

func (o output) Readv(bufs [][]byte) (int, error) {
	for {
		if o.c.gone.Load() {
			return o.TryReadv(bufs)
		}
		n, err := o.f.Readv(bufs)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !o.c.gone.Load() {
			return n, err
		}
	}
}

func (o output) TryReadv(bufs [][]byte) (int, error) {
	gone := o.c.gone.Load() // before the read: what came before the end is still seen
	n, err := o.f.TryReadv(bufs)
	if err == rawio.ErrAgain && gone {
		err = io.EOF
	}
	return n, err
}
