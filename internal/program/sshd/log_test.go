//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/sshconfig"
)

func TestLogLines(t *testing.T) {
	var b lockedBuffer
	l := &logger{}
	l.toWriter(&b)
	l.level.Store(int32(sshconfig.Debug2))
	l.infof("plain %d", 1)
	l.errorf("bad")
	l.fatalf("worse")
	l.debugf("one")
	l.logf(sshconfig.Debug2, true, "two")
	l.logf(sshconfig.Debug3, true, "three")
	l.infof("user \x1b[2J\n\xc3\xa4\\x\t")
	l.infof("%s", strings.Repeat("x", maxLogLine+1))
	want := "plain 1\nbad\nworse\ndebug1: one\ndebug2: two [preauth]\nuser \\033[2J\\012\\303\\244\\\\x\t\n" + strings.Repeat("x", maxLogLine) + "\n"
	if got := b.String(); got != want {
		t.Errorf("%q", got)
	}
	if !strings.Contains(b.b.String(), "plain 1\r\n") {
		t.Error("lines end in CR LF")
	}
}

// datagrams is a syslog that fails once.
type datagrams struct {
	got  []string
	fail int
}

func (d *datagrams) Write(p []byte) (int, error) {
	if d.fail > 0 {
		d.fail--
		return 0, errors.New("gone")
	}
	d.got = append(d.got, string(p))
	return len(p), nil
}

func (d *datagrams) Close() error { return nil }

func TestSyslogLines(t *testing.T) {
	d := &datagrams{fail: 1}
	dialled := 0
	l := &logger{}
	l.toSyslog(int(sshconfig.FacilityAuth), "sshd")
	l.sys.dial = func() (io.WriteCloser, error) { dialled++; return d, nil }
	l.level.Store(int32(sshconfig.Debug1))
	l.emit(4242, sshconfig.Error, true, "some error")
	l.emit(4242, sshconfig.Fatal, false, "end")
	l.emit(4242, sshconfig.Info, false, "info")
	l.emit(4242, sshconfig.Verbose, false, "verbose")
	l.emit(4242, sshconfig.Debug1, false, "debug")
	want := []string{
		`^<35>\w{3} [ \d]\d \d\d:\d\d:\d\d sshd\[4242\]: error: some error \[preauth\]$`,
		`^<34>.* sshd\[4242\]: fatal: end$`,
		`^<38>.* sshd\[4242\]: info$`, `^<38>.* sshd\[4242\]: verbose$`, `^<39>.* sshd\[4242\]: debug1: debug$`,
	}
	if len(d.got) != len(want) || dialled != 2 {
		t.Fatalf("%q, dialled %d times", d.got, dialled)
	}
	for i, w := range want {
		if !regexp.MustCompile(w).MatchString(d.got[i]) {
			t.Errorf("%q does not match %s", d.got[i], w)
		}
	}
}

func TestLogFile(t *testing.T) {
	dir := t.TempDir()
	l := &logger{}
	l.level.Store(int32(sshconfig.Info))
	must(t, l.toFile(filepath.Join(dir, "%P-%p-%%"), "sshd"))
	l.infof("one")
	must(t, l.toFile(filepath.Join(dir, "%P-%p-%%"), "sshd")) // appends
	l.infof("two")
	b, err := os.ReadFile(filepath.Join(dir, "sshd-"+itoa(os.Getpid())+"-%"))
	if string(b) != "one\r\ntwo\r\n" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if !l.away() {
		t.Error("a file is away from the terminal")
	}
	for _, bad := range []string{"%x", "a%", "/nonexistent/x/y"} {
		if l.toFile(bad, "sshd") == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	l.file.Close()
}
