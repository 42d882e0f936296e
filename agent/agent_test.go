package agent_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
	"github.com/nacre-ssh/nacre/internal/wire"
	xssh "golang.org/x/crypto/ssh"
	xagent "golang.org/x/crypto/ssh/agent"
)

type testKey struct {
	name string
	raw  any
	pub  pubkey.PublicKey
	tok  *sktest.Token
}

// testKeys has one key of every type, in a fixed order.
var testKeys = sync.OnceValue(func() []testKey {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var l []testKey
	add := func(name string, raw any, err error) {
		must(err)
		pub, err := pubkey.NewPublicKey(raw)
		must(err)
		l = append(l, testKey{name, raw, pub, nil})
	}
	// Not random, so that a fuzz target's seeds mean the same in each process.
	add("ed25519", ed25519.NewKeyFromSeed(make([]byte, 32)), nil)
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		add(c.Params().Name, k, err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	add("rsa", r, err)
	m, err := pubkey.GenerateMLDSA44ED25519(nil)
	add("mldsa", m, err)
	for _, t := range []string{pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKECDSA256} {
		tok, err := sktest.New(t, "ssh:")
		must(err)
		add(t, tok.Key, nil)
		l[len(l)-1].tok = tok
	}
	return l
})

func keyOf(name string) testKey {
	for _, k := range testKeys() {
		if k.name == name {
			return k
		}
	}
	panic(name)
}

func certFor(t testing.TB, k testKey) *pubkey.Certificate {
	t.Helper()
	ca, err := pubkey.NewSignerFromKey(keyOf("ed25519").raw)
	if err != nil {
		t.Fatal(err)
	}
	c := &pubkey.Certificate{Key: k.pub, CertType: pubkey.UserCert, KeyId: "id", ValidPrincipals: []string{"ann"}, ValidBefore: pubkey.CertTimeInfinity}
	if err := c.SignCert(nil, ca); err != nil {
		t.Fatal(err)
	}
	return c
}

// signSK finds the software token of a key.
func signSK(key *pubkey.SKPrivateKey, _ string, data []byte) (*pubkey.Signature, error) {
	for _, k := range testKeys() {
		if k.tok != nil && pubkey.Equal(pubkey.Plain(key.PublicKey), k.pub) {
			return k.tok.Sign(key, data)
		}
	}
	return nil, errors.New("no such token")
}

func fullRing() *agent.Keyring {
	return &agent.Keyring{Now: time.Now, Confirm: func(agent.Use) bool { return true }, SignSK: signSK,
		AllowSKProvider: func(p string) bool { return p == "/lib/sk.so" }, Sleep: func(time.Duration) {}}
}

// serve has an agent served over a pipe and returns the other end.
func serve(t testing.TB, a agent.Agent) net.Conn {
	t.Helper()
	c, s := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- agent.ServeAgent(a, s); s.Close() }()
	t.Cleanup(func() {
		c.Close()
		if err := <-done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("ServeAgent: %v", err)
		}
	})
	return c
}

// exercise adds every key, alone and with its certificate, and uses it.
func exercise(t *testing.T, c *agent.Client, skip func(testKey) bool) {
	t.Helper()
	n := 0
	for _, k := range testKeys() {
		if skip(k) {
			continue
		}
		cert := certFor(t, k)
		for _, c2 := range []*pubkey.Certificate{nil, cert} {
			if err := c.Add(agent.AddedKey{PrivateKey: k.raw, Certificate: c2, Comment: "comment of " + k.name}); err != nil {
				t.Errorf("adding %s: %v", k.name, err)
				continue
			}
			n++
		}
	}
	keys, err := c.List()
	if err != nil || len(keys) != n {
		t.Fatalf("%d keys, not %d: %v", len(keys), n, err)
	}
	signers, err := c.Signers()
	if err != nil || len(signers) != n {
		t.Fatalf("%d signers, not %d: %v", len(signers), n, err)
	}
	for i, s := range signers {
		pub := s.PublicKey()
		if !strings.HasPrefix(keys[i].Comment, "comment of ") || keys[i].Type() != pub.Type() || !bytes.Equal(keys[i].Marshal(), pub.Marshal()) {
			t.Errorf("key %d: %v", i, keys[i])
		}
		for _, alg := range append(s.(pubkey.MultiAlgorithmSigner).Algorithms(), "") {
			sig, err := s.(pubkey.AlgorithmSigner).SignWithAlgorithm(nil, []byte("data"), alg)
			if err != nil {
				t.Errorf("%s, %s: %v", pub.Type(), alg, err)
				continue
			}
			if alg != "" && sig.Format != alg {
				t.Errorf("%s: signed with %s", alg, sig.Format)
			}
			if err := pub.Verify([]byte("data"), sig); err != nil {
				t.Errorf("%s, %s: %v", pub.Type(), alg, err)
			}
			if err := keys[i].Verify([]byte("data"), sig); err != nil {
				t.Errorf("%s, %s: %v", pub.Type(), alg, err)
			}
		}
	}
	if err := c.Remove(signers[0].PublicKey()); err != nil {
		t.Error(err)
	}
	if err := c.Remove(signers[0].PublicKey()); err == nil {
		t.Error("a key is removed twice")
	}
	if _, err := c.Sign(signers[0].PublicKey(), nil); !errors.Is(err, agent.ErrFailure) {
		t.Errorf("signing with a key that is gone: %v", err)
	}
	if keys, err := c.List(); err != nil || len(keys) != n-1 {
		t.Errorf("%d keys after removing one: %v", len(keys), err)
	}
	if err := c.Lock([]byte("pass")); err != nil {
		t.Error(err)
	}
	if keys, err := c.List(); err != nil || len(keys) != 0 {
		t.Errorf("a locked agent shows %d keys: %v", len(keys), err)
	}
	if _, err := c.Sign(signers[1].PublicKey(), nil); err == nil {
		t.Error("a locked agent signs")
	}
	if err := c.RemoveAll(); err == nil {
		t.Error("a locked agent is emptied")
	}
	if err := c.Unlock([]byte("wrong")); err == nil {
		t.Error("unlocked with another passphrase")
	}
	if err := c.Unlock([]byte("pass")); err != nil {
		t.Error(err)
	}
	if keys, err := c.List(); err != nil || len(keys) != n-1 {
		t.Errorf("%d keys after unlocking: %v", len(keys), err)
	}
	if err := c.RemoveAll(); err != nil {
		t.Error(err)
	}
	if keys, err := c.List(); err != nil || len(keys) != 0 {
		t.Errorf("%d keys after removing all: %v", len(keys), err)
	}
}

func TestClientAndKeyring(t *testing.T) {
	exercise(t, agent.NewClient(serve(t, fullRing())), func(testKey) bool { return false })
}

// The oracle's server with our client, and the other way round.
func TestOracleServer(t *testing.T) {
	c, s := net.Pipe()
	defer c.Close()
	go func() { _ = xagent.ServeAgent(xagent.NewKeyring(), s) }()
	exercise(t, agent.NewClient(c), func(k testKey) bool { return k.tok != nil || k.name == "mldsa" })
}

func TestOracleClient(t *testing.T) {
	x := xagent.NewClient(serve(t, fullRing()))
	for _, k := range testKeys() {
		if k.tok != nil || k.name == "mldsa" {
			continue
		}
		xc, err := xssh.ParsePublicKey(certFor(t, k).Marshal())
		if err != nil {
			t.Fatal(err)
		}
		raw := k.raw
		if ed, ok := raw.(ed25519.PrivateKey); ok {
			raw = &ed
		}
		for _, cert := range []*xssh.Certificate{nil, xc.(*xssh.Certificate)} {
			if err := x.Add(xagent.AddedKey{PrivateKey: raw, Certificate: cert, Comment: k.name, LifetimeSecs: 100, ConfirmBeforeUse: true}); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
		}
	}
	keys, err := x.List()
	if err != nil || len(keys) != 10 {
		t.Fatalf("%d keys: %v", len(keys), err)
	}
	for _, k := range keys {
		flags := xagent.SignatureFlags(0)
		if strings.Contains(k.Format, "rsa") {
			flags = xagent.SignatureFlagRsaSha256
		}
		sig, err := x.SignWithFlags(k, []byte("x"), flags)
		if err != nil || k.Verify([]byte("x"), sig) != nil {
			t.Errorf("%s: %v", k.Format, err)
		}
	}
	if _, err := x.Extension("no-such@example.com", nil); !errors.Is(err, xagent.ErrExtensionUnsupported) {
		t.Errorf("unknown extension: %v", err)
	}
	if err := x.Lock([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := x.Unlock([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := x.Remove(keys[0]); err != nil {
		t.Error(err)
	}
}

// Without flags an RSA key signs with SHA-1, as the protocol has it; a signer
// asks for SHA-2 and does not take less.
func TestRSAFlags(t *testing.T) {
	c := agent.NewClient(serve(t, fullRing()))
	k := keyOf("rsa")
	if err := c.Add(agent.AddedKey{PrivateKey: k.raw}); err != nil {
		t.Fatal(err)
	}
	for flags, want := range map[agent.SignatureFlags]string{
		0: pubkey.KeyAlgoRSA, 1: pubkey.KeyAlgoRSA, agent.SignatureFlagRsaSha256: pubkey.KeyAlgoRSASHA256, agent.SignatureFlagRsaSha512: pubkey.KeyAlgoRSASHA512,
		agent.SignatureFlagRsaSha256 | agent.SignatureFlagRsaSha512: pubkey.KeyAlgoRSASHA256,
	} {
		sig, err := c.SignWithFlags(k.pub, nil, flags)
		if err != nil || sig.Format != want {
			t.Errorf("flags %d: %v %v", flags, sig, err)
		}
	}
	old := agent.NewClient(serve(t, deaf{fullRing(), k}))
	signers, err := old.Signers()
	if err != nil || len(signers) != 1 {
		t.Fatal(err)
	}
	var ae *pubkey.AgreementError
	if _, err := signers[0].Sign(nil, nil); !errors.As(err, &ae) {
		t.Errorf("an agent that answers with SHA-1: %v", err)
	}
	if _, err := signers[0].(pubkey.AlgorithmSigner).SignWithAlgorithm(nil, nil, pubkey.KeyAlgoED25519); !errors.As(err, &ae) {
		t.Errorf("another key's algorithm: %v", err)
	}
	if _, err := signers[0].(pubkey.AlgorithmSigner).SignWithAlgorithm(nil, nil, pubkey.KeyAlgoRSA); err != nil {
		t.Errorf("SHA-1 when asked for: %v", err)
	}
}

// deaf is an old agent that knows no flags.
type deaf struct {
	agent.Agent
	k testKey
}

func (d deaf) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: d.k.pub.Type(), Blob: d.k.pub.Marshal()}}, nil
}

func (d deaf) Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error) {
	s, err := pubkey.NewSignerFromKey(d.k.raw)
	if err != nil {
		return nil, err
	}
	return pubkey.SignWith(s, nil, data, pubkey.KeyAlgoRSA)
}

// AGT-3: what cannot be kept is refused.
func TestConstraints(t *testing.T) {
	ed, sk := keyOf("ed25519").raw, keyOf(pubkey.KeyAlgoSKED25519).raw
	rd := agent.ConstraintExtension{ExtensionName: agent.ConstraintRestrictDestination, ExtensionDetails: []byte("x")}
	bare := func() *agent.Keyring { return agent.NewKeyring() }
	for _, c := range []struct {
		id   string
		ring func() *agent.Keyring
		key  agent.AddedKey
		good bool
	}{
		{"plain", bare, agent.AddedKey{PrivateKey: ed}, true},
		{"lifetime without clock", bare, agent.AddedKey{PrivateKey: ed, LifetimeSecs: 5}, false},
		{"lifetime", fullRing, agent.AddedKey{PrivateKey: ed, LifetimeSecs: 5}, true},
		{"confirmation without anybody", bare, agent.AddedKey{PrivateKey: ed, ConfirmBeforeUse: true}, false},
		{"confirmation", fullRing, agent.AddedKey{PrivateKey: ed, ConfirmBeforeUse: true}, true},
		{"unknown extension", fullRing, agent.AddedKey{PrivateKey: ed, ConstraintExtensions: []agent.ConstraintExtension{{ExtensionName: "x@y"}}}, false},
		{"malformed destinations", fullRing, agent.AddedKey{PrivateKey: ed, ConstraintExtensions: []agent.ConstraintExtension{rd}}, false},
		{"associated certificates of a plain key", fullRing, agent.AddedKey{PrivateKey: ed, ConstraintExtensions: []agent.ConstraintExtension{agent.AssociatedCerts(nil, false)}}, false},
		{"provider of a plain key", fullRing, agent.AddedKey{PrivateKey: ed, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal")}}, false},
		{"security key without means", bare, agent.AddedKey{PrivateKey: sk}, false},
		{"security key", fullRing, agent.AddedKey{PrivateKey: sk}, true},
		{"security key, internal", fullRing, agent.AddedKey{PrivateKey: sk, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal")}}, true},
		{"security key, provider", fullRing, agent.AddedKey{PrivateKey: sk, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("/lib/sk.so")}}, true},
		{"security key, other provider", fullRing, agent.AddedKey{PrivateKey: sk, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("/tmp/evil.so")}}, false},
		{"security key, no provider", fullRing, agent.AddedKey{PrivateKey: sk, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("")}}, false},
		{"provider twice", fullRing, agent.AddedKey{PrivateKey: sk, ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal"), agent.SKProvider("internal")}}, false},
		{"certificate of another key", fullRing, agent.AddedKey{PrivateKey: ed, Certificate: certFor(t, keyOf("rsa"))}, false},
		{"nothing", fullRing, agent.AddedKey{}, false},
	} {
		direct := c.ring()
		if err := direct.Add(c.key); (err == nil) != c.good {
			t.Errorf("%s: %v", c.id, err)
		}
		client := agent.NewClient(serve(t, c.ring()))
		if err := client.Add(c.key); (err == nil) != c.good {
			t.Errorf("%s, over the protocol: %v", c.id, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	now := time.Unix(1000, 0)
	k := &agent.Keyring{Now: func() time.Time { return now }}
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, LifetimeSecs: 10}); err != nil {
		t.Fatal(err)
	}
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("rsa").raw}); err != nil {
		t.Fatal(err)
	}
	if got := k.NextExpiry(); !got.Equal(time.Unix(1010, 0)) {
		t.Errorf("next expiry %v", got)
	}
	for _, c := range []struct {
		at   int64
		keys int
	}{{1009, 2}, {1010, 1}, {5000, 1}} {
		now = time.Unix(c.at, 0)
		if l, _ := k.List(); len(l) != c.keys {
			t.Errorf("at %d: %d keys, not %d", c.at, len(l), c.keys)
		}
	}
	if _, err := k.Sign(keyOf("ed25519").pub, nil); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("signing after the end: %v", err)
	}
	if !k.NextExpiry().IsZero() {
		t.Error("a key is said to expire")
	}
	k = &agent.Keyring{Now: func() time.Time { return now }, Lifetime: time.Minute}
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("rsa").raw}); err != nil {
		t.Fatal(err)
	}
	if got := k.NextExpiry(); !got.Equal(now.Add(time.Minute)) {
		t.Errorf("default lifetime: %v", got)
	}
}

func TestConfirm(t *testing.T) {
	var asked []agent.Use
	answer := true
	k := agent.NewKeyring()
	k.Confirm = func(u agent.Use) bool { asked = append(asked, u); return answer }
	notified := 0
	k.Notify = func(agent.Use) { notified++ }
	pub := keyOf("ed25519").pub
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, Comment: "c", ConfirmBeforeUse: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(pub, []byte("x")); err != nil || len(asked) != 1 || asked[0].Key.Comment != "c" || notified != 1 {
		t.Errorf("confirmed: %v, %v", err, asked)
	}
	answer = false
	if _, err := k.Sign(pub, []byte("x")); !errors.Is(err, agent.ErrConstraint) || notified != 1 {
		t.Errorf("refused: %v", err)
	}
	// The key goes while somebody is being asked.
	k.Confirm = func(agent.Use) bool { _ = k.RemoveAll(); return true }
	if _, err := k.Sign(pub, []byte("x")); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("gone meanwhile: %v", err)
	}
	k.Confirm = func(agent.Use) bool { _ = k.Lock([]byte("p")); return true }
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, ConfirmBeforeUse: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Sign(pub, []byte("x")); !errors.Is(err, agent.ErrLocked) {
		t.Errorf("locked meanwhile: %v", err)
	}
}

// AGT-7.
func TestLock(t *testing.T) {
	var slept []time.Duration
	k := agent.NewKeyring()
	k.Sleep = func(d time.Duration) { slept = append(slept, d) }
	if k.Lock(nil) == nil || k.Unlock([]byte("x")) == nil {
		t.Error("locked without passphrase, or unlocked without lock")
	}
	if err := k.Lock([]byte("pass")); err != nil {
		t.Fatal(err)
	}
	if err := k.Lock([]byte("pass")); !errors.Is(err, agent.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw}); !errors.Is(err, agent.ErrLocked) {
		t.Errorf("added while locked: %v", err)
	}
	if k.RemoveAll() == nil {
		t.Error("emptied while locked")
	}
	k.Clear() // by its owner
	for range 9 {
		if k.Unlock([]byte("pas")) == nil {
			t.Fatal("unlocked")
		}
	}
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if !slices.Equal(slept, want) {
		t.Errorf("delays %v", slept)
	}
	if err := k.Unlock([]byte("pass")); err != nil {
		t.Error(err)
	}
	if err := k.Lock([]byte("p")); err != nil {
		t.Error(err)
	}
	slept = nil
	_ = k.Unlock(nil)
	if len(slept) != 1 || slept[0] != 100*time.Millisecond {
		t.Errorf("delay after a success: %v", slept)
	}
}

func TestReplace(t *testing.T) {
	k := fullRing()
	for _, comment := range []string{"one", "two"} {
		if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := k.List()
	if len(l) != 1 || l[0].Comment != "two" {
		t.Errorf("%v", l)
	}
	l[0].Blob[5] ^= 1
	if again, _ := k.List(); bytes.Equal(again[0].Blob, l[0].Blob) {
		t.Error("a caller can change the agent's keys")
	}
}

func TestKeyLimit(t *testing.T) {
	k := agent.NewKeyring()
	seed := make([]byte, 32)
	for i := range agent.MaxKeys + 1 {
		seed[0], seed[1] = byte(i), byte(i>>8)
		err := k.Add(agent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(seed)})
		if (err == nil) != (i < agent.MaxKeys) {
			t.Fatalf("key %d: %v", i+1, err)
		}
	}
	// All of them fit into one answer.
	if l, err := agent.NewClient(serve(t, k)).List(); err != nil || len(l) != agent.MaxKeys {
		t.Errorf("%d keys in a list: %v", len(l), err)
	}
}

// Security keys of web sites.
func TestWebsafe(t *testing.T) {
	tok, err := sktest.New(pubkey.KeyAlgoSKECDSA256, "https://bank.example")
	if err != nil {
		t.Fatal(err)
	}
	pub := tok.Key.PublicKey
	ring := func(allow []string) *agent.Keyring {
		k := agent.NewKeyring()
		k.SignSK = func(key *pubkey.SKPrivateKey, _ string, data []byte) (*pubkey.Signature, error) {
			return tok.Sign(key, data)
		}
		k.WebsafeApplications = allow
		if err := k.Add(agent.AddedKey{PrivateKey: tok.Key}); err != nil {
			t.Fatal(err)
		}
		return k
	}
	auth := authData([]byte("session"), "ann", pub, nil)
	sshsig := wire.AppendText(wire.AppendText([]byte("SSHSIG"), "file"), "")
	sshsig = wire.AppendText(wire.AppendText(sshsig, "sha512"), "hash")
	noNamespace := wire.AppendText(wire.AppendText(wire.AppendText(wire.AppendText([]byte("SSHSIG"), ""), ""), "sha512"), "hash")
	for _, c := range []struct {
		id    string
		data  []byte
		allow []string
		good  bool
	}{
		{"anything", []byte("x"), nil, false},
		{"authentication", auth, nil, true},
		{"authentication with a tail", append(bytes.Clone(auth), 0), nil, false},
		{"authentication with another key", authData([]byte("session"), "ann", keyOf("ed25519").pub, nil), nil, false},
		{"file", sshsig, nil, true},
		{"file with a tail", append(bytes.Clone(sshsig), 0), nil, false},
		{"file without namespace", noNamespace, nil, false},
		{"allowed", []byte("x"), []string{"https://*.example"}, true},
		{"others allowed", []byte("x"), []string{"ssh:*"}, false},
		{"none allowed", []byte("x"), []string{}, false},
	} {
		_, err := ring(c.allow).Sign(pub, c.data)
		if (err == nil) != c.good {
			t.Errorf("AGT-11: %s: %v", c.id, err)
		}
	}
}

// authData is what a client signs to log in.
func authData(session []byte, user string, key pubkey.PublicKey, hostKey pubkey.PublicKey) []byte {
	method := "publickey"
	if hostKey != nil {
		method = "publickey-hostbound-v00@openssh.com"
	}
	b := append(wire.AppendString(nil, session), wire.MsgUserauthRequest)
	b = wire.AppendText(wire.AppendText(wire.AppendText(b, user), "ssh-connection"), method)
	alg := key.Type()
	if alg == pubkey.KeyAlgoRSA {
		alg = pubkey.KeyAlgoRSASHA512
	}
	b = wire.AppendString(wire.AppendText(append(b, 1), alg), key.Marshal())
	if hostKey != nil {
		b = wire.AppendString(b, hostKey.Marshal())
	}
	return b
}

// cardSigner is a key on a smartcard.
type cardSigner struct{ crypto.Signer }

func TestSmartcard(t *testing.T) {
	rsaKey, ec := cardSigner{keyOf("rsa").raw.(crypto.Signer)}, cardSigner{keyOf("P-256").raw.(crypto.Signer)}
	rsaCert := certFor(t, keyOf("rsa"))
	other := certFor(t, keyOf("P-384"))
	asked := 0
	ring := func() *agent.Keyring {
		k := fullRing()
		k.Confirm = func(u agent.Use) bool { asked++; return u.Provider == "/lib/p11.so" }
		k.LoadSmartcard = func(provider string, pin []byte) ([]agent.SmartcardKey, error) {
			if provider != "/lib/p11.so" || string(pin) != "1234" {
				return nil, errors.New("no")
			}
			return []agent.SmartcardKey{{Signer: rsaKey, Comment: "label"}, {Signer: ec}}, nil
		}
		return k
	}
	card := agent.Smartcard{Provider: "/lib/p11.so", PIN: []byte("1234")}
	list := func(c *agent.Client) (s []string) {
		l, err := c.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range l {
			s = append(s, k.Format+" "+k.Comment)
		}
		return s
	}
	c := agent.NewClient(serve(t, ring()))
	if err := c.AddSmartcard(card); err != nil {
		t.Fatal(err)
	}
	if l := list(c); !slices.Equal(l, []string{"ssh-rsa label", "ecdsa-sha2-nistp256 /lib/p11.so"}) {
		t.Errorf("%q", l)
	}
	if err := c.RemoveSmartcard("/lib/other.so", nil); err == nil {
		t.Error("another provider's keys are removed")
	}
	if err := c.RemoveSmartcard("/lib/p11.so", nil); err != nil || len(list(c)) != 0 {
		t.Errorf("removing: %v", err)
	}
	card.ConfirmBeforeUse, card.LifetimeSecs = true, 60
	card.ConstraintExtensions = []agent.ConstraintExtension{agent.AssociatedCerts([]*pubkey.Certificate{rsaCert, other}, false)}
	if err := c.AddSmartcard(card); err != nil {
		t.Fatal(err)
	}
	if l := list(c); !slices.Equal(l, []string{"ssh-rsa label", "ssh-rsa-cert-v01@openssh.com label", "ecdsa-sha2-nistp256 /lib/p11.so"}) {
		t.Errorf("%q", l)
	}
	// AGT-3: every key has every constraint, not only the first.
	signers, _ := c.Signers()
	for i, s := range signers {
		sig, err := s.Sign(nil, []byte("x"))
		if err != nil || s.PublicKey().Verify([]byte("x"), sig) != nil || asked != i+1 {
			t.Errorf("key %d: %v, asked %d times", i, err, asked)
		}
	}
	card.ConstraintExtensions = []agent.ConstraintExtension{agent.AssociatedCerts([]*pubkey.Certificate{rsaCert}, true)}
	c = agent.NewClient(serve(t, ring()))
	if err := c.AddSmartcard(card); err != nil {
		t.Fatal(err)
	}
	if l := list(c); !slices.Equal(l, []string{"ssh-rsa-cert-v01@openssh.com label"}) {
		t.Errorf("certificates only: %q", l)
	}
	for i, bad := range []agent.Smartcard{
		{Provider: "/lib/p11.so", PIN: []byte("0000")}, {Provider: "/lib/evil.so"}, {},
		{Provider: "/lib/p11.so", PIN: []byte("1234"), ConstraintExtensions: []agent.ConstraintExtension{{ExtensionName: "x@y"}}},
		{Provider: "/lib/p11.so", PIN: []byte("1234"), ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal")}},
		{Provider: "/lib/p11.so", PIN: []byte("1234"), ConstraintExtensions: []agent.ConstraintExtension{agent.AssociatedCerts([]*pubkey.Certificate{other}, true)}},
	} {
		c := agent.NewClient(serve(t, ring()))
		if err := c.AddSmartcard(bad); err == nil || len(list(c)) != 0 {
			t.Errorf("card %d is taken", i)
		}
	}
	if err := agent.NewClient(serve(t, fullRing())).AddSmartcard(card); err == nil {
		t.Error("a card without means to use it")
	}
}

// Limits of messages, both sides of them.
func TestMessageLimits(t *testing.T) {
	send := func(head []byte) error {
		var out bytes.Buffer
		return agent.ServeAgent(fullRing(), struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(head), &out})
	}
	frame := func(n uint32, have int) []byte {
		b := wire.AppendUint32(nil, n)
		return append(b, make([]byte, have)...)
	}
	if err := send(nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := send(frame(agent.MaxMessage, agent.MaxMessage)); err != nil {
		t.Errorf("largest message: %v", err)
	}
	for name, b := range map[string][]byte{"too large": frame(agent.MaxMessage+1, 10), "giant": frame(1<<32-1, 10), "empty": frame(0, 0)} {
		if err := send(b); !errors.Is(err, agent.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"length cut": {0, 0}, "body cut": frame(100, 99), "body missing": frame(100, 0)} {
		if err := send(b); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// AGT-1: a claimed length costs nothing.
	if n := testing.AllocsPerRun(10, func() { _ = send(frame(agent.MaxMessage, 1)) }); n > 60 {
		t.Errorf("%v allocations", n)
	}
	// A client has the same limits, and stays broken after a bad answer.
	for name, answer := range map[string][]byte{"too large": frame(agent.MaxMessage+1, 10), "empty": frame(0, 0), "cut": frame(9, 3), "none": nil} {
		c := agent.NewClient(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(append(answer, frame(1, 1)...)[:len(answer)]), io.Discard})
		_, err := c.List()
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err2 := c.List(); err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: goes on: %v", name, err2)
		}
	}
	c := agent.NewClient(serve(t, fullRing()))
	if _, err := c.Sign(keyOf("ed25519").pub, make([]byte, agent.MaxMessage)); err == nil {
		t.Error("a request that is too large is sent")
	}
	if _, err := c.List(); err != nil {
		t.Errorf("after a request that was not sent: %v", err)
	}
	// One byte at a time is as good.
	var out bytes.Buffer
	msg := append(wire.AppendUint32(nil, 1), 11)
	if err := agent.ServeAgent(fullRing(), struct {
		io.Reader
		io.Writer
	}{iotest.OneByteReader(bytes.NewReader(msg)), &out}); err != nil || out.Len() != 9 {
		t.Errorf("one byte at a time: %v, %x", err, out.Bytes())
	}
}

// Answers that do not fit the request.
func TestStrangeAnswers(t *testing.T) {
	answer := func(b ...byte) *agent.Client {
		return agent.NewClient(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(append(wire.AppendUint32(nil, uint32(len(b))), b...)), io.Discard})
	}
	pub := keyOf("ed25519").pub
	for i, f := range []func() error{
		func() error { _, err := answer(6).List(); return err },
		func() error { _, err := answer(12).List(); return err },
		func() error { _, err := answer(12, 0, 0, 0, 1).List(); return err },
		func() error { _, err := answer(12, 0xff, 0xff, 0xff, 0xff).List(); return err },
		func() error { _, err := answer(12, 0, 0, 8, 1).List(); return err },
		func() error { _, err := answer(12, 0, 0, 0, 0, 0).List(); return err },
		func() error { _, err := answer(6).Sign(pub, nil); return err },
		func() error { _, err := answer(14).Sign(pub, nil); return err },
		func() error { _, err := answer(14, 0, 0, 0, 0).Sign(pub, nil); return err },
		func() error { return answer(6, 0).RemoveAll() },
		func() error { return answer(12).RemoveAll() },
		func() error { _, err := answer(6).Query(); return err },
		func() error { _, err := answer(29, 0, 0, 0, 1, 'x').Query(); return err },
		func() error {
			return answer(29).SessionBind(pub, []byte("x"), &pubkey.Signature{Format: "ssh-ed25519"}, false)
		},
	} {
		if err := f(); err == nil {
			t.Errorf("answer %d is taken", i)
		}
	}
	if _, err := answer(12, 0, 0, 0, 0).List(); err != nil {
		t.Error(err)
	}
	if _, err := answer(5).Extension("x", nil); !errors.Is(err, agent.ErrExtensionUnsupported) {
		t.Error(err)
	}
	if _, err := answer(28).Extension("x", nil); !errors.Is(err, agent.ErrExtensionFailed) {
		t.Error(err)
	}
}

// Requests that must fail and leave everything as it was (AGT-2).
func TestStrangeRequests(t *testing.T) {
	k := fullRing()
	if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw}); err != nil {
		t.Fatal(err)
	}
	conn := serve(t, k)
	ask := func(b []byte) byte {
		t.Helper()
		if _, err := conn.Write(append(wire.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
			t.Fatal(err)
		}
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(head[:])
		if _, err := io.CopyN(io.Discard, conn, int64(r.Uint32()-1)); err != nil {
			t.Fatal(err)
		}
		return head[4]
	}
	blob := keyOf("ed25519").pub.Marshal()
	add, err := (&pubkey.PrivateKey{Key: keyOf("P-256").raw}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	add = wire.AppendText(add, "c")
	con := func(b ...byte) []byte { return append(append([]byte{25}, add...), b...) }
	for i, b := range [][]byte{
		{0}, {1}, {2}, {3}, {4}, {7}, {8}, {24}, {5}, {6}, {10}, {12}, {14}, {28}, {29}, {99}, {255},
		{11, 0}, {13}, {17}, {18}, {19, 0}, {20}, {21}, {22}, {23}, {25}, {26}, {27},
		wire.AppendString([]byte{13}, blob),
		wire.AppendUint32(wire.AppendText(wire.AppendText([]byte{13}, "x"), "data"), 0),
		append(wire.AppendUint32(wire.AppendText(wire.AppendString([]byte{13}, blob), "data"), 0), 0),
		append(wire.AppendString([]byte{18}, blob), 0),
		wire.AppendText([]byte{18}, "x"),
		append(append([]byte{17}, add...), 0),
		append([]byte{17}, add[:len(add)-1]...),
		con(1), con(1, 0, 0, 0, 0), con(1, 0, 0, 0, 1, 1, 0, 0, 0, 1), con(2, 2), con(3), con(255), con(255, 0, 0, 0, 1, 'x'), con(255, 0, 0, 0, 1, 'x', 0, 0, 0, 0), con(0),
		append(wire.AppendText([]byte{22}, "pass"), 0),
		wire.AppendText([]byte{22}, ""),
		wire.AppendText([]byte{27}, "unknown@example.com"),
		wire.AppendText(wire.AppendText([]byte{20}, "/lib/x.so"), "pin"),
	} {
		if got := ask(b); got != 5 {
			t.Errorf("request %d (%x): answer %d", i, b[:min(len(b), 8)], got)
		}
	}
	if got := ask(wire.AppendText([]byte{27}, "session-bind@openssh.com")); got != 28 {
		t.Errorf("malformed session-bind: answer %d", got)
	}
	if l, _ := k.List(); len(l) != 1 {
		t.Errorf("%d keys are left", len(l))
	}
	if got := ask([]byte{9}); got != 6 {
		t.Errorf("protocol 1's removal of all: answer %d", got)
	}
	if l, _ := k.List(); len(l) != 0 {
		t.Errorf("%d keys are left", len(l))
	}
}

func TestQuery(t *testing.T) {
	c := agent.NewClient(serve(t, fullRing()))
	if l, err := c.Query(); err != nil || !slices.Equal(l, []string{"session-bind@openssh.com"}) {
		t.Errorf("%q %v", l, err)
	}
	if _, err := fullRing().Extension(agent.ExtensionSessionBind, nil); !errors.Is(err, agent.ErrExtensionUnsupported) {
		t.Errorf("binding the ring itself: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	k := fullRing()
	c := agent.NewClient(serve(t, k))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := testKeys()[i%4]
			for range 20 {
				_ = c.Add(agent.AddedKey{PrivateKey: key.raw})
				if sig, err := c.Sign(key.pub, []byte("x")); err == nil && key.pub.Verify([]byte("x"), sig) != nil {
					t.Error("bad signature")
				}
				_, _ = k.List()
				_ = k.Remove(key.pub)
			}
		})
	}
	wg.Wait()
}
