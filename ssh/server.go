package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// ConnMeta is what is known of a client while it logs in.
type ConnMeta struct {
	User          string // "" before the first request
	SessionID     []byte
	ClientVersion string // as sent: escape it
	ServerVersion string
	RemoteAddr    net.Addr
	LocalAddr     net.Addr
	Algorithms    Algorithms
	// Own is what the caller of ServeConnFrom gave; the library does not look at
	// it.
	Own any
}

// Server serves SSH connections. HostKeys, at least one way to log in and
// Handler or another handler are needed: the zero value lets nobody in. The
// fields are not changed once it serves.
type Server struct {
	Config
	// Addr is where ListenAndServe listens, ":22" if empty.
	Addr string
	// HostKeys identify the server, at most one of each type.
	HostKeys []Signer
	// HostCertificates are shown by clients that want them; each is for one of
	// HostKeys.
	HostCertificates []*Certificate

	// Sign, if set, signs in the place of HostKeys, which then need to have public
	// halves only: hash is an exchange hash, key a host key or one of
	// HostCertificates, and the answer a signature blob. Prove does so for the
	// proof that a client asks for after login (hostkeys-prove-00@openssh.com).
	Sign  func(m *ConnMeta, key PublicKey, algorithm string, hash []byte) ([]byte, error)
	Prove func(m *ConnMeta, key PublicKey, algorithm string) ([]byte, error)

	// Handler runs a shell or a command: see Session. Each call is on a goroutine
	// of its own; when it returns, the session ends with status 0 unless Exit
	// was called.
	Handler func(*Session)
	// Subsystems run subsystems by name; those without an entry are run by that
	// of the empty name, and refused if there is none.
	Subsystems map[string]func(*Session)
	// AcceptEnv says which environment variables a client may set; nil refuses
	// all.
	AcceptEnv func(name string) bool
	// OpenPTY is asked before a terminal is granted, nil grants what the login's
	// permissions allow. It may wait.
	OpenPTY func(s *Session, t *PTY) error
	// Start is asked before a shell, command or subsystem is granted; it may
	// start the program. nil grants. It may wait.
	Start func(s *Session) error

	// None, Password, PublicKey and KeyboardInteractive log in. A nil one does
	// not exist. They return nil permissions for an unrestricted login, an error
	// to refuse, or a *PartialSuccess. PublicKey is asked for offered keys too;
	// what it permits counts only if that key's signature is then verified.
	None                func(ctx context.Context, m *ConnMeta) (*Permissions, error)
	Password            func(ctx context.Context, m *ConnMeta, password []byte) (*Permissions, error)
	PublicKey           func(ctx context.Context, m *ConnMeta, key PublicKey) (*Permissions, error)
	KeyboardInteractive func(ctx context.Context, m *ConnMeta, ask AuthAsk) (*Permissions, error)
	// Auth, if set, replaces these: it makes the whole configuration of one
	// connection's authentication. SessionID, HostKey, Now and Sleep are filled
	// in.
	Auth func(ctx context.Context, m *ConnMeta) *AuthConfig
	// AuthLog is told every attempt.
	AuthLog func(m *ConnMeta, l AuthLog)
	// Banner is sent before the first answer, "" for none.
	Banner func(m *ConnMeta) string
	// MaxAuthTries is the number of failures that end a connection, 0 for 6.
	MaxAuthTries int
	// LoginGraceTime bounds a connection from accept to login, 0 for two minutes;
	// negative for no bound.
	LoginGraceTime time.Duration
	// MaxSessions bounds the open sessions of one connection, 0 for 10.
	MaxSessions int

	// Channels handle channels of other types than session, by type, each call
	// on a goroutine of its own; others are refused.
	Channels map[string]func(ctx context.Context, c *ServerConn, n *NewChannel)
	// Requests handle global requests, by name. Answers keep the order of the
	// requests.
	Requests map[string]func(ctx context.Context, c *ServerConn, r *GlobalRequest)

	// ConnTrace, if set, is told what Config.Trace is, and of which connection.
	ConnTrace func(m *ConnMeta, level int, format string, args ...any)
	// Accepted is called for each connection before anything is exchanged; an
	// error drops it.
	Accepted func(net.Conn) error
	// LoggedIn is called when a client has logged in, Ended when a connection
	// ends, logged in or not. They may not wait.
	LoggedIn func(c *ServerConn)
	Ended    func(m *ConnMeta, err error)

	// ClientAliveInterval asks the client whether it is there when nothing came
	// for so long; after ClientAliveCount questions without an answer (0 means
	// 3) the connection ends.
	ClientAliveInterval time.Duration
	ClientAliveCount    int
	// OnBulk, if set, is called once, when one of the connections first moves
	// bulk. It must not wait.
	OnBulk func()
	// Moduli serves Diffie-Hellman group exchanges: see ParseModuli. Group, if
	// set, does so in its place: a prime of about preferred bits and its
	// generator, or false for the built-in groups.
	Moduli *Moduli
	Group  func(m *ConnMeta, minBits, preferredBits, maxBits int) (p, g []byte, ok bool)

	// KexAllowed is asked before a key exchange whose computing a client could
	// use to keep this machine busy: those over finite fields, which are off by
	// default. An error ends the connection. nil allows each source, an IPv4
	// address or an IPv6 network of 64 bits, FiniteFieldBurst at once and
	// FiniteFieldRate a second, and all together ten times as much.
	KexAllowed func(m *ConnMeta, method string) error

	once      sync.Once
	finite    finiteLimit
	buffers   transport.Buffers
	transport *transport.Config // one for all connections
	keys      []transport.HostKey
	publics   []PublicKey // of keys
	keysErr   error
	secret    uint64
	budget    *Budget
	hostKeys  []byte // payload of hostkeys-00@openssh.com

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*ServerConn]struct{}
	active    sync.WaitGroup
	closing   bool
}

// Moduli are the safe primes of a moduli file.
type Moduli = kex.Moduli

// ParseModuli reads a moduli file (moduli(5)).
func ParseModuli(file []byte) (*Moduli, error) { return kex.ParseModuli(file) }

// Errors of a Server that lacks what is needed, and of one that was closed.
var (
	ErrNoHostKey    = errors.New("ssh: Server.HostKeys is empty; add a key, for example from ssh.ParsePrivateKey")
	ErrNoAuth       = errors.New("ssh: Server has no way to log in; set PublicKey, Password, KeyboardInteractive, None or Auth")
	ErrServerClosed = errors.New("ssh: server is closed")
)

const (
	defaultGraceTime   = 2 * time.Minute
	defaultMaxSessions = 10
)

// prepare checks the configuration and computes what all connections share.
func (s *Server) prepare() error {
	s.once.Do(func() {
		s.keysErr = s.loadKeys()
		s.secret = randomUint64()
		if s.budget = s.Budget; s.budget == nil {
			s.budget = &Budget{Limit: defaultBudget}
		}
		algs := orDefault(s.PublicKeyAlgorithms, pubkey.DefaultHostKeyAlgorithms)
		s.buffers.OnBulk = s.OnBulk
		t := s.Config.transport(false, &s.buffers)
		t.HostKeys = s.keys
		t.ExtInfo = []wire.Extension{
			{Name: "server-sig-algs", Value: []byte(strings.Join(plainAlgorithms(algs), ","))},
			{Name: "publickey-hostbound@openssh.com", Value: []byte("0")},
			{Name: "ping@openssh.com", Value: []byte("0")},
		}
		if s.Moduli != nil {
			t.Moduli = func(minBits, preferredBits, maxBits int) ([]byte, []byte, bool) {
				return s.Moduli.Pick(minBits, preferredBits, maxBits, rand.Reader)
			}
		}
		s.transport = t
	})
	return s.keysErr
}

// plainAlgorithms leaves the certificate names out, as server-sig-algs does.
func plainAlgorithms(algs []string) []string {
	var l []string
	for _, a := range algs {
		if !strings.Contains(a, "-cert-v0") {
			l = append(l, a)
		}
	}
	return l
}

// transportFor is the configuration of one connection: that of all of them,
// unless something in it asks who the client is.
func (s *Server) transportFor(m *ConnMeta) *transport.Config {
	finite := slices.ContainsFunc(s.transport.KeyExchanges, func(name string) bool {
		k := kex.MethodByName(name)
		return k != nil && k.FiniteField
	})
	if s.Sign == nil && s.Group == nil && s.ConnTrace == nil && !finite {
		return s.transport
	}
	t := *s.transport
	if finite {
		t.KexAllowed = func(k *kex.Method) error {
			switch {
			case !k.FiniteField:
				return nil
			case s.KexAllowed != nil:
				return s.KexAllowed(m, k.Name)
			}
			return s.finite.take(m.RemoteAddr, time.Now())
		}
	}
	if s.ConnTrace != nil {
		t.Trace = func(level int, format string, args ...any) { s.ConnTrace(m, level, format, args...) }
	}
	if s.Group != nil {
		t.Moduli = func(minBits, preferredBits, maxBits int) ([]byte, []byte, bool) {
			return s.Group(m, minBits, preferredBits, maxBits)
		}
	}
	if s.Sign != nil {
		t.HostKeys = slices.Clone(s.keys)
		for i := range t.HostKeys {
			key := s.publics[i]
			t.HostKeys[i].Sign = func(algorithm string, h []byte) ([]byte, error) { return s.Sign(m, key, algorithm, h) }
		}
	}
	return &t
}

func (s *Server) loadKeys() error {
	if len(s.HostKeys) == 0 {
		return ErrNoHostKey
	}
	if s.None == nil && s.Password == nil && s.PublicKey == nil && s.KeyboardInteractive == nil && s.Auth == nil {
		return ErrNoAuth
	}
	allowed := orDefault(s.HostKeyAlgorithms, pubkey.DefaultHostKeyAlgorithms)
	add := func(key PublicKey, signer Signer) {
		var algs []string
		can := pubkey.SignerAlgorithms(signer)
		for _, a := range allowed {
			row := pubkey.AlgorithmByName(a)
			if row != nil && row.KeyType == key.Type() && slices.Contains(can, row.Format) {
				algs = append(algs, a)
			}
		}
		if len(algs) == 0 {
			return
		}
		s.publics = append(s.publics, key)
		s.keys = append(s.keys, transport.HostKey{Algorithms: algs, Blob: key.Marshal(),
			Sign: func(algorithm string, h []byte) ([]byte, error) {
				sig, err := pubkey.SignWith(signer, rand.Reader, h, pubkey.SignatureFormat(algorithm))
				if err != nil {
					return nil, err
				}
				return pubkey.MarshalSignature(sig), nil
			}})
	}
	for _, cert := range s.HostCertificates {
		for _, k := range s.HostKeys {
			if string(k.PublicKey().Marshal()) == string(cert.Key.Marshal()) {
				add(cert, k)
			}
		}
	}
	for _, k := range s.HostKeys {
		add(k.PublicKey(), k)
	}
	if len(s.keys) == 0 {
		return errors.New("ssh: no host key may sign with any of HostKeyAlgorithms")
	}
	for _, k := range s.HostKeys {
		s.hostKeys = wire.AppendString(s.hostKeys, k.PublicKey().Marshal())
	}
	return nil
}

// ListenAndServe listens on s.Addr and serves until ctx ends or Close.
func (s *Server) ListenAndServe(ctx context.Context) error {
	addr := s.Addr
	if addr == "" {
		addr = ":22"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections of l until ctx ends, Shutdown or Close, and closes
// l. Connections that are open go on; see Shutdown.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	if err := s.prepare(); err != nil {
		return err
	}
	if !s.track(l) {
		return ErrServerClosed
	}
	defer s.untrack(l)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	backoff := time.Duration(0)
	for {
		c, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			closing := s.closing
			s.mu.Unlock()
			switch {
			case closing:
				return ErrServerClosed
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case temporary(err):
				// Out of descriptors or the like: what is open may end.
				backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
				select {
				case <-time.After(backoff):
				case <-ctx.Done():
				}
				continue
			}
			return err
		}
		backoff = 0
		go s.serve(ctx, c, nil, nil, nil)
	}
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
}

// Close closes the listeners and ends all connections.
func (s *Server) Close() error {
	s.stopListening()
	s.mu.Lock()
	conns := make([]*ServerConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.abort(ErrServerClosed)
	}
	s.active.Wait()
	return nil
}

func (s *Server) stopListening() {
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
}

// Shutdown closes the listeners and waits until all connections have ended by
// themselves or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopListening()
	done := make(chan struct{})
	go func() {
		s.active.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Start is how far a connection had come in another process; see
// Server.ServeConnFrom.
type Start = transport.Start

// ParseStart decodes what Start.Append made.
func ParseStart(b []byte) (*Start, error) { return transport.ParseStart(b) }

// Hello is what a server says before it has heard anything.
type Hello = transport.Hello

// Hello is what this server says first, for whoever begins connections on its
// behalf and hands them to ServeConnFrom.
func (s *Server) Hello() (*Hello, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return s.transport.Hello(), nil
}

// ServeConn serves one connection, which it owns, until its end.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) error {
	return s.ServeConnFrom(ctx, c, nil, nil)
}

// ServeConnFrom is ServeConn for a connection whose first words were exchanged
// elsewhere, as start says; nil means that nothing was. own is what callbacks
// find in ConnMeta.Own.
func (s *Server) ServeConnFrom(ctx context.Context, c net.Conn, start *Start, own any) error {
	if err := s.prepare(); err != nil {
		c.Close()
		return err
	}
	ended := make(chan error, 1)
	s.serve(ctx, c, start, own, ended)
	return <-ended
}

// ServerConn is a client that has logged in.
type ServerConn struct {
	Conn
	// Meta is what was known at login, Permissions what the login may do, nil for
	// everything. PublicKey is the key that was verified, nil if none was.
	Meta        *ConnMeta
	Permissions *Permissions
	PublicKey   PublicKey
	Completed   []AuthCompleted

	s        *Server
	sessions int // under mu of Conn
	noMore   bool
	proved   map[string]bool // owned by the reader
	ended    chan<- error
	loggedIn bool
	policy   *Policy
}

// AuthCompleted is one method that succeeded in a login.
type AuthCompleted = userauth.Completed

// Permits reports whether the login may use an extension of certificates, such
// as permit-pty.
func (c *ServerConn) Permits(extension string) bool {
	if c.Permissions == nil {
		return true
	}
	_, ok := c.Permissions.Extensions[extension]
	return ok
}

// ForcedCommand is the command that the login is bound to, "" for none.
func (c *ServerConn) ForcedCommand() string {
	if c.Permissions == nil {
		return ""
	}
	return c.Permissions.CriticalOptions["force-command"]
}

// serve logs a client in on this goroutine and hands the connection to a reader
// of its own.
func (s *Server) serve(ctx context.Context, nc net.Conn, start *Start, own any, ended chan<- error) {
	c := &ServerConn{s: s, ended: ended}
	c.Meta = &ConnMeta{RemoteAddr: nc.RemoteAddr(), LocalAddr: nc.LocalAddr(), Own: own}
	c.Conn.init(ctx, nc, s.transportFor(c.Meta))
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		nc.Close()
		c.finish(ErrServerClosed)
		return
	}
	if s.conns == nil {
		s.conns = map[*ServerConn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.active.Add(1)
	s.mu.Unlock()
	err := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: stack()}
			}
		}()
		if s.Accepted != nil {
			if err := s.Accepted(nc); err != nil {
				c.t.Close()
				return err
			}
		}
		return c.login(ctx, start)
	}()
	if err != nil {
		c.t.Disconnect(err)
		c.t.Release()
		close(c.done)
		c.cancel(err)
		c.leave(err)
		return
	}
	c.group.Go(c.runServer)
}

// runServer is the reader of a server's connection.
func (c *ServerConn) runServer() {
	c.run()
	c.leave(c.Wait())
}

// leave is the last step of a connection.
func (c *ServerConn) leave(err error) {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	c.finish(err)
	c.s.active.Done()
}

func (c *ServerConn) finish(err error) {
	if c.s.Ended != nil {
		c.s.Ended(c.Meta, err)
	}
	if c.ended != nil {
		c.ended <- err
	}
}

func (c *ServerConn) login(ctx context.Context, start *Start) error {
	s := c.s
	grace := s.LoginGraceTime
	if grace == 0 {
		grace = defaultGraceTime
	}
	if grace > 0 {
		if start != nil {
			grace = max(0, grace-start.Waited)
		}
		// A random tail, so that the moment of the end tells nothing (VER-4).
		grace += time.Duration(randomUint64() % uint64(4*time.Second))
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, grace, ErrTimeout)
		defer cancel()
	}
	stop := c.watch(ctx)
	err := c.authenticate(ctx, start)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return loginError(ctx, err)
	}
	return nil
}

func (c *ServerConn) authenticate(ctx context.Context, start *Start) error {
	s, m := c.s, c.Meta
	err := c.handshake(start)
	m.ClientVersion, m.ServerVersion = string(c.t.RemoteVersion()), string(c.t.LocalVersion())
	if err != nil {
		return err
	}
	m.SessionID, m.Algorithms = c.t.SessionID(), c.t.Algorithms
	cfg := c.authConfig(ctx)
	result, err := userauth.Serve(ctx, c.t, cfg)
	if err != nil {
		return err
	}
	c.user, m.User = result.User, result.User
	c.Permissions, c.PublicKey, c.Completed = result.Permissions, result.PublicKey, result.Completed
	c.t.SetAuthenticated() // SUCCESS is queued: what follows may be compressed
	c.prepare(&connection.Config{Open: c.open, Global: c.global, Budget: s.budget, Opened: c.opened})
	// The host keys are told to OpenSSH's clients and those that learn from them.
	c.t.Queue((&wire.GlobalRequest{Type: HostKeysRequest, Payload: s.hostKeys}).Append(nil))
	c.loggedIn = true
	if s.LoggedIn != nil {
		s.LoggedIn(c)
	}
	c.applyPolicy()
	return nil
}

func (c *ServerConn) handshake(start *Start) error {
	if start == nil {
		return c.t.Handshake()
	}
	return c.t.HandshakeFrom(start)
}

// authConfig is the authentication of this connection.
func (c *ServerConn) authConfig(ctx context.Context) *AuthConfig {
	s, m := c.s, c.Meta
	var cfg *AuthConfig
	if s.Auth != nil {
		cfg = s.Auth(ctx, m)
	}
	if cfg == nil {
		cfg = s.callbacks(m)
	}
	cfg.SessionID, cfg.HostKey = c.t.SessionID(), c.t.HostKey()
	cfg.Now, cfg.Sleep = time.Now, sleep
	if cfg.DelaySecret == 0 {
		cfg.DelaySecret = s.secret
	}
	if cfg.SigAlgs == nil {
		cfg.SigAlgs = s.PublicKeyAlgorithms
	}
	if cfg.MaxAuthTries == 0 {
		cfg.MaxAuthTries = s.MaxAuthTries
	}
	if cfg.MinRSABits == 0 {
		cfg.MinRSABits = s.MinRSABits
	}
	if !cfg.RemoteAddr.IsValid() {
		if ap, err := netip.ParseAddrPort(m.RemoteAddr.String()); err == nil {
			cfg.RemoteAddr = ap.Addr()
		}
	}
	if s.AuthLog != nil && cfg.Log == nil {
		cfg.Log = func(l AuthLog) {
			m.User = l.User.Name
			s.AuthLog(m, l)
		}
	}
	if s.Banner != nil && cfg.Banner == nil {
		cfg.Banner = func(user string) string { m.User = user; return s.Banner(m) }
	}
	if cfg.SendExtInfoInAuth == nil && c.t.PeerExt.InfoInAuth {
		algs := strings.Join(plainAlgorithms(orDefault(cfg.SigAlgs, pubkey.DefaultHostKeyAlgorithms)), ",")
		cfg.SendExtInfoInAuth = func() []byte {
			return (&wire.ExtInfo{Extensions: []wire.Extension{{Name: "server-sig-algs", Value: []byte(algs)}}}).Append(nil)
		}
	}
	return cfg
}

// callbacks makes the configuration of the simple callbacks.
func (s *Server) callbacks(m *ConnMeta) *AuthConfig {
	cfg := &AuthConfig{}
	if f := s.None; f != nil {
		cfg.None = func(ctx context.Context, a *AuthAttempt) (*Permissions, error) {
			m.User = a.User.Name
			return f(ctx, m)
		}
	}
	if f := s.Password; f != nil {
		cfg.Password = func(ctx context.Context, a *AuthAttempt, password []byte) (*Permissions, error) {
			m.User = a.User.Name
			return f(ctx, m, password)
		}
	}
	if f := s.PublicKey; f != nil {
		cfg.KeyAllowed = func(ctx context.Context, a *AuthKeyAttempt) (*Permissions, error) {
			m.User = a.User.Name
			return f(ctx, m, a.Key)
		}
	}
	if f := s.KeyboardInteractive; f != nil {
		cfg.KeyboardInteractive = []AuthDevice{{Name: "default",
			Authenticate: func(ctx context.Context, a *AuthAttempt, ask AuthAsk) (*Permissions, error) {
				m.User = a.User.Name
				return f(ctx, m, ask)
			}}}
	}
	return cfg
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open answers a client that wants to open a channel. It runs on the reader.
func (c *ServerConn) open(n *NewChannel) {
	if n.Type == "session" && (c.s.Handler != nil || c.s.Subsystems != nil) {
		c.openSession(n)
		return
	}
	h := c.s.Channels[n.Type]
	if h == nil {
		n.Reject(wire.OpenUnknownChannelType, "unknown channel type")
		return
	}
	n.Keep()
	c.group.Go(func() { h(c.ctx, c, n) })
}

// Settled waits until the client's global requests that have come so far and
// want an answer have theirs, or ctx ends. A Start or Handler that calls it has
// programs find what was asked for before them: clients ask for remote forwards
// and for the program in one breath.
func (c *ServerConn) Settled(ctx context.Context) error { return c.mux.Settled(ctx) }

// global answers a global request. It runs on the reader.
func (c *ServerConn) global(r *GlobalRequest) {
	if h := c.s.Requests[r.Type]; h != nil {
		r.Keep()
		c.group.Go(func() { h(c.ctx, c, r) })
		return
	}
	switch r.Type {
	case "no-more-sessions@openssh.com":
		c.mu.Lock()
		c.noMore = true
		c.mu.Unlock()
		r.Reply(true, nil)
	case hostKeysProve:
		payload, ok := c.proveHostKeys(r.Payload)
		r.Reply(ok, payload)
	default: // keepalive@openssh.com too: any answer will do
		r.Reply(false, nil)
	}
}

// proveHostKeys signs the session for each host key that the client names, once
// for each (GLB-3).
func (c *ServerConn) proveHostKeys(p []byte) ([]byte, bool) {
	r := wire.NewReader(p)
	var reply []byte
	for n := 0; r.Len() > 0; n++ {
		blob := r.String()
		if r.Err() != nil || n >= len(c.s.HostKeys) || c.proved[string(blob)] {
			return nil, false
		}
		sig := c.prove(blob)
		if sig == nil {
			return nil, false
		}
		if c.proved == nil {
			c.proved = map[string]bool{}
		}
		c.proved[string(blob)] = true
		reply = wire.AppendString(reply, sig)
	}
	return reply, reply != nil
}

func (c *ServerConn) prove(blob []byte) []byte {
	for i := range c.s.keys {
		k := &c.s.keys[i]
		if string(k.Blob) != string(blob) {
			continue
		}
		algorithm := k.Algorithms[0]
		if a := c.t.Algorithms.HostKey; slices.Contains(k.Algorithms, a) {
			algorithm = a
		}
		var sig []byte
		var err error
		if c.s.Prove != nil {
			sig, err = c.s.Prove(c.Meta, c.s.publics[i], algorithm)
		} else {
			sig, err = k.Sign(algorithm, wire.HostKeyProof(c.t.SessionID(), blob))
		}
		if err != nil {
			return nil
		}
		return sig
	}
	return nil
}
