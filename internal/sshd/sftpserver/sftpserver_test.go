package sftpserver

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sftp"
	"github.com/nacre-ssh/nacre/sshconfig"
)

func TestParse(t *testing.T) {
	o, exit := Parse("p", []string{"-eR", "-d", "~/%u", "-f", "local3", "-l", "verbose", "-u", "027", "-P", "stat,nonsense,open"})
	if exit != nil {
		t.Fatalf("%+v", exit)
	}
	want := Options{StartDir: "~/%u", Stderr: true, Facility: sshconfig.FacilityLocal3, Level: sshconfig.Verbose, ReadOnly: true, Umask: 0o27,
		Deny: sftp.OpSet(0).With(sftp.OpStat).With(sftp.OpOpen)}
	if *o != want {
		t.Errorf("%+v", *o)
	}
	o, _ = Parse("p", nil)
	if *o != (Options{Facility: sshconfig.FacilityAuth, Level: sshconfig.Error, Umask: -1}) {
		t.Errorf("%+v", *o)
	}
	o, _ = Parse("p", []string{"-p", "stat,read", "-P", "read"})
	for op := range sftp.Ops {
		if o.Deny.Has(op) != (op != sftp.OpStat) {
			t.Errorf("%s is denied: %v", op, o.Deny.Has(op))
		}
	}
}

// How many files a session may have open comes from how many descriptors the
// process may have (SFT-4).
func TestSFT04_Handles(t *testing.T) {
	for limit, want := range map[uint64]int{0: sftp.DefaultHandles, 1: fewest, reserve + fewest - 1: fewest, reserve + fewest: fewest, 1024: 1024 - reserve, most + reserve: most, most + reserve + 1: most, 1 << 63: most} {
		if got := handles(limit); got != want {
			t.Errorf("of %d descriptors %d files, want %d", limit, got, want)
		}
	}
}

func TestStartDir(t *testing.T) {
	s := &Session{Account: &account.Account{Name: "ann", Home: "/home/ann"}, Database: &account.Database{}}
	for dir, want := range map[string]string{"/x": "/x", "~": "/home/ann/", "~/x": "/home/ann/x", "/srv/%u": "/srv/ann", "%d/up": "/home/ann/up", "/a%%b": "/a%b"} {
		if got, err := startDir(dir, s); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", dir, got, err, want)
		}
	}
	for _, dir := range []string{"~bob", "/%h", "/%"} {
		if got, err := startDir(dir, s); err == nil {
			t.Errorf("%q: %q", dir, got)
		}
	}
}

func TestClient(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1 1 192.0.2.2 22": "192.0.2.1", "::1 1 ::1 22": "::1"} {
		if got, err := Client(in, true); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	if got, err := Client("", false); err != nil || got != "" {
		t.Error(got, err)
	}
	if _, err := Client("", true); err == nil {
		t.Error("a variable without an address")
	}
}

// A session over any stream: its lines begin and end with whose it is, and its
// context ends it.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	o, _ := Parse("p", []string{"-l", "INFO", "-d", dir})
	var lines []string
	s := &Session{Account: &account.Account{Name: "ann", Home: "/home/ann"}, Database: &account.Database{}, Client: "192.0.2.9",
		Log: func(v sshconfig.LogLevel, line string) { lines = append(lines, v.String()+" "+line) }}
	in := (&sftp.Request{Op: sftp.OpInit, ID: 3}).Append(nil)
	in = (&sftp.Request{Op: sftp.OpMkdir, ID: 1, Path: "made\n"}).Append(in)
	var out bytes.Buffer
	if status := Serve(context.Background(), bytes.NewReader(in), &out, o, s); status != 0 {
		t.Error(status)
	}
	if got := strings.Join(lines, "|"); got != "INFO session opened for local user ann from [192.0.2.9]|INFO mkdir name \"made\n\" mode 0777|INFO session closed for local user ann from [192.0.2.9]" {
		t.Errorf("%q", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	defer w.Close()
	done := make(chan int, 1)
	go func() { done <- Serve(ctx, r, io.Discard, o, s) }()
	cancel()
	select {
	case status := <-done:
		if status != 0 {
			t.Error(status)
		}
	case <-time.After(time.Minute):
		t.Fatal("the session does not end with its context")
	}
}
