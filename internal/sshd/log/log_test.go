package log

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

func logger(t *testing.T, c Config) *Logger {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A line in front of a person: no word for its importance but that of debug
// lines, CR LF, and nothing of a stranger that a terminal would obey (HST-16).
func TestLines(t *testing.T) {
	var b bytes.Buffer
	l := logger(t, Config{Level: sshconfig.Debug2, Output: &b})
	l.Infof("plain %d", 1)
	l.Infof("100%% of %s is formatted only with arguments", "it")
	l.Errorf("bad")
	l.Fatalf("worse")
	l.Debugf("one")
	l.For(7).Pref(sshconfig.Debug2, "two")
	l.For(7).Logf(sshconfig.Debug3, "three")
	l.Infof("user \x1b[2J\n\xc3\xa4\\x\t")
	l.Infof("%s", strings.Repeat("x", MaxLine))
	l.Infof("%s", strings.Repeat("x", MaxLine+1))
	long := strings.Repeat("x", MaxLine) + "\r\n"
	want := "plain 1\r\n100% of it is formatted only with arguments\r\nbad\r\nworse\r\ndebug1: one\r\ndebug2: two [preauth]\r\n" +
		"user \\033[2J\\012\\303\\244\\\\x\t\r\n" + long + long
	if got := b.String(); got != want {
		t.Errorf("%q", got)
	}
	if l.Away() {
		t.Error("an output is for those who watch")
	}
}

// The zero value and a missing one write nothing and do not fail.
func TestNothing(t *testing.T) {
	(&Logger{}).Infof("x")
	var l *Logger
	l.Infof("x")
	var x *Lines
	x.Logf(sshconfig.Fatal, "x")
}

// A connection has a level of its own, and one number for all it says.
func TestLevels(t *testing.T) {
	var got []Record
	l := logger(t, Config{Level: sshconfig.Info, Forward: func(r Record) { got = append(got, r) }})
	x := l.For(4242)
	x.Logf(sshconfig.Verbose, "no")
	x.SetLevel(sshconfig.Debug3)
	x.Pref(sshconfig.Debug3, "yes %s", "\x1b")
	l.Debugf("no")
	l.SetLevel(sshconfig.Quiet)
	l.Fatalf("no")
	if len(got) != 1 || got[0] != (Record{4242, sshconfig.Debug3, true, "yes \x1b"}) {
		t.Errorf("%+v", got)
	}
}

// system is a socket as the system's log or the journal has one.
func system(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 16<<10)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c := system(t, path)
	l := logger(t, Config{Level: sshconfig.Debug1, Facility: sshconfig.FacilityAuth, SyslogSocket: path})
	if !l.Away() {
		t.Error("the system's log is away")
	}
	x := l.For(4242)
	x.Pref(sshconfig.Error, "some error")
	x.Logf(sshconfig.Fatal, "end")
	x.Logf(sshconfig.Info, "info\n\x1b\t\xff\\")
	x.Logf(sshconfig.Verbose, "verbose")
	x.Logf(sshconfig.Debug1, "debug")
	for _, w := range []string{
		`^<35>\w{3} [ \d]\d \d\d:\d\d:\d\d sshd\[4242\]: error: some error \[preauth\]$`,
		`^<34>.* sshd\[4242\]: fatal: end$`,
		`^<38>.* sshd\[4242\]: info\\n\\033\\t\\377\\\\$`, `^<38>.* sshd\[4242\]: verbose$`, `^<39>.* sshd\[4242\]: debug1: debug$`,
	} {
		if got := receive(t, c); !regexp.MustCompile(w).MatchString(got) {
			t.Errorf("%q does not match %s", got, w)
		}
	}
	// A log that is started anew is found again; what was lost is told of.
	c.Close()
	os.Remove(path)
	l.Infof("lost")
	l.Infof("lost too")
	c = system(t, path)
	l.Infof("back")
	if got := receive(t, c); !strings.HasSuffix(got, "error: 2 lines of the log were lost") {
		t.Errorf("%q", got)
	}
	if got := receive(t, c); !strings.HasSuffix(got, "sshd["+strconv.Itoa(os.Getpid())+"]: back") {
		t.Errorf("%q", got)
	}
}

// A log that takes nothing delays its writers for a moment only, and a server
// whose log is full goes on (HST-16).
func TestFullSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	system(t, path) // reads nothing
	l := logger(t, Config{Level: sshconfig.Info, SyslogSocket: path})
	done := make(chan bool)
	go func() {
		for i := 0; ; i++ {
			l.Infof("line %d", i)
			l.mu.Lock()
			lost := l.lost
			l.mu.Unlock()
			if lost > 0 {
				break
			}
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("writers wait for good")
	}
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	journal, sys := filepath.Join(dir, "socket"), filepath.Join(dir, "log")
	c := system(t, sys)
	l := logger(t, Config{Level: sshconfig.Info, Facility: sshconfig.FacilityAuth, Format: sshconfig.LogJournal, SyslogSocket: sys, JournalSocket: journal})
	l.For(9).Logf(sshconfig.Info, "there is none")
	if got := receive(t, c); !strings.HasSuffix(got, "sshd[9]: there is none") {
		t.Errorf("%q", got)
	}
	j := system(t, journal)
	l.For(9).Pref(sshconfig.Error, "field\nMESSAGE=x")
	want := "PRIORITY=3\nSYSLOG_FACILITY=4\nSYSLOG_IDENTIFIER=sshd\nSYSLOG_PID=9\nMESSAGE=error: field\\nMESSAGE=x [preauth]\n"
	if got := receive(t, j); got != want {
		t.Errorf("%q", got)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	l := logger(t, Config{Level: sshconfig.Info, Format: sshconfig.LogJSON, Output: &b})
	l.For(9).Pref(sshconfig.Verbose, "no")
	l.For(9).Pref(sshconfig.Fatal, "bad \"name\"\x1b\n%s", "\u202e")
	var v struct {
		Time    time.Time
		Level   string
		Msg     string
		Ident   string
		PID     int64
		Preauth bool
	}
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatalf("%v: %q", err, b.String())
	}
	if v.Level != "FATAL" || v.Msg != `bad "name"\033\012\342\200\256` || v.Ident != "sshd" || v.PID != 9 || !v.Preauth || v.Time.IsZero() {
		t.Errorf("%+v", v)
	}
	if n := bytes.Count(b.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path, err := ExpandName(filepath.Join(dir, "%P-%p-%%"), "sshd")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Level: sshconfig.Info, File: path}
	l := logger(t, c)
	l.Infof("one")
	l.Errorf("two")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Configure(c); err != nil {
		t.Fatal(err)
	}
	l.Infof("three")
	for name, want := range map[string]string{path + ".1": "one\r\ntwo\r\n", path: "three\r\n"} {
		if b, err := os.ReadFile(name); string(b) != want || err != nil {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if path != filepath.Join(dir, "sshd-"+strconv.Itoa(os.Getpid())+"-%") {
		t.Error(path)
	}
	if !l.Away() {
		t.Error("a file is away from the terminal")
	}
	for _, bad := range []string{"%x", "a%"} {
		if _, err := ExpandName(bad, "sshd"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := New(Config{File: "/nonexistent/x/y"}); err == nil || err.Error() != "Couldn't open logfile /nonexistent/x/y: No such file or directory" {
		t.Error(err)
	}
	if l.Configure(Config{File: "/nonexistent/x/y"}) == nil {
		t.Error("a file that cannot be")
	}
	l.Infof("still there")
	if b, _ := os.ReadFile(path); string(b) != "three\r\nstill there\r\n" {
		t.Errorf("%q", b)
	}
}

type speaker struct{ l *Logger }

func (s speaker) say() { s.l.Debugf("said") }

// LogVerbose names places whose lines are written whatever their level.
func TestVerbose(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{"log_test.go:say():*", true}, {"*:say():*", true}, {"*:Say():*", false}, {"log_test.go:*", true},
		{"other.go:*", false}, {"!log_test.go:*,*", false}, {"*(bin=sshd*", true},
	} {
		var b bytes.Buffer
		l := logger(t, Config{Level: sshconfig.Info, Verbose: []string{"nothing", c.pattern}, Output: &b})
		speaker{l}.say()
		if got := regexp.MustCompile(`^debug1: log_test\.go:say\(\):\d+ \(bin=sshd, pid=\d+\): said\r\n$`).MatchString(b.String()); got != c.want {
			t.Errorf("%s: %q", c.pattern, b.String())
		}
	}
	var b bytes.Buffer
	x := logger(t, Config{Level: sshconfig.Info, Output: &b}).For(1)
	x.Logf(sshconfig.Debug1, "no")
	x.SetVerbose([]string{"*:TestVerbose():*"})
	x.Logf(sshconfig.Debug1, "yes")
	func() { x.Logf(sshconfig.Debug1, "in a literal") }()
	if got := b.String(); strings.Contains(got, "no") || !strings.Contains(got, "yes") || !strings.Contains(got, "in a literal") {
		t.Errorf("%q", got)
	}
}

// What another room says is bounded, and is about its own connection.
func TestRelay(t *testing.T) {
	var got []Record
	x := logger(t, Config{Level: sshconfig.Info, Forward: func(r Record) { got = append(got, r) }}).For(5)
	now := time.Unix(1000, 0)
	for _, bad := range []sshconfig.LogLevel{sshconfig.Quiet, sshconfig.Verbose, sshconfig.Debug3 + 1, -1} {
		x.Relay(Record{Level: bad, Text: "no"}, now)
	}
	for range RelayBurst + 3 {
		x.Relay(Record{Number: 1, Level: sshconfig.Info, Text: strings.Repeat("x", MaxLine+1)}, now)
	}
	if len(got) != RelayBurst || got[0].Number != 5 || len(got[0].Text) != MaxLine {
		t.Errorf("%d lines, %+v", len(got), got[0])
	}
	got = nil
	x.Relay(Record{Level: sshconfig.Info, Text: "later"}, now.Add(time.Second))
	if len(got) != 2 || got[0].Text != "3 lines of this connection were left out" || got[1].Text != "later" {
		t.Errorf("%+v", got)
	}
}
