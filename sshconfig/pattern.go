package sshconfig

import (
	"net/netip"
	"strconv"
	"strings"
)

// MatchPattern tells whether s matches a pattern of "*" and "?". It takes
// time proportional to len(s) × the longest literal run, never exponential:
// only the last "*" is ever gone back to.
func MatchPattern(s, pattern string) bool {
	si, pi := 0, 0
	star, mark := -1, 0
	for si < len(s) {
		switch {
		case pi < len(pattern) && pattern[pi] == '*':
			star, mark = pi, si
			pi++
		case pi < len(pattern) && (pattern[pi] == '?' || pattern[pi] == s[si]):
			si++
			pi++
		case star >= 0:
			mark++
			si, pi = mark, star+1
		default:
			return false
		}
	}
	for pi < len(pattern) && pattern[pi] == '*' {
		pi++
	}
	return pi == len(pattern)
}

// MaxPattern bounds one element of a pattern-list, bytes.
const MaxPattern = 1024

// MatchList matches s against a comma separated pattern-list. It returns 1
// for a match, -1 when a "!" element matched (which beats every other), 0
// otherwise. fold makes letters of the patterns lower case first; s is taken
// as it is.
func MatchList(s, list string, fold bool) int {
	got := 0
	for i := 0; i < len(list); {
		end := strings.IndexByte(list[i:], ',')
		if end < 0 {
			end = len(list) - i
		}
		p := list[i : i+end]
		i += end + 1
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		if len(p) > MaxPattern {
			return 0
		}
		if fold {
			p = toLower(p)
		}
		if MatchPattern(s, p) {
			if negated {
				return -1
			}
			got = 1
		}
	}
	return got
}

// MatchHost matches a host name, whatever its case, against a pattern-list.
func MatchHost(host, list string) int { return MatchList(toLower(host), list, true) }

// AddressError tells of a wrong network in an address list: the mask is
// broken, or the address has bits below the mask.
type AddressError struct{ Network string }

func (e *AddressError) Error() string {
	return "sshconfig: inconsistent mask length for match network \"" + e.Network + "\": write the network's first address before the slash"
}

// MatchAddress matches an address against a list of addresses, networks
// (ADDRESS/BITS) and wildcard patterns, with "!" for negation. It returns 1
// for a match, -1 when a negated element matched, 0 otherwise. An addr that
// is no address matches nothing (a name that looks like one of the patterns
// does not count). An empty addr only checks the list.
func MatchAddress(addr, list string) (int, error) {
	a, err := parseAddr(addr)
	valid := err == nil
	got := 0
	for more := true; more; {
		var p string
		p, list, more = strings.Cut(list, ",")
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		network, isNetwork, bad := parseNetwork(p)
		if p == "" || bad {
			return 0, &AddressError{p}
		}
		hit := false
		switch {
		case !valid:
		case isNetwork:
			hit = network.Contains(a)
		default:
			hit = MatchPattern(addr, p)
		}
		if hit {
			if negated {
				return -1, nil
			}
			got = 1
		}
	}
	return got, nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, err
	}
	return a.Unmap().WithZone(""), nil
}

// parseNetwork reads ADDRESS[/BITS]. bad is true for a network with too long
// a mask or with bits below it; what cannot be read at all is a wildcard
// pattern, not an error.
func parseNetwork(p string) (network netip.Prefix, ok, bad bool) {
	host, bits, slash := strings.Cut(p, "/")
	a, err := parseAddr(host)
	if err != nil {
		return network, false, false
	}
	if !slash {
		return netip.PrefixFrom(a, a.BitLen()), true, false
	}
	n, err := strconv.ParseUint(bits, 10, 32)
	if err != nil {
		return network, false, false
	}
	if n > uint64(a.BitLen()) {
		return network, false, true
	}
	network = netip.PrefixFrom(a, int(n))
	if network.Masked() != network {
		return network, false, true
	}
	return network, true, false
}

// MatchUser matches one element of AllowUsers or DenyUsers: USER or
// USER@HOST, where HOST is a pattern for the client's name or an address
// list for its address. The error is that of a wrong network in pattern.
func MatchUser(user, host, addr, pattern string) (bool, error) {
	at := strings.LastIndexByte(pattern, '@')
	if at < 0 {
		return MatchPattern(user, pattern), nil
	}
	upat, hpat := pattern[:at], pattern[at+1:]
	if !MatchPattern(user, upat) {
		_, err := matchHostAndAddress("", "", hpat)
		return false, err
	}
	return matchHostAndAddress(host, addr, hpat)
}

// matchHostAndAddress is true when the list matches the name or the address
// and negates neither.
func matchHostAndAddress(host, addr, list string) (bool, error) {
	byAddr, err := MatchAddress(addr, list)
	if err != nil {
		return false, err
	}
	if byAddr < 0 {
		return false, nil
	}
	byName := 0
	if host != "" {
		byName = MatchHost(host, list)
	}
	return byName >= 0 && (byName == 1 || byAddr == 1), nil
}
