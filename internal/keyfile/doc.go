// Package keyfile reads and writes the files that hold keys: private keys in
// OpenSSH's own format (openssh-key-v1) and in PEM and PKCS#8 (RFC 5208,
// RFC 5958, RFC 8018), public key lines, and the lines of authorized_keys with
// their options.
//
// Bytes come in and keys go out. A file is what somebody else may have
// written: lengths are compared with what is there, the cost of a passphrase
// has a bound, and both halves of a pair are compared.
//
// It must never open a file, ask for a passphrase or know the time and where
// it is; all that is its callers'.
package keyfile
