package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/version"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Connector connects to the server of a configuration and logs in, in the
// words of ssh.
type Connector struct {
	Conf   *sshconfig.Client
	Log    *Logger
	Ask    *Prompter
	Home   string   // of the account
	Shell  string   // runs ProxyCommand; "" is /bin/sh
	Env    []string // of ProxyCommand
	Stderr *os.File // of ProxyCommand; banners go there
	// In and Out are the connection where ProxyCommand is "-".
	In, Out *os.File

	// Setup may change the configuration of the connection before it begins.
	Setup func(*ssh.ClientConfig)
	// Early is called when what it queues, a session with QueueSession, may leave
	// together with the login. LoggedIn is called once the server has let us in
	// and before anything else that it sends is looked at.
	Early, LoggedIn func(*ssh.Client)

	// Hop makes the connector to a host of ProxyJump, whose ProxyJump is before
	// unless that is empty. nil: there are no jumps.
	Hop func(h sshconfig.Hop, before string) (*Connector, error)
	// Program is what errors of dialling to a hop begin with.
	Program string

	HostKeys   *HostKeys // what was decided about the host key
	Identities *Identities
	Proxy      *Proxy // nil for a direct connection

	agent  *Agent
	remote net.Addr
	phase  atomic.Int32

	ways []string // through which hops this one was come to

	habitFile *habits       // nil: nothing is remembered
	habits    *Habits       // of the server, nil when it was not met
	cautious  bool          // a hint went wrong: this try uses none
	guessed   bool          // a key exchange message goes out before the server's KEXINIT
	toldKeys  atomic.Bool   // the server has told of its keys, or it is too late
	told      chan struct{} // closed when it has; made by config
	learned   chan struct{} // closed when they are dealt with; made by config
}

// Phases of a connection, for the words of its errors.
const (
	phaseDial = iota
	phaseBanner
	phaseExchange
	phaseLogin
	phaseRunning
)

// Host is the server as messages and prompts call it.
func (k *Connector) Host() string {
	if k.Conf.HostKeyAlias != "" {
		return k.Conf.HostKeyAlias
	}
	return k.Conf.Hostname
}

// peer is the server's address as messages show it.
func (k *Connector) peer() string {
	if t, ok := k.remote.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().String() + " port " + strconv.Itoa(t.Port)
	}
	return "UNKNOWN port 65535"
}

// Connect connects and logs in. What went wrong is for Explain to say.
func (k *Connector) Connect(ctx context.Context) (*ssh.Client, error) {
	k.Identities = &Identities{Conf: k.Conf, Log: k.Log, Ask: k.Ask}
	if err := k.Identities.LoadPublic(); err != nil {
		return nil, err
	}
	k.HostKeys = &HostKeys{Conf: k.Conf, Log: k.Log, Ask: k.Ask, Home: k.Home}
	k.HostKeys.Load()
	k.recall()
	c, err := k.try(ctx)
	if err != nil && k.again() && k.misled(err) {
		k.Log.Debug1("What is remembered of the server is wrong; connecting again without it.")
		k.cautious = true
		c, err = k.try(ctx)
	}
	return c, err
}

// try is one connection and login.
func (k *Connector) try(ctx context.Context) (*ssh.Client, error) {
	k.phase.Store(phaseDial)
	start := time.Now()
	conn, err := k.dial(ctx)
	if err != nil {
		return nil, err
	}
	k.remote = conn.RemoteAddr()
	k.HostKeys.Proxied = k.Proxy != nil || k.Conf.ProxyCommand != ""
	order, err := k.HostKeys.Algorithms(ctx)
	if err != nil {
		conn.Close()
		k.Close()
		return nil, err
	}
	cfg, login := k.config(conn, order)
	if k.Conf.ConnectTimeout > 0 {
		cfg.Timeout = max(k.Conf.ConnectTimeout-time.Since(start), time.Millisecond)
	}
	k.phase.Store(phaseBanner)
	addr := net.JoinHostPort(k.Conf.Hostname, strconv.Itoa(k.Conf.Port))
	c, err := ssh.NewClient(ctx, conn, addr, cfg)
	if err != nil {
		k.Close()
		return nil, err
	}
	k.phase.Store(phaseRunning)
	k.agent.Close() // it has signed what there was
	k.agent = nil
	method, before := c.AuthMethod()
	login.Succeeded(method)
	if t, ok := k.remote.(*net.TCPAddr); ok && k.Proxy == nil {
		k.Log.Verbose("Authenticated to %s ([%s]:%d) using \"%s\".", k.Conf.Hostname, address(t), t.Port, method)
	} else {
		k.Log.Verbose("Authenticated to %s (via proxy) using \"%s\".", k.Conf.Hostname, method)
	}
	used := ssh.PublicKey(nil)
	if method == "publickey" && len(before) == 0 && login.last != nil {
		used = login.last.PublicKey
	}
	k.remember(c, used)
	return c, nil
}

// errMisled ends a login whose early messages the server may close the
// connection for.
var errMisled = errors.New("client: the server refused what let us in the last time")

// misled reports whether a connection ended as it may by a wrong hint: then
// nothing was asked of a person and nothing was done by the server.
func (k *Connector) misled(err error) bool {
	if errors.Is(err, errMisled) {
		return true
	}
	var hostKey *ssh.HostKeyError
	var offer *ssh.NegotiationError
	return k.guessed && k.phase.Load() == phaseExchange && !errors.As(err, &hostKey) && !errors.As(err, &offer) && !errors.Is(err, ssh.ErrTimeout)
}

// sendEarly has the program's messages follow the request that key made, where
// the server bears that.
func (k *Connector) sendEarly(c *ssh.Client, key *ssh.AuthKey) {
	yes, before := c.Pipelines()
	if k.Early == nil || !k.again() || !yes || k.habits != nil && !k.habits.hopeful() || key == nil {
		return
	}
	// A key that the server was asked about is as good as one remembered.
	if before || !key.SignNow || key == k.Identities.remembered {
		k.Early(c)
	}
}

// refused is told that the server did not let us in. One that goes on has
// refused the early messages too, and says so; of the others the connection is
// lost.
func (k *Connector) refused(c *ssh.Client, early bool) error {
	if _, before := c.Pipelines(); early && !before {
		return errMisled
	}
	return nil
}

// Close ends the proxy command and the connection to the agent.
func (k *Connector) Close() {
	if k.Proxy != nil {
		k.Proxy.Stop()
	}
	k.agent.Close()
	k.agent = nil
}

// dial makes the connection: by ProxyCommand, or directly.
func (k *Connector) dial(ctx context.Context) (net.Conn, error) {
	c := k.Conf
	if c.ProxyJump != "" {
		return k.jump(ctx)
	}
	if c.ProxyCommand == "-" {
		k.Proxy = new(Proxy)
		return rawio.NewDuplex(inherited(k.In), inherited(k.Out), "UNKNOWN"), nil
	}
	if c.ProxyCommand != "" {
		command, err := c.Tokens().Expand(c.ProxyCommand, sshconfig.TokensProxy)
		if err != nil {
			return nil, err
		}
		if c.ProxyUseFdpass {
			return passedSocket(k.Shell, command, k.Env, k.Stderr, k.Log)
		}
		p, err := StartProxy(k.Shell, command, k.Env, k.Stderr, k.Log)
		if err != nil {
			return nil, err
		}
		k.Proxy = p
		return p.Conn, nil
	}
	d := Dialer{Log: k.Log, BindAddress: c.BindAddress, BindInterface: c.BindInterface, Attempts: c.ConnectionAttempts, NoKeepAlive: !c.TCPKeepAlive}
	switch c.AddressFamily {
	case sshconfig.FamilyInet:
		d.Network = "tcp4"
	case sshconfig.FamilyInet6:
		d.Network = "tcp6"
	}
	addrs, err := d.Resolve(ctx, c.Hostname)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.ConnectTimeout)
		defer cancel()
	}
	return d.DialAddrs(ctx, c.Hostname, addrs, c.Port)
}

func inherited(f *os.File) *rawio.File {
	n := -1
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { n = int(fd) })
	}
	return rawio.Inherited(n, f.Name())
}

// config turns the configuration into that of the library. hostKeys are the
// host key algorithms in order.
func (k *Connector) config(conn net.Conn, hostKeys []string) (*ssh.ClientConfig, *Login) {
	c := k.Conf
	k.told, k.learned = make(chan struct{}), make(chan struct{})
	cfg := &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: c.KexAlgorithms, Ciphers: c.Ciphers, MACs: c.MACs,
			HostKeyAlgorithms:   hostKeys,
			PublicKeyAlgorithms: c.PubkeyAcceptedAlgorithms,
			RekeyBytes:          c.RekeyLimit.Bytes, RekeyInterval: c.RekeyLimit.Interval,
			Version:    "SSH-2.0-" + version.Identification,
			MinRSABits: c.RequiredRSASize,
			Trace:      k.trace,
		},
		User:              c.User,
		NoHostBound:       c.PubkeyAuthentication == sshconfig.PubkeyUnbound,
		KeepaliveInterval: c.ServerAliveInterval,
		KeepaliveCount:    c.ServerAliveCountMax,
	}
	k.guessed = k.guess(cfg)
	cfg.NoGuess = !k.guessed
	if c.VersionAddendum != "" {
		cfg.Version += " " + c.VersionAddendum
	}
	if c.Compression {
		cfg.Compressions = []string{"zlib@openssh.com", "none"}
	}
	login := &Login{Conf: c, Log: k.Log, Ask: k.Ask, Identities: k.Identities, Host: k.Host(), Banners: k.Stderr,
		Keysign: &Keysign{Conn: conn, Log: k.Log}}
	cfg.Banner, cfg.AuthTrace = login.Banner, login.Trace
	cfg.HostKey = func(ctx context.Context, name string, remote net.Addr, key ssh.PublicKey) error {
		// A person may take longer to answer than ConnectTimeout.
		conn.SetReadDeadline(time.Time{})
		return k.HostKeys.Check(ctx, name, remote, key)
	}
	cfg.Requests = map[string]func(context.Context, *ssh.Client, *ssh.GlobalRequest){ssh.HostKeysRequest: k.learnHostKeys}
	cfg.Connected = func(client *ssh.Client) {
		k.phase.Store(phaseLogin)
		k.warnWeak(client)
		k.agent = OpenAgent(AgentPath(k.Conf.IdentityAgent, k.Ask.getenv), k.Log)
		k.agent.Bind(client)
		k.Identities.Agent = k.agent
		k.Identities.Arrange(k.agent.Keys())
		// An agent may refuse to sign what is not bound to the host key, and that
		// is known only now.
		told := client.ServerSigAlgs() != nil
		k.Identities.Remembered = func(id *Identity) bool { return (told || id.agent == nil) && k.remembered(id) }
		cfg.Auth = login.Methods()
		cfg.Refused = func(early bool) error { return k.refused(client, early) }
	}
	cfg.Early, cfg.Authenticated = k.sendEarly, k.LoggedIn
	if k.Setup != nil {
		k.Setup(cfg)
	}
	return cfg, login
}

// learnHostKeys is what UpdateHostKeys does when the server tells of its keys.
func (k *Connector) learnHostKeys(ctx context.Context, c *ssh.Client, r *ssh.GlobalRequest) {
	if k.toldKeys.Swap(true) {
		return // once is enough (GLB-4)
	}
	close(k.told)
	defer close(k.learned)
	keys, err := ssh.ParseHostKeys(r.Payload)
	if err != nil {
		k.Log.Error("client_input_hostkeys: %s", err)
		return
	}
	k.HostKeys.Learn(ctx, keys, func(keys []ssh.PublicKey) error { return c.ProveHostKeys(ctx, keys) })
}

// Settle waits for what the server's telling of its keys has begun. Before a
// session starts it is the time for the question of UpdateHostKeys=ask: later
// a prompt and the session would both read what is typed, so nothing is
// learned then. At the end, a short command does not cut off the learning.
func (k *Connector) Settle(ctx context.Context, start bool) {
	const patience = time.Second
	if start {
		if k.Conf.UpdateHostKeys != sshconfig.AskAsk {
			return
		}
		select {
		case <-k.told:
		case <-ctx.Done():
		case <-time.After(patience / 4):
			if !k.toldKeys.Swap(true) {
				return
			}
		}
		select {
		case <-k.learned:
		case <-ctx.Done():
		}
		return
	}
	select {
	case <-k.told:
	default:
		return
	}
	select {
	case <-k.learned:
	case <-time.After(patience):
	}
}

// warnWeak warns of a key exchange whose secrets a later machine can read.
func (k *Connector) warnWeak(c *ssh.Client) {
	m := kex.MethodByName(c.Algorithms().Kex)
	if k.Conf.WarnWeakCrypto == sshconfig.WarnNo || m == nil || m.PostQuantum {
		return
	}
	k.Log.Info("** WARNING: connection is not using a post-quantum key exchange algorithm.")
	k.Log.Info("** This session may be vulnerable to \"store now, decrypt later\" attacks.")
	k.Log.Info("** The server may need to be upgraded. See https://openssh.com/pq.html")
}

// trace logs what the library tells.
func (k *Connector) trace(level int, format string, args ...any) {
	v := LevelInfo
	if level > 0 {
		v = LevelVerbose + Level(min(level, 3))
	}
	const sent = "SSH2_MSG_KEXINIT sent"
	switch {
	case format == sent && k.phase.Load() == phaseBanner:
		return // said when it can be seen which server it is for
	case strings.HasPrefix(format, "Remote protocol version "):
		first := k.phase.CompareAndSwap(phaseBanner, phaseExchange)
		k.Log.Log(v, format, args...)
		k.matchBanner(args)
		k.Log.Debug1("Authenticating to %s:%d as '%s'", k.Conf.Hostname, k.Conf.Port, k.Conf.User)
		if first {
			k.Log.Debug1(sent)
		}
	default:
		k.Log.Log(v, format, args...)
	}
}

// matchBanner logs whether the server is one that needs care: none does, but
// there are scripts that look for the line.
func (k *Connector) matchBanner(args []any) {
	if len(args) != 1 || !k.Log.Enabled(LevelDebug1) {
		return
	}
	if name := fmt.Sprint(args[0]); strings.HasPrefix(name, "OpenSSH") {
		k.Log.Debug1("compat_banner: match: %s pat OpenSSH* compat 0x04000000", name)
	} else {
		k.Log.Debug1("compat_banner: no match: %s", name)
	}
}

// Explain says in the words of ssh what ended a connection: lines for the log
// at the level ERROR, or INFO where negotiation failed. program is the name
// before errors of dialling.
func (k *Connector) Explain(program string, err error) {
	var (
		resolve *ResolveError
		connect *ConnectError
		hostKey *ssh.HostKeyError
		offer   *ssh.NegotiationError
		ident   *ssh.IdentificationError
		peer    *ssh.PeerDisconnectError
		denied  *ssh.DeniedError
		ours    *ssh.DisconnectError
		log     = k.Log
	)
	switch {
	case errors.As(err, &resolve):
		log.Error("%s: %s", program, err)
	case errors.As(err, &connect):
		log.Error("ssh: %s", err)
	case errors.As(err, &hostKey):
		if !errors.Is(err, ErrHostKey) {
			log.Error("%s", hostKey.Err)
		}
		log.Fatal("%s", ErrHostKey)
	case errors.As(err, &offer):
		log.Info("Unable to negotiate with %s: %s", k.peer(), offer)
	case errors.As(err, &ident):
		k.explainIdent(ident)
	case errors.As(err, &peer):
		log.Error("Received disconnect from %s:%d: %s", k.peer(), uint32(peer.Reason), peer.Message)
		log.Info("Disconnected from %s", k.peer())
	case errors.As(err, &denied):
		log.Fatal("%s@%s: Permission denied (%s).", k.Conf.User, k.Conf.Hostname, strings.Join(denied.Methods, ","))
	case errors.Is(err, ssh.ErrTimeout):
		k.explainTimeout()
	case closedByPeer(err), k.Proxy != nil && errors.Is(err, syscall.ECONNRESET):
		// A socket pair is reset where the other end left bytes unread.
		if k.phase.Load() == phaseBanner {
			log.Error("kex_exchange_identification: Connection closed by remote host")
		}
		log.Info("Connection closed by %s", k.peer())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		if k.phase.Load() == phaseBanner {
			log.Error("kex_exchange_identification: read: %s", Strerror(err))
		}
		log.Info("Connection reset by %s", k.peer())
	case errors.As(err, &ours):
		k.explainOurs(ours)
	default:
		if k.phase.Load() == phaseDial {
			log.Fatal("%s", err)
			return
		}
		log.Error("ssh_dispatch_run_fatal: Connection to %s: %s", k.peer(), Strerror(err))
	}
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func (k *Connector) explainTimeout() {
	switch k.phase.Load() {
	case phaseRunning:
		k.Log.Info("Timeout, server %s not responding.", k.Conf.Hostname)
		return
	case phaseBanner:
		k.Log.Error("Connection timed out during banner exchange")
	default:
		k.Log.Error("Connection timed out during key exchange")
	}
	k.Log.Info("Connection to %s timed out", k.peer())
}

func (k *Connector) explainIdent(e *ssh.IdentificationError) {
	why := "invalid format"
	switch {
	case strings.HasPrefix(e.Why, "protocol version"):
		major, _, _ := strings.Cut(strings.TrimPrefix(e.Line, "SSH-"), ".")
		k.Log.Error("Protocol major versions differ: 2 vs. %.20s", major)
		why = "could not read protocol version"
	case strings.HasPrefix(e.Why, "invalid format"):
		k.Log.Error("Bad remote protocol version identification: '%.100s'", e.Line)
	case strings.Contains(e.Why, "too long"):
		k.Log.Error("kex_exchange_identification: banner line too long")
	case strings.Contains(e.Why, "NUL"):
		k.Log.Error("kex_exchange_identification: banner line contains invalid characters")
	default:
		k.Log.Error("kex_exchange_identification: %s", e.Why)
	}
	k.Log.Error("banner exchange: Connection to %s: %s", k.peer(), why)
}

// explainOurs: we ended the connection because of what the server sent.
func (k *Connector) explainOurs(e *ssh.DisconnectError) {
	why := e.Message
	switch {
	case strings.HasPrefix(why, "Corrupted MAC"), strings.HasPrefix(why, "Bad packet length"), strings.HasPrefix(why, "padding error"):
		k.Log.Error("%s", why)
		why = "message authentication code incorrect"
	}
	k.Log.Fatal("ssh_dispatch_run_fatal: Connection to %s: %s", k.peer(), why)
}

// RequestFailed is the line for a request of a session that was refused.
func RequestFailed(e *ssh.RequestError, channel uint32) string {
	name := e.Request
	if name == "pty-req" {
		name = "PTY allocation"
	}
	return fmt.Sprintf("%s request failed on channel %d", name, channel)
}
