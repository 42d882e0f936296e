package userauth

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// User is the user name of a request: what stands before the first colon, and
// the style behind it.
type User struct{ Name, Style string }

// String is the name as it was sent.
func (u User) String() string {
	if u.Style == "" {
		return u.Name
	}
	return u.Name + ":" + u.Style
}

// ServerConfig says who may log in and how. The zero value lets nobody in, and
// a method whose callback is nil does not exist (AUT-25).
//
// A method's callback returns nil permissions and a nil error for success
// without restrictions, and an error for failure. Some errors mean more:
//
//   - *[PartialSuccess]: the method succeeded, but others must too.
//   - *[PasswordChangeRequired], from Password and ChangePassword only.
//   - [ErrServerFailure], wrapped: a failure that is not the client's fault
//     and not counted against MaxAuthTries.
//   - [ErrTooManyFailures], wrapped: the connection ends as at MaxAuthTries.
//   - *wire.DisconnectError or *[FatalError], wrapped: the connection ends,
//     with or without a DISCONNECT.
//
// Every other error's text reaches Log and nobody else. Callbacks run one at a
// time, on the goroutine that called Serve.
type ServerConfig struct {
	// SessionID is the session identifier, HostKey the blob of the host key
	// that the first key exchange used.
	SessionID, HostKey []byte
	// Service is the service that starts after success; empty means
	// ssh-connection.
	Service string
	// RemoteAddr is the peer's address, for source-address. The zero value
	// matches no such restriction.
	RemoteAddr netip.Addr

	// MaxAuthTries is the number of failures at which the connection ends; 0
	// means DefaultMaxAuthTries, less that nobody may try.
	MaxAuthTries int
	// MaxRequests bounds all messages that are answered; 0 means
	// DefaultMaxRequests.
	MaxRequests int

	// SigAlgs are the algorithms a publickey request may name
	// (PubkeyAcceptedAlgorithms), HostbasedAlgs those of a hostbased one; nil
	// means the defaults. Names are compared as a whole.
	SigAlgs, HostbasedAlgs []string
	// MinRSABits is the smallest RSA key taken; 0 means pubkey.MinRSABits.
	MinRSABits int
	// PermitEmptyPasswords lets an empty password reach Password.
	PermitEmptyPasswords bool
	// CriticalOptions names further critical options that the caller enforces;
	// one that nobody knows makes the attempt fail.
	CriticalOptions []string

	// ForUser, if set, is asked once, when the first request has named the
	// user, for the configuration to go on with: usually a changed copy. Nil
	// means this one. An error ends the connection. It must answer the same
	// way for users that do not exist.
	ForUser func(ctx context.Context, u User) (*ServerConfig, error)
	// Banner is sent before the answer to the first request; "" for none. It
	// should not depend on whether the user exists (AUT-11).
	Banner func(user string) string
	// SendExtInfoInAuth returns the EXT_INFO payload that follows the banner
	// when the client asked for one (ext-info-in-auth@openssh.com), nil for
	// none.
	SendExtInfoInAuth func() []byte
	// Methods are the lists of methods that must all succeed, in order; one
	// list is enough. Nil means any one method. See ParseMethodLists.
	Methods func(user string) [][]string

	// None is the none method.
	None func(ctx context.Context, a *Attempt) (*Permissions, error)
	// Password checks a password of 1 to MaxPassword bytes without NUL. The
	// slice is cleared afterwards.
	Password func(ctx context.Context, a *Attempt, password []byte) (*Permissions, error)
	// ChangePassword changes a password and logs in with the new one, as
	// answer to PasswordChangeRequired.
	ChangePassword func(ctx context.Context, a *Attempt, old, new []byte) (*Permissions, error)
	// KeyAllowed says whether the key may log the user in, for queries and for
	// signed requests alike. Its permissions count only if the signature of
	// the same request is then verified.
	KeyAllowed func(ctx context.Context, a *KeyAttempt) (*Permissions, error)
	// KeyVerify, if set, verifies instead of this package: data is what the
	// signature is over, sig the signature blob, whose format was checked
	// against a.Algorithm. It is asked only after KeyAllowed said yes. A
	// monitor that decides elsewhere plugs in here.
	KeyVerify func(ctx context.Context, a *KeyAttempt, data, sig []byte) error
	// KeyboardInteractive are the devices, in order of preference.
	KeyboardInteractive []Device
	// HostbasedAllowed and HostbasedVerify are KeyAllowed and KeyVerify for
	// the client's host key.
	HostbasedAllowed func(ctx context.Context, a *HostbasedAttempt) (*Permissions, error)
	HostbasedVerify  func(ctx context.Context, a *HostbasedAttempt, data, sig []byte) error

	// Authorize, if set, has the last word when the methods are complete,
	// whatever they were: account checks, a monitor's consent (AUT-20). An
	// error makes the attempt fail like a method's.
	Authorize func(ctx context.Context, a *Attempt, r *Result) error

	// Now is the clock and Sleep waits; failures are padded with them. Both
	// must be set. DelaySecret is a random number of this host that stays the
	// same, so that a user's padding does.
	Now         func() time.Time
	Sleep       func(ctx context.Context, d time.Duration) error
	DelaySecret uint64

	// Log is told every attempt before its answer leaves.
	Log func(AuthLog)
}

var errConfig = errors.New("userauth: server configuration lacks SessionID, Now or Sleep")

func (cfg *ServerConfig) complete() error {
	if len(cfg.SessionID) == 0 || cfg.Now == nil || cfg.Sleep == nil {
		return errConfig
	}
	return nil
}

// enabled reports whether a method exists.
func (cfg *ServerConfig) enabled(method string) bool {
	switch method {
	case methodNone:
		return cfg.None != nil
	case methodPublicKey:
		return cfg.KeyAllowed != nil
	case methodPassword:
		return cfg.Password != nil
	case methodInteractive:
		for _, d := range cfg.KeyboardInteractive {
			if d.Authenticate != nil {
				return true
			}
		}
	case methodHostbased:
		return cfg.HostbasedAllowed != nil
	}
	return false
}

func (cfg *ServerConfig) service() string {
	if cfg.Service == "" {
		return serviceConnection
	}
	return cfg.Service
}

func (cfg *ServerConfig) maxTries() int {
	if cfg.MaxAuthTries == 0 {
		return DefaultMaxAuthTries
	}
	return cfg.MaxAuthTries
}

func (cfg *ServerConfig) maxRequests() int {
	if cfg.MaxRequests <= 0 {
		return DefaultMaxRequests
	}
	return cfg.MaxRequests
}

// Attempt is the request that a callback decides on.
type Attempt struct {
	User   User
	Method string
	// Info is added by the callback to AuthLog and Completed, for example
	// where a key was found.
	Info string

	s *server
}

// SendBanner sends text to the user before the answer to this attempt.
func (a *Attempt) SendBanner(text string) error {
	if a.s == nil {
		return nil // an attempt that somebody made up for a test
	}
	return a.s.banner(text)
}

// PartialSuccess is returned by a callback whose method succeeded but does not
// suffice. Next are the lists of methods that remain, as for
// ServerConfig.Methods; at least one must be possible, else the attempt fails.
type PartialSuccess struct {
	Permissions *Permissions
	Next        [][]string
}

func (e *PartialSuccess) Error() string { return "userauth: further methods are required" }

// FatalError is returned by a callback to end the connection without an
// answer.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return "userauth: connection refused: " + e.Err.Error() }

// Unwrap is the cause.
func (e *FatalError) Unwrap() error { return e.Err }

// ErrServerFailure is wrapped by callbacks when the server is to blame.
var ErrServerFailure = errors.New("userauth: the server could not decide")

// Outcome is what became of an attempt.
type Outcome uint8

// Outcomes, in OpenSSH's words.
const (
	Failed    Outcome = iota
	Accepted          // the user is logged in
	Partial           // the method succeeded, others must too
	Postponed         // the answer is a question: PK_OK, a prompt, a password change
)

func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "Accepted"
	case Partial:
		return "Partial"
	case Postponed:
		return "Postponed"
	}
	return "Failed"
}

// AuthLog is one attempt, for logs that other programs read: "Outcome Method/
// Submethod for User …: Key, Info". What came from the peer is raw.
type AuthLog struct {
	Outcome           Outcome
	User              User
	Method, Submethod string           // Method is cut at MaxMethodName bytes
	Key               pubkey.PublicKey // of publickey and hostbased, once it could be parsed
	Algorithm         string           // declared with Key
	Info              string           // Attempt.Info; for hostbased the client's user and host
	Err               error            // why it failed; never told to the peer
	Failures          int              // that were counted before this attempt
	MaxTries          int
}

// Completed is one method that succeeded.
type Completed struct {
	Method, Submethod string
	Key               pubkey.PublicKey // verified
	Info              string
}

// Result is a successful authentication.
type Result struct {
	User        string // without style
	Style       string
	Method      string           // the last one
	Permissions *Permissions     // the strictest union of all methods; nil if none said anything
	PublicKey   pubkey.PublicKey // the key verified last, nil without one
	Completed   []Completed      // in order, the last included
}
