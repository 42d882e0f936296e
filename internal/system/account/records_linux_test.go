package account

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Where the fields are on machines of both kinds.
func TestUtmpLayout(t *testing.T) {
	u := &utmp{kind: userProcess, pid: 0x01020304, line: "pts/12", id: "s/12", user: strings.Repeat("u", 40), host: strings.Repeat("h", 300),
		time: time.Unix(0x11121314, 5000), addr: netip.MustParseAddr("::ffff:1.2.3.4")}
	e := binary.NativeEndian
	for _, c := range []struct {
		wide                       bool
		size, sec, micro, addr, tv int
	}{{false, 384, 340, 344, 348, 4}, {true, 400, 344, 352, 360, 8}} {
		b := u.encode(c.wide)
		if len(b) != c.size {
			t.Errorf("%d bytes", len(b))
		}
		sec, micro := uint64(e.Uint32(b[c.sec:])), uint64(e.Uint32(b[c.micro:]))
		if c.wide {
			sec, micro = e.Uint64(b[c.sec:]), e.Uint64(b[c.micro:])
		}
		if e.Uint16(b) != 7 || e.Uint32(b[4:]) != 0x01020304 || string(b[8:14]) != "pts/12" || string(b[40:44]) != "s/12" || sec != 0x11121314 || micro != 5 {
			t.Errorf("wide %v: % x", c.wide, b)
		}
		if string(b[44:76]) != strings.Repeat("u", 32) || string(b[76:332]) != strings.Repeat("h", 256) {
			t.Error("a full field has no terminator")
		}
		if !bytes.Equal(b[c.addr:c.addr+16], []byte{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) {
			t.Errorf("address % x", b[c.addr:c.addr+16])
		}
		if !bytes.Equal(b[c.addr+16:], make([]byte, c.size-c.addr-16)) {
			t.Error("what is unused is not empty")
		}
	}
	u.addr = netip.MustParseAddr("2001:db8::1")
	if b := u.encode(false); !bytes.Equal(b[348:364], u.addr.AsSlice()) {
		t.Error("address of version 6")
	}
	if b := (&utmp{}).encode(false); !bytes.Equal(b, make([]byte, 384)) {
		t.Error("no time is 0")
	}
	for _, c := range []struct{ line, id string }{{"pts/0", "ts/0"}, {"pts/12", "s/12"}, {"a", "a"}, {"", ""}} {
		if got := lineID(c.line); got != c.id {
			t.Errorf("%s: %s", c.line, got)
		}
	}
	if n, clock := lastSize(false); n != 292 || clock != 4 {
		t.Error(n, clock)
	}
	if n, clock := lastSize(true); n != 296 || clock != 8 {
		t.Error(n, clock)
	}
}

func records(t *testing.T) *Records {
	t.Helper()
	dir := t.TempDir()
	r := &Records{Utmp: dir + "/utmp", Wtmp: dir + "/wtmp", Lastlog: dir + "/lastlog", Btmp: dir + "/btmp"}
	for _, f := range []string{r.Utmp, r.Wtmp, r.Lastlog, r.Btmp} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// tool runs a program of the system that reads records.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("this machine lacks %s", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func holds(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// The system's own readers understand what is written, and a stale entry goes
// whatever happened to its owner (HST-9).
func TestRecordsAreRead(t *testing.T) {
	r := records(t)
	came := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ann := Entry{Line: "pts/3", User: "root", UID: 0, Host: "client.example", Addr: netip.MustParseAddr("192.0.2.7"), PID: os.Getpid(), Time: came}
	bob := Entry{Line: "pts/12", User: "daemon", UID: 1, Host: "2001:db8::1", Addr: netip.MustParseAddr("2001:db8::1"), PID: os.Getpid(), Time: came.Add(time.Minute)}
	for _, e := range []Entry{ann, bob} {
		if err := r.Login(e); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, tool(t, "who", r.Utmp), "root pts/3 Mar 4 05:06 (client.example)", "daemon pts/12 Mar 4 05:07 (2001:db8::1)")
	holds(t, tool(t, "who", "-u", r.Utmp), "pts/3")
	if err := r.Logout("pts/3", 99, came.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if out := tool(t, "who", r.Utmp); strings.Contains(out, "pts/3") {
		t.Errorf("still there\n%s", out)
	}
	if err := r.Logout("pts/3", 99, came.Add(time.Hour)); !errors.Is(err, ErrNoEntry) {
		t.Errorf("twice: %v", err)
	}
	holds(t, tool(t, "last", "-f", r.Wtmp, "-F", "-w"), "root pts/3 client.example Wed Mar 4 05:06:07 2026 - Wed Mar 4 06:06:07 2026 (01:00)", "daemon pts/12 2001:db8::1 Wed Mar 4 05:07:07 2026")
	holds(t, tool(t, "last", "-f", r.Wtmp, "-i"), "root pts/3 192.0.2.7")

	// A terminal that is used again takes the place of the last login on it.
	if err := r.Login(ann); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(r.Utmp); err != nil || st.Size() != 2*int64(utmpSize(wide())) {
		t.Errorf("%v %v", st.Size(), err)
	}
	if err := r.Failed("nobody there", "203.0.113.9", netip.MustParseAddr("203.0.113.9"), 42, came); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		holds(t, tool(t, "lastb", "-f", r.Btmp, "-w", "-i"), "nobody there ssh:notty 203.0.113.9 Wed Mar 4 05:06")
	}
	if at, host := r.LastLogin("daemon", 1); !at.Equal(bob.Time) || host != bob.Host {
		t.Error(at, host)
	}
	if at, _ := r.LastLogin("nobody", 65534); !at.IsZero() {
		t.Error(at)
	}
	if os.Getuid() != 0 {
		t.Skip("lastlog -R needs root")
	}
	root := t.TempDir()
	for _, d := range []string{"etc", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(r.Lastlog)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "var/log/lastlog"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nother:x:2:2::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	holds(t, tool(t, "lastlog", "-R", root), "root pts/3 client.example Wed Mar 4 05:06:07", "daemon pts/12 2001:db8::1 Wed Mar 4 05:07:07", "other **Never logged in**")
}

// A lastlog that is a directory has a file for every user.
func TestLastlogDirectory(t *testing.T) {
	r := &Records{Lastlog: t.TempDir()}
	now := time.Unix(1_700_000_000, 0)
	e := Entry{Line: "pts/1", User: "ann", UID: 7, Host: "h", Time: now}
	if err := r.Login(e); err != nil {
		t.Fatal(err)
	}
	if at, host := r.LastLogin("ann", 7); !at.Equal(now) || host != "h" {
		t.Error(at, host)
	}
	for _, bad := range []string{"../x", "..", ".", ""} {
		e.User = bad
		if r.Login(e) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What is not there is not made, and nobody but root may read what people typed.
func TestRecordsNotKept(t *testing.T) {
	var none *Records
	if err := errors.Join(none.Login(Entry{}), none.Logout("pts/1", 1, time.Now()), none.Failed("", "", netip.Addr{}, 1, time.Now()),
		(&Records{}).Login(Entry{}), (&Records{}).Logout("pts/1", 1, time.Now())); err != nil {
		t.Error(err)
	}
	r := records(t)
	for _, f := range []string{r.Utmp, r.Wtmp, r.Lastlog, r.Btmp} {
		os.Remove(f)
	}
	if err := r.Login(Entry{Line: "pts/1", User: "root"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := r.Failed("x", "", netip.Addr{}, 1, time.Now()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if d, _ := os.ReadDir(filepath.Dir(r.Utmp)); len(d) != 0 {
		t.Errorf("%v", d)
	}
	r = records(t)
	if err := os.Chmod(r.Btmp, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := r.Failed("x", "", netip.Addr{}, 1, time.Now()); !errors.Is(err, ErrExcess) || err.Error() != "Excess permission or bad ownership on file "+r.Btmp {
		t.Error(err)
	}
	if st, _ := os.Stat(r.Btmp); st.Size() != 0 {
		t.Error("written nevertheless")
	}
}

// Somebody who holds the lock for good does not hold the server up for good.
func TestRecordsLocked(t *testing.T) {
	r := records(t)
	f, err := os.OpenFile(r.Utmp, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	g, err := os.OpenFile(r.Utmp, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := lock(g, time.Millisecond); !errors.Is(err, unix.EAGAIN) {
		t.Error(err)
	}
}

func TestRecordHost(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
		want string
	}{{"host", 65, "host"}, {"host", 4, "host"}, {"host", 3, "1.2.3.4"}, {"host", 0, "1.2.3.4"}, {"", 65, "1.2.3.4"}} {
		if got := RecordHost(c.name, "1.2.3.4", c.most); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
