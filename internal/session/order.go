package session

// Order tells which request may come when, on the server's side (RFC 4254 §6).
// The zero value is a session that has just been opened.
type Order struct {
	PTY     bool // one was granted
	Started bool // shell, exec or subsystem was granted
	Env     int  // variables granted

	Terminfo bool // a terminal's description was taken
}

// Verdict is what Order says of a request.
type Verdict uint8

// Verdicts.
const (
	Refuse    Verdict = iota // CHANNEL_FAILURE
	Allow                    // the request is to be looked at
	Violation                // the connection is to be ended
)

// Judge says whether a request of that name may come now (CHN-12).
func (o *Order) Judge(name string) Verdict {
	switch name {
	case ReqPTY:
		if o.PTY {
			return Violation
		}
		return when(!o.Started)
	case ReqEnv:
		return when(!o.Started && o.Env < MaxEnv)
	case ReqTerminfo:
		if o.Terminfo {
			return Refuse
		}
		return when(o.PTY && !o.Started)
	case ReqShell, ReqExec, ReqSubsystem, "x11-req", "auth-agent-req@openssh.com", "agent-req":
		return when(!o.Started)
	case ReqWindowChange, ReqSignal, ReqBreak, ReqEOW:
		return when(o.Started)
	}
	return Refuse
}

func when(ok bool) Verdict {
	if ok {
		return Allow
	}
	return Refuse
}
