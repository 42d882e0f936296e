package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memFiles is a file system in memory; a name that begins with "!" is one
// that others may write.
type memFiles map[string]string

func (m memFiles) ReadFile(name string, guarded bool) ([]byte, error) {
	if data, ok := m[name]; ok {
		return []byte(data), nil
	}
	if data, ok := m["!"+name]; ok {
		if guarded {
			return nil, &PermissionError{name}
		}
		return []byte(data), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (m memFiles) Glob(pattern string) (names []string, err error) {
	for n := range m {
		n = strings.TrimPrefix(n, "!")
		if ok, _ := path.Match(pattern, n); ok {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

func getenv(name string) (string, bool) {
	switch name {
	case "HOME":
		return "/env/home", true
	case "DIR":
		return "inc", true
	}
	return "", false
}

func TestClientInclude(t *testing.T) {
	files := memFiles{
		"/home/u/.ssh/config":    "Include a b*.conf\nHost other\n Include inc\nHost *\n Port 1\n",
		"/home/u/.ssh/a":         "Host h\n User fromA\nHost other\n User no\n",
		"/home/u/.ssh/b1.conf":   "HostKeyAlias fromb1\nHost zzz\n",
		"/home/u/.ssh/b2.conf":   "HostKeyAlias fromb2\nCompression yes\n",
		"/home/u/.ssh/inc":       "BatchMode yes\nMatch all\n BatchMode yes\n",
		"/etc/ssh/ssh_config":    "Include conf.d/*\nPort 99\n",
		"/etc/ssh/conf.d/x":      "CheckHostIP yes\n",
		"/home/u/.ssh/loop":      "Include loop\n",
		"/home/u/.ssh/h/inc":     "Port 7\n",
		"!/home/u/.ssh/writable": "Port 7\n",
		"/abs":                   "Port 8\n",
		"/home/u/tilde":          "Port 9\n",
		"/home/u/.ssh/bad":       "Foo bar\nPort x\n",
	}
	ctx := ClientContext{Host: "h", LocalUser: "u", Home: "/home/u", Files: files, Getenv: getenv}
	c, err := ParseClient(Sources{Files: DefaultSources("/home/u", "")}, &ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "fromA" || c.HostKeyAlias != "fromb1" || !c.Compression || c.BatchMode || c.Port != 1 || !c.CheckHostIP {
		t.Errorf("%+v", c)
	}
	for _, tc := range []struct {
		line, want string // want: port, or error
		system     bool
	}{
		{"Include /abs", "8", false},
		{"Include ~/tilde", "9", false},
		{"Include ~nobody/tilde", "22", false},
		{"Include %h/inc", "7", false},
		{"Include h/${DIR}", "7", false},
		{"Include h/${NOPE}", "f line 1: bad include path h/${NOPE}.\nf: terminating, 1 bad configuration options", false},
		{"Include ~/tilde", "f line 1: bad include path ~/tilde.\nf: terminating, 1 bad configuration options", true},
		{"Include loop", "Too many recursive configuration includes", false},
		{"Include writable", "Bad owner or permissions on /home/u/.ssh/writable", false},
		{"Include nothing", "22", false},
		{"Include nothing /abs", "8", false},
		{"Include bad", "/home/u/.ssh/bad: line 1: Bad configuration option: foo\n/home/u/.ssh/bad line 2: Bad port 'x'.\n/home/u/.ssh/bad: terminating, 2 bad configuration options", false},
		{"Host no\nInclude bad", "/home/u/.ssh/bad: line 1: Bad configuration option: foo\n/home/u/.ssh/bad line 2: Bad port 'x'.\n/home/u/.ssh/bad: terminating, 2 bad configuration options", false},
	} {
		c, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte(tc.line), User: !tc.system}}}, &ctx)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(c.Port)
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.line, got, tc.want)
		}
	}
	// Sixteen files deep is allowed, one more is not.
	for depth, ok := range map[int]bool{MaxIncludeDepth: true, MaxIncludeDepth + 1: false} {
		files := memFiles{}
		for i := 0; i < depth; i++ {
			files[fmt.Sprintf("/f%d", i)] = fmt.Sprintf("Include /f%d\n", i+1)
		}
		files[fmt.Sprintf("/f%d", depth)] = "Port 5\n"
		ctx := ClientContext{Host: "h", Files: files}
		c, err := ParseClient(Sources{Files: []Source{{Name: "/f0"}}}, &ctx)
		if ok != (err == nil) || ok && c.Port != 5 {
			t.Errorf("depth %d: %v", depth, err)
		}
		sctx := ServerContext{Files: files}
		_, err = ParseServer(Sources{Files: []Source{{Name: "/f0"}}}, &sctx)
		if ok != (err == nil) {
			t.Errorf("server, depth %d: %v", depth, err)
		}
	}
	// The user's own file must not be others' to write, unless given by -F.
	files = memFiles{"!/home/u/.ssh/config": "Port 3\n"}
	ctx.Files = files
	if _, err := ParseClient(Sources{Files: DefaultSources("/home/u", "")}, &ctx); err == nil || err.Error() != "Bad owner or permissions on /home/u/.ssh/config" {
		t.Error(err)
	}
	if c, err := ParseClient(Sources{Files: DefaultSources("/home/u", "/home/u/.ssh/config")}, &ctx); err != nil || c.Port != 3 {
		t.Error(err)
	}
	if _, err := ParseClient(Sources{Files: DefaultSources("/home/u", "/nope")}, &ctx); err == nil || err.Error() != "Can't open user config file /nope: No such file or directory" {
		t.Error(err)
	}
	if c, err := ParseClient(Sources{Files: DefaultSources("/home/u", "none")}, &ctx); err != nil || c.Port != 22 {
		t.Error(err)
	}
}

func TestServerInclude(t *testing.T) {
	files := memFiles{
		"/etc/ssh/sshd_config":          "Include sshd_config.d/*.conf\nMaxAuthTries 9\nMatch User a\n Include /inner\nMatch User b\n MaxSessions 2\n",
		"/etc/ssh/sshd_config.d/1.conf": "MaxAuthTries 1\nMatch User c\n MaxAuthTries 5\n",
		"/etc/ssh/sshd_config.d/2.conf": "MaxAuthTries 2\nLoginGraceTime 5\n",
		"/inner":                        "MaxSessions 3\nMatch Address 10.0.0.0/8\n MaxSessions 4\n MaxAuthTries 6\n",
		"/bad":                          "Foo x\n",
		"/global":                       "Port 3\n",
	}
	ctx := ServerContext{Files: files}
	s, err := ParseServer(Sources{Files: ServerFile("")}, &ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.MaxAuthTries != 1 || s.LoginGraceTime != 5*time.Second || s.MaxSessions != 10 {
		t.Errorf("%d %v %d", s.MaxAuthTries, s.LoginGraceTime, s.MaxSessions)
	}
	for _, tc := range []struct {
		conn            Connection
		tries, sessions int
	}{
		{Connection{User: "a"}, 1, 3},
		{Connection{User: "a", Address: "10.1.1.1"}, 6, 3}, // first value wins
		{Connection{User: "b", Address: "10.1.1.1"}, 1, 2}, // a nested block needs both
		{Connection{User: "c"}, 5, 10},
		{Connection{User: "d"}, 1, 10},
	} {
		m, err := s.Match(&tc.conn)
		if err != nil || m.MaxAuthTries != tc.tries || m.MaxSessions != tc.sessions {
			t.Errorf("%+v: %d tries, %d sessions, %v", tc.conn, m.MaxAuthTries, m.MaxSessions, err)
		}
	}
	for in, want := range map[string]string{
		"Include /bad":                    "/bad: line 1: Bad configuration option: Foo\n/bad: terminating, 1 bad configuration options",
		"Match User x\nInclude /bad":      "/bad: line 1: Bad configuration option: Foo\n/bad line 1: Directive 'Foo' is not allowed within a Match block",
		"Match User x\nInclude /global":   "/global line 1: Directive 'Port' is not allowed within a Match block",
		"Include /missing*":               "",
		"Include":                         "f line 1: no argument after keyword \"Include\"\nf: terminating, 1 bad configuration options",
		"Include # x":                     "f line 1: Include missing filename argument",
		"Match Version x\nPort 5":         "f line 2: Directive 'Port' is not allowed within a Match block",
		"Match all\nInclude /global":      "",
		"Match User x\nSubsystem a b\n":   "",
		"LoginGraceTime 5m\nLogingrace 1": "f: line 2: Bad configuration option: Logingrace\nf: terminating, 1 bad configuration options",
		"Compresion yes":                  "f: line 1: Bad configuration option: Compresion\ndid you mean Compression?\nf: terminating, 1 bad configuration options",
	} {
		_, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte(in)}}}, &ctx)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s\nwant %s", in, got, want)
		}
	}
	var bad *ConfigError
	if _, err := ParseServer(Sources{Files: ServerFile("/nope")}, &ctx); !errors.As(err, &bad) || bad.Status != 1 || bad.Error() != "/nope: No such file or directory" {
		t.Error(err)
	}
}

func TestCanonicalize(t *testing.T) {
	known := map[string]string{"www.example.": "www.example.", "www.b.example.": "real.b.example", "abs.example.": "abs.example.", "a": "real.example.", "a.b.c.": "a.b.c."}
	var asked []string
	ctx := ClientContext{Host: "www", LocalUser: "u"}
	ctx.LookupHost = func(c *Client, host string) (string, error) {
		asked = append(asked, host)
		if alias, ok := known[host]; ok {
			return alias, nil
		}
		return "", errors.New("Name or service not known")
	}
	config := "CanonicalDomains example\nHost www.example\n Port 5\nHost www\n User first\nMatch canonical host *.example\n Compression yes\nMatch !canonical\n BatchMode yes\nMatch final\n CheckHostIP yes\n"
	c, err := ParseClient(Sources{Options: []string{"CanonicalizeHostname yes"}, Files: []Source{{Name: "f", Data: []byte(config)}}}, &ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hostname != "www.example" || c.Port != 5 || c.User != "first" || !c.Compression || !c.BatchMode || !c.CheckHostIP {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(asked, []string{"www.example."}) {
		t.Errorf("asked %q", asked)
	}
	for _, tc := range []struct{ host, config, want, asked string }{
		{"www", "CanonicalizeHostname no\nCanonicalDomains example", "www", ""},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains nope.example example", "www.example", "www.nope.example. www.example."},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains nope.example", "www", "www.nope.example."},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains nope.example\nCanonicalizeFallbackLocal no", "ssh: Could not resolve host \"www\"", "www.nope.example."},
		{"WWW", "CanonicalizeHostname yes\nCanonicalDomains example", "www.example", "www.example."},
		{"a.b", "CanonicalizeHostname yes\nCanonicalDomains c", "a.b.c", "a.b.c."},
		{"a.b", "CanonicalizeHostname yes\nCanonicalDomains c\nCanonicalizeMaxDots 0", "a.b", ""},
		{"abs.example.", "CanonicalizeHostname yes\nCanonicalDomains c", "abs.example", "abs.example."},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains example\nProxyCommand x", "www", ""},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains example\nProxyJump x", "www", ""},
		{"www", "CanonicalizeHostname always\nCanonicalDomains example\nProxyJump x", "www.example", "www.example."},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains b.example\nCanonicalizePermittedCNAMEs *.b.example:real.*", "real.b.example", "www.b.example."},
		{"www", "CanonicalizeHostname yes\nCanonicalDomains b.example\nCanonicalizePermittedCNAMEs *.b.example:other.*", "www.b.example", "www.b.example."},
		{"a", "CanonicalizePermittedCNAMEs *:*", "a", "a"}, // looked up, yet not followed
		{"a", "CanonicalizeHostname yes\nCanonicalizePermittedCNAMEs *:*", "real.example", "a"},
		{"nope", "CanonicalizePermittedCNAMEs *:*", "ssh: Could not resolve hostname nope: Name or service not known", "nope"},
		{"nope", "CanonicalizePermittedCNAMEs *:*\nProxyCommand x", "nope", ""},
		{"127.1", "CanonicalizeHostname yes\nCanonicalDomains example", "127.0.0.1", ""},
		{"::0001", "", "::1", ""}, {"127.1", "AddressFamily inet6", "127.1", ""},
	} {
		asked, ctx.Host = nil, tc.host
		c, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte(tc.config)}}}, &ctx)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = c.Hostname
		}
		if got != tc.want || strings.Join(asked, " ") != tc.asked {
			t.Errorf("%s, %q: %q, asked %q; want %q, %q", tc.host, tc.config, got, asked, tc.want, tc.asked)
		}
	}
}

func TestClientMatch(t *testing.T) {
	var ran []string
	ctx := ClientContext{
		Host: "h", Command: "uptime now", LocalUser: "u", Version: "OpenSSH_10.5", LocalHost: "me.example",
		Exec: func(c string) (bool, error) { ran = append(ran, c); return c == "true h", nil },
		LocalAddrs: func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fe80::1%eth0")}, nil
		},
	}
	for _, tc := range []struct {
		line string
		want bool
	}{
		{"localnetwork 10.0.0.0/8", true}, {"localnetwork 10.0.0.0/8,!10.1.0.0/16", false}, {"localnetwork fe80::/10", true}, {"localnetwork 11.0.0.0/8", false}, {"!localnetwork 11.0.0.0/8", true},
		{"command uptime*", true}, {"command \"\"", false}, {"command=\"uptime now\"", true}, {"command ls", false},
		{"sessiontype exec", true}, {"sessiontype shell", false}, {"sessiontype !exec,*", false}, {"sessiontype shell,exec", true},
		{"tagged x", false}, {"tagged \"\"", true}, {"!tagged x", true},
		{"version OpenSSH_10.*", true}, {"version OpenSSH_9*", false}, {"version=OpenSSH_*", true},
		{"host=h", true}, {"host h,!h", false}, {"originalhost=H", true}, {"user=u", true}, {"localuser=x", false}, {"HOST h", true},
		{"exec \"true %h\"", true}, {"exec \"false %h\"", false}, {"!exec false", true}, {"host x exec true", false}, {"exec=\"true %h\"", true},
		{"all", true}, {"final all", true}, {"!all", false}, {"final !all", false},
	} {
		c, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte("Match " + tc.line + "\nPort 5\n")}}}, &ctx)
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
		} else if (c.Port == 5) != tc.want {
			t.Errorf("Match %s: %v", tc.line, !tc.want)
		}
	}
	if slices.Contains(ran, "true") || !slices.Contains(ran, "false h") {
		t.Errorf("ran %q: a command must not run after a criterion that failed", ran)
	}
	for _, bad := range []string{"sessiontype=exec", "localnetwork 10.0.0.1/8", "foo x", "host", "host=", "exec \"%z\"", "exec \"%T\"", "!", "all=x"} {
		if _, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte("Match " + bad + "\n")}}}, &ctx); err == nil || !strings.Contains(err.Error(), "f line 1: Bad Match condition") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for line, want := range map[string]bool{"SessionType none\nMatch sessiontype none\nPort 5": true, "SessionType subsystem\nMatch sessiontype subsystem\nPort 5": true, "Tag a\nMatch tagged a,b\nPort 5": true, "RemoteCommand x\nMatch sessiontype exec\nPort 5": true} {
		ctx.Command = ""
		c, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte(line)}}}, &ctx)
		if err != nil || (c.Port == 5) != want {
			t.Errorf("%q: %v", line, err)
		}
	}
	ctx.Exec = func(string) (bool, error) { return false, errors.New("x") }
	if _, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte("Match exec a\n")}}}, &ctx); err == nil || err.Error() != "f line 1: match exec 'a' error" {
		t.Error(err)
	}
}

// TestNewClientWords looks at what OpenSSH 9.2, which the machine has, does
// not know.
func TestNewClientWords(t *testing.T) {
	for line, want := range map[string]string{
		"ObscureKeystrokeTiming no":              "obscurekeystroketiming no",
		"ObscureKeystrokeTiming interval:20":     "obscurekeystroketiming yes",
		"ObscureKeystrokeTiming interval:1":      "obscurekeystroketiming interval:1",
		"ObscureKeystrokeTiming interval:1000":   "obscurekeystroketiming interval:1000",
		"ObscureKeystrokeTiming interval:1001":   "f line 1: value out of range.",
		"ObscureKeystrokeTiming interval:0":      "f line 1: value out of range.",
		"ObscureKeystrokeTiming interval:x":      "f line 1: integer value invalid.",
		"ObscureKeystrokeTiming maybe":           "f line 1: unsupported argument \"maybe\"",
		"ObscureKeystrokeTiming yes no":          "f line 1: invalid arguments",
		"ChannelTimeout session=5m x*=1h":        "channeltimeout session=5m x*=1h",
		"ChannelTimeout none":                    "channeltimeout none",
		"ChannelTimeout none session=1":          "f line 1: keyword channeltimeout \"none\" argument must appear alone.",
		"ChannelTimeout session":                 "f line 1: invalid channel timeout session",
		"WarnWeakCrypto no-pq-kex":               "warnweakcrypto no-pq-kex",
		"WarnWeakCrypto false":                   "warnweakcrypto no",
		"Tag foo":                                "tag foo",
		"VersionAddendum  foo bar # comment":     "versionaddendum foo bar",
		"VersionAddendum none":                   "",
		"VersionAddendum %h-x":                   "versionaddendum h-x",
		"RefuseConnection \"go away\"":           "f line 1: RefuseConnection: go away",
		"Host x\nRefuseConnection \"go away\"":   "",
		"RevokedHostKeys /a ~/b":                 "revokedhostkeys /a /home/u/b",
		"RevokedHostKeys none":                   "revokedhostkeys none",
		"IPQoS lowdelay throughput":              "ipqos none none",
		"IPQoS va":                               "ipqos va va",
		"AddKeysToAgent confirm 5m":              "addkeystoagent confirm 300",
		"LocalForward 8080 /tmp/%h":              "localforward 8080 /tmp/h",
		"LocalForward ${HOME}/s h:1":             "localforward /env/home/s [h]:1",
		"RemoteForward 1080":                     "remoteforward 1080 [socks]:0",
		"User ${HOME}x%%%n":                      "user /env/homex%h",
		"User %r":                                "sshconfig: expanding \"%r\": unknown key %r",
		"SetEnv A=%h B=${HOME} A=x":              "setenv A=h\nsetenv B=/env/home",
		"RemoteCommand %z":                       "sshconfig: expanding \"%z\": unknown key %z",
		"ControlPath /tmp/%C-%j":                 "controlpath /tmp/" + "1e6e62f69c9ad9a0f8eb2d6a53e8c8b7fd0ae2ba" + "-",
		"ProxyJump a,u@b:3\nControlPath %j":      "controlpath b",
		"IdentityAgent $FOO":                     "identityagent $FOO",
		"ForwardAgent $FOO":                      "forwardagent $FOO",
		"GSSAPIAuthentication yes":               "",
		"Port 22\nIgnoreUnknown x*\nXyz a \"b c": "f line 3: invalid quotes",
	} {
		ctx := ClientContext{Host: "h", LocalUser: "u", Home: "/home/u", Getenv: getenv}
		c, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: []byte(line)}}}, &ctx)
		if err != nil {
			if got, _, _ := strings.Cut(err.Error(), "\nf: terminating"); got != want {
				t.Errorf("%q: %v\nwant %s", line, err, want)
			}
			continue
		}
		var out bytes.Buffer
		c.Print(&out)
		if strings.HasPrefix(want, "controlpath /tmp/1e6e") {
			want = "controlpath /tmp/" + c.Tokens().ConnectionHash() + "-"
		}
		if !strings.Contains("\n"+out.String(), "\n"+want) {
			keyword, _, _ := strings.Cut(want, " ")
			_, got, _ := strings.Cut("\n"+out.String(), "\n"+keyword)
			got, _, _ = strings.Cut(got, "\n")
			t.Errorf("%q: %s%s\nwant %s", line, keyword, got, want)
		}
	}
}

func TestNewServerWords(t *testing.T) {
	for line, want := range map[string]string{
		"PermitRootLogin without-password":      "PermitRootLogin prohibit-password",
		"MaxStartups 1:2:3\nMaxStartups 4:5:6":  "MaxStartups 1:2:3",
		"Subsystem x /bin/sh -c \"exit 23\"":    "Subsystem x /bin/sh -c \"exit 23\"",
		"Subsystem x a\nSubsystem x b":          "Subsystem x a",
		"Subsystem x":                           "f line 1: Subsystem missing argument.",
		"AuthorizedKeysFile a none":             "f line 1: keyword AuthorizedKeysFile \"none\" argument must appear alone.\nf: terminating, 1 bad configuration options",
		"RevokedKeys /a /b":                     "RevokedKeys /a /b",
		"VersionAddendum x y # z":               "VersionAddendum x y",
		"PAMServiceName x":                      "PAMServiceName x",
		"RDomain x":                             "f line 1: setting RDomain not supported on this platform.",
		"ListenAddress 1.2.3.4 rdomain x":       "f line 1: bad routing domain",
		"RefuseConnection yes":                  "RefuseConnection yes",
		"SshdSessionPath /x":                    "SshdSessionPath /x",
		"PerSourcePenaltyExemptList 10.0.0.1/8": "f line 1: keyword PerSourcePenaltyExemptList invalid address argument.",
		"PerSourcePenalties no":                 "PerSourcePenalties no",
		"PerSourcePenalties yes":                "PerSourcePenalties crash:90.000000 authfail:5.000000 noauth:1.000000 invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 max:600.000000 min:15.000000 max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive\n",
		"PerSourcePenalties crash:1m30.5s noauth:0\nPerSourcePenalties crash:9 max-sources4:7 overflow:deny-all": "PerSourcePenalties crash:90.500000 authfail:5.000000 noauth:0.000000 invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 max:600.000000 min:15.000000 max-sources4:7 max-sources6:65536 overflow:deny-all overflow6:deny-all\n",
		"PerSourcePenalties no\nPerSourcePenalties crash:1":                                                      "PerSourcePenalties crash:1.000000",
		"PerSourcePenalties crash:1\nPerSourcePenalties no":                                                      "PerSourcePenalties crash:1.000000",
		"PerSourcePenalties yes crash:1":                                                                         "f line 1: keyword PerSourcePenalties \"yes\" argument must appear alone.",
		"PerSourcePenalties crash:x":                                                                             "f line 1: invalid PerSourcePenalties time value.",
		"PerSourcePenalties crash:1.5m":                                                                          "f line 1: invalid PerSourcePenalties time value.",
		"PerSourcePenalties crash":                                                                               "f line 1: unsupported PerSourcePenalties keyword crash",
		"PerSourcePenalties max-sources4:x":                                                                      "f line 1: PerSourcePenalties value invalid.",
		"PerSourcePenalties overflow:x":                                                                          "f line 1: unsupported PerSourcePenalties keyword overflow:x",
		"PerSourceNetBlockSize 24":                                                                               "PerSourceNetBlockSize 24:64",
		"":                                                                                                       "PerSourceNetBlockSize 32:64",
		"NetworkRooms 4":                                                                                         "NetworkRooms 4",
		"NetworkRooms 0":                                                                                         "f line 1: unsupported option \"0\".",
		"LobbyMax x":                                                                                             "f line 1: LobbyMax integer value invalid.",
		"ChannelTimeout a=1 b=2":                                                                                 "ChannelTimeout a=1 b=2",
		"PermitListen a:1 none":                                                                                  "f line 1: none must appear alone on a PermitListen line.",
		"Match Invalid-User\nMaxAuthTries 2":                                                                     "MaxAuthTries 6",
		"Match version OpenSSH_*\nPort 7\nMaxAuthTries 2":                                                        "MaxAuthTries 2",
		"MACs x":                     "Macs x",
		"UsePAM yes":                 "UsePAM yes",
		"HostKeyAgent x":             "HostKeyAgent /cwd/x",
		"AuthenticationMethods none": "AuthenticationMethods none",
	} {
		ctx := ServerContext{Version: "OpenSSH_10.5", Directory: "/cwd"}
		s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte(line)}}}, &ctx)
		if err != nil {
			if err.Error() != want {
				t.Errorf("%q: %v\nwant %s", line, err, want)
			}
			continue
		}
		var out bytes.Buffer
		s.Print(&out, false)
		if !strings.Contains("\n"+out.String(), "\n"+want) {
			keyword, _, _ := strings.Cut(want, " ")
			_, got, _ := strings.Cut("\n"+out.String(), "\n"+keyword)
			got, _, _ = strings.Cut(got, "\n")
			t.Errorf("%q: %s%s\nwant %s", line, keyword, got, want)
		}
	}
	s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte("MaxAuthTries 3\nMatch Invalid-User\nMaxAuthTries 1\nMatch all\nMaxSessions 1\n")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, invalid := range []bool{true, false} {
		m, err := s.Match(&Connection{User: "x", InvalidUser: invalid})
		if err != nil || (m.MaxAuthTries == 1) != invalid || m.MaxSessions != 1 {
			t.Errorf("invalid user %v: %v %d %d", invalid, err, m.MaxAuthTries, m.MaxSessions)
		}
	}
}

func TestCommandLine(t *testing.T) {
	ctx := ClientContext{Host: "h", LocalUser: "u"}
	c := NewClient(&ctx)
	c.SetUser("a%b`")
	for _, o := range []string{"User=other", Option("IdentityFile", "a b\"c'\\"), "ProxyJump=x", Option("ProxyCommand", "y")} {
		if err := c.Set(o); err != nil {
			t.Fatal(o, err)
		}
	}
	for spec, way := range map[string][2]bool{"1:a:2": {false, false}, "3:a:4": {false, true}, "5": {true, false}, "6": {false, true}} {
		if err := c.AddForward(spec, way[0], way[1]); err != nil {
			t.Fatal(spec, err)
		}
	}
	if err := c.AddForward("x", false, false); err == nil {
		t.Error("bad forward taken")
	}
	if err := c.Load(Source{Name: "f", Data: []byte("User third\nLocalForward 7 a:8\nPort 3\n")}); err != nil {
		t.Fatal(err)
	}
	if c.User != "a%b`" || c.IdentityFile[0] != "a b\"c'\\" || c.ProxyJump != "x" || c.ProxyCommand != "" || c.Port != 3 {
		t.Errorf("%+v", c)
	}
	if len(c.LocalForward) != 2 || c.LocalForward[0].ListenPort != 1 || len(c.RemoteForward) != 2 || len(c.DynamicForward) != 1 {
		t.Errorf("%v %v %v", c.LocalForward, c.RemoteForward, c.DynamicForward)
	}
	if !c.IsSet("user") || !c.IsSet("LocalForward") || c.IsSet("BatchMode") || c.IsSet("nonsense") || !c.IsSet("Port") {
		t.Error("IsSet")
	}
	s := NewServer(nil)
	s.SetPorts(7, 8)
	if err := s.Load(Source{Name: "f", Data: []byte("Port 9\nListenAddress 1.2.3.4\nListenAddress ::1\nListenAddress [::2]:5\n")}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Listen()); got != "[1.2.3.4:7 1.2.3.4:8 [::1]:7 [::1]:8 [::2]:5]" {
		t.Error(got)
	}
}

// TestBigServer: 10,000 Match blocks must be no burden.
func TestBigServer(t *testing.T) {
	var b bytes.Buffer
	for i := 0; i < 10000; i++ {
		fmt.Fprintf(&b, "Match User user%d Address 10.0.0.0/8\n MaxSessions %d\n", i, i)
	}
	start := time.Now()
	s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: b.Bytes()}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := time.Since(start)
	start = time.Now()
	m, err := s.Match(&Connection{User: "user9999", Address: "10.2.3.4"})
	if err != nil || m.MaxSessions != 9999 {
		t.Fatal(err, m.MaxSessions)
	}
	t.Logf("read in %v, one connection in %v", read, time.Since(start))
}

func TestTooLarge(t *testing.T) {
	data := bytes.Repeat([]byte("#\n"), MaxFileSize/2)
	if _, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: data}}}, nil); err != nil {
		t.Error(err)
	}
	data = append(data, '#')
	if _, err := ParseClient(Sources{Files: []Source{{Name: "f", Data: data}}}, nil); err == nil {
		t.Error("client: too large a file was read")
	}
	if _, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: data}}}, nil); err == nil {
		t.Error("server: too large a file was read")
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (OSFiles{}).ReadFile(file, true); err == nil {
		t.Error("OSFiles: too large a file was read")
	}
}

func TestOSFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var perm *PermissionError
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o644: true, 0o664: false, 0o646: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := (OSFiles{}).ReadFile(file, true)
		if ok != (err == nil) || !ok && !errors.As(err, &perm) {
			t.Errorf("mode %o: %v", mode, err)
		}
		if _, err := (OSFiles{}).ReadFile(file, false); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := (OSFiles{}).ReadFile(dir, false); err == nil {
		t.Error("a directory was read")
	}
	if names, err := (OSFiles{}).Glob(filepath.Join(dir, "*")); err != nil || len(names) != 1 {
		t.Error(names, err)
	}
	if names, err := (OSFiles{}).Glob(filepath.Join(dir, "[")); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
}

// TestStockRandom mixes blocks and lines at random and compares with the
// machine's ssh.
func TestStockRandom(t *testing.T) {
	needStock(t)
	base, _, err := stockG(t, "-F", "none", "-G", "x")
	if err != nil {
		t.Fatal(err)
	}
	alg := stockAlgorithms(t, outputMap(base))
	lines := []string{
		"Port 1", "Port 2", "User a", "User b", "HostName %h.example", "HostName x.test", "Compression yes", "Compression no", "IdentityFile /a", "IdentityFile ~/b", "LocalForward 1 a:2", "LocalForward 3 b:4", "SendEnv A*", "SendEnv -A*", "SendEnv B", "SetEnv A=1", "SetEnv B=2", "ProxyJump j", "ProxyCommand c", "ProxyJump none", "UserKnownHostsFile /a /b", "UserKnownHostsFile /c", "KexAlgorithms +diffie-hellman-group1-sha1", "Ciphers -aes*", "RekeyLimit 1G", "RekeyLimit default 1h", "StreamLocalBindMask 022", "StreamLocalBindMask 077", "SyslogFacility LOCAL1", "SyslogFacility LOCAL2", "UpdateHostKeys ask", "VerifyHostKeyDNS yes", "ControlPath ~/%h-%p-%r", "ForwardAgent yes", "ForwardAgent /x", "CertificateFile /x", "DynamicForward 7", "RemoteForward 9", "RemoteForward 8 a:1", "CanonicalDomains a b", "GlobalKnownHostsFile /x", "ConnectTimeout none", "ConnectTimeout 5", "LogLevel DEBUG", "LogVerbose a", "PermitRemoteOpen a:1 b:2", "AddKeysToAgent 1h", "TunnelDevice 1:2",
	}
	heads := []string{"Host host", "Host *", "Host ho?t !x", "Host * !host", "Host x", "Match all", "Match host host", "Match host *.example", "Match originalhost host", "Match user a", "Match user root", "Match !user root", "Match localuser root user b", "Match final", "Match !final", "Match canonical", "Match exec true", "Match exec false host host", "Match host x.test exec \"test %h = x.test\"", "Match final host host*"}
	rng := rand.New(rand.NewPCG(7, 11))
	dir := t.TempDir()
	for n := 0; n < 30; n++ {
		var b strings.Builder
		for i := 0; i < 25; i++ {
			if rng.IntN(4) == 0 {
				b.WriteString(heads[rng.IntN(len(heads))] + "\n")
			}
			b.WriteString(" " + lines[rng.IntN(len(lines))] + "\n")
			if rng.IntN(12) == 0 {
				inc := filepath.Join(dir, fmt.Sprintf("inc%d-%d", n, i))
				os.WriteFile(inc, []byte(lines[rng.IntN(len(lines))]+"\n"+heads[rng.IntN(len(heads))]+"\n"+lines[rng.IntN(len(lines))]+"\n"), 0o600)
				b.WriteString("Include " + inc + "\n")
			}
		}
		file := filepath.Join(dir, "config")
		os.WriteFile(file, []byte(b.String()), 0o600)
		want, stderr, err := stockG(t, "-F", file, "-G", "host")
		if err != nil {
			t.Fatal(err, stderr)
		}
		ctx := testContext(t, alg)
		ctx.Host = "host"
		c, err := ParseClient(Sources{Files: DefaultSources(ctx.Home, file)}, ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c.Print(&out)
		t.Run(fmt.Sprint(n), func(t *testing.T) { compareOutput(t, want, out.String(), differsG, b.String()) })
		if t.Failed() {
			t.Fatal(b.String())
		}
	}
}

// TestMatchConcurrent: connections ask one configuration at the same time.
func TestMatchConcurrent(t *testing.T) {
	s, err := ParseServer(Sources{Files: []Source{{Name: "f", Data: []byte("Subsystem a b\nAcceptEnv A\nMatch User x\nAcceptEnv B C\nSubsystem a c\nAllowUsers y z\nRekeyLimit 1G 1h\n")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				m, err := s.Match(&Connection{User: "x"})
				if err != nil || len(m.AcceptEnv) != 2 || m.Subsystem[0].Command != "c" || len(m.AllowUsers) != 2 {
					t.Errorf("%v %v", err, m)
				}
			}
		})
	}
	wg.Wait()
	if len(s.AcceptEnv) != 1 || s.Subsystem[0].Command != "b" || len(s.AllowUsers) != 0 {
		t.Errorf("the global configuration was changed: %v", s)
	}
}
