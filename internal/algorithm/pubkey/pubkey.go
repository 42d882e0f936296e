package pubkey

import (
	"crypto"
	"io"
)

// PublicKey is a public key of any kind, a certificate included. The names
// and meanings are those of golang.org/x/crypto/ssh.
type PublicKey interface {
	// Type is the key's format name, for example "ssh-ed25519" or
	// "ssh-rsa-cert-v01@openssh.com" (RFC 4253 §6.6).
	Type() string
	// Marshal is the key blob, beginning with its format name.
	Marshal() []byte
	// Verify checks sig over data. It returns nil only for a good signature
	// whose format belongs to this key.
	Verify(data []byte, sig *Signature) error
}

// CryptoPublicKey is implemented by keys that exist in the standard library.
type CryptoPublicKey interface {
	CryptoPublicKey() crypto.PublicKey
}

// Signature is a decoded signature blob (RFC 4253 §6.6). Rest holds what
// security keys and webauthn put behind the signature proper: flags, counter
// and so on.
type Signature struct {
	Format string
	Blob   []byte
	Rest   []byte
}

// Signer makes signatures with a private key that may live elsewhere: in an
// agent, in a monitor process, on a token.
type Signer interface {
	PublicKey() PublicKey
	// Sign signs with the key's preferred algorithm (rsa-sha2-512 for RSA).
	// A nil rand means crypto/rand.
	Sign(rand io.Reader, data []byte) (*Signature, error)
}

// AlgorithmSigner can be told the signature algorithm.
type AlgorithmSigner interface {
	Signer
	// SignWithAlgorithm signs with the named algorithm, for example
	// "rsa-sha2-256"; an empty name means the preferred one.
	SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*Signature, error)
}

// MultiAlgorithmSigner says which algorithms it may be told.
type MultiAlgorithmSigner interface {
	AlgorithmSigner
	// Algorithms lists signature algorithms in order of preference, without
	// certificate suffixes.
	Algorithms() []string
}
