package keyfile_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"golang.org/x/crypto/ssh"
)

func line(name string) string {
	pub, err := pubkey.NewPublicKey(testKeys()[name])
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(keyfile.MarshalPublicKeyLine(pub, "")))
}

func TestScanLine(t *testing.T) {
	ed, ec, rs := line("ed25519"), line("ecdsa256"), line("rsa")
	edPub, _ := pubkey.NewPublicKey(testKeys()["ed25519"])
	m := keyfile.NewMatcher(edPub)
	for _, c := range []struct {
		line             string
		options, comment string
		ok, key, match   bool
	}{
		{ed, "", "", true, true, true},
		{"  \t" + ed + "  \r\n", "", "", true, true, true},
		{ed + " a comment  with blanks ", "", "a comment  with blanks", true, true, true},
		{strings.Replace(ed, " ", "\t \t", 1) + "\tc", "", "c", true, true, true},
		{"restrict " + ed, "restrict", "", true, true, true},
		{`command="a \"b\" c",no-pty  ` + ed + " c", `command="a \"b\" c",no-pty`, "c", true, true, true},
		{`command="ssh-ed25519 AAAA" ` + ed, `command="ssh-ed25519 AAAA"`, "", true, true, true},
		{`from="*" ` + ec, `from="*"`, "", true, true, false},
		{rs + " c", "", "c", true, true, false},
		{strings.Replace(rs, "ssh-rsa", "rsa-sha2-256", 1), "", "", true, true, false},
		{strings.Replace(ed, "ssh-ed25519", "ssh-rsa", 1), "", "", true, false, false},
		{strings.Replace(ec, "nistp256", "nistp384", 1), "", "", true, false, false},
		{"ssh-ed25519 AAAA", "", "", true, false, false},
		{ed[:len(ed)-1], "", "", true, false, false},
		{ed + "=", "", "", true, false, false},
		{"", "", "", false, false, false},
		{"   \n", "", "", false, false, false},
		{"# " + ed, "", "", false, false, false},
		{" #" + ed, "", "", false, false, false},
		{"ssh-ed25519", "", "", false, false, false},
		{"restrict", "", "", false, false, false},
		{"restrict ssh-ed25519", "", "", false, false, false},
		{`command="x ` + ed, "", "", false, false, false},
		{`command="x" y ` + ed, "", "", false, false, false},
		{"ssh-dss AAAAB3NzaC1kc3M= c", "", "", false, false, false},
		{"1024 35 12345678901234567890 rsa1", "", "", false, false, false},
		{`command="` + strings.Repeat("x", keyfile.MaxLine-len(ed)-11) + `" ` + ed, `command="` + strings.Repeat("x", keyfile.MaxLine-len(ed)-11) + `"`, "", true, true, true},
		{`command="` + strings.Repeat("x", keyfile.MaxLine-len(ed)-10) + `" ` + ed, "", "", false, false, false},
	} {
		l, ok := keyfile.ScanLine([]byte(c.line))
		if ok != c.ok || ok && (string(l.Options) != c.options || string(l.Comment) != c.comment) {
			t.Errorf("%.60q: %v %.60q %q", c.line, ok, l.Options, l.Comment)
			continue
		}
		if !ok {
			continue
		}
		if _, err := l.Key(); (err == nil) != c.key || err != nil && !errors.Is(err, keyfile.ErrLine) {
			t.Errorf("%.60q: key: %v", c.line, err)
		}
		if m.Match(&l) != c.match {
			t.Errorf("%.60q: match is not %v", c.line, c.match)
		}
	}
	b := []byte(`command="x",restrict ` + ec + " comment")
	if n := testing.AllocsPerRun(100, func() {
		l, _ := keyfile.ScanLine(b)
		m.Match(&l)
	}); n != 0 {
		t.Errorf("a line of another key costs %v allocations", n)
	}
}

func TestParseAuthorizedKeyLikeOracle(t *testing.T) {
	file := "# comment\n\n  \nnonsense\n" + `command="a,b \"c\"",no-pty ` + line("rsa") + " first\r\n" + line("ed25519") + " second\n"
	in := []byte(file)
	for _, want := range []string{"first", "second"} {
		key, comment, options, rest, err := keyfile.ParseAuthorizedKey(in)
		okey, ocomment, ooptions, orest, oerr := ssh.ParseAuthorizedKey(in)
		if err != nil || oerr != nil {
			t.Fatal(err, oerr)
		}
		if comment != want || comment != ocomment || !slices.Equal(options, ooptions) || string(rest) != string(orest) || string(key.Marshal()) != string(okey.Marshal()) {
			t.Errorf("%q %q, %q %q, %d %d", comment, ocomment, options, ooptions, len(rest), len(orest))
		}
		in = rest
	}
	if _, _, _, _, err := keyfile.ParseAuthorizedKey(in); !errors.Is(err, keyfile.ErrLine) {
		t.Errorf("end: %v", err)
	}
}

func TestParseOptions(t *testing.T) {
	str := func(s string) *string { return &s }
	num := func(i int) *int { return &i }
	all := func(change func(*keyfile.AuthorizedOptions)) *keyfile.AuthorizedOptions {
		o := &keyfile.AuthorizedOptions{PortForwarding: true, AgentForwarding: true, X11Forwarding: true, PTY: true, UserRC: true}
		change(o)
		return o
	}
	type O = *keyfile.AuthorizedOptions
	berlin := time.FixedZone("CET", 3600)
	hp := func(l ...keyfile.HostPort) [][]keyfile.HostPort { return [][]keyfile.HostPort{l} }
	for _, c := range []struct {
		options string
		want    O // nil: unusable
	}{
		{"", all(func(o O) {})},
		{"no-pty", all(func(o O) { o.PTY = false })},
		{"NO-PTY,No-Port-Forwarding", all(func(o O) { o.PTY, o.PortForwarding = false, false })},
		{"no-agent-forwarding,no-X11-forwarding,no-user-rc", all(func(o O) { o.AgentForwarding, o.X11Forwarding, o.UserRC = false, false, false })},
		{"restrict", &keyfile.AuthorizedOptions{Restricted: true}},
		{"restrict,pty,x11-forwarding", &keyfile.AuthorizedOptions{Restricted: true, PTY: true, X11Forwarding: true}},
		{"pty,restrict", &keyfile.AuthorizedOptions{Restricted: true}},
		{"restrict,port-forwarding,agent-forwarding,user-rc", &keyfile.AuthorizedOptions{Restricted: true, PortForwarding: true, AgentForwarding: true, UserRC: true}},
		{"cert-authority", all(func(o O) { o.CertAuthority = true })},
		{"no-touch-required,verify-required", all(func(o O) { o.SK = pubkey.SKOptions{NoTouchRequired: true, VerifyRequired: true} })},
		{"no-touch-required,touch-required,verify-required,no-verify-required", all(func(o O) {})},
		{`command="a \"b\", c"`, all(func(o O) { o.Command = str(`a "b", c`) })},
		{`command=""`, all(func(o O) { o.Command = str("") })},
		{`command="a\\b"`, all(func(o O) { o.Command = str(`a\\b`) })},
		{`COMMAND="x"`, all(func(o O) { o.Command = str("x") })},
		{`command="a",command="a"`, nil},
		{`from="a",from="a"`, nil},
		{`principals="a",principals="a"`, nil},
		{`command=a`, nil},
		{`command="a`, nil},
		{`command="a\"`, nil},
		{`command`, nil},
		{`command="a"x`, nil},
		{`principals="a,b"`, all(func(o O) { o.Principals = []string{"a", "b"} })},
		{`principals=""`, all(func(o O) { o.Principals = []string{""} })},
		{`from="*.x,!y"`, all(func(o O) { o.From = []string{"*.x,!y"} })},
		{`environment="A=1",environment="B_2=x=y",environment="A=2"`, all(func(o O) { o.Environment = []string{"A=1", "B_2=x=y"} })},
		{`environment="A"`, nil},
		{`environment="=x"`, nil},
		{`environment="A-B=x"`, nil},
		{`environment="Ä=x"`, nil},
		{`expiry-time="20240102"`, all(func(o O) { o.ExpiryTime = time.Date(2024, 1, 2, 0, 0, 0, 0, berlin) })},
		{`expiry-time="20240102Z"`, all(func(o O) { o.ExpiryTime = time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC) })},
		{`expiry-time="202401020304"`, all(func(o O) { o.ExpiryTime = time.Date(2024, 1, 2, 3, 4, 0, 0, berlin) })},
		{`expiry-time="20240102030405z",expiry-time="20250101Z"`, all(func(o O) { o.ExpiryTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC) })},
		{`expiry-time="20240102UTC"`, all(func(o O) { o.ExpiryTime = time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC) })},
		{`expiry-time="2024"`, nil}, {`expiry-time="20241301"`, nil}, {`expiry-time="20240132"`, nil}, {`expiry-time="2024010224"`, nil},
		{`expiry-time="202401022400"`, nil}, {`expiry-time="2024-01-2"`, nil}, {`expiry-time=""`, nil}, {`expiry-time="19700101Z"`, nil},
		{`expiry-time="19691231"`, nil}, {`expiry-time="+1d"`, nil}, {`expiry-time="Z"`, nil},
		{`permitopen="a:80",permitopen="*:*",permitopen="[::1]:22",permitopen="b/81"`, all(func(o O) {
			o.PermitOpen = hp(keyfile.HostPort{Host: "a", Port: 80}, keyfile.HostPort{Host: "*"}, keyfile.HostPort{Host: "::1", Port: 22}, keyfile.HostPort{Host: "b", Port: 81})
		})},
		{`permitopen="80"`, nil}, {`permitopen=":80"`, nil}, {`permitopen="a:0"`, nil}, {`permitopen="a:65536"`, nil}, {`permitopen="a:"`, nil},
		{`permitopen="a:-1"`, nil}, {`permitopen="[::1"`, nil}, {`permitopen="[::1]"`, nil}, {`permitopen="::1:22"`, nil}, {`permitopen=""`, nil},
		{`permitopen="` + strings.Repeat("h", 1025) + `:1"`, nil},
		{`permitlisten="8080",permitlisten="localhost:*",permitlisten="*"`, all(func(o O) {
			o.PermitListen = hp(keyfile.HostPort{Host: "*", Port: 8080}, keyfile.HostPort{Host: "localhost"}, keyfile.HostPort{Host: "*"})
		})},
		{`permitlisten="0"`, nil}, {`permitlisten="localhost"`, nil},
		{`tunnel="3"`, all(func(o O) { o.Tunnel = num(3) })},
		{`tunnel="any"`, all(func(o O) { o.Tunnel = num(keyfile.TunnelAny) })},
		{`tunnel="-1"`, nil}, {`tunnel="x"`, nil}, {`tunnel="2147483646"`, nil},
		{"no-pty,", nil}, {",no-pty", nil}, {"no-pty,,no-user-rc", nil}, {"no-pty no-user-rc", nil}, {"ptyx", nil}, {"no-restrict", nil},
		{"no-cert-authority", nil}, {"unknown", nil}, {`unknown="x"`, nil}, {"no-pty=yes", nil}, {`pty="x"`, nil}, {" ", nil},
	} {
		o, err := keyfile.ParseOptions(c.options, berlin)
		var oe *keyfile.OptionError
		if (err == nil) != (c.want != nil) || err != nil && (!errors.As(err, &oe) || o != nil) {
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		if err != nil {
			continue
		}
		if !o.ExpiryTime.Equal(c.want.ExpiryTime) {
			t.Errorf("%q: %v", c.options, o.ExpiryTime)
		}
		o.ExpiryTime, c.want.ExpiryTime = time.Time{}, time.Time{}
		if !reflect.DeepEqual(o, c.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", c.options, o, c.want)
		}
	}
}

func TestOptionLimits(t *testing.T) {
	many := func(n int, f func(i int) string) string {
		l := make([]string, n)
		for i := range l {
			l[i] = f(i)
		}
		return strings.Join(l, ",")
	}
	for _, c := range []struct {
		limit int
		one   func(i int) string
	}{
		{keyfile.MaxEnvironment, func(i int) string { return fmt.Sprintf(`environment="V%d=x"`, i) }},
		{keyfile.MaxPermits, func(i int) string { return fmt.Sprintf(`permitopen="h:%d"`, i+1) }},
		{keyfile.MaxPermits, func(i int) string { return fmt.Sprintf(`permitlisten="h:%d"`, i+1) }},
	} {
		if _, err := keyfile.ParseOptions(many(c.limit, c.one), nil); err != nil {
			t.Errorf("%d of %s: %v", c.limit, c.one(0), err)
		}
		if _, err := keyfile.ParseOptions(many(c.limit+1, c.one), nil); err == nil {
			t.Errorf("%d of %s", c.limit+1, c.one(0))
		}
	}
}

func TestMatchSource(t *testing.T) {
	for _, c := range []struct {
		from, host, addr string
		want             bool
	}{
		{"*", "h", "10.0.0.1", true},
		{"10.0.0.0/8", "h", "10.0.0.1", true},
		{"10.0.0.0/8", "h", "11.0.0.1", false},
		{"10.0.0.0/8", "h", "::ffff:10.0.0.1", true},
		{"10.0.0.0/8,!10.0.0.1", "h", "10.0.0.1", false},
		{"!10.0.0.1,10.0.0.0/8", "h", "10.0.0.2", true},
		{"!10.0.0.1", "h", "10.0.0.2", false},
		{"!10.0.0.0/8,*", "h", "10.0.0.2", false},
		{"10.0.*", "10.0.0.1", "10.0.0.1", true},
		{"10.0.0.?", "10.0.0.1", "10.0.0.1", true},
		{"*.example", "A.Example", "10.0.0.1", true},
		{"*.EXAMPLE", "a.example", "10.0.0.1", true},
		{"*.example,!b.example", "b.example", "10.0.0.1", false},
		{"*.example", "", "10.0.0.1", false},
		{"2001:db8::/32", "h", "2001:db8::5", true},
		{"2001:DB8::5", "h", "2001:db8::5", true},
		{"", "h", "10.0.0.1", false},
		{"10.0.0.1,", "h", "10.0.0.1", false},
		{"10.0.0.1/8", "h", "10.0.0.1", false},
		{"!", "h", "10.0.0.1", false},
	} {
		o := &keyfile.AuthorizedOptions{From: []string{c.from}}
		if got := o.MatchSource(c.host, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("from=%q, %s (%s): %v", c.from, c.host, c.addr, got)
		}
	}
	a := netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		o    keyfile.AuthorizedOptions
		want bool
	}{
		{keyfile.AuthorizedOptions{}, true},
		{keyfile.AuthorizedOptions{SourceAddress: []string{"10.0.0.0/8"}}, true},
		{keyfile.AuthorizedOptions{SourceAddress: []string{"10.0.0.0/8", "11.0.0.0/8"}}, false},
		{keyfile.AuthorizedOptions{SourceAddress: []string{""}}, false},
		{keyfile.AuthorizedOptions{From: []string{"*"}, SourceAddress: []string{"11.0.0.0/8"}}, false},
		{keyfile.AuthorizedOptions{From: []string{"*", "x"}}, false},
	} {
		if c.o.MatchSource("h", a) != c.want {
			t.Errorf("%+v", c.o)
		}
	}
}

func TestPermits(t *testing.T) {
	o, err := keyfile.ParseOptions(`permitopen="a:80",permitopen="b:*",permitlisten="*:8080"`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		open, listen bool
		host         string
		port         uint16
	}{{true, false, "a", 80}, {false, false, "a", 81}, {true, true, "b", 8080}, {false, true, "c", 8080}, {false, false, "A", 80}} {
		if o.MayOpen(c.host, c.port) != c.open || o.MayListen(c.host, c.port) != c.listen {
			t.Errorf("%s:%d", c.host, c.port)
		}
	}
	none, _ := keyfile.ParseOptions("", nil)
	if !none.MayOpen("x", 1) || !none.MayListen("x", 1) {
		t.Error("no permitopen forbids")
	}
	m, err := o.Merge(none)
	if err != nil || m.MayOpen("a", 81) || !m.MayOpen("a", 80) {
		t.Error("merged with none")
	}
	p, _ := keyfile.ParseOptions(`permitopen="a:80",permitopen="c:1"`, nil)
	if m, _ := o.Merge(p); !m.MayOpen("a", 80) || m.MayOpen("b", 80) || m.MayOpen("c", 1) {
		t.Error("both must allow it")
	}
}

// AUT-6: what is put together is at least as strict as each.
func TestMerge(t *testing.T) {
	parse := func(s string) *keyfile.AuthorizedOptions {
		o, err := keyfile.ParseOptions(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, c := range []struct{ a, b, want string }{
		{"", "", ""},
		{"no-pty", "no-user-rc", "no-pty,no-user-rc"},
		{"restrict", "", "restrict"},
		{"no-touch-required", "", ""},
		{"no-touch-required", "no-touch-required", "no-touch-required"},
		{"verify-required", "", "verify-required"},
		{`command="x"`, "", `command="x"`},
		{`command="x"`, `command="x"`, `command="x"`},
		{`command=""`, "", `command=""`},
		{`expiry-time="20240101Z"`, `expiry-time="20230101Z"`, `expiry-time="20230101Z"`},
		{`expiry-time="20240101Z"`, "", `expiry-time="20240101Z"`},
		{`principals="a,b"`, "", `principals="a,b"`},
		{`principals="a,b"`, `principals="b,c"`, `principals="b"`},
		{`environment="A=1"`, `environment="A=2",environment="B=3"`, `environment="A=1",environment="B=3"`},
		{`tunnel="1"`, `tunnel="2"`, `tunnel="1"`},
		{"", `tunnel="2"`, `tunnel="2"`},
		{`from="x"`, "", `from="x"`},
	} {
		want := parse(c.want)
		m, err := parse(c.a).Merge(parse(c.b))
		if err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%q and %q: %v\n got %+v\nwant %+v", c.a, c.b, err, m, want)
		}
		if c.a == `tunnel="1"` || strings.HasPrefix(c.a, "env") {
			continue
		}
		if m, err = parse(c.b).Merge(parse(c.a)); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%q and %q: %v\n got %+v\nwant %+v", c.b, c.a, err, m, want)
		}
	}
	if _, err := parse(`command="x"`).Merge(parse(`command=""`)); !errors.Is(err, keyfile.ErrCommands) {
		t.Errorf("two commands: %v", err)
	}
	if m, _ := parse(`principals="a"`).Merge(parse(`principals="b"`)); m.Principals == nil || len(m.Principals) != 0 {
		t.Errorf("nobody is left: %q", m.Principals)
	}
	if m, _ := parse(`from="10.0.0.0/8"`).Merge(parse(`from="11.0.0.0/8"`)); m.MatchSource("h", netip.MustParseAddr("10.0.0.1")) {
		t.Error("both from= must match")
	}
}

func TestFromCertificate(t *testing.T) {
	cert := func(crit, ext map[string]string) *pubkey.Certificate {
		return &pubkey.Certificate{Permissions: pubkey.Permissions{CriticalOptions: crit, Extensions: ext}}
	}
	o, err := keyfile.FromCertificate(cert(nil, nil))
	if err != nil || !reflect.DeepEqual(o, &keyfile.AuthorizedOptions{}) {
		t.Errorf("empty: %+v %v", o, err)
	}
	o, err = keyfile.FromCertificate(cert(map[string]string{"verify-required": "", "force-command": "x", "source-address": "10.0.0.0/8"},
		map[string]string{"permit-pty": "", "permit-X11-forwarding": "", "permit-agent-forwarding": "", "permit-port-forwarding": "", "permit-user-rc": "", "no-touch-required": "", "x@y": "z"}))
	if err != nil || !o.PTY || !o.X11Forwarding || !o.AgentForwarding || !o.PortForwarding || !o.UserRC || !o.SK.NoTouchRequired || !o.SK.VerifyRequired || *o.Command != "x" {
		t.Errorf("all: %+v %v", o, err)
	}
	for _, bad := range []map[string]string{{"x@y": ""}, {"source-address": ""}, {"source-address": "x"}, {"permit-pty": ""}} {
		if _, err := keyfile.FromCertificate(cert(bad, nil)); err == nil {
			t.Errorf("AUT-7: %v", bad)
		}
	}
}

func TestExpired(t *testing.T) {
	o, _ := keyfile.ParseOptions(`expiry-time="20240101000000Z"`, nil)
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if o.Expired(at) || !o.Expired(at.Add(time.Second)) || (&keyfile.AuthorizedOptions{}).Expired(at) {
		t.Error("expiry")
	}
}
