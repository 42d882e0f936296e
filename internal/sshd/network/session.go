//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// growAfter is when a program's pipe has shown that it carries bulk, and
	// growTo what it may then hold. A pipe of 1 MiB instead of 64 KiB saves 20
	// to 35 % of the processor time of a transfer; a user's pipe pages are
	// limited, so not every pipe gets it.
	growAfter = 256 << 10
	growTo    = 1 << 20
	// growBudget is how many of a room's pipes may be that large at once.
	growBudget = 16
	// statusGrace is how long a program whose output has ended may take to end.
	statusGrace = 100 * time.Millisecond
)

// run is one session's program, seen from here: descriptors, and how it ends.
type run struct {
	v  *visit
	s  *ssh.Session
	id uint32

	name string // of its terminal, "" without one; under visit.mu

	in, out, err *rawio.File // in and out are one terminal when tty is set; err is nil then
	tty          bool

	closed atomic.Bool
	gone   atomic.Bool // the program has ended: what its terminal holds is the rest
	ended  chan struct{}
	once   sync.Once
}

var errOver = errors.New("network: the connection is over")

// runOf is the run of a session, made at its first request.
func (v *visit) runOf(s *ssh.Session) (*run, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.of[s]; r != nil {
		return r, nil
	}
	if v.gone {
		return nil, errOver
	}
	if v.of == nil {
		v.of, v.runs = map[*ssh.Session]*run{}, map[uint32]*run{}
	}
	v.next++
	r := &run{v: v, s: s, id: v.next, ended: make(chan struct{})}
	v.of[s], v.runs[r.id] = r, r
	// The client's CLOSE, and the end of the connection, take our ends from the
	// program; it may live on.
	context.AfterFunc(s.Context(), r.close)
	return r, nil
}

// close gives up our ends. The program lives on; on a terminal it is hung up.
func (r *run) close() {
	if r.closed.Swap(true) {
		return
	}
	r.v.mu.Lock()
	delete(r.v.of, r.s)
	in, out, err := r.in, r.out, r.err
	r.v.mu.Unlock()
	for _, f := range [...]*rawio.File{in, out, err} {
		if f != nil {
			f.Close()
		}
	}
	_ = r.v.link.Notify(&privsep.Close{Session: r.id})
	r.v.title()
}

// hold takes over the session's descriptors; those of a session that is over
// are closed.
func (r *run) hold(files []*os.File) error {
	r.v.mu.Lock()
	defer r.v.mu.Unlock()
	if r.v.of[r.s] != r {
		for _, f := range files {
			f.Close()
		}
		return errOver
	}
	switch len(files) {
	case 1:
		r.tty = true
		r.out = rawio.NewFile(files[0])
		r.in = r.out
	case 3:
		r.in, r.out, r.err = rawio.NewFile(files[0]), rawio.NewFile(files[1]), rawio.NewFile(files[2])
		for _, f := range [...]*rawio.File{r.in, r.out, r.err} {
			f.GrowPipeAfter(growAfter, growTo, &r.v.pipes)
		}
	}
	return nil
}

// openPTY has the monitor allocate the terminal of a pty-req.
func (v *visit) openPTY(s *ssh.Session, t *ssh.PTY) error {
	r, err := v.runOf(s)
	if err != nil {
		return err
	}
	var a privsep.Terminal
	files, err := v.link.Call(s.Context(), &privsep.PTY{Session: r.id, Term: t.Term, Modes: t.Modes,
		Size: privsep.Size{Columns: t.Window.Columns, Rows: t.Window.Rows, Width: t.Window.Width, Height: t.Window.Height}}, &a)
	if err != nil {
		return err
	}
	if a.Outcome.Code != privsep.OK || len(files) != 1 {
		for _, f := range files {
			f.Close()
		}
		return errDenied
	}
	v.mu.Lock()
	r.name = a.Name
	v.mu.Unlock()
	v.title()
	return r.hold(files)
}

// start refuses subsystems that there are not.
func (v *visit) start(s *ssh.Session) error {
	if name := s.Subsystem(); name != "" && !v.login.Forced && !slices.Contains(v.login.Subsystems, name) {
		v.logf(sshconfig.Info, "subsystem request for %.100s by user %s failed, subsystem not found", name, v.conn.User())
		return errDenied
	}
	return nil
}

// session runs a shell, a command or a subsystem to its end, or to that of the
// session.
func (v *visit) session(s *ssh.Session) {
	r, err := v.runOf(s)
	if err != nil {
		return
	}
	defer r.close()                           // the monitor hears of it before the client does
	if s.Conn().Settled(s.Context()) != nil { // what it was asked to listen for first
		return
	}
	e := &privsep.Exec{Session: r.id, Kind: privsep.Shell}
	if name := s.Subsystem(); name != "" {
		e.Kind, e.Text = privsep.Subsystem, name
	} else if c := s.RequestedCommand(); c != "" {
		e.Kind, e.Text = privsep.Command, c
	}
	for _, v := range s.Environ() {
		e.Env = append(e.Env, v.Name+"="+v.Value)
	}
	var a privsep.Started
	files, err := v.link.Call(s.Context(), e, &a)
	if err != nil {
		if !errors.Is(err, privsep.ErrLimit) {
			return
		}
		v.logf(sshconfig.Error, "environment and command are too long for one session")
		a.Outcome = privsep.Outcome{Code: privsep.Denied, Reason: 1, Banner: "environment and command are too long for one session\n"}
	}
	if a.Outcome.Code != privsep.OK {
		_, _ = io.WriteString(s, a.Outcome.Text)
		_, _ = io.WriteString(s.Stderr(), a.Outcome.Banner)
		_ = s.Exit(int(a.Outcome.Reason))
		return
	}
	if !r.tty && len(files) != 3 || r.tty && len(files) != 0 {
		for _, f := range files {
			f.Close()
		}
		return
	}
	if len(files) > 0 && r.hold(files) != nil {
		return
	}
	v.title()
	r.do(&a)
}

func (r *run) do(a *privsep.Started) {
	qos := r.v.login.Bulk
	if r.tty {
		qos = r.v.login.Interactive
	}
	if qos >= 0 {
		r.s.Conn().SetIPQoS(qos)
	}
	r.attach(a)
	r.pump(a.NoStderr)
	// The end of the output and that of the program mostly come together. The
	// status goes first then: Dropbear and PuTTY close at EOF, and take a status
	// that is missing for success.
	r.endsWithin(statusGrace)
	_ = r.s.CloseWrite()
	select {
	case <-r.ended:
	case <-r.s.Context().Done():
		if !r.endsWithin(statusGrace) {
			_ = r.s.Close() // it lives on: no status is better than a wrong one
		}
	}
}

func (r *run) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-timer.C:
		return false
	}
}

// attach connects what comes from the client.
func (r *run) attach(a *privsep.Started) {
	r.s.Channel().AttachSink(0, r.in)
	if r.tty {
		r.s.OnWindowChange(func(w ssh.Window) { _ = r.control(func(fd int) error { return tty.SetSize(fd, tty.Size(w)) }) })
		r.s.OnBreak(func(uint32) bool { return r.control(tty.SendBreak) == nil })
	}
	r.s.OnSignal(func(sig ssh.Signal) {
		if a.NoSignal != "" {
			r.v.logf(sshconfig.Error, "%s", strings.Replace(a.NoSignal, "%s", string(sig), 1))
			return
		}
		_ = r.v.link.Notify(&privsep.Signal{Session: r.id, Name: cut(string(sig))})
	})
	r.s.OnEndOfWrite(func() {
		// Nobody reads any more: writers are to notice.
		if !r.tty {
			r.out.Close()
		}
	})
}

// control calls f with the terminal's descriptor.
func (r *run) control(f func(fd int) error) (err error) {
	rc, err := r.out.SyscallConn()
	if err != nil {
		return err
	}
	if e := rc.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// pump sends the program's output until there is no more.
func (r *run) pump(noStderr bool) {
	ch := r.s.Channel()
	if r.tty {
		_, _ = ch.Pump(0, output{r, r.out})
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if noStderr {
			discard(r.err)
		} else {
			_, _ = ch.Pump(1, r.err)
		}
	})
	_, _ = ch.Pump(0, r.out)
	wg.Wait()
}

// discard reads f to its end.
func discard(f *rawio.File) {
	b := make([]byte, 4<<10)
	for {
		if _, err := f.Read(b); err != nil {
			return
		}
	}
}

// exited is told how the program ended; nil when nobody will ever know.
func (r *run) exited(e *privsep.Exit) {
	r.once.Do(func() {
		r.gone.Store(true)
		r.v.mu.Lock()
		out, isTTY := r.out, r.tty
		r.v.mu.Unlock()
		if isTTY && out != nil {
			// Wake a reader that waits: what is there is all there will be.
			_ = out.SetReadDeadline(time.Unix(1, 0))
		}
		switch {
		case e == nil:
		case e.Signal != "":
			_ = r.s.ExitSignal(ssh.Signal(e.Signal), e.Core, "")
		default:
			_ = r.s.Exit(int(e.Code))
		}
		close(r.ended)
	})
}

// output is the terminal as a source that ends when the program does: a
// background process that still holds the terminal does not hold the session.
type output struct {
	r *run
	f *rawio.File
}

func (o output) WaitRead() error {
	for {
		if o.r.gone.Load() {
			return nil
		}
		if err := o.f.WaitRead(); !errors.Is(err, os.ErrDeadlineExceeded) || !o.r.gone.Load() {
			return err
		}
	}
}

func (o output) Readv(bufs [][]byte) (int, error) {
	for {
		if o.r.gone.Load() {
			return o.TryReadv(bufs)
		}
		n, err := o.f.Readv(bufs)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !o.r.gone.Load() {
			return n, err
		}
	}
}

func (o output) TryReadv(bufs [][]byte) (int, error) {
	gone := o.r.gone.Load() // before the read: what came before the end is still seen
	n, err := o.f.TryReadv(bufs)
	if err == rawio.ErrAgain && gone {
		err = io.EOF
	}
	return n, err
}
