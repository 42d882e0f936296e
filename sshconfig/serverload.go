package sshconfig

import (
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// ServerContext is what reading sshd_config may ask of the world. The zero
// value reads from memory only.
type ServerContext struct {
	Version   string // own version for Match Version, for example "OpenSSH_10.5"
	Home      string // of the account that starts the server, for ~
	Directory string // working directory, which relative paths start from
	SystemDir string // where relative Includes start; "" is /etc/ssh

	Algorithms Algorithms
	Files      Files

	LookupHome func(user string) (string, bool)
	LookupPort func(service string) int // 0: unknown
	// LookupHost resolves names in ListenAddress; nil leaves them.
	LookupHost func(host string) ([]netip.Addr, error)
	// Groups lists the groups of a user for Match Group; false: no such user.
	Groups func(user string) ([]string, bool)
	// Warn takes remarks that are no errors; nil drops them.
	Warn func(Level, string)
}

// ServerFile is the source for sshd's -f; "" is the usual file and "none"
// nothing but defaults.
func ServerFile(file string) []Source {
	switch {
	case file == "":
		file = "/etc/ssh/sshd_config"
	case equalFold(file, "none"):
		return nil
	}
	return []Source{{Name: file}}
}

// NewServer begins a server's configuration with nothing set. Options are
// added with [Server.Set] and [Server.SetPorts] and the files read with
// [Server.Load].
func NewServer(ctx *ServerContext) *Server {
	if ctx == nil {
		ctx = &ServerContext{}
	}
	return &Server{ctx: ctx}
}

// ParseServer reads a whole configuration.
func ParseServer(src Sources, ctx *ServerContext) (*Server, error) {
	s := NewServer(ctx)
	for _, o := range src.Options {
		if err := s.Set(o); err != nil {
			return nil, err
		}
	}
	if err := s.Load(src.Files...); err != nil {
		return nil, err
	}
	return s, nil
}

// Set takes one -o option, "Name=value" or "Name value". It counts before
// everything that is set later. An error is a *[ConfigError].
func (s *Server) Set(option string) error {
	r := s.reader()
	r.commandLine, r.active = true, true
	var errs ConfigError
	if p := r.line("command-line", 0, option, 0); p != nil {
		errs.add(p, "command-line", 0)
		return &errs
	}
	if r.fatal != nil {
		return r.fatal
	}
	return nil
}

// SetPorts is -p: the ports of the file no longer count.
func (s *Server) SetPorts(ports ...int) {
	s.Port, s.portsFixed = append([]int(nil), ports...), true
	s.set.add(serverIndex("Port"))
}

// IsSet tells whether the command line or a file has given the keyword.
func (s *Server) IsSet(keyword string) bool {
	i := serverIndex(keyword)
	return i >= 0 && s.set.has(i)
}

func serverIndex(keyword string) int {
	i, _ := find(serverRows[:], serverOld[:], keyword)
	return i
}

// A matchBlock is one Match line; the lines under it apply when it and the
// block its file was included from do. Block 0 is everything outside.
type matchBlock struct {
	parent   int
	criteria []criterion
	file     string
	number   int
}

// A segment is a run of lines of one block, in the order of the files.
type segment struct {
	block int
	lines []serverLine
}

// serverLine is a checked line of a Match block, kept for connections.
type serverLine struct {
	row  int
	line line
}

type serverReader struct {
	s           *Server
	env         *environment
	commandLine bool
	active      bool
	never       bool // inside a file included from a block that does not apply
	block       int
	parent      int // block that the file was included from
	fatal       *ConfigError
}

func (s *Server) reader() *serverReader {
	if len(s.blocks) == 0 {
		s.blocks = []matchBlock{{}}
	}
	return &serverReader{s: s, env: s.environment()}
}

func (s *Server) environment() *environment {
	x := s.ctx
	e := &environment{algorithms: x.Algorithms, lookupPort: x.LookupPort, warn: x.Warn}
	if x.Home != "" || x.LookupHome != nil {
		e.expandHome = func(p string) (string, error) { return expandTilde(p, x.Home, x.LookupHome) }
	}
	if x.Directory != "" {
		e.absolute = func(p string) string { return strings.TrimSuffix(x.Directory, "/") + "/" + p }
	}
	return e
}

// Load reads the files and fills in the defaults. An error is a
// *[ConfigError].
func (s *Server) Load(files ...Source) error {
	for _, f := range files {
		r := s.reader()
		r.active = true
		if err := r.open(f, 0); err != nil {
			return err
		}
	}
	for i := range serverRows {
		if !s.set.has(i) {
			serverRows[i].kind.preset(s, s.environment())
		}
	}
	s.PerSourcePenalties.fill()
	s.tidy()
	return s.checkListen()
}

// checkListen refuses addresses that there is nothing to listen on for.
func (s *Server) checkListen() error {
	for _, a := range s.ListenAddress {
		ip, err := netip.ParseAddr(a.Host)
		switch {
		case a.Host == "" || a.Host == "*":
		case err == nil:
			if s.AddressFamily != FamilyAny && ip.Unmap().Is4() != (s.AddressFamily == FamilyInet) {
				return fatal("bad addr or host: %s (Address family for hostname not supported)", a.Host)
			}
		case s.ctx.LookupHost != nil:
			if _, err := s.ctx.LookupHost(a.Host); err != nil {
				return fatal("bad addr or host: %s (%s)", a.Host, err)
			}
		}
	}
	return nil
}

// tidy turns lists of the single word none into empty ones.
func (s *Server) tidy() {
	for _, list := range [...]*[]string{&s.RevokedKeys, &s.LogVerbose} {
		if len(*list) == 1 && equalFold((*list)[0], "none") {
			*list = nil
		}
	}
}

func (r *serverReader) open(f Source, depth int) error {
	if depth > MaxIncludeDepth {
		return fatal("Too many recursive configuration includes")
	}
	data := f.Data
	if data == nil {
		if r.s.ctx.Files == nil {
			return &ConfigError{[]string{visible(f.Name) + ": No such file or directory"}, 1}
		}
		var err error
		if data, err = r.s.ctx.Files.ReadFile(f.Name, false); err != nil {
			if f.Optional {
				return nil
			}
			return &ConfigError{[]string{visible(f.Name) + ": " + reason(err)}, 1}
		}
	}
	return eachLine(f.Name, data, func(n int, text string) (*problem, *ConfigError) {
		p := r.line(f.Name, n, text, depth)
		fatal := r.fatal
		r.fatal = nil
		return p, fatal
	})
}

func (r *serverReader) line(file string, number int, text string, depth int) *problem {
	keyword, raw := cutKeyword(trimLine(text))
	if keyword == "" {
		return nil
	}
	l := line{file: file, number: number, keyword: keyword, raw: raw, server: true, active: r.active, env: r.env}
	if raw == "" {
		return l.countf("no argument after keyword \"%s\"", keyword)
	}
	var ok bool
	if l.words, ok = splitWords(raw, true); !ok {
		return l.countf("invalid quotes")
	}
	switch {
	case equalFold(keyword, "match"):
		if r.commandLine {
			r.fatal = fatal("Match directive not supported as a command-line option")
			return nil
		}
		return r.match(&l)
	case equalFold(keyword, "include"):
		if r.commandLine {
			r.fatal = fatal("Include directive not supported as a command-line option")
			return nil
		}
		return r.include(&l, depth)
	}
	i, old := find(serverRows[:], serverOld[:], keyword)
	if p := r.placed(&l, i, old); p != nil {
		return p
	}
	if i < 0 {
		if old == nil {
			return unknown(serverRows[:], keyword, keyword)
		}
		oldWord(&l, old)
		return nil
	}
	if r.block > 0 && serverRows[i].flag&inMatch != 0 {
		r.keep(serverLine{i, l})
	}
	return r.s.apply(&l, i)
}

// placed refuses words that may not stand in a Match block.
func (r *serverReader) placed(l *line, i int, old *oldName) *problem {
	allowed := i >= 0 && serverRows[i].flag&inMatch != 0
	if old != nil {
		allowed = old.inMatch
	}
	if r.active || allowed {
		return nil
	}
	p := l.badf("Directive '%s' is not allowed within a Match block", l.keyword)
	if i < 0 && old == nil {
		p.before = unknown(serverRows[:], l.keyword, l.keyword).lines(l.file, l.number)[0]
	}
	return p
}

func oldWord(l *line, old *oldName) {
	switch old.how {
	case silent:
		l.warnf(LevelDebug2, "Deprecated option %s", l.keyword)
	case deprecated:
		l.warnf(LevelInfo, "Deprecated option %s", l.keyword)
	case unsupported:
		l.warnf(LevelInfo, "Unsupported option %s", l.keyword)
	}
}

// apply checks a line and takes its value into s if its block applies.
func (s *Server) apply(l *line, i int) *problem {
	row := &serverRows[i]
	store := (l.active || row.flag&anyBlock != 0) && (!s.set.has(i) || row.flag&(appends|lastWins) != 0)
	if p := row.kind.parse(l, s, store); p != nil {
		return p
	}
	if len(l.words) > 0 {
		return l.countf("keyword %s extra arguments at end of line", l.keyword)
	}
	if store || l.stored {
		s.set.add(i)
	}
	return nil
}

// keep remembers a line for Server.Match.
func (r *serverReader) keep(l serverLine) {
	s := r.s
	if n := len(s.segments); n == 0 || s.segments[n-1].block != r.block {
		s.segments = append(s.segments, segment{block: r.block})
	}
	last := &s.segments[len(s.segments)-1]
	last.lines = append(last.lines, l)
}

// include reads the files of an Include line. Their Match blocks end with
// them, and never apply where the Include itself does not.
func (r *serverReader) include(l *line, depth int) *problem {
	found := false
	for len(l.words) > 0 {
		path, _ := l.next()
		if path == "" {
			return l.countf("keyword %s empty argument", l.keyword)
		}
		found = true
		switch {
		case strings.HasPrefix(path, "~"):
			v, err := expandTilde(path, r.s.ctx.Home, r.s.ctx.LookupHome)
			if err != nil {
				continue
			}
			path = v
		case !strings.HasPrefix(path, "/"):
			dir := r.s.ctx.SystemDir
			if dir == "" {
				dir = "/etc/ssh"
			}
			path = dir + "/" + path
		}
		if r.s.ctx.Files == nil {
			continue
		}
		names, err := r.s.ctx.Files.Glob(path)
		if err != nil {
			return l.badf("include \"%s\" glob failed", path)
		}
		if len(names) == 0 {
			l.warnf(LevelDebug2, "no match for %s", path)
		}
		for _, name := range names {
			inner := *r
			inner.parent = r.block
			inner.never = r.never || !r.active
			if err := inner.open(Source{Name: name}, depth+1); err != nil {
				r.fatal = asConfigError(err)
				return nil
			}
		}
	}
	if !found {
		return l.badf("%s missing filename argument", l.keyword)
	}
	return nil
}

// match reads a Match line and opens its block.
func (r *serverReader) match(l *line) *problem {
	criteria, p := parseCriteria(l)
	if p != nil {
		return p
	}
	r.s.blocks = append(r.s.blocks, matchBlock{r.parent, criteria, l.file, l.number})
	r.block = len(r.s.blocks) - 1
	r.active = !r.never
	for i := range criteria {
		if !r.s.holds(&criteria[i], nil) {
			r.active = false
		}
	}
	return nil
}

// Match gives the configuration of one connection: a copy of s with the
// values of the Match blocks that apply. s itself is not changed and may be
// used by several goroutines.
func (s *Server) Match(conn *Connection) (*Server, error) {
	result := *s
	result.blocks, result.segments = nil, nil
	if len(s.segments) == 0 {
		return &result, nil
	}
	active := make([]bool, len(s.blocks))
	for i := 1; i < len(s.blocks); i++ {
		b := &s.blocks[i]
		active[i] = b.parent == 0 || active[b.parent]
		for j := range b.criteria {
			if !active[i] {
				break
			}
			active[i] = s.holds(&b.criteria[j], conn)
		}
	}
	found := Server{ctx: s.ctx, blocks: []matchBlock{{}}}
	for i := range s.segments {
		if !active[s.segments[i].block] {
			continue
		}
		for _, kept := range s.segments[i].lines {
			l := kept.line
			l.active = true
			if p := found.apply(&l, kept.row); p != nil {
				return nil, &ConfigError{p.lines(l.file, l.number), 0}
			}
		}
	}
	for i := range serverRows {
		if !found.set.has(i) {
			continue
		}
		if k, ok := serverRows[i].kind.(copier[Server]); ok {
			k.copy(&result, &found)
			result.set.add(i)
		}
	}
	result.tidy()
	return &result, nil
}

// HasMatch tells whether any Match block exists: without one,
// [Server.Match] gives the same for every connection.
func (s *Server) HasMatch() bool { return len(s.segments) > 0 }

// Print writes the configuration as `sshd -T` does: names as in OpenSSH
// 10.5, or with lowercase as in 9.x.
func (s *Server) Print(w io.Writer, lowercase bool) error {
	p := &printer{w: w, lower: lowercase}
	for i := range serverRows {
		r := &serverRows[i]
		if r.flag&hidden != 0 {
			continue
		}
		name := r.name
		if name == "MACs" {
			name = "Macs" // as OpenSSH prints it
		}
		r.kind.print(p, name, s)
	}
	return p.err
}

// Listen is what the server listens on: every ListenAddress with its port or
// with each Port; without ListenAddress all addresses of AddressFamily.
func (s *Server) Listen() []ListenAddress {
	list := s.ListenAddress
	if len(list) == 0 {
		list = []ListenAddress{{}}
	}
	var out []ListenAddress
	for _, a := range list {
		ports := s.Port
		if a.Port != 0 {
			ports = []int{a.Port}
		}
		hosts := s.listenHosts(a.Host)
		for _, p := range ports {
			for _, host := range hosts {
				out = append(out, ListenAddress{host, p})
			}
		}
	}
	return out
}

// listenHosts are the addresses behind one host of a ListenAddress.
func (s *Server) listenHosts(host string) []string {
	if host == "" || host == "*" {
		switch s.AddressFamily {
		case FamilyInet:
			return []string{"0.0.0.0"}
		case FamilyInet6:
			return []string{"::"}
		}
		return []string{"::", "0.0.0.0"}
	}
	if _, err := netip.ParseAddr(host); err == nil || s.ctx == nil || s.ctx.LookupHost == nil {
		return []string{host}
	}
	addrs, err := s.ctx.LookupHost(host)
	if err != nil {
		return []string{host}
	}
	var out []string
	for _, a := range addrs {
		if s.AddressFamily == FamilyAny || (s.AddressFamily == FamilyInet) == a.Unmap().Is4() {
			out = append(out, a.Unmap().String())
		}
	}
	return out
}

// String is the address as net.Dial and net.Listen take it.
func (a ListenAddress) String() string {
	if strings.Contains(a.Host, ":") {
		return "[" + a.Host + "]:" + strconv.Itoa(a.Port)
	}
	return a.Host + ":" + strconv.Itoa(a.Port)
}
