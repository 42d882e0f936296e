// Package sktest is a security key made of software, for tests: it makes keys
// of both kinds and signs as a token does, and as a browser does over
// webauthn. It must never be linked into a program.
package sktest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Token is one key on a token.
type Token struct {
	Key     *pubkey.SKPrivateKey
	Flags   byte   // of the next signatures; presence unless changed
	Counter uint32 // grows by one with each signature

	ed          ed25519.PrivateKey
	ec          *ecdsa.PrivateKey
	application string
}

// New makes a key of type pubkey.KeyAlgoSKED25519 or KeyAlgoSKECDSA256.
func New(keyType, application string) (*Token, error) {
	t := &Token{Flags: pubkey.SKUserPresence, application: application}
	b := wire.AppendText(nil, keyType)
	switch keyType {
	case pubkey.KeyAlgoSKED25519:
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		t.ed, b = priv, wire.AppendString(b, pub)
	case pubkey.KeyAlgoSKECDSA256:
		priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		q, err := priv.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		t.ec, b = priv, wire.AppendString(wire.AppendText(b, "nistp256"), q)
	default:
		return nil, fmt.Errorf("sktest: %q is no security key", keyType)
	}
	pub, err := pubkey.ParsePublicKey(wire.AppendText(b, application))
	if err != nil {
		return nil, err
	}
	t.Key = &pubkey.SKPrivateKey{PublicKey: pub, Flags: pubkey.SKUserPresence, KeyHandle: []byte("handle"), Reserved: []byte{}}
	return t, nil
}

// Sign is a pubkey.SKSignFunc for this key.
func (t *Token) Sign(_ *pubkey.SKPrivateKey, data []byte) (*pubkey.Signature, error) {
	t.Counter++
	blob, err := t.sign(nil, data)
	if err != nil {
		return nil, err
	}
	return &pubkey.Signature{
		Format: t.Key.PublicKey.Type(),
		Blob:   blob,
		Rest:   wire.AppendUint32([]byte{t.Flags}, t.Counter),
	}, nil
}

// Signer signs with this key.
func (t *Token) Signer() pubkey.MultiAlgorithmSigner {
	s, err := pubkey.NewSKSigner(t.Key, t.Sign)
	if err != nil {
		panic(err)
	}
	return s
}

// WebAuthn signs data as a browser at origin does. Only ECDSA keys can.
func (t *Token) WebAuthn(origin string, data []byte) (*pubkey.Signature, error) {
	client := `{"type":"webauthn.get","challenge":"` + base64.RawURLEncoding.EncodeToString(data) +
		`","origin":"` + origin + `","crossOrigin":false}`
	return t.WebAuthnRaw(origin, client, nil)
}

// WebAuthnRaw signs with client data and extensions as given.
func (t *Token) WebAuthnRaw(origin, client string, extensions []byte) (*pubkey.Signature, error) {
	t.Counter++
	blob, err := t.sign(extensions, []byte(client))
	if err != nil {
		return nil, err
	}
	rest := wire.AppendUint32([]byte{t.Flags}, t.Counter)
	rest = wire.AppendText(wire.AppendText(rest, origin), client)
	return &pubkey.Signature{
		Format: pubkey.KeyAlgoWebAuthnSKECDSA256,
		Blob:   blob,
		Rest:   wire.AppendString(rest, extensions),
	}, nil
}

func (t *Token) sign(extensions, message []byte) ([]byte, error) {
	a, m := sha256.Sum256([]byte(t.application)), sha256.Sum256(message)
	b := wire.AppendUint32(append(a[:], t.Flags), t.Counter)
	b = append(append(b, extensions...), m[:]...)
	if t.ed != nil {
		return ed25519.Sign(t.ed, b), nil
	}
	h := sha256.Sum256(b)
	der, err := ecdsa.SignASN1(rand.Reader, t.ec, h[:])
	if err != nil {
		return nil, err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return nil, err
	}
	return wire.AppendMpint(wire.AppendMpint(nil, rs.R.Bytes()), rs.S.Bytes()), nil
}
