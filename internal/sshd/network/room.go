//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/sshd/login/sockets"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Options are what a room can do beyond asking.
type Options struct {
	// Dial and Listen open sockets for forwards, in a server that has the user's
	// rights itself; nil where the monitor has a process for it.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Listen forward.ListenFunc
	// Title sets what ps shows, in a process of a single connection; nil for
	// nothing.
	Title func(string)
	// Processors is how many a room of a single connection may come to use.
	Processors int
}

// Room serves connections by one Setup.
type Room struct {
	setup  *privsep.Setup
	opt    Options
	server *ssh.Server
}

// signer is a host key whose private half the monitor holds.
type signer struct{ key pubkey.PublicKey }

func (s signer) PublicKey() pubkey.PublicKey { return s.key }

func (s signer) Sign(io.Reader, []byte) (*pubkey.Signature, error) { return nil, errElsewhere }

func (s signer) SignWithAlgorithm(io.Reader, []byte, string) (*pubkey.Signature, error) {
	return nil, errElsewhere
}

var errElsewhere = errors.New("network: the private key is elsewhere")

// New makes a room. The Setup is not changed any more.
func New(setup *privsep.Setup, opt Options) (*Room, error) {
	r := &Room{setup: setup, opt: opt}
	s := &ssh.Server{
		Config: ssh.Config{
			KeyExchanges: setup.KeyExchanges, Ciphers: setup.Ciphers, MACs: setup.MACs, Compressions: setup.Compressions,
			HostKeyAlgorithms: setup.HostKeyAlgs, PublicKeyAlgorithms: setup.PublicKeyAlgs,
			RekeyBytes: setup.RekeyBytes, RekeyInterval: setup.RekeyInterval,
			Version: setup.Version, MinRSABits: setup.MinRSABits,
		},
		Handler:    func(s *ssh.Session) { visitOf(s.Conn().Meta).session(s) },
		Subsystems: map[string]func(*ssh.Session){"": func(s *ssh.Session) { visitOf(s.Conn().Meta).session(s) }},
		OpenPTY:    func(s *ssh.Session, t *ssh.PTY) error { return visitOf(s.Conn().Meta).openPTY(s, t) },
		Start:      func(s *ssh.Session) error { return visitOf(s.Conn().Meta).start(s) },
		Auth:       func(_ context.Context, m *ssh.ConnMeta) *ssh.AuthConfig { return visitOf(m).auth() },
		Sign: func(m *ssh.ConnMeta, key ssh.PublicKey, algorithm string, hash []byte) ([]byte, error) {
			return visitOf(m).sign(key, algorithm, hash)
		},
		Prove: func(m *ssh.ConnMeta, key ssh.PublicKey, algorithm string) ([]byte, error) {
			return visitOf(m).prove(key, algorithm)
		},
		LoggedIn: func(c *ssh.ServerConn) { visitOf(c.Meta).loggedIn(c) },
		// The monitor holds the clock, so that a room that is broken cannot stop it.
		LoginGraceTime: -1,
		MaxAuthTries:   setup.MaxAuthTries,
		Channels:       channels(),
		Requests:       requests(),
	}
	if setup.Once && opt.Processors > 1 {
		// A room of one connection begins with one processor, which spares 0.3 MB
		// of the runtime's memory, and takes more when there is bulk to move.
		s.OnBulk = func() { go runtime.GOMAXPROCS(opt.Processors) }
	}
	if setup.Moduli {
		s.Group = func(m *ssh.ConnMeta, least, preferred, most int) (p, g []byte, ok bool) {
			return visitOf(m).group(least, preferred, most)
		}
	}
	if sshconfig.LogLevel(setup.LogLevel) >= sshconfig.Debug1 {
		s.ConnTrace = func(m *ssh.ConnMeta, level int, format string, args ...any) {
			visitOf(m).logf(sshconfig.Verbose+sshconfig.LogLevel(min(level, 3)), format, args...)
		}
	}
	for _, k := range setup.HostKeys {
		key, err := pubkey.ParsePublicKey(k.Blob)
		if err != nil {
			return nil, fmt.Errorf("network: host key: %w", err)
		}
		if cert, ok := key.(*pubkey.Certificate); ok && k.Cert {
			s.HostCertificates = append(s.HostCertificates, cert)
			continue
		}
		s.HostKeys = append(s.HostKeys, signer{key})
	}
	r.server = s
	return r, nil
}

// Hello is what the room's connections are told first.
func (r *Room) Hello() (*ssh.Hello, error) { return r.server.Hello() }

// Close ends all connections.
func (r *Room) Close() error { return r.server.Close() }

// Serve serves a connection until its end, and owns nc and link. start is what
// a lobby has said and heard, nil for nothing.
func (r *Room) Serve(ctx context.Context, link *privsep.Conn, nc net.Conn, start *ssh.Start) {
	v := &visit{r: r, link: link}
	v.pipes.Store(growBudget)
	v.title()
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = link.Serve(ctx, v.incoming)
		v.lost()
		nc.Close() // no monitor, no connection
	})
	err := r.server.ServeConnFrom(context.WithoutCancel(ctx), nc, start, v)
	_ = link.Notify(v.farewell(err))
	link.Close()
	wg.Wait()
}

// visit is one connection.
type visit struct {
	r    *Room
	link *privsep.Conn

	// owned by the goroutine of the login
	known bool // the monitor has been told a name
	name  string
	asked bool // the attempt has reached the monitor
	login *privsep.Login

	level    sshconfig.LogLevel // constant once the name is known
	conn     *ssh.ServerConn    // constant once logged in
	forwards *forward.Server

	pipes atomic.Int32 // that may grow

	opening sync.Mutex
	sockets *sockets.Client // nil without one

	mu   sync.Mutex
	next uint32
	runs map[uint32]*run
	of   map[*ssh.Session]*run
	gone bool // the monitor is
}

// title shows in ps who is served: "sshd: U@pts/0".
func (v *visit) title() {
	if v.r.opt.Title == nil || !v.r.setup.Once {
		return
	}
	switch {
	case !v.known:
		v.r.opt.Title("sshd: [net]")
	case v.conn == nil:
		v.r.opt.Title("sshd: " + printable(v.name) + " [net]")
	default:
		v.mu.Lock()
		ttys, plain := []string(nil), false
		for _, r := range v.of {
			if r.name != "" {
				ttys = append(ttys, r.name)
			}
			plain = plain || r.name == ""
		}
		v.mu.Unlock()
		slices.Sort(ttys)
		at := ""
		if len(ttys) > 0 {
			at = "@" + strings.Join(ttys, ",")
		} else if plain {
			at = "@notty"
		}
		v.r.opt.Title("sshd: " + printable(v.name) + at)
	}
}

// printable is a name that may be shown.
func printable(s string) string {
	const most = 64
	b := []byte(s[:min(len(s), most)])
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

func visitOf(m *ssh.ConnMeta) *visit { return m.Own.(*visit) }

// logf has the monitor write a line.
func (v *visit) logf(l sshconfig.LogLevel, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	_ = v.link.Notify(&privsep.Log{Level: int(l), Text: text[:min(len(text), privsep.MaxLine)]})
}

// errGone is a connection whose monitor has ended it.
var errGone = errors.New("network: the monitor has ended the connection")

// askTime bounds questions that have no context of their own: the monitor
// answers them at once.
const askTime = time.Minute

func (v *visit) call(ctx context.Context, m, answer privsep.Message) error {
	files, err := v.link.Call(ctx, m, answer)
	for _, f := range files {
		f.Close()
	}
	if errors.Is(err, privsep.ErrClosed) {
		return errGone
	}
	return err
}

// index is a host key's place in the Setup.
func (v *visit) index(key ssh.PublicKey) (uint32, error) {
	blob := string(key.Marshal())
	for i := range v.r.setup.HostKeys {
		if string(v.r.setup.HostKeys[i].Blob) == blob {
			return uint32(i), nil
		}
	}
	return 0, errElsewhere
}

func (v *visit) sign(key ssh.PublicKey, algorithm string, hash []byte) ([]byte, error) {
	i, err := v.index(key)
	if err != nil {
		return nil, err
	}
	return v.signature(&privsep.Sign{Key: i, Algorithm: algorithm, Hash: hash})
}

func (v *visit) prove(key ssh.PublicKey, algorithm string) ([]byte, error) {
	i, err := v.index(key)
	if err != nil {
		return nil, err
	}
	return v.signature(&privsep.Prove{Key: i, Algorithm: algorithm})
}

func (v *visit) signature(m privsep.Message) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var s privsep.Signature
	if err := v.call(ctx, m, &s); err != nil {
		return nil, err
	}
	if len(s.Blob) == 0 {
		return nil, errElsewhere
	}
	return s.Blob, nil
}

func (v *visit) group(least, preferred, most int) (p, g []byte, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var a privsep.Group
	if v.call(ctx, &privsep.Moduli{Min: uint32(least), Preferred: uint32(preferred), Max: uint32(most)}, &a) != nil {
		return nil, nil, false
	}
	return a.P, a.G, len(a.P) > 0 && len(a.G) > 0
}

// incoming is what the monitor says by itself.
func (v *visit) incoming(_ context.Context, in *privsep.Incoming) error {
	var e privsep.Exit
	if err := in.Decode(&e); err != nil {
		return err // nothing but Exit comes this way
	}
	v.mu.Lock()
	r := v.runs[e.Session]
	delete(v.runs, e.Session)
	v.mu.Unlock()
	if r != nil {
		r.exited(&e)
	}
	return nil
}

// lost ends what waits for the monitor.
func (v *visit) lost() {
	v.mu.Lock()
	v.gone = true
	runs := v.runs
	v.runs = nil
	v.mu.Unlock()
	for _, r := range runs {
		r.exited(nil)
	}
}
