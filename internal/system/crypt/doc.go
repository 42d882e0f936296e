// Package crypt checks passwords against the hashes of shadow(5): those of
// crypt(5) that are called md5crypt ($1$), sha256crypt ($5$), sha512crypt ($6$)
// and bcrypt ($2a$, $2b$, $2y$).
//
// Other methods (yescrypt, scrypt, the old DES one) are for the system's own
// library: [Check] answers [ErrMethod] for them, and the caller asks a program
// that has it.
//
// It must never log, keep or return a password or a hash.
package crypt
