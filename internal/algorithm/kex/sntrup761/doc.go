// Package sntrup761 is the key encapsulation mechanism Streamlined NTRU Prime
// with p = 761, q = 4591, w = 286, in the form of the third round of NIST's
// competition, which is what sntrup761x25519-sha512 of OpenSSH uses.
//
// Rings: R = Z[x]/(x^761 - x - 1); R/3 and R/q are R modulo 3 and 4591, and
// both 3 ∤ q and the trinomial's irreducibility modulo q make R/q a field. A
// secret key is a short f (286 coefficients of ±1, the rest 0) and 1/g modulo
// 3 for a small g; the public key is h = g/(3f) modulo q. A ciphertext is h·r
// for a short r with every coefficient rounded to a multiple of 3.
//
// No branch and no index depends on a secret: sampling sorts with a fixed
// network, products and inversions do the same work for every input, and a
// ciphertext that does not decrypt to itself gives a secret that only the key's
// owner can compute (implicit rejection). What may be seen is how often key
// generation threw a candidate away.
//
// Neither Go's library nor a dependency has this. The arithmetic is made for
// 64-bit machines; with GOEXPERIMENT=simd inversion also uses vectors (invert.go
// and product.go say what each trick buys). On a Zen 5 core a key takes 1.2 ms,
// 0.6 ms with vectors, encapsulation and decapsulation 0.1 and 0.15 ms.
//
// It knows nothing of Secure Shell.
package sntrup761
