package kex

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"io"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// The methods whose shares are octet strings: C_INIT in message 30, S_REPLY in
// message 31 (RFC 5656 §4, RFC 8731 §3, and the drafts of the hybrids, where a
// share is the encapsulation's part and then the curve's).

// shareClient is the initiator of a method on a curve, hybrid or not.
type shareClient struct {
	m     *Method
	key   *ecdh.PrivateKey
	kem   decapsulator // nil without a post-quantum half
	share []byte       // C_INIT
	turn  turn
}

// turn is where an exchange stands; every call moves it on.
type turn uint8

const (
	fresh   turn = iota
	waiting      // for the peer's share, or its group
	halfway      // for the share, in a group exchange
	over
)

func newShareClient(m *Method, o *Options) (Client, error) {
	c := &shareClient{m: m}
	random := o.random()
	if m.kem != nil {
		var err error
		if c.kem, c.share, err = m.kem.generate(random); err != nil {
			return nil, m.noRandom(err)
		}
	}
	key, err := generate(m.curve(), o)
	if err != nil {
		return nil, m.noRandom(err)
	}
	c.key = key
	c.share = append(c.share, key.PublicKey().Bytes()...)
	return c, nil
}

// noRandom is the error of our own source of randomness.
func (m *Method) noRandom(err error) error {
	return wire.Disconnectf(wire.ReasonByApplication, "kex: %s: no key: %w", m.Name, err)
}

func (c *shareClient) Start() ([]byte, error) {
	if c.turn != fresh {
		return nil, c.m.outOfTurn(nil)
	}
	c.turn = waiting
	b := make([]byte, 0, 1+4+len(c.share))
	return wire.AppendString(append(b, wire.MsgKexECDHInit), c.share), nil
}

func (c *shareClient) Next(msg []byte, t *Transcript) ([]byte, *ClientResult, error) {
	if c.turn != waiting {
		c.erase()
		return nil, nil, c.m.outOfTurn(msg)
	}
	defer c.erase()
	hostKey, peer, signature, err := c.m.finish(msg, wire.MsgKexECDHReply, (*wire.Reader).String)
	if err != nil {
		return nil, nil, err
	}
	k, err := c.secret(peer)
	if err != nil {
		return nil, nil, c.m.refuse(err)
	}
	d := c.m.start(t, hostKey)
	d.str(c.share)
	d.str(peer)
	return nil, clientResult(d.secret(k), hostKey, signature), nil
}

// secret is K, encoded.
func (c *shareClient) secret(peer []byte) ([]byte, error) {
	kemPart := 0
	if c.kem != nil {
		kemPart = c.m.kem.cipherSize
	}
	if len(peer) != kemPart+len(c.key.PublicKey().Bytes()) {
		return nil, ErrShareSize
	}
	classical, err := agree(c.key, peer[kemPart:])
	if err != nil {
		return nil, err
	}
	if c.kem == nil {
		return encodeSecret(classical), nil
	}
	quantum, err := c.kem.Decapsulate(peer[:kemPart])
	if err != nil {
		return nil, ErrShare
	}
	return c.m.combine(quantum, classical), nil
}

func (c *shareClient) erase() {
	c.turn = over
	if k, ok := c.kem.(interface{ Erase() }); ok {
		k.Erase()
	}
	c.kem, c.key = nil, nil
}

// shareServer is the responder.
type shareServer struct {
	m    *Method
	o    *Options
	turn turn
}

func (s *shareServer) Next(msg []byte, t *Transcript, hostKey []byte) ([]byte, *ServerResult, error) {
	if s.turn != fresh {
		return nil, nil, s.m.outOfTurn(msg)
	}
	s.turn = over
	r, err := s.m.body(msg, wire.MsgKexECDHInit)
	if err != nil {
		return nil, nil, err
	}
	peer := r.String()
	if err := r.Done(); err != nil {
		return nil, nil, s.m.malformed(err)
	}
	share, k, err := s.answer(peer)
	if err != nil {
		return nil, nil, err
	}
	d := s.m.start(t, hostKey)
	d.str(peer)
	d.str(share)
	return nil, &ServerResult{
		Secret: d.secret(k),
		Reply:  reply(wire.MsgKexECDHReply, hostKey, share, wire.AppendString),
	}, nil
}

// answer computes S_REPLY and K, encoded.
func (s *shareServer) answer(peer []byte) (share, k []byte, err error) {
	m := s.m
	kemPart := 0
	if m.kem != nil {
		kemPart = m.kem.publicSize
	}
	// The curve first: its checks are the cheaper ones, and a wrong total
	// length costs nothing at all.
	curve := m.curve()
	if len(peer) != kemPart+shareSize(curve) {
		return nil, nil, m.refuse(ErrShareSize)
	}
	key, err := generate(curve, s.o)
	if err != nil {
		return nil, nil, m.noRandom(err)
	}
	classical, err := agree(key, peer[kemPart:])
	if err != nil {
		return nil, nil, m.refuse(err)
	}
	if m.kem == nil {
		return key.PublicKey().Bytes(), encodeSecret(classical), nil
	}
	quantum, share, err := m.kem.encapsulate(s.o.random(), peer[:kemPart])
	if errors.Is(err, ErrShare) {
		return nil, nil, m.refuse(err)
	}
	if err != nil {
		return nil, nil, m.noRandom(err)
	}
	return append(share, key.PublicKey().Bytes()...), m.combine(quantum, classical), nil
}

// shareSize is the length of a public key: 32 for X25519, and 1 + 2·size of a
// field element for an uncompressed point.
func shareSize(c ecdh.Curve) int {
	switch c {
	case ecdh.P256():
		return 65
	case ecdh.P384():
		return 97
	case ecdh.P521():
		return 133
	}
	return 32
}

// generate makes a private key.
func generate(c ecdh.Curve, o *Options) (*ecdh.PrivateKey, error) {
	if o == nil || o.Rand == nil {
		return c.GenerateKey(rand.Reader)
	}
	// The library's own generation takes no other source.
	var b [66]byte
	scalar := b[:shareSize(c)/2]
	if c == ecdh.X25519() {
		scalar = b[:32]
	}
	defer clear(b[:])
	for range 100 {
		if _, err := io.ReadFull(o.Rand, scalar); err != nil {
			return nil, err
		}
		if c == ecdh.P521() {
			scalar[0] &= 1
		}
		if key, err := c.NewPrivateKey(scalar); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("the source of randomness repeats itself")
}

// agree is the shared secret of a key and a peer's share: the X coordinate, or
// X25519's output. Only uncompressed points on the curve are taken (RFC 5656
// §4, KEX-2), and no result of zero (RFC 8731 §3, KEX-1); the library checks
// the latter in constant time.
func agree(key *ecdh.PrivateKey, peer []byte) ([]byte, error) {
	public, err := key.Curve().NewPublicKey(peer)
	if err != nil {
		if len(peer) != len(key.PublicKey().Bytes()) {
			return nil, ErrShareSize
		}
		return nil, ErrShare
	}
	secret, err := key.ECDH(public)
	if err != nil {
		return nil, ErrLowOrder
	}
	return secret, nil
}

// encodeSecret is K as an mpint. It overwrites secret.
func encodeSecret(secret []byte) []byte {
	k := wire.AppendMpint(make([]byte, 0, 5+len(secret)), secret)
	clear(secret)
	return k
}

// combine is K of the hybrids, as a string: the hash of both secrets, the
// post-quantum one first. It overwrites them.
func (m *Method) combine(quantum, classical []byte) []byte {
	h := m.Hash.New()
	h.Write(quantum)
	h.Write(classical)
	clear(quantum)
	clear(classical)
	k := make([]byte, 4, 4+m.Hash.Size())
	k[3] = byte(m.Hash.Size())
	return h.Sum(k)
}
