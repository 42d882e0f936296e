package keyfile

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/blowfish"
)

const bcryptBlock = 32 // bytes of one bcrypt hash

// bcryptPBKDF is OpenBSD's bcrypt_pbkdf: PBKDF2's frame around a bcrypt hash
// that takes SHA-512 digests as password and salt, with the output of the
// blocks interleaved so that every byte of the key costs all blocks.
func bcryptPBKDF(passphrase, salt []byte, rounds, size int) ([]byte, error) {
	blocks := (size + bcryptBlock - 1) / bcryptBlock
	key := make([]byte, blocks*bcryptBlock)
	password := sha512.Sum512(passphrase)
	defer clear(password[:])
	var out, sum [bcryptBlock]byte
	defer clear(out[:])
	defer clear(sum[:])
	counted := append(append(make([]byte, 0, len(salt)+4), salt...), 0, 0, 0, 0)
	for block := range blocks {
		binary.BigEndian.PutUint32(counted[len(salt):], uint32(block+1))
		s := sha512.Sum512(counted)
		for round := range rounds {
			if round > 0 {
				s = sha512.Sum512(out[:])
			}
			if err := bcryptHash(&out, password[:], s[:]); err != nil {
				return nil, err
			}
			for i, b := range out {
				if round == 0 {
					sum[i] = b
				} else {
					sum[i] ^= b
				}
			}
		}
		for i, b := range sum {
			key[i*blocks+block] = b
		}
	}
	return key[:size:size], nil
}

// bcryptHash is bcrypt with a cost of 64 rounds and a text of 32 bytes.
func bcryptHash(out *[bcryptBlock]byte, password, salt []byte) error {
	c, err := blowfish.NewSaltedCipher(password, salt)
	if err != nil {
		return fmt.Errorf("keyfile: bcrypt: %w", err)
	}
	for range 64 {
		blowfish.ExpandKey(salt, c)
		blowfish.ExpandKey(password, c)
	}
	copy(out[:], "OxychromaticBlowfishSwatDynamite")
	for i := 0; i < bcryptBlock; i += 8 {
		for range 64 {
			c.Encrypt(out[i:], out[i:])
		}
	}
	// The words are numbers for the cipher and come out in the other order.
	for i := 0; i < bcryptBlock; i += 4 {
		binary.LittleEndian.PutUint32(out[i:], binary.BigEndian.Uint32(out[i:]))
	}
	return nil
}
