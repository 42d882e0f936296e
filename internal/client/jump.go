package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// MaxHops is how many jump hosts one connection goes through.
const MaxHops = 32

// errJump is a connection that ended at a jump host; why was logged. For the
// rest it is a connection that the other side has closed.
var errJump = fmt.Errorf("client: jump host: %w", io.EOF)

// jump connects through the hosts of ProxyJump: to the last of them, which is
// reached through the others, each by a configuration of its own.
func (k *Connector) jump(ctx context.Context) (net.Conn, error) {
	hops, err := sshconfig.ParseJump(k.Conf.ProxyJump)
	if err != nil {
		return nil, err
	}
	last := hops[len(hops)-1]
	var before []string
	for _, h := range hops[:len(hops)-1] {
		before = append(before, h.String())
	}
	// Who is led to the same host by the same way again never arrives.
	way := last.String() + " " + strings.Join(before, ",")
	if len(k.ways) >= MaxHops {
		return nil, fmt.Errorf("ProxyJump: more than %d jump hosts to %s", MaxHops, k.Conf.Hostname)
	}
	for _, w := range k.ways {
		if w == way {
			return nil, fmt.Errorf("ProxyJump: loop: the way to %s leads through %s again; give one of them \"ProxyJump none\"", last.Host, k.Conf.Hostname)
		}
	}
	if k.Hop == nil {
		return nil, errors.New("ProxyJump: not possible here")
	}
	hop, err := k.Hop(last, strings.Join(before, ","))
	if err != nil {
		return nil, err
	}
	hop.ways = append(k.ways[:len(k.ways):len(k.ways)], way)
	k.Log.Debug1("Connecting to %s port %d through %s.", k.Conf.Hostname, k.Conf.Port, last)
	c, err := hop.Connect(ctx)
	if err != nil {
		hop.Explain(hop.Program, err)
		k.phase.Store(phaseBanner)
		return nil, errJump
	}
	addr := net.JoinHostPort(k.Conf.Hostname, strconv.Itoa(k.Conf.Port))
	conn, err := c.Dial(ctx, "tcp", addr)
	if err != nil {
		var open *ssh.OpenChannelError
		if errors.As(err, &open) {
			hop.Log.Info("channel 0: open failed: %s", OpenReason(open))
		}
		hop.Log.Error("stdio forwarding failed")
		c.Close()
		hop.Close()
		k.phase.Store(phaseBanner)
		return nil, errJump
	}
	k.Proxy = &Proxy{Conn: conn, hop: func() { c.Close(); hop.Close() }}
	return conn, nil
}
