//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/tty"
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

// child is a program of a session and our ends of its three descriptors.
type child struct {
	proc *login.Process

	in, out, err *rawio.File // in and out are one terminal when pty is set; err is nil then
	pty          *pty.Pty

	told    sync.WaitGroup // what the process has to tell
	refused bool           // it told of a refusal that is final

	gone   atomic.Bool // the program has ended: what its terminal holds is the rest
	ended  chan struct{}
	status login.Status
}

// startPlain carries p out on three pipes. budget limits how many pipes may
// grow. The caller calls watch.
func startPlain(p *login.Plan, lines *sshdlog.Lines, budget *atomic.Int32) (*child, error) {
	c := &child{ended: make(chan struct{})}
	var theirs []*os.File
	defer func() { closeAll(theirs) }()
	fail := func(err error) (*child, error) {
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
	if err := c.start(p, lines, cin, cout, cerr, false); err != nil {
		return fail(err)
	}
	return c, nil
}

// startTerminal carries p out on terminal t, which it takes over. The caller
// calls watch.
func startTerminal(p *login.Plan, lines *sshdlog.Lines, t *pty.Pty) (*child, error) {
	c := &child{ended: make(chan struct{}), pty: t}
	c.out = rawio.NewFile(t.Master)
	c.in = c.out
	err := c.start(p, lines, t.Slave, t.Slave, t.Slave, true)
	t.Slave.Close()
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *child) start(p *login.Plan, lines *sshdlog.Lines, stdin, stdout, stderr *os.File, tty bool) error {
	cmd, err := p.Command(stdin, stdout, stderr, tty)
	if err != nil {
		return err
	}
	if c.proc, err = login.Spawn(cmd); err != nil {
		return err
	}
	c.told.Go(func() { c.refused = cmd.Relay(lines) })
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// watch reaps the program on a goroutine of its own, and then calls ended. It
// may outlive the session: then reaping is all it does.
func (c *child) watch(ended func(login.Status)) { go c.wait(ended) }

func (c *child) wait(ended func(login.Status)) {
	c.status = c.proc.Wait()
	c.told.Wait()
	c.gone.Store(true)
	if c.pty != nil {
		// Wake a reader that waits: what is there is all there will be.
		_ = c.out.SetReadDeadline(time.Unix(1, 0))
	}
	if ended != nil && !c.refused {
		ended(c.status)
	}
	close(c.ended)
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
