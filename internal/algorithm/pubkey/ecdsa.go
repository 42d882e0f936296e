package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// curve is one of RFC 5656's three required curves.
type curve struct {
	name, algorithm string
	group           elliptic.Curve
	size            int // bytes of a coordinate and of a scalar
}

func curveByAlgorithm(algorithm string) *curve {
	switch algorithm {
	case KeyAlgoECDSA256:
		return &curve{"nistp256", KeyAlgoECDSA256, elliptic.P256(), 32}
	case KeyAlgoECDSA384:
		return &curve{"nistp384", KeyAlgoECDSA384, elliptic.P384(), 48}
	case KeyAlgoECDSA521:
		return &curve{"nistp521", KeyAlgoECDSA521, elliptic.P521(), 66}
	}
	return nil
}

func curveByGroup(g elliptic.Curve) *curve {
	switch g {
	case elliptic.P256():
		return curveByAlgorithm(KeyAlgoECDSA256)
	case elliptic.P384():
		return curveByAlgorithm(KeyAlgoECDSA384)
	case elliptic.P521():
		return curveByAlgorithm(KeyAlgoECDSA521)
	}
	return nil
}

// digest hashes data with the hash that belongs to the curve (RFC 5656 §6.2.1).
func (c *curve) digest(data []byte) []byte {
	switch c.size {
	case 32:
		h := sha256.Sum256(data)
		return h[:]
	case 48:
		h := sha512.Sum384(data)
		return h[:]
	}
	h := sha512.Sum512(data)
	return h[:]
}

// parsePoint reads the curve's name and a point in uncompressed form on it.
func (c *curve) parsePoint(r *wire.Reader) (*ecdsa.PublicKey, error) {
	name, q := r.String(), r.String()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if string(name) != c.name {
		return nil, fmt.Errorf("curve %q in a key of type %s", clip(name), c.algorithm) // KEX-12
	}
	if len(q) != 1+2*c.size || q[0] != 4 {
		return nil, errors.New("point is not in uncompressed form")
	}
	return ecdsa.ParseUncompressedPublicKey(c.group, q)
}

// ecdsaKey is an ECDSA public key (RFC 5656 §3.1).
type ecdsaKey struct {
	blob  []byte
	curve *curve
	pub   *ecdsa.PublicKey
}

func (k *ecdsaKey) parse(r *wire.Reader) (err error) {
	k.pub, err = k.curve.parsePoint(r)
	return err
}

func (k *ecdsaKey) Type() string                      { return k.curve.algorithm }
func (k *ecdsaKey) Marshal() []byte                   { return bytes.Clone(k.blob) }
func (k *ecdsaKey) CryptoPublicKey() crypto.PublicKey { return k.pub }

// Verify is RFC 5656 §3.1.2.
func (k *ecdsaKey) Verify(data []byte, sig *Signature) error {
	if err := formatIs(sig, k.curve.algorithm); err != nil {
		return err
	}
	der, err := derSignature(sig.Blob, k.curve.size)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(k.pub, k.curve.digest(data), der) {
		return ErrSignature
	}
	return nil
}

// derSignature turns the two mpints of a signature for a curve with scalars of
// size bytes into the form that crypto/ecdsa takes. An mpint and the content
// of an ASN.1 INTEGER are the same bytes.
func derSignature(blob []byte, size int) ([]byte, error) {
	in := wire.NewReader(blob)
	r, s := in.Mpint(), in.Mpint()
	if err := in.Done(); err != nil {
		return nil, fmt.Errorf("pubkey: ECDSA signature: %w", err)
	}
	if len(r) == 0 || len(s) == 0 || len(r) > size || len(s) > size {
		return nil, ErrSignature
	}
	n := 4 + derLen(r) + derLen(s)
	b := make([]byte, 0, 3+n)
	b = append(b, 0x30)
	if n >= 0x80 {
		b = append(b, 0x81)
	}
	b = append(b, byte(n))
	for _, v := range [...][]byte{r, s} {
		b = append(b, 0x02, byte(derLen(v)))
		if v[0]&0x80 != 0 {
			b = append(b, 0)
		}
		b = append(b, v...)
	}
	return b, nil
}

func derLen(v []byte) int { return len(v) + int(v[0]>>7) }

var errDER = errors.New("pubkey: signer's ECDSA signature is not in ASN.1 form")

// sshSignature turns a signature of crypto/ecdsa's form into two mpints.
func sshSignature(der []byte) ([]byte, error) {
	if len(der) < 2 || der[0] != 0x30 {
		return nil, errDER
	}
	p := der[1:]
	if p[0] == 0x81 {
		p = p[1:]
	}
	if len(p) < 1 || int(p[0]) != len(p)-1 {
		return nil, errDER
	}
	p = p[1:]
	b := make([]byte, 0, len(der)+8)
	for range 2 {
		if len(p) < 3 || p[0] != 2 || p[1] == 0 || int(p[1]) > len(p)-2 || p[2]&0x80 != 0 {
			return nil, errDER
		}
		b = wire.AppendMpint(b, p[2:2+p[1]])
		p = p[2+p[1]:]
	}
	if len(p) != 0 {
		return nil, errDER
	}
	return b, nil
}
