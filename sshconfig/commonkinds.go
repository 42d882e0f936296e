package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// QoS is a value for the IP header's traffic class byte, or QoSNone.
type QoS int16

// QoSNone leaves the system's default.
const QoSNone QoS = -1

// IPQoS is the value of that keyword.
type IPQoS struct{ Interactive, Bulk QoS }

var qosNames = []choice[QoS]{
	{"af11", 0x28}, {"af12", 0x30}, {"af13", 0x38},
	{"af21", 0x48}, {"af22", 0x50}, {"af23", 0x58},
	{"af31", 0x68}, {"af32", 0x70}, {"af33", 0x78},
	{"af41", 0x88}, {"af42", 0x90}, {"af43", 0x98},
	{"cs0", 0x00}, {"cs1", 0x20}, {"cs2", 0x40}, {"cs3", 0x60},
	{"cs4", 0x80}, {"cs5", 0xa0}, {"cs6", 0xc0}, {"cs7", 0xe0},
	{"ef", 0xb8}, {"le", 0x04}, {"va", 0xb0},
	{"none", QoSNone},
	// IPv4's old names are taken and mean nothing any more.
	{"lowdelay", QoSNone}, {"throughput", QoSNone}, {"reliability", QoSNone},
}

// ParseQoS reads one IPQoS word: a name, a number from 0 to 255, or none.
func ParseQoS(w string) (QoS, bool) {
	for _, c := range qosNames {
		if equalFold(w, c.word) {
			return c.value, true
		}
	}
	n, err := strconv.ParseUint(w, 10, 8)
	if err != nil {
		return 0, false
	}
	return QoS(n), true
}

func (q QoS) String() string {
	for _, c := range qosNames {
		if c.value == q {
			return c.word
		}
	}
	return fmt.Sprintf("0x%02x", int(q))
}

// qosKind is IPQoS.
type qosKind[T any] struct{ get func(*T) *IPQoS }

func (k qosKind[T]) parse(l *line, o *T, store bool) *problem {
	w, p := l.need(l.withName("missing argument."))
	if p != nil {
		if !l.server {
			p.text = "Missing argument."
		}
		return p
	}
	bad := func(w string) *problem {
		name := l.keyword
		if !l.server {
			name = "IPQoS"
		}
		return l.badf("Bad %s value: %s", name, w)
	}
	first, ok := ParseQoS(w)
	if !ok {
		return bad(w)
	}
	second := first
	if w, two := l.next(); two {
		if second, ok = ParseQoS(w); !ok {
			return bad(w)
		}
	}
	if store {
		*k.get(o) = IPQoS{first, second}
	}
	return nil
}

func (k qosKind[T]) preset(o *T, _ *environment) { *k.get(o) = IPQoS{0xb8, 0} }
func (k qosKind[T]) print(w *printer, name string, o *T) {
	v := k.get(o)
	w.line(name, v.Interactive.String()+" "+v.Bulk.String())
}
func (k qosKind[T]) describe() (string, string) {
	return "one or two of af11 to af43, cs0 to cs7, ef, le, va, a number, none", "ef cs0"
}

// RekeyLimit is the value of that keyword; 0 is the cipher's own bound and
// no time.
type RekeyLimit struct {
	Bytes    uint64
	Interval time.Duration
	timed    bool // a line has given the interval
}

// MinRekeyBytes is the smallest RekeyLimit.
const MinRekeyBytes = 16

// rekeyKind is RekeyLimit. Bytes and interval are separate values: each is
// taken from the first line that has it.
type rekeyKind[T any] struct{ get func(*T) *RekeyLimit }

func (k rekeyKind[T]) parse(l *line, o *T, store bool) *problem {
	w, p := l.need(l.withName("missing argument."))
	if p != nil {
		if !l.server {
			p.text = "Missing argument."
		}
		return p
	}
	bytes := uint64(0)
	if w != "default" {
		var wrong string
		if bytes, wrong = parseScaled(w); wrong != "" {
			if l.server {
				return l.badf("Bad %s number '%s': %s", l.keyword, w, wrong)
			}
			return l.badf("Bad number '%s': %s", w, wrong)
		}
		if bytes != 0 && bytes < MinRekeyBytes {
			if l.server {
				return l.badf("%s too small", l.keyword)
			}
			return l.badf("RekeyLimit too small")
		}
	}
	v := k.get(o)
	if store {
		v.Bytes = bytes
	}
	if len(l.words) == 0 {
		return nil
	}
	if l.words[0] == "none" {
		l.next()
		return nil
	}
	d, p := parseTimeWord(l)
	if p == nil && l.active && !v.timed {
		v.Interval, v.timed = d, true
	}
	return p
}

func (k rekeyKind[T]) preset(*T, *environment) {}
func (k rekeyKind[T]) print(w *printer, name string, o *T) {
	v := k.get(o)
	w.line(name, strconv.FormatUint(v.Bytes, 10)+" "+seconds(v.Interval))
}
func (k rekeyKind[T]) describe() (string, string) {
	return "BYTES with K, M or G, or default; then a time or none", "default none"
}

// permitKind is PermitRemoteOpen, PermitOpen and PermitListen: nil is any.
type permitKind[T any] struct {
	listen bool // a bare port stands for all addresses
	get    func(*T) *[]string
}

func (k permitKind[T]) parse(l *line, o *T, store bool) *problem {
	var got []string
	found, any := false, false
	for len(l.words) > 0 {
		w, _ := l.next()
		found = true
		if w == "any" || w == "none" {
			if len(got) > 0 || any || len(l.words) > 0 && !l.server {
				if l.server {
					return l.badf("%s must appear alone on a %s line.", w, l.keyword)
				}
				return l.countf("keyword %s \"%s\" argument must appear alone.", l.keyword, w)
			}
			if w == "none" {
				got = append(got, w)
			} else {
				any = true
			}
			continue
		}
		spec := w
		if k.listen && !strings.Contains(w, ":") {
			spec = "*:" + w
		}
		host, port, ok := splitHostPort(spec)
		if !ok || host == "" {
			return l.permitProblem("missing host")
		}
		if port != "*" && parsePort(port, l.env.lookupPort) <= 0 && port != "0" {
			return l.permitProblem("bad port number")
		}
		got = append(got, spec)
	}
	if !found {
		if l.server {
			return l.badf("%s missing argument.", l.keyword)
		}
		return l.badf("missing %s specification", l.keyword)
	}
	if store {
		*k.get(o) = got
	}
	return nil
}

func (l *line) permitProblem(what string) *problem {
	text := what + " in " + l.keyword
	if l.server {
		text = l.keyword + " " + what
	}
	return &problem{fatal: true, text: text}
}

func (k permitKind[T]) preset(*T, *environment) {}
func (k permitKind[T]) print(w *printer, name string, o *T) {
	if v := *k.get(o); len(v) > 0 {
		w.line(name, strings.Join(v, " "))
		return
	}
	w.line(name, "any")
}
func (k permitKind[T]) describe() (string, string) {
	if k.listen {
		return "[HOST:]PORT …, any, none", "any"
	}
	return "HOST:PORT …, any, none", "any"
}

// splitHostPort splits HOST:PORT, [HOST]:PORT and HOST/PORT.
func splitHostPort(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		host, s = s[1:end], s[end+1:]
		if s == "" {
			return host, "", true
		}
		return host, s[1:], s[0] == ':' || s[0] == '/'
	}
	if i := strings.IndexAny(s, ":/"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", true
}

// fingerprintKind is FingerprintHash.
type fingerprintKind[T any] struct{ get func(*T) *FingerprintHash }

func (k fingerprintKind[T]) parse(l *line, o *T, store bool) *problem {
	missing := "Missing argument."
	if l.server {
		missing = l.keyword + " missing argument."
	}
	w, p := l.need(missing)
	if p != nil {
		return p
	}
	for _, c := range fingerprintHashes {
		if equalFold(c.word, w) {
			if store {
				*k.get(o) = c.value
			}
			return nil
		}
	}
	if l.server {
		return l.badf("Invalid %s algorithm \"%s\".", l.keyword, w)
	}
	return l.badf("Invalid hash algorithm \"%s\".", w)
}

func (k fingerprintKind[T]) preset(o *T, _ *environment) { *k.get(o) = SHA256 }
func (k fingerprintKind[T]) print(w *printer, name string, o *T) {
	w.line(name, wordOf(fingerprintHashes, *k.get(o)))
}
func (k fingerprintKind[T]) describe() (string, string) { return "md5, sha256", "sha256" }
