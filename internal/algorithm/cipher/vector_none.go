//go:build !(goexperiment.simd && amd64)

package cipher

import "errors"

// The levels of vectorLevel.
const (
	levelNone = iota
	levelAVX2
	levelAVX512
)

func vectorLevel() int      { return levelNone }
func vectorName(int) string { return "" }

func newChaChaVector(*[64]byte, int) (Packet, error) {
	return nil, errors.New("cipher: no vector code in this build")
}
