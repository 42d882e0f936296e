package forward

import (
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Names of channels and requests (RFC 4254 §7).
const (
	DirectTCPIP        = "direct-tcpip"
	ForwardedTCPIP     = "forwarded-tcpip"
	TCPIPForward       = "tcpip-forward"
	CancelTCPIPForward = "cancel-tcpip-forward"
)

// MaxHost is the longest host name that is taken from a peer (GLB-8).
const MaxHost = 255

// ErrPort is a port above 65,535 (GLB-2).
var ErrPort = errors.New("forward: port above 65535")

// ErrHost is a host that no name or address can be: too long, or with
// characters that have no place in one.
var ErrHost = errors.New("forward: not a host name or address")

// Open is what stands behind CHANNEL_OPEN of direct-tcpip and forwarded-tcpip
// (RFC 4254 §7.2): where to, or which listener, and who asked for it.
type Open struct {
	Host       string
	Port       uint16
	OriginHost string
	OriginPort uint16
}

// Append writes the payload.
func (o *Open) Append(b []byte) []byte {
	b = wire.AppendUint32(wire.AppendText(b, o.Host), uint32(o.Port))
	return wire.AppendUint32(wire.AppendText(b, o.OriginHost), uint32(o.OriginPort))
}

// ParseOpen reads the payload. The hosts are as sent: see [ValidHost].
func ParseOpen(p []byte) (o Open, err error) {
	r := wire.NewReader(p)
	host, port := r.Text(), r.Uint32()
	origin, originPort := r.Text(), r.Uint32()
	if err := r.Done(); err != nil {
		return o, fmt.Errorf("forward: open: %w", err)
	}
	if port > 65535 {
		return o, ErrPort
	}
	if len(host) > MaxHost || len(origin) > MaxHost {
		return o, ErrHost
	}
	// The origin only informs: a client may know none better.
	return Open{host, uint16(port), origin, uint16(originPort)}, nil
}

// Listen is where a listener is or shall be: the payload of tcpip-forward and
// cancel-tcpip-forward (RFC 4254 §7.1). Host "" is all addresses, "localhost"
// the loopback of every family; Port 0 lets the server choose.
type Listen struct {
	Host string
	Port uint16
}

// Append writes the payload.
func (l Listen) Append(b []byte) []byte {
	return wire.AppendUint32(wire.AppendText(b, l.Host), uint32(l.Port))
}

// ParseListen reads the payload.
func ParseListen(p []byte) (l Listen, err error) {
	r := wire.NewReader(p)
	host, port := r.Text(), r.Uint32()
	if err := r.Done(); err != nil {
		return l, fmt.Errorf("forward: listen: %w", err)
	}
	if port > 65535 {
		return l, ErrPort
	}
	if len(host) > MaxHost || host != "" && !ValidHost(host) && host != "*" {
		return l, ErrHost
	}
	return Listen{host, uint16(port)}, nil
}

// AppendPort writes the answer to a tcpip-forward of port 0.
func AppendPort(b []byte, port uint16) []byte { return wire.AppendUint32(b, uint32(port)) }

// ParsePort reads that answer.
func ParsePort(p []byte) (uint16, error) {
	r := wire.NewReader(p)
	port := r.Uint32()
	if err := r.Done(); err != nil {
		return 0, fmt.Errorf("forward: port: %w", err)
	}
	if port == 0 || port > 65535 {
		return 0, ErrPort
	}
	return uint16(port), nil
}

// ValidHost reports whether a peer's text can be a host name or an address:
// letters, digits and what addresses are written with. It keeps line ends and
// the like away from resolvers and logs (GLB-8).
func ValidHost(s string) bool {
	if s == "" || len(s) > MaxHost || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.' || c == '-' || c == '_' || c == ':' || c == '%':
		default:
			return false
		}
	}
	return true
}
