package forward

import (
	"slices"
	"testing"

	"github.com/nacre-ssh/nacre/internal/keyfile"
)

func key(t *testing.T, options string) *keyfile.AuthorizedOptions {
	o, err := keyfile.ParseOptions(options, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestGLB05_Rules: the configuration and the key must both allow (GLB-5).
func TestGLB05_Rules(t *testing.T) {
	for _, c := range []struct {
		what          string
		local, remote bool
		open, listen  []string
		key           string
		host          string
		port          uint16
		mayOpen       bool
		mayListen     bool
	}{
		{"default", true, true, nil, nil, "", "h", 8080, true, true},
		{"AllowTcpForwarding no", false, false, nil, nil, "", "h", 8080, false, false},
		{"AllowTcpForwarding local", true, false, nil, nil, "", "h", 8080, true, false},
		{"AllowTcpForwarding remote", false, true, nil, nil, "", "h", 8080, false, true},
		{"no-port-forwarding", true, true, nil, nil, "no-port-forwarding", "h", 8080, false, false},
		{"restrict", true, true, nil, nil, "restrict", "h", 8080, false, false},
		{"restrict,port-forwarding", true, true, nil, nil, "restrict,port-forwarding", "h", 8080, true, true},
		{"low port", true, true, nil, nil, "", "h", 80, true, false},
		{"port the server chooses", true, true, nil, nil, "", "h", 0, true, true},
		{"PermitOpen", true, true, []string{"h:8080", "[::1]:22"}, nil, "", "h", 8080, true, true},
		{"PermitOpen, IPv6", true, true, []string{"h:8080", "[::1]:22"}, nil, "", "::1", 22, true, false},
		{"PermitOpen, another port", true, true, []string{"h:8080"}, nil, "", "h", 8081, false, true},
		{"PermitOpen, another host", true, true, []string{"h:8080"}, nil, "", "H", 8080, false, true},
		{"PermitOpen, any port", true, true, []string{"h:*"}, nil, "", "h", 8081, true, true},
		{"PermitOpen, any host", true, true, []string{"*:8080"}, nil, "", "x", 8080, true, true},
		{"PermitOpen none", true, true, []string{"none"}, nil, "", "h", 8080, false, true},
		{"PermitListen", true, true, nil, []string{"h:8080"}, "", "h", 8080, true, true},
		{"PermitListen, a port", true, true, nil, []string{"*:8080"}, "", "anything", 8080, true, true},
		{"PermitListen, port alone", true, true, nil, []string{"8080"}, "", "localhost", 8080, true, true},
		{"PermitListen, another", true, true, nil, []string{"h:8080"}, "", "localhost", 8080, true, false},
		{"PermitListen, chosen port", true, true, nil, []string{"8080"}, "", "localhost", 0, true, false},
		{"PermitListen none", true, true, nil, []string{"none"}, "", "h", 8080, true, false},
		{"permitopen", true, true, nil, nil, `permitopen="h:8080"`, "h", 8080, true, true},
		{"permitopen, another", true, true, nil, nil, `permitopen="h:8080"`, "h", 8081, false, true},
		{"permitopen, two", true, true, nil, nil, `permitopen="h:8080",permitopen="g:*"`, "g", 1, true, false},
		{"permitlisten", true, true, nil, nil, `permitlisten="8080"`, "localhost", 8080, true, true},
		{"permitlisten, another", true, true, nil, nil, `permitlisten="8080"`, "localhost", 8081, true, false},
		{"both, they agree", true, true, []string{"h:8080"}, nil, `permitopen="*:8080"`, "h", 8080, true, true},
		{"both, they do not", true, true, []string{"h:8080"}, nil, `permitopen="g:8080"`, "h", 8080, false, true},
	} {
		r := &Rules{Local: c.local, Remote: c.remote, Open: ParsePermits(c.open), Listen: ParsePermits(c.listen), Key: key(t, c.key)}
		if got := r.MayOpen(c.host, c.port); got != c.mayOpen {
			t.Errorf("%s: open %s %d: %v", c.what, c.host, c.port, got)
		}
		if got := r.MayListen(c.host, c.port); got != c.mayListen {
			t.Errorf("%s: listen %s %d: %v", c.what, c.host, c.port, got)
		}
	}
	if r := (&Rules{}); r.MayOpen("h", 1) || r.MayListen("h", 8080) {
		t.Error("the zero value allows something")
	}
	if r := (&Rules{Local: true, Remote: true, LowPorts: true, Key: key(t, "")}); !r.MayListen("", 80) {
		t.Error("root may not listen on port 80")
	}
	if r := (&Rules{Local: true, Remote: true}); r.MayOpen("h", 1) || r.MayListen("h", 8080) {
		t.Error("without a key's options something is allowed")
	}
}

// TestBinds is the table of GatewayPorts.
func TestBinds(t *testing.T) {
	lo, all := loopback(AnyFamily), wildcard(AnyFamily)
	one := func(h string) []Bind { return []Bind{{"tcp", h}} }
	for _, c := range []struct {
		host                string
		no, yes, byClient   []Bind
		client, clientGates []Bind // of a client, the host being given
	}{
		{"", lo, all, all, all, all},
		{"*", lo, all, all, all, all},
		{"localhost", lo, all, lo, lo, lo},
		{"127.0.0.1", one("127.0.0.1"), all, one("127.0.0.1"), one("127.0.0.1"), one("127.0.0.1")},
		{"::1", one("::1"), all, one("::1"), one("::1"), one("::1")},
		{"0.0.0.0", lo, all, one("0.0.0.0"), one("0.0.0.0"), one("0.0.0.0")},
		{"192.0.2.1", lo, all, one("192.0.2.1"), one("192.0.2.1"), one("192.0.2.1")},
	} {
		for g, want := range [][]Bind{c.no, c.yes, c.byClient} {
			if got, _ := ServerBinds(c.host, Gateway(g), AnyFamily); !slices.Equal(got, want) {
				t.Errorf("server, GatewayPorts %d, %q: %v, want %v", g, c.host, got, want)
			}
		}
		if got := ClientBinds(c.host, true, GatewayNo, AnyFamily); !slices.Equal(got, c.client) {
			t.Errorf("client, %q: %v, want %v", c.host, got, c.client)
		}
		if got := ClientBinds(c.host, true, GatewayYes, AnyFamily); !slices.Equal(got, c.clientGates) {
			t.Errorf("client with -g, %q: %v, want %v", c.host, got, c.clientGates)
		}
	}
	if got := ClientBinds("", false, GatewayNo, AnyFamily); !slices.Equal(got, lo) {
		t.Errorf("client, no host: %v", got)
	}
	if got := ClientBinds("", false, GatewayYes, AnyFamily); !slices.Equal(got, all) {
		t.Errorf("client with -g, no host: %v", got)
	}
	if got, over := ServerBinds("192.0.2.1", GatewayYes, OnlyIPv4); !over || !slices.Equal(got, []Bind{{"tcp4", "0.0.0.0"}}) {
		t.Errorf("got %v, %v", got, over)
	}
	if got := ClientBinds("", false, GatewayNo, OnlyIPv6); !slices.Equal(got, []Bind{{"tcp6", "::1"}}) {
		t.Errorf("got %v", got)
	}
}
