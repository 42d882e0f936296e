package ssh

import (
	"crypto/rand"
	"math/big"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/version"
)

// Config is what client and server have in common. The zero value means the
// defaults of OpenSSH 10.5.
type Config struct {
	// KeyExchanges, Ciphers, MACs, Compressions and HostKeyAlgorithms are names
	// in order of preference; nil means the default. A server's HostKeyAlgorithms
	// restrict what its keys may sign with, a client's what it accepts.
	KeyExchanges, Ciphers, MACs, Compressions, HostKeyAlgorithms []string
	// PublicKeyAlgorithms are the signature algorithms of publickey
	// authentication: those a server accepts, or a client may use.
	PublicKeyAlgorithms []string
	// RekeyBytes bounds what is sent under one key, 0 for the cipher's own
	// bound; RekeyInterval bounds a key's age, 0 for no bound.
	RekeyBytes    uint64
	RekeyInterval time.Duration
	// Version is the identification line, "SSH-2.0-" and a name (RFC 4253 §4.2).
	Version string
	// MinRSABits refuses shorter RSA keys; 0 means 1024.
	MinRSABits int
	// Trace is told what goes on, at level 1 to 3 as ssh -v, -vv, -vvv print it;
	// level 0 is for everybody. It must not wait for the connection.
	Trace func(level int, format string, args ...any)
	// Budget bounds what receive windows may grow beyond their first 2 MiB, over
	// all connections with the same *Budget. nil means 256 MiB for this client
	// or server.
	Budget *Budget
}

// Budget is memory promised to peers by windows that have grown.
type Budget = connection.Budget

const defaultBudget = 256 << 20

func (c *Config) version() string {
	if c.Version != "" {
		return c.Version
	}
	return "SSH-2.0-" + version.Identification
}

func orDefault(l []string, def func() []string) []string {
	if l != nil {
		return l
	}
	return def()
}

func (c *Config) minRSABits() int {
	if c.MinRSABits > 0 {
		return c.MinRSABits
	}
	return pubkey.MinRSABits
}

// transport fills in what both roles share.
func (c *Config) transport(client bool, b *transport.Buffers) *transport.Config {
	t := &transport.Config{
		Client:       client,
		Version:      c.version(),
		Compressions: orDefault(c.Compressions, defaultCompressions),
		MACs:         orDefault(c.MACs, cipher.DefaultMACs),
		RekeyBytes:   c.RekeyBytes,
		Now:          time.Now,
		Trace:        c.Trace,
		Buffers:      b,
	}
	if client {
		t.KeyExchanges = orDefault(c.KeyExchanges, kex.ClientDefaults)
		t.Ciphers = orDefault(c.Ciphers, cipher.ClientCiphers)
		t.HostKeyAlgorithms = orDefault(c.HostKeyAlgorithms, pubkey.DefaultHostKeyAlgorithms)
	} else {
		t.KeyExchanges = orDefault(c.KeyExchanges, kex.ServerDefaults)
		t.Ciphers = orDefault(c.Ciphers, cipher.DefaultCiphers)
	}
	return t
}

func defaultCompressions() []string { return []string{"none", "zlib@openssh.com"} }

// group starts the goroutines of one connection and knows when all have ended.
// A panic in one of them is our own broken invariant: it costs the connection,
// not the process.
type group struct {
	wg   sync.WaitGroup
	fail func(error)
}

func (g *group) Go(f func()) {
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		defer func() {
			if v := recover(); v != nil {
				g.fail(&PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		f()
	}()
}

// PanicError is a panic that was caught at the root of one of a connection's
// goroutines. It ends that connection.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return "ssh: internal error: " + sprint(e.Value) }

func randomUint64() uint64 {
	n, err := rand.Int(rand.Reader, new(big.Int).SetUint64(1<<63))
	if err != nil {
		return 0
	}
	return n.Uint64()
}
