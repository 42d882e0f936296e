package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func sprint(v any) string { return fmt.Sprint(v) }

// Channel is one channel of a connection (RFC 4254 §5).
type Channel = connection.Channel

// ChannelRequest is a request of the peer on a channel.
type ChannelRequest = connection.Request

// GlobalRequest is a global request of the peer (RFC 4254 §4).
type GlobalRequest = connection.GlobalRequest

// OpenChannelError is a channel that the peer would not open.
type OpenChannelError = connection.OpenError

// DisconnectError is our own reason to end a connection.
type DisconnectError = wire.DisconnectError

// PeerDisconnectError is the peer's DISCONNECT (RFC 4253 §11.1).
type PeerDisconnectError = wire.PeerDisconnect

// NegotiationError says which kind of algorithm the two sides do not share.
type NegotiationError = transport.NegotiationError

// IdentificationError is a peer that does not speak SSH 2.
type IdentificationError = transport.IdentError

// Algorithms is what was agreed in the last key exchange.
type Algorithms = transport.Algorithms

// Reason is a disconnection reason code (RFC 4253 §11.1).
type Reason = wire.Reason

// Stats are the counters of one connection, in bytes and packets of the
// transport.
type Stats = transport.Stats

// Conn is what a client and a server's connection have in common.
type Conn struct {
	// constant
	raw    *rawio.Conn
	t      *transport.Conn
	mux    *connection.Mux
	group  group
	client bool
	user   string
	accept func(*connection.Incoming)
	begun  time.Time

	rekey *time.Timer // nil without RekeyInterval
	pong  atomic.Pointer[func([]byte)]

	mu     sync.Mutex
	err    error
	reason error // given to Close; what the peer is told
	closed bool
	done   chan struct{}
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// init prepares a connection over c. Nothing is sent.
func (k *Conn) init(ctx context.Context, c net.Conn, cfg *transport.Config) {
	k.raw, k.client, k.done, k.begun = rawio.NewConn(c), cfg.Client, make(chan struct{}), time.Now()
	k.ctx, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	k.group.fail = k.abort
	k.t = transport.New(k.raw, cfg, k.group.Go)
}

// abort ends the connection from any goroutine: the reader is woken, finds that
// sending has failed, tells the peer and does the rest.
func (c *Conn) abort(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.t.Fail(err)
	if c.raw.SetReadDeadline(time.Unix(1, 0)) != nil {
		c.raw.Close()
	}
}

// prepare makes the connection protocol's state. From the login on the reader
// owns the connection, and its end is the only place of teardown; its goroutine
// is a fresh one, since the login's has grown a deep stack.
func (c *Conn) prepare(mc *connection.Config) {
	mc.Now, mc.Go = time.Now, c.group.Go
	c.mux = connection.New(c.t, mc)
}

// rekeyEvery bounds the age of keys.
func (c *Conn) rekeyEvery(interval time.Duration) {
	if interval > 0 {
		c.rekey = time.AfterFunc(interval, func() { c.rekeyByAge(interval) })
	}
}

func (c *Conn) rekeyByAge(interval time.Duration) {
	if age := c.t.KeyAge(); age < interval {
		c.rekey.Reset(interval - age)
		return
	}
	c.t.RequestRekey() // an error is the reader's to find
	c.rekey.Reset(interval)
}

// run is the reader's goroutine. Its frame stays small, as it is parked here
// for as long as the connection lasts.
func (c *Conn) run() {
	c.teardown(c.read())
}

func (c *Conn) read() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	for {
		p, err := c.t.Next()
		switch {
		case err != nil:
			return err
		case p == nil:
			err = c.t.Fill()
		default:
			err = c.dispatch(p)
		}
		if err != nil {
			return err
		}
	}
}

// dispatch is the table of messages of 50 and above after authentication.
//
//go:noinline
func (c *Conn) dispatch(p []byte) error {
	switch n := p[0]; {
	case n >= 80 && n < 128:
		return c.mux.Dispatch(p)
	case n == wire.MsgUserauthRequest && !c.client:
		return nil // was on the way when it succeeded (AUT-24)
	case n == wire.MsgPong:
		if f := c.pong.Load(); f != nil {
			(*f)(p[1:])
		}
		return nil
	default:
		return wire.Disconnectf(wire.ReasonProtocolError, "%s after authentication", wire.MessageName(n))
	}
}

//go:noinline
func (c *Conn) teardown(err error) {
	c.mu.Lock()
	told := c.reason
	switch {
	case c.closed:
		err = told
		if err == nil {
			err = net.ErrClosed
		}
	case c.err != nil:
		err = c.err
		told = err
	default:
		told = err
	}
	c.err = err
	c.mu.Unlock()
	if c.rekey != nil {
		c.rekey.Stop()
	}
	c.t.Disconnect(told)
	c.mux.Close(err)
	c.cancel(err)
	c.t.Release()
	close(c.done)
}

// Close tells the peer that this side has had enough (code 11) and ends the
// connection. Everything that waits on it gets an error.
func (c *Conn) Close() error { return c.CloseWithError(nil) }

// CloseWithError is Close with a reason: a *DisconnectError gives code and text.
func (c *Conn) CloseWithError(reason error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed, c.reason = true, reason
	c.mu.Unlock()
	c.t.Disconnect(reason) // the reader finds its stream closed
	return nil
}

// Wait waits for the end of the connection and says why: nil after Close.
func (c *Conn) Wait() error {
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed && c.reason == nil {
		return nil
	}
	return c.err
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Alive reports whether the connection has not ended.
func (c *Conn) Alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return c.mux.Err() == nil
	}
}

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// User is the name that was logged in.
func (c *Conn) User() string { return c.user }

// SessionID identifies the connection (RFC 4253 §7.2).
func (c *Conn) SessionID() []byte { return c.t.SessionID() }

// ClientVersion and ServerVersion are the identification lines.
func (c *Conn) ClientVersion() []byte {
	if c.client {
		return c.t.LocalVersion()
	}
	return c.t.RemoteVersion()
}

// ServerVersion: see ClientVersion.
func (c *Conn) ServerVersion() []byte {
	if c.client {
		return c.t.RemoteVersion()
	}
	return c.t.LocalVersion()
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// LocalAddr is our address.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// Algorithms is what was agreed in the first key exchange.
func (c *Conn) Algorithms() Algorithms { return c.t.Algorithms }

// Stats reads the connection's counters.
func (c *Conn) Stats() Stats { return c.t.Stats() }

// Duration is how long the connection has lasted.
func (c *Conn) Duration() time.Duration { return time.Since(c.begun) }

// Rekey starts a key exchange. Data goes on when it is done.
func (c *Conn) Rekey() error { return c.t.RequestRekey() }

// SendRequest makes a global request. With wantReply it waits for the answer.
func (c *Conn) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.mux.SendRequest(ctx, name, wantReply, payload)
}

// QueueRequest queues a global request without reply; it leaves with the next
// Flush.
func (c *Conn) QueueRequest(name string, payload []byte) error {
	return c.t.Queue((&wire.GlobalRequest{Type: name, Payload: payload}).Append(nil))
}

// GlobalAnswer is the answer to a global request, still to come.
type GlobalAnswer = connection.GlobalAnswer

// StartRequest makes a global request that wants an answer and does not wait
// for it.
func (c *Conn) StartRequest(name string, payload []byte) (GlobalAnswer, error) {
	return c.mux.StartRequest(name, payload)
}

// Idle is closed as soon as the connection has no channel. ever is how many
// channels there have been until now.
func (c *Conn) Idle() (idle <-chan struct{}, ever uint64) { return c.mux.Idle() }

// OpenChannel opens a channel of the given type (RFC 4254 §5.1).
func (c *Conn) OpenChannel(ctx context.Context, typ string, payload []byte) (*Channel, error) {
	return c.mux.OpenChannel(ctx, typ, payload, nil)
}

// OpenChannelFunc is OpenChannel with a function that is called before the
// peer can send on the channel: it attaches sinks and handlers.
func (c *Conn) OpenChannelFunc(ctx context.Context, typ string, payload []byte, setup func(*Channel)) (*Channel, error) {
	return c.mux.OpenChannel(ctx, typ, payload, setup)
}

// ChannelState describes one channel of a connection.
type ChannelState = connection.State

// Channels describes the channels that are open or being opened.
func (c *Conn) Channels() []ChannelState { return c.mux.States() }

// Ping sends a PING (ping@openssh.com), whose answer nobody waits for. Only
// peers that announce it know the message: see Client.PeerPings.
func (c *Conn) Ping(data []byte) error {
	return c.t.Send(wire.AppendString([]byte{wire.MsgPing}, data))
}

// SendDebug sends text for the peer's log (SSH_MSG_DEBUG, RFC 4253 §11.3).
func (c *Conn) SendDebug(text string) error {
	return c.t.Send((&wire.Debug{Message: text}).Append(nil))
}

// Flush sends what a NewChannel's Accept or Reject has queued, for handlers on
// goroutines of their own; sending anything else does so too.
func (c *Conn) Flush() error { return c.t.Flush() }

// RTT is the best known round-trip time to the peer, 0 when unknown.
func (c *Conn) RTT() time.Duration { return c.t.RTT() }

// Guess tells what became of the key exchange message that was sent before the
// peer's KEXINIT came, and what would have made it right.
func (c *Conn) Guess() Guess { return c.t.Guess() }

// Guess is what became of a guessed key exchange message (RFC 4253 §7).
type Guess = transport.Guess

// SetIPQoS marks the connection's packets with a traffic class.
func (c *Conn) SetIPQoS(tos int) { c.raw.SetIPQoS(tos) }

// keepalive asks the peer every interval and ends the connection after count
// questions without any answer (RFC 4254 §4; keepalive@openssh.com).
func (c *Conn) keepalive(interval time.Duration, count int, lost func() error) {
	missed := 0
	tick := time.NewTicker(interval)
	defer tick.Stop()
	answers := make(chan struct{}, 1)
	seen := uint64(0)
	for {
		select {
		case <-c.done:
			return
		case <-answers:
			missed = 0
		case <-tick.C:
			if in := c.Stats().BytesIn; in != seen {
				// Anything that came in the meantime shows life.
				seen, missed = in, 0
				continue
			}
			if missed++; missed > count {
				c.abort(lost())
				return
			}
			c.group.Go(func() {
				if _, _, err := c.SendRequest(c.ctx, "keepalive@openssh.com", true, nil); err == nil {
					select {
					case answers <- struct{}{}:
					default:
					}
				}
			})
		}
	}
}

// watch closes the stream when ctx ends before the login is done.
func (c *Conn) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		err := context.Cause(ctx)
		c.t.Fail(err)
		c.raw.Close()
	})
}

// loginError is the error of a failed login: the context's own if that is why.
func loginError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, cause)) {
		return cause
	}
	return err
}
