// Package ssh is Secure Shell for Go programs: a client and a server, as fast
// and as careful as the programs of this module, which are built on it.
//
// Whoever knows golang.org/x/crypto/ssh finds its names where the meaning is
// the same; a [Server] has the shape of gliderlabs/ssh. What differs:
// everything that waits takes a context, what only this package implements is a
// struct, and no Go channel stands in a signature. Keys and signers of x/crypto
// are adapted in one call by the package ssh/xcrypto.
//
// The zero value refuses: a Server without callbacks lets nobody in, a
// ClientConfig without a HostKey check trusts no host, a session without a
// handler is closed.
//
// Text that came from the peer (banners, error messages, commands, names) is
// handed on as it was sent. Escape it before it reaches a terminal or a log.
package ssh
