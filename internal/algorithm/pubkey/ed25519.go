package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// ed25519Key is an Ed25519 public key (RFC 8709 §4).
type ed25519Key struct {
	blob []byte
	pub  ed25519.PublicKey
}

func (k *ed25519Key) parse(r *wire.Reader) error {
	p := r.String()
	if r.Err() == nil && len(p) != ed25519.PublicKeySize {
		return fmt.Errorf("%d bytes of public key, not %d", len(p), ed25519.PublicKeySize)
	}
	k.pub = bytes.Clone(p)
	return nil
}

func (k *ed25519Key) Type() string                      { return KeyAlgoED25519 }
func (k *ed25519Key) Marshal() []byte                   { return bytes.Clone(k.blob) }
func (k *ed25519Key) CryptoPublicKey() crypto.PublicKey { return k.pub }

// Verify is RFC 8709 §6. The library refuses an S that is not reduced (KEX-15).
func (k *ed25519Key) Verify(data []byte, sig *Signature) error {
	if err := formatIs(sig, KeyAlgoED25519); err != nil {
		return err
	}
	if len(sig.Blob) != ed25519.SignatureSize || !ed25519.Verify(k.pub, data, sig.Blob) {
		return ErrSignature
	}
	return nil
}
