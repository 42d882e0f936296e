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

// hostbasedRequest holds the fields of a hostbased request (RFC 4252 §9).
// Slices alias the packet.
type hostbasedRequest struct {
	algorithm  string
	key        []byte
	clientHost string
	clientUser string
	signature  []byte
}

func (m *hostbasedRequest) decode(rest []byte) error {
	r := wire.NewReader(rest)
	m.algorithm, m.key = r.Text(), r.String()
	m.clientHost, m.clientUser = r.Text(), r.Text()
	m.signature = r.String()
	return r.Done()
}

func (m *hostbasedRequest) unsigned(b []byte) []byte {
	b = wire.AppendString(wire.AppendText(b, m.algorithm), m.key)
	return wire.AppendText(wire.AppendText(b, m.clientHost), m.clientUser)
}

func (m *hostbasedRequest) append(b []byte) []byte {
	return wire.AppendString(m.unsigned(b), m.signature)
}

func (m *hostbasedRequest) signedData(sessionID []byte, user, service string) []byte {
	b := wire.AppendString(make([]byte, 0, 256+len(m.key)), sessionID)
	req := wire.UserauthRequest{User: user, Service: service, Method: methodHostbased}
	return m.unsigned(req.Append(b))
}

// HostbasedAttempt is a hostbased request. The names are the client's claim;
// whether they fit the connection's address is for the callback to see
// (AUT-26).
type HostbasedAttempt struct {
	Attempt
	Key        pubkey.PublicKey
	Algorithm  string // declared, in HostbasedAlgs, and fits the key
	ClientHost string // without the final dot
	ClientUser string
}

var errHostName = errors.New("userauth: client host or user name is empty, too long or holds control bytes")

func (s *server) hostbased(ctx context.Context, r *attempt, a Attempt, m *wire.UserauthRequest, b *hostbasedRequest) {
	r.algorithm = b.algorithm
	host := strings.TrimSuffix(b.clientHost, ".")
	if host == "" || b.clientUser == "" || badName(host) || badName(b.clientUser) {
		r.err = errHostName
		return
	}
	r.info = fmt.Sprintf("client user %q, client host %q", b.clientUser, host)
	r.key, r.err = s.acceptKey(b.algorithm, b.key, s.cfg.HostbasedAlgs, pubkey.HostCert)
	if r.err != nil {
		return
	}
	h := &HostbasedAttempt{Attempt: a, Key: r.key, Algorithm: b.algorithm, ClientHost: host, ClientUser: b.clientUser}
	defer func() {
		if h.Info != "" {
			r.info += ", " + h.Info
		}
	}()
	ok, err := allowed(s.cfg.HostbasedAllowed(ctx, h))
	if err != nil {
		r.err = err
		return
	}
	s.proveKey(r, ok, b.signature, func(sig []byte) error {
		data := b.signedData(s.cfg.SessionID, m.User, m.Service)
		if s.cfg.HostbasedVerify != nil {
			return s.cfg.HostbasedVerify(ctx, h, data, sig)
		}
		return verify(r, ok, data, sig)
	})
}

// Hostbased is the client's hostbased method: each of Keys is tried once.
type Hostbased struct {
	// Keys are the client's host keys; ssh-keysign signs with them.
	Keys []pubkey.Signer
	// Algorithms are HostbasedAcceptedAlgorithms; nil means the defaults.
	Algorithms []string
	// ClientHost is this host's name, ClientUser the user's name on it. The
	// final dot is added.
	ClientHost, ClientUser string
}

// Name is "hostbased".
func (*Hostbased) Name() string { return methodHostbased }

// start: a host key's signature is not given to a server that did not ask.
func (m *Hostbased) start(context.Context, *client) (readiness, error) {
	if len(m.Keys) == 0 {
		return idle, nil
	}
	return waits, nil
}

func (m *Hostbased) try(ctx context.Context, c *client) (reply, error) {
	algorithms := m.Algorithms
	if algorithms == nil {
		algorithms = pubkey.DefaultHostKeyAlgorithms()
	}
	for c.hostKeys < len(m.Keys) && c.hostKeys < MaxKeys {
		signer := m.Keys[c.hostKeys]
		c.hostKeys++
		b := hostbasedRequest{key: signer.PublicKey().Marshal(),
			clientHost: strings.TrimSuffix(m.ClientHost, ".") + ".", clientUser: m.ClientUser}
		k := &Key{PublicKey: signer.PublicKey(), Signer: signer, Name: "host key"}
		b.algorithm = hostAlgorithm(signer, algorithms)
		if b.algorithm == "" {
			c.trace(Event{Kind: TraceNoAlgorithm, Key: k})
			continue
		}
		sig, err := pubkey.SignWith(signer, nil, b.signedData(c.cfg.SessionID, c.cfg.User, c.service()), b.algorithm)
		if ctx.Err() != nil {
			return 0, fmt.Errorf("userauth: %w", ctx.Err())
		}
		if err != nil {
			c.trace(Event{Kind: TraceSignFailed, Key: k, Err: err})
			continue
		}
		b.signature = pubkey.MarshalSignature(sig)
		if err := c.send(Queued{Method: methodHostbased, Signed: true}, methodHostbased, b.append(nil), false, false); err != nil {
			return 0, err
		}
		c.trivial = false
		r, _, err := c.await(ctx)
		return r, err
	}
	return exhausted, nil
}

func hostAlgorithm(signer pubkey.Signer, algorithms []string) string {
	can := pubkey.SignerAlgorithms(signer)
	for _, name := range algorithms {
		if a := pubkey.AlgorithmByName(name); a != nil && a.KeyType == signer.PublicKey().Type() && slices.Contains(can, a.Format) {
			return name
		}
	}
	return ""
}
