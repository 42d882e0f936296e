package kex

import "io"

// Transcript is what both roles hash into the exchange hash before the host
// key (RFC 4253 §8): identification lines without CR LF and whole KEXINIT
// payloads.
type Transcript struct {
	ClientID, ServerID           []byte
	ClientKexInit, ServerKexInit []byte
}

// Secret is the outcome of one exchange.
type Secret struct {
	H []byte // exchange hash
	K []byte // shared secret, encoded as it enters hashes: an mpint, or a string for the hybrids
}

// ClientResult is what the client learns from the reply. Nothing in it may be
// used before Signature was verified over Secret.H with HostKey.
type ClientResult struct {
	Secret
	HostKey   []byte // K_S, the blob as sent
	Signature []byte // the signature blob as sent
}

// ServerResult is what the server knows once the client's share arrived.
type ServerResult struct {
	Secret
	// Reply makes the final message from the signature blob over H.
	Reply func(signature []byte) []byte
}

// Client is the initiator's half of one key exchange: a state, no I/O. Each
// value serves one exchange; messages out of turn are errors.
type Client interface {
	// Start returns the first message, number first (30, or 34 for group
	// exchange).
	Start() ([]byte, error)
	// Next takes the peer's message. It returns a further message to send
	// (group exchange) or the result, never both.
	Next(msg []byte, t *Transcript) (send []byte, result *ClientResult, err error)
}

// Server is the responder's half.
type Server interface {
	// Next takes the client's message and the host key blob that will sign. It
	// returns a message to send (group exchange) or the result, never both.
	Next(msg []byte, t *Transcript, hostKey []byte) (send []byte, result *ServerResult, err error)
}

// Options is what a method may need beside its name.
type Options struct {
	Rand io.Reader // nil means crypto/rand
	// GroupBits is how many bits a group exchange asks for (client).
	GroupBits int
	// Moduli picks a safe prime and generator, big endian, for a group exchange
	// (server); nil or ok == false means a built-in group.
	Moduli func(minBits, preferredBits, maxBits int) (p, g []byte, ok bool)
}
