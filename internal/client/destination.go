package client

import (
	"net"
	"strconv"
	"strings"
)

// ParsePort reads a port number, 1 to 65535, or the name of a TCP service.
func ParsePort(s string) (int, bool) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		return int(n), n > 0
	}
	if s == "" || s[0] >= '0' && s[0] <= '9' || strings.ContainsAny(s, " \t+-") {
		return 0, false
	}
	n, err := net.LookupPort("tcp", s)
	return n, err == nil && n > 0
}
