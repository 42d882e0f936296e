package pubkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Flags of a security key: the first two stand in its signatures and, as what
// is asked of it, in its private half; the last two in one of them only.
const (
	SKUserPresence     = 0x01 // touched
	SKUserVerification = 0x04 // PIN or biometry
	SKForceOperation   = 0x10 // private half: overwrite when enrolling
	SKResident         = 0x20 // private half: kept on the token
	skAttestedData     = 0x40 // signature: never in an assertion
	skExtensionData    = 0x80 // signature: extensions follow (webauthn)
)

// Errors of security key signatures that are good but for their flags.
var (
	ErrTouch            = errors.New("pubkey: signature was made without a touch of the security key")
	ErrUserVerification = errors.New("pubkey: signature was made without the security key's PIN")
	ErrNoAuthenticator  = errors.New("pubkey: no security key to sign with")
)

// SKOptions is what is asked of a security key's signature. The zero value
// demands a touch and no PIN.
type SKOptions struct {
	NoTouchRequired bool // no-touch-required, of authorized_keys or the certificate
	VerifyRequired  bool // verify-required
}

func (o SKOptions) check(flags byte) error {
	if flags&SKUserPresence == 0 && !o.NoTouchRequired {
		return ErrTouch
	}
	if flags&SKUserVerification == 0 && o.VerifyRequired {
		return ErrUserVerification
	}
	return nil
}

// skKey is the public key of a FIDO token: an Ed25519 key or one on nistp256,
// bound to an application. Exactly one of ed and ec is set.
type skKey struct {
	blob        []byte
	name        string
	ed          ed25519.PublicKey
	ec          *ecdsa.PublicKey
	application string
}

func (k *skKey) parse(r *wire.Reader) (err error) {
	if k.name == KeyAlgoSKED25519 {
		var plain ed25519Key
		err = plain.parse(r)
		k.ed = plain.pub
	} else {
		k.ec, err = curveByAlgorithm(KeyAlgoECDSA256).parsePoint(r)
	}
	k.application = r.Name()
	return err
}

func (k *skKey) Type() string    { return k.name }
func (k *skKey) Marshal() []byte { return bytes.Clone(k.blob) }

func (k *skKey) CryptoPublicKey() crypto.PublicKey {
	if k.ed != nil {
		return k.ed
	}
	return k.ec
}

// Application is the string the key is bound to, "ssh:" or longer for keys
// made for Secure Shell, and whether key is a security key at all.
func Application(key PublicKey) (string, bool) {
	if k, ok := Plain(key).(*skKey); ok {
		return k.application, true
	}
	return "", false
}

// IsSK reports whether key, or the key it certifies, is a security key.
func IsSK(key PublicKey) bool {
	_, ok := Plain(key).(*skKey)
	return ok
}

// Verify demands a touch; [VerifySK] leaves the flags to the caller.
func (k *skKey) Verify(data []byte, sig *Signature) error {
	flags, _, err := k.verify(data, sig)
	if err != nil {
		return err
	}
	return SKOptions{}.check(flags)
}

// VerifySK checks a security key's signature, a certificate's too, and returns
// the flags and the counter it was made with. A caller must look at the flags
// (AUT-19); a counter says nothing to Secure Shell.
func VerifySK(key PublicKey, data []byte, sig *Signature) (flags byte, counter uint32, err error) {
	k, ok := Plain(key).(*skKey)
	if !ok {
		return 0, 0, fmt.Errorf("%w: %q is not a security key's", ErrUnknownType, key.Type())
	}
	return k.verify(data, sig)
}

func (k *skKey) verify(data []byte, sig *Signature) (flags byte, counter uint32, err error) {
	if sig == nil {
		return 0, 0, ErrSignature
	}
	webauthn := k.ec != nil && sig.Format == KeyAlgoWebAuthnSKECDSA256
	if sig.Format != k.name && !webauthn {
		return 0, 0, &AgreementError{Algorithm: k.name, KeyType: k.name, Format: sig.Format}
	}
	r := wire.NewReader(sig.Rest)
	flags, counter = r.Byte(), r.Uint32()
	var extensions []byte
	message := data
	if webauthn {
		origin, client := r.String(), r.String()
		extensions = r.String()
		if r.Err() == nil && !webauthnClient(client, data, origin, flags, extensions) {
			return 0, 0, fmt.Errorf("%w: webauthn client data is not about this message", ErrSignature)
		}
		message = client
	}
	if err := r.Done(); err != nil {
		return 0, 0, fmt.Errorf("pubkey: security key signature: %w", err)
	}
	signed := skSigned(k.application, flags, counter, extensions, message)
	var good bool
	if k.ed != nil {
		good = len(sig.Blob) == ed25519.SignatureSize && ed25519.Verify(k.ed, signed, sig.Blob)
	} else {
		der, err := derSignature(sig.Blob, 32)
		if err != nil {
			return 0, 0, err
		}
		h := sha256.Sum256(signed)
		good = ecdsa.VerifyASN1(k.ec, h[:], der)
	}
	if !good {
		return 0, 0, ErrSignature
	}
	return flags, counter, nil
}

// skSigned is what a token signs: a hash of the application, its flags and
// counter, extensions if any, and a hash of the message.
func skSigned(application string, flags byte, counter uint32, extensions, message []byte) []byte {
	a, m := sha256.Sum256([]byte(application)), sha256.Sum256(message)
	b := make([]byte, 0, len(a)+5+len(extensions)+len(m))
	b = wire.AppendUint32(append(append(b, a[:]...), flags), counter)
	return append(append(b, extensions...), m[:]...)
}

// webauthnClient reports whether a browser's client data begins with the
// challenge and the origin it must, and the flags fit. What follows the origin
// is not looked at.
func webauthnClient(client, data, origin []byte, flags byte, extensions []byte) bool {
	if bytes.ContainsAny(origin, "\"\x00") || flags&skAttestedData != 0 ||
		flags&skExtensionData != 0 != (len(extensions) > 0) {
		return false
	}
	b := make([]byte, 0, 64+base64.RawURLEncoding.EncodedLen(len(data))+len(origin))
	b = append(b, `{"type":"webauthn.get","challenge":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, data)
	b = append(b, `","origin":"`...)
	b = append(append(b, origin...), '"')
	return bytes.HasPrefix(client, b)
}

// SKPrivateKey is the private half of a security key's pair as key files and
// agents hold it: a handle that only the token understands.
type SKPrivateKey struct {
	PublicKey PublicKey // of type sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com
	Flags     byte      // SKUserPresence and the others: what to ask of the token
	KeyHandle []byte
	Reserved  []byte
}

// SKSignFunc has a token sign data: the answer has the key's own format, and
// in Rest the flags and the counter.
type SKSignFunc func(key *SKPrivateKey, data []byte) (*Signature, error)

// NewSKSigner makes a signer of a security key and the function that reaches
// the token. With a nil function the signer knows its public key and fails to
// sign with ErrNoAuthenticator.
func NewSKSigner(key *SKPrivateKey, sign SKSignFunc) (MultiAlgorithmSigner, error) {
	if key == nil || key.PublicKey == nil || !IsSK(key.PublicKey) {
		return nil, fmt.Errorf("%w: not a security key", ErrUnknownType)
	}
	return &skSigner{key, sign}, nil
}

type skSigner struct {
	key  *SKPrivateKey
	sign SKSignFunc
}

func (s *skSigner) PublicKey() PublicKey { return s.key.PublicKey }
func (s *skSigner) Algorithms() []string { return []string{Plain(s.key.PublicKey).Type()} }

func (s *skSigner) Sign(rand io.Reader, data []byte) (*Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *skSigner) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*Signature, error) {
	want := Plain(s.key.PublicKey).Type()
	if algorithm != "" && algorithm != want {
		return nil, &AgreementError{Algorithm: algorithm, KeyType: want}
	}
	if s.sign == nil {
		return nil, ErrNoAuthenticator
	}
	return s.sign(s.key, data)
}

// SKPrivate is the security key behind a signer that [NewSKSigner] made, nil
// if there is none.
func SKPrivate(s Signer) *SKPrivateKey {
	if p := PrivateOf(s); p != nil {
		k, _ := p.Key.(*SKPrivateKey)
		return k
	}
	return nil
}
