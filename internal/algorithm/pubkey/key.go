package pubkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Errors that callers may act on; what is returned wraps them.
var (
	ErrUnknownType = errors.New("pubkey: unknown key type")
	ErrMalformed   = errors.New("pubkey: malformed key")
	ErrKeySize     = errors.New("pubkey: key size is not taken")
	ErrSignature   = errors.New("pubkey: signature does not verify")
)

func malformed(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}

// ParsePublicKey decodes a key blob: a plain key or a certificate. The whole
// blob must be used up. The blob is copied. Errors wrap ErrUnknownType,
// ErrMalformed or ErrKeySize.
func ParsePublicKey(blob []byte) (PublicKey, error) {
	r := wire.NewReader(blob)
	name := r.String()
	if err := r.Err(); err != nil {
		return nil, malformed("key", err)
	}
	a := keyType(name)
	switch {
	case a == nil:
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, clip(name))
	case a.Cert:
		return parseCertificate(blob, a)
	}
	return parsePlain(blob)
}

// parsePlain decodes the blob of a key that is no certificate: the one way to
// read a certificate's signing key, which may not be one (KEX-14).
func parsePlain(blob []byte) (PublicKey, error) {
	r := wire.NewReader(blob)
	name := r.String()
	a := keyType(name)
	if r.Err() == nil && a == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, clip(name))
	}
	if r.Err() != nil || a.Cert {
		return nil, malformed("key", errNotPlain)
	}
	key, err := parseFields(&r, a.Name)
	if err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, malformed(a.Name, err)
	}
	return key, nil
}

var errNotPlain = errors.New("a plain key is needed here")

// parseFields reads what follows the name of a plain key of type name.
func parseFields(r *wire.Reader, name string) (PublicKey, error) {
	start := *r
	var key PublicKey
	var blob *[]byte
	var err error
	switch name {
	case KeyAlgoED25519:
		k := new(ed25519Key)
		key, blob, err = k, &k.blob, k.parse(r)
	case KeyAlgoECDSA256, KeyAlgoECDSA384, KeyAlgoECDSA521:
		k := &ecdsaKey{curve: curveByAlgorithm(name)}
		key, blob, err = k, &k.blob, k.parse(r)
	case KeyAlgoRSA:
		k := new(rsaKey)
		key, blob, err = k, &k.blob, k.parse(r)
	case KeyAlgoSKED25519, KeyAlgoSKECDSA256:
		k := &skKey{name: name}
		key, blob, err = k, &k.blob, k.parse(r)
	case KeyAlgoMLDSA44ED25519:
		k := new(mldsaKey)
		key, blob, err = k, &k.blob, k.parse(r)
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, name)
	}
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		if errors.Is(err, ErrKeySize) {
			return nil, err
		}
		return nil, malformed(name, err)
	}
	fields := start.Rest()
	fields = fields[:len(fields)-r.Len()]
	b := make([]byte, 0, 4+len(name)+len(fields))
	*blob = append(wire.AppendText(b, name), fields...)
	return key, nil
}

// clip shortens a peer's name for an error message.
func clip(name []byte) []byte {
	return name[:min(len(name), wire.MaxName)]
}

// NewPublicKey makes a key of a standard library public key
// (ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey) or of a private key
// that [NewSignerFromKey] takes.
func NewPublicKey(key any) (PublicKey, error) {
	switch k := key.(type) {
	case PublicKey:
		return k, nil
	case ed25519.PublicKey:
		return parsePlain(wire.AppendString(wire.AppendText(nil, KeyAlgoED25519), k))
	case *ecdsa.PublicKey:
		c := curveByGroup(k.Curve)
		if c == nil {
			return nil, fmt.Errorf("%w: elliptic curve is none of nistp256, nistp384 and nistp521", ErrUnknownType)
		}
		q, err := k.Bytes()
		if err != nil {
			return nil, malformed(c.algorithm, err)
		}
		b := wire.AppendText(wire.AppendText(nil, c.algorithm), c.name)
		return parsePlain(wire.AppendString(b, q))
	case *rsa.PublicKey:
		if k.N == nil || k.N.Sign() <= 0 || k.E <= 0 {
			return nil, malformed(KeyAlgoRSA, errors.New("no modulus or no exponent"))
		}
		return parsePlain(appendRSA(nil, k))
	case *SKPrivateKey:
		return k.PublicKey, nil
	case Signer:
		return k.PublicKey(), nil
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return nil, malformed(KeyAlgoED25519, errors.New("private key of wrong length"))
		}
		return NewPublicKey(k.Public())
	case *ed25519.PrivateKey:
		return NewPublicKey(*k)
	case *ecdsa.PrivateKey:
		return NewPublicKey(&k.PublicKey)
	case *rsa.PrivateKey:
		return NewPublicKey(&k.PublicKey)
	}
	return nil, fmt.Errorf("%w: %T", ErrUnknownType, key)
}

// Equal reports whether two keys are the same: certificates are equal only if
// every byte is.
func Equal(a, b PublicKey) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return bytes.Equal(a.Marshal(), b.Marshal())
}

// Plain is the key itself: what a certificate certifies, or key.
func Plain(key PublicKey) PublicKey {
	if c, ok := key.(*Certificate); ok && c.Key != nil {
		return c.Key
	}
	return key
}

// Bits is the size that `ssh-keygen -l` shows: of the modulus for RSA, of the
// curve for ECDSA, 256 for the rest.
func Bits(key PublicKey) int {
	switch k := Plain(key).(type) {
	case *rsaKey:
		return k.pub.N.BitLen()
	case *ecdsaKey:
		return k.curve.group.Params().BitSize
	}
	return 256
}

// FingerprintSHA256 is "SHA256:" and the unpadded base64 of the key blob's
// SHA-256, as OpenSSH shows it: of a certificate, the certified key's.
func FingerprintSHA256(key PublicKey) string {
	h := sha256.Sum256(Plain(key).Marshal())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(h[:])
}

// FingerprintLegacyMD5 is the MD5 of the key blob in hexadecimal with colons
// (RFC 4716 §4), without a prefix. Of a certificate, the certified key's.
func FingerprintLegacyMD5(key PublicKey) string {
	h := md5.Sum(Plain(key).Marshal())
	b := make([]byte, 0, 3*len(h))
	for i, c := range h {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, []byte{c})
	}
	return string(b)
}
