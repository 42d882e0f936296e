package sshconfig

import (
	"net/netip"
	"strconv"
	"strings"
)

// resolveHost takes Hostname into use and canonicalises it; again asks for a
// second pass over the files.
func (c *Client) resolveHost(wantFinal bool) (again bool, err error) {
	// The keywords of canonicalisation count as read in the first pass.
	for i := range clientRows {
		switch clientRows[i].name {
		case "CanonicalizeMaxDots", "CanonicalizeFallbackLocal", "CanonicalizeHostname":
			if !c.set.has(i) {
				clientRows[i].kind.preset(c, nil)
				c.set.add(i)
			}
		}
	}
	if c.Hostname == "" {
		c.Hostname = c.ctx.Host
	} else if c.Hostname, err = (&Tokens{Host: c.ctx.Host}).Expand(c.Hostname, TokensHostname); err != nil {
		return false, asConfigError(err)
	}
	if a, is := ParseAddress(c.Hostname); is {
		if a.Zone() == "" && (c.AddressFamily == FamilyAny || a.Is4() == (c.AddressFamily == FamilyInet)) {
			c.Hostname = a.String()
		}
		return wantFinal || c.CanonicalizeHostname != CanonicalizeNo, nil
	}
	c.Hostname = toLower(c.Hostname)
	found := false
	if c.CanonicalizeHostname != CanonicalizeNo {
		if found, err = c.canonicalize(); err != nil {
			return false, err
		}
	}
	if !found && c.permitsAliases() && c.ctx.LookupHost != nil && (c.direct() || c.CanonicalizeHostname == CanonicalizeAlways) {
		alias, err := c.ctx.LookupHost(c, c.Hostname)
		switch {
		case err == nil:
			c.follow(&c.Hostname, alias)
		case c.direct():
			return false, fatal("ssh: Could not resolve hostname %.100s: %s", c.Hostname, err)
		}
	}
	return wantFinal || c.CanonicalizeHostname != CanonicalizeNo, nil
}

// direct tells a connection without a proxy.
func (c *Client) direct() bool {
	return (c.ProxyCommand == "" || c.ProxyCommand == "none") && (c.ProxyJump == "" || c.ProxyJump == "none")
}

// canonicalize looks the host up in CanonicalDomains and gives Hostname the
// full name that was found.
func (c *Client) canonicalize() (found bool, err error) {
	name := c.Hostname
	if c.ctx.LookupHost == nil || name == "" || !c.direct() && c.CanonicalizeHostname != CanonicalizeAlways {
		return false, nil
	}
	try := func(full string) bool {
		alias, err := c.ctx.LookupHost(c, full)
		if err != nil {
			c.debugf("ssh: Could not resolve hostname " + full + ": " + err.Error())
			return false
		}
		full = strings.TrimSuffix(full, ".")
		if !c.follow(&full, alias) {
			c.debugf("Canonicalized hostname \"" + name + "\" => \"" + full + "\"")
		}
		c.Hostname = full
		return true
	}
	switch {
	case strings.HasSuffix(name, "."):
		if try(name) {
			return true, nil
		}
	case strings.Count(name, ".") > c.CanonicalizeMaxDots:
		return false, nil
	default:
		for _, domain := range c.CanonicalDomains {
			if equalFold(domain, "none") {
				break
			}
			if try(name + "." + domain + ".") {
				return true, nil
			}
		}
	}
	if !c.CanonicalizeFallbackLocal {
		return false, fatal("ssh: Could not resolve host \"%s\"", name)
	}
	return false, nil
}

func (c *Client) debugf(text string) {
	if c.ctx.Warn != nil {
		c.ctx.Warn(LevelDebug, text)
	}
}

func (c *Client) permitsAliases() bool {
	rules := c.CanonicalizePermittedCNAMEs
	return len(rules) > 1 || len(rules) == 1 && (!equalFold(rules[0].From, "none") || !equalFold(rules[0].To, "none"))
}

// follow takes the name that alias is for, where a rule of
// CanonicalizePermittedCNAMEs allows it.
func (c *Client) follow(name *string, alias string) bool {
	alias = strings.TrimSuffix(alias, ".")
	if alias == "" || alias == *name || c.CanonicalizeHostname == CanonicalizeNo || !c.direct() && c.CanonicalizeHostname != CanonicalizeAlways {
		return false
	}
	for _, r := range c.CanonicalizePermittedCNAMEs {
		if MatchList(*name, r.From, true) == 1 && MatchList(alias, r.To, true) == 1 {
			c.debugf("Canonicalized DNS aliased hostname \"" + *name + "\" => \"" + alias + "\"")
			*name = alias
			return true
		}
	}
	return false
}

// ParseAddress reads an IP address as inet_aton(3) and inet_pton(3) do: also
// 127.1, 0x7f000001 and an IPv6 address with a zone.
func ParseAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a, true
	}
	if s == "" || s[0] < '0' || s[0] > '9' {
		return netip.Addr{}, false
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, p := range parts {
		n, ok := atonNumber(p)
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if !ok || n>>bits != 0 {
			return netip.Addr{}, false
		}
		v = v<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

func atonNumber(s string) (uint64, bool) {
	base := 10
	if rest, ok := strings.CutPrefix(toLower(s), "0x"); ok {
		s, base = rest, 16
	} else if len(s) > 1 && s[0] == '0' {
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 32)
	return n, err == nil
}
