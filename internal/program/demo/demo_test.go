package demo

import (
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
)

// try runs the demonstration with in as standard input.
func try(t *testing.T, in string, args ...string) (out, errs string, status int) {
	t.Helper()
	dir := t.TempDir()
	file := func(content string) *os.File {
		f, err := os.CreateTemp(dir, "io")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := f.WriteString(content); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		return f
	}
	std := stdio.Stdio{In: file(in), Out: file(""), Err: file(""), Env: append(os.Environ(), "SHELL=/bin/sh"), Name: "demo"}
	status = Main(t.Context(), std, args)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return read(std.Out), read(std.Err), status
}

func TestCommand(t *testing.T) {
	defer goleak.VerifyNone(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	out, errs, status := try(t, "hello\n", "--", "cat; echo oops >&2; exit 7")
	if out != "hello\n" || !strings.Contains(errs, "oops\n") || status != 7 {
		t.Errorf("out %q, err %q, status %d", out, errs, status)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// A shell that reads its commands from a pipe.
func TestShell(t *testing.T) {
	defer goleak.VerifyNone(t)
	out, errs, status := try(t, "echo one\nexit 3\n")
	if out != "one\n" || status != 3 {
		t.Errorf("out %q, err %q, status %d", out, errs, status)
	}
}

func TestNoTerminalWithoutOne(t *testing.T) {
	out, _, status := try(t, "", "--", "test -t 0 && echo terminal || echo none")
	if out != "none\n" || status != 0 {
		t.Errorf("out %q, status %d", out, status)
	}
}

func TestUsage(t *testing.T) {
	if out, _, status := try(t, "", "--help"); status != 0 || !strings.HasPrefix(out, "usage:") {
		t.Errorf("--help: %q, %d", out, status)
	}
	if _, errs, status := try(t, "", "-x"); status != failure || !strings.Contains(errs, "no option -x") {
		t.Errorf("-x: %q, %d", errs, status)
	}
}
