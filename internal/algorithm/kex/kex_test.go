package kex

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

func TestTable(t *testing.T) {
	var names []string
	ranks := map[uint8]string{}
	for i := range Methods {
		m := &Methods[i]
		names = append(names, m.Name)
		if MethodByName(m.Name) != m {
			t.Errorf("%s is not found", m.Name)
		}
		if !m.Hash.Available() {
			t.Errorf("%s has no hash", m.Name)
		}
		if (m.rank != 0) != m.ClientDefault || m.ServerDefault != (m.ClientDefault && !m.FiniteField) {
			t.Errorf("%s: rank %d, defaults %v and %v", m.Name, m.rank, m.ClientDefault, m.ServerDefault)
		}
		if m.rank != 0 && ranks[m.rank] != "" {
			t.Errorf("%s and %s have one rank", m.Name, ranks[m.rank])
		}
		ranks[m.rank] = m.Name
		if m.PostQuantum != (m.kem != nil) || m.FiniteField != (m.group != nil || m.GroupExchange) || m.FiniteField == (m.curve != nil) {
			t.Errorf("%s: flags contradict its parts", m.Name)
		}
		if strings.HasSuffix(m.Name, "sha1") && (m.ClientDefault || m.ServerDefault) {
			t.Errorf("%s is on by default", m.Name)
		}
	}
	// ssh -Q kex of OpenSSH 10.5.
	if got, want := strings.Join(names, " "), "diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 "+
		"diffie-hellman-group14-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 "+
		"diffie-hellman-group-exchange-sha1 diffie-hellman-group-exchange-sha256 ecdh-sha2-nistp256 "+
		"ecdh-sha2-nistp384 ecdh-sha2-nistp521 mlkem768nistp256-sha256 curve25519-sha256 curve25519-sha256@libssh.org "+
		"sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com mlkem768x25519-sha256"; got != want {
		t.Errorf("Methods:\n%s, want\n%s", got, want)
	}
	server := "mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com curve25519-sha256 " +
		"curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521"
	if got := strings.Join(ServerDefaults(), " "); got != server {
		t.Errorf("ServerDefaults: %s", got)
	}
	if got := strings.Join(ClientDefaults(), " "); got != server+" diffie-hellman-group-exchange-sha256 "+
		"diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256" {
		t.Errorf("ClientDefaults: %s", got)
	}
	for _, s := range []string{"", "ext-info-c", "curve25519-sha25", "curve25519-sha256 "} {
		if MethodByName(s) != nil {
			t.Errorf("%q is a method", s)
		}
	}
	for name, want := range map[string]crypto.Hash{
		"ecdh-sha2-nistp256": crypto.SHA256, "ecdh-sha2-nistp384": crypto.SHA384, "ecdh-sha2-nistp521": crypto.SHA512,
	} {
		if MethodByName(name).Hash != want {
			t.Errorf("%s hashes with %v", name, MethodByName(name).Hash)
		}
	}
}

// Our initiator and our responder agree, and the outcome owns its memory.
func TestBothEnds(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		c, last, sres := replied(t, m)
		send, cres, err := c.Next(last, testTranscript)
		if err != nil || send != nil {
			t.Fatal(send, err)
		}
		for i := range last {
			last[i] = 0xee // the caller's buffer goes on to the next packet
		}
		if !bytes.Equal(cres.H, sres.H) || !bytes.Equal(cres.K, sres.K) || len(cres.H) != m.Hash.Size() {
			t.Errorf("H %x and %x, K %x and %x", cres.H, sres.H, cres.K, sres.K)
		}
		if !bytes.Equal(cres.HostKey, testHostKey) || !bytes.Equal(cres.Signature, testSignature) {
			t.Error("host key or signature changed")
		}
		// K is what RFC 4253 calls an mpint, or a string of hash size.
		r := wire.NewReader(cres.K)
		if m.PostQuantum {
			if len(r.String()) != m.Hash.Size() {
				t.Errorf("K = %x", cres.K)
			}
		} else {
			r.Mpint()
		}
		if err := r.Done(); err != nil {
			t.Errorf("K = %x: %v", cres.K, err)
		}
		k := cres.K
		cres.Erase()
		if cres.K != nil || bytes.Count(k, []byte{0}) != len(k) || !bytes.Equal(cres.H, sres.H) {
			t.Error("Erase did not erase K alone")
		}
	})
}

// Two runs share nothing.
func TestExchangesDiffer(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		_, first, a := replied(t, m)
		_, second, b := replied(t, m)
		if bytes.Equal(first, second) || bytes.Equal(a.K, b.K) || bytes.Equal(a.H, b.H) {
			t.Error("two exchanges gave one secret")
		}
	})
}

// With one source of randomness the initiator does the same again.
func TestOwnRandomness(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		var first [2][]byte
		for i := range first {
			c := newClient(t, m, &Options{Rand: seeded(7), GroupBits: MinGroupBits})
			msg, err := c.Start()
			if err != nil {
				t.Fatal(err)
			}
			first[i] = msg
		}
		if !bytes.Equal(first[0], first[1]) {
			t.Error("the source was not used")
		}
		// No randomness, no exchange; never a weaker one.
		if m.GroupExchange {
			c := newClient(t, m, &Options{Rand: io.LimitReader(seeded(1), 10)})
			c.Start()
			_, _, err := c.Next(group14Message(), testTranscript)
			wantError(t, "short randomness", err, io.ErrUnexpectedEOF, wire.ReasonByApplication)
			return
		}
		_, err := m.NewClient(&Options{Rand: io.LimitReader(seeded(1), 10)})
		wantError(t, "short randomness", err, io.ErrUnexpectedEOF, wire.ReasonByApplication)
		s := newServer(t, m, &Options{Rand: io.LimitReader(seeded(1), 10)})
		_, _, err = s.Next(first[0], testTranscript, testHostKey)
		wantError(t, "short randomness", err, io.ErrUnexpectedEOF, wire.ReasonByApplication)
	})
	each(t, func(t *testing.T, m *Method) {
		if m.curve == nil || m.curve() == ecdh.X25519() {
			return
		}
		// All ones is above every curve's order, all zeros below.
		if _, err := generate(m.curve(), &Options{Rand: constant(0)}); err == nil {
			t.Error("a key of zero")
		}
	})
	if _, err := generate(ecdh.P256(), &Options{Rand: constant(0xff)}); err == nil {
		t.Error("a key above the order")
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

// The exchange hash holds every byte of the transcript, the host key and the
// shares.
func TestHashBindsTranscript(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		change := []func(tr *Transcript, hostKey *[]byte){
			func(tr *Transcript, _ *[]byte) { tr.ClientID = []byte("SSH-2.0-clienT") },
			func(tr *Transcript, _ *[]byte) { tr.ServerID = []byte("SSH-2.0-serveR") },
			func(tr *Transcript, _ *[]byte) { tr.ClientKexInit = tr.ClientKexInit[1:] },
			func(tr *Transcript, _ *[]byte) { tr.ServerKexInit = tr.ServerKexInit[1:] },
			func(_ *Transcript, h *[]byte) { *h = append(bytes.Clone(*h), 0) },
			// A byte moved from one field to the next.
			func(tr *Transcript, _ *[]byte) {
				tr.ClientID, tr.ServerID = tr.ClientID[:13], append(bytes.Clone(tr.ClientID[13:]), tr.ServerID...)
			},
		}
		for i, f := range change {
			c, s, init := started(t, m)
			tr, hostKey := *testTranscript, testHostKey
			f(&tr, &hostKey)
			_, sres, err := s.Next(init, &tr, hostKey)
			if err != nil {
				t.Fatal(err)
			}
			_, cres, err := c.Next(sres.Reply(testSignature), testTranscript)
			if err != nil {
				t.Fatal(err)
			}
			// The host key travels in the reply, so there both agree.
			if same := bytes.Equal(cres.H, sres.H); same != (i == 4) {
				t.Errorf("change %d: same is %v", i, same)
			}
		}
	})
}

// What the hybrids' drafts say, computed beside the code: C_INIT and S_REPLY
// are the encapsulation's part and then the curve's, K a string of the hash of
// both secrets, post-quantum first.
func TestHybridCombiner(t *testing.T) {
	for _, name := range []string{"mlkem768x25519-sha256", "mlkem768nistp256-sha256"} {
		m := MethodByName(name)
		seed := bytes.Repeat([]byte{9}, mlkem.SeedSize)
		dk, err := mlkem.NewDecapsulationKey768(seed)
		if err != nil {
			t.Fatal(err)
		}
		curve := ecdh.X25519()
		pointSize, cSize, sSize := 32, 1216, 1120
		if strings.Contains(name, "nistp256") {
			curve, pointSize, cSize, sSize = ecdh.P256(), 65, 1184+65, 1088+65
		}
		key, err := curve.NewPrivateKey(bytes.Repeat([]byte{5}, 32))
		if err != nil {
			t.Fatal(err)
		}
		init := append(dk.EncapsulationKey().Bytes(), key.PublicKey().Bytes()...)
		if len(init) != cSize {
			t.Fatalf("%s: C_INIT of %d bytes", name, len(init))
		}
		_, res, err := newServer(t, m, nil).Next(wire.AppendString([]byte{30}, init), testTranscript, testHostKey)
		if err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(res.Reply(testSignature)[1:])
		hostKey, share, sig := r.String(), r.String(), r.String()
		if err := r.Done(); err != nil || len(share) != sSize || !bytes.Equal(hostKey, testHostKey) || !bytes.Equal(sig, testSignature) {
			t.Fatalf("%s: S_REPLY of %d bytes, %v", name, len(share), err)
		}
		quantum, err := dk.Decapsulate(share[:1088])
		if err != nil {
			t.Fatal(err)
		}
		peer, err := curve.NewPublicKey(share[len(share)-pointSize:])
		if err != nil {
			t.Fatal(err)
		}
		classical, err := key.ECDH(peer)
		if err != nil || len(classical) != 32 {
			t.Fatal(err)
		}
		k := sha256.Sum256(append(bytes.Clone(quantum), classical...))
		if want := append([]byte{0, 0, 0, 32}, k[:]...); !bytes.Equal(res.K, want) {
			t.Errorf("%s: K = %x, want %x", name, res.K, want)
		}
		var b []byte
		for _, f := range [][]byte{testTranscript.ClientID, testTranscript.ServerID, testTranscript.ClientKexInit,
			testTranscript.ServerKexInit, testHostKey, init, share, k[:]} {
			b = wire.AppendString(b, f)
		}
		if h := sha256.Sum256(b); !bytes.Equal(res.H, h[:]) {
			t.Errorf("%s: H = %x, want %x", name, res.H, h)
		}
	}
}

// RFC 7748 §6.1 through a whole exchange; K is the number whose big-endian
// bytes X25519 returns (RFC 8731 §3.1).
func TestX25519Vector(t *testing.T) {
	vector(t, "curve25519-sha256",
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
}

// RFC 5903 §8.1; K is the X coordinate (RFC 5656 §4), here with its top bit
// set.
func TestP256Vector(t *testing.T) {
	vector(t, "ecdh-sha2-nistp256",
		"c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
		"04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"+
			"5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
		"c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
		"04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"+
			"56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
		"d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
}

func vector(t *testing.T, name, a, public, b, peer, shared string) {
	m := MethodByName(name)
	c := newClient(t, m, &Options{Rand: bytes.NewReader(unhexed(t, a))})
	s := newServer(t, m, &Options{Rand: bytes.NewReader(unhexed(t, b))})
	init, err := c.Start()
	if err != nil || !bytes.Equal(init, wire.AppendString([]byte{30}, unhexed(t, public))) {
		t.Fatalf("init %x, %v", init, err)
	}
	_, sres, err := s.Next(init, testTranscript, testHostKey)
	if err != nil {
		t.Fatal(err)
	}
	last := sres.Reply(testSignature)
	want := wire.AppendString(wire.AppendString([]byte{31}, testHostKey), unhexed(t, peer))
	if !bytes.Equal(last, wire.AppendString(want, testSignature)) {
		t.Fatalf("reply %x", last)
	}
	_, cres, err := c.Next(last, testTranscript)
	if err != nil {
		t.Fatal(err)
	}
	k := wire.AppendMpint(nil, unhexed(t, shared))
	if !bytes.Equal(cres.K, k) || !bytes.Equal(sres.K, k) {
		t.Errorf("K = %x and %x, want %x", cres.K, sres.K, k)
	}
}

func unhexed(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Secrets with leading zeros and with the top bit set.
func TestEncodeSecret(t *testing.T) {
	for in, want := range map[string]string{
		"00000000": "00000000", "01": "0000000101", "0001": "0000000101", "80": "000000020080",
		"00ff00": "0000000300ff00", "7f80": "000000027f80",
	} {
		secret := unhexed(t, in)
		if got := hex.EncodeToString(encodeSecret(secret)); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
		if bytes.Count(secret, []byte{0}) != len(secret) {
			t.Errorf("%s was left in memory", in)
		}
	}
	for _, v := range []string{"", "01", "7f", "80", "80ff", "7fff", "00"} {
		b := bytes.TrimLeft(unhexed(t, v), "\x00")
		d := &digest{h: sha256.New()}
		d.mpint(b)
		if want := sha256.Sum256(wire.AppendMpint(nil, b)); !bytes.Equal(d.h.Sum(nil), want[:]) {
			t.Errorf("mpint %s is hashed otherwise than encoded", v)
		}
	}
}

// RFC 4253 §7.2, written out.
func TestDeriveKey(t *testing.T) {
	s := &Secret{H: []byte("exchange hash"), K: []byte("encoded secret")}
	id := []byte("session")
	for i := range Methods {
		m := &Methods[i]
		join := func(parts ...[]byte) []byte {
			h := m.Hash.New()
			for _, p := range parts {
				h.Write(p)
			}
			return h.Sum(nil)
		}
		for _, letter := range []byte("ABCDEF") {
			k1 := join(s.K, s.H, []byte{letter}, id)
			k2 := join(s.K, s.H, k1)
			k3 := join(s.K, s.H, k1, k2)
			all := slices.Concat(k1, k2, k3)
			for _, n := range []int{0, 1, 16, 20, 32, 48, m.Hash.Size(), m.Hash.Size() + 1, len(all)} {
				got := m.DeriveKey(s, letter, id, n)
				if len(got) != n || !bytes.Equal(got, all[:min(n, len(all))]) {
					t.Errorf("%s, %c, %d bytes: %x", m.Name, letter, n, got)
				}
			}
		}
	}
}

// Start once, Next after Start, nothing after the end (KEX-7).
func TestTurns(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		c, s, init := started(t, m)
		_, err := c.Start()
		wantError(t, "Start again", err, ErrOutOfTurn, wire.ReasonProtocolError)
		_, sres, err := s.Next(init, testTranscript, testHostKey)
		if err != nil {
			t.Fatal(err)
		}
		last := sres.Reply(testSignature)

		_, res, err := s.Next(init, testTranscript, testHostKey)
		wantError(t, "a second init", err, ErrOutOfTurn, wire.ReasonProtocolError)
		if res != nil {
			t.Error("a second init was answered")
		}
		if _, _, err := c.Next(last, testTranscript); err != nil {
			t.Fatal(err)
		}
		_, cres, err := c.Next(last, testTranscript)
		wantError(t, "a second reply", err, ErrOutOfTurn, wire.ReasonProtocolError)
		if cres != nil {
			t.Error("a second reply gave a result")
		}
		_, _, err = newClient(t, m, small).Next(last, testTranscript)
		wantError(t, "a reply before Start", err, ErrOutOfTurn, wire.ReasonProtocolError)

		// An error is an end too.
		c, s, init = started(t, m)
		if _, _, err := s.Next(init[:3], testTranscript, testHostKey); err == nil {
			t.Fatal("a cut init was taken")
		}
		_, _, err = s.Next(init, testTranscript, testHostKey)
		wantError(t, "init after an error", err, ErrOutOfTurn, wire.ReasonProtocolError)
		if _, _, err := c.Next(last[:9], testTranscript); err == nil {
			t.Fatal("a cut reply was taken")
		}
		_, _, err = c.Next(last, testTranscript)
		wantError(t, "reply after an error", err, ErrOutOfTurn, wire.ReasonProtocolError)

		// So is giving up.
		c, last, _ = replied(t, m)
		Discard(c)
		_, _, err = c.Next(last, testTranscript)
		wantError(t, "reply after Discard", err, ErrOutOfTurn, wire.ReasonProtocolError)
		Discard(newClient(t, m, small))
	})
}

// Messages that are none: every cut, a byte more, other numbers.
func TestMalformed(t *testing.T) {
	numbers := []byte{0, 1, wire.MsgKexInit, wire.MsgNewKeys, 30, 31, 32, 33, 34, 35, 50, 255}
	each(t, func(t *testing.T, m *Method) {
		_, _, init := started(t, m)
		_, last, _ := replied(t, m)
		cuts := func(msg []byte) []int {
			return []int{0, 1, 2, 4, 5, len(msg) / 2, len(msg) - 1}
		}
		server := func() Server { _, s, _ := started(t, m); return s }
		client := func() Client { c, _, _ := started(t, m); return c }
		if m.group != nil && m.group.bits > 2048 {
			// Making a key is all of the cost: one will do.
			c, _, _ := started(t, m)
			client = func() Client { return &fixedClient{m: m, dh: c.(*fixedClient).dh, turn: waiting} }
			server = func() Server { return newServer(t, m, small) }
		}
		for _, n := range cuts(init) {
			_, res, err := server().Next(init[:n], testTranscript, testHostKey)
			wantError(t, "cut init", err, wire.ErrShort, wire.ReasonProtocolError)
			if res != nil {
				t.Error("a result with an error")
			}
		}
		for _, n := range cuts(last) {
			_, res, err := client().Next(last[:n], testTranscript)
			wantError(t, "cut reply", err, wire.ErrShort, wire.ReasonProtocolError)
			if res != nil {
				t.Error("a result with an error")
			}
		}
		_, _, err := server().Next(append(bytes.Clone(init), 0), testTranscript, testHostKey)
		wantError(t, "long init", err, wire.ErrTrailing, wire.ReasonProtocolError)
		_, _, err = client().Next(append(bytes.Clone(last), 0), testTranscript)
		wantError(t, "long reply", err, wire.ErrTrailing, wire.ReasonProtocolError)
		for _, n := range numbers {
			if n != init[0] {
				_, _, err := server().Next(append([]byte{n}, init[1:]...), testTranscript, testHostKey)
				wantError(t, "other number", err, ErrOutOfTurn, wire.ReasonProtocolError)
			}
			if n != last[0] {
				_, _, err := client().Next(append([]byte{n}, last[1:]...), testTranscript)
				wantError(t, "other number", err, ErrOutOfTurn, wire.ReasonProtocolError)
			}
		}
		// Lengths that are only claimed.
		claim := []byte{init[0], 0xff, 0xff, 0xff, 0xff, 1, 2, 3}
		_, _, err = server().Next(claim, testTranscript, testHostKey)
		wantError(t, "claimed length", err, wire.ErrShort, wire.ReasonProtocolError)
	})
}

// badShare is a share that must be refused, and why.
type badShare struct {
	what  string
	share []byte
	cause error
}

// lowOrder are the points of X25519 whose multiples are all zero, and the
// forms that decode to them (RFC 7748 §5: the top bit is ignored).
func lowOrder(t *testing.T) []badShare {
	var bad []badShare
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		p := unhexed(t, s)
		bad = append(bad, badShare{"low order " + s, bytes.Clone(p), ErrLowOrder})
		p[31] |= 0x80
		bad = append(bad, badShare{"low order, top bit, " + s, p, ErrLowOrder})
	}
	return bad
}

// badCurveShares are those of KEX-1 and KEX-2 for a curve.
func badCurveShares(t *testing.T, c ecdh.Curve) []badShare {
	key, err := generate(c, &Options{Rand: seeded(3)})
	if err != nil {
		t.Fatal(err)
	}
	good := key.PublicKey().Bytes()
	n := len(good)
	bad := []badShare{
		{"empty", nil, ErrShareSize},
		{"one byte", []byte{0}, ErrShareSize}, // also SEC 1's infinity
		{"short", good[:n-1], ErrShareSize},
		{"long", append(bytes.Clone(good), 0), ErrShareSize},
		{"200 KiB", make([]byte, 200<<10), ErrShareSize},
	}
	if c == ecdh.X25519() {
		return append(bad, lowOrder(t)...)
	}
	size := n / 2
	form := func(b byte) []byte { return append([]byte{b}, good[1:]...) }
	off := bytes.Clone(good)
	off[n-1] ^= 1
	big := bytes.Clone(good)
	for i := 1; i <= size; i++ {
		big[i] = 0xff
	}
	return append(bad,
		badShare{"compressed", append([]byte{2 | good[n-1]&1}, good[1:1+size]...), ErrShareSize},
		badShare{"compressed form, full length", form(2), ErrShare},
		badShare{"hybrid form", form(6 | good[n-1]&1), ErrShare},
		badShare{"form 0", form(0), ErrShare},
		badShare{"form 5", form(5), ErrShare},
		badShare{"zeros", make([]byte, n), ErrShare},
		badShare{"(0, 0)", append([]byte{4}, make([]byte, n-1)...), ErrShare},
		badShare{"not on the curve", off, ErrShare},
		badShare{"coordinate above the field", big, ErrShare},
	)
}

// Every bad share of the curve methods and of both halves of the hybrids is
// refused by both roles, reason 3, and no secret comes out (KEX-1, 2, 6).
func TestBadShares(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		if m.curve == nil {
			return
		}
		var kemPublic, kemCipher []byte
		if m.kem != nil {
			_, public, err := m.kem.generate(seeded(4))
			if err != nil {
				t.Fatal(err)
			}
			kemPublic = bytes.Clone(public)
			if _, kemCipher, err = m.kem.encapsulate(seeded(5), public); err != nil {
				t.Fatal(err)
			}
		}
		curve := badCurveShares(t, m.curve())
		toServer, toClient := slices.Clone(curve), slices.Clone(curve)
		for i := range curve {
			toServer[i].share = slices.Concat(kemPublic, curve[i].share)
			toClient[i].share = slices.Concat(kemCipher, curve[i].share)
		}
		if m.kem != nil {
			good, err := generate(m.curve(), nil)
			if err != nil {
				t.Fatal(err)
			}
			point := good.PublicKey().Bytes()
			over := bytes.Repeat([]byte{0xff}, len(kemPublic))
			last := bytes.Clone(kemPublic)
			if m.kem == &mlkem768 { // the last coefficient, before the 32 bytes of rho
				last[len(last)-33] = 0xff
				last[len(last)-34] |= 0xf0
			} else {
				last[len(last)-1] = 0xff
			}
			toServer = append(toServer,
				badShare{"no classical half", kemPublic, ErrShareSize},
				badShare{"no quantum half", point, ErrShareSize},
				badShare{"coefficients above q", slices.Concat(over, point), ErrShare},
				badShare{"last coefficient above q", slices.Concat(last, point), ErrShare},
			)
			toClient = append(toClient,
				badShare{"no classical half", kemCipher, ErrShareSize},
				badShare{"no quantum half", point, ErrShareSize},
				badShare{"a public key instead", slices.Concat(kemPublic, point), ErrShareSize},
			)
		}
		for _, b := range toServer {
			_, res, err := newServer(t, m, nil).Next(wire.AppendString([]byte{30}, b.share), testTranscript, testHostKey)
			wantError(t, "to server: "+b.what, err, b.cause, wire.ReasonKeyExchangeFailed)
			if res != nil {
				t.Errorf("%s: a result", b.what)
			}
		}
		fresh := func() *shareClient { c, _, _ := started(t, m); return c.(*shareClient) }
		one := fresh()
		for _, b := range toClient {
			c := *one
			if c.kem != nil {
				c.kem = lasting{c.kem}
			}
			msg := wire.AppendString(wire.AppendString(wire.AppendString([]byte{31}, testHostKey), b.share), testSignature)
			_, res, err := c.Next(msg, testTranscript)
			wantError(t, "to client: "+b.what, err, b.cause, wire.ReasonKeyExchangeFailed)
			if res != nil {
				t.Errorf("%s: a result", b.what)
			}
		}
	})
}

// lasting hides Erase from the client, so that one key serves many tries.
type lasting struct{ decapsulator }

// A ciphertext that was tampered with is no error, which would be an oracle:
// the two ends part ways (KEX-6).
func TestTamperedCiphertext(t *testing.T) {
	each(t, func(t *testing.T, m *Method) {
		if m.kem == nil {
			return
		}
		c, last, sres := replied(t, m)
		last[1+4+len(testHostKey)+4+100] ^= 1
		_, cres, err := c.Next(last, testTranscript)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(cres.K, sres.K) || bytes.Equal(cres.H, sres.H) {
			t.Error("the secrets are equal")
		}
	})
}
