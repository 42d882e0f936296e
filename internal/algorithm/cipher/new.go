package cipher

import (
	"crypto/aes"
	stdcipher "crypto/cipher"
	"crypto/des"
	"errors"
	"fmt"
)

// Errors of [New]. They are mistakes of the calling code or of a key
// derivation, never a peer's doing.
var (
	ErrNoMAC    = errors.New("cipher: this cipher needs a MAC")
	ErrKeySize  = errors.New("cipher: wrong key size")
	ErrIVSize   = errors.New("cipher: wrong IV size")
	ErrMACSize  = errors.New("cipher: wrong MAC key size")
	ErrNoCipher = errors.New("cipher: no such cipher")
)

// New makes the Packet of one direction. key, iv and macKey have the sizes
// that the rows name; they are copied or expanded, and the caller may clear
// them. m is ignored, and may be nil, where c is an AEAD. seal says that the
// direction is ours to the peer, which only block modes need to know.
func New(c *Cipher, m *MAC, key, iv, macKey []byte, seal bool) (Packet, error) {
	switch {
	case c == nil:
		return nil, ErrNoCipher
	case len(key) != c.KeySize:
		return nil, fmt.Errorf("%w: %s takes %d bytes, got %d", ErrKeySize, c.Name, c.KeySize, len(key))
	case len(iv) != c.IVSize:
		return nil, fmt.Errorf("%w: %s takes %d bytes, got %d", ErrIVSize, c.Name, c.IVSize, len(iv))
	}
	if c.AEAD {
		if c.mode == modeChaCha {
			return newChaCha((*[64]byte)(key), vectorLevel())
		}
		return newGCM(key, (*[12]byte)(iv))
	}
	if m == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoMAC, c.Name)
	}
	if len(macKey) != m.KeySize {
		return nil, fmt.Errorf("%w: %s takes %d bytes, got %d", ErrMACSize, m.Name, m.KeySize, len(macKey))
	}

	var block stdcipher.Block
	var err error
	if c.mode == mode3DESCBC {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, fmt.Errorf("cipher: %s: %w", c.Name, err)
	}
	tag, err := newMAC(m, macKey)
	if err != nil {
		return nil, fmt.Errorf("cipher: %s: %w", m.Name, err)
	}
	p := classic{mac: tag, etm: m.ETM, block: c.BlockSize}
	switch {
	case c.mode == modeCTR:
		p.stream = stdcipher.NewCTR(block, iv)
	case seal:
		p.chain = stdcipher.NewCBCEncrypter(block, iv)
	default:
		p.chain = stdcipher.NewCBCDecrypter(block, iv)
	}
	return &p, nil
}
