package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// MaxSocks is the most that a SOCKS client may send before it has asked for
// something: a greeting with 255 methods and the longest request.
const MaxSocks = 2 + 255 + 4 + 1 + 255 + 2

// ErrSocks is a SOCKS client that cannot be served.
var ErrSocks = errors.New("forward: socks")

// Socks is the server of one SOCKS client (versions 4, 4a and 5; RFC 1928):
// CONNECT only, without authentication. It does no I/O. Names are passed on and
// never looked up here (GLB-10).
//
// The positive answer is given before anybody has connected: the client's first
// bytes then travel with the channel's open instead of a round trip later,
// which is what ssh has always done. A target that cannot be reached shows as
// a connection that ends.
type Socks struct {
	buf     []byte
	chosen  bool // version 5: the method is agreed
	done    bool
	target  Listen
	version byte
}

// Target is where the client wants to go, once Advance has said done.
func (s *Socks) Target() (host string, port uint16) { return s.target.Host, s.target.Port }

// Version is 4 or 5, for the log.
func (s *Socks) Version() int { return int(s.version) }

// Advance takes bytes of the client. reply goes to the client, also with an
// error. rest are bytes behind the request, for the target.
func (s *Socks) Advance(p []byte) (reply, rest []byte, done bool, err error) {
	s.buf = append(s.buf, p[:min(len(p), 2*MaxSocks)]...)
	over := p[min(len(p), 2*MaxSocks):]
	for {
		n, answer, err := s.step(s.buf)
		reply = append(reply, answer...)
		if err != nil {
			return reply, nil, false, err
		}
		if n == 0 {
			if len(s.buf) >= MaxSocks || len(over) > 0 {
				return reply, nil, false, fmt.Errorf("%w: request is too long", ErrSocks)
			}
			return reply, nil, false, nil
		}
		s.buf = s.buf[n:]
		if s.done {
			return reply, append(s.buf, over...), true, nil
		}
	}
}

// step reads one message from the front of b; 0 means that it is not whole.
func (s *Socks) step(b []byte) (n int, reply []byte, err error) {
	if len(b) == 0 {
		return 0, nil, nil
	}
	switch {
	case b[0] == 4 && !s.chosen:
		s.version = 4
		return s.socks4(b)
	case b[0] == 5 && !s.chosen:
		s.version = 5
		return s.methods(b)
	case b[0] == 5:
		return s.socks5(b)
	}
	return 0, nil, fmt.Errorf("%w: unknown version %d", ErrSocks, b[0])
}

func (s *Socks) socks4(b []byte) (int, []byte, error) {
	const head = 8
	if len(b) < head+1 {
		return 0, nil, nil
	}
	refuse := []byte{0, 91, 0, 0, 0, 0, 0, 0}
	user := strings.IndexByte(string(b[head:]), 0)
	if user < 0 || user > MaxHost {
		if len(b)-head > MaxHost {
			return 0, refuse, fmt.Errorf("%w: user name is too long", ErrSocks)
		}
		return 0, nil, nil
	}
	if b[1] != 1 {
		return 0, refuse, fmt.Errorf("%w: cannot handle: socks 4 command %d", ErrSocks, b[1])
	}
	n := head + user + 1
	host := netip.AddrFrom4([4]byte(b[4:8])).String()
	if b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] != 0 { // 4a: a name follows
		name := strings.IndexByte(string(b[n:]), 0)
		if name < 0 || name > MaxHost {
			if len(b)-n > MaxHost {
				return 0, refuse, fmt.Errorf("%w: host name is too long", ErrSocks)
			}
			return 0, nil, nil
		}
		host = string(b[n : n+name])
		n += name + 1
		if !ValidHost(host) {
			return 0, refuse, fmt.Errorf("%w: %w", ErrSocks, ErrHost)
		}
	}
	s.target, s.done = Listen{host, uint16(b[2])<<8 | uint16(b[3])}, true
	return n, []byte{0, 90, 0, 0, 0, 0, 0, 0}, nil
}

func (s *Socks) methods(b []byte) (int, []byte, error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, nil, nil
	}
	n := 2 + int(b[1])
	for _, m := range b[2:n] {
		if m == 0 {
			s.chosen = true
			return n, []byte{5, 0}, nil
		}
	}
	return 0, []byte{5, 0xff}, fmt.Errorf("%w: method without authentication not found", ErrSocks)
}

func (s *Socks) socks5(b []byte) (int, []byte, error) {
	refuse := func(code byte) []byte { return []byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0} }
	if len(b) < 5 {
		return 0, nil, nil
	}
	if b[1] != 1 {
		return 0, refuse(7), fmt.Errorf("%w: only socks5 connect supported", ErrSocks)
	}
	at, size := 4, 0
	switch b[3] {
	case 1:
		size = 4
	case 3:
		at, size = 5, int(b[4])
	case 4:
		size = 16
	default:
		return 0, refuse(8), fmt.Errorf("%w: unknown socks5 address type %d", ErrSocks, b[3])
	}
	n := at + size + 2
	if len(b) < n {
		return 0, nil, nil
	}
	a := b[at : at+size]
	host := string(a)
	if b[3] != 3 {
		addr, _ := netip.AddrFromSlice(a)
		host = addr.String()
	} else if !ValidHost(host) {
		return 0, refuse(1), fmt.Errorf("%w: %w", ErrSocks, ErrHost)
	}
	s.target, s.done = Listen{host, uint16(b[n-2])<<8 | uint16(b[n-1])}, true
	return n, refuse(0), nil
}
