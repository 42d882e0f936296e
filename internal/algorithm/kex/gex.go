package kex

import (
	"math/big"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Group exchange (RFC 4419 with the sizes of RFC 8270): REQUEST with the sizes
// the client takes, GROUP, INIT, REPLY. The old request of one size, number 30,
// is not spoken.

// Sizes of groups in bits.
const (
	MinGroupBits     = 2048 // RFC 8270
	MaxGroupBits     = 8192
	DefaultGroupBits = 3072
)

// GroupBits is the size of group that a client should ask for where it needs
// the given bits of symmetric strength: the largest of key, block, IV and MAC
// key lengths it is going to use, as OpenSSH counts (RFC 4419 §3 leaves it to
// the client; the sizes are those of NIST SP 800-57).
func GroupBits(strength int) int {
	switch {
	case strength <= 112:
		return 2048
	case strength <= 128:
		return 3072
	case strength <= 192:
		return 7680
	}
	return MaxGroupBits
}

// groupClient is the initiator.
type groupClient struct {
	m    *Method
	o    *Options
	want uint32
	dh   *dh
	turn turn
}

func newGroupClient(m *Method, o *Options) Client {
	n := DefaultGroupBits
	if o != nil && o.GroupBits != 0 {
		n = o.GroupBits
	}
	return &groupClient{m: m, o: o, want: uint32(min(max(n, MinGroupBits), MaxGroupBits))}
}

func (c *groupClient) Start() ([]byte, error) {
	if c.turn != fresh {
		return nil, c.m.outOfTurn(nil)
	}
	c.turn = waiting
	b := append(make([]byte, 0, 13), wire.MsgKexGexRequest)
	b = wire.AppendUint32(b, MinGroupBits)
	b = wire.AppendUint32(b, c.want)
	return wire.AppendUint32(b, MaxGroupBits), nil
}

func (c *groupClient) Next(msg []byte, t *Transcript) (send []byte, result *ClientResult, err error) {
	switch c.turn {
	case waiting:
		c.turn = over
		if send, err = c.takeGroup(msg); err == nil {
			c.turn = halfway
		}
	case halfway:
		result, err = c.takeReply(msg, t)
		c.erase()
	default:
		c.erase()
		err = c.m.outOfTurn(msg)
	}
	return send, result, err
}

func (c *groupClient) takeGroup(msg []byte) ([]byte, error) {
	r, err := c.m.body(msg, wire.MsgKexGexGroup)
	if err != nil {
		return nil, err
	}
	p, g := r.Mpint(), r.Mpint()
	if err := r.Done(); err != nil {
		return nil, c.m.malformed(err)
	}
	if len(p) > MaxGroupBits/8 || len(g) > len(p) {
		return nil, c.m.refuse(ErrGroup)
	}
	prime, gen := new(big.Int).SetBytes(p), new(big.Int).SetBytes(g)
	if !goodGroup(prime, gen, MinGroupBits, MaxGroupBits) {
		return nil, c.m.refuse(ErrGroup)
	}
	if c.dh, err = newDH(prime, gen, c.o.random()); err != nil {
		return nil, c.m.noRandom(err)
	}
	return wire.AppendMpint([]byte{wire.MsgKexGexInit}, c.dh.pub.Bytes()), nil
}

// goodGroup reports that p is an odd number of the size and 1 < g < p-1
// (KEX-4). Whether p is prime would cost more than the exchange.
func goodGroup(p, g *big.Int, minBits, maxBits int) bool {
	n := p.BitLen()
	return n >= minBits && n <= maxBits && p.Bit(0) == 1 &&
		g.Cmp(big.NewInt(1)) > 0 && g.Cmp(new(big.Int).Sub(p, big.NewInt(1))) < 0
}

func (c *groupClient) takeReply(msg []byte, t *Transcript) (*ClientResult, error) {
	hostKey, f, signature, err := c.m.finish(msg, wire.MsgKexGexReply, (*wire.Reader).Mpint)
	if err != nil {
		return nil, err
	}
	k, err := c.dh.secret(f)
	if err != nil {
		return nil, c.m.refuse(err)
	}
	d := c.m.start(t, hostKey)
	d.group(MinGroupBits, c.want, MaxGroupBits, c.dh.p, c.dh.g)
	d.mpint(c.dh.pub.Bytes())
	d.mpint(f)
	return clientResult(d.secret(k), hostKey, signature), nil
}

// group hashes what RFC 4419 §3 puts between K_S and e.
func (d *digest) group(minBits, bits, maxBits uint32, p, g *big.Int) {
	d.uint32(minBits)
	d.uint32(bits)
	d.uint32(maxBits)
	d.mpint(p.Bytes())
	d.mpint(g.Bytes())
}

func (c *groupClient) erase() {
	c.turn = over
	c.dh.erase()
}

// groupServer is the responder.
type groupServer struct {
	m                      *Method
	o                      *Options
	minBits, bits, maxBits uint32 // as the client sent them
	p, g                   *big.Int
	turn                   turn
}

func (s *groupServer) Next(msg []byte, t *Transcript, hostKey []byte) (send []byte, result *ServerResult, err error) {
	switch s.turn {
	case fresh:
		s.turn = over
		if send, err = s.takeRequest(msg); err == nil {
			s.turn = halfway
		}
	case halfway:
		s.turn = over
		result, err = s.takeInit(msg, t, hostKey)
	default:
		err = s.m.outOfTurn(msg)
	}
	return send, result, err
}

func (s *groupServer) takeRequest(msg []byte) ([]byte, error) {
	r, err := s.m.body(msg, wire.MsgKexGexRequest)
	if err != nil {
		return nil, err
	}
	s.minBits, s.bits, s.maxBits = r.Uint32(), r.Uint32(), r.Uint32()
	if err := r.Done(); err != nil {
		return nil, s.m.malformed(err)
	}
	// A client may ask for less than it will get or for more than there is:
	// only contradictions and what cannot be met are refused.
	if s.minBits > s.bits || s.bits > s.maxBits || s.maxBits < MinGroupBits || s.minBits > MaxGroupBits {
		return nil, s.m.refuse(ErrGroupBounds)
	}
	s.pick(int(max(s.minBits, MinGroupBits)), int(min(max(s.bits, MinGroupBits), MaxGroupBits)), int(min(s.maxBits, MaxGroupBits)))
	b := append(make([]byte, 0, 1+2*4+2+2*MaxGroupBits/8), wire.MsgKexGexGroup)
	b = wire.AppendMpint(b, s.p.Bytes())
	return wire.AppendMpint(b, s.g.Bytes()), nil
}

// pick takes a group from the moduli, or else the built-in one that OpenSSH
// falls back to.
func (s *groupServer) pick(minBits, bits, maxBits int) {
	if s.o != nil && s.o.Moduli != nil {
		if p, g, ok := s.o.Moduli(minBits, bits, maxBits); ok {
			s.p, s.g = new(big.Int).SetBytes(p), new(big.Int).SetBytes(g)
			if goodGroup(s.p, s.g, minBits, maxBits) {
				return
			}
		}
	}
	fixed := &group18
	switch {
	case maxBits < 3072:
		fixed = &group14
	case maxBits < 6144:
		fixed = &group16
	}
	s.p, s.g = fixed.params()
}

func (s *groupServer) takeInit(msg []byte, t *Transcript, hostKey []byte) (*ServerResult, error) {
	e, err := s.m.value(msg, wire.MsgKexGexInit)
	if err != nil {
		return nil, err
	}
	f, k, err := s.m.answer(s.p, s.g, e, s.o)
	if err != nil {
		return nil, err
	}
	d := s.m.start(t, hostKey)
	d.group(s.minBits, s.bits, s.maxBits, s.p, s.g)
	d.mpint(e)
	d.mpint(f)
	return &ServerResult{
		Secret: d.secret(k),
		Reply:  reply(wire.MsgKexGexReply, hostKey, f, wire.AppendMpint),
	}, nil
}
