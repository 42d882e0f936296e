//go:build linux

package server

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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/test/rows/world"
)

// binEnv names the folder that the programs were built into.
const binEnv = "NACRE_ROWS_BIN"

func TestMain(m *testing.M) {
	dir := ""
	if !world.Here() && os.Geteuid() == 0 {
		var err error
		if dir, err = os.MkdirTemp("", "nacre-rows-"); err == nil {
			err = build(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.RemoveAll(dir)
			os.Exit(1)
		}
		os.Setenv(binEnv, dir)
	}
	world.Enter(func() { os.RemoveAll(dir) })
	os.Exit(m.Run())
}

func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"nacre", "nacre-native"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../../../cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %v\n%s", name, err, out)
		}
	}
	return os.Symlink("nacre", filepath.Join(dir, "sshd"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Passwords of the accounts, and the hash of it.
const (
	password = "interop"
	hash     = "$6$nacre$LYbm0yoit5NiROaLvlacfTnPN6W.HsJWZmLWlzVeuhug3eW77Q/3U.1BQEaX7DGvNcmvTJRq62uCoGZHFnsCc."
)

// rig is one row's server and the people who log in to it.
type rig struct {
	*testing.T
	dir   string
	bin   string
	users map[string]*world.User
	cmd   *exec.Cmd
	stdin string // of ssh
	log   string // file
	ended chan struct{}
}

// newRig makes the accounts user, user1, user2 and user3 with a key that lets
// them in.
func newRig(t *testing.T) *rig {
	t.Helper()
	if !world.Here() {
		t.Skip("peer lacks root, which makes accounts")
	}
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("peer lacks ssh")
	}
	r := &rig{T: t, dir: t.TempDir(), bin: os.Getenv(binEnv), users: map[string]*world.User{}}
	r.log = filepath.Join(r.dir, "log")
	r.keygen("id")
	pub, err := os.ReadFile(r.path("id.pub"))
	must(t, err)
	for i, name := range []string{"user", "user1", "user2", "user3"} {
		u := &world.User{Name: name, UID: 61001 + i, Hash: hash}
		must(t, os.RemoveAll("/home/"+name))
		must(t, u.Add())
		must(t, u.Write(".ssh/authorized_keys", string(pub)))
		r.users[name] = u
	}
	must(t, (&world.User{Name: "sshd", UID: 61100, GID: 61100, Home: "/run/sshd", Shell: "/usr/sbin/nologin"}).Add())
	must(t, (&world.User{Name: "nacre", UID: 61101, GID: 61101, Home: "/run/nacre", Shell: "/usr/sbin/nologin"}).Add())
	for _, d := range []string{"/run/sshd", "/run/nacre"} {
		must(t, os.Chown(d, 0, 0))
		must(t, os.Chmod(d, 0o755))
	}
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) keygen(name string) {
	r.Helper()
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", r.path(name)).CombinedOutput()
	if err != nil {
		r.Fatalf("ssh-keygen: %v %s", err, out)
	}
}

// file writes a file of the row.
func (r *rig) file(name, text string) string {
	r.Helper()
	must(r, os.WriteFile(r.path(name), []byte(text), 0o644))
	return r.path(name)
}

// config writes the configuration, with a host key unless it names one.
func (r *rig) config(text string) string {
	r.Helper()
	if !strings.Contains(text, "HostKey ") {
		if _, err := os.Stat(r.path("host")); err != nil {
			r.keygen("host")
		}
		text += "\nHostKey " + r.path("host")
	}
	if i := strings.Index(text, "\nMatch "); i >= 0 { // nothing global may follow it
		j := strings.LastIndex(text, "\nHostKey ")
		if j > i {
			text = text[:i] + text[j:] + text[i:j]
		}
	}
	return r.file("sshd_config", text+"\n")
}

// serve starts the server and waits until it listens on all of ports.
func (r *rig) serve(config string, ports ...int) {
	r.Helper()
	r.stop()
	file := r.config(config)
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(r.bin, "sshd"), "-D", "-f", file, "-E", r.log)
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(r, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	r.cmd, r.ended = cmd, ended
	r.Cleanup(r.stop)
	for _, p := range ports {
		for !r.listens(p) {
			select {
			case <-ended:
				r.Fatalf("sshd has ended: %s\n%s", stderr.String(), r.logged())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// listens tells whether a port answers, without a connection that would be
// counted as a stranger's.
func (r *rig) listens(port int) bool {
	b, err := os.ReadFile("/proc/net/tcp")
	must(r, err)
	b6, _ := os.ReadFile("/proc/net/tcp6")
	for l := range strings.Lines(string(b) + string(b6)) {
		f := strings.Fields(l)
		if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == "0A" {
			return true
		}
	}
	return false
}

func (r *rig) stop() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	<-r.ended
	r.cmd = nil
}

func (r *rig) logged() string {
	b, _ := os.ReadFile(r.log)
	return string(b)
}

// wantLog waits until the log holds every text.
func (r *rig) wantLog(texts ...string) {
	r.Helper()
	for _, text := range texts {
		end := time.Now().Add(20 * time.Second)
		for !strings.Contains(r.logged(), text) {
			if time.Now().After(end) {
				r.Fatalf("the log lacks %q:\n%s", text, r.logged())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// answer is what was seen of one command.
type answer struct {
	status int
	out    string // standard output
	err    string
}

// ssh runs the stock client.
func (r *rig) ssh(args ...string) answer { return r.sshWith(nil, args...) }

// sshWith is ssh with answers to its questions: by a part of the question's
// text. Without any it is in batch mode.
func (r *rig) sshWith(answers map[string]string, args ...string) answer {
	r.Helper()
	base := []string{"-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + r.path("known_hosts"),
		"-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-i", r.path("id")}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if answers == nil {
		base = append(base, "-o", "BatchMode=yes")
	}
	cmd := exec.CommandContext(ctx, "ssh", append(base, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "SHELL=/bin/sh"}
	if answers != nil {
		script := "#!/bin/sh\nprintf '%s\\n' \"$1\" >>" + r.path("asked") + "\ncase \"$1\" in\n"
		for q, a := range answers {
			script += "*'" + q + "'*) printf '%s\\n' '" + a + "';;\n"
		}
		ask := r.file("askpass", script+"*) exit 1;;\nesac\n")
		must(r, os.Chmod(ask, 0o755))
		os.Remove(r.path("asked"))
		cmd.Env = append(cmd.Env, "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && ctx.Err() == nil:
	default:
		r.Fatalf("ssh %v: %v %s", args, err, errs.String())
	}
	return answer{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// asked are the questions of the last sshWith.
func (r *rig) asked() string {
	b, _ := os.ReadFile(r.path("asked"))
	return string(b)
}

// status compares an exit status.
func (r *rig) status(what string, a answer, want int) {
	r.Helper()
	if a.status != want {
		r.Errorf("%s: status %d, want %d\nout: %s\nerr: %s\nlog:\n%s", what, a.status, want, a.out, a.err, r.logged())
	}
}

// sshd runs our server in the foreground to its end.
func (r *rig) sshd(args ...string) answer {
	r.Helper()
	cmd := exec.Command(filepath.Join(r.bin, "sshd"), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return answer{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// run runs any program.
func (r *rig) run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// lacks skips where a program is missing.
func (r *rig) lacks(programs ...string) {
	r.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			r.Skip("peer lacks " + p)
		}
	}
}

// drain reads what a connection says until it ends.
func drain(c net.Conn) string {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, _ := io.ReadAll(c)
	return string(b)
}
