//go:build unix

package fdpass

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestPass: descriptors come in order, one a byte, and what is written behind
// them stays where it is.
func TestPass(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from, to := c.(*net.UnixConn), s.(*net.UnixConn)
	if uid, err := Peer(to); err == nil && int(uid) != os.Getuid() {
		t.Errorf("peer is %d", uid)
	}
	for _, text := range []string{"one", "two"} {
		name := filepath.Join(t.TempDir(), text)
		os.WriteFile(name, []byte(text), 0o600)
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := Send(from, int(f.Fd())); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	from.Write([]byte("x"))
	for _, text := range []string{"one", "two"} {
		fd, err := Receive(to)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), text)
		if got, _ := io.ReadAll(f); string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
		f.Close()
	}
	if fd, err := Receive(to); err == nil {
		t.Errorf("a byte alone gave descriptor %d", fd)
	}
	from.Close()
	if _, err := Receive(to); err == nil {
		t.Error("the end gave a descriptor")
	}
}
