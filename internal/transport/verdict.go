package transport

import "github.com/nacre-ssh/nacre/internal/wire"

// phase is how far the connection has come, outside an exchange.
type phase uint8

const (
	phaseAuth phase = iota // the first keys are on, nobody has logged in
	phaseOpen              // authenticated
)

// verdict is what happens to a message.
type verdict uint8

const (
	vUp            verdict = iota // belongs to a service above
	vDrop                         // IGNORE and what is to be treated so
	vHere                         // transport's own business
	vUnimplemented                // answered with UNIMPLEMENTED (RFC 4253 §11.4)
	vRefuse                       // code 2 and close
)

// judge is the one table of what a message number means outside an exchange,
// for each role and phase. The services judge their own ranges.
func judge(client bool, ph phase, n byte) verdict {
	switch {
	case n == wire.MsgDisconnect, n == wire.MsgDebug, n == wire.MsgExtInfo, n == wire.MsgKexInit:
		return vHere
	case n == wire.MsgIgnore:
		return vDrop
	case n == wire.MsgUnimplemented:
		if client && ph == phaseAuth {
			return vHere
		}
		return vDrop
	case n == wire.MsgServiceRequest:
		if !client && ph == phaseAuth {
			return vUp
		}
		return vRefuse
	case n == wire.MsgServiceAccept:
		if client && ph == phaseAuth {
			return vUp
		}
		return vRefuse
	case n == wire.MsgNewKeys, n >= wire.MsgKexMethodLowest && n <= wire.MsgKexMethodLast:
		return vRefuse
	case n >= wire.MsgUserauthRequest && n < 128:
		return vUp
	case n == wire.MsgPing:
		if ph == phaseAuth {
			return vDrop // PKT-13
		}
		return vHere
	case n == wire.MsgPong:
		if ph == phaseOpen {
			return vUp
		}
		return vDrop
	}
	return vUnimplemented
}

// judgeExchange is the table inside an exchange, where expect is the set of the
// method's messages that may come next. strict is true in the first exchange
// of two sides that both asked for it.
func judgeExchange(strict, first bool, n byte, expect ...byte) verdict {
	if n == wire.MsgDisconnect {
		return vHere
	}
	for _, e := range expect {
		if n == e {
			return vUp
		}
	}
	if strict {
		return vRefuse // NEG-2
	}
	switch n {
	case wire.MsgIgnore, wire.MsgUnimplemented:
		return vDrop
	case wire.MsgDebug:
		return vHere
	case wire.MsgPing, wire.MsgPong:
		if !first {
			return vDrop
		}
	}
	return vRefuse // NEG-9
}
