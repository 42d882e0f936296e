package sshconfig

import (
	"errors"
	"strconv"
	"strings"
)

// Forward is one port or socket forward. A side is either a host and a port
// or a path.
type Forward struct {
	ListenHost  string // "" is the default of GatewayPorts; "*" all addresses
	ListenAny   bool   // ListenHost was given and is "": all addresses
	ListenPort  int    // 0: the other side chooses (remote forwards)
	ListenPath  string
	ConnectHost string
	ConnectPort int
	ConnectPath string
	Dynamic     bool // SOCKS; nothing to connect to
}

var errForward = errors.New("sshconfig: bad forwarding specification: write [BIND:]PORT:HOST:HOSTPORT, or paths in place of either side")

const (
	maxHostName   = 1025
	maxSocketPath = 108
)

// ParseForward reads what stands behind -L, -R (remote) and -D (dynamic):
// fields between colons; a field in brackets may hold colons, and one with a
// slash is a path. Service names stand for ports. A remote forward of one or
// two fields is remote SOCKS.
func ParseForward(spec string, dynamic, remote bool) (Forward, error) {
	return parseForward(spec, dynamic, remote, nil)
}

func parseForward(spec string, dynamic, remote bool, lookup func(string) int) (f Forward, err error) {
	var field [4]string
	var path [4]bool
	n, rest := 0, strings.TrimLeft(spec, " \t\r\n")
	for n < 4 && rest != "" {
		var ok bool
		if field[n], path[n], rest, ok = forwardField(rest); !ok {
			break
		}
		n++
	}
	if rest != "" || n == 0 {
		return f, errForward
	}
	port := func(i int) int {
		if field[i] == "0" {
			return 0
		}
		if p := parsePort(field[i], lookup); p > 0 {
			return p
		}
		return -1
	}
	connects := false
	// A host before the port may be there and empty: all addresses.
	f.ListenAny = field[0] == "" && (n == 2 && !path[1] || n == 3 && path[2] || n == 4)
	switch {
	case n == 1 && path[0]:
		f.ListenPath, f.Dynamic = field[0], true
	case n == 1:
		f.ListenPort, f.Dynamic = port(0), true
	case n == 2 && path[0] && path[1]:
		f.ListenPath, f.ConnectPath, connects = field[0], field[1], true
	case n == 2 && path[1]:
		f.ListenPort, f.ConnectPath, connects = port(0), field[1], true
	case n == 2:
		f.ListenHost, f.ListenPort, f.Dynamic = field[0], port(1), true
	case n == 3 && path[0]:
		f.ListenPath, f.ConnectHost, f.ConnectPort, connects = field[0], field[1], port(2), true
	case n == 3 && path[2]:
		f.ListenHost, f.ListenPort, f.ConnectPath, connects = field[0], port(1), field[2], true
	case n == 3:
		f.ListenPort, f.ConnectHost, f.ConnectPort, connects = port(0), field[1], port(2), true
	default:
		f.ListenHost, f.ListenPort, f.ConnectHost, f.ConnectPort, connects = field[0], port(1), field[2], port(3), true
	}
	switch {
	case dynamic == connects,
		connects && f.ConnectPath == "" && f.ConnectPort <= 0,
		f.ListenPath == "" && (f.ListenPort < 0 || !remote && f.ListenPort == 0),
		len(f.ConnectHost) >= maxHostName, len(f.ListenHost) >= maxHostName,
		len(f.ConnectPath) >= maxSocketPath, len(f.ListenPath) >= maxSocketPath:
		return Forward{}, errForward
	}
	return f, nil
}

func forwardField(s string) (field string, path bool, rest string, ok bool) {
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return "", false, s, false
		}
		field, rest = s[1:end], s[end+1:]
		return field, strings.Contains(field, "/"), strings.TrimPrefix(rest, ":"), true
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			if i == len(s) {
				return "", false, s, false
			}
		case '/':
			path = true
		case ':':
			return string(b), path, s[i+1:], true
		}
		b = append(b, s[i])
	}
	return string(b), path, "", true
}

// String is the forward as `ssh -G` prints it: the two sides with a blank
// between them.
func (f *Forward) String() string {
	listen := f.ListenPath
	switch {
	case listen != "":
	case f.ListenHost == "" && !f.ListenAny:
		listen = strconv.Itoa(f.ListenPort)
	default:
		listen = "[" + f.ListenHost + "]:" + strconv.Itoa(f.ListenPort)
	}
	switch {
	case f.Dynamic:
		return listen
	case f.ConnectPath != "":
		return listen + " " + f.ConnectPath
	}
	return listen + " [" + f.ConnectHost + "]:" + strconv.Itoa(f.ConnectPort)
}

// HasForwards reports whether any forward is asked for.
func (c *Client) HasForwards() bool {
	return len(c.LocalForward)+len(c.RemoteForward)+len(c.DynamicForward) > 0
}

// AddLocal, AddRemote and AddDynamic add a forward of the command line.
func (c *Client) AddLocal(f Forward) { forwardKind{forwardLocal}.add(c, f) }

// AddRemote: see AddLocal.
func (c *Client) AddRemote(f Forward) { forwardKind{forwardRemote}.add(c, f) }

// AddDynamic: see AddLocal.
func (c *Client) AddDynamic(f Forward) { forwardKind{forwardDynamic}.add(c, f) }

type forwardWay uint8

const (
	forwardLocal forwardWay = iota
	forwardRemote
	forwardDynamic
)

// forwardKind is LocalForward, RemoteForward and DynamicForward.
type forwardKind struct{ way forwardWay }

func (k forwardKind) list(o *Client) *[]Forward {
	switch k.way {
	case forwardLocal:
		return &o.LocalForward
	case forwardRemote:
		return &o.RemoteForward
	}
	return &o.DynamicForward
}

func (k forwardKind) parse(l *line, o *Client, store bool) *problem {
	spec, p := l.need("Missing argument.")
	if p != nil {
		return p
	}
	dynamic := k.way == forwardDynamic
	if !dynamic {
		target, _ := l.next()
		switch {
		case target != "":
			spec += ":" + target
		case k.way == forwardRemote:
			dynamic = true
		default:
			return l.badf("Missing target argument.")
		}
	}
	spec, err := expandEnv(spec, l.env.getenv)
	if err != nil {
		p := l.badf("Bad forwarding specification.")
		p.before = tokenReason(err)
		return p
	}
	f, err := parseForward(spec, dynamic, k.way == forwardRemote, l.env.lookupPort)
	if err != nil {
		return l.badf("Bad forwarding specification.")
	}
	if store {
		k.add(o, f)
	}
	return nil
}

// add appends a forward that is not there yet.
func (k forwardKind) add(o *Client, f Forward) {
	list := k.list(o)
	for i := range *list {
		if (*list)[i] == f {
			return
		}
	}
	*list = append(*list, f)
}

func (k forwardKind) preset(*Client, *environment) {}
func (k forwardKind) print(w *printer, name string, o *Client) {
	for i := range *k.list(o) {
		f := &(*k.list(o))[i]
		text := f.String()
		if f.Dynamic && k.way == forwardRemote {
			text += " [socks]:0"
		}
		w.line(name, text)
	}
}

func (k forwardKind) describe() (string, string) {
	switch k.way {
	case forwardDynamic:
		return "[BIND:]PORT", "none"
	case forwardRemote:
		return "[BIND:]PORT or PATH, then HOST:PORT or PATH; the first alone is SOCKS", "none"
	}
	return "[BIND:]PORT or PATH, then HOST:PORT or PATH", "none"
}

// A Hop is one place of a jump list.
type Hop struct {
	User, Host string
	Port       int // 0: not given
}

func (h Hop) String() string {
	s := h.Host
	if strings.Contains(s, ":") || strings.Trim(s, "1234567890.") == "" {
		s = "[" + s + "]"
	}
	if h.User != "" {
		s = h.User + "@" + s
	}
	if h.Port > 0 {
		s += ":" + strconv.Itoa(h.Port)
	}
	return s
}

// ParseJump reads the comma list of -J and ProxyJump. Hops are in the order
// in which the connection passes them.
func ParseJump(s string) ([]Hop, error) {
	var hops []Hop
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ",")
		h, err := parseHop(part)
		if err != nil {
			return nil, err
		}
		hops = append(hops, h)
	}
	return hops, nil
}

var errHop = errors.New("sshconfig: bad jump host: write [USER@]HOST[:PORT] or ssh://[USER@]HOST[:PORT]")

// ParseDestination reads what a person calls a server by: `host`,
// `user@host` or `ssh://[user@]host[:port][/]`. It does not judge the names:
// see [ValidUser] and [ValidHost].
func ParseDestination(s string) (Hop, error) {
	if rest, ok := strings.CutPrefix(s, "ssh://"); ok {
		return parseURI(rest)
	}
	i := strings.LastIndexByte(s, '@')
	if i == 0 {
		return Hop{}, errHop
	}
	return Hop{User: s[:max(i, 0)], Host: s[i+1:]}, nil
}

// JumpsToItself tells whether the last host of ProxyJump is the destination by
// the same port and user, and names it.
func (c *Client) JumpsToItself() (host string, loop bool) {
	hops, err := ParseJump(c.ProxyJump)
	if err != nil || len(hops) == 0 {
		return "", false
	}
	h := hops[len(hops)-1]
	port := h.Port
	if port == 0 {
		port = 22
	}
	return h.Host, h.Host == c.Hostname && port == c.Port && (h.User == "" || h.User == c.User)
}

// parseHop reads [USER@]HOST[:PORT] or ssh://[USER@]HOST[:PORT][/]. An IPv6
// address stands in brackets.
func parseHop(s string) (h Hop, err error) {
	if rest, ok := strings.CutPrefix(s, "ssh://"); ok {
		return parseURI(rest)
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		h.User, s = s[:i], s[i+1:]
		if h.User == "" {
			return Hop{}, errHop
		}
	}
	port := ""
	switch i := strings.IndexByte(s, ']'); {
	case strings.HasPrefix(s, "["):
		if i < 0 || i+1 < len(s) && s[i+1] != ':' {
			return Hop{}, errHop
		}
		h.Host, s = s[1:i], s[i+1:]
		if s != "" {
			port = s[1:]
			if port == "" {
				return Hop{}, errHop
			}
		}
	case strings.Count(s, ":") == 1:
		h.Host, port, _ = strings.Cut(s, ":")
		if port == "" {
			return Hop{}, errHop
		}
	case !strings.Contains(s, ":"):
		h.Host = s
	}
	if h.Host == "" {
		return Hop{}, errHop
	}
	if port != "" {
		if h.Port = parsePort(port, nil); h.Port <= 0 {
			return Hop{}, errHop
		}
	}
	return h, nil
}

// parseURI reads what stands behind ssh://. Connection parameters behind the
// user name are ignored; a path is an error.
func parseURI(s string) (Hop, error) {
	var h Hop
	if user, rest, ok := strings.Cut(s, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		user, err := unescapeURI(user)
		if err != nil || user == "" {
			return Hop{}, errHop
		}
		h.User, s = user, rest
	}
	if strings.HasPrefix(s, "[") {
		host, rest, ok := strings.Cut(s[1:], "]")
		if _, is := ParseAddress(host); !ok || !is && !validDomain(host) {
			return Hop{}, errHop
		}
		h.Host, s = host, rest
	} else {
		end := strings.IndexAny(s, ":/")
		if end < 0 {
			end = len(s)
		}
		h.Host, s = s[:end], s[end:]
		if !validDomain(h.Host) {
			return Hop{}, errHop
		}
	}
	if rest, ok := strings.CutPrefix(s, ":"); ok {
		digits, path, slash := strings.Cut(rest, "/")
		if digits != "" || slash {
			if h.Port = parsePort(digits, nil); h.Port <= 0 {
				return Hop{}, errHop
			}
		}
		s = path
	} else {
		s = strings.TrimPrefix(s, "/")
	}
	if s != "" {
		return Hop{}, errHop
	}
	return h, nil
}

// validDomain reports whether s can be a host name in a URI.
func validDomain(s string) bool {
	if s == "" || s[0] == '-' || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isWord(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func unescapeURI(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errHop
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil || c == 0 {
			return "", errHop
		}
		b = append(b, byte(c))
		i += 2
	}
	return string(b), nil
}
