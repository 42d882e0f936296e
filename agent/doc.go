// Package agent speaks the Secure Shell agent protocol (RFC 9987), both ends
// of it: a [Client] for an agent that somebody else runs, a [Keyring] that
// holds keys in memory, and [ServeAgent], which gives any [Agent] to whoever
// is at the other end of a stream. OpenSSH's extensions are included:
// session-bind, destination constraints, security keys, associated
// certificates.
//
// Names and shapes are those of golang.org/x/crypto/ssh/agent where the
// meaning is the same. Two things differ. What cannot be enforced is refused:
// a Keyring takes a key with a lifetime only if it has a clock, and one that
// wants confirmation only if it has somebody to ask. And an agent may know
// which connection a request came from ([ConnAgent]), without which
// destination constraints would mean nothing.
//
// The package works over any stream; it must never open a socket, read a
// file or the environment, or know the time. A Client may be used by many
// goroutines; requests go one by one. In a Keyring one lock guards the keys
// and is never held while a person is asked or a token signs.
package agent
