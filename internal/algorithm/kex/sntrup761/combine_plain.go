//go:build !(goexperiment.simd && amd64)

package sntrup761

// combine is combineWords: this build has no vector instructions.
func combine(x, y []uint64, c, swap uint64) { combineWords(x, y, c, swap) }
