package ssh

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/userauth"
)

// Authentication, client side.
type (
	// AuthMethod is one way of logging in: see PublicKeys, PublicKeysFunc,
	// Password, PasswordFunc, KeyboardInteractive and the Auth… types for all
	// details.
	AuthMethod = userauth.Method
	// AuthKey is a key that publickey authentication offers.
	AuthKey = userauth.Key
	// AuthPublicKeys, AuthPassword, AuthKeyboardInteractive, AuthHostbased and
	// AuthNone are the methods with everything that can be said of them.
	AuthPublicKeys          = userauth.PublicKeys
	AuthPassword            = userauth.Password
	AuthKeyboardInteractive = userauth.KeyboardInteractive
	AuthHostbased           = userauth.Hostbased
	AuthNone                = userauth.None
	// AuthEvent is what ClientConfig.AuthTrace is told.
	AuthEvent = userauth.Event
	// DeniedError says that the server let none of our methods in.
	DeniedError = userauth.DeniedError
	// Question is one round of keyboard-interactive (RFC 4256 §3.2).
	Question = userauth.Question
	// Prompt is one of a Question's.
	Prompt = userauth.Prompt
)

// ErrSkip is returned by a function of an AuthMethod to give up the key or the
// method. Other errors end the login.
var ErrSkip = userauth.ErrSkip

// Authentication, server side.
type (
	// Permissions restrict and permit what the login may do, in the words of
	// certificates: critical options and extensions. nil permits everything; in
	// one that is not nil an extension that is not named is denied.
	Permissions = userauth.Permissions
	// PartialSuccess is returned by a callback whose method succeeded when
	// further ones are required.
	PartialSuccess = userauth.PartialSuccess
	// AuthConfig is the whole of a server's authentication: see Server.Auth.
	AuthConfig = userauth.ServerConfig
	// AuthAttempt, AuthKeyAttempt and AuthHostbasedAttempt are what AuthConfig's
	// callbacks decide on.
	AuthAttempt          = userauth.Attempt
	AuthKeyAttempt       = userauth.KeyAttempt
	AuthHostbasedAttempt = userauth.HostbasedAttempt
	// AuthDevice is a keyboard-interactive device of AuthConfig.
	AuthDevice = userauth.Device
	// AuthAsk asks the client one round of questions.
	AuthAsk = userauth.Ask
	// AuthLog is one attempt as logs tell it.
	AuthLog = userauth.AuthLog
	// AuthUser is a name with its style.
	AuthUser = userauth.User
	// PasswordChangeRequired is returned by Password callbacks.
	PasswordChangeRequired = userauth.PasswordChangeRequired
)

// ErrTooManyFailures is wrapped by the error of a login that used up its tries.
var ErrTooManyFailures = userauth.ErrTooManyFailures

// PublicKeys logs in with the given signers, in order. Each is offered first
// and signs only when the server would take it.
func PublicKeys(signers ...Signer) AuthMethod {
	keys := make([]*AuthKey, len(signers))
	for i, s := range signers {
		// A single key is not worth a question: it signs at once.
		keys[i] = &AuthKey{PublicKey: s.PublicKey(), Signer: s, SignNow: len(signers) == 1}
	}
	return &AuthPublicKeys{Keys: keys}
}

// PublicKeysFunc is PublicKeys with signers that are asked for when their turn
// comes, for example of an agent.
func PublicKeysFunc(list func(ctx context.Context) ([]Signer, error)) AuthMethod {
	return &AuthPublicKeys{List: func(ctx context.Context) ([]*AuthKey, error) {
		signers, err := list(ctx)
		keys := make([]*AuthKey, len(signers))
		for i, s := range signers {
			keys[i] = &AuthKey{PublicKey: s.PublicKey(), Signer: s}
		}
		return keys, err
	}}
}

// Password logs in with a password, trying it once.
func Password(password string) AuthMethod {
	return &AuthPassword{
		Prompt: func(context.Context, int) (string, error) { return password, nil },
		Tries:  1,
	}
}

// PasswordFunc logs in with a password that is asked for when its turn comes,
// at most three times.
func PasswordFunc(prompt func(ctx context.Context) (string, error)) AuthMethod {
	return &AuthPassword{
		Prompt: func(ctx context.Context, _ int) (string, error) { return prompt(ctx) },
		Tries:  3,
	}
}

// KeyboardInteractive answers the server's questions (RFC 4256). It is called
// for each round, also for one without prompts.
func KeyboardInteractive(challenge func(ctx context.Context, q *Question) ([]string, error)) AuthMethod {
	return &AuthKeyboardInteractive{
		Challenge: func(ctx context.Context, _ int, q *Question) ([]string, error) { return challenge(ctx, q) },
		Tries:     3,
	}
}
