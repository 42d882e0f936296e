package transport

import (
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
)

// Peers that know group exchange only as a draft had it: they ask with message
// 30, which means something else today. It is not offered to them, as OpenSSH
// does not; each pattern ends what it must begin with.
var oldGroupExchangers = [...]string{
	"PuTTY_Local:",
	"PuTTY-Release-0.5", "PuTTY_Release_0.5",
	"PuTTY_Release_0.60", "PuTTY_Release_0.61", "PuTTY_Release_0.62", "PuTTY_Release_0.63", "PuTTY_Release_0.64",
	"FuTTY",
	"WinSCP_release_4", "WinSCP_release_5.0", "WinSCP_release_5.1.", "WinSCP_release_5.5.", "WinSCP_release_5.6.",
}

// The same by their whole name.
var oldGroupExchangersExact = [...]string{
	"WinSCP_release_5.1", "WinSCP_release_5.5", "WinSCP_release_5.6", "WinSCP_release_5.7",
	"WinSCP_release_5.7.1", "WinSCP_release_5.7.2", "WinSCP_release_5.7.3", "WinSCP_release_5.7.4",
}

// oldGroupExchange reports whether the peer of an identification line is one of
// them.
func oldGroupExchange(id []byte) bool {
	name := string(softwareVersion(id))
	for _, p := range oldGroupExchangers {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return slices.Contains(oldGroupExchangersExact[:], name)
}

// maxCiscoGroup is the largest group that Cisco's old servers can compute with,
// who take a request for more as one for nothing.
const maxCiscoGroup = 4096

func oldCisco(id []byte) bool { return strings.HasPrefix(string(softwareVersion(id)), "Cisco-1.") }

func offersGroupExchange(names []string) bool {
	return slices.ContainsFunc(names, isGroupExchange)
}

func isGroupExchange(name string) bool {
	m := kex.MethodByName(name)
	return m != nil && m.GroupExchange
}

func withoutGroupExchange(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), isGroupExchange)
}
