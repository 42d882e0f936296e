//go:build linux || darwin || freebsd || openbsd

package pty

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStartIsSessionLeaderOnTheTerminal(t *testing.T) {
	p, err := Open()
	must(t, err)
	m := rawio.NewFile(p.Master)
	defer m.Close()
	must(t, p.SetSize(tty.Size{Columns: 132, Rows: 50, Width: 1, Height: 70_000}))
	if s, err := p.Size(); err != nil || s != (tty.Size{Columns: 132, Rows: 50, Width: 1, Height: 65535}) {
		t.Errorf("size %+v, %v", s, err)
	}
	// OPOST off, ECHO off, VINTR = ^X
	unknown, err := p.Apply([]byte{70, 0, 0, 0, 0, 53, 0, 0, 0, 0, 1, 0, 0, 0, 24, 159, 0, 0, 0, 1, 0})
	must(t, err)
	if string(unknown) != "\x9f" {
		t.Errorf("unknown %v", unknown)
	}
	if lines, echo, err := p.Modes(); !lines || echo || err != nil {
		t.Error(lines, echo, err)
	}
	_ = p.Break()
	proc, err := p.Start("/bin/sh", []string{"-sh", "-c", `tty; echo $0; stty size; stty -a | tr ';' '\n' | grep intr; ps -o pid=,pgid=,sid=,tpgid= -p $$ | awk '$1==$2 && $2==$3 && $3==$4 {print "leader"}'; echo out; echo err >&2; read x; echo got $x; exit 7`},
		&os.ProcAttr{Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/"})
	must(t, err)
	_, err = m.Write([]byte("typed\n"))
	must(t, err)
	out, err := io.ReadAll(m)
	must(t, err) // EIO is the end
	st, err := proc.Wait()
	must(t, err)
	if st.ExitCode() != 7 {
		t.Errorf("status %v", st)
	}
	got := string(out)
	for _, want := range []string{p.Name + "\n", "-sh\n", "50 132\n", "intr = ^X", "leader\n", "out\n", "err\n", "got typed\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestCloseHangsUp(t *testing.T) {
	p, err := Open()
	must(t, err)
	proc, err := p.Start("/bin/sh", []string{"sh", "-c", "echo ready; exec cat"}, &os.ProcAttr{})
	must(t, err)
	b := make([]byte, 100)
	_, err = p.Master.Read(b)
	must(t, err)
	must(t, p.Close())
	st, err := proc.Wait()
	must(t, err)
	if st.Success() {
		t.Errorf("status %v", st)
	}
	if err := p.SetSize(tty.Size{Columns: 1}); err == nil {
		t.Error("size of a closed terminal")
	}
}

func TestStartFails(t *testing.T) {
	p, err := Open()
	must(t, err)
	defer p.Close()
	if _, err := p.Start("/nonexistent", []string{"x"}, &os.ProcAttr{}); !os.IsNotExist(err) {
		t.Error(err)
	}
	if _, err := p.Slave.Stat(); err == nil {
		t.Error("the slave is still open")
	}
}

func TestSetOwner(t *testing.T) {
	p, err := Open()
	must(t, err)
	defer p.Close()
	must(t, p.SetOwner(uint32(os.Getuid()), uint32(os.Getgid()), 0o600))
	st, err := p.Slave.Stat()
	must(t, err)
	if st.Mode().Perm() != 0o600 {
		t.Error(st.Mode())
	}
	must(t, p.SetOwner(uint32(os.Getuid()), uint32(os.Getgid()), 0o600))
}
