//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/pty"
	"go.uber.org/goleak"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func shell(script string) *program {
	return &program{path: "/bin/sh", argv: []string{"sh", "-c", script}, env: []string{"PATH=/usr/bin:/bin"}, dir: "/"}
}

// start runs p on pipes.
func start(t *testing.T, p *program, budget *atomic.Int32) *child {
	t.Helper()
	c, err := startPlain(p, budget)
	if err != nil {
		t.Fatal(err)
	}
	c.watch(nil)
	return c
}

func await(t *testing.T, c *child) status {
	t.Helper()
	select {
	case <-c.ended:
		return c.status
	case <-time.After(time.Minute):
		t.Fatal("the program does not end")
		return status{}
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
	if st := await(t, c); st != (status{code: 7}) {
		t.Errorf("%+v", st)
	}
}

func TestStartFailureLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	before := openFiles(t)
	if _, err := startPlain(&program{path: "/nonexistent", argv: []string{"x"}}, nil); !os.IsNotExist(err) {
		t.Error(err)
	}
	p, err := pty.Open()
	must(t, err)
	if _, err := startTerminal(&program{path: "/nonexistent", argv: []string{"x"}}, p); !os.IsNotExist(err) {
		t.Error(err)
	}
	if _, err := startPlain(&program{path: "/bin/sh", argv: []string{"x"}, plan: make([]byte, growTo+1)}, nil); err == nil {
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
			must(t, c.kill("KILL"))
			s.name = "KILL"
		}
		if st := await(t, c); st.signal != s.name {
			t.Errorf("%s: %+v", s.script, st)
		}
		if err := c.kill("TERM"); err != os.ErrProcessDone {
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
		if err := c.kill(n); err != errSignal {
			t.Errorf("%q: %v", n, err)
		}
	}
	must(t, c.kill("USR1"))
	out, err := io.ReadAll(c.out) // ends only when the sleep is gone too
	must(t, err)
	if string(out) != "caught\n" {
		t.Errorf("%q", out)
	}
	if st := await(t, c); st.code != 3 {
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
	if st := await(t, c); st.code != 5 {
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
	closeOnExec(3)
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
		c, err := startTerminal(shell(`trap '' HUP; sleep 1000 & yes | head -c 20000; echo; echo last; exit 9`), p)
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
		if st := await(t, c); st.code != 9 {
			t.Errorf("%+v", st)
		}
		if !bytes.HasSuffix(got, []byte("last\r\n")) || len(got) < 30_000 {
			t.Errorf("%d bytes, ending %q", len(got), got[max(0, len(got)-20):])
		}
		_ = syscall.Kill(-c.proc.Pid, syscall.SIGKILL) // the sleep
		c.close()
	}
}

func TestTerminalSink(t *testing.T) {
	p, err := pty.Open()
	must(t, err)
	c, err := startTerminal(shell(`stty -echo; echo ready; read x; echo "<$x>"`), p)
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

// The login process does its work and becomes the program.
func TestLoginProcess(t *testing.T) {
	home := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	must(t, os.WriteFile(filepath.Join(home, ".ssh/rc"), []byte("read c; echo rc $c $FROMFILE $PWD >&2\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(home, ".ssh/environment"), []byte("# x\n  FROMFILE=1\nbroken\nLATE=file\nOTHER=1\n"), 0o600))
	p := plan{
		shell: "/bin/sh", argv: []string{"sh", "-c", `echo $0 $FROMFILE $LATE "$OTHER" $PWD; ls /proc/self/fd | wc -l`},
		early: environment{"PATH=/usr/bin:/bin", "EARLY=1"}, late: environment{"LATE=late"},
		envFile: "FROM*,LATE", home: home, text: "Welcome\n", rc: true, sysRC: true, x11: "MIT-MAGIC-COOKIE-1 00ff",
	}
	if p.direct() {
		t.Error("nothing to do?")
	}
	c := start(t, &program{path: self(), argv: []string{"sshd", loginWord}, env: []string{}, dir: "/", plan: p.marshal()}, nil)
	defer c.close()
	c.in.Close()
	out, err := io.ReadAll(c.out)
	must(t, err)
	errs, _ := io.ReadAll(c.err)
	if want := "Welcome\nsh 1 late  " + home + "\n4\n"; string(out) != want {
		t.Errorf("out %q, want %q", out, want)
	}
	if want := "Bad line 3 in " + home + "/.ssh/environment\nrc MIT-MAGIC-COOKIE-1 00ff 1 " + home + "\n"; string(errs) != want {
		t.Errorf("err %q, want %q", errs, want)
	}
	if st := await(t, c); st.code != 0 {
		t.Errorf("%+v", st)
	}
}

func TestPlanSurvives(t *testing.T) {
	p := plan{shell: "/bin/sh", argv: []string{"-sh"}, early: environment{"A=1"}, late: environment{"B=2", "C=3"}, envFile: "*",
		home: "/h", text: "x", motd: true, nologin: true, user: "u", rc: true, sysRC: true, x11: "a b", xauth: "/x", authDisplay: "unix:10.0"}
	var q plan
	must(t, q.unmarshal(p.marshal()))
	if string(q.marshal()) != string(p.marshal()) || q.late[1] != "C=3" || !q.sysRC {
		t.Errorf("%+v", q)
	}
	for i := range p.marshal() {
		if q.unmarshal(p.marshal()[:i]) == nil {
			t.Errorf("cut at %d is taken", i)
		}
	}
}

func TestDirect(t *testing.T) {
	home := t.TempDir()
	p := plan{home: home, rc: true, envFile: "*"}
	if !p.direct() {
		t.Error("an empty home needs a process")
	}
	p.home = filepath.Join(home, "missing")
	if p.direct() {
		t.Error("a missing home needs its message")
	}
}

func TestNoHome(t *testing.T) {
	p := plan{shell: "/bin/sh", argv: []string{"sh", "-c", "pwd"}, home: "/nonexistent"}
	c := start(t, &program{path: self(), argv: []string{"sshd", loginWord}, env: []string{}, dir: "/", plan: p.marshal()}, nil)
	defer c.close()
	out, _ := io.ReadAll(c.out)
	errs, _ := io.ReadAll(c.err)
	if string(out) != "/\n" || string(errs) != "Could not chdir to home directory /nonexistent: No such file or directory\n" {
		t.Errorf("%q %q", out, errs)
	}
	p.shell = "/nonexistent/sh"
	c2 := start(t, &program{path: self(), argv: []string{"sshd", loginWord}, env: []string{}, dir: "/", plan: p.marshal()}, nil)
	defer c2.close()
	errs, _ = io.ReadAll(c2.err)
	if !strings.HasSuffix(string(errs), "/nonexistent/sh: No such file or directory\n") {
		t.Errorf("%q", errs)
	}
	if st := await(t, c2); st.code != 1 {
		t.Errorf("%+v", st)
	}
}
