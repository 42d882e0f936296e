package pubkey_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
	"golang.org/x/crypto/ssh"
)

// What parses comes back byte for byte, and the oracle takes it too where it
// knows the type.
func FuzzParsePublicKey(f *testing.F) {
	ca := pairOf(pubkey.KeyAlgoED25519).signer
	for _, p := range pairs() {
		f.Add(p.signer.PublicKey().Marshal())
		c := &pubkey.Certificate{Key: p.signer.PublicKey(), CertType: pubkey.HostCert, ValidPrincipals: []string{"a"},
			Permissions: pubkey.Permissions{CriticalOptions: map[string]string{"force-command": "x"}, Extensions: map[string]string{"permit-pty": ""}}}
		if err := c.SignCert(nil, ca); err != nil {
			f.Fatal(err)
		}
		f.Add(c.Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := pubkey.ParsePublicKey(b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Marshal(), b) {
			t.Fatalf("%s comes back changed", k.Type())
		}
		pubkey.FingerprintSHA256(k)
		pubkey.TypeName(k)
		pubkey.Bits(k)
		if k.Verify([]byte("x"), &pubkey.Signature{Format: k.Type(), Blob: b}) == nil {
			t.Fatal("nonsense verifies")
		}
		if c, ok := k.(*pubkey.Certificate); ok {
			_ = c.VerifySignature(nil)
			return
		}
		switch k.Type() {
		case pubkey.KeyAlgoMLDSA44ED25519:
		case pubkey.KeyAlgoRSA: // the oracle takes no large exponents
		default:
			if _, err := ssh.ParsePublicKey(b); err != nil {
				t.Fatalf("the oracle refuses %s: %v", k.Type(), err)
			}
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	for _, p := range pairs() {
		s, err := p.signer.Sign(nil, []byte("x"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pubkey.MarshalSignature(s))
	}
	tok := pairOf(pubkey.KeyAlgoSKECDSA256)
	f.Add(str(pubkey.KeyAlgoWebAuthnSKECDSA256, "rs", byte(1), uint32(1), "origin", "client", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := pubkey.ParseSignature(b)
		if err != nil {
			return
		}
		if !bytes.Equal(pubkey.MarshalSignature(s), b) {
			t.Fatal("comes back changed")
		}
		for _, p := range pairs() {
			if p.signer.PublicKey().Verify([]byte("y"), s) == nil {
				t.Fatal("nonsense verifies")
			}
		}
		_, _, _ = pubkey.VerifySK(tok.signer.PublicKey(), []byte("y"), s)
	})
}

func FuzzReadPrivateKey(f *testing.F) {
	ca := pairOf(pubkey.KeyAlgoED25519).signer
	for _, p := range pairs() {
		k := &pubkey.PrivateKey{Key: p.raw}
		if p.raw == nil {
			k.Key = pubkey.SKPrivate(p.signer)
		}
		b, err := k.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		k.Certificate = &pubkey.Certificate{Key: p.signer.PublicKey(), CertType: pubkey.UserCert}
		if err := k.Certificate.SignCert(nil, ca); err != nil {
			f.Fatal(err)
		}
		if b, err = k.Append(nil); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		k, err := pubkey.ReadPrivateKey(&r)
		if err != nil {
			return
		}
		again, err := k.Append(nil)
		if err != nil || !bytes.Equal(again, b[:len(b)-r.Len()]) {
			t.Fatalf("comes back changed: %v", err)
		}
		s, err := k.Signer()
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := s.Sign(nil, []byte("x")); err == nil {
			if err := s.PublicKey().Verify([]byte("x"), sig); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzMatchSourceAddress(f *testing.F) {
	f.Add("10.0.0.0/8,::1", "10.0.0.1")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, list, addr string) {
		a, _ := netip.ParseAddr(addr)
		if ok, err := pubkey.MatchSourceAddress(list, a); ok && (err != nil || !a.IsValid()) {
			t.Fatal("matches and fails")
		}
	})
}
