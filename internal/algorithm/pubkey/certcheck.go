package pubkey

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// CertChecker decides whether a certificate may be used. Its zero value
// refuses every certificate: authorities and the clock must be given.
type CertChecker struct {
	// SupportedCriticalOptions are the critical options that the caller will
	// enforce. A certificate with any other is refused.
	SupportedCriticalOptions []string

	// IsUserAuthority and IsHostAuthority say whether a key may certify users,
	// or a host of that name. nil means no.
	IsUserAuthority func(authority PublicKey) bool
	IsHostAuthority func(authority PublicKey, hostname string) bool

	// Clock is the time; nil refuses.
	Clock func() time.Time

	// IsRevoked says whether a certificate, its key or its authority has been
	// revoked. nil means no.
	IsRevoked func(cert *Certificate) bool

	// CASignatureAlgorithms may sign certificates; nil means the default list.
	CASignatureAlgorithms []string
}

// CertError says why a certificate was refused.
type CertError struct {
	KeyID  string
	Serial uint64
	Reason string
	Err    error // the cause, if there is more to say
}

func (e *CertError) Error() string {
	s := fmt.Sprintf("pubkey: certificate %q (serial %d): %s", e.KeyID, e.Serial, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CertError) Unwrap() error { return e.Err }

func refuse(c *Certificate, reason string, err error) error {
	return &CertError{c.KeyId, c.Serial, reason, err}
}

// CheckUser decides about a user's certificate: one of names, whole and
// without wildcards, must be among its principals. Usually names is the one
// account asked for; AuthorizedPrincipalsFile may give others.
func (c *CertChecker) CheckUser(cert *Certificate, names ...string) error {
	if cert.CertType != UserCert {
		return refuse(cert, "is not a user certificate", nil)
	}
	if c.IsUserAuthority == nil || cert.SignatureKey == nil || !c.IsUserAuthority(cert.SignatureKey) {
		return refuse(cert, "signed by an unknown authority", nil)
	}
	found := slices.ContainsFunc(names, func(name string) bool {
		return validName(name) && slices.Contains(cert.ValidPrincipals, name)
	})
	if !found {
		return refuse(cert, "name is not a listed principal", nil)
	}
	return c.check(cert)
}

// CheckHost decides about a host's certificate: hostname, without its port,
// must match one of its principals, which may have wildcards. Host
// certificates have no critical options.
func (c *CertChecker) CheckHost(cert *Certificate, hostname string) error {
	if cert.CertType != HostCert {
		return refuse(cert, "is not a host certificate", nil)
	}
	if c.IsHostAuthority == nil || cert.SignatureKey == nil || !c.IsHostAuthority(cert.SignatureKey, hostname) {
		return refuse(cert, "signed by an unknown authority", nil)
	}
	if len(cert.CriticalOptions) > 0 {
		return refuse(cert, "is a host certificate with critical options", nil)
	}
	name := strings.ToLower(hostname)
	found := validName(name) && slices.ContainsFunc(cert.ValidPrincipals, func(p string) bool {
		return MatchPattern(name, strings.ToLower(p))
	})
	if !found {
		return refuse(cert, "name is not a listed principal", nil)
	}
	return c.check(cert)
}

// CheckCert checks what CheckUser or CheckHost check, by the certificate's
// type, but for the authority, which the caller has looked at.
func (c *CertChecker) CheckCert(principal string, cert *Certificate) error {
	cc := *c
	cc.IsUserAuthority = func(PublicKey) bool { return true }
	cc.IsHostAuthority = func(PublicKey, string) bool { return true }
	if cert.CertType == HostCert {
		return cc.CheckHost(cert, principal)
	}
	return cc.CheckUser(cert, principal)
}

// check looks at everything but kind, authority and names.
func (c *CertChecker) check(cert *Certificate) error {
	if c.IsRevoked != nil && c.IsRevoked(cert) {
		return refuse(cert, "has been revoked", nil)
	}
	for name := range cert.CriticalOptions {
		if !slices.Contains(c.SupportedCriticalOptions, name) {
			return refuse(cert, fmt.Sprintf("unsupported critical option %q", name), nil)
		}
	}
	if c.Clock == nil {
		return refuse(cert, "cannot be checked without a clock", nil)
	}
	if err := cert.CheckTime(c.Clock()); err != nil {
		return err
	}
	if err := cert.VerifySignature(c.CASignatureAlgorithms); err != nil {
		return refuse(cert, "bad signature", err)
	}
	return nil
}

// CheckTime reports whether ValidAfter <= now < ValidBefore.
func (c *Certificate) CheckTime(now time.Time) error {
	t := now.Unix()
	if t < 0 {
		return refuse(c, "cannot be checked before 1970", nil)
	}
	if uint64(t) < c.ValidAfter {
		return refuse(c, "is not yet valid", nil)
	}
	if uint64(t) >= c.ValidBefore && c.ValidBefore != CertTimeInfinity {
		return refuse(c, "has expired", nil)
	}
	return nil
}

// ErrSourceAddress is a list of addresses that cannot be understood; it
// matches nobody.
var ErrSourceAddress = errors.New("pubkey: malformed list of source addresses")

// MatchSourceAddress reports whether addr is in list, as the critical option
// source-address has it: addresses and CIDR blocks with commas between them,
// no names, no wildcards, no negation. One malformed entry spoils the list,
// and an empty list matches nobody (AUT-7).
func MatchSourceAddress(list string, addr netip.Addr) (bool, error) {
	addr = addr.Unmap().WithZone("")
	found := false
	for entry := range strings.SplitSeq(list, ",") {
		p, err := parseCIDR(entry)
		if err != nil {
			return false, err
		}
		found = found || p.Contains(addr)
	}
	return found && addr.IsValid(), nil
}

func parseCIDR(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		a, err := netip.ParseAddr(entry)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%w: %q", ErrSourceAddress, entry)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(entry)
	if err != nil || p != p.Masked() {
		// Bits behind the mask are somebody's mistake, as OpenSSH sees it too.
		return netip.Prefix{}, fmt.Errorf("%w: %q", ErrSourceAddress, entry)
	}
	return p, nil
}

// MatchPattern reports whether the whole of s matches a pattern in which "*"
// stands for any bytes and "?" for one. It takes time in proportion to the
// product of the lengths at most.
func MatchPattern(s, pattern string) bool {
	star, mark := -1, 0 // the last star, and how far it has eaten
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(pattern) && pattern[j] == '*' {
		j++
	}
	return j == len(pattern)
}
