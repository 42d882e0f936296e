package sshconfig

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A row is one keyword: T is [Client] or [Server]. The table of rows is the
// only place that knows a keyword; parsing, resolving, printing and the
// manual follow from it. A table is a composite literal of constants and
// function literals, so the linker lays it down and no process start pays.
type row[T any] struct {
	name string // as the manual writes it
	kind kind[T]
	flag flags
	doc  string // one sentence for the manual
}

type flags uint16

const (
	inMatch  flags = 1 << iota // may stand in a server's Match block
	appends                    // every line adds; otherwise the first value wins
	lastWins                   // the last value wins
	anyBlock                   // takes effect even in a block that does not apply
	hidden                     // -G and -T do not show it
)

// A kind is the type of a keyword's value.
type kind[T any] interface {
	// parse reads the words of l and checks them. It stores them in o when
	// store is true: when the block applies and the keyword is not set yet
	// (or adds up).
	parse(l *line, o *T, store bool) *problem
	// preset gives the field its default; it is called when no line set it.
	preset(o *T, e *environment)
	// print writes the field as -G and -T do.
	print(w *printer, name string, o *T)
	// describe gives the manual the values taken and the default.
	describe() (values, preset string)
}

// A problem is what is wrong with a line. Fatal ones end reading at once;
// the others are counted and reading ends with the file.
type problem struct {
	fatal  bool
	bare   bool   // without file and line
	colon  bool   // "FILE: line N" instead of "FILE line N"
	before string // a message of its own that comes first
	text   string
	hint   string
}

// A line is one line of a file, its keyword taken off.
type line struct {
	file    string
	number  int
	keyword string // as messages show it
	raw     string // the rest as it is, for commands
	words   []string
	server  bool
	active  bool // the block applies
	unset   bool // set by a kind: the line does not count as a value
	stored  bool // set by a kind: it stored a value though it was not told to
	env     *environment
}

// environment is what the values of keywords may depend on.
type environment struct {
	algorithms Algorithms
	lookupPort func(string) int
	expandHome func(string) (string, error) // leading ~; nil leaves it
	absolute   func(string) string          // relative server paths; nil leaves them
	getenv     func(string) (string, bool)
	warn       func(Level, string)
}

// Level is the importance of a remark made while reading.
type Level uint8

// Levels of remarks.
const (
	LevelError Level = iota
	LevelInfo
	LevelDebug
	LevelDebug2
)

func (l *line) next() (string, bool) {
	if len(l.words) == 0 {
		return "", false
	}
	w := l.words[0]
	l.words = l.words[1:]
	return w, true
}

// need is next for keywords that want a word; "" counts as none.
func (l *line) need(missing string) (string, *problem) {
	w, _ := l.next()
	if w == "" {
		return "", l.badf("%s", missing)
	}
	return w, nil
}

// badf is a problem: counted for the client, at once fatal for the server.
func (l *line) badf(format string, args ...any) *problem {
	return &problem{fatal: l.server, text: fmt.Sprintf(format, args...)}
}

// countf is a problem that is counted on both sides.
func (l *line) countf(format string, args ...any) *problem {
	return &problem{text: fmt.Sprintf(format, args...)}
}

func (l *line) warnf(level Level, format string, args ...any) {
	if l.env.warn != nil {
		l.env.warn(level, fmt.Sprintf("%s line %d: %s", l.file, l.number, fmt.Sprintf(format, args...)))
	}
}

// withName is the text of a message that the server, but not the client,
// begins with the keyword.
func (l *line) withName(text string) string {
	if l.server {
		return l.keyword + " " + text
	}
	return text
}

type printer struct {
	w     io.Writer
	lower bool
	err   error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) line(name, value string) {
	if p.lower && name != cnamesPrinted {
		name = toLower(name)
	}
	p.printf("%s %s\n", name, value)
}

// Flag is a yes/no keyword.
type Flag[T any] struct {
	def bool
	get func(*T) *bool
}

func (k Flag[T]) parse(l *line, o *T, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	v, ok := parseFlag(w, l.server)
	if !ok {
		return l.badf("unsupported option \"%s\".", w)
	}
	if store {
		*k.get(o) = v
	}
	return nil
}

func parseFlag(w string, server bool) (v, ok bool) {
	switch {
	case equalFold(w, "yes"), !server && equalFold(w, "true"):
		return true, true
	case equalFold(w, "no"), !server && equalFold(w, "false"):
		return false, true
	}
	return false, false
}

func (k Flag[T]) preset(o *T, _ *environment)         { *k.get(o) = k.def }
func (k Flag[T]) print(w *printer, name string, o *T) { w.line(name, yesNo(*k.get(o))) }
func (k Flag[T]) describe() (string, string)          { return "yes, no", yesNo(k.def) }

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// choice is a word and what it stands for. Among words of one value the
// first is printed.
type choice[V any] struct {
	word  string
	value V
}

// Enum is a keyword of one word out of few.
type Enum[T any, V comparable] struct {
	def     V
	choices []choice[V]
	get     func(*T) *V
}

func (k Enum[T, V]) parse(l *line, o *T, store bool) *problem {
	w, p := l.need("missing argument.")
	if p != nil {
		return p
	}
	v, ok := valueOf(k.choices, w)
	if !ok {
		return l.badf("unsupported option \"%s\".", w)
	}
	if store {
		*k.get(o) = v
	}
	return nil
}

func (k Enum[T, V]) preset(o *T, _ *environment) { *k.get(o) = k.def }
func (k Enum[T, V]) print(w *printer, name string, o *T) {
	w.line(name, wordOf(k.choices, *k.get(o)))
}

func (k Enum[T, V]) describe() (string, string) {
	words := make([]string, len(k.choices))
	for i := range k.choices {
		words[i] = k.choices[i].word
	}
	return strings.Join(words, ", "), wordOf(k.choices, k.def)
}

// valueOf finds what word stands for, in either case.
func valueOf[V any](choices []choice[V], word string) (v V, ok bool) {
	for i := range choices {
		if equalFold(word, choices[i].word) {
			return choices[i].value, true
		}
	}
	return v, false
}

func wordOf[V comparable](choices []choice[V], v V) string {
	for i := range choices {
		if choices[i].value == v {
			return choices[i].word
		}
	}
	return "UNKNOWN"
}

// Number is a keyword of one integer not below zero.
type Number[T any] struct {
	def int
	get func(*T) *int
}

func (k Number[T]) parse(l *line, o *T, store bool) *problem {
	w, ok := l.next()
	n, wrong := parseInt(w, ok)
	if wrong != "" {
		return l.badf("%s", l.withName("integer value "+wrong+"."))
	}
	if store {
		*k.get(o) = n
	}
	return nil
}

func (k Number[T]) preset(o *T, _ *environment)         { *k.get(o) = k.def }
func (k Number[T]) print(w *printer, name string, o *T) { w.line(name, fmt.Sprint(*k.get(o))) }
func (k Number[T]) describe() (string, string)          { return "a number", fmt.Sprint(k.def) }

// Duration is a keyword of one time. With none set, the word "none" is taken
// and stands for 0.
type Duration[T any] struct {
	def  time.Duration
	none bool
	get  func(*T) *time.Duration
}

func (k Duration[T]) parse(l *line, o *T, store bool) *problem {
	if k.none && len(l.words) > 0 && equalFold(l.words[0], "none") {
		l.next()
		if l.active { // as OpenSSH: this word beats an earlier value
			*k.get(o), l.stored = 0, true
		}
		return nil
	}
	d, p := parseTimeWord(l)
	if p == nil && store {
		*k.get(o) = d
	}
	return p
}

func parseTimeWord(l *line) (time.Duration, *problem) {
	w, p := l.need("missing time value.")
	if p != nil {
		return 0, p
	}
	d, ok := ParseTime(w)
	if !ok {
		return 0, l.badf("invalid time value.")
	}
	return d, nil
}

func (k Duration[T]) preset(o *T, _ *environment) { *k.get(o) = k.def }
func (k Duration[T]) print(w *printer, name string, o *T) {
	w.line(name, k.text(*k.get(o)))
}

func (k Duration[T]) text(d time.Duration) string {
	if d == 0 && k.none {
		return "none"
	}
	return seconds(d)
}

func (k Duration[T]) describe() (string, string) {
	if k.none {
		return "a time, none", k.text(k.def)
	}
	return "a time", k.text(k.def)
}

func seconds(d time.Duration) string { return fmt.Sprint(int64(d / time.Second)) }

// Octal is a file mode mask.
type Octal[T any] struct {
	def uint32
	get func(*T) *uint32
}

func (k Octal[T]) parse(l *line, o *T, store bool) *problem {
	w, p := l.need(l.withName("missing argument."))
	if !l.server {
		p = orElse(p, l.badf("Missing StreamLocalBindMask argument."))
	}
	if p != nil {
		return p
	}
	v, digits := uint32(0), 0
	for digits < len(w) && '0' <= w[digits] && w[digits] <= '7' && v <= 0o777 {
		v = v<<3 | uint32(w[digits]-'0')
		digits++
	}
	if digits == 0 || v > 0o777 {
		if l.server {
			return l.badf("Invalid %s.", l.keyword)
		}
		return l.badf("Bad mask.")
	}
	if store {
		*k.get(o) = v
	}
	return nil
}

// orElse gives instead when there is a problem.
func orElse(p, instead *problem) *problem {
	if p == nil {
		return nil
	}
	return instead
}

func (k Octal[T]) preset(o *T, _ *environment)         { *k.get(o) = k.def }
func (k Octal[T]) print(w *printer, name string, o *T) { w.line(name, fmt.Sprintf("0%o", *k.get(o))) }
func (k Octal[T]) describe() (string, string)          { return "an octal number", fmt.Sprintf("0%o", k.def) }

type textForm uint8

const (
	textWord     textForm = iota // one word
	textPath                     // one word, a path: the server makes it absolute
	textTilde                    // one word: the server expands a leading ~
	textRest                     // the rest of the line as it is
	textCommand                  // as textRest; must be an absolute path or none (server)
	textProvider                 // textPath, or the word internal
	textSocket                   // textPath, or SSH_AUTH_SOCK
)

// Text is a keyword of one string. showNone prints "none" for the empty
// string; otherwise an empty one is not printed. clear makes "none" the
// empty string.
type Text[T any] struct {
	def      string
	form     textForm
	showNone bool
	clear    bool
	missing  string // the server's own words for a missing value
	get      func(*T) *string
}

func (k Text[T]) parse(l *line, o *T, store bool) *problem {
	var v string
	switch k.form {
	case textRest, textCommand:
		v = strings.TrimLeft(l.raw, " \t\r\n")
		l.words = nil
		if v == "" {
			if l.server {
				return l.badf("%s missing argument.", l.keyword)
			}
			return l.badf("Missing argument.")
		}
		if k.form == textCommand && v[0] != '/' && !equalFold(v, "none") {
			return l.badf("%s must be an absolute path", l.keyword)
		}
	default:
		missing := "Missing argument."
		if l.server {
			switch {
			case k.missing != "":
				missing = strings.ReplaceAll(k.missing, "%s", l.keyword)
			case k.form == textPath:
				missing = "missing file name."
			default:
				missing = l.keyword + " missing argument."
			}
		}
		w, p := l.need(missing)
		if p != nil {
			return p
		}
		v = w
		if l.server && !equalFold(v, "none") {
			var err error
			if v, err = l.serverPath(v, k.form); err != nil {
				return l.badf("%s", err)
			}
		}
	}
	if k.clear && equalFold(v, "none") {
		v = ""
	}
	if store {
		*k.get(o) = v
	}
	return nil
}

// serverPath expands a leading ~ and makes a path absolute.
func (l *line) serverPath(v string, form textForm) (string, error) {
	switch {
	case form == textProvider && equalFold(v, "internal"), form == textSocket && v == "SSH_AUTH_SOCK":
		return v, nil
	case form == textProvider || form == textSocket:
		form = textPath
	case form != textPath && form != textTilde:
		return v, nil
	}
	var err error
	if strings.HasPrefix(v, "~") && l.env.expandHome != nil {
		if v, err = l.env.expandHome(v); err != nil {
			return v, err
		}
	}
	if form == textPath && !strings.HasPrefix(v, "/") && l.env.absolute != nil {
		v = l.env.absolute(v)
	}
	return v, nil
}

func (k Text[T]) preset(o *T, _ *environment) { *k.get(o) = k.def }
func (k Text[T]) print(w *printer, name string, o *T) {
	switch v := *k.get(o); {
	case v != "":
		w.line(name, v)
	case k.showNone:
		w.line(name, "none")
	}
}

func (k Text[T]) describe() (string, string) {
	values := "a word"
	switch k.form {
	case textPath, textTilde:
		values = "a path"
	case textRest, textCommand:
		values = "the rest of the line"
	}
	if k.showNone || k.clear {
		values += ", none"
	}
	if k.def == "" {
		return values, "none"
	}
	return values, k.def
}

// Words is a keyword of several words.
type Words[T any] struct {
	def     []string
	max     int    // most words in all; 0: no limit
	empty   string // printed when there are none; "" prints nothing
	perLine bool   // one line a word
	none    bool   // "none" must stand alone and is kept
	check   func(l *line, w string) (string, *problem)
	missing string
	get     func(*T) *[]string
}

func (k Words[T]) parse(l *line, o *T, store bool) *problem {
	var got []string
	for len(l.words) > 0 {
		w, _ := l.next()
		if k.none && equalFold(w, "none") && (len(got) > 0 || len(l.words) > 0) {
			return l.countf("keyword %s \"none\" argument must appear alone.", l.keyword)
		}
		if k.check != nil && !(k.none && equalFold(w, "none")) {
			var p *problem
			if w, p = k.check(l, w); p != nil {
				return p
			}
		}
		got = append(got, w)
	}
	if len(got) == 0 {
		switch {
		case k.missing != "":
			return l.badf("%s", strings.ReplaceAll(k.missing, "%s", l.keyword))
		case l.server:
			return l.badf("no %s specified", l.keyword)
		}
		return l.badf("no %s specified", l.keyword)
	}
	if !store {
		return nil
	}
	dst := k.get(o)
	if k.max > 0 && len(*dst)+len(got) > k.max {
		return l.badf("too many %s entries.", l.keyword)
	}
	*dst = append((*dst)[:len(*dst):len(*dst)], got...)
	return nil
}

func (k Words[T]) preset(o *T, _ *environment) { *k.get(o) = append([]string(nil), k.def...) }
func (k Words[T]) print(w *printer, name string, o *T) {
	v := *k.get(o)
	switch {
	case k.perLine:
		for _, s := range v {
			w.line(name, s)
		}
	case len(v) > 0:
		w.line(name, strings.Join(v, " "))
	case k.empty != "":
		w.line(name, k.empty)
	}
}

func (k Words[T]) describe() (string, string) {
	values := "words"
	if k.none {
		values += ", none"
	}
	if len(k.def) == 0 {
		if k.empty != "" {
			return values, k.empty
		}
		return values, "none"
	}
	return values, strings.Join(k.def, " ")
}

// Names is a keyword of algorithm names: a comma list that may begin with
// "+", "-" or "^" to change the default.
type Names[T any] struct {
	which    func(*Algorithms) *NameList
	patterns bool                               // wildcards are taken without "-" too
	wrong    func(server bool, w string) string // message for unknown names
	get      func(*T) *[]string
	before   string // message that comes first, with %s for the unknown name
}

func (k Names[T]) parse(l *line, o *T, store bool) *problem {
	missing := "Missing argument."
	if l.server && !k.patterns {
		missing = l.keyword + " missing argument."
	}
	w, p := l.need(missing)
	if p != nil {
		return p
	}
	list := k.which(&l.env.algorithms)
	names, unknown := list.Resolve(w, k.patterns)
	if unknown != "" {
		p := l.badf("%s", k.wrong(l.server, w))
		if k.before != "" {
			p.before = fmt.Sprintf(k.before, unknown)
		}
		if best := nearest(unknown, len(list.Known), func(i int) string { return list.Known[i] }); best != "" {
			p.hint = "did you mean " + best + "?"
		}
		return p
	}
	if store {
		*k.get(o) = names
	}
	return nil
}

func (k Names[T]) preset(o *T, e *environment) {
	*k.get(o) = append([]string(nil), k.which(&e.algorithms).Default...)
}

func (k Names[T]) print(w *printer, name string, o *T) {
	w.line(name, strings.Join(*k.get(o), ","))
}

func (k Names[T]) describe() (string, string) {
	return "a comma list, + - or ^ in front changes the default", "ssh -Q"
}
