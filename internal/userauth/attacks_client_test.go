package userauth

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// counting is a signer that says how often it signed.
type counting struct {
	pubkey.Signer
	n *int
}

func (s counting) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*pubkey.Signature, error) {
	*s.n++
	return pubkey.SignWith(s.Signer, nil, data, algorithm)
}

func question60(prompts ...string) []byte {
	q := &Question{}
	for _, p := range prompts {
		q.Prompts = append(q.Prompts, Prompt{Text: p})
	}
	return q.append(nil)
}

func bannerMsg(text string) []byte { return (&wire.UserauthBanner{Message: text}).Append(nil) }

func anyKey() *PublicKeys { return &PublicKeys{Keys: []*Key{key(edSigner("one"))}} }

func TestAUT03SuccessThatNobodyAskedFor(t *testing.T) {
	success := []byte{wire.MsgUserauthSuccess}
	// Before the service is there, although a request is on its way.
	p := hostileServer(t, clientConfig(anyKey()))
	p.expect(wire.MsgServiceRequest)
	p.send(success)
	p.expectEnd(wire.ReasonProtocolError)
	// Malformed.
	p = hostileServer(t, clientConfig(anyKey())).acceptService()
	p.send([]byte{wire.MsgUserauthSuccess, 0})
	p.expectEnd(wire.ReasonProtocolError)
	// With the failure still unread, a second answer waits for a request: it is
	// the answer to the next one that the client sends, or to none.
	p = hostileServer(t, clientConfig(&Password{})).acceptService()
	p.expect(wire.MsgUserauthRequest)
	p.WritePacket(failureMsg(false, "password"))
	p.WritePacket(success)
	p.Flush()
	p.wait()
	if p.cresult != nil || p.err == nil {
		t.Error("success without a request")
	}
}

func TestAUT03Trivial(t *testing.T) {
	one := edSigner("one")
	pass := &Password{Prompt: promptFor("p")}
	kbd := &KeyboardInteractive{Challenge: answersFrom(nil)}
	signNow := &PublicKeys{Keys: []*Key{{PublicKey: one.PublicKey(), Signer: one, SignNow: true}}}
	step := func(msgs ...[]byte) [][]byte { return msgs }
	success := []byte{wire.MsgUserauthSuccess}
	for _, c := range []struct {
		name    string
		methods []Method
		replies [][]byte
		trivial bool
	}{
		{"none", []Method{pass}, step(success), true},
		{"query", []Method{anyKey()}, step(success), true},
		{"signature", []Method{signNow}, step(success), false},
		{"password", []Method{pass}, step(failureMsg(false, "password"), success), false},
		{"dialogue without a question", []Method{kbd}, step(failureMsg(false, "keyboard-interactive"), success), true},
		{"dialogue without a prompt", []Method{kbd}, step(failureMsg(false, "keyboard-interactive"), question60(), success), true},
		{"dialogue with a prompt", []Method{kbd}, step(failureMsg(false, "keyboard-interactive"), question60("A"), success), false},
		{"proof, then none", []Method{signNow, kbd}, step(failureMsg(true, "keyboard-interactive"), success), false},
		{"no proof, then none", []Method{anyKey(), kbd}, step(failureMsg(true, "keyboard-interactive"), success), true},
	} {
		for _, refuse := range []bool{false, true} {
			cfg := clientConfig(c.methods...)
			cfg.RefuseTrivial = refuse
			p := hostileServer(t, cfg).acceptService()
			for _, m := range c.replies {
				if _, err := p.ReadPacket(); err != nil {
					t.Fatal(c.name, err)
				}
				p.send(m)
			}
			p.wait()
			want := c.trivial && refuse
			if (p.err != nil) != want || want && !errors.Is(p.err, ErrTrivial) {
				t.Errorf("%s: refusing %v gives %v", c.name, refuse, p.err)
			}
		}
	}
}

// Messages that a server has no business with.
func TestAUT02ClientMessagesFromTheServer(t *testing.T) {
	for n := 0; n < 256; n++ {
		for _, service := range []bool{false, true} {
			cfg := clientConfig(&PublicKeys{Keys: []*Key{{PublicKey: edSigner("one").PublicKey(), Signer: edSigner("one"), SignNow: true}}})
			a, b := pipe()
			if service {
				b.WritePacket(wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"))
			}
			b.WritePacket([]byte{byte(n)})
			b.Close()
			r, err := Authenticate(context.Background(), full{a}, cfg)
			if n == wire.MsgUserauthSuccess && service {
				if err != nil {
					t.Error(err)
				}
				continue
			}
			var d *wire.DisconnectError
			if r != nil || err == nil {
				t.Errorf("message %d let us in", n)
			}
			if n >= 80 && (!errors.As(err, &d) || d.Reason != wire.ReasonProtocolError) {
				t.Errorf("message %d: %v", n, err)
			}
		}
	}
}

func TestServiceAccept(t *testing.T) {
	for _, c := range []struct {
		accept []byte
		ok     bool
	}{
		{wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"), true},
		{[]byte{wire.MsgServiceAccept}, true}, // old servers
		{wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-connection"), false},
		{append(wire.AppendText([]byte{wire.MsgServiceAccept}, "ssh-userauth"), 0), false},
		{[]byte{wire.MsgServiceAccept, 0, 0}, false},
		{bannerMsg("early"), false},
	} {
		p := hostileServer(t, clientConfig(anyKey()))
		p.expect(wire.MsgServiceRequest)
		p.send(c.accept)
		p.expect(wire.MsgUserauthRequest)
		if c.ok {
			p.send([]byte{wire.MsgUserauthSuccess})
			p.wait()
			if p.err != nil {
				t.Errorf("%q: %v", c.accept, p.err)
			}
		} else {
			p.expectEnd(wire.ReasonProtocolError)
		}
	}
}

func TestAUT28KeyThatWasNotOffered(t *testing.T) {
	one := edSigner("one")
	rs := rsaSigner()
	for _, c := range []struct {
		name string
		key  pubkey.Signer
		ok   pkOK
		sign bool
	}{
		{"the key", one, pkOK{"ssh-ed25519", one.PublicKey().Marshal()}, true},
		{"another key", one, pkOK{"ssh-ed25519", edSigner("two").PublicKey().Marshal()}, false},
		{"another algorithm", one, pkOK{"rsa-sha2-512", one.PublicKey().Marshal()}, false},
		{"no algorithm", one, pkOK{"", one.PublicKey().Marshal()}, false},
		{"no key", one, pkOK{"ssh-ed25519", nil}, false},
		{"part of the key", one, pkOK{"ssh-ed25519", one.PublicKey().Marshal()[:20]}, false},
		{"rsa", rs, pkOK{"rsa-sha2-512", rs.PublicKey().Marshal()}, true},
		{"rsa by its type", rs, pkOK{"ssh-rsa", rs.PublicKey().Marshal()}, true},
		{"rsa by another hash", rs, pkOK{"rsa-sha2-256", rs.PublicKey().Marshal()}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			cfg := clientConfig(&PublicKeys{Keys: []*Key{{PublicKey: c.key.PublicKey(), Signer: counting{c.key, &n}}}})
			cfg.SigAlgs = []string{"ssh-ed25519", "rsa-sha2-512"}
			p := hostileServer(t, cfg).acceptService()
			p.expect(wire.MsgUserauthRequest)
			p.send(c.ok.append(nil))
			if !c.sign {
				p.expectNext(t) // none, because nothing is known of the server
				p.send(failureMsg(false, "publickey"))
				p.wait()
				var d *DeniedError
				if n != 0 || !errors.As(p.err, &d) {
					t.Errorf("signed %d times, %v", n, p.err)
				}
				return
			}
			var m wire.UserauthRequest
			if err := m.Decode(p.expect(wire.MsgUserauthRequest)); err != nil {
				t.Fatal(err)
			}
			var b publicKeyRequest
			if err := b.decode(m.Rest); err != nil {
				t.Fatal(err)
			}
			// The algorithm that signs is the one that was offered.
			want := c.key.PublicKey().Type()
			if want == "ssh-rsa" {
				want = "rsa-sha2-512"
			}
			if sig, err := pubkey.ParseSignature(b.signature); err != nil || sig.Format != want || b.algorithm != want {
				t.Errorf("signed with %v, %v", sig, err)
			}
			p.send([]byte{wire.MsgUserauthSuccess})
			p.wait()
			if n != 1 || p.err != nil {
				t.Errorf("signed %d times, %v", n, p.err)
			}
		})
	}
	// PK_OK that answers nothing, and one that is malformed.
	p := hostileServer(t, clientConfig(&PublicKeys{Keys: []*Key{{PublicKey: one.PublicKey(), Signer: one, SignNow: true}}})).acceptService()
	p.expect(wire.MsgUserauthRequest)
	ok := pkOK{"ssh-ed25519", one.PublicKey().Marshal()}
	p.send(ok.append(nil))
	p.expectEnd(wire.ReasonProtocolError)
	p = hostileServer(t, clientConfig(anyKey())).acceptService()
	p.expect(wire.MsgUserauthRequest)
	p.send(ok.append(nil)[:10])
	p.expectEnd(wire.ReasonProtocolError)
}

func (p *peer) expectNext(t *testing.T) {
	t.Helper()
	var m wire.UserauthRequest
	if err := m.Decode(p.expect(wire.MsgUserauthRequest)); err != nil || m.Method != "none" {
		t.Fatalf("%+v %v", m, err)
	}
}

func TestCLI07Banners(t *testing.T) {
	for _, c := range []struct {
		n, size, bytes int
		end            bool
	}{
		{1, 10, 10, false}, {MaxBanners, 10, 80, false}, {MaxBanners + 1, 1, 0, true},
		{1, MaxBannerBytes, MaxBannerBytes, false}, {1, MaxBannerBytes + 1, MaxBannerBytes, false}, {3, MaxBannerBytes/2 + 1, MaxBannerBytes, false},
		{MaxBanners + 1, 0, 0, true},
	} {
		got := 0
		cfg := clientConfig(anyKey())
		cfg.Banner = func(s string) { got += len(s) }
		p := hostileServer(t, cfg).acceptService()
		p.expect(wire.MsgUserauthRequest)
		for i := 0; i < c.n; i++ {
			p.send(bannerMsg(strings.Repeat("b", c.size)))
		}
		if c.end {
			p.expectEnd(wire.ReasonProtocolError)
			continue
		}
		p.send([]byte{wire.MsgUserauthSuccess})
		p.wait()
		if p.err != nil || got != c.bytes {
			t.Errorf("%d banners of %d bytes: %d taken, %v", c.n, c.size, got, p.err)
		}
	}
	// Banners count over the whole authentication, and nobody need want them.
	p := hostileServer(t, clientConfig(&PublicKeys{Keys: []*Key{key(edSigner("one")), key(edSigner("two"))}})).acceptService()
	for i := 0; i < 2; i++ {
		p.expect(wire.MsgUserauthRequest)
		for j := 0; j < 5; j++ {
			p.WritePacket(bannerMsg("x"))
		}
		p.send(failureMsg(false, "publickey"))
	}
	p.expectEnd(wire.ReasonProtocolError)
	p = hostileServer(t, clientConfig(anyKey())).acceptService()
	p.expect(wire.MsgUserauthRequest)
	p.send([]byte{wire.MsgUserauthBanner, 0, 0, 0, 9})
	p.expectEnd(wire.ReasonProtocolError)
}

func TestCLI07EndlessRounds(t *testing.T) {
	kbd := func() *KeyboardInteractive { return &KeyboardInteractive{Challenge: answersFrom(nil)} }
	start := func(m Method) *peer {
		p := hostileServer(t, clientConfig(m)).acceptService()
		p.expect(wire.MsgUserauthRequest)
		p.send(failureMsg(false, m.Name()))
		return p
	}
	for _, n := range []int{MaxRounds, MaxRounds + 1} {
		last := func(p *peer, next byte) {
			if n > MaxRounds {
				p.expectEnd(wire.ReasonProtocolError)
				if !errors.Is(p.err, ErrTooManyRounds) {
					t.Error(p.err)
				}
				return
			}
			p.expect(next)
			p.send([]byte{wire.MsgUserauthSuccess})
			p.wait()
			if p.err != nil {
				t.Error(p.err)
			}
		}
		p := start(kbd())
		p.expect(wire.MsgUserauthRequest)
		for i := 0; i < n; i++ {
			p.send(question60())
			if i < n-1 {
				p.expect(wire.MsgUserauthInfoResponse)
			}
		}
		last(p, wire.MsgUserauthInfoResponse)

		p = start(&Password{Prompt: promptFor("x"), Change: func(context.Context, string) (string, string, error) { return "x", "y", nil }})
		p.expect(wire.MsgUserauthRequest)
		for i := 0; i < n; i++ {
			p.send((&changeRequest{}).append(nil))
			if i < n-1 {
				p.expect(wire.MsgUserauthRequest)
			}
		}
		last(p, wire.MsgUserauthRequest)

		// A key is offered again after each partial success, until it signed.
		p = hostileServer(t, clientConfig(anyKey())).acceptService()
		for i := 0; i < n; i++ {
			p.expect(wire.MsgUserauthRequest)
			p.send(failureMsg(true, "publickey"))
		}
		last(p, wire.MsgUserauthRequest)

		p = hostileServer(t, clientConfig(anyKey())).acceptService()
		p.expect(wire.MsgUserauthRequest)
		for i := 0; i < n; i++ {
			p.send([]byte{70})
		}
		if n > MaxRounds {
			p.expectEnd(wire.ReasonProtocolError)
		} else {
			p.send([]byte{wire.MsgUserauthSuccess})
			p.wait()
			if p.err != nil || p.other.unknown != n {
				t.Error(p.err, p.other.unknown)
			}
		}
	}
	// Failures without an end come to the end of what we have.
	p := hostileServer(t, clientConfig(anyKey(), kbd(), &Password{Prompt: promptFor("a", "b", "c", "d")})).acceptService()
	n := 0
	for {
		if _, err := p.ReadPacket(); err != nil {
			break
		}
		n++
		p.send(failureMsg(false, "password", "publickey", "keyboard-interactive"))
	}
	if n != 1+1+3 {
		t.Errorf("%d requests", n)
	}
}

func TestQuestionLimits(t *testing.T) {
	for name, m := range map[string][]byte{
		"prompts":    question60(make([]string, MaxPrompts+1)...),
		"2^32":       append(wire.AppendText(wire.AppendText(wire.AppendText([]byte{60}, ""), ""), ""), 0xff, 0xff, 0xff, 0xff),
		"truncated":  question60("A")[:15],
		"trailing":   append(question60("A"), 0),
		"empty":      {60},
		"not enough": append(wire.AppendText(wire.AppendText(wire.AppendText([]byte{60}, ""), ""), ""), 0, 0, 0, 5),
	} {
		p := hostileServer(t, clientConfig(&KeyboardInteractive{Challenge: answersFrom(nil)})).acceptService()
		p.expect(wire.MsgUserauthRequest)
		p.send(failureMsg(false, "keyboard-interactive"))
		p.expect(wire.MsgUserauthRequest)
		p.send(m)
		if p.expectEnd(wire.ReasonProtocolError); p.err == nil {
			t.Error(name)
		}
	}
	p := hostileServer(t, clientConfig(&KeyboardInteractive{Challenge: answersFrom(nil)})).acceptService()
	p.expect(wire.MsgUserauthRequest)
	p.send(failureMsg(false, "keyboard-interactive"))
	p.expect(wire.MsgUserauthRequest)
	p.send(question60(make([]string, MaxPrompts)...))
	if got, err := decodeAnswers(p.expect(wire.MsgUserauthInfoResponse), MaxPrompts); err != nil || len(got) != MaxPrompts {
		t.Error(len(got), err)
	}
}

// Without a key nothing is guessed: the server is asked first, and no password
// is asked for that nobody wants.
func TestNoneFirst(t *testing.T) {
	asked := false
	pass := &Password{Prompt: func(context.Context, int) (string, error) { asked = true; return "x", nil }}
	unloaded := &PublicKeys{Keys: []*Key{{Load: func(context.Context) (pubkey.Signer, error) { asked = true; return nil, ErrSkip }}}}
	for _, c := range []struct {
		name    string
		methods []Method
		none    bool
		first   string
	}{
		{"password", []Method{pass}, false, "none"},
		{"password before key", []Method{pass, anyKey()}, false, "none"},
		{"key", []Method{anyKey(), pass}, false, "publickey"},
		{"key, none wanted", []Method{anyKey(), pass}, true, "none"},
		{"no keys", []Method{&PublicKeys{}, pass}, false, "none"},
		{"keys after nothing", []Method{&Hostbased{}, &KeyboardInteractive{}, &Password{}, anyKey()}, false, "publickey"},
		{"key behind a passphrase", []Method{unloaded, pass}, false, "none"},
		{"nothing", nil, false, "none"},
		{"none itself", []Method{None{}, anyKey()}, false, "none"},
	} {
		cfg := clientConfig(c.methods...)
		cfg.NoneFirst = c.none
		p := hostileServer(t, cfg).acceptService()
		var m wire.UserauthRequest
		if err := m.Decode(p.expect(wire.MsgUserauthRequest)); err != nil || m.Method != c.first {
			t.Errorf("%s: %q first, %v", c.name, m.Method, err)
		}
		if asked {
			t.Errorf("%s: asked the user", c.name)
		}
		p.send(failureMsg(false, "gssapi-with-mic"))
		p.wait()
		var d *DeniedError
		if !errors.As(p.err, &d) || strings.Join(d.Methods, ",") != "gssapi-with-mic" || asked {
			t.Errorf("%s: %v, asked %v", c.name, p.err, asked)
		}
	}
}

func TestAlgorithmsForKeys(t *testing.T) {
	rs, one := rsaSigner(), edSigner("one")
	only256, err := pubkey.NewSignerWithAlgorithms(rs.(pubkey.AlgorithmSigner), []string{"rsa-sha2-256"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		signer       pubkey.Signer
		ours, theirs []string
		want         string
	}{
		{"default", rs, nil, nil, "rsa-sha2-512 rsa-sha2-256"},
		{"theirs decide", rs, nil, []string{"rsa-sha2-256"}, "rsa-sha2-256"},
		{"our order", rs, []string{"rsa-sha2-256", "rsa-sha2-512"}, []string{"rsa-sha2-512", "rsa-sha2-256"}, "rsa-sha2-256 rsa-sha2-512"},
		{"ssh-rsa not ours", rs, nil, []string{"ssh-rsa"}, ""},
		{"ssh-rsa of both", rs, []string{"rsa-sha2-512", "ssh-rsa"}, []string{"ssh-rsa"}, "ssh-rsa"},
		{"ssh-rsa for a silent server", rs, []string{"rsa-sha2-512", "ssh-rsa"}, nil, "ssh-rsa rsa-sha2-512"},
		{"a signer that can do one", only256, nil, nil, "rsa-sha2-256"},
		{"an empty list", rs, nil, []string{}, ""},
		{"not rsa", one, nil, []string{"rsa-sha2-512"}, "ssh-ed25519"},
		{"not ours", one, []string{"rsa-sha2-512"}, nil, ""},
	} {
		cl := &client{cfg: &ClientConfig{SigAlgs: c.ours, ServerSigAlgs: c.theirs}}
		got := strings.Join(cl.algorithms(&Key{PublicKey: c.signer.PublicKey()}, c.signer), " ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// EXT_INFO may change while we are at it.
	n := 0
	cl := &client{cfg: &ClientConfig{HostKey: testHostKey, Extensions: func() ([]string, bool) { n++; return []string{"rsa-sha2-256"}, true }}}
	if got := cl.algorithms(&Key{PublicKey: rs.PublicKey()}, nil); len(got) != 1 || n != 1 {
		t.Error(got, n)
	}
	if _, bound := (&client{cfg: &ClientConfig{HostBound: true}}).extensions(); bound {
		t.Error("bound to a host key that is not known")
	}
}

func TestKeysThatFail(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	broken := func(context.Context) (pubkey.Signer, error) { return nil, errWrong }
	s, _ := serverConfig()
	s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return nil, nil }
	var traced []Kind
	cfg := clientConfig(&PublicKeys{Keys: []*Key{
		nil,
		{Name: "nothing"},
		{PublicKey: one.PublicKey(), Load: broken},
		{Load: broken},
		{PublicKey: one.PublicKey(), Load: func(context.Context) (pubkey.Signer, error) { return two, nil }},
		{PublicKey: one.PublicKey(), Load: func(context.Context) (pubkey.Signer, error) { return nil, nil }},
		{PublicKey: one.PublicKey(), Load: func(context.Context) (pubkey.Signer, error) { return nil, ErrSkip }},
		{PublicKey: one.PublicKey(), Signer: failing{one}},
		{Signer: two, Name: "good"},
	}})
	cfg.Trace = func(e Event) {
		traced = append(traced, e.Kind)
		_ = e.Text(pubkey.FingerprintSHA256)
	}
	sr, serr, _, cerr := login(t, s, cfg)
	if serr != nil || cerr != nil || !pubkey.Equal(sr.PublicKey, two.PublicKey()) {
		t.Fatal(serr, cerr)
	}
	failed := 0
	for _, k := range traced {
		if k == TraceSignFailed {
			failed++
		}
	}
	if failed != 6 {
		t.Errorf("%d keys failed, %v", failed, traced)
	}
}

type failing struct{ pubkey.Signer }

func (failing) Sign(io.Reader, []byte) (*pubkey.Signature, error) {
	return nil, errWrong
}
func (failing) SignWithAlgorithm(io.Reader, []byte, string) (*pubkey.Signature, error) {
	return nil, errWrong
}

// The user's own errors end the dialogue; ErrSkip only the method.
func TestUserGivesUp(t *testing.T) {
	for _, c := range []struct {
		name string
		m    func(err error) Method
	}{
		{"password", func(err error) Method {
			return &Password{Prompt: func(context.Context, int) (string, error) { return "", err }}
		}},
		{"keyboard-interactive", func(err error) Method {
			return &KeyboardInteractive{Challenge: func(context.Context, int, *Question) ([]string, error) { return nil, err }}
		}},
	} {
		s, _ := serverConfig()
		s.Password = passwordIs("x")
		s.KeyboardInteractive = []Device{{"pam", asks("A=1")}}
		var d *DeniedError
		if _, _, _, err := login(t, s, clientConfig(c.m(errWrong))); !errors.Is(err, errWrong) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, _, _, err := login(t, s, clientConfig(c.m(ErrSkip))); !errors.As(err, &d) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, _, r, err := login(t, s, clientConfig(c.m(ErrSkip), &otherPassword{Password{Prompt: promptFor("x")}})); err != nil && c.name != "password" {
			t.Errorf("%s: %v %v", c.name, r, err)
		}
	}
	s, _ := serverConfig()
	s.KeyAllowed = allow()
	if _, _, _, err := login(t, s, clientConfig(&PublicKeys{List: func(context.Context) ([]*Key, error) { return nil, errWrong }})); !errors.Is(err, errWrong) {
		t.Error(err)
	}
	// The wrong number of answers is our own mistake and goes nowhere.
	s.KeyboardInteractive = []Device{{"pam", asks("A=1")}}
	bad := &KeyboardInteractive{Challenge: func(context.Context, int, *Question) ([]string, error) { return []string{"1", "2"}, nil }}
	if _, _, _, err := login(t, s, clientConfig(bad)); !errors.Is(err, errAnswers) {
		t.Error(err)
	}
}

type otherPassword struct{ Password }

// Passwords and answers are padded where the transport can.
func TestSecretsArePadded(t *testing.T) {
	s, _ := serverConfig()
	s.Password = passwordIs("secret")
	s.KeyboardInteractive = []Device{{"pam", asks("A=1")}}
	s.Methods = func(string) [][]string { return [][]string{{"password", "keyboard-interactive"}} }
	a, b := pipe()
	done := make(chan struct{})
	go func() { Serve(context.Background(), full{a}, s); a.Close(); close(done) }()
	cfg := clientConfig(&Password{Prompt: promptFor("secret")}, &KeyboardInteractive{Challenge: answersFrom(map[string]string{"A": "1"})})
	if _, err := Authenticate(context.Background(), full{b}, cfg); err != nil || b.padded != 2 {
		t.Errorf("%v, %d packets padded", err, b.padded)
	}
	<-done
}

func TestMaxKeys(t *testing.T) {
	for _, n := range []int{MaxKeys, MaxKeys + 1} {
		m := new(PublicKeys)
		for i := 0; i < n; i++ {
			m.Keys = append(m.Keys, key(edSigner(strings.Repeat("k", i))))
		}
		p := hostileServer(t, clientConfig(m)).acceptService()
		seen := 0
		for {
			if _, err := p.ReadPacket(); err != nil {
				break
			}
			seen++
			p.send(failureMsg(false, "publickey"))
		}
		if seen != MaxKeys {
			t.Errorf("%d keys of %d offered", seen, n)
		}
	}
}

func TestTraceTexts(t *testing.T) {
	k := &Key{PublicKey: edSigner("one").PublicKey(), Name: "F", Words: " agent"}
	fp := func(pubkey.PublicKey) string { return "FP" }
	for _, c := range []struct {
		e     Event
		level int
		text  string
	}{
		{Event{Kind: TraceNoAlgorithm, Key: k}, 1, "send_pubkey_test: no mutual signature algorithm"},
		{Event{Kind: TraceOtherKey, Key: k}, -1, "server replied with unknown key"},
		{Event{Kind: TraceSignFailed, Key: k}, -1, "signing failed for F ED25519 FP agent"},
		{Event{Kind: TraceSignFailed, Key: k, Err: errWrong}, -1, "signing failed for F ED25519 FP agent: wrong"},
		{Event{Kind: TraceSignFailed, Key: &Key{Name: "F", Words: " explicit"}}, -1, "signing failed for F  explicit"},
		{Event{Kind: TraceNoMoreMethods}, 1, "No more authentication methods to try."},
		{Event{Kind: TracePartial, Method: "password"}, 0, `Authenticated using "password" with partial success.`},
		{Event{Kind: 200}, 1, ""},
	} {
		if c.e.Level() != c.level || c.e.Text(fp) != c.text {
			t.Errorf("%d %q", c.e.Level(), c.e.Text(fp))
		}
	}
	if e := (&DeniedError{Methods: []string{"publickey", "password"}}); e.Error() != "userauth: permission denied (publickey,password)" {
		t.Error(e)
	}
	if u := (User{"ann", "x"}); u.String() != "ann:x" || (User{Name: "ann"}).String() != "ann" {
		t.Error(u)
	}
}

// A key that gave a partial success is not offered again, nor its certificate;
// the others are.
func TestUsedKeysAreNotOffered(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	cert := certSigner(t, "two", pubkey.UserCert, pubkey.Permissions{})
	p := hostileServer(t, clientConfig(&PublicKeys{Keys: []*Key{key(one), key(two), key(cert)}})).acceptService()
	offered := func() string {
		var m wire.UserauthRequest
		var b publicKeyRequest
		if err := m.Decode(p.expect(wire.MsgUserauthRequest)); err != nil || b.decode(m.Rest) != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]pubkey.Signer{"one": one, "two": two, "cert": cert} {
			if string(b.key) == string(s.PublicKey().Marshal()) {
				return name
			}
		}
		return "?"
	}
	var got []string
	got = append(got, offered())
	p.send(failureMsg(false, "publickey"))
	got = append(got, offered())
	ok := pkOK{"ssh-ed25519", two.PublicKey().Marshal()}
	p.send(ok.append(nil))
	got = append(got, offered())
	p.send(failureMsg(true, "publickey"))
	got = append(got, offered())
	p.send(failureMsg(false, "publickey"))
	p.wait()
	if strings.Join(got, " ") != "one two two one" {
		t.Error(got)
	}
	var d *DeniedError
	if !errors.As(p.err, &d) || strings.Join(d.Partial, ",") != "publickey" {
		t.Error(p.err)
	}
}
