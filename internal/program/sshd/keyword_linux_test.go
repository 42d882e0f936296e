package sshd

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/test/rows/world"
)

// A keywordCase is a server with a keyword and one run of the stock client: what
// must and must not be seen then. Where the configuration is a block for ann,
// bob comes too, and must not meet the same.
type keywordCase struct {
	keyword string
	config  string
	args    string // of the client, in front of the destination
	command string // "" is `echo reached`
	status  int
	sees    string // lines that come in this order in the client's output and the server's log
	not     string
}

// interopHash is of the password "interop".
const interopHash = "$6$nacre$LYbm0yoit5NiROaLvlacfTnPN6W.HsJWZmLWlzVeuhug3eW77Q/3U.1BQEaX7DGvNcmvTJRq62uCoGZHFnsCc."

// prohibited is what a client is told of a forward that must not be.
const prohibited = "open failed: administratively prohibited"

// timers prints what the kernel's timer of the server's end of this connection
// is for, once it is not for sending again.
const timers = `for i in 1 2 3 4 5 6 7 8 9; do x=$(awk '$2~/:$HEX$/ && $4=="01" {print substr($6,1,2)}' /proc/net/tcp); [ "$x" = 01 ] || break; sleep 0.2; done; echo timer $x`

// TestKeyword runs a server for each keyword, and the stock client against it.
func TestKeyword(t *testing.T) {
	k := newKeywords(t)
	for _, c := range []keywordCase{
		{"Include", "Include $DIR/more", "", "", 0, "included", "reached"},
		{"Include", "Match user ann\nInclude $DIR/more", "", "", 0, "included", "reached"},
		{"AddressFamily", "AddressFamily inet6\nListenAddress ::1", "", "", 255, "Connection refused", "reached"},
		{"AddressFamily", "AddressFamily inet\nGatewayPorts yes", "-R $FREE:127.0.0.1:1", "cat /proc/net/tcp; echo six; cat /proc/net/tcp6", 0, "00000000:$HEXFREE\nsix", "00000000000000000000000000000000:$HEXFREE"},
		{"Ciphers", "Ciphers aes256-ctr", "-v", "", 0, "client->server cipher: aes256-ctr\nreached", ""},
		{"Ciphers", "Ciphers -aes*", "-o Ciphers=aes256-ctr", "", 255, "no matching cipher found", "reached"},
		{"MACs", "Ciphers aes256-ctr\nMACs hmac-sha2-512", "-v", "", 0, "cipher: aes256-ctr MAC: hmac-sha2-512\nreached", ""},
		{"HostKeyAlgorithms", "HostKeyAlgorithms rsa-sha2-512", "-v", "", 0, "kex: host key algorithm: rsa-sha2-512\nreached", ""},
		{"PubkeyAcceptedAlgorithms", "PubkeyAcceptedAlgorithms rsa-sha2-512", "-v", "", 255, "server-sig-algs=<rsa-sha2-512>", "reached"},
		{"PubkeyAcceptedAlgorithms", "Match user ann\nPubkeyAcceptedAlgorithms rsa-sha2-512", "", "", 255, "Permission denied\nssh-ed25519 not in PubkeyAcceptedAlgorithms", "reached"},
		{"RequiredRSASize", "Match user ann\nRequiredRSASize 3072", "-i $DIR/rsa -o IdentityFile=none", "", 255, "Permission denied\nInvalid key length", "reached"},
		{"VersionAddendum", "VersionAddendum hello there", "-v", "", 0, "Remote protocol version 2.0, remote software version OpenSSH_\nhello there\nreached", ""},
		{"VersionAddendum", "VersionAddendum none", "-v", "", 0, "reached", "hello there"},
		{"FingerprintHash", "FingerprintHash md5", "", "", 0, "reached\nssh2: ED25519 MD5:", "SHA256:"},
		{"LogFormat", "LogFormat json", "", "", 0, "reached\n\"msg\":\"Accepted publickey for ann", ""},
		{"ChannelTimeout", "Match user ann\nChannelTimeout session:command=1", "", "sleep 3; echo reached", 255, "", "reached"},
		{"ChannelTimeout", "ChannelTimeout session:shell=1", "", "sleep 2; echo reached", 0, "reached", ""},
		{"UnusedConnectionTimeout", "UnusedConnectionTimeout 1", "-N", "", 255, "terminating inactive connection", ""},
		{"UnusedConnectionTimeout", "UnusedConnectionTimeout 1", "", "sleep 2; echo reached", 0, "reached", "inactive"},
		{"RekeyLimit", "Match user ann\nRekeyLimit 16k", "-v", "head -c 100000 /dev/zero | tr '\\0' a", 0, "KEXINIT received\nKEXINIT received\nKEXINIT received", ""},
		{"RekeyLimit", "Match user ann\nRekeyLimit default 1", "-v", "sleep 1.2; echo a; sleep 1.2; echo b", 0, "KEXINIT received\nKEXINIT received", ""},
		{"AllowTcpForwarding", "Match user ann\nAllowTcpForwarding remote", "-W 127.0.0.1:$PORT", "-", 255, prohibited, "SSH-2.0"},
		{"AllowTcpForwarding", "Match user ann\nAllowTcpForwarding local", "-o ExitOnForwardFailure=yes -R 0:127.0.0.1:1", "", 255, "remote port forwarding failed", "reached"},
		{"AllowTcpForwarding", "AllowTcpForwarding local", "-W 127.0.0.1:$PORT", "-", 0, "SSH-2.0", ""},
		{"DisableForwarding", "Match user ann\nAllowTcpForwarding yes\nDisableForwarding yes", "-W 127.0.0.1:$PORT", "-", 255, prohibited, "SSH-2.0"},
		{"DisableForwarding", "Match user ann\nAllowTcpForwarding yes\nDisableForwarding yes", "-o ExitOnForwardFailure=yes -R 0:127.0.0.1:1", "", 255, "remote port forwarding failed", "reached"},
		{"PermitOpen", "Match user ann\nPermitOpen 127.0.0.1:1 localhost:$PORT", "-W 127.0.0.1:$PORT", "-", 255, prohibited, "SSH-2.0"},
		{"PermitOpen", "PermitOpen none", "-W 127.0.0.1:$PORT", "-", 255, prohibited, "SSH-2.0"},
		{"PermitOpen", "PermitOpen 127.0.0.1:*", "-W 127.0.0.1:$PORT", "-", 0, "SSH-2.0", ""},
		{"PermitListen", "Match user ann\nPermitListen 1234", "-o ExitOnForwardFailure=yes -R $FREE:127.0.0.1:1", "", 255, "remote port forwarding failed", "reached"},
		{"PermitListen", "PermitListen localhost:$FREE", "-o ExitOnForwardFailure=yes -R localhost:$FREE:127.0.0.1:1", "", 0, "reached", ""},
		{"GatewayPorts", "Match user ann\nGatewayPorts yes", "-R 127.0.0.2:$FREE:127.0.0.1:1", "cat /proc/net/tcp /proc/net/tcp6", 0, "00000000:$HEXFREE", ""},
		{"GatewayPorts", "Match user ann\nGatewayPorts clientspecified", "-R 127.0.0.2:$FREE:127.0.0.1:1", "cat /proc/net/tcp", 0, "0200007F:$HEXFREE", ""},
		{"GatewayPorts", "GatewayPorts no", "-R *:$FREE:127.0.0.1:1", "cat /proc/net/tcp", 0, "0100007F:$HEXFREE", "00000000:$HEXFREE"},
		{"PasswordAuthentication", "Match user ann\nPasswordAuthentication no", "-o PreferredAuthentications=password -o BatchMode=no", "", 255, "Permission denied (publickey", "reached"},
		{"KbdInteractiveAuthentication", "Match user ann\nKbdInteractiveAuthentication no", "-v -o PreferredAuthentications=none -o BatchMode=no", "", 255, "Authentications that can continue: publickey,password\nPermission denied", ",keyboard-interactive"},
		{"PermitEmptyPasswords", "PermitEmptyPasswords yes", "-l void -o PubkeyAuthentication=no", "", 0, "reached\nAccepted none for void", ""},
		{"PermitEmptyPasswords", "PermitEmptyPasswords no", "-l void -o PubkeyAuthentication=no", "", 255, "Permission denied", "reached"},
		{"UseDNS", "UseDNS yes\nMatch host localhost\nForceCommand echo named", "", "", 0, "named", "reached"},
		{"UseDNS", "UseDNS no\nMatch host localhost\nForceCommand echo named", "", "", 0, "reached", "named"},
		{"ModuliFile", "ModuliFile $DIR/moduli\nKexAlgorithms diffie-hellman-group-exchange-sha256", "-vv", "", 0, "/3072\nreached", "/8192"},
		{"TCPKeepAlive", "TCPKeepAlive yes", "", timers, 0, "timer 02", ""},
		{"TCPKeepAlive", "TCPKeepAlive no", "", timers, 0, "timer 00", ""},
		{"SshdSessionPath", "SshdSessionPath /nonexistent", "", "", 0, "reached", ""}, // there is no such program: it is accepted and that is all
		{"SshdAuthPath", "SshdAuthPath /nonexistent", "", "", 0, "reached", ""},
		{"HostbasedAuthentication", "IgnoreRhosts no\nMatch user ann\nHostbasedAuthentication yes", hostbased, "", 0, "reached\nAccepted hostbased for ann", ""},
		{"HostbasedAcceptedAlgorithms", "HostbasedAuthentication yes\nMatch user ann\nHostbasedAcceptedAlgorithms rsa-sha2-512", hostbased, "", 255, "Permission denied\nnot in HostbasedAcceptedAlgorithms", "reached"},
		{"IgnoreRhosts", "HostbasedAuthentication yes\nIgnoreRhosts no", hostbased + " -l bob", "", 0, "reached\nAccepted hostbased for bob", ""},
		{"IgnoreRhosts", "HostbasedAuthentication yes\nIgnoreRhosts yes", hostbased + " -l bob", "", 255, "Permission denied", "reached"},
	} {
		t.Run(c.keyword, func(t *testing.T) {
			t.Parallel()
			s := k.start(t, c.config)
			s.run("ann", &c)
			if strings.Contains(c.config, "Match user ann\n") {
				s.run("bob", &c)
			}
		})
	}
	for _, c := range []struct {
		keyword, config string
		do              func(*keywordServer)
	}{
		{"ClientAliveInterval", "ClientAliveInterval 1\nClientAliveCountMax 1\nMatch user bob\nClientAliveInterval 0", func(s *keywordServer) {
			ann, bob := s.stopped("ann"), s.stopped("bob")
			s.await("Timeout, client not responding from user ann 127.0.0.1 port ")
			for _, p := range []*exec.Cmd{ann, bob} {
				must(s.t, p.Process.Signal(syscall.SIGCONT))
			}
			if ann.Wait() == nil {
				s.t.Error("the session of a client that did not answer ended well")
			}
			must(s.t, bob.Wait())
		}},
		{"ClientAliveCountMax", "ClientAliveInterval 1\nClientAliveCountMax 1\nMatch user bob\nClientAliveCountMax 0", func(s *keywordServer) {
			ann, bob := s.stopped("ann"), s.stopped("bob")
			s.await("Timeout, client not responding from user ann 127.0.0.1 port ")
			for _, p := range []*exec.Cmd{ann, bob} {
				must(s.t, p.Process.Signal(syscall.SIGCONT))
			}
			_ = ann.Wait()
			must(s.t, bob.Wait())
		}},
		{"IPQoS", "IPQoS 32 af11\nMatch user bob\nIPQoS 72", func(s *keywordServer) {
			for _, c := range []struct {
				user, args string
				tos        byte
			}{{"ann", "-tt", 0x20}, {"ann", "", 0x28}, {"bob", "", 0x48}} {
				see := s.capture()
				if status, out := s.ssh(c.user, c.args, "echo reached"); status != 0 {
					s.t.Errorf("%s: %d %s", c.user, status, out)
				}
				if last, seen := see(); !seen[c.tos] {
					s.t.Errorf("%s %s: packets with %v, the last with %#x; want %#x", c.user, c.args, seen, last, c.tos)
				}
			}
		}},
	} {
		t.Run(c.keyword, func(t *testing.T) {
			t.Parallel()
			c.do(k.start(t, c.config))
		})
	}
}

// hostbased are options of a client that authenticates by its host only.
const hostbased = "-o PreferredAuthentications=hostbased -o HostbasedAuthentication=yes -o EnableSSHKeysign=yes"

// keywords is what the servers have in common.
type keywords struct {
	dir  string
	port atomic.Int32
}

// keywordServer is a running server.
type keywordServer struct {
	t          *testing.T
	k          *keywords
	port, free int
	log        string
	vars       *strings.Replacer
	ended      atomic.Bool
}

func newKeywords(t *testing.T) *keywords {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: its users are accounts")
	}
	if !world.Here() {
		t.Skip("needs a world of its own")
	}
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("peer lacks ssh")
	}
	dir, err := os.MkdirTemp("/home", "keyword")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	k := &keywords{dir: dir}
	k.port.Store(20000) // below what the system gives out, and the network is ours
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(path, text string, mode os.FileMode) {
		must(t, os.WriteFile(path, []byte(text), mode))
	}
	must(t, os.Symlink(executable(t), at("sshd")))
	must(t, writeKey(at("host")))
	must(t, writeKey(at("user")))
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	private, err := keyfile.MarshalPrivateKey(rk, "test", keyfile.MarshalOptions{})
	must(t, err)
	write(at("rsa"), string(private), 0o600)
	write(at("hostrsa"), string(private), 0o600)
	rs, err := ssh.NewSignerFromKey(rk)
	must(t, err)
	public, err := os.ReadFile(at("user.pub"))
	must(t, err)
	write(at("keys"), string(public)+line(rs)+"\n", 0o644)
	write(at("more"), "ForceCommand echo included\n", 0o644)
	write(at("askpass"), "#!/bin/sh\necho interop\n", 0o755)
	var moduli strings.Builder
	if b, err := os.ReadFile("/etc/ssh/moduli"); err == nil {
		for l := range strings.Lines(string(b)) {
			if f := strings.Fields(l); len(f) == 7 && f[4] == "3071" {
				moduli.WriteString(l)
			}
		}
	}
	if moduli.Len() == 0 {
		t.Error("no groups of 3072 bits in /etc/ssh/moduli")
	}
	write(at("moduli"), moduli.String(), 0o644)

	for _, u := range []*world.User{{Name: "ann", UID: 61001, Hash: interopHash}, {Name: "bob", UID: 61002, Hash: interopHash}} {
		must(t, u.Add())
		must(t, u.Write(".shosts", "127.0.0.1 root\n"))
	}
	addAccount(t, "void:x:61003:61003::/:/bin/sh")
	shadow, err := os.OpenFile("/etc/shadow", os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = shadow.WriteString("void::19000:0:99999:7:::\n")
	must(t, err)
	must(t, shadow.Close())

	// The client's host vouches for its users with this key.
	old, err := filepath.Glob("/etc/ssh/ssh_host_*_key*")
	must(t, err)
	for _, path := range old {
		must(t, os.Remove(path))
	}
	must(t, writeKey("/etc/ssh/ssh_host_ed25519_key"))
	vouches, err := os.ReadFile("/etc/ssh/ssh_host_ed25519_key.pub")
	must(t, err)
	write("/etc/ssh/ssh_known_hosts", "localhost,127.0.0.1 "+string(vouches), 0o644)
	write("/etc/ssh/ssh_config", "EnableSSHKeysign yes\n", 0o644)
	return k
}

// start runs a server with the lines of config.
func (k *keywords) start(t *testing.T, config string) *keywordServer {
	t.Helper()
	s := &keywordServer{t: t, k: k, port: int(k.port.Add(2))}
	s.free = s.port + 1
	name := filepath.Join(k.dir, strconv.Itoa(s.port))
	s.log = name + ".log"
	s.vars = strings.NewReplacer("$DIR", k.dir, "$PORT", strconv.Itoa(s.port), "$FREE", strconv.Itoa(s.free),
		"$HEXFREE", fmt.Sprintf("%04X", s.free), "$HEX", fmt.Sprintf("%04X", s.port))
	global, match := config, ""
	if i := strings.Index("\n"+config, "\nMatch "); i >= 0 {
		global, match = config[:i], config[i:]
	}
	lines := []string{s.vars.Replace(global), "Port " + strconv.Itoa(s.port), "HostKey " + k.dir + "/host", "HostKey " + k.dir + "/hostrsa", "PidFile none",
		"AuthorizedKeysFile " + k.dir + "/keys", "StrictModes no", "LogLevel VERBOSE", "PrintMotd no", "PrintLastLog no", "LoginGraceTime 0",
		"MaxStartups 1000", s.vars.Replace(match), ""}
	must(t, os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600))
	cmd := exec.Command(filepath.Join(k.dir, "sshd"), "-D", "-f", name, "-E", s.log)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Dir = "/"
	must(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		s.ended.Store(true)
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the server does not end")
			_ = cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("configuration:\n%s\nlog:\n%s%s", strings.Join(lines, "\n"), s.text(), &errs)
		}
	})
	if strings.Contains(config, "LogFormat json") {
		s.await(`"msg":"Server listening on `)
	} else {
		s.await("Server listening on ")
	}
	return s
}

func (s *keywordServer) text() string {
	b, _ := os.ReadFile(s.log)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// await waits until the log holds text.
func (s *keywordServer) await(text string) {
	s.t.Helper()
	end := time.Now().Add(time.Minute)
	for !strings.Contains(s.text(), text) {
		if time.Now().After(end) {
			s.t.Fatalf("no %q in\n%s", text, s.text())
		}
		if s.ended.Load() {
			s.t.Fatalf("the server ended, and there is no %q in\n%s", text, s.text())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// client is the stock client on its way to the server; no command with "-".
func (s *keywordServer) client(ctx context.Context, user, args, command string) *exec.Cmd {
	argv := strings.Fields(s.vars.Replace(args))
	argv = append(argv, "-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "IdentitiesOnly=yes",
		"-o", "NumberOfPasswordPrompts=1", "-p", strconv.Itoa(s.port))
	if !strings.Contains(args, "-i ") {
		argv = append(argv, "-i", s.k.dir+"/user")
	}
	if !strings.Contains(args, "BatchMode") {
		argv = append(argv, "-o", "BatchMode=yes")
	}
	if !strings.Contains(args, "-l ") {
		argv = append(argv, "-l", user)
	}
	argv = append(argv, "127.0.0.1")
	if command != "-" && !strings.Contains(args, "-N") {
		argv = append(argv, s.vars.Replace(command))
	}
	cmd := exec.CommandContext(ctx, "ssh", argv...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+s.k.dir+"/askpass", "SSH_ASKPASS_REQUIRE=force", "SSH_AUTH_SOCK=")
	return cmd
}

func (s *keywordServer) ssh(user, args, command string) (status int, out string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.client(ctx, user, args, command)
	b, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(string(b), "\r\n", "\n")
}

// run is the case's for a user. The block is ann's.
func (s *keywordServer) run(user string, c *keywordCase) {
	s.t.Helper()
	command := c.command
	if command == "" {
		command = "echo reached"
	}
	before := len(s.text())
	status, out := s.ssh(user, c.args, command)
	// What is logged of a connection may come after its end.
	all := func() string { return out + s.text()[before:] }
	right := func() (what string) {
		rest := all()
		for want := range strings.SplitSeq(s.vars.Replace(c.sees), "\n") {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				return fmt.Sprintf("no %q", want)
			}
			rest = after
		}
		if not := s.vars.Replace(c.not); not != "" && strings.Contains(all(), not) {
			return fmt.Sprintf("there is %q", not)
		}
		return ""
	}
	what := right()
	if user == "bob" {
		if what == "" && status == c.status {
			s.t.Errorf("bob meets what is for ann: %s", all())
		}
		return
	}
	for end := time.Now().Add(5 * time.Second); what != "" && status == c.status && time.Now().Before(end); what = right() {
		time.Sleep(5 * time.Millisecond)
	}
	if what != "" || status != c.status {
		s.t.Errorf("status %d, want %d; %s in\n%s", status, c.status, what, all())
	}
}

// stopped is a client that has been stopped within a session that then ends.
func (s *keywordServer) stopped(user string) *exec.Cmd {
	s.t.Helper()
	cmd := s.client(s.t.Context(), user, "", "echo ready; sleep 4")
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		s.t.Fatal(err)
	}
	must(s.t, cmd.Process.Signal(syscall.SIGSTOP))
	return cmd
}

// capture looks at the server's packets; the function it returns tells of their
// types of service so far.
func (s *keywordServer) capture() func() (last byte, seen map[byte]bool) {
	s.t.Helper()
	const ip = 0x0800
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, ip>>8|ip&0xff<<8)
	must(s.t, err)
	must(s.t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20))
	return func() (last byte, seen map[byte]bool) {
		defer unix.Close(fd)
		seen = map[byte]bool{}
		b := make([]byte, 1<<16)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return last, seen
			}
			if h := int(b[0]&15) * 4; n >= h+4 && b[9] == unix.IPPROTO_TCP && net.IPv4(b[12], b[13], b[14], b[15]).IsLoopback() && int(b[h])<<8|int(b[h+1]) == s.port {
				last = b[1]
				seen[last] = true
			}
		}
	}
}
