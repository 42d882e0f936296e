package xcrypto

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"golang.org/x/crypto/ssh"
)

// FromPublicKey converts a public key; a certificate stays one. Types that
// this module does not have, such as DSA, are errors.
func FromPublicKey(key ssh.PublicKey) (pubkey.PublicKey, error) {
	if key == nil {
		return nil, errors.New("xcrypto: no public key")
	}
	if c, ok := key.(*ssh.Certificate); ok && (c.Key == nil || c.SignatureKey == nil || c.Signature == nil) {
		return nil, errUnsigned
	}
	if k, ok := key.(*publicKey); ok {
		return k.key, nil
	}
	k, err := pubkey.ParsePublicKey(key.Marshal())
	if err != nil {
		return nil, fmt.Errorf("xcrypto: public key of type %q: %w", key.Type(), err)
	}
	return k, nil
}

// ToPublicKey converts a public key; a certificate stays one. Of a type that
// x/crypto does not have the result works all the same: it marshals and
// verifies, but x/crypto will not parse it.
func ToPublicKey(key pubkey.PublicKey) (ssh.PublicKey, error) {
	if key == nil {
		return nil, errors.New("xcrypto: no public key")
	}
	if c, ok := key.(*pubkey.Certificate); ok && (c.Type() == "" || c.SignatureKey == nil || c.Signature == nil) {
		return nil, errUnsigned
	}
	if k, err := ssh.ParsePublicKey(key.Marshal()); err == nil {
		return k, nil
	} else if foreign(key) {
		return &publicKey{key}, nil
	} else {
		return nil, fmt.Errorf("xcrypto: public key of type %q: %w", key.Type(), err)
	}
}

var errUnsigned = errors.New("xcrypto: certificate is not signed")

// foreign reports whether x/crypto has no such key, or certificate with such a
// key in it.
func foreign(key pubkey.PublicKey) bool {
	c, ok := key.(*pubkey.Certificate)
	return pubkey.Plain(key).Type() == pubkey.KeyAlgoMLDSA44ED25519 ||
		ok && c.SignatureKey != nil && c.SignatureKey.Type() == pubkey.KeyAlgoMLDSA44ED25519
}

// publicKey is a key that x/crypto does not have.
type publicKey struct{ key pubkey.PublicKey }

func (k *publicKey) Type() string    { return k.key.Type() }
func (k *publicKey) Marshal() []byte { return k.key.Marshal() }

func (k *publicKey) Verify(data []byte, sig *ssh.Signature) error {
	return k.key.Verify(data, FromSignature(sig))
}

// FromCertificate converts a certificate.
func FromCertificate(cert *ssh.Certificate) (*pubkey.Certificate, error) {
	if cert == nil {
		return nil, errUnsigned
	}
	k, err := FromPublicKey(cert)
	if err != nil {
		return nil, err
	}
	return k.(*pubkey.Certificate), nil
}

// ToCertificate converts a certificate. Types that x/crypto does not have are
// errors.
func ToCertificate(cert *pubkey.Certificate) (*ssh.Certificate, error) {
	if cert == nil || cert.Type() == "" || cert.SignatureKey == nil || cert.Signature == nil {
		return nil, errUnsigned
	}
	k, err := ssh.ParsePublicKey(cert.Marshal())
	if err != nil {
		return nil, fmt.Errorf("xcrypto: certificate of type %q: %w", cert.Type(), err)
	}
	return k.(*ssh.Certificate), nil
}

// FromSignature converts a signature. The bytes are shared.
func FromSignature(sig *ssh.Signature) *pubkey.Signature {
	if sig == nil {
		return nil
	}
	return &pubkey.Signature{Format: sig.Format, Blob: sig.Blob, Rest: sig.Rest}
}

// ToSignature converts a signature. The bytes are shared.
func ToSignature(sig *pubkey.Signature) *ssh.Signature {
	if sig == nil {
		return nil
	}
	return &ssh.Signature{Format: sig.Format, Blob: sig.Blob, Rest: sig.Rest}
}

// FromSigner converts a signer, wherever its private key lives. It can be told
// an algorithm if the original can; its Sign uses the preferred one, where the
// original's uses SHA-1 for RSA keys.
func FromSigner(s ssh.Signer) (pubkey.Signer, error) {
	if s == nil {
		return nil, errors.New("xcrypto: no signer")
	}
	if t, ok := s.(*toSigner); ok {
		return t.signer, nil
	}
	pub, err := FromPublicKey(s.PublicKey())
	if err != nil {
		return nil, err
	}
	f := fromSigner{s, pub}
	switch s := s.(type) {
	case ssh.MultiAlgorithmSigner:
		return &fromMulti{fromAlgorithm{f, s}, slices.Clone(s.Algorithms())}, nil
	case ssh.AlgorithmSigner:
		return &fromAlgorithm{f, s}, nil
	}
	return &f, nil
}

type fromSigner struct {
	signer ssh.Signer
	pub    pubkey.PublicKey
}

func (s *fromSigner) PublicKey() pubkey.PublicKey { return s.pub }

func (s *fromSigner) Sign(random io.Reader, data []byte) (*pubkey.Signature, error) {
	return from(s.signer.Sign(source(random), data))
}

type fromAlgorithm struct {
	fromSigner
	told ssh.AlgorithmSigner
}

func (s *fromAlgorithm) Sign(random io.Reader, data []byte) (*pubkey.Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

func (s *fromAlgorithm) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*pubkey.Signature, error) {
	if algorithm == "" && pubkey.RSABits(s.pub) > 0 {
		algorithm = pubkey.KeyAlgoRSASHA512
	}
	return from(s.told.SignWithAlgorithm(source(random), data, algorithm))
}

type fromMulti struct {
	fromAlgorithm
	algorithms []string
}

func (s *fromMulti) Algorithms() []string { return slices.Clone(s.algorithms) }

func (s *fromMulti) Sign(random io.Reader, data []byte) (*pubkey.Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

// SignWithAlgorithm prefers as x/crypto's signers list: for RSA keys they have
// SHA-2 in front.
func (s *fromMulti) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*pubkey.Signature, error) {
	if algorithm == "" && len(s.algorithms) > 0 {
		algorithm = s.algorithms[0]
	}
	return s.fromAlgorithm.SignWithAlgorithm(random, data, algorithm)
}

// ToSigner converts a signer, wherever its private key lives. As x/crypto
// wants it, Sign uses the algorithm that is called like the key's type (SHA-1
// for RSA keys) if the signer has it; x/crypto itself always asks for one by
// name.
func ToSigner(s pubkey.Signer) (ssh.MultiAlgorithmSigner, error) {
	if s == nil {
		return nil, errors.New("xcrypto: no signer")
	}
	pub, err := ToPublicKey(s.PublicKey())
	if err != nil {
		return nil, err
	}
	return &toSigner{s, pub}, nil
}

type toSigner struct {
	signer pubkey.Signer
	pub    ssh.PublicKey
}

func (s *toSigner) PublicKey() ssh.PublicKey { return s.pub }
func (s *toSigner) Algorithms() []string     { return pubkey.SignerAlgorithms(s.signer) }

func (s *toSigner) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

func (s *toSigner) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if algorithm == "" {
		algorithm = pubkey.Plain(s.signer.PublicKey()).Type()
		if l := s.Algorithms(); !slices.Contains(l, algorithm) && len(l) > 0 {
			algorithm = l[0]
		}
	}
	sig, err := pubkey.SignWith(s.signer, random, data, algorithm)
	return ToSignature(sig), err
}

func from(sig *ssh.Signature, err error) (*pubkey.Signature, error) {
	if err != nil {
		return nil, err
	}
	if sig == nil {
		return nil, errors.New("xcrypto: signer returned nothing")
	}
	return FromSignature(sig), nil
}

// source is what x/crypto takes for random: it has no use for nil.
func source(random io.Reader) io.Reader {
	if random == nil {
		return rand.Reader
	}
	return random
}
