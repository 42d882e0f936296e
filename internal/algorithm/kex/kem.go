package kex

import (
	"crypto/mlkem"
	"errors"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex/sntrup761"
)

// kem is a key encapsulation mechanism as the hybrids use it.
type kem struct {
	publicSize, cipherSize int
	// generate returns the private key and the encoded public one, in a slice
	// with room for a curve's share behind it.
	generate func(random io.Reader) (decapsulator, []byte, error)
	// encapsulate gives ErrShare for a public key that is not one.
	encapsulate func(random io.Reader, public []byte) (shared, cipher []byte, err error)
}

// decapsulator is a private key. A ciphertext of the right length is never an
// error: what was not made for the key gives a secret nobody else knows (KEX-6).
type decapsulator interface {
	Decapsulate(cipher []byte) (shared []byte, err error)
}

// mlkem768 is ML-KEM-768 (FIPS 203).
var mlkem768 = kem{
	publicSize: mlkem.EncapsulationKeySize768, cipherSize: mlkem.CiphertextSize768,
	generate: generateMLKEM, encapsulate: encapsulateMLKEM,
}

func generateMLKEM(random io.Reader) (decapsulator, []byte, error) {
	var seed [mlkem.SeedSize]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, nil, err
	}
	key, err := mlkem.NewDecapsulationKey768(seed[:])
	if err != nil {
		return nil, nil, err
	}
	return key, key.EncapsulationKey().Bytes(), nil
}

func encapsulateMLKEM(_ io.Reader, public []byte) (shared, cipher []byte, err error) {
	// FIPS 203 §7.2: the length, and every coefficient below q.
	key, err := mlkem.NewEncapsulationKey768(public)
	if err != nil {
		return nil, nil, ErrShare
	}
	shared, cipher = key.Encapsulate()
	return shared, cipher, nil
}

// sntrup is Streamlined NTRU Prime 761.
var sntrup = kem{
	publicSize: sntrup761.PublicKeySize, cipherSize: sntrup761.CiphertextSize,
	generate: generateSntrup, encapsulate: encapsulateSntrup,
}

func generateSntrup(random io.Reader) (decapsulator, []byte, error) {
	key, err := sntrup761.GenerateKey(random)
	if err != nil {
		return nil, nil, err
	}
	return key, key.PublicKey(), nil
}

func encapsulateSntrup(random io.Reader, public []byte) (shared, cipher []byte, err error) {
	shared, cipher, err = sntrup761.Encapsulate(random, public)
	if errors.Is(err, sntrup761.ErrPublicKey) || errors.Is(err, sntrup761.ErrPublicKeySize) {
		return nil, nil, ErrShare
	}
	return shared, cipher, err
}
