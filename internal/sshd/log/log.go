package log

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// MaxLine is the number of bytes of one line that are written, before what
// has to be escaped is.
const MaxLine = 1024

// Config says what is written, and where to: to Forward, else to File, else to
// Output, else to the system's log.
type Config struct {
	Level    sshconfig.LogLevel
	Verbose  []string // LogVerbose: pattern-lists of "file.go:function():line"
	Facility sshconfig.Facility
	Format   sshconfig.LogFormat
	Program  string // ident; "" is sshd

	Forward func(Record)
	File    string // is appended to
	Output  io.Writer

	// SyslogSocket and JournalSocket are where the system listens; "" looks in
	// the usual places.
	SyslogSocket, JournalSocket string
}

// Record is a line on its way from one room to another.
type Record struct {
	Number int64 // what stands for the process number
	Level  sshconfig.LogLevel
	Pre    bool   // from before the login
	Text   string // not escaped yet
}

// Logger writes lines. Safe for concurrent use; the zero value writes nothing.
type Logger struct {
	level   atomic.Int32
	verbose atomic.Pointer[[]string]

	mu     sync.Mutex
	c      Config
	out    io.Writer // nil: datagrams
	file   *os.File  // to be closed
	system *datagrams
	full   *datagrams // the journal
	lost   int        // lines that no sink took
}

// New makes a logger.
func New(c Config) (*Logger, error) {
	l := &Logger{}
	return l, l.Configure(c)
}

// Configure changes everything at once: what is written, and where to. With a
// File it is opened anew, so that one that was moved away is let go. On failure
// the logger stays as it was.
func (l *Logger) Configure(c Config) error {
	if c.Program == "" {
		c.Program = "sshd"
	}
	var f *os.File
	if c.File != "" && c.Forward == nil {
		var err error
		if f, err = os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("Couldn't open logfile %s: %s", c.File, reason.Of(err))
		}
	}
	l.mu.Lock()
	old, system, full := l.file, l.system, l.full
	l.c, l.file, l.out = c, f, c.Output
	l.system = &datagrams{paths: syslogPaths(c.SyslogSocket)}
	l.full = &datagrams{paths: journalPaths(c.JournalSocket)}
	if f != nil {
		l.out = f
	}
	l.mu.Unlock()
	l.level.Store(int32(c.Level))
	l.setVerbose(c.Verbose)
	for _, c := range [...]io.Closer{old, system, full} {
		c.Close() // each takes nil
	}
	return nil
}

func (l *Logger) setVerbose(patterns []string) {
	if len(patterns) == 0 {
		l.verbose.Store(nil)
		return
	}
	l.verbose.Store(&patterns)
}

// Close lets go of files and sockets; lines are not written any more.
func (l *Logger) Close() error {
	err := l.Configure(Config{Output: io.Discard})
	l.SetLevel(sshconfig.Quiet)
	return err
}

// Away tells whether lines go elsewhere than to somebody who is watching.
func (l *Logger) Away() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out == nil || l.file != nil
}

// SetLevel changes the least important level that is written.
func (l *Logger) SetLevel(v sshconfig.LogLevel) { l.level.Store(int32(v)) }

// Level is the least important level that is written.
func (l *Logger) Level() sshconfig.LogLevel { return sshconfig.LogLevel(l.level.Load()) }

// Logf writes a line of the program itself.
func (l *Logger) Logf(v sshconfig.LogLevel, format string, args ...any) { l.logf(v, format, args...) }

// Fatalf, Errorf, Infof and Debugf write a line of the program itself.
func (l *Logger) Fatalf(format string, args ...any) { l.logf(sshconfig.Fatal, format, args...) }

// Errorf is Logf at the level Error.
func (l *Logger) Errorf(format string, args ...any) { l.logf(sshconfig.Error, format, args...) }

// Infof is Logf at the level Info.
func (l *Logger) Infof(format string, args ...any) { l.logf(sshconfig.Info, format, args...) }

// Debugf is Logf at the level Debug1.
func (l *Logger) Debugf(format string, args ...any) { l.logf(sshconfig.Debug1, format, args...) }

func (l *Logger) logf(v sshconfig.LogLevel, format string, args ...any) {
	if l == nil {
		return
	}
	if text, ok := compose(v, l.Level(), l.patterns(), l.program, format, args); ok {
		l.write(Record{Number: int64(os.Getpid()), Level: v, Text: text})
	}
}

func (l *Logger) patterns() []string {
	if p := l.verbose.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *Logger) program() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.c.Program
}

// compose makes a line's text if it is to be written: it is important enough,
// or LogVerbose names the place it comes from, which then stands in front. It
// must be called by whoever is called by the one who has something to say.
func compose(v, limit sshconfig.LogLevel, patterns []string, program func() string, format string, args []any) (string, bool) {
	place := ""
	if len(patterns) > 0 {
		tag := caller(5, program())
		for _, p := range patterns {
			if sshconfig.MatchList(tag, p, false) == 1 {
				place = tag + ": "
				break
			}
		}
	}
	if v > limit && place == "" {
		return "", false
	}
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	text = place + text
	return text[:min(len(text), MaxLine)], true
}

// caller is where a line comes from, as LogVerbose has it.
func caller(skip int, program string) string {
	var pc [1]uintptr
	if runtime.Callers(skip, pc[:]) == 0 {
		return ""
	}
	frame, _ := runtime.CallersFrames(pc[:]).Next()
	return fmt.Sprintf("%.48s:%.48s():%d (bin=%.48s, pid=%d)", filepath.Base(frame.File), function(frame.Function), frame.Line, program, os.Getpid())
}

// function is the name of a function or method without its package and its
// receiver; a literal within it is part of it.
func function(name string) string {
	name = strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "[...]", "")
	parts := strings.Split(name, ".")
	last := len(parts) - 1
	for last > 1 && (strings.HasPrefix(parts[last], "func") || parts[last][0] >= '0' && parts[last][0] <= '9') {
		last--
	}
	return parts[last]
}

// write writes one line to where lines go.
func (l *Logger) write(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.c.Forward; f != nil {
		f(r)
		return
	}
	pre := ""
	if r.Pre {
		pre = " [preauth]"
	}
	prefix := ""
	switch {
	case r.Level >= sshconfig.Debug1:
		prefix = "debug" + strconv.Itoa(int(r.Level-sshconfig.Verbose)) + ": "
	case l.out != nil:
	case r.Level == sshconfig.Error:
		prefix = "error: "
	case r.Level == sshconfig.Fatal:
		prefix = "fatal: "
	}
	text := make([]byte, 0, len(r.Text)+64)
	if l.c.Format == sshconfig.LogJSON {
		text = l.object(appendVisible(text, r.Text, l.out == nil), r)
	} else {
		text = appendVisible(append(text, prefix...), r.Text, l.out == nil)
		text = append(text, pre...)
	}
	if l.out != nil {
		if l.c.Format != sshconfig.LogJSON {
			text = append(text, '\r')
		}
		_, _ = l.out.Write(append(text, '\n')) // there is nowhere to complain
		return
	}
	if l.c.Format == sshconfig.LogJournal && l.full.write(l.fields(r, text)) == nil {
		return
	}
	if l.lost > 0 {
		note := fmt.Sprintf("error: %d lines of the log were lost", l.lost)
		if l.system.write(l.syslog(Record{Number: int64(os.Getpid()), Level: sshconfig.Error}, []byte(note))) == nil {
			l.lost = 0
		}
	}
	if l.system.write(l.syslog(r, text)) != nil {
		l.lost++
	}
}

func (l *Logger) syslog(r Record, text []byte) []byte {
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", int(l.c.Facility)<<3|severity(r.Level), time.Now().Format(time.Stamp), l.c.Program, r.Number, text)
}

// fields is an entry of the journal: a line for each, as no value has a line
// break.
func (l *Logger) fields(r Record, text []byte) []byte {
	return fmt.Appendf(nil, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\nMESSAGE=%s\n",
		severity(r.Level), int(l.c.Facility), l.c.Program, r.Number, text)
}

// object is a line as JSON.
func (l *Logger) object(text []byte, r Record) []byte {
	var b bytes.Buffer
	h := slog.NewJSONHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelDebug - 4,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.LevelKey {
				a.Value = slog.StringValue(r.Level.String())
			}
			return a
		},
	})
	rec := slog.NewRecord(time.Now(), slogLevel(r.Level), string(text), 0)
	rec.AddAttrs(slog.String("ident", l.c.Program), slog.Int64("pid", r.Number), slog.Bool("preauth", r.Pre))
	if h.Handle(context.Background(), rec) != nil {
		return text
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func slogLevel(v sshconfig.LogLevel) slog.Level {
	switch v {
	case sshconfig.Fatal, sshconfig.Error:
		return slog.LevelError
	case sshconfig.Info, sshconfig.Verbose:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// severity of RFC 5424 as OpenSSH chooses it.
func severity(v sshconfig.LogLevel) int {
	switch v {
	case sshconfig.Fatal:
		return 2 // LOG_CRIT
	case sshconfig.Error:
		return 3
	case sshconfig.Info, sshconfig.Verbose:
		return 6
	}
	return 7
}

// appendVisible appends s with everything but printable ASCII shown as an
// octal escape, and backslashes doubled. For the system's log a few have the
// escapes of C, and tabs are shown too; in front of a person they stay.
func appendVisible(b []byte, s string, system bool) []byte {
	const letters = "abtnvfr" // from 7 on
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, c, c)
		case c >= ' ' && c < 0x7f, c == '\t' && !system:
			b = append(b, c)
		case system && c >= 7 && c <= 13:
			b = append(b, '\\', letters[c-7])
		default:
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return b
}

// ExpandName is the path that the -E argument name means: %p is the process,
// %P the program, %% a percent sign.
func ExpandName(name, program string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		i++
		switch {
		case i < len(name) && name[i] == 'p':
			b.WriteString(strconv.Itoa(os.Getpid()))
		case i < len(name) && name[i] == 'P':
			b.WriteString(program)
		case i < len(name) && name[i] == '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("-E %s: only %%p, %%P and %%%% may be used", name)
		}
	}
	return b.String(), nil
}
