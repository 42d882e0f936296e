package kex

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// arctan is ⌊2^shift · arctan(1/x)⌋ up to a few units.
func arctan(x int64, shift uint) *big.Int {
	term := new(big.Int).Lsh(big.NewInt(1), shift)
	term.Div(term, big.NewInt(x))
	sum, square := new(big.Int).Set(term), big.NewInt(x*x)
	for n := int64(3); term.Sign() != 0; n += 2 {
		term.Neg(term.Quo(term, square))
		sum.Add(sum, new(big.Int).Quo(term, big.NewInt(n)))
	}
	return sum
}

// The primes follow the formula of RFC 2409 and RFC 3526, from Machin's π, and
// are safe ones.
func TestGroups(t *testing.T) {
	const shift = 8192 + 64
	pi := new(big.Int).Mul(arctan(5, shift), big.NewInt(16))
	pi.Sub(pi, new(big.Int).Mul(arctan(239, shift), big.NewInt(4)))
	one := big.NewInt(1)
	power := func(n int) *big.Int { return new(big.Int).Lsh(one, uint(n)) }
	for _, c := range []struct {
		g *group
		k int64
	}{{&group1, 129093}, {&group14, 124476}, {&group16, 240904}, {&group18, 4743158}} {
		n := c.g.bits
		p, g := c.g.params()
		want := new(big.Int).Rsh(pi, uint(shift-(n-130)))
		want.Add(want, big.NewInt(c.k)).Lsh(want, 64)
		want.Add(want, power(n)).Sub(want, power(n-64)).Sub(want, one)
		if p.Cmp(want) != 0 || p.BitLen() != n || g.Int64() != 2 {
			t.Errorf("group of %d bits: %x, want %x", n, p, want)
		}
		// One round, and Baillie-PSW within it: these are no adversary's.
		if half := new(big.Int).Rsh(p, 1); !p.ProbablyPrime(0) || !half.ProbablyPrime(0) {
			t.Errorf("group of %d bits is no safe prime", n)
		}
	}
}

// The client's and the server's DH values (KEX-3), in every place they occur.
func TestDHValues(t *testing.T) {
	one := big.NewInt(1)
	mpint := func(v *big.Int) []byte { return wire.AppendMpint(nil, v.Bytes()) }
	each(t, func(t *testing.T, m *Method) {
		if !m.FiniteField || m.group == &group18 {
			return
		}
		g := m.group
		if g == nil {
			g = &group14
		}
		p, _ := g.params()
		bit := func(n int) *big.Int { return new(big.Int).Lsh(one, uint(n)) }
		three := new(big.Int).Add(bit(700), new(big.Int).Add(bit(300), bit(5)))
		four := new(big.Int).Add(three, bit(1))
		for _, c := range []struct {
			what  string
			value []byte
			cause error // nil: taken
			why   wire.Reason
		}{
			{"0", mpint(new(big.Int)), ErrValue, 3},
			{"1", mpint(one), ErrValue, 3},
			{"2", mpint(big.NewInt(2)), ErrValue, 3},
			{"7", mpint(big.NewInt(7)), ErrValue, 3},
			{"one bit", mpint(bit(g.bits - 1)), ErrValue, 3},
			{"three bits", mpint(three), ErrValue, 3},
			{"four bits", mpint(four), nil, 0},
			{"15", mpint(big.NewInt(15)), nil, 0},
			{"p-2", mpint(new(big.Int).Sub(p, big.NewInt(2))), nil, 0},
			{"p-1", mpint(new(big.Int).Sub(p, one)), ErrValue, 3},
			{"p", mpint(p), ErrValue, 3},
			{"p+1", mpint(new(big.Int).Add(p, one)), ErrValue, 3},
			{"as long as p, above it", wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, g.bits/8)), ErrValue, 3},
			{"one byte longer than p", wire.AppendMpint(nil, bytes.Repeat([]byte{1}, g.bits/8+1)), ErrValue, 3},
			{"200 KiB", wire.AppendMpint(nil, bytes.Repeat([]byte{1}, 200<<10)), ErrValue, 3},
			{"negative", wire.AppendString(nil, bytes.Repeat([]byte{0xff}, g.bits/8)), wire.ErrMpint, 2},
			{"leading zero", wire.AppendString(nil, append([]byte{0}, bytes.Repeat([]byte{0x7f}, g.bits/8-1)...)), wire.ErrMpint, 2},
			{"zero of one byte", wire.AppendString(nil, []byte{0}), wire.ErrMpint, 2},
		} {
			check := func(role string, res bool, err error) {
				if c.cause == nil {
					if err != nil || !res {
						t.Errorf("%s to %s: %v", c.what, role, err)
					}
					return
				}
				wantError(t, c.what+" to "+role, err, c.cause, c.why)
				if res {
					t.Errorf("%s to %s: a result", c.what, role)
				}
			}
			client, server, init := started(t, m)
			_, sres, err := server.Next(append([]byte{init[0]}, c.value...), testTranscript, testHostKey)
			check("server", sres != nil, err)
			number := byte(wire.MsgKexECDHReply)
			if m.GroupExchange {
				number = wire.MsgKexGexReply
			}
			msg := append(wire.AppendString([]byte{number}, testHostKey), c.value...)
			_, cres, err := client.Next(wire.AppendString(msg, testSignature), testTranscript)
			check("client", cres != nil, err)
		}
	})
}

// A bad value costs the server nothing: no key is made for it, and a giant one
// is not even made a number (KEX-3, KEX-5).
func TestBadValuesAreCheap(t *testing.T) {
	m := MethodByName("diffie-hellman-group14-sha256")
	giant := bytes.Repeat([]byte{1}, 200<<10)
	p, _ := m.group.params()
	top := new(big.Int).Sub(p, big.NewInt(1)).Bytes()
	for _, v := range [][]byte{{1}, {2}, top, giant} {
		s := newServer(t, m, &Options{Rand: bytes.NewReader(nil)}) // a key would fail
		_, _, err := s.Next(wire.AppendMpint([]byte{30}, v), testTranscript, testHostKey)
		wantError(t, "bad value", err, ErrValue, wire.ReasonKeyExchangeFailed)
	}
	client, _, _ := started(t, m)
	server := wire.AppendMpint([]byte{30}, giant)
	reply := wire.AppendMpint(wire.AppendString([]byte{31}, testHostKey), giant)
	reply = wire.AppendString(reply, testSignature)
	group := wire.AppendMpint(wire.AppendMpint([]byte{31}, giant), giant)
	asking := newClient(t, MethodByName("diffie-hellman-group-exchange-sha256"), nil)
	asking.Start()
	fresh := newServer(t, m, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err1 := fresh.Next(server, testTranscript, testHostKey)
	_, _, err2 := client.Next(reply, testTranscript)
	_, _, err3 := asking.Next(group, testTranscript)
	runtime.ReadMemStats(&after)
	if err1 == nil || err2 == nil || err3 == nil {
		t.Error("a giant was taken")
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(giant))/2 {
		t.Errorf("%d bytes were allocated for numbers of %d", n, len(giant))
	}
	if inGroup(new(big.Int).SetBytes(top), p) {
		t.Error("p-1 is in the group")
	}
}

// Exponents are drawn anew, of their full length, and wiped.
func TestExponents(t *testing.T) {
	for _, c := range []struct {
		g *group
		n int
	}{{&group1, 512}, {&group14, 512}, {&group16, 512}, {&group18, 640}} {
		p, g := c.g.params()
		a, err := newDH(p, g, constant(0))
		if err != nil {
			t.Fatal(err)
		}
		if a.x.BitLen() != c.n {
			t.Errorf("exponent of %d bits in a group of %d", a.x.BitLen(), c.g.bits)
		}
		words := a.x.Bits()
		a.erase()
		for _, w := range words {
			if w != 0 {
				t.Error("the exponent is still there")
			}
		}
	}
	// A group in which nothing is a fit public value must not hang us.
	if _, err := newDH(big.NewInt(7), big.NewInt(6), constant(0)); err == nil {
		t.Error("a key in the group of 7")
	}
}

func TestGroupBits(t *testing.T) {
	for strength, want := range map[int]int{0: 2048, 112: 2048, 113: 3072, 128: 3072, 129: 7680, 160: 7680, 192: 7680, 193: 8192, 256: 8192, 512: 8192} {
		if got := GroupBits(strength); got != want {
			t.Errorf("%d bits of strength: group of %d, want %d", strength, got, want)
		}
	}
	m := MethodByName("diffie-hellman-group-exchange-sha256")
	for ask, want := range map[int]uint32{0: 3072, 1: 2048, 2047: 2048, 2048: 2048, 7680: 7680, 8192: 8192, 8193: 8192, -1: 2048} {
		msg, err := newClient(t, m, &Options{GroupBits: ask}).Start()
		b := wire.AppendUint32(wire.AppendUint32(wire.AppendUint32([]byte{34}, 2048), want), 8192)
		if err != nil || !bytes.Equal(msg, b) {
			t.Errorf("%d: %x, %v", ask, msg, err)
		}
	}
}

func group14Message() []byte {
	p, g := group14.params()
	return wire.AppendMpint(wire.AppendMpint([]byte{31}, p.Bytes()), g.Bytes())
}

// What a client takes for a group (KEX-4).
func TestBadGroups(t *testing.T) {
	m := MethodByName("diffie-hellman-group-exchange-sha256")
	one := big.NewInt(1)
	odd := func(bits int) *big.Int { // 2^(bits-1) + … + 1
		v := new(big.Int).Lsh(one, uint(bits-1))
		return v.Add(v, big.NewInt(12345))
	}
	p14, _ := group14.params()
	sub := func(v *big.Int, n int64) *big.Int { return new(big.Int).Sub(v, big.NewInt(n)) }
	for _, c := range []struct {
		what string
		p, g *big.Int
		ok   bool
	}{
		{"built in", p14, big.NewInt(2), true},
		{"g = 5", p14, big.NewInt(5), true},
		{"g = p-2", p14, sub(p14, 2), true},
		{"2048 bits", odd(2048), big.NewInt(2), true},
		{"8192 bits", odd(8192), big.NewInt(2), true},
		{"0", new(big.Int), big.NewInt(2), false},
		{"512 bits", odd(512), big.NewInt(2), false},
		{"2047 bits", odd(2047), big.NewInt(2), false},
		{"8193 bits", odd(8193), big.NewInt(2), false},
		{"200,000 bytes", odd(8 * 200000), big.NewInt(2), false},
		{"even", sub(p14, 1), big.NewInt(2), false},
		{"g = 0", p14, new(big.Int), false},
		{"g = 1", p14, one, false},
		{"g = p-1", p14, sub(p14, 1), false},
		{"g = p", p14, p14, false},
		{"g above p", p14, odd(2049), false},
		{"g of 200,000 bytes", p14, odd(8 * 200000), false},
	} {
		client := newClient(t, m, nil)
		client.Start()
		msg := wire.AppendMpint(wire.AppendMpint([]byte{31}, c.p.Bytes()), c.g.Bytes())
		send, res, err := client.Next(msg, testTranscript)
		if c.ok {
			if err != nil || res != nil || len(send) == 0 || send[0] != wire.MsgKexGexInit {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		wantError(t, c.what, err, ErrGroup, wire.ReasonKeyExchangeFailed)
		if send != nil || res != nil {
			t.Errorf("%s: an answer", c.what)
		}
	}
	// Forms of the message.
	good := group14Message()
	for _, c := range []struct {
		msg   []byte
		cause error
	}{
		{nil, wire.ErrShort}, {good[:1], wire.ErrShort}, {good[:100], wire.ErrShort}, {good[:len(good)-1], wire.ErrShort},
		{append(bytes.Clone(good), 0), wire.ErrTrailing}, {append([]byte{33}, good[1:]...), ErrOutOfTurn},
		{append([]byte{30}, good[1:]...), ErrOutOfTurn}, {append([]byte{32}, good[1:]...), ErrOutOfTurn},
		{wire.AppendString(wire.AppendString([]byte{31}, []byte{0xff}), []byte{2}), wire.ErrMpint},
	} {
		client := newClient(t, m, nil)
		client.Start()
		_, _, err := client.Next(c.msg, testTranscript)
		wantError(t, "group message", err, c.cause, wire.ReasonProtocolError)
	}
	// A second group.
	client := newClient(t, m, nil)
	client.Start()
	client.Next(good, testTranscript)
	_, _, err := client.Next(good, testTranscript)
	wantError(t, "a second group", err, ErrOutOfTurn, wire.ReasonProtocolError)
}

// What a server takes for a request, and what it answers without a moduli file
// (KEX-4).
func TestRequests(t *testing.T) {
	m := MethodByName("diffie-hellman-group-exchange-sha256")
	ask := func(o *Options, n ...uint32) ([]byte, error) {
		msg := []byte{wire.MsgKexGexRequest}
		for _, v := range n {
			msg = wire.AppendUint32(msg, v)
		}
		send, res, err := newServer(t, m, o).Next(msg, testTranscript, testHostKey)
		if res != nil {
			t.Errorf("%v: a result", n)
		}
		return send, err
	}
	bitsOf := func(msg []byte) int {
		r := wire.NewReader(msg[1:])
		p := new(big.Int).SetBytes(r.Mpint())
		r.Mpint()
		if err := r.Done(); err != nil || msg[0] != wire.MsgKexGexGroup {
			t.Errorf("group message: %v", err)
		}
		return p.BitLen()
	}
	for _, c := range []struct {
		lo, n, hi uint32
		bits      int // 0: refused
	}{
		{2048, 2048, 8192, 8192}, {2048, 3072, 8192, 8192}, {2048, 8192, 8192, 8192},
		{1024, 2048, 8192, 8192}, {0, 0, 8192, 8192}, {512, 1024, 4096, 4096}, // clamped, as old clients ask
		{2048, 2048, 2048, 2048}, {2048, 2048, 3071, 2048}, {2048, 2048, 3072, 4096}, {2048, 2048, 6143, 4096}, {2048, 2048, 6144, 8192},
		{2048, 9000, 20000, 8192}, {8192, 8192, 8192, 8192}, {2048, 2048, 0xffffffff, 8192},
		{2049, 2048, 8192, 0}, {2048, 8192, 4096, 0}, {4096, 2048, 1024, 0}, {0, 0, 0, 0}, {512, 1024, 2047, 0},
		{8193, 8193, 8193, 0}, {9000, 10000, 20000, 0}, {0xffffffff, 0xffffffff, 0xffffffff, 0},
	} {
		send, err := ask(nil, c.lo, c.n, c.hi)
		what := fmt.Sprint(c.lo, c.n, c.hi)
		if c.bits == 0 {
			wantError(t, what, err, ErrGroupBounds, wire.ReasonKeyExchangeFailed)
			if send != nil {
				t.Errorf("%s: answered", what)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if got := bitsOf(send); got != c.bits {
			t.Errorf("%s: group of %d bits, want %d", what, got, c.bits)
		}
	}
	for n := range 6 {
		if n != 3 {
			_, err := ask(nil, slices.Repeat([]uint32{2048}, n)...)
			if err == nil {
				t.Errorf("%d numbers were taken", n)
			}
		}
	}
	// The request of one size is gone.
	_, _, err := newServer(t, m, nil).Next(wire.AppendUint32([]byte{30}, 2048), testTranscript, testHostKey)
	wantError(t, "old request", err, ErrOutOfTurn, wire.ReasonProtocolError)
	_, _, err = newServer(t, m, nil).Next(wire.AppendMpint([]byte{32}, []byte{9}), testTranscript, testHostKey)
	wantError(t, "init without a request", err, ErrOutOfTurn, wire.ReasonProtocolError)
	s := newServer(t, m, small)
	request, _ := newClient(t, m, small).Start()
	s.Next(request, testTranscript, testHostKey)
	_, _, err = s.Next(request, testTranscript, testHostKey)
	wantError(t, "a second request", err, ErrOutOfTurn, wire.ReasonProtocolError)

	// What the moduli give is looked at, and clamped bounds are what they see.
	p14, _ := group14.params()
	for _, c := range []struct {
		what string
		p, g []byte
		ok   bool
		bits int
	}{
		{"good", p14.Bytes(), []byte{2}, true, 2048},
		{"none", nil, nil, false, 8192},
		{"nothing", nil, nil, true, 8192},
		{"g = 1", p14.Bytes(), []byte{1}, true, 8192},
		{"short", p14.Bytes()[:100], []byte{2}, true, 8192},
	} {
		seen := ""
		send, err := ask(&Options{Moduli: func(lo, n, hi int) ([]byte, []byte, bool) {
			seen = fmt.Sprint(lo, n, hi)
			return c.p, c.g, c.ok
		}}, 100, 1000, 100000)
		if err != nil || bitsOf(send) != c.bits || seen != "2048 2048 8192" {
			t.Errorf("%s: %v, asked for %s", c.what, err, seen)
		}
	}
}

// The sizes and the group are in the exchange hash (RFC 4419 §3).
func TestGroupExchangeHash(t *testing.T) {
	m := MethodByName("diffie-hellman-group-exchange-sha256")
	c, last, res := replied(t, m)
	r := wire.NewReader(last[1:])
	r.String()
	f := r.Mpint()
	e := c.(*groupClient).dh.pub.Bytes()
	p, g := group14.params()
	var b []byte
	for _, s := range [][]byte{testTranscript.ClientID, testTranscript.ServerID, testTranscript.ClientKexInit, testTranscript.ServerKexInit, testHostKey} {
		b = wire.AppendString(b, s)
	}
	for _, n := range []uint32{2048, 2048, 8192} {
		b = wire.AppendUint32(b, n)
	}
	for _, v := range [][]byte{p.Bytes(), g.Bytes(), e, f} {
		b = wire.AppendMpint(b, v)
	}
	h := m.Hash.New()
	h.Write(append(b, res.K...))
	if want := h.Sum(nil); !bytes.Equal(res.H, want) {
		t.Errorf("H = %x, want %x", res.H, want)
	}
}

func TestParseModuli(t *testing.T) {
	p, _ := group14.params()
	hex := fmt.Sprintf("%X", p)
	good := "20240101000000 2 6 100 2047 2 " + hex
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{good, true}, {good + "\r", true}, {"  " + good + " ", true}, {"\t" + good, true},
		{strings.ToLower(good), true},
		{"20240101000000 2 2 1 2047 5 " + hex, true},
		{"20240101000000 2 4 1 2047 0A " + hex, true},
		{"20240101000000 2 30 1 2047 2 00" + hex, true},
		{"", false}, {" ", false}, {"# " + good, false}, {"#", false},
		{"20240101000000", false}, {"20240101000000 2 6 100 2047 2", false}, {"20240101000000 2 6 100 2047 2 ", false},
		{good + " more", false},
		{"20240101000000  2 6 100 2047 2 " + hex, false},
		{"20240101000000 0 6 100 2047 2 " + hex, false}, // types that are no safe primes
		{"20240101000000 1 6 100 2047 2 " + hex, false},
		{"20240101000000 3 6 100 2047 2 " + hex, false},
		{"20240101000000 x 6 100 2047 2 " + hex, false},
		{"20240101000000 2 0 100 2047 2 " + hex, false},  // untested
		{"20240101000000 2 1 100 2047 2 " + hex, false},  // composite
		{"20240101000000 2 7 100 2047 2 " + hex, false},  // tested, and composite
		{"20240101000000 2 32 100 2047 2 " + hex, false}, // no such test
		{"20240101000000 2 -2 100 2047 2 " + hex, false},
		{"20240101000000 2 6 0 2047 2 " + hex, false}, // no tries
		{"20240101000000 2 6 99999999999 2047 2 " + hex, false},
		{"20240101000000 2 6 100 2048 2 " + hex, false}, // sizes that are not the prime's
		{"20240101000000 2 6 100 2046 2 " + hex, false},
		{"20240101000000 2 6 100 0 2 " + hex, false},
		{"20240101000000 2 6 100 2047 0 " + hex, false}, // generators
		{"20240101000000 2 6 100 2047 1 " + hex, false},
		{"20240101000000 2 6 100 2047 01 " + hex, false},
		{"20240101000000 2 6 100 2047 g " + hex, false},
		{"20240101000000 2 6 100 2047 2 " + hex[:len(hex)-1] + "E", false}, // even
		{"20240101000000 2 6 100 2047 2 " + hex[:len(hex)-1] + "x", false},
		{"20240101000000 2 6 100 2047 2 0", false},
	} {
		m, err := ParseModuli([]byte("# comment\n" + c.line + "\n"))
		if m == nil || (m.Len() == 1) != c.ok || errors.Is(err, ErrNoModuli) == c.ok {
			t.Errorf("%.60q: %d groups, %v", c.line, m.Len(), err)
		}
	}
	m, err := ParseModuli([]byte(good + "\n\nbad\n" + good)) // no last newline
	if err != nil || m.Len() != 2 {
		t.Errorf("%d groups, %v", m.Len(), err)
	}
	gotP, gotG, ok := m.Pick(2048, 2048, 2048, nil)
	if !ok || !bytes.Equal(gotP, p.Bytes()) || !bytes.Equal(gotG, []byte{2}) {
		t.Error("another group came out")
	}
}

// The machine's own file.
func TestSystemModuli(t *testing.T) {
	b, err := os.ReadFile("/etc/ssh/moduli")
	if err != nil {
		t.Skip("peer lacks /etc/ssh/moduli")
	}
	lines := 0
	for _, l := range strings.Split(string(b), "\n") {
		if l != "" && l[0] != '#' {
			lines++
		}
	}
	m, err := ParseModuli(b)
	if err != nil || m.Len() != lines {
		t.Fatalf("%d of %d lines, %v", m.Len(), lines, err)
	}
	for _, n := range []int{2048, 3072, 4096, 6144, 7680, 8192} {
		p, g, ok := m.Pick(2048, n, 8192, nil)
		prime := new(big.Int).SetBytes(p)
		if !ok || prime.BitLen() < n || !goodGroup(prime, new(big.Int).SetBytes(g), 2048, 8192) {
			t.Errorf("%d: a group of %d bits", n, prime.BitLen())
		}
	}
}

func TestPick(t *testing.T) {
	m := new(Moduli)
	for i, n := range []int{2048, 4096, 3072, 2048, 8192, 3072, 6144, 3072} {
		m.groups = append(m.groups, modulus{n, []byte{byte(i)}, []byte{2}})
	}
	for _, c := range []struct{ lo, n, hi, want int }{
		{2048, 2048, 8192, 2048}, {2048, 2049, 8192, 3072}, {2048, 3072, 8192, 3072}, {2048, 3073, 8192, 4096},
		{2048, 7680, 8192, 8192}, {2048, 8192, 8192, 8192}, {2048, 8192, 8191, 6144}, {2048, 5000, 5000, 4096},
		{3000, 3000, 3072, 3072}, {2048, 9999, 2048, 2048}, {1, 1, 9999, 2048},
		{2049, 2049, 3071, 0}, {8193, 9000, 9999, 0}, {1, 1, 2047, 0}, {4096, 4096, 3072, 0},
	} {
		for range 5 {
			p, g, ok := m.Pick(c.lo, c.n, c.hi, nil)
			if ok != (c.want != 0) {
				t.Fatalf("%v: %v", c, ok)
			}
			if ok && (m.groups[p[0]].bits != c.want || g[0] != 2) {
				t.Errorf("%v: %d bits", c, m.groups[p[0]].bits)
			}
		}
	}
	seen := map[byte]int{}
	r := seeded(1)
	for range 3000 {
		p, _, _ := m.Pick(2048, 3072, 8192, r)
		seen[p[0]]++
	}
	if len(seen) != 3 || seen[2] < 850 || seen[5] < 850 || seen[7] < 850 {
		t.Errorf("equals are not picked equally: %v", seen)
	}
	if _, _, ok := new(Moduli).Pick(2048, 3072, 8192, nil); ok {
		t.Error("a group out of nothing")
	}
	if _, _, ok := m.Pick(2048, 3072, 8192, bytes.NewReader(nil)); ok {
		t.Error("a group without randomness")
	}
}
