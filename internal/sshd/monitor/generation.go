//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Options are what a generation is made of. They do not change.
type Options struct {
	Config  *sshconfig.Server
	DB      *account.Database
	Records *account.Records // nil keeps none
	Log     *log.Logger
	Auth    *auth.Host
	// Keys sign; Certificates are each for one of them.
	Keys         []pubkey.Signer
	Certificates []*pubkey.Certificate
	Moduli       *kex.Moduli // nil for the built-in groups

	TZ       string // of the server's environment
	UtmpHost int    // bytes of a host name in records (-u)
	OOMScore string // what login processes get back; "" leaves it
	Self     string // path of this program; "" finds it
	Debug    bool   // -d: no grace time, environments are shown

	// LoggedIn is told of each login; nil for nothing. It may not wait.
	LoggedIn func(id int64, key bool)
}

// Generation serves connections by one configuration.
type Generation struct {
	Options
	keys   []hostKey
	setup  *privsep.Setup
	secret uint64

	// Counters for the status.
	Connections, Logins, Sessions, BytesIn, BytesOut atomic.Uint64
}

// hostKey is an entry of Setup.HostKeys.
type hostKey struct {
	public pubkey.PublicKey
	blob   []byte
	signer pubkey.Signer
}

// New makes a generation.
func New(o Options) *Generation {
	g := &Generation{Options: o}
	var b [8]byte
	rand.Read(b[:])
	g.secret = binary.BigEndian.Uint64(b[:])
	for _, c := range o.Certificates {
		for _, k := range o.Keys {
			if pubkey.Equal(k.PublicKey(), c.Key) {
				g.keys = append(g.keys, hostKey{c, c.Marshal(), k})
			}
		}
	}
	for _, k := range o.Keys {
		g.keys = append(g.keys, hostKey{k.PublicKey(), k.PublicKey().Marshal(), k})
	}
	g.setup = g.newSetup()
	return g
}

// Setup is what a network room is told; once makes it one of a single
// connection.
func (g *Generation) Setup(once bool) *privsep.Setup {
	s := *g.setup
	s.Once = once
	return &s
}

func (g *Generation) newSetup() *privsep.Setup {
	cfg := g.Config
	s := &privsep.Setup{
		Version:      "SSH-2.0-" + version.Identification,
		KeyExchanges: cfg.KexAlgorithms, Ciphers: cfg.Ciphers, MACs: cfg.MACs, Compressions: []string{"none"},
		HostKeyAlgs: cfg.HostKeyAlgorithms, PublicKeyAlgs: cfg.PubkeyAcceptedAlgorithms,
		MinRSABits: cfg.RequiredRSASize, RekeyBytes: cfg.RekeyLimit.Bytes, RekeyInterval: cfg.RekeyLimit.Interval,
		MaxAuthTries: cfg.MaxAuthTries, LogLevel: int(cfg.LogLevel), DelaySecret: g.secret,
	}
	if a := cfg.VersionAddendum; a != "" && !strings.EqualFold(a, "none") {
		s.Version += " " + a
	}
	if cfg.Compression {
		s.Compressions = append(s.Compressions, "zlib@openssh.com")
	}
	for _, k := range cfg.KexAlgorithms {
		s.Moduli = s.Moduli || strings.Contains(k, "group-exchange")
	}
	for _, k := range g.keys {
		_, cert := k.public.(*pubkey.Certificate)
		s.HostKeys = append(s.HostKeys, privsep.HostKey{Blob: k.blob, Cert: cert})
	}
	return s
}

// Peer is the other end of a connection.
type Peer struct {
	Number        int64 // in the log
	ID            int64 // for who counts
	Remote, Local netip.AddrPort
	RDomain       string
	PID           int  // of the network room; 0 for this process
	Known         bool // its arrival has been logged
	Waited        time.Duration
}

// Outcome is how a connection ended, for who counts.
type Outcome struct {
	LoggedIn bool
	Grace    bool // LoginGraceTime ran out
	Broken   bool // the room asked for what it may not, or left without a word
	Clean    bool // left in order
	Event    auth.Event
}

// Serve answers for one connection until the link ends, and cleans up.
func (g *Generation) Serve(ctx context.Context, link *privsep.Conn, p Peer) Outcome {
	g.Connections.Add(1)
	if p.PID == 0 {
		p.PID = os.Getpid()
	}
	v := &visit{g: g, link: link, peer: p, lines: g.Log.For(p.Number), cfg: g.Config}
	v.lines.SetLevel(g.Config.LogLevel)
	v.remote, v.remotePort = hostPort(p.Remote)
	v.local, v.localPort = hostPort(p.Local)
	v.judge = g.Auth.Visit(auth.Peer{Remote: p.Remote, Local: p.Local, RDomain: p.RDomain, Lines: v.lines})
	if !p.Known {
		v.lines.Logf(sshconfig.Verbose, "Connection from %s on %s port %d rdomain \"%s\"", v.from(), v.local, v.localPort, p.RDomain)
	}
	v.startGrace()
	err := link.Serve(ctx, v.handle)
	return v.end(ctx, err)
}

// startGrace bounds the time to log in, with a random tail so that the moment
// of the end tells nothing (VER-4).
func (v *visit) startGrace() {
	grace := v.g.Config.LoginGraceTime
	if grace <= 0 || v.g.Debug {
		return
	}
	var b [8]byte
	rand.Read(b[:])
	grace += time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(4*time.Second))
	v.grace = time.AfterFunc(max(0, grace-v.peer.Waited), func() {
		if v.timedOut.Swap(true) {
			return
		}
		v.link.Close()
	})
}
