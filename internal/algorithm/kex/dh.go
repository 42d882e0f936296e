package kex

import (
	"errors"
	"io"
	"math/big"
	"math/bits"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Diffie-Hellman in the multiplicative group of a safe prime p. Exponents are
// single-use, which is why math/big may see them.

// Exponents are short: 2^256 multiplications are needed to find one of 512
// bits, far more than to break the largest of the groups it serves. RFC 3526 §8
// gives 2·310 bits for 8192.
const (
	exponentBits     = 512
	longExponentBits = 640 // for groups above longGroupBits
	longGroupBits    = 4096
	minBitsSet       = 4 // in a public value, as OpenSSH demands
)

// dh is one side's private half.
type dh struct {
	p, g *big.Int
	x    *big.Int // exponent
	pub  *big.Int // g^x
}

func (g *group) params() (p, gen *big.Int) {
	p, _ = new(big.Int).SetString(g.prime, 16)
	return p, big.NewInt(2)
}

// newDH draws an exponent and computes the public value.
func newDH(p, g *big.Int, random io.Reader) (*dh, error) {
	n := exponentBits
	if p.BitLen() > longGroupBits {
		n = longExponentBits
	}
	var b [longExponentBits / 8]byte
	defer clear(b[:])
	d := &dh{p: p, g: g, x: new(big.Int), pub: new(big.Int)}
	for range 100 {
		if _, err := io.ReadFull(random, b[:n/8]); err != nil {
			return nil, err
		}
		b[0] |= 0x80 // never a small one
		d.x.SetBytes(b[:n/8])
		d.pub.Exp(g, d.x, p)
		if inGroup(d.pub, p) {
			return d, nil
		}
	}
	return nil, errors.New("the group has no use")
}

// inGroup reports 1 < v < p-1 with at least minBitsSet bits set (KEX-3).
func inGroup(v, p *big.Int) bool {
	top := new(big.Int).Sub(p, big.NewInt(1))
	if v.Cmp(big.NewInt(1)) <= 0 || v.Cmp(top) >= 0 {
		return false
	}
	n := 0
	for _, w := range v.Bits() {
		n += bits.OnesCount(uint(w))
	}
	return n >= minBitsSet
}

// secret is K as an mpint for the peer's public value, whose magnitude has no
// leading zeros.
func (d *dh) secret(peer []byte) ([]byte, error) {
	if len(peer) > (d.p.BitLen()+7)/8 {
		return nil, ErrValue
	}
	v := new(big.Int).SetBytes(peer)
	if !inGroup(v, d.p) {
		return nil, ErrValue
	}
	v.Exp(v, d.x, d.p)
	// In a group that is none, the secret may be what everybody can guess.
	top := new(big.Int).Sub(d.p, big.NewInt(1))
	if v.Cmp(big.NewInt(1)) <= 0 || v.Cmp(top) >= 0 {
		return nil, ErrValue
	}
	k := encodeSecret(v.Bytes())
	clear(v.Bits())
	return k, nil
}

func (d *dh) erase() {
	if d != nil {
		clear(d.x.Bits())
		d.x.SetInt64(0)
	}
}

// fixedClient is the initiator in a fixed group: KEXDH_INIT with e, KEXDH_REPLY
// with f (RFC 4253 §8).
type fixedClient struct {
	m    *Method
	dh   *dh
	turn turn
}

func newFixedClient(m *Method, o *Options) (Client, error) {
	p, g := m.group.params()
	d, err := newDH(p, g, o.random())
	if err != nil {
		return nil, m.noRandom(err)
	}
	return &fixedClient{m: m, dh: d}, nil
}

func (c *fixedClient) Start() ([]byte, error) {
	if c.turn != fresh {
		return nil, c.m.outOfTurn(nil)
	}
	c.turn = waiting
	return wire.AppendMpint([]byte{wire.MsgKexECDHInit}, c.dh.pub.Bytes()), nil
}

func (c *fixedClient) Next(msg []byte, t *Transcript) ([]byte, *ClientResult, error) {
	if c.turn != waiting {
		c.erase()
		return nil, nil, c.m.outOfTurn(msg)
	}
	defer c.erase()
	hostKey, f, signature, err := c.m.finish(msg, wire.MsgKexECDHReply, (*wire.Reader).Mpint)
	if err != nil {
		return nil, nil, err
	}
	k, err := c.dh.secret(f)
	if err != nil {
		return nil, nil, c.m.refuse(err)
	}
	d := c.m.start(t, hostKey)
	d.mpint(c.dh.pub.Bytes())
	d.mpint(f)
	return nil, clientResult(d.secret(k), hostKey, signature), nil
}

func (c *fixedClient) erase() {
	c.turn = over
	c.dh.erase()
}

// fixedServer is the responder in a fixed group.
type fixedServer struct {
	m    *Method
	o    *Options
	turn turn
}

func (s *fixedServer) Next(msg []byte, t *Transcript, hostKey []byte) ([]byte, *ServerResult, error) {
	if s.turn != fresh {
		return nil, nil, s.m.outOfTurn(msg)
	}
	s.turn = over
	e, err := s.m.value(msg, wire.MsgKexECDHInit)
	if err != nil {
		return nil, nil, err
	}
	p, g := s.m.group.params()
	f, k, err := s.m.answer(p, g, e, s.o)
	if err != nil {
		return nil, nil, err
	}
	d := s.m.start(t, hostKey)
	d.mpint(e)
	d.mpint(f)
	return nil, &ServerResult{
		Secret: d.secret(k),
		Reply:  reply(wire.MsgKexECDHReply, hostKey, f, wire.AppendMpint),
	}, nil
}

// value decodes a message that is one mpint.
func (m *Method) value(msg []byte, number byte) ([]byte, error) {
	r, err := m.body(msg, number)
	if err != nil {
		return nil, err
	}
	e := r.Mpint()
	if err := r.Done(); err != nil {
		return nil, m.malformed(err)
	}
	return e, nil
}

// answer computes the server's f and K, encoded. The client's e is checked
// before anything is computed (KEX-5).
func (m *Method) answer(p, g *big.Int, e []byte, o *Options) (f, k []byte, err error) {
	if len(e) > (p.BitLen()+7)/8 || !inGroup(new(big.Int).SetBytes(e), p) {
		return nil, nil, m.refuse(ErrValue)
	}
	d, err := newDH(p, g, o.random())
	if err != nil {
		return nil, nil, m.noRandom(err)
	}
	defer d.erase()
	if k, err = d.secret(e); err != nil {
		return nil, nil, m.refuse(err)
	}
	return d.pub.Bytes(), k, nil
}
