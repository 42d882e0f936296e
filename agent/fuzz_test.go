package agent_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// fixedHost is the same in each process of a fuzz target.
func fixedHost(f *testing.F) pubkey.Signer {
	s, err := pubkey.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		f.Fatal(err)
	}
	return s
}

type stream struct {
	io.Reader
	io.Writer
}

// Any bytes, at an agent that has every means: it answers each message with
// one message, and its keys stay well formed.
func FuzzServeAgent(f *testing.F) {
	frame := func(b []byte) []byte { return append(wire.AppendUint32(nil, uint32(len(b))), b...) }
	ext, err := agent.RestrictDestination([]agent.Destination{{To: hop("u", "h", fixedHost(f))}})
	if err != nil {
		f.Fatal(err)
	}
	host := fixedHost(f)
	sig, _ := host.Sign(nil, []byte("id"))
	record := func(do func(c *agent.Client)) {
		var sent bytes.Buffer
		do(agent.NewClient(stream{bytes.NewReader(frame([]byte{6})), &sent}))
		f.Add(sent.Bytes())
	}
	for _, k := range testKeys() {
		record(func(c *agent.Client) { _ = c.Add(agent.AddedKey{PrivateKey: k.raw, Comment: "c"}) })
		record(func(c *agent.Client) {
			_ = c.Add(agent.AddedKey{PrivateKey: k.raw, Certificate: certFor(f, k), LifetimeSecs: 1, ConfirmBeforeUse: true, ConstraintExtensions: []agent.ConstraintExtension{ext}})
		})
	}
	record(func(c *agent.Client) { _, _ = c.List() })
	record(func(c *agent.Client) { _, _ = c.Sign(keyOf("ed25519").pub, []byte("x")) })
	record(func(c *agent.Client) { _ = c.Lock([]byte("x")) })
	record(func(c *agent.Client) { _ = c.SessionBind(host.PublicKey(), []byte("id"), sig, true) })
	record(func(c *agent.Client) {
		_ = c.AddSmartcard(agent.Smartcard{Provider: "p", PIN: []byte("1"), ConstraintExtensions: []agent.ConstraintExtension{agent.AssociatedCerts([]*pubkey.Certificate{certFor(f, keyOf("rsa"))}, true)}})
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		k := fullRing()
		k.LoadSmartcard = func(string, []byte) ([]agent.SmartcardKey, error) { return nil, errors.New("no card") }
		if err := k.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw}); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_ = agent.ServeAgent(k, stream{bytes.NewReader(b), &out})
		r := wire.NewReader(out.Bytes())
		for r.Len() > 0 {
			if a := r.String(); r.Err() != nil || len(a) == 0 || len(a) > agent.MaxMessage {
				t.Fatal("answers are not whole messages")
			}
		}
		l, err := k.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range l {
			if _, err := pubkey.ParsePublicKey(key.Blob); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Any bytes as an agent's answer.
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 0, 0, 5, 12, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 1, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := func() *agent.Client { return agent.NewClient(stream{bytes.NewReader(b), io.Discard}) }
		if l, err := c().List(); err == nil {
			for _, k := range l {
				_ = k.String()
				_ = k.Verify(nil, &pubkey.Signature{})
			}
		}
		_, _ = c().Signers()
		_, _ = c().Sign(keyOf("ed25519").pub, nil)
		_, _ = c().Query()
		_, _ = c().Extension("x", nil)
		_ = c().RemoveAll()
	})
}

func FuzzParseRestrictDestination(f *testing.F) {
	ext, err := agent.RestrictDestination([]agent.Destination{{To: hop("u", "h", fixedHost(f))}, {From: hop("", "h", fixedHost(f)), To: hop("", "i", fixedHost(f))}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ext.ExtensionDetails)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := agent.ParseRestrictDestination(b)
		if err != nil {
			return
		}
		again, err := agent.RestrictDestination(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := agent.ParseRestrictDestination(again.ExtensionDetails); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseAssociatedCerts(f *testing.F) {
	f.Add(agent.AssociatedCerts([]*pubkey.Certificate{certFor(f, keyOf("rsa"))}, true).ExtensionDetails)
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, only, err := agent.ParseAssociatedCerts(b)
		if err == nil && len(certs) > 0 {
			if again := agent.AssociatedCerts(certs, only).ExtensionDetails; len(b) == len(again) && !bytes.Equal(again[1:], b[1:]) {
				t.Fatal("comes back changed")
			}
		}
	})
}

// What is to be signed, at a key with destinations on a bound connection: only
// the one request that fits is signed.
func FuzzSignedData(f *testing.F) {
	host := fixedHost(f)
	key := keyOf("ed25519")
	ext, err := agent.RestrictDestination([]agent.Destination{{To: hop("ann", "h", host)}})
	if err != nil {
		f.Fatal(err)
	}
	k := &agent.Keyring{Now: time.Now}
	if err := k.Add(agent.AddedKey{PrivateKey: key.raw, ConstraintExtensions: []agent.ConstraintExtension{ext}}); err != nil {
		f.Fatal(err)
	}
	conn := k.NewConn()
	sig, _ := host.Sign(nil, []byte("id"))
	if _, err := conn.Extension(agent.ExtensionSessionBind, agent.AppendSessionBind(nil, host.PublicKey(), []byte("id"), sig, false)); err != nil {
		f.Fatal(err)
	}
	good := [][]byte{authData([]byte("id"), "ann", key.pub, nil), authData([]byte("id"), "ann", key.pub, host.PublicKey())}
	for _, b := range good {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := conn.Sign(key.pub, b)
		if err == nil && !bytes.Equal(b, good[0]) && !bytes.Equal(b, good[1]) {
			t.Fatalf("AGT-6: signed %x", b)
		}
	})
}
