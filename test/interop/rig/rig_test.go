package rig

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	GoPrivate()
	os.Exit(m.Run())
}

// The rig itself: the machine's own ssh against its own sshd.
func TestStockAgainstStock(t *testing.T) {
	w, err := NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s, err := w.Start(DaemonByName("openssh"), ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	o, err := w.Run(t.Context(), ToolByName("openssh"), &Request{Server: s, Verbose: true, Command: "cat; id -un; echo oops >&2; exit 7"}, strings.NewReader("hello\n"))
	if err != nil {
		t.Fatal(err)
	}
	if string(o.Stdout) != "hello\n"+w.User+"\n" || string(o.Stderr) != "oops\n" || o.Code != 7 || !strings.Contains(o.Log, "Authenticated to") {
		t.Errorf("stdout %q, stderr %q, code %d\nclient: %s\nserver: %s", o.Stdout, o.Stderr, o.Code, o.Log, s.Log())
	}
}

// What a group ran is counted after it ended.
func TestGroup(t *testing.T) {
	g, err := NewGroup()
	if err != nil {
		t.Skip("peer lacks control groups: ", err)
	}
	defer g.Close()
	if err := g.Command("/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	if g.CPU() <= 0 {
		t.Errorf("CPU %v of a group that has worked", g.CPU())
	}
	if n := len(g.PIDs()); n != 0 {
		t.Errorf("%d processes in a group whose only one ended", n)
	}
}

// Every peer that is here can talk to the machine's own OpenSSH.
func TestPeersAgainstStock(t *testing.T) {
	w, err := NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stock, err := w.Start(DaemonByName("openssh"), ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stock.Stop()
	try := func(t *testing.T, tool *Tool, s *Server) {
		o, err := w.Run(t.Context(), tool, &Request{Server: s, Command: "cat; echo oops >&2; exit 7"}, strings.NewReader("hello\n"))
		if errors.Is(err, ErrNotHere) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(o.Stdout) != "hello\n" || !strings.Contains(string(o.Stderr), "oops\n") || o.Code != 7 {
			t.Errorf("%q\nstdout %q, stderr %q, code %d\nserver: %s", o.Argv, o.Stdout, o.Stderr, o.Code, tail(s.Log()))
		}
	}
	for _, tool := range Tools() {
		t.Run("client "+tool.Name, func(t *testing.T) { try(t, tool, stock) })
	}
	for _, d := range Daemons() {
		t.Run("server "+d.Name, func(t *testing.T) {
			s, err := w.Start(d, ServerOptions{})
			if errors.Is(err, ErrNotHere) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			try(t, ToolByName("openssh"), s)
		})
	}
}

// tail is the end of a log.
func tail(s string) string { return s[max(0, len(s)-2000):] }
