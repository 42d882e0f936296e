package userauth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// AUT-19: a security key's signature needs a touch unless the permissions say
// no-touch-required, and a PIN if they say verify-required.
func TestAUT19SecurityKeys(t *testing.T) {
	seed := sha256.Sum256([]byte("token"))
	priv := ed25519.NewKeyFromSeed(seed[:])
	const name = "sk-ssh-ed25519@openssh.com"
	blob := wire.AppendString(wire.AppendText(nil, name), priv.Public().(ed25519.PublicKey))
	blob = wire.AppendText(blob, "ssh:")
	sign := func(data []byte, application string, flags byte) []byte {
		app, msg := sha256.Sum256([]byte(application)), sha256.Sum256(data)
		in := append(append(app[:], flags, 0, 0, 0, 9), msg[:]...)
		return pubkey.MarshalSignature(&pubkey.Signature{Format: name, Blob: ed25519.Sign(priv, in), Rest: []byte{flags, 0, 0, 0, 9}})
	}
	type m = map[string]string
	for _, c := range []struct {
		name        string
		perms       *Permissions
		application string
		flags       byte
		ok          bool
	}{
		{"touched", nil, "ssh:", 1, true},
		{"not touched", nil, "ssh:", 0, false},
		{"PIN without touch", nil, "ssh:", 4, false},
		{"no touch needed", &Permissions{Extensions: m{"no-touch-required": ""}}, "ssh:", 0, true},
		{"no touch needed, PIN is", &Permissions{Extensions: m{"no-touch-required": ""}, CriticalOptions: m{"verify-required": ""}}, "ssh:", 0, false},
		{"PIN needed", &Permissions{CriticalOptions: m{"verify-required": ""}}, "ssh:", 1, false},
		{"PIN given", &Permissions{CriticalOptions: m{"verify-required": ""}}, "ssh:", 5, true},
		{"another application", nil, "ssh:x", 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := serverConfig()
			s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return c.perms, nil }
			b := &publicKeyRequest{signed: true, algorithm: name, key: blob}
			b.signature = sign(b.signedData(testSession, "ann", "ssh-connection"), c.application, c.flags)
			p := hostileClient(t, s).service()
			p.send(request("ann", "publickey", b.append(nil)))
			if c.ok {
				p.expect(wire.MsgUserauthSuccess)
			} else {
				p.expectFailure("publickey", false)
			}
		})
	}
}

// AUT-20: account checks hold for every method, and only at the end.
func TestAUT20Authorize(t *testing.T) {
	s, _ := openServer()
	s.None = func(context.Context, *Attempt) (*Permissions, error) { return nil, nil }
	closed := true
	calls := 0
	s.Authorize = func(_ context.Context, a *Attempt, r *Result) error {
		calls++
		if closed {
			return errWrong
		}
		if r.User != "ann" || r.Method != a.Method || len(r.Completed) == 0 {
			t.Errorf("%+v", r)
		}
		return nil
	}
	p := hostileClient(t, s).service()
	for _, req := range [][]byte{request("ann", "none", nil), request("ann", "password", passwordBody("secret")), signed(t, edSigner("one"), "ann", "", false)} {
		p.send(req)
		p.expectFailure(openMethods, false)
	}
	closed = false
	p.send(signed(t, edSigner("one"), "ann", "", false)) // it was not used up
	p.expect(wire.MsgUserauthSuccess)
	if calls != 4 {
		t.Errorf("asked %d times", calls)
	}
	calls = 0
	s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}} }
	p = hostileClient(t, s).service()
	p.send(signed(t, edSigner("one"), "ann", "", false))
	p.expectFailure("password", true)
	if calls != 0 {
		t.Error("asked in the middle")
	}
	s.Authorize = func(context.Context, *Attempt, *Result) error { return &FatalError{errWrong} }
	p.send(request("ann", "password", passwordBody("secret")))
	if m, err := p.ReadPacket(); err == nil {
		t.Errorf("answered %v", m)
	}
}
