package client

import (
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Level is how important a line of the log is, and how unimportant a line a
// Logger still writes.
type Level = sshconfig.LogLevel

// Levels, in the order of LogLevel's words.
const (
	LevelQuiet   = sshconfig.Quiet
	LevelFatal   = sshconfig.Fatal
	LevelError   = sshconfig.Error
	LevelInfo    = sshconfig.Info
	LevelVerbose = sshconfig.Verbose
	LevelDebug1  = sshconfig.Debug1
	LevelDebug2  = sshconfig.Debug2
	LevelDebug3  = sshconfig.Debug3
)

// MaxLogLine is the number of bytes of one message that are written.
const MaxLogLine = 8 << 10

// Logger writes the program's own messages: to standard error, or with -E to
// a file and then never to standard error. Lines end in CR LF, as they may
// meet a terminal in raw mode. Control characters and bytes beyond ASCII are
// shown as octal escapes, whoever they came from (CLI-6). Its zero value
// writes nowhere. Safe for concurrent use.
type Logger struct {
	level  atomic.Int32
	places atomic.Pointer[[]string] // LogVerbose
	mu     sync.Mutex
	w      io.Writer
	file   bool
	sys    *syslog // not nil: the log goes there
}

// NewLogger writes to w what is at least as important as level. file says
// that w is not standard error.
func NewLogger(w io.Writer, level Level, file bool) *Logger {
	l := &Logger{w: w, file: file}
	l.SetLevel(level)
	return l
}

// SetLevel changes the least important level that is written.
func (l *Logger) SetLevel(v Level) { l.level.Store(int32(v)) }

// Level is the least important level that is written.
func (l *Logger) Level() Level { return Level(l.level.Load()) }

// ToFile reports whether the log goes elsewhere than to standard error.
func (l *Logger) ToFile() bool { return l.file }

// Enabled reports whether a message of level v would be written.
func (l *Logger) Enabled(v Level) bool { return l != nil && v <= l.Level() }

// Log writes one message.
func (l *Logger) Log(v Level, format string, args ...any) {
	place := ""
	if !l.Enabled(v) {
		if place = l.verbosePlace(); place == "" {
			return
		}
	}
	line := make([]byte, 0, 256)
	if v >= LevelDebug1 {
		line = append(line, "debug0: "...)
		line[5] += byte(v - LevelVerbose)
	}
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if place != "" {
		text = place + ": " + text
	}
	line = appendVisible(line, text[:min(len(text), MaxLogLine)], !l.file)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sys != nil {
		l.sys.write(v, line)
		return
	}
	line = append(line, '\r', '\n')
	if l.w != nil {
		l.w.Write(line)
	}
}

// SetVerbose has the places in the program that a pattern names, as
// FILE:FUNCTION():LINE, log whatever the level is.
func (l *Logger) SetVerbose(patterns []string) {
	if len(patterns) > 0 {
		l.places.Store(&patterns)
	}
}

// verbosePlace is the place that logs, if LogVerbose names it.
func (l *Logger) verbosePlace() string {
	if l == nil {
		return ""
	}
	patterns := l.places.Load()
	if patterns == nil {
		return ""
	}
	var pcs [4]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if name := f.Function[strings.LastIndexByte(f.Function, '.')+1:]; !strings.HasSuffix(f.File, "/client/log.go") {
			place := fmt.Sprintf("%s:%s():%d", path.Base(f.File), name, f.Line)
			for _, p := range *patterns {
				if sshconfig.MatchList(place, p, false) == 1 {
					return place
				}
			}
			return ""
		}
		if !more {
			return ""
		}
	}
}

// UseSyslog sends the log to the system's log (-y) under the program's name.
func (l *Logger) UseSyslog(name string, facility sshconfig.Facility) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sys, l.file = &syslog{name: name, facility: facility}, true
}

// ToSyslog reports whether the log goes to the system's log.
func (l *Logger) ToSyslog() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sys != nil
}

// Redirect sends the log to w from now on.
func (l *Logger) Redirect(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = w
}

// Fatal, Error, Info, Verbose and Debug1 to Debug3 write at their level.
func (l *Logger) Fatal(format string, args ...any)   { l.Log(LevelFatal, format, args...) }
func (l *Logger) Error(format string, args ...any)   { l.Log(LevelError, format, args...) }
func (l *Logger) Info(format string, args ...any)    { l.Log(LevelInfo, format, args...) }
func (l *Logger) Verbose(format string, args ...any) { l.Log(LevelVerbose, format, args...) }
func (l *Logger) Debug1(format string, args ...any)  { l.Log(LevelDebug1, format, args...) }
func (l *Logger) Debug2(format string, args ...any)  { l.Log(LevelDebug2, format, args...) }
func (l *Logger) Debug3(format string, args ...any)  { l.Log(LevelDebug3, format, args...) }

// appendVisible appends s with everything but printable ASCII, tab and new
// line shown as \ooo, and with backslashes doubled if slash is set.
func appendVisible(b []byte, s string, slash bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' && slash:
			b = append(b, '\\', '\\')
		case c >= ' ' && c < 0x7f || c == '\t' || c == '\n':
			b = append(b, c)
		default:
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return b
}

// Visible makes text of a peer fit for a terminal: printable characters of
// UTF-8, tabs and new lines stay, everything else is shown as an escape
// (CLI-6).
func Visible(s string) string {
	clean := true
	for _, r := range s {
		if !harmless(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if harmless(r) {
			b.WriteRune(r)
			continue
		}
		// What is escaped is the bytes, so that bad UTF-8 shows what it was.
		end := i + 1
		for end < len(s) && s[end]&0xc0 == 0x80 && r != '\ufffd' {
			end++
		}
		for _, c := range []byte(s[i:end]) {
			fmt.Fprintf(&b, "\\%03o", c)
		}
	}
	return b.String()
}

// harmless reports whether r may reach a terminal from a peer: no control
// characters of either set, no direction overrides, nothing invisible that
// reorders or hides text.
func harmless(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return true
	case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffd':
		return false
	case r >= '\u200b' && r <= '\u200f' || r >= '\u2028' && r <= '\u202e' || r >= '\u2060' && r <= '\u206f' || r == '\ufeff':
		return false
	case r >= 0xe0000 && r <= 0xe007f || r > 0x10ffff:
		return false
	}
	return true
}
