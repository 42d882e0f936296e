package forward

import (
	"context"
	"net"
	"strconv"
)

// Gateway is the value of GatewayPorts.
type Gateway uint8

// Values of Gateway. A client knows the first two.
const (
	GatewayNo Gateway = iota
	GatewayYes
	GatewayClientSpecified
)

// Family restricts the addresses that are listened on.
type Family uint8

// Values of Family.
const (
	AnyFamily Family = iota
	OnlyIPv4
	OnlyIPv6
)

// Bind is one address to listen on: what is given to a listen function.
type Bind struct {
	Network string // "tcp", "tcp4" or "tcp6"
	Host    string
}

func (b Bind) addr(port uint16) string {
	return net.JoinHostPort(b.Host, strconv.Itoa(int(port)))
}

func (b Bind) text(port uint16) string { return "[" + b.Host + "]:" + strconv.Itoa(int(port)) }

func binds(f Family, first, second Bind) []Bind {
	var l []Bind
	for _, b := range [...]Bind{first, second} {
		if f == OnlyIPv4 && b.Network == "tcp6" || f == OnlyIPv6 && b.Network == "tcp4" {
			continue
		}
		l = append(l, b)
	}
	return l
}

func loopback(f Family) []Bind { return binds(f, Bind{"tcp6", "::1"}, Bind{"tcp4", "127.0.0.1"}) }
func wildcard(f Family) []Bind { return binds(f, Bind{"tcp4", "0.0.0.0"}, Bind{"tcp6", "::"}) }

func single(f Family, host string) []Bind {
	switch f {
	case OnlyIPv4:
		return []Bind{{"tcp4", host}}
	case OnlyIPv6:
		return []Bind{{"tcp6", host}}
	}
	return []Bind{{"tcp", host}}
}

// ClientBinds are the addresses of a client's listener: given says that the
// person named a host, which may be "" or "*" for all addresses.
func ClientBinds(host string, given bool, g Gateway, f Family) []Bind {
	switch {
	case !given && g == GatewayNo, given && host == "localhost":
		return loopback(f)
	case !given, host == "", host == "*":
		return wildcard(f)
	}
	return single(f, host)
}

// ServerBinds are the addresses of the listener for a client's tcpip-forward.
// overridden says that the client named an address and does not get it.
func ServerBinds(host string, g Gateway, f Family) (l []Bind, overridden bool) {
	switch {
	case g == GatewayYes:
		return wildcard(f), host != "" && host != "*" && host != "0.0.0.0"
	case g == GatewayClientSpecified && (host == "" || host == "*"):
		return wildcard(f), false
	case g == GatewayClientSpecified && host != "localhost", host == "127.0.0.1", host == "::1":
		return single(f, host), false
	}
	return loopback(f), false
}

// ListenFunc opens a listener: network and addr are as for net.Listen.
type ListenFunc func(ctx context.Context, network, addr string) (net.Listener, error)

// ListenAll listens on every one of binds that can be had and returns the port;
// port 0 is chosen by the first. The last error is what counts where none can:
// an address of a family that is not there is no fault. failed is told of each
// address, last where no other follows.
func ListenAll(ctx context.Context, listen ListenFunc, binds []Bind, port uint16, failed func(b Bind, port uint16, last bool, err error)) ([]net.Listener, uint16, error) {
	var open []net.Listener
	var lastErr error
	for i, b := range binds {
		l, err := listen(ctx, b.Network, b.addr(port))
		if err != nil {
			lastErr = err
			failed(b, port, i == len(binds)-1, err)
			continue
		}
		open = append(open, l)
		if port == 0 {
			port = portOf(l.Addr())
		}
	}
	if len(open) == 0 {
		return nil, 0, lastErr
	}
	return open, port, nil
}

// portOf is the port of an address, 0 where it has none.
func portOf(a net.Addr) uint16 {
	_, port := hostPort(a)
	return port
}

// hostPort takes an address apart.
func hostPort(a net.Addr) (string, uint16) {
	if a == nil {
		return "UNKNOWN", 0
	}
	host, text, err := net.SplitHostPort(a.String())
	if err != nil {
		return "UNKNOWN", 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, uint16(n)
}
