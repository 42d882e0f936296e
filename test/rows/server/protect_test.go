//go:build linux

package server

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var passwordOnly = []string{"-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"}

var wrongPassword = map[string]string{"assword": "wrong"}

// sshguard's own parser finds the attacks in our log.
func TestD11_Sshguard(t *testing.T) {
	r := newRig(t)
	const parser = "/usr/libexec/sshguard/sshg-parser"
	if _, err := os.Stat(parser); err != nil {
		t.Skip("peer lacks sshguard")
	}
	r.serve("DenyUsers user3\nMaxAuthTries 2\nPerSourcePenalties no", 22)
	r.sshWith(wrongPassword, append(passwordOnly, "user@127.0.0.1", "true")...)
	r.sshWith(wrongPassword, append(passwordOnly, "nosuch@127.0.0.1", "true")...)
	r.ssh("user3@127.0.0.1", "true")
	r.ssh("-o", "KexAlgorithms=diffie-hellman-group1-sha1", "user@127.0.0.1", "true")
	if c, err := net.Dial("tcp", "127.0.0.1:22"); err == nil {
		fmt.Fprint(c, "SSH-2.0-scan\r\n")
		c.(*net.TCPConn).CloseWrite()
		drain(c)
		c.Close()
	}
	want := []string{"Failed password for user from", "Invalid user nosuch from", "not allowed because", "Unable to negotiate with", "Connection closed by 127.0.0.1 port "}
	r.wantLog(want...)
	r.stop()
	var lines strings.Builder
	n := 0
	for l := range strings.Lines(strings.ReplaceAll(r.logged(), "\r", "")) {
		for _, w := range want {
			if strings.Contains(l, w) {
				fmt.Fprintf(&lines, "%s host sshd[%d]: %s", time.Now().Format("Jan _2 15:04:05"), 1000+n, strings.ReplaceAll(l, "127.0.0.1", "192.0.2.7"))
				n++
				break
			}
		}
	}
	cmd := exec.Command(parser)
	cmd.Stdin = strings.NewReader(lines.String())
	out, err := cmd.Output()
	if got := strings.Count(string(out), " 192.0.2.7 "); err != nil || got < len(want) {
		t.Errorf("sshguard sees %d attacks in %d lines, %v:\n%s\n%s", got, n, err, lines.String(), out)
	}
}

// Trusted places: by AllowUsers, by Match, by an option of the key.
func TestD13_TrustedSources(t *testing.T) {
	r := newRig(t)
	if out, err := r.run("ip", "address", "add", "192.0.2.1/24", "dev", "lo"); err != nil {
		t.Skipf("peer lacks addresses: %s", out)
	}
	defer r.run("ip", "address", "del", "192.0.2.1/24", "dev", "lo")
	both := func(what string) {
		t.Helper()
		r.status(what+": from the trusted place", r.ssh("-b", "192.0.2.1", "user@192.0.2.1", "true"), 0)
		r.status(what+": from another", r.ssh("-b", "127.0.0.1", "user@127.0.0.1", "true"), 255)
	}
	r.serve("AllowUsers *@192.0.2.0/24\nPerSourcePenalties no", 22)
	both("AllowUsers")
	r.wantLog("User user from 127.0.0.1 not allowed because not listed in AllowUsers")
	r.serve("PubkeyAuthentication no\nPerSourcePenalties no\nMatch Address 192.0.2.0/24\nPubkeyAuthentication yes", 22)
	both("Match Address")
	u := r.users["user"]
	pub := readAll(t, r.path("id.pub"))
	must(t, u.Write(".ssh/authorized_keys", `from="192.0.2.0/24" `+pub))
	r.serve("PerSourcePenalties no", 22)
	both("from=")
	r.wantLog("Authentication tried for user with correct key but not from a permitted host")
}

// rootKeys has root's file of keys hold lines.
func (r *rig) rootKeys(lines string) {
	r.Helper()
	must(r, os.MkdirAll("/root/.ssh", 0o700))
	must(r, os.Chmod("/root", 0o700))
	must(r, os.WriteFile("/root/.ssh/authorized_keys", []byte(lines), 0o600))
	r.Cleanup(func() { os.Remove("/root/.ssh/authorized_keys") })
}

// Root: not at all, with keys only, with forced commands only.
func TestD14_D15_D18_D19_Root(t *testing.T) {
	r := newRig(t)
	pub := readAll(t, r.path("id.pub"))
	r.keygen("forced")
	r.rootKeys(pub + `command="echo forced" ` + readAll(t, r.path("forced.pub")))
	if a := r.sshd("-T", "-f", r.config("#PermitRootLogin prohibit-password")); !regexp.MustCompile(`(?mi)^permitrootlogin (prohibit-password|without-password)$`).MatchString(a.out) {
		t.Errorf("the default: %s", a.out)
	}
	r.serve("PermitRootLogin no\nPerSourcePenalties no", 22)
	r.status("no", r.ssh("root@127.0.0.1", "true"), 255)
	r.wantLog("ROOT LOGIN REFUSED FROM 127.0.0.1 port ")
	for _, word := range []string{"prohibit-password", "without-password"} {
		r.serve("PermitRootLogin "+word+"\nPerSourcePenalties no", 22)
		r.status(word+" with a key", r.ssh("root@127.0.0.1", "true"), 0)
		must(t, os.RemoveAll(r.path("asked")))
		r.status(word+" with a password", r.sshWith(map[string]string{"assword": password}, append(passwordOnly, "root@127.0.0.1", "true")...), 255)
	}
	r.serve("PermitRootLogin forced-commands-only\nPerSourcePenalties no", 22)
	r.status("another key", r.ssh("root@127.0.0.1", "true"), 255)
	a := r.ssh("-o", "IdentityFile="+r.path("forced"), "root@127.0.0.1", "true")
	if a.status != 0 || a.out != "forced\n" {
		// The key of the base options is tried first and may use up the login.
		t.Errorf("forced key: %+v\n%s", a, r.logged())
	}
	r.status("a password", r.sshWith(map[string]string{"assword": password}, append(passwordOnly, "root@127.0.0.1", "true")...), 255)
}

// sudo and su have a terminal to ask at.
func TestD16_SudoAndSu(t *testing.T) {
	r := newRig(t)
	r.lacks("sudo", "su")
	r.serve("PerSourcePenalties no", 22)
	for name, argv := range map[string][]string{
		"sudo": {"-tt", "user@127.0.0.1", "timeout --foreground 10 sudo -k -p 'ask: ' -l"},
		"su":   {"-tt", "user@127.0.0.1", "timeout --foreground 10 su -c id"},
	} {
		r.stdin = "wrong\nwrong\nwrong\n"
		a := r.ssh(argv...)
		r.stdin = ""
		if !strings.Contains(a.out, "ask: ") && !strings.Contains(a.out, "assword: ") {
			t.Errorf("%s asks nothing: %+v", name, a)
		}
		if strings.Contains(a.out, "terminal is required") || strings.Contains(a.out, "must be run from a terminal") {
			t.Errorf("%s has no terminal: %+v", name, a)
		}
	}
}

// A key that can only read files with rsync.
func TestD17_ForcedCommand(t *testing.T) {
	r := newRig(t)
	r.lacks("rsync", "rrsync")
	rrsync, _ := exec.LookPath("rrsync")
	r.rootKeys(`command="` + rrsync + ` -ro /" ` + readAll(t, r.path("id.pub")))
	r.serve("PermitRootLogin forced-commands-only\nPerSourcePenalties no", 22)
	shell := "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=" + r.path("known_hosts") + " -o IdentitiesOnly=yes -o BatchMode=yes -i " + r.path("id")
	if out, err := r.run("rsync", "-a", "-e", shell, "root@127.0.0.1:/etc/issue", r.path("copy")); err != nil {
		t.Errorf("reading: %v %s\n%s", err, out, r.logged())
	} else if readAll(t, r.path("copy")) != readAll(t, "/etc/issue") {
		t.Error("the copy differs")
	}
	if out, err := r.run("rsync", "-a", "-e", shell, r.path("copy"), "root@127.0.0.1:/etc/issue.copy"); err == nil {
		t.Errorf("writing is allowed: %s", out)
	}
	if a := r.ssh("root@127.0.0.1", "id"); a.status == 0 || strings.Contains(a.out, "uid=") {
		t.Errorf("another command runs: %+v", a)
	}
	// What was asked for is what the forced command learns.
	must(t, r.users["user"].Write(".ssh/authorized_keys", `command="echo $SSH_ORIGINAL_COMMAND" `+readAll(t, r.path("id.pub"))))
	if a := r.ssh("user@127.0.0.1", "some thing"); a.out != "some thing\n" {
		t.Errorf("%+v", a)
	}
}

// A file of keys that nobody may write, not even its owner.
func TestD20_LockedKeyFile(t *testing.T) {
	r := newRig(t)
	file := "/home/user/.ssh/authorized_keys"
	must(t, os.Chmod(file, 0o400))
	for _, p := range []string{file, filepath.Dir(file)} {
		if out, err := r.run("chattr", "+i", p); err == nil {
			defer r.run("chattr", "-i", p)
		} else {
			t.Logf("without the immutable bit: %s", out)
		}
	}
	r.serve("StrictModes yes", 22)
	r.status("a locked file", r.ssh("user@127.0.0.1", "true"), 0)
}

// A port that opens after a knock.
func TestD21_PortKnocking(t *testing.T) {
	r := newRig(t)
	r.lacks("nft", "nc")
	rules := `table inet knock {
 set one { type ipv4_addr; timeout 10s; flags dynamic; }
 set two { type ipv4_addr; timeout 10s; flags dynamic; }
 chain in { type filter hook input priority 0;
  tcp dport 1111 add @one { ip saddr } drop
  tcp dport 2222 ip saddr @one add @two { ip saddr } drop
  tcp dport 22 ct state new ip saddr != @two drop
 }
}
`
	if out, err := r.run("nft", "-f", r.file("knock.nft", rules)); err != nil {
		t.Skipf("peer lacks nftables: %s", out)
	}
	defer r.run("nft", "delete", "table", "inet", "knock")
	r.serve("", 22)
	r.status("without a knock", r.ssh("-o", "ConnectTimeout=2", "user@127.0.0.1", "true"), 255)
	knock := r.file("knock", "#!/bin/sh\nfor p in $2 $3; do nc -w 1 -z $1 $p; done\nexit 0\n")
	must(t, os.Chmod(knock, 0o755))
	r.status("with one", r.ssh("-o", "ProxyCommand=sh -c '"+knock+" 127.0.0.1 1111 2222 && exec nc %h %p'", "user@127.0.0.1", "true"), 0)
}

// rooms are the server's processes by their title.
func rooms(t *testing.T, title string) (pids []string) {
	t.Helper()
	list, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range list {
		if b, err := os.ReadFile(p); err == nil && strings.HasPrefix(string(b), title) {
			pids = append(pids, filepath.Base(filepath.Dir(p)))
		}
	}
	return pids
}

// Hundreds of strangers that say nothing, from one address and from many, shut
// nobody out and cost no process (LOD-1, LOD-2).
func TestHalfOpen(t *testing.T) {
	r := newRig(t)
	r.serve("PidFile "+r.path("pid")+"\nLoginGraceTime 120", 22)
	before := len(rooms(t, "sshd: "))
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for i := range 600 {
		from := net.IPv4(127, 0, 0, 1)
		if i%2 == 0 {
			from = net.IPv4(127, 0, 1, byte(i/2%250+1))
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		c, err := d.Dial("tcp", "127.0.0.1:22")
		must(t, err)
		held = append(held, c)
	}
	for range 3 {
		r.status("a good login", r.ssh("user@127.0.0.1", "true"), 0)
	}
	a := r.sshd("-O", "status", "-f", r.path("sshd_config"))
	m := regexp.MustCompile(`(?m)^lobby (\d+)$`).FindStringSubmatch(a.out)
	if m == nil {
		t.Fatalf("status: %+v", a)
	}
	n := 0
	fmt.Sscan(m[1], &n)
	if n < 250 {
		t.Errorf("%d strangers are in the lobby:\n%s", n, a.out)
	}
	if now := len(rooms(t, "sshd: ")); now > before+8 {
		t.Errorf("%d processes, %d before", now, before)
	}
}

// Guessing is braked, also over a restart, and the exempt never are (BAN-1).
func TestGuessing(t *testing.T) {
	r := newRig(t)
	config := "PidFile " + r.path("pid") + "\nPerSourcePenalties authfail:20s\nPerSourcePenaltyExemptList 127.0.0.9"
	r.serve(config, 22)
	r.sshWith(wrongPassword, append(passwordOnly, "user@127.0.0.1", "true")...)
	r.wantLog("srclimit_penalise: ipv4: new 127.0.0.1/32 active penalty of 20.000 seconds for penalty: failed authentication")
	refused := func(when string) {
		t.Helper()
		if a := r.ssh("user@127.0.0.1", "true"); a.status != 255 {
			t.Errorf("%s: %+v", when, a)
		}
		r.wantLog("drop connection #0 from [127.0.0.1]:", " penalty: failed authentication")
	}
	refused("at once")
	r.sshWith(wrongPassword, append(passwordOnly, "-b", "127.0.0.9", "user@127.0.0.1", "true")...)
	r.status("an exempt address", r.ssh("-b", "127.0.0.9", "user@127.0.0.1", "true"), 0)
	r.serve(config, 22)
	refused("after a restart")
	r.status("another address", r.ssh("-b", "127.0.0.2", "user@127.0.0.1", "true"), 0)
}

// A new version of the program takes the old one's place with its number and its
// sockets: no connection is refused and sessions go on (LOD-6, HST-17).
func TestUpgrade(t *testing.T) {
	r := newRig(t)
	bin := r.path("sshd")
	data, err := os.ReadFile(filepath.Join(r.bin, "nacre"))
	must(t, err)
	must(t, os.WriteFile(bin, data, 0o755))
	must(t, os.Chmod(r.dir, 0o755))
	file := r.config("Port 22\nPidFile " + r.path("pid") + "\nPerSourcePenalties no")
	cmd := r.start(nil, bin, "-D", "-E", r.log, "-f", file)
	r.awaitPort(22)
	s := r.session(22)

	// A version that does not start does not take over.
	must(t, os.Rename(bin, bin+".old"))
	must(t, os.WriteFile(bin, []byte("#!/bin/sh\nexit 3\n"), 0o755))
	must(t, cmd.Process.Signal(syscall.SIGUSR2))
	r.wantLog("not upgraded: ")
	r.status("the old version", r.ssh("user@127.0.0.1", "true"), 0)

	must(t, os.WriteFile(bin+".new", data, 0o755))
	must(t, os.Rename(bin+".new", bin))
	listening := strings.Count(r.logged(), "Server listening on ")
	must(t, cmd.Process.Signal(syscall.SIGUSR2))
	for end := time.Now().Add(30 * time.Second); strings.Count(r.logged(), "Server listening on ") == listening; {
		r.status("in the middle of it", r.ssh("user@127.0.0.1", "true"), 0)
		if time.Now().After(end) {
			t.Fatal("no new version\n", r.logged())
		}
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
	if err != nil || exe != bin {
		t.Errorf("the process runs %s, %v", exe, err)
	}
	r.status("the new version", r.ssh("user@127.0.0.1", "true"), 0)
	s.lives("after the upgrade")
	if !r.listens(22) {
		t.Error("nothing listens")
	}
}

// What says what it is in ps, and is what it should be (GO-2).
func TestRoomsInPs(t *testing.T) {
	r := newRig(t)
	r.serve("MaxStartups 10:30:60\nPidFile none", 22)
	s := r.session(22)
	for _, title := range []string{"sshd: " + filepath.Join(r.bin, "sshd"), "sshd: [monitor]", "sshd: [lobby]", "sshd: [warm]"} {
		if len(rooms(t, title)) == 0 {
			t.Errorf("no process is called %q", title)
		}
	}
	b := readAll(t, fmt.Sprintf("/proc/%d/cmdline", r.cmd.Process.Pid))
	if !regexp.MustCompile(`^sshd: \S+/sshd .*\[listener\] \d+ of 10-60 startups\x00*$`).MatchString(b) {
		t.Errorf("the listener's title is %q", b)
	}
	for _, title := range []string{"sshd: [lobby]", "sshd: [warm]", "sshd: user"} {
		for _, pid := range rooms(t, title) {
			st := readAll(t, "/proc/"+pid+"/status")
			if title == "sshd: user" && !strings.Contains(st, "Uid:\t61101\t") {
				continue // the session's own
			}
			for _, want := range []string{"Uid:\t61101\t61101\t61101\t61101", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
				if !strings.Contains(st, want) {
					t.Errorf("%s %s lacks %q", title, pid, want)
				}
			}
			if root, err := os.Readlink("/proc/" + pid + "/root"); err == nil && root != "/run/sshd" && root != "/run/nacre/empty" {
				t.Errorf("%s has the root %s", title, root)
			}
		}
	}
	s.lives("at the end")
}
