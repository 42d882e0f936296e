package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

// house is a server of processes: a monitor, its lobby and its network rooms,
// with the test in the listener's place.
type house struct {
	t       *testing.T
	monitor *room.Process
	link    *privsep.Conn
	addr    string
	keys    string // authorized_keys of root
	user    ssh.Signer
	host    ssh.Signer
	log     string // a file
	ready   chan string

	mu    sync.Mutex
	lobby *privsep.Conn
	ended map[int64]penalty.Event
	wake  *sync.Cond
}

// newHouse starts a server; config are lines of sshd_config.
func newHouse(t *testing.T, config ...string) *house {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: rooms of strangers have an account of their own")
	}
	if !world.Here() {
		t.Skip("needs a world of its own")
	}
	addAccount(t, "nacre:x:64990:64990::/run/sshd:/usr/sbin/nologin")
	for _, name := range []string{"/run/utmp", "/var/log/wtmp"} {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
		must(t, err)
		f.Close()
	}
	h := &house{t: t, user: newKey(t), ready: make(chan string, 1), ended: map[int64]penalty.Event{}}
	h.wake = sync.NewCond(&h.mu)
	dir := t.TempDir()
	h.keys, h.log = filepath.Join(dir, "keys"), filepath.Join(dir, "log")
	must(t, os.WriteFile(h.keys, []byte(line(h.user)+"\n"), 0o600))
	hostKey := filepath.Join(dir, "host")
	must(t, writeKey(hostKey))
	pem, err := os.ReadFile(hostKey)
	must(t, err)
	h.host, err = ssh.ParsePrivateKey(pem)
	must(t, err)
	lines := append([]string{
		"HostKey " + hostKey, "AuthorizedKeysFile " + h.keys, "StrictModes no", "LogLevel VERBOSE", "PermitRootLogin yes", "PrintMotd no", "PrintLastLog no",
		"SetEnv SHLVL=5", // or bash reads the start-up files of whoever runs the tests
	}, config...)
	file := filepath.Join(dir, "sshd_config")
	must(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))

	self, err := room.Self()
	must(t, err)
	defer self.Close()
	ours, theirs, err := privsep.SocketPair()
	must(t, err)
	h.monitor, err = self.Start(&room.Command{Role: room.Monitor, Title: "sshd: [monitor]", Args: []string{"/", "-f", file, "-E", h.log, "-D"},
		Env: []string{"PATH=/usr/bin:/bin"}, Files: []*os.File{theirs}, Stderr: os.Stderr})
	theirs.Close()
	must(t, err)
	h.link, err = privsep.NewConn(ours)
	must(t, err)
	go func() {
		_ = h.link.Serve(context.Background(), h.incoming)
		h.ready <- "ended"
	}()
	if text := <-h.ready; text != "" {
		t.Fatalf("the monitor is not ready: %s\n%s", text, h.logText())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.addr = l.Addr().String()
	go h.accept(l.(*net.TCPListener))
	t.Cleanup(func() {
		l.Close()
		h.link.Close()
		if st, err := h.monitor.Wait(); err != nil || !st.Exited() || st.ExitStatus() != 0 {
			t.Errorf("the monitor ended with %#x %v", st, err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", h.logText())
		}
	})
	return h
}

func (h *house) logText() string {
	b, _ := os.ReadFile(h.log)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func (h *house) awaitLog(text string) {
	h.t.Helper()
	end := time.Now().Add(time.Minute)
	for !strings.Contains(h.logText(), text) {
		if time.Now().After(end) {
			h.t.Fatalf("no %q in\n%s", text, h.logText())
		}
		time.Sleep(time.Millisecond)
	}
}

// addAccount adds a line to the world's passwd.
func addAccount(t *testing.T, entry string) {
	t.Helper()
	b, err := os.ReadFile("/etc/passwd")
	must(t, err)
	name, _, _ := strings.Cut(entry, ":")
	if !strings.HasPrefix(string(b), name+":") && !strings.Contains(string(b), "\n"+name+":") {
		must(t, os.WriteFile("/etc/passwd", append(b, entry+"\n"...), 0o644))
	}
}

// incoming is what the monitor says to its listener.
func (h *house) incoming(_ context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumReady:
		h.ready <- ""
	case privsep.NumUnready:
		var m privsep.Unready
		if err := in.Decode(&m); err != nil {
			return err
		}
		h.ready <- m.Text
	case privsep.NumLobby:
		c, err := privsep.NewConn(in.Files[0])
		in.Files = nil
		if err != nil {
			return err
		}
		if err := c.Notify(&privsep.Rules{PerSource: 100, Max: 1000, Bits4: 32, Bits6: 128, Grace: time.Minute}); err != nil {
			return err
		}
		go c.Serve(context.Background(), func(_ context.Context, in *privsep.Incoming) error {
			if in.Number == privsep.NumLeave {
				return in.Answer(&privsep.Verdict{Admit: true})
			}
			return nil
		})
		h.mu.Lock()
		h.lobby = c
		h.wake.Broadcast()
		h.mu.Unlock()
	case privsep.NumEnded:
		var m privsep.Ended
		if err := in.Decode(&m); err != nil {
			return err
		}
		h.mu.Lock()
		h.ended[m.Number] = penalty.Event(m.Event)
		h.wake.Broadcast()
		h.mu.Unlock()
	}
	return nil
}

func (h *house) accept(l *net.TCPListener) {
	for n := int64(1); ; n++ {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		f, err := c.File()
		if err != nil {
			panic(err)
		}
		m := &privsep.Stranger{Number: n, Remote: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr())}
		c.Close()
		h.mu.Lock()
		for h.lobby == nil {
			h.wake.Wait()
		}
		lobby := h.lobby
		h.mu.Unlock()
		if err := syscall.SetNonblock(int(f.Fd()), true); err != nil {
			panic(err)
		}
		_ = lobby.Notify(m, f)
	}
}

// end waits for the end of a connection.
func (h *house) end(n int64) penalty.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if e, ok := h.ended[n]; ok {
			return e
		}
		h.wake.Wait()
	}
}

func (h *house) dial() (*ssh.Client, error) {
	return ssh.Dial(h.t.Context(), "tcp", h.addr, &ssh.ClientConfig{User: "root",
		Auth: []ssh.AuthMethod{ssh.PublicKeys(h.user)}, HostKey: ssh.FixedHostKey(h.host.PublicKey())})
}

func (h *house) login() *ssh.Client {
	h.t.Helper()
	c, err := h.dial()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, h.logText())
	}
	h.t.Cleanup(func() { c.Close() })
	return c
}

// run runs a command in a session of c.
func (h *house) run(c *ssh.Client, command string) string {
	h.t.Helper()
	s, err := c.NewSession(h.t.Context())
	must(h.t, err)
	out, err := s.CombinedOutput(h.t.Context(), command)
	if err != nil {
		h.t.Errorf("%s: %v %s", command, err, out)
	}
	return string(out)
}

// children are the processes whose parent is pid.
func children(t *testing.T, pid int) (list []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if parent, _ := strconv.Atoi(f[1]); parent == pid && f[0] != "Z" {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			list = append(list, n)
		}
	}
	return list
}

func title(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimRight(string(b), "\x00")
}

// rooms are the rooms of strangers, by title.
func (h *house) rooms() map[int]string {
	m := map[int]string{}
	for _, pid := range children(h.t, h.monitor.Pid()) {
		if s := title(pid); strings.HasPrefix(s, "sshd: ") {
			m[pid] = s
		}
	}
	return m
}

func TestHouse(t *testing.T) {
	for _, mode := range []string{"connection", "shared", "2"} {
		t.Run(mode, func(t *testing.T) {
			h := newHouse(t, "NetworkRooms "+mode)
			c := h.login()
			if out := h.run(c, "echo $((6*7)); id -u"); out != "42\n0\n" {
				t.Errorf("%q", out)
			}
			s, err := c.NewSession(t.Context())
			must(t, err)
			must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "xterm", Window: ssh.Window{Columns: 80, Rows: 24}}))
			out, err := s.Output(t.Context(), "stty size; tty")
			if err != nil || !strings.HasPrefix(string(out), "24 80\r\n/dev/pts/") {
				t.Errorf("%q %v", out, err)
			}
			want := make([]byte, 8<<20)
			for i := range want {
				want[i] = byte(i * i >> 3)
			}
			s, err = c.NewSession(t.Context())
			must(t, err)
			var back bytes.Buffer
			s.Stdin, s.Stdout = bytes.NewReader(want), &back
			must(t, s.Run(t.Context(), "cat"))
			if !bytes.Equal(back.Bytes(), want) {
				t.Errorf("%d bytes came back", back.Len())
			}
			c.Close()
			if e := h.end(1); e != penalty.None {
				t.Errorf("a good login costs %v", e)
			}
			h.awaitLog("Disconnected from user root")
		})
	}
}

// TestRoomsAreLockedUp reads what the kernel says of every live room (AUT-1,
// AUT-22).
func TestRoomsAreLockedUp(t *testing.T) {
	h := newHouse(t)
	c := h.login()
	h.run(c, "true")
	list := h.rooms()
	if len(list) < 3 {
		t.Errorf("rooms: %v", list)
	}
	for pid, name := range list {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		must(t, err)
		for _, want := range []string{"CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "Seccomp:\t2\n", "NoNewPrivs:\t1\n", "Groups:\t\n"} {
			got := strings.ReplaceAll(string(b), "Groups:\t \n", "Groups:\t\n")
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, b)
			}
		}
		if strings.Contains(string(b), "Uid:\t0") || strings.Contains(string(b), "Gid:\t0") {
			t.Errorf("%s has root's number:\n%s", name, b)
		}
		pss, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		t.Logf("%s: %s", name, strings.Fields(string(pss[bytes.Index(pss, []byte("Pss:")):]))[1])
		root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", pid))
		must(t, err)
		d, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/", pid))
		if err != nil || len(d) != 0 || root == "/" {
			t.Errorf("%s: root %s holds %v, %v", name, root, d, err)
		}
		for _, tcp := range []string{"fd"} {
			fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, tcp))
			must(t, err)
			for _, fd := range fds {
				to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
				if strings.HasPrefix(to, "/") && to != "/dev/null" && !strings.HasPrefix(to, "/tmp") && !strings.HasPrefix(to, "/dev/pts") {
					t.Errorf("%s: descriptor %s is %s", name, fd.Name(), to)
				}
			}
		}
	}
}

// TestACrashEndsOneConnection kills rooms: others go on, a lobby is replaced, and
// what the dead room held is hung up (CHN-14, HST-9).
func TestACrashEndsOneConnection(t *testing.T) {
	h := newHouse(t)
	a, b := h.login(), h.login()
	h.run(a, "true")
	h.run(b, "true")
	s, err := a.NewSession(t.Context())
	must(t, err)
	must(t, s.RequestPTY(t.Context(), &ssh.PTY{Term: "xterm", Window: ssh.Window{Columns: 80, Rows: 24}}))
	out, err := s.StdoutPipe()
	must(t, err)
	mark := filepath.Join(t.TempDir(), "hup")
	must(t, s.Start(t.Context(), "trap 'echo hup >"+mark+"; exit' HUP; echo here; while :; do sleep 0.05; done"))
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	for pid, name := range h.rooms() {
		if strings.HasPrefix(name, "sshd: [lobby]") {
			must(t, syscall.Kill(pid, syscall.SIGSEGV))
		}
	}
	h.awaitLog("another takes its place")
	// The room of a is the one whose number its lines carry: the first.
	var first int
	for _, l := range strings.Split(h.logText(), "\n") {
		if strings.Contains(l, "User child is on pid ") {
			fmt.Sscanf(l[strings.LastIndex(l, " ")+1:], "%d", &first)
			break
		}
	}
	must(t, syscall.Kill(first, syscall.SIGSEGV))
	if err := a.Wait(); err == nil {
		t.Error("the connection of a dead room ended well")
	}
	if e := h.end(1); e != penalty.Crash {
		t.Errorf("a crash is counted as %v", e)
	}
	end := time.Now().Add(time.Minute)
	for {
		if _, err := os.Stat(mark); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the terminal of a dead room was not hung up")
		}
		time.Sleep(time.Millisecond)
	}
	h.run(b, "true")
	h.run(h.login(), "true")
	h.awaitLog("exited with status 2")
}

func TestHouseWithoutKeys(t *testing.T) {
	h := newHouse(t, "LoginGraceTime 1")
	other := newKey(t)
	_, err := ssh.Dial(t.Context(), "tcp", h.addr, &ssh.ClientConfig{User: "root",
		Auth: []ssh.AuthMethod{ssh.PublicKeys(other)}, HostKey: ssh.FixedHostKey(h.host.PublicKey())})
	var denied *ssh.DeniedError
	if !errors.As(err, &denied) {
		t.Errorf("%v", err)
	}
	if e := h.end(1); e != penalty.AuthFail {
		t.Errorf("%v", e)
	}
}
