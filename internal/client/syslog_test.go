package client

import (
	"bytes"
	"net"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nacre-ssh/nacre/sshconfig"
)

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Skip("peer lacks sockets of datagrams: ", err)
	}
	defer c.Close()
	l := NewLogger(nil, LevelDebug1, false)
	l.UseSyslog("ssh", sshconfig.FacilityLocal1)
	l.sys.path = path
	buf := make([]byte, 1024)
	for want, say := range map[string]func(){
		`^<139>\w+ .. ..:..:.. ssh\[\d+\]: error: no\\033 good$`: func() { l.Error("no\x1b good") },
		`^<142>.* ssh\[\d+\]: said$`:                             func() { l.Info("said") },
		`^<143>.* ssh\[\d+\]: debug1: more$`:                     func() { l.Debug1("more") },
		`^<138>.* ssh\[\d+\]: fatal: end$`:                       func() { l.Fatal("end") },
	} {
		say()
		n, _, err := c.ReadFrom(buf)
		if err != nil || !regexp.MustCompile(want).Match(buf[:n]) {
			t.Errorf("%q, %v; want %s", buf[:n], err, want)
		}
	}
	if !l.ToFile() || !l.ToSyslog() {
		t.Error("says that it writes to standard error")
	}
	l.sys = &syslog{path: path + "-none"}
	l.Error("lost") // no harm
}

// TestLogVerbose: the places that a pattern names are heard at any level.
func TestLogVerbose(t *testing.T) {
	var b bytes.Buffer
	l := NewLogger(&b, LevelInfo, true)
	l.Debug3("one")
	l.SetVerbose([]string{"other.go:*", "syslog_test.go:TestLogVerbose():*"})
	l.Debug3("two")
	func() { l.Debug3("three") }()
	if got := b.String(); !regexp.MustCompile(`^debug3: syslog_test\.go:TestLogVerbose\(\):\d+: two\r\n$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}
