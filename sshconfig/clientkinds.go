package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func badCipher(_ bool, w string) string { return "Bad SSH2 cipher spec '" + w + "'." }
func badKex(_ bool, w string) string    { return "Bad SSH2 KexAlgorithms '" + w + "'." }

const unsupportedKex = "Unsupported KEX algorithm \"%.100s\""

func badKeyTypes(_ bool, w string) string { return "Bad key types '" + w + "'." }
func badMAC(server bool, w string) string {
	if server {
		return "Bad SSH2 mac spec '" + w + "'."
	}
	return "Bad SSH2 MAC spec '" + w + "'."
}

func notEmpty(l *line, w string) (string, *problem) {
	if w == "" {
		return w, l.countf("keyword %s empty argument", l.keyword)
	}
	return w, nil
}

func checkDomain(l *line, w string) (string, *problem) {
	if w == "" {
		return notEmpty(l, w)
	}
	v := w
	if c := v[0]; c != '.' && !isWord(c) {
		return w, l.badf("domain name \"%.100s\" starts with invalid character", w)
	}
	for i := 0; i < len(v); i++ {
		switch c := lower(v[i]); {
		case c != '.' && c != '-' && c != '_' && !isWord(c):
			return w, l.badf("domain name \"%.100s\" contains invalid characters", w)
		case c == '.' && i > 0 && v[i-1] == '.':
			return w, l.badf("domain name \"%.100s\" contains consecutive separators", w)
		}
	}
	return strings.TrimSuffix(w, "."), nil
}

func isWord(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
}

type portKind struct{}

func (portKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p != nil {
		return p
	}
	port := parsePort(w, l.env.lookupPort)
	if port <= 0 {
		return l.badf("Bad port '%s'.", w)
	}
	if store {
		o.Port = port
	}
	return nil
}

func (portKind) preset(o *Client, _ *environment)         { o.Port = 22 }
func (portKind) print(w *printer, name string, o *Client) { w.line(name, strconv.Itoa(o.Port)) }
func (portKind) describe() (string, string)               { return "a port or service name", "22" }

// updateKind presets UpdateHostKeys by other keywords, after all are read.
type updateKind struct{ Enum[Client, Ask] }

func (updateKind) describe() (string, string) {
	return "yes, no, ask", "yes, unless UserKnownHostsFile is set or VerifyHostKeyDNS is on"
}

const keystrokeGrid = 20 * time.Millisecond

type keystrokeKind struct{}

func (keystrokeKind) parse(l *line, o *Client, store bool) *problem {
	d, seen := time.Duration(0), false
	for len(l.words) > 0 {
		w, _ := l.next()
		if seen {
			return l.badf("invalid arguments")
		}
		seen = true
		switch {
		case w == "yes" || w == "true":
			d = keystrokeGrid
		case w == "no" || w == "false":
			d = 0
		case strings.HasPrefix(w, "interval:"):
			n, wrong := parseInt(w[len("interval:"):], true)
			if wrong != "" {
				return l.badf("integer value %s.", wrong)
			}
			if n < 1 || n > 1000 {
				return l.badf("value out of range.")
			}
			d = time.Duration(n) * time.Millisecond
		default:
			return l.badf("unsupported argument \"%s\"", w)
		}
	}
	if !seen {
		return l.badf("missing argument")
	}
	if store {
		o.ObscureKeystrokeTiming = d
	}
	return nil
}

func (keystrokeKind) preset(o *Client, _ *environment) { o.ObscureKeystrokeTiming = keystrokeGrid }
func (keystrokeKind) print(w *printer, name string, o *Client) {
	switch d := o.ObscureKeystrokeTiming; d {
	case 0:
		w.line(name, "no")
	case keystrokeGrid:
		w.line(name, "yes")
	default:
		w.line(name, fmt.Sprintf("interval:%d", d/time.Millisecond))
	}
}
func (keystrokeKind) describe() (string, string) { return "yes, no, interval:MILLISECONDS", "yes" }

// checkAgentPath looks at the variables in an agent's path.
func checkAgentPath(l *line, w string) *problem {
	if _, err := expandEnv(w, l.env.getenv); err != nil {
		p := l.badf("Invalid environment expansion %s.", w)
		p.before = tokenReason(err)
		return p
	}
	if w[0] == '$' && !strings.HasPrefix(w, "${") && !validEnvName(w[1:]) {
		return l.badf("Invalid environment name %s.", w)
	}
	return nil
}

func validEnvName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isWord(s[i]) {
			return false
		}
	}
	return s != ""
}

type agentKind struct{}

func (agentKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p == nil {
		p = checkAgentPath(l, w)
	}
	if p == nil && store {
		o.IdentityAgent = w
	}
	return p
}

func (agentKind) preset(o *Client, _ *environment) { o.IdentityAgent = "" }
func (agentKind) print(w *printer, name string, o *Client) {
	if o.IdentityAgent != "" {
		w.line(name, o.IdentityAgent)
	}
}

func (agentKind) describe() (string, string) {
	return "a path, $VARIABLE, SSH_AUTH_SOCK, none", "$SSH_AUTH_SOCK"
}

// ForwardAgent is the value of that keyword: which agent is forwarded.
type ForwardAgent struct {
	On   bool
	Path string // "" is the agent in use
}

type forwardAgentKind struct{}

func (forwardAgentKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	on, isFlag := parseFlag(w, false)
	if !isFlag {
		if p := checkAgentPath(l, w); p != nil {
			return p
		}
		on = true
		// As in OpenSSH the path is a value of its own: the first one counts,
		// even after a line that said yes.
		if l.active && o.ForwardAgent.Path == "" {
			o.ForwardAgent.Path = w
		}
	}
	if store {
		o.ForwardAgent.On = on
	}
	return nil
}

func (forwardAgentKind) preset(o *Client, _ *environment) { o.ForwardAgent = ForwardAgent{} }
func (forwardAgentKind) print(w *printer, name string, o *Client) {
	if o.ForwardAgent.Path != "" {
		w.line(name, o.ForwardAgent.Path)
		return
	}
	w.line(name, yesNo(o.ForwardAgent.On))
}
func (forwardAgentKind) describe() (string, string) { return "yes, no, a path, $VARIABLE", "no" }

// AddKeys is the value of AddKeysToAgent.
type AddKeys struct {
	On, Ask, Confirm bool // at most one of Ask and Confirm, with On
	Lifetime         time.Duration
}

type addKeysKind struct{}

func (addKeysKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	life, two := l.next()
	v := AddKeys{}
	confirm := equalFold(w, "confirm")
	flag, isFlag := parseFlag(w, false)
	switch {
	case confirm && two:
		d, ok := ParseTime(life)
		if !ok {
			return l.badf("invalid time value.")
		}
		v = AddKeys{On: true, Confirm: true, Lifetime: d}
	case two:
		return l.badf("unsupported option")
	case confirm:
		v = AddKeys{On: true, Confirm: true}
	case equalFold(w, "ask"):
		v = AddKeys{On: true, Ask: true}
	case isFlag:
		v.On = flag
	default:
		d, ok := ParseTime(w)
		if !ok {
			return l.badf("unsupported option")
		}
		v = AddKeys{On: true, Lifetime: d}
	}
	if store {
		o.AddKeysToAgent = v
	}
	return nil
}

func (addKeysKind) preset(o *Client, _ *environment) { o.AddKeysToAgent = AddKeys{} }
func (addKeysKind) print(w *printer, name string, o *Client) {
	switch v := o.AddKeysToAgent; {
	case v.Lifetime > 0 && v.Confirm:
		w.line(name, "confirm "+seconds(v.Lifetime))
	case v.Lifetime > 0:
		w.line(name, seconds(v.Lifetime))
	case v.Confirm:
		w.line(name, "confirm")
	case v.Ask:
		w.line(name, "ask")
	default:
		w.line(name, strconv.FormatBool(v.On))
	}
}
func (addKeysKind) describe() (string, string) {
	return "yes, no, ask, confirm [TIME], a time", "no"
}

// levelKind is LogLevel.
type levelKind[T any] struct{ get func(*T) *LogLevel }

func (k levelKind[T]) parse(l *line, o *T, store bool) *problem {
	w, ok := l.next()
	if v, known := ParseLogLevel(w); known {
		if store {
			*k.get(o) = v
		}
		return nil
	}
	if !ok {
		w = "<NONE>"
	}
	return l.badf("unsupported log level '%s'", w)
}

func (k levelKind[T]) preset(o *T, _ *environment)         { *k.get(o) = Info }
func (k levelKind[T]) print(w *printer, name string, o *T) { w.line(name, k.get(o).String()) }
func (k levelKind[T]) describe() (string, string) {
	return "QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2, DEBUG3", "INFO"
}

// facilityKind is SyslogFacility.
type facilityKind[T any] struct {
	def Facility
	get func(*T) *Facility
}

func (k facilityKind[T]) parse(l *line, o *T, store bool) *problem {
	w, ok := l.next()
	if v, known := ParseFacility(w); known {
		if store {
			*k.get(o) = v
		}
		return nil
	}
	if !ok {
		w = "<NONE>"
	}
	return l.badf("unsupported log facility '%s'", w)
}

func (k facilityKind[T]) preset(o *T, _ *environment)         { *k.get(o) = k.def }
func (k facilityKind[T]) print(w *printer, name string, o *T) { w.line(name, k.get(o).String()) }
func (k facilityKind[T]) describe() (string, string) {
	return "DAEMON, USER, AUTH, AUTHPRIV, LOCAL0 to LOCAL7", k.def.String()
}

// addendumKind is VersionAddendum: the rest of the line up to a comment.
type addendumKind[T any] struct {
	showNone bool
	get      func(*T) *string
}

func (k addendumKind[T]) parse(l *line, o *T, store bool) *problem {
	v := strings.TrimLeft(l.raw, " \t\r\n")
	l.words = nil
	if strings.ContainsRune(v, '\r') {
		return l.badf("Invalid %s argument", l.keyword)
	}
	v, _, _ = strings.Cut(v, "#")
	v = strings.TrimRight(v, " \t\r\n")
	if equalFold(v, "none") {
		v = ""
	}
	if store {
		*k.get(o) = v
	}
	return nil
}

func (k addendumKind[T]) preset(o *T, _ *environment) { *k.get(o) = "" }
func (k addendumKind[T]) print(w *printer, name string, o *T) {
	switch v := *k.get(o); {
	case v != "":
		w.line(name, v)
	case k.showNone:
		w.line(name, "none")
	}
}
func (k addendumKind[T]) describe() (string, string) { return "the rest of the line, none", "none" }

// refuseKind ends reading with the user's own message.
type refuseKind struct{}

func (refuseKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p != nil {
		return p
	}
	if l.active {
		return &problem{fatal: true, text: "RefuseConnection: " + w}
	}
	return nil
}

func (refuseKind) preset(*Client, *environment)    {}
func (refuseKind) print(*printer, string, *Client) {}
func (refuseKind) describe() (string, string)      { return "a message", "none" }

// fileKind is IdentityFile and CertificateFile.
type fileKind struct {
	what string
	get  func(*Client) *[]string
}

func (k fileKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p != nil || !store {
		return p
	}
	files := k.get(o)
	if len(*files) >= maxIdentityFiles {
		return l.badf("Too many %s files specified (max %d).", k.what, maxIdentityFiles)
	}
	for _, have := range *files {
		if have == w {
			return nil
		}
	}
	*files = append(*files, w)
	return nil
}

func (k fileKind) preset(o *Client, _ *environment) {
	if k.what == "identity" {
		*k.get(o) = append([]string(nil), defaultIdentities...)
	}
}

func (k fileKind) print(w *printer, name string, o *Client) {
	for _, f := range *k.get(o) {
		w.line(name, f)
	}
}

func (k fileKind) describe() (string, string) {
	if k.what == "identity" {
		return "a path, none", strings.Join(defaultIdentities, " ")
	}
	return "a path", "none"
}

// sendEnvKind is SendEnv: patterns, and "-pattern" to take some back.
type sendEnvKind struct{}

func (sendEnvKind) parse(l *line, o *Client, store bool) *problem {
	found := false
	for len(l.words) > 0 {
		w, _ := l.next()
		if w == "" || strings.Contains(w, "=") {
			return l.badf("Invalid environment name.")
		}
		found = true
		switch {
		case !store:
		case w[0] == '-':
			kept := o.SendEnv[:0:0]
			for _, have := range o.SendEnv {
				if !MatchPattern(have, w[1:]) {
					kept = append(kept, have)
				}
			}
			o.SendEnv = kept
		default:
			o.SendEnv = append(o.SendEnv, w)
		}
	}
	if !found {
		return l.badf("no %s specified", l.keyword)
	}
	return nil
}

func (sendEnvKind) preset(*Client, *environment) {}
func (sendEnvKind) print(w *printer, name string, o *Client) {
	for _, v := range o.SendEnv {
		w.line(name, v)
	}
}
func (sendEnvKind) describe() (string, string) { return "patterns; -PATTERN takes back", "none" }

// setEnvKind is SetEnv. In one line the first setting of a name counts.
type setEnvKind[T any] struct{ get func(*T) *[]string }

func (k setEnvKind[T]) parse(l *line, o *T, store bool) *problem {
	var got []string
next:
	for len(l.words) > 0 {
		w, _ := l.next()
		name, _, ok := strings.Cut(w, "=")
		if !ok {
			if l.server {
				return l.badf("Invalid environment.")
			}
			return l.badf("Invalid SetEnv.")
		}
		for _, have := range got {
			if strings.HasPrefix(have, name+"=") {
				l.warnf(LevelDebug2, "ignoring duplicate env name \"%.64s\"", w)
				continue next
			}
		}
		got = append(got, w)
	}
	if len(got) == 0 {
		return l.badf("no %s specified", l.keyword)
	}
	if store {
		*k.get(o) = got
	}
	return nil
}

func (k setEnvKind[T]) preset(*T, *environment) {}
func (k setEnvKind[T]) print(w *printer, name string, o *T) {
	for _, v := range *k.get(o) {
		w.line(name, v)
	}
}
func (k setEnvKind[T]) describe() (string, string) { return "NAME=VALUE …", "none" }

// logVerboseKind is LogVerbose. The client keeps only the first pattern of a
// line, as OpenSSH's does.
type logVerboseKind[T any] struct{ get func(*T) *[]string }

func (k logVerboseKind[T]) parse(l *line, o *T, store bool) *problem {
	var got []string
	for len(l.words) > 0 {
		w, _ := l.next()
		if w == "" {
			return l.countf("keyword %s empty argument", l.keyword)
		}
		if equalFold(w, "none") && (len(got) > 0 || len(l.words) > 0) {
			return l.countf("keyword %s \"none\" argument must appear alone.", l.keyword)
		}
		got = append(got, w)
	}
	if len(got) == 0 {
		if l.server {
			return l.badf("no %s specified", l.keyword)
		}
		return nil
	}
	if !l.server {
		got = got[:1]
	}
	if store {
		*k.get(o) = got
	}
	return nil
}

func (k logVerboseKind[T]) preset(*T, *environment) {}
func (k logVerboseKind[T]) print(w *printer, name string, o *T) {
	v := *k.get(o)
	if len(v) > 0 {
		w.line(name, strings.Join(v, " "))
	} else if _, client := any(o).(*Client); client {
		w.line(name, "none")
	}
}
func (k logVerboseKind[T]) describe() (string, string) {
	return "FILE:FUNCTION:LINE patterns, none", "none"
}

// ChannelTimeout closes channels of a type that were idle for so long.
type ChannelTimeout struct {
	Type string // pattern, or "global"
	Idle time.Duration
	text string // as given, for printing
}

// timeoutsKind is ChannelTimeout.
type timeoutsKind[T any] struct{ get func(*T) *[]ChannelTimeout }

func (k timeoutsKind[T]) parse(l *line, o *T, store bool) *problem {
	var got []ChannelTimeout
	found := false
	for len(l.words) > 0 {
		w, _ := l.next()
		if equalFold(w, "none") {
			if found || len(l.words) > 0 {
				return l.countf("keyword %s \"none\" argument must appear alone.", l.keyword)
			}
			found = true
			continue
		}
		found = true
		kind, idle, ok := strings.Cut(w, "=")
		d, good := ParseTime(idle)
		if !ok || !good || kind == "" {
			return l.badf("invalid channel timeout %s", w)
		}
		got = append(got, ChannelTimeout{kind, d, w})
	}
	if !found {
		return l.badf("no %s specified", l.keyword)
	}
	if store {
		*k.get(o) = got
	}
	return nil
}

func (k timeoutsKind[T]) preset(*T, *environment) {}
func (k timeoutsKind[T]) print(w *printer, name string, o *T) {
	v := *k.get(o)
	if len(v) == 0 {
		w.line(name, "none")
		return
	}
	words := make([]string, len(v))
	for i, t := range v {
		words[i] = t.text
		if t.text == "" {
			words[i] = t.Type + "=" + seconds(t.Idle)
		}
	}
	w.line(name, strings.Join(words, " "))
}
func (k timeoutsKind[T]) describe() (string, string) { return "TYPE=TIME …, none", "none" }

// Find gives the idle limit for a channel type, 0 for none. The first entry
// that matches counts.
func Timeout(list []ChannelTimeout, channelType string) time.Duration {
	for _, t := range list {
		if t.Type != "global" && MatchPattern(channelType, t.Type) {
			return t.Idle
		}
	}
	return 0
}

type connectTimeoutKind struct{}

func (connectTimeoutKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("missing time value.")
	if p != nil {
		return p
	}
	if w == "none" { // as good as not given: a later line still counts
		l.unset = true
		return nil
	}
	d, ok := ParseTime(w)
	if !ok {
		return l.badf("invalid time value.")
	}
	if store {
		o.ConnectTimeout = d
	}
	return nil
}

func (connectTimeoutKind) preset(o *Client, _ *environment) { o.ConnectTimeout = 0 }
func (connectTimeoutKind) print(w *printer, name string, o *Client) {
	if o.ConnectTimeout == 0 {
		w.line(name, "none")
		return
	}
	w.line(name, seconds(o.ConnectTimeout))
}
func (connectTimeoutKind) describe() (string, string) { return "a time, none", "none" }

// TunnelDevice is the value of that keyword: tun units on both sides.
type TunnelDevice struct{ Local, Remote int }

// AnyTunnel lets a side choose its tun unit.
const AnyTunnel = -1

// ParseTunnelDevice reads LOCAL[:REMOTE], numbers or "any".
func ParseTunnelDevice(s string) (TunnelDevice, bool) {
	l, r, two := strings.Cut(s, ":")
	local, ok := parseTunnelUnit(l)
	if !two {
		return TunnelDevice{local, AnyTunnel}, ok
	}
	remote, ok2 := parseTunnelUnit(r)
	return TunnelDevice{local, remote}, ok && ok2
}

func parseTunnelUnit(s string) (int, bool) {
	if equalFold(s, "any") {
		return AnyTunnel, true
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil && n <= maxTunnelUnit
}

const maxTunnelUnit = 0x7ffffffd

func (d TunnelDevice) String() string { return tunnelUnit(d.Local) + ":" + tunnelUnit(d.Remote) }

func tunnelUnit(n int) string {
	if n == AnyTunnel {
		return "any"
	}
	return strconv.Itoa(n)
}

type tunnelDeviceKind struct{}

func (tunnelDeviceKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p != nil {
		return p
	}
	d, ok := ParseTunnelDevice(w)
	if !ok {
		return l.badf("Bad tun device.")
	}
	if store {
		o.TunnelDevice = d
	}
	return nil
}

func (tunnelDeviceKind) preset(o *Client, _ *environment) {
	o.TunnelDevice = TunnelDevice{AnyTunnel, AnyTunnel}
}
func (tunnelDeviceKind) print(w *printer, name string, o *Client) {
	w.line(name, o.TunnelDevice.String())
}
func (tunnelDeviceKind) describe() (string, string) {
	return "LOCAL[:REMOTE], numbers or any", "any:any"
}

// CNAMERule lets aliases in the names of From lead to the names of To.
type CNAMERule struct{ From, To string } // pattern-lists

type cnamesKind struct{}

// cnamesPrinted is the keyword in -G, with OpenSSH's own mixture of cases.
const cnamesPrinted = "canonicalizePermittedcnames"

func (cnamesKind) parse(l *line, o *Client, store bool) *problem {
	var got []CNAMERule
	found := false
	for len(l.words) > 0 {
		w, _ := l.next()
		if equalFold(w, "none") {
			if found || len(l.words) > 0 {
				return l.countf("keyword %s \"none\" argument must appear alone.", l.keyword)
			}
			break
		}
		found = true
		rule := CNAMERule{"*", "*"}
		if w != "*" {
			from, to, ok := strings.Cut(toLower(w), ":")
			if !ok || to == "" {
				return l.badf("Invalid permitted CNAME \"%s\"", w)
			}
			rule = CNAMERule{from, to}
		}
		if len(got) >= maxPermittedCNAMEs {
			return l.badf("too many permitted CNAMEs.")
		}
		got = append(got, rule)
	}
	if store {
		o.CanonicalizePermittedCNAMEs = got
	}
	return nil
}

func (cnamesKind) preset(*Client, *environment) {}
func (cnamesKind) print(w *printer, name string, o *Client) {
	words := make([]string, 0, 8)
	for _, r := range o.CanonicalizePermittedCNAMEs {
		words = append(words, r.From+":"+r.To)
	}
	if len(words) == 0 {
		words = append(words, "none")
	}
	w.line(cnamesPrinted, strings.Join(words, " "))
}
func (cnamesKind) describe() (string, string) { return "FROM:TO …, pattern-lists; none", "none" }

// ControlPersist is the value of that keyword: how long an idle master stays.
type ControlPersist struct {
	On   bool
	Idle time.Duration // 0 with On: for ever
}

type controlPersistKind struct{}

func (controlPersistKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing ControlPersist argument.")
	if p != nil {
		return p
	}
	v := ControlPersist{}
	switch w {
	case "no", "false":
	case "yes", "true":
		v.On = true
	default:
		d, ok := ParseTime(w)
		if !ok {
			return l.badf("Bad ControlPersist argument.")
		}
		v = ControlPersist{true, d}
	}
	if store {
		o.ControlPersist = v
	}
	return nil
}

func (controlPersistKind) preset(o *Client, _ *environment) { o.ControlPersist = ControlPersist{} }
func (controlPersistKind) print(w *printer, name string, o *Client) {
	if v := o.ControlPersist; v.Idle > 0 {
		w.line(name, seconds(v.Idle))
	} else {
		w.line(name, yesNo(v.On))
	}
}
func (controlPersistKind) describe() (string, string) { return "yes, no, a time", "no" }

// EscapeChar is the escape character of interactive sessions, a byte.
type EscapeChar int16

// NoEscape is EscapeChar none.
const NoEscape EscapeChar = -1

// ParseEscapeChar reads a character, "^" and a letter, or "none".
func ParseEscapeChar(s string) (EscapeChar, bool) {
	switch {
	case s == "none":
		return NoEscape, true
	case len(s) == 1:
		return EscapeChar(s[0]), true
	case len(s) == 2 && s[0] == '^' && s[1] >= 64 && s[1] < 128:
		return EscapeChar(s[1] & 31), true
	case len(s) > 2 && s[0] == '\\': // as -G shows it
		for e := EscapeChar(0); e < 256; e++ {
			if e.String() == s {
				return e, true
			}
		}
	}
	return 0, false
}

func (e EscapeChar) String() string {
	switch {
	case e == NoEscape:
		return "none"
	case e == '\\':
		return "\\\\"
	case e == 0:
		return "\\000"
	case e > 0x7f:
		return "\\M" + metaChar(byte(e&0x7f))
	case e < ' ' || e == 0x7f:
		return "\\^" + string(rune(byte(e)^0x40))
	case e == ' ':
		return "\\040"
	}
	return string(rune(e))
}

func metaChar(c byte) string {
	if c < ' ' || c == 0x7f {
		return "^" + string(rune(c^0x40))
	}
	return "-" + string(rune(c))
}

type escapeKind struct{}

func (escapeKind) parse(l *line, o *Client, store bool) *problem {
	w, p := l.need("Missing argument.")
	if p != nil {
		return p
	}
	e, ok := ParseEscapeChar(w)
	if !ok {
		return l.badf("Bad escape character.")
	}
	if store {
		o.EscapeChar = e
	}
	return nil
}

func (escapeKind) preset(o *Client, _ *environment)         { o.EscapeChar = '~' }
func (escapeKind) print(w *printer, name string, o *Client) { w.line(name, o.EscapeChar.String()) }
func (escapeKind) describe() (string, string)               { return "a character, ^LETTER, none", "~" }

// proxyCommandKind is ProxyCommand; ProxyJump, if it came first, wins, but
// for none, which only keeps later ProxyJumps out.
type proxyCommandKind struct{}

func (proxyCommandKind) parse(l *line, o *Client, store bool) *problem {
	v := strings.TrimLeft(l.raw, " \t\r\n=")
	l.words = nil
	if v == "" {
		return l.badf("Missing argument.")
	}
	if store && (o.ProxyJump == "" || o.ProxyJump == "none") {
		o.ProxyCommand = v
	} else {
		l.unset = true
	}
	return nil
}

func (proxyCommandKind) preset(*Client, *environment) {}
func (proxyCommandKind) print(w *printer, name string, o *Client) {
	if o.ProxyCommand != "" {
		w.line(name, o.ProxyCommand)
	}
}
func (proxyCommandKind) describe() (string, string) { return "the rest of the line, none", "none" }

type proxyJumpKind struct{}

func (proxyJumpKind) parse(l *line, o *Client, store bool) *problem {
	v := strings.TrimLeft(l.raw, " \t\r\n=")
	l.words = nil
	text := v
	v, _, _ = strings.Cut(v, "#")
	if i := strings.IndexAny(v, " \t"); i >= 0 {
		v = v[:i]
	}
	jump, err := normalJump(v)
	if err != nil {
		return l.badf("Invalid ProxyJump \"%s\"", text)
	}
	if store && o.ProxyCommand == "" {
		o.ProxyJump = jump
	} else {
		l.unset = true
	}
	return nil
}

func (proxyJumpKind) preset(*Client, *environment) {}
func (proxyJumpKind) print(w *printer, name string, o *Client) {
	if o.ProxyJump != "" {
		w.line(name, o.ProxyJump)
	}
}
func (proxyJumpKind) describe() (string, string) { return "[USER@]HOST[:PORT],…, none", "none" }

// normalJump checks a jump list and writes its last hop in the usual form.
func normalJump(v string) (string, error) {
	if equalFold(v, "none") {
		return "none", nil
	}
	hops, err := ParseJump(v)
	if err != nil {
		return "", err
	}
	last := hops[len(hops)-1].String()
	if i := strings.LastIndexByte(v, ','); i > 0 {
		return v[:i] + "," + last, nil
	}
	return last, nil
}
