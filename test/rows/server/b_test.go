//go:build linux

package server

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/nacre-ssh/nacre/test/rows/world"
)

func TestB01_AllowUsers(t *testing.T) {
	r := newRig(t)
	r.serve("AllowUsers user1 user2", 22)
	for user, want := range map[string]int{"user1": 0, "user2": 0, "user3": 255} {
		r.status(user, r.ssh(user+"@127.0.0.1", "true"), want)
	}
	r.wantLog("User user3 from 127.0.0.1 not allowed because not listed in AllowUsers")
}

func TestB02_AllowGroups(t *testing.T) {
	r := newRig(t)
	must(t, world.Group("group1", 61201, "user1"))
	must(t, world.Group("group2", 61202))
	two := *r.users["user2"]
	two.GID = 61202
	must(t, two.Add())
	must(t, two.Write(".ssh/authorized_keys", readAll(t, r.path("id.pub"))))
	r.serve("AllowGroups group1 group2", 22)
	for user, want := range map[string]int{"user1": 0, "user2": 0, "user3": 255} {
		r.status(user, r.ssh(user+"@127.0.0.1", "true"), want)
	}
	r.wantLog("User user3 from 127.0.0.1 not allowed because none of user's groups are listed in AllowGroups")
	if a := r.ssh("user1@127.0.0.1", "id -G"); a.out != "61002 61201\n" {
		t.Errorf("groups: %q", a.out)
	}
}

func readAll(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

func TestB03_Banner(t *testing.T) {
	r := newRig(t)
	r.serve("Banner /etc/issue", 22)
	issue := readAll(t, "/etc/issue")
	got, err := r.run("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=INFO",
		"-o", "BatchMode=yes", "-i", r.path("id"), "user@127.0.0.1", "true")
	got = regexp.MustCompile(`(?m)^Warning: Permanently added .*\r?\n`).ReplaceAllString(got, "")
	if err != nil || got != issue {
		t.Errorf("banner: %q, want %q (%v)", got, issue, err)
	}
	if a := r.ssh("-q", "user@127.0.0.1", "true"); a.err != "" || a.status != 0 {
		t.Errorf("-q: %+v", a)
	}
	if a := r.ssh("user@127.0.0.1", "true"); a.err != "" || a.status != 0 { // LogLevel ERROR
		t.Errorf("LogLevel ERROR: %+v", a)
	}
}

func TestB04_OwnHostKey(t *testing.T) {
	r := newRig(t)
	r.lacks("ssh-keyscan")
	key := "/etc/ssh/ssh_host_rsa_key"
	os.Remove(key)
	os.Remove(key + ".pub")
	if out, err := r.run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key); err != nil {
		t.Fatal(out)
	}
	r.serve("HostKey "+key, 22)
	a := r.sshd("-T", "-f", r.path("sshd_config"))
	var keys []string
	for l := range strings.Lines(a.out) {
		if name, value, _ := strings.Cut(strings.TrimSpace(l), " "); strings.EqualFold(name, "hostkey") {
			keys = append(keys, value)
		}
	}
	if len(keys) != 1 || keys[0] != key {
		t.Errorf("-T: %q", keys)
	}
	scan := exec.Command("ssh-keyscan", "-t", "rsa,ed25519", "127.0.0.1")
	out, err := scan.Output()
	must(t, err)
	want := strings.Fields(readAll(t, key+".pub"))
	got := strings.Fields(string(out))
	if strings.Count(string(out), "\n") != 1 || len(got) < 3 || got[1] != want[0] || got[2] != want[1] {
		t.Errorf("ssh-keyscan: %q", out)
	}
}

func TestB05_HostKeysAreMade(t *testing.T) {
	r := newRig(t)
	old, _ := filepath.Glob("/etc/ssh/ssh_host_*")
	for _, f := range old {
		os.Remove(f)
	}
	if out, err := r.run("ssh-keygen", "-A"); err != nil {
		t.Fatal(out)
	}
	made, _ := filepath.Glob("/etc/ssh/ssh_host_*_key")
	if len(made) == 0 {
		t.Fatal("no keys")
	}
	first := map[string]string{}
	for _, f := range made {
		st, err := os.Stat(f)
		must(t, err)
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f, st.Mode())
		}
		first[f] = readAll(t, f)
	}
	if out, err := r.run("ssh-keygen", "-A"); err != nil {
		t.Fatal(out)
	}
	for f, text := range first {
		if readAll(t, f) != text {
			t.Errorf("%s was made anew", f)
		}
	}
	// And the server serves with what was made.
	must(t, os.WriteFile(r.path("host"), nil, 0o600)) // no key of the row's
	r.serve("HostKey "+made[0], 22)
	r.status("with a key of ssh-keygen -A", r.ssh("user@127.0.0.1", "true"), 0)
}

func TestB06_OtherPort(t *testing.T) {
	r := newRig(t)
	if a := r.sshd("-t", "-f", r.config("Port 39901")); a.status != 0 {
		t.Errorf("sshd -t: %+v", a)
	}
	r.serve("Port 39901", 39901)
	if r.listens(22) {
		t.Error("it listens on 22 too")
	}
	r.status("the port", r.ssh("-p", "39901", "user@127.0.0.1", "true"), 0)
}

func TestB07_TwoPorts(t *testing.T) {
	r := newRig(t)
	for _, ports := range [][]int{{22, 1234}, {22, 443}} {
		r.serve(fmt.Sprintf("Port %d\nPort %d", ports[0], ports[1]), ports...)
		for _, p := range ports {
			r.status(fmt.Sprint(p), r.ssh("-p", fmt.Sprint(p), "user@127.0.0.1", "true"), 0)
		}
	}
	r.serve("#Port 22\nPort 1234", 1234)
	if r.listens(22) {
		t.Error("commented out, 22 answers")
	}
	r.status("1234 alone", r.ssh("-p", "1234", "user@127.0.0.1", "true"), 0)
}

func TestB08_NoPasswords(t *testing.T) {
	r := newRig(t)
	offered := func(config string) string {
		r.serve(config, 22)
		a := r.ssh("-v", "-o", "LogLevel=DEBUG1", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "user@127.0.0.1")
		r.status("no key", a, 255)
		m := regexp.MustCompile(`Authentications that can continue: (.*)`).FindStringSubmatch(a.err)
		if m == nil {
			t.Fatalf("%s", a.err)
		}
		return strings.TrimSpace(m[1])
	}
	if got := offered("PasswordAuthentication no\nKbdInteractiveAuthentication no"); got != "publickey" {
		t.Errorf("passwords off: %q", got)
	}
	if got := offered("PasswordAuthentication no"); strings.Contains(got, "password") {
		t.Errorf("PasswordAuthentication no: %q", got)
	}
	if got := offered(""); !strings.Contains(got, "password") {
		t.Errorf("by default: %q", got)
	}
	if got := offered("PasswordAuthentication no\nUsePAM yes"); !strings.Contains(got, "keyboard-interactive") || strings.Contains(got, "password") {
		t.Errorf("with PAM: %q", got)
	}
}

// A stock client tries the dialogue before the password method: both let a
// password in, and neither where passwords are off.
func TestB08_PasswordWithDefaultPreferences(t *testing.T) {
	r := newRig(t)
	login := func(user, secret string) answer {
		t.Helper()
		return r.sshWith(map[string]string{"assword: ": secret}, "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", user+"@127.0.0.1", "echo in")
	}
	r.serve("UsePAM no", 22)
	a := login("user", password)
	r.status("right", a, 0)
	if q := r.asked(); a.out != "in\n" || q != "(user@127.0.0.1) Password: \n" {
		t.Errorf("%+v, asked %q", a, q)
	}
	const both = "(user@127.0.0.1) Password: \nuser@127.0.0.1's password: \n"
	r.status("wrong", login("user", "wrong"), 255)
	if q := r.asked(); q != both {
		t.Errorf("wrong password: asked %q", q)
	}
	r.status("nobody's", login("nosuch", password), 255)
	if q := r.asked(); q != strings.ReplaceAll(both, "user", "nosuch") {
		t.Errorf("nobody's name: asked %q", q)
	}
	r.serve("UsePAM no\nPasswordAuthentication no", 22)
	a = login("user", password)
	r.status("passwords off", a, 255)
	if q := r.asked(); q != "" || !strings.Contains(a.err, "Permission denied (publickey,keyboard-interactive)") {
		t.Errorf("passwords off: %+v, asked %q", a, q)
	}
}

func TestB09_ConfigurationTest(t *testing.T) {
	r := newRig(t)
	bad := r.file("bad", "Port 22\nPermitRootLogni no\n")
	if a := r.sshd("-t", "-f", bad); a.status == 0 || !strings.Contains(a.err, bad) || !strings.Contains(a.err, "line 2") || !strings.Contains(a.err, "PermitRootLogni") {
		t.Errorf("%+v", a)
	}
	if a := r.sshd("-T", "-f", r.config("Port 22")); a.status != 0 || !strings.HasPrefix(strings.ToLower(a.out), "port 22\n") {
		t.Errorf("%d %.60q %s", a.status, a.out, a.err)
	}
	pid := r.path("pid")
	r.serve("PidFile "+pid+"\nAllowUsers user1", 22)
	// A session that is open stays.
	cmd := exec.Command("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
		"-i", r.path("id"), "user1@127.0.0.1", "echo ready; cat")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil || string(ready) != "ready\n" {
		t.Fatalf("%q %v %s", ready, err, r.logged())
	}
	hup := func(config string) {
		r.config(config)
		b := strings.TrimSpace(readAll(t, pid))
		n := 0
		fmt.Sscan(b, &n)
		if n != r.cmd.Process.Pid {
			t.Errorf("pid file: %q, the server is %d", b, r.cmd.Process.Pid)
		}
		must(t, syscall.Kill(n, syscall.SIGHUP))
	}
	hup("PidFile " + pid + "\nAllowUsers user2\nPort 2222")
	for !r.listens(2222) {
		select {
		case <-r.ended:
			t.Fatal("it has ended: " + r.logged())
		default:
		}
	}
	r.status("user2", r.ssh("-p", "2222", "user2@127.0.0.1", "true"), 0)
	r.status("user1", r.ssh("-p", "2222", "user1@127.0.0.1", "true"), 255)
	fmt.Fprintln(in, "still here")
	in.Close()
	rest, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || string(rest) != "still here\n" {
		t.Errorf("the session: %q %v", rest, err)
	}
	// A file that is wrong changes nothing (HST-14).
	hup("PidFile " + pid + "\nAllowUsers user3\nPort 2222\nNonsense yes")
	r.wantLog("Nonsense")
	r.status("user2 after a wrong file", r.ssh("-p", "2222", "user2@127.0.0.1", "true"), 0)
	r.status("user3 after a wrong file", r.ssh("-p", "2222", "user3@127.0.0.1", "true"), 255)
}

func TestB10_LogLevel(t *testing.T) {
	r := newRig(t)
	r.serve("LogLevel DEBUG", 22)
	r.status("login", r.ssh("user@127.0.0.1", "true"), 0)
	r.wantLog("debug1: ")
}
