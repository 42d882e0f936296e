//go:build unix

package ssh

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	public "github.com/nacre-ssh/nacre/ssh"
)

// A keywordCase is one run of the program with a keyword: what comes before
// the configuration of the peer, and what must and must not be seen then.
type keywordCase struct {
	keyword string
	config  string
	args    string // in front of the destination; "-v" is there always
	command string // "" is `echo reached`
	stdin   string
	status  int
	sees    string // in standard output, standard error or the peer's notes
	not     string
}

// TestKeyword runs the program once for each keyword and looks at its effect.
func TestKeyword(t *testing.T) {
	p := startPeer(t)
	dir := t.TempDir()
	bin := install(t, p, dir)
	base, err := os.ReadFile(filepath.Join(dir, "cfg"))
	if err != nil {
		t.Fatal(err)
	}
	closed := closedPort(t)
	rsaKey := writeRSA(t, dir)
	marker := filepath.Join(dir, "asked")
	askpass := filepath.Join(dir, "askpass")
	if err := os.WriteFile(askpass, []byte("#!/bin/sh\necho asked >"+marker+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	vars := strings.NewReplacer("$DIR", dir, "$PORT", fmt.Sprint(p.port), "$CLOSED", fmt.Sprint(closed), "$RSA", rsaKey)
	for _, c := range []keywordCase{
		{"User", "User bob", "", "", "", 255, "Welcome", ""},
		{"Hostname", "Hostname 127.0.0.3", "", "", "", -1, "Connecting to 127.0.0.3 [127.0.0.3]", ""},
		{"Port", "Port $CLOSED", "", "", "", 255, "connect to host 127.0.0.1 port $CLOSED: Connection refused", ""},
		{"AddressFamily", "AddressFamily inet6", "", "", "", 255, "Address family for hostname not supported", ""},
		{"BatchMode", "BatchMode yes\nIdentityFile none\nIdentitiesOnly yes\nPreferredAuthentications password", "", "", "", 255, "Permission denied (", "password ASKED"},
		{"Include", "Include $DIR/more", "", "", "", 0, "from the included file", ""},
		{"ClearAllForwardings", "ClearAllForwardings yes\nLocalForward 127.0.0.1:$PORT localhost:1\nExitOnForwardFailure yes", "", "", "", 0, "reached", ""},
		{"ExitOnForwardFailure", "LocalForward 127.0.0.1:$PORT localhost:1\nExitOnForwardFailure yes", "", "", "", 255, "", "reached"},
		{"FingerprintHash", "FingerprintHash md5", "", "", "", 0, "Server host key: ssh-ed25519 MD5:", ""},
		{"GSSAPIAuthentication", "GSSAPIAuthentication yes", "", "", "", 0, "built without Kerberos", ""},
		{"PermitLocalCommand", "PermitLocalCommand no\nLocalCommand echo here", "", "", "", 0, "reached", "here"},
		{"LocalCommand", "PermitLocalCommand yes\nLocalCommand echo here %n %r", "", "", "", 0, "here peer ann", ""},
		{"RequestTTY", "RequestTTY force", "", "true", "", 0, "pty ", ""},
		{"SessionType", "SessionType subsystem", "", "echo", "back again", 0, "back again", ""},
		{"StdinNull", "StdinNull yes", "", "cat; echo end", "typed text", 0, "end", "typed text"},
		{"WarnWeakCrypto", "WarnWeakCrypto yes\nKexAlgorithms curve25519-sha256", "", "", "", 0, "not using a post-quantum key exchange", ""},
		{"ConnectionAttempts", "ConnectionAttempts 2\nPort $CLOSED", "", "", "", 255, "Trying again...", ""},
		{"RequiredRSASize", "RequiredRSASize 4096\nIdentityFile $RSA", "", "", "", 0, "Invalid key length", ""},
		{"Ciphers", "Ciphers aes256-ctr", "", "", "", 0, "client->server cipher: aes256-ctr", ""},
		{"MACs", "Ciphers aes256-ctr\nMACs hmac-sha2-512", "", "", "", 0, "cipher: aes256-ctr MAC: hmac-sha2-512", ""},
		{"KexAlgorithms", "KexAlgorithms ecdh-sha2-nistp384", "", "", "", 0, "kex: algorithm: ecdh-sha2-nistp384", ""},
		{"HostKeyAlgorithms", "HostKeyAlgorithms rsa-sha2-512", "", "", "", 255, "no matching host key type found", ""},
		{"IgnoreUnknown", "IgnoreUnknown Foo*\nFooBar 1", "", "", "", 0, "reached", ""},
		{"RemoteCommand", "RemoteCommand echo from %h", "", "-", "", 0, "from 127.0.0.1", ""},
		{"LogLevel", "LogLevel ERROR\nPort 1", "", "", "", 255, "", "debug1: Connecting"},
		{"PreferredAuthentications", "PreferredAuthentications none-such", "", "", "", 255, "Permission denied (", "Offering public key"},
		{"PubkeyAcceptedAlgorithms", "PubkeyAcceptedAlgorithms rsa-sha2-512\nBatchMode yes", "", "", "", 255, "corresponding algorithm not in PubkeyAcceptedAlgorithms", ""},
		{"Tag", "Tag red\nMatch tagged red\nRemoteCommand echo painted", "", "-", "", 0, "painted", ""},
		{"VersionAddendum", "VersionAddendum hello %r", "", "", "", 0, "Local version string SSH-2.0-OpenSSH_compatible_nacre", ""},
		{"RefuseConnection", "RefuseConnection \"go away\"", "", "", "", 255, "RefuseConnection: go away", ""},
		{"DynamicForward", "DynamicForward 127.0.0.1:$PORT\nExitOnForwardFailure yes", "", "", "", 255, "", "reached"},
		{"LocalForward", "LocalForward 127.0.0.1:$PORT localhost:1\nExitOnForwardFailure yes", "", "", "", 255, "", "reached"},
		{"RemoteForward", "RemoteForward 1 localhost:1\nExitOnForwardFailure yes", "", "", "", 255, "remote port forwarding failed", ""},
		{"IdentityFile", "IdentityFile none\nIdentitiesOnly yes\nBatchMode yes", "", "", "", 0, "reached", ""},
		{"GlobalKnownHostsFile", "GlobalKnownHostsFile $DIR/known\nUserKnownHostsFile none", "", "", "", 0, "Found key in $DIR/known:1", ""},
		{"UserKnownHostsFile", "UserKnownHostsFile $DIR/known_other", "", "", "", 255, "REMOTE HOST IDENTIFICATION HAS CHANGED", ""},
		{"SetEnv", "SetEnv ACC_X=set", "", "true", "", 0, "env ACC_X=set", ""},
		{"SendEnv", "SendEnv ACC_*", "", "true", "", 0, "env ACC_SENT=sent", ""},
		{"ChannelTimeout", "ChannelTimeout session:command=1", "", "sleep 60", "", 255, "", ""},
		{"RekeyLimit", "RekeyLimit 16", "", "echo 0123456789 0123456789", "", 0, "SSH2_MSG_NEWKEYS sent#2", ""},
		{"ProxyCommand", "ProxyCommand exec $DIR/bin/ssh -F $DIR/cfg -W %h:%p peer", "", "", "", -1, "Executing proxy command: exec ", ""},
		{"Match", "Match originalhost peer exec \"true\"\nRemoteCommand echo matched", "", "-", "", 0, "matched", ""},
		{"Host", "Host pe?r !other\nRemoteCommand echo matched", "", "-", "", 0, "matched", ""},
		{"PubkeyAuthentication", "PubkeyAuthentication no\nBatchMode yes", "", "", "", 255, "Permission denied (", "Offering public key"},
	} {
		t.Run(c.keyword, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "more"), []byte("RemoteCommand echo from the included file\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			os.Remove(marker)
			file := filepath.Join(dir, "cfg-"+c.keyword)
			if err := os.WriteFile(file, []byte(vars.Replace(c.config)+"\n"+string(base)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-v", "-F", file}, strings.Fields(c.args)...)
			if c.keyword == "LogLevel" {
				args = args[1:]
			}
			args = append(args, "peer")
			switch {
			case c.keyword == "Include" || c.command == "-":
			case c.command == "":
				args = append(args, "echo reached")
			default:
				args = append(args, c.command)
			}
			cmd := exec.Command(bin, args...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr, cmd.Stdin = &out, &out, strings.NewReader(c.stdin)
			cmd.Env = append(os.Environ(), "ACC_SENT=sent", "SSH_AUTH_SOCK=", "SHELL=/bin/sh", "SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force")
			cmd.Run()
			if _, err := os.Stat(marker); err == nil {
				out.WriteString("password ASKED\n")
			}
			text := out.String() + p.notes()
			sees, count := c.sees, 1
			if before, n, ok := strings.Cut(sees, "#"); ok {
				sees = before
				fmt.Sscan(n, &count)
			}
			if status := cmd.ProcessState.ExitCode(); c.status >= 0 && status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if strings.Count(text, vars.Replace(sees)) < count || c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("want %q and not %q", c.sees, c.not)
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// closedPort is a port that nobody listens on.
func closedPort(t *testing.T) int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func writeRSA(t *testing.T, dir string) string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	data, err := keyfile.MarshalPrivateKey(k, "", keyfile.MarshalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := public.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rsa")
	os.WriteFile(file+".pub", public.MarshalAuthorizedKey(s.PublicKey()), 0o600)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
