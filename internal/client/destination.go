package client

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// Destination is what a person calls a server by. User and Port are empty
// where they were not given.
type Destination struct {
	User string
	Host string
	Port int
}

// Errors of destinations. Those of names are printed as they are.
var (
	ErrDestination = errors.New("client: malformed destination")
	ErrUserName    = errors.New("remote username contains invalid characters")
	ErrHostName    = errors.New("hostname contains invalid characters")
)

// ParseDestination reads `host`, `user@host` or `ssh://[user@]host[:port][/]`.
// It does not judge the names: see ValidUser and ValidHost.
func ParseDestination(s string) (Destination, error) {
	if rest, ok := strings.CutPrefix(s, "ssh://"); ok {
		return parseURI(rest)
	}
	var d Destination
	i := strings.LastIndexByte(s, '@')
	if i == 0 {
		return d, ErrDestination
	}
	if i > 0 {
		d.User = s[:i]
	}
	d.Host = s[i+1:]
	return d, nil
}

// parseURI reads what stands behind ssh://. Connection parameters behind the
// user name are ignored; a path is an error.
func parseURI(s string) (Destination, error) {
	var d Destination
	if user, rest, ok := strings.Cut(s, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		user, ok := unescape(user)
		if !ok || user == "" {
			return d, ErrDestination
		}
		d.User, s = user, rest
	}
	if strings.HasPrefix(s, "[") {
		host, rest, ok := strings.Cut(s[1:], "]")
		if !ok || net.ParseIP(host) == nil && !validDomain(host) {
			return d, ErrDestination
		}
		d.Host, s = host, rest
	} else {
		end := strings.IndexAny(s, ":/")
		if end < 0 {
			end = len(s)
		}
		d.Host, s = s[:end], s[end:]
		if !validDomain(d.Host) {
			return d, ErrDestination
		}
	}
	if rest, ok := strings.CutPrefix(s, ":"); ok {
		digits, path, _ := strings.Cut(rest, "/")
		if digits != "" {
			port, ok := ParsePort(digits)
			if !ok {
				return d, ErrDestination
			}
			d.Port = port
		}
		s = path
	} else {
		s = strings.TrimPrefix(s, "/")
	}
	if s != "" {
		return d, ErrDestination
	}
	return d, nil
}

// validDomain reports whether s can be a host name in a URI.
func validDomain(s string) bool {
	if s == "" || s[0] == '-' || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// unescape resolves %xx.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil || v == 0 {
			return "", false
		}
		b = append(b, byte(v))
		i += 2
	}
	return string(b), true
}

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

// ValidUser reports whether a remote user name given on a command line is
// taken: nothing that a shell could take apart should it be expanded into a
// command (CLI-5).
func ValidUser(s string) bool {
	if s == "" {
		return true
	}
	if s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case control(c), strings.IndexByte("'`\";&<>|(){}", c) >= 0:
			return false
		case blank(c) && i+1 < len(s) && s[i+1] == '-':
			return false
		case c == '\\' && i+1 == len(s):
			return false
		}
	}
	return true
}

// ValidHost reports whether a host name given on a command line is taken
// (CLI-5).
func ValidHost(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; control(c) || blank(c) || strings.IndexByte("'`\"$\\;&<>|(){},", c) >= 0 {
			return false
		}
	}
	return true
}

func control(c byte) bool { return c < ' ' || c == 0x7f }
func blank(c byte) bool   { return c == ' ' || c >= '\t' && c <= '\r' }
