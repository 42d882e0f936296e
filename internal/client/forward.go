package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// SocksTimeout is how long a SOCKS client may take to say where it wants to go.
const SocksTimeout = time.Minute

// Limits of the forwards of one connection.
const (
	MaxForwards = 1000
	// MaxOpens bounds the channels that a listener waits for the server to
	// accept: a server has a limit of its own.
	MaxOpens = 64
)

// ForwardWay is which side listens.
type ForwardWay uint8

// Values of ForwardWay.
const (
	ForwardLocal ForwardWay = iota + 1
	ForwardRemote
	ForwardDynamic
)

// Errors of forwards.
var (
	// ErrUnixForward is a forward that this version cannot do yet.
	ErrUnixForward = errors.New("forwarding of Unix sockets is not there yet in this version")
	// ErrNotForwarded is a cancelled forward that was not there.
	ErrNotForwarded = errors.New("port not forwarded")
	// ErrForwardRefused is a remote forward that the server would not do.
	ErrForwardRefused = errors.New("remote port forwarding failed")
)

// Forwards are the TCP forwards of one connection: what listens here, and what
// the server listens for us. Safe for concurrent use.
type Forwards struct {
	log     *Logger
	gateway forward.Gateway
	family  forward.Family
	permit  []keyfile.HostPort // where remote SOCKS may lead; nil: anywhere

	client *ssh.Client
	ctx    context.Context

	mu      sync.Mutex
	list    []*forwarding
	pending sync.WaitGroup // remote forwards without an answer
}

// forwarding is one forward.
type forwarding struct {
	way       ForwardWay
	f         sshconfig.Forward
	port      uint16 // that is listened on; 0 while the server chooses
	listeners []net.Listener
	answered  chan struct{} // of a remote forward: closed when the server has answered
	err       error         // before answered
}

// NewForwards prepares the forwards of a configuration's connection. Channels
// go into the connection's configuration, Use comes after login.
func NewForwards(c *sshconfig.Client, log *Logger) *Forwards {
	w := &Forwards{log: log, permit: forward.ParsePermits(c.PermitRemoteOpen)}
	if c.GatewayPorts {
		w.gateway = forward.GatewayYes
	}
	switch c.AddressFamily {
	case sshconfig.FamilyInet:
		w.family = forward.OnlyIPv4
	case sshconfig.FamilyInet6:
		w.family = forward.OnlyIPv6
	}
	return w
}

// Channels are the handlers of the channels that the server may open.
func (w *Forwards) Channels(cfg *ssh.ClientConfig) {
	if cfg.Channels == nil {
		cfg.Channels = map[string]func(context.Context, *ssh.Client, *ssh.NewChannel){}
	}
	cfg.Channels[forward.ForwardedTCPIP] = w.forwarded
}

// Use says which connection the forwards are of. They end with ctx and with
// the connection.
func (w *Forwards) Use(ctx context.Context, c *ssh.Client) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(c.Context(), cancel)
	w.client, w.ctx = c, ctx
}

// listenText is the listening side as messages show it.
func (w *Forwards) listenText(f *sshconfig.Forward, remote bool) string {
	switch {
	case f.ListenPath != "":
		return f.ListenPath
	case f.ListenHost == "" && !f.ListenAny && (remote || w.gateway == forward.GatewayNo):
		return "LOCALHOST"
	case f.ListenHost == "" && !f.ListenAny:
		return "*"
	}
	return f.ListenHost
}

// ConnectText is the side that is connected to, "socks:0" where the peer of
// the connection says.
func ConnectText(f *sshconfig.Forward) string {
	switch {
	case f.Dynamic:
		return "socks:0"
	case f.ConnectPath != "":
		return f.ConnectPath + ":-2"
	}
	return f.ConnectHost + ":" + strconv.Itoa(f.ConnectPort)
}

// Fatal is a forward without which the person does not want the connection.
type Fatal string

func (f Fatal) Error() string { return string(f) }

// Start sets up everything that the configuration asks for. What fails is
// logged, or with ExitOnForwardFailure is a Fatal error. It does not wait for
// the server's answers: each failure that comes later is given to failed. See
// Confirmed.
func (w *Forwards) Start(c *sshconfig.Client, failed func(error)) error {
	n, good := 0, 0
	local := func(way ForwardWay, list []sshconfig.Forward) {
		for i := range list {
			f := &list[i]
			n++
			w.log.Debug1("Local connections to %s:%d forwarded to remote address %s", w.listenText(f, false), f.ListenPort, ConnectText(f))
			if _, err := w.Add(way, *f); err == nil {
				good++
			}
		}
	}
	local(ForwardLocal, c.LocalForward)
	local(ForwardDynamic, c.DynamicForward)
	if n > 0 && (good == 0 || good != n && c.ExitOnForwardFailure) {
		const text = "Could not request local forwarding."
		if c.ExitOnForwardFailure {
			return Fatal(text)
		}
		w.log.Error(text)
	}
	for i := range c.RemoteForward {
		f := &c.RemoteForward[i]
		w.log.Debug1("Remote connections from %s:%d forwarded to local address %s", w.listenText(f, true), f.ListenPort, ConnectText(f))
		e, err := w.request(*f)
		if err != nil {
			if c.ExitOnForwardFailure {
				return Fatal("Could not request remote forwarding.")
			}
			w.log.Info("Warning: Could not request remote forwarding.")
			continue
		}
		go func() {
			<-e.answered
			if err := w.confirmed(e, c.ExitOnForwardFailure); err != nil && failed != nil {
				failed(err)
			}
			w.pending.Done()
		}()
	}
	return nil
}

// confirmed says what is to be said of the server's answer.
func (w *Forwards) confirmed(e *forwarding, exit bool) error {
	f, word := &e.f, "success"
	if e.err != nil {
		word = "failure"
		if errors.Is(e.err, errLostConn) {
			return nil
		}
	}
	host := ""
	if f.ListenHost != "" {
		host = f.ListenHost + ":"
	}
	w.log.Debug1("remote forward %s for: listen %s%d, connect %s", word, host, f.ListenPort, ConnectText(f))
	if e.err == nil {
		if f.ListenPort == 0 {
			w.log.Info("Allocated port %d for remote forward to %s", e.port, ConnectText(f))
		}
		return nil
	}
	text := fmt.Sprintf("remote port forwarding failed for listen port %d", f.ListenPort)
	if exit {
		return Fatal("Error: " + text)
	}
	w.log.Info("Warning: %s", text)
	return nil
}

// Confirmed waits until the server has answered every remote forward that
// Start asked for, or the connection is over.
func (w *Forwards) Confirmed() { w.pending.Wait() }

// Add sets up one forward and returns the port that is listened on. Of a remote
// one it waits for the server's answer. What is there already is no error.
func (w *Forwards) Add(way ForwardWay, f sshconfig.Forward) (uint16, error) {
	if way == ForwardRemote {
		if e := w.find(way, &f); e != nil {
			<-e.answered
			return e.port, e.err
		}
		e, err := w.request(f)
		if err != nil {
			return 0, err
		}
		defer w.pending.Done()
		<-e.answered
		return e.port, e.err
	}
	if e := w.find(way, &f); e != nil {
		return e.port, nil
	}
	return w.listen(way, f)
}

// find is the forward that equals f.
func (w *Forwards) find(way ForwardWay, f *sshconfig.Forward) *forwarding {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.list {
		if e.way == way && sameForward(e.f, *f) {
			return e
		}
	}
	return nil
}

func (w *Forwards) note(e *forwarding) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) >= MaxForwards {
		return errors.New("too many forwards")
	}
	w.list = append(w.list, e)
	return nil
}

func (w *Forwards) forget(e *forwarding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.list {
		if w.list[i] == e {
			w.list = append(w.list[:i:i], w.list[i+1:]...)
			return
		}
	}
}

// listen opens the sockets of a local or dynamic forward.
func (w *Forwards) listen(way ForwardWay, f sshconfig.Forward) (uint16, error) {
	if f.ListenPath != "" || f.ConnectPath != "" {
		w.log.Error("%s", ErrUnixForward)
		return 0, ErrUnixForward
	}
	binds := forward.ClientBinds(f.ListenHost, f.ListenHost != "" || f.ListenAny, w.gateway, w.family)
	var lc net.ListenConfig
	open, port, err := forward.ListenAll(w.ctx, lc.Listen, binds, uint16(f.ListenPort), func(b forward.Bind, port uint16, last bool, err error) {
		level := LevelVerbose
		if last {
			level = LevelError
		}
		w.log.Log(level, "bind [%s]:%d: %s", b.Host, port, Strerror(err))
	})
	if err != nil {
		w.log.Error("channel_setup_fwd_listener_tcpip: cannot listen to port: %d", f.ListenPort)
		return 0, err
	}
	e := &forwarding{way: way, f: f, port: port, listeners: open}
	if err := w.note(e); err != nil {
		for _, l := range open {
			l.Close()
		}
		return 0, err
	}
	slots := make(chan struct{}, MaxOpens)
	for _, l := range open {
		w.log.Debug1("Local forwarding listening on %s port %d.", hostOf(l.Addr()), port)
		go forward.AcceptAll(w.ctx, l, func(err error) {
			w.log.Error("accept: %s", Strerror(err))
		}, func(c net.Conn) { go w.accepted(e, c, slots) })
	}
	return port, nil
}

func hostOf(a net.Addr) string {
	host, _, _ := net.SplitHostPort(a.String())
	return host
}

// accepted brings one connection of a local listener to the server.
func (w *Forwards) accepted(e *forwarding, c net.Conn, slots chan struct{}) {
	stop := context.AfterFunc(w.ctx, func() { c.Close() })
	host, port := e.f.ConnectHost, e.f.ConnectPort
	var rest []byte
	if e.way == ForwardDynamic {
		w.log.Debug1("Connection to port %d forwarding to socks port 0 requested.", e.port)
		c.SetDeadline(time.Now().Add(SocksTimeout))
		target, early, err := socks(c)
		if err != nil {
			w.log.Debug1("dynamic request: %s", err)
			stop()
			c.Close()
			return
		}
		c.SetDeadline(time.Time{})
		host, port, rest = target.Host, int(target.Port), early
		w.log.Debug2("dynamic request: host %s port %d", host, port)
	} else {
		w.log.Debug1("Connection to port %d forwarding to %s port %d requested.", e.port, host, port)
	}
	select {
	case slots <- struct{}{}:
	case <-w.ctx.Done():
		c.Close()
		return
	}
	o := forward.Open{Host: host, Port: uint16(port)}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		o.OriginHost, o.OriginPort = a.IP.String(), uint16(a.Port)
	}
	if !stop() {
		<-slots
		c.Close()
		return
	}
	r := forward.NewRelay(rawio.NewStream(c))
	r.SetName(fmt.Sprintf("direct-tcpip: listening port %d for %s port %d, connect from %s port %d to %s port %d",
		e.port, host, port, o.OriginHost, o.OriginPort, hostOf(c.LocalAddr()), e.port))
	ch, err := w.client.OpenChannelFunc(w.ctx, forward.DirectTCPIP, o.Append(nil), r.Setup)
	<-slots
	if err != nil {
		r.Drop()
		w.openFailed(ch, err)
		return
	}
	if len(rest) > 0 {
		ch.Write(rest)
	}
	r.Run()
}

// openFailed is the line about a channel that the server did not open.
func (w *Forwards) openFailed(ch *ssh.Channel, err error) {
	var open *ssh.OpenChannelError
	if errors.As(err, &open) {
		w.log.Info("channel %d: open failed: %s", ch.ID(), OpenReason(open))
	}
}

// OpenReason is a refusal to open a channel in OpenSSH's words.
func OpenReason(e *ssh.OpenChannelError) string {
	name := "unknown reason"
	switch e.Reason {
	case wire.OpenAdministrativelyProhibited:
		name = "administratively prohibited"
	case wire.OpenConnectFailed:
		name = "connect failed"
	case wire.OpenUnknownChannelType:
		name = "unknown channel type"
	case wire.OpenResourceShortage:
		name = "resource shortage"
	}
	if e.Message != "" {
		name += ": " + e.Message
	}
	return name
}

// socksClient is what a SOCKS server talks to.
type socksClient interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
}

// socks serves the beginning of a SOCKS connection: where it leads, and what
// the client has sent behind its request.
func socks(c socksClient) (forward.Listen, []byte, error) {
	var s forward.Socks
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if n == 0 && err != nil {
			return forward.Listen{}, nil, err
		}
		reply, rest, done, err := s.Advance(buf[:n])
		if len(reply) > 0 {
			if _, werr := c.Write(reply); werr != nil && err == nil {
				err = werr
			}
		}
		if err != nil {
			return forward.Listen{}, nil, err
		}
		if done {
			host, port := s.Target()
			return forward.Listen{Host: host, Port: port}, rest, nil
		}
	}
}

var errLostConn = errors.New("connection is over")

// listenHost is the listening side as the server is asked for it.
func listenHost(f *sshconfig.Forward) string {
	switch {
	case f.ListenHost == "*", f.ListenAny:
		return ""
	case f.ListenHost == "":
		return "localhost"
	}
	return f.ListenHost
}

// request asks the server to listen. pending counts it until its answer was
// dealt with.
func (w *Forwards) request(f sshconfig.Forward) (*forwarding, error) {
	if f.ListenPath != "" || f.ConnectPath != "" {
		w.log.Error("%s", ErrUnixForward)
		return nil, ErrUnixForward
	}
	e := &forwarding{way: ForwardRemote, f: f, port: uint16(f.ListenPort), answered: make(chan struct{})}
	if err := w.note(e); err != nil {
		return nil, err
	}
	l := forward.Listen{Host: listenHost(&f), Port: uint16(f.ListenPort)}
	answer, err := w.client.StartRequest(forward.TCPIPForward, l.Append(nil))
	if err != nil {
		w.forget(e)
		return nil, err
	}
	w.pending.Add(1)
	go func() {
		ok, reply, err := answer.Wait(w.ctx)
		switch {
		case err != nil:
			err = errLostConn
		case !ok:
			err = ErrForwardRefused
		case l.Port == 0:
			var port uint16
			if port, err = forward.ParsePort(reply); err == nil {
				w.mu.Lock()
				e.port = port
				w.mu.Unlock()
			}
		}
		if err != nil {
			w.forget(e)
		}
		e.err = err
		close(e.answered)
	}()
	return e, nil
}

// Cancel takes a forward down: one that equals f, or, with loose, one that
// listens where f does. Connections that are open go on.
func (w *Forwards) Cancel(way ForwardWay, f sshconfig.Forward, loose bool) error {
	w.mu.Lock()
	var e *forwarding
	for _, have := range w.list {
		same := sameForward(have.f, f)
		if loose {
			same = have.f.ListenHost == f.ListenHost && have.f.ListenAny == f.ListenAny && have.f.ListenPath == f.ListenPath &&
				(have.f.ListenPort == f.ListenPort || have.f.ListenPort == 0 && int(have.port) == f.ListenPort && f.ListenPort != 0)
		}
		if have.way == way && same {
			e = have
			break
		}
	}
	w.mu.Unlock()
	if e == nil {
		return ErrNotForwarded
	}
	if way == ForwardRemote {
		<-e.answered
		if e.err != nil {
			return ErrNotForwarded
		}
	}
	w.forget(e)
	for _, l := range e.listeners {
		l.Close()
	}
	if way != ForwardRemote {
		return nil
	}
	l := forward.Listen{Host: listenHost(&e.f), Port: e.port}
	_, _, err := w.client.SendRequest(w.ctx, forward.CancelTCPIPForward, false, l.Append(nil))
	return err
}

// asked is the remote forward of a port that the server has a connection for.
func (w *Forwards) asked(host string, port uint16) *forwarding {
	for {
		w.mu.Lock()
		var open *forwarding // the server may have chosen its port, and told, a moment ago
		for _, e := range w.list {
			if e.way != ForwardRemote || listenHost(&e.f) != host {
				continue
			}
			if e.port == port && port != 0 {
				w.mu.Unlock()
				return e
			}
			if e.port == 0 {
				open = e
			}
		}
		w.mu.Unlock()
		if open == nil {
			return nil
		}
		<-open.answered
	}
}

// forwarded answers a server that tells of a connection to a port that it
// listens on for us: only those that were asked for, by exact host and port
// (CLI-10).
func (w *Forwards) forwarded(ctx context.Context, c *ssh.Client, n *ssh.NewChannel) {
	reject := func(reason wire.OpenReason, text string) {
		n.Reject(reason, text)
		c.Flush()
	}
	o, err := forward.ParseOpen(n.Payload)
	if err != nil {
		reject(wire.OpenConnectFailed, "open failed")
		return
	}
	w.log.Debug1("client_request_forwarded_tcpip: listen %s port %d, originator %s port %d", o.Host, o.Port, o.OriginHost, o.OriginPort)
	e := w.asked(o.Host, o.Port)
	if e == nil {
		w.log.Error("WARNING: Server requests forwarding for unknown listen_port %d", o.Port)
		reject(wire.OpenAdministrativelyProhibited, "open failed")
		return
	}
	if e.f.Dynamic {
		w.remoteSocks(ctx, c, n)
		return
	}
	conn, err := w.dial(ctx, e.f.ConnectHost, e.f.ConnectPort)
	if err != nil {
		reject(wire.OpenConnectFailed, Strerror(err))
		return
	}
	r := forward.NewRelay(rawio.NewStream(conn))
	r.SetName(o.OriginHost)
	if _, err := n.Accept(r.Setup); err != nil {
		r.Drop()
		return
	}
	c.Flush()
	r.Run()
}

func (w *Forwards) dial(ctx context.Context, host string, port int) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		w.log.Error("connect_to %s: unknown host (%s)", host, Strerror(err))
	case err != nil:
		w.log.Error("connect_to %s port %d: failed.", host, port)
	}
	return conn, err
}

// remoteSocks is the SOCKS server behind a port of the server.
func (w *Forwards) remoteSocks(ctx context.Context, c *ssh.Client, n *ssh.NewChannel) {
	r := forward.NewRelay(nil)
	ch, err := n.Accept(r.Setup)
	if err != nil {
		return
	}
	c.Flush()
	ch.SetReadDeadline(time.Now().Add(SocksTimeout))
	target, rest, err := socks(ch)
	if err != nil {
		w.log.Debug1("dynamic request: %s", err)
		ch.Close()
		return
	}
	ch.SetReadDeadline(time.Time{})
	if !forward.Permitted(w.permit, target.Host, target.Port) {
		w.log.Info("Received request from remote host to connect to host %s port %d, but the request was denied.", target.Host, target.Port)
		ch.Close()
		return
	}
	conn, err := w.dial(ctx, target.Host, int(target.Port))
	if err != nil {
		ch.Close()
		return
	}
	if len(rest) > 0 {
		if _, err := conn.Write(rest); err != nil {
			conn.Close()
			ch.Close()
			return
		}
	}
	r.Attach(rawio.NewStream(conn))
	r.Run()
}
