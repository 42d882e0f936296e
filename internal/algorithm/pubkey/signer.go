package pubkey

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
)

// NewSignerFromKey makes a signer of a private key: ed25519.PrivateKey (or a
// pointer to one), *ecdsa.PrivateKey, *rsa.PrivateKey,
// *MLDSA44ED25519PrivateKey, *SKPrivateKey (which can only name its public
// key), any other crypto.Signer, or a Signer, which is returned as it is.
func NewSignerFromKey(key any) (Signer, error) {
	switch k := key.(type) {
	case Signer:
		return k, nil
	case *SKPrivateKey:
		return NewSKSigner(k, nil)
	case *ed25519.PrivateKey:
		return NewSignerFromKey(*k)
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return nil, malformed(KeyAlgoED25519, errors.New("private key of wrong length"))
		}
		if !ed25519.NewKeyFromSeed(k.Seed()).Equal(k) {
			return nil, malformed(KeyAlgoED25519, errHalves) // KEX-17
		}
		return NewSignerFromSigner(k)
	case crypto.Signer:
		return NewSignerFromSigner(k)
	}
	return nil, fmt.Errorf("%w: %T cannot sign", ErrUnknownType, key)
}

// NewSignerFromSigner makes a signer of a crypto.Signer whose public key is an
// Ed25519, ECDSA or RSA key: one in memory, on a token or in another process.
func NewSignerFromSigner(s crypto.Signer) (MultiAlgorithmSigner, error) {
	pub, err := NewPublicKey(s.Public())
	if err != nil {
		return nil, err
	}
	if k, ok := s.(*rsa.PrivateKey); ok {
		k.Precompute() // else every signature does
	}
	return &cryptoSigner{s, pub}, nil
}

// cryptoSigner signs with a crypto.Signer.
type cryptoSigner struct {
	signer crypto.Signer
	pub    PublicKey
}

func (s *cryptoSigner) PublicKey() PublicKey { return s.pub }
func (s *cryptoSigner) Algorithms() []string { return keyAlgorithms(s.pub) }

// keyAlgorithms is what a key's signer may be told, most wanted first.
func keyAlgorithms(key PublicKey) []string {
	t := Plain(key).Type()
	if t == KeyAlgoRSA {
		return []string{KeyAlgoRSASHA512, KeyAlgoRSASHA256, KeyAlgoRSA}
	}
	return []string{t}
}

func (s *cryptoSigner) Sign(random io.Reader, data []byte) (*Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

func (s *cryptoSigner) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*Signature, error) {
	if random == nil {
		random = rand.Reader
	}
	algs := s.Algorithms()
	if algorithm == "" {
		algorithm = algs[0]
	} else if !slices.Contains(algs, algorithm) {
		return nil, &AgreementError{Algorithm: algorithm, KeyType: s.pub.Type()}
	}
	sig := &Signature{Format: algorithm}
	var err error
	switch k := s.pub.(type) {
	case *ed25519Key:
		sig.Blob, err = s.signer.Sign(random, data, crypto.Hash(0))
	case *ecdsaKey:
		var der []byte
		der, err = s.signer.Sign(random, k.curve.digest(data), k.curve.hash())
		if err == nil {
			sig.Blob, err = sshSignature(der)
		}
	case *rsaKey:
		hash := rsaHash(algorithm)
		h := hash.New()
		h.Write(data)
		sig.Blob, err = s.signer.Sign(random, h.Sum(nil), hash)
		if err == nil {
			// One faulty signature would give the factors away (KEX-9).
			err = k.Verify(data, sig)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("pubkey: signing with %s: %w", algorithm, err)
	}
	return sig, nil
}

// hash names the digest's algorithm for signers that live elsewhere.
func (c *curve) hash() crypto.Hash {
	switch c.size {
	case 32:
		return crypto.SHA256
	case 48:
		return crypto.SHA384
	}
	return crypto.SHA512
}

// SignerAlgorithms lists what a signer may be told, without certificate
// suffixes: its own list, or what its key's type allows if it can be told at
// all, or the one algorithm of its type.
func SignerAlgorithms(s Signer) []string {
	switch s := s.(type) {
	case MultiAlgorithmSigner:
		return s.Algorithms()
	case AlgorithmSigner:
		return keyAlgorithms(s.PublicKey())
	}
	return []string{Plain(s.PublicKey()).Type()}
}

// SignWith signs with the named algorithm, which may be a certificate's name.
// A signer that cannot be told must happen to use it. The signature's format
// is checked. A nil random means crypto/rand.
func SignWith(s Signer, random io.Reader, data []byte, algorithm string) (*Signature, error) {
	format := SignatureFormat(algorithm)
	if random == nil {
		random = rand.Reader
	}
	var sig *Signature
	var err error
	if as, ok := s.(AlgorithmSigner); ok {
		sig, err = as.SignWithAlgorithm(random, data, format)
	} else {
		sig, err = s.Sign(random, data)
	}
	if err != nil {
		return nil, err
	}
	if sig == nil || sig.Format != format {
		e := &AgreementError{Algorithm: algorithm, KeyType: s.PublicKey().Type()}
		if sig != nil {
			e.Format = sig.Format
		}
		return nil, e
	}
	return sig, nil
}

// NewSignerWithAlgorithms restricts a signer to some of its algorithms, in
// order of preference and without certificate names.
func NewSignerWithAlgorithms(s AlgorithmSigner, algorithms []string) (MultiAlgorithmSigner, error) {
	if len(algorithms) == 0 {
		return nil, errors.New("pubkey: a signer needs at least one algorithm")
	}
	can := SignerAlgorithms(s)
	for _, a := range algorithms {
		if !slices.Contains(can, a) {
			return nil, &AgreementError{Algorithm: a, KeyType: s.PublicKey().Type()}
		}
	}
	return &restrictedSigner{s, slices.Clone(algorithms)}, nil
}

type restrictedSigner struct {
	AlgorithmSigner
	algorithms []string
}

func (s *restrictedSigner) Algorithms() []string { return slices.Clone(s.algorithms) }

func (s *restrictedSigner) Sign(random io.Reader, data []byte) (*Signature, error) {
	return s.SignWithAlgorithm(random, data, "")
}

func (s *restrictedSigner) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*Signature, error) {
	if algorithm == "" {
		algorithm = s.algorithms[0]
	}
	if !slices.Contains(s.algorithms, algorithm) {
		return nil, &AgreementError{Algorithm: algorithm, KeyType: s.PublicKey().Type()}
	}
	return s.AlgorithmSigner.SignWithAlgorithm(random, data, algorithm)
}
