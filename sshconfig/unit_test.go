package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0s", "1": "1s", "60s": "1m0s", "1m": "1m0s", "1M": "1m0s", "1h30m": "1h30m0s", "2d": "48h0m0s", "1w": "168h0m0s", "1m1m": "2m0s", "90": "1m30s", "2147483647": "596523h14m7s",
		"": "bad", "x": "bad", "1x": "bad", "s": "bad", "-1": "bad", "1 s": "bad", "1.5s": "bad", "+1": "bad", "2147483648": "bad", "3551w": "bad", "1s2": "3s", "99999999999999999999": "bad",
	} {
		d, ok := ParseTime(in)
		got := "bad"
		if ok {
			got = d.String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"0.5s": "500ms", "1.5": "1.5s", "3w2d4h5m10.5s": "556h5m10.5s", "1m.5": "1m0.5s", "1.": "1s",
		".": "bad", "1.5m": "bad", "1s1.5s": "bad", "1.5s1s": "bad", "1.2.3": "bad", "x1.5": "bad", "1.5x": "bad", "-1.5": "bad", "99999999999.5": "bad",
	} {
		d, ok := parseFraction(in)
		got := "bad"
		if ok {
			got = d.String()
		}
		if got != want {
			t.Errorf("fraction %q: %s, want %s", in, got, want)
		}
	}
}

func TestParseScaled(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "16": "16", "1k": "1024", "1K": "1024", "2M": "2097152", "1G": "1073741824", "1.5M": "1572864", "1B": "1", "1t": "1099511627776", "7E": "8070450532247928832", ".5K": "512", " 5": "5", "+5": "5", "-5": "1",
		"": "Invalid argument", "x": "Invalid argument", "1KB": "Invalid argument", "1 K": "Invalid argument", ".": "Invalid argument", "1.2.3": "Invalid argument", "8E": "Numerical result out of range", "99999999999999999999": "Numerical result out of range",
	} {
		n, wrong := parseScaled(in)
		got := wrong
		if wrong == "" {
			got = fmt.Sprint(n)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestMatchPattern(t *testing.T) {
	for _, tc := range []struct {
		s, p string
		want bool
	}{
		{"", "", true}, {"", "*", true}, {"", "?", false}, {"a", "?", true}, {"abc", "a*c", true}, {"abc", "a*b", false}, {"abcbc", "a*bc", true}, {"a", "**", true}, {"a.b", "a.b", true}, {"a*b", "a*b", true}, {"ab", "*?*?*", true}, {"a", "*?*?*", false}, {"A", "a", false},
	} {
		if MatchPattern(tc.s, tc.p) != tc.want {
			t.Errorf("%q %q: %v", tc.s, tc.p, !tc.want)
		}
	}
	// What would take the age of the universe for a matcher that tries all.
	start := time.Now()
	if MatchPattern(strings.Repeat("a", 100000), strings.Repeat("a*", 500)+"b") {
		t.Error("matched")
	}
	t.Logf("hostile pattern: %v", time.Since(start))
}

func TestMatchList(t *testing.T) {
	for _, tc := range []struct {
		s, list string
		want    int
	}{
		{"a", "a", 1}, {"a", "b,a", 1}, {"a", "!a", -1}, {"a", "*,!a", -1}, {"b", "*,!a", 1}, {"b", "!a", 0}, {"a", "", 0}, {"", "", 0}, {"", "*", 1}, {"a", "A", 0},
		{"a", strings.Repeat("*", MaxPattern), 1}, {"a", strings.Repeat("*", MaxPattern+1), 0},
	} {
		if got := MatchList(tc.s, tc.list, false); got != tc.want {
			t.Errorf("%q %.20q: %d, want %d", tc.s, tc.list, got, tc.want)
		}
	}
	if MatchHost("A.Example", "*.eXample") != 1 {
		t.Error("host names have no case")
	}
}

func TestMatchAddress(t *testing.T) {
	for _, tc := range []struct {
		addr, list string
		want       int
		bad        bool
	}{
		{"10.1.2.3", "10.0.0.0/8", 1, false}, {"10.1.2.3", "10.0.0.0/8,!10.1.0.0/16", -1, false}, {"10.1.2.3", "11.0.0.0/8", 0, false}, {"10.1.2.3", "10.1.2.3", 1, false}, {"10.1.2.3", "10.1.2.*", 1, false},
		{"10.1.2.3", "10.1.2.3/32", 1, false}, {"10.1.2.3", "0.0.0.0/0", 1, false}, {"10.1.2.3", "::/0", 0, false}, {"fe80::1", "fe80::/10", 1, false}, {"fe80::1%eth0", "fe80::/10", 1, false}, {"::ffff:10.1.2.3", "10.0.0.0/8", 1, false},
		{"2001:db8::1", "2001:DB8::0001", 1, false}, {"host.example", "*", 0, false}, {"10.0.0.1.example", "10.*", 0, false}, {"", "10.0.0.0/8", 0, false},
		{"", "10.0.0.1/8", 0, true}, {"10.0.0.1", "10.0.0.0/33", 0, true}, {"10.0.0.1", "", 0, true}, {"10.0.0.1", "10.0.0.1,", 0, true}, {"10.0.0.1", "!", 0, true}, {"", "fe80::1/10", 0, true}, {"", "foo/8", 0, false},
	} {
		got, err := MatchAddress(tc.addr, tc.list)
		if got != tc.want && err == nil || (err != nil) != tc.bad {
			t.Errorf("%q %q: %d, %v", tc.addr, tc.list, got, err)
		}
	}
}

func TestMatchUser(t *testing.T) {
	for _, tc := range []struct {
		user, host, addr, pattern string
		want, bad                 bool
	}{
		{"a", "h", "10.0.0.1", "a", true, false}, {"a", "h", "10.0.0.1", "b", false, false}, {"a", "h.example", "10.0.0.1", "a@*.example", true, false}, {"a", "h", "10.0.0.1", "a@10.0.0.0/8", true, false}, {"a", "h", "11.0.0.1", "a@10.0.0.0/8", false, false},
		{"b", "h", "10.0.0.1", "a@10.0.0.0/8", false, false}, {"a", "h", "10.0.0.1", "*@*", true, false}, {"a", "h", "10.0.0.1", "a@*,!h", false, false}, {"a@b", "h", "10.0.0.1", "a@b@h", true, false},
		{"a", "h", "10.0.0.1", "a@10.0.0.1/8", false, true}, {"x", "h", "10.0.0.1", "a@10.0.0.1/8", false, true},
	} {
		got, err := MatchUser(tc.user, tc.host, tc.addr, tc.pattern)
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%+v: %v, %v", tc, got, err)
		}
	}
	if !MatchGroups([]string{"a", "b"}, "b") || MatchGroups([]string{"a", "b"}, "!a,b") || MatchGroups(nil, "*") {
		t.Error("MatchGroups")
	}
}

func TestResolve(t *testing.T) {
	n := NameList{Default: []string{"a1", "a2", "b1"}, Known: []string{"a1", "a2", "a3", "b1", "b2"}}
	for _, tc := range []struct {
		spec     string
		patterns bool
		want     string
	}{
		{"a2", false, "a2"}, {"b1,a1", false, "b1,a1"}, {"+b2", false, "a1,a2,b1,b2"}, {"+a1", false, "a1,a2,b1"}, {"-a*", false, "b1"}, {"-zzz", false, "a1,a2,b1"}, {"-*", false, ""}, {"-*,!b1", false, ""}, {"^b1", false, "b1,a1,a2"}, {"^b2,a2", false, "b2,a2,a1,b1"},
		{"a1,a1", false, "a1"}, {"a*", true, "a1,a2,a3"}, {"+?2", true, "a1,a2,b1,b2"}, {"^b*", true, "b1,b2,a1,a2"}, {"a*", false, "unknown a*"}, {"x", false, "unknown x"}, {"+x", false, "unknown x"}, {"x*", true, "unknown x*"}, {"", false, "unknown empty list"}, {"+", false, "unknown empty list"}, {",", false, "unknown empty list"},
	} {
		names, unknown := n.Resolve(tc.spec, tc.patterns)
		got := strings.Join(names, ",")
		if unknown != "" {
			got = "unknown " + unknown
		}
		if got != tc.want {
			t.Errorf("%q: %s, want %s", tc.spec, got, tc.want)
		}
	}
	any := NameList{Default: []string{"d"}}
	if names, unknown := any.Resolve("+x", false); unknown != "" || !slices.Equal(names, []string{"d", "x"}) {
		t.Errorf("%v %q", names, unknown)
	}
}

func TestSuggestions(t *testing.T) {
	for typed, want := range map[string]string{"Prot": "Port", "IdentityFiel": "IdentityFile", "Hots": "Host", "ServerAliveIntervall": "ServerAliveInterval", "Foo": "", "x": "", "": "", strings.Repeat("x", 100): "", "matc": "Match"} {
		p := unknown(clientRows[:], typed, typed)
		got := strings.TrimSuffix(strings.TrimPrefix(p.hint, "did you mean "), "?")
		if got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
	if p := unknown(clientRows[:], "permitrootlogin", "permitrootlogin"); p.hint != "PermitRootLogin belongs in sshd_config" {
		t.Error(p.hint)
	}
	if p := unknown(serverRows[:], "serveralivecountmax", "serveralivecountmax"); p.hint != "did you mean ClientAliveCountMax?" {
		t.Error(p.hint)
	}
	if p := unknown(clientRows[:], "clientaliveinterval", "clientaliveinterval"); p.hint != "did you mean ServerAliveInterval?" {
		t.Error(p.hint)
	}
	if p := unknown(serverRows[:], "identityfile", "identityfile"); p.hint != "IdentityFile belongs in ssh_config" {
		t.Error(p.hint)
	}
	c := NewClient(&ClientContext{Algorithms: Algorithms{Ciphers: NameList{Known: []string{"aes128-ctr", "aes256-gcm@openssh.com"}}}})
	if err := c.Set("Ciphers=aes128ctr"); err == nil || !strings.HasSuffix(err.Error(), "\ndid you mean aes128-ctr?") {
		t.Error(err)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\tb\x1b[2J": `a\011b\033[2J`, "é": "é", "a\\b": `a\\b`, "\xff": `\377`, "\u202e": `\342\200\256`, "\u00a0": `\302\240`} {
		if got := visible(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	_, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte("\x1b[2J x\n")}}}, nil)
	if err == nil || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("%q", err)
	}
}

func TestJump(t *testing.T) {
	for in, want := range map[string]string{
		"h": "h", "u@h": "u@h", "u@v@h": "u@v@h", "h:22": "h:22", "u@[::1]:5": "u@[::1]:5", "[::1]": "[::1]", "10.0.0.1": "[10.0.0.1]", "ssh://h": "h", "ssh://u@h:99/": "u@h:99", "ssh://[::1]:5": "[::1]:5", "ssh://h:": "h", "ssh://a;x=y@h": "a@h", "ssh://a%40b@h": "a@b@h",
		"": "bad", "@h": "bad", "u@": "bad", "::1": "bad", "h:": "bad", "ssh://h/x": "bad", "SSH://h": "bad", "ssh://h:x": "bad", "ssh://h:0": "bad", "ssh://": "bad", "ssh://u%@h": "bad", "ssh://u%00@h": "bad", "ssh://[::1": "bad", "ssh://::1": "bad",
	} {
		h, err := parseHop(in)
		got := h.String()
		if err != nil {
			got = "bad"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	hops, err := ParseJump("a,u@b:2,ssh://[::1]:3")
	if err != nil || fmt.Sprint(hops) != "[a u@b:2 [::1]:3]" {
		t.Error(hops, err)
	}
	for _, bad := range []string{"", "a,", ",a", "a:x", "a:0", "a:99999", "[a", "a@"} {
		if _, err := ParseJump(bad); err == nil {
			t.Errorf("%q taken", bad)
		}
	}
}

func TestForwards(t *testing.T) {
	for in, want := range map[string]string{
		"8080:h:80": "8080 [h]:80", "l:8080:h:80": "[l]:8080 [h]:80", "[::1]:8080:[::2]:80": "[::1]:8080 [::2]:80", ":8080:h:80": "[]:8080 [h]:80", "*:8080:h:80": "[*]:8080 [h]:80", "/a:/b": "/a /b", "[/a:b]:[/c]": "/a:b /c", "8080:/b": "8080 /b", "l:8080:/b": "[l]:8080 /b", "/a:h:80": "/a [h]:80", " 8080:h:80": "8080 [h]:80", "8080:h:http": "8080 [h]:80", "/a\\:x:/b": "/a:x /b",
		"": "bad", "8080": "bad", "8080:h": "bad", "0:h:1": "bad", "x:h:1": "bad", "1:h:x": "bad", "1:h:0": "bad", "1:2:3:4:5": "bad", "[1:h:2": "bad", "1:[h]x:2": "bad", "1:h:2\\": "bad", "1:" + strings.Repeat("h", maxHostName) + ":2": "bad", "1:/" + strings.Repeat("h", maxSocketPath): "bad",
		"1:/" + strings.Repeat("h", maxSocketPath-2): "1 /" + strings.Repeat("h", maxSocketPath-2), "1:" + strings.Repeat("h", maxHostName-1) + ":2": "1 [" + strings.Repeat("h", maxHostName-1) + "]:2",
	} {
		f, err := ParseForward(in, false, false)
		got := f.String()
		if err != nil {
			got = "bad"
		}
		if got != want {
			t.Errorf("%.40q: %.60s, want %.60s", in, got, want)
		}
	}
	for in, want := range map[string]string{"1080": "1080", "l:1080": "[l]:1080", "[::1]:1080": "[::1]:1080", "/a": "/a", "0": "bad", "a:b": "bad", "1:h:2": "bad"} {
		f, err := ParseForward(in, true, false)
		got := f.String()
		if err != nil || !f.Dynamic {
			got = "bad"
		}
		if got != want {
			t.Errorf("dynamic %q: %s, want %s", in, got, want)
		}
	}
	if f, err := ParseForward("0:h:1", false, true); err != nil || f.ListenPort != 0 {
		t.Error("a remote forward may let the other side choose", err)
	}
}

func TestTokens(t *testing.T) {
	tok := Tokens{Host: "h", Original: "n", Port: "p", User: "r", LocalUser: "u", UID: "i", Home: "d", LocalHost: "l.x", KeyAlias: "k", Jump: "j", Tunnel: "T", KeyType: "t", Key: "K", Fingerprint: "f", KnownName: "H", Reason: "I", Getenv: getenv}
	got, err := tok.Expand("%d%f%H%h%I%i%j%K%k%L%l%n%p%r%T%t%u%%", TokensLocalCommand)
	if err != nil || got != "dfHhIijKkll.xnprTtu%" {
		t.Error(got, err)
	}
	if got, err := tok.ExpandEnv("${HOME}%h$x${DIR}", TokensDefault); err != nil || got != "/env/homeh$xinc" {
		t.Error(got, err)
	}
	if got, err := tok.Expand("${HOME}", TokensDefault); err != nil || got != "${HOME}" {
		t.Error(got, err)
	}
	if got := tok.ConnectionHash(); got != "0bb6bbdf81f5ab5d60c1ecd9ba2ac1d8de5b1ec9" && len(got) != 40 {
		t.Error(got)
	}
	for _, bad := range []string{"%", "%z", "%T", "a%"} {
		if _, err := tok.Expand(bad, TokensDefault); err == nil {
			t.Errorf("%q taken", bad)
		}
	}
	for _, bad := range []string{"${", "${}", "${NOPE}", "${HOME"} {
		if _, err := tok.ExpandEnv(bad, TokensDefault); err == nil {
			t.Errorf("%q taken", bad)
		}
	}
	big := Tokens{Host: strings.Repeat("h", maxExpanded/2)}
	if _, err := big.Expand("%h%h", TokensDefault); err != nil {
		t.Error(err)
	}
	if _, err := big.Expand("%h%hx", TokensDefault); err == nil {
		t.Error("expansion has no bound")
	}
	lookup := func(u string) (string, bool) { return "/home/" + u, u == "joe" }
	for in, want := range map[string]string{"~": "/h/", "~/x": "/h/x", "~joe": "/home/joe/", "~joe/x": "/home/joe/x", "/~": "/~", "": "", "~jim/x": "bad"} {
		got, err := expandTilde(in, "/h", lookup)
		if err != nil {
			got = "bad"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestValidUser(t *testing.T) {
	for _, good := range []string{"joe", "joe-blow", "j b", "DOM\\joe", "a@b", "é", "$x"} {
		if !ValidUser(good) {
			t.Errorf("%q refused", good)
		}
	}
	for _, bad := range []string{"-x", "a\nb", "a'b", "a`b", "a\"b", "a;b", "a&b", "a<b", "a>b", "a|b", "a(b", "a)b", "a{b", "a}b", "a -b", "a\\", "\x7f"} {
		if ValidUser(bad) {
			t.Errorf("%q taken", bad)
		}
	}
	// Only what tokens and variables made is looked at.
	env := func(string) (string, bool) { return "a;b", true }
	for line, want := range map[string]string{"User x;y": "x;y", "User ${V}": "remote username contains invalid characters", "User %h": "remote username contains invalid characters", "User %u": "u"} {
		c, err := ParseClient(Sources{Options: []string{line}}, &ClientContext{Host: "-h", LocalUser: "u", Getenv: env})
		got := fmt.Sprint(err)
		if err == nil {
			got = c.User
		}
		if got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestParseConnection(t *testing.T) {
	var c Connection
	for _, spec := range []string{"user=a,host=b,addr=c", "laddr=d,lport=5,rdomain=e,", "invalid-user", ""} {
		if err := c.ParseConnection(spec); err != nil {
			t.Error(spec, err)
		}
	}
	if c != (Connection{"a", true, "b", "c", "d", 5, "e"}) {
		t.Errorf("%+v", c)
	}
	for spec, want := range map[string]string{"foo": "Invalid test mode specification foo", "foo=x": "Invalid test mode specification foo=x", "lport=x": "Invalid port 'x' in test mode specification lport=x", "invalid-user=x": "Invalid test mode specification invalid-user=x"} {
		if err := c.ParseConnection(spec); err == nil || err.Error() != want {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestListenHosts(t *testing.T) {
	ctx := ServerContext{LookupHost: func(string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
	}}
	for config, want := range map[string]string{
		"ListenAddress localhost":                      "[127.0.0.1:22 [::1]:22]",
		"ListenAddress localhost\nAddressFamily inet6": "[[::1]:22]",
		"AddressFamily inet":                           "[0.0.0.0:22]",
		"AddressFamily inet6\nPort 5":                  "[[::]:5]",
		"Port 1\nPort 2":                               "[[::]:1 0.0.0.0:1 [::]:2 0.0.0.0:2]",
	} {
		s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte(config)}}}, &ctx)
		if err != nil || fmt.Sprint(s.Listen()) != want {
			t.Errorf("%q: %v %v", config, s.Listen(), err)
		}
	}
}

func TestListenFamily(t *testing.T) {
	for config, want := range map[string]string{
		"ListenAddress ::1\nAddressFamily inet":      "bad addr or host: ::1 (Address family for hostname not supported)",
		"ListenAddress 1.2.3.4\nAddressFamily inet6": "bad addr or host: 1.2.3.4 (Address family for hostname not supported)",
		"ListenAddress nohost":                       "bad addr or host: nohost (no such host)",
		"ListenAddress ::1\nListenAddress 1.2.3.4":   "",
	} {
		ctx := ServerContext{LookupHost: func(string) ([]netip.Addr, error) { return nil, errors.New("no such host") }}
		_, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte(config)}}}, &ctx)
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) {
			t.Errorf("%q: %s", config, got)
		}
	}
}

func TestTimeout(t *testing.T) {
	list := []ChannelTimeout{{Type: "global", Idle: 9}, {Type: "session:*", Idle: 1}, {Type: "*", Idle: 2}}
	for kind, want := range map[string]time.Duration{"session:shell": 1, "x11-connection": 2} {
		if got := Timeout(list, kind); got != want {
			t.Errorf("%s: %d", kind, got)
		}
	}
	if Timeout(list[:2], "x") != 0 {
		t.Error("no entry, but a limit")
	}
}

// TestStockServerRandom mixes blocks and lines at random and compares with
// the machine's sshd.
func TestStockServerRandom(t *testing.T) {
	needStockServer(t)
	base, stderr, err := stockT("-T", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err, stderr)
	}
	alg := stockAlgorithms(t, outputMap(base))
	both := []string{"MaxAuthTries 1", "MaxAuthTries 2", "AllowUsers a b", "AllowUsers c", "DenyUsers d", "AcceptEnv A", "AcceptEnv B C", "SetEnv A=1", "SetEnv B=2", "X11Forwarding yes", "X11Forwarding no", "ForceCommand a b", "ForceCommand none", "PermitOpen a:1", "PermitOpen b:2 c:3", "PermitListen 5", "RekeyLimit 1G 1h", "RekeyLimit default", "AuthenticationMethods publickey", "AuthorizedKeysFile a", "AuthorizedKeysFile b c", "PubkeyAcceptedAlgorithms +ssh-rsa", "StreamLocalBindMask 022", "StreamLocalBindMask 077", "LogLevel DEBUG", "LogLevel ERROR", "PermitTunnel yes", "Banner /a", "Banner none", "MaxSessions 3", "PermitTTY no", "UnusedConnectionTimeout 5m", "UnusedConnectionTimeout none", "ClientAliveInterval 5", "ChrootDirectory /x", "GatewayPorts yes", "PubkeyAuthOptions touch-required", "CASignatureAlgorithms -ecdsa*", "TrustedUserCAKeys /x"}
	global := []string{"Port 1", "Port 2", "ListenAddress 1.2.3.4", "ListenAddress [::1]:5", "AddressFamily any", "Ciphers aes128-ctr", "MACs -umac*", "LoginGraceTime 5", "UseDNS yes", "FingerprintHash md5", "FingerprintHash sha256", "PermitUserEnvironment yes", "SyslogFacility LOCAL1", "KexAlgorithms -ecdh*", "PidFile /x", "VersionAddendum x", "PerSourceMaxStartups 3"}
	heads := []string{"Match all", "Match User root", "Match User x", "Match User root,x Address 10.0.0.0/8", "Match Address 10.0.0.0/8,!10.1.0.0/16", "Match Group root", "Match Host *.example", "Match LocalPort 22", "Match LocalAddress 192.0.2.0/24 User r*"}
	rng := rand.New(rand.NewPCG(3, 5))
	dir := t.TempDir()
	pick := func(l []string) string { return l[rng.IntN(len(l))] + "\n" }
	for n := 0; n < 25; n++ {
		var b strings.Builder
		b.WriteString(someKey)
		for i := 0; i < 8; i++ {
			b.WriteString(pick(global) + pick(both))
			if rng.IntN(6) == 0 {
				inc := filepath.Join(dir, fmt.Sprintf("inc%d-%d", n, i))
				os.WriteFile(inc, []byte(pick(both)+pick(heads)+pick(both)), 0o600)
				b.WriteString("Include " + inc + "\n")
			}
		}
		for i := 0; i < 5; i++ {
			b.WriteString(pick(heads) + pick(both) + pick(both) + pick(both))
			if rng.IntN(4) == 0 {
				inc := filepath.Join(dir, fmt.Sprintf("inm%d-%d", n, i))
				os.WriteFile(inc, []byte(pick(both)+pick(heads)+pick(both)), 0o600)
				b.WriteString("Include " + inc + "\n")
			}
		}
		file := filepath.Join(dir, "sshd_config")
		os.WriteFile(file, []byte(b.String()), 0o600)
		const conn = "user=root,addr=10.2.3.4,host=h.example,laddr=192.0.2.7,lport=22"
		want, stderr, err := stockT("-T", "-f", file, "-C", conn)
		if err != nil {
			t.Fatal(err, stderr, b.String())
		}
		ctx := &ServerContext{Version: "OpenSSH_9.2p1", Home: "/root", Directory: "/", Algorithms: alg, Files: OSFiles{}, Groups: systemGroups}
		s, err := ParseServer(Sources{Files: ServerFile(file)}, ctx)
		if err != nil {
			t.Fatal(err, b.String())
		}
		var c Connection
		if err := c.ParseConnection(conn); err != nil {
			t.Fatal(err)
		}
		if s, err = s.Match(&c); err != nil {
			t.Fatal(err, b.String())
		}
		var out bytes.Buffer
		s.Print(&out, true)
		t.Run(fmt.Sprint(n), func(t *testing.T) { compareOutput(t, want, out.String(), differsT, b.String()) })
		if t.Failed() {
			t.Fatal(b.String())
		}
	}
}

func FuzzClient(f *testing.F) {
	for _, tc := range stockCases {
		f.Add([]byte(tc.config), "")
	}
	for name, value := range clientRowLines {
		f.Add([]byte("Match final host h\n"+name+" "+value+"\n"), name+"="+value)
	}
	f.Fuzz(func(t *testing.T, config []byte, option string) {
		ctx := ClientContext{Host: "h", LocalUser: "u", Home: "/home/u", Getenv: getenv, Files: memFiles{"/home/u/.ssh/x": string(config)}}
		ctx.Algorithms.Ciphers = NameList{[]string{"a", "b"}, []string{"a", "b", "c"}}
		c := NewClient(&ctx)
		if option != "" {
			c.Set(option)
		}
		if err := c.Load(Source{Name: "f", Data: config, User: true}); err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Fatalf("control characters in %q", err.Error())
			}
			return
		}
		var out bytes.Buffer
		if err := c.Print(&out); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzServer(f *testing.F) {
	for _, tc := range serverCases {
		f.Add([]byte(tc.config))
	}
	for name, value := range serverRowLines {
		f.Add([]byte("Match User x\n" + name + " " + value + "\n"))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		ctx := ServerContext{Home: "/root", Directory: "/", Files: memFiles{"/etc/ssh/x": string(config)}}
		s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: config}}}, &ctx)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Fatalf("control characters in %q", err.Error())
			}
			return
		}
		m, err := s.Match(&Connection{User: "x", Host: "h", Address: "10.0.0.1", LocalAddr: "10.0.0.2", LocalPort: 22})
		if err != nil {
			t.Fatalf("a line that was good at start is not for a connection: %v", err)
		}
		m.Listen()
		var out bytes.Buffer
		if err := m.Print(&out, false); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"a b", "'a b' c", "\"a\\\"b\"", "a\\ b", "#", "a #b", "\\", "'", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, ok := splitWords(s, true)
		if !ok {
			return
		}
		again, ok := splitWords(joinWords(words), true)
		if !ok || !slices.Equal(words, again) {
			t.Fatalf("%q: %q, joined %q, split %q", s, words, joinWords(words), again)
		}
		keyword, rest := cutKeyword(s)
		if len(keyword)+len(rest) > len(s) {
			t.Fatal("longer than it was")
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("abc", "a*c")
	f.Add("10.0.0.1", "10.0.0.0/8,!*")
	f.Fuzz(func(t *testing.T, s, p string) {
		if len(s) < 12 && len(p) < 12 && MatchPattern(s, p) != slowMatch(s, p) {
			t.Fatalf("%q %q: %v", s, p, !slowMatch(s, p))
		}
		MatchList(s, p, true)
		MatchAddress(s, p)
		MatchUser(s, s, s, p)
		if _, err := ParseForward(p, false, true); err == nil && p == "" {
			t.Fatal("empty forward")
		}
		ParseJump(p)
	})
}

func slowMatch(s, p string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return slowMatch(s, p[1:]) || s != "" && slowMatch(s[1:], p)
	case s == "":
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && slowMatch(s[1:], p[1:])
}
