package forward

import (
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/keyfile"
)

// Rules are everything that decides whether something may be forwarded: the
// one object that every kind asks (GLB-5). The zero value refuses all.
type Rules struct {
	Local, Remote bool    // AllowTcpForwarding, without DisableForwarding
	Gateway       Gateway // GatewayPorts
	Family        Family  // AddressFamily
	LowPorts      bool    // the login may listen on ports below 1024
	// Open and Listen are PermitOpen and PermitListen; nil is any.
	Open, Listen []keyfile.HostPort
	// Key are the options of the keys that logged in. nil refuses all; of a
	// login without keys they are those of an empty line.
	Key *keyfile.AuthorizedOptions
}

// ParsePermits turns the words of PermitOpen, PermitListen or PermitRemoteOpen
// into places: host:port, [host]:port or, for listening, a port alone; "*" as
// either is any. No words are nil, any place; "none" is none.
func ParsePermits(words []string) []keyfile.HostPort {
	if words == nil {
		return nil
	}
	l := []keyfile.HostPort{}
	for _, w := range words {
		if w == "any" {
			return nil
		}
		i := strings.LastIndexByte(w, ':')
		host, port := "*", w[i+1:]
		if i >= 0 {
			host = w[:i]
		}
		if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			host = host[1 : len(host)-1]
		}
		p := keyfile.HostPort{Host: host}
		if port != "*" {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 { // "none", or what no port can be
				continue
			}
			p.Port = uint16(n)
		}
		l = append(l, p)
	}
	return l
}

// Permitted reports whether one of places is host and port; nil places are any.
func Permitted(places []keyfile.HostPort, host string, port uint16) bool {
	if places == nil {
		return true
	}
	for _, p := range places {
		if (p.Host == "*" || p.Host == host) && (p.Port == 0 || p.Port == port) {
			return true
		}
	}
	return false
}

// LocalOn reports whether connections may be opened for the client at all.
func (r *Rules) LocalOn() bool { return r.Local && r.Key != nil && r.Key.PortForwarding }

// RemoteOn reports whether the client may have a port listened on at all.
func (r *Rules) RemoteOn(port uint16) bool {
	const reserved = 1024
	return r.Remote && r.Key != nil && r.Key.PortForwarding && (port == 0 || port >= reserved || r.LowPorts)
}

// MayOpen reports whether a connection to host and port may be opened. The
// configuration and each key must allow it.
func (r *Rules) MayOpen(host string, port uint16) bool {
	return r.LocalOn() && Permitted(r.Open, host, port) && r.Key.MayOpen(host, port)
}

// MayListen reports whether the client may have host and port listened on, as
// it asked: GatewayPorts decides later which addresses that are.
func (r *Rules) MayListen(host string, port uint16) bool {
	return r.RemoteOn(port) && Permitted(r.Listen, host, port) && r.Key.MayListen(host, port)
}
