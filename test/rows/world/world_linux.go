package world

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const mark = "NACRE_TEST_WORLD"

// Here tells whether this process is in a world.
func Here() bool { return os.Getenv(mark) != "" }

// Enter starts this program again in a world and exits with its status, after
// which nothing but the calls of after are made. In there, and where the person
// is not root, it returns.
func Enter(after ...func()) {
	if Here() {
		if os.Getpid() == 1 {
			os.Exit(reaper())
		}
		return
	}
	if os.Geteuid() != 0 {
		return
	}
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	signal.Ignore(os.Interrupt)
	runtime.LockOSThread() // Pdeathsig is about the thread
	code := status(cmd.Run())
	for _, f := range after {
		f()
	}
	os.Exit(code)
}

func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	}
	fail(err)
	return 1
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "world:", err)
	os.Exit(1)
}

// reaper is process 1: it builds the world, starts the test once more as an
// ordinary process, and buries whatever is left to it.
func reaper() int {
	if err := build(); err != nil {
		fail(err)
	}
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	p, err := os.StartProcess(self, os.Args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fail(err)
	}
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			fail(err)
		}
		if pid == p.Pid {
			if ws.Signaled() {
				return 128 + int(ws.Signal())
			}
			return ws.ExitStatus()
		}
	}
}

func build() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	const top = "/mnt"
	if err := tmpfs(top, "0755"); err != nil {
		return err
	}
	for _, dir := range [...]string{"/etc", "/var", "/root"} {
		up := filepath.Join(top, dir[1:], "up")
		work := filepath.Join(top, dir[1:], "work")
		for _, d := range [...]string{up, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		options := "lowerdir=" + dir + ",upperdir=" + up + ",workdir=" + work
		if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
			return fmt.Errorf("overlay on %s: %w", dir, err)
		}
	}
	// What is in /tmp may be what runs: it stays to be seen.
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	for dir, mode := range map[string]string{"/home": "0755", "/run": "0755"} {
		if err := tmpfs(dir, mode); err != nil {
			return err
		}
	}
	for _, dir := range [...]string{"/run/sshd", "/run/nacre", "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Names of this world only; nobody is asked.
	files := map[string]string{
		"/etc/hosts":         "127.0.0.1 localhost host\n::1 localhost ip6-localhost\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
		"/etc/resolv.conf":   "",
		"/etc/nologin":       "",
	}
	for path, text := range files {
		os.Remove(path)
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	if err := unix.Sethostname([]byte("host")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	return loopback()
}

func tmpfs(dir, mode string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode="+mode); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", dir, err)
	}
	return nil
}

// loopback brings lo up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	return nil
}

// Group makes a group.
func Group(name string, gid int, members ...string) error {
	return edit("/etc/group", fmt.Sprintf("%s:x:%d:%s", name, gid, strings.Join(members, ",")))
}

// User is an account of the world.
type User struct {
	Name     string
	UID, GID int
	Home     string
	Shell    string // "" is /bin/sh
	Hash     string // of the password; "" is "*"
	// Aging are the six numbers of shadow(5) behind the hash; "" is none.
	Aging string
}

// Add makes the account, its group of the same number and its home, or changes
// those that are there.
func (u *User) Add() error {
	if u.GID == 0 && u.UID != 0 {
		u.GID = u.UID
	}
	if u.Home == "" {
		u.Home = "/home/" + u.Name
	}
	if u.Shell == "" {
		u.Shell = "/bin/sh"
	}
	hash, aging := u.Hash, u.Aging
	if hash == "" {
		hash = "*"
	}
	if aging == "" {
		aging = "19000:0:99999:7::"
	}
	err := errors.Join(
		edit("/etc/passwd", fmt.Sprintf("%s:x:%d:%d::%s:%s", u.Name, u.UID, u.GID, u.Home, u.Shell)),
		edit("/etc/shadow", fmt.Sprintf("%s:%s:%s:", u.Name, hash, aging)))
	if u.GID == u.UID && u.UID != 0 {
		err = errors.Join(err, edit("/etc/group", fmt.Sprintf("%s:x:%d:", u.Name, u.GID)))
	}
	return errors.Join(err, u.Dir(""), u.Dir(".ssh"))
}

// Dir makes a directory of the user's, mode 0700 (the home itself 0755).
func (u *User) Dir(path string) error {
	mode := os.FileMode(0o700)
	if path == "" {
		mode = 0o755
	}
	full := filepath.Join(u.Home, path)
	if err := os.MkdirAll(full, mode); err != nil {
		return err
	}
	return os.Chown(full, u.UID, u.GID)
}

// Write writes a file of the user's, mode 0600.
func (u *User) Write(path, text string) error {
	full := filepath.Join(u.Home, path)
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		return err
	}
	return errors.Join(os.Chmod(full, 0o600), os.Chown(full, u.UID, u.GID))
}

// edit replaces the line of an account file that begins as line does, or adds
// it.
func edit(path, line string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(line, ":")
	var out strings.Builder
	for l := range strings.Lines(string(b)) {
		if !strings.HasPrefix(l, name+":") {
			out.WriteString(l)
		}
	}
	out.WriteString(line + "\n")
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(out.String()), st.Mode().Perm())
}
