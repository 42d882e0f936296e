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
	"testing"
	"time"
)

// secret is of RFC 6238's appendix, in base 32.
const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// code is what an authenticator shows now.
func (r *rig) code() string {
	r.Helper()
	r.lacks("oathtool")
	out, err := exec.Command("oathtool", "--totp", "-b", secret).Output()
	must(r, err)
	return strings.TrimSpace(string(out))
}

// pam writes /etc/pam.d/sshd. What the seed's file includes is another
// distribution's; here it leads to this one's.
func (r *rig) pam(text string) {
	r.Helper()
	if _, err := os.Stat("/etc/pam.d/common-auth"); err != nil {
		r.Skip("peer lacks Linux-PAM with Debian's stacks")
	}
	must(r, os.WriteFile("/etc/pam.d/system-remote-login", []byte(`account include common-account
password include common-password
session include common-session
session optional pam_motd.so motd=/etc/motd.pam
session required pam_limits.so conf=/etc/security/rows.conf
`), 0o644))
	must(r, os.WriteFile("/etc/motd.pam", []byte("words of pam_motd\n"), 0o644))
	must(r, os.WriteFile("/etc/security/rows.conf", []byte("user hard nofile 777\nuser soft nofile 777\n"), 0o644))
	must(r, os.WriteFile("/etc/pam.d/sshd", []byte(text), 0o644))
}

// seedStack is /etc/pam.d/sshd as the guide has it.
const seedStack = `#auth    required  pam_securetty.so     #disable remote root
auth      required  pam_google_authenticator.so
#auth     include   system-remote-login
account   include   system-remote-login
password  include   system-remote-login
session   include   system-remote-login
`

// authenticator makes the file of codes.
func (r *rig) authenticator(options ...string) {
	r.Helper()
	if found, _ := filepath.Glob("/usr/lib/*/security/pam_google_authenticator.so"); len(found) == 0 {
		r.Skip("peer lacks pam_google_authenticator")
	}
	text := secret + "\n"
	for _, o := range options {
		text += o + "\n"
	}
	must(r, r.users["user"].Write(".google_authenticator", text))
	must(r, os.Chmod("/home/user/.google_authenticator", 0o400))
}

func TestD01_EitherMethod(t *testing.T) {
	r := newRig(t)
	r.pam(seedStack)
	r.authenticator(`" TOTP_AUTH`)
	r.serve("UsePAM yes\nChallengeResponseAuthentication yes\nAuthenticationMethods publickey keyboard-interactive:pam", 22)
	r.status("key", r.ssh("-o", "PreferredAuthentications=publickey", "user@127.0.0.1", "true"), 0)
	r.status("code", r.sshWith(map[string]string{"Verification code": r.code()}, "-o", "PreferredAuthentications=keyboard-interactive", "user@127.0.0.1", "true"), 0)
	r.status("wrong code", r.sshWith(map[string]string{"Verification code": "000000"}, "-o", "PreferredAuthentications=keyboard-interactive", "user@127.0.0.1", "true"), 255)
}

func TestD02_BothMethods(t *testing.T) {
	r := newRig(t)
	r.pam(seedStack)
	r.authenticator(`" TOTP_AUTH`)
	r.serve("LogLevel VERBOSE\nUsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam", 22)
	a := r.ssh("-v", "-o", "LogLevel=DEBUG1", "user@127.0.0.1", "true")
	r.status("key alone", a, 255)
	if !strings.Contains(a.err, "Authentications that can continue: publickey\r\n") && !strings.Contains(a.err, "Authentications that can continue: publickey\n") {
		t.Errorf("before the key: %s", a.err)
	}
	if !strings.Contains(a.err, "with partial success") || !strings.Contains(a.err, "Authentications that can continue: keyboard-interactive") {
		t.Errorf("after the key: %s", a.err)
	}
	r.wantLog("Partial publickey for user from 127.0.0.1 port")
	r.status("code alone", r.sshWith(map[string]string{"Verification code": r.code()}, "-o", "PubkeyAuthentication=no", "user@127.0.0.1", "true"), 255)
	r.status("key and wrong code", r.sshWith(map[string]string{"Verification code": "000000"}, "user@127.0.0.1", "true"), 255)
	r.status("key and code", r.sshWith(map[string]string{"Verification code": r.code()}, "user@127.0.0.1", "true"), 0)
	r.wantLog("Accepted keyboard-interactive/pam for user from 127.0.0.1 port")
}

func TestD03_PAMStack(t *testing.T) {
	r := newRig(t)
	r.pam(seedStack)
	r.authenticator(`" TOTP_AUTH`)
	r.serve("UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam", 22)
	a := r.sshWith(map[string]string{"Verification code": r.code()}, "user@127.0.0.1", "ulimit -n; echo $SSH_AUTH_INFO_0")
	r.status("login", a, 0)
	if a.out != "777\n\n" {
		t.Errorf("pam_limits: %q", a.out)
	}
	if q := r.asked(); !strings.Contains(q, "Verification code: ") {
		t.Errorf("asked %q", q)
	}
	r.stdin = "exit\n"
	a = r.sshWith(map[string]string{"Verification code": r.code()}, "-tt", "user@127.0.0.1")
	if !strings.Contains(a.out, "words of pam_motd") {
		t.Errorf("pam_motd: %+v", a)
	}
	// An account that PAM does not let in.
	gone := *r.users["user"]
	gone.Aging = "19000:0:99999:7::100"
	must(t, gone.Add())
	r.status("expired", r.sshWith(map[string]string{"Verification code": r.code()}, "user@127.0.0.1", "true"), 255)
	must(t, r.users["user"].Add())
	// Without PAM the built-in check reads the same file.
	r.serve("UsePAM no\nAuthenticationMethods publickey,keyboard-interactive:pam", 22)
	r.status("built in", r.sshWith(map[string]string{"Verification code": r.code()}, "user@127.0.0.1", "true"), 0)
	r.status("built in, wrong code", r.sshWith(map[string]string{"Verification code": "000000"}, "user@127.0.0.1", "true"), 255)
}

func TestD04_OneTimeCodes(t *testing.T) {
	for _, pam := range []bool{true, false} {
		t.Run(map[bool]string{true: "pam", false: "builtin"}[pam], func(t *testing.T) {
			r := newRig(t)
			r.pam(seedStack)
			config := "AuthenticationMethods publickey,keyboard-interactive:pam\n"
			if pam {
				config += "UsePAM yes\n"
			}
			r.serve(config, 22)
			try := func(what, code string, want int) {
				t.Helper()
				r.status(what, r.sshWith(map[string]string{"Verification code": code}, "-o", "NumberOfPasswordPrompts=1", "user@127.0.0.1", "true"), want)
			}
			options := []string{`" RATE_LIMIT 3 30`, `" WINDOW_SIZE 3`, `" TOTP_AUTH`, "12345678", "87654321"}
			r.authenticator(options...)
			try("code", r.code(), 0)
			try("scratch code", "12345678", 0)
			if s := readAll(t, "/home/user/.google_authenticator"); strings.Contains(s, "12345678") || !strings.Contains(s, "87654321") {
				t.Errorf("the file is %q", s)
			}
			try("the third within 30 seconds", "87654321", 0)
			try("the fourth", r.code(), 255)
			r.authenticator(`" DISALLOW_REUSE`, `" TOTP_AUTH`)
			code := r.code()
			try("first use", code, 0)
			try("second use", code, 255)
		})
	}
}

// The guide's firewalls need no help of ours; they see connections, and ours
// are like any.
func TestD05_D06_D07_Firewalls(t *testing.T) {
	r := newRig(t)
	r.lacks("iptables")
	for _, rule := range []string{
		"-N LOG_AND_DROP",
		"-A INPUT -p tcp -m tcp --dport 42660 -m state --state NEW -m recent --set --name DEFAULT --rsource",
		"-A INPUT -p tcp -m tcp --dport 42660 -m state --state NEW -m recent --update --seconds 90 --hitcount 4 --name DEFAULT --rsource -j LOG_AND_DROP",
		"-A INPUT -p tcp -m tcp --dport 42660 -j ACCEPT",
		`-A LOG_AND_DROP -j LOG --log-prefix iptables\ deny:\  --log-level 7`,
		"-A LOG_AND_DROP -j DROP",
	} {
		args := strings.Fields(strings.ReplaceAll(rule, `\ `, "\x00"))
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x00", " ")
		}
		if out, err := r.run("iptables", args...); err != nil {
			t.Skipf("peer lacks iptables with the modules recent and LOG: %s", out)
		}
	}
	defer r.run("iptables", "-F")
	r.serve("Port 42660", 42660)
	for i, want := range []int{0, 0, 0, 255} {
		r.status(fmt.Sprintf("connection %d", i+1), r.ssh("-p", "42660", "-o", "ConnectTimeout=3", "user@127.0.0.1", "true"), want)
	}
	if _, err := r.run("iptables", "-F"); err != nil {
		t.Fatal("iptables -F")
	}
	if _, err := exec.LookPath("ufw"); err != nil {
		t.Skip("peer lacks ufw")
	}
	// ufw limit: the seventh of 30 seconds is refused.
	must(t, os.WriteFile("/etc/default/ufw", []byte("IPV6=no\nDEFAULT_INPUT_POLICY=ACCEPT\nDEFAULT_OUTPUT_POLICY=ACCEPT\nDEFAULT_FORWARD_POLICY=DROP\nDEFAULT_APPLICATION_POLICY=SKIP\nMANAGE_BUILTINS=no\nIPT_SYSCTL=/dev/null\nIPT_MODULES=\n"), 0o644))
	// Its own rules let the loopback in before any of the user's.
	before := readAll(t, "/etc/ufw/before.rules")
	must(t, os.WriteFile("/etc/ufw/before.rules", []byte(regexp.MustCompile(`(?m)^-A ufw-before-(input|output) -[io] lo -j ACCEPT$`).ReplaceAllString(before, "")), 0o640))
	if out, err := r.run("ufw", "--force", "enable"); err != nil {
		t.Skipf("peer lacks a ufw that works here: %s", out)
	}
	defer r.run("ufw", "--force", "disable")
	if out, err := r.run("ufw", "limit", "22/tcp"); err != nil {
		t.Skipf("peer lacks a ufw that limits: %s", out)
	}
	r.serve("Port 22", 22)
	refused := 0
	for range 7 {
		c, err := net.DialTimeout("tcp", "127.0.0.1:22", 3*time.Second)
		if err != nil {
			refused++
			continue
		}
		defer c.Close()
	}
	if refused == 0 {
		t.Error("ufw limit: all seven connections were let in")
	}
}

func TestD08_Fail2ban(t *testing.T) {
	r := newRig(t)
	r.lacks("fail2ban-regex", "fail2ban-server", "fail2ban-client")
	if _, err := os.Stat("/etc/fail2ban/filter.d/sshd.conf"); err != nil {
		t.Skip("peer lacks fail2ban's sshd filter")
	}
	// Our lines as a log of the system has them: the address of the loopback
	// is one that fail2ban ignores unless it is told not to.
	r.serve("DenyUsers user3\nMaxAuthTries 2\nPerSourcePenalties no", 22)
	wrong := map[string]string{"assword": "wrong"}
	r.sshWith(wrong, "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1", "user@127.0.0.1", "true")
	r.sshWith(wrong, "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1", "nosuch@127.0.0.1", "true")
	r.sshWith(wrong, "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=3", "user1@127.0.0.1", "true")
	r.ssh("user3@127.0.0.1", "true")
	r.ssh("-o", "KexAlgorithms=diffie-hellman-group1-sha1", "user@127.0.0.1", "true")
	if c, err := net.Dial("tcp", "127.0.0.1:22"); err == nil {
		fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
		drain(c)
		c.Close()
	}
	r.ssh("user@127.0.0.1", "true")
	r.wantLog("Failed password for user from 127.0.0.1 port ", "Invalid user nosuch from 127.0.0.1 port ", "Failed password for invalid user nosuch from 127.0.0.1 port ",
		"maximum authentication attempts exceeded for user1 from 127.0.0.1 port ", "User user3 from 127.0.0.1 not allowed because listed in DenyUsers",
		"Unable to negotiate with 127.0.0.1 port ", "banner exchange: Connection from 127.0.0.1 port ", "Accepted publickey for user from 127.0.0.1 port ")
	r.stop()
	prefix := time.Now().Format("Jan _2 15:04:05") + " host sshd["
	var log strings.Builder
	failures := 0
	for i, l := range strings.Split(strings.ReplaceAll(r.logged(), "\r", ""), "\n") {
		switch {
		case l == "":
			continue
		case strings.Contains(l, "maximum authentication attempts"):
			l = "error: " + l // as syslog has it
		}
		if regexp.MustCompile(`^(error: maximum|Failed password|Invalid user|User user3|Unable to negotiate|banner exchange)`).MatchString(l) {
			failures++
		}
		// Each by itself, so that none leans on another.
		fmt.Fprintf(&log, "%s%d]: %s\n", prefix, 1000+i, l)
	}
	file := r.file("auth.log", log.String())
	out, err := r.run("fail2ban-regex", file, "sshd[mode=aggressive]")
	if err != nil {
		t.Fatalf("fail2ban-regex: %v\n%s", err, out)
	}
	m := regexp.MustCompile(`Failregex: (\d+) total`).FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	n := 0
	fmt.Sscan(m[1], &n)
	if n < failures {
		t.Errorf("fail2ban sees %d of %d lines of attacks:\n%s\n%s", n, failures, log.String(), out)
	}
	r.liveJail(wrong)
}

// liveJail lets fail2ban read the log while the server writes it.
func (r *rig) liveJail(wrong map[string]string) {
	r.Helper()
	conf := r.path("f2b")
	for _, d := range []string{"action.d", "filter.d"} {
		must(r, os.MkdirAll(filepath.Join(conf, d), 0o755))
	}
	banned := r.path("banned")
	jailLog := r.path("jail.log")
	must(r, os.WriteFile(jailLog, nil, 0o644))
	for _, f := range []string{"sshd.conf", "common.conf"} {
		must(r, os.WriteFile(filepath.Join(conf, "filter.d", f), []byte(readAll(r, "/etc/fail2ban/filter.d/"+f)), 0o644))
	}
	sock := r.path("f2b.sock")
	for name, text := range map[string]string{
		"fail2ban.conf":        "[Definition]\nloglevel = INFO\nlogtarget = " + r.path("f2b.log") + "\nsyslogsocket = auto\nsocket = " + sock + "\npidfile = " + r.path("f2b.pid") + "\ndbfile = None\ndbpurgeage = 1d\ndbmaxmatches = 10\n[Thread]\nstacksize = 0\n",
		"jail.conf":            "[DEFAULT]\nignoreself = false\nignoreip =\nbackend = polling\nusedns = no\n[sshd]\nenabled = true\nfilter = sshd\nlogpath = " + jailLog + "\nmaxretry = 5\nfindtime = 10m\nbantime = 10m\naction = note\n",
		"action.d/note.conf":   "[Definition]\nactionstart =\nactionstop =\nactioncheck =\nactionban = echo <ip> >> " + banned + "\nactionunban =\n",
		"paths-common.conf":    "",
		"filter.d/empty.local": "",
	} {
		must(r, os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644))
	}
	server := exec.Command("fail2ban-server", "-c", conf, "-s", sock, "-p", r.path("f2b.pid"), "-f", "start")
	must(r, server.Start())
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	wait := func(what string, done func() bool) {
		r.Helper()
		end := time.Now().Add(30 * time.Second)
		for !done() {
			if time.Now().After(end) {
				b, _ := os.ReadFile(r.path("f2b.log"))
				r.Fatalf("fail2ban: %s:\n%s", what, b)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	wait("the jail does not start", func() bool {
		out, err := r.run("fail2ban-client", "-c", conf, "-s", sock, "status", "sshd")
		return err == nil && strings.Contains(out, "Currently failed")
	})
	must(r, os.Remove(r.log))
	r.serve("PerSourcePenalties no", 22)
	copied := 0
	attempt := func() {
		r.sshWith(wrong, "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1", "user@127.0.0.1", "true")
		r.wantLog("Failed password for user from 127.0.0.1 port ")
		f, err := os.OpenFile(jailLog, os.O_APPEND|os.O_WRONLY, 0)
		must(r, err)
		defer f.Close()
		lines := strings.Split(strings.ReplaceAll(r.logged(), "\r", ""), "\n")
		for ; copied < len(lines)-1; copied++ {
			fmt.Fprintf(f, "%s host sshd[%d]: %s\n", time.Now().Format("Jan _2 15:04:05"), 2000+copied, lines[copied])
		}
	}
	for range 4 {
		attempt()
	}
	if b, _ := os.ReadFile(banned); len(b) > 0 {
		r.Errorf("banned after four: %s", b)
	}
	attempt()
	wait("no ban after five", func() bool {
		b, _ := os.ReadFile(banned)
		return string(b) == "127.0.0.1\n"
	})
}
