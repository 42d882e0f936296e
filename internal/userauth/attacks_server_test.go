package userauth

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// open is a server that takes ann's key "one" and the password "secret".
func openServer() (*ServerConfig, *clock) {
	s, clk := serverConfig()
	s.KeyAllowed = allow(edSigner("one"))
	s.Password = passwordIs("secret")
	s.KeyboardInteractive = []Device{{"pam", asks("A=1")}}
	return s, clk
}

const openMethods = "publickey,password,keyboard-interactive"

func TestAUT01ConnectionMessagesBeforeSuccess(t *testing.T) {
	for _, n := range []byte{80, 81, 82, 90, 91, 94, 96, 98, 100, 127, 128, 191, 192, 255} {
		s, _ := openServer()
		p := hostileClient(t, s)
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)

		p = hostileClient(t, s).service()
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)

		// Early, behind a request that fails.
		p = hostileClient(t, s).service()
		p.WritePacket(request("ann", "password", passwordBody("wrong")))
		p.WritePacket([]byte{n})
		p.Flush()
		p.expectFailure(openMethods, false)
		p.expectEnd(wire.ReasonProtocolError)

		// Behind one that is not enough.
		two := *s
		two.Methods = func(string) [][]string { return [][]string{{"password", "publickey"}} }
		p = hostileClient(t, &two).service()
		p.WritePacket(request("ann", "password", passwordBody("secret")))
		p.WritePacket([]byte{n})
		p.Flush()
		p.expectFailure("publickey", true)
		p.expectEnd(wire.ReasonProtocolError)

		// In place of an answer, and behind a question about a key.
		p = hostileClient(t, s).service()
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
		p.expect(wire.MsgUserauthInfoRequest)
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)

		p = hostileClient(t, s).service()
		p.send(request("ann", "publickey", queryBody(edSigner("one"))))
		p.expect(wire.MsgUserauthPKOK)
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)
	}
}

func TestAUT01UnknownMessagesAreAnswered(t *testing.T) {
	s, _ := openServer()
	p := hostileClient(t, s).service()
	p.send([]byte{54})
	p.send([]byte{79})
	p.send(request("ann", "password", passwordBody("secret")))
	p.expect(wire.MsgUserauthSuccess)
	p.wait()
	if p.other.unknown != 2 {
		t.Errorf("%d answered with UNIMPLEMENTED", p.other.unknown)
	}
	// A Conn that cannot answer ends the connection.
	a, b := pipe()
	b.WritePacket(wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"))
	b.WritePacket([]byte{54})
	b.Flush()
	var d *wire.DisconnectError
	if _, err := Serve(context.Background(), a, s); !errors.As(err, &d) {
		t.Error(err)
	}
}

func TestAUT02ServerMessagesFromTheClient(t *testing.T) {
	for _, n := range []byte{wire.MsgServiceAccept, wire.MsgUserauthFailure, wire.MsgUserauthSuccess, wire.MsgUserauthBanner, wire.MsgUserauthPKOK} {
		s, _ := openServer()
		p := hostileClient(t, s)
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)

		p = hostileClient(t, s).service()
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)

		p = hostileClient(t, s).service()
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
		p.expect(wire.MsgUserauthInfoRequest)
		p.send([]byte{n})
		p.expectEnd(wire.ReasonProtocolError)
	}
}

func TestServiceComesFirst(t *testing.T) {
	s, _ := openServer()
	p := hostileClient(t, s)
	p.send(request("ann", "password", passwordBody("secret")))
	p.expectEnd(wire.ReasonProtocolError)
	for _, name := range []string{"", "ssh-connection", "ssh-userauth\x00", "x\x1b[31m"} {
		p = hostileClient(t, s)
		p.send(wire.AppendText([]byte{wire.MsgServiceRequest}, name))
		p.expectEnd(wire.ReasonServiceNotAvailable)
		if control(p.err.Error()) {
			t.Errorf("%q in an error", p.err)
		}
	}
	p = hostileClient(t, s)
	p.send([]byte{wire.MsgServiceRequest, 0, 0})
	p.expectEnd(wire.ReasonProtocolError)
	// Once more is harmless.
	p = hostileClient(t, s).service().service()
	p.send(request("ann", "password", passwordBody("secret")))
	p.expect(wire.MsgUserauthSuccess)
}

func TestAUT04ChangeOfUserOrService(t *testing.T) {
	other := func(user, service string) []byte {
		m := wire.UserauthRequest{User: user, Service: service, Method: "password", Rest: passwordBody("secret")}
		return m.Append(nil)
	}
	for _, c := range []struct{ user, service, message string }{
		{"bob", "ssh-connection", "Change of username or service not allowed: (ann,ssh-connection) -> (bob,ssh-connection)"},
		{"ann", "ssh-other", "Change of username or service not allowed: (ann,ssh-connection) -> (ann,ssh-other)"},
		{"a\x1bn", "ssh-connection", `Change of username or service not allowed: (ann,ssh-connection) -> (a\033n,ssh-connection)`},
		{"", "ssh-connection", "Change of username or service not allowed: (ann,ssh-connection) -> (,ssh-connection)"},
	} {
		s, _ := openServer()
		p := hostileClient(t, s).service()
		p.send(request("ann", "none", nil))
		p.expectFailure(openMethods, false)
		p.send(other(c.user, c.service))
		p.expectEnd(wire.ReasonProtocolError)
		if p.err.Error() != c.message {
			t.Errorf("%q, want %q", p.err, c.message)
		}
	}
	s, _ := openServer()
	p := hostileClient(t, s).service()
	p.send(other("ann", "ssh-other"))
	p.expectEnd(wire.ReasonServiceNotAvailable)
	// In the middle of a dialogue, too.
	p = hostileClient(t, s).service()
	p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
	p.expect(wire.MsgUserauthInfoRequest)
	p.send(other("bob", "ssh-connection"))
	p.expectEnd(wire.ReasonProtocolError)
}

// A signature is good for one session, user, service, method, algorithm, key
// and host key only.
func TestAUT04SignatureBindsEverything(t *testing.T) {
	one := edSigner("one")
	sign := func(session, user, service string, b *publicKeyRequest) []byte {
		sig, err := one.Sign(nil, b.signedData([]byte(session), user, service))
		if err != nil {
			t.Fatal(err)
		}
		return pubkey.MarshalSignature(sig)
	}
	base := func(hostBound bool) *publicKeyRequest {
		return &publicKeyRequest{signed: true, algorithm: one.PublicKey().Type(), key: one.PublicKey().Marshal(), hostBound: hostBound, hostKey: testHostKey}
	}
	good := string(testSession)
	for _, c := range []struct {
		name string
		make func() *publicKeyRequest
		ok   bool
	}{
		{"good", func() *publicKeyRequest {
			b := base(false)
			b.signature = sign(good, "ann", "ssh-connection", b)
			return b
		}, true},
		{"good, bound", func() *publicKeyRequest {
			b := base(true)
			b.signature = sign(good, "ann", "ssh-connection", b)
			return b
		}, true},
		{"session", func() *publicKeyRequest {
			b := base(false)
			b.signature = sign("other", "ann", "ssh-connection", b)
			return b
		}, false},
		{"user", func() *publicKeyRequest {
			b := base(false)
			b.signature = sign(good, "bob", "ssh-connection", b)
			return b
		}, false},
		{"service", func() *publicKeyRequest { b := base(false); b.signature = sign(good, "ann", "ssh-other", b); return b }, false},
		{"method", func() *publicKeyRequest {
			b, o := base(false), base(true)
			b.signature = sign(good, "ann", "ssh-connection", o)
			return b
		}, false},
		{"host key", func() *publicKeyRequest {
			b, o := base(true), base(true)
			o.hostKey = []byte("another")
			b.signature = sign(good, "ann", "ssh-connection", o)
			return b
		}, false},
		{"query", func() *publicKeyRequest {
			b, o := base(false), base(false)
			o.signed = false
			b.signature = sign(good, "ann", "ssh-connection", o)
			return b
		}, false},
		{"empty", func() *publicKeyRequest { return base(false) }, false},
		{"flipped", func() *publicKeyRequest {
			b := base(false)
			b.signature = sign(good, "ann", "ssh-connection", b)
			b.signature[len(b.signature)-1] ^= 1
			return b
		}, false},
		{"trailing", func() *publicKeyRequest {
			b := base(false)
			b.signature = append(sign(good, "ann", "ssh-connection", b), 0)
			return b
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := openServer()
			p := hostileClient(t, s).service()
			b := c.make()
			p.send(request("ann", b.method(), b.append(nil)))
			if c.ok {
				p.expect(wire.MsgUserauthSuccess)
			} else {
				p.expectFailure(openMethods, false)
			}
		})
	}
}

func TestHostBoundToAnotherHostKey(t *testing.T) {
	s, _ := openServer()
	p := hostileClient(t, s).service()
	b := &publicKeyRequest{hostBound: true, algorithm: "ssh-ed25519", key: edSigner("one").PublicKey().Marshal(), hostKey: []byte("another")}
	p.send(request("ann", b.method(), b.append(nil)))
	p.expectEnd(wire.ReasonProtocolError)
}

// The key asked about last is not the key that signs.
func TestAUT05PermissionsOfTheVerifiedKey(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	s, _ := serverConfig()
	s.KeyAllowed = func(_ context.Context, a *KeyAttempt) (*Permissions, error) {
		if pubkey.Equal(a.Key, one.PublicKey()) {
			return &Permissions{Extensions: map[string]string{"role": "admin"}}, nil
		}
		if pubkey.Equal(a.Key, two.PublicKey()) {
			return &Permissions{Extensions: map[string]string{"role": "guest"}}, nil
		}
		return nil, errWrong
	}
	for _, order := range [][]pubkey.Signer{{one}, {one, two}, {two, one, two, one}} {
		p := hostileClient(t, s).service()
		for _, q := range order {
			p.send(request("ann", "publickey", queryBody(q)))
			p.expect(wire.MsgUserauthPKOK)
		}
		// A bad signature of the admin leaves nothing behind.
		bad := signed(t, one, "ann", "", false)
		bad[len(bad)-1] ^= 1
		p.send(bad)
		p.expectFailure("publickey", false)
		p.send(signed(t, two, "ann", "", false))
		p.expect(wire.MsgUserauthSuccess)
		p.wait()
		if got := p.result.Permissions.Extensions["role"]; got != "guest" || !pubkey.Equal(p.result.PublicKey, two.PublicKey()) {
			t.Errorf("logged in as %q", got)
		}
	}
}

// One key's blob with another key's signature.
func TestAUT05SignatureOfAnotherKey(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	s, _ := openServer()
	p := hostileClient(t, s).service()
	b := &publicKeyRequest{signed: true, algorithm: "ssh-ed25519", key: one.PublicKey().Marshal()}
	sig, _ := two.Sign(nil, b.signedData(testSession, "ann", "ssh-connection"))
	b.signature = pubkey.MarshalSignature(sig)
	p.send(request("ann", "publickey", b.append(nil)))
	p.expectFailure(openMethods, false)
}

func TestAUT06RestrictionsAddUp(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	type m = map[string]string
	perms := map[string]*Permissions{}
	s, _ := serverConfig()
	s.KeyAllowed = func(_ context.Context, a *KeyAttempt) (*Permissions, error) {
		if pubkey.Equal(a.Key, one.PublicKey()) {
			return perms["one"], nil
		}
		return perms["two"], nil
	}
	s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return perms["password"], nil }
	for _, c := range []struct {
		name              string
		one, two, pass    *Permissions
		lists             string
		ok                bool
		command, mayPty   string
		hasCommand, isPty bool
	}{
		{name: "command then password", one: &Permissions{CriticalOptions: m{"force-command": "x"}}, lists: "publickey,password", ok: true, hasCommand: true, command: "x"},
		{name: "password then command", one: &Permissions{CriticalOptions: m{"force-command": "x"}}, lists: "password,publickey", ok: true, hasCommand: true, command: "x"},
		{name: "open key after command", one: &Permissions{CriticalOptions: m{"force-command": "x"}}, two: &Permissions{Extensions: m{"permit-pty": ""}}, lists: "publickey,publickey", ok: true, hasCommand: true, command: "x"},
		{name: "two commands", one: &Permissions{CriticalOptions: m{"force-command": "x"}}, two: &Permissions{CriticalOptions: m{"force-command": "y"}}, lists: "publickey,publickey"},
		{name: "pty of both", one: &Permissions{Extensions: m{"permit-pty": ""}}, two: &Permissions{Extensions: m{"permit-pty": ""}}, lists: "publickey,publickey", ok: true, isPty: true},
		{name: "password says nothing", one: &Permissions{Extensions: m{"permit-pty": ""}}, lists: "publickey,password", ok: true, isPty: true},
		{name: "password denies", one: &Permissions{Extensions: m{"permit-pty": ""}}, pass: &Permissions{}, lists: "publickey,password", ok: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			perms["one"], perms["two"], perms["password"] = c.one, c.two, c.pass
			s.Methods = func(string) [][]string { return [][]string{strings.Split(c.lists, ",")} }
			p := hostileClient(t, s).service()
			keys := []pubkey.Signer{one, two}
			list := strings.Split(c.lists, ",")
			for i, method := range list {
				if method == "password" {
					p.send(request("ann", "password", passwordBody("x")))
				} else {
					p.send(signed(t, keys[0], "ann", "", false))
					keys = keys[1:]
				}
				switch {
				case i < len(list)-1:
					p.expectFailure(list[i+1], true)
				case c.ok:
					p.expect(wire.MsgUserauthSuccess)
				default:
					p.expectFailure(method, false)
				}
			}
			if !c.ok {
				return
			}
			p.wait()
			got, has := p.result.Permissions.CriticalOptions["force-command"]
			_, pty := p.result.Permissions.Extensions["permit-pty"]
			if has != c.hasCommand || got != c.command || pty != c.isPty {
				t.Errorf("%+v", p.result.Permissions)
			}
		})
	}
}

// A certificate's restrictions hold whatever the callback returned.
func TestAUT06CertificateOptionsStay(t *testing.T) {
	cert := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{
		CriticalOptions: map[string]string{"force-command": "x"}, Extensions: map[string]string{"permit-pty": ""}})
	for _, c := range []struct {
		perms *Permissions
		pty   bool
	}{{nil, true}, {&Permissions{Extensions: map[string]string{"user": "5"}}, false}} {
		s, _ := serverConfig()
		s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return c.perms, nil }
		p := hostileClient(t, s).service()
		p.send(signed(t, cert, "ann", "", false))
		p.expect(wire.MsgUserauthSuccess)
		p.wait()
		_, pty := p.result.Permissions.Extensions["permit-pty"]
		user := p.result.Permissions.Extensions["user"]
		if p.result.Permissions.CriticalOptions["force-command"] != "x" || pty != c.pty || (user == "5") == c.pty {
			t.Errorf("%+v", p.result.Permissions)
		}
	}
}

// Critical options hold for every method.
func TestAUT07CriticalOptions(t *testing.T) {
	type m = map[string]string
	for _, c := range []struct {
		name    string
		options m
		known   []string
		ok      bool
	}{
		{"none", nil, nil, true},
		{"address", m{"source-address": "192.0.2.0/24"}, nil, true},
		{"other address", m{"source-address": "198.51.100.0/24"}, nil, false},
		{"empty list", m{"source-address": ""}, nil, false},
		{"malformed list", m{"source-address": "192.0.2.7,x"}, nil, false},
		{"unknown", m{"moon-phase": "full"}, nil, false},
		{"known to the caller", m{"moon-phase": "full"}, []string{"moon-phase"}, true},
	} {
		perms := func() (*Permissions, error) { return &Permissions{CriticalOptions: c.options}, nil }
		s, _ := serverConfig()
		s.RemoteAddr = netip.MustParseAddr("192.0.2.7")
		s.CriticalOptions = c.known
		s.None = func(context.Context, *Attempt) (*Permissions, error) { return perms() }
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return perms() }
		s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return perms() }
		s.KeyboardInteractive = []Device{{"pam", func(context.Context, *Attempt, Ask) (*Permissions, error) { return perms() }}}
		s.HostbasedAllowed = func(context.Context, *HostbasedAttempt) (*Permissions, error) { return perms() }
		host := &hostbasedRequest{algorithm: "ssh-ed25519", key: edSigner("host").PublicKey().Marshal(), clientHost: "c.", clientUser: "u"}
		sig, _ := edSigner("host").Sign(nil, host.signedData(testSession, "ann", "ssh-connection"))
		host.signature = pubkey.MarshalSignature(sig)
		cert := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{CriticalOptions: c.options})
		for name, req := range map[string][]byte{
			"none":        request("ann", "none", nil),
			"password":    request("ann", "password", passwordBody("x")),
			"publickey":   signed(t, edSigner("one"), "ann", "", false),
			"host-bound":  signed(t, edSigner("one"), "ann", "", true),
			"certificate": signed(t, cert, "ann", "", false),
			"dialogue":    request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)),
			"hostbased":   request("ann", "hostbased", host.append(nil)),
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				p := hostileClient(t, s).service()
				p.send(req)
				if c.ok {
					p.expect(wire.MsgUserauthSuccess)
				} else {
					p.expectFailure("publickey,password,keyboard-interactive,hostbased", false)
				}
			})
		}
		t.Run(c.name+" partial", func(t *testing.T) {
			s := *s
			s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) {
				p, _ := perms()
				return nil, &PartialSuccess{Permissions: p, Next: [][]string{{"publickey"}}}
			}
			p := hostileClient(t, &s).service()
			p.send(request("ann", "password", passwordBody("x")))
			if c.ok {
				p.expectFailure("publickey", true)
			} else {
				p.expectFailure("publickey,password,keyboard-interactive,hostbased", false)
			}
		})
	}
	// Without an address a restriction matches nobody.
	s, _ := serverConfig()
	s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) {
		return &Permissions{CriticalOptions: m{"source-address": "0.0.0.0/0,::/0"}}, nil
	}
	p := hostileClient(t, s).service()
	p.send(request("ann", "password", passwordBody("x")))
	p.expectFailure("password", false)
}

func TestAUT09Failures(t *testing.T) {
	one := edSigner("one")
	wrongKey := request("ann", "publickey", queryBody(edSigner("other")))
	badSig := signed(t, one, "ann", "", false)
	badSig[len(badSig)-1] ^= 1
	wrongPassword := request("ann", "password", passwordBody("wrong"))
	none := request("ann", "none", nil)
	unknownMethod := request("ann", "gssapi-with-mic", []byte{0xff, 0xff, 0xff, 0xff})
	for name, req := range map[string][]byte{"query": wrongKey, "signature": badSig, "password": wrongPassword, "none": none, "unknown": unknownMethod} {
		for _, tries := range []int{0, 1, 3} {
			t.Run(name, func(t *testing.T) {
				s, _ := openServer()
				s.MaxAuthTries = tries
				want := tries
				if want == 0 {
					want = DefaultMaxAuthTries
				}
				p := hostileClient(t, s).service()
				p.send(none) // the first is free
				p.expectFailure(openMethods, false)
				for i := 1; i < want; i++ {
					p.send(req)
					p.expectFailure(openMethods, false)
				}
				p.send(req)
				p.expectEnd(wire.ReasonProtocolError)
				if p.err.Error() != "Too many authentication failures" || !errors.Is(p.err, ErrTooManyFailures) {
					t.Error(p.err)
				}
			})
		}
	}
	t.Run("none is free only at the very first", func(t *testing.T) {
		s, _ := openServer()
		s.MaxAuthTries = 2
		p := hostileClient(t, s).service()
		p.send(wrongPassword)
		p.expectFailure(openMethods, false)
		p.send(none)
		p.expectEnd(wire.ReasonProtocolError)
	})
	t.Run("a good request at the limit", func(t *testing.T) {
		s, _ := openServer()
		s.MaxAuthTries = 2
		p := hostileClient(t, s).service()
		p.send(wrongPassword)
		p.expectFailure(openMethods, false)
		p.send(request("ann", "password", passwordBody("secret")))
		p.expect(wire.MsgUserauthSuccess)
	})
	t.Run("no tries at all", func(t *testing.T) {
		s, _ := openServer()
		s.MaxAuthTries = -1
		p := hostileClient(t, s).service()
		p.send(request("ann", "password", passwordBody("secret")))
		p.expectEnd(wire.ReasonProtocolError)
	})
	t.Run("a callback's own limit", func(t *testing.T) {
		s, _ := openServer()
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return nil, ErrTooManyFailures }
		p := hostileClient(t, s).service()
		p.send(wrongPassword)
		p.expectEnd(wire.ReasonProtocolError)
	})
}

// Everything that is answered counts, also what is no failure.
func TestAUT09AllRequests(t *testing.T) {
	one := edSigner("one")
	query := request("ann", "publickey", queryBody(one))
	dialogue := request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil))
	for _, max := range []int{0, 5} {
		want := max
		if want == 0 {
			want = DefaultMaxRequests
		}
		for name, step := range map[string]struct {
			req   []byte
			reply byte
		}{
			"accepted queries":       {query, wire.MsgUserauthPKOK},
			"dialogues begun":        {dialogue, wire.MsgUserauthInfoRequest},
			"service requests":       {wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"), wire.MsgServiceAccept},
			"unknown messages":       {[]byte{70}, 0},
			"rounds of one":          {appendAnswers(nil, []string{"0"}), wire.MsgUserauthInfoRequest},
			"partial successes":      {request("ann", "password", passwordBody("secret")), wire.MsgUserauthFailure},
			"password changes":       {request("ann", "password", passwordBody("old")), wire.MsgUserauthPasswdChangereq},
			"failures of the server": {request("ann", "password", passwordBody("broken")), wire.MsgUserauthFailure},
		} {
			t.Run(name, func(t *testing.T) {
				s, _ := openServer()
				s.MaxRequests = max
				s.KeyboardInteractive = []Device{{"pam", func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
					for {
						if _, err := ask(ctx, &Question{Prompts: []Prompt{{Text: "A"}}}); err != nil {
							return nil, err
						}
					}
				}}}
				s.ChangePassword = func(context.Context, *Attempt, []byte, []byte) (*Permissions, error) { return nil, errWrong }
				s.Password = func(_ context.Context, _ *Attempt, p []byte) (*Permissions, error) {
					switch string(p) {
					case "old":
						return nil, &PasswordChangeRequired{}
					case "broken":
						return nil, ErrServerFailure
					}
					return nil, &PartialSuccess{Next: [][]string{{"password"}}}
				}
				p := hostileClient(t, s).service()
				n := want
				if name == "rounds of one" {
					p.send(dialogue)
					p.expect(wire.MsgUserauthInfoRequest)
					n--
				}
				for i := 0; i < n; i++ {
					p.send(step.req)
					if step.reply != 0 {
						p.expect(step.reply)
					}
				}
				p.send(step.req)
				p.expectEnd(wire.ReasonProtocolError)
				if !errors.Is(p.err, ErrTooManyFailures) {
					t.Error(p.err)
				}
			})
		}
	}
}

// AUT-10: failures leave at the same time whatever the check took, and the
// user's constant is the same for users that exist and users that do not.
func TestAUT10FailuresArePadded(t *testing.T) {
	for _, work := range []time.Duration{0, 3 * time.Millisecond, 8 * time.Millisecond, 30 * time.Millisecond, 44 * time.Millisecond} {
		s, clk := serverConfig()
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { clk.Advance(work); return nil, errWrong }
		s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { clk.Advance(work); return nil, errWrong }
		s.KeyboardInteractive = []Device{{"pam", func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
			ask(ctx, &Question{Prompts: []Prompt{{Text: "A"}}})
			clk.Advance(work)
			return nil, errWrong
		}}}
		s.MaxAuthTries = 100
		p := hostileClient(t, s).service()
		user := userDelay(s.DelaySecret, "ann")
		took := func(req []byte) time.Duration {
			start := clk.Now()
			p.send(req)
			p.expect(wire.MsgUserauthFailure)
			return clk.Now().Sub(start)
		}
		if d := took(request("ann", "none", nil)); d != 0 {
			t.Errorf("none took %v", d)
		}
		for name, req := range map[string][]byte{
			"password": request("ann", "password", passwordBody("x")),
			"too long": request("ann", "password", passwordBody(strings.Repeat("x", MaxPassword+1))),
			"NUL":      request("ann", "password", passwordBody("x\x00")),
			"empty":    request("ann", "password", passwordBody("")),
		} {
			if d := took(req); d != failGrid+user {
				t.Errorf("work %v: %s left after %v, want %v", work, name, d, failGrid+user)
			}
		}
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
		p.expect(wire.MsgUserauthInfoRequest)
		if d := took(appendAnswers(nil, []string{"x"})); d != failGrid+user {
			t.Errorf("work %v: dialogue left after %v, want %v", work, d, failGrid+user)
		}
		want := minFailDelay + user
		for want < work {
			want *= 2
		}
		for name, req := range map[string][]byte{
			"query":     request("ann", "publickey", queryBody(edSigner("x"))),
			"signature": signed(t, edSigner("x"), "ann", "", false),
		} {
			if d := took(req); d != want {
				t.Errorf("work %v: %s left after %v, want %v", work, name, d, want)
			}
		}
		if d := took(request("ann", "gssapi-with-mic", nil)); d != minFailDelay+user {
			t.Errorf("unknown method left after %v", d)
		}
	}
	// The last failure, too, before the connection ends.
	s, clk := serverConfig()
	s.Password = passwordIs("secret")
	s.MaxAuthTries = 1
	p := hostileClient(t, s).service()
	start := clk.Now()
	p.send(request("ann", "password", passwordBody("x")))
	p.expectEnd(wire.ReasonProtocolError)
	if d := clk.Now().Sub(start); d < failGrid {
		t.Errorf("the end came after %v", d)
	}
}

func TestAUT10SuccessDoesNotWait(t *testing.T) {
	s, clk := openServer()
	p := hostileClient(t, s).service()
	p.send(request("ann", "publickey", queryBody(edSigner("one"))))
	p.expect(wire.MsgUserauthPKOK)
	p.send(signed(t, edSigner("one"), "ann", "", false))
	p.expect(wire.MsgUserauthSuccess)
	p.wait()
	if len(clk.slept) != 0 {
		t.Errorf("slept %v", clk.slept)
	}
}

// AUT-11: what can be said without the account is said the same way for
// everybody: a malformed request never gets as far as the account.
func TestAUT11MalformedRequests(t *testing.T) {
	one := edSigner("one")
	good := (&publicKeyRequest{signed: true, algorithm: "ssh-ed25519", key: one.PublicKey().Marshal(), signature: []byte("x")}).append(nil)
	for name, req := range map[string][]byte{
		"no method":             request("ann", "publickey", nil)[:20],
		"publickey empty":       request("ann", "publickey", nil),
		"publickey truncated":   request("ann", "publickey", good[:len(good)-1]),
		"publickey trailing":    request("ann", "publickey", append(good[:len(good):len(good)], 0)),
		"publickey huge length": request("ann", "publickey", []byte{1, 0xff, 0xff, 0xff, 0xff}),
		"hostbound without key": request("ann", methodHostBound, good),
		"password truncated":    request("ann", "password", []byte{0, 0, 0, 0, 9, 'x'}),
		"password trailing":     request("ann", "password", append(passwordBody("x"), 'y')),
		"password without new":  request("ann", "password", []byte{1, 0, 0, 0, 1, 'x'}),
		"dialogue truncated":    request("ann", "keyboard-interactive", []byte{0, 0, 0}),
		"hostbased truncated":   request("ann", "hostbased", []byte{0, 0, 0, 1, 'x'}),
		"none trailing":         request("ann", "none", []byte{0}),
		"no service":            {wire.MsgUserauthRequest, 0, 0, 0, 3, 'a', 'n', 'n'},
	} {
		for _, all := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				s, _ := serverConfig()
				if all {
					s, _ = openServer()
					s.None = func(context.Context, *Attempt) (*Permissions, error) { return nil, nil }
				}
				s.ForUser = func(context.Context, User) (*ServerConfig, error) { t.Error("account looked at"); return nil, nil }
				s.Banner = func(string) string { t.Error("banner asked for"); return "" }
				p := hostileClient(t, s).service()
				p.send(req)
				p.expectEnd(wire.ReasonProtocolError)
			})
		}
	}
}

func TestAUT11MissingUsersGetTheSameAnswers(t *testing.T) {
	s, clk := openServer()
	s.Banner = func(string) string { return "welcome" }
	exists := func(u User) bool { return u.Name == "ann" }
	s.KeyAllowed = func(ctx context.Context, a *KeyAttempt) (*Permissions, error) {
		if !exists(a.User) {
			return nil, errWrong
		}
		return allow(edSigner("one"))(ctx, a)
	}
	s.Password = func(ctx context.Context, a *Attempt, p []byte) (*Permissions, error) {
		if !exists(a.User) {
			return nil, errWrong
		}
		return passwordIs("secret")(ctx, a, p)
	}
	s.MaxAuthTries = 100
	talk := func(user string) (answers []string) {
		p := hostileClient(t, s).service()
		for _, req := range [][]byte{
			request(user, "none", nil), request(user, "publickey", queryBody(edSigner("x"))),
			signed(t, edSigner("x"), user, "", false), request(user, "password", passwordBody("wrong")),
			request(user, "gssapi-with-mic", nil), request(user, "password", passwordBody("")),
		} {
			start := clk.Now()
			p.send(req)
			for {
				m, err := p.ReadPacket()
				if err != nil {
					t.Fatal(err)
				}
				d := clk.Now().Sub(start)
				if d > 0 {
					d -= userDelay(s.DelaySecret, user)
				}
				answers = append(answers, string(m)+d.String())
				if m[0] == wire.MsgUserauthFailure {
					break
				}
			}
		}
		return answers
	}
	a, b := strings.Join(talk("ann"), "|"), strings.Join(talk("nobody"), "|")
	if a != b {
		t.Errorf("a user that exists gets\n%q\none that does not\n%q", a, b)
	}
}

func TestAUT12RefusedQueriesAreFailures(t *testing.T) {
	s, _ := openServer()
	var lines []AuthLog
	s.Log = func(l AuthLog) { lines = append(lines, l) }
	p := hostileClient(t, s).service()
	for i := 0; i < DefaultMaxAuthTries; i++ {
		p.send(request("ann", "publickey", queryBody(edSigner(strings.Repeat("x", i+1)))))
		if i < DefaultMaxAuthTries-1 {
			p.expectFailure(openMethods, false)
		}
	}
	p.expectEnd(wire.ReasonProtocolError)
	if len(lines) != DefaultMaxAuthTries {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines {
		if l.Outcome != Failed || l.Failures != i || l.MaxTries != DefaultMaxAuthTries || l.Key == nil {
			t.Errorf("line %d: %+v", i, l)
		}
	}
}

func TestAUT13LongPasswords(t *testing.T) {
	for _, n := range []int{1, MaxPassword, MaxPassword + 1, 100_000} {
		s, _ := openServer()
		called := false
		s.Password = func(_ context.Context, _ *Attempt, p []byte) (*Permissions, error) { called = true; return nil, nil }
		p := hostileClient(t, s).service()
		p.send(request("ann", "password", passwordBody(strings.Repeat("x", n))))
		if n <= MaxPassword {
			p.expect(wire.MsgUserauthSuccess)
			continue
		}
		p.expectFailure(openMethods, false)
		if called {
			t.Errorf("%d bytes reached the check", n)
		}
	}
	// New passwords and answers have the same limit.
	s, _ := openServer()
	s.ChangePassword = func(context.Context, *Attempt, []byte, []byte) (*Permissions, error) { return nil, nil }
	s.KeyboardInteractive = []Device{{"pam", func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
		ask(ctx, &Question{Prompts: []Prompt{{Text: "A"}}})
		return nil, nil // careless
	}}}
	p := hostileClient(t, s).service()
	for _, new := range []string{strings.Repeat("x", MaxPassword+1), "a\x00b", ""} {
		b := passwordRequest{change: true, password: []byte("old"), new: []byte(new)}
		p.send(request("ann", "password", b.append(nil)))
		p.expectFailure(openMethods, false)
	}
	p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
	p.expect(wire.MsgUserauthInfoRequest)
	p.send(appendAnswers(nil, []string{strings.Repeat("x", MaxPassword+1)}))
	p.expectFailure(openMethods, false)
	p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
	p.expect(wire.MsgUserauthInfoRequest)
	p.send(appendAnswers(nil, []string{strings.Repeat("x", MaxPassword)}))
	p.expect(wire.MsgUserauthSuccess)
}

func TestAUT14NUL(t *testing.T) {
	s, _ := openServer()
	p := hostileClient(t, s).service()
	for _, bad := range []string{"secret\x00", "secret\x00junk", "\x00"} {
		p.send(request("ann", "password", passwordBody(bad)))
		p.expectFailure(openMethods, false)
	}
	p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
	p.expect(wire.MsgUserauthInfoRequest)
	p.send(appendAnswers(nil, []string{"1\x00"}))
	p.expectFailure(openMethods, false)

	p = hostileClient(t, s).service()
	p.send(request("ann\x00bob", "password", passwordBody("secret")))
	p.expectFailure(openMethods, false)
}

func TestAUT15UserNames(t *testing.T) {
	long := strings.Repeat("u", MaxUserName)
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"ann", true}, {"", true}, {"-oProxyCommand=x", true}, {"%s%n", true}, {"é", true}, {long, true},
		{long + "u", false}, {strings.Repeat("u", 200_000), false}, {"a\nb", false}, {"a\x7f", false}, {"a\x1b[31m", false}, {"ann:sty\rle", false},
	} {
		s, _ := serverConfig()
		called := false
		s.ForUser = func(context.Context, User) (*ServerConfig, error) { called = true; return nil, nil }
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { called = true; return nil, nil }
		s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { called = true; return nil, nil }
		p := hostileClient(t, s).service()
		if !c.ok {
			p.send(signed(t, edSigner("one"), c.name, "", false))
			p.expectFailure("publickey,password", false)
		}
		p.send(request(c.name, "password", passwordBody("x")))
		if c.ok {
			p.expect(wire.MsgUserauthSuccess)
			continue
		}
		p.expectFailure("publickey,password", false)
		if called {
			t.Errorf("%q was looked up", printable(c.name, 40))
		}
	}
	// A style may not bring in later what a name may not hold.
	s, _ := openServer()
	p := hostileClient(t, s).service()
	p.send(request("ann:x", "none", nil))
	p.expectFailure(openMethods, false)
	p.send(request("ann:\n", "password", passwordBody("secret")))
	p.expectFailure(openMethods, false)
}

func TestAUT16Devices(t *testing.T) {
	names := func(n int) string { return strings.TrimSuffix(strings.Repeat("pam,", n), ",") }
	for _, c := range []struct {
		devices string
		begun   int
	}{
		{"", 1}, {"pam", 1}, {names(MaxDevices), 1}, {names(MaxDevices + 1), 0}, {names(10_000), 0}, {"skey", 0}, {"pamx,xpam", 0}, {",", 0},
	} {
		s, _ := serverConfig()
		begun := 0
		s.KeyboardInteractive = []Device{{"pam", func(context.Context, *Attempt, Ask) (*Permissions, error) { begun++; return nil, errWrong }}, {"nil", nil}}
		p := hostileClient(t, s).service()
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{submethods: c.devices}).append(nil)))
		p.expectFailure("keyboard-interactive", false)
		if begun != c.begun {
			t.Errorf("%.20q: device asked %d times, want %d", c.devices, begun, c.begun)
		}
	}
}

func TestAUT16Answers(t *testing.T) {
	begin := request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil))
	for name, answer := range map[string][]byte{
		"none":        appendAnswers(nil, nil),
		"two":         appendAnswers(nil, []string{"1", "1"}),
		"2^32":        {wire.MsgUserauthInfoResponse, 0xff, 0xff, 0xff, 0xff},
		"truncated":   {wire.MsgUserauthInfoResponse, 0, 0, 0, 1, 0, 0, 0, 9, '1'},
		"trailing":    append(appendAnswers(nil, []string{"1"}), 0),
		"no count":    {wire.MsgUserauthInfoResponse},
		"huge answer": {wire.MsgUserauthInfoResponse, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openServer()
			p := hostileClient(t, s).service()
			p.send(begin)
			p.expect(wire.MsgUserauthInfoRequest)
			p.send(answer)
			p.expectEnd(wire.ReasonProtocolError)
		})
	}
	t.Run("unasked", func(t *testing.T) {
		s, _ := openServer()
		p := hostileClient(t, s).service()
		p.send(appendAnswers(nil, []string{"1"}))
		p.expectEnd(wire.ReasonProtocolError)
	})
	t.Run("after the end", func(t *testing.T) {
		s, _ := openServer()
		p := hostileClient(t, s).service()
		p.send(begin)
		p.expect(wire.MsgUserauthInfoRequest)
		p.send(appendAnswers(nil, []string{"0"}))
		p.expectFailure(openMethods, false)
		p.send(appendAnswers(nil, []string{"1"}))
		p.expectEnd(wire.ReasonProtocolError)
	})
	t.Run("after another request", func(t *testing.T) {
		s, _ := openServer()
		p := hostileClient(t, s).service()
		p.send(begin)
		p.expect(wire.MsgUserauthInfoRequest)
		p.send(request("ann", "password", passwordBody("wrong")))
		p.expectFailure(openMethods, false)
		p.send(appendAnswers(nil, []string{"1"}))
		p.expectEnd(wire.ReasonProtocolError)
	})
	t.Run("a request in between is answered", func(t *testing.T) {
		s, _ := openServer()
		p := hostileClient(t, s).service()
		p.send(begin)
		p.expect(wire.MsgUserauthInfoRequest)
		p.send(begin)
		p.expect(wire.MsgUserauthInfoRequest)
		p.send(request("ann", "password", passwordBody("secret")))
		p.expect(wire.MsgUserauthSuccess)
	})
	t.Run("a device that does not mind", func(t *testing.T) {
		for _, next := range [][]byte{request("ann", "password", passwordBody("wrong")), {90}, appendAnswers(nil, nil)} {
			s, _ := openServer()
			s.KeyboardInteractive = []Device{{"pam", func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
				ask(ctx, &Question{Prompts: []Prompt{{Text: "A"}}})
				if _, err := ask(ctx, &Question{}); err == nil {
					t.Error("asked again after a failure")
				}
				return nil, nil
			}}}
			p := hostileClient(t, s).service()
			p.send(begin)
			p.expect(wire.MsgUserauthInfoRequest)
			p.send(next)
			if next[0] == wire.MsgUserauthRequest {
				p.expectFailure(openMethods, false)
			} else {
				p.expectEnd(wire.ReasonProtocolError)
			}
		}
	})
	t.Run("too many prompts of a device", func(t *testing.T) {
		for n, ok := range map[int]bool{MaxPrompts: true, MaxPrompts + 1: false} {
			s, _ := serverConfig()
			s.KeyboardInteractive = []Device{{"pam", func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
				_, err := ask(ctx, &Question{Prompts: make([]Prompt, n)})
				return nil, err
			}}}
			p := hostileClient(t, s).service()
			p.send(begin)
			if !ok {
				p.expectFailure("keyboard-interactive", false)
				continue
			}
			p.expect(wire.MsgUserauthInfoRequest)
			p.send(appendAnswers(nil, make([]string, n)))
			p.expect(wire.MsgUserauthSuccess)
		}
	})
}

func TestAUT17GSSAPI(t *testing.T) {
	s, _ := openServer()
	p := hostileClient(t, s).service()
	p.send(request("ann", "gssapi-with-mic", []byte{0xff, 0xff, 0xff, 0xff}))
	p.expectFailure(openMethods, false)
	for _, n := range []byte{63, 64, 65, 66} { // tokens of a dialogue that never began
		p.send([]byte{n, 0, 0})
	}
	p.send(request("ann", "password", passwordBody("secret")))
	p.expect(wire.MsgUserauthSuccess)
}

func TestAUT18KeysThatCannotBeParsed(t *testing.T) {
	one := edSigner("one")
	blob := one.PublicKey().Marshal()
	for name, b := range map[string]*publicKeyRequest{
		"empty":               {algorithm: "ssh-ed25519"},
		"garbage":             {algorithm: "ssh-ed25519", key: []byte("garbage")},
		"truncated":           {algorithm: "ssh-ed25519", key: blob[:len(blob)-1]},
		"trailing":            {algorithm: "ssh-ed25519", key: append(blob[:len(blob):len(blob)], 0)},
		"unknown type":        {algorithm: "ssh-ed25519", key: wire.AppendText(nil, "ssh-dss")},
		"unknown algorithm":   {algorithm: "ssh-future", key: blob},
		"other algorithm":     {algorithm: "rsa-sha2-512", key: blob},
		"part of a name":      {algorithm: "ssh-ed2551", key: blob},
		"pattern":             {algorithm: "ssh-*", key: blob},
		"no algorithm":        {key: blob},
		"signature garbage":   {algorithm: "ssh-ed25519", key: blob, signed: true, signature: []byte{1, 2, 3}},
		"cert name for key":   {algorithm: "ssh-ed25519-cert-v01@openssh.com", key: blob},
		"rsa without ssh-rsa": {algorithm: "ssh-rsa", key: rsaSigner().PublicKey().Marshal()},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openServer()
			s.KeyAllowed = func(ctx context.Context, a *KeyAttempt) (*Permissions, error) {
				if !a.Signed {
					t.Error("callback asked")
				}
				return nil, nil
			}
			p := hostileClient(t, s).service()
			p.send(request("ann", "publickey", b.append(nil)))
			p.expectFailure(openMethods, false)
			p.send(signed(t, one, "ann", "", false))
			p.expect(wire.MsgUserauthSuccess)
		})
	}
}

// PubkeyAcceptedAlgorithms holds for the declared name, and the signature's
// format for what was declared.
func TestSignatureAlgorithms(t *testing.T) {
	rs := rsaSigner()
	make := func(declared, format string) []byte {
		b := &publicKeyRequest{signed: true, algorithm: declared, key: rs.PublicKey().Marshal()}
		sig, err := pubkey.SignWith(rs, nil, b.signedData(testSession, "ann", "ssh-connection"), format)
		if err != nil {
			t.Fatal(err)
		}
		b.signature = pubkey.MarshalSignature(sig)
		return request("ann", "publickey", b.append(nil))
	}
	for _, c := range []struct {
		accepted         []string
		declared, format string
		ok               bool
	}{
		{nil, "rsa-sha2-512", "rsa-sha2-512", true},
		{nil, "rsa-sha2-256", "rsa-sha2-256", true},
		{nil, "ssh-rsa", "ssh-rsa", false},
		{nil, "rsa-sha2-512", "ssh-rsa", false},
		{nil, "rsa-sha2-256", "rsa-sha2-512", false},
		{[]string{"rsa-sha2-256"}, "rsa-sha2-512", "rsa-sha2-512", false},
		{[]string{"rsa-sha2-256"}, "rsa-sha2-512", "rsa-sha2-256", false},
		{[]string{"ssh-rsa"}, "ssh-rsa", "ssh-rsa", true},
		{[]string{}, "rsa-sha2-512", "rsa-sha2-512", false},
	} {
		for _, monitor := range []bool{false, true} {
			s, _ := serverConfig()
			s.KeyAllowed, s.SigAlgs = allow(rs), c.accepted
			if monitor {
				s.KeyVerify = func(_ context.Context, a *KeyAttempt, data, sig []byte) error {
					parsed, err := pubkey.ParseSignature(sig)
					if err != nil {
						return err
					}
					return pubkey.VerifyAlgorithm(a.Key, data, parsed, a.Algorithm)
				}
			}
			if monitor && c.declared != c.format {
				s.KeyVerify = func(context.Context, *KeyAttempt, []byte, []byte) error {
					t.Error("a signature of another format reached the verifier")
					return nil
				}
			}
			p := hostileClient(t, s).service()
			p.send(make(c.declared, c.format))
			if c.ok {
				p.expect(wire.MsgUserauthSuccess)
			} else {
				p.expectFailure("publickey", false)
			}
		}
	}
	s, _ := serverConfig()
	s.KeyAllowed, s.MinRSABits = allow(rs), 2049
	p := hostileClient(t, s).service()
	p.send(make("rsa-sha2-512", "rsa-sha2-512"))
	p.expectFailure("publickey", false)
}

func TestCertificatesOfTheOtherKind(t *testing.T) {
	user := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{})
	host := certSigner(t, "one", pubkey.HostCert, pubkey.Permissions{})
	s, _ := serverConfig()
	s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return nil, nil }
	s.HostbasedAllowed = func(context.Context, *HostbasedAttempt) (*Permissions, error) { return nil, nil }
	p := hostileClient(t, s).service()
	p.send(signed(t, host, "ann", "", false))
	p.expectFailure("publickey,hostbased", false)
	hostbased := func(signer pubkey.Signer) []byte {
		b := &hostbasedRequest{algorithm: signer.PublicKey().Type(), key: signer.PublicKey().Marshal(), clientHost: "c.", clientUser: "u"}
		sig, _ := signer.Sign(nil, b.signedData(testSession, "ann", "ssh-connection"))
		b.signature = pubkey.MarshalSignature(sig)
		return request("ann", "hostbased", b.append(nil))
	}
	p.send(hostbased(user))
	p.expectFailure("publickey,hostbased", false)
	p.send(hostbased(host))
	p.expect(wire.MsgUserauthSuccess)
}

func TestAUT21EmptyPasswords(t *testing.T) {
	s, _ := openServer()
	s.Password = passwordIs("")
	p := hostileClient(t, s).service()
	p.send(request("ann", "password", passwordBody("")))
	p.expectFailure(openMethods, false)
	s.PermitEmptyPasswords = true
	p = hostileClient(t, s).service()
	p.send(request("ann", "password", passwordBody("")))
	p.expect(wire.MsgUserauthSuccess)
}

func TestAUT24RequestsAfterSuccess(t *testing.T) {
	for n := 0; n < 256; n++ {
		if IgnoredAfterSuccess(byte(n)) != (n == wire.MsgUserauthRequest) {
			t.Errorf("message %d", n)
		}
	}
	// Serve leaves them unread.
	s, _ := openServer()
	a, b := pipe()
	b.WritePacket(wire.AppendText([]byte{wire.MsgServiceRequest}, "ssh-userauth"))
	for i := 0; i < 3; i++ {
		b.WritePacket(request("ann", "password", passwordBody("secret")))
	}
	b.Flush()
	if _, err := Serve(context.Background(), a, s); err != nil || a.reads != 2 {
		t.Errorf("%v, %d packets read", err, a.reads)
	}
}

// AUT-25: no callback, no method, whatever is sent and listed.
func TestAUT25MissingCallbacks(t *testing.T) {
	host := &hostbasedRequest{algorithm: "ssh-ed25519", key: edSigner("host").PublicKey().Marshal(), clientHost: "c.", clientUser: "u"}
	sig, _ := edSigner("host").Sign(nil, host.signedData(testSession, "ann", "ssh-connection"))
	host.signature = pubkey.MarshalSignature(sig)
	change := (&passwordRequest{change: true, password: []byte("x"), new: []byte("y")}).append(nil)
	requests := [][]byte{
		request("ann", "none", nil), request("ann", "password", passwordBody("")), request("ann", "password", change),
		signed(t, edSigner("one"), "ann", "", false), request("ann", "publickey", queryBody(edSigner("one"))),
		request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)), request("ann", "hostbased", host.append(nil)),
	}
	half := func(s *ServerConfig) {
		// What belongs to methods that do not exist.
		s.KeyVerify = func(context.Context, *KeyAttempt, []byte, []byte) error { return nil }
		s.HostbasedVerify = func(context.Context, *HostbasedAttempt, []byte, []byte) error { return nil }
		s.ChangePassword = func(context.Context, *Attempt, []byte, []byte) (*Permissions, error) { return nil, nil }
		s.KeyboardInteractive = []Device{{"pam", nil}, {}}
		s.PermitEmptyPasswords = true
	}
	for _, f := range []func(*ServerConfig){func(*ServerConfig) {}, half} {
		s, _ := serverConfig()
		f(s)
		s.MaxAuthTries = 100
		p := hostileClient(t, s).service()
		for _, req := range requests {
			p.send(req)
			p.expectFailure("", false)
		}
		s.Methods = func(string) [][]string { return [][]string{{"none"}, {"password"}, {"keyboard-interactive:pam"}, {}} }
		p = hostileClient(t, s).service()
		p.send(requests[0])
		p.expectEnd(wire.ReasonNoMoreAuthMethods)
		if p.err.Error() != "no authentication methods enabled" {
			t.Error(p.err)
		}
	}
	t.Run("partial success into nothing", func(t *testing.T) {
		for _, next := range [][][]string{nil, {}, {{}}, {{"hostbased"}}, {{"password", "hostbased"}}} {
			s, _ := openServer()
			s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return nil, &PartialSuccess{Next: next} }
			p := hostileClient(t, s).service()
			p.send(request("ann", "password", passwordBody("x")))
			p.expectFailure(openMethods, false)
		}
	})
	t.Run("a method out of turn", func(t *testing.T) {
		s, _ := openServer()
		s.None = func(context.Context, *Attempt) (*Permissions, error) { return nil, nil }
		s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}} }
		called := 0
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { called++; return nil, nil }
		p := hostileClient(t, s).service()
		p.send(request("ann", "none", nil))
		p.expectFailure("publickey", false)
		p.send(request("ann", "password", passwordBody("secret")))
		p.expectFailure("publickey", false)
		if called != 0 {
			t.Error("a password was checked before its turn")
		}
		p.send(signed(t, edSigner("one"), "ann", "", false))
		p.expectFailure("password", true)
		p.send(request("ann", "none", nil))
		p.expectFailure("password", false)
		p.send(signed(t, edSigner("one"), "ann", "", false))
		p.expectFailure("password", false)
		p.send(request("ann", "password", passwordBody("secret")))
		p.expect(wire.MsgUserauthSuccess)
	})
	t.Run("the wrong device", func(t *testing.T) {
		s, _ := serverConfig()
		s.KeyboardInteractive = []Device{{"easy", asks()}, {"pam", asks("A=1")}}
		s.Methods = func(string) [][]string { return [][]string{{"keyboard-interactive:pam"}} }
		p := hostileClient(t, s).service()
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{submethods: "easy"}).append(nil)))
		p.expectFailure("keyboard-interactive", false)
	})
}

func TestAUT26HostbasedNames(t *testing.T) {
	signer := edSigner("host")
	for _, c := range []struct {
		host, user string
		ok         bool
	}{
		{"client.example.", "bob", true}, {"client.example", "bob", true}, {"", "bob", false}, {".", "bob", false},
		{"client.example.", "", false}, {"client\x00.example.", "bob", false}, {"client.example.", "b\nb", false},
		{strings.Repeat("h", MaxUserName) + ".", "bob", true}, {strings.Repeat("h", MaxUserName+1) + ".", "bob", false},
	} {
		s, _ := serverConfig()
		var seen string
		s.HostbasedAllowed = func(_ context.Context, a *HostbasedAttempt) (*Permissions, error) {
			seen = a.ClientHost
			return nil, nil
		}
		b := &hostbasedRequest{algorithm: "ssh-ed25519", key: signer.PublicKey().Marshal(), clientHost: c.host, clientUser: c.user}
		sig, _ := signer.Sign(nil, b.signedData(testSession, "ann", "ssh-connection"))
		b.signature = pubkey.MarshalSignature(sig)
		p := hostileClient(t, s).service()
		p.send(request("ann", "hostbased", b.append(nil)))
		if c.ok {
			p.expect(wire.MsgUserauthSuccess)
			if strings.HasSuffix(seen, ".") {
				t.Error(seen)
			}
		} else {
			p.expectFailure("hostbased", false)
		}
		// The signature is over the names.
		b.clientUser += "x"
		p = hostileClient(t, s).service()
		p.send(request("ann", "hostbased", b.append(nil)))
		p.expectFailure("hostbased", false)
	}
}

func TestLogLines(t *testing.T) {
	s, _ := openServer()
	s.Methods = func(string) [][]string { return [][]string{{"publickey", "keyboard-interactive:pam"}} }
	s.KeyAllowed = func(ctx context.Context, a *KeyAttempt) (*Permissions, error) {
		a.Info = "found at F:1"
		return allow(edSigner("one"))(ctx, &KeyAttempt{Key: a.Key})
	}
	var got []string
	s.Log = func(l AuthLog) {
		line := l.Outcome.String() + " " + l.Method
		if l.Submethod != "" {
			line += "/" + l.Submethod
		}
		if l.Key != nil {
			line += " " + l.Key.Type()
		}
		if l.Info != "" {
			line += ", " + l.Info
		}
		got = append(got, line)
	}
	p := hostileClient(t, s).service()
	p.send(request("ann", "none", nil))
	p.expectFailure("publickey", false)
	p.send(request("ann", "publickey", queryBody(edSigner("two"))))
	p.expectFailure("publickey", false)
	p.send(request("ann", "publickey", queryBody(edSigner("one"))))
	p.expect(wire.MsgUserauthPKOK)
	p.send(signed(t, edSigner("one"), "ann", "", true))
	p.expectFailure("keyboard-interactive", true)
	for _, answer := range []string{"0", "1"} {
		p.send(request("ann", "keyboard-interactive", (&interactiveRequest{}).append(nil)))
		p.expect(wire.MsgUserauthInfoRequest)
		p.send(appendAnswers(nil, []string{answer}))
		if answer == "0" {
			p.expectFailure("keyboard-interactive", false)
		}
	}
	p.expect(wire.MsgUserauthSuccess)
	p.wait()
	want := []string{
		"Failed none",
		"Failed publickey ssh-ed25519, found at F:1",
		"Postponed publickey ssh-ed25519, found at F:1",
		"Partial publickey ssh-ed25519, found at F:1",
		"Postponed keyboard-interactive",
		"Failed keyboard-interactive/pam",
		"Postponed keyboard-interactive",
		"Accepted keyboard-interactive/pam",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if lines := p.result.Completed; len(lines) != 2 || !strings.HasPrefix(lines[0].Line(), "publickey ssh-ed25519 AAAA") || lines[1].Line() != "keyboard-interactive/pam" {
		t.Errorf("%+v", lines)
	}
}

func TestFatalErrors(t *testing.T) {
	for _, want := range []error{&FatalError{errWrong}, &wire.DisconnectError{Reason: wire.ReasonByApplication, Message: "x"}} {
		s, _ := openServer()
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return nil, want }
		p := hostileClient(t, s).service()
		p.send(request("ann", "password", passwordBody("x")))
		if m, err := p.ReadPacket(); err == nil {
			t.Errorf("answered %v", m)
		}
		p.wait()
		if !errors.Is(p.err, want) {
			t.Error(p.err)
		}
	}
	if e := (&FatalError{errWrong}); e.Unwrap() != errWrong || e.Error() == "" {
		t.Error(e)
	}
}

// AUT-8: what certificates say of names is pubkey's to check; here it is
// plugged in and holds.
func TestAUT08Principals(t *testing.T) {
	ca := edSigner("ca")
	now := newClock()
	checker := &pubkey.CertChecker{
		IsUserAuthority: func(k pubkey.PublicKey) bool { return pubkey.Equal(k, ca.PublicKey()) },
		Clock:           now.Now,
	}
	for _, c := range []struct {
		principals []string
		ok         bool
	}{
		{[]string{"ann"}, true}, {[]string{"bob", "ann"}, true}, {nil, false}, {[]string{"*"}, false}, {[]string{"an?"}, false}, {[]string{"bob,ann"}, false}, {[]string{""}, false},
	} {
		key := edSigner("one")
		cert := &pubkey.Certificate{Key: key.PublicKey(), CertType: pubkey.UserCert, ValidPrincipals: c.principals, ValidBefore: 1 << 62}
		if err := cert.SignCert(nil, ca); err != nil {
			t.Fatal(err)
		}
		signer, err := pubkey.NewCertSigner(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := serverConfig()
		s.KeyAllowed = func(_ context.Context, a *KeyAttempt) (*Permissions, error) {
			cert, ok := a.Key.(*pubkey.Certificate)
			if !ok {
				return nil, errWrong
			}
			return nil, checker.CheckUser(cert, a.User.Name)
		}
		p := hostileClient(t, s).service()
		p.send(signed(t, signer, "ann", "", false))
		if c.ok {
			p.expect(wire.MsgUserauthSuccess)
		} else {
			p.expectFailure("publickey", false)
		}
	}
}

func TestMethodNameInTheLog(t *testing.T) {
	for _, n := range []int{MaxMethodName, MaxMethodName + 1} {
		s, _ := openServer()
		var got string
		s.Log = func(l AuthLog) { got = l.Method }
		p := hostileClient(t, s).service()
		p.send(request("ann", strings.Repeat("m", n), nil))
		p.expectFailure(openMethods, false)
		if len(got) != MaxMethodName {
			t.Errorf("%d bytes of %d", len(got), n)
		}
	}
}

// A host certificate vouches for the client's host and says nothing of what
// the user may do.
func TestHostCertificatePermits(t *testing.T) {
	for _, c := range []struct {
		options     map[string]string
		ok, nothing bool
	}{{nil, true, true}, {map[string]string{"force-command": "x"}, true, false}, {map[string]string{"odd": ""}, false, false}} {
		host := certSigner(t, "host", pubkey.HostCert, pubkey.Permissions{CriticalOptions: c.options})
		s, _ := serverConfig()
		s.HostbasedAllowed = func(context.Context, *HostbasedAttempt) (*Permissions, error) { return nil, nil }
		sr, _, _, err := login(t, s, clientConfig(&Hostbased{Keys: []pubkey.Signer{rsaSigner(), host}, Algorithms: []string{"ssh-ed25519-cert-v01@openssh.com"}, ClientHost: "h", ClientUser: "u"}))
		if (err == nil) != c.ok || c.ok && (sr.Permissions == nil) != c.nothing {
			t.Errorf("%v: %+v, %v", c.options, sr, err)
		}
	}
}

// The monitor may verify a host's signature, too.
func TestHostbasedVerify(t *testing.T) {
	for _, want := range []error{nil, errWrong} {
		s, _ := serverConfig()
		s.HostbasedAllowed = func(_ context.Context, a *HostbasedAttempt) (*Permissions, error) { a.Info = "shosts"; return nil, nil }
		s.HostbasedVerify = func(_ context.Context, a *HostbasedAttempt, data, sig []byte) error {
			parsed, err := pubkey.ParseSignature(sig)
			if err == nil {
				err = pubkey.VerifyAlgorithm(a.Key, data, parsed, a.Algorithm)
			}
			if err != nil {
				t.Error(err)
			}
			return want
		}
		var info string
		s.Log = func(l AuthLog) { info = l.Info }
		_, _, _, err := login(t, s, clientConfig(&Hostbased{Keys: []pubkey.Signer{edSigner("host")}, ClientHost: "h.", ClientUser: "u"}))
		if (err == nil) != (want == nil) || want == nil && info != `client user "u", client host "h", shosts` {
			t.Error(err, info)
		}
	}
}

// AuthenticationMethods publickey,publickey wants two keys; a certificate and
// its key are one. The refusal is a failure like others.
func TestKeysCountOnce(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	cert := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{})
	for _, c := range []struct {
		first, second pubkey.Signer
		ok            bool
	}{{one, two, true}, {one, one, false}, {one, cert, false}, {cert, one, false}, {cert, cert, false}, {cert, two, true}} {
		s, _ := serverConfig()
		s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) { return nil, nil }
		s.Methods = func(string) [][]string { return [][]string{{"publickey", "publickey"}} }
		p := hostileClient(t, s).service()
		p.send(signed(t, c.first, "ann", "", false))
		p.expectFailure("publickey", true)
		p.send(request("ann", "publickey", queryBody(c.second)))
		if c.ok {
			p.expect(wire.MsgUserauthPKOK)
		} else {
			p.expectFailure("publickey", false)
		}
		p.send(signed(t, c.second, "ann", "", false))
		if c.ok {
			p.expect(wire.MsgUserauthSuccess)
		} else {
			p.expectFailure("publickey", false)
		}
	}
}
