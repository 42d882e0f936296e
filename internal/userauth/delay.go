package userauth

import (
	"crypto/sha512"
	"encoding/binary"
	"strconv"
	"time"
)

// Failure padding (AUT-10).
const (
	minFailDelay = 5 * time.Millisecond
	maxFailDelay = 5 * time.Second // no padding once this has passed
	failGrid     = 50 * time.Millisecond
)

// userDelay is a constant of the host and the user name, 0 to 4.3 ms: the
// first 32 bits of SHA-512 over the secret in decimal and the name, as
// picoseconds. It hides in which step of the padding a failure fell.
func userDelay(secret uint64, user string) time.Duration {
	b := append(strconv.AppendUint(nil, secret, 10), user...)
	h := sha512.Sum512(b)
	return time.Duration(binary.BigEndian.Uint32(h[:4])) / 1000
}

// failurePad says how long to wait before a failure leaves, elapsed after its
// request was read. It is 5 ms plus the user's constant, doubled until it
// exceeds elapsed.
func failurePad(elapsed, user time.Duration) time.Duration {
	elapsed = max(elapsed, 0)
	if elapsed > maxFailDelay {
		return 0
	}
	target := minFailDelay + user
	for target < elapsed {
		target *= 2
	}
	return target - elapsed
}

// gridPad is failurePad for methods with secrets, whose checks take long: the
// failure leaves on the next step of a 50 ms grid plus the user's constant.
func gridPad(elapsed, user time.Duration) time.Duration {
	elapsed = max(elapsed, 0)
	past := elapsed - user
	if past < failGrid {
		return failGrid + user - elapsed
	}
	return (failGrid - past%failGrid) % failGrid
}
