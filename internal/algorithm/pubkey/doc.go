// Package pubkey holds the public key algorithms: one table of signature
// algorithms, keys and signatures as they travel (RFC 4253 §6.6, RFC 5656,
// RFC 8332, RFC 8709), OpenSSH's certificates, security keys and its composite
// of ML-DSA-44 and Ed25519, and the signers that belong to them.
//
// The mathematics is the standard library's, but ML-DSA's, which is circl's.
// What is this package's own is strictness: a name and what stands under it
// must agree, every encoding is the one canonical one, sizes are looked at
// before numbers are made of them, and a certificate's signing key is never
// itself a certificate, so nothing here recurses on a peer's bytes.
//
// It must never know files, sockets, the clock or a user's configuration: time
// comes as a function, policy as lists of names. It keeps no state, starts no
// goroutine and does no work at process start.
package pubkey
