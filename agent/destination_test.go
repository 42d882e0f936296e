package agent_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func newHost(t testing.TB) pubkey.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pubkey.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hop(user, host string, keys ...pubkey.Signer) agent.Hop {
	h := agent.Hop{User: user, Host: host}
	for _, k := range keys {
		h.Keys = append(h.Keys, agent.HopKey{Key: k.PublicKey()})
	}
	return h
}

// bind binds a connection to a session with a host.
func bind(t testing.TB, c *agent.Client, host pubkey.Signer, id string, forwarding bool) error {
	t.Helper()
	sig, err := host.Sign(nil, []byte(id))
	if err != nil {
		t.Fatal(err)
	}
	return c.SessionBind(host.PublicKey(), []byte(id), sig, forwarding)
}

// The hops of a typical set-up: the key may go from here to a as ann, from a
// to b as anybody, and from b to nowhere.
func TestDestinations(t *testing.T) {
	a, b, evil := newHost(t), newHost(t), newHost(t)
	ext, err := agent.RestrictDestination([]agent.Destination{
		{To: hop("ann", "a", a)},
		{From: hop("", "a", a), To: hop("b*", "b", b)},
	})
	if err != nil {
		t.Fatal(err)
	}
	k := fullRing()
	key := keyOf("ed25519")
	if err := k.Add(agent.AddedKey{PrivateKey: key.raw, ConstraintExtensions: []agent.ConstraintExtension{ext}}); err != nil {
		t.Fatal(err)
	}
	free := keyOf("P-256")
	if err := k.Add(agent.AddedKey{PrivateKey: free.raw}); err != nil {
		t.Fatal(err)
	}
	type step struct {
		host    pubkey.Signer
		id      string
		forward bool
	}
	auth := func(id, user string, host pubkey.Signer) []byte {
		if host == nil {
			return authData([]byte(id), user, key.pub, nil)
		}
		return authData([]byte(id), user, key.pub, host.PublicKey())
	}
	for _, c := range []struct {
		id    string
		steps []step
		sees  bool
		data  []byte
		signs bool
	}{
		{"not bound", nil, true, auth("s1", "ann", a), false},
		{"not bound, not an authentication", nil, true, []byte("x"), false},
		{"to a", []step{{a, "s1", false}}, true, auth("s1", "ann", a), true},
		{"to a, not bound to the host", []step{{a, "s1", false}}, true, auth("s1", "ann", nil), true},
		{"to a as somebody else", []step{{a, "s1", false}}, true, auth("s1", "bob", a), false},
		{"to a, other session", []step{{a, "s1", false}}, true, auth("s2", "ann", a), false},
		{"to a, other host in the request", []step{{a, "s1", false}}, true, auth("s1", "ann", evil), false},
		{"to a, data that is no request", []step{{a, "s1", false}}, true, []byte("x"), false},
		{"to a, request for another key", []step{{a, "s1", false}}, true, authData([]byte("s1"), "ann", free.pub, a.PublicKey()), false},
		{"to evil", []step{{evil, "s1", false}}, false, auth("s1", "ann", evil), false},
		{"straight to b", []step{{b, "s1", false}}, false, auth("s1", "bob", b), false},
		{"forwarded to a", []step{{a, "s1", true}}, true, auth("s1", "ann", a), false},
		{"forwarded to evil", []step{{evil, "s1", true}}, false, auth("s1", "ann", evil), false},
		{"over a to b", []step{{a, "s1", true}, {b, "s2", false}}, true, auth("s2", "bob", b), true},
		{"over a to b as ann", []step{{a, "s1", true}, {b, "s2", false}}, true, auth("s2", "ann", b), false},
		{"over a to b, request without host", []step{{a, "s1", true}, {b, "s2", false}}, true, auth("s2", "bob", nil), false},
		{"over a to b, first session", []step{{a, "s1", true}, {b, "s2", false}}, true, auth("s1", "bob", b), false},
		{"over a to evil", []step{{a, "s1", true}, {evil, "s2", false}}, false, auth("s2", "bob", evil), false},
		{"over evil to b", []step{{evil, "s1", true}, {b, "s2", false}}, false, auth("s2", "bob", b), false},
		{"over a forwarded to b", []step{{a, "s1", true}, {b, "s2", true}}, false, auth("s2", "bob", b), false},
		{"over a and b to a", []step{{a, "s1", true}, {b, "s2", true}, {a, "s3", false}}, false, auth("s3", "ann", a), false},
	} {
		cl := agent.NewClient(serve(t, k))
		for _, s := range c.steps {
			if err := bind(t, cl, s.host, s.id, s.forward); err != nil {
				t.Fatalf("%s: %v", c.id, err)
			}
		}
		l, err := cl.List()
		if want := map[bool]int{true: 2, false: 1}[c.sees]; err != nil || len(l) != want {
			t.Errorf("AGT-6: %s: sees %d keys, not %d", c.id, len(l), want)
		}
		if _, err := cl.Sign(key.pub, c.data); (err == nil) != c.signs {
			t.Errorf("AGT-6: %s: %v", c.id, err)
		}
		if _, err := cl.Sign(free.pub, []byte("x")); err != nil {
			t.Errorf("%s: a key without constraints: %v", c.id, err)
		}
		if !c.sees {
			if err := cl.Remove(key.pub); err == nil {
				t.Fatalf("%s: a key that is not seen is removed", c.id)
			}
			if err := cl.Add(agent.AddedKey{PrivateKey: key.raw}); err == nil {
				t.Fatalf("%s: a key that is not seen is replaced", c.id)
			}
		}
	}
	// In this program, on no connection at all.
	if _, err := k.Sign(key.pub, auth("s1", "ann", a)); !errors.Is(err, agent.ErrConstraint) {
		t.Errorf("without connection: %v", err)
	}
}

func TestDestinationsByCertificate(t *testing.T) {
	ca, host := newHost(t), newHost(t)
	cert := &pubkey.Certificate{Key: host.PublicKey(), CertType: pubkey.HostCert, ValidPrincipals: []string{"*.example"}, ValidBefore: 2000}
	if err := cert.SignCert(nil, ca); err != nil {
		t.Fatal(err)
	}
	certHost, err := pubkey.NewCertSigner(cert, host)
	if err != nil {
		t.Fatal(err)
	}
	key := keyOf("ed25519")
	for _, c := range []struct {
		id   string
		to   agent.Hop
		at   int64
		host pubkey.Signer
		sees bool
	}{
		{"by authority", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: ca.PublicKey(), CA: true}}}, 1000, certHost, true},
		{"certificate expired", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: ca.PublicKey(), CA: true}}}, 2000, certHost, false},
		{"for another host", agent.Hop{Host: "a.evil", Keys: []agent.HopKey{{Key: ca.PublicKey(), CA: true}}}, 1000, certHost, false},
		{"by another authority", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: host.PublicKey(), CA: true}}}, 1000, certHost, false},
		{"authority's key as host key", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: ca.PublicKey()}}}, 1000, certHost, false},
		{"host key under a certificate", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: host.PublicKey()}}}, 1000, certHost, false},
		{"authority shows up itself", agent.Hop{Host: "a.example", Keys: []agent.HopKey{{Key: ca.PublicKey(), CA: true}}}, 1000, ca, false},
	} {
		k := agent.NewKeyring()
		k.Now = func() time.Time { return time.Unix(c.at, 0) }
		ext, err := agent.RestrictDestination([]agent.Destination{{To: c.to}})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Add(agent.AddedKey{PrivateKey: key.raw, ConstraintExtensions: []agent.ConstraintExtension{ext}}); err != nil {
			t.Fatal(err)
		}
		cl := agent.NewClient(serve(t, k))
		if err := bind(t, cl, c.host, "s1", false); err != nil {
			t.Fatal(err)
		}
		l, err := cl.List()
		if err != nil || (len(l) == 1) != c.sees {
			t.Errorf("%s: %d keys, %v", c.id, len(l), err)
		}
		_, err = cl.Sign(key.pub, authData([]byte("s1"), "ann", key.pub, c.host.PublicKey()))
		if (err == nil) != c.sees {
			t.Errorf("%s: %v", c.id, err)
		}
	}
}

func TestSessionBind(t *testing.T) {
	a, b := newHost(t), newHost(t)
	rsaHost, err := pubkey.NewSignerFromKey(keyOf("rsa").raw)
	if err != nil {
		t.Fatal(err)
	}
	ext, _ := agent.RestrictDestination([]agent.Destination{{To: hop("", "a", a)}})
	k := fullRing()
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, ConstraintExtensions: []agent.ConstraintExtension{ext}}); err != nil {
		t.Fatal(err)
	}
	sees := func(c *agent.Client, want int) {
		t.Helper()
		if l, err := c.List(); err != nil || len(l) != want {
			t.Errorf("%d keys, not %d: %v", len(l), want, err)
		}
	}
	good, _ := a.Sign(nil, []byte("s1"))
	for name, f := range map[string]func(c *agent.Client) error{
		"signature over something else": func(c *agent.Client) error {
			sig, _ := a.Sign(nil, []byte("s2"))
			return c.SessionBind(a.PublicKey(), []byte("s1"), sig, false)
		},
		"signature by another":  func(c *agent.Client) error { return c.SessionBind(b.PublicKey(), []byte("s1"), good, false) },
		"no session identifier": func(c *agent.Client) error { return bind(t, c, a, "", false) },
		"long session identifier": func(c *agent.Client) error {
			return bind(t, c, a, strings.Repeat("x", 129), false)
		},
		"cut": func(c *agent.Client) error {
			b := agent.AppendSessionBind(nil, a.PublicKey(), []byte("s1"), good, false)
			_, err := c.Extension(agent.ExtensionSessionBind, b[:len(b)-1])
			return err
		},
		"tail": func(c *agent.Client) error {
			b := agent.AppendSessionBind(nil, a.PublicKey(), []byte("s1"), good, false)
			_, err := c.Extension(agent.ExtensionSessionBind, append(b, 0))
			return err
		},
	} {
		c := agent.NewClient(serve(t, k))
		sees(c, 1)
		if err := f(c); !errors.Is(err, agent.ErrExtensionFailed) {
			t.Errorf("%s: %v", name, err)
		}
		// AGT-5: what failed to bind is not local any more.
		sees(c, 0)
		if err := bind(t, c, a, "s1", false); err != nil {
			t.Errorf("%s: binding after all: %v", name, err)
		}
		sees(c, 1)
	}
	c := agent.NewClient(serve(t, k))
	for i, s := range []struct {
		host    pubkey.Signer
		id      string
		forward bool
		good    bool
	}{
		{a, "s1", true, true},
		{a, "s1", true, true},
		{b, "s1", true, false},
		{rsaHost, strings.Repeat("x", 128), true, true},
		{a, "s3", true, true},
		{b, "s4", false, true},
		{b, "s4", false, false},
		{b, "s5", true, false},
	} {
		if err := bind(t, c, s.host, s.id, s.forward); (err == nil) != s.good {
			t.Errorf("bind %d: %v", i, err)
		}
	}
	c = agent.NewClient(serve(t, k))
	for i := range agent.MaxBindings + 1 {
		if err := bind(t, c, a, string(rune('a'+i)), true); (err == nil) != (i < agent.MaxBindings) {
			t.Errorf("bind %d: %v", i+1, err)
		}
	}
	// AGT-5: binding works while the agent is locked.
	c = agent.NewClient(serve(t, k))
	if err := c.Lock([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := bind(t, c, b, "s1", true); err != nil {
		t.Errorf("binding while locked: %v", err)
	}
	if err := c.Unlock([]byte("x")); err != nil {
		t.Fatal(err)
	}
	sees(c, 0)
}

// AGT-4: a connection from another machine, or one that may be, loads nothing.
func TestRemoteProviders(t *testing.T) {
	a := newHost(t)
	loaded := 0
	for _, allow := range []bool{false, true} {
		k := fullRing()
		k.AllowRemoteProviders = allow
		k.LoadSmartcard = func(string, []byte) ([]agent.SmartcardKey, error) { loaded++; return nil, errors.New("no card") }
		c := agent.NewClient(serve(t, k))
		if err := bind(t, c, a, "s1", true); err != nil {
			t.Fatal(err)
		}
		loaded = 0
		_ = c.AddSmartcard(agent.Smartcard{Provider: "/lib/x.so"})
		if (loaded == 1) != allow {
			t.Errorf("allowed %v, loaded %d", allow, loaded)
		}
		err := c.Add(agent.AddedKey{PrivateKey: keyOf(pubkey.KeyAlgoSKED25519).raw, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("/lib/sk.so")}})
		if (err == nil) != allow {
			t.Errorf("allowed %v: %v", allow, err)
		}
		if err := c.Add(agent.AddedKey{PrivateKey: keyOf(pubkey.KeyAlgoSKED25519).raw, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal")}}); err != nil {
			t.Errorf("internal: %v", err)
		}
	}
}

func TestConfirmTellsWhere(t *testing.T) {
	a, b := newHost(t), newHost(t)
	var use agent.Use
	k := fullRing()
	k.Confirm = func(u agent.Use) bool { use = u; return true }
	key := keyOf("ed25519")
	if err := k.Add(agent.AddedKey{PrivateKey: key.raw, ConfirmBeforeUse: true}); err != nil {
		t.Fatal(err)
	}
	c := agent.NewClient(serve(t, k))
	if err := bind(t, c, a, "s1", true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sign(key.pub, authData([]byte("s2"), "bob", key.pub, b.PublicKey())); err != nil {
		t.Fatal(err)
	}
	if use.User != "bob" || use.Hops != 1 || !pubkey.Equal(use.HostKey, a.PublicKey()) {
		t.Errorf("%+v", use)
	}
	if err := bind(t, c, b, "s2", false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sign(key.pub, authData([]byte("s2"), "bob", key.pub, b.PublicKey())); err != nil {
		t.Fatal(err)
	}
	if use.Hops != 1 || !pubkey.Equal(use.HostKey, b.PublicKey()) {
		t.Errorf("%+v", use)
	}
}

func TestDestinationEncoding(t *testing.T) {
	a, b := newHost(t), newHost(t)
	l := []agent.Destination{
		{To: agent.Hop{User: "u*", Host: "h", Keys: []agent.HopKey{{Key: a.PublicKey()}, {Key: b.PublicKey(), CA: true}}}},
		{From: hop("", "h", a), To: hop("", "i", b, a)},
	}
	if l[0].String() != "u*@h" || l[1].String() != "h>i" {
		t.Errorf("%s, %s", &l[0], &l[1])
	}
	ext, err := agent.RestrictDestination(l)
	if err != nil {
		t.Fatal(err)
	}
	again, err := agent.ParseRestrictDestination(ext.ExtensionDetails)
	if err != nil || !reflect.DeepEqual(l, again) {
		t.Errorf("%v\n%+v\n%+v", err, l, again)
	}
	for name, bad := range map[string]agent.Destination{
		"nothing":                {},
		"user on the near end":   {From: agent.Hop{User: "x", Host: "h", Keys: l[1].From.Keys}, To: l[0].To},
		"near end without keys":  {From: agent.Hop{Host: "h"}, To: l[0].To},
		"near end without name":  {From: agent.Hop{Keys: l[1].From.Keys}, To: l[0].To},
		"far end without keys":   {To: agent.Hop{Host: "h"}},
		"far end without name":   {To: agent.Hop{Keys: l[1].From.Keys}},
		"user pattern too long":  {To: agent.Hop{User: strings.Repeat("u", 257), Host: "h", Keys: l[1].From.Keys}},
		"certificate as a key":   {To: agent.Hop{Host: "h", Keys: []agent.HopKey{{Key: certFor(t, keyOf("rsa"))}}}},
		"NUL in the user's name": {To: agent.Hop{User: "a\x00", Host: "h", Keys: l[1].From.Keys}},
	} {
		ext, err := agent.RestrictDestination([]agent.Destination{bad})
		if err == nil { // what the sender does not see, the receiver must
			if _, err = agent.ParseRestrictDestination(ext.ExtensionDetails); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
	}
	ok := agent.Destination{To: agent.Hop{User: strings.Repeat("u", 256), Host: "h", Keys: l[1].From.Keys}}
	many := make([]agent.Destination, agent.MaxDestinations)
	for i := range many {
		many[i] = ok
	}
	ext, err = agent.RestrictDestination(many)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := agent.ParseRestrictDestination(ext.ExtensionDetails); err != nil || len(l) != agent.MaxDestinations {
		t.Errorf("%d destinations: %v", len(l), err)
	}
	one, _ := agent.RestrictDestination(many[:1])
	if _, err := agent.ParseRestrictDestination(append(bytes.Clone(ext.ExtensionDetails), one.ExtensionDetails...)); err == nil {
		t.Error("one destination too many is read")
	}
	if _, err := agent.RestrictDestination(append(many, ok)); err == nil {
		t.Error("one destination too many is written")
	}
	for i, bad := range [][]byte{nil, {0}, {0, 0, 0, 0}, {0, 0, 0, 1}, wire.AppendText(nil, "x"), one.ExtensionDetails[:len(one.ExtensionDetails)-1], append(bytes.Clone(one.ExtensionDetails), 0)} {
		if _, err := agent.ParseRestrictDestination(bad); err == nil {
			t.Errorf("details %d are read", i)
		}
	}
	c := certFor(t, keyOf("rsa"))
	ac := agent.AssociatedCerts([]*pubkey.Certificate{c, c}, true)
	certs, only, err := agent.ParseAssociatedCerts(ac.ExtensionDetails)
	if err != nil || !only || len(certs) != 2 || !pubkey.Equal(certs[1], c) {
		t.Errorf("associated certificates: %v", err)
	}
	for i, bad := range [][]byte{nil, {1}, {1, 0, 0, 0, 1, 0}, append(ac.ExtensionDetails, 0),
		wire.AppendString([]byte{1}, wire.AppendString(nil, keyOf("rsa").pub.Marshal()))} {
		if _, _, err := agent.ParseAssociatedCerts(bad); err == nil {
			t.Errorf("certificates %d are read", i)
		}
	}
}
