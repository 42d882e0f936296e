package session

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	pty := PTY{Term: "xterm-256color", Window: Window{80, 24, 640, 480}, Modes: []byte{1, 0, 0, 0, 3, 0}}
	if got, err := ParsePTY(pty.Append(nil)); err != nil || !reflect.DeepEqual(got, pty) {
		t.Errorf("got %+v, %v", got, err)
	}
	env := Env{"LANG", "C.UTF-8"}
	if got, err := ParseEnv(env.Append(nil)); err != nil || got != env {
		t.Errorf("got %+v, %v", got, err)
	}
	exit := ExitSignal{SIGSEGV, true, "core", "en"}
	if got, err := ParseExitSignal(exit.Append(nil)); err != nil || got != exit {
		t.Errorf("got %+v, %v", got, err)
	}
	if n, err := ParseExitStatus([]byte{0, 0, 1, 2}); err != nil || n != 258 {
		t.Errorf("got %d, %v", n, err)
	}
	if ms, err := ParseBreak([]byte{0, 0, 0, 9}); err != nil || ms != 9 {
		t.Errorf("got %d, %v", ms, err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"TERM", errOf(ParsePTY((&PTY{Term: strings.Repeat("x", MaxTerm)}).Append(nil))), nil},
		{"long TERM", errOf(ParsePTY((&PTY{Term: strings.Repeat("x", MaxTerm+1)}).Append(nil))), ErrLimit},
		{"modes", errOf(ParsePTY((&PTY{Modes: make([]byte, MaxModes)}).Append(nil))), nil},
		{"long modes", errOf(ParsePTY((&PTY{Modes: make([]byte, MaxModes+1)}).Append(nil))), ErrLimit},
		{"escape", errOf(ParsePTY((&PTY{Term: "\x1b[m"}).Append(nil))), ErrText},
		{"variable", errOf(ParseEnv(Env{"A", strings.Repeat("x", MaxEnvSize-1)}.Append(nil))), nil},
		{"long variable", errOf(ParseEnv(Env{"A", strings.Repeat("x", MaxEnvSize)}.Append(nil))), ErrLimit},
		{"= in a name", errOf(ParseEnv(Env{"A=B", "x"}.Append(nil))), ErrText},
		{"command", errOf(ParseString(AppendString(nil, strings.Repeat("x", MaxCommand)))), nil},
		{"long command", errOf(ParseString(AppendString(nil, strings.Repeat("x", MaxCommand+1)))), ErrLimit},
		{"signal", errOf(ParseSignal(AppendString(nil, strings.Repeat("x", 65)))), ErrLimit},
	} {
		if !errors.Is(c.err, c.want) || (c.want == nil) != (c.err == nil) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

// TestOrder holds every request against every state (CHN-12).
func TestOrder(t *testing.T) {
	before := []string{ReqPTY, ReqEnv, ReqShell, ReqExec, ReqSubsystem, "x11-req", "auth-agent-req@openssh.com", "agent-req"}
	after := []string{ReqWindowChange, ReqSignal, ReqBreak, ReqEOW}
	never := []string{ReqExitStatus, ReqExitSignal, "unknown", ""}
	var fresh, started, full, pty = Order{}, Order{Started: true}, Order{Env: MaxEnv}, Order{PTY: true}
	for _, name := range before {
		if fresh.Judge(name) != Allow || started.Judge(name) != Refuse {
			t.Errorf("%s: %d before, %d after the start", name, fresh.Judge(name), started.Judge(name))
		}
	}
	for _, name := range after {
		if fresh.Judge(name) != Refuse || started.Judge(name) != Allow {
			t.Errorf("%s: %d before, %d after the start", name, fresh.Judge(name), started.Judge(name))
		}
	}
	for _, name := range never {
		if fresh.Judge(name) != Refuse || started.Judge(name) != Refuse {
			t.Errorf("%s is not refused", name)
		}
	}
	if full.Judge(ReqEnv) != Refuse || pty.Judge(ReqPTY) != Violation {
		t.Error("the limit of variables, or of terminals, does not hold")
	}
}

// FuzzParse: no payload makes a decoder panic, and none gives more than its
// limits.
func FuzzParse(f *testing.F) {
	f.Add((&PTY{Term: "xterm", Window: Window{80, 24, 0, 0}, Modes: []byte{0}}).Append(nil))
	f.Add(Env{"A", "b"}.Append(nil))
	f.Add((&ExitSignal{Signal: SIGHUP}).Append(nil))
	f.Add(AppendString(nil, "command"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if pty, err := ParsePTY(p); err == nil {
			if len(pty.Term) > MaxTerm || len(pty.Modes) > MaxModes || pty.Window.Columns > MaxSize {
				t.Fatalf("got %+v", pty)
			}
			if again, err := ParsePTY(pty.Append(nil)); err != nil || !reflect.DeepEqual(again, pty) {
				t.Fatalf("%+v became %+v, %v", pty, again, err)
			}
		}
		if e, err := ParseEnv(p); err == nil && (strings.ContainsAny(e.Name, "=\x00") || len(e.Name)+len(e.Value) > MaxEnvSize) {
			t.Fatalf("got %+v", e)
		}
		if s, err := ParseString(p); err == nil && strings.Contains(s, "\x00") {
			t.Fatalf("got %q", s)
		}
		ParseWindow(p)
		ParseSignal(p)
		ParseBreak(p)
		ParseExitSignal(p)
		ParseExitStatus(p)
	})
}
