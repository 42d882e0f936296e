package log

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// How many lines another room may have written for one connection: RelayBurst
// at once, and RelayRate more in each second.
const (
	RelayBurst = 200
	RelayRate  = 20
)

// Lines is the log of one connection. Safe for concurrent use.
type Lines struct {
	l       *Logger
	number  int64
	level   atomic.Int32
	verbose atomic.Pointer[[]string]

	mu      sync.Mutex // of Relay's account
	tokens  float64
	filled  time.Time
	dropped int
}

// For is the log of the connection with that number. It begins with the
// logger's own level.
func (l *Logger) For(number int64) *Lines {
	x := &Lines{l: l, number: number, tokens: RelayBurst}
	x.level.Store(l.level.Load())
	x.verbose.Store(l.verbose.Load())
	return x
}

// Number is what stands where syslog has a process's.
func (x *Lines) Number() int64 { return x.number }

// SetLevel changes the least important level that is written: a Match block
// may say something else than the rest.
func (x *Lines) SetLevel(v sshconfig.LogLevel) { x.level.Store(int32(v)) }

// Level is the least important level that is written.
func (x *Lines) Level() sshconfig.LogLevel { return sshconfig.LogLevel(x.level.Load()) }

// SetVerbose changes the patterns of LogVerbose.
func (x *Lines) SetVerbose(patterns []string) {
	if len(patterns) == 0 {
		x.verbose.Store(nil)
		return
	}
	x.verbose.Store(&patterns)
}

// Logf writes one line.
func (x *Lines) Logf(v sshconfig.LogLevel, format string, args ...any) {
	x.write(v, false, format, args...)
}

// Pref is Logf for lines that OpenSSH writes in its process for strangers:
// they end in " [preauth]".
func (x *Lines) Pref(v sshconfig.LogLevel, format string, args ...any) {
	x.write(v, true, format, args...)
}

func (x *Lines) write(v sshconfig.LogLevel, pre bool, format string, args ...any) {
	if x == nil {
		return
	}
	var patterns []string
	if p := x.verbose.Load(); p != nil {
		patterns = *p
	}
	if text, ok := compose(v, x.Level(), patterns, x.l.program, format, args); ok {
		x.l.write(Record{Number: x.number, Level: v, Pre: pre, Text: text})
	}
}

// Relay writes a line that another room sent. It has this connection's number
// whatever it says; what is too long is cut, and more lines than a sane room
// has to say are counted and left out.
func (x *Lines) Relay(r Record, now time.Time) {
	if r.Level <= sshconfig.Quiet || r.Level > sshconfig.Debug3 || r.Level > x.Level() {
		return
	}
	x.mu.Lock()
	if !x.filled.IsZero() {
		x.tokens = min(RelayBurst, x.tokens+now.Sub(x.filled).Seconds()*RelayRate)
	}
	x.filled = now
	dropped := x.dropped
	ok := x.tokens >= 1
	if ok {
		x.tokens--
		x.dropped = 0
	} else {
		x.dropped++
	}
	x.mu.Unlock()
	if !ok {
		return
	}
	if dropped > 0 {
		x.l.write(Record{Number: x.number, Level: sshconfig.Error, Text: fmt.Sprintf("%d lines of this connection were left out", dropped)})
	}
	r.Number, r.Text = x.number, r.Text[:min(len(r.Text), MaxLine)]
	x.l.write(r)
}
