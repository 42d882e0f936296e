package sshconfig

import (
	"fmt"
	"strings"
)

// Connection is what the criteria of a server's Match blocks look at.
type Connection struct {
	User        string // login name
	InvalidUser bool   // no such account
	Host        string // client's name, or its address with UseDNS no
	Address     string // client's address
	LocalAddr   string // the server's side
	LocalPort   int
	RDomain     string
}

// ParseConnection reads sshd's -C: comma separated addr=, user=, host=,
// laddr=, lport=, rdomain= and invalid-user. It adds to c, so -C may repeat.
// What is not given matches nothing.
func (c *Connection) ParseConnection(spec string) error {
	for more := true; more; {
		var part string
		part, spec, more = strings.Cut(spec, ",")
		if part == "" {
			return nil
		}
		name, value, _ := strings.Cut(part, "=")
		switch {
		case part == "invalid-user":
			c.InvalidUser = true
		case !strings.Contains(part, "="):
			return fmt.Errorf("Invalid test mode specification %s", part)
		case name == "user":
			c.User = value
		case name == "host":
			c.Host = value
		case name == "addr":
			c.Address = value
		case name == "laddr":
			c.LocalAddr = value
		case name == "rdomain":
			c.RDomain = value
		case name == "lport":
			if c.LocalPort = parsePort(value, nil); c.LocalPort <= 0 {
				return fmt.Errorf("Invalid port '%s' in test mode specification %s", value, part)
			}
		default:
			return fmt.Errorf("Invalid test mode specification %s", part)
		}
	}
	return nil
}

// A criterion is one condition of a Match line.
type criterion struct {
	name string // lower case
	arg  string
	port int
}

// parseCriteria reads a server's Match line.
func parseCriteria(l *line) ([]criterion, *problem) {
	var list []criterion
	for len(l.words) > 0 {
		word, _ := l.next()
		c := criterion{name: toLower(word)}
		switch c.name {
		case "all":
			if len(list) > 0 || len(l.words) > 0 && l.words[0] != "" {
				return nil, l.serverMatchf("'all' cannot be combined with other Match attributes")
			}
			l.words = nil
			return []criterion{c}, nil
		case "invalid-user":
			list = append(list, c)
			continue
		}
		ok := false
		if i := strings.IndexByte(word, '='); i > 0 && isCriterion(c.name[:i]) {
			c.name, c.arg, ok = c.name[:i], word[i+1:], true
		} else {
			c.arg, ok = l.next()
		}
		if !ok || c.arg == "" {
			return nil, l.serverMatchf("Missing Match criteria for %s", word)
		}
		if !isCriterion(c.name) {
			return nil, l.serverMatchf("Unsupported Match attribute %s", word)
		}
		switch c.name {
		case "address", "localaddress":
			if _, err := MatchAddress("", c.arg); err != nil {
				return nil, &problem{fatal: true, bare: true, text: fmt.Sprintf("Invalid Match %s argument '%s' at line %d", c.name, c.arg, l.number)}
			}
		case "localport":
			if c.port = parsePort(c.arg, l.env.lookupPort); c.port <= 0 {
				return nil, l.serverMatchf("Invalid LocalPort '%s' on Match line", c.arg)
			}
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, l.serverMatchf("One or more attributes required for Match")
	}
	return list, nil
}

func isCriterion(name string) bool {
	switch name {
	case "user", "group", "host", "address", "localaddress", "localport", "rdomain", "version":
		return true
	}
	return false
}

func (l *line) serverMatchf(format string, args ...any) *problem {
	p := l.matchf(format, args...)
	p.fatal = true
	return p
}

// holds tells whether a criterion is met. With no connection, while the file
// is read, only those are that need none.
func (s *Server) holds(c *criterion, conn *Connection) bool {
	switch c.name {
	case "all":
		return true
	case "version":
		return MatchList(s.ctx.Version, c.arg, false) == 1
	}
	if conn == nil {
		return false
	}
	switch c.name {
	case "invalid-user":
		return conn.InvalidUser
	case "user":
		return conn.User != "" && MatchList(conn.User, c.arg, false) == 1
	case "group":
		return conn.User != "" && s.inGroup(conn.User, c.arg)
	case "host":
		return conn.Host != "" && MatchHost(conn.Host, c.arg) == 1
	case "address":
		n, err := MatchAddress(conn.Address, c.arg)
		return err == nil && n == 1
	case "localaddress":
		n, err := MatchAddress(conn.LocalAddr, c.arg)
		return err == nil && n == 1
	case "localport":
		return conn.LocalPort == c.port
	case "rdomain":
		return conn.RDomain != "" && MatchList(conn.RDomain, c.arg, false) == 1
	}
	return false
}

// inGroup is MatchGroups for the groups of a user.
func (s *Server) inGroup(user, list string) bool {
	if s.ctx.Groups == nil {
		return false
	}
	groups, ok := s.ctx.Groups(user)
	return ok && MatchGroups(groups, list)
}

// MatchGroups tells whether one of the groups matches a pattern-list and
// none, in order up to there, is negated by it.
func MatchGroups(groups []string, list string) bool {
	for _, g := range groups {
		switch MatchList(g, list, false) {
		case -1:
			return false
		case 1:
			return true
		}
	}
	return false
}
