//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// maxLogLine is the number of bytes of one line that are written.
const maxLogLine = 1024

// logger writes OpenSSH's lines: to standard error or a file with CR LF and no
// prefix but that of debug lines, to syslog with "error: " and "fatal: " and
// the program's name and number. Text of strangers is shown with control
// characters and bytes beyond ASCII as octal escapes. Safe for concurrent use.
type logger struct {
	level atomic.Int32

	mu   sync.Mutex
	w    io.Writer // nil: syslog
	sys  *syslogger
	file *os.File // to be closed
}

// logf writes one line if its level is important enough. pre marks lines from
// before the login.
func (l *logger) logf(v sshconfig.LogLevel, pre bool, format string, args ...any) {
	if int32(v) <= l.level.Load() {
		l.emit(int64(os.Getpid()), v, pre, format, args...)
	}
}

// emit writes one line whatever its level. number stands where syslog has a
// process's: all lines of a connection have the same, and no two connections
// do, because readers of logs put lines together by it.
func (l *logger) emit(number int64, v sshconfig.LogLevel, pre bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxLogLine {
		text = text[:maxLogLine]
	}
	b := make([]byte, 0, len(text)+32)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case v >= sshconfig.Debug1:
		b = append(append(b, "debug"...), '1'+byte(v-sshconfig.Debug1), ':', ' ')
	case l.w != nil:
	case v == sshconfig.Error:
		b = append(b, "error: "...)
	case v == sshconfig.Fatal:
		b = append(b, "fatal: "...)
	}
	b = appendVisible(b, text)
	if pre {
		b = append(b, " [preauth]"...)
	}
	if l.w != nil {
		l.w.Write(append(b, '\r', '\n'))
	} else if l.sys != nil {
		l.sys.write(number, v, b)
	}
}

// appendVisible appends s with everything but printable ASCII shown as \ooo,
// and backslashes doubled.
func appendVisible(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, c, c)
		case c >= ' ' && c < 0x7f || c == '\t':
			b = append(b, c)
		default:
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return b
}

func (l *logger) fatalf(format string, args ...any) { l.logf(sshconfig.Fatal, false, format, args...) }
func (l *logger) errorf(format string, args ...any) { l.logf(sshconfig.Error, false, format, args...) }
func (l *logger) infof(format string, args ...any)  { l.logf(sshconfig.Info, false, format, args...) }
func (l *logger) debugf(format string, args ...any) { l.logf(sshconfig.Debug1, false, format, args...) }

// away tells whether the log goes to syslog or a file.
func (l *logger) away() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w == nil || l.file != nil
}

// toWriter sends the log to w.
func (l *logger) toWriter(w io.Writer) {
	l.mu.Lock()
	l.w = w
	l.mu.Unlock()
}

// toFile appends to the file that the -E argument name means: %p is the
// process, %P the program, %% a percent sign.
func (l *logger) toFile(name, program string) error {
	path, err := expandLogName(name, program)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("sshd: couldn't open logfile %s: %s", path, reason(err))
	}
	l.mu.Lock()
	old := l.file
	l.w, l.file = f, f
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

func expandLogName(name, program string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		i++
		switch {
		case i < len(name) && name[i] == 'p':
			b.WriteString(itoa(os.Getpid()))
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

// toSyslog sends the log to the system's log under facility and tag.
func (l *logger) toSyslog(facility int, tag string) {
	l.mu.Lock()
	l.w, l.sys = nil, &syslogger{facility: facility, tag: tag, dial: dialSyslog}
	l.mu.Unlock()
}

// syslogger writes datagrams to /dev/log as syslog(3) does. It connects when
// there is something to write, and anew after a failure.
type syslogger struct {
	facility int
	tag      string
	dial     func() (io.WriteCloser, error)
	c        io.WriteCloser
}

func (s *syslogger) write(number int64, v sshconfig.LogLevel, text []byte) {
	for range 2 {
		if s.c == nil {
			c, err := s.dial()
			if err != nil {
				return
			}
			s.c = c
		}
		line := fmt.Appendf(nil, "<%d>%s %s[%d]: %s", s.facility<<3|severity(v), time.Now().Format(time.Stamp), s.tag, number, text)
		if _, err := s.c.Write(line); err == nil {
			return
		}
		s.c.Close()
		s.c = nil
	}
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
