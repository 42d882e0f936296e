package account

import (
	"net/netip"
	"time"
)

// Records are the files that say who is and was logged in: utmp, wtmp, lastlog
// and btmp, in the layout of the C library on this machine. An empty path is a
// record that is not kept. None of the files is created here: their absence is
// how an administrator turns a record off. The zero value, and nil, keep none.
type Records struct {
	Utmp, Wtmp, Lastlog, Btmp string
}

// Entry is somebody on a terminal.
type Entry struct {
	Line string // terminal without /dev/: "pts/3"
	User string
	UID  uint32
	Host string // name or address the user comes from
	Addr netip.Addr
	PID  int // of the process that answers for the session
	Time time.Time
}

// RecordHost is what records call the other end: its name, unless it is longer
// than most bytes or most is 0; then its address.
func RecordHost(name, addr string, most int) string {
	if most == 0 || name == "" || len(name) > most {
		return addr
	}
	return name
}
