//go:build unix

package notify

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

func TestSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	env := func(string) string { return path }
	for _, tt := range []struct {
		states []string
		want   string
	}{
		{[]string{Ready}, `^READY=1$`},
		{[]string{Ready, MainPID(7)}, `^READY=1\nMAINPID=7$`},
		{[]string{Reloading}, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`},
		{[]string{Stopping}, `^STOPPING=1$`},
	} {
		if err := Send(env, tt.states...); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 256)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if err != nil || !regexp.MustCompile(tt.want).Match(b[:n]) {
			t.Errorf("got %q, %v", b[:n], err)
		}
	}
	// No manager, and one that is no socket.
	for _, p := range []string{"", "relative"} {
		if err := Send(func(string) string { return p }, Ready); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := Send(func(string) string { return path + "x" }, Ready); err == nil {
		t.Error("nobody listens and nobody is told")
	}
}

func TestFiles(t *testing.T) {
	env := func(pid, n string) func(string) string {
		return func(name string) string { return map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": n}[name] }
	}
	me := strconv.Itoa(os.Getpid())
	for _, tt := range [][2]string{{"", ""}, {"1", "1"}, {me, "0"}, {me, "-1"}, {me, "x"}, {"x", "1"}} {
		if l := Files(env(tt[0], tt[1])); l != nil {
			t.Errorf("%v gives %d", tt, len(l))
		}
	}
}
