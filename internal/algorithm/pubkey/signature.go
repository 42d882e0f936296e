package pubkey

import (
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// ParseSignature decodes a signature blob. What follows the signature proper
// is kept in Rest only for the formats that have something there. Both slices
// alias blob.
func ParseSignature(blob []byte) (*Signature, error) {
	r := wire.NewReader(blob)
	format := r.String()
	s := &Signature{Blob: r.String()}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("pubkey: signature: %w", err)
	}
	if len(format) > wire.MaxName {
		return nil, fmt.Errorf("pubkey: signature: format name of %d bytes", len(format))
	}
	s.Format = string(format)
	if r.Len() > 0 {
		if !hasRest(s.Format) {
			return nil, fmt.Errorf("pubkey: signature: %w", wire.ErrTrailing)
		}
		s.Rest = r.Rest()
	}
	return s, nil
}

func hasRest(format string) bool {
	switch format {
	case KeyAlgoSKED25519, KeyAlgoSKECDSA256, KeyAlgoWebAuthnSKECDSA256:
		return true
	}
	return false
}

// MarshalSignature is the signature blob.
func MarshalSignature(sig *Signature) []byte {
	b := make([]byte, 0, 8+len(sig.Format)+len(sig.Blob)+len(sig.Rest))
	b = wire.AppendString(wire.AppendText(b, sig.Format), sig.Blob)
	return append(b, sig.Rest...)
}

var errRest = errors.New("pubkey: signature has bytes after its end")

// formatIs checks a signature's format and that nothing follows it.
func formatIs(sig *Signature, format string) error {
	if sig == nil {
		return ErrSignature
	}
	if sig.Format != format {
		return &AgreementError{Algorithm: format, KeyType: format, Format: sig.Format}
	}
	if len(sig.Rest) > 0 {
		return errRest
	}
	return nil
}
