package forward

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits of the forwards of one connection.
const (
	MaxListeners = 256 // sockets that a client may have listened on (GLB-2)
	MaxOpening   = 128 // connections to a listener whose channel the client has not accepted yet
)

// Level is how important a line of a Server's log is.
type Level uint8

// Levels of a Server's log, in OpenSSH's words.
const (
	LogError Level = iota
	LogInfo
	LogVerbose
	LogDebug
)

// Peer is the connection that channels are opened on. *ssh.Conn is one.
type Peer interface {
	OpenChannelFunc(ctx context.Context, typ string, payload []byte, setup func(*connection.Channel)) (*connection.Channel, error)
	Flush() error
}

// ErrUnknownHost is what Dial's error wraps where the name has no address.
var ErrUnknownHost = errors.New("forward: unknown host")

// Server is the server's half of forwarding for one connection. Its methods
// answer the messages of their names, each on a goroutine that may wait.
//
// Dial and Listen do the work with the rights of the user, here or in another
// process. A host is resolved by them and nowhere else.
type Server struct {
	Rules *Rules
	// Dial connects to addr, host:port, for the client. ctx ends with the
	// connection of the client.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Listen opens a listener whose connections know their peer's address.
	Listen ListenFunc
	// Log is told what an administrator wants to know; nil for nothing.
	Log func(l Level, format string, args ...any)
	// Debug tells the client's log why something was refused; nil for nothing.
	Debug func(text string)
	// Reason is an error in strerror's words; nil for its own text.
	Reason func(error) string
	// From is the client as lines of the log name it: "A port P".
	From string

	mu        sync.Mutex
	listeners map[Listen][]net.Listener
	count     int
	closed    bool
}

func (s *Server) logf(l Level, format string, args ...any) {
	if s.Log != nil {
		s.Log(l, format, args...)
	}
}

func (s *Server) debug(text string) {
	if s.Debug != nil {
		s.Debug(text)
	}
}

func (s *Server) reason(err error) string {
	if s.Reason != nil {
		return s.Reason(err)
	}
	return err.Error()
}

// DirectTCPIP answers a client that wants a connection from here (RFC 4254
// §7.2). It returns when the connection has ended.
func (s *Server) DirectTCPIP(ctx context.Context, p Peer, in *connection.Incoming) {
	reject := func(reason wire.OpenReason, text string) {
		in.Reject(reason, text)
		p.Flush()
	}
	o, err := ParseOpen(in.Payload)
	if err != nil || !ValidHost(o.Host) {
		s.logf(LogInfo, "refused local port forward: %v", errors.Join(err, ErrHost))
		reject(wire.OpenConnectFailed, "open failed")
		return
	}
	if !s.Rules.LocalOn() {
		s.logf(LogInfo, "refused local port forward: originator %s port %d, target %s port %d", o.OriginHost, o.OriginPort, o.Host, o.Port)
		reject(wire.OpenAdministrativelyProhibited, "open failed")
		return
	}
	if !s.Rules.MayOpen(o.Host, o.Port) {
		s.logf(LogInfo, "Received request from %s to connect to host %s port %d, but the request was denied.", s.From, o.Host, o.Port)
		reject(wire.OpenAdministrativelyProhibited, "open failed")
		return
	}
	c, err := s.Dial(ctx, "tcp", net.JoinHostPort(o.Host, strconv.Itoa(int(o.Port))))
	if err != nil {
		text := s.reason(err)
		if errors.Is(err, ErrUnknownHost) {
			s.logf(LogError, "connect_to %s: unknown host (%s)", o.Host, text)
		} else {
			s.logf(LogError, "connect_to %s port %d: failed.", o.Host, o.Port)
		}
		reject(wire.OpenConnectFailed, text)
		return
	}
	r := NewRelay(rawio.NewStream(c))
	if _, err := in.Accept(r.Setup); err != nil {
		r.Drop()
		return
	}
	p.Flush()
	r.Run()
}

// TCPIPForward answers a client that wants something listened on (RFC 4254
// §7.1) and serves the listener until it is cancelled or ctx ends.
func (s *Server) TCPIPForward(ctx context.Context, p Peer, r *connection.GlobalRequest) {
	l, err := ParseListen(r.Payload)
	if err != nil {
		s.logf(LogInfo, "refused remote port forward: %v", err)
		r.ReplyLater(false, nil)
		return
	}
	switch {
	case !s.Rules.RemoteOn(l.Port), !r.WantReply && l.Port == 0:
		s.debug("Server has disabled port forwarding.")
		r.ReplyLater(false, nil)
		return
	case !s.Rules.MayListen(l.Host, l.Port):
		s.debug("port forwarding refused")
		s.logf(LogInfo, "Received request from %s to remote forward to host %s port %d, but the request was denied.", s.From, l.Host, l.Port)
		r.ReplyLater(false, nil)
		return
	}
	port, open, err := s.listen(ctx, l)
	if err != nil {
		s.logf(LogError, "channel_setup_fwd_listener_tcpip: cannot listen to port: %d", l.Port)
		r.ReplyLater(false, nil)
		return
	}
	var reply []byte
	if l.Port == 0 {
		reply = AppendPort(nil, port)
	}
	// The first connection must not be told of before the port is.
	r.ReplyLater(true, reply)
	var wait sync.WaitGroup
	at := Listen{l.Host, port}
	slots := make(chan struct{}, MaxOpening)
	for _, one := range open {
		wait.Go(func() { s.serve(ctx, p, one, at, slots) })
	}
	wait.Wait()
}

var (
	errTooMany = errors.New("forward: too many listeners")
	errTaken   = errors.New("forward: is listened on already")
	errClosed  = errors.New("forward: connection is over")
)

// listen opens the sockets of one request and notes them under the port that
// they got.
func (s *Server) listen(ctx context.Context, l Listen) (uint16, []net.Listener, error) {
	addrs, overridden := ServerBinds(l.Host, s.Rules.Gateway, s.Rules.Family)
	if overridden {
		s.debug("Forwarding listen address \"" + l.Host + "\" overridden by server GatewayPorts")
	}
	s.mu.Lock()
	if s.count+len(addrs) > MaxListeners || s.closed {
		s.mu.Unlock()
		return 0, nil, errTooMany
	}
	s.count += len(addrs)
	first := s.listeners == nil
	if first {
		s.listeners = map[Listen][]net.Listener{}
	}
	s.mu.Unlock()
	if first {
		context.AfterFunc(ctx, s.Close)
	}
	open, port, err := ListenAll(ctx, s.Listen, addrs, l.Port, func(b Bind, port uint16, last bool, err error) {
		level := LogVerbose
		if last {
			level = LogError
		}
		s.logf(level, "bind %s: %s", b.text(port), s.reason(err))
	})
	at := Listen{l.Host, port}
	s.mu.Lock()
	s.count -= len(addrs) - len(open)
	if err == nil && s.closed {
		err = errClosed
	}
	if err == nil && s.listeners[at] != nil {
		err = errTaken
	}
	if err != nil {
		s.count -= len(open)
	} else {
		s.listeners[at] = open
	}
	s.mu.Unlock()
	if err != nil {
		for _, o := range open {
			o.Close()
		}
		return 0, nil, err
	}
	return port, open, nil
}

// CancelTCPIPForward answers a client that wants nothing listened on any more.
// Connections that are open go on.
func (s *Server) CancelTCPIPForward(_ context.Context, _ Peer, r *connection.GlobalRequest) {
	l, err := ParseListen(r.Payload)
	if err != nil {
		r.ReplyLater(false, nil)
		return
	}
	s.mu.Lock()
	open := s.listeners[l]
	delete(s.listeners, l)
	s.count -= len(open)
	s.mu.Unlock()
	for _, o := range open {
		o.Close()
	}
	r.ReplyLater(open != nil, nil)
}

// Listening reports how many sockets are open for the client.
func (s *Server) Listening() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Close closes all listeners. It is called by itself at the end of the context
// of the first listener.
func (s *Server) Close() {
	s.mu.Lock()
	all := s.listeners
	s.closed, s.listeners, s.count = true, nil, 0
	s.mu.Unlock()
	for _, open := range all {
		for _, o := range open {
			o.Close()
		}
	}
}

// serve opens a channel to the client for each connection to a listener.
func (s *Server) serve(ctx context.Context, p Peer, l net.Listener, at Listen, slots chan struct{}) {
	defer l.Close()
	AcceptAll(ctx, l, func(err error) {
		s.logf(LogError, "accept: %s", s.reason(err))
	}, func(c net.Conn) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			c.Close()
			return
		}
		go func() {
			r := s.opened(ctx, p, c, at)
			<-slots
			if r != nil {
				r.Run()
			}
		}()
	})
}

// opened tells the client of a connection; nil if it does not take it.
func (s *Server) opened(ctx context.Context, p Peer, c net.Conn, at Listen) *Relay {
	o := Open{Host: at.Host, Port: at.Port}
	o.OriginHost, o.OriginPort = hostPort(c.RemoteAddr())
	s.logf(LogDebug, "Connection to port %d forwarding to %s port 0 requested.", at.Port, at.Host)
	r := NewRelay(rawio.NewStream(c))
	if _, err := p.OpenChannelFunc(ctx, ForwardedTCPIP, o.Append(nil), r.Setup); err != nil {
		s.logf(LogDebug, "forwarded-tcpip: open failed: %s", err)
		r.Drop()
		return nil
	}
	return r
}

// AcceptAll hands each connection of l to take, which must not wait long, until
// l is closed or ctx ends. Where the machine has run out of something it tries
// again, less and less often, up to once a second.
func AcceptAll(ctx context.Context, l net.Listener, failed func(error), take func(net.Conn)) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			take(c)
			continue
		}
		var t interface{ Temporary() bool }
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil || !errors.As(err, &t) || !t.Temporary() {
			return
		}
		if pause == 0 {
			failed(err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
