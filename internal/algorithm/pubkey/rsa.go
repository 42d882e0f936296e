package pubkey

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // ssh-rsa signatures, off by default
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// RSA sizes that are taken (KEX-10). RequiredRSASize may ask for more than the
// smallest, and is the caller's to check with [RSABits].
const (
	MinRSABits = 1024
	MaxRSABits = 16384

	maxPrimeBytes = 8192 / 8 // of one factor (FIL-2)
)

// rsaKey is an RSA public key (RFC 4253 §6.6).
type rsaKey struct {
	blob []byte
	pub  rsa.PublicKey
}

func (k *rsaKey) parse(r *wire.Reader) error {
	e, n := r.Mpint(), r.Mpint()
	if err := r.Err(); err != nil {
		return err
	}
	pub, err := newRSA(n, e)
	if err != nil {
		return err
	}
	k.pub = *pub
	return nil
}

// newRSA checks modulus and exponent, first by their lengths, and makes a key
// of them.
func newRSA(n, e []byte) (*rsa.PublicKey, error) {
	if b := bitLen(n); b < MinRSABits || b > MaxRSABits {
		return nil, fmt.Errorf("%w: RSA modulus of %d bits, not %d to %d", ErrKeySize, b, MinRSABits, MaxRSABits)
	}
	if n[len(n)-1]&1 == 0 {
		return nil, errors.New("RSA modulus is even")
	}
	// crypto/rsa takes exponents up to 2^31-1; larger ones are not met.
	if b := bitLen(e); b > 31 {
		return nil, fmt.Errorf("RSA exponent of %d bits", b)
	}
	var x int
	for _, c := range e {
		x = x<<8 | int(c)
	}
	if x < 3 || x&1 == 0 {
		return nil, fmt.Errorf("RSA exponent %d", x)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: x}, nil
}

// bitLen is the length of a magnitude without leading zeros.
func bitLen(m []byte) int {
	if len(m) == 0 {
		return 0
	}
	return 8*(len(m)-1) + bits.Len8(m[0])
}

// appendRSA appends the blob of a key.
func appendRSA(b []byte, k *rsa.PublicKey) []byte {
	b = wire.AppendText(b, KeyAlgoRSA)
	b = wire.AppendMpint(b, big.NewInt(int64(k.E)).Bytes())
	return wire.AppendMpint(b, k.N.Bytes())
}

// RSABits is the size of an RSA key's modulus, of a certified one too, and 0
// for other keys.
func RSABits(key PublicKey) int {
	if k, ok := Plain(key).(*rsaKey); ok {
		return k.pub.N.BitLen()
	}
	return 0
}

func (k *rsaKey) Type() string                      { return KeyAlgoRSA }
func (k *rsaKey) Marshal() []byte                   { return bytes.Clone(k.blob) }
func (k *rsaKey) CryptoPublicKey() crypto.PublicKey { return &k.pub }

// rsaHash is the hash of an RSA signature format (RFC 4253 §6.6, RFC 8332 §3),
// 0 if the format is none of RSA's.
func rsaHash(format string) crypto.Hash {
	switch format {
	case KeyAlgoRSA:
		return crypto.SHA1
	case KeyAlgoRSASHA256:
		return crypto.SHA256
	case KeyAlgoRSASHA512:
		return crypto.SHA512
	}
	return 0
}

// Verify checks an RSASSA-PKCS1-v1_5 signature of any of the three formats;
// SHA-1 is for the caller to allow by the name ssh-rsa.
func (k *rsaKey) Verify(data []byte, sig *Signature) error {
	if sig == nil {
		return ErrSignature
	}
	hash := rsaHash(sig.Format)
	if hash == 0 {
		return &AgreementError{Algorithm: KeyAlgoRSA, KeyType: KeyAlgoRSA, Format: sig.Format}
	}
	if len(sig.Rest) > 0 {
		return errRest
	}
	blob := sig.Blob
	size := k.pub.Size()
	if len(blob) > size || len(blob) == 0 {
		return ErrSignature
	}
	if len(blob) < size {
		// Some signers, PuTTY among them, leave leading zeros out.
		blob = append(make([]byte, size-len(blob), size), blob...)
	}
	h := hash.New()
	h.Write(data)
	if rsa.VerifyPKCS1v15(&k.pub, hash, h.Sum(nil), blob) != nil {
		return ErrSignature
	}
	return nil
}
