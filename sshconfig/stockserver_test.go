package sshconfig

import (
	"bytes"
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
	for _, tc := range serverCases {
		t.Run(tc.name, func(t *testing.T) {
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
			ctx := &ServerContext{
				Version: "OpenSSH_9.2p1", Home: "/root", Directory: "/", Algorithms: alg, Files: OSFiles{},
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
		})
	}
}

const someKey = "HostKey /etc/ssh/ssh_host_ed25519_key\n"

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
Subsystem sftp /bin/sh -c "exit 23"
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
