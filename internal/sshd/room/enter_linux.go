package room

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/sandbox"
	"golang.org/x/sys/unix"
)

// Enter locks this process up, all its threads, for good. It is called before
// the room has read anything. An error means that the room must not serve.
func Enter(o Options) error {
	if o.UID == 0 || o.GID == 0 {
		return errors.New("room: strangers are not served as root")
	}
	status, err := os.Open("/proc/self/status") // the last file that this process opens
	if err != nil {
		return fmt.Errorf("room: %w", err)
	}
	defer status.Close()
	if err := leaveRoot(o); err != nil {
		return err
	}
	if err := noWayBack(o); err != nil {
		return err
	}
	l := sandbox.Limits{Memory: o.Memory, Files: o.Files, NoLandlock: o.WithoutLandlock}
	if l.Memory == 0 {
		l.Memory = DefaultMemory
	}
	if l.Files == 0 {
		l.Files = DefaultFiles
	}
	if err := sandbox.Enter(l); err != nil {
		return fmt.Errorf("room: %w", err)
	}
	return confirm(status, o)
}

// leaveRoot takes the empty folder for a root and the account for an owner.
// Package syscall does each step on all threads.
func leaveRoot(o Options) error {
	if err := os.Chdir(o.Root); err != nil {
		return fmt.Errorf("room: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("room: chroot %s: %w", o.Root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("room: %w", err)
	}
	uid, gid := int(o.UID), int(o.GID)
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("room: setgroups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("room: setresgid: %w", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("room: setresuid: %w", err)
	}
	return nil
}

// noWayBack tries what must fail now.
func noWayBack(o Options) error {
	if unix.Geteuid() != int(o.UID) || unix.Getuid() != int(o.UID) || unix.Getegid() != int(o.GID) {
		return errors.New("room: the account was not taken on")
	}
	for _, t := range [...]struct {
		what string
		err  error
	}{
		{"setuid", syscall.Setresuid(0, 0, 0)},
		{"setgid", syscall.Setresgid(0, 0, 0)},
		{"setgroups", syscall.Setgroups([]int{0})},
		{"chroot", syscall.Chroot("/")},
	} {
		if t.err == nil {
			return fmt.Errorf("room: %s is still allowed", t.what)
		}
	}
	if f, err := os.OpenFile("/x", os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		f.Close()
		return errors.New("room: the root folder can be written")
	}
	d, err := os.Open("/")
	if err != nil {
		return nil // not even that
	}
	defer d.Close()
	if names, err := d.Readdirnames(1); err != io.EOF {
		return fmt.Errorf("room: %s is not empty: %v %v", o.Root, names, err)
	}
	return nil
}

// confirm reads what the kernel says about this process.
func confirm(status *os.File, o Options) error {
	b := make([]byte, 8<<10)
	n, err := status.Read(b)
	if err != nil {
		return fmt.Errorf("room: %w", err)
	}
	four := func(id uint32) string {
		s := strconv.FormatUint(uint64(id), 10)
		return strings.Join([]string{s, s, s, s}, "\t")
	}
	const none = "0000000000000000"
	for _, want := range [...]struct{ name, value string }{
		{"Uid", four(o.UID)}, {"Gid", four(o.GID)}, {"Groups", ""},
		{"CapPrm", none}, {"CapEff", none}, {"CapAmb", none},
		{"NoNewPrivs", "1"}, {"Seccomp", "2"},
	} {
		if got, ok := field(b[:n], want.name); !ok || got != want.value {
			return fmt.Errorf("room: %s is %q and should be %q", want.name, got, want.value)
		}
	}
	return nil
}

// field is the value of one line of /proc/PID/status.
func field(status []byte, name string) (string, bool) {
	for line := range bytes.Lines(status) {
		if value, ok := strings.CutPrefix(string(line), name+":"); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// Folders that may be the empty root, in order of preference.
var roots = [...]string{"/run/sshd", "/run/nacre/empty", "/var/empty"}

// EmptyRoot finds or makes the folder that rooms of strangers have for a root:
// root's own, empty, and nobody else's to write.
func EmptyRoot() (string, error) {
	var last error
	for _, path := range roots {
		if last = emptyRoot(path); last == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("room: no empty folder for a root: %w", last)
}

func emptyRoot(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is no folder", path)
	case st.Uid != 0 || st.Mode&0o022 != 0:
		return fmt.Errorf("%s must be owned by root and not group or world-writable", path)
	case err != io.EOF:
		return fmt.Errorf("%s is not empty", path)
	}
	return nil
}
