package session

import (
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Request names of RFC 4254 §6, RFC 4335 and OpenSSH.
const (
	ReqPTY          = "pty-req"
	ReqEnv          = "env"
	ReqShell        = "shell"
	ReqExec         = "exec"
	ReqSubsystem    = "subsystem"
	ReqWindowChange = "window-change"
	ReqSignal       = "signal"
	ReqBreak        = "break"
	ReqExitStatus   = "exit-status"
	ReqExitSignal   = "exit-signal"
	ReqEOW          = "eow@openssh.com"
	ReqKeepalive    = "keepalive@openssh.com"
)

// Limits of what a request may hold.
const (
	MaxTerm    = 255       // bytes of TERM (CHN-17)
	MaxModes   = 5*256 + 1 // bytes of encoded terminal modes
	MaxSize    = 65535     // columns, rows, pixels
	MaxEnv     = 128       // variables (CHN-18)
	MaxEnvSize = 8 << 10   // bytes of one, name and value
	MaxCommand = 256 << 10 // bytes (CHN-16)
)

// Errors of decoding.
var (
	ErrLimit = errors.New("session: value is beyond its limit")
	ErrText  = errors.New("session: text holds a NUL or unprintable byte")
)

// Window is the size of a terminal, in characters and in pixels (RFC 4254
// §6.2).
type Window struct{ Columns, Rows, Width, Height uint32 }

func (w *Window) decode(r *wire.Reader) {
	w.Columns, w.Rows, w.Width, w.Height = size(r), size(r), size(r), size(r)
}

func size(r *wire.Reader) uint32 { return min(r.Uint32(), MaxSize) }

// Append writes the four numbers, the payload of window-change.
func (w Window) Append(b []byte) []byte {
	b = wire.AppendUint32(wire.AppendUint32(b, w.Columns), w.Rows)
	return wire.AppendUint32(wire.AppendUint32(b, w.Width), w.Height)
}

// ParseWindow reads the payload of window-change (RFC 4254 §6.7).
func ParseWindow(p []byte) (w Window, err error) {
	r := wire.NewReader(p)
	w.decode(&r)
	return w, r.Done()
}

// PTY is a pty-req (RFC 4254 §6.2). Modes are as encoded in §8.
type PTY struct {
	Term   string
	Window Window
	Modes  []byte
}

// Append writes the payload.
func (t *PTY) Append(b []byte) []byte {
	b = t.Window.Append(wire.AppendText(b, t.Term))
	return wire.AppendString(b, t.Modes)
}

// ParsePTY reads the payload of pty-req.
func ParsePTY(p []byte) (t PTY, err error) {
	r := wire.NewReader(p)
	term := r.String()
	t.Window.decode(&r)
	modes := r.String()
	if err := r.Done(); err != nil {
		return t, err
	}
	if len(term) > MaxTerm || len(modes) > MaxModes {
		return t, ErrLimit
	}
	for _, c := range term {
		if c <= ' ' || c > '~' {
			return t, ErrText
		}
	}
	t.Term, t.Modes = string(term), append([]byte(nil), modes...)
	return t, nil
}

// Env is an env request (RFC 4254 §6.4).
type Env struct{ Name, Value string }

// Append writes the payload.
func (e Env) Append(b []byte) []byte { return wire.AppendText(wire.AppendText(b, e.Name), e.Value) }

// ParseEnv reads the payload of env.
func ParseEnv(p []byte) (e Env, err error) {
	r := wire.NewReader(p)
	e.Name, e.Value = r.Name(), r.Name()
	if err := r.Done(); err != nil {
		return e, err
	}
	if len(e.Name)+len(e.Value) > MaxEnvSize || e.Name == "" {
		return e, ErrLimit
	}
	for i := 0; i < len(e.Name); i++ {
		if c := e.Name[i]; c <= ' ' || c > '~' || c == '=' {
			return e, ErrText
		}
	}
	return e, nil
}

// ParseString reads the payload of exec and subsystem (RFC 4254 §6.5): one
// string without NUL.
func ParseString(p []byte) (string, error) {
	r := wire.NewReader(p)
	s := r.Name()
	if err := r.Done(); err != nil {
		return "", err
	}
	if len(s) > MaxCommand {
		return "", ErrLimit
	}
	return s, nil
}

// AppendString writes the payload of exec, subsystem and signal.
func AppendString(b []byte, s string) []byte { return wire.AppendText(b, s) }

// Signal is a name of RFC 4254 §6.10, without SIG.
type Signal string

// Signals of RFC 4254 §6.10.
const (
	SIGABRT Signal = "ABRT"
	SIGALRM Signal = "ALRM"
	SIGFPE  Signal = "FPE"
	SIGHUP  Signal = "HUP"
	SIGILL  Signal = "ILL"
	SIGINT  Signal = "INT"
	SIGKILL Signal = "KILL"
	SIGPIPE Signal = "PIPE"
	SIGQUIT Signal = "QUIT"
	SIGSEGV Signal = "SEGV"
	SIGTERM Signal = "TERM"
	SIGUSR1 Signal = "USR1"
	SIGUSR2 Signal = "USR2"
	SIGINFO Signal = "INFO@openssh.com"
)

// ParseSignal reads the payload of signal (RFC 4254 §6.9).
func ParseSignal(p []byte) (Signal, error) {
	s, err := ParseString(p)
	if err == nil && len(s) > wire.MaxName {
		err = ErrLimit
	}
	return Signal(s), err
}

// ParseBreak reads the payload of break (RFC 4335): milliseconds.
func ParseBreak(p []byte) (uint32, error) {
	r := wire.NewReader(p)
	ms := r.Uint32()
	return ms, r.Done()
}

// ExitSignal is how a program died (RFC 4254 §6.10).
type ExitSignal struct {
	Signal     Signal
	CoreDumped bool
	Message    string
	Language   string
}

// Append writes the payload.
func (e *ExitSignal) Append(b []byte) []byte {
	b = wire.AppendBool(wire.AppendText(b, string(e.Signal)), e.CoreDumped)
	return wire.AppendText(wire.AppendText(b, e.Message), e.Language)
}

// ParseExitSignal reads the payload of exit-signal.
func ParseExitSignal(p []byte) (e ExitSignal, err error) {
	r := wire.NewReader(p)
	e.Signal, e.CoreDumped, e.Message, e.Language = Signal(r.Text()), r.Bool(), r.Text(), r.Text()
	return e, r.Done()
}

// ParseExitStatus reads the payload of exit-status.
func ParseExitStatus(p []byte) (uint32, error) {
	r := wire.NewReader(p)
	n := r.Uint32()
	if err := r.Done(); err != nil {
		return 0, fmt.Errorf("session: exit-status: %w", err)
	}
	return n, nil
}
