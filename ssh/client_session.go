package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/session"
)

// Session vocabulary of RFC 4254 §6.
type (
	// PTY describes the terminal that a session asks for (RFC 4254 §6.2).
	PTY = session.PTY
	// Window is the size of a terminal.
	Window = session.Window
	// Signal is a signal's name without SIG (RFC 4254 §6.10).
	Signal = session.Signal
	// Env is an environment variable.
	Env = session.Env
)

// Signals of RFC 4254 §6.10.
const (
	SIGABRT = session.SIGABRT
	SIGALRM = session.SIGALRM
	SIGFPE  = session.SIGFPE
	SIGHUP  = session.SIGHUP
	SIGILL  = session.SIGILL
	SIGINT  = session.SIGINT
	SIGKILL = session.SIGKILL
	SIGPIPE = session.SIGPIPE
	SIGQUIT = session.SIGQUIT
	SIGSEGV = session.SIGSEGV
	SIGTERM = session.SIGTERM
	SIGUSR1 = session.SIGUSR1
	SIGUSR2 = session.SIGUSR2
	SIGINFO = session.SIGINFO
)

// ExitError is a remote program that ended with a status other than 0 or by a
// signal (RFC 4254 §6.10). Message is the server's, as sent.
type ExitError struct {
	Status     int // 0 if it was a signal
	Signal     Signal
	CoreDumped bool
	Message    string
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("ssh: remote program was ended by signal %q", string(e.Signal))
	}
	return fmt.Sprintf("ssh: remote program exited with status %d", e.Status)
}

// ExitStatus is Status, under the name of x/crypto.
func (e *ExitError) ExitStatus() int { return e.Status }

// ExitMissingError is a session that ended without a word about its program.
type ExitMissingError struct{ Err error }

func (e *ExitMissingError) Error() string {
	return "ssh: session ended without exit status: " + sprint(e.Err)
}

// Unwrap is why it ended.
func (e *ExitMissingError) Unwrap() error { return e.Err }

// RequestError is a request of a session that the server refused.
type RequestError struct{ Request string }

func (e *RequestError) Error() string { return "ssh: server refused the request " + e.Request }

// ClientSession runs one program on the server: a command, a shell or a
// subsystem. Stdin, Stdout and Stderr are set before it starts. A nil Stdin is
// empty, a nil Stdout or Stderr is thrown away. An *os.File that is this
// process's own standard file is read and written without copies.
type ClientSession struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	conn    *Conn
	ch      *Channel
	started bool
	pipes   [3]bool // StdinPipe, StdoutPipe, StderrPipe were called

	program *Program // whose start is under way
	asks    []connection.Ask
	answers []connection.Answer
	early   bool // queued before the login was done

	mu    sync.Mutex
	exit  *ExitError // what the server said, nil yet
	clean bool       // exit-status 0
	eow   func()
}

// NewSession opens a session.
func (c *Conn) NewSession(ctx context.Context) (*ClientSession, error) {
	s := &ClientSession{conn: c}
	ch, err := c.mux.OpenChannel(ctx, "session", nil, func(ch *Channel) {
		ch.Handle(s.request, nil, nil)
	})
	if err != nil {
		return nil, err
	}
	s.ch = ch
	return s, nil
}

// request handles the server's requests. It runs on the reader.
func (s *ClientSession) request(r *ChannelRequest) {
	ok := true
	s.mu.Lock()
	switch r.Type {
	case session.ReqExitStatus:
		n, err := session.ParseExitStatus(r.Payload)
		if ok = err == nil; ok {
			s.exit, s.clean = &ExitError{Status: int(n)}, n == 0
		}
	case session.ReqExitSignal:
		e, err := session.ParseExitSignal(r.Payload)
		if ok = err == nil; ok {
			s.exit, s.clean = &ExitError{Signal: e.Signal, CoreDumped: e.CoreDumped, Message: e.Message}, false
		}
	case session.ReqEOW:
		if s.eow != nil {
			s.eow()
		}
	default:
		ok = false
	}
	s.mu.Unlock()
	r.Reply(ok)
}

// Channel is the session's channel, for callers that move its data themselves.
func (s *ClientSession) Channel() *Channel { return s.ch }

// OnEndOfWrite sets what is called when the server says that it reads no more
// (eow@openssh.com). It must not wait.
func (s *ClientSession) OnEndOfWrite(f func()) {
	s.mu.Lock()
	s.eow = f
	s.mu.Unlock()
}

// Setenv asks for a variable. Servers refuse most names.
func (s *ClientSession) Setenv(ctx context.Context, name, value string) error {
	return s.ask(ctx, session.ReqEnv, session.Env{Name: name, Value: value}.Append(nil))
}

// RequestPTY asks for a terminal.
func (s *ClientSession) RequestPTY(ctx context.Context, t *PTY) error {
	s.ch.SetInteractive()
	return s.ask(ctx, session.ReqPTY, t.Append(nil))
}

func (s *ClientSession) ask(ctx context.Context, name string, payload []byte) error {
	ok, err := s.ch.SendRequest(ctx, name, true, payload)
	if err == nil && !ok {
		err = &RequestError{name}
	}
	return err
}

// Program is everything that starts a program, for Begin. One of Command and
// Subsystem is set, or neither for the login shell.
type Program struct {
	PTY       *PTY
	Env       []Env
	Command   string
	Subsystem string
	// Terminfo describes the PTY's terminal, for servers that take that; others
	// ignore it.
	Terminfo *Terminfo
	// Requests stand between the environment and the program's start.
	Requests []connection.Ask
	// Refused is told of requests that the server refused and that the start
	// does not depend on: pty-req, env and Requests.
	Refused func(request string)
}

// Begin sends everything that starts a program in one flight, then connects
// Stdin, Stdout and Stderr. It returns when the server has granted the start.
func (s *ClientSession) Begin(ctx context.Context, p *Program) error {
	if err := s.queueStart(p); err != nil {
		return err
	}
	if err := s.conn.t.Flush(); err != nil {
		return err
	}
	return s.granted(ctx)
}

// ErrNotOpened is a session of QueueSession that the server did not look at, or
// whose number was guessed wrong: nothing was started, and NewSession may be
// called for another.
var ErrNotOpened = errors.New("ssh: the server did not look at the session that was opened early")

// QueueSession queues the opening of the connection's first session and
// everything that starts p, for one flight: Flush sends it, or the login itself does when Early called.
// setup, if not nil, sets the session's streams. It is for servers that answer
// requests on a channel that they have just opened: see Pipelines. Granted
// waits for the answers.
func (c *Client) QueueSession(p *Program, setup func(*ClientSession)) (*ClientSession, error) {
	s := &ClientSession{conn: &c.Conn, early: c.user == ""}
	ch, err := c.mux.QueueOpen("session", nil, firstChannel, func(ch *Channel) {
		ch.Handle(s.request, nil, nil)
	})
	if err != nil {
		return nil, err
	}
	s.ch = ch
	if setup != nil {
		setup(s)
	}
	return s, s.queueStart(p)
}

// firstChannel is the number that every server seen gives its first channel.
const firstChannel = 0

// Granted waits until the server has opened the session of QueueSession and
// granted the start, then connects Stdin. ErrNotOpened means that the session
// is not there and its program was not started.
func (s *ClientSession) Granted(ctx context.Context) error {
	if s.early && s.conn.t.EarlyRefused() {
		s.ch.Forget()
		return ErrNotOpened
	}
	if err := s.ch.WaitOpen(ctx); err != nil {
		if err == connection.ErrGuess {
			err = ErrNotOpened
		}
		return err
	}
	return s.granted(ctx)
}

// Pipelines reports whether the server's software is known to answer requests
// on a channel whose opening it has not answered yet, and messages that are
// there before it has let us in. before tells of the latter: whether it goes on
// with the login after one that it refused.
func (c *Client) Pipelines() (yes, before bool) { return pipelines(string(c.ServerVersion())) }

// pipelines: OpenSSH answers a message that comes too soon with UNIMPLEMENTED;
// Dropbear and this suite close the connection, so they are sent such only
// behind a login that they are known to take. asyncssh and tinysshd want to be
// waited for, x/crypto wants its channel confirmed first.
func pipelines(version string) (yes, before bool) {
	name := strings.TrimPrefix(version, "SSH-2.0-")
	if strings.HasPrefix(name, "OpenSSH_compatible_nacre") || strings.HasPrefix(name, "dropbear") {
		return true, false
	}
	number, ok := strings.CutPrefix(name, "OpenSSH_")
	if !ok || number == "" {
		return false, false
	}
	major, _, _ := strings.Cut(number, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= 7 {
		return true, true
	}
	return false, false
}

// queueStart queues the requests that start p and connects the output streams.
func (s *ClientSession) queueStart(p *Program) (err error) {
	if s.started {
		return errors.New("ssh: the session's program was already started")
	}
	s.started = true
	s.asks = p.asks()
	if p.PTY != nil {
		s.ch.SetInteractive()
	}
	s.program = p
	s.connect()
	s.answers, err = s.ch.QueueRequests(s.asks...)
	return err
}

// granted waits for the answers to what queueStart queued.
func (s *ClientSession) granted(ctx context.Context) error {
	for i, a := range s.answers {
		ok, err := a.Wait(ctx)
		if err != nil {
			return err
		}
		if !ok && i == len(s.answers)-1 {
			return &RequestError{s.asks[i].Type}
		}
		if !ok && s.program.Refused != nil {
			s.program.Refused(s.asks[i].Type)
		}
	}
	s.program, s.asks, s.answers = nil, nil, nil
	s.feed()
	return nil
}

// asks are the requests that start a program, its start the last.
func (p *Program) asks() []connection.Ask {
	var asks []connection.Ask
	if p.PTY != nil {
		asks = append(asks, connection.Ask{Type: session.ReqPTY, WantReply: true, Payload: p.PTY.Append(nil)})
	}
	if p.Terminfo != nil && p.PTY != nil {
		asks = append(asks, connection.Ask{Type: session.ReqTerminfo, Payload: p.Terminfo.Append(nil)})
	}
	for _, e := range p.Env {
		asks = append(asks, connection.Ask{Type: session.ReqEnv, Payload: e.Append(nil)})
	}
	asks = append(asks, p.Requests...)
	start := connection.Ask{Type: session.ReqShell, WantReply: true}
	switch {
	case p.Subsystem != "":
		start.Type, start.Payload = session.ReqSubsystem, session.AppendString(nil, p.Subsystem)
	case p.Command != "":
		start.Type, start.Payload = session.ReqExec, session.AppendString(nil, p.Command)
	}
	return append(asks, start)
}

// Start starts command.
func (s *ClientSession) Start(ctx context.Context, command string) error {
	return s.Begin(ctx, &Program{Command: command})
}

// Shell starts the login shell.
func (s *ClientSession) Shell(ctx context.Context) error { return s.Begin(ctx, &Program{}) }

// RequestSubsystem starts a subsystem (RFC 4254 §6.5).
func (s *ClientSession) RequestSubsystem(ctx context.Context, name string) error {
	return s.Begin(ctx, &Program{Subsystem: name})
}

// Run starts command and waits for its end.
func (s *ClientSession) Run(ctx context.Context, command string) error {
	if err := s.Start(ctx, command); err != nil {
		return err
	}
	return s.Wait(ctx)
}

// Output runs command and returns its standard output.
func (s *ClientSession) Output(ctx context.Context, command string) ([]byte, error) {
	var b bytes.Buffer
	s.Stdout = &b
	err := s.Run(ctx, command)
	return b.Bytes(), err
}

// CombinedOutput runs command and returns what it writes, both streams as they
// come.
func (s *ClientSession) CombinedOutput(ctx context.Context, command string) ([]byte, error) {
	var b lockedBuffer
	s.Stdout, s.Stderr = &b, &b
	err := s.Run(ctx, command)
	return b.b.Bytes(), err
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// connect attaches the output streams.
func (s *ClientSession) connect() {
	for i, w := range []io.Writer{s.Stdout, s.Stderr} {
		if s.pipes[i+1] {
			continue
		}
		if w == nil {
			s.ch.Discard(i)
		} else {
			s.ch.AttachSink(i, sinkOf(w))
		}
	}
}

// feed starts the pump of the input stream.
func (s *ClientSession) feed() {
	if s.pipes[0] {
		return
	}
	if s.Stdin == nil {
		s.ch.CloseWrite()
		return
	}
	src := sourceOf(s.Stdin)
	// Not one of the connection's counted goroutines: a read of a terminal ends
	// when the person says so.
	go func() {
		defer func() {
			if v := recover(); v != nil {
				s.conn.abort(&PanicError{Value: v, Stack: stack()})
			}
		}()
		if _, err := s.ch.Pump(0, src); err == nil {
			s.ch.CloseWrite()
		}
	}()
}

// StdinPipe gives a writer to the program's input; closing it is its end. It is
// called before the start, and Stdin must be nil.
func (s *ClientSession) StdinPipe() (io.WriteCloser, error) {
	if s.Stdin != nil || s.started {
		return nil, errors.New("ssh: StdinPipe after start or with Stdin set")
	}
	s.pipes[0] = true
	return stdinPipe{s.ch}, nil
}

type stdinPipe struct{ ch *Channel }

func (p stdinPipe) Write(b []byte) (int, error) { return p.ch.Write(b) }
func (p stdinPipe) Close() error                { return p.ch.CloseWrite() }

// StdoutPipe gives a reader of the program's output. What is not read holds up
// the program when the window is full.
func (s *ClientSession) StdoutPipe() (io.Reader, error) {
	if s.Stdout != nil || s.started {
		return nil, errors.New("ssh: StdoutPipe after start or with Stdout set")
	}
	s.pipes[1] = true
	return s.ch, nil
}

// StderrPipe is StdoutPipe for the error output.
func (s *ClientSession) StderrPipe() (io.Reader, error) {
	if s.Stderr != nil || s.started {
		return nil, errors.New("ssh: StderrPipe after start or with Stderr set")
	}
	s.pipes[2] = true
	return s.ch.Stderr(), nil
}

// Signal sends a signal to the program (RFC 4254 §6.9).
func (s *ClientSession) Signal(sig Signal) error {
	_, err := s.ch.SendRequest(context.Background(), session.ReqSignal, false, session.AppendString(nil, string(sig)))
	return err
}

// WindowChange tells the new size of the terminal (RFC 4254 §6.7).
func (s *ClientSession) WindowChange(w Window) error {
	_, err := s.ch.SendRequest(context.Background(), session.ReqWindowChange, false, w.Append(nil))
	return err
}

// Break sends a break of the given milliseconds (RFC 4335).
func (s *ClientSession) Break(ctx context.Context, ms uint32) error {
	return s.ask(ctx, session.ReqBreak, []byte{byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)})
}

// Wait waits until the program has ended and its output has been delivered. A
// status other than 0 is an *ExitError; a session that says nothing of its
// program's end is an *ExitMissingError.
func (s *ClientSession) Wait(ctx context.Context) error {
	if err := s.ch.WaitClosed(ctx); err != nil {
		return err
	}
	s.ch.WaitDelivered()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.clean:
		return nil
	case s.exit != nil:
		return s.exit
	}
	err := s.ch.Mux().Err()
	if err == nil {
		err = io.EOF
	}
	return &ExitMissingError{err}
}

// Close closes the session.
func (s *ClientSession) Close() error { return s.ch.Close() }

// sinkOf makes a sink of a writer, the direct one where there is one.
func sinkOf(w io.Writer) connection.Sink {
	switch w := w.(type) {
	case connection.Sink:
		return w
	case *os.File:
		if fd := standard(w); fd >= 0 {
			return keepOpen{rawio.Inherited(fd, w.Name())}
		}
	}
	return writerSink{w}
}

func sourceOf(r io.Reader) connection.Source {
	switch r := r.(type) {
	case connection.Source:
		return r
	case *os.File:
		if fd := standard(r); fd >= 0 {
			return rawio.Inherited(fd, r.Name())
		}
	}
	return readerSource{r}
}

// standard is the number of f if it is one of the process's standard files.
func standard(f *os.File) int {
	switch f {
	case os.Stdin:
		return 0
	case os.Stdout:
		return 1
	case os.Stderr:
		return 2
	}
	return -1
}

// keepOpen is a standard file: the end of a session does not close it.
type keepOpen struct{ *rawio.File }

func (keepOpen) CloseWrite() error { return nil }

// writerSink is any writer. It may wait, so it is never written by the reader.
type writerSink struct{ w io.Writer }

func (writerSink) TryWritev([][]byte) (int, error) { return 0, nil }
func (s writerSink) Write(p []byte) (int, error)   { return s.w.Write(p) }
func (writerSink) CloseWrite() error               { return nil }

// readerSource is any reader.
type readerSource struct{ r io.Reader }

func (readerSource) WaitRead() error                { return nil }
func (readerSource) TryReadv([][]byte) (int, error) { return 0, rawio.ErrAgain }
func (s readerSource) Readv(bufs [][]byte) (int, error) {
	for _, b := range bufs {
		if len(b) > 0 {
			n, err := s.r.Read(b)
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
	}
	return 0, io.ErrShortBuffer
}

// ParseSignal turns SIGTERM, term or TERM into a Signal.
func ParseSignal(name string) Signal {
	return Signal(strings.TrimPrefix(strings.ToUpper(name), "SIG"))
}
