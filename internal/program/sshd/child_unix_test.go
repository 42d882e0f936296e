//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"go.uber.org/goleak"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func shell(script string) *login.Plan {
	return &login.Plan{Shell: "/bin/sh", Argv: []string{"sh", "-c", script}, Early: []string{"PATH=/usr/bin:/bin"}, Home: "/"}
}

// start runs p on pipes.
func start(t *testing.T, p *login.Plan, budget *atomic.Int32) *child {
	t.Helper()
	c, err := startPlain(p, nil, budget)
	if err != nil {
		t.Fatal(err)
	}
	c.watch(nil)
	return c
}

func await(t *testing.T, c *child) login.Status {
	t.Helper()
	select {
	case <-c.ended:
		return c.status
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
		return login.Status{}
	}
}

func TestPlain(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := start(t, shell(`read x; echo out $x; echo err >&2; ps -o pid=,sid=,pgid= -p $$ | awk '$1==$2 && $2==$3 {print "leader"}'; exit 7`), nil)
	defer c.close()
	_, err := c.in.Write([]byte("hello\n"))
	must(t, err)
	must(t, c.in.CloseWrite())
	errs := make(chan string)
	go func() { b, _ := io.ReadAll(c.err); errs <- string(b) }()
	out, err := io.ReadAll(c.out)
	must(t, err)
	if string(out) != "out hello\nleader\n" || <-errs != "err\n" {
		t.Errorf("%q", out)
	}
	if st := await(t, c); st != (login.Status{Code: 7}) {
		t.Errorf("%+v", st)
	}
}

func TestStartFailureLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	before := openFiles(t)
	if _, err := startPlain(&login.Plan{Shell: "/nonexistent", Argv: []string{"x"}, Home: "/"}, nil, nil); !os.IsNotExist(err) {
		t.Error(err)
	}
	p, err := pty.Open()
	must(t, err)
	if _, err := startTerminal(&login.Plan{Shell: "/nonexistent", Argv: []string{"x"}, Home: "/"}, nil, p); !os.IsNotExist(err) {
		t.Error(err)
	}
	if _, err := startPlain(&login.Plan{Shell: "/bin/sh", Argv: []string{"x"}, Text: strings.Repeat("x", login.MaxPlan)}, nil, nil); err == nil {
		t.Error("a plan beyond all bounds was taken")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	d, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(d)
}

func TestSignals(t *testing.T) {
	for _, s := range []struct{ script, name string }{
		{"kill -TERM $$", "TERM"}, {"kill -SEGV $$", "SEGV"}, {"kill -STOP $$; exit 0", ""}, {"kill -XCPU $$", "SIG@openssh.com"},
	} {
		c := start(t, shell(s.script), nil)
		if s.name == "" {
			must(t, c.proc.Signal("KILL"))
			s.name = "KILL"
		}
		if st := await(t, c); st.Signal != s.name {
			t.Errorf("%s: %+v", s.script, st)
		}
		if err := c.proc.Signal("TERM"); err != os.ErrProcessDone {
			t.Errorf("signal to a number that is free: %v", err)
		}
		c.close()
	}
	// The whole group gets it, and not just any.
	c := start(t, shell(`sleep 1000 & trap 'echo caught; exit 3' USR1; echo ready; wait`), nil)
	defer c.close()
	b := make([]byte, 6)
	_, err := io.ReadFull(c.out, b)
	must(t, err)
	for _, n := range []string{"STOP", "CHLD", "SEGV", "", "term"} {
		if err := c.proc.Signal(n); err != login.ErrSignal {
			t.Errorf("%q: %v", n, err)
		}
	}
	must(t, c.proc.Signal("USR1"))
	out, err := io.ReadAll(c.out) // ends only when the sleep is gone too
	must(t, err)
	if string(out) != "caught\n" {
		t.Errorf("%q", out)
	}
	if st := await(t, c); st.Code != 3 {
		t.Errorf("%+v", st)
	}
}

func TestSignalsAreDefault(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	c := start(t, shell(`exec grep -E '^Sig(Blk|Ign)' /proc/self/status`), nil)
	defer c.close()
	out, err := io.ReadAll(c.out)
	must(t, err)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		set, err := strconv.ParseUint(f[1], 16, 64)
		must(t, err)
		// 32 and up are the C library's own: whoever started this test may have
		// left them ignored, and no program minds.
		if set&(1<<31-1) != 0 {
			t.Errorf("%q", line)
		}
	}
}

// A program that closes its output early still has a status.
func TestEarlyEnd(t *testing.T) {
	c := start(t, shell(`exec >&- 2>&-; read x; exit 5`), nil)
	defer c.close()
	for _, f := range []io.Reader{c.out, c.err} {
		if b, err := io.ReadAll(f); len(b) != 0 || err != nil {
			t.Error(b, err)
		}
	}
	c.in.Close()
	if st := await(t, c); st.Code != 5 {
		t.Errorf("%+v", st)
	}
}

func TestNoDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc")
	}
	f, err := os.Open("/")
	must(t, err)
	defer f.Close()
	d, err := syscall.Dup(int(f.Fd())) // as inherited from our parent: no close-on-exec
	must(t, err)
	defer syscall.Close(d)
	login.CloseOnExec(3)
	c := start(t, shell(`ls /proc/self/fd | tr '\n' ' '`), nil)
	defer c.close()
	out, err := io.ReadAll(c.out)
	must(t, err)
	if string(out) != "0 1 2 3 " { // 3 is the directory
		t.Errorf("%q", out)
	}
}

// What a terminal holds is read to its end although a background program keeps
// it open.
func TestTerminalEndsWithItsProgram(t *testing.T) {
	defer goleak.VerifyNone(t)
	for range 20 {
		p, err := pty.Open()
		must(t, err)
		c, err := startTerminal(shell(`trap '' HUP; sleep 1000 & yes | head -c 20000; echo; echo last; exit 9`), nil, p)
		must(t, err)
		c.watch(nil)
		o := output{c, c.out}
		var got []byte
		b := make([]byte, 1000)
		for {
			must(t, o.WaitRead())
			n, err := o.Readv([][]byte{b})
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
			must(t, err)
		}
		if st := await(t, c); st.Code != 9 {
			t.Errorf("%+v", st)
		}
		if !bytes.HasSuffix(got, []byte("last\r\n")) || len(got) < 30_000 {
			t.Errorf("%d bytes, ending %q", len(got), got[max(0, len(got)-20):])
		}
		_ = syscall.Kill(-c.proc.Pid(), syscall.SIGKILL) // the sleep
		c.close()
	}
}

func TestTerminalSink(t *testing.T) {
	p, err := pty.Open()
	must(t, err)
	c, err := startTerminal(shell(`stty -echo; echo ready; read x; echo "<$x>"`), nil, p)
	must(t, err)
	c.watch(nil)
	defer c.close()
	o := output{c, c.out}
	read := func(until string) string {
		var got []byte
		b := make([]byte, 100)
		for !bytes.HasSuffix(got, []byte(until)) {
			n, err := o.Readv([][]byte{b})
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
		}
		return string(got)
	}
	read("ready\r\n")
	must(t, c.in.CloseWrite()) // the client's EOF does not close a terminal
	_, err = c.in.TryWritev([][]byte{[]byte("se"), []byte("cret\n")})
	must(t, err)
	if got := read("\r\n"); got != "<secret>\r\n" {
		t.Errorf("%q", got)
	}
	await(t, c)
}

func TestBudget(t *testing.T) {
	budget := new(atomic.Int32)
	budget.Store(1)
	c := start(t, shell(`head -c 1000000 /dev/zero`), budget)
	defer c.close()
	n, err := io.Copy(io.Discard, c.out)
	if n != 1_000_000 || err != nil {
		t.Error(n, err)
	}
	if budget.Load() != 0 {
		t.Errorf("%d left", budget.Load())
	}
	await(t, c)
}
