package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// ClientConfig says who logs in where and how. User and HostKey are needed.
type ClientConfig struct {
	Config
	// User is the name to log in as.
	User string
	// Auth are the ways to log in, tried in this order.
	Auth []AuthMethod
	// HostKey decides whether key is that of hostname, which is host:port as
	// given to Dial. The key's signature has been verified when it is called;
	// nothing but key exchange has been sent. See knownhosts and FixedHostKey.
	HostKey func(ctx context.Context, hostname string, remote net.Addr, key PublicKey) error
	// Banner is given the server's banners, as sent.
	Banner func(text string)
	// Timeout bounds the connection and the key exchange, 0 for none. The login
	// itself may wait for a person and is bounded by the context alone.
	Timeout time.Duration
	// Dialer makes the connections of Dial.
	Dialer net.Dialer

	// NoneFirst asks for the server's methods first, as ssh does.
	NoneFirst bool
	// NoHostBound keeps publickey authentication from being bound to the
	// server's host key.
	NoHostBound bool
	// RefuseTrivial refuses a server that lets us in without any proof.
	RefuseTrivial bool
	// NoGuess sends no key exchange message before the server's KEXINIT. One is
	// sent when HostKeyAlgorithms is set, which saves a round trip if its first
	// name is that of the server's key.
	NoGuess bool
	// AuthTrace is told the steps of the authentication.
	AuthTrace func(AuthEvent)
	// Connected is called when the host key is good and before the login begins.
	Connected func(c *Client)
	// Early is called, on the login's goroutine, when a request has been queued
	// that proves who we are and has nothing more to ask for, such as a signature;
	// key is the one that made it, if one did. What it queues with QueueSession
	// leaves in the same flight, before the server's answer. That is for servers
	// that bear it: see Pipelines.
	Early func(c *Client, key *AuthKey)
	// Refused is called when the server has refused what logged nobody in, or
	// wants more beside it; early tells whether something had been queued by
	// Early behind it. An error ends the login.
	Refused func(early bool) error
	// Authenticated is called when the server has let us in, before anything that
	// it sends on channels is looked at.
	Authenticated func(c *Client)

	// Channels handle channels that the server opens, by type, each call on a
	// goroutine of its own; others are refused.
	Channels map[string]func(ctx context.Context, c *Client, n *NewChannel)
	// Requests handle global requests of the server, by name, in order.
	Requests map[string]func(ctx context.Context, c *Client, r *GlobalRequest)
	// KeepaliveInterval asks the server whether it is there when nothing came for
	// so long; after KeepaliveCount questions without an answer (0 means 3) the
	// connection ends.
	KeepaliveInterval time.Duration
	KeepaliveCount    int
}

// NewChannel is a channel that the peer wants to open. Accept or Reject it.
type NewChannel = connection.Incoming

// Errors of a ClientConfig that lacks what is needed.
var (
	ErrNoHostKeyCheck = errors.New("ssh: ClientConfig.HostKey is nil; set it, for example to a knownhosts check or to ssh.FixedHostKey(key)")
	ErrTimeout        = errors.New("ssh: timed out")
)

// FixedHostKey is a HostKey check that takes one key only.
func FixedHostKey(want PublicKey) func(context.Context, string, net.Addr, PublicKey) error {
	blob := string(want.Marshal())
	return func(_ context.Context, hostname string, _ net.Addr, key PublicKey) error {
		if string(key.Marshal()) != blob {
			return fmt.Errorf("ssh: host key of %s is %s, want %s", hostname, FingerprintSHA256(key), FingerprintSHA256(want))
		}
		return nil
	}
}

// HostKeyError is a host key that was not accepted.
type HostKeyError struct {
	Key PublicKey // nil if it could not be read
	Err error
}

func (e *HostKeyError) Error() string { return "ssh: host key verification failed: " + e.Err.Error() }

// Unwrap is the cause.
func (e *HostKeyError) Unwrap() error { return e.Err }

// Client is a connection to a server.
type Client struct {
	Conn
	cfg  *ClientConfig
	host string

	hostKey PublicKey
	hostSig *Signature
	method  string
	partial []string
}

// Dial connects to addr and logs in.
func Dial(ctx context.Context, network, addr string, cfg *ClientConfig) (*Client, error) {
	dialCtx := ctx
	if cfg.Timeout > 0 {
		var cancel context.CancelFunc
		dialCtx, cancel = context.WithTimeoutCause(ctx, cfg.Timeout, ErrTimeout)
		defer cancel()
	}
	conn, err := cfg.Dialer.DialContext(dialCtx, network, addr)
	if err != nil {
		return nil, err
	}
	return NewClient(ctx, conn, addr, cfg)
}

// NewClient logs in over c, a connection to the server at addr (host:port, for
// the host key check), and owns it from then on.
func NewClient(ctx context.Context, c net.Conn, addr string, cfg *ClientConfig) (*Client, error) {
	if cfg.HostKey == nil {
		c.Close()
		return nil, ErrNoHostKeyCheck
	}
	k := &Client{cfg: cfg, host: addr}
	tc := cfg.Config.transport(true, &transport.Buffers{})
	// A guess counts only if the favourite host key algorithms agree too: without
	// knowing the server's key that is next to never so.
	tc.Guess = !cfg.NoGuess && len(cfg.HostKeyAlgorithms) > 0
	tc.VerifyHostKey = func(algorithm string, blob, h, sig []byte) error {
		return k.verifyHostKey(ctx, algorithm, blob, h, sig)
	}
	tc.ExtInfo = []wire.Extension{
		{Name: "ext-info-in-auth@openssh.com", Value: []byte("0")},
		{Name: "ping@openssh.com", Value: []byte("0")},
	}
	k.Conn.init(ctx, c, tc)
	stop := k.watch(ctx)
	err := k.login(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		k.t.Disconnect(err)
		k.t.Release()
		k.group.wg.Wait()
		close(k.done)
		return nil, loginError(ctx, err)
	}
	return k, nil
}

func (c *Client) login(ctx context.Context) error {
	cfg := c.cfg
	if cfg.Timeout > 0 {
		c.raw.SetReadDeadline(time.Now().Add(cfg.Timeout))
	}
	if err := c.t.Handshake(); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return ErrTimeout
		}
		return err
	}
	c.raw.SetReadDeadline(time.Time{})
	// EXT_INFO tells which signatures the server takes, and has come by now if the
	// server sends it at once.
	if err := c.t.Settle(); err != nil {
		return err
	}
	budget := cfg.Budget
	if budget == nil {
		budget = &Budget{Limit: defaultBudget}
	}
	c.prepare(&connection.Config{Open: c.open, Global: c.global, Budget: budget})
	if cfg.Connected != nil {
		cfg.Connected(c)
	}
	early := false
	result, err := userauth.Authenticate(ctx, c.t, &userauth.ClientConfig{
		SessionID: c.t.SessionID(), HostKey: c.t.HostKey(), User: cfg.User,
		Methods: cfg.Auth, NoneFirst: cfg.NoneFirst, SigAlgs: cfg.PublicKeyAlgorithms,
		Extensions: func() ([]string, bool) {
			return c.t.PeerExt.ServerSigAlgs, c.t.PeerExt.HostBound && !cfg.NoHostBound
		},
		RefuseTrivial: cfg.RefuseTrivial, Banner: cfg.Banner, Trace: cfg.AuthTrace,
		Queued: func(q userauth.Queued) {
			// With zlib@openssh.com the server takes what follows SUCCESS for
			// compressed, whenever it was sent.
			if early = false; q.Signed && cfg.Early != nil && c.t.Algorithms.Write.Compression == "none" {
				c.t.Early(func() error {
					before := c.mux.Open()
					cfg.Early(c, q.Key)
					early = c.mux.Open() > before
					return nil
				})
			}
		},
		Refused: func() error {
			if cfg.Refused == nil {
				return nil
			}
			return cfg.Refused(early)
		},
	})
	if err != nil {
		c.mux.Close(err)
		return err
	}
	c.user, c.method, c.partial = cfg.User, result.Method, result.Partial
	c.t.SetAuthenticated()
	c.rekeyEvery(cfg.RekeyInterval)
	if cfg.Authenticated != nil {
		cfg.Authenticated(c)
	}
	c.group.Go(c.run)
	if cfg.KeepaliveInterval > 0 {
		count := cfg.KeepaliveCount
		if count <= 0 {
			count = 3
		}
		c.group.Go(func() {
			c.keepalive(cfg.KeepaliveInterval, count, func() error {
				return fmt.Errorf("%w: server %s not responding", ErrTimeout, c.host)
			})
		})
	}
	return nil
}

func (c *Client) verifyHostKey(ctx context.Context, algorithm string, blob, h, sig []byte) error {
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return &HostKeyError{nil, err}
	}
	s, err := pubkey.ParseSignature(sig)
	if err == nil {
		err = pubkey.VerifyAlgorithm(key, h, s, algorithm)
	}
	if err != nil {
		return &HostKeyError{key, err}
	}
	if bits := pubkey.RSABits(key); bits != 0 && bits < c.cfg.minRSABits() {
		return &HostKeyError{key, fmt.Errorf("ssh: RSA host key has %d bits, at least %d are required", bits, c.cfg.minRSABits())}
	}
	if c.hostKey != nil && string(c.hostKey.Marshal()) == string(blob) {
		return nil // the same as in the exchange before
	}
	if err := c.cfg.HostKey(ctx, c.host, c.raw.RemoteAddr(), key); err != nil {
		return &HostKeyError{key, err}
	}
	c.hostKey, c.hostSig = key, s
	return nil
}

// HostKey is the server's key, verified.
func (c *Client) HostKey() PublicKey { return c.hostKey }

// HostKeySignature is the server's signature over the session identifier, made
// in the first key exchange; an agent that binds sessions wants it.
func (c *Client) HostKeySignature() *Signature { return c.hostSig }

// AuthMethod is the method that logged us in, and the ones that succeeded
// before it.
func (c *Client) AuthMethod() (last string, before []string) { return c.method, c.partial }

// ServerSigAlgs are the signatures that the server says it takes (RFC 8308
// §3.1), nil if it has not said so.
func (c *Client) ServerSigAlgs() []string { return c.t.PeerExt.ServerSigAlgs }

// PeerPings reports whether the server answers ping@openssh.com.
func (c *Client) PeerPings() bool { return c.t.PeerExt.Ping }

// open answers a server that wants to open a channel.
func (c *Client) open(n *NewChannel) {
	h := c.cfg.Channels[n.Type]
	if h == nil {
		n.Reject(wire.OpenUnknownChannelType, "unknown channel type")
		return
	}
	n.Keep()
	c.group.Go(func() { h(c.ctx, c, n) })
}

func (c *Client) global(r *GlobalRequest) {
	h := c.cfg.Requests[r.Type]
	if h == nil {
		r.Reply(false, nil)
		return
	}
	r.Keep()
	c.group.Go(func() { h(c.ctx, c, r) })
}

// Dial opens a connection from the server to addr (RFC 4254 §7.2). network is
// "tcp", "tcp4", "tcp6" or "unix", the last by OpenSSH's extension.
func (c *Client) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	typ, payload := "direct-tcpip", []byte(nil)
	switch network {
	case "tcp", "tcp4", "tcp6":
		host, port, err := splitHostPort(addr)
		if err != nil {
			return nil, err
		}
		payload = wire.AppendUint32(wire.AppendText(payload, host), port)
		payload = wire.AppendUint32(wire.AppendText(payload, "127.0.0.1"), 0)
	case "unix":
		typ = "direct-streamlocal@openssh.com"
		payload = wire.AppendUint32(wire.AppendText(wire.AppendText(payload, addr), ""), 0)
	default:
		return nil, net.UnknownNetworkError(network)
	}
	ch, err := c.mux.OpenChannel(ctx, typ, payload, func(ch *Channel) { ch.Discard(1) })
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: forwardAddr(addr), Err: err}
	}
	return &forwardConn{Channel: ch, local: c.raw.LocalAddr(), remote: forwardAddr(addr)}, nil
}

func splitHostPort(addr string) (string, uint32, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return "", 0, err
	}
	return host, uint32(port), nil
}

type forwardAddr string

func (a forwardAddr) Network() string {
	if strings.HasPrefix(string(a), "/") {
		return "unix"
	}
	return "tcp"
}
func (a forwardAddr) String() string { return string(a) }

// forwardConn is a channel as a net.Conn. Half-close is kept on both sides.
type forwardConn struct {
	*Channel
	local, remote net.Addr
}

// Read and Write name a passed deadline as net.Conn does.
func (c *forwardConn) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	return n, netError(err)
}

func (c *forwardConn) Write(p []byte) (int, error) {
	n, err := c.Channel.Write(p)
	return n, netError(err)
}

func netError(err error) error {
	if err == context.DeadlineExceeded {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (c *forwardConn) LocalAddr() net.Addr  { return c.local }
func (c *forwardConn) RemoteAddr() net.Addr { return c.remote }

// Run runs command and waits for its end, its output thrown away.
func (c *Client) Run(ctx context.Context, command string) error {
	s, err := c.NewSession(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx, command)
}

// Output runs command and returns what it writes to its standard output. An
// exit status other than 0 is an *ExitError.
func (c *Client) Output(ctx context.Context, command string) ([]byte, error) {
	s, err := c.NewSession(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Output(ctx, command)
}
