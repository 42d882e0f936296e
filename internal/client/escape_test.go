package client

import (
	"fmt"
	"strings"
	"testing"
)

// run feeds typed to e in pieces of n bytes and notes commands as <c>.
func run(e *Escape, typed string, n int) string {
	var b strings.Builder
	for len(typed) > 0 {
		rest := []byte(typed[:min(n, len(typed))])
		typed = typed[len(rest):]
		for len(rest) > 0 {
			data, command, behind := e.Next(rest)
			b.Write(data)
			if command != 0 {
				fmt.Fprintf(&b, "<%c>", command)
			}
			rest = behind
		}
	}
	return b.String()
}

func TestEscape(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"ls\r", "ls\r"},
		{"~.", "<.>"},
		{"\r~.", "\r<.>"},
		{"\n~?", "\n<?>"},
		{"x~.", "x~."},
		{"~~", "~"},
		{"~~.", "~."},
		{"~x", "~x"},
		{"~\r~.", "~\r<.>"},
		{"\r~B~B~v", "\r<B><B><v>"},
		{"\r~\x1a", "\r<\x1a>"},
		{"~#~&~R~C~I~V", "<#><&><R><C><I><V>"},
		{"a\r~", "a\r"},
		{"~~\r~~", "~\r~"},
	} {
		for n := 1; n <= len(c.typed); n++ {
			if got := run(NewEscape('~'), c.typed, n); got != c.want {
				t.Errorf("%q in pieces of %d: %q, want %q", c.typed, n, got, c.want)
			}
		}
	}
	if got := run(new(Escape), "\r~.", 9); got != "\r~." {
		t.Errorf("without an escape character: %q", got)
	}
	if got := run(NewEscape(1), "\r~.\r\x01.", 2); got != "\r~.\r<.>" {
		t.Errorf("^A as escape character: %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\r~.~~x", 3)
	f.Fuzz(func(t *testing.T, typed string, n int) {
		n = max(1, min(n, 100))
		if one, parts := run(NewEscape('~'), typed, len(typed)+1), run(NewEscape('~'), typed, n); one != parts {
			t.Errorf("%q in pieces of %d: %q, whole: %q", typed, n, parts, one)
		}
	})
}

func TestEscapeHelp(t *testing.T) {
	want := strings.ReplaceAll(`~?
Supported escape sequences:
 ~.   - terminate connection (and any multiplexed sessions)
 ~B   - send a BREAK to the remote system
 ~C   - open a command line
 ~I   - show connection information
 ~R   - request rekey
 ~V/v - decrease/increase verbosity (LogLevel)
 ~^Z  - suspend ssh
 ~#   - list forwarded connections
 ~&   - background ssh (when waiting for connections to terminate)
 ~?   - this message
 ~~   - send the escape character by typing it twice
(Note that escapes are only recognized immediately after newline.)
`, "\n", "\r\n")
	if got := NewEscape('~').Help(true, false); got != want {
		t.Errorf("help\n%s\nwant\n%s", got, want)
	}
	mux := NewEscape('~').Help(true, true)
	for _, no := range []string{"~C", "~V", "~^Z", "~&", "multiplexed"} {
		if strings.Contains(mux, no) {
			t.Errorf("help of a session over another's connection shows %s", no)
		}
	}
	if !strings.Contains(mux, "terminate session") || strings.Contains(NewEscape('~').Help(false, false), "~C") {
		t.Error("help shows what there is not")
	}
}
