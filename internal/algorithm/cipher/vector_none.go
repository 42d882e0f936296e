//go:build !(goexperiment.simd && amd64)

package cipher

import "golang.org/x/crypto/poly1305"

// The levels of vectorLevel.
const (
	levelNone = iota
	levelAVX2
	levelAVX512
)

func vectorLevel() int      { return levelNone }
func vectorName(int) string { return "" }

func newChaChaVector(*[64]byte) Packet { panic("cipher: no vector code in this build") }

// poly1305Sum is Poly1305 (RFC 8439 §2.5) of b under a one-time key.
func poly1305Sum(out *[16]byte, b []byte, key *[32]byte, _ int) { poly1305.Sum(out, b, key) }
