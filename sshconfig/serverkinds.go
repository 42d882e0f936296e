package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// copier is a kind of a keyword that may stand in a Match block: it brings
// the block's value to the connection's configuration.
type copier[T any] interface{ copy(dst, src *T) }

func (k Flag[T]) copy(dst, src *T)     { *k.get(dst) = *k.get(src) }
func (k Enum[T, V]) copy(dst, src *T)  { *k.get(dst) = *k.get(src) }
func (k Number[T]) copy(dst, src *T)   { *k.get(dst) = *k.get(src) }
func (k Duration[T]) copy(dst, src *T) { *k.get(dst) = *k.get(src) }
func (k Octal[T]) copy(dst, src *T)    { *k.get(dst) = *k.get(src) }
func (k Text[T]) copy(dst, src *T)     { *k.get(dst) = *k.get(src) }
func (k Words[T]) copy(dst, src *T)    { *k.get(dst) = *k.get(src) }
func (k Names[T]) copy(dst, src *T)    { *k.get(dst) = *k.get(src) }

func (k levelKind[T]) copy(dst, src *T)      { *k.get(dst) = *k.get(src) }
func (k setEnvKind[T]) copy(dst, src *T)     { *k.get(dst) = *k.get(src) }
func (k logVerboseKind[T]) copy(dst, src *T) { *k.get(dst) = *k.get(src) }
func (k timeoutsKind[T]) copy(dst, src *T)   { *k.get(dst) = *k.get(src) }
func (k qosKind[T]) copy(dst, src *T)        { *k.get(dst) = *k.get(src) }
func (k permitKind[T]) copy(dst, src *T)     { *k.get(dst) = *k.get(src) }
func (k rekeyKind[T]) copy(dst, src *T) {
	d, s := k.get(dst), k.get(src)
	d.Bytes = s.Bytes
	if s.timed {
		d.Interval = s.Interval
	}
}

// portsKind is the server's Port.
type portsKind struct{}

func (portsKind) parse(l *line, o *Server, store bool) *problem {
	if o.portsFixed {
		l.words = nil
		return nil
	}
	if len(o.Port) >= maxPorts {
		return l.badf("too many ports.")
	}
	w, p := l.need("missing port number.")
	if p != nil {
		return p
	}
	n := parsePort(w, l.env.lookupPort)
	if n <= 0 {
		return l.badf("Badly formatted port number.")
	}
	if store {
		o.Port = append(o.Port, n)
	}
	return nil
}

func (portsKind) preset(o *Server, _ *environment) {
	if !o.portsFixed {
		o.Port = []int{22}
	}
}
func (portsKind) print(w *printer, name string, o *Server) {
	for _, p := range o.Port {
		w.line(name, strconv.Itoa(p))
	}
}
func (portsKind) describe() (string, string) { return "a port or service name", "22" }

// ListenAddress is an address to listen on, as given.
type ListenAddress struct {
	Host string // "": all addresses
	Port int    // 0: each Port
}

// listenKind is ListenAddress.
type listenKind struct{}

func (listenKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need("missing address")
	if p != nil {
		return p
	}
	a := ListenAddress{Host: w}
	if strings.Contains(w, "[") || strings.Count(w, ":") < 2 {
		host, port, ok := splitHostPort(w)
		if !ok || host == "" {
			return l.badf("bad address:port usage")
		}
		a.Host = host
		if port != "" || strings.HasSuffix(w, ":") {
			if a.Port = parsePort(port, l.env.lookupPort); a.Port <= 0 {
				return l.badf("bad port number")
			}
		}
	}
	if w, more := l.next(); more {
		if _, two := l.next(); w != "rdomain" || !two {
			return l.badf("bad ListenAddress syntax")
		}
		return l.badf("bad routing domain")
	}
	if store {
		o.ListenAddress = append(o.ListenAddress, a)
	}
	return nil
}

func (listenKind) preset(*Server, *environment) {}
func (listenKind) print(w *printer, name string, o *Server) {
	for _, a := range o.Listen() {
		host := a.Host
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		w.line(name, host+":"+strconv.Itoa(a.Port))
	}
}
func (listenKind) describe() (string, string) { return "HOST, HOST:PORT, [IPV6]:PORT", "all addresses" }

// rdomainKind is RDomain, which this platform does not have.
type rdomainKind struct{}

func (rdomainKind) parse(l *line, o *Server, store bool) *problem {
	return l.badf("setting RDomain not supported on this platform.")
}
func (rdomainKind) copy(dst, src *Server)                 { dst.RDomain = src.RDomain }
func (rdomainKind) preset(*Server, *environment)          {}
func (rdomainKind) print(w *printer, _ string, _ *Server) {}
func (rdomainKind) describe() (string, string)            { return "a name, %D", "none" }

// exemptKind is PerSourcePenaltyExemptList.
type exemptKind struct{}

func (exemptKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	if _, err := MatchAddress("", w); err != nil {
		return l.badf("keyword %s invalid address argument.", l.keyword)
	}
	if store {
		o.PerSourcePenaltyExemptList = w
	}
	return nil
}

func (exemptKind) preset(*Server, *environment) {}
func (exemptKind) print(w *printer, name string, o *Server) {
	w.line(name, orNone(o.PerSourcePenaltyExemptList))
}
func (exemptKind) describe() (string, string) { return "addresses, networks, wildcards", "none" }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func tildeWord(l *line, w string) (string, *problem) {
	if w == "" {
		return notEmpty(l, w)
	}
	v, err := l.serverPath(w, textTilde)
	if err != nil {
		return w, l.badf("%s", err)
	}
	return v, nil
}

func userPattern(l *line, w string) (string, *problem) {
	_, err := MatchUser("", "", "", w)
	if err != nil || w == "" {
		return w, l.badf("invalid %s pattern: \"%s\"", l.keyword, w)
	}
	return w, nil
}

func groupPattern(l *line, w string) (string, *problem) {
	if w == "" {
		return w, l.badf("empty %s pattern", l.keyword)
	}
	return w, nil
}

func envPattern(l *line, w string) (string, *problem) {
	if w == "" || strings.Contains(w, "=") {
		return w, l.badf("Invalid environment name.")
	}
	return w, nil
}

// keyFilesKind is HostKey and HostCertificate.
type keyFilesKind struct {
	keys bool
	get  func(*Server) *[]string
}

func (k keyFilesKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need("missing file name.")
	if p != nil {
		return p
	}
	if !equalFold(w, "none") {
		var err error
		if w, err = l.serverPath(w, textPath); err != nil {
			return l.badf("%s", err)
		}
	}
	if store {
		*k.get(o) = append(*k.get(o), w)
	}
	return nil
}

func (k keyFilesKind) preset(o *Server, _ *environment) {
	if k.keys {
		*k.get(o) = append([]string(nil), defaultHostKeys...)
	}
}

func (k keyFilesKind) print(w *printer, name string, o *Server) {
	for _, f := range *k.get(o) {
		w.line(name, f)
	}
}

func (k keyFilesKind) describe() (string, string) {
	if k.keys {
		return "a path", strings.Join(defaultHostKeys, " ")
	}
	return "a path", "none"
}

// methodsKind is AuthenticationMethods.
type methodsKind struct{}

func (methodsKind) parse(l *line, o *Server, store bool) *problem {
	var got []string
	any, found := false, false
	for len(l.words) > 0 {
		w, _ := l.next()
		if w == "any" && found || any {
			return l.badf("\"any\" must appear alone in %s", l.keyword)
		}
		found = true
		if w == "any" {
			any = true
			continue
		}
		if bad, ok := checkMethods(w); !ok {
			p := l.badf("invalid %s method list.", l.keyword)
			p.before = "Unknown authentication method \"" + bad + "\" in list"
			return p
		}
		got = append(got, w)
	}
	if !found {
		return l.badf("no %s specified", l.keyword)
	}
	if store {
		o.AuthenticationMethods = got
	}
	return nil
}

func checkMethods(list string) (bad string, ok bool) {
	if list == "" {
		return "", false
	}
	for more := true; more; {
		var m string
		m, list, more = strings.Cut(list, ",")
		name, _, _ := strings.Cut(m, ":")
		switch name {
		case "none", "publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic":
		default:
			return m, false
		}
	}
	return "", true
}

func (methodsKind) copy(dst, src *Server)        { dst.AuthenticationMethods = src.AuthenticationMethods }
func (methodsKind) preset(*Server, *environment) {}
func (methodsKind) print(w *printer, name string, o *Server) {
	if len(o.AuthenticationMethods) == 0 {
		w.line(name, "any")
		return
	}
	w.line(name, strings.Join(o.AuthenticationMethods, " "))
}
func (methodsKind) describe() (string, string) { return "METHOD[:DEVICE],… …, any", "any" }

// Subsystem is a name and the command behind it, quoted for the shell as the
// configuration had it.
type Subsystem struct{ Name, Command string }

// subsystemKind is Subsystem: the first of a name counts.
type subsystemKind struct{}

func (subsystemKind) parse(l *line, o *Server, store bool) *problem {
	name, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	if len(l.words) == 0 || l.words[0] == "" {
		return l.badf("%s missing argument.", l.keyword)
	}
	command := joinWords(l.words)
	l.words = nil
	if !store {
		return nil
	}
	for _, s := range o.Subsystem {
		if s.Name == name {
			l.warnf(LevelDebug, "Subsystem '%s' already defined.", name)
			return nil
		}
	}
	o.Subsystem = append(o.Subsystem, Subsystem{name, command})
	return nil
}

func (subsystemKind) copy(dst, src *Server) {
	merged := append([]Subsystem(nil), dst.Subsystem...)
next:
	for _, s := range src.Subsystem {
		for i := range merged {
			if merged[i].Name == s.Name {
				merged[i] = s
				continue next
			}
		}
		merged = append(merged, s)
	}
	dst.Subsystem = merged
}
func (subsystemKind) preset(*Server, *environment) {}
func (subsystemKind) print(w *printer, name string, o *Server) {
	for _, s := range o.Subsystem {
		w.line(name, s.Name+" "+s.Command)
	}
}
func (subsystemKind) describe() (string, string) { return "NAME COMMAND", "none" }

// MaxStartups is the value of that keyword: from Start connections on, Rate
// percent are refused, rising to all at Full.
type MaxStartups struct{ Start, Rate, Full int }

type startupsKind struct{}

func (startupsKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	invalid := func() *problem { return l.badf("Invalid %s spec.", l.keyword) }
	n, count, ok := scanInts(w)
	v := MaxStartups{n[0], n[1], n[2]}
	switch {
	case !ok || count == 2:
		return invalid()
	case count == 1:
		v.Rate, v.Full = 30, v.Start
	case v.Start > v.Full || v.Rate > 100 || v.Rate < 1:
		return invalid()
	}
	if v.Start <= 0 || v.Full <= 0 {
		return invalid()
	}
	if store {
		o.MaxStartups = v
	}
	return nil
}

// scanInts reads one to three numbers between colons.
func scanInts(s string) (n [3]int, count int, ok bool) {
	for more := true; more; count++ {
		if count == 3 {
			return n, count, false
		}
		var part string
		part, s, more = strings.Cut(s, ":")
		v, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			return n, count, false
		}
		n[count] = int(v)
	}
	return n, count, true
}

func (startupsKind) preset(o *Server, _ *environment) { o.MaxStartups = MaxStartups{10, 30, 100} }
func (startupsKind) print(w *printer, name string, o *Server) {
	w.line(name, fmt.Sprintf("%d:%d:%d", o.MaxStartups.Start, o.MaxStartups.Rate, o.MaxStartups.Full))
}
func (startupsKind) describe() (string, string) { return "N or START:RATE:FULL", "10:30:100" }

type perSourceKind struct{}

func (perSourceKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	n := -1
	if w != "none" {
		var wrong string
		if n, wrong = parseInt(w, true); wrong != "" {
			return l.badf("%s integer value %s.", l.keyword, wrong)
		}
	}
	if store {
		o.PerSourceMaxStartups = n
	}
	return nil
}

func (perSourceKind) preset(o *Server, _ *environment) { o.PerSourceMaxStartups = -1 }
func (perSourceKind) print(w *printer, name string, o *Server) {
	if o.PerSourceMaxStartups < 0 {
		w.line(name, "none")
		return
	}
	w.line(name, strconv.Itoa(o.PerSourceMaxStartups))
}
func (perSourceKind) describe() (string, string) { return "a number, none", "none" }

// NetBlockSize is the value of PerSourceNetBlockSize: address bits that make
// one source.
type NetBlockSize struct{ IPv4, IPv6 int }

type netBlockKind struct{}

const netBlock4, netBlock6 = 32, 64

func (netBlockKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	n, count, ok := scanInts(w)
	if count < 2 {
		n[1] = netBlock6
	}
	if !ok || count > 2 || n[0] < 0 || n[0] > 32 || n[1] < 0 || n[1] > 128 {
		return l.badf("Invalid %s spec.", l.keyword)
	}
	if store {
		o.PerSourceNetBlockSize = NetBlockSize{n[0], n[1]}
	}
	return nil
}

func (netBlockKind) preset(o *Server, _ *environment) {
	o.PerSourceNetBlockSize = NetBlockSize{netBlock4, netBlock6}
}
func (netBlockKind) print(w *printer, name string, o *Server) {
	w.line(name, fmt.Sprintf("%d:%d", o.PerSourceNetBlockSize.IPv4, o.PerSourceNetBlockSize.IPv6))
}
func (netBlockKind) describe() (string, string) { return "IPV4BITS[:IPV6BITS]", "32:64" }

type permitTunnelKind struct{}

func (permitTunnelKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	for _, c := range permitTunnels {
		if c.word == w {
			if store {
				o.PermitTunnel = c.value
			}
			return nil
		}
	}
	return l.badf("bad %s argument %s", l.keyword, w)
}

func (permitTunnelKind) copy(dst, src *Server)            { dst.PermitTunnel = src.PermitTunnel }
func (permitTunnelKind) preset(o *Server, _ *environment) { o.PermitTunnel = TunnelNo }
func (permitTunnelKind) print(w *printer, name string, o *Server) {
	w.line(name, wordOf(permitTunnels, o.PermitTunnel))
}
func (permitTunnelKind) describe() (string, string) {
	return "yes, no, point-to-point, ethernet", "no"
}

// UserEnvironment is the value of PermitUserEnvironment.
type UserEnvironment struct {
	On       bool
	Patterns string // pattern-list of names; "": all
}

type userEnvKind struct{}

func (userEnvKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need(l.keyword + " missing argument.")
	if p != nil {
		return p
	}
	v := UserEnvironment{On: w != "no"}
	if w != "yes" && w != "no" {
		v.Patterns = w
	}
	if store {
		o.PermitUserEnvironment = v
	}
	return nil
}

func (userEnvKind) preset(*Server, *environment) {}
func (userEnvKind) print(w *printer, name string, o *Server) {
	if v := o.PermitUserEnvironment; v.Patterns != "" {
		w.line(name, v.Patterns)
	} else {
		w.line(name, yesNo(v.On))
	}
}
func (userEnvKind) describe() (string, string) { return "yes, no, a pattern-list", "no" }

// PubkeyAuthOptions is the value of that keyword: what a security key must
// have checked for every signature.
type PubkeyAuthOptions struct{ TouchRequired, VerifyRequired bool }

type pubkeyOptionsKind struct{}

func (pubkeyOptionsKind) parse(l *line, o *Server, store bool) *problem {
	v := PubkeyAuthOptions{}
	for len(l.words) > 0 {
		w, _ := l.next()
		switch toLower(w) {
		case "none":
		case "touch-required":
			v.TouchRequired = true
		case "verify-required":
			v.VerifyRequired = true
		default:
			return l.countf("unsupported %s option %s", l.keyword, w)
		}
	}
	if store {
		o.PubkeyAuthOptions = v
	}
	return nil
}

func (pubkeyOptionsKind) copy(dst, src *Server)        { dst.PubkeyAuthOptions = src.PubkeyAuthOptions }
func (pubkeyOptionsKind) preset(*Server, *environment) {}
func (pubkeyOptionsKind) print(w *printer, name string, o *Server) {
	words := ""
	if o.PubkeyAuthOptions.TouchRequired {
		words = " touch-required"
	}
	if o.PubkeyAuthOptions.VerifyRequired {
		words += " verify-required"
	}
	w.line(name, orNone(strings.TrimPrefix(words, " ")))
}
func (pubkeyOptionsKind) describe() (string, string) {
	return "none, touch-required, verify-required", "none"
}

// Penalties is the value of PerSourcePenalties.
type Penalties struct {
	On                                                                              bool
	Crash, AuthFail, InvalidUser, NoAuth, GraceExceeded, RefuseConnection, Max, Min time.Duration
	MaxSources4, MaxSources6                                                        int
	DenyAll, DenyAll6                                                               bool // overflow: refuse everybody

	given uint16 // which were in a line, by place in penaltyNames; bit 15: on or off
}

var penaltyNames = [...]string{"crash", "authfail", "noauth", "invaliduser", "grace-exceeded", "refuseconnection", "max", "min", "max-sources4", "max-sources6", "overflow", "overflow6"}

var penaltyDefaults = [...]time.Duration{90 * time.Second, 5 * time.Second, time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Minute, 15 * time.Second}

const (
	penaltyTimes   = len(penaltyDefaults)
	penaltySources = 65536
	penaltyOnOff   = 1 << 15
)

func (p *Penalties) times() [penaltyTimes]*time.Duration {
	return [...]*time.Duration{&p.Crash, &p.AuthFail, &p.NoAuth, &p.InvalidUser, &p.GraceExceeded, &p.RefuseConnection, &p.Max, &p.Min}
}

// penaltiesKind is PerSourcePenalties: of each part the first setting counts,
// and any part switches penalties on.
type penaltiesKind struct{}

func (penaltiesKind) parse(l *line, o *Server, store bool) *problem {
	v := &o.PerSourcePenalties
	found := false
	for len(l.words) > 0 {
		w, _ := l.next()
		found = true
		if on, is := parseFlag(w, true); is {
			if len(l.words) > 0 {
				return l.badf("keyword %s \"%s\" argument must appear alone.", l.keyword, w)
			}
			if l.active && v.given&penaltyOnOff == 0 {
				v.On = on
				v.given |= penaltyOnOff
			}
			continue
		}
		name, value, colon := strings.Cut(w, ":")
		i := 0
		for i < len(penaltyNames) && (penaltyNames[i] != name || !colon) {
			i++
		}
		if p := v.setPart(l, i, w, value); p != nil {
			return p
		}
	}
	if !found {
		return l.badf("no %s specified", l.keyword)
	}
	return nil
}

func (v *Penalties) setPart(l *line, i int, word, value string) *problem {
	store := l.active && i < len(penaltyNames) && v.given&(1<<i) == 0
	switch {
	case i < penaltyTimes:
		d, ok := parseFraction(value)
		if !ok {
			return l.badf("invalid %s time value.", l.keyword)
		}
		if store {
			*v.times()[i] = d
		}
	case i == penaltyTimes || i == penaltyTimes+1:
		n, wrong := parseInt(value, true)
		if wrong != "" {
			return l.badf("%s value %s.", l.keyword, wrong)
		}
		switch {
		case !store:
		case i == penaltyTimes:
			v.MaxSources4 = n
		default:
			v.MaxSources6 = n
		}
	case i < len(penaltyNames) && (value == "deny-all" || value == "permissive"):
		switch {
		case !store:
		case i == penaltyTimes+2:
			v.DenyAll = value == "deny-all"
		default:
			v.DenyAll6 = value == "deny-all"
		}
	default:
		return l.badf("unsupported %s keyword %s", l.keyword, word)
	}
	if store {
		v.given |= 1<<i | penaltyOnOff
		v.On = true
	}
	return nil
}

func (penaltiesKind) preset(*Server, *environment) {}

// fill gives the parts that no line set their defaults.
func (v *Penalties) fill() {
	if v.given&penaltyOnOff == 0 {
		v.On = true
	}
	for i, t := range v.times() {
		if v.given&(1<<i) == 0 {
			*t = penaltyDefaults[i]
		}
	}
	if v.given&(1<<penaltyTimes) == 0 {
		v.MaxSources4 = penaltySources
	}
	if v.given&(1<<(penaltyTimes+1)) == 0 {
		v.MaxSources6 = penaltySources
	}
	if v.given&(1<<(penaltyTimes+3)) == 0 {
		v.DenyAll6 = v.DenyAll
	}
}

func (penaltiesKind) print(w *printer, name string, o *Server) {
	v := o.PerSourcePenalties
	if !v.On {
		w.line(name, "no")
		return
	}
	var b strings.Builder
	for i, t := range v.times() {
		fmt.Fprintf(&b, "%s:%f ", penaltyNames[i], t.Seconds())
	}
	fmt.Fprintf(&b, "max-sources4:%d max-sources6:%d overflow:%s overflow6:%s", v.MaxSources4, v.MaxSources6, overflow(v.DenyAll), overflow(v.DenyAll6))
	w.line(name, b.String())
}

func overflow(deny bool) string {
	if deny {
		return "deny-all"
	}
	return "permissive"
}

func (penaltiesKind) describe() (string, string) {
	return "yes, no, or EVENT:TIME …", "crash:90 authfail:5 noauth:1 invaliduser:5 grace-exceeded:10 refuseconnection:10 max:600 min:15 max-sources4:65536 max-sources6:65536 overflow:permissive"
}

// optionalKind is a number that -T shows only when it is not the default:
// other servers do not know the keyword.
type optionalKind struct {
	def int
	get func(*Server) *int
}

func (k optionalKind) parse(l *line, o *Server, store bool) *problem {
	return Number[Server]{k.def, k.get}.parse(l, o, store)
}
func (k optionalKind) preset(o *Server, _ *environment) { *k.get(o) = k.def }
func (k optionalKind) print(w *printer, name string, o *Server) {
	if *k.get(o) != k.def {
		w.line(name, strconv.Itoa(*k.get(o)))
	}
}
func (k optionalKind) describe() (string, string) { return "a number", strconv.Itoa(k.def) }

type roomsKind struct{}

const maxRooms = 1024

func (roomsKind) parse(l *line, o *Server, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	v := NetworkRooms{}
	switch {
	case equalFold(w, "connection"):
	case equalFold(w, "shared"):
		v = NetworkRooms{true, 1}
	default:
		n, wrong := parseInt(w, true)
		if wrong != "" || n < 1 || n > maxRooms {
			return l.badf("unsupported option \"%s\".", w)
		}
		v = NetworkRooms{true, n}
	}
	if store {
		o.NetworkRooms = v
	}
	return nil
}

func (roomsKind) preset(o *Server, _ *environment) { o.NetworkRooms = NetworkRooms{} }
func (roomsKind) print(w *printer, name string, o *Server) {
	switch v := o.NetworkRooms; {
	case v.Shared && v.Count > 1:
		w.line(name, strconv.Itoa(v.Count))
	case v.Shared:
		w.line(name, "shared")
	}
}
func (roomsKind) describe() (string, string) { return "connection, shared, a number", "connection" }

// logFormatKind is LogFormat.
type logFormatKind struct{}

func (logFormatKind) enum() Enum[Server, LogFormat] {
	return Enum[Server, LogFormat]{LogText, logFormats, func(o *Server) *LogFormat { return &o.LogFormat }}
}

func (k logFormatKind) parse(l *line, o *Server, store bool) *problem {
	return k.enum().parse(l, o, store)
}
func (k logFormatKind) preset(o *Server, e *environment) { k.enum().preset(o, e) }
func (k logFormatKind) print(w *printer, name string, o *Server) {
	if o.LogFormat != LogText { // OpenSSH has no such line
		k.enum().print(w, name, o)
	}
}
func (k logFormatKind) describe() (string, string) { return k.enum().describe() }
