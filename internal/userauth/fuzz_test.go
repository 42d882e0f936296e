package userauth

import (
	"bytes"
	"context"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// roundTrip: what decodes must encode to the same bytes (but for booleans,
// whose every value but zero is true) and decode again.
func roundTrip(t *testing.T, in []byte, decode func([]byte) error, encode func() []byte) {
	if decode(in) != nil {
		return
	}
	out := encode()
	if len(out) != len(in) {
		t.Fatalf("%d bytes became %d", len(in), len(out))
	}
	if err := decode(out); err != nil {
		t.Fatalf("own encoding: %v", err)
	}
	if again := encode(); !bytes.Equal(out, again) {
		t.Fatalf("encodings differ:\n%x\n%x", out, again)
	}
}

func FuzzPublicKeyRequest(f *testing.F) {
	one := edSigner("one")
	f.Add(queryBody(one), false)
	f.Add((&publicKeyRequest{signed: true, hostBound: true, algorithm: "ssh-ed25519", key: []byte("k"), hostKey: []byte("h"), signature: []byte("s")}).append(nil), true)
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, in []byte, bound bool) {
		m := &publicKeyRequest{hostBound: bound}
		roundTrip(t, in, func(b []byte) error { *m = publicKeyRequest{hostBound: bound}; return m.decode(b) }, func() []byte { return m.append(nil) })
	})
}

func FuzzPKOK(f *testing.F) {
	f.Add((&pkOK{"ssh-ed25519", []byte("k")}).append(nil))
	f.Add([]byte{60, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] != wire.MsgUserauthPKOK {
			return
		}
		var m pkOK
		roundTrip(t, in, m.decode, func() []byte { return m.append(nil) })
	})
}

func FuzzPasswordRequest(f *testing.F) {
	f.Add(passwordBody("secret"))
	f.Add((&passwordRequest{change: true, password: []byte("a"), new: []byte("b")}).append(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m passwordRequest
		roundTrip(t, in, func(b []byte) error { m = passwordRequest{}; return m.decode(b) }, func() []byte { return m.append(nil) })
	})
}

func FuzzChangeRequest(f *testing.F) {
	f.Add((&changeRequest{"change it", "en"}).append(nil))
	f.Add([]byte{60})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] != wire.MsgUserauthPasswdChangereq {
			return
		}
		var m changeRequest
		roundTrip(t, in, m.decode, func() []byte { return m.append(nil) })
	})
}

func FuzzInteractiveRequest(f *testing.F) {
	f.Add((&interactiveRequest{"en", "pam,skey"}).append(nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		var m interactiveRequest
		roundTrip(t, in, m.decode, func() []byte { return m.append(nil) })
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add(question60("A", "B"))
	f.Add(question60())
	f.Add(append(wire.AppendText(wire.AppendText(wire.AppendText([]byte{60}, ""), ""), ""), 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		var q Question
		if q.decode(in) != nil {
			return
		}
		if len(q.Prompts) > MaxPrompts {
			t.Fatalf("%d prompts", len(q.Prompts))
		}
		var again Question
		if err := again.decode(q.append(nil)); err != nil || len(again.Prompts) != len(q.Prompts) || again.Name != q.Name || again.Instruction != q.Instruction {
			t.Fatal(err)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(appendAnswers(nil, []string{"a", ""}), uint8(2))
	f.Add([]byte{61, 0xff, 0xff, 0xff, 0xff}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, want uint8) {
		if len(in) == 0 {
			return
		}
		n := int(want) % (MaxPrompts + 1)
		got, err := decodeAnswers(in, n)
		if err != nil {
			return
		}
		if len(got) != n || !bytes.Equal(appendAnswers(nil, got)[1:], in[1:]) {
			t.Fatalf("%q of %x", got, in)
		}
	})
}

func FuzzHostbasedRequest(f *testing.F) {
	f.Add((&hostbasedRequest{"ssh-ed25519", []byte("k"), "h.", "u", []byte("s")}).append(nil))
	f.Add([]byte{0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, in []byte) {
		var m hostbasedRequest
		roundTrip(t, in, m.decode, func() []byte { return m.append(nil) })
	})
}

func FuzzMethodNames(f *testing.F) {
	f.Add([]byte("publickey,password"))
	f.Add([]byte(",,\x00,"))
	f.Fuzz(func(t *testing.T, in []byte) {
		names := methodNames(in)
		if len(names) > maxMethods {
			t.Fatal(len(names))
		}
		for _, n := range names {
			if n == "" || len(n) > MaxMethodName || control(n) || bytes.ContainsAny([]byte(n), ",") {
				t.Fatalf("%q", n)
			}
		}
	})
}

// tape reads the choices of a sequence from bytes.
type tape struct{ b []byte }

func (t *tape) next(n int) int {
	if len(t.b) == 0 {
		return 0
	}
	v := int(t.b[0]) % n
	t.b = t.b[1:]
	return v
}

func (t *tape) rest(n int) []byte {
	n = min(t.next(n), len(t.b))
	p := bytes.Clone(t.b[:n])
	t.b = t.b[n:]
	return p
}

// played is a Conn whose packets are written down beforehand.
type played struct {
	packets [][]byte
	sent    [][]byte
	read    [][]byte
}

func (p *played) ReadPacket() ([]byte, error) {
	if len(p.packets) == 0 {
		return nil, errWrong
	}
	b := p.packets[0]
	p.packets = p.packets[1:]
	p.read = append(p.read, bytes.Clone(b))
	return bytes.Clone(b), nil
}

func (p *played) WritePacket(b []byte) error { p.sent = append(p.sent, bytes.Clone(b)); return nil }
func (p *played) Flush() error               { return nil }
func (p *played) WriteUnimplemented() error  { return nil }

// hostilePackets is what a client without a good credential may send: well
// formed, nearly well formed and not formed at all.
func hostilePackets(tp *tape) [][]byte {
	one, two := edSigner("one"), edSigner("two")
	users := [...]string{"ann", "bob", "ann:style", "", "a\x00"}
	methods := [...]string{"none", "password", "publickey", methodHostBound, "keyboard-interactive", "hostbased", "gssapi-with-mic", ""}
	var out [][]byte
	if tp.next(8) != 0 {
		out = append(out, wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"))
	}
	for len(tp.b) > 0 && len(out) < 200 {
		user := users[max(0, tp.next(12)-7)]
		var p []byte
		switch tp.next(16) {
		case 0:
			p = append([]byte{byte(tp.next(256))}, tp.rest(64)...)
		case 1:
			p = request(user, methods[tp.next(len(methods))], tp.rest(64))
		case 2:
			p = request(user, "none", nil)
		case 3:
			p = request(user, "password", passwordBody([...]string{"", "wrong", "first", "old", "a\x00"}[tp.next(5)]))
		case 4:
			b := passwordRequest{change: true, password: []byte("old"), new: []byte("bad")}
			p = request(user, "password", b.append(nil))
		case 5: // the right key, not signed
			p = request(user, "publickey", queryBody(one))
		case 6, 7: // the right key, signed by another; the bytes of it moved about
			b := &publicKeyRequest{signed: true, algorithm: "ssh-ed25519", key: one.PublicKey().Marshal(), hostBound: tp.next(2) == 0, hostKey: testHostKey}
			sig, _ := two.Sign(nil, b.signedData(testSession, user, "ssh-connection"))
			b.signature = pubkey.MarshalSignature(sig)
			p = request(user, b.method(), b.append(nil))
			if tp.next(2) == 0 {
				p[tp.next(len(p))] ^= byte(1 + tp.next(255))
			}
		case 8: // a good signature of another session
			b := &publicKeyRequest{signed: true, algorithm: "ssh-ed25519", key: one.PublicKey().Marshal()}
			sig, _ := one.Sign(nil, b.signedData([]byte("another session"), user, "ssh-connection"))
			b.signature = pubkey.MarshalSignature(sig)
			p = request(user, "publickey", b.append(nil))
		case 9:
			p = request(user, "keyboard-interactive", (&interactiveRequest{submethods: [...]string{"", "pam", "easy"}[tp.next(3)]}).append(nil))
		case 10:
			p = appendAnswers(nil, [][]string{nil, {"x"}, {"x", "y"}}[tp.next(3)])
		case 11:
			b := &hostbasedRequest{"ssh-ed25519", one.PublicKey().Marshal(), "h.", "u", tp.rest(64)}
			p = request(user, "hostbased", b.append(nil))
		case 12:
			p = []byte{[...]byte{51, 52, 53, 60, 61, 80, 90, 98}[tp.next(8)]}
		case 13:
			p = wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth")
		case 14:
			p = request(user, "publickey", queryBody(two))
		case 15:
			if len(out) > 0 { // an earlier one, cut
				p = out[tp.next(len(out))]
				p = p[:tp.next(len(p)+1)]
			}
		}
		out = append(out, p)
	}
	return out
}

// strictServer has every method and nothing that hostilePackets knows; two
// factors are needed if two is set, of which the client has the first.
func strictServer(two bool) *ServerConfig {
	s, _ := serverConfig()
	s.MaxAuthTries = 150
	s.None = func(context.Context, *Attempt) (*Permissions, error) { return nil, errWrong }
	s.KeyAllowed = allow(edSigner("one"))
	s.HostbasedAllowed = func(context.Context, *HostbasedAttempt) (*Permissions, error) { return nil, nil }
	s.Password = func(_ context.Context, _ *Attempt, p []byte) (*Permissions, error) {
		switch string(p) {
		case "old":
			return nil, &PasswordChangeRequired{}
		case "first":
			if two {
				return nil, nil
			}
		}
		return nil, errWrong
	}
	s.ChangePassword = func(context.Context, *Attempt, []byte, []byte) (*Permissions, error) { return nil, errWrong }
	easy := asks()
	if !two {
		easy = asks("A=?")
	}
	s.KeyboardInteractive = []Device{{"easy", easy}, {"pam", asks("A=?", "=", "B=?")}}
	if two {
		s.Methods = func(string) [][]string {
			return [][]string{{"password", "publickey"}, {"keyboard-interactive:easy", "keyboard-interactive:pam"}, {"none", "password"}}
		}
	}
	return s
}

func playServer(t *testing.T, script []byte) {
	tp := &tape{script}
	two := tp.next(2) == 1
	c := &played{packets: hostilePackets(tp)}
	r, err := Serve(context.Background(), c, strictServer(two))
	if err == nil || r != nil {
		t.Fatalf("logged in: %+v after %x", r, c.read)
	}
	for _, p := range c.sent {
		if p[0] == wire.MsgUserauthSuccess {
			t.Fatalf("success after %x", c.read)
		}
	}
	if len(c.read) > 2+DefaultMaxRequests {
		t.Fatalf("%d messages read", len(c.read))
	}
}

func playClient(t *testing.T, script []byte) {
	tp := &tape{script}
	one := edSigner("one")
	var packets [][]byte
	if tp.next(8) != 0 {
		packets = append(packets, wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"))
	}
	for len(tp.b) > 0 && len(packets) < 200 {
		var p []byte
		switch tp.next(10) {
		case 0:
			p = append([]byte{byte(tp.next(256))}, tp.rest(64)...)
		case 1, 2:
			p = failureMsg(tp.next(3) == 0, [...]string{"publickey", "password", "keyboard-interactive", "hostbased", "none"}[tp.next(5)])
		case 3:
			p = failureMsg(false, "hostbased", "publickey", "keyboard-interactive", "password")
		case 4:
			p = bannerMsg(string(tp.rest(64)))
		case 5:
			p = (&pkOK{"ssh-ed25519", one.PublicKey().Marshal()}).append(nil)
		case 6:
			p = question60([...][]string{nil, {"A"}, {"A", "B"}}[tp.next(3)]...)
		case 7:
			p = (&changeRequest{}).append(nil)
		case 8:
			p = []byte{wire.MsgUserauthSuccess}
		case 9:
			p = []byte{60 + byte(tp.next(40))}
		}
		packets = append(packets, p)
	}
	c := &played{packets: packets}
	cfg := clientConfig(
		&PublicKeys{Keys: []*Key{key(one), key(edSigner("two")), {PublicKey: edSigner("three").PublicKey(), Signer: edSigner("three"), SignNow: true}}},
		&KeyboardInteractive{Challenge: answersFrom(nil)},
		&Hostbased{Keys: []pubkey.Signer{edSigner("host")}, ClientHost: "h", ClientUser: "u"},
		&Password{Prompt: promptFor("a", "b", "c"), Change: func(context.Context, string) (string, string, error) { return "a", "b", nil }})
	cfg.NoneFirst = tp.next(2) == 0
	cfg.RefuseTrivial = tp.next(2) == 0
	r, err := Authenticate(context.Background(), c, cfg)
	if (r == nil) == (err == nil) {
		t.Fatalf("%v and %v", r, err)
	}
	// Success is the answer to a request: one more request was sent than
	// failures were read, and the service was accepted first.
	requests, failures := 0, 0
	for _, p := range c.sent {
		if p[0] == wire.MsgUserauthRequest {
			requests++
		}
	}
	for _, p := range c.read {
		if len(p) > 0 && p[0] == wire.MsgUserauthFailure {
			failures++
		}
	}
	if r != nil {
		last := c.read[len(c.read)-1]
		if len(last) != 1 || last[0] != wire.MsgUserauthSuccess || c.read[0][0] != wire.MsgServiceAccept || requests <= failures {
			t.Fatalf("success after %x", c.read)
		}
	}
	if len(c.sent) > 1+3*MaxRounds+20 {
		t.Fatalf("%d packets sent", len(c.sent))
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte{0, 1, 8, 5, 0, 8, 6, 1, 1, 8, 9, 1, 8, 10, 1})
	f.Add([]byte{1, 1, 8, 3, 2, 8, 8, 8, 5, 8, 12, 5})
	f.Add([]byte{1, 1, 8, 9, 2, 8, 10, 0, 8, 9, 1, 8, 10, 1})
	f.Fuzz(playServer)
}

func FuzzClient(f *testing.F) {
	f.Add([]byte{1, 5, 8, 0, 0})
	f.Add([]byte{1, 3, 6, 1, 8, 1, 1})
	f.Add([]byte{0, 8, 8})
	f.Fuzz(playClient)
}

// Random sequences without a fuzzer, the same ones every time.
func TestRandomSequences(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	seed := uint64(1)
	for i := 0; i < n; i++ {
		script := make([]byte, 20+i%180)
		for j := range script {
			seed = seed*6364136223846793005 + 1442695040888963407
			script[j] = byte(seed >> 40)
		}
		playServer(t, script)
		playClient(t, script)
	}
}
