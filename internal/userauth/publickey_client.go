package userauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Key is one key that may be offered.
type Key struct {
	// PublicKey is what is offered, a certificate too. Nil if it is not known
	// before the private key is loaded: then it is loaded at its turn and used
	// without asking the server first.
	PublicKey pubkey.PublicKey
	// Signer signs. Nil means that Load is called when a signature is needed,
	// which may ask for a passphrase. ErrSkip and other errors make the key be
	// skipped.
	Signer pubkey.Signer
	Load   func(ctx context.Context) (pubkey.Signer, error)
	// SignNow leaves the query out: right for a key that the server is known
	// to accept and that signs without asking anybody.
	SignNow bool
	// Name and Words are for traces: the file or the agent's comment, and
	// " explicit", " authenticator", " agent" and the like.
	Name, Words string
}

// Describe is "NAME TYPE FINGERPRINTwords", as OpenSSH's traces show a key.
func (k *Key) Describe(fingerprint func(pubkey.PublicKey) string) string {
	if k.PublicKey == nil {
		return k.Name + " " + k.Words
	}
	return k.Name + " " + pubkey.TypeName(k.PublicKey) + " " + fingerprint(k.PublicKey) + k.Words
}

// PublicKeys is the publickey method with the keys in the order in which they
// are offered. List is called once, when the method is first considered, and
// follows Keys. At most MaxKeys are used.
type PublicKeys struct {
	Keys []*Key
	List func(ctx context.Context) ([]*Key, error)
}

// Name is "publickey".
func (*PublicKeys) Name() string { return methodPublicKey }

// keyState is a key and whether it was tried since the last partial success.
type keyState struct {
	*Key
	tried bool
}

func (m *PublicKeys) list(ctx context.Context, c *client) error {
	if c.keysListed {
		return nil
	}
	c.keysListed = true
	keys := m.Keys
	if m.List != nil {
		more, err := m.List(ctx)
		if err != nil {
			if err := skip(err); err != nil {
				return err
			}
		}
		keys = append(keys[:len(keys):len(keys)], more...)
	}
	for _, k := range keys {
		if len(c.keys) < MaxKeys && k != nil {
			if k.PublicKey == nil && k.Signer != nil {
				known := *k
				known.PublicKey = k.Signer.PublicKey()
				k = &known
			}
			c.keys = append(c.keys, keyState{Key: k})
		}
	}
	return nil
}

func (m *PublicKeys) start(ctx context.Context, c *client) (readiness, error) {
	if err := m.list(ctx, c); err != nil {
		return idle, err
	}
	for _, k := range c.keys {
		switch {
		case k.tried:
		case k.PublicKey == nil:
			return waits, nil
		case len(c.algorithms(k.Key, k.Signer)) > 0:
			if k.SignNow && k.Signer == nil {
				return waits, nil
			}
			return prompt, nil
		}
	}
	return idle, nil
}

func (c *client) extensions() (sigAlgs []string, hostBound bool) {
	if c.cfg.Extensions != nil {
		sigAlgs, hostBound = c.cfg.Extensions()
	} else {
		sigAlgs, hostBound = c.cfg.ServerSigAlgs, c.cfg.HostBound
	}
	return sigAlgs, hostBound && len(c.cfg.HostKey) > 0
}

// algorithms are those a key may be used with, best first: ours, in our order,
// that fit the key and its signer. Of an RSA key, whose algorithm is open, the
// server's list decides; where there is none, ssh-rsa comes first if we take
// it, because old servers know nothing else.
func (c *client) algorithms(k *Key, signer pubkey.Signer) []string {
	server, _ := c.extensions()
	var can []string
	if signer != nil {
		can = pubkey.SignerAlgorithms(signer)
	}
	rsa := pubkey.Plain(k.PublicKey).Type() == pubkey.KeyAlgoRSA
	var out []string
	for _, name := range c.sigAlgs() {
		a := pubkey.AlgorithmByName(name)
		if a == nil || a.KeyType != k.PublicKey.Type() {
			continue
		}
		// A signer for a webauthn signature cannot be one of ours.
		if a.Format == pubkey.KeyAlgoWebAuthnSKECDSA256 && (can == nil || !slices.Contains(can, a.Format)) {
			continue
		}
		if can != nil && !slices.Contains(can, a.Format) {
			continue
		}
		if rsa && server != nil && !slices.Contains(server, a.Format) {
			continue
		}
		if rsa && server == nil && a.Format == pubkey.KeyAlgoRSA {
			out = append([]string{name}, out...)
			continue
		}
		out = append(out, name)
	}
	return out
}

// try offers keys until the server answers for one.
func (m *PublicKeys) try(ctx context.Context, c *client) (reply, error) {
	if err := m.list(ctx, c); err != nil {
		return 0, err
	}
	for i := range c.keys {
		k := &c.keys[i]
		if k.tried {
			continue
		}
		k.tried = true
		r, err := c.tryKey(ctx, k.Key)
		if err != nil || r != exhausted {
			return r, err
		}
	}
	return exhausted, nil
}

// tryKey offers or uses one key; exhausted means that no request is waiting.
func (c *client) tryKey(ctx context.Context, k *Key) (reply, error) {
	signer := k.Signer
	if k.PublicKey == nil {
		c.trace(Event{Kind: TraceTryPrivate, Key: k})
		var err error
		if signer, err = c.load(ctx, k); signer == nil {
			return exhausted, err
		}
		known := *k
		known.PublicKey, known.SignNow = signer.PublicKey(), true
		k = &known
	}
	if slices.Contains(c.used, plainBlob(k.PublicKey)) {
		return exhausted, nil
	}
	algs := c.algorithms(k, signer)
	if len(algs) == 0 {
		c.trace(Event{Kind: TraceNoAlgorithm, Key: k})
		return exhausted, nil
	}
	c.trace(Event{Kind: TraceOffer, Key: k, Algorithm: algs[0]})
	if !k.SignNow {
		r, err := c.query(ctx, k, algs[0])
		if err != nil || r != question {
			return r, err
		}
	}
	if signer == nil {
		var err error
		if signer, err = c.load(ctx, k); signer == nil {
			return exhausted, err
		}
		if algs = c.algorithms(k, signer); len(algs) == 0 {
			c.trace(Event{Kind: TraceNoAlgorithm, Key: k})
			return exhausted, nil
		}
	}
	return c.prove(ctx, k, signer, algs)
}

// load loads a private key; nil without an error means that it is skipped.
func (c *client) load(ctx context.Context, k *Key) (pubkey.Signer, error) {
	if k.Load == nil {
		c.trace(Event{Kind: TraceSignFailed, Key: k, Err: errNoSigner})
		return nil, nil
	}
	signer, err := k.Load(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("userauth: %w", ctx.Err())
	case err == nil && signer == nil:
		err = errNoSigner
	case err == nil && k.PublicKey != nil && plainBlob(signer.PublicKey()) != plainBlob(k.PublicKey):
		err = errOtherSigner
	}
	if err != nil {
		if !errors.Is(err, ErrSkip) {
			c.trace(Event{Kind: TraceSignFailed, Key: k, Err: err})
		}
		return nil, nil
	}
	return signer, nil
}

var (
	errNoSigner    = errors.New("no private key")
	errOtherSigner = errors.New("private key does not match public")
)

// query asks whether a key would do. question means yes: the reply names the
// key and the algorithm that were offered (AUT-28).
func (c *client) query(ctx context.Context, k *Key, algorithm string) (reply, error) {
	// OpenSSH asks by the plain name even where it will sign host-bound.
	b := publicKeyRequest{algorithm: algorithm, key: k.PublicKey.Marshal()}
	if err := c.send(Queued{Method: methodPublicKey, Key: k}, methodPublicKey, b.append(nil), true, false); err != nil {
		return 0, err
	}
	r, p, err := c.await(ctx)
	if err != nil || r != question {
		return r, err
	}
	c.waiting, c.asking = "", false
	var m pkOK
	if err := m.decode(p); err != nil {
		return 0, malformed("public key answer", err)
	}
	// Some servers name the key's type where the algorithm belongs; which
	// algorithm signs stays our choice.
	if m.algorithm != algorithm && m.algorithm != k.PublicKey.Type() || !bytes.Equal(m.key, b.key) {
		c.trace(Event{Kind: TraceOtherKey, Key: k})
		return exhausted, nil
	}
	c.trace(Event{Kind: TraceAccepted, Key: k, Algorithm: algorithm})
	return question, nil
}

// prove signs and sends the signature. If a signer fails with one algorithm
// the next is tried: some agents and tokens cannot do all.
func (c *client) prove(ctx context.Context, k *Key, signer pubkey.Signer, algs []string) (reply, error) {
	b := publicKeyRequest{signed: true, key: k.PublicKey.Marshal(), hostKey: c.cfg.HostKey}
	_, b.hostBound = c.extensions()
	var err error
	for _, b.algorithm = range algs {
		var sig *pubkey.Signature
		data := b.signedData(c.cfg.SessionID, c.cfg.User, c.service())
		if sig, err = pubkey.SignWith(signer, nil, data, b.algorithm); err == nil {
			b.signature = pubkey.MarshalSignature(sig)
			break
		}
		var agree *pubkey.AgreementError
		if !errors.As(err, &agree) {
			break
		}
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("userauth: %w", ctx.Err())
	}
	if err != nil {
		c.trace(Event{Kind: TraceSignFailed, Key: k, Err: err})
		return exhausted, nil
	}
	q := Queued{Method: methodPublicKey, Signed: true, Key: k}
	if err := c.send(q, b.method(), b.append(nil), false, false); err != nil {
		return 0, err
	}
	c.trivial = false
	c.lastKey = plainBlob(k.PublicKey)
	r, _, err := c.await(ctx)
	return r, err
}
