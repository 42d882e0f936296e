package userauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Serve authenticates the client behind c. It takes the service request and
// then authentication requests until one succeeds, reads nothing behind that
// one, and leaves SUCCESS queued for the next Flush or ReadPacket, so that
// more may go with it.
//
// The error says why there is no login. If it holds a *wire.DisconnectError,
// the caller sends that DISCONNECT.
func Serve(ctx context.Context, c Conn, cfg *ServerConfig) (*Result, error) {
	if cfg == nil {
		return nil, errConfig
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &server{c: c, cfg: cfg}
	if err := s.awaitService(ctx); err != nil {
		return nil, err
	}
	for {
		p, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		done, err := s.request(ctx, p)
		if err != nil {
			return nil, err
		}
		if done {
			return s.result(), nil
		}
	}
}

// server is the state of one authentication.
type server struct {
	c   Conn
	cfg *ServerConfig

	// Of the first request.
	begun   bool
	user    User
	service string
	bad     bool // the name cannot be anybody's: every attempt fails
	left    MethodLists

	start    time.Time // when the message that is being answered was read
	requests int       // messages since the service request
	first    bool      // the first authentication request is being answered
	failures int

	held []byte // a request that came in place of an INFO_RESPONSE

	sent      string // the user as sent in the request that is being answered
	perms     *Permissions
	used      []string // plain blobs of the keys that were verified
	completed []Completed
	fatal     error // of the connection, found while a callback was running
}

func (s *server) result() *Result {
	r := &Result{User: s.user.Name, Style: s.user.Style, Permissions: s.perms, Completed: s.completed}
	for _, c := range s.completed {
		r.Method = c.Method
		if c.Key != nil && c.Method == methodPublicKey {
			r.PublicKey = c.Key
		}
	}
	return r
}

// awaitService takes the one service request that may come first.
func (s *server) awaitService(ctx context.Context) error {
	p, err := readPacket(ctx, s.c)
	if err != nil {
		return err
	}
	if judge(serverService, p[0]) != process {
		return unexpected(p[0])
	}
	return s.acceptService(p)
}

func (s *server) acceptService(p []byte) error {
	r := wire.NewReader(p[1:])
	name := r.Text()
	if err := r.Done(); err != nil {
		return malformed("service request", err)
	}
	if name != serviceUserauth {
		return wire.Disconnectf(wire.ReasonServiceNotAvailable, "bad service request %s", printable(name, MaxMethodName))
	}
	return s.c.WritePacket(wire.AppendText([]byte{wire.MsgServiceAccept}, serviceUserauth))
}

// read reads the next message that state st lets through and counts it.
func (s *server) read(ctx context.Context, st state) ([]byte, error) {
	for {
		p, err := readPacket(ctx, s.c)
		if err != nil {
			return nil, err
		}
		s.start = s.cfg.Now()
		v := judge(st, p[0])
		if v == refuse {
			return nil, unexpected(p[0])
		}
		if s.requests++; s.requests > s.cfg.maxRequests() {
			return nil, tooMany()
		}
		if v == process {
			return p, nil
		}
		if err := unimplemented(s.c, p[0]); err != nil {
			return nil, err
		}
	}
}

// next returns the next authentication request.
func (s *server) next(ctx context.Context) ([]byte, error) {
	for {
		p := s.held
		s.held = nil
		if p == nil {
			var err error
			if p, err = s.read(ctx, serverRequest); err != nil {
				return nil, err
			}
		}
		if p[0] == wire.MsgUserauthRequest {
			return p, nil
		}
		if err := s.acceptService(p); err != nil {
			return nil, err
		}
	}
}

func tooMany() error {
	return &wire.DisconnectError{Reason: wire.ReasonProtocolError,
		Message: "Too many authentication failures", Err: ErrTooManyFailures}
}

// request answers one USERAUTH_REQUEST. It is decoded to its end before
// anything is looked up (AUT-11).
func (s *server) request(ctx context.Context, p []byte) (done bool, err error) {
	var m wire.UserauthRequest
	if err := m.Decode(p); err != nil {
		return false, malformed("authentication request", err)
	}
	body, err := s.decode(m.Method, m.Rest)
	if err != nil {
		return false, err
	}
	name, style, _ := strings.Cut(m.User, ":")
	s.sent = m.User
	s.first = !s.begun
	if s.first {
		if err := s.begin(ctx, User{name, style}, &m); err != nil {
			return false, err
		}
	} else if name != s.user.Name || m.Service != s.service {
		return false, wire.Disconnectf(wire.ReasonProtocolError,
			"Change of username or service not allowed: (%s,%s) -> (%s,%s)",
			printable(s.user.Name, MaxUserName), printable(s.service, MaxMethodName),
			printable(name, MaxUserName), printable(m.Service, MaxMethodName))
	}
	s.user.Style = style
	s.bad = s.bad || badName(m.User)
	r := s.try(ctx, &m, body)
	return s.finish(ctx, r)
}

// decode decodes the fields of the method, nil for a method nobody knows.
func (s *server) decode(method string, rest []byte) (body any, err error) {
	switch method {
	case methodNone:
		if len(rest) > 0 {
			err = wire.ErrTrailing
		}
	case methodPublicKey, methodHostBound:
		b := &publicKeyRequest{hostBound: method == methodHostBound}
		body, err = b, b.decode(rest)
		if err == nil && b.hostBound && string(b.hostKey) != string(s.cfg.HostKey) {
			return nil, protocolError("authentication request is bound to another host key")
		}
	case methodPassword:
		b := new(passwordRequest)
		body, err = b, b.decode(rest)
	case methodInteractive:
		b := new(interactiveRequest)
		body, err = b, b.decode(rest)
	case methodHostbased:
		b := new(hostbasedRequest)
		body, err = b, b.decode(rest)
	}
	if err != nil {
		return nil, malformed(method+" request", err)
	}
	return body, nil
}

// begin looks at the user once, at the first request, and sends what goes
// before its answer.
func (s *server) begin(ctx context.Context, u User, m *wire.UserauthRequest) error {
	s.begun, s.user, s.service = true, u, m.Service
	if m.Service != s.cfg.service() {
		return wire.Disconnectf(wire.ReasonServiceNotAvailable, "service %s is not available", printable(m.Service, MaxMethodName))
	}
	if badName(m.User) {
		s.left.Any = true
		return nil
	}
	if s.cfg.ForUser != nil {
		cfg, err := s.cfg.ForUser(ctx, u)
		if err != nil {
			return fmt.Errorf("userauth: user: %w", err)
		}
		if cfg != nil {
			own := *cfg
			own.SessionID, own.HostKey, own.ForUser = s.cfg.SessionID, s.cfg.HostKey, nil
			if err := own.complete(); err != nil {
				return err
			}
			s.cfg = &own
		}
	}
	if s.cfg.Banner != nil {
		if text := s.cfg.Banner(u.Name); text != "" {
			if err := s.banner(text); err != nil {
				return err
			}
		}
	}
	if s.cfg.SendExtInfoInAuth != nil {
		if p := s.cfg.SendExtInfoInAuth(); p != nil {
			if err := s.c.WritePacket(p); err != nil {
				return err
			}
		}
	}
	var lists [][]string
	if s.cfg.Methods != nil {
		lists = s.cfg.Methods(u.Name)
	}
	if lists == nil {
		s.left.Any = true
		return nil
	}
	if s.left.Lists = s.possible(lists); len(s.left.Lists) == 0 {
		return wire.Disconnectf(wire.ReasonNoMoreAuthMethods, "no authentication methods enabled")
	}
	return nil
}

// badName reports a name that no account has, whatever the account database
// says of it (AUT-14, AUT-15). Nobody is asked about it.
func badName(name string) bool { return len(name) > MaxUserName || control(name) }

// possible drops the lists that hold a method that does not exist, and empty
// ones.
func (s *server) possible(lists [][]string) [][]string {
	var out [][]string
	for _, l := range lists {
		ok := len(l) > 0
		for _, entry := range l {
			name, _, _ := strings.Cut(entry, ":")
			ok = ok && s.cfg.enabled(name)
		}
		if ok {
			out = append(out, l)
		}
	}
	return out
}

func (s *server) banner(text string) error {
	m := wire.UserauthBanner{Message: text}
	return s.c.WritePacket(m.Append(nil))
}

// attempt is what is known of an answer that is being made.
type attempt struct {
	outcome           Outcome // Failed, Accepted (the method succeeded) or Postponed
	method, submethod string
	key               pubkey.PublicKey
	algorithm, info   string
	perms             *Permissions
	err               error
	secret            bool // failures leave on the grid
	dropped           bool // the client went on to another request: no answer, no failure
}

// ErrUserName is the log's reason for every failure of a user name that is
// longer than MaxUserName or holds control bytes. ForUser is not asked about
// it.
var ErrUserName = errors.New("userauth: user name is too long or holds control bytes")

var errMethod = errors.New("userauth: method does not exist or is not allowed now")

// try lets the method decide.
func (s *server) try(ctx context.Context, m *wire.UserauthRequest, body any) *attempt {
	r := &attempt{method: m.Method}
	if r.method == methodHostBound {
		r.method = methodPublicKey
	}
	if len(r.method) > MaxMethodName {
		r.method = r.method[:MaxMethodName]
	}
	if !s.cfg.enabled(r.method) || !s.left.Allows(r.method, "") || s.cfg.maxTries() < 0 {
		r.err = errMethod
		return r
	}
	r.secret = r.method == methodPassword || r.method == methodInteractive
	if s.bad {
		r.err = ErrUserName
		return r
	}
	a := Attempt{User: s.user, Method: r.method, s: s}
	switch b := body.(type) {
	case nil:
		s.none(ctx, r, &a)
	case *publicKeyRequest:
		s.publicKey(ctx, r, a, m, b)
	case *passwordRequest:
		s.password(ctx, r, &a, b)
	case *interactiveRequest:
		s.interactive(ctx, r, a, b)
	case *hostbasedRequest:
		s.hostbased(ctx, r, a, m, b)
	}
	return r
}

// decided takes a callback's answer over.
func (r *attempt) decided(perms *Permissions, err error) {
	r.outcome, r.perms, r.err = Accepted, perms, err
	if err != nil {
		r.outcome = Failed
	}
}

// ends finds an error that ends the connection instead of the attempt.
func (s *server) ends(ctx context.Context, err error) error {
	if s.fatal != nil {
		return s.fatal
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("userauth: %w", err)
	}
	var d *wire.DisconnectError
	var f *FatalError
	if errors.As(err, &d) || errors.As(err, &f) {
		return err
	}
	return nil
}

// finish settles an attempt: log, permissions, lists, answer.
func (s *server) finish(ctx context.Context, r *attempt) (done bool, err error) {
	if r.outcome != Accepted {
		if err := s.ends(ctx, r.err); err != nil {
			return false, err
		}
	}
	if r.dropped {
		return false, nil
	}
	var ps *PartialSuccess
	if r.outcome == Failed && errors.As(r.err, &ps) {
		if next := s.possible(ps.Next); len(next) > 0 {
			r.outcome, r.perms = Partial, ps.Permissions
			if s.admit(r); r.outcome == Partial {
				s.left = MethodLists{Lists: next}
			}
		}
	} else if r.outcome == Accepted {
		if s.admit(r); r.outcome == Accepted {
			finished, found := s.left.Complete(r.method, r.submethod)
			switch {
			case !found:
				r.outcome, r.err = Failed, errMethod
			case !finished:
				r.outcome = Partial
			case s.cfg.Authorize != nil:
				if err := s.authorize(ctx, r); err != nil {
					r.outcome, r.err = Failed, err
					if err := s.ends(ctx, err); err != nil {
						return false, err
					}
				}
			}
		}
	}
	switch r.outcome {
	case Accepted:
		s.complete(r)
		s.log(r)
		return true, s.c.WritePacket([]byte{wire.MsgUserauthSuccess})
	case Partial:
		s.complete(r)
		s.log(r)
		return false, s.failure(true)
	case Postponed:
		s.log(r)
		return false, nil
	}
	return false, s.fail(ctx, r)
}

// admit checks the permissions of a method that succeeded and adds them to
// those of the others; if that cannot be, the attempt fails.
func (s *server) admit(r *attempt) {
	err := r.perms.check(s.cfg.RemoteAddr, s.cfg.CriticalOptions)
	var all *Permissions
	if err == nil {
		all, err = restrict(s.perms, r.perms)
	}
	switch {
	case s.bad:
		r.outcome, r.err = Failed, ErrUserName
	case err != nil:
		r.outcome, r.err = Failed, err
	default:
		// Taken over by complete.
		r.perms, r.err = all, nil
	}
}

// authorize shows the result that r would give.
func (s *server) authorize(ctx context.Context, r *attempt) error {
	then := *s
	then.completed = s.completed[:len(s.completed):len(s.completed)]
	then.complete(r)
	a := &Attempt{User: s.user, Method: r.method, Info: r.info, s: s}
	err := s.cfg.Authorize(ctx, a, then.result())
	r.info = a.Info
	return err
}

func (s *server) complete(r *attempt) {
	s.perms = r.perms
	if r.key != nil && r.method == methodPublicKey {
		s.used = append(s.used, plainBlob(r.key))
	}
	s.completed = append(s.completed, Completed{r.method, r.submethod, r.key, r.info})
}

// fail pads, logs, counts and answers a failure. The first none is free.
func (s *server) fail(ctx context.Context, r *attempt) error {
	if err := s.pad(ctx, r); err != nil {
		return err
	}
	s.log(r)
	if errors.Is(r.err, ErrTooManyFailures) {
		return tooMany()
	}
	if !(s.first && r.method == methodNone) && !errors.Is(r.err, ErrServerFailure) {
		s.failures++
	}
	if s.failures >= s.cfg.maxTries() {
		return tooMany()
	}
	return s.failure(false)
}

func (s *server) pad(ctx context.Context, r *attempt) error {
	if r.method == methodNone {
		return nil
	}
	user := userDelay(s.cfg.DelaySecret, s.user.Name)
	elapsed := s.cfg.Now().Sub(s.start)
	d := failurePad(elapsed, user)
	if r.secret {
		d = gridPad(elapsed, user)
	}
	if d <= 0 {
		return nil
	}
	if err := s.cfg.Sleep(ctx, d); err != nil {
		return fmt.Errorf("userauth: %w", err)
	}
	return nil
}

// failure names the methods that can continue.
func (s *server) failure(partial bool) error {
	m := wire.UserauthFailure{PartialSuccess: partial}
	for _, name := range reported {
		if s.cfg.enabled(name) && s.left.Allows(name, "") {
			m.Methods = append(m.Methods, name)
		}
	}
	return s.c.WritePacket(m.Append(nil))
}

func (s *server) log(r *attempt) {
	if s.cfg.Log == nil {
		return
	}
	s.cfg.Log(AuthLog{Outcome: r.outcome, User: s.user, Method: r.method, Submethod: r.submethod,
		Key: r.key, Algorithm: r.algorithm, Info: r.info, Err: r.err,
		Failures: s.failures, MaxTries: s.cfg.maxTries()})
}
