package userauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// ClientConfig says who logs in and how.
type ClientConfig struct {
	// SessionID is the session identifier, HostKey the blob of the host key
	// that the first key exchange used.
	SessionID, HostKey []byte
	User               string
	// Service is the service wanted after success; empty means ssh-connection.
	Service string

	// Methods are tried in this order, of those that the server names.
	// Of several with the same name only the first is used.
	Methods []Method
	// NoneFirst asks for the server's methods before anything else. Without
	// it that is done only if the first method would have to ask the user, or
	// has no key to offer.
	NoneFirst bool

	// SigAlgs are the algorithms keys may be used with, in order
	// (PubkeyAcceptedAlgorithms); nil means the defaults.
	SigAlgs []string
	// ServerSigAlgs is what the server's EXT_INFO says (server-sig-algs, RFC
	// 8308 §3.1), nil if it said nothing. HostBound is set if it announced
	// publickey-hostbound@openssh.com and the user wants it.
	ServerSigAlgs []string
	HostBound     bool
	// Extensions, if set, is asked for both before every request with a key,
	// because a second EXT_INFO may come during authentication.
	Extensions func() (serverSigAlgs []string, hostBound bool)

	// RefuseTrivial makes success an error if the server asked for no proof:
	// none, a query answered with success, or a dialogue without a prompt
	// (AUT-3).
	RefuseTrivial bool

	// Banner is given the server's text, raw: escape it for a terminal. At
	// most MaxBannerBytes of MaxBanners banners arrive; one more banner ends
	// the connection (CLI-7).
	Banner func(text string)
	// Queued is called right after a request was queued and before it leaves.
	// What the caller queues then goes in the same flight.
	Queued func(q Queued)
	// Refused is called when the server has refused a request, or has taken it
	// and wants more. An error ends Authenticate.
	Refused func() error
	// Trace is told what happens, in OpenSSH's terms.
	Trace func(Event)
}

// Queued is a request that waits to be sent.
type Queued struct {
	Method string
	Signed bool // publickey or hostbased with a signature: nothing further is asked for
	Key    *Key // of publickey
}

// Method is one of None, PublicKeys, Password, KeyboardInteractive and
// Hostbased.
type Method interface {
	// Name is the method's name in lists.
	Name() string
	// start says whether the method could make the very first request.
	start(ctx context.Context, c *client) (readiness, error)
	// try makes one attempt. It answers exhausted if there is nothing (more)
	// to try; then no request is waiting for an answer.
	try(ctx context.Context, c *client) (reply, error)
}

// readiness is what a method could do before anything is known of the server.
type readiness uint8

const (
	idle   readiness = iota // it has nothing to try
	waits                   // it would ask the user, or give something away: the server's word first
	prompt                  // it can send a request at once
)

// ErrSkip is returned by the functions of a method to give up what was asked:
// the key, or the method. Any other error ends Authenticate.
var ErrSkip = errors.New("userauth: skipped")

// DeniedError says that the server did not let us in and no method is left.
type DeniedError struct {
	Methods []string // that the server would have taken, in its order
	Partial []string // that succeeded
}

func (e *DeniedError) Error() string {
	return "userauth: permission denied (" + strings.Join(e.Methods, ",") + ")"
}

// ErrTrivial is the error for a success that RefuseTrivial refuses.
var ErrTrivial = errors.New("userauth: server asked for no proof and RefuseTrivial is set")

// ErrTooManyRounds is wrapped when a server goes on asking without an end.
var ErrTooManyRounds = errors.New("userauth: server asks for authentication without an end")

// ClientResult is a successful authentication.
type ClientResult struct {
	Method  string   // the last one
	Partial []string // those before it
}

// Authenticate requests the service and then tries cfg.Methods until the
// server is satisfied. The service request and the first authentication
// request leave in one flight. Nothing behind SUCCESS is read.
//
// A *[DeniedError] means that all methods were tried. If an error holds a
// *wire.DisconnectError, the caller sends that DISCONNECT.
func Authenticate(ctx context.Context, conn Conn, cfg *ClientConfig) (*ClientResult, error) {
	if cfg == nil || len(cfg.SessionID) == 0 {
		return nil, errors.New("userauth: client configuration lacks SessionID")
	}
	c := &client{c: conn, cfg: cfg, state: clientService}
	if err := conn.WritePacket(wire.AppendText([]byte{wire.MsgServiceRequest}, serviceUserauth)); err != nil {
		return nil, err
	}
	for {
		m, err := c.choose(ctx)
		if err != nil {
			return nil, err
		}
		if m == nil {
			c.trace(Event{Kind: TraceNoMoreMethods})
			return nil, &DeniedError{Methods: c.server, Partial: c.partial}
		}
		r, err := m.try(ctx, c)
		if err != nil {
			return nil, err
		}
		switch r {
		case success:
			if c.trivial && !c.proved && cfg.RefuseTrivial {
				return nil, ErrTrivial
			}
			return &ClientResult{Method: m.Name(), Partial: c.partial}, nil
		case exhausted:
			c.spent = append(c.spent, m.Name())
		}
	}
}

// reply is what became of an attempt.
type reply uint8

const (
	exhausted reply = iota
	success
	failure  // c.server names what can continue
	question // a message 60 of the method
)

// client is the state of one authentication.
type client struct {
	c   Conn
	cfg *ClientConfig

	state   state
	waiting string // the method whose request has no answer yet
	asking  bool   // and which may be answered by message 60

	server  []string // methods that can continue, as the server said last
	known   bool     // it said so
	current string   // method announced by TraceNextMethod
	spent   []string // methods that are exhausted
	noned   bool     // none was tried
	partial []string
	rounds  int
	trivial bool // the request that was answered last held no proof
	proved  bool // one before it did, with partial success

	banners, bannerBytes int

	keys        []keyState // of PublicKeys
	keysListed  bool
	used        []string // plain blobs that gave a partial success
	lastKey     string   // of the signed request that is waiting
	passwords   int
	dialogues   int
	sawQuestion bool
	hostKeys    int
}

func (c *client) service() string {
	if c.cfg.Service == "" {
		return serviceConnection
	}
	return c.cfg.Service
}

// choose picks the next method: the first of the user's order that the server
// would take and that has something to try. As long as nothing is known of the
// server, only a method that asks the user nothing is a good guess; else none
// asks the server first.
func (c *client) choose(ctx context.Context) (Method, error) {
	if !c.known {
		if !c.noned && c.cfg.NoneFirst {
			return c.none(), nil
		}
		for _, m := range c.cfg.Methods {
			if slices.Contains(c.spent, m.Name()) {
				continue
			}
			ready, err := m.start(ctx, c)
			if err != nil {
				return nil, err
			}
			if ready == prompt {
				c.announce(m.Name())
				return m, nil
			}
			if ready == waits {
				break
			}
		}
		if !c.noned {
			return c.none(), nil
		}
		return nil, nil
	}
	for _, m := range c.cfg.Methods {
		if slices.Contains(c.server, m.Name()) && !slices.Contains(c.spent, m.Name()) {
			c.announce(m.Name())
			return m, nil
		}
	}
	return nil, nil
}

func (c *client) none() Method {
	c.noned = true
	return None{}
}

func (c *client) announce(method string) {
	if c.current != method {
		c.current = method
		c.trace(Event{Kind: TraceNextMethod, Method: method})
	}
}

// send queues a request and says whether message 60 may answer it.
func (c *client) send(q Queued, method string, body []byte, asking, secret bool) error {
	m := wire.UserauthRequest{User: c.cfg.User, Service: c.service(), Method: method, Rest: body}
	p := m.Append(make([]byte, 0, 64+len(c.cfg.User)+len(body)))
	var err error
	if secret {
		err = writeSecret(c.c, p)
		clear(p)
	} else {
		err = c.c.WritePacket(p)
	}
	if err != nil {
		return err
	}
	c.waiting, c.asking, c.trivial, c.lastKey = q.Method, asking, true, ""
	if c.cfg.Queued != nil {
		c.cfg.Queued(q)
	}
	return nil
}

// await reads until the request that is waiting has its answer (AUT-3). p is
// message 60 if the answer is a question.
func (c *client) await(ctx context.Context) (r reply, p []byte, err error) {
	for {
		if p, err = readPacket(ctx, c.c); err != nil {
			return 0, nil, err
		}
		if c.state != clientService {
			c.state = clientReply
			if c.asking {
				c.state = clientQuestion
			}
		}
		switch judge(c.state, p[0]) {
		case refuse:
			return 0, nil, unexpected(p[0])
		case unknown:
			if err := c.round(); err != nil {
				return 0, nil, err
			}
			if err := unimplemented(c.c, p[0]); err != nil {
				return 0, nil, err
			}
			continue
		}
		switch p[0] {
		case wire.MsgServiceAccept:
			err = c.accept(p)
		case wire.MsgUserauthBanner:
			err = c.banner(p)
		case wire.MsgUserauthSuccess:
			if len(p) != 1 {
				return 0, nil, malformed("success", wire.ErrTrailing)
			}
			c.waiting = ""
			return success, nil, nil
		case wire.MsgUserauthFailure:
			return failure, nil, c.failed(p)
		default:
			// How often a key is asked about is bounded by the keys.
			if c.waiting != methodPublicKey {
				err = c.round()
			}
			return question, p, err
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

// accept takes SERVICE_ACCEPT; some servers leave the name out.
func (c *client) accept(p []byte) error {
	r := wire.NewReader(p[1:])
	if r.Len() > 0 {
		if name := r.Text(); r.Err() == nil && name != serviceUserauth {
			return protocolError("server accepted service %s, which was not asked for", printable(name, MaxMethodName))
		}
	}
	if err := r.Done(); err != nil {
		return malformed("service accept", err)
	}
	c.state = clientReply
	c.trace(Event{Kind: TraceServiceAccept})
	return nil
}

func (c *client) banner(p []byte) error {
	var m wire.UserauthBanner
	if err := m.Decode(p); err != nil {
		return malformed("banner", err)
	}
	if c.banners++; c.banners > MaxBanners {
		return protocolError("more than %d banners", MaxBanners)
	}
	text := m.Message
	if room := MaxBannerBytes - c.bannerBytes; len(text) > room {
		text = text[:room]
	}
	c.bannerBytes += len(text)
	if text != "" && c.cfg.Banner != nil {
		c.cfg.Banner(text)
	}
	return nil
}

// failed takes FAILURE.
func (c *client) failed(p []byte) error {
	r := wire.NewReader(p[1:])
	var m wire.UserauthFailure
	list := r.String()
	m.PartialSuccess = r.Bool()
	if err := r.Done(); err != nil {
		return malformed("failure", err)
	}
	m.Methods = methodNames(list)
	method := c.waiting
	c.waiting, c.asking = "", false
	if m.PartialSuccess {
		if err := c.round(); err != nil {
			return err
		}
		c.partial = append(c.partial, method)
		c.proved = c.proved || !c.trivial
		c.trace(Event{Kind: TracePartial, Method: method})
		c.reset(method)
	}
	if !c.known || strings.Join(m.Methods, ",") != strings.Join(c.server, ",") {
		c.current = "" // start over and say so
	}
	c.known, c.server = true, m.Methods
	c.trace(Event{Kind: TraceContinue, Methods: m.Methods})
	if c.cfg.Refused != nil {
		return c.cfg.Refused()
	}
	return nil
}

// methodNames splits a server's list of methods. Names that no method can have
// are left out: some servers are careless with commas.
func methodNames(list []byte) []string {
	var names []string
	for _, name := range strings.SplitN(string(list[:min(len(list), wire.MaxNameList)]), ",", maxMethods+1) {
		if name != "" && len(name) <= MaxMethodName && printable(name, len(name)) == name && len(names) < maxMethods {
			names = append(names, name)
		}
	}
	return names
}

// maxMethods is how many names of a server's list are looked at.
const maxMethods = 64

// reset makes keys available again after a partial success, but those that
// were already used.
func (c *client) reset(method string) {
	if method == methodPublicKey && c.lastKey != "" {
		c.used = append(c.used, c.lastKey)
	}
	for i := range c.keys {
		c.keys[i].tried = false
	}
	var spent []string
	for _, m := range c.spent {
		if m != methodPublicKey {
			spent = append(spent, m)
		}
	}
	c.spent = spent
}

// round counts what a server could repeat without an end (CLI-7).
func (c *client) round() error {
	if c.rounds++; c.rounds > MaxRounds {
		return &wire.DisconnectError{Reason: wire.ReasonProtocolError, Message: ErrTooManyRounds.Error(), Err: ErrTooManyRounds}
	}
	return nil
}

func (c *client) trace(e Event) {
	if c.cfg.Trace != nil {
		c.cfg.Trace(e)
	}
}

// skip turns ErrSkip into false and keeps every other error.
func skip(err error) error {
	if errors.Is(err, ErrSkip) {
		return nil
	}
	return fmt.Errorf("userauth: %w", err)
}

func (c *client) sigAlgs() []string {
	if c.cfg.SigAlgs == nil {
		return pubkey.DefaultHostKeyAlgorithms()
	}
	return c.cfg.SigAlgs
}

func (None) start(context.Context, *client) (readiness, error) { return prompt, nil }

func (None) try(ctx context.Context, c *client) (reply, error) {
	if c.noned && c.known {
		return exhausted, nil
	}
	c.noned = true
	if err := c.send(Queued{Method: methodNone}, methodNone, nil, false, false); err != nil {
		return 0, err
	}
	r, _, err := c.await(ctx)
	return r, err
}
