//go:build !amd64

package cipher

// chachaSealTrick: x/crypto has assembly for ChaCha20 itself, or for nothing.
const chachaSealTrick = false
