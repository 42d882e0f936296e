package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/sandbox"
	"golang.org/x/sys/unix"
)

// nobody is an account without anything; the kernel does not ask whether it has
// a name.
const nobody = 64999

// TestMain is the room when it is started as one.
func TestMain(m *testing.M) {
	role, args := FromArgs(os.Args[1:])
	if role != Listener {
		os.Exit(inRoom(role, args))
	}
	os.Exit(m.Run())
}

func inRoom(role Role, args []string) int {
	title := Begin("sshd")
	if args[0] == "title" {
		title.Set(args[1])
		Files(1)[0].Read(make([]byte, 1)) // until we have been looked at
		return 0
	}
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	uid, _ := strconv.Atoi(args[1])
	out := Files(1)[0]
	if err := Enter(Options{UID: uint32(uid), GID: uint32(uid), Root: args[2]}); err != nil {
		return fail(err)
	}
	if args[0] == "serve" {
		return serveLocked(out, fail)
	}
	for _, a := range attempts {
		if a.name == args[0] {
			err := a.try()
			fmt.Fprintf(out, "survived: %v\n", err)
		}
	}
	return 0
}

// serveLocked echoes on sockets that come over a link, with everything that the
// protocol's rooms do: pipes, deadlines, goroutines, garbage, raw reads.
func serveLocked(out *os.File, fail func(error) int) int {
	link, err := privsep.NewConn(out)
	if err != nil {
		return fail(err)
	}
	var wg sync.WaitGroup
	err = link.Serve(context.Background(), func(_ context.Context, in *privsep.Incoming) error {
		c, err := net.FileConn(in.Files[0])
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer c.Close()
			k := rawio.NewConn(c)
			k.QuickAck()
			k.RTT()
			k.SetIPQoS(0x10)
			k.NotSentLowat(1 << 14)
			k.SetReadDeadline(time.Now().Add(time.Minute))
			b := make([]byte, 4096)
			for {
				n, err := k.ReadReady(func() []byte { return b })
				if err != nil {
					k.CloseWrite()
					return
				}
				b = append([]byte(nil), b[:n]...)
				k.TryWrite(nil)
				k.Write(b)
				b = make([]byte, 4096)
				runtime.GC()
			}
		})
		return nil
	})
	wg.Wait()
	if err != nil {
		return fail(err)
	}
	return 0
}

// attempts are what a room that was broken into tries.
var attempts = []struct {
	name   string
	denied bool // answered with an error; else the process ends
	try    func() error
}{
	{"open", true, func() error { _, err := os.Open("/etc/passwd"); return err }},
	{"create", true, func() error { return os.WriteFile("/x", nil, 0o600) }},
	{"stat", true, func() error { _, err := os.Stat("/"); return err }},
	{"socket", false, func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err }},
	{"dial", false, func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err }},
	{"unix socket", false, func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	{"execve", false, func() error { return syscall.Exec("/bin/sh", []string{"sh"}, nil) }},
	{"execveat", false, func() error {
		_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, 3, 0, 0, 0, 0, 0)
		return errno
	}},
	{"fork", false, func() error {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		return errno
	}},
	{"clone with a namespace", false, func() error {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_VM|unix.CLONE_NEWUSER, 0, 0, 0, 0, 0)
		return errno
	}},
	{"clone3", false, func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
		return errno
	}},
	{"unshare", false, func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"kill", false, func() error { return unix.Kill(1, 0) }},
	{"kill itself", false, func() error { return unix.Kill(os.Getpid(), 0) }},
	{"tgkill of another", false, func() error { return unix.Tgkill(1, 1, 0) }},
	{"ptrace", false, func() error { return unix.PtraceAttach(1) }},
	{"process_vm_readv", false, func() error {
		_, _, errno := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, 1, 0, 0, 0, 0, 0)
		return errno
	}},
	{"setuid", false, func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0)
		return errno
	}},
	{"chroot", false, func() error { return unix.Chroot("/") }},
	{"mount", false, func() error { return unix.Mount("", "/", "", 0, "") }},
	{"bpf", false, func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_BPF, 0, 0, 0)
		return errno
	}},
	{"io_uring", false, func() error {
		_, _, errno := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
		return errno
	}},
	{"a keyring", false, func() error { _, err := unix.KeyctlGetKeyringID(-1, true); return err }},
	{"memory that executes", false, func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
		return err
	}},
	{"memory made to execute", false, func() error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	}},
	{"a socket option", false, func() error { return unix.SetsockoptInt(3, unix.SOL_SOCKET, unix.SO_BROADCAST, 1) }},
	{"input for a terminal", false, func() error {
		c := byte('x')
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, 3, unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
		return errno
	}},
	{"more descriptors", false, func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}) }},
}

// needRoot says why a test cannot run.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("peer lacks root: rooms take on another account")
	}
	if err := sandbox.Supported(); err != nil {
		t.Skip("peer lacks a sandbox: ", err)
	}
}

func emptyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for p := dir; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		os.Chmod(p, 0o755)
	}
	return dir
}

func startRoom(t *testing.T, out *os.File, args ...string) (*Process, *bytes.Buffer, func()) {
	t.Helper()
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := self.Start(&Command{Role: Network, Title: "sshd: [net]", Args: args, Files: []*os.File{out}, Stderr: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.Close()
		io.Copy(&said, r)
	}()
	t.Cleanup(func() { p.Kill(); p.Wait() })
	return p, &said, func() { <-done }
}

// What a room that was broken into tries is refused: files with an error, all
// the rest with the end of the process (AUT-1 AUT-22 GO-1 GO-7).
func TestForbidden(t *testing.T) {
	needRoot(t)
	dir := emptyFolder(t)
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			p, said, over := startRoom(t, w, a.name, strconv.Itoa(nobody), dir)
			w.Close()
			out, _ := io.ReadAll(r)
			status, err := p.Wait()
			over()
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case a.denied && (status.ExitStatus() != 0 || !strings.Contains(string(out), "permission denied")):
				t.Errorf("ended with %v, said %q %q", status, out, said)
			case !a.denied && (!status.Signaled() || status.Signal() != syscall.SIGSYS || len(out) > 0):
				t.Errorf("ended with %v, said %q %q", status, out, said)
			case !a.denied && !Crashed(status):
				t.Error("that is no crash")
			}
		})
	}
}

// A locked room works: sockets come and are served, and what the kernel says
// about each of its threads is what it should be.
func TestLocked(t *testing.T) {
	needRoot(t)
	ours, theirs, err := privsep.SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	p, said, over := startRoom(t, theirs, "serve", strconv.Itoa(nobody), emptyFolder(t))
	theirs.Close()
	link, err := privsep.NewConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	for range 8 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.(*net.TCPConn).File()
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := link.Notify(&privsep.Stranger{}, f); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			data := bytes.Repeat([]byte("0123456789"), 20000)
			go func() { c.Write(data); c.(*net.TCPConn).CloseWrite() }()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Pid()))
	if err != nil || len(tasks) < 2 {
		t.Errorf("threads: %v, %v", tasks, err)
	}
	id := strings.Join(slices.Repeat([]string{strconv.Itoa(nobody)}, 4), "\t")
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		for name, want := range map[string]string{"Uid": id, "Gid": id, "CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"} {
			if got, _ := field(b, name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	link.Close()
	status, err := p.Wait()
	over()
	if err != nil || status != 0 {
		t.Errorf("ended with %v, %v: %s", status, err, said)
	}
}

// A room that cannot be locked up does not serve.
func TestEnterRefuses(t *testing.T) {
	needRoot(t)
	full := emptyFolder(t)
	if err := os.Mkdir(filepath.Join(full, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	open := emptyFolder(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"root":            {"serve", "0", emptyFolder(t)},
		"no folder":       {"serve", strconv.Itoa(nobody), "/nowhere"},
		"a folder in use": {"serve", strconv.Itoa(nobody), full},
		"a folder of all": {"serve", strconv.Itoa(nobody), open},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p, said, over := startRoom(t, w, args...)
		w.Close()
		r.Close()
		status, err := p.Wait()
		over()
		if err != nil || status.ExitStatus() != 1 || !strings.Contains(said.String(), "room: ") {
			t.Errorf("%s: %v, %v: %s", name, status, err, said)
		}
	}
}

func TestEmptyRoot(t *testing.T) {
	needRoot(t)
	dir := emptyFolder(t)
	if err := emptyRoot(filepath.Join(dir, "a/b")); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
	if err := emptyRoot(dir); err == nil {
		t.Error("a folder with something in it is taken")
	}
	if err := os.Chmod(filepath.Join(dir, "a/b"), 0o775); err != nil {
		t.Fatal(err)
	}
	if err := emptyRoot(filepath.Join(dir, "a/b")); err == nil {
		t.Error("a folder that a group may write is taken")
	}
}

// ps shows a room's title, and the journal its name.
func TestTitle(t *testing.T) {
	for _, title := range []string{"sshd: ann [priv]", "sshd: " + strings.Repeat("long ", 20) + "end"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p, _, over := startRoom(t, r, "title", title)
		r.Close()
		proc := fmt.Sprintf("/proc/%d/", p.Pid())
		await(t, func() bool {
			b, err := os.ReadFile(proc + "cmdline")
			return err == nil && string(bytes.TrimRight(b, "\x00")) == title
		})
		if b, err := os.ReadFile(proc + "comm"); err != nil || string(b) != "sshd\n" {
			t.Errorf("name %q, %v", b, err)
		}
		out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(p.Pid())).Output()
		if err == nil && strings.TrimSpace(string(out)) != title {
			t.Errorf("ps shows %q", out)
		}
		w.Close()
		p.Wait()
		over()
	}
}

func await(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

func TestRoles(t *testing.T) {
	for r := Monitor; r <= Login; r++ {
		if got, rest := FromArgs([]string{r.Word(), "x"}); got != r || len(rest) != 1 {
			t.Errorf("%s is %v with %v", r.Word(), got, rest)
		}
	}
	for _, args := range [][]string{nil, {"-D"}, {"--room=listener"}, {"--room="}, {"--room=x"}} {
		if got, rest := FromArgs(args); got != Listener || len(rest) != len(args) {
			t.Errorf("%v is %v", args, got)
		}
	}
}

// A process is waited for without a thread, more than once, and its number is
// not used when it is another's.
func TestWait(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, _, over := startRoom(t, r, "title", "x")
	r.Close()
	w.Close()
	for range 2 {
		if st, err := p.Wait(); err != nil || st != 0 {
			t.Errorf("%v, %v", st, err)
		}
	}
	over()
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("killed after its end: %v", err)
	}
}
