package userauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Conn is the packet stream that authentication runs over.
type Conn interface {
	// ReadPacket returns the payload of the next message of number 5 and above
	// that is not the transport's own business. The slice is valid until the
	// next call. What was written before leaves first.
	ReadPacket() ([]byte, error)
	// WritePacket queues a payload; it leaves with the next Flush or
	// ReadPacket. The slice may be reused when it returns.
	WritePacket(p []byte) error
	// Flush sends what is queued.
	Flush() error
}

// Unimplementer is a Conn that can answer the message read last with
// UNIMPLEMENTED (RFC 4253 §11.4). Over a Conn that cannot, a message with an
// unknown number is a protocol error.
type Unimplementer interface {
	WriteUnimplemented() error
}

// Padder is a Conn that can pad the payload written next so that the packet's
// length is a multiple of n bytes. Passwords and answers use it, so that their
// length does not show.
type Padder interface {
	PadNext(n int)
}

// padSecret is the multiple to which packets with secrets are padded, as
// OpenSSH does.
const padSecret = 64

func writeSecret(c Conn, p []byte) error {
	if pad, ok := c.(Padder); ok {
		pad.PadNext(padSecret)
	}
	return c.WritePacket(p)
}

// Names of services and methods.
const (
	serviceUserauth   = "ssh-userauth"
	serviceConnection = "ssh-connection"

	methodNone        = "none"
	methodPublicKey   = "publickey"
	methodHostBound   = "publickey-hostbound-v00@openssh.com"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
	methodHostbased   = "hostbased"
)

// Limits for what a peer may say.
const (
	DefaultMaxAuthTries = 6   // failures before the server disconnects
	DefaultMaxRequests  = 128 // messages a server answers in all (AUT-9)

	MaxUserName    = 255  // bytes of a user or host name (AUT-15)
	MaxMethodName  = 64   // bytes of a method name that is echoed or logged (RFC 4251 §6)
	MaxPassword    = 1024 // bytes of a password or answer (AUT-13)
	MaxDevices     = 16   // keyboard-interactive submethods in one request (AUT-16)
	MaxPrompts     = 100  // prompts in one INFO_REQUEST, both directions
	MaxBanners     = 8    // banners a client takes (CLI-7)
	MaxBannerBytes = 64 << 10
	MaxRounds      = 64 // partial successes, questions and change requests a client goes along with (CLI-7)
	MaxKeys        = 256
)

// ErrTooManyFailures is wrapped by the error that ends a connection at
// MaxAuthTries or MaxRequests. A callback that returns it ends the connection
// in the same way (PAM has a limit of its own).
var ErrTooManyFailures = errors.New("userauth: too many authentication failures")

// IgnoredAfterSuccess reports whether message number n, arriving at a server
// after USERAUTH_SUCCESS, is to be dropped without an answer: authentication
// requests that were on the way (RFC 4252 §5.3, AUT-24).
func IgnoredAfterSuccess(n byte) bool { return n == wire.MsgUserauthRequest }

// protocolError ends the connection with code 2.
func protocolError(format string, args ...any) error {
	return wire.Disconnectf(wire.ReasonProtocolError, "userauth: "+format, args...)
}

func malformed(what string, err error) error {
	return protocolError("malformed %s: %w", what, err)
}

func unexpected(n byte) error {
	return protocolError("unexpected %s during authentication", wire.MessageName(n))
}

// unimplemented answers the message just read, number n, as unknown.
func unimplemented(c Conn, n byte) error {
	if u, ok := c.(Unimplementer); ok {
		return u.WriteUnimplemented()
	}
	return unexpected(n)
}

// readPacket reads one message with at least its number.
func readPacket(ctx context.Context, c Conn) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("userauth: %w", err)
	}
	p, err := c.ReadPacket()
	if err != nil {
		return nil, fmt.Errorf("userauth: %w", err)
	}
	if len(p) == 0 {
		return nil, protocolError("empty message")
	}
	return p, nil
}

// printable makes at most max bytes of a peer's text fit for a message of
// ours: printable ASCII, the rest as octal escapes.
func printable(s string, max int) string {
	if len(s) > max {
		s = s[:max]
	}
	clean := true
	for i := 0; i < len(s); i++ {
		clean = clean && s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= ' ' && c < 0x7f {
			b = append(b, c)
		} else {
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return string(b)
}

// control reports whether s holds a control byte, NUL included.
func control(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
