//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// rules are what may be forwarded by the configuration and the keys' options.
func rules(cfg *sshconfig.Server, key *keyfile.AuthorizedOptions, uid uint32) *forward.Rules {
	r := &forward.Rules{
		Local:    cfg.AllowTcpForwarding&sshconfig.ForwardLocal != 0 && !cfg.DisableForwarding,
		Remote:   cfg.AllowTcpForwarding&sshconfig.ForwardRemote != 0 && !cfg.DisableForwarding,
		Open:     forward.ParsePermits(cfg.PermitOpen),
		Listen:   forward.ParsePermits(cfg.PermitListen),
		LowPorts: uid == 0,
		Key:      key,
	}
	switch cfg.GatewayPorts {
	case sshconfig.GatewayYes:
		r.Gateway = forward.GatewayYes
	case sshconfig.GatewayClientSpecified:
		r.Gateway = forward.GatewayClientSpecified
	}
	switch cfg.AddressFamily {
	case sshconfig.FamilyInet:
		r.Family = forward.OnlyIPv4
	case sshconfig.FamilyInet6:
		r.Family = forward.OnlyIPv6
	}
	return r
}

// newForwards is the forwarding of a login: this process connects and listens.
func (l *entrant) newForwards() *forward.Server {
	v := l.v
	return &forward.Server{
		Rules: rules(v.cfg, l.options, l.account.UID),
		Dial:  dialForward,
		Listen: func(ctx context.Context, network, addr string) (net.Listener, error) {
			var lc net.ListenConfig
			return lc.Listen(ctx, network, addr)
		},
		Log: func(level forward.Level, format string, args ...any) {
			to := sshconfig.Error
			switch level {
			case forward.LogInfo:
				to = sshconfig.Info
			case forward.LogVerbose:
				to = sshconfig.Verbose
			case forward.LogDebug:
				to = sshconfig.Debug1
			}
			v.lines.Logf(to, format, args...)
		},
		Debug:  func(text string) { _ = l.conn.SendDebug(text) }, // a lost connection ends by itself
		Reason: forwardReason,
		From:   v.from(),
	}
}

func dialForward(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	var dns *net.DNSError
	if errors.As(err, &dns) {
		err = fmt.Errorf("%w: %w", forward.ErrUnknownHost, err)
	}
	return c, err
}

// forwardReason is an error in the words of strerror and the resolver.
func forwardReason(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return "Name or service not known"
		}
		return "Temporary failure in name resolution"
	}
	return reason(err)
}

// forwards is the forwarding of a connection; one that is over has none left.
func (g *generation) forwards(c *ssh.ServerConn) *forward.Server {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.visitors[c.Meta]; v != nil && v.login != nil {
		return v.login.forwards
	}
	return &forward.Server{Rules: &forward.Rules{}}
}

// forwardChannels and forwardRequests are what clients may ask for.
func (g *generation) forwardChannels() map[string]func(context.Context, *ssh.ServerConn, *ssh.NewChannel) {
	return map[string]func(context.Context, *ssh.ServerConn, *ssh.NewChannel){
		forward.DirectTCPIP: func(ctx context.Context, c *ssh.ServerConn, n *ssh.NewChannel) {
			g.forwards(c).DirectTCPIP(ctx, c, n)
		},
	}
}

func (g *generation) forwardRequests() map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest) {
	return map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest){
		forward.TCPIPForward: func(ctx context.Context, c *ssh.ServerConn, r *ssh.GlobalRequest) {
			g.forwards(c).TCPIPForward(ctx, c, r)
		},
		forward.CancelTCPIPForward: func(ctx context.Context, c *ssh.ServerConn, r *ssh.GlobalRequest) {
			g.forwards(c).CancelTCPIPForward(ctx, c, r)
		},
	}
}
