// Package kex holds the key exchange methods of Secure Shell: Diffie-Hellman in
// fixed groups (RFC 4253 §8, RFC 8268) and in groups the server picks (RFC
// 4419), on elliptic curves (RFC 5656, RFC 8731), and the hybrids of a curve
// with a key encapsulation (mlkem768x25519-sha256, mlkem768nistp256-sha256,
// sntrup761x25519-sha512).
//
// [Methods] is the one table. A row makes a [Client] or a [Server]: a state
// value that takes the peer's message and gives the next one or the outcome,
// without I/O, clock or goroutine. Each serves one exchange; whatever goes
// wrong ends it, and a message out of turn is an error (KEX-7).
//
// Errors are [wire.DisconnectError]: reason 2 for messages that are malformed
// or out of turn, 3 for values no honest peer sends. No secret is handed out
// for such a value: shares have one length, points are uncompressed and on
// their curve, X25519 results are not zero, Diffie-Hellman values are within
// the group and not small (KEX-1 to KEX-6).
//
// The values have no locks: one goroutine uses one exchange. The package must
// never know keys that sign: the host key is an opaque blob to it, and who
// verifies or makes the signature over the exchange hash is the caller.
package kex
