package log

import (
	"errors"
	"net"
	"time"
)

// patience is how long a sink may take over one line. The system's log makes
// its writers wait when it is behind.
const patience = time.Second

func syslogPaths(path string) []string {
	if path != "" {
		return []string{path}
	}
	return []string{"/dev/log", "/var/run/syslog", "/var/run/log"}
}

func journalPaths(path string) []string {
	if path != "" {
		return []string{path}
	}
	return []string{"/run/systemd/journal/socket"}
}

// datagrams is a socket that takes lines. It connects when there is something
// to write, and anew after a failure. Its zero value has nowhere to write.
type datagrams struct {
	paths []string
	c     net.Conn
}

var errNoSink = errors.New("log: nobody listens")

func (d *datagrams) write(line []byte) error {
	err := errNoSink
	for range 2 {
		if d.c == nil {
			for _, path := range d.paths {
				if d.c, err = net.Dial("unixgram", path); err == nil {
					break
				}
				d.c = nil
			}
			if d.c == nil {
				return err
			}
		}
		_ = d.c.SetWriteDeadline(time.Now().Add(patience))
		if _, err = d.c.Write(line); err == nil {
			return nil
		}
		d.c.Close()
		d.c = nil
	}
	return err
}

// Close may be called on nil.
func (d *datagrams) Close() error {
	if d == nil || d.c == nil {
		return nil
	}
	c := d.c
	d.c = nil
	return c.Close()
}
