package ssh

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"sync"

	"github.com/nacre-ssh/nacre/internal/session"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func stack() []byte { return debug.Stack() }

// Session is one program that a client wants run: a shell, a command or a
// subsystem. A handler reads its input from it and writes its output to it.
type Session struct {
	conn *ServerConn
	ch   *Channel
	slot int

	// owned by whoever handles the channel's requests, one at a time; constant
	// once started
	order    session.Order
	kind     string // session.ReqShell, ReqExec or ReqSubsystem
	text     string
	env      []Env
	pty      *PTY
	terminfo *session.Terminfo

	mu       sync.Mutex
	window   Window
	onWindow func(Window)
	onSignal func(Signal)
	onBreak  func(ms uint32) bool
	onEOW    func()
	exited   bool
	closed   bool
	ctx      context.Context
	cancel   context.CancelCauseFunc
}

// openSession answers a client's CHANNEL_OPEN of a session. It runs on the
// reader.
func (c *ServerConn) openSession(n *NewChannel) {
	limit := c.maxSessions()
	c.mu.Lock()
	noMore, full := c.noMore, c.sessions >= limit
	if !noMore && !full {
		c.sessions++
	}
	c.mu.Unlock()
	if noMore {
		c.t.Fail(wire.Disconnectf(wire.ReasonProtocolError, "Possible attack: attempt to open a session after additional sessions disabled"))
		n.Reject(wire.OpenAdministrativelyProhibited, "no more sessions")
		return
	}
	if full {
		n.Reject(wire.OpenConnectFailed, "open failed")
		return
	}
	s := &Session{conn: c}
	s.ctx, s.cancel = context.WithCancelCause(c.ctx)
	_, err := n.Accept(func(ch *Channel) {
		s.ch = ch
		ch.Discard(1) // a client has no stderr to send
		ch.Handle(s.request, nil, s.ended)
	})
	if err != nil {
		s.ended(err)
	}
}

// ended is called when the channel is over. It runs on the reader.
func (s *Session) ended(err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	s.conn.mu.Lock()
	s.conn.sessions--
	s.conn.mu.Unlock()
	s.cancel(err)
}

// request handles one request of the client. Requests come one at a time.
func (s *Session) request(r *ChannelRequest) {
	switch s.order.Judge(r.Type) {
	case session.Refuse:
		r.Reply(false)
		return
	case session.Violation:
		s.conn.abort(wire.Disconnectf(wire.ReasonProtocolError, "Protocol error: you already have a pty."))
		return
	}
	switch r.Type {
	case session.ReqPTY:
		s.requestPTY(r)
	case session.ReqEnv:
		e, err := session.ParseEnv(r.Payload)
		ok := err == nil && s.conn.acceptEnv(e.Name)
		if ok {
			s.order.Env++
			s.env = append(s.env, e)
		}
		r.Reply(ok)
	case session.ReqTerminfo:
		s.requestTerminfo(r)
	case session.ReqShell, session.ReqExec, session.ReqSubsystem:
		s.requestStart(r)
	case session.ReqWindowChange:
		w, err := session.ParseWindow(r.Payload)
		s.mu.Lock()
		f := s.onWindow
		if err == nil {
			s.window = w
		}
		s.mu.Unlock()
		if err == nil && f != nil {
			f(w)
		}
		r.Reply(err == nil && s.pty != nil)
	case session.ReqSignal:
		sig, err := session.ParseSignal(r.Payload)
		s.mu.Lock()
		f := s.onSignal
		s.mu.Unlock()
		if err == nil && f != nil {
			f(sig)
		}
		r.Reply(err == nil && f != nil)
	case session.ReqBreak:
		ms, err := session.ParseBreak(r.Payload)
		s.mu.Lock()
		f := s.onBreak
		s.mu.Unlock()
		r.Reply(err == nil && f != nil && f(ms))
	case session.ReqEOW:
		s.mu.Lock()
		f := s.onEOW
		s.mu.Unlock()
		if f != nil {
			f()
		}
		r.Reply(true)
	default:
		r.Reply(false)
	}
}

func (s *Session) requestPTY(r *ChannelRequest) {
	t, err := session.ParsePTY(r.Payload)
	if err != nil || !s.conn.Permits("permit-pty") {
		r.Reply(false)
		return
	}
	grant := func() {
		s.order.PTY, s.pty = true, &t
		s.mu.Lock()
		s.window = t.Window
		s.mu.Unlock()
		s.ch.SetInteractive()
		r.Reply(true)
	}
	if s.conn.s.OpenPTY == nil {
		grant()
		return
	}
	r.Later()
	s.conn.group.Go(func() {
		if err := s.conn.s.OpenPTY(s, &t); err != nil {
			r.Reply(false)
			return
		}
		grant()
	})
}

func (s *Session) requestStart(r *ChannelRequest) {
	text := ""
	if r.Type != session.ReqShell {
		var err error
		if text, err = session.ParseString(r.Payload); err != nil {
			r.Reply(false)
			return
		}
	}
	handler := s.conn.s.Handler
	if r.Type == session.ReqSubsystem && s.conn.ForcedCommand() == "" {
		if handler = s.conn.s.Subsystems[text]; handler == nil {
			handler = s.conn.s.Subsystems[""]
		}
	}
	if handler == nil {
		r.Reply(false)
		return
	}
	s.kind, s.text = r.Type, text
	s.order.Started = true
	s.conn.limitChannel(s.ch, s.channelType())
	if s.conn.s.Start == nil {
		r.Reply(true)
		s.conn.group.Go(func() { s.run(handler) })
		return
	}
	r.Later()
	s.conn.group.Go(func() {
		if err := s.conn.s.Start(s); err != nil {
			r.Reply(false)
			return
		}
		r.Reply(true)
		s.run(handler)
	})
}

// channelType is what OpenSSH calls a session that has started.
func (s *Session) channelType() string {
	switch s.kind {
	case session.ReqShell:
		return "session:shell"
	case session.ReqExec:
		return "session:command"
	}
	return "session:subsystem:" + s.text
}

// run calls the handler and ends the session. A panic of the handler is the
// connection's end, as all panics are.
func (s *Session) run(handler func(*Session)) {
	handler(s)
	s.Exit(0)
	s.Close()
}

// Conn is the connection of the session.
func (s *Session) Conn() *ServerConn { return s.conn }

// User is the name that was logged in.
func (s *Session) User() string { return s.conn.user }

// Channel is the session's channel, for handlers that move its data themselves.
func (s *Session) Channel() *Channel { return s.ch }

// Context ends when the session's channel closes or the connection ends.
func (s *Session) Context() context.Context { return s.ctx }

// Command is the command to run, "" for a shell or a subsystem. If the login is
// bound to a command it is that one; see RequestedCommand.
func (s *Session) Command() string {
	if c := s.conn.ForcedCommand(); c != "" {
		return c
	}
	return s.RequestedCommand()
}

// RequestedCommand is what the client wanted run, "" for a shell.
func (s *Session) RequestedCommand() string {
	if s.kind == session.ReqExec {
		return s.text
	}
	return ""
}

// Subsystem is the subsystem's name, "" for a shell or a command.
func (s *Session) Subsystem() string {
	if s.kind == session.ReqSubsystem {
		return s.text
	}
	return ""
}

// Environ is the environment that the client asked for and AcceptEnv let in.
func (s *Session) Environ() []Env { return s.env }

// requestTerminfo takes the description of the client's terminal, if it is that
// of the terminal that was asked for.
func (s *Session) requestTerminfo(r *ChannelRequest) {
	t, err := session.ParseTerminfo(r.Payload)
	ok := err == nil && s.pty != nil && t.Name == s.pty.Term
	if ok {
		s.order.Terminfo, s.terminfo = true, t
	}
	r.Reply(ok)
}

// Terminfo is the description of a terminal in the form of term(5).
type Terminfo = session.Terminfo

// MaxTerminfo is the number of bytes of a terminal's description.
const MaxTerminfo = session.MaxTerminfo

// ValidTermName reports whether a terminal's name can be that of a file.
func ValidTermName(name string) bool { return session.ValidTermName(name) }

// Terminfo is the compiled description of the client's terminal, checked, if the
// client has sent one; nil if not. Its Name is the TERM of the session: who
// starts the program may put the entry where TERMINFO then points, in a folder
// of the session's own, unless it has one of that name already.
func (s *Session) Terminfo() *Terminfo { return s.terminfo }

// PTY is the terminal that was granted. Its Window is the latest one.
func (s *Session) PTY() (PTY, bool) {
	if s.pty == nil {
		return PTY{}, false
	}
	t := *s.pty
	s.mu.Lock()
	t.Window = s.window
	s.mu.Unlock()
	return t, true
}

// OnWindowChange sets what is called when the terminal's size changes, and
// calls it for a change that has happened. It must not wait, nor must the
// functions of OnSignal, OnBreak and OnEndOfWrite.
func (s *Session) OnWindowChange(f func(Window)) {
	s.mu.Lock()
	changed := s.pty != nil && s.window != s.pty.Window
	w := s.window
	s.onWindow = f
	s.mu.Unlock()
	if changed {
		f(w)
	}
}

// OnSignal sets what is called for the client's signals.
func (s *Session) OnSignal(f func(Signal)) {
	s.mu.Lock()
	s.onSignal = f
	s.mu.Unlock()
}

// OnBreak sets what is called for a break (RFC 4335); it says whether one was
// done.
func (s *Session) OnBreak(f func(milliseconds uint32) bool) {
	s.mu.Lock()
	s.onBreak = f
	s.mu.Unlock()
}

// OnEndOfWrite sets what is called when the client says that it reads no more
// (eow@openssh.com).
func (s *Session) OnEndOfWrite(f func()) {
	s.mu.Lock()
	s.onEOW = f
	s.mu.Unlock()
}

// Read reads what the client sends as the program's input.
func (s *Session) Read(p []byte) (int, error) { return s.ch.Read(p) }

// Write writes to the program's standard output.
func (s *Session) Write(p []byte) (int, error) { return s.ch.Write(p) }

// Stderr is the program's error output.
func (s *Session) Stderr() io.Writer { return s.ch.Stderr() }

// CloseWrite ends the output; input goes on.
func (s *Session) CloseWrite() error { return s.ch.CloseWrite() }

var errExited = errors.New("ssh: exit status was sent before")

// Exit tells how the program ended: an exit status (RFC 4254 §6.10). Only the
// first of Exit and ExitSignal counts. The session stays open until the handler
// returns or Close.
func (s *Session) Exit(status int) error {
	return s.exit(session.ReqExitStatus, wire.AppendUint32(nil, uint32(status)))
}

// ExitSignal tells that a signal ended the program (RFC 4254 §6.10).
func (s *Session) ExitSignal(sig Signal, coreDumped bool, message string) error {
	e := session.ExitSignal{Signal: sig, CoreDumped: coreDumped, Message: message}
	return s.exit(session.ReqExitSignal, e.Append(nil))
}

func (s *Session) exit(name string, payload []byte) error {
	s.mu.Lock()
	if s.exited {
		s.mu.Unlock()
		return errExited
	}
	s.exited = true
	s.mu.Unlock()
	_, err := s.ch.SendRequest(context.Background(), name, false, payload)
	return err
}

// Close ends the output and closes the session.
func (s *Session) Close() error {
	s.ch.CloseWrite()
	return s.ch.Close()
}
