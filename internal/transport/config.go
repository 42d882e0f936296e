package transport

import (
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Stream is the byte stream under a connection. The raw form lives in rawio.
type Stream interface {
	// ReadReady waits until bytes are there and reads once. get returns where
	// they go and may be called several times.
	ReadReady(get func() []byte) (int, error)
	// OnPark names what ReadReady calls when nothing was there and it is about
	// to wait, so that the buffer of the last get may be given back.
	OnPark(put func())
	// Write writes all of p and may wait.
	Write(p []byte) (int, error)
	// TryWrite writes what fits now and never waits: a short count and a nil
	// error mean full.
	TryWrite(p []byte) (int, error)
	// QuickAck asks for the next acknowledgement at once.
	QuickAck()
	// RTT is the path's round-trip time, 0 when unknown.
	RTT() time.Duration
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

// HostKey is one of a server's keys. The private half may live in another
// process.
type HostKey struct {
	Algorithms []string // signature algorithms offered with it, best first
	Blob       []byte   // K_S
	// Sign returns the signature blob over the exchange hash h.
	Sign func(algorithm string, h []byte) ([]byte, error)
}

// Config is fixed once the connection runs. Empty lists refuse: the front
// door fills in the defaults.
type Config struct {
	Client  bool
	Version string // own identification line without CR LF

	KeyExchanges      []string
	HostKeyAlgorithms []string // client: what is accepted, best first
	Ciphers           []string
	MACs              []string
	Compressions      []string

	// RekeyBytes bounds what one direction sends under one key, 0 for the
	// cipher's own bound. A key's age is the caller's to watch: see Conn.KeyAge.
	RekeyBytes uint64

	// HostKeys are the server's.
	HostKeys []HostKey
	// VerifyHostKey is asked by the client before anything secret leaves. It
	// checks the signature over h and whether the key is the host's.
	VerifyHostKey func(algorithm string, blob, h, signature []byte) error
	// Moduli serves group exchanges, nil for the built-in groups.
	Moduli func(minBits, preferredBits, maxBits int) (p, g []byte, ok bool)
	// KexAllowed is asked by a server before it computes anything for a method
	// that was agreed on; nil allows all. A refusal ends the connection (KEX-5).
	KexAllowed func(method *kex.Method) error
	// ExtInfo is sent once after the first NEWKEYS to a peer that asks for it.
	ExtInfo []wire.Extension
	// Guess sends the first message of the preferred method with KEXINIT.
	Guess bool

	Now   func() time.Time
	Trace func(level int, format string, args ...any)
	// Buffers may be shared by many connections.
	Buffers *Buffers
}

// Limits on what a stranger may make this side hold or do.
const (
	MaxVersionLine     = 255     // bytes of an identification line, CR LF included (VER-1)
	MaxPreVersionLines = 1024    // lines a client takes before the server's (VER-2)
	PreAuthBytes       = 1 << 20 // bytes in each direction before authentication (PKT-8)
	PreAuthPackets     = 1024    // packets likewise
	MaxOutbound        = 512 << 10
	MaxHeld            = 256 << 10 // bytes held back while an exchange runs (NEG-9)
	ExchangeTimeout    = 2 * time.Minute
	MaxUnimplemented   = 32                     // answers a second (PKT-11)
	ExchangeBudget     = 2 * time.Second        // of computing in ExchangeWindow (NEG-10)
	ExchangeWindow     = 10 * time.Second       // see ExchangeBudget
	MaxDescription     = 400                    // bytes of a DISCONNECT taken (PKT-14)
	RekeyPackets       = 1 << 31                // packets under one key
	quickAcks          = 24                     // reads of a login that are acknowledged at once
	disconnectWait     = 200 * time.Millisecond // for a DISCONNECT to leave
)

func (c *Config) trace(level int, format string, args ...any) {
	if c.Trace != nil {
		c.Trace(level, format, args...)
	}
}
