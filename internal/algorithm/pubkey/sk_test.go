package pubkey_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
)

func token(t *testing.T, keyType, application string) *sktest.Token {
	t.Helper()
	tok, err := sktest.New(keyType, application)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// AUT-19: what flags a signature must have, for each rule.
func TestSKFlags(t *testing.T) {
	data := []byte("data")
	for _, name := range []string{pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKECDSA256} {
		for _, flags := range []byte{0, 1, 4, 5} {
			tok := token(t, name, "ssh:x")
			tok.Flags, tok.Counter = flags, 41
			pub := tok.Key.PublicKey
			sig, err := tok.Signer().Sign(nil, data)
			if err != nil {
				t.Fatal(err)
			}
			f, counter, err := pubkey.VerifySK(pub, data, sig)
			if err != nil || f != flags || counter != 42 {
				t.Errorf("%s: flags %d, counter %d, %v", name, f, counter, err)
			}
			touched, verified := flags&1 != 0, flags&4 != 0
			for _, o := range []pubkey.SKOptions{{}, {NoTouchRequired: true}, {VerifyRequired: true}, {NoTouchRequired: true, VerifyRequired: true}} {
				want := (touched || o.NoTouchRequired) && (verified || !o.VerifyRequired)
				err := pubkey.VerifyWith(pub, data, sig, name, o)
				if (err == nil) != want || err != nil && !errors.Is(err, pubkey.ErrTouch) && !errors.Is(err, pubkey.ErrUserVerification) {
					t.Errorf("%s: flags %d under %+v: %v", name, flags, o, err)
				}
			}
			if err := pub.Verify(data, sig); (err == nil) != touched {
				t.Errorf("%s: Verify with flags %d: %v", name, flags, err)
			}
		}
		app, ok := pubkey.Application(token(t, name, "ssh:mine").Key.PublicKey)
		if !ok || app != "ssh:mine" {
			t.Errorf("application %q", app)
		}
	}
	if _, _, err := pubkey.VerifySK(pairOf(pubkey.KeyAlgoED25519).signer.PublicKey(), data, nil); err == nil {
		t.Error("VerifySK takes a plain key")
	}
	if _, ok := pubkey.Application(pairOf(pubkey.KeyAlgoED25519).signer.PublicKey()); ok {
		t.Error("a plain key has an application")
	}
}

func TestSKSignerWithoutToken(t *testing.T) {
	tok := token(t, pubkey.KeyAlgoSKED25519, "ssh:")
	s, err := pubkey.NewSignerFromKey(tok.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(nil, nil); !errors.Is(err, pubkey.ErrNoAuthenticator) {
		t.Errorf("signing: %v", err)
	}
	if pubkey.SKPrivate(s) != tok.Key || pubkey.SKPrivate(pairOf(pubkey.KeyAlgoRSA).signer) != nil {
		t.Error("SKPrivate")
	}
	if _, err := pubkey.NewSKSigner(&pubkey.SKPrivateKey{PublicKey: pairOf(pubkey.KeyAlgoED25519).signer.PublicKey()}, nil); err == nil {
		t.Error("a plain key as a security key")
	}
	if _, err := pubkey.NewSKSigner(nil, nil); err == nil {
		t.Error("nil as a security key")
	}
}

func TestWebAuthn(t *testing.T) {
	data := []byte("a message that has >>> and ??? in its base64")
	tok := token(t, pubkey.KeyAlgoSKECDSA256, "example.com")
	pub := tok.Key.PublicKey
	challenge := base64.RawURLEncoding.EncodeToString(data)
	head := func(c, o string) string {
		return `{"type":"webauthn.get","challenge":"` + c + `","origin":"` + o + `"`
	}
	type made struct {
		origin, client string
		flags          byte
		extensions     []byte
	}
	const o = "https://example.com"
	for _, c := range []struct {
		id   string
		m    made
		good bool
	}{
		{"plain", made{o, head(challenge, o) + `,"crossOrigin":false}`, 1, nil}, true},
		{"nothing behind", made{o, head(challenge, o), 1, nil}, true},
		{"verified", made{o, head(challenge, o) + "}", 5, nil}, true},
		{"extensions", made{o, head(challenge, o) + "}", 0x81, []byte("ext")}, true},
		{"extensions without flag", made{o, head(challenge, o) + "}", 1, []byte("ext")}, false},
		{"flag without extensions", made{o, head(challenge, o) + "}", 0x81, nil}, false},
		{"attested data", made{o, head(challenge, o) + "}", 0x41, nil}, false},
		{"other origin", made{o, head(challenge, "https://evil.com") + "}", 1, nil}, false},
		{"origin goes on", made{o, head(challenge, o+".evil.com") + "}", 1, nil}, false},
		{"quote in origin", made{`x","y":"z`, head(challenge, `x","y":"z`) + "}", 1, nil}, false},
		{"NUL in origin", made{"x\x00", head(challenge, "x\x00") + "}", 1, nil}, false},
		{"padded challenge", made{o, head(challenge+"=", o) + "}", 1, nil}, false},
		{"standard base64", made{o, head(base64.RawStdEncoding.EncodeToString(data), o) + "}", 1, nil}, false},
		{"other challenge", made{o, head(base64.RawURLEncoding.EncodeToString(data[1:]), o) + "}", 1, nil}, false},
		{"other type", made{o, `{"type":"webauthn.create","challenge":"` + challenge + `","origin":"` + o + `"}`, 1, nil}, false},
		{"order", made{o, `{"challenge":"` + challenge + `","type":"webauthn.get","origin":"` + o + `"}`, 1, nil}, false},
		{"space", made{o, " " + head(challenge, o) + "}", 1, nil}, false},
		{"empty", made{o, "", 1, nil}, false},
		{"not touched", made{o, head(challenge, o) + "}", 0, nil}, false},
	} {
		tok.Flags = c.m.flags
		sig, err := tok.WebAuthnRaw(c.m.origin, c.m.client, c.m.extensions)
		if err != nil {
			t.Fatal(err)
		}
		err = pubkey.VerifyAlgorithm(pub, data, sig, pubkey.KeyAlgoWebAuthnSKECDSA256)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.id, err)
		}
		if err := pubkey.VerifyAlgorithm(pub, data, sig, pubkey.KeyAlgoSKECDSA256); err == nil {
			t.Errorf("KEX-13: %s: taken under the key's own algorithm", c.id)
		}
	}
	tok.Flags = 1
	sig, err := tok.WebAuthn(o, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Verify(data, sig); err != nil {
		t.Error(err)
	}
	sig.Rest = append(bytes.Clone(sig.Rest), 0)
	if pub.Verify(data, sig) == nil {
		t.Error("bytes behind the extensions are taken")
	}
}
