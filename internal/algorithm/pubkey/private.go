package pubkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/nacre-ssh/nacre/internal/wire"
)

var errHalves = errors.New("public and private half do not belong together")

// PrivateKey is a key pair as key files and agents hold it. Key is one of
// ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey,
// *MLDSA44ED25519PrivateKey and *SKPrivateKey.
type PrivateKey struct {
	Key         any
	Certificate *Certificate // of the same key, or nil
}

// PublicKey is the certificate if there is one, else the public half.
func (p *PrivateKey) PublicKey() (PublicKey, error) {
	if p.Certificate != nil {
		return p.Certificate, nil
	}
	return NewPublicKey(p.Key)
}

// Signer signs with the key and shows the certificate if there is one.
func (p *PrivateKey) Signer() (Signer, error) {
	s, err := NewSignerFromKey(p.Key)
	if err != nil || p.Certificate == nil {
		return s, err
	}
	return NewCertSigner(p.Certificate, s)
}

// PrivateOf is the pair behind a signer that this package made, nil if the
// private half lives elsewhere.
func PrivateOf(s Signer) *PrivateKey {
	switch s := s.(type) {
	case *cryptoSigner:
		switch s.signer.(type) {
		case ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey:
			return &PrivateKey{Key: s.signer}
		}
	case *MLDSA44ED25519PrivateKey:
		return &PrivateKey{Key: s}
	case *skSigner:
		return &PrivateKey{Key: s.key}
	case *certSigner:
		if p := PrivateOf(s.signer); p != nil {
			return &PrivateKey{p.Key, s.cert}
		}
	case *restrictedSigner:
		return PrivateOf(s.AlgorithmSigner)
	}
	return nil
}

// Append appends the pair in the form of the agent protocol's
// SSH_AGENTC_ADD_IDENTITY (RFC 9987 §3.2), which is also that of OpenSSH's key
// files: the type, then the fields that belong to it.
func (p *PrivateKey) Append(b []byte) ([]byte, error) {
	if s, ok := p.Key.(Signer); ok {
		if q := PrivateOf(s); q != nil && q.Key != p.Key {
			if p.Certificate != nil {
				q.Certificate = p.Certificate
			}
			return q.Append(b)
		}
	}
	pub, err := NewPublicKey(p.Key)
	if err != nil {
		return nil, err
	}
	name, cert := pub.Type(), false
	if c := p.Certificate; c != nil {
		if !Equal(c.Key, pub) {
			return nil, errors.New("pubkey: certificate belongs to another key")
		}
		name, cert = c.Type(), true
	}
	b = wire.AppendText(b, name)
	if cert {
		b = wire.AppendString(b, p.Certificate.Marshal())
	}
	switch k := p.Key.(type) {
	case ed25519.PrivateKey:
		return appendEd25519(b, k), nil
	case *ed25519.PrivateKey:
		return appendEd25519(b, *k), nil
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			return nil, malformed(name, err)
		}
		if !cert {
			c := pub.(*ecdsaKey)
			q, err := c.pub.Bytes()
			if err != nil {
				return nil, malformed(name, err)
			}
			b = wire.AppendString(wire.AppendText(b, c.curve.name), q)
		}
		return wire.AppendMpint(b, d), nil
	case *rsa.PrivateKey:
		if len(k.Primes) != 2 {
			return nil, malformed(name, fmt.Errorf("%d primes, not 2", len(k.Primes)))
		}
		k.Precompute()
		if k.Precomputed.Qinv == nil {
			return nil, malformed(name, k.Validate())
		}
		if !cert {
			b = wire.AppendMpint(b, k.N.Bytes())
			b = wire.AppendMpint(b, big.NewInt(int64(k.E)).Bytes())
		}
		for _, v := range [...]*big.Int{k.D, k.Precomputed.Qinv, k.Primes[0], k.Primes[1]} {
			b = wire.AppendMpint(b, v.Bytes())
		}
		return b, nil
	case *MLDSA44ED25519PrivateKey:
		if !cert {
			b = wire.AppendString(b, k.pub.(*mldsaKey).pub)
		}
		return wire.AppendString(b, k.seed[:]), nil
	case *SKPrivateKey:
		s, ok := Plain(k.PublicKey).(*skKey)
		if !ok {
			return nil, fmt.Errorf("%w: not a security key", ErrUnknownType)
		}
		if !cert {
			if s.ed != nil {
				b = wire.AppendString(b, s.ed)
			} else {
				q, err := s.ec.Bytes()
				if err != nil {
					return nil, malformed(name, err)
				}
				b = wire.AppendString(wire.AppendText(b, "nistp256"), q)
			}
		}
		b = append(wire.AppendText(b, s.application), k.Flags)
		return wire.AppendString(wire.AppendString(b, k.KeyHandle), k.Reserved), nil
	}
	return nil, fmt.Errorf("%w: %T cannot be written", ErrUnknownType, p.Key)
}

// appendEd25519 appends both halves; a certificate does not spare the public
// one here.
func appendEd25519(b []byte, k ed25519.PrivateKey) []byte {
	return wire.AppendString(wire.AppendString(b, k[ed25519.SeedSize:]), k)
}

// ReadPrivateKey reads a pair in the form that Append writes. The public half
// is derived from the private one and compared (KEX-17); a certificate must be
// of that key. What follows the key is left in r.
func ReadPrivateKey(r *wire.Reader) (*PrivateKey, error) {
	name := r.String()
	if err := r.Err(); err != nil {
		return nil, malformed("private key", err)
	}
	a := keyType(name)
	if a == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, clip(name))
	}
	p := new(PrivateKey)
	var certified PublicKey
	plain := a.Name
	if a.Cert {
		key, err := ParsePublicKey(r.String())
		if err != nil {
			return nil, err
		}
		c, ok := key.(*Certificate)
		if !ok || c.Type() != a.Name {
			return nil, malformed(a.Name, errors.New("certificate of another type"))
		}
		p.Certificate, certified, plain = c, c.Key, plainRow(a).Name
	}
	var err error
	switch plain {
	case KeyAlgoED25519:
		p.Key, err = readEd25519(r)
	case KeyAlgoECDSA256, KeyAlgoECDSA384, KeyAlgoECDSA521:
		p.Key, err = readECDSA(r, curveByAlgorithm(plain), certified)
	case KeyAlgoRSA:
		p.Key, err = readRSA(r, certified)
	case KeyAlgoMLDSA44ED25519:
		p.Key, err = readMLDSA(r, certified)
	case KeyAlgoSKED25519, KeyAlgoSKECDSA256:
		p.Key, err = readSK(r, plain, certified)
	}
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return nil, malformed(a.Name, err)
	}
	if certified != nil {
		pub, err := NewPublicKey(p.Key)
		if err != nil {
			return nil, err
		}
		if !Equal(pub, certified) {
			return nil, malformed(a.Name, errHalves)
		}
	}
	return p, nil
}

func readEd25519(r *wire.Reader) (any, error) {
	pub, priv := r.String(), r.String()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(priv) != ed25519.PrivateKeySize || len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("halves of %d and %d bytes", len(pub), len(priv))
	}
	k := ed25519.NewKeyFromSeed(priv[:ed25519.SeedSize])
	if !bytes.Equal(k, priv) || !bytes.Equal(k[ed25519.SeedSize:], pub) {
		return nil, errHalves
	}
	return k, nil
}

func readECDSA(r *wire.Reader, c *curve, certified PublicKey) (any, error) {
	var pub *ecdsa.PublicKey
	if certified == nil {
		var err error
		if pub, err = c.parsePoint(r); err != nil {
			return nil, err
		}
	} else {
		pub = certified.(*ecdsaKey).pub
	}
	d := r.Mpint()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return newECDSA(c, d, pub)
}

// newECDSA makes a private key of its scalar and compares it with pub unless
// that is nil.
func newECDSA(c *curve, d []byte, pub *ecdsa.PublicKey) (*ecdsa.PrivateKey, error) {
	if len(d) > c.size {
		return nil, errors.New("scalar is too long")
	}
	k, err := ecdsa.ParseRawPrivateKey(c.group, append(make([]byte, c.size-len(d), c.size), d...))
	if err != nil {
		return nil, err
	}
	if pub != nil && !k.PublicKey.Equal(pub) {
		return nil, errHalves
	}
	return k, nil
}

func readRSA(r *wire.Reader, certified PublicKey) (any, error) {
	var n, e []byte
	if certified == nil {
		n, e = r.Mpint(), r.Mpint()
	}
	d, iqmp, p, q := r.Mpint(), r.Mpint(), r.Mpint(), r.Mpint()
	if err := r.Err(); err != nil {
		return nil, err
	}
	var pub *rsa.PublicKey
	if certified == nil {
		var err error
		if pub, err = newRSA(n, e); err != nil {
			return nil, err
		}
	} else {
		pub = &certified.(*rsaKey).pub
	}
	if len(iqmp) == 0 {
		return nil, errHalves
	}
	return newRSAPrivate(pub, d, p, q, iqmp)
}

// newRSAPrivate makes a private key and checks that everything in it belongs
// together (FIL-2). qinv may be nil.
func newRSAPrivate(pub *rsa.PublicKey, d, p, q, qinv []byte) (*rsa.PrivateKey, error) {
	if len(p) > maxPrimeBytes || len(q) > maxPrimeBytes || len(d) > pub.Size() || len(qinv) > pub.Size() {
		return nil, errors.New("RSA parameter is too long")
	}
	k := &rsa.PrivateKey{
		PublicKey: *pub,
		D:         new(big.Int).SetBytes(d),
		Primes:    []*big.Int{new(big.Int).SetBytes(p), new(big.Int).SetBytes(q)},
	}
	k.Precompute()
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if qinv != nil && (k.Precomputed.Qinv == nil || k.Precomputed.Qinv.Cmp(new(big.Int).SetBytes(qinv)) != 0) {
		return nil, errHalves
	}
	return k, nil
}

// NewRSAPrivateKey makes a private key of big-endian numbers: modulus, public
// and private exponent and the two primes. Sizes are checked before numbers
// are made, and whether all of them belong together after.
func NewRSAPrivateKey(n, e, d, p, q []byte) (*rsa.PrivateKey, error) {
	trim := func(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }
	pub, err := newRSA(trim(n), trim(e))
	if err == nil {
		var k *rsa.PrivateKey
		if k, err = newRSAPrivate(pub, trim(d), trim(p), trim(q), nil); err == nil {
			return k, nil
		}
	}
	return nil, malformed(KeyAlgoRSA, err)
}

// NewECDSAPrivateKey makes a private key on the curve "nistp256", "nistp384"
// or "nistp521" of its big-endian scalar. point, the public half in
// uncompressed form, is compared with what the scalar gives; it may be nil.
func NewECDSAPrivateKey(curveName string, scalar, point []byte) (*ecdsa.PrivateKey, error) {
	c := curveByAlgorithm("ecdsa-sha2-" + curveName)
	if c == nil {
		return nil, fmt.Errorf("%w: curve %q", ErrUnknownType, curveName)
	}
	var pub *ecdsa.PublicKey
	if point != nil {
		r := wire.NewReader(wire.AppendString(wire.AppendText(nil, c.name), point))
		var err error
		if pub, err = c.parsePoint(&r); err != nil {
			return nil, malformed(c.algorithm, err)
		}
	}
	k, err := newECDSA(c, bytes.TrimLeft(scalar, "\x00"), pub)
	if err != nil {
		return nil, malformed(c.algorithm, err)
	}
	return k, nil
}

func readMLDSA(r *wire.Reader, certified PublicKey) (any, error) {
	var pub []byte
	if certified == nil {
		pub = r.String()
	} else {
		pub = certified.(*mldsaKey).pub
	}
	seed := r.String()
	if err := r.Err(); err != nil {
		return nil, err
	}
	k, err := NewMLDSA44ED25519FromSeed(seed)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(k.pub.(*mldsaKey).pub, pub) {
		return nil, errHalves
	}
	return k, nil
}

// readSK reads a security key's fields. The application stands behind the
// public fields and, with a certificate, must be the certified one.
func readSK(r *wire.Reader, name string, certified PublicKey) (any, error) {
	k := new(SKPrivateKey)
	if certified == nil {
		pub, err := parseFields(r, name)
		if err != nil {
			return nil, err
		}
		k.PublicKey = pub
	} else {
		k.PublicKey = certified
		if app := r.Name(); r.Err() == nil && app != certified.(*skKey).application {
			return nil, errHalves
		}
	}
	k.Flags, k.KeyHandle, k.Reserved = r.Byte(), bytes.Clone(r.String()), bytes.Clone(r.String())
	if k.Reserved == nil {
		k.Reserved = []byte{}
	}
	return k, nil
}
