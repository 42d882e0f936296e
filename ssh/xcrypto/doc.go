// Package xcrypto turns what golang.org/x/crypto/ssh has into what this module
// has, and back: keys, certificates, signatures, signers and agents. It is for
// programs that hold one and need the other.
//
// It is the only package that imports golang.org/x/crypto/ssh, which costs
// every start of a program something: who does not import this package does
// not pay. It adds no policy of its own; each side parses what comes from the
// other, so a key that one of them refuses does not get in through here.
package xcrypto
