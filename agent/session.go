package agent

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits of session bindings.
const (
	MaxBindings  = 16  // of one connection
	maxSessionID = 128 // bytes
)

// binding is a session that a connection has said it belongs to.
type binding struct {
	hostKey   pubkey.PublicKey
	sessionID []byte
	forwarded bool
}

// bindings are the sessions of one connection, in the order in which it named
// them: the hops from the agent's machine outwards.
type bindings struct {
	list      []binding
	attempted bool // somebody tried; a connection that only failed is not local
}

// bind takes a session-bind request. It works while the agent is locked
// (AGT-5).
func (s *bindings) bind(contents []byte) error {
	s.attempted = true
	r := wire.NewReader(contents)
	blob, id, sigBlob := r.String(), r.String(), r.String()
	forwarded := r.Bool()
	if err := r.Done(); err != nil {
		return malformed(err)
	}
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return err
	}
	sig, err := pubkey.ParseSignature(sigBlob)
	if err != nil {
		return malformed(err)
	}
	if len(id) == 0 || len(id) > maxSessionID {
		return fmt.Errorf("%w: session identifier of %d bytes", ErrProtocol, len(id))
	}
	if pubkey.IsSK(key) { // a host's key on a token: no person stands there
		_, _, err = pubkey.VerifySK(key, id, sig)
	} else {
		err = key.Verify(id, sig)
	}
	if err != nil {
		return err
	}
	for _, b := range s.list {
		if !b.forwarded {
			return errors.New("agent: connection is bound to an authentication already")
		}
		if bytes.Equal(b.sessionID, id) {
			if pubkey.Equal(b.hostKey, key) {
				return nil // told before
			}
			return errors.New("agent: session is bound to another host key")
		}
	}
	if len(s.list) == MaxBindings {
		return fmt.Errorf("agent: more than %d session bindings", MaxBindings)
	}
	s.list = append(s.list, binding{key, bytes.Clone(id), forwarded})
	return nil
}

// remote reports whether the connection is bound to a session, or tried to be:
// it may come from another machine.
func (c *conn) remote() bool {
	s := c.bound()
	return len(s.list) > 0 || s.attempted
}

// allows reports whether an identity's destinations let this connection see it
// or, with a request, sign with it. It is OpenSSH's walk along the hops: each
// must be one that the key may take.
func (k *Keyring) allows(id *identity, s *bindings, req *authRequest) error {
	if len(id.destinations) == 0 {
		return nil
	}
	if len(s.list) == 0 {
		if s.attempted {
			return fmt.Errorf("%w: binding the session failed", ErrConstraint)
		}
		return nil // seen locally
	}
	var from pubkey.PublicKey
	for i := range s.list {
		hop, last := &s.list[i], i == len(s.list)-1
		user := (*string)(nil)
		if last && req != nil {
			if hop.forwarded {
				return fmt.Errorf("%w: signing on a connection that is bound for forwarding", ErrConstraint)
			}
			user = &req.User
		} else if !last && !hop.forwarded {
			return fmt.Errorf("%w: forwarding a connection that is bound for signing", ErrConstraint)
		}
		if !k.permits(id, from, hop.hostKey, user) {
			return fmt.Errorf("%w: key may not be used along this way", ErrConstraint)
		}
		from = hop.hostKey
	}
	// On a forwarded connection a key is shown only if it leads further.
	if req == nil && s.list[len(s.list)-1].forwarded && !k.permits(id, from, nil, nil) {
		return fmt.Errorf("%w: key may not be used beyond this host", ErrConstraint)
	}
	return nil
}

// permits reports whether one of the identity's destinations leads from one
// host to another, for a user. No from means this machine; no to means
// anywhere, no user means any.
func (k *Keyring) permits(id *identity, from, to pubkey.PublicKey, user *string) bool {
	for i := range id.destinations {
		d := &id.destinations[i]
		switch {
		case from == nil && len(d.From.Keys) > 0:
		case from != nil && !d.From.match(from, k.hostCert):
		case to != nil && !d.To.match(to, k.hostCert):
		case user != nil && d.To.User != "" && !pubkey.MatchPattern(*user, d.To.User):
		default:
			return true
		}
	}
	return false
}

// hostCert checks a host's certificate.
func (k *Keyring) hostCert(c *pubkey.Certificate, authority pubkey.PublicKey, host string) bool {
	ch := pubkey.CertChecker{
		IsHostAuthority: func(a pubkey.PublicKey, _ string) bool { return pubkey.Equal(a, authority) },
		Clock:           k.Now,
	}
	return ch.CheckHost(c, host) == nil
}

// maySign reports whether the connection may sign data with the identity. The
// request is what data is, or nil.
func (k *Keyring) maySign(id *identity, s *bindings, req *authRequest) error {
	if len(id.destinations) == 0 {
		return nil
	}
	if len(s.list) == 0 {
		return fmt.Errorf("%w: key with destinations on a connection that is not bound to a session", ErrConstraint)
	}
	if req == nil {
		return fmt.Errorf("%w: key with destinations signs authentication requests only", ErrConstraint)
	}
	if err := k.allows(id, s, req); err != nil {
		return err
	}
	last := &s.list[len(s.list)-1]
	switch {
	case !bytes.Equal(req.SessionID, last.sessionID):
		return fmt.Errorf("%w: request is for another session", ErrConstraint)
	case req.HostKey == nil && len(s.list) > 1:
		return fmt.Errorf("%w: request over a forwarded connection does not name the host", ErrConstraint)
	case req.HostKey != nil && !pubkey.Equal(req.HostKey, last.hostKey):
		return fmt.Errorf("%w: request is for another host", ErrConstraint)
	}
	return nil
}
