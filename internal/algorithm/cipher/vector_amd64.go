//go:build goexperiment.simd && amd64

package cipher

import (
	"simd/archsimd"

	"golang.org/x/crypto/poly1305"
)

// The levels of vectorLevel.
const (
	levelNone = iota
	levelAVX2
	levelAVX512
)

// vectorLevel is what this CPU can do.
func vectorLevel() int {
	switch {
	case archsimd.X86.AVX512():
		return levelAVX512
	case archsimd.X86.AVX2():
		return levelAVX2
	}
	return levelNone
}

func vectorName(level int) string {
	switch level {
	case levelAVX512:
		return "avx512"
	case levelAVX2:
		return "avx2"
	}
	return ""
}

// The message lengths from which the vector code is faster: it must first
// compute powers of the key.
const (
	polyMinAVX512 = 640
	polyMinAVX2   = 640
)

// poly1305Sum is Poly1305 (RFC 8439 §2.5) of b under a one-time key.
func poly1305Sum(out *[16]byte, b []byte, key *[32]byte, level int) {
	switch {
	case level >= levelAVX512 && len(b) >= polyMinAVX512:
		poly1305AVX512(out, b, key)
	case level == levelAVX2 && len(b) >= polyMinAVX2:
		poly1305AVX2(out, b, key)
	default:
		poly1305.Sum(out, b, key)
	}
}
