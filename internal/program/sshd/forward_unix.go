//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/nacre-ssh/nacre/internal/forward"
)

// dialForward and listenForward open sockets for forwards in a server that has
// the rights of its only user.
func dialForward(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	var dns *net.DNSError
	if errors.As(err, &dns) {
		err = fmt.Errorf("%w: %w", forward.ErrUnknownHost, err)
	}
	return c, err
}

func listenForward(ctx context.Context, network, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, network, addr)
}
