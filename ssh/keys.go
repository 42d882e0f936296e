package ssh

import (
	"crypto"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Keys, signers, signatures and certificates have the names and meanings of
// golang.org/x/crypto/ssh.
type (
	// PublicKey is a public key or a certificate.
	PublicKey = pubkey.PublicKey
	// CryptoPublicKey is a PublicKey that the standard library has a type for.
	CryptoPublicKey = pubkey.CryptoPublicKey
	// Signer signs with a private key that may live elsewhere.
	Signer = pubkey.Signer
	// AlgorithmSigner is a Signer that can be told the algorithm.
	AlgorithmSigner = pubkey.AlgorithmSigner
	// MultiAlgorithmSigner is a Signer that says which algorithms it has.
	MultiAlgorithmSigner = pubkey.MultiAlgorithmSigner
	// Signature is a signature with its format.
	Signature = pubkey.Signature
	// Certificate is an OpenSSH certificate.
	Certificate = pubkey.Certificate
	// CertChecker decides whether a certificate is good for a user or a host.
	CertChecker = pubkey.CertChecker
)

// Certificate types.
const (
	UserCert = pubkey.UserCert
	HostCert = pubkey.HostCert
)

// ParsePublicKey reads a key blob (RFC 4253 §6.6).
func ParsePublicKey(blob []byte) (PublicKey, error) { return pubkey.ParsePublicKey(blob) }

// NewPublicKey makes a PublicKey of a key of the standard library.
func NewPublicKey(key any) (PublicKey, error) { return pubkey.NewPublicKey(key) }

// NewSignerFromKey makes a Signer of a private key of the standard library.
func NewSignerFromKey(key any) (Signer, error) { return pubkey.NewSignerFromKey(key) }

// NewSignerFromSigner makes a Signer of a crypto.Signer, such as one that talks
// to a token.
func NewSignerFromSigner(key crypto.Signer) (Signer, error) { return pubkey.NewSignerFromSigner(key) }

// NewCertSigner signs with signer and shows cert.
func NewCertSigner(cert *Certificate, signer Signer) (Signer, error) {
	return pubkey.NewCertSigner(cert, signer)
}

// FingerprintSHA256 is the fingerprint as ssh-keygen -l prints it.
func FingerprintSHA256(key PublicKey) string { return pubkey.FingerprintSHA256(key) }

// FingerprintLegacyMD5 is the fingerprint of old programs, without MD5: before it.
func FingerprintLegacyMD5(key PublicKey) string { return pubkey.FingerprintLegacyMD5(key) }
