//go:build amd64

package cipher

// chachaSealTrick: x/crypto has assembly for the AEAD and none for ChaCha20.
const chachaSealTrick = true
