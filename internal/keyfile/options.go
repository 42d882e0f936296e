package keyfile

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Limits of the options of one line.
const (
	MaxEnvironment = 1024
	MaxPermits     = 4096 // of permitopen, and as many of permitlisten
	maxHost        = 1024 // bytes of a host name in one of them
)

// TunnelAny as Tunnel means any unit.
const TunnelAny = 0x7fffffff

// HostPort is where a forwarding may lead or listen. Host "*" is any; Port 0
// is any.
type HostPort struct {
	Host string
	Port uint16
}

// AuthorizedOptions are what a line of authorized_keys, or a certificate,
// allows and demands of a login. The zero value allows nothing that has to be
// allowed; [ParseOptions] of an empty string is what a line without options
// means. Two of them are put together with [AuthorizedOptions.Merge].
type AuthorizedOptions struct {
	Restricted    bool // "restrict" was there
	CertAuthority bool // the key is an authority's, not a user's

	PortForwarding, AgentForwarding, X11Forwarding, PTY, UserRC bool

	SK pubkey.SKOptions // no-touch-required and verify-required

	Command     *string   // runs in place of what is asked for; nil if none is forced
	Principals  []string  // whole names that a certificate must have one of; nil if the option is absent
	Environment []string  // NAME=VALUE, each name once
	ExpiryTime  time.Time // refused after; zero means never
	Tunnel      *int      // the tun unit; nil if none is forced

	// Each of the following is a list of conditions that must all hold; in
	// each, one entry must match.
	From          []string // pattern lists of names, addresses and blocks
	SourceAddress []string // a certificate's lists of addresses and blocks
	PermitOpen    [][]HostPort
	PermitListen  [][]HostPort
}

// OptionError says which option made a line unusable.
type OptionError struct {
	Option string
	Err    error
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("keyfile: bad key options: %s: %v", e.Option, e.Err)
}

func (e *OptionError) Unwrap() error { return e.Err }

var (
	errTwice      = errors.New("stands there twice")
	errUnknown    = errors.New("unknown key option")
	errEnd        = errors.New("unexpected end of options")
	errTooMany    = errors.New("too many")
	errPermitHost = errors.New("invalid permission hostname")
	errPermitPort = errors.New("invalid permission port")
	errEnvName    = errors.New("invalid environment string")
	errTunnel     = errors.New("invalid tun device")
	errTime       = errors.New("invalid expiry time")
)

// flag matches a word at the front of s, without regard to case, "no-" before
// it included if it may be negated.
func flag(s *string, name string, negate bool) (value, ok bool) {
	rest, value := *s, true
	if negate && len(rest) >= 3 && strings.EqualFold(rest[:3], "no-") {
		rest, value = rest[3:], false
	}
	if len(rest) < len(name) || !strings.EqualFold(rest[:len(name)], name) {
		return false, false
	}
	if rest = rest[len(name):]; rest != "" && rest[0] != ',' {
		return false, false
	}
	*s = rest
	return value, true
}

// ParseOptions reads the options of a line. loc is where expiry times without
// a Z are meant; nil means UTC. One bad option makes all of them, and so the
// line, unusable: the error is an [*OptionError].
func ParseOptions(s string, loc *time.Location) (*AuthorizedOptions, error) {
	o := &AuthorizedOptions{PortForwarding: true, AgentForwarding: true, X11Forwarding: true, PTY: true, UserRC: true}
	var open, listen []HostPort
	for s != "" {
		name, _, _ := strings.Cut(s[:min(len(s), 64)], ",")
		name, _, _ = strings.Cut(name, "=")
		rest, err := o.parseOption(s, loc, &open, &listen)
		switch {
		case err != nil:
		case rest == "":
			s = ""
			continue
		case rest[0] != ',':
			err = errUnknown
		case rest == ",":
			err = errEnd
		}
		if err != nil {
			return nil, &OptionError{name, err}
		}
		s = rest[1:]
	}
	if open != nil {
		o.PermitOpen = [][]HostPort{open}
	}
	if listen != nil {
		o.PermitListen = [][]HostPort{listen}
	}
	return o, nil
}

// parseOption reads one option from the front of s and returns what follows.
func (o *AuthorizedOptions) parseOption(s string, loc *time.Location, open, listen *[]HostPort) (string, error) {
	if _, ok := flag(&s, "restrict", false); ok {
		o.Restricted = true
		o.PortForwarding, o.AgentForwarding, o.X11Forwarding, o.PTY, o.UserRC = false, false, false, false, false
		return s, nil
	}
	if _, ok := flag(&s, "cert-authority", false); ok {
		o.CertAuthority = true
		return s, nil
	}
	for _, f := range [...]struct {
		name string
		to   *bool
		flip bool
	}{
		{"port-forwarding", &o.PortForwarding, false},
		{"agent-forwarding", &o.AgentForwarding, false},
		{"x11-forwarding", &o.X11Forwarding, false},
		{"touch-required", &o.SK.NoTouchRequired, true},
		{"verify-required", &o.SK.VerifyRequired, false},
		{"pty", &o.PTY, false},
		{"user-rc", &o.UserRC, false},
	} {
		if v, ok := flag(&s, f.name, true); ok {
			*f.to = v != f.flip
			return s, nil
		}
	}
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return "", errUnknown
	}
	name = strings.ToLower(name)
	switch name {
	case "command", "principals", "from", "expiry-time", "environment", "permitopen", "permitlisten", "tunnel":
	default:
		return "", errUnknown
	}
	v, rest, err := dequote(value)
	if err != nil {
		return "", err
	}
	switch name {
	case "command":
		if o.Command != nil {
			return "", errTwice
		}
		o.Command = &v
	case "principals":
		if o.Principals != nil {
			return "", errTwice
		}
		o.Principals = strings.Split(v, ",")
	case "from":
		if o.From != nil {
			return "", errTwice
		}
		o.From = []string{v}
	case "expiry-time":
		t, err := ParseTime(v, loc)
		if err != nil || t.Unix() == 0 {
			return "", errTime
		}
		if o.ExpiryTime.IsZero() || t.Before(o.ExpiryTime) {
			o.ExpiryTime = t
		}
	case "environment":
		err = o.addEnvironment(v)
	case "permitopen":
		err = addPermit(open, v, false)
	case "permitlisten":
		err = addPermit(listen, v, true)
	case "tunnel":
		n := TunnelAny
		if !strings.EqualFold(v, "any") {
			if n, err = strconv.Atoi(v); err != nil || n < 0 || n >= TunnelAny-1 {
				return "", errTunnel
			}
		}
		o.Tunnel = &n
	}
	return rest, err
}

// addEnvironment adds a variable; the first of a name counts.
func (o *AuthorizedOptions) addEnvironment(v string) error {
	if len(o.Environment) >= MaxEnvironment {
		return errTooMany
	}
	name, _, ok := strings.Cut(v, "=")
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return errEnvName
	}
	for _, e := range o.Environment {
		if strings.HasPrefix(e, name+"=") {
			return nil
		}
	}
	o.Environment = append(o.Environment, v)
	return nil
}

// addPermit adds host:port, [host]:port or, to listen on, port alone.
func addPermit(l *[]HostPort, v string, barePort bool) error {
	if len(*l) >= MaxPermits {
		return errTooMany
	}
	if barePort && !strings.Contains(v, ":") {
		v = "*:" + v
	}
	var host, port string
	var ok bool
	if strings.HasPrefix(v, "[") {
		host, port, ok = strings.Cut(v[1:], "]")
		if !ok || !strings.HasPrefix(port, ":") {
			return errPermitHost
		}
		port = port[1:]
	} else {
		i := strings.IndexAny(v, ":/") // OpenSSH takes host/port too
		if i < 0 {
			return errPermitPort
		}
		host, port = v[:i], v[i+1:]
	}
	if host == "" || len(host) > maxHost {
		return errPermitHost
	}
	p := HostPort{Host: host}
	if port != "*" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errPermitPort
		}
		p.Port = uint16(n)
	}
	*l = append(*l, p)
	return nil
}

// ParseTime reads a time as OpenSSH's files and tools have it: YYYYMMDD,
// YYYYMMDDHHMM or YYYYMMDDHHMMSS, in loc or, with Z or UTC behind it, in UTC.
// A nil loc means UTC.
func ParseTime(s string, loc *time.Location) (time.Time, error) {
	if loc == nil {
		loc = time.UTC
	}
	digits := s
	if n := len(s); n > 1 && (s[n-1] == 'Z' || s[n-1] == 'z') {
		digits, loc = s[:n-1], time.UTC
	} else if n > 3 && strings.EqualFold(s[n-3:], "UTC") {
		digits, loc = s[:n-3], time.UTC
	}
	bad := fmt.Errorf("keyfile: %q is not a time; write YYYYMMDD[HHMM[SS]][Z]", clip([]byte(s)))
	switch len(digits) {
	case 8, 12, 14:
	default:
		return time.Time{}, bad
	}
	var f [6]int
	rest := digits
	for i, n := range [6]int{4, 2, 2, 2, 2, 2} {
		if rest == "" {
			break
		}
		for _, c := range rest[:n] {
			if c < '0' || c > '9' {
				return time.Time{}, bad
			}
			f[i] = f[i]*10 + int(c-'0')
		}
		rest = rest[n:]
	}
	if f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 || f[5] > 60 {
		return time.Time{}, bad
	}
	t := time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], 0, loc)
	if t.Unix() < 0 {
		return time.Time{}, bad
	}
	return t, nil
}

// FromCertificate is what a certificate allows and demands. A critical option
// that is unknown or malformed makes it unusable; unknown extensions are
// ignored. The certificate itself has not been checked by this.
func FromCertificate(c *pubkey.Certificate) (*AuthorizedOptions, error) {
	o := new(AuthorizedOptions)
	for name, value := range c.CriticalOptions {
		switch name {
		case pubkey.OptionForceCommand:
			o.Command = &value
		case pubkey.OptionSourceAddress:
			if _, err := pubkey.MatchSourceAddress(value, netip.Addr{}); err != nil {
				return nil, &OptionError{name, err}
			}
			o.SourceAddress = []string{value}
		case pubkey.OptionVerify:
			o.SK.VerifyRequired = true
		default:
			return nil, &OptionError{name, errors.New("unknown critical option of a certificate")}
		}
	}
	for name := range c.Extensions {
		switch name {
		case pubkey.ExtensionNoTouch:
			o.SK.NoTouchRequired = true
		case pubkey.ExtensionX11Forwarding:
			o.X11Forwarding = true
		case pubkey.ExtensionAgentForwarding:
			o.AgentForwarding = true
		case pubkey.ExtensionPortForwarding:
			o.PortForwarding = true
		case pubkey.ExtensionPTY:
			o.PTY = true
		case pubkey.ExtensionUserRC:
			o.UserRC = true
		}
	}
	return o, nil
}

// ErrCommands says that two sides force different commands.
var ErrCommands = errors.New("keyfile: forced command options do not match")

// Merge is the strictest union of two sets of options, for a key and its
// certificate or for two factors (AUT-6): what only one allows is not allowed,
// what only one demands is demanded. Two different forced commands cannot be
// put together: ErrCommands. Of environment and tunnel, o's come first.
func (o *AuthorizedOptions) Merge(p *AuthorizedOptions) (*AuthorizedOptions, error) {
	m := &AuthorizedOptions{
		Restricted:      o.Restricted || p.Restricted,
		CertAuthority:   o.CertAuthority || p.CertAuthority,
		PortForwarding:  o.PortForwarding && p.PortForwarding,
		AgentForwarding: o.AgentForwarding && p.AgentForwarding,
		X11Forwarding:   o.X11Forwarding && p.X11Forwarding,
		PTY:             o.PTY && p.PTY,
		UserRC:          o.UserRC && p.UserRC,
		SK: pubkey.SKOptions{
			NoTouchRequired: o.SK.NoTouchRequired && p.SK.NoTouchRequired,
			VerifyRequired:  o.SK.VerifyRequired || p.SK.VerifyRequired,
		},
		Command: o.Command, Principals: o.Principals, ExpiryTime: o.ExpiryTime, Tunnel: o.Tunnel,
		Environment:   append([]string(nil), o.Environment...),
		From:          join(o.From, p.From),
		SourceAddress: join(o.SourceAddress, p.SourceAddress),
		PermitOpen:    join(o.PermitOpen, p.PermitOpen),
		PermitListen:  join(o.PermitListen, p.PermitListen),
	}
	if p.Command != nil {
		if m.Command != nil && *m.Command != *p.Command {
			return nil, ErrCommands
		}
		m.Command = p.Command
	}
	if p.Principals != nil {
		if m.Principals == nil {
			m.Principals = p.Principals
		} else {
			both := []string{} // not nil: nobody is left, which is not anybody
			for _, a := range m.Principals {
				for _, b := range p.Principals {
					if a == b {
						both = append(both, a)
					}
				}
			}
			m.Principals = both
		}
	}
	if !p.ExpiryTime.IsZero() && (m.ExpiryTime.IsZero() || p.ExpiryTime.Before(m.ExpiryTime)) {
		m.ExpiryTime = p.ExpiryTime
	}
	if m.Tunnel == nil {
		m.Tunnel = p.Tunnel
	}
	for _, e := range p.Environment {
		if err := m.addEnvironment(e); err != nil {
			return nil, &OptionError{"environment", err}
		}
	}
	return m, nil
}

func join[T any](a, b []T) []T {
	return append(append([]T(nil), a...), b...)
}

// Expired reports whether the key may no longer be used.
func (o *AuthorizedOptions) Expired(now time.Time) bool {
	return !o.ExpiryTime.IsZero() && now.Unix() > o.ExpiryTime.Unix()
}

// MayOpen reports whether permitopen lets a forwarding lead to host and port;
// whether forwardings are allowed at all is PortForwarding's to say.
func (o *AuthorizedOptions) MayOpen(host string, port uint16) bool {
	return permits(o.PermitOpen, host, port)
}

// MayListen is MayOpen for permitlisten.
func (o *AuthorizedOptions) MayListen(host string, port uint16) bool {
	return permits(o.PermitListen, host, port)
}

func permits(lists [][]HostPort, host string, port uint16) bool {
	for _, l := range lists {
		found := false
		for _, p := range l {
			found = found || (p.Host == "*" || p.Host == host) && (p.Port == 0 || p.Port == port)
		}
		if !found {
			return false
		}
	}
	return true
}

// MatchSource reports whether a login may come from the address, and from the
// host of that name; without UseDNS the name is the address once more. A list
// that cannot be understood matches nobody.
func (o *AuthorizedOptions) MatchSource(host string, addr netip.Addr) bool {
	for _, l := range o.From {
		if !matchFrom(l, host, addr) {
			return false
		}
	}
	for _, l := range o.SourceAddress {
		if ok, err := pubkey.MatchSourceAddress(l, addr); err != nil || !ok {
			return false
		}
	}
	return true
}

// matchFrom is from="…": entries are names and addresses with wildcards and
// CIDR blocks; one with "!" before it that matches refuses.
func matchFrom(list, host string, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	text, host := "", strings.ToLower(host)
	if addr.IsValid() {
		text = addr.String()
	}
	found := false
	for entry := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(entry, "!")
		if pattern == "" {
			return false
		}
		var match bool
		if p, err := netip.ParsePrefix(pattern); err == nil {
			if p != p.Masked() {
				return false // bits behind the mask: the list is wrong
			}
			match = p.Contains(addr)
		} else if a, err := netip.ParseAddr(pattern); err == nil {
			match = addr.IsValid() && a.Unmap() == addr
		} else {
			match = text != "" && pubkey.MatchPattern(text, pattern)
		}
		match = match || host != "" && pubkey.MatchPattern(host, strings.ToLower(pattern))
		if match && negated {
			return false
		}
		found = found || match
	}
	return found
}
