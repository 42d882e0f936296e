//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadUserFile(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	uid := uint32(os.Getuid())
	home := filepath.Join(top, "home")
	ssh := filepath.Join(home, ".ssh")
	file := filepath.Join(ssh, "authorized_keys")
	must(t, os.MkdirAll(ssh, 0o700))
	must(t, os.WriteFile(file, []byte("key"), 0o600))
	must(t, os.Symlink(ssh, filepath.Join(top, "link")))
	must(t, os.WriteFile(filepath.Join(top, "outside"), []byte("key"), 0o600))
	must(t, syscall.Mkfifo(filepath.Join(ssh, "fifo"), 0o600))
	chmod := func(path string, mode os.FileMode) func() {
		return func() { must(t, os.Chmod(path, mode)) }
	}
	for _, c := range []struct {
		name, path string
		uid        uint32
		lax        bool
		before     func()
		after      func()
		want       string // of the error; "" none
	}{
		{name: "good", path: file},
		{name: "another's", path: file, uid: 12345, want: "bad ownership or modes for file " + file},
		{name: "through a link", path: filepath.Join(top, "link/authorized_keys")},
		{name: "missing", path: filepath.Join(ssh, "none"), want: errNotThere.Error()},
		{name: "directory", path: ssh, want: "is not a regular file"},
		{name: "fifo", path: filepath.Join(ssh, "fifo"), want: "is not a regular file"},
		{name: "fifo, lax", path: filepath.Join(ssh, "fifo"), lax: true, want: "is not a regular file"},
		{name: "group may write the file", path: file, before: chmod(file, 0o660), after: chmod(file, 0o600), want: "bad ownership or modes for file " + file},
		{name: "everybody may read it", path: file, before: chmod(file, 0o444), after: chmod(file, 0o600)},
		{name: "others may write .ssh", path: file, before: chmod(ssh, 0o702), after: chmod(ssh, 0o700), want: "bad ownership or modes for directory " + ssh},
		{name: "the same through a link", path: filepath.Join(top, "link/authorized_keys"), before: chmod(ssh, 0o702), after: chmod(ssh, 0o700), want: "bad ownership or modes for directory " + ssh},
		{name: "group may write home", path: file, before: chmod(home, 0o770), after: chmod(home, 0o700), want: "bad ownership or modes for directory " + home},
		{name: "the same, lax", path: file, lax: true, before: chmod(home, 0o770), after: chmod(home, 0o700)},
		{name: "above home nobody looks", path: file, before: chmod(top, 0o777), after: chmod(top, 0o700)},
		{name: "sticky does not help", path: filepath.Join(top, "outside"), before: chmod(top, 0o777|os.ModeSticky), after: chmod(top, 0o700), want: "bad ownership or modes for directory " + top},
	} {
		if c.uid == 0 {
			c.uid = uid
		} else if uid == 0 {
			continue // root's files are everybody's
		}
		if c.before != nil {
			c.before()
		}
		b, err := readUserFile(c.path, c.uid, home, !c.lax)
		if c.after != nil {
			c.after()
		}
		switch {
		case c.want == "" && (err != nil || string(b) != "key"):
			t.Errorf("%s: %q, %v", c.name, b, err)
		case c.want != "" && (err == nil || err.Error() != c.want):
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	big := filepath.Join(ssh, "big")
	must(t, os.WriteFile(big, []byte(strings.Repeat("x", MaxUserFile)), 0o600))
	if b, err := readUserFile(big, uid, home, true); len(b) != MaxUserFile || err != nil {
		t.Error(len(b), err)
	}
	must(t, os.WriteFile(big, []byte(strings.Repeat("x", MaxUserFile+1)), 0o600))
	if _, err := readUserFile(big, uid, home, true); err == nil {
		t.Error("a file beyond the limit is taken")
	}
}

func TestSecureProgram(t *testing.T) {
	if err := secureProgram("/bin/sh"); err != nil {
		t.Error(err)
	}
	var bad *insecureError
	for _, p := range []string{"sh", "/nonexistent/x", "/", filepath.Join(t.TempDir(), "x")} {
		if err := secureProgram(p); !errors.As(err, &bad) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
