package knownhosts

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Key is a host key or host certificate.
type Key = pubkey.PublicKey

// Verdict is what known_hosts says about a key.
type Verdict uint8

// Verdicts. The zero value is the one that lets nobody in by itself.
const (
	Unknown   Verdict = iota // no key is known for the host
	Match                    // the key is known, or a known authority signed it
	Changed                  // another key is known
	IsRevoked                // the key, or the authority that signed it, is revoked
)

func (v Verdict) String() string {
	switch v {
	case Match:
		return "match"
	case Changed:
		return "changed"
	case IsRevoked:
		return "revoked"
	}
	return "unknown"
}

// Entry is a line of a file about the host in question.
type Entry struct {
	File string
	*Line
	key Key
}

// Place is "FILE:LINE".
func (e Entry) Place() string { return fmt.Sprintf("%s:%d", e.File, e.Number) }

// PublicKey is the entry's key.
func (e Entry) PublicKey() Key { return e.key }

// Result is the answer to a look-up.
type Result struct {
	Verdict Verdict
	Name    string // the name that was looked up last
	// Matches are the lines that hold the key, or the authority that signed
	// the certificate.
	Matches []Entry
	// Offending are the lines that speak against it: other keys of the host,
	// or the revocation.
	Offending []Entry
	// Known are all plain keys of the host.
	Known []Entry
	// WithoutPort is true when the name without its port matched.
	WithoutPort bool
	// CertError is why a certificate was not taken; the answer is then about
	// its plain key.
	CertError error
}

// Hosts is what several files say together.
type Hosts struct {
	Files []*File

	// Now is the clock for certificates; nil is time.Now.
	Now func() time.Time
	// CASignatureAlgorithms may sign host certificates; nil: the default.
	CASignatureAlgorithms []string
	// RevokedKey tells of further revoked keys (RevokedHostKeys); nil: none.
	RevokedKey func(Key) bool
}

// entries are the usable lines about a host, keys decoded.
func (h *Hosts) entries(name string) []Entry {
	var list []Entry
	for _, f := range h.Files {
		for _, l := range f.Find(name) {
			if key, err := l.Key(); err == nil {
				list = append(list, Entry{f.Name, l, key})
			}
		}
	}
	return list
}

// Lookup asks about a host under one name, as [Name] makes it. For a
// certificate it tells whether a known authority signed it; whether the
// certificate itself is good, [Hosts.CheckHost] tells.
func (h *Hosts) Lookup(name string, key Key) Result {
	r := Result{Name: name}
	cert, isCert := key.(*pubkey.Certificate)
	var other []Entry
	for _, e := range h.entries(name) {
		switch {
		case e.Marker == Revoked:
			if pubkey.Equal(e.key, pubkey.Plain(key)) || isCert && pubkey.Equal(e.key, cert.SignatureKey) {
				r.Offending = append(r.Offending, e)
			}
		case e.Marker == CertAuthority:
			if isCert && pubkey.Equal(e.key, cert.SignatureKey) {
				r.Matches = append(r.Matches, e)
			}
		default:
			r.Known = append(r.Known, e)
			if isCert {
				continue
			}
			if pubkey.Equal(e.key, key) {
				r.Matches = append(r.Matches, e)
			} else {
				other = append(other, e)
			}
		}
	}
	switch {
	case len(r.Offending) > 0, h.revoked(key):
		r.Verdict, r.Matches = IsRevoked, nil
	case len(r.Matches) > 0:
		r.Verdict = Match
	case len(other) > 0:
		r.Verdict, r.Offending = Changed, other
	}
	return r
}

func (h *Hosts) revoked(key Key) bool {
	if h.RevokedKey == nil {
		return false
	}
	if h.RevokedKey(key) || h.RevokedKey(pubkey.Plain(key)) {
		return true
	}
	cert, ok := key.(*pubkey.Certificate)
	return ok && h.RevokedKey(cert.SignatureKey)
}

// CheckHost asks about a host as a client does (ssh(1), VERIFYING HOST KEYS):
// a certificate must be good and signed by a known authority, else its plain
// key counts; a host with a port that is unknown under that name may be
// known without the port.
func (h *Hosts) CheckHost(host string, port int, key Key) Result {
	r := h.lookupCert(host, Name(host, port), key)
	if r.Verdict != Unknown || port == 0 || port == DefaultPort {
		return r
	}
	if bare := h.lookupCert(host, Name(host, 0), key); bare.Verdict == Match || bare.Verdict == IsRevoked {
		bare.WithoutPort = true
		return bare
	}
	return r
}

// lookupCert is Lookup, and the look at a certificate.
func (h *Hosts) lookupCert(host, name string, key Key) Result {
	r := h.Lookup(name, key)
	cert, ok := key.(*pubkey.Certificate)
	if !ok || r.Verdict == IsRevoked {
		return r
	}
	var err error
	if r.Verdict == Match {
		if err = h.checker().CheckHost(cert, strings.ToLower(host)); err == nil {
			return r
		}
	}
	r = h.Lookup(name, cert.Key)
	r.CertError = err
	return r
}

func (h *Hosts) checker() *pubkey.CertChecker {
	now := h.Now
	if now == nil {
		now = time.Now
	}
	return &pubkey.CertChecker{
		// Lookup has found the authority for this very host.
		IsHostAuthority:       func(Key, string) bool { return true },
		Clock:                 now,
		CASignatureAlgorithms: h.CASignatureAlgorithms,
	}
}

// Check is for a client's connection: it takes known keys only. hostname is
// the address as dialled, "host" or "host:port". The error is a *[KeyError]
// or a *[RevokedError].
func (h *Hosts) Check(_ context.Context, hostname string, _ net.Addr, key Key) error {
	host, port := split(hostname)
	r := h.CheckHost(host, port, key)
	switch r.Verdict {
	case Match:
		return nil
	case IsRevoked:
		return &RevokedError{Host: hostname, Key: key, Revoked: r.Offending}
	}
	return &KeyError{Host: hostname, Key: key, Want: r.Offending, Cert: r.CertError}
}

// KeyError is a host key that is not known (Want is empty) or not the known
// one.
type KeyError struct {
	Host string
	Key  Key
	Want []Entry // keys known for the host
	Cert error   // why a certificate was not taken
}

func (e *KeyError) Error() string {
	fp := pubkey.TypeName(e.Key) + " key " + pubkey.FingerprintSHA256(e.Key)
	s := fmt.Sprintf("knownhosts: no key is known for %s; it showed %s: compare it with the host's, then add it to known_hosts", e.Host, fp)
	if len(e.Want) > 0 {
		s = fmt.Sprintf("knownhosts: the key of %s has changed: it showed %s, but %s has another: somebody may be in between; if the host has a new key, run ssh-keygen -R %q", e.Host, fp, e.Want[0].Place(), Normalize(e.Host))
	}
	if e.Cert != nil {
		s += ": " + e.Cert.Error()
	}
	return s
}

func (e *KeyError) Unwrap() error { return e.Cert }

// RevokedError is a host key, or an authority's, that has been revoked.
type RevokedError struct {
	Host    string
	Key     Key
	Revoked []Entry // the lines that say so; empty if RevokedKey did
}

func (e *RevokedError) Error() string {
	s := fmt.Sprintf("knownhosts: the key of %s is revoked", e.Host)
	if len(e.Revoked) > 0 {
		s += " by " + e.Revoked[0].Place()
	}
	return s
}

// OtherNames lists the plain entries of other hosts that have the same key.
func (h *Hosts) OtherNames(name string, key Key) []Entry {
	var list []Entry
	for _, f := range h.Files {
		for _, l := range f.FindKey(pubkey.Plain(key)) {
			if !l.Matches(name) {
				list = append(list, Entry{f.Name, l, key})
			}
		}
	}
	return list
}

// HostKeyAlgorithms orders the algorithms to ask a host for, so that it shows
// a key that is known: certificates first if an authority is known for it,
// then those whose key is known, then the rest, each in the order of
// preference. When the key of the most preferred algorithm is known, and when
// nothing is, the order stays as it is, so that it tells a listener as little
// as possible about what is known (CVE-2020-14145).
func (h *Hosts) HostKeyAlgorithms(name string, preference []string) []string {
	authority := false
	known := make([]string, 0, 4)
	for _, e := range h.entries(name) {
		switch e.Marker {
		case CertAuthority:
			authority = true
		case Plain:
			known = append(known, e.KeyType)
		}
	}
	isKnown := func(algorithm string) bool {
		t := plainType(algorithm)
		for _, k := range known {
			if k == t {
				return true
			}
		}
		return false
	}
	if len(preference) == 0 || isKnown(preference[0]) {
		return preference
	}
	first := make([]string, 0, len(preference))
	var last []string
	for _, a := range preference {
		row := pubkey.AlgorithmByName(a)
		if authority && row != nil && row.Cert || isKnown(a) {
			first = append(first, a)
		} else {
			last = append(last, a)
		}
	}
	return append(first, last...)
}

// Knows reports whether a plain key that algorithm signs with is known for name.
func (h *Hosts) Knows(name, algorithm string) bool {
	t := plainType(algorithm)
	for _, e := range h.entries(name) {
		if e.Marker == Plain && e.KeyType == t {
			return true
		}
	}
	return false
}

// plainType is the type of the plain key behind an algorithm.
func plainType(algorithm string) string {
	row := pubkey.AlgorithmByName(algorithm)
	if row == nil {
		return algorithm
	}
	if !row.Cert {
		return row.KeyType
	}
	// A certificate's signature format is that of its key; RSA's has two more
	// names, and webauthn is a form of the security key's.
	switch row.Format {
	case pubkey.KeyAlgoRSASHA256, pubkey.KeyAlgoRSASHA512:
		return pubkey.KeyAlgoRSA
	case pubkey.KeyAlgoWebAuthnSKECDSA256:
		return pubkey.KeyAlgoSKECDSA256
	}
	return row.Format
}
