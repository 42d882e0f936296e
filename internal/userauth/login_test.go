package userauth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func asks(prompts ...string) func(context.Context, *Attempt, Ask) (*Permissions, error) {
	return func(ctx context.Context, _ *Attempt, ask Ask) (*Permissions, error) {
		for _, p := range prompts {
			text, want, _ := strings.Cut(p, "=")
			q := &Question{Prompts: []Prompt{{Text: text}}}
			if text == "" {
				q = &Question{Instruction: want}
			}
			got, err := ask(ctx, q)
			if err != nil {
				return nil, err
			}
			if text != "" && got[0] != want {
				return nil, errWrong
			}
		}
		return nil, nil
	}
}

// answers answers each prompt with what stands behind its text in the table.
func answersFrom(table map[string]string) func(context.Context, int, *Question) ([]string, error) {
	return func(_ context.Context, _ int, q *Question) ([]string, error) {
		var out []string
		for _, p := range q.Prompts {
			out = append(out, table[p.Text])
		}
		return out, nil
	}
}

func promptFor(passwords ...string) func(context.Context, int) (string, error) {
	return func(_ context.Context, n int) (string, error) {
		if n >= len(passwords) {
			return "", ErrSkip
		}
		return passwords[n], nil
	}
}

func TestLogins(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	cert := certSigner(t, "one", pubkey.UserCert, pubkey.Permissions{})
	keys := func(s ...pubkey.Signer) *PublicKeys {
		m := new(PublicKeys)
		for _, x := range s {
			m.Keys = append(m.Keys, key(x))
		}
		return m
	}
	now := func(s pubkey.Signer) *PublicKeys {
		return &PublicKeys{Keys: []*Key{{PublicKey: s.PublicKey(), Signer: s, SignNow: true}}}
	}
	lazy := func(s pubkey.Signer, known bool) *PublicKeys {
		k := &Key{Name: "file", Load: func(context.Context) (pubkey.Signer, error) { return s, nil }}
		if known {
			k.PublicKey = s.PublicKey()
		}
		return &PublicKeys{Keys: []*Key{k}}
	}
	pass := &Password{Prompt: promptFor("wrong", "secret")}
	kbd := &KeyboardInteractive{Challenge: answersFrom(map[string]string{"A": "1", "B": "2"})}
	host := &Hostbased{Keys: []pubkey.Signer{edSigner("host")}, ClientHost: "client.example", ClientUser: "bob"}

	for _, c := range []struct {
		name   string
		server func(*ServerConfig)
		client []Method
		more   func(*ClientConfig)
		ok     bool
		method string // completed methods, blank separated
		can    string // on failure: what can continue
	}{
		{name: "zero config", client: []Method{keys(one), pass, kbd, host}, can: ""},
		{name: "none", server: func(s *ServerConfig) {
			s.None = func(context.Context, *Attempt) (*Permissions, error) { return nil, nil }
		}, client: nil, ok: true, method: "none"},
		{name: "none refused", server: func(s *ServerConfig) { s.Password = passwordIs("x") }, can: "password"},
		{name: "key", server: func(s *ServerConfig) { s.KeyAllowed = allow(one) }, client: []Method{keys(one)}, ok: true, method: "publickey"},
		{name: "key second", server: func(s *ServerConfig) { s.KeyAllowed = allow(two) }, client: []Method{keys(one, two)}, ok: true, method: "publickey"},
		{name: "key signed at once", server: func(s *ServerConfig) { s.KeyAllowed = allow(one) }, client: []Method{now(one)}, ok: true, method: "publickey"},
		{name: "key loaded late", server: func(s *ServerConfig) { s.KeyAllowed = allow(one) }, client: []Method{lazy(one, true)}, ok: true, method: "publickey"},
		{name: "key unknown until loaded", server: func(s *ServerConfig) { s.KeyAllowed = allow(one) }, client: []Method{lazy(one, false)}, ok: true, method: "publickey"},
		{name: "key listed", server: func(s *ServerConfig) { s.KeyAllowed = allow(one) },
			client: []Method{&PublicKeys{List: func(context.Context) ([]*Key, error) { return []*Key{key(two), key(one)}, nil }}}, ok: true, method: "publickey"},
		{name: "key not allowed", server: func(s *ServerConfig) { s.KeyAllowed = allow(two) }, client: []Method{keys(one)}, can: "publickey"},
		{name: "host-bound", server: func(s *ServerConfig) {
			s.KeyAllowed = func(ctx context.Context, a *KeyAttempt) (*Permissions, error) {
				if a.Signed && !a.HostBound {
					return nil, errWrong
				}
				return allow(one)(ctx, a)
			}
		}, client: []Method{keys(one)}, more: func(c *ClientConfig) { c.HostBound = true }, ok: true, method: "publickey"},
		{name: "certificate", server: func(s *ServerConfig) { s.KeyAllowed = allow(cert) }, client: []Method{keys(cert)}, ok: true, method: "publickey"},
		{name: "rsa", server: func(s *ServerConfig) { s.KeyAllowed = allow(rsaSigner()) }, client: []Method{keys(rsaSigner())}, ok: true, method: "publickey"},
		{name: "rsa 256 only", server: func(s *ServerConfig) { s.KeyAllowed, s.SigAlgs = allow(rsaSigner()), []string{"rsa-sha2-256"} }, client: []Method{keys(rsaSigner())},
			more: func(c *ClientConfig) { c.ServerSigAlgs = []string{"ssh-ed25519", "rsa-sha2-256"} }, ok: true, method: "publickey"},
		{name: "rsa with nothing in common", server: func(s *ServerConfig) { s.KeyAllowed = allow(rsaSigner()) }, client: []Method{keys(rsaSigner())},
			more: func(c *ClientConfig) { c.ServerSigAlgs = []string{"ssh-ed25519", "ssh-rsa"} }, can: "publickey"},
		{name: "ssh-rsa where both allow it", server: func(s *ServerConfig) { s.KeyAllowed, s.SigAlgs = allow(rsaSigner()), []string{"ssh-rsa"} }, client: []Method{keys(rsaSigner())},
			more: func(c *ClientConfig) { c.SigAlgs = []string{"rsa-sha2-512", "ssh-rsa"} }, ok: true, method: "publickey"},
		{name: "password", server: func(s *ServerConfig) { s.Password = passwordIs("secret") }, client: []Method{pass}, ok: true, method: "password"},
		{name: "password, key first", server: func(s *ServerConfig) { s.Password, s.KeyAllowed = passwordIs("secret"), allow(two) },
			client: []Method{keys(one), pass}, ok: true, method: "password"},
		{name: "password tries", server: func(s *ServerConfig) { s.Password = passwordIs("never") }, client: []Method{pass}, can: "password"},
		{name: "dialogue", server: func(s *ServerConfig) { s.KeyboardInteractive = []Device{{"pam", asks("A=1", "=hello", "B=2", "=")}} },
			client: []Method{kbd}, ok: true, method: "keyboard-interactive/pam"},
		{name: "dialogue, second device", server: func(s *ServerConfig) { s.KeyboardInteractive = []Device{{"skey", asks("A=9")}, {"pam", asks("A=1")}} },
			client: []Method{kbd}, ok: true, method: "keyboard-interactive/pam"},
		{name: "dialogue, device named", server: func(s *ServerConfig) { s.KeyboardInteractive = []Device{{"skey", asks("A=1")}, {"pam", asks("B=2")}} },
			client: []Method{&KeyboardInteractive{Challenge: kbd.Challenge, Devices: "none,pam"}}, ok: true, method: "keyboard-interactive/pam"},
		{name: "dialogue without a question", server: func(s *ServerConfig) { s.KeyboardInteractive = []Device{{"pam", asks()}} },
			client: []Method{kbd}, ok: true, method: "keyboard-interactive/pam"},
		{name: "dialogue fails", server: func(s *ServerConfig) { s.KeyboardInteractive = []Device{{"pam", asks("A=x")}} },
			client: []Method{kbd}, can: "keyboard-interactive"},
		{name: "hostbased", server: func(s *ServerConfig) {
			s.HostbasedAllowed = func(_ context.Context, a *HostbasedAttempt) (*Permissions, error) {
				if a.ClientHost != "client.example" || a.ClientUser != "bob" {
					return nil, errWrong
				}
				return nil, nil
			}
		}, client: []Method{host}, ok: true, method: "hostbased"},
		{name: "both factors", server: func(s *ServerConfig) {
			s.KeyAllowed, s.Password = allow(one), passwordIs("secret")
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}} }
		}, client: []Method{pass, keys(one)}, ok: true, method: "publickey password"},
		{name: "second factor missing", server: func(s *ServerConfig) {
			s.KeyAllowed, s.Password = allow(one), passwordIs("other")
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}} }
		}, client: []Method{keys(one), pass}, can: "password"},
		{name: "either order", server: func(s *ServerConfig) {
			s.KeyAllowed, s.Password = allow(one), passwordIs("secret")
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}, {"password", "publickey"}} }
		}, client: []Method{pass, keys(one)}, ok: true, method: "password publickey"},
		{name: "two keys", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one, two)
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "publickey"}} }
		}, client: []Method{keys(one, two)}, ok: true, method: "publickey publickey"},
		{name: "one key twice", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one)
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "publickey"}} }
		}, client: []Method{keys(one, one)}, can: "publickey"},
		{name: "key and its certificate", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one, cert)
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "publickey"}} }
		}, client: []Method{keys(one, cert)}, can: "publickey"},
		{name: "key, then device", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one)
			s.KeyboardInteractive = []Device{{"skey", asks()}, {"pam", asks("A=1")}}
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "keyboard-interactive:pam"}} }
		}, client: []Method{keys(one), kbd}, ok: true, method: "publickey keyboard-interactive/pam"},
		{name: "lists with a method that does not exist", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one)
			s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}, {"publickey"}} }
		}, client: []Method{keys(one)}, ok: true, method: "publickey"},
		{name: "callback asks for more", server: func(s *ServerConfig) {
			s.Password = passwordIs("secret")
			s.KeyAllowed = func(context.Context, *KeyAttempt) (*Permissions, error) {
				return nil, &PartialSuccess{Next: [][]string{{"password"}}}
			}
		}, client: []Method{keys(one), pass}, ok: true, method: "publickey password"},
		{name: "monitor asks for more", server: func(s *ServerConfig) {
			s.Password, s.KeyAllowed = passwordIs("secret"), allow(one)
			s.KeyVerify = func(context.Context, *KeyAttempt, []byte, []byte) error {
				return &PartialSuccess{Next: [][]string{{"password"}}}
			}
		}, client: []Method{keys(one), pass}, ok: true, method: "publickey password"},
		{name: "monitor refuses", server: func(s *ServerConfig) {
			s.KeyAllowed = allow(one)
			s.KeyVerify = func(context.Context, *KeyAttempt, []byte, []byte) error { return errWrong }
		}, client: []Method{keys(one)}, can: "publickey"},
		{name: "server failure is not counted", server: func(s *ServerConfig) {
			n := 0
			s.MaxAuthTries = 1
			s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) {
				if n++; n < 3 {
					return nil, ErrServerFailure
				}
				return nil, nil
			}
		}, client: []Method{&Password{Prompt: promptFor("a", "b", "c")}}, ok: true, method: "password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := serverConfig()
			if c.server != nil {
				c.server(s)
			}
			var logged []AuthLog
			s.Log = func(l AuthLog) { logged = append(logged, l) }
			cc := clientConfig(c.client...)
			if c.more != nil {
				c.more(cc)
			}
			sr, serr, cr, cerr := login(t, s, cc)
			if !c.ok {
				var d *DeniedError
				if !errors.As(cerr, &d) || strings.Join(d.Methods, ",") != c.can {
					t.Fatalf("client: %v, want denied (%s)", cerr, c.can)
				}
				if sr != nil || serr == nil {
					t.Fatalf("server: %v, %v", sr, serr)
				}
				return
			}
			if serr != nil || cerr != nil {
				t.Fatalf("server: %v, client: %v", serr, cerr)
			}
			var names []string
			for _, m := range sr.Completed {
				n := m.Method
				if m.Submethod != "" {
					n += "/" + m.Submethod
				}
				names = append(names, n)
			}
			if got := strings.Join(names, " "); got != c.method {
				t.Errorf("completed %q, want %q", got, c.method)
			}
			last := sr.Completed[len(sr.Completed)-1]
			if sr.User != "ann" || sr.Method != last.Method || cr.Method != last.Method || len(cr.Partial) != len(names)-1 {
				t.Errorf("server %+v, client %+v", sr, cr)
			}
			if end := logged[len(logged)-1]; end.Outcome != Accepted || end.Method != last.Method || end.Submethod != last.Submethod {
				t.Errorf("last log line: %+v", end)
			}
		})
	}
}

func TestPasswordChange(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string // new passwords
		ok      bool
	}{
		{"first", []string{"new"}, true},
		{"second", []string{"weak", "new"}, true},
		{"old wrong", []string{"!new"}, false},
		{"given up", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := serverConfig()
			s.Password = func(_ context.Context, _ *Attempt, p []byte) (*Permissions, error) {
				if string(p) != "old" {
					return nil, errWrong
				}
				return nil, &PasswordChangeRequired{Prompt: "Your password has expired."}
			}
			s.ChangePassword = func(_ context.Context, _ *Attempt, old, new []byte) (*Permissions, error) {
				if string(old) != "old" {
					return nil, errWrong
				}
				if string(new) == "weak" {
					return nil, &PasswordChangeRequired{Prompt: "Too weak."}
				}
				return &Permissions{Extensions: map[string]string{"new": string(new)}}, nil
			}
			var prompts []string
			n := 0
			sr, _, _, cerr := login(t, s, clientConfig(&Password{Prompt: promptFor("old"), Change: func(_ context.Context, prompt string) (string, string, error) {
				prompts = append(prompts, prompt)
				if n++; n > len(c.answers) {
					return "", "", ErrSkip
				}
				if new, bad := strings.CutPrefix(c.answers[n-1], "!"); bad {
					return "wrong", new, nil
				}
				return "old", c.answers[n-1], nil
			}}))
			if (cerr == nil) != c.ok {
				t.Fatal(cerr)
			}
			if c.ok && (sr.Permissions.Extensions["new"] != "new" || prompts[0] != "Your password has expired." || len(prompts) != len(c.answers)) {
				t.Errorf("%+v, prompts %q", sr, prompts)
			}
		})
	}
	t.Run("server without change", func(t *testing.T) {
		s, _ := serverConfig()
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return nil, &PasswordChangeRequired{} }
		if _, _, _, err := login(t, s, clientConfig(&Password{Prompt: promptFor("old")})); err == nil {
			t.Fatal("logged in with a password that must be changed")
		}
	})
	t.Run("client without change", func(t *testing.T) {
		s, _ := serverConfig()
		s.Password = func(context.Context, *Attempt, []byte) (*Permissions, error) { return nil, &PasswordChangeRequired{} }
		s.ChangePassword = func(context.Context, *Attempt, []byte, []byte) (*Permissions, error) { return nil, nil }
		var d *DeniedError
		if _, _, _, err := login(t, s, clientConfig(&Password{Prompt: promptFor("old")})); !errors.As(err, &d) {
			t.Fatal(err)
		}
	})
}

// The whole first flight leaves together, and nothing is read behind SUCCESS.
func TestOneFlight(t *testing.T) {
	one := edSigner("one")
	s, _ := serverConfig()
	s.KeyAllowed = allow(one)
	var order []string
	a, b := pipe()
	done := make(chan *Result)
	go func() {
		r, err := Serve(context.Background(), a, s)
		if err != nil {
			t.Error(err)
		}
		if a.reads != 2 {
			t.Errorf("%d packets read", a.reads)
		}
		if len(a.queued) != 1 || a.queued[0][0] != wire.MsgUserauthSuccess {
			t.Errorf("queued %q, want SUCCESS alone", a.queued)
		}
		p, err := a.ReadPacket()
		if err != nil || p[0] != wire.MsgChannelOpen {
			t.Errorf("behind success: %v %v", p, err)
		}
		a.Close()
		done <- r
	}()
	cfg := clientConfig(&PublicKeys{Keys: []*Key{{PublicKey: one.PublicKey(), Signer: one, SignNow: true}}})
	cfg.Queued = func(q Queued) {
		order = append(order, q.Method)
		if len(b.queued) != 2 {
			t.Errorf("%d packets queued, want the service request and the authentication request", len(b.queued))
		}
		if q.Signed {
			b.WritePacket([]byte{wire.MsgChannelOpen})
		}
	}
	r, err := Authenticate(context.Background(), b, cfg)
	if err != nil || r.Method != "publickey" || strings.Join(order, ",") != "publickey" {
		t.Fatal(r, err, order)
	}
	if b.reads != 2 {
		t.Errorf("client read %d packets", b.reads)
	}
	res := <-done
	if res == nil || !pubkey.Equal(res.PublicKey, one.PublicKey()) {
		t.Fatalf("%+v", res)
	}
}

func TestBannerAndExtInfo(t *testing.T) {
	s, _ := serverConfig()
	s.Banner = func(user string) string { return "hello " + user + "\n" }
	ext := (&wire.ExtInfo{Extensions: []wire.Extension{{Name: "server-sig-algs", Value: []byte("ssh-ed25519")}}}).Append(nil)
	s.SendExtInfoInAuth = func() []byte { return ext }
	s.Password = func(_ context.Context, a *Attempt, _ []byte) (*Permissions, error) {
		return nil, a.SendBanner("last login: never")
	}
	p := hostileClient(t, s).service()
	p.send(request("ann:style", "none", nil))
	var b wire.UserauthBanner
	if err := b.Decode(p.expect(wire.MsgUserauthBanner)); err != nil || b.Message != "hello ann\n" {
		t.Fatal(b, err)
	}
	if got := p.expect(wire.MsgExtInfo); string(got) != string(ext) {
		t.Fatalf("%q", got)
	}
	p.expectFailure("password", false)
	p.send(request("ann:style", "password", passwordBody("x")))
	b.Decode(p.expect(wire.MsgUserauthBanner))
	if b.Message != "last login: never" {
		t.Fatal(b)
	}
	p.expect(wire.MsgUserauthSuccess)
	p.wait()
	if p.err != nil || p.result.User != "ann" || p.result.Style != "style" {
		t.Fatalf("%+v, %v", p.result, p.err)
	}
}

func TestForUser(t *testing.T) {
	s, _ := serverConfig()
	s.Password = passwordIs("secret")
	calls := 0
	s.ForUser = func(_ context.Context, u User) (*ServerConfig, error) {
		calls++
		switch u.Name {
		case "key":
			own := *s
			own.Password, own.KeyAllowed = nil, allow(edSigner("one"))
			own.Banner = func(string) string { return "keys only" }
			own.MaxAuthTries = 2
			own.SessionID, own.HostKey = []byte("x"), nil // not theirs to change
			return &own, nil
		case "out":
			return nil, &wire.DisconnectError{Reason: wire.ReasonByApplication, Message: "go away"}
		}
		return nil, nil
	}
	p := hostileClient(t, s).service()
	p.send(request("key", "none", nil))
	p.expect(wire.MsgUserauthBanner)
	p.expectFailure("publickey", false)
	p.send(request("key", "password", passwordBody("secret")))
	p.expectFailure("publickey", false)
	p.send(signed(t, edSigner("one"), "key", "", true))
	p.expect(wire.MsgUserauthSuccess)
	p.wait()
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}

	p = hostileClient(t, s).service()
	p.send(request("ann", "none", nil))
	p.expectFailure("password", false)

	p = hostileClient(t, s).service()
	p.send(request("out", "none", nil))
	p.expectEnd(wire.ReasonByApplication)
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a, b := pipe()
	s, _ := serverConfig()
	if _, err := Serve(ctx, a, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Authenticate(ctx, b, clientConfig()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Serve(context.Background(), a, &ServerConfig{}); err == nil {
		t.Error("an incomplete configuration was taken")
	}
	if _, err := Serve(context.Background(), a, nil); err == nil {
		t.Error("no configuration was taken")
	}
	if _, err := Authenticate(context.Background(), a, nil); err == nil {
		t.Error("no configuration was taken")
	}
}

func TestTrace(t *testing.T) {
	one, two := edSigner("one"), edSigner("two")
	s, _ := serverConfig()
	s.KeyAllowed, s.Password = allow(one), passwordIs("secret")
	s.Methods = func(string) [][]string { return [][]string{{"publickey", "password"}} }
	c := clientConfig(&PublicKeys{Keys: []*Key{{PublicKey: two.PublicKey(), Signer: two, Name: "/k/two", Words: " explicit"},
		{Load: func(context.Context) (pubkey.Signer, error) { return nil, ErrSkip }, Name: "/k/none"},
		{PublicKey: one.PublicKey(), Signer: one, Name: "/k/one", Words: " agent"}}}, &Password{Prompt: promptFor("secret")})
	c.NoneFirst = true
	var got []string
	c.Trace = func(e Event) { got = append(got, e.Text(func(pubkey.PublicKey) string { return "FP" })) }
	if _, serr, _, cerr := login(t, s, c); serr != nil || cerr != nil {
		t.Fatal(serr, cerr)
	}
	want := []string{
		"SSH2_MSG_SERVICE_ACCEPT received",
		"Authentications that can continue: publickey",
		"Next authentication method: publickey",
		"Offering public key: /k/two ED25519 FP explicit",
		"Authentications that can continue: publickey",
		"Trying private key: /k/none",
		"Offering public key: /k/one ED25519 FP agent",
		"Server accepts key: /k/one ED25519 FP agent",
		`Authenticated using "publickey" with partial success.`,
		"Authentications that can continue: password",
		"Next authentication method: password",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
