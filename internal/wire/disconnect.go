package wire

import (
	"errors"
	"fmt"
)

// DisconnectError is an error that ends the connection with a DISCONNECT of
// the given reason. It is what our own checks return; what the peer said of
// its own end is [PeerDisconnect].
type DisconnectError struct {
	Reason  Reason
	Message string // sent to the peer and shown: our words, never the peer's raw bytes
	Err     error  // the cause for errors.Is and errors.As; Message already tells it
}

func (e *DisconnectError) Error() string { return e.Message }

// Unwrap is the cause.
func (e *DisconnectError) Unwrap() error { return e.Err }

// Disconnectf makes a DisconnectError whose message is formatted; what %w
// wraps is its cause.
func Disconnectf(reason Reason, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &DisconnectError{Reason: reason, Message: err.Error(), Err: errors.Unwrap(err)}
}

// PeerDisconnect is the peer's DISCONNECT (RFC 4253 §11.1). Message is its
// text as sent: escape it before a log or a terminal sees it.
type PeerDisconnect struct {
	Reason  Reason
	Message string
}

func (e *PeerDisconnect) Error() string {
	return fmt.Sprintf("peer disconnected: %d: %q", uint32(e.Reason), e.Message)
}
