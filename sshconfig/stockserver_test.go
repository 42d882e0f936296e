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

// differsT names what -T of OpenSSH 9.2 (Debian) and of 10.5 show
// differently, and why.
var differsT = map[string]string{
	"pamservicename":                "new in 9.8",
	"permitrootlogin":               "always: without-password in 9.x, prohibit-password in 10.x",
	"kerberosauthentication":        "built without",
	"kerberosorlocalpasswd":         "built without",
	"kerberosticketcleanup":         "built without",
	"gssapiauthentication":          "built without",
	"gssapicleanupcredentials":      "built without",
	"gssapikeyexchange":             "Debian's patch",
	"gssapistrictacceptorcheck":     "built without",
	"gssapistorecredentialsonrekey": "Debian's patch",
	"gssapikexalgorithms":           "Debian's patch",
	"refuseconnection":              "new in 9.9",
	"revokedkeys":                   "always: a list of files since 10.3, in another place, and not shown when empty",
	"sshdsessionpath":               "new in 9.8",
	"sshdauthpath":                  "new in 9.9",
	"persourcepenaltyexemptlist":    "new in 9.8",
	"persourcepenalties":            "new in 9.8",
	"persourcenetblocksize":         "our IPv6 default is 64 bits",
	"channeltimeout":                "9.2 shows none in a place of its own",
	"ipqos":                         "lowdelay throughput before 10.1, ef cs0 since",
	"pidfile":                       "Debian's /run",
	"versionaddendum":               "Debian's own",
	"hostkey":                       "mldsa44 is new in 10.5",
	"modulifile":                    "Debian's",
}

const stockSSHD = "/usr/sbin/sshd"

func needStockServer(t testing.TB) {
	out, _ := exec.Command(stockSSHD, "-V").CombinedOutput()
	if !strings.Contains(string(out), "OpenSSH_9.2") {
		t.Skip("peer lacks OpenSSH 9.2 server")
	}
	if _, err := os.ReadFile("/etc/ssh/ssh_host_ed25519_key"); err != nil {
		t.Skip("peer lacks a readable host key")
	}
}

func stockT(args ...string) (string, string, error) {
	_ = os.MkdirAll("/run/sshd", 0o755)
	cmd := exec.Command(stockSSHD, args...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	err := cmd.Run()
	return out.String(), errb.String(), err
}

func systemGroups(name string) (groups []string, ok bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, false
	}
	ids, _ := u.GroupIds()
	for _, id := range ids {
		if g, err := user.LookupGroupId(id); err == nil {
			groups = append(groups, g.Name)
		}
	}
	return groups, true
}

type serverCase struct {
	name    string
	config  string
	options []string
	conn    string // -C
}

func TestStockT(t *testing.T) {
	needStockServer(t)
	base, stderr, err := stockT("-T", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err, stderr)
	}
	alg := stockAlgorithms(t, outputMap(base))
	dir := t.TempDir()
	check := func(tc serverCase) func(*testing.T) {
		return func(t *testing.T) { checkStockT(t, dir, alg, tc) }
	}
	single, merged := mergeLines(serverCases, func(tc serverCase) (string, bool) {
		line, ok := strings.CutPrefix(tc.config, someKey)
		if !ok || len(tc.options) > 0 || tc.conn != "" {
			return "", false
		}
		_, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte(tc.config)}}}, &ServerContext{Algorithms: alg})
		return strings.TrimSuffix(line, "\n"), err == nil
	})
	for _, tc := range single {
		t.Run(tc.name, check(tc))
	}
	for i, m := range merged {
		tc := serverCase{config: someKey + m.config}
		if !t.Run(fmt.Sprint("merged ", i), check(tc)) { // find the one to blame
			for _, tc := range m.parts {
				t.Run(tc.name, check(tc))
			}
		}
	}
}

func checkStockT(t *testing.T, dir string, alg Algorithms, tc serverCase) {
	file := filepath.Join(dir, "sshd_config")
	if err := os.WriteFile(file, []byte(tc.config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-T", "-f", file}
	for _, o := range tc.options {
		args = append(args, "-o", o)
	}
	if tc.conn != "" {
		args = append(args, "-C", tc.conn)
	}
	want, stderr, err := stockT(args...)
	cwd, _ := os.Getwd()
	ctx := &ServerContext{
		Version: "OpenSSH_9.2p1", Home: "/root", Directory: cwd, Algorithms: alg, Files: OSFiles{},
		Groups: systemGroups,
	}
	s, ourErr := ParseServer(Sources{tc.options, ServerFile(file)}, ctx)
	if ourErr == nil && tc.conn != "" {
		var conn Connection
		if ourErr = conn.ParseConnection(tc.conn); ourErr == nil {
			s, ourErr = s.Match(&conn)
		}
	}
	if err != nil {
		if ourErr == nil {
			t.Fatalf("stock refuses, we do not: %s", stderr)
		}
		theirs := strings.ReplaceAll(strings.TrimSpace(stderr), "\r", "")
		ours := strings.Join(withoutHints(strings.Split(ourErr.Error(), "\n")), "\n")
		if ours != theirs {
			t.Errorf("error texts differ:\n--- stock\n%s\n--- ours\n%s", theirs, ours)
		}
		return
	}
	if ourErr != nil {
		t.Fatalf("stock accepts, we do not: %v", ourErr)
	}
	var out bytes.Buffer
	if err := s.Print(&out, true); err != nil {
		t.Fatal(err)
	}
	compareOutput(t, want, out.String(), differsT, tc.config+"\n"+strings.Join(tc.options, "\n"))
}

const someKey = "HostKey /etc/ssh/ssh_host_ed25519_key\n"

func eachServer(conn string, lines ...string) (cases []serverCase) {
	for _, l := range lines {
		cases = append(cases, serverCase{name: l + conn, config: someKey + l + "\n", conn: conn})
	}
	return cases
}

func init() { // tests only
	const conn = "user=root,addr=10.1.2.3,host=c.example,laddr=192.0.2.1,lport=2222"
	serverCases = append(serverCases, eachServer("",
		"Port x", "Port 0", "Port 70000", "Port", "Port 22 23", "AddressFamily x", "AddressFamily inet6", "ListenAddress 1.2.3.4:x", "ListenAddress [::1", "ListenAddress 1.2.3.4:", "ListenAddress 1.2.3.4 foo", "ListenAddress 1.2.3.4 rdomain", "ListenAddress ::1", "ListenAddress [::1]:99\nPort 23", "ListenAddress 1.2.3.4\nPort 1\nPort 2\nListenAddress 5.6.7.8:9",
		"UsePAM yes", "UsePAM true", "UsePAM", "UsePAM \"\"", "LoginGraceTime x", "LoginGraceTime 0", "LoginGraceTime", "LoginGraceTime 1h", "MaxAuthTries x", "MaxAuthTries -1", "MaxAuthTries 99999999999", "MaxAuthTries \"\"", "MaxAuthTries 0",
		"RequiredRSASize 512", "StreamLocalBindMask 9", "StreamLocalBindMask 07777", "StreamLocalBindMask 0\nStreamLocalBindMask 022", "UnusedConnectionTimeout none", "UnusedConnectionTimeout 5m\nUnusedConnectionTimeout none", "UnusedConnectionTimeout x",
		"PermitRootLogin x", "PermitRootLogin yes", "PermitRootLogin without-password", "PermitRootLogin forced-commands-only", "IgnoreRhosts x", "Compression x", "Compression no", "GatewayPorts x", "GatewayPorts yes", "AllowTcpForwarding all", "AllowTcpForwarding remote", "AllowStreamLocalForwarding local", "AllowTcpForwarding x",
		"FingerprintHash x", "FingerprintHash md5\nFingerprintHash sha256", "PidFile none", "PidFile ~/x", "PidFile x", "PidFile", "XAuthLocation none", "Ciphers x", "Ciphers", "Ciphers +aes128-cbc", "Ciphers -aes*", "MACs x", "MACs ^hmac-sha1", "KexAlgorithms x", "KexAlgorithms -ecdh*", "HostKeyAlgorithms x", "HostKeyAlgorithms ssh-*", "HostKeyAlgorithms", "CASignatureAlgorithms -x*", "HostbasedAcceptedKeyTypes ssh-rsa", "PubkeyAcceptedAlgorithms +ssh-rsa",
		"Banner none", "Banner x", "ForceCommand a \"b  c\" # d", "ForceCommand none", "ForceCommand=a", "ChrootDirectory none", "ChrootDirectory %h", "TrustedUserCAKeys none", "TrustedUserCAKeys /x", "SecurityKeyProvider internal", "AuthorizedPrincipalsFile %h/x", "AuthorizedPrincipalsFile ~/x", "AuthorizedPrincipalsFile none", "VersionAddendum none",
		"AuthorizedKeysCommand none", "AuthorizedKeysCommand x", "AuthorizedKeysCommand /bin/x %u %k\nAuthorizedKeysCommandUser nobody", "AuthorizedKeysCommandUser", "HostKeyAgent SSH_AUTH_SOCK", "HostKeyAgent /x", "HostKeyAgent",
		"LogLevel x", "LogLevel QUIET", "LogLevel debug", "SyslogFacility x", "SyslogFacility LOCAL1", "AuthorizedKeysFile none", "AuthorizedKeysFile ~/a %h/b", "AuthorizedKeysFile \"\"", "AuthorizedKeysFile a\nAuthorizedKeysFile b",
		"HostKey", "HostKey /etc/ssh/ssh_host_ed25519_key", "AllowUsers", "AllowUsers a@10.0.0.1/8", "AllowUsers a@10.0.0.0/8 b@!x", "AllowUsers \"\"", "AllowUsers a # b", "DenyGroups \"\"", "AcceptEnv A=b", "AcceptEnv A B\nAcceptEnv C", "SetEnv A", "SetEnv A=b A=c", "SetEnv A=\"b c\"",
		"AuthenticationMethods any", "AuthenticationMethods any publickey", "AuthenticationMethods publickey any", "AuthenticationMethods x", "AuthenticationMethods publickey,", "AuthenticationMethods publickey,keyboard-interactive:pam password",
		"Subsystem x y z", "Subsystem", "MaxStartups 10", "MaxStartups 10:30", "MaxStartups 10:30:5", "MaxStartups 10:0:20", "MaxStartups x", "MaxStartups 0", "PerSourceMaxStartups x", "PerSourceMaxStartups none", "PerSourceMaxStartups 3", "PerSourceNetBlockSize 24:48", "PerSourceNetBlockSize 33", "PerSourceNetBlockSize 24:129", "PerSourceNetBlockSize x",
		"PermitTunnel x", "PermitTunnel yes", "PermitTunnel point-to-point", "IPQoS x", "IPQoS ef", "IPQoS 17 cs1", "IPQoS", "RekeyLimit x", "RekeyLimit 1M 5m", "RekeyLimit 3", "RekeyLimit default none", "RekeyLimit", "PermitOpen none", "PermitOpen any", "PermitOpen a", "PermitOpen a:x", "PermitOpen a:1 [b]:2 *:*", "PermitListen 80", "PermitListen x", "PermitListen *", "PermitUserEnvironment A,B", "PermitUserEnvironment yes", "PubkeyAuthOptions x", "PubkeyAuthOptions none", "PubkeyAuthOptions Touch-Required",
		"LogVerbose a b", "LogVerbose none a", "ExposeAuthInfo yes", "UseDNS yes", "StrictModes no", "PrintMotd no",
		"Protocol 2", "UsePrivilegeSeparation sandbox", "KeyRegenerationInterval 3600", "ServerKeyBits 1024", "RSAAuthentication yes", "ChallengeResponseAuthentication no", "SkeyAuthentication no", "DSAAuthentication no", "KeepAlive no", "HostDSAKey /x", "RhostsRSAAuthentication no", "UseLogin no",
		"Foo", "Foo bar", "User x", "Port 22 # c", "Port '22'", "Port \"22", "# x", "  # x", "Port=22", "Port = 22", "\"Port\" 22", "Foo 1\nBar 2\nPort 5 6", "Foo 1\nPort x",
		"Match", "Match all x", "Match all\nPort 99", "Match all\nMaxAuthTries 9", "Match foo x", "Match user", "Match user x\nPort 1", "Match user x\nFoo y", "Match user x\nMaxAuthTries x", "Match Address 10.0.1.0/8", "Match Address 10.0.0.0/33", "Match Address 10.0.0.0/x", "Match Address x,y", "Match LocalPort x", "Match LocalAddress 1.2.3.4/8", "Match user x all", "Match all # x", "Match user x # y", "Match user x\nRSAAuthentication yes", "Match user x\nUseLogin no", "Match user x\nChallengeResponseAuthentication no", "Match user x\nKeepAlive no", "Match user x\nInclude /nonexistent*", "Match User \"\"",
		"Include", "Include \"\"", "Include /nonexistent/*", "Include nonexistent",
	)...)
	serverCases = append(serverCases, eachServer(conn,
		"Match user root\nMaxAuthTries 9", "Match user=root\nMaxAuthTries 9", "Match User x,r*\nMaxAuthTries 9", "Match User r*,!root\nMaxAuthTries 9", "Match User ROOT\nMaxAuthTries 9", "Match Group root\nMaxAuthTries 9", "Match Group x,!root\nMaxAuthTries 9", "Match Host *.example\nMaxAuthTries 9", "Match Host C.EXAMPLE\nMaxAuthTries 9", "Match Address 10.*\nMaxAuthTries 9", "Match Address 10.0.0.0/8\nMaxAuthTries 9", "Match Address 10.0.0.0/8,!10.1.2.3\nMaxAuthTries 9", "Match LocalAddress 192.0.2.1\nMaxAuthTries 9", "Match LocalPort 2222\nMaxAuthTries 9", "Match LocalPort 22\nMaxAuthTries 9", "Match user root address 10.0.0.0/8 localport 2222\nMaxAuthTries 9", "Match user root address 11.0.0.0/8\nMaxAuthTries 9", "Match all\nMaxAuthTries 9", "MaxAuthTries 3\nMatch all\nMaxAuthTries 9\nMaxAuthTries 10", "MaxAuthTries 3\nMatch user x\nMaxAuthTries 4\nMatch user root\nMaxAuthTries 5\nMatch user root\nMaxAuthTries 6",
		"AllowUsers a b\nMatch user root\nAllowUsers c\nAllowUsers d", "AcceptEnv A\nMatch user root\nAcceptEnv B", "SetEnv A=1\nMatch user root\nSetEnv B=2\nSetEnv C=3", "ForceCommand x\nMatch user root\nForceCommand none", "ChrootDirectory /x\nMatch user root\nChrootDirectory none", "Banner /a\nMatch user root\nBanner none", "PermitOpen a:1\nMatch user root\nPermitOpen b:2\nPermitOpen c:3", "RekeyLimit 1M 1h\nMatch user root\nRekeyLimit 2M", "RekeyLimit 1M 1h\nMatch user root\nRekeyLimit default 2h", "PubkeyAcceptedAlgorithms ssh-rsa\nMatch user root\nPubkeyAcceptedAlgorithms +ssh-rsa", "AuthenticationMethods publickey\nMatch user root\nAuthenticationMethods password,publickey", "AuthorizedKeysFile a\nMatch user root\nAuthorizedKeysFile b c", "LogLevel DEBUG\nMatch user root\nLogLevel ERROR", "StreamLocalBindMask 0\nMatch user root\nStreamLocalBindMask 022\nStreamLocalBindMask 077", "UnusedConnectionTimeout 1m\nMatch user root\nUnusedConnectionTimeout none", "X11Forwarding yes\nMatch user root\nX11Forwarding no\nX11DisplayOffset 20", "IPQoS ef\nMatch user root\nIPQoS cs1 cs2", "PermitTTY no\nMatch user root\nPermitTTY yes", "Match rdomain x\nMaxAuthTries 9", "TrustedUserCAKeys /a\nMatch user root\nTrustedUserCAKeys none", "AuthorizedPrincipalsFile /a\nMatch user root\nAuthorizedPrincipalsFile none", "AuthorizedKeysCommand /a\nAuthorizedKeysCommandUser x\nMatch user root\nAuthorizedKeysCommand none",
	)...)
	serverCases = append(serverCases, eachServer("user=root,", "Match user root\nMaxAuthTries 9", "Match address 10.0.0.0/8\nMaxAuthTries 9")...)
	serverCases = append(serverCases, eachServer("foo=x", "")...)
	serverCases = append(serverCases, eachServer("lport=x", "")...)
	serverCases = append(serverCases,
		serverCase{name: "option match", options: []string{"Match all"}},
		serverCase{name: "option include", options: []string{"Include /etc/passwd"}},
		serverCase{name: "option unknown", options: []string{"Foo=bar"}},
		serverCase{name: "option bad", options: []string{"UsePAM=maybe"}},
		serverCase{name: "option first", options: []string{"MaxAuthTries=3", "MaxAuthTries 4"}, config: someKey + "MaxAuthTries 5\n"},
		serverCase{name: "option port", options: []string{"Port=3"}, config: someKey + "Port 5\n"},
	)
}

var serverCases = []serverCase{
	{name: "empty"},
	{name: "ports", config: someKey + "Port 22\nPort 1234\nListenAddress 127.0.0.1\nListenAddress [::1]:2222\nListenAddress ::1\nAddressFamily any\n"},
	{name: "ports only", config: someKey + "Port 22\nPort 1234\n"},
	{name: "inet", config: someKey + "Port 22\nPort 1234\nAddressFamily inet\n"},
	{name: "words", config: someKey + `
AllowUsers a b@10.0.0.0/8
AllowUsers c
DenyGroups x y
AcceptEnv LANG LC_*
SetEnv A=b "C=d e" A=x
SetEnv D=e
Subsystem sftp /usr/lib/sftp-server -f AUTH
Subsystem x internal-sftp
AuthenticationMethods publickey,password keyboard-interactive:pam
RekeyLimit 1G 1h
MaxStartups 5
PermitOpen a:1 [::1]:*
PermitListen 8080 localhost:*
PermitUserEnvironment FOO,BAR*
PubkeyAuthOptions touch-required verify-required
LogLevel DEBUG
SyslogFacility LOCAL3
StreamLocalBindMask 0022
ForceCommand   echo hi   # there
ChrootDirectory %h
Banner /etc/issue
LoginGraceTime 2m
ClientAliveInterval 1m30s
UnusedConnectionTimeout 5m
AuthorizedKeysFile .ssh/a /etc/%u
PermitTunnel ethernet
GatewayPorts clientspecified
AllowTcpForwarding local
Compression delayed
FingerprintHash md5
IgnoreRhosts shosts-only
RevokedKeys /etc/revoked
KexAlgorithms +diffie-hellman-group1-sha1
Ciphers aes128-ctr
MACs -umac*
PubkeyAcceptedKeyTypes +ssh-dss
CASignatureAlgorithms -ecdsa*
PersourceMaxStartups 5
`},
	{name: "match", config: someKey + "PasswordAuthentication no\nMatch User root Address 10.0.0.0/8,!10.1.0.0/16\n X11Forwarding yes\n PasswordAuthentication yes\nMatch Group root\n AllowUsers z\n ForceCommand x y\nMatch all\nMaxSessions 3\nMaxSessions 4\n", conn: "user=root,addr=10.2.3.4,host=a,laddr=1.2.3.4,lport=22"},
	{name: "match none", config: someKey + "PasswordAuthentication no\nMatch User root Address 10.0.0.0/8,!10.1.0.0/16\n X11Forwarding yes\n PasswordAuthentication yes\nMatch LocalPort 22 Host *.example\n MaxSessions 3\nMaxSessions 4\n", conn: "user=root,addr=10.1.3.4,host=A.Example,laddr=1.2.3.4,lport=22"},
	{name: "unknown", config: "Prot 22\nBar x\n"},
	{name: "bad flag", config: "UsePAM maybe\n"},
	{name: "not in match", config: "Match User x\nPort 22\n"},
}
