package kex

import (
	"crypto/rand"
	"errors"
	"io"

	"github.com/nacre-ssh/nacre/internal/wire"
)

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

// Erase overwrites K. H stays: the first one is the session identifier.
func (s *Secret) Erase() {
	clear(s.K)
	s.K = nil
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
	// (group exchange) or the result, never both. The result holds copies:
	// msg may be reused afterwards.
	Next(msg []byte, t *Transcript) (send []byte, result *ClientResult, err error)
}

// Server is the responder's half.
type Server interface {
	// Next takes the client's message and the host key blob that will sign. It
	// returns a message to send (group exchange) or the result, never both.
	// msg may be reused afterwards; hostKey must stay until Reply was called.
	Next(msg []byte, t *Transcript, hostKey []byte) (send []byte, result *ServerResult, err error)
}

// Options is what a method may need beside its name. The zero value and nil
// are good for use.
type Options struct {
	// Rand is where randomness comes from; nil means crypto/rand. ML-KEM's
	// encapsulation always uses crypto/rand: its library takes no other.
	Rand io.Reader
	// GroupBits is how many bits a group exchange asks for (client), see
	// [GroupBits]. It is brought into MinGroupBits … MaxGroupBits; 0 means
	// DefaultGroupBits.
	GroupBits int
	// Moduli picks a safe prime and generator, big endian, for a group exchange
	// (server), see [Moduli.Pick]; nil or ok == false means a built-in group.
	Moduli func(minBits, preferredBits, maxBits int) (p, g []byte, ok bool)
}

func (o *Options) random() io.Reader {
	if o == nil || o.Rand == nil {
		return rand.Reader
	}
	return o.Rand
}

// Causes of errors, for errors.Is.
var (
	ErrOutOfTurn   = errors.New("message out of turn")
	ErrShareSize   = errors.New("share has the wrong length")
	ErrShare       = errors.New("share is not a valid public key")
	ErrLowOrder    = errors.New("share has low order: the secret would be known to all")
	ErrValue       = errors.New("Diffie-Hellman value is out of range")
	ErrGroup       = errors.New("Diffie-Hellman group is not acceptable")
	ErrGroupBounds = errors.New("group sizes asked for cannot be met")
)

// refuse is the error for a value of the peer's that no honest one sends.
func (m *Method) refuse(err error) error {
	return wire.Disconnectf(wire.ReasonKeyExchangeFailed, "kex: %s: %w", m.Name, err)
}

// malformed is the error for a message that cannot be taken at all.
func (m *Method) malformed(err error) error {
	return wire.Disconnectf(wire.ReasonProtocolError, "kex: %s: %w", m.Name, err)
}

// outOfTurn is the error for a message or call that nobody waits for.
func (m *Method) outOfTurn(msg []byte) error {
	if len(msg) == 0 {
		return wire.Disconnectf(wire.ReasonProtocolError, "kex: %s: %w", m.Name, ErrOutOfTurn)
	}
	return wire.Disconnectf(wire.ReasonProtocolError, "kex: %s: %w: %s", m.Name, ErrOutOfTurn, wire.MessageName(msg[0]))
}

// body starts a reader behind the number of msg, which must be n.
func (m *Method) body(msg []byte, n byte) (wire.Reader, error) {
	r := wire.NewReader(msg)
	if len(msg) == 0 {
		return r, m.malformed(wire.ErrShort)
	}
	if r.Byte() != n {
		return r, m.outOfTurn(msg)
	}
	return r, nil
}

// Discard overwrites what c keeps secret, as far as the library's keys allow.
// It is for an exchange that will not be finished, such as a wrong guess; one
// that ended has done so itself.
func Discard(c Client) {
	if e, ok := c.(interface{ erase() }); ok {
		e.erase()
	}
}
