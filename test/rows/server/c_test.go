//go:build linux

package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is a socket where the server tells what a service manager wants to
// know.
type manager struct {
	r    *rig
	c    *net.UnixConn
	path string
}

func (r *rig) manager() *manager {
	r.Helper()
	path := r.path("notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(r, err)
	r.Cleanup(func() { c.Close() })
	return &manager{r, c, path}
}

// wants waits for a state.
func (m *manager) wants(state string) {
	m.r.Helper()
	b := make([]byte, 512)
	for {
		_ = m.c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := m.c.Read(b)
		if err != nil {
			m.r.Fatalf("the manager is not told %s: %v\n%s", state, err, m.r.logged())
		}
		for _, l := range strings.Split(string(b[:n]), "\n") {
			if l == state || strings.HasPrefix(l, state+"=") {
				return
			}
		}
	}
}

// start starts a program that is the server or becomes it.
func (r *rig) start(env []string, argv ...string) *exec.Cmd {
	r.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	must(r, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	r.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if r.Failed() {
			r.Logf("%v:\n%s", argv, errs.String())
		}
	})
	return cmd
}

func (r *rig) awaitPort(port int) {
	r.Helper()
	for end := time.Now().Add(30 * time.Second); !r.listens(port); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("nothing listens on port %d\n%s", port, r.logged())
		}
	}
}

// session is a login that lasts: what it is told it answers.
type session struct {
	r   *rig
	cmd *exec.Cmd
	in  interface{ Write([]byte) (int, error) }
	out *os.File
}

func (r *rig) session(port int) *session {
	r.Helper()
	cmd := exec.Command("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+r.path("known_hosts"), "-o", "LogLevel=ERROR",
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", r.path("id"), "-p", strconv.Itoa(port), "user@127.0.0.1", "cat")
	in, err := cmd.StdinPipe()
	must(r, err)
	rd, w, err := os.Pipe()
	must(r, err)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	must(r, cmd.Start())
	w.Close()
	r.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		rd.Close()
	})
	s := &session{r, cmd, in, rd}
	s.lives("at first")
	return s
}

// lives asks for an answer.
func (s *session) lives(when string) {
	s.r.Helper()
	word := []byte("still here " + when + "\n")
	if _, err := s.in.Write(word); err != nil {
		s.r.Fatalf("%s: %v", when, err)
	}
	b := make([]byte, len(word))
	_ = s.out.SetReadDeadline(time.Now().Add(30 * time.Second))
	for n := 0; n < len(b); {
		k, err := s.out.Read(b[n:])
		if err != nil {
			s.r.Fatalf("%s the session is gone: %v\n%s", when, err, s.r.logged())
		}
		n += k
	}
	if !bytes.Equal(b, word) {
		s.r.Fatalf("%s it answers %q", when, b)
	}
}

// The service as its unit starts it: ready when it serves, a reload that keeps
// sessions and takes the new configuration, or says why not, and a stop that
// leaves sessions alone (LOD-6).
func TestC01_Service(t *testing.T) {
	r := newRig(t)
	m := r.manager()
	file := r.config("Port 22\nPidFile " + r.path("pid"))
	cmd := r.start([]string{"NOTIFY_SOCKET=" + m.path}, filepath.Join(r.bin, "sshd"), "-D", "-E", r.log, "-f", file)
	m.wants("READY=1")
	pid := strings.TrimSpace(readAll(t, r.path("pid")))
	if pid != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("PidFile says %s, the process is %d", pid, cmd.Process.Pid)
	}
	s := r.session(22)

	r.config("Port 22\nPort 23\nPidFile " + r.path("pid"))
	must(t, cmd.Process.Signal(syscall.SIGHUP))
	m.wants("RELOADING=1")
	m.wants("READY=1")
	s.lives("after a reload")
	r.awaitPort(23)
	r.status("the new port", r.ssh("-p", "23", "user@127.0.0.1", "true"), 0)

	r.config("Port 22\nNonsense yes")
	must(t, cmd.Process.Signal(syscall.SIGHUP))
	m.wants("RELOADING=1")
	m.wants("READY=1")
	r.wantLog("Bad configuration option: Nonsense", "the configuration was not changed")
	s.lives("after a reload of nonsense")
	r.status("the old configuration goes on", r.ssh("-p", "23", "user@127.0.0.1", "true"), 0)

	must(t, cmd.Process.Signal(syscall.SIGTERM))
	r.wantLog("Received signal 15; terminating.")
	for end := time.Now().Add(30 * time.Second); r.listens(22) || r.listens(23); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it listens after a stop")
		}
	}
	s.lives("after a stop")
	if _, err := os.Stat(r.path("pid")); err == nil {
		t.Error("the PidFile is left")
	}
	// The port is free for the next one, and the session goes on beside it.
	r.serve("Port 22", 22)
	s.lives("after a restart")
	r.status("the next server", r.ssh("user@127.0.0.1", "true"), 0)
}

// One server a connection, which a service manager accepted.
func TestC02_SocketAndTemplate(t *testing.T) {
	r := newRig(t)
	r.lacks("systemd-socket-activate")
	file := r.config("LogLevel VERBOSE")
	r.start(nil, "systemd-socket-activate", "-a", "--inetd", "-l", "2222", filepath.Join(r.bin, "sshd"), "-i", "-E", r.log, "-f", file)
	r.awaitPort(2222)
	seen := map[string]bool{}
	for range 2 {
		a := r.ssh("-p", "2222", "user@127.0.0.1", `id -un; echo "$SSH_CONNECTION"`)
		r.status("a connection", a, 0)
		l := strings.Split(a.out, "\n")
		if len(l) < 2 || l[0] != "user" || !regexp.MustCompile(`^(::ffff:)?127\.0\.0\.1 \d+ (::ffff:)?127\.0\.0\.1 2222$`).MatchString(l[1]) {
			t.Errorf("got %q", a.out)
		} else {
			seen[l[1]] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("connections %v", seen)
	}
}

// A socket that a service manager listens on is used, and not Port or
// ListenAddress.
func TestC03_InheritedSocket(t *testing.T) {
	r := newRig(t)
	r.lacks("systemd-socket-activate")
	file := r.config("Port 23\nListenAddress 127.0.0.1")
	r.start(nil, "systemd-socket-activate", "-l", "12345", filepath.Join(r.bin, "sshd"), "-D", "-E", r.log, "-f", file)
	r.awaitPort(12345)
	for range 2 {
		r.status("the manager's socket", r.ssh("-p", "12345", "user@127.0.0.1", "true"), 0)
	}
	if r.listens(23) {
		t.Error("Port is used too")
	}
}

// A socket for an address that is not there yet.
func TestC04_EarlyAddress(t *testing.T) {
	r := newRig(t)
	r.lacks("ip")
	// What FreeBind=true does, as systemd-socket-activate has no word for it.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	must(t, err)
	const ipFreebind = 15
	must(t, syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipFreebind, 1))
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Port: 22, Addr: [4]byte{192, 168, 1, 100}}))
	must(t, syscall.Listen(fd, 16))
	f := os.NewFile(uintptr(fd), "early")
	defer f.Close()
	file := r.config("")
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", filepath.Join(r.bin, "sshd"), "-D", "-E", r.log, "-f", file)
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	r.wantLog("Server listening on 192.168.1.100 port 22.")
	if out, err := r.run("ip", "address", "add", "192.168.1.100/24", "dev", "lo"); err != nil {
		t.Skipf("peer lacks addresses: %s", out)
	}
	defer r.run("ip", "address", "del", "192.168.1.100/24", "dev", "lo")
	r.status("the early address", r.ssh("user@192.168.1.100", "true"), 0)
}

// Lines in the journal can be chosen by the program's path and name: what the
// system knows of their sender is what `journalctl /usr/sbin/sshd` asks for.
func TestC05_Journal(t *testing.T) {
	r := newRig(t)
	must(t, os.MkdirAll("/dev", 0o755))
	_ = os.Remove("/dev/log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		t.Skipf("peer lacks a /dev/log: %v", err)
	}
	defer func() { c.Close(); os.Remove("/dev/log") }()
	raw, err := c.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1) }))
	must(t, err)
	cmd := r.start(nil, filepath.Join(r.bin, "sshd"), "-D", "-f", r.config("Port 22"))
	r.awaitPort(22)
	r.status("a login", r.ssh("user@127.0.0.1", "true"), 0)
	r.sshWith(map[string]string{"assword": "wrong"}, "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "user@127.0.0.1", "true")
	b, oob := make([]byte, 4096), make([]byte, 256)
	lines := 0
	for {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, k, _, _, err := c.ReadMsgUnix(b, oob)
		if err != nil {
			t.Fatalf("%d lines, then %v", lines, err)
		}
		line := string(b[:n])
		if !strings.Contains(line, "sshd[") {
			continue
		}
		lines++
		msgs, err := syscall.ParseSocketControlMessage(oob[:k])
		must(t, err)
		cred, err := syscall.ParseUnixCredentials(&msgs[0])
		must(t, err)
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cred.Pid))
		if err == nil && !sameFile(exe, filepath.Join(r.bin, "sshd")) {
			t.Errorf("sent by %s: %s", exe, line)
		}
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cred.Pid)); err == nil && string(comm) != "sshd\n" {
			t.Errorf("sent by a process called %q: %s", comm, line)
		}
		if strings.Contains(line, "Failed password for user from 127.0.0.1") {
			break
		}
	}
	_ = cmd
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// Exactly the addresses of the configuration; a note when they are not used.
func TestC06_ListenAddress(t *testing.T) {
	r := newRig(t)
	r.serve("ListenAddress 127.0.0.1\nListenAddress [::1]:2222", 22, 2222)
	want := map[string]bool{"127.0.0.1:22": true, "[::1]:2222": true}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(name)
		must(t, err)
		for l := range strings.Lines(string(b)) {
			f := strings.Fields(l)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			a := procAddress(t, f[1])
			if !want[a] {
				t.Errorf("it listens on %s", a)
			}
			delete(want, a)
		}
	}
	if len(want) > 0 {
		t.Errorf("it does not listen on %v", want)
	}
	r.stop()
	r.lacks("systemd-socket-activate")
	r.start(nil, "systemd-socket-activate", "-l", "12345", filepath.Join(r.bin, "sshd"), "-D", "-E", r.log, "-f", r.path("sshd_config"))
	r.awaitPort(12345)
	r.status("the manager's socket", r.ssh("-p", "12345", "user@127.0.0.1", "true"), 0)
	r.wantLog("the service manager has opened the sockets")
}

// procAddress is an address of /proc/net/tcp.
func procAddress(t *testing.T, s string) string {
	host, port, _ := strings.Cut(s, ":")
	var ip net.IP
	for i := 0; i+8 <= len(host); i += 8 {
		n, err := strconv.ParseUint(host[i:i+8], 16, 32)
		must(t, err)
		ip = binary.NativeEndian.AppendUint32(ip, uint32(n))
	}
	n, err := strconv.ParseUint(port, 16, 16)
	must(t, err)
	return net.JoinHostPort(ip.String(), strconv.FormatUint(n, 10))
}
