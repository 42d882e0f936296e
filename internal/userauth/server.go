package userauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// User is the user name of a request: what stands before the first colon, and
// the style behind it.
type User struct{ Name, Style string }

// String is the name as it was sent.
func (u User) String() string {
	if u.Style == "" {
		return u.Name
	}
	return u.Name + ":" + u.Style
}

// ServerConfig says who may log in and how. The zero value lets nobody in, and
// a method whose callback is nil does not exist (AUT-25).
//
// A method's callback returns nil permissions and a nil error for success
// without restrictions, and an error for failure. Some errors mean more:
//
//   - *[PartialSuccess]: the method succeeded, but others must too.
//   - *[PasswordChangeRequired], from Password and ChangePassword only.
//   - [ErrServerFailure], wrapped: a failure that is not the client's fault
//     and not counted against MaxAuthTries.
//   - [ErrTooManyFailures], wrapped: the connection ends as at MaxAuthTries.
//   - *wire.DisconnectError or *[FatalError], wrapped: the connection ends,
//     with or without a DISCONNECT.
//
// Every other error's text reaches Log and nobody else. Callbacks run one at a
// time, on the goroutine that called Serve.
type ServerConfig struct {
	// SessionID is the session identifier, HostKey the blob of the host key
	// that the first key exchange used.
	SessionID, HostKey []byte
	// Service is the service that starts after success; empty means
	// ssh-connection.
	Service string
	// RemoteAddr is the peer's address, for source-address. The zero value
	// matches no such restriction.
	RemoteAddr netip.Addr

	// MaxAuthTries is the number of failures at which the connection ends; 0
	// means DefaultMaxAuthTries, less that nobody may try.
	MaxAuthTries int
	// MaxRequests bounds all messages that are answered; 0 means
	// DefaultMaxRequests.
	MaxRequests int

	// SigAlgs are the algorithms a publickey request may name
	// (PubkeyAcceptedAlgorithms), HostbasedAlgs those of a hostbased one; nil
	// means the defaults. Names are compared as a whole.
	SigAlgs, HostbasedAlgs []string
	// MinRSABits is the smallest RSA key taken; 0 means pubkey.MinRSABits.
	MinRSABits int
	// PermitEmptyPasswords lets an empty password reach Password.
	PermitEmptyPasswords bool
	// CriticalOptions names further critical options that the caller enforces;
	// one that nobody knows makes the attempt fail.
	CriticalOptions []string

	// ForUser, if set, is asked once, when the first request has named the
	// user, for the configuration to go on with: usually a changed copy. Nil
	// means this one. An error ends the connection. It must answer the same
	// way for users that do not exist.
	ForUser func(ctx context.Context, u User) (*ServerConfig, error)
	// Banner is sent before the answer to the first request; "" for none. It
	// should not depend on whether the user exists (AUT-11).
	Banner func(user string) string
	// SendExtInfoInAuth returns the EXT_INFO payload that follows the banner
	// when the client asked for one (ext-info-in-auth@openssh.com), nil for
	// none.
	SendExtInfoInAuth func() []byte
	// Methods are the lists of methods that must all succeed, in order; one
	// list is enough. Nil means any one method. See ParseMethodLists.
	Methods func(user string) [][]string

	// None is the none method.
	None func(ctx context.Context, a *Attempt) (*Permissions, error)
	// Password checks a password of 1 to MaxPassword bytes without NUL. The
	// slice is cleared afterwards.
	Password func(ctx context.Context, a *Attempt, password []byte) (*Permissions, error)
	// ChangePassword changes a password and logs in with the new one, as
	// answer to PasswordChangeRequired.
	ChangePassword func(ctx context.Context, a *Attempt, old, new []byte) (*Permissions, error)
	// KeyAllowed says whether the key may log the user in, for queries and for
	// signed requests alike. Its permissions count only if the signature of
	// the same request is then verified.
	KeyAllowed func(ctx context.Context, a *KeyAttempt) (*Permissions, error)
	// KeyVerify, if set, verifies instead of this package: data is what the
	// signature is over, sig the signature blob, whose format was checked
	// against a.Algorithm. It is asked only after KeyAllowed said yes. A
	// monitor that decides elsewhere plugs in here.
	KeyVerify func(ctx context.Context, a *KeyAttempt, data, sig []byte) error
	// KeyboardInteractive are the devices, in order of preference.
	KeyboardInteractive []Device
	// HostbasedAllowed and HostbasedVerify are KeyAllowed and KeyVerify for
	// the client's host key.
	HostbasedAllowed func(ctx context.Context, a *HostbasedAttempt) (*Permissions, error)
	HostbasedVerify  func(ctx context.Context, a *HostbasedAttempt, data, sig []byte) error

	// Authorize, if set, has the last word when the methods are complete,
	// whatever they were: account checks, a monitor's consent (AUT-20). An
	// error makes the attempt fail like a method's.
	Authorize func(ctx context.Context, a *Attempt, r *Result) error

	// Now is the clock and Sleep waits; failures are padded with them. Both
	// must be set. DelaySecret is a random number of this host that stays the
	// same, so that a user's padding does.
	Now         func() time.Time
	Sleep       func(ctx context.Context, d time.Duration) error
	DelaySecret uint64

	// Log is told every attempt before its answer leaves.
	Log func(AuthLog)
}

var errConfig = errors.New("userauth: server configuration lacks SessionID, Now or Sleep")

func (cfg *ServerConfig) complete() error {
	if len(cfg.SessionID) == 0 || cfg.Now == nil || cfg.Sleep == nil {
		return errConfig
	}
	return nil
}

// enabled reports whether a method exists.
func (cfg *ServerConfig) enabled(method string) bool {
	switch method {
	case methodNone:
		return cfg.None != nil
	case methodPublicKey:
		return cfg.KeyAllowed != nil
	case methodPassword:
		return cfg.Password != nil
	case methodInteractive:
		for _, d := range cfg.KeyboardInteractive {
			if d.Authenticate != nil {
				return true
			}
		}
	case methodHostbased:
		return cfg.HostbasedAllowed != nil
	}
	return false
}

func (cfg *ServerConfig) service() string {
	if cfg.Service == "" {
		return serviceConnection
	}
	return cfg.Service
}

func (cfg *ServerConfig) maxTries() int {
	if cfg.MaxAuthTries == 0 {
		return DefaultMaxAuthTries
	}
	return cfg.MaxAuthTries
}

func (cfg *ServerConfig) maxRequests() int {
	if cfg.MaxRequests <= 0 {
		return DefaultMaxRequests
	}
	return cfg.MaxRequests
}

// Attempt is the request that a callback decides on.
type Attempt struct {
	User   User
	Method string
	// Info is added by the callback to AuthLog and Completed, for example
	// where a key was found.
	Info string

	s *server
}

// SendBanner sends text to the user before the answer to this attempt.
func (a *Attempt) SendBanner(text string) error { return a.s.banner(text) }

// PartialSuccess is returned by a callback whose method succeeded but does not
// suffice. Next are the lists of methods that remain, as for
// ServerConfig.Methods; at least one must be possible, else the attempt fails.
type PartialSuccess struct {
	Permissions *Permissions
	Next        [][]string
}

func (e *PartialSuccess) Error() string { return "userauth: further methods are required" }

// FatalError is returned by a callback to end the connection without an
// answer.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return "userauth: connection refused: " + e.Err.Error() }

// Unwrap is the cause.
func (e *FatalError) Unwrap() error { return e.Err }

// ErrServerFailure is wrapped by callbacks when the server is to blame.
var ErrServerFailure = errors.New("userauth: the server could not decide")

// Outcome is what became of an attempt.
type Outcome uint8

// Outcomes, in OpenSSH's words.
const (
	Failed    Outcome = iota
	Accepted          // the user is logged in
	Partial           // the method succeeded, others must too
	Postponed         // the answer is a question: PK_OK, a prompt, a password change
)

func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "Accepted"
	case Partial:
		return "Partial"
	case Postponed:
		return "Postponed"
	}
	return "Failed"
}

// AuthLog is one attempt, for logs that other programs read: "Outcome Method/
// Submethod for User …: Key, Info". What came from the peer is raw.
type AuthLog struct {
	Outcome           Outcome
	User              User
	Method, Submethod string           // Method is cut at MaxMethodName bytes
	Key               pubkey.PublicKey // of publickey and hostbased, once it could be parsed
	Algorithm         string           // declared with Key
	Info              string           // Attempt.Info; for hostbased the client's user and host
	Err               error            // why it failed; never told to the peer
	Failures          int              // that were counted before this attempt
	MaxTries          int
}

// Completed is one method that succeeded.
type Completed struct {
	Method, Submethod string
	Key               pubkey.PublicKey // verified
	Info              string
}

// Result is a successful authentication.
type Result struct {
	User        string // without style
	Style       string
	Method      string           // the last one
	Permissions *Permissions     // the strictest union of all methods; nil if none said anything
	PublicKey   pubkey.PublicKey // the key verified last, nil without one
	Completed   []Completed      // in order, the last included
}

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
	left    remaining

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
		s.left.any = true
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
		s.left.any = true
		return nil
	}
	if s.left.lists = s.possible(lists); len(s.left.lists) == 0 {
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

// errors of attempts; they reach the log only.
var (
	errMethod = errors.New("userauth: method does not exist or is not allowed now")
	errUser   = errors.New("userauth: user name is too long or holds control bytes")
)

// try lets the method decide.
func (s *server) try(ctx context.Context, m *wire.UserauthRequest, body any) *attempt {
	r := &attempt{method: m.Method}
	if r.method == methodHostBound {
		r.method = methodPublicKey
	}
	if len(r.method) > MaxMethodName {
		r.method = r.method[:MaxMethodName]
	}
	if !s.cfg.enabled(r.method) || !s.left.allows(r.method, "") || s.cfg.maxTries() < 0 {
		r.err = errMethod
		return r
	}
	r.secret = r.method == methodPassword || r.method == methodInteractive
	if s.bad {
		r.err = errUser
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
				s.left = remaining{lists: next}
			}
		}
	} else if r.outcome == Accepted {
		if s.admit(r); r.outcome == Accepted {
			finished, found := s.left.complete(r.method, r.submethod)
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
		r.outcome, r.err = Failed, errUser
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
		if s.cfg.enabled(name) && s.left.allows(name, "") {
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
