package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// The stock sftp(1) and scp(1) move files through each client and each server,
// with the built-in file server of ours and with sftp-server as a program.
func TestSFTP(t *testing.T) {
	for _, name := range []string{"sftp", "scp"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name)
		}
	}
	l := newLab(t)
	program := l.w.Path("sftp-server")
	if err := os.Symlink(l.daemon.Program(l.w), program); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	for _, d := range []struct{ name, daemon, subsystem string }{
		{"nacre", l.daemon.Name, "internal-sftp"},
		{"nacre", l.daemon.Name, program + " -l VERBOSE"},
		{"openssh", "openssh", program},
	} {
		t.Run(d.name, func(t *testing.T) {
			s := l.start(t, rig.DaemonByName(d.daemon), rig.ServerOptions{Config: []string{"Subsystem sftp " + d.subsystem}})
			for _, tool := range []string{"openssh", "openssh10", l.client.Name} {
				t.Run(tool, func(t *testing.T) {
					tool := rig.ToolByName(tool)
					if tool.Program(l.w) == "" {
						missing(t, tool.Name)
					}
					l.moveFiles(t, tool, s)
				})
			}
		})
	}
}

// moveFiles runs sftp and scp over one client and one server.
func (l *lab) moveFiles(t *testing.T, tool *rig.Tool, s *rig.Server) {
	cmd, err := l.w.Command(tool, &rig.Request{Server: s, Command: "sftp", Options: []string{"SessionType=subsystem"}})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(l.w.Path(), "sftp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil { // the server's side may be another account
		t.Fatal(err)
	}
	// A program in the place of ssh that knows where to go.
	words := []string{"exec"}
	for _, a := range cmd.Args {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	ssh := filepath.Join(dir, "ssh")
	if err := os.WriteFile(ssh, []byte("#!/bin/sh\n"+strings.Join(words, " ")+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat(l.data, 2)
	if err := os.WriteFile(filepath.Join(dir, "src"), data, 0o640); err != nil {
		t.Fatal(err)
	}
	run := func(stdin, name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Stdin, c.Env = strings.NewReader(stdin), cmd.Env
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", name, err, out, words)
		}
	}
	run(fmt.Sprintf("lcd %s\nmkdir %[1]s/d\ncd %[1]s/d\nput src up\nget -p up %[1]s/down\nrename up moved\nls -l\ncp moved copied\nln -s copied link\nbye\n", dir),
		"sftp", "-b", "-", "-S", ssh, "host")
	run("", "scp", "-s", "-p", "-S", ssh, "host:"+dir+"/d/moved", dir+"/down2")
	run("", "scp", "-s", "-r", "-S", ssh, dir+"/d", "host:"+dir+"/e")
	for _, name := range []string{"d/moved", "d/copied", "down", "down2", "e/moved"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes of %d came through, %v", name, len(got), len(data), err)
		}
	}
}
