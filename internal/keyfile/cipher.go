package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"errors"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/poly1305" // deprecated, but OpenSSH's construction is not RFC 8439's
)

// fileCipher is a cipher that a private key file may name.
type fileCipher struct {
	name           string
	key, iv, block int // bytes
	tag            int // bytes of the tag behind the text, 0 if none
}

// fileCiphers are the ciphers of openssh-key-v1, in the order of `ssh -Q
// cipher`.
var fileCiphers = [...]fileCipher{
	{"3des-cbc", 24, 8, 8, 0},
	{"aes128-cbc", 16, 16, 16, 0},
	{"aes192-cbc", 24, 16, 16, 0},
	{"aes256-cbc", 32, 16, 16, 0},
	{"aes128-ctr", 16, 16, 16, 0},
	{"aes192-ctr", 24, 16, 16, 0},
	{"aes256-ctr", 32, 16, 16, 0},
	{"aes128-gcm@openssh.com", 16, 12, 16, 16},
	{"aes256-gcm@openssh.com", 32, 12, 16, 16},
	{"chacha20-poly1305@openssh.com", 64, 0, 8, 16},
}

// DefaultCipher encrypts new private key files.
const DefaultCipher = "aes256-ctr"

// Ciphers are the names that [MarshalOptions] may have, in the order of
// `ssh -Q cipher`.
func Ciphers() []string {
	l := make([]string, len(fileCiphers))
	for i := range fileCiphers {
		l[i] = fileCiphers[i].name
	}
	return l
}

func cipherByName(name string) *fileCipher {
	for i := range fileCiphers {
		if fileCiphers[i].name == name {
			return &fileCiphers[i]
		}
	}
	return nil
}

var errTag = errors.New("authentication tag is wrong")

// crypt works on b in place; key is the cipher's key and the IV behind it.
// Sealing returns the tag; opening compares it.
func (c *fileCipher) crypt(b, key, tag []byte, seal bool) ([]byte, error) {
	key, iv := key[:c.key], key[c.key:]
	if c.name == "chacha20-poly1305@openssh.com" {
		return chachaPoly(b, key, tag, seal)
	}
	var block cipher.Block
	var err error
	if c.name == "3des-cbc" {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case c.tag > 0:
		g, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		if seal {
			sealed := g.Seal(nil, iv, b, nil)
			return sealed[copy(b, sealed):], nil
		}
		opened, err := g.Open(nil, iv, append(b[:len(b):len(b)], tag...), nil)
		if err != nil {
			return nil, errTag
		}
		copy(b, opened)
		clear(opened)
		return nil, nil
	case c.name[len(c.name)-3:] == "ctr":
		cipher.NewCTR(block, iv).XORKeyStream(b, b)
	case seal:
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(b, b)
	default:
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	}
	return nil, nil
}

// chachaPoly is chacha20-poly1305@openssh.com without a length to hide, as
// packet 0 and with the first half of the key only.
func chachaPoly(b, key, tag []byte, seal bool) ([]byte, error) {
	s, err := chacha20.NewUnauthenticatedCipher(key[:32], make([]byte, chacha20.NonceSize))
	if err != nil {
		return nil, err
	}
	var polyKey [32]byte
	defer clear(polyKey[:])
	s.XORKeyStream(polyKey[:], polyKey[:])
	s.SetCounter(1)
	if seal {
		s.XORKeyStream(b, b)
	}
	var sum [poly1305.TagSize]byte
	poly1305.Sum(&sum, b, &polyKey)
	if seal {
		return sum[:], nil
	}
	if subtle.ConstantTimeCompare(sum[:], tag) != 1 {
		return nil, errTag
	}
	s.XORKeyStream(b, b)
	return nil, nil
}
