package knownhosts

import (
	"net"
	"strconv"
	"strings"
)

// DefaultPort is the port that names in known_hosts do not show.
const DefaultPort = 22

// Name is how known_hosts calls a host: in lower case, and with a port other
// than 22 (and 0) as "[host]:port".
func Name(host string, port int) string {
	host = strings.ToLower(host)
	if port == 0 || port == DefaultPort {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}

// Normalize is [Name] for "host", "host:port" and "[host]:port".
func Normalize(address string) string {
	host, port := split(address)
	return Name(host, port)
}

func split(address string) (host string, port int) {
	h, p, err := net.SplitHostPort(address)
	if err != nil {
		h, p = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), ""
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		port = 0
	}
	return h, port
}

// HashName is a name as HashKnownHosts stores it: |1|SALT|HASH, with random
// salt.
func HashName(name string) string { return hashWith(newSalt(), name) }

// EntryText is an entry as it is written: names with commas between them, type
// and base64 of the key. It has no line end.
func EntryText(names []string, key Key) string {
	return strings.Join(names, ",") + " " + keyText(key)
}
