package sockets

import (
	"net"
	"net/netip"
	"strings"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
)

// Rules are what may be forwarded, as the monitor says it.
func Rules(f *privsep.Forwarding) *forward.Rules {
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

// mayBind tells whether the login may have an address listened on. Which name
// the client gave for it is not known here: one that is permitted must have
// been possible.
func mayBind(r *forward.Rules, host string, port uint16) bool {
	if !r.RemoteOn(port) || !anyHost(r.Listen, port) {
		return false
	}
	for _, l := range r.Key.PermitListen {
		if !anyHost(l, port) {
			return false
		}
	}
	switch r.Gateway {
	case forward.GatewayNo:
		return loopback(host)
	case forward.GatewayYes:
		return host == "" || unspecified(host)
	}
	return true
}

func anyHost(places []keyfile.HostPort, port uint16) bool {
	if places == nil {
		return true
	}
	for _, p := range places {
		if p.Port == 0 || p.Port == port {
			return true
		}
	}
	return false
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsUnspecified()
}

// place takes an address apart.
func place(addr string) (host string, port uint16, ok bool) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, false
	}
	n := 0
	for _, c := range []byte(p) {
		if c < '0' || c > '9' || n > 65535 {
			return "", 0, false
		}
		n = n*10 + int(c-'0')
	}
	return host, uint16(n), p != "" && n <= 65535
}
