//go:build unix

package listener

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/lobby"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// book collects the lines of the log.
type book struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.ReplaceAll(b.b.String(), "\r", "")
}

// house is a listener in this process, with generations that consist of a real
// lobby and a monitor of a few lines.
type house struct {
	t      *testing.T
	dir    string
	book   book
	config string // path
	opts   Options
	done   chan int
	stop   context.CancelFunc
	ready  chan struct{}

	mu    sync.Mutex
	conns []taken
	gens  []*fake
	fail  error // of the next generation
	env   map[string]string
}

type taken struct {
	number int64
	f      *os.File
	gen    *fake
}

type fake struct {
	h       *house
	link    *privsep.Conn
	lobbies chan *privsep.Conn
	lobby   *lobby.Lobby
	over    chan struct{} // ends the generation
	once    sync.Once
	mu      sync.Mutex
}

func (f *fake) end() { f.once.Do(func() { close(f.over) }) }

func load(path string, tell func(string)) (*sshconfig.Server, error) {
	cfg := sshconfig.NewServer(&sshconfig.ServerContext{Files: sshconfig.OSFiles{}, Version: "x", Warn: func(_ sshconfig.Level, text string) { tell(text) }})
	if err := cfg.Load(sshconfig.ServerFile(path)...); err != nil {
		return nil, err
	}
	return cfg, nil
}

func newHouse(t *testing.T, lines string) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, dir: dir, config: filepath.Join(dir, "sshd_config"), done: make(chan int, 1), ready: make(chan struct{}), env: map[string]string{}}
	h.write(lines)
	lg, err := log.New(log.Config{Level: sshconfig.Verbose, Output: &h.book})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := load(h.config, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	h.opts = Options{Config: cfg, Log: lg, Start: h.start, Getenv: func(n string) string { return h.env[n] },
		Load: func() (*sshconfig.Server, error) {
			cfg, err := load(h.config, func(text string) { lg.Errorf("%s", text) })
			if err != nil {
				lg.Errorf("%v", err)
			}
			return cfg, err
		},
		Listening: func() error { close(h.ready); return nil }}
	return h
}

func (h *house) write(lines string) {
	h.t.Helper()
	if !strings.Contains(lines, "PidFile") {
		lines += "\nPidFile " + filepath.Join(h.dir, "sshd.pid") + "\n"
	}
	if err := os.WriteFile(h.config, []byte(lines), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// start is a generation: what it is handed it notes.
func (h *house) start(ctx context.Context, cfg *sshconfig.Server) (*Generation, error) {
	h.mu.Lock()
	fail := h.fail
	h.fail = nil
	h.mu.Unlock()
	ours, theirs := privsep.Pair()
	f := &fake{h: h, link: theirs, lobbies: make(chan *privsep.Conn, 4), over: make(chan struct{})}
	h.mu.Lock()
	h.gens = append(h.gens, f)
	h.mu.Unlock()
	if fail != nil {
		go theirs.Serve(ctx, func(context.Context, *privsep.Incoming) error { return nil })
		_ = theirs.Notify(&privsep.Unready{Text: fail.Error()})
		return &Generation{Link: ours, Lobbies: f.lobbies, Wait: func() error { return nil }}, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		theirs.Serve(ctx, func(_ context.Context, in *privsep.Incoming) error {
			switch in.Number {
			case privsep.NumRetire:
				f.end()
			case privsep.NumStatus:
				return in.Answer(&privsep.Counters{List: []privsep.Counter{{Name: "bytes", Value: 7}}})
			}
			return nil
		})
		f.end()
	})
	f.newLobby(&wg)
	_ = theirs.Notify(&privsep.Ready{})
	go func() {
		<-f.over
		f.mu.Lock()
		f.lobby.Drain()
		f.mu.Unlock()
		theirs.Close()
	}()
	return &Generation{Link: ours, Lobbies: f.lobbies, Wait: func() error { wg.Wait(); return nil }}, nil
}

func (f *fake) newLobby(wg *sync.WaitGroup) {
	t := f.h.t
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Error(err)
		return
	}
	srv := &ssh.Server{HostKeys: []ssh.Signer{signer}, None: func(context.Context, *ssh.ConnMeta) (*ssh.Permissions, error) { return nil, nil }}
	hello, err := srv.Hello()
	if err != nil {
		t.Error(err)
		return
	}
	a, b := privsep.Pair()
	l, err := lobby.New(lobby.Config{Hello: hello, Listener: b, Now: time.Now, HandOver: func(n int64, _ []byte, file *os.File) error {
		f.h.mu.Lock()
		f.h.conns = append(f.h.conns, taken{n, file, f})
		f.h.mu.Unlock()
		return nil
	}})
	if err != nil {
		t.Error(err)
		return
	}
	f.mu.Lock()
	f.lobby = l
	f.mu.Unlock()
	wg.Go(func() { l.Serve(context.Background()) })
	f.lobbies <- a
}

func (h *house) run() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	go func() { h.done <- Run(ctx, h.opts) }()
	h.t.Cleanup(func() {
		cancel()
		<-h.done
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, c := range h.conns {
			c.f.Close()
		}
	})
	select {
	case <-h.ready:
	case n := <-h.done:
		h.done <- n
		h.t.Fatalf("it ended with %d:\n%s", n, h.book.String())
	}
}

func (h *house) await(what string, f func() bool) {
	h.t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("it does not happen: %s\n%s", what, h.book.String())
		}
	}
}

func (h *house) logged(re string) int {
	return len(regexp.MustCompile("(?m)^"+re+"$").FindAllString(h.book.String(), -1))
}

func (h *house) awaitLog(re string) {
	h.t.Helper()
	h.await(re, func() bool { return h.logged(re) > 0 })
}

// port is the n-th that the log says the server listens on.
func (h *house) port(n int) string {
	h.t.Helper()
	all := regexp.MustCompile(`(?m)^Server listening on \S+ port (\d+)\.$`).FindAllStringSubmatch(h.book.String(), -1)
	if len(all) <= n {
		h.t.Fatalf("it listens on %v", all)
	}
	return all[n][1]
}

func (h *house) dial(port string) net.Conn {
	h.t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// hello is a client that has shown its KEXINIT.
func (h *house) hello(port string) net.Conn {
	h.t.Helper()
	c := h.dial(port)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	signer, _ := ssh.NewSignerFromKey(key)
	hello, err := (&ssh.Server{HostKeys: []ssh.Signer{signer}, None: func(context.Context, *ssh.ConnMeta) (*ssh.Permissions, error) { return nil, nil }}).Hello()
	if err != nil {
		h.t.Fatal(err)
	}
	c.Write(hello.Append(nil, [16]byte{}))
	return c
}

func (h *house) handed(n int) []taken {
	h.t.Helper()
	h.await("connections are handed over", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.conns) >= n
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.conns)
}

func (h *house) signal(s syscall.Signal) { unix.Kill(os.Getpid(), s) }

// freePorts finds ports that were free a moment ago.
func freePorts(t *testing.T, n int) []string {
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, p, _ := net.SplitHostPort(l.Addr().String())
		list = append(list, p)
	}
	return list
}

// Accepted, handed over, logged in, ended: the counts follow, in the title and in
// the status, and files are written and removed.
func TestLife(t *testing.T) {
	p := freePorts(t, 2)
	h := newHouse(t, "ListenAddress 127.0.0.1:"+p[0]+"\nListenAddress 127.0.0.1:"+p[1]+"\nMaxStartups 2:30:9\n")
	var mu sync.Mutex
	var titles []string
	h.opts.Command = "/usr/sbin/sshd -D"
	h.opts.Title = func(s string) { mu.Lock(); titles = append(titles, s); mu.Unlock() }
	title := func() string { mu.Lock(); defer mu.Unlock(); return titles[len(titles)-1] }
	h.run()
	pid := filepath.Join(h.dir, "sshd.pid")
	if b, err := os.ReadFile(pid); err != nil || string(b) != fmt.Sprintf("%d\n", os.Getpid()) {
		t.Errorf("pid file %q, %v", b, err)
	}
	h.hello(p[0])
	h.hello(p[1])
	list := h.handed(2)
	h.await("two startups", func() bool { return title() == "sshd: /usr/sbin/sshd -D [listener] 2 of 2-9 startups" })
	list[0].gen.link.Notify(&privsep.LoggedIn{Number: list[0].number})
	h.await("one startup", func() bool { return strings.HasSuffix(title(), "] 1 of 2-9 startups") })
	list[0].gen.link.Notify(&privsep.Ended{Number: list[0].number})
	list[0].gen.link.Notify(&privsep.Ended{Number: list[1].number, Event: uint8(penalty.AuthFail)})
	h.await("no startup", func() bool { return strings.HasSuffix(title(), "] 0 of 2-9 startups") })
	h.awaitLog(`srclimit_penalise: ipv4: new 127\.0\.0\.1/32 deferred penalty of 5\.000 seconds for penalty: failed authentication`)
	var out bytes.Buffer
	if err := Status(filepath.Join(h.dir, "sshd.sock"), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted 2\n", "open 0\n", "logins 1\n", "ended.authfail 1\n", "generations 1\n", "bytes 7\n", "startups 0\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status lacks %q:\n%s", want, out.String())
		}
	}
	if st, err := os.Stat(filepath.Join(h.dir, "sshd.sock")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	h.signal(syscall.SIGTERM)
	n := <-h.done
	h.done <- n
	if n != 0 || h.logged("Received signal 15; terminating.") != 1 {
		t.Errorf("ended with %d:\n%s", n, h.book.String())
	}
	for _, name := range []string{pid, filepath.Join(h.dir, "sshd.sock")} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+p[0]); err == nil {
		c.Close()
		t.Error("it listens still")
	}
}

// SIGHUP: sockets that both configurations have stay open, others come and go, a
// session of the old generation goes on, and a broken file or a generation that
// does not get ready changes nothing (LOD-6).
func TestReload(t *testing.T) {
	p := freePorts(t, 3)
	line := func(i int) string { return "ListenAddress 127.0.0.1:" + p[i] + "\n" }
	h := newHouse(t, line(0)+line(1))
	h.run()
	h.hello(p[0])
	first := h.handed(1)[0]

	h.write(line(1) + line(2) + "LoginGraceTime 7\n")
	h.signal(syscall.SIGHUP)
	h.await("a second generation", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.gens) == 2 })
	h.await("the first address is closed", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+p[0])
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	for i, port := range p[1:] {
		h.hello(port)
		if c := h.handed(2 + i)[1+i]; c.gen == first.gen {
			t.Error("the old generation gets connections")
		}
	}
	select {
	case <-first.gen.over:
	case <-time.After(30 * time.Second):
		t.Error("the old generation was not told to retire")
	}

	bad := []struct {
		lines string
		fail  error
		log   string
	}{
		{line(1) + "Nonsense yes\n", nil, ".*Bad configuration option: Nonsense.*"},
		{line(0) + line(1), errors.New("no hostkeys available"), "(error: )?the configuration was not changed: no hostkeys available"},
		{"ListenAddress 192.0.2.1:" + p[0] + "\n", nil, "(error: )?Cannot bind any address. The configuration was not changed"},
	}
	for i, b := range bad {
		h.write(b.lines)
		h.mu.Lock()
		h.fail = b.fail
		h.mu.Unlock()
		h.signal(syscall.SIGHUP)
		h.awaitLog(b.log)
		h.hello(p[2])
		h.handed(4 + i)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+p[0]); err == nil {
		c.Close()
		t.Error("a configuration that failed left a socket")
	}
}

// A lobby that died is replaced: who was in it is gone, and others come in
// (GO-1).
func TestLobbyDies(t *testing.T) {
	h := newHouse(t, "ListenAddress 127.0.0.1:"+freePorts(t, 1)[0]+"\n")
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // after the house's end
	h.run()
	c := h.dial(h.port(0))
	io.ReadFull(c, make([]byte, 8))
	h.mu.Lock()
	g := h.gens[0]
	h.mu.Unlock()
	old := g.lobby
	old.Drain()
	c.Close()
	h.await("the lobby is empty", func() bool { return old.Count() == 0 })
	waits := h.hello(h.port(0)) // while there is none
	g.newLobby(&wg)
	h.handed(1)
	waits.Close()
}

// A generation that dies is replaced.
func TestGenerationDies(t *testing.T) {
	h := newHouse(t, "ListenAddress 127.0.0.1:"+freePorts(t, 1)[0]+"\n")
	h.run()
	h.mu.Lock()
	g := h.gens[0]
	h.mu.Unlock()
	g.link.Close()
	h.awaitLog("(error: )?monitor 0 ended; starting another")
	h.hello(h.port(0))
	if c := h.handed(1)[0]; c.gen == g {
		t.Error("the dead one serves")
	}
}

// Penalised sources are told one line and dropped, also after a restart; a full
// house is refused (BAN-1, LOD-1).
func TestRefusals(t *testing.T) {
	cfg := "ListenAddress 127.0.0.1:" + freePorts(t, 1)[0] + "\nMaxStartups 1:100:1\nPerSourcePenalties noauth:20s\n"
	h := newHouse(t, cfg)
	h.run()
	port := h.port(0)
	h.hello(port)
	c := h.handed(1)[0]
	full := h.hello(port)
	h.awaitLog(`drop connection #1 from \[127\.0\.0\.1\]:\d+ on \[127\.0\.0\.1\]:` + port + ` Maxstartups`)
	if b, err := io.ReadAll(full); !bytes.Contains(b, []byte("Not allowed at this time")) {
		t.Errorf("said %q, %v", b, err)
	}
	c.gen.link.Notify(&privsep.Ended{Number: c.number, Event: uint8(penalty.NoAuth)})
	h.awaitLog(`srclimit_penalise: ipv4: new 127\.0\.0\.1/32 active penalty of 20\.000 seconds for penalty: connections without attempting authentication`)
	if b, err := io.ReadAll(h.dial(port)); err != nil || string(b) != penalty.Refusal {
		t.Errorf("said %q, %v", b, err)
	}
	h.awaitLog(`drop connection #0 from \[127\.0\.0\.1\]:\d+ on \[127\.0\.0\.1\]:` + port + ` penalty: connections without attempting authentication`)
	h.stop()
	n := <-h.done
	h.done <- n

	again := newHouse(t, cfg+"PidFile "+filepath.Join(h.dir, "sshd.pid")+"\n")
	again.run()
	if b, err := io.ReadAll(again.dial(port)); err != nil || string(b) != penalty.Refusal {
		t.Errorf("after a restart: %q, %v", b, err)
	}
}

// What ends in the lobby is told in OpenSSH's words.
func TestFarewells(t *testing.T) {
	h := newHouse(t, "ListenAddress 127.0.0.1:"+freePorts(t, 1)[0]+"\nPerSourcePenalties no\n")
	h.run()
	port := h.port(0)
	say := func(s string) {
		c := h.dial(port)
		io.ReadFull(c, make([]byte, 8))
		io.WriteString(c, s)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	}
	const a = `127\.0\.0\.1 port \d+`
	say("")
	h.awaitLog(`Connection from ` + a + ` on ` + a + ` rdomain ""`)
	h.awaitLog(`kex_exchange_identification: Connection closed by remote host \[preauth\]`)
	h.awaitLog(`Connection closed by ` + a + ` \[preauth\]`)
	say("GET / HTTP/1.0\r\n")
	h.awaitLog(`kex_exchange_identification: client sent invalid protocol identifier "GET / HTTP/1.0" \[preauth\]`)
	h.awaitLog(`banner exchange: Connection from ` + a + `: invalid format \[preauth\]`)
	say("SSH-1.5-old\r\n")
	h.awaitLog(`banner exchange: Connection from ` + a + `: could not read protocol version \[preauth\]`)
	say("SSH-2.0-x\r\n\xff\xff\xff\xff0000")
	h.awaitLog(`Disconnecting ` + a + `: Bad packet length 4294967295\. \[preauth\]`)
}

// Sockets of a service manager are used, whatever the configuration says, and
// stay through a reload; the manager is told (README of sd_notify).
func TestManager(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	h := newHouse(t, "ListenAddress 192.0.2.1\nPort 9\n")
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	told := func(want string) {
		t.Helper()
		b := make([]byte, 256)
		n, err := c.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Errorf("told %q, %v, want %s", b[:n], err, want)
		}
	}
	h.env["NOTIFY_SOCKET"] = path
	h.opts.Given = []*os.File{f}
	h.run()
	told("READY=1")
	h.awaitLog("Port and ListenAddress are not used: the service manager has opened the sockets")
	h.hello(port)
	h.handed(1)
	h.signal(syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	h.hello(port)
	h.handed(2)
	h.signal(syscall.SIGTERM)
	told("STOPPING=1")
}

// Out of descriptors: the log says so and the listener lives.
func TestOutOfDescriptors(t *testing.T) {
	h := newHouse(t, "ListenAddress 127.0.0.1:"+freePorts(t, 1)[0]+"\n")
	h.run()
	port := h.port(0)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	c := h.dial(port) // has its descriptor
	io.ReadFull(c, make([]byte, 8))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	few := old
	few.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var n int
	fmt.Sscan(port, &n)
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		h.awaitLog("(error: )?accept: Too many open files")
	}
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil || err != nil {
		t.Fatal(e, err)
	}
	h.await("it accepts again", func() bool {
		b := make([]byte, 8)
		k, _ := unix.Read(fd, b)
		return k == 8
	})
}
