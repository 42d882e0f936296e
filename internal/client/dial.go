package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Dialer connects to a server by name: to every address in turn, as ssh does,
// but without waiting for long for one that does not answer; the whole round
// again as often as Attempts says.
type Dialer struct {
	Log           *Logger
	Network       string // "tcp", "tcp4", "tcp6"; "" is tcp
	BindAddress   string // local address, or a name for one; "": any
	BindInterface string // local interface, where there is no BindAddress
	Attempts      int    // rounds, one a second; below 1 is 1
	NoKeepAlive   bool   // no TCP keepalive probes

	dial func(context.Context, netip.Addr, int) (net.Conn, error) // of tests
}

// ResolveError is a host name without an address. Its text is what ssh prints
// behind its own name.
type ResolveError struct {
	Host string
	Err  error
}

func (e *ResolveError) Error() string {
	return "Could not resolve hostname " + e.Host + ": " + Strerror(e.Err)
}
func (e *ResolveError) Unwrap() error { return e.Err }

// ConnectError is a host none of whose addresses answered. Its text is what
// ssh prints behind its own name.
type ConnectError struct {
	Host string
	Port int
	Err  error // nil: no address could be tried
}

func (e *ConnectError) Error() string {
	why := "failure"
	if e.Err != nil {
		why = Strerror(e.Err)
	}
	return fmt.Sprintf("connect to host %s port %d: %s", e.Host, e.Port, why)
}
func (e *ConnectError) Unwrap() error { return e.Err }

// Resolve returns the addresses of host in the order in which they are tried,
// or a *ResolveError.
func (d *Dialer) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, ok := sshconfig.ParseAddress(host); ok {
		if d.Network == "tcp4" && !a.Is4() || d.Network == "tcp6" && !a.Is6() {
			// The resolver's words for an address of the other family.
			return nil, &ResolveError{host, errors.New("Address family for hostname not supported")}
		}
		return []netip.Addr{a}, nil
	}
	network := "ip"
	switch d.Network {
	case "tcp4":
		network = "ip4"
	case "tcp6":
		network = "ip6"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, &ResolveError{host, err}
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, nil
}

// Dial resolves host and connects to it. The error is a *ResolveError or a
// *ConnectError. A deadline of ctx bounds all attempts together.
func (d *Dialer) Dial(ctx context.Context, host string, port int) (net.Conn, error) {
	addrs, err := d.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	return d.DialAddrs(ctx, host, addrs, port)
}

// Racing several addresses (RFC 8305 §5): the next one is tried while the one
// before has not answered for so long.
const attemptDelay = 250 * time.Millisecond

// DialAddrs connects to the first of addrs that answers; host is for the log
// and for errors. The error of a round without success is that of the address
// that failed last.
func (d *Dialer) DialAddrs(ctx context.Context, host string, addrs []netip.Addr, port int) (net.Conn, error) {
	addrs = interleave(addrs)
	var last error
	for attempt := range max(d.Attempts, 1) {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return nil, &ConnectError{host, port, timedOut(ctx.Err())}
			case <-time.After(time.Second):
			}
			d.Log.Debug1("Trying again...")
		}
		var c net.Conn
		if c, last = d.race(ctx, host, addrs, port); c != nil {
			d.Log.Debug1("Connection established.")
			return c, nil
		}
	}
	return nil, &ConnectError{host, port, last}
}

// interleave alternates the families, the first address's first (RFC 8305 §4).
func interleave(addrs []netip.Addr) []netip.Addr {
	var first, other []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(other)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// race tries the addresses, each as soon as the one before has failed or has
// not answered for attemptDelay. The first connection wins.
func (d *Dialer) race(ctx context.Context, host string, addrs []netip.Addr, port int) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		a   netip.Addr
		c   net.Conn
		err error
	}
	results := make(chan result, len(addrs))
	dial := d.dialOne
	if d.dial != nil {
		dial = d.dial
	}
	open := 0 // attempts without a result
	defer func() {
		cancel()
		for range open { // of two that answer at once one is too many
			if late := <-results; late.c != nil {
				late.c.Close()
			}
		}
	}()
	var last error
	var timer *time.Timer
	for len(addrs) > 0 || open > 0 {
		var next <-chan time.Time
		if len(addrs) > 0 {
			a := addrs[0]
			addrs = addrs[1:]
			d.Log.Debug1("Connecting to %s [%s] port %d.", host, a, port)
			open++
			go func() {
				c, err := dial(ctx, a, port)
				results <- result{a, c, err}
			}()
			if len(addrs) > 0 {
				timer = time.NewTimer(attemptDelay)
				next = timer.C
			}
		}
		select {
		case <-next:
			continue
		case r := <-results:
			open--
			if timer != nil {
				timer.Stop()
			}
			if r.err == nil {
				return r.c, nil
			}
			if last = nil; !errors.Is(r.err, errBind) { // that was said already
				last = timedOut(r.err)
				d.Log.Debug1("connect to address %s port %d: %s", r.a, port, Strerror(last))
			}
		}
	}
	return nil, last
}

// errBind marks an attempt that failed before it began; it was logged.
var errBind = errors.New("client: no local address")

func (d *Dialer) dialOne(ctx context.Context, a netip.Addr, port int) (net.Conn, error) {
	network := "tcp6"
	if a.Is4() {
		network = "tcp4"
	}
	var nd net.Dialer
	nd.KeepAlive = -1
	if local, err := d.local(ctx, a.Is4()); err != nil {
		d.Log.Error("%s", err)
		return nil, errBind
	} else if local.IsValid() {
		nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	c, err := nd.DialContext(ctx, network, netip.AddrPortFrom(a, uint16(port)).String())
	if err != nil {
		var op *net.OpError
		var call *os.SyscallError
		if errors.As(err, &op) && errors.As(op.Err, &call) && call.Syscall == "bind" {
			d.Log.Error("bind %s: %s", addrText(nd.LocalAddr), Strerror(err))
			return nil, errBind
		}
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok && !d.NoKeepAlive {
		// Only switched on: how often is the system's business.
		tcp.SetKeepAlive(true)
	}
	return c, nil
}

func addrText(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	return fmt.Sprint(a)
}

// local is the address to connect from; invalid for any.
func (d *Dialer) local(ctx context.Context, v4 bool) (netip.Addr, error) {
	switch {
	case d.BindAddress != "":
		if a, ok := sshconfig.ParseAddress(d.BindAddress); ok && a.Is4() == v4 {
			return a, nil
		}
		network := "ip6"
		if v4 {
			network = "ip4"
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, d.BindAddress)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("getaddrinfo: %s: %s", d.BindAddress, Strerror(err))
		}
		return addrs[0].Unmap(), nil
	case d.BindInterface != "":
		return interfaceAddr(d.BindInterface, v4)
	}
	return netip.Addr{}, nil
}

// interfaceAddr is an address of the named interface, one that others can
// reach where there is one.
func interfaceAddr(name string, v4 bool) (netip.Addr, error) {
	var fallback netip.Addr
	i, err := net.InterfaceByName(name)
	if err == nil && i.Flags&net.FlagUp != 0 {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(n.IP)
			ip = ip.Unmap()
			if ip.Is4() != v4 {
				continue
			}
			if ip.Is6() && ip.IsLinkLocalUnicast() {
				ip = ip.WithZone(name)
			}
			if !ip.IsLoopback() && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
				return ip, nil
			}
			if !fallback.IsValid() {
				fallback = ip
			}
		}
	}
	if !fallback.IsValid() {
		return fallback, fmt.Errorf("getifaddrs: %s: no suitable addresses", name)
	}
	return fallback, nil
}

// timedOut turns the deadline of a context into what connect(2) says.
func timedOut(err error) error {
	var timeout interface{ Timeout() bool }
	var n syscall.Errno
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() && !errors.As(err, &n) {
		return syscall.ETIMEDOUT
	}
	return err
}
