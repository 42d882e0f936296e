//go:build race

package ssh

// raceDetector: pools drop what they hold at random under it, so that
// allocations cannot be counted.
const raceDetector = true
