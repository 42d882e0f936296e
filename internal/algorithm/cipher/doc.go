// Package cipher is floor 1: it protects the binary packets of RFC 4253 §6,
// with encryption and message authentication as one step, in place.
//
// [Ciphers] and [MACs] are the tables of what exists, in the order in which
// they are listed to people; [New] makes a [Packet] of a row or of a pair of
// rows. The modes are AES-CTR (RFC 4344), AES-CBC and 3DES-CBC (RFC 4253 §6.3),
// AES-GCM (RFC 5647, with the length in clear as OpenSSH names it),
// chacha20-poly1305@openssh.com, HMAC (RFC 4253 §6.4, RFC 6668) and UMAC
// (RFC 4418), the MACs also in their encrypt-then-MAC form.
//
// Primitives are the library's. Two are written here: UMAC, which no library
// at hand has, and, in builds with GOEXPERIMENT=simd on amd64, a vector
// ChaCha20 and Poly1305, because the portable ChaCha20 is several times slower
// than what peers run. Both builds give the same bytes.
//
// It must never know how packets are framed, padded or numbered, which
// algorithms were negotiated or why, and what is inside a packet. It does no
// I/O, keeps no state but that of its packets, and starts nothing.
package cipher
