package rows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// roles are who talks to whom.
var roles = []struct{ client, server string }{
	{"ssh", "openssh"}, {"ssh", "nacre"}, {stock, "nacre"},
}

// eachRole runs a row for every pairing with at least one end of ours.
func eachRole(t *testing.T, f func(p *place, client string, server string)) {
	for _, r := range roles {
		t.Run(filepath.Base(r.client)+map[bool]string{true: "-stock"}[r.client == stock]+"-to-"+r.server, func(t *testing.T) {
			p := newPlace(t)
			p.need("curl")
			f(p, r.client, r.server)
		})
	}
}

// known is a configuration in which a server is called host, fit for a client
// of any age.
func (p *place) known(s *rig.Server, more ...string) (config string) {
	p.Helper()
	return p.toServer(s, s.Port, append([]string{"IgnoreUnknown WarnWeakCrypto", "WarnWeakCrypto no"}, more...)...)
}

// job is a program that runs beside the test.
type job struct {
	p    *place
	cmd  *exec.Cmd
	mu   sync.Mutex
	err  bytes.Buffer
	out  bytes.Buffer
	done chan struct{}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// begin starts a program; it is ended with the row.
func (p *place) begin(argv ...string) *job {
	p.Helper()
	file := argv[0]
	if !strings.Contains(file, "/") {
		file = filepath.Join(p.dir, "bin", file)
	}
	j := &job{p: p, cmd: exec.Command(file, argv[1:]...), done: make(chan struct{})}
	j.cmd.Args[0] = argv[0]
	j.cmd.Dir, j.cmd.Env = p.dir, p.env
	j.cmd.Stdout, j.cmd.Stderr = lockedWriter{&j.mu, &j.out}, lockedWriter{&j.mu, &j.err}
	j.cmd.WaitDelay = 5 * time.Second
	if err := j.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() {
		j.cmd.Wait()
		close(j.done)
	}()
	p.Cleanup(j.kill)
	return j
}

func (j *job) kill() {
	j.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-j.done:
	case <-time.After(10 * time.Second):
		j.cmd.Process.Kill()
		<-j.done
	}
}

func (j *job) said() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.ReplaceAll(j.err.String(), "\r\n", "\n")
}

// code waits for the end.
func (j *job) code() int {
	j.p.Helper()
	select {
	case <-j.done:
	case <-time.After(time.Minute):
		j.p.Fatalf("does not end: %s", j.said())
	}
	return j.cmd.ProcessState.ExitCode()
}

// await waits until something holds.
func (p *place) await(what string, f func() bool) {
	p.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("waited in vain: %s", what)
		}
	}
}

func (j *job) await(text string) {
	j.p.Helper()
	j.p.await(text, func() bool { return strings.Contains(j.said(), text) || over(j.done) })
	if !strings.Contains(j.said(), text) {
		j.p.Fatalf("ended without %q: %s", text, j.said())
	}
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func listening(port int) bool {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		c.Close()
	}
	return err == nil
}

// big is how much is fetched in the rows about bulk: NACRE_BIG bytes, as 1G of
// them, where that is set.
func big() int64 {
	if n, err := strconv.ParseInt(os.Getenv("NACRE_BIG"), 10, 64); err == nil {
		return n
	}
	return 64 << 20
}

// far is a web server; /N is N bytes, always the same.
func (p *place) far() (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(strings.Trim(r.URL.Path, "/"), 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.Copy(w, content(n))
	})}
	go s.Serve(l)
	p.Cleanup(func() { s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func content(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), n) }

func hash(r io.Reader) string {
	h := sha256.New()
	io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil))
}

// fetch has curl get n bytes and compares them.
func (p *place) fetch(n int64, args ...string) {
	p.Helper()
	name := filepath.Join(p.dir, "fetched")
	defer os.Remove(name)
	if o := p.run(append([]string{"curl", "-sS", "-m", "300", "-o", name}, args...)...); o.code != 0 {
		p.Fatalf("curl %q: %+v", args, o)
	}
	f, err := os.Open(name)
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	if hash(f) != hash(content(n)) {
		p.Errorf("curl %q: other bytes came", args)
	}
}
