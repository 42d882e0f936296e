package agent

import (
	"bytes"
	"crypto"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Keyring is an agent that holds its keys in memory. The fields may be set
// before it is used and must not be changed after; its zero value is an empty
// agent that refuses the keys whose constraints it has no means to keep.
//
// Used directly, a Keyring takes every call as one from this machine. For
// others [ServeAgent] makes a connection of its own, with its own session
// bindings.
type Keyring struct {
	// Now is the clock. Without one, keys with a lifetime are refused, and
	// host certificates match no destination.
	Now func() time.Time
	// Lifetime, if not zero, ends keys that were added without a lifetime of
	// their own. It needs Now.
	Lifetime time.Duration
	// Confirm asks a person whether a key may be used. Without it, keys that
	// want confirmation are refused.
	Confirm func(Use) bool
	// Notify is told of each signature before it is made.
	Notify func(Use)
	// SignSK has a security key sign, through the provider the key was added
	// with ("" or "internal" for the agent's own). Without it, security keys
	// are refused.
	SignSK func(key *pubkey.SKPrivateKey, provider string, data []byte) (*pubkey.Signature, error)
	// AllowSKProvider says whether a provider of that path may be used for
	// security keys; "internal" need not be asked for. Without it, none is.
	AllowSKProvider func(path string) bool
	// LoadSmartcard opens a PKCS#11 provider and returns its keys. Without it,
	// requests to add one are refused. Whether the path is allowed is its own
	// to decide.
	LoadSmartcard func(provider string, pin []byte) ([]SmartcardKey, error)
	// AllowRemoteProviders lets connections from other machines add providers
	// (AGT-4).
	AllowRemoteProviders bool
	// WebsafeApplications are patterns of the applications of security keys
	// that may sign anything; others sign authentication requests and files
	// only, so that an agent cannot be made to log in to a web site. nil means
	// "ssh:*".
	WebsafeApplications []string
	// Sleep waits after a wrong passphrase; nil means time.Sleep.
	Sleep func(time.Duration)

	mu     sync.Mutex
	keys   []*identity
	locked []byte // hash of the passphrase; nil if not locked
	salt   [16]byte

	unlock   sync.Mutex // held while a wrong passphrase is waited out
	failures int        // under unlock
}

// Use is one use of a key, for a person to confirm or to know of.
type Use struct {
	Key      *Key
	User     string           // who is going to log in; empty if data is no authentication request
	HostKey  pubkey.PublicKey // of the host it is for, if it is known
	Hops     int              // hosts that the agent has been forwarded through
	Provider string           // of a smartcard's key
}

// SmartcardKey is a key of a PKCS#11 provider.
type SmartcardKey struct {
	Signer  crypto.Signer
	Comment string // usually its label
}

// identity is a key in a Keyring.
type identity struct {
	key          Key
	pub          pubkey.PublicKey
	signer       pubkey.Signer
	expires      time.Time // zero if never
	confirm      bool
	destinations []Destination
	skProvider   string
	smartcard    string // the provider it came from
}

// NewKeyring returns an empty Keyring.
func NewKeyring() *Keyring { return new(Keyring) }

// NewConn returns the Keyring as one connection sees it.
func (k *Keyring) NewConn() ExtendedAgent { return &conn{k: k} }

// conn is one connection to a Keyring. Its lock and
// the Keyring's are never held together.
type conn struct {
	k  *Keyring
	mu sync.Mutex
	s  bindings // under mu
}

// bound is what the connection is bound to by now.
func (c *conn) bound() bindings {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s // the list only grows
}

func (k *Keyring) local() *conn { return &conn{k: k} }

// List returns all identities.
func (k *Keyring) List() ([]*Key, error) { return k.local().List() }

// Sign signs with a key. An RSA key signs with SHA-1, as the protocol says.
func (k *Keyring) Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error) {
	return k.local().SignWithFlags(key, data, 0)
}

// SignWithFlags signs with a key.
func (k *Keyring) SignWithFlags(key pubkey.PublicKey, data []byte, flags SignatureFlags) (*pubkey.Signature, error) {
	return k.local().SignWithFlags(key, data, flags)
}

// Add adds a key. A key that it cannot keep all constraints of is refused.
func (k *Keyring) Add(key AddedKey) error { return k.local().Add(key) }

// Remove removes a key.
func (k *Keyring) Remove(key pubkey.PublicKey) error { return k.local().Remove(key) }

// RemoveAll removes all keys.
func (k *Keyring) RemoveAll() error { return k.local().RemoveAll() }

// Lock locks the Keyring.
func (k *Keyring) Lock(passphrase []byte) error { return k.local().Lock(passphrase) }

// Unlock unlocks the Keyring. A wrong passphrase is answered after a delay
// that doubles up to ten seconds.
func (k *Keyring) Unlock(passphrase []byte) error { return k.local().Unlock(passphrase) }

// Signers returns a signer for each identity.
func (k *Keyring) Signers() ([]pubkey.Signer, error) { return signersOf(k) }

// Extension answers "query". Session bindings belong to a connection: see
// NewConn.
func (k *Keyring) Extension(extensionType string, contents []byte) ([]byte, error) {
	if extensionType == ExtensionSessionBind {
		return nil, ErrExtensionUnsupported
	}
	return k.local().Extension(extensionType, contents)
}

// AddSmartcard adds the keys of a PKCS#11 provider.
func (k *Keyring) AddSmartcard(card Smartcard) error { return k.local().AddSmartcard(card) }

// RemoveSmartcard removes the keys that came from a provider.
func (k *Keyring) RemoveSmartcard(provider string, pin []byte) error {
	return k.local().RemoveSmartcard(provider, pin)
}

// Clear removes all keys, whether or not the Keyring is locked: for its owner,
// not for a connection.
func (k *Keyring) Clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.removeLocked(func(*identity) bool { return true })
}

// NextExpiry is when the first key goes, zero if none will. Keys that have
// gone are removed by this as by every other call.
func (k *Keyring) NextExpiry() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expireLocked()
	var t time.Time
	for _, id := range k.keys {
		if !id.expires.IsZero() && (t.IsZero() || id.expires.Before(t)) {
			t = id.expires
		}
	}
	return t
}

// expireLocked removes the keys whose time is over.
func (k *Keyring) expireLocked() {
	if k.Now == nil {
		return
	}
	now := k.Now()
	k.removeLocked(func(id *identity) bool { return !id.expires.IsZero() && !now.Before(id.expires) })
}

// removeLocked removes the keys that which is true for.
func (k *Keyring) removeLocked(which func(*identity) bool) (removed int) {
	kept := k.keys[:0]
	for _, id := range k.keys {
		if which(id) {
			removed++
		} else {
			kept = append(kept, id)
		}
	}
	clear(k.keys[len(kept):])
	k.keys = kept
	return removed
}

// findLocked finds a key, whoever may see it.
func (k *Keyring) findLocked(key pubkey.PublicKey) *identity {
	blob := key.Marshal()
	for _, id := range k.keys {
		if bytes.Equal(id.key.Blob, blob) {
			return id
		}
	}
	return nil
}

func (c *conn) List() ([]*Key, error) {
	k, s := c.k, c.bound()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return nil, nil // a locked agent shows nothing (RFC 9987 §3.7)
	}
	k.expireLocked()
	var l []*Key
	for _, id := range k.keys {
		if k.allows(id, &s, nil) == nil {
			l = append(l, &Key{id.key.Format, bytes.Clone(id.key.Blob), id.key.Comment})
		}
	}
	return l, nil
}

func (c *conn) Signers() ([]pubkey.Signer, error) { return signersOf(c) }

func (c *conn) Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error) {
	return c.SignWithFlags(key, data, 0)
}

// signable finds a key and checks that it may sign data.
func (c *conn) signable(key pubkey.PublicKey, data []byte) (*identity, Use, error) {
	k, s := c.k, c.bound()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return nil, Use{}, ErrLocked
	}
	k.expireLocked()
	// A key that is hidden on a forwarded connection, because it leads no
	// further, may still be what this one is bound to sign for.
	id := k.findLocked(key)
	if id == nil {
		return nil, Use{}, ErrNotFound
	}
	req, ok := parseAuthRequest(data, id.pub)
	if !ok {
		req = nil
	}
	if err := k.maySign(id, &s, req); err != nil {
		return nil, Use{}, err
	}
	if app, sk := pubkey.Application(id.pub); sk && req == nil && !isSSHSIG(data) && !k.websafe(app) {
		return nil, Use{}, fmt.Errorf("%w: a web site's key signs authentication requests and files only", ErrConstraint)
	}
	u := Use{Key: &Key{id.key.Format, bytes.Clone(id.key.Blob), id.key.Comment}, Provider: id.smartcard}
	if req != nil {
		u.User, u.HostKey = req.User, req.HostKey
	}
	if n := len(s.list); n > 0 {
		u.HostKey, u.Hops = s.list[n-1].hostKey, n-1
		if s.list[n-1].forwarded {
			u.Hops = n
		}
	}
	return id, u, nil
}

func (k *Keyring) websafe(application string) bool {
	if k.WebsafeApplications == nil {
		return strings.HasPrefix(application, "ssh:")
	}
	for _, p := range k.WebsafeApplications {
		if pubkey.MatchPattern(application, p) {
			return true
		}
	}
	return false
}

func (c *conn) SignWithFlags(key pubkey.PublicKey, data []byte, flags SignatureFlags) (*pubkey.Signature, error) {
	id, u, err := c.signable(key, data)
	if err != nil {
		return nil, err
	}
	if id.confirm {
		if c.k.Confirm == nil || !c.k.Confirm(u) {
			return nil, fmt.Errorf("%w: use of the key was not confirmed", ErrConstraint)
		}
		// A person takes time, in which the key may have gone.
		again, _, err := c.signable(key, data)
		if err != nil {
			return nil, err
		}
		if again != id {
			return nil, ErrNotFound
		}
	}
	if c.k.Notify != nil {
		c.k.Notify(u)
	}
	algorithm := pubkey.Plain(id.pub).Type()
	if algorithm == pubkey.KeyAlgoRSA {
		switch { // as OpenSSH's agent reads them
		case flags&SignatureFlagRsaSha256 != 0:
			algorithm = pubkey.KeyAlgoRSASHA256
		case flags&SignatureFlagRsaSha512 != 0:
			algorithm = pubkey.KeyAlgoRSASHA512
		}
	}
	return pubkey.SignWith(id.signer, nil, data, algorithm)
}

// constraints turns what was asked for into an identity's fields, and refuses
// what cannot be kept (AGT-3).
func (c *conn) constraints(lifetime uint32, confirm bool, ext []ConstraintExtension, card bool) (id identity, certs []*pubkey.Certificate, certsOnly bool, err error) {
	k := c.k
	refuse := func(why string) (identity, []*pubkey.Certificate, bool, error) {
		return identity{}, nil, false, fmt.Errorf("%w: %s", ErrConstraint, why)
	}
	d := time.Duration(lifetime) * time.Second
	if d == 0 {
		d = k.Lifetime
	}
	if d != 0 {
		if k.Now == nil {
			return refuse("no clock for the key's lifetime")
		}
		id.expires = k.Now().Add(d)
	}
	if id.confirm = confirm; confirm && k.Confirm == nil {
		return refuse("nobody to confirm the key's use")
	}
	for i, e := range ext {
		for _, other := range ext[:i] {
			if other.ExtensionName == e.ExtensionName {
				return refuse("extension " + e.ExtensionName + " twice")
			}
		}
		switch {
		case e.ExtensionName == ConstraintRestrictDestination:
			if id.destinations, err = ParseRestrictDestination(e.ExtensionDetails); err != nil {
				return identity{}, nil, false, err
			}
		case e.ExtensionName == ConstraintSKProvider && !card:
			id.skProvider = string(e.ExtensionDetails)
			if id.skProvider == "" || strings.IndexByte(id.skProvider, 0) >= 0 {
				return refuse("malformed provider of a security key")
			}
		case e.ExtensionName == ConstraintAssociatedCerts && card:
			if certs, certsOnly, err = ParseAssociatedCerts(e.ExtensionDetails); err != nil {
				return identity{}, nil, false, err
			}
		default:
			return refuse(fmt.Sprintf("unknown extension %q", e.ExtensionName[:min(len(e.ExtensionName), wire.MaxName)]))
		}
	}
	return id, certs, certsOnly, nil
}

func (c *conn) Add(key AddedKey) error {
	id, _, _, err := c.constraints(key.LifetimeSecs, key.ConfirmBeforeUse, key.ConstraintExtensions, false)
	if err != nil {
		return err
	}
	if id.signer, err = pubkey.NewSignerFromKey(key.PrivateKey); err != nil {
		return err
	}
	sk := pubkey.SKPrivate(id.signer)
	switch {
	case sk == nil && id.skProvider != "":
		return fmt.Errorf("%w: a security key's provider for another key", ErrConstraint)
	case sk != nil && c.k.SignSK == nil:
		return fmt.Errorf("%w: no means to use a security key", ErrConstraint)
	case sk != nil && id.skProvider != "" && id.skProvider != "internal":
		if c.remote() && !c.k.AllowRemoteProviders {
			return fmt.Errorf("%w: providers cannot be added from another machine", ErrConstraint)
		}
		if c.k.AllowSKProvider == nil || !c.k.AllowSKProvider(id.skProvider) {
			return fmt.Errorf("%w: provider of a security key is not allowed", ErrConstraint)
		}
	}
	if sk != nil {
		provider := id.skProvider
		id.signer, err = pubkey.NewSKSigner(sk, func(key *pubkey.SKPrivateKey, data []byte) (*pubkey.Signature, error) {
			return c.k.SignSK(key, provider, data)
		})
		if err != nil {
			return err
		}
	}
	if key.Certificate != nil {
		if id.signer, err = pubkey.NewCertSigner(key.Certificate, id.signer); err != nil {
			return err
		}
	}
	id.key.Comment = key.Comment
	return c.insert(&id)
}

// insert puts an identity into the ring, in the place of the one with the same
// public key if there is one.
func (c *conn) insert(id *identity) error {
	id.pub = id.signer.PublicKey()
	id.key.Format, id.key.Blob = id.pub.Type(), id.pub.Marshal()
	k, s := c.k, c.bound()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return ErrLocked
	}
	k.expireLocked()
	for i, old := range k.keys {
		if bytes.Equal(old.key.Blob, id.key.Blob) {
			// What a connection may not see it may not replace.
			if k.allows(old, &s, nil) != nil {
				return ErrNotFound
			}
			k.keys[i] = id
			return nil
		}
	}
	if len(k.keys) >= MaxKeys {
		return fmt.Errorf("agent: more than %d keys", MaxKeys)
	}
	k.keys = append(k.keys, id)
	return nil
}

func (c *conn) AddSmartcard(card Smartcard) error {
	if c.k.LoadSmartcard == nil {
		return errors.New("agent: no means to use smartcards")
	}
	if c.remote() && !c.k.AllowRemoteProviders {
		return fmt.Errorf("%w: providers cannot be added from another machine", ErrConstraint)
	}
	if card.Provider == "" || strings.IndexByte(card.Provider, 0) >= 0 {
		return fmt.Errorf("%w: malformed provider", ErrProtocol)
	}
	// Every key gets every constraint, not only the first (AGT-3).
	proto, certs, certsOnly, err := c.constraints(card.LifetimeSecs, card.ConfirmBeforeUse, card.ConstraintExtensions, true)
	if err != nil {
		return err
	}
	if c.k.isLocked() {
		return ErrLocked
	}
	keys, err := c.k.LoadSmartcard(card.Provider, card.PIN)
	if err != nil {
		return err
	}
	added := 0
	add := func(s pubkey.Signer, comment string) {
		id := proto
		id.signer, id.smartcard, id.key.Comment = s, card.Provider, comment
		if c.insert(&id) == nil {
			added++
		}
	}
	for _, key := range keys {
		s, err := pubkey.NewSignerFromSigner(key.Signer)
		if err != nil {
			continue // a key of a type that Secure Shell does not have
		}
		comment := key.Comment
		if comment == "" {
			comment = card.Provider
		}
		if !certsOnly {
			add(s, comment)
		}
		for _, cert := range certs {
			if cs, err := pubkey.NewCertSigner(cert, s); err == nil {
				add(cs, comment)
			}
		}
	}
	if added == 0 {
		return fmt.Errorf("agent: provider %q has no keys that can be used", card.Provider)
	}
	return nil
}

func (k *Keyring) isLocked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.locked != nil
}

func (c *conn) RemoveSmartcard(provider string, _ []byte) error {
	k := c.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return ErrLocked
	}
	if provider == "" || k.removeLocked(func(id *identity) bool { return id.smartcard == provider }) == 0 {
		return ErrNotFound
	}
	return nil
}

func (c *conn) Remove(key pubkey.PublicKey) error {
	k, s := c.k, c.bound()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return ErrLocked
	}
	k.expireLocked()
	id := k.findLocked(key)
	if id == nil || k.allows(id, &s, nil) != nil {
		return ErrNotFound
	}
	k.removeLocked(func(x *identity) bool { return x == id })
	return nil
}

func (c *conn) RemoveAll() error {
	k := c.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return ErrLocked
	}
	k.removeLocked(func(*identity) bool { return true })
	return nil
}

// hash is what is kept of a passphrase while the agent is locked.
func (k *Keyring) hash(passphrase []byte) []byte {
	h, err := pbkdf2.Key(sha256.New, string(passphrase), k.salt[:], 10_000, sha256.Size)
	if err != nil {
		h = nil // only in FIPS mode, if it comes to dislike these parameters
	}
	return h
}

func (c *conn) Lock(passphrase []byte) error {
	if len(passphrase) == 0 {
		return errors.New("agent: cannot be locked without a passphrase")
	}
	k := c.k
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked != nil {
		return ErrLocked
	}
	if _, err := rand.Read(k.salt[:]); err != nil {
		return fmt.Errorf("agent: random salt: %w", err)
	}
	h := k.hash(passphrase)
	if h == nil {
		return errors.New("agent: passphrase cannot be hashed")
	}
	k.locked = h
	return nil
}

// errPassphrase is the answer to a wrong passphrase.
var errPassphrase = errors.New("agent: wrong passphrase")

// Delays after wrong passphrases (AGT-7).
const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = 10 * time.Second
)

func (c *conn) Unlock(passphrase []byte) error {
	k := c.k
	// Guesses queue up here, and wait for each other's delays.
	k.unlock.Lock()
	defer k.unlock.Unlock()
	if ok, err := k.tryUnlock(passphrase); ok || err != nil {
		return err
	}
	delay := min(firstDelay<<min(k.failures, 7), maxDelay)
	k.failures++
	if k.Sleep != nil {
		k.Sleep(delay)
	} else {
		time.Sleep(delay)
	}
	return errPassphrase
}

func (k *Keyring) tryUnlock(passphrase []byte) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locked == nil {
		return false, errors.New("agent: not locked")
	}
	if subtle.ConstantTimeCompare(k.hash(passphrase), k.locked) != 1 {
		return false, nil
	}
	clear(k.locked)
	k.locked, k.failures = nil, 0
	return true, nil
}

func (c *conn) Extension(extensionType string, contents []byte) ([]byte, error) {
	if extensionType == ExtensionSessionBind {
		c.mu.Lock()
		defer c.mu.Unlock()
		return nil, c.s.bind(contents)
	}
	if c.k.isLocked() {
		return nil, ErrLocked
	}
	if extensionType == ExtensionQuery {
		b := wire.AppendText([]byte{msgExtensionResponse}, ExtensionQuery)
		return wire.AppendText(b, ExtensionSessionBind), nil
	}
	return nil, ErrExtensionUnsupported
}
