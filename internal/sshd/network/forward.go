//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"net"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/sshd/login/sockets"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	errno "github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

func (v *visit) newForwards() *forward.Server {
	s := &forward.Server{
		Rules:  sockets.Rules(&v.login.Forwarding),
		Dial:   v.r.opt.Dial,
		Listen: v.r.opt.Listen,
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
			v.logf(to, format, args...)
		},
		Debug:  func(text string) { _ = v.conn.SendDebug(text) }, // a lost connection ends by itself
		Reason: reason,
		From:   from(v.conn.Meta.RemoteAddr),
	}
	if s.Dial == nil {
		s.Dial, s.Listen = v.dial, v.listen
	}
	return s
}

// from is "A port P".
func from(a net.Addr) string {
	host, port := hostPort(a)
	return host + " port " + port
}

// hostPort splits an address; what is no address of a network is UNKNOWN.
func hostPort(a net.Addr) (host, port string) {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		_, port, _ = net.SplitHostPort(ap.String())
		return ap.Addr().Unmap().WithZone("").String(), port
	}
	return "UNKNOWN", "65535"
}

var errNoSockets = errors.New("network: no process that opens sockets")

// opener is the process that opens sockets as the user, started at the first
// forward.
func (v *visit) opener(ctx context.Context) (*sockets.Client, error) {
	v.opening.Lock()
	defer v.opening.Unlock()
	if v.sockets != nil {
		return v.sockets, nil
	}
	var o privsep.Outcome
	files, err := v.link.Call(ctx, &privsep.Sockets{}, &o)
	if err == nil && (o.Code != privsep.OK || len(files) != 1) {
		err = errNoSockets
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	conn, err := privsep.NewConn(files[0])
	if err != nil {
		return nil, err
	}
	c := sockets.New(conn)
	v.sockets = c
	go func() {
		_ = c.Run(v.conn.Context())
		c.Close()
		v.opening.Lock()
		if v.sockets == c {
			v.sockets = nil // another is started when there is need
		}
		v.opening.Unlock()
	}()
	return c, nil
}

func (v *visit) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := v.opener(ctx)
	if err != nil {
		return nil, err
	}
	return c.Dial(ctx, network, addr)
}

func (v *visit) listen(ctx context.Context, network, addr string) (net.Listener, error) {
	c, err := v.opener(ctx)
	if err != nil {
		return nil, err
	}
	return c.Listen(ctx, network, addr)
}

// reason is an error in the words of strerror and the resolver.
func reason(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return "Name or service not known"
		}
		return "Temporary failure in name resolution"
	}
	return errno.Of(err)
}

// channels and requests are what clients may ask for beside sessions.
func channels() map[string]func(context.Context, *ssh.ServerConn, *ssh.NewChannel) {
	return map[string]func(context.Context, *ssh.ServerConn, *ssh.NewChannel){
		forward.DirectTCPIP: func(ctx context.Context, c *ssh.ServerConn, n *ssh.NewChannel) {
			visitOf(c.Meta).forwards.DirectTCPIP(ctx, c, n)
		},
	}
}

func requests() map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest) {
	return map[string]func(context.Context, *ssh.ServerConn, *ssh.GlobalRequest){
		forward.TCPIPForward: func(ctx context.Context, c *ssh.ServerConn, r *ssh.GlobalRequest) {
			visitOf(c.Meta).forwards.TCPIPForward(ctx, c, r)
		},
		forward.CancelTCPIPForward: func(ctx context.Context, c *ssh.ServerConn, r *ssh.GlobalRequest) {
			visitOf(c.Meta).forwards.CancelTCPIPForward(ctx, c, r)
		},
	}
}
