package ssh

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	public "github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// loop is the time between login and the end of the connection.
type loop struct {
	*run
	connector  *client.Connector
	client     *public.Client
	forwards   *client.Forwards
	master     *client.Master // not nil: others share the connection
	stopResize func()
	session    *public.ClientSession
	queued     *public.Client // whose session left with the login
	term       *terminal      // not nil with a terminal
	open       sync.Once      // of streams
	streams    streams
	typed      io.WriteCloser // takes what the person types, where that is looked at

	status     int                   // exit status, -1 as long as there is none
	killed     atomic.Int32          // signal that ended us
	terminated atomic.Bool           // by the person: the escape ~.
	stdioDone  atomic.Bool           // -W has come to its end
	fatal      atomic.Pointer[error] // what ended us because the person wanted it so
}

// streams are the session's files; in the background they are not the
// process's own 0, 1 and 2 any more.
type streams struct{ in, out, err *rawio.File }

// main runs the session, or waits for the end without one.
func (l *loop) main(ctx context.Context) int {
	l.status = -1
	stop := l.catchSignals()
	defer stop()
	return l.finish(l.serve(ctx))
}

func (l *loop) serve(ctx context.Context) error {
	l.connector.Settle(ctx, true)
	if err := l.startForwards(ctx); err != nil {
		return err
	}
	l.listenControl(ctx)
	if l.master != nil {
		defer l.stopResize()
		defer l.master.Stop()
		if l.persists() {
			return l.stay(ctx)
		}
	}
	if l.stdio != nil {
		if err := l.startStdio(ctx); err != nil {
			return err
		}
	}
	if l.conf.SessionType == sshconfig.SessionNone {
		return l.withoutSession(ctx)
	}
	return l.withSession(ctx)
}

// withoutSession is -N.
func (l *loop) withoutSession(ctx context.Context) error {
	if err := l.toBackground(); err != nil {
		return err
	}
	l.log.Debug1("Entering interactive session.")
	return l.linger(ctx, forever)
}

// withSession opens a session, starts what was asked for and waits for its
// end. All of it has left with the login where that was possible.
func (l *loop) withSession(ctx context.Context) error {
	l.setUp()
	defer l.term.restore()
	s, err := l.begin(ctx)
	if err != nil {
		return err
	}
	l.limit(s.Channel())
	if l.tty {
		stop := tty.OnResize(func() {
			defer l.guard()
			s.WindowChange(l.term.size())
		})
		context.AfterFunc(l.client.Context(), stop)
	}
	if l.typed != nil {
		l.typed = client.Paced(l.typed, l.client, l.conf.ObscureKeystrokeTiming)
		go func() {
			defer l.guard()
			l.type_(l.typed)
		}()
	}
	err = s.Wait(ctx)
	if l.client.Alive() {
		// The session is over; what it left behind on the connection is waited
		// for, as long as the person likes.
		l.term.restore()
		l.linger(ctx, l.patience())
	}
	return err
}

// setUp takes the standard files and readies the terminal. It is called once
// the server has let us in, and again where that was not needed.
func (l *loop) setUp() {
	l.open.Do(l.openStreams)
	if l.tty {
		if err := l.term.raw(); err != nil && l.conf.RequestTTY != sshconfig.TTYForce {
			l.io.Errorf("tcgetattr: %s", client.Strerror(err))
		}
	}
}

// begin opens the session and starts its program.
func (l *loop) begin(ctx context.Context) (*public.ClientSession, error) {
	if s := l.session; s != nil {
		l.tellSession()
		if err := l.toBackground(); err != nil {
			return nil, err
		}
		l.log.Debug1("Entering interactive session.")
		l.markTraffic()
		l.tellProgram()
		err := s.Granted(ctx)
		if err != public.ErrNotOpened {
			return s, err
		}
		l.session, l.typed = nil, nil
		l.log.Debug2("The server did not look at what was sent early; sending it again.")
		return l.beginSlowly(ctx, false)
	}
	// Forwards, here and there, are channels too: then nobody can know which
	// number the server will give to the session's.
	if yes, _ := l.client.Pipelines(); yes && !l.conf.HasForwards() {
		if err := l.queue(l.client); err != nil {
			return nil, err
		}
		if err := l.client.Flush(); err != nil {
			return nil, err
		}
		return l.begin(ctx)
	}
	return l.beginSlowly(ctx, true)
}

// beginSlowly waits for the server's answer to each step.
func (l *loop) beginSlowly(ctx context.Context, tell bool) (*public.ClientSession, error) {
	s, err := l.client.NewSession(ctx)
	if err != nil {
		return nil, err
	}
	l.session = s
	if tell {
		l.tellSession()
		if err := l.toBackground(); err != nil {
			return nil, err
		}
		l.log.Debug1("Entering interactive session.")
		l.markTraffic()
		l.tellProgram()
	}
	if l.noMoreSessions(l.client) {
		l.client.SendRequest(ctx, noMoreSessions, false, nil)
	}
	l.connect(s)
	return s, s.Begin(ctx, l.program(l.client))
}

const noMoreSessions = "no-more-sessions@openssh.com"

// noMoreSessions reports whether the server is told that this session is the
// only one.
func (l *loop) noMoreSessions(c *public.Client) bool {
	return strings.HasPrefix(string(c.ServerVersion()), "SSH-2.0-OpenSSH") && l.conf.ControlMaster == sshconfig.MasterNo
}

// queue queues the session and all that starts its program, for one flight.
func (l *loop) queue(c *public.Client) error {
	s, err := c.QueueSession(l.program(c), func(s *public.ClientSession) {
		if l.noMoreSessions(c) {
			c.QueueRequest(noMoreSessions, nil)
		}
		l.connect(s)
	})
	if err != nil {
		return err
	}
	l.session = s
	return nil
}

// early has the session leave together with the login, unless something is to
// happen between the two.
func (l *loop) early(c *public.Client) {
	k := l.conf
	if l.queued == c {
		return // refused once: it is sent again when we are in
	}
	if k.SessionType == sshconfig.SessionNone || l.persists() || k.PermitLocalCommand && k.LocalCommand != "" ||
		k.UpdateHostKeys == sshconfig.AskAsk || k.ForwardAgent.On || k.ForwardX11 || k.Tunnel != sshconfig.TunnelNo ||
		k.HasForwards() {
		return
	}
	l.open.Do(l.openStreams)
	l.queued = c
	l.queue(c)
}

// loggedIn readies the terminal for the session that left with the login. One
// that left on a connection that was given up is forgotten.
func (l *loop) loggedIn(c *public.Client) {
	if l.queued != c {
		l.session, l.typed = nil, nil
	}
	if l.session != nil {
		l.setUp()
	}
}

// tellSession and tellProgram write to the log what was sent.
func (l *loop) tellSession() {
	l.log.Debug1("channel 0: new session [client-session] (inactive timeout: 0)")
	if l.noMoreSessions(l.client) {
		l.log.Debug1("Requesting no-more-sessions@openssh.com")
	}
}

func (l *loop) tellProgram() {
	l.tellEnvironment()
	switch {
	case l.command == "":
	case l.conf.SessionType == sshconfig.SessionSubsystem:
		l.log.Debug1("Sending subsystem: %.900s", l.command)
	default:
		l.log.Debug1("Sending command: %.900s", l.command)
	}
}

// openStreams takes the process's standard files for the session.
func (l *loop) openStreams() {
	number := fileNumber
	if l.parent != nil {
		number = dupNumber
	}
	if !l.conf.StdinNull {
		l.streams.in = rawio.Inherited(number(l.io.In), "stdin")
	}
	l.streams.out = rawio.Inherited(number(l.io.Out), "stdout")
	l.streams.err = rawio.Inherited(number(l.io.Err), "stderr")
}

func fileNumber(f *os.File) int {
	n := -1
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { n = int(fd) })
	}
	return n
}

// kept is a standard file as the sink of a stream: the end of the session
// does not close it.
type kept struct{ *rawio.File }

func (kept) CloseWrite() error { return nil }

// program is what the session starts.
func (l *loop) program(c *public.Client) *public.Program {
	p := &public.Program{Refused: l.refused, Env: l.environment()}
	if l.tty {
		p.PTY = &public.PTY{Term: l.termName(), Window: l.term.size(), Modes: l.term.modes()}
		if client.TakesTerminfo(c) {
			p.Terminfo = client.FindTerminfo(p.PTY.Term, l.cctx.Home, l.io.Getenv)
		}
	}
	if l.conf.SessionType == sshconfig.SessionSubsystem {
		p.Subsystem = l.command
	} else {
		p.Command = l.command
	}
	return p
}

// connect gives the session its streams.
func (l *loop) connect(s *public.ClientSession) {
	s.Stdout, s.Stderr = kept{l.streams.out}, kept{l.streams.err}
	switch {
	case l.streams.in == nil:
	case l.tty && l.conf.EscapeChar != sshconfig.NoEscape:
		l.typed, _ = s.StdinPipe()
	default:
		s.Stdin = l.streams.in
	}
}

// limit has the session's channel closed when nothing moves in it for as long
// as ChannelTimeout says for its kind.
func (l *loop) limit(ch *public.Channel) {
	kind := "session:shell"
	switch {
	case l.conf.SessionType == sshconfig.SessionSubsystem:
		kind = "session:subsystem:" + l.command
	case l.command != "":
		kind = "session:command"
	}
	for _, t := range l.conf.ChannelTimeout {
		if sshconfig.MatchPattern(kind, t.Type) && t.Idle > 0 {
			ch.SetTimeout(t.Idle, func() { ch.Close() })
			return
		}
	}
}

// termName is the terminal's type: a SetEnv of TERM counts before ours.
func (l *loop) termName() string {
	for _, e := range l.conf.SetEnv {
		if v, ok := strings.CutPrefix(e, "TERM="); ok {
			return v
		}
	}
	return l.io.Getenv("TERM")
}

// refused is told of requests that are not needed for the start.
func (l *loop) refused(request string) {
	l.log.Error("%s", client.RequestFailed(&public.RequestError{Request: request}, 0))
	if request == "pty-req" && l.term != nil {
		l.term.restore()
	}
}

// markTraffic sets the class of the connection's packets.
func (l *loop) markTraffic() {
	tos := l.conf.IPQoS.Bulk
	if l.tty {
		tos = l.conf.IPQoS.Interactive
	}
	if tos != sshconfig.QoSNone && l.connector.Proxy == nil {
		l.client.SetIPQoS(int(tos))
	}
}

// catchSignals has the signals that end a process end the connection first.
func (l *loop) catchSignals() (stop func()) {
	signals := make(chan os.Signal, 4)
	for _, s := range [...]os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	go func() {
		defer l.guard()
		for s := range signals {
			l.killed.CompareAndSwap(0, int32(s.(syscall.Signal)))
			l.client.Close()
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// guard puts the terminal back before a panic of its goroutine ends the
// process.
func (l *loop) guard() {
	if v := recover(); v != nil {
		if l.term != nil {
			l.term.restore()
		}
		panic(v)
	}
}

// finish puts everything back, says what is to be said and is the exit
// status.
func (l *loop) finish(err error) int {
	l.connector.Settle(context.Background(), false)
	stats, took := l.client.Stats(), l.client.Duration()
	if l.term != nil {
		l.term.restore()
	}
	var exited *public.ExitError
	var missing *public.ExitMissingError
	var refused *public.RequestError
	var open *public.OpenChannelError
	var fatal client.Fatal
	if f := l.fatal.Load(); f != nil {
		err = *f
	}
	switch {
	case errors.As(err, &fatal):
		l.log.Fatal("%s", fatal)
	case l.stdioDone.Load():
		l.status = 0
	case l.terminated.Load() || l.killed.Load() != 0:
	case errors.As(err, &exited):
		l.status = exited.Status
		if exited.Signal != "" {
			l.status = -1
			l.log.Debug1("Exit signal %s: %s", exited.Signal, exited.Message)
		}
	case err == nil:
		l.status = 0
	case errors.As(err, &refused):
		l.log.Fatal("%s", client.RequestFailed(refused, 0))
	case errors.As(err, &open):
		l.log.Info("channel 0: open failed: %s", client.OpenReason(open))
	default:
		if lost := l.lost(); lost != nil {
			l.explainLost(lost)
		} else if !errors.As(err, &missing) && err != nil {
			l.log.Error("%s", err)
		}
	}
	l.client.Close()
	if n := l.killed.Load(); n != 0 {
		if l.conf.SessionType == sshconfig.SessionNone && syscall.Signal(n) == syscall.SIGTERM {
			return 0
		}
		l.log.Verbose("Killed by signal %d.", n)
		return failure
	}
	if l.tty && l.session != nil && l.log.Enabled(client.LevelInfo) {
		l.say("Connection to %s closed.", l.conf.Hostname)
	}
	seconds := took.Seconds()
	l.log.Verbose("Transferred: sent %d, received %d bytes, in %.1f seconds", stats.BytesOut, stats.BytesIn, seconds)
	if took > 0 {
		l.log.Verbose("Bytes per second: sent %.1f, received %.1f", float64(stats.BytesOut)/seconds, float64(stats.BytesIn)/seconds)
	}
	l.log.Debug1("Exit status %d", l.status)
	return l.status & 0xff
}

// lost is why the connection ended, nil if it is alive.
func (l *loop) lost() error {
	if l.session != nil {
		if err := l.session.Channel().Mux().Err(); err == nil {
			return nil
		}
	}
	select {
	case <-l.client.Done():
	case <-time.After(time.Second):
		// The channel is told a moment before the connection is over.
		return nil
	}
	return l.client.Wait()
}

// explainLost says how a running connection was lost.
func (l *loop) explainLost(err error) {
	var peer *public.PeerDisconnectError
	var ours *public.DisconnectError
	switch {
	case errors.As(err, &peer), errors.As(err, &ours), errors.Is(err, public.ErrTimeout):
		l.connector.Explain(l.io.Name, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		l.say("Connection to %s closed by remote host.", l.conf.Hostname)
	case errors.Is(err, syscall.EPIPE):
		l.log.Error("client_loop: send disconnect: %s", client.Strerror(err))
	default:
		l.say("Read from remote host %s: %s", l.conf.Hostname, client.Strerror(err))
	}
}

// say writes a line that does not depend on the log's level.
func (l *loop) say(format string, args ...any) {
	if l.log.ToFile() {
		l.log.Fatal(format, args...)
		return
	}
	l.echo(format, args...)
}
