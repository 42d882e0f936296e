package agent

import (
	"encoding/base64"
	"errors"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// SignatureFlags ask for a signature algorithm (RFC 9987 §3.6.1).
type SignatureFlags uint32

// Flags of a request to sign. Without one an RSA key signs with SHA-1.
const (
	SignatureFlagReserved SignatureFlags = 1 << iota
	SignatureFlagRsaSha256
	SignatureFlagRsaSha512
)

// Agent holds private keys and uses them for others.
type Agent interface {
	// List returns the identities that may be seen.
	List() ([]*Key, error)

	// Sign signs data with the private key that belongs to key, with no flags.
	Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error)

	// Add adds a key, or replaces the one there is.
	Add(key AddedKey) error

	// Remove removes the key.
	Remove(key pubkey.PublicKey) error

	// RemoveAll removes all keys.
	RemoveAll() error

	// Lock locks the agent: it shows and does nothing until it is unlocked
	// with the same passphrase.
	Lock(passphrase []byte) error

	// Unlock undoes Lock.
	Unlock(passphrase []byte) error

	// Signers returns a signer for each identity.
	Signers() ([]pubkey.Signer, error)
}

// ExtendedAgent is an Agent with flags and extensions.
type ExtendedAgent interface {
	Agent

	// SignWithFlags is Sign with flags.
	SignWithFlags(key pubkey.PublicKey, data []byte, flags SignatureFlags) (*pubkey.Signature, error)

	// Extension makes an extension request (RFC 9987 §3.8). The answer is the
	// whole message, its type included; empty means success. An agent that
	// does not know the extension returns ErrExtensionUnsupported.
	Extension(extensionType string, contents []byte) ([]byte, error)
}

// ConnAgent is an Agent that tells its connections apart. ServeAgent asks for
// one Agent per stream and uses that.
type ConnAgent interface {
	Agent

	// NewConn returns the agent as one connection sees it.
	NewConn() ExtendedAgent
}

// SmartcardAgent is an Agent that can take keys from a PKCS#11 provider.
type SmartcardAgent interface {
	// AddSmartcard adds the keys of a provider.
	AddSmartcard(card Smartcard) error

	// RemoveSmartcard removes the keys that came from a provider.
	RemoveSmartcard(provider string, pin []byte) error
}

// Smartcard is what a request to add a provider's keys says.
type Smartcard struct {
	Provider             string // the library's path, as it was given
	PIN                  []byte
	LifetimeSecs         uint32 // as in AddedKey
	ConfirmBeforeUse     bool
	ConstraintExtensions []ConstraintExtension
}

// ConstraintExtension is a constraint that is known by name (RFC 9987 §3.2.7).
// ExtensionDetails is the content of the one string that OpenSSH's extensions
// carry; for [ConstraintAssociatedCerts], which carries two fields, both as
// they are encoded.
type ConstraintExtension struct {
	ExtensionName    string
	ExtensionDetails []byte
}

// AddedKey is a key to add.
type AddedKey struct {
	// PrivateKey is an ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey
	// or a composite or security key as package ssh parses them. A Keyring
	// also takes any crypto.Signer; a Client cannot send that.
	PrivateKey any
	// Certificate, if it is not nil, is what the key is shown as.
	Certificate *pubkey.Certificate
	Comment     string
	// LifetimeSecs, if it is not zero, is after how many seconds the key goes.
	LifetimeSecs uint32
	// ConfirmBeforeUse has each use confirmed by a person.
	ConfirmBeforeUse bool
	// ConstraintExtensions are further constraints. An agent that does not
	// know one of them refuses the key.
	ConstraintExtensions []ConstraintExtension
}

// Key is an identity that an agent shows. It is a public key, of a type that
// this program need not know.
type Key struct {
	Format  string
	Blob    []byte
	Comment string
}

// String is the line of a public key file.
func (k *Key) String() string {
	s := k.Format + " " + base64.StdEncoding.EncodeToString(k.Blob)
	if k.Comment != "" {
		s += " " + k.Comment
	}
	return s
}

// Type is the key's format name.
func (k *Key) Type() string { return k.Format }

// Marshal is the key's blob.
func (k *Key) Marshal() []byte { return k.Blob }

// Verify checks a signature. It fails if the key's type is not known.
func (k *Key) Verify(data []byte, sig *pubkey.Signature) error {
	pub, err := pubkey.ParsePublicKey(k.Blob)
	if err != nil {
		return err
	}
	return pub.Verify(data, sig)
}

// Errors that callers may act on; what is returned may wrap them.
var (
	// ErrFailure is an agent's refusal, which gives no reason.
	ErrFailure = errors.New("agent: the agent refused the request")
	// ErrExtensionUnsupported means that the agent does not know the extension.
	ErrExtensionUnsupported = errors.New("agent: extension unsupported")
	// ErrExtensionFailed means that the agent knows the extension and refused.
	ErrExtensionFailed = errors.New("agent: the agent refused the extension request")
	// ErrLocked is the answer of a locked Keyring.
	ErrLocked = errors.New("agent: locked")
	// ErrNotFound means that there is no such key, or none that may be seen.
	ErrNotFound = errors.New("agent: key not found")
	// ErrConstraint means that a key's constraints cannot be kept or that they
	// forbid what was asked.
	ErrConstraint = errors.New("agent: constraint")
	// ErrProtocol is a message that cannot be understood.
	ErrProtocol = errors.New("agent: malformed message")
)

// flagsOf are the flags that ask for a signature algorithm, and whether the
// protocol can ask for it at all.
func flagsOf(key pubkey.PublicKey, algorithm string) (SignatureFlags, bool) {
	format := pubkey.SignatureFormat(algorithm)
	plain := pubkey.Plain(key).Type()
	if algorithm == "" && plain == pubkey.KeyAlgoRSA {
		format = pubkey.KeyAlgoRSASHA512
	}
	switch {
	case algorithm == "" && plain != pubkey.KeyAlgoRSA:
		return 0, true
	case plain == pubkey.KeyAlgoRSA && format == pubkey.KeyAlgoRSASHA256:
		return SignatureFlagRsaSha256, true
	case plain == pubkey.KeyAlgoRSA && format == pubkey.KeyAlgoRSASHA512:
		return SignatureFlagRsaSha512, true
	}
	return 0, format == plain || format == pubkey.KeyAlgoWebAuthnSKECDSA256 && plain == pubkey.KeyAlgoSKECDSA256
}

// keySigner signs with an agent's key.
type keySigner struct {
	agent ExtendedAgent
	pub   pubkey.PublicKey
}

// signersOf makes signers of a list, leaving out what this program cannot
// parse.
func signersOf(a ExtendedAgent) ([]pubkey.Signer, error) {
	keys, err := a.List()
	if err != nil {
		return nil, err
	}
	var l []pubkey.Signer
	for _, k := range keys {
		if pub, err := pubkey.ParsePublicKey(k.Blob); err == nil {
			l = append(l, &keySigner{a, pub})
		}
	}
	return l, nil
}

func (s *keySigner) PublicKey() pubkey.PublicKey { return s.pub }

// Algorithms lists what the agent protocol can ask for.
func (s *keySigner) Algorithms() []string {
	t := pubkey.Plain(s.pub).Type()
	if t == pubkey.KeyAlgoRSA {
		return []string{pubkey.KeyAlgoRSASHA512, pubkey.KeyAlgoRSASHA256, pubkey.KeyAlgoRSA}
	}
	return []string{t}
}

func (s *keySigner) Sign(rand io.Reader, data []byte) (*pubkey.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm has the agent sign and checks that it did what was asked:
// an old one may answer with SHA-1.
func (s *keySigner) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*pubkey.Signature, error) {
	flags, ok := flagsOf(s.pub, algorithm)
	if !ok {
		return nil, &pubkey.AgreementError{Algorithm: algorithm, KeyType: s.pub.Type()}
	}
	sig, err := s.agent.SignWithFlags(s.pub, data, flags)
	if err != nil {
		return nil, err
	}
	want := pubkey.SignatureFormat(algorithm)
	if want == "" {
		want = s.Algorithms()[0]
	}
	if sig.Format != want {
		return nil, &pubkey.AgreementError{Algorithm: want, KeyType: s.pub.Type(), Format: sig.Format}
	}
	return sig, nil
}
