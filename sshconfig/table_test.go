package sshconfig

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestFields walks the structs: every exported field has exactly one row,
// and every row a field of its name.
func TestFields(t *testing.T) {
	check := func(typ reflect.Type, names []string, other ...string) {
		t.Helper()
		for i := 0; i < typ.NumField(); i++ {
			f := typ.Field(i)
			if !f.IsExported() || slices.Contains(other, f.Name) {
				continue
			}
			n := 0
			for _, name := range names {
				if name == f.Name {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s.%s has %d rows", typ.Name(), f.Name, n)
			}
		}
		for _, name := range names {
			if _, ok := typ.FieldByName(name); !ok {
				t.Errorf("row %s has no field in %s", name, typ.Name())
			}
		}
	}
	var client, server []string
	for i := range clientRows {
		client = append(client, clientRows[i].name)
	}
	for i := range serverRows {
		server = append(server, serverRows[i].name)
	}
	check(reflect.TypeFor[Client](), client, "Host")
	check(reflect.TypeFor[Server](), server)
	if len(clientRows) > 256 || len(serverRows) > 256 {
		t.Error("keywordSet is too small")
	}
}

// TestRows looks at every row: it has a manual sentence, its line sets its
// own field and no other, and what stands in Match can be copied.
func TestRows(t *testing.T) {
	for i := range serverRows {
		r := &serverRows[i]
		_, ok := r.kind.(copier[Server])
		if r.flag&inMatch != 0 && !ok {
			t.Errorf("%s may stand in Match but cannot be copied", r.name)
		}
	}
	names := map[string]bool{}
	look := func(k Keyword) {
		if k.Doc == "" || k.Doc != strings.TrimSpace(k.Doc) || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: %q", k.Name, k.Doc)
		}
		if !k.Ignored && (k.Values == "" || k.Default == "") {
			t.Errorf("%s: values %q, default %q", k.Name, k.Values, k.Default)
		}
		for _, n := range append(k.Aliases, k.Name) {
			if names[strings.ToLower(n)] {
				t.Errorf("%s twice", n)
			}
			names[strings.ToLower(n)] = true
		}
	}
	n := 0
	for k := range ClientKeywords() {
		look(k)
		n++
	}
	t.Logf("client: %d words", n)
	names, n = map[string]bool{}, 0
	for k := range ServerKeywords() {
		look(k)
		n++
	}
	t.Logf("server: %d words", n)
	for range ClientKeywords() {
		break // stopping early is allowed
	}
}

// rowLines has a line for every keyword that changes its field from the
// default.
var clientRowLines = map[string]string{
	"User": "joe", "Hostname": "other", "Port": "2222", "AddressFamily": "inet6", "BatchMode": "yes", "CanonicalizeFallbackLocal": "no", "CanonicalizeHostname": "always", "CheckHostIP": "yes", "Compression": "yes", "ControlMaster": "auto", "EnableSSHKeysign": "yes", "ClearAllForwardings": "yes", "ExitOnForwardFailure": "yes", "FingerprintHash": "md5", "ForwardX11": "yes", "ForwardX11Trusted": "yes", "GatewayPorts": "yes", "GSSAPIAuthentication": "yes", "GSSAPIDelegateCredentials": "yes", "HashKnownHosts": "yes", "HostbasedAuthentication": "yes", "IdentitiesOnly": "yes", "KbdInteractiveAuthentication": "no", "NoHostAuthenticationForLocalhost": "yes", "PasswordAuthentication": "no", "PermitLocalCommand": "yes", "ProxyUseFdpass": "yes", "PubkeyAuthentication": "unbound", "RequestTTY": "force", "SessionType": "none", "StdinNull": "yes", "ForkAfterAuthentication": "yes", "StreamLocalBindUnlink": "yes", "StrictHostKeyChecking": "accept-new", "TCPKeepAlive": "no", "Tunnel": "ethernet", "VerifyHostKeyDNS": "ask", "VisualHostKey": "yes", "UpdateHostKeys": "ask", "EnableEscapeCommandline": "yes", "WarnWeakCrypto": "no-pq-kex",
	"CanonicalizeMaxDots": "7", "ConnectionAttempts": "7", "ForwardX11Timeout": "7", "NumberOfPasswordPrompts": "7", "ServerAliveCountMax": "7", "ServerAliveInterval": "7", "RequiredRSASize": "2048", "ObscureKeystrokeTiming": "interval:80",
	"BindAddress": "1.2.3.4", "BindInterface": "eth0", "Ciphers": "a", "ControlPath": "/x", "HostKeyAlgorithms": "a", "HostKeyAlias": "x", "HostbasedAcceptedAlgorithms": "a", "IdentityAgent": "/x", "IgnoreUnknown": "x", "KbdInteractiveDevices": "x", "KexAlgorithms": "a", "CASignatureAlgorithms": "a", "LocalCommand": "x y", "RemoteCommand": "x y", "LogLevel": "DEBUG2", "MACs": "a", "PKCS11Provider": "/x", "SecurityKeyProvider": "/x", "PreferredAuthentications": "x", "PubkeyAcceptedAlgorithms": "a", "XAuthLocation": "/x", "KnownHostsCommand": "/x y", "Tag": "x", "VersionAddendum": "x y",
	"DynamicForward": "1", "LocalForward": "1 a:2", "RemoteForward": "1 a:2", "IdentityFile": "/x", "CanonicalDomains": "a.b c", "CertificateFile": "/x", "GlobalKnownHostsFile": "/x /y", "UserKnownHostsFile": "/x /y", "RevokedHostKeys": "/x /y", "SendEnv": "X", "SetEnv": "A=b", "LogVerbose": "x", "ChannelTimeout": "session:*=5m global=1h", "PermitRemoteOpen": "a:1 b:2",
	"AddKeysToAgent": "confirm 5m", "ForwardAgent": "/x", "ConnectTimeout": "7", "TunnelDevice": "1:2", "CanonicalizePermittedCNAMEs": "*.a:*.b", "ControlPersist": "5m", "EscapeChar": "^A", "IPQoS": "cs1 va", "RekeyLimit": "1G 1h", "StreamLocalBindMask": "022", "SyslogFacility": "LOCAL1", "ProxyCommand": "x %h", "ProxyJump": "u@h:2",
}

var serverRowLines = map[string]string{
	"Port": "2222", "AddressFamily": "inet", "ListenAddress": "1.2.3.4:5", "UsePAM": "yes", "PAMServiceName": "x", "LoginGraceTime": "7", "X11DisplayOffset": "7", "MaxAuthTries": "7", "MaxSessions": "7", "ClientAliveInterval": "7", "ClientAliveCountMax": "7", "RequiredRSASize": "2048", "StreamLocalBindMask": "022", "UnusedConnectionTimeout": "7", "PermitRootLogin": "no", "IgnoreRhosts": "no", "IgnoreUserKnownHosts": "yes", "HostbasedAuthentication": "yes", "HostbasedUsesNameFromPacketOnly": "yes", "PubkeyAuthentication": "no", "KerberosAuthentication": "yes", "KerberosOrLocalPasswd": "no", "KerberosTicketCleanup": "no", "KerberosGetAFSToken": "yes", "GSSAPIAuthentication": "yes", "GSSAPICleanupCredentials": "no", "GSSAPIDelegateCredentials": "no", "GSSAPIStrictAcceptorCheck": "no", "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "PrintMotd": "no", "PrintLastLog": "no", "X11Forwarding": "yes", "X11UseLocalhost": "no", "PermitTTY": "no", "PermitUserRC": "no", "StrictModes": "no", "TCPKeepAlive": "no", "PermitEmptyPasswords": "yes", "Compression": "no", "GatewayPorts": "clientspecified", "UseDNS": "yes", "AllowTcpForwarding": "local", "AllowAgentForwarding": "no", "DisableForwarding": "yes", "AllowStreamLocalForwarding": "remote", "StreamLocalBindUnlink": "yes", "FingerprintHash": "md5", "ExposeAuthInfo": "yes", "RefuseConnection": "yes",
	"PidFile": "/x", "ModuliFile": "/x", "XAuthLocation": "/x", "Ciphers": "a", "MACs": "a", "Banner": "/x", "ForceCommand": "x y", "ChrootDirectory": "/x", "TrustedUserCAKeys": "/x", "SecurityKeyProvider": "/x", "AuthorizedPrincipalsFile": "/x", "VersionAddendum": "x y", "AuthorizedKeysCommand": "/x y", "AuthorizedKeysCommandUser": "x", "AuthorizedPrincipalsCommand": "/x y", "AuthorizedPrincipalsCommandUser": "x", "HostKeyAgent": "/x", "KexAlgorithms": "a", "CASignatureAlgorithms": "a", "HostbasedAcceptedAlgorithms": "a", "HostKeyAlgorithms": "a", "PubkeyAcceptedAlgorithms": "a", "SshdSessionPath": "/x", "SshdAuthPath": "/x", "PerSourcePenaltyExemptList": "10.0.0.0/8,::1", "LogLevel": "DEBUG2", "SyslogFacility": "LOCAL1",
	"AuthorizedKeysFile": "/x /y", "RevokedKeys": "/x /y", "HostKey": "/x", "HostCertificate": "/x", "AllowUsers": "x", "DenyUsers": "x", "AllowGroups": "x", "DenyGroups": "x", "AcceptEnv": "X", "SetEnv": "A=b", "AuthenticationMethods": "publickey,password", "LogVerbose": "x y", "ChannelTimeout": "session=5m", "Subsystem": "x /y \"a b\"", "MaxStartups": "1:2:3", "PerSourceMaxStartups": "7", "PerSourceNetBlockSize": "24:48", "PermitTunnel": "ethernet", "IPQoS": "cs1 va", "RekeyLimit": "1G 1h", "PermitOpen": "a:1", "PermitListen": "80", "PermitUserEnvironment": "X*", "PubkeyAuthOptions": "touch-required", "PerSourcePenalties": "crash:1m noauth:0.5s overflow:deny-all", "LobbyPerSource": "7", "LobbyMax": "7", "NetworkRooms": "shared", "LogFormat": "json",
}

// TestRowLines sets every keyword: exactly its own field must change, -G and
// -T output must show it, and that output read again must give the same.
func TestRowLines(t *testing.T) {
	list := NameList{Default: []string{"d", "e"}}
	lists := Algorithms{list, list, list, list, list, list, list}
	ctx := ClientContext{Host: "h", LocalUser: "u", Home: "/home/u", Algorithms: lists}
	plain, err := ParseClient(Sources{}, &ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range clientRows {
		name := clientRows[i].name
		if name == "RefuseConnection" || name == "RDomain" {
			continue
		}
		value, ok := clientRowLines[name]
		if !ok {
			t.Errorf("no line for %s", name)
			continue
		}
		c, err := ParseClient(Sources{Options: []string{name + "=" + value}}, &ctx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		changed := changedFields(plain, c)
		if name == "VerifyHostKeyDNS" || name == "UserKnownHostsFile" {
			changed = slices.DeleteFunc(changed, func(n string) bool { return n == "UpdateHostKeys" })
		}
		if !slices.Equal(changed, []string{name}) && name != "ClearAllForwardings" {
			t.Errorf("%s changes %v", name, changed)
		}
		roundTripClient(t, name, c, &ctx)
	}
	sctx := ServerContext{Directory: "/", Algorithms: lists}
	splain, err := ParseServer(Sources{}, &sctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range serverRows {
		name := serverRows[i].name
		if name == "RDomain" {
			continue
		}
		value, ok := serverRowLines[name]
		if !ok {
			t.Errorf("no line for %s", name)
			continue
		}
		s, err := ParseServer(Sources{Options: []string{name + " " + value}}, &sctx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if changed := changedFields(splain, s); !slices.Equal(changed, []string{name}) {
			t.Errorf("%s changes %v", name, changed)
		}
		roundTripServer(t, name, s)
		if serverRows[i].flag&inMatch == 0 {
			continue
		}
		m, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte("Match User x\n" + name + " " + value + "\n")}}}, &sctx)
		if err != nil {
			t.Errorf("%s in Match: %v", name, err)
			continue
		}
		if changed := changedFields(splain, m); len(changed) != 0 {
			t.Errorf("%s in Match changes %v for all", name, changed)
		}
		for user, want := range map[string][]string{"x": {name}, "y": nil} {
			got, err := m.Match(&Connection{User: user})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if changed := changedFields(splain, got); !slices.Equal(changed, want) {
				t.Errorf("%s in Match, user %s: changes %v", name, user, changed)
			}
		}
	}
}

func changedFields[T any](a, b *T) (names []string) {
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := 0; i < va.NumField(); i++ {
		f := va.Type().Field(i)
		if f.IsExported() && !reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			names = append(names, f.Name)
		}
	}
	return names
}

func roundTripClient(t *testing.T, what string, c *Client, ctx *ClientContext) {
	t.Helper()
	var one, two bytes.Buffer
	if err := c.Print(&one); err != nil {
		t.Fatal(err)
	}
	again, err := ParseClient(Sources{Files: []Source{{Name: "again", Data: one.Bytes(), User: true}}}, ctx)
	if err != nil {
		t.Errorf("%s: own output refused: %v", what, err)
		return
	}
	if err := again.Print(&two); err != nil {
		t.Fatal(err)
	}
	if one.String() != two.String() {
		t.Errorf("%s: output read again gives something else:\n%s", what, firstDifference(one.String(), two.String()))
	}
}

func roundTripServer(t *testing.T, what string, s *Server) {
	t.Helper()
	for _, lowercase := range []bool{false, true} {
		var one, two bytes.Buffer
		if err := s.Print(&one, lowercase); err != nil {
			t.Fatal(err)
		}
		again, err := ParseServer(Sources{Files: []Source{{Name: "again", Data: one.Bytes()}}}, s.ctx)
		if err != nil {
			t.Errorf("%s: own output refused: %v", what, err)
			return
		}
		if err := again.Print(&two, lowercase); err != nil {
			t.Fatal(err)
		}
		if one.String() != two.String() {
			t.Errorf("%s: output read again gives something else:\n%s", what, firstDifference(one.String(), two.String()))
		}
	}
}

func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range la {
		if i >= len(lb) || la[i] != lb[i] {
			other := ""
			if i < len(lb) {
				other = lb[i]
			}
			return la[i] + "\n" + other
		}
	}
	return "shorter"
}

// TestNoInit builds a program with the package and looks for code that would
// run when it starts: the tables must be laid down by the linker.
func TestNoInit(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "x.test")
	if out, err := exec.Command("go", "build", "-o", bin, "./testdata/start").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("go", "tool", "nm", "-size", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.SplitSeq(string(out), "\n") {
		f := strings.Fields(l)
		if len(f) == 4 && strings.HasSuffix(f[3], "sshconfig.init") {
			t.Errorf("start-up code of %s bytes", f[1])
		}
	}
}
