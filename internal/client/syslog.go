package client

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// syslogPlaces are where the system's log listens.
var syslogPlaces = [...]string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// syslog writes lines to the system's log as syslog(3) does. Under Logger.mu.
type syslog struct {
	name     string
	facility sshconfig.Facility
	path     string // "" is the first of syslogPlaces that listens
	c        net.Conn
}

// write sends one line. A log that nobody takes is lost, as with syslog(3).
func (s *syslog) write(v Level, line []byte) {
	const critical, failure, info, debug = 2, 3, 6, 7
	severity, before := info, ""
	switch {
	case v >= LevelDebug1:
		severity = debug
	case v == LevelError:
		severity, before = failure, "error: "
	case v == LevelFatal:
		severity, before = critical, "fatal: "
	}
	text := fmt.Sprintf("<%d>%s %s[%d]: %s%s", int(s.facility)<<3|severity, time.Now().Format(time.Stamp), s.name, os.Getpid(), before, line)
	for range 2 {
		if s.c == nil && !s.open() {
			return
		}
		s.c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := s.c.Write([]byte(text)); err == nil {
			return
		}
		s.c.Close()
		s.c = nil
	}
}

func (s *syslog) open() bool {
	places := syslogPlaces[:]
	if s.path != "" {
		places = []string{s.path}
	}
	for _, p := range places {
		if c, err := net.Dial("unixgram", p); err == nil {
			s.c = c
			return true
		}
	}
	return false
}
