package penalty

import (
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Event is what a connection did that is held against its source.
type Event uint8

// Events.
const (
	None             Event = iota
	Crash                  // its process died of it
	AuthFail               // it left after an attempt that failed
	InvalidUser            // likewise, for an account that does not exist
	NoAuth                 // it left without any attempt
	GraceExceeded          // LoginGraceTime ran out
	RefuseConnection       // the configuration says so
	maxEvent
)

// Valid tells whether e is one of the above.
func (e Event) Valid() bool { return e < maxEvent }

// String is the reason in the words of the log.
func (e Event) String() string {
	switch e {
	case Crash:
		return "penalty: caused crash"
	case AuthFail:
		return "penalty: failed authentication"
	case InvalidUser:
		return "penalty: attempted authentication by invalid user"
	case NoAuth:
		return "penalty: connections without attempting authentication"
	case GraceExceeded:
		return "penalty: exceeded LoginGraceTime"
	case RefuseConnection:
		return "penalty: connection prohibited by RefuseConnection"
	}
	return "penalty: none"
}

// cost is what an event adds to a source's penalty.
func (e Event) cost(p *sshconfig.Penalties) time.Duration {
	switch e {
	case Crash:
		return p.Crash
	case AuthFail:
		return p.AuthFail
	case InvalidUser:
		return p.InvalidUser
	case NoAuth:
		return p.NoAuth
	case GraceExceeded:
		return p.GraceExceeded
	case RefuseConnection:
		return p.RefuseConnection
	}
	return 0
}
