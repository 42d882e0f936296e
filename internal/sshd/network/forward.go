//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	errno "github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// rules are what may be forwarded; the process that opens sockets has them too.
func rules(f *privsep.Forwarding) *forward.Rules {
	key, _ := keyfile.ParseOptions("", nil)
	key.PortForwarding = f.Key
	r := &forward.Rules{Local: f.Local, Remote: f.Remote, Gateway: forward.Gateway(f.Gateway), Family: forward.Family(f.Family), LowPorts: f.LowPorts, Key: key}
	places := func(any bool, words []string) []keyfile.HostPort {
		if any {
			return nil
		}
		return forward.ParsePermits(append([]string{"none"}, words...))
	}
	r.Open, r.Listen = places(f.Any, f.Open), places(f.AnyListen, f.Listen)
	lists := func(l []string) (all [][]keyfile.HostPort) {
		for _, words := range l {
			all = append(all, places(false, strings.Split(words, ",")))
		}
		return all
	}
	key.PermitOpen, key.PermitListen = lists(f.KeyOpen), lists(f.KeyListen)
	return r
}

func (v *visit) newForwards() *forward.Server {
	s := &forward.Server{
		Rules:  rules(&v.login.Forwarding),
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

func (v *visit) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return nil, errNoSockets
}

func (v *visit) listen(ctx context.Context, network, addr string) (net.Listener, error) {
	return nil, errNoSockets
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
