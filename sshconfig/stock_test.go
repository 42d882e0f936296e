package sshconfig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// stockQuery asks the machine's ssh for a list of names.
func stockQuery(t testing.TB, q string) []string {
	out, err := exec.Command("ssh", "-Q", q).Output()
	if err != nil {
		t.Skipf("peer lacks ssh -Q %s: %v", q, err)
	}
	return strings.Fields(string(out))
}

// stockAlgorithms takes defaults and known names from the machine's ssh, so
// that only our handling of lists is compared, not the lists.
func stockAlgorithms(t testing.TB, defaults map[string]string) Algorithms {
	list := func(keyword, q string) NameList {
		return NameList{strings.Split(defaults[keyword], ","), stockQuery(t, q)}
	}
	return Algorithms{
		Ciphers:                     list("ciphers", "cipher"),
		MACs:                        list("macs", "mac"),
		KexAlgorithms:               list("kexalgorithms", "kex"),
		HostKeyAlgorithms:           list("hostkeyalgorithms", "HostKeyAlgorithms"),
		PubkeyAcceptedAlgorithms:    list("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"),
		HostbasedAcceptedAlgorithms: list("hostbasedacceptedalgorithms", "HostbasedAcceptedAlgorithms"),
		CASignatureAlgorithms:       list("casignaturealgorithms", "key-sig"),
	}
}

func outputMap(out string) map[string]string {
	m := map[string]string{}
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		k, v, _ := strings.Cut(l, " ")
		if old, ok := m[k]; ok {
			v = old + "\n" + v
		}
		m[k] = v
	}
	return m
}

// differs names what -G of OpenSSH 9.2 (Debian) and of 10.5 show differently,
// and why. Everything else must be equal.
var differsG = map[string]string{
	"forwardx11trusted":         "Debian's default is yes",
	"gssapiauthentication":      "built without",
	"gssapikeyexchange":         "Debian's patch",
	"gssapidelegatecredentials": "built without",
	"gssapitrustdns":            "Debian's patch",
	"gssapirenewalforcesrekey":  "Debian's patch",
	"gssapikexalgorithms":       "Debian's patch",
	"warnweakcrypto":            "new in 10.1",
	"obscurekeystroketiming":    "new in 9.5",
	"channeltimeout":            "new in 9.6 on the client",
	"revokedhostkeys":           "a list of files since 10.3: none is shown",
	"serveraliveinterval":       "always: Debian changes it with BatchMode",
	"ipqos":                     "lowdelay throughput before 10.1, ef cs0 since",
	"addkeystoagent":            "",
}

func stockG(t testing.TB, args ...string) (string, string, error) {
	cmd := exec.Command("ssh", args...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	err := cmd.Run()
	return out.String(), errb.String(), err
}

func testContext(t testing.TB, alg Algorithms) *ClientContext {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	return &ClientContext{
		LocalUser: u.Username, UID: u.Uid, Home: u.HomeDir, LocalHost: host, Version: "OpenSSH_9.2p1",
		Algorithms: alg, Files: OSFiles{}, Getenv: os.LookupEnv,
		Exec: func(c string) (bool, error) { return exec.Command("/bin/sh", "-c", c).Run() == nil, nil },
	}
}

func needStock(t testing.TB) {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "OpenSSH_9.2") {
		t.Skip("peer lacks OpenSSH 9.2 client")
	}
}

func TestStockG(t *testing.T) {
	needStock(t)
	base, _, err := stockG(t, "-F", "none", "-G", "x")
	if err != nil {
		t.Fatal(err)
	}
	alg := stockAlgorithms(t, outputMap(base))
	dir := t.TempDir()
	check := func(tc stockCase) func(*testing.T) {
		return func(t *testing.T) { checkStockG(t, dir, alg, tc) }
	}
	single, merged := mergeLines(stockCases, func(tc stockCase) (string, bool) {
		if len(tc.options) > 0 || tc.host != "" {
			return "", false
		}
		ctx := testContext(t, alg)
		ctx.Host = "example"
		_, err := ParseClient(Sources{Files: []Source{{Name: "f", User: true, Data: []byte(tc.config)}}}, ctx)
		return strings.TrimSuffix(tc.config, "\n"), err == nil
	})
	for _, tc := range single {
		t.Run(tc.name, check(tc))
	}
	for i, m := range merged {
		tc := stockCase{config: m.config}
		if !t.Run(fmt.Sprint("merged ", i), check(tc)) { // find the one to blame
			for _, tc := range m.parts {
				t.Run(tc.name, check(tc))
			}
		}
	}
}

// lines is several one-line configurations of different keywords in one, so
// that the stock tool need not be started for each.
type lines[T any] struct {
	config string
	parts  []T
	seen   map[string]bool
}

// mergeLines puts together the cases for which line says yes and that are
// single lines without blocks.
func mergeLines[T any](cases []T, line func(T) (string, bool)) (single []T, merged []*lines[T]) {
next:
	for _, tc := range cases {
		text, ok := line(tc)
		keyword, _ := cutKeyword(text)
		keyword = strings.ToLower(keyword)
		if !ok || keyword == "" || keyword == "host" || keyword == "match" || keyword == "include" || strings.Contains(text, "\n") {
			single = append(single, tc)
			continue
		}
		for _, m := range merged {
			if !m.seen[keyword] {
				m.seen[keyword] = true
				m.config += text + "\n"
				m.parts = append(m.parts, tc)
				continue next
			}
		}
		merged = append(merged, &lines[T]{text + "\n", []T{tc}, map[string]bool{keyword: true}})
	}
	return single, merged
}

func checkStockG(t *testing.T, dir string, alg Algorithms, tc stockCase) {
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(tc.config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-F", file}
	for _, o := range tc.options {
		args = append(args, "-o", o)
	}
	host := tc.host
	if host == "" {
		host = "example"
	}
	want, stderr, err := stockG(t, append(args, "-G", host)...)
	ctx := testContext(t, alg)
	ctx.Host = host
	c, ourErr := ParseClient(Sources{tc.options, DefaultSources(ctx.Home, file)}, ctx)
	if err != nil {
		if ourErr == nil {
			t.Fatalf("stock refuses, we do not: %s", stderr)
		}
		var theirs []string
		for _, l := range strings.Split(strings.ReplaceAll(strings.TrimSpace(stderr), "\r", ""), "\n") {
			if l = strings.TrimPrefix(l, "vdollar_percent_expand: "); l != "percent_expand: failed" {
				theirs = append(theirs, l)
			}
		}
		ours := strings.Split(ourErr.Error(), "\n")
		if strings.Join(withoutHints(ours), "\n") != strings.Join(theirs, "\n") {
			t.Errorf("error texts differ:\n--- stock\n%s\n--- ours\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
		}
		return
	}
	if ourErr != nil {
		t.Fatalf("stock accepts, we do not: %v", ourErr)
	}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	compareOutput(t, want, out.String(), differsG, tc.config+strings.Join(tc.options, "\n"))
}

func withoutHints(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !strings.HasPrefix(l, "did you mean") && !strings.Contains(l, " belongs in ssh") {
			out = append(out, l)
		}
	}
	return out
}

// compareOutput compares line by line, in order; keywords in differs are left
// out unless the configuration at hand gives them.
func compareOutput(t *testing.T, want, got string, differs map[string]string, config string) {
	t.Helper()
	keep := func(out string) []string {
		var lines []string
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			k, _, _ := strings.Cut(l, " ")
			why, ok := differs[strings.ToLower(k)]
			given := strings.Contains(strings.ToLower(config), k+" ") || strings.Contains(strings.ToLower(config), k+"=")
			if ok && (!given || strings.HasPrefix(why, "always: ")) {
				continue
			}
			if k == "identityfile" && (strings.HasSuffix(l, "id_xmss") || strings.HasSuffix(l, "id_dsa") || strings.HasSuffix(l, "id_mldsa44_ed25519")) {
				continue // default identities differ between releases
			}
			lines = append(lines, l)
		}
		return lines
	}
	w, g := keep(want), keep(got)
	for i := 0; i < len(w) || i < len(g); i++ {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("line %d: stock %q, ours %q", i+1, a, b)
		}
	}
}

type stockCase struct {
	name    string
	config  string
	options []string
	host    string
}

// each makes a case of one line of configuration.
func each(lines ...string) (cases []stockCase) {
	for _, l := range lines {
		cases = append(cases, stockCase{name: l, config: l + "\n"})
	}
	return cases
}

func init() { // tests only
	stockCases = append(stockCases, each(
		// Values of every keyword, good and bad.
		"Port 22x", "Port 0", "Port 65536", "Port -1", "Port ssh", "Port", "Port  # comment", "Port \"22\"", "Port '2222'", "Port 22 23",
		"AddressFamily inet", "AddressFamily INET6", "AddressFamily ipx",
		"BatchMode yes", "BatchMode TRUE", "BatchMode maybe",
		"CanonicalizeHostname always", "CanonicalizeMaxDots x", "CanonicalizeMaxDots -1", "CanonicalizeMaxDots 99999999999", "CanonicalizeMaxDots 3",
		"CanonicalDomains a.example b.example", "CanonicalDomains none a", "CanonicalDomains none", "CanonicalDomains -a", "CanonicalDomains a..b", "CanonicalDomains a/b", "CanonicalDomains a.b.",
		"ProxyCommand x\nCanonicalizePermittedCNAMEs *.a:*.b c:d", "ProxyCommand x\nCanonicalizePermittedCNAMEs *", "CanonicalizePermittedCNAMEs none", "CanonicalizePermittedCNAMEs a", "CanonicalizePermittedCNAMEs a:", "ProxyCommand x\nCanonicalizePermittedCNAMEs A.B:C.D",
		"CheckHostIP yes", "Compression yes", "Compression true", "Compression no",
		"ConnectionAttempts 5", "ConnectTimeout 5", "ConnectTimeout none", "ConnectTimeout 1m30s", "ConnectTimeout x", "ConnectTimeout 1y", "ConnectTimeout none\nConnectTimeout 7", "ConnectTimeout 99999999999w",
		"ControlMaster auto", "ControlMaster autoask", "ControlMaster ask", "ControlMaster yes", "ControlMaster no",
		"ControlPath ~/.ssh/cm-%C", "ControlPath none", "ControlPath /tmp/%r@%h:%p-%l-%L-%n-%u-%i-%d-%k-%%", "ControlPath ${HOME}/x", "ControlPath \"/tmp/a b\"",
		"ControlPersist yes", "ControlPersist no", "ControlPersist 0", "ControlPersist 10m", "ControlPersist true", "ControlPersist x",
		"DynamicForward 1080", "DynamicForward localhost:1080", "DynamicForward [::1]:1080", "DynamicForward *:1080", "DynamicForward 0", "DynamicForward a:b:1", "DynamicForward /path",
		"LocalForward 8080 localhost:80", "LocalForward 127.0.0.1:8080 [::1]:80", "LocalForward 8080", "LocalForward /tmp/s localhost:80", "LocalForward *:8080 h:http", "LocalForward 0 h:1", "LocalForward x h:1", "LocalForward 1 h", "LocalForward 8080 localhost:80\nLocalForward 8080 localhost:80\nLocalForward 8081 localhost:80", "LocalForward ${NOSUCHVAR}/s /tmp/%h",
		"RemoteForward 8080 localhost:80", "RemoteForward 8080", "RemoteForward 0 localhost:80", "RemoteForward localhost:1080", "RemoteForward /tmp/a /tmp/b", "RemoteForward x",
		"EnableEscapeCommandline yes", "EnableSSHKeysign yes",
		"EscapeChar none", "EscapeChar ^]", "EscapeChar x", "EscapeChar ^", "EscapeChar ab", "EscapeChar ^a", "EscapeChar \\", "EscapeChar ^?",
		"ExitOnForwardFailure yes", "ClearAllForwardings yes\nLocalForward 1 a:2", "FingerprintHash md5", "FingerprintHash sha256", "FingerprintHash sha512", "FingerprintHash x", "FingerprintHash md5\nFingerprintHash sha256",
		"ForwardAgent yes", "ForwardAgent no", "ForwardAgent /tmp/x", "ForwardAgent $SSH_AUTH_SOCK", "ForwardAgent ${HOME}", "ForwardAgent ${NOSUCHVAR}", "ForwardAgent $a-b", "ForwardAgent ~/x",
		"ForwardX11 yes", "ForwardX11Timeout 10", "ForwardX11Timeout 0", "ForwardX11Trusted no", "ForwardX11Trusted yes", "GatewayPorts yes", "GatewayPorts clientspecified",
		"GlobalKnownHostsFile /a /b", "GlobalKnownHostsFile none", "GlobalKnownHostsFile none /a", "GlobalKnownHostsFile /a none", "GlobalKnownHostsFile ~/x", "GlobalKnownHostsFile \"\"",
		"HashKnownHosts yes", "HostKeyAlgorithms ssh-ed25519", "HostKeyAlgorithms +ssh-rsa", "HostKeyAlgorithms -*nistp*", "HostKeyAlgorithms ^ssh-rsa,rsa-sha2-512", "HostKeyAlgorithms x", "HostKeyAlgorithms -x", "HostKeyAlgorithms ssh-ed25519,", "HostKeyAlgorithms ssh-*",
		"HostKeyAlias foo", "HostbasedAcceptedAlgorithms -ssh-rsa*", "HostbasedAuthentication yes", "HostbasedKeyTypes ssh-rsa",
		"HostName 1.2.3.4", "HostName %h.example.org", "HostName %%", "HostName UPPER.example", "HostName",
		"IdentitiesOnly yes", "IdentityAgent none", "IdentityAgent SSH_AUTH_SOCK", "IdentityAgent $FOO", "IdentityAgent ~/agent", "IdentityAgent /tmp/%h", "IdentityAgent ${NOSUCHVAR}", "IdentityAgent ${HOME}/a", "IdentityAgent $a-b",
		"IdentityFile ~/.ssh/a\nIdentityFile /b/%h\nIdentityFile ~/.ssh/a", "IdentityFile none", "IdentityFile \"a b\"", "IdentityFile", "CertificateFile ~/c\nCertificateFile /d",
		"IgnoreUnknown F*\nFoo bar\nfuu x\nBar 1", "IgnoreUnknown f*,bar\nFoo bar\nBar 1",
		"IPQoS af11", "IPQoS ef cs7", "IPQoS 32 33", "IPQoS none", "IPQoS 256", "IPQoS x", "IPQoS ef x", "IPQoS le none", "IPQoS 184 32",
		"KbdInteractiveAuthentication no", "ChallengeResponseAuthentication no", "SkeyAuthentication no", "KbdInteractiveDevices a,b",
		"KexAlgorithms curve25519-sha256", "KexAlgorithms +diffie-hellman-group1-sha1", "KexAlgorithms -ecdh*,diffie*", "KexAlgorithms ^diffie-hellman-group14-sha1", "KexAlgorithms x", "KexAlgorithms curve*", "KexAlgorithms \"\"",
		"KnownHostsCommand /bin/x %H", "KnownHostsCommand none", "LocalCommand echo \"a  b\" # c", "RemoteCommand echo %h # %%", "RemoteCommand none",
		"LogLevel QUIET", "LogLevel silent", "LogLevel FATAL", "LogLevel debug", "LogLevel DEBUG1", "LogLevel DEBUG3", "LogLevel x", "LogLevel \"\"",
		"LogVerbose a:b:c d", "LogVerbose none", "MACs hmac-sha2-256", "MACs x", "MACs -hmac*",
		"NoHostAuthenticationForLocalhost yes", "NumberOfPasswordPrompts 1", "PasswordAuthentication no", "PermitLocalCommand yes",
		"PermitRemoteOpen a:1 b:2", "PermitRemoteOpen any", "PermitRemoteOpen none", "PermitRemoteOpen a", "PermitRemoteOpen a:1 none", "PermitRemoteOpen none a:1", "PermitRemoteOpen *:*", "PermitRemoteOpen a:x", "PermitRemoteOpen any any",
		"PKCS11Provider /x", "PKCS11Provider none", "PreferredAuthentications publickey,password",
		"ProxyCommand nc %h %p", "ProxyCommand none", "ProxyCommand=nc -X \"connect\" %h", "ProxyCommand none\nProxyJump a", "ProxyJump a\nProxyCommand b", "ProxyJump none\nProxyCommand b", "ProxyCommand x\nProxyJump y",
		"ProxyJump user@host:22", "ProxyJump a,b@c:3,d", "ProxyJump ssh://u@h:99", "ProxyJump [::1]:22", "ProxyJump 10.0.0.1", "ProxyJump a b", "ProxyJump a,", "ProxyJump ,a", "ProxyJump a:x", "ProxyJump @a", "ProxyJump a # x", "ProxyJump fe80::1",
		"ProxyUseFdpass yes", "PubkeyAcceptedAlgorithms +ssh-rsa", "PubkeyAcceptedKeyTypes ssh-rsa", "PubkeyAuthentication unbound", "PubkeyAuthentication host-bound", "PubkeyAuthentication no", "PubkeyAuthentication x", "DSAAuthentication no",
		"RekeyLimit 1G", "RekeyLimit default 1h", "RekeyLimit 512K none", "RekeyLimit 15", "RekeyLimit 16", "RekeyLimit 0", "RekeyLimit x", "RekeyLimit 1G x", "RekeyLimit 1.5M", "RekeyLimit 99999999999G", "RekeyLimit 1G\nRekeyLimit 2G 1h", "RekeyLimit -1", "RekeyLimit 1 K",
		"RequestTTY yes", "RequestTTY force", "RequestTTY auto", "RequestTTY no", "RequiredRSASize 2048", "SecurityKeyProvider internal", "SecurityKeyProvider /x",
		"SendEnv A B*\nSendEnv -B* C", "SendEnv A=B", "SendEnv \"\"", "SendEnv -x", "ServerAliveCountMax 5", "ServerAliveInterval 1m", "ServerAliveInterval x", "ServerAliveInterval -1",
		"SessionType none", "SessionType subsystem", "SessionType x", "SetEnv A=1 \"B=c d\" A=2", "SetEnv A", "SetEnv A=1\nSetEnv B=2", "StdinNull yes",
		"StreamLocalBindMask 0", "StreamLocalBindMask 0022", "StreamLocalBindMask 9", "StreamLocalBindMask 1777", "StreamLocalBindMask", "StreamLocalBindMask 022\nStreamLocalBindMask 077", "StreamLocalBindUnlink yes",
		"StrictHostKeyChecking accept-new", "StrictHostKeyChecking off", "StrictHostKeyChecking no", "StrictHostKeyChecking yes", "StrictHostKeyChecking ask", "StrictHostKeyChecking x",
		"SyslogFacility LOCAL7", "SyslogFacility auth", "SyslogFacility x", "TCPKeepAlive no", "KeepAlive no",
		"Tunnel yes", "Tunnel ethernet", "Tunnel point-to-point", "Tunnel x", "TunnelDevice 1", "TunnelDevice 1:2", "TunnelDevice any:3", "TunnelDevice x", "TunnelDevice 1:2:3", "TunnelDevice any",
		"UpdateHostKeys ask", "UpdateHostKeys no", "UserKnownHostsFile /a ~/b /c/%h", "UserKnownHostsFile none", "UserKnownHostsFile ${HOME}/x", "VerifyHostKeyDNS yes", "VerifyHostKeyDNS ask", "VisualHostKey yes", "XAuthLocation /x",
		"AddKeysToAgent yes", "AddKeysToAgent ask", "AddKeysToAgent confirm", "AddKeysToAgent confirm 5m", "AddKeysToAgent 1h", "AddKeysToAgent yes 5m", "AddKeysToAgent x", "AddKeysToAgent no", "AddKeysToAgent",
		"BindAddress 1.2.3.4", "BindInterface eth0", "CASignatureAlgorithms -ssh-rsa*", "CASignatureAlgorithms ssh-ed25519,rsa-sha2-256", "CASignatureAlgorithms x",
		"Ciphers aes128-ctr,aes256-ctr", "Ciphers +3des-cbc", "Ciphers -aes*", "Ciphers ^aes256-gcm@openssh.com", "Ciphers x", "Ciphers aes*", "Ciphers +x", "Ciphers",
		"User joe", "User \"joe blow\"", "User 'x y' z", "user=\"a\"", "User a#b", "User a #b", "User a\\ b", "User \"a\\\"b\"", "User 'a\\'b'", "User a\\nb", "User \"a", "User 'a", "\"User\" joe", "User\"joe\"", "\"User\"joe", "\"User joe", "User = joe", "User =joe", "User= joe", "User==joe", "User \t joe \t ",
		// Grammar.
		"# comment", "   # comment", "", "Host", "Host \"\"", "Host a b example\nPort 3", "Host * !example\nPort 3", "Host !x\nPort 3", "Host exam*\nPort 3\nHost *\nPort 4", "Host=example\nPort 5", "Host EXAMPLE\nPort 5", "Host \"example\"\nPort 5", "Host e?ample\nPort 5",
		"Match", "Match all\nPort 7", "Match all user x", "Match host example\nPort 7", "Match host x,example user root\nPort 7", "Match originalhost exam*\nPort 7", "Match !host example\nPort 7", "Match !host x\nPort 7", "Match user joe\nPort 7", "Match localuser root\nPort 7", "Match foo bar\nPort 7", "Match host", "Match exec true\nPort 7", "Match exec false\nPort 7", "Match exec \"test %h = example\"\nPort 7", "Match !exec false\nPort 7", "Match host x exec \"touch /nonexistent/x\"\nPort 7", "Match canonical\nPort 7", "Match final\nPort 7", "Match final all\nPort 7", "Match canonical all\nPort 7", "Match !final\nPort 7", "Match all !user", "Match !all\nPort 7", "Match host example # c\nPort 7",
		"Hostname foo.example\nMatch host foo.example\nPort 7", "Hostname foo.example\nMatch final host foo.example\nPort 7", "Hostname %h.lan\nMatch originalhost example host example.lan\nUser x", "Host example\nHostname FOO.example\nHost foo.example\nPort 8\nMatch final\nUser z",
		"Match user root\nUser a\nMatch user a\nPort 9", "User b\nMatch user b\nPort 9",
		// Several errors, order of the messages.
		"Foo 1\nBar 2\nPort x\nBatchMode q\nUser", "Compression yes extra", "Host x\nPort q", "Protocol 2", "Cipher x", "UseRsh yes", "RSAAuthentication yes", "CompressionLevel 9", "AFSTokenPassing yes", "RhostsRSAAuthentication yes", "UsePrivilegedPort yes", "GlobalKnownHostsFile2 x", "UseRoaming no", "FallBackToRsh no", "KerberosTgtPassing yes",
		"Include", "Include /nonexistent/*", "Include \"\"", "Port 1\x0c", "\x0cPort 1", "Port 1\r",
	)...)
}

var stockCases = []stockCase{
	{name: "basic", config: "User user\nHost example\n HostName server-address\n\tPort     2222\n"},
	{name: "equals", config: "user=joe\nPORT = 23\nCompression=yes\n Port=99\n"},
	{name: "options", options: []string{"Port=3", "port 4", "User = joe", "IdentityFile=\"a b\""}},
	{name: "append", options: []string{"KexAlgorithms=+diffie-hellman-group1-sha1", "Ciphers=-*cbc,*gcm*", "MACs=^hmac-sha1", "HostKeyAlgorithms=ssh-*", "PubkeyAcceptedKeyTypes +ssh-rsa"}},
	{name: "unknown", config: "Prot 22\nFoo bar\nPort 22\n"},
	{name: "unknown option", options: []string{"Prot=22"}},
	{name: "address host", host: "::1", config: "Host ::1\nPort 3\n"},
	{name: "upper host", host: "EXAMPLE", config: "Host EXAMPLE\nPort 3\nHost example\nUser x\n"},
	{name: "option host", options: []string{"Host x"}},
	{name: "option include", options: []string{"Include /etc/passwd"}},
	{name: "option empty", options: []string{"Port"}},
	{name: "option equals", options: []string{"Port="}},
	{name: "option blank", options: []string{" Port 4"}},
	{name: "option comment", options: []string{"#Port 4"}},
	{name: "option quotes", options: []string{"User \"a"}},
	{name: "option bad", options: []string{"BatchMode=maybe"}},
}
