package userauth

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Every message number in every state has its verdict; the table is written
// out once more here by who may send what.
func TestVerdicts(t *testing.T) {
	taken := map[state][]byte{
		serverService:  {wire.MsgServiceRequest},
		serverRequest:  {wire.MsgServiceRequest, wire.MsgUserauthRequest},
		serverAnswer:   {wire.MsgUserauthRequest, wire.MsgUserauthInfoResponse},
		clientService:  {wire.MsgServiceAccept},
		clientReply:    {wire.MsgUserauthFailure, wire.MsgUserauthSuccess, wire.MsgUserauthBanner},
		clientQuestion: {wire.MsgUserauthFailure, wire.MsgUserauthSuccess, wire.MsgUserauthBanner, wire.MsgUserauthInfoRequest},
	}
	for st, list := range taken {
		for n := 0; n < 256; n++ {
			want := refuse
			switch {
			case strings.ContainsRune(string(list), rune(n)):
				want = process
			case st == serverService || st == clientService:
			case n >= 8 && n <= 19, n >= 54 && n <= 59, n >= 62 && n <= 79:
				want = unknown
			}
			if got := judge(st, byte(n)); got != want {
				t.Errorf("state %d, message %d: verdict %d, want %d", st, n, got, want)
			}
		}
	}
}

func TestParseMethodLists(t *testing.T) {
	for _, c := range []struct {
		args []string
		want [][]string
		err  bool
	}{
		{[]string{"any"}, nil, false},
		{[]string{"none"}, [][]string{{"none"}}, false},
		{[]string{"publickey,password", "keyboard-interactive:pam"}, [][]string{{"publickey", "password"}, {"keyboard-interactive:pam"}}, false},
		{[]string{"publickey,publickey"}, [][]string{{"publickey", "publickey"}}, false},
		{nil, nil, true},
		{[]string{""}, nil, true},
		{[]string{"any", "password"}, nil, true},
		{[]string{"publickey,"}, nil, true},
		{[]string{"kerberos"}, nil, true},
		{[]string{"keyboard-interactive:"}, nil, true},
	} {
		got, err := ParseMethodLists(c.args)
		if (err != nil) != c.err || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %q, %v", c.args, got, err)
		}
	}
}

func TestRemaining(t *testing.T) {
	r := &MethodLists{Lists: [][]string{{"publickey", "password"}, {"keyboard-interactive:pam", "publickey"}}}
	if !r.Allows("publickey", "") || r.Allows("password", "") || !r.Allows("keyboard-interactive", "") ||
		!r.Allows("keyboard-interactive", "pam") || r.Allows("keyboard-interactive", "skey") {
		t.Error("wrong methods at the start")
	}
	if done, found := r.Complete("keyboard-interactive", ""); done || found {
		t.Error("a dialogue without a device ticked one off")
	}
	if done, found := r.Complete("keyboard-interactive", "skey"); done || found {
		t.Error("another device ticked pam off")
	}
	if done, found := r.Complete("keyboard-interactive", "pam"); done || !found {
		t.Error("pam did not")
	}
	if !r.Allows("publickey", "") || r.Allows("keyboard-interactive", "") {
		t.Error("wrong methods after pam")
	}
	if done, _ := r.Complete("publickey", ""); !done {
		t.Error("the second list is not finished")
	}
	all := &MethodLists{Any: true}
	if done, found := all.Complete("password", ""); !done || !found || !all.Allows("x", "y") {
		t.Error("any is not any")
	}
}

func TestSourceAddress(t *testing.T) {
	for _, c := range []struct {
		remote, list string
		ok           bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "198.51.100.0/24,192.0.2.0/24", true},
		{"::ffff:192.0.2.1", "192.0.2.0/24", true},
		{"fe80::1%eth0", "fe80::/10", true},
		{"2001:db8::1", "2001:db8::/32", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "", false},
		{"192.0.2.1", "192.0.2.1/24", false}, // bits behind the mask
		{"192.0.2.1", "192.0.2.1,example.org", false},
		{"192.0.2.1", "192.0.2.0/33", false},
		{"", "0.0.0.0/0", false},
	} {
		var a netip.Addr
		if c.remote != "" {
			a = netip.MustParseAddr(c.remote)
		}
		if err := checkSource(a, c.list); (err == nil) != c.ok {
			t.Errorf("%q in %q: %v", c.remote, c.list, err)
		}
	}
}

func TestRestrict(t *testing.T) {
	type m = map[string]string
	cmd := &Permissions{CriticalOptions: m{"force-command": "a"}, Extensions: m{"permit-pty": "", "x": "1"}, ExtraData: map[any]any{"k": 1}}
	src := &Permissions{CriticalOptions: m{"source-address": "10.0.0.0/8"}, Extensions: m{"permit-pty": "", "x": "2"}, ExtraData: map[any]any{"k": 2, "l": 3}}
	other := &Permissions{CriticalOptions: m{"force-command": "b"}}
	if p, err := restrict(nil, nil); p != nil || err != nil {
		t.Error(p, err)
	}
	for _, p := range []*Permissions{cmd, src} {
		for _, f := range []func() (*Permissions, error){func() (*Permissions, error) { return restrict(nil, p) }, func() (*Permissions, error) { return restrict(p, nil) }} {
			if got, err := f(); err != nil || !reflect.DeepEqual(got, p) {
				t.Error(got, err)
			}
		}
	}
	got, err := restrict(cmd, src)
	want := &Permissions{CriticalOptions: m{"force-command": "a", "source-address": "10.0.0.0/8"}, Extensions: m{"permit-pty": ""}, ExtraData: map[any]any{"k": 1, "l": 3}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := restrict(cmd, other); err == nil {
		t.Error("two forced commands were taken")
	}
	if got, err := restrict(cmd, &Permissions{}); err != nil || len(got.Extensions) != 0 {
		t.Errorf("permissions without extensions permit nothing: %+v, %v", got, err)
	}
}

func TestFailurePad(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct{ elapsed, user, plain, grid time.Duration }{
		{0, 0, 5 * ms, 50 * ms},
		{0, 2 * ms, 7 * ms, 52 * ms},
		{-ms, 2 * ms, 7 * ms, 52 * ms},
		{3 * ms, 2 * ms, 4 * ms, 49 * ms},
		{7 * ms, 2 * ms, 0, 45 * ms},
		{8 * ms, 2 * ms, 6 * ms, 44 * ms},
		{51 * ms, 2 * ms, 5 * ms, ms},
		{52 * ms, 2 * ms, 4 * ms, 0},
		{53 * ms, 2 * ms, 3 * ms, 49 * ms},
		{5000 * ms, 0, 120 * ms, 0},
		{5001 * ms, 0, 0, 49 * ms},
	} {
		if got := failurePad(c.elapsed, c.user); got != c.plain {
			t.Errorf("after %v for %v: %v, want %v", c.elapsed, c.user, got, c.plain)
		}
		if got := gridPad(c.elapsed, c.user); got != c.grid {
			t.Errorf("grid after %v for %v: %v, want %v", c.elapsed, c.user, got, c.grid)
		}
	}
}

func TestUserDelay(t *testing.T) {
	// echo -n 7ann | sha512sum: the first 32 bits as picoseconds.
	if got, want := userDelay(7, "ann"), time.Duration(0xa3773441)/1000; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	for _, u := range []string{"", "root", "ann", "bob"} {
		if d := userDelay(7, u); d < 0 || d > 4300*time.Microsecond {
			t.Errorf("%q: %v", u, d)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"plain", "plain"}, {"a\x00b\nc\x7f\xff", `a\000b\012c\177\377`}, {strings.Repeat("x", 20), strings.Repeat("x", 10)},
	} {
		if got := printable(c.in, 10); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
}

func TestKeyDetails(t *testing.T) {
	fp := func(k pubkey.PublicKey) string { return "FP(" + string(k.Type()[:7]) + ")" }
	if got := KeyDetails(edSigner("one").PublicKey(), fp); got != "ED25519 FP(ssh-ed2)" {
		t.Error(got)
	}
	cert := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{})
	if got := KeyDetails(cert.PublicKey(), fp); got != "ED25519-CERT FP(ssh-ed2) ID id (serial 3) CA ED25519 FP(ssh-ed2)" {
		t.Error(got)
	}
	one := edSigner("one").PublicKey()
	for _, c := range []struct {
		in   Completed
		want string
	}{
		{Completed{Method: "password"}, "password"},
		{Completed{Method: "keyboard-interactive", Submethod: "pam"}, "keyboard-interactive/pam"},
		{Completed{Method: "publickey", Key: one}, "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"},
		{Completed{Method: "hostbased", Info: "client"}, "hostbased client"},
	} {
		if got := c.in.Line(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestMethodNames(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"publickey,password", "publickey password"}, {",publickey,,password,", "publickey password"},
		{"a b,pass\x1bword,x", "a b x"}, {strings.Repeat("a", 65) + ",b", "b"},
		{strings.Repeat("a,", 1000), strings.TrimSuffix(strings.Repeat("a ", maxMethods), " ")},
	} {
		if got := strings.Join(methodNames([]byte(c.in)), " "); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
}
