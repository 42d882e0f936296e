package kex

import (
	"encoding/binary"
	"hash"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// digest is the running exchange hash.
type digest struct {
	h hash.Hash
	b [5]byte
}

// start hashes what every method hashes first: V_C, V_S, I_C, I_S, K_S
// (RFC 4253 §8).
func (m *Method) start(t *Transcript, hostKey []byte) *digest {
	d := &digest{h: m.Hash.New()}
	d.str(t.ClientID)
	d.str(t.ServerID)
	d.str(t.ClientKexInit)
	d.str(t.ServerKexInit)
	d.str(hostKey)
	return d
}

func (d *digest) uint32(v uint32) {
	binary.BigEndian.PutUint32(d.b[:], v)
	d.h.Write(d.b[:4])
}

func (d *digest) str(s []byte) {
	d.uint32(uint32(len(s)))
	d.h.Write(s)
}

// mpint hashes the magnitude v, which has no leading zeros.
func (d *digest) mpint(v []byte) {
	if len(v) > 0 && v[0]&0x80 != 0 {
		binary.BigEndian.PutUint32(d.b[:], uint32(len(v)+1))
		d.b[4] = 0
		d.h.Write(d.b[:5])
		d.h.Write(v)
		return
	}
	d.str(v)
}

// secret hashes the encoded K last and gives the outcome.
func (d *digest) secret(k []byte) Secret {
	d.h.Write(k)
	return Secret{H: d.h.Sum(nil), K: k}
}

// DeriveKey returns n bytes of key material for a letter 'A' to 'F' (RFC 4253
// §7.2). sessionID is the H of the connection's first exchange.
func (m *Method) DeriveKey(secret *Secret, letter byte, sessionID []byte, n int) []byte {
	size := m.Hash.Size()
	out := make([]byte, 0, (n+size-1)/size*size)
	h := m.Hash.New()
	for len(out) < n {
		h.Reset()
		h.Write(secret.K)
		h.Write(secret.H)
		if len(out) == 0 {
			h.Write(append(out, letter))
			h.Write(sessionID)
		} else {
			h.Write(out)
		}
		out = h.Sum(out)
	}
	return out[:n:n]
}

// finish decodes the client's last message: host key, the peer's share and the
// signature. The share aliases msg.
func (m *Method) finish(msg []byte, number byte, share func(*wire.Reader) []byte) (hostKey, peer, signature []byte, err error) {
	r, err := m.body(msg, number)
	if err != nil {
		return nil, nil, nil, err
	}
	hostKey = r.String()
	peer = share(&r)
	signature = r.String()
	if err := r.Done(); err != nil {
		return nil, nil, nil, m.malformed(err)
	}
	return hostKey, peer, signature, nil
}

// clientResult copies what the result keeps out of the message.
func clientResult(s Secret, hostKey, signature []byte) *ClientResult {
	b := make([]byte, len(hostKey)+len(signature))
	n := copy(b, hostKey)
	copy(b[n:], signature)
	return &ClientResult{Secret: s, HostKey: b[:n:n], Signature: b[n:]}
}

// reply makes the function that builds the server's last message; share is
// appended as append does.
func reply(number byte, hostKey, share []byte, add func(b, s []byte) []byte) func([]byte) []byte {
	return func(signature []byte) []byte {
		b := make([]byte, 0, 1+4+len(hostKey)+5+len(share)+4+len(signature))
		b = append(b, number)
		b = wire.AppendString(b, hostKey)
		b = add(b, share)
		return wire.AppendString(b, signature)
	}
}
