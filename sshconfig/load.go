package sshconfig

import (
	"net/netip"
	"strings"
)

// ClientContext is what reading ssh_config may ask of the world. The zero
// value reads from memory only and knows no users, variables or hosts.
type ClientContext struct {
	Host      string // the destination as typed, without user and port
	Command   string // remote command or subsystem name, for Match command
	LocalUser string // the account's name
	UID       string
	Home      string // from the account database, not $HOME
	LocalHost string // full name of this machine
	Version   string // own version for Match version, for example "OpenSSH_10.5"
	SystemDir string // where relative Includes of system files start; "" is /etc/ssh

	Algorithms Algorithms
	Files      Files

	Getenv     func(name string) (string, bool)
	LookupHome func(user string) (string, bool)
	LookupPort func(service string) int // 0: unknown
	// Exec runs a command for Match exec and tells whether it ended with 0.
	Exec func(command string) (bool, error)
	// LocalAddrs lists addresses of active interfaces, for Match localnetwork.
	LocalAddrs func() ([]netip.Addr, error)
	// LookupHost resolves a name for CanonicalizeHostname and for aliases, in
	// the AddressFamily of c, and returns what the name is an alias for, or
	// the name. An error is shown: the resolver's words alone. nil resolves
	// nothing.
	LookupHost func(c *Client, name string) (alias string, err error)
	// Warn takes remarks that are no errors; nil drops them.
	Warn func(Level, string)
	// Step is told of every line as it is read; nil costs nothing.
	Step func(Step)
}

// Sources is everything a client's configuration is read from, in order of
// precedence: the command line first.
type Sources struct {
	Options []string // -o values: "Name=value" or "Name value"
	Files   []Source
}

// DefaultSources are the user's and the system's file. With file (-F), only
// that one is read; "none" reads none.
func DefaultSources(home, file string) []Source {
	switch {
	case file == "":
		s := []Source{{Name: "/etc/ssh/ssh_config", Optional: true}}
		if home != "" {
			s = append([]Source{{Name: strings.TrimSuffix(home, "/") + "/.ssh/config", User: true, Optional: true, Guarded: true}}, s...)
		}
		return s
	case equalFold(file, "none"):
		return nil
	}
	return []Source{{Name: file, User: true}}
}

// NewClient begins a client's configuration with nothing set. Options are
// added with [Client.Set] and the files read with [Client.Load]. ctx is kept
// and may be changed until Load.
func NewClient(ctx *ClientContext) *Client {
	if ctx == nil {
		ctx = &ClientContext{}
	}
	return &Client{ctx: ctx}
}

// ParseClient reads a whole configuration.
func ParseClient(src Sources, ctx *ClientContext) (*Client, error) {
	c := NewClient(ctx)
	for _, o := range src.Options {
		if err := c.Set(o); err != nil {
			return nil, err
		}
	}
	if err := c.Load(src.Files...); err != nil {
		return nil, err
	}
	return c, nil
}

// Set takes one -o option, "Name=value" or "Name value". It counts before
// everything that is set later. An error is a *[ConfigError].
func (c *Client) Set(option string) error {
	r := c.reader()
	r.commandLine = true
	active := true
	var errs ConfigError
	if p := r.line("command-line", 0, option, &active, Source{}, 0, false); p != nil {
		errs.add(p, "command-line", 0)
		return &errs
	}
	return r.err()
}

// SetUser sets User to a name that is taken as it is: -l and USER@.
func (c *Client) SetUser(name string) {
	if i := clientIndex("User"); !c.set.has(i) {
		c.set.add(i)
		c.User, c.lits.user = name, true
		if f := c.ctx.Step; f != nil {
			f(Step{File: "command-line", Text: "User=" + name, Keyword: "User"})
		}
	}
}

// AddForward adds a forward of the command line: -L, -R (remote) and -D
// (dynamic).
func (c *Client) AddForward(spec string, dynamic, remote bool) error {
	e := c.environment()
	spec, err := expandEnv(spec, e.getenv)
	if err != nil {
		return err
	}
	f, err := parseForward(spec, dynamic, remote, e.lookupPort)
	if err != nil && remote && !dynamic { // one address alone: remote SOCKS
		f, err = parseForward(spec, true, true, e.lookupPort)
	}
	if err != nil {
		return err
	}
	switch {
	case remote:
		forwardKind{forwardRemote}.add(c, f)
		c.mark("RemoteForward")
	case dynamic:
		forwardKind{forwardDynamic}.add(c, f)
		c.mark("DynamicForward")
	default:
		forwardKind{forwardLocal}.add(c, f)
		c.mark("LocalForward")
	}
	return nil
}

// LocalUser is the account's name.
func (c *Client) LocalUser() string { return c.ctx.LocalUser }

// IsSet tells whether the command line or a file has given the keyword.
func (c *Client) IsSet(keyword string) bool {
	i := clientIndex(keyword)
	return i >= 0 && c.set.has(i)
}

func (c *Client) mark(keyword string) { c.set.add(clientIndex(keyword)) }

func clientIndex(keyword string) int {
	i, _ := find(clientRows[:], clientOld[:], keyword)
	return i
}

func (c *Client) environment() *environment {
	x := c.ctx
	return &environment{algorithms: x.Algorithms, lookupPort: x.LookupPort, getenv: x.Getenv, warn: x.Warn}
}

// clientReader is one pass over the files.
type clientReader struct {
	c           *Client
	env         *environment
	host        string // what Host and Match host look at
	final       bool   // the second pass
	wantFinal   bool   // somebody asked for it
	commandLine bool
	fatal       *ConfigError
	criteria    []Criterion // of the line being read, for Step
}

func (c *Client) reader() *clientReader {
	return &clientReader{c: c, env: c.environment(), host: c.ctx.Host}
}

func (r *clientReader) err() error {
	if r.fatal != nil {
		return r.fatal
	}
	return nil
}

// Load reads the files, resolves what depends on other values, fills in the
// defaults and expands tokens. An error is a *[ConfigError].
func (c *Client) Load(files ...Source) error {
	c.Host = c.ctx.Host
	r := c.reader()
	if err := r.files(files); err != nil {
		return err
	}
	again, err := c.resolveHost(r.wantFinal)
	if err != nil {
		return err
	}
	if again {
		c.mark("Hostname") // in use now: the second pass does not change it
		r = c.reader()
		r.final, r.host = true, c.Hostname
		if err := r.files(files); err != nil {
			return err
		}
	}
	return c.finish()
}

func (r *clientReader) files(files []Source) error {
	for _, f := range files {
		if err := r.open(f, 0, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *clientReader) open(f Source, depth int, never bool) error {
	if depth > MaxIncludeDepth {
		return fatal("Too many recursive configuration includes")
	}
	data := f.Data
	if data == nil {
		if r.c.ctx.Files == nil {
			if f.Optional {
				return nil
			}
			return fatal("Can't open user config file %s: No such file or directory", f.Name)
		}
		var err error
		if data, err = r.c.ctx.Files.ReadFile(f.Name, f.Guarded); err != nil {
			if _, is := err.(*PermissionError); is {
				return asConfigError(err)
			}
			if f.Optional {
				return nil
			}
			return fatal("Can't open user config file %.100s: %.100s", f.Name, reason(err))
		}
	}
	active := !never
	return eachLine(f.Name, data, func(n int, text string) (*problem, *ConfigError) {
		p := r.line(f.Name, n, text, &active, f, depth, never)
		fatal := r.fatal
		r.fatal = nil
		return p, fatal
	})
}

// line reads one line. A nil problem with r.fatal set is an error that has
// its own text (an included file's).
func (r *clientReader) line(file string, number int, s string, active *bool, src Source, depth int, never bool) *problem {
	keyword, raw := cutKeyword(trimLine(s))
	if keyword == "" {
		return nil
	}
	keyword = toLower(keyword)
	l := &line{file: file, number: number, keyword: keyword, raw: raw, active: *active, env: r.env}
	if raw == "" {
		return l.countf("no argument after keyword \"%s\"", keyword)
	}
	var ok bool
	if l.words, ok = splitWords(raw, true); !ok {
		return l.countf("invalid quotes")
	}
	switch keyword {
	case "host":
		if r.commandLine {
			return &problem{bare: true, text: "Host directive not supported as a command-line option"}
		}
		p := r.hostBlock(l, active, never)
		r.block(l, s, "Host", *active)
		return p
	case "match":
		if r.commandLine {
			return &problem{bare: true, text: "Match directive not supported as a command-line option"}
		}
		matched, p := r.match(l)
		if p == nil {
			*active = matched && !never
			r.block(l, s, "Match", *active)
		}
		return p
	case "include":
		if r.commandLine {
			return &problem{bare: true, text: "Include directive not supported as a command-line option"}
		}
		r.block(l, s, "Include", *active)
		return r.include(l, *active, src, depth)
	}
	i, old := find(clientRows[:], clientOld[:], keyword)
	if i < 0 {
		return r.otherWord(l, old)
	}
	row := &clientRows[i]
	set := r.c.set.has(i)
	store := (*active || row.flag&anyBlock != 0) && (!set || row.flag&(appends|lastWins) != 0)
	if p := row.kind.parse(l, r.c, store); p != nil {
		return p
	}
	if len(l.words) > 0 {
		return l.countf("keyword %s extra arguments at end of line", keyword)
	}
	if (store || l.stored) && !l.unset {
		r.c.set.add(i)
	}
	if r.c.ctx.Step != nil {
		outcome := Applied
		if !*active && row.flag&anyBlock == 0 {
			outcome = Inactive
		} else if !store && !l.stored {
			outcome = Overridden
		}
		r.step(l, trimLine(s), row.name, outcome)
	}
	return nil
}

// block tells of a line that is no keyword's.
func (r *clientReader) block(l *line, s, name string, applies bool) {
	if r.c.ctx.Step != nil {
		outcome := Inactive
		if applies {
			outcome = Applied
		}
		r.step(l, trimLine(s), name, outcome)
	}
}

// otherWord is a keyword that is no longer, or not, known.
func (r *clientReader) otherWord(l *line, old *oldName) *problem {
	if old == nil {
		if MatchList(l.keyword, r.c.IgnoreUnknown, true) == 1 {
			l.warnf(LevelDebug, "Ignored unknown option \"%s\"", l.keyword)
			r.step(l, l.keyword+" "+l.raw, l.keyword, NotKnown)
			return nil
		}
		return unknown(clientRows[:], l.keyword, l.keyword)
	}
	switch old.how {
	case deprecated:
		l.warnf(LevelDebug, "Deprecated option \"%s\"", l.keyword)
	case unsupported:
		l.warnf(LevelError, "Unsupported option \"%s\"", l.keyword)
	}
	return nil
}

func (r *clientReader) hostBlock(l *line, active *bool, never bool) *problem {
	*active = false
	for len(l.words) > 0 {
		p, _ := l.next()
		if p == "" {
			return l.countf("keyword %s empty argument", l.keyword)
		}
		if never {
			return nil
		}
		negated := strings.HasPrefix(p, "!")
		if negated {
			p = p[1:]
		}
		if !MatchPattern(r.host, p) {
			if !negated {
				r.criterion(p, r.host, false)
			}
			continue
		}
		if negated {
			r.criterion("!"+p, r.host, false)
		} else {
			r.criterion(p, r.host, true)
		}
		if negated {
			l.warnf(LevelDebug, "Skipping Host block because of negated match for %.100s", p)
			*active = false
			return nil
		}
		if !*active {
			l.warnf(LevelDebug, "Applying options for %.100s", p)
		}
		*active = true
	}
	return nil
}

// include reads the files of an Include line. Their own Host and Match lines
// end with them.
func (r *clientReader) include(l *line, active bool, src Source, depth int) *problem {
	for len(l.words) > 0 {
		w, _ := l.next()
		if w == "" {
			return l.countf("keyword %s empty argument", l.keyword)
		}
		path, err := r.tokens().ExpandEnv(w, TokensDefault)
		if err != nil {
			return l.countf("bad include path %s.", w)
		}
		switch {
		case strings.HasPrefix(path, "~"):
			if !src.User {
				return l.countf("bad include path %s.", w)
			}
			if path, err = expandTilde(path, r.c.ctx.Home, r.c.ctx.LookupHome); err != nil {
				l.warnf(LevelDebug, "include %s matched no files", w)
				continue
			}
		case strings.HasPrefix(path, "/"):
		case src.User:
			path = strings.TrimSuffix(r.c.ctx.Home, "/") + "/.ssh/" + path
		default:
			dir := r.c.ctx.SystemDir
			if dir == "" {
				dir = "/etc/ssh"
			}
			path = dir + "/" + path
		}
		if r.c.ctx.Files == nil {
			continue
		}
		names, err := r.c.ctx.Files.Glob(path)
		if err != nil {
			return l.countf("glob failed for %s.", path)
		}
		if len(names) == 0 {
			l.warnf(LevelDebug, "include %s matched no files", path)
		}
		for _, name := range names {
			f := Source{Name: name, User: src.User, Optional: true, Guarded: true}
			if err := r.open(f, depth+1, !active); err != nil {
				r.fatal = asConfigError(err)
				return nil
			}
		}
	}
	return nil
}
