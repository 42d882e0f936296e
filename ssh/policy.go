package ssh

import (
	"errors"
	"fmt"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Policy is what one login may have where that differs from the Server's own
// settings: see ServerConn.SetPolicy.
type Policy struct {
	// MaxSessions, ClientAliveInterval and ClientAliveCount are as in Server;
	// a negative MaxSessions allows none.
	MaxSessions         int
	ClientAliveInterval time.Duration
	ClientAliveCount    int
	// RekeyBytes and RekeyInterval are as in Config.
	RekeyBytes    uint64
	RekeyInterval time.Duration
	// AcceptEnv says which environment variables the client may set; nil leaves
	// it to the Server.
	AcceptEnv func(name string) bool
	// ChannelTimeout is how long nothing may move in a channel of a type before
	// it is closed, 0 for ever. Sessions are of the types session:shell,
	// session:command and session:subsystem:NAME once they have started.
	ChannelTimeout func(channelType string) time.Duration
	// UnusedTimeout is how long a connection may be without a channel before it
	// ends with ErrUnused, 0 for ever.
	UnusedTimeout time.Duration
}

// ErrUnused ends a connection that had no channel for Policy.UnusedTimeout.
var ErrUnused = errors.New("ssh: the connection had no channel for too long")

// SetPolicy replaces the Server's settings for this connection. It is called
// from Server.LoggedIn.
func (c *ServerConn) SetPolicy(p *Policy) {
	c.policy = p
	if p.RekeyBytes > 0 {
		c.t.SetRekeyBytes(p.RekeyBytes)
	}
}

// applyPolicy puts the policy in force, when the connection protocol has started.
func (c *ServerConn) applyPolicy() {
	interval, count := c.s.ClientAliveInterval, c.s.ClientAliveCount
	rekey := c.s.RekeyInterval
	if p := c.policy; p != nil {
		interval, count, rekey = p.ClientAliveInterval, p.ClientAliveCount, p.RekeyInterval
		if p.UnusedTimeout > 0 {
			c.mux.SetUnused(p.UnusedTimeout, func() {
				c.abort(&wire.DisconnectError{Reason: wire.ReasonByApplication, Message: "terminating inactive connection", Err: ErrUnused})
			})
		}
	}
	c.rekeyEvery(rekey)
	if interval <= 0 {
		return
	}
	if count <= 0 {
		count = 3
	}
	c.group.Go(func() {
		c.keepalive(interval, count, func() error { return fmt.Errorf("%w: client not responding", ErrTimeout) })
	})
}

// opened is told of every channel.
func (c *ServerConn) opened(ch *Channel) { c.limitChannel(ch, ch.Type()) }

func (c *ServerConn) maxSessions() int {
	if c.policy != nil && c.policy.MaxSessions != 0 {
		return c.policy.MaxSessions
	}
	if c.s.MaxSessions == 0 {
		return defaultMaxSessions
	}
	return c.s.MaxSessions
}

func (c *ServerConn) acceptEnv(name string) bool {
	if c.policy != nil && c.policy.AcceptEnv != nil {
		return c.policy.AcceptEnv(name)
	}
	return c.s.AcceptEnv != nil && c.s.AcceptEnv(name)
}

// limitChannel has a channel closed when nothing moves in it.
func (c *ServerConn) limitChannel(ch *Channel, channelType string) {
	if c.policy == nil || c.policy.ChannelTimeout == nil {
		return
	}
	ch.SetTimeout(c.policy.ChannelTimeout(channelType), func() { _ = ch.Close() })
}
