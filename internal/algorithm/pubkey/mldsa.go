package pubkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"io"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Sizes of the composite of ML-DSA-44 and Ed25519: the parts stand one behind
// the other.
const (
	mldsaPublicSize    = mldsa44.PublicKeySize + ed25519.PublicKeySize // 1344
	mldsaSignatureSize = mldsa44.SignatureSize + ed25519.SignatureSize // 2484
	mldsaSeedSize      = mldsa44.SeedSize + ed25519.SeedSize           // 64

	compositePrefix = "CompositeAlgorithmSignatures2025"
	compositeLabel  = "COMPSIG-MLDSA44-Ed25519-SHA512"
)

// compositeMessage is what both halves sign: prefix, label, an empty context
// and the message's SHA-512.
func compositeMessage(data []byte) []byte {
	h := sha512.Sum512(data)
	b := make([]byte, 0, len(compositePrefix)+len(compositeLabel)+1+len(h))
	b = append(append(b, compositePrefix...), compositeLabel...)
	return append(append(b, 0), h[:]...)
}

// mldsaKey is a composite public key: ML-DSA-44's and Ed25519's.
type mldsaKey struct{ blob, pub []byte }

func (k *mldsaKey) parse(r *wire.Reader) error {
	p := r.String()
	if r.Err() == nil && len(p) != mldsaPublicSize {
		return fmt.Errorf("%d bytes of public key, not %d", len(p), mldsaPublicSize)
	}
	k.pub = bytes.Clone(p)
	return nil
}

func (k *mldsaKey) Type() string    { return KeyAlgoMLDSA44ED25519 }
func (k *mldsaKey) Marshal() []byte { return bytes.Clone(k.blob) }

// Verify demands that both signatures are good.
func (k *mldsaKey) Verify(data []byte, sig *Signature) error {
	if err := formatIs(sig, KeyAlgoMLDSA44ED25519); err != nil {
		return err
	}
	if len(sig.Blob) != mldsaSignatureSize {
		return ErrSignature
	}
	// Unpacking expands a matrix: it is not worth doing before a signature
	// is there.
	var pub mldsa44.PublicKey
	if err := pub.UnmarshalBinary(k.pub[:mldsa44.PublicKeySize]); err != nil {
		return ErrSignature
	}
	m := compositeMessage(data)
	good := mldsa44.Verify(&pub, m, []byte(compositeLabel), sig.Blob[:mldsa44.SignatureSize])
	good = ed25519.Verify(k.pub[mldsa44.PublicKeySize:], m, sig.Blob[mldsa44.SignatureSize:]) && good
	if !good {
		return ErrSignature
	}
	return nil
}

// MLDSA44ED25519PrivateKey is the private half of a composite key: the two
// seeds. It is expanded for each signature.
type MLDSA44ED25519PrivateKey struct {
	seed [mldsaSeedSize]byte
	pub  PublicKey
}

// GenerateMLDSA44ED25519 makes a new key. A nil reader means crypto/rand.
func GenerateMLDSA44ED25519(random io.Reader) (*MLDSA44ED25519PrivateKey, error) {
	if random == nil {
		random = rand.Reader
	}
	var seed [mldsaSeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("pubkey: random seed: %w", err)
	}
	return NewMLDSA44ED25519FromSeed(seed[:])
}

// NewMLDSA44ED25519FromSeed makes the key of 64 bytes: ML-DSA's seed and
// Ed25519's.
func NewMLDSA44ED25519FromSeed(seed []byte) (*MLDSA44ED25519PrivateKey, error) {
	if len(seed) != mldsaSeedSize {
		return nil, malformed(KeyAlgoMLDSA44ED25519, fmt.Errorf("%d bytes of seed, not %d", len(seed), mldsaSeedSize))
	}
	k := new(MLDSA44ED25519PrivateKey)
	copy(k.seed[:], seed)
	ml, ed := k.expand()
	pub := &mldsaKey{pub: append(ml.Public().(*mldsa44.PublicKey).Bytes(), ed[ed25519.SeedSize:]...)}
	pub.blob = wire.AppendString(wire.AppendText(nil, KeyAlgoMLDSA44ED25519), pub.pub)
	k.pub = pub
	return k, nil
}

func (k *MLDSA44ED25519PrivateKey) expand() (*mldsa44.PrivateKey, ed25519.PrivateKey) {
	_, ml := mldsa44.NewKeyFromSeed((*[mldsa44.SeedSize]byte)(k.seed[:]))
	return ml, ed25519.NewKeyFromSeed(k.seed[mldsa44.SeedSize:])
}

// Seed is the 64 bytes that key files hold.
func (k *MLDSA44ED25519PrivateKey) Seed() []byte { return bytes.Clone(k.seed[:]) }

// PublicKey is the public half.
func (k *MLDSA44ED25519PrivateKey) PublicKey() PublicKey { return k.pub }

// Algorithms is the one algorithm.
func (k *MLDSA44ED25519PrivateKey) Algorithms() []string { return []string{KeyAlgoMLDSA44ED25519} }

// Sign signs with both halves. The randomness is crypto/rand's.
func (k *MLDSA44ED25519PrivateKey) Sign(_ io.Reader, data []byte) (*Signature, error) {
	ml, ed := k.expand()
	m := compositeMessage(data)
	b := make([]byte, mldsa44.SignatureSize, mldsaSignatureSize)
	if err := mldsa44.SignTo(ml, m, []byte(compositeLabel), true, b); err != nil {
		return nil, fmt.Errorf("pubkey: ML-DSA: %w", err)
	}
	return &Signature{Format: KeyAlgoMLDSA44ED25519, Blob: append(b, ed25519.Sign(ed, m)...)}, nil
}

// SignWithAlgorithm is Sign for the one name there is.
func (k *MLDSA44ED25519PrivateKey) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*Signature, error) {
	if algorithm != "" && algorithm != KeyAlgoMLDSA44ED25519 {
		return nil, &AgreementError{Algorithm: algorithm, KeyType: KeyAlgoMLDSA44ED25519}
	}
	return k.Sign(random, data)
}
