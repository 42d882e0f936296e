package kex

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"math/big"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// checkError demands that an error says how to end the connection.
func checkError(t *testing.T, err error) {
	t.Helper()
	var d *wire.DisconnectError
	if err != nil && !errors.As(err, &d) {
		t.Errorf("%v has no reason", err)
	}
}

// slow methods do nothing that a quicker one of their kind does not.
func slow(m *Method) bool { return m.group != nil && m.group.bits > 1024 }

// FuzzServer gives a server two messages. Nothing but what it understands is
// answered, and never twice.
func FuzzServer(f *testing.F) {
	for i := range Methods {
		m := &Methods[i]
		if slow(m) {
			continue
		}
		_, _, init := started(f, m)
		if m.GroupExchange {
			request, _ := newClient(f, m, small).Start()
			f.Add(byte(i), request, init)
			continue
		}
		f.Add(byte(i), init, init)
		f.Add(byte(i), append([]byte{30}, 0, 0, 0, 1, 5), []byte{})
	}
	f.Fuzz(func(t *testing.T, which byte, first, second []byte) {
		m := &Methods[int(which)%len(Methods)]
		if slow(m) {
			return
		}
		s := newServer(t, m, small)
		results := 0
		for i, msg := range [][]byte{first, second, second} {
			send, res, err := s.Next(msg, testTranscript, testHostKey)
			checkError(t, err)
			if err != nil && (send != nil || res != nil) || send != nil && res != nil || err == nil && send == nil && res == nil {
				t.Fatalf("message %d: %x, %v, %v", i, send, res, err)
			}
			if send != nil && (!m.GroupExchange || i != 0 || msg[0] != wire.MsgKexGexRequest) {
				t.Fatalf("message %d was answered by %x", i, send)
			}
			if res == nil {
				continue
			}
			results++
			if len(res.H) != m.Hash.Size() || len(res.K) < 4 || results > 1 {
				t.Fatalf("result %d: H %x, K %x", results, res.H, res.K)
			}
			if r := res.Reply(testSignature); !bytes.HasSuffix(r, testSignature) {
				t.Fatalf("reply %x", r)
			}
		}
	})
}

// FuzzClient gives a client that waits for the reply a message.
func FuzzClient(f *testing.F) {
	var keys [len(Methods)]Client
	for i := range Methods {
		m := &Methods[i]
		if slow(m) {
			continue
		}
		var last []byte
		keys[i], last, _ = replied(f, m)
		f.Add(byte(i), last)
		if m.FiniteField { // in a group small enough to be quick
			p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))
			d, err := newDH(p, big.NewInt(3), seeded(1))
			if err != nil {
				f.Fatal(err)
			}
			keys[i] = &fixedClient{m: m, dh: d, turn: waiting}
			if m.GroupExchange {
				keys[i] = &groupClient{m: m, dh: d, turn: halfway}
			}
			small := wire.AppendMpint(wire.AppendString([]byte{last[0]}, testHostKey), big.NewInt(1<<40-1).Bytes())
			f.Add(byte(i), wire.AppendString(small, testSignature))
		}
		f.Add(byte(i), []byte{31, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, which byte, msg []byte) {
		m := &Methods[int(which)%len(Methods)]
		// Keys are dear: each client gets a copy that it may erase.
		var c Client
		switch k := keys[int(which)%len(Methods)].(type) {
		case *shareClient:
			d := *k
			if d.kem != nil {
				d.kem = lasting{d.kem}
			}
			c = &d
		case *fixedClient:
			c = &fixedClient{m: m, dh: copied(k.dh), turn: waiting}
		case *groupClient:
			c = &groupClient{m: m, want: k.want, dh: copied(k.dh), turn: halfway}
		default:
			return
		}
		send, res, err := c.Next(msg, testTranscript)
		checkError(t, err)
		if send != nil || (err == nil) == (res == nil) {
			t.Fatalf("%x, %v, %v", send, res, err)
		}
		if res != nil && (len(res.H) != m.Hash.Size() || len(res.K) < 4) {
			t.Fatalf("H %x, K %x", res.H, res.K)
		}
		if _, res, err := c.Next(msg, testTranscript); err == nil || res != nil {
			t.Fatal("a second reply was taken")
		}
	})
}

func copied(d *dh) *dh {
	return &dh{p: d.p, g: d.g, x: new(big.Int).Set(d.x), pub: d.pub}
}

// FuzzGroup gives a client a group. The exponentiation is left out.
func FuzzGroup(f *testing.F) {
	f.Add(group14Message())
	f.Add([]byte{31, 0, 0, 0, 1, 7, 0, 0, 0, 1, 2})
	f.Add([]byte{31})
	m := MethodByName("diffie-hellman-group-exchange-sha256")
	f.Fuzz(func(t *testing.T, msg []byte) {
		// Without randomness nothing is computed in a group that was taken.
		c := newClient(t, m, &Options{Rand: bytes.NewReader(nil)})
		c.Start()
		send, res, err := c.Next(msg, testTranscript)
		checkError(t, err)
		if err == nil || send != nil || res != nil {
			t.Fatalf("%x, %v, %v", send, res, err)
		}
		var d *wire.DisconnectError
		if errors.As(err, &d) && d.Reason == wire.ReasonByApplication {
			r := wire.NewReader(msg[1:])
			p, g := new(big.Int).SetBytes(r.Mpint()), new(big.Int).SetBytes(r.Mpint())
			if r.Done() != nil || p.BitLen() < 2048 || p.BitLen() > 8192 || p.Bit(0) == 0 || g.Cmp(p) >= 0 || g.BitLen() < 2 {
				t.Fatalf("p %x, g %x", p, g)
			}
		}
	})
}

// FuzzShare compares what the curves take with the rules of RFC 5656 §4.
func FuzzShare(f *testing.F) {
	for _, c := range []ecdh.Curve{ecdh.X25519(), ecdh.P256(), ecdh.P384(), ecdh.P521()} {
		k, err := generate(c, &Options{Rand: seeded(1)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(k.PublicKey().Bytes())
	}
	f.Add([]byte{0})
	var keys []*ecdh.PrivateKey
	for _, c := range []ecdh.Curve{ecdh.X25519(), ecdh.P256(), ecdh.P384(), ecdh.P521()} {
		k, _ := generate(c, &Options{Rand: seeded(2)})
		keys = append(keys, k)
	}
	f.Fuzz(func(t *testing.T, share []byte) {
		for _, k := range keys {
			secret, err := agree(k, share)
			if err != nil {
				continue
			}
			if len(share) != shareSize(k.Curve()) || k.Curve() != ecdh.X25519() && share[0] != 4 {
				t.Fatalf("%x was taken", share)
			}
			if bytes.Count(secret, []byte{0}) == len(secret) {
				t.Fatalf("%x gives zero", share)
			}
		}
	})
}

func FuzzParseModuli(f *testing.F) {
	f.Add([]byte("# x\n20240101000000 2 6 100 2047 2 C0FFEE\n"))
	f.Add([]byte("20240101000000 2 6 100 7 2 1FD\n20240101000000 2 6 100 8 2 1FF\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseModuli(b)
		if (err == nil) != (m.Len() > 0) || m.Len() > bytes.Count(b, []byte("\n"))+1 {
			t.Fatalf("%d groups, %v", m.Len(), err)
		}
		for _, g := range m.groups {
			p, gen := new(big.Int).SetBytes(g.p), new(big.Int).SetBytes(g.g)
			if p.BitLen() != g.bits || p.Bit(0) == 0 || gen.Cmp(big.NewInt(1)) <= 0 || g.p[0] == 0 || g.g[0] == 0 {
				t.Fatalf("p %x, g %x, %d bits", g.p, g.g, g.bits)
			}
			if _, _, ok := m.Pick(g.bits, g.bits, g.bits, nil); !ok {
				t.Fatalf("no group of %d bits", g.bits)
			}
		}
	})
}
