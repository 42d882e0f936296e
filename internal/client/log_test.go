package client

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	l := NewLogger(&b, LevelDebug2, false)
	l.Info("plain %s", "text")
	l.Debug1("one")
	l.Debug2("two")
	l.Debug3("three")
	l.Error("bell \a, escape \x1b[31m, back \\, byte \xff, line\nnext\tcolumn %%d")
	want := "plain text\r\ndebug1: one\r\ndebug2: two\r\n" +
		`bell \007, escape \033[31m, back \\, byte \377, line` + "\nnext\tcolumn %%d\r\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	b.Reset()
	l.SetLevel(LevelQuiet)
	l.Fatal("not shown")
	l.SetLevel(LevelError)
	l.Info("not shown")
	if b.Len() > 0 {
		t.Errorf("a quiet logger wrote %q", b.String())
	}
	f := NewLogger(&b, LevelInfo, true)
	f.Info(`a\b`)
	if b.String() != "a\\b\r\n" {
		t.Errorf("in a file: %q", b.String())
	}
	b.Reset()
	f.Info("%s", strings.Repeat("x", MaxLogLine+1))
	if b.Len() != MaxLogLine+2 {
		t.Errorf("a long message is %d bytes", b.Len())
	}
	var none *Logger
	none.Error("nowhere")
	new(Logger).Error("nowhere")
	if LevelDebug3.String() != "DEBUG3" {
		t.Error("level names")
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n": "plain\ttext\n", "grün 雪": "grün 雪", "a\rb": `a\015b`, "\x1b[2J": `\033[2J`, "\x9b": `\233`, "\u009b": `\302\233`,
		"\u202e": `\342\200\256`, "x\xc3": `x\303`, "\xff\xfe": `\377\376`, "\a\b\x00\x7f": `\007\010\000\177`, "\u200b": `\342\200\213`,
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStrerror(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ECONNREFUSED, "Connection refused"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "No route to host"},
		{&net.DNSError{IsNotFound: true}, "Name or service not known"},
		{&net.DNSError{IsTemporary: true}, "Temporary failure in name resolution"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "No such file or directory"},
		{os.ErrDeadlineExceeded, "Connection timed out"},
		{errors.New("else"), "else"},
	} {
		if got := Strerror(c.err); got != c.want {
			t.Errorf("Strerror(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
