package userauth

import (
	"bytes"
	"context"
	"errors"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// passwordRequest holds the fields of a password request (RFC 4252 §8).
// Slices alias the packet.
type passwordRequest struct {
	change        bool
	password, new []byte // new only with change
}

func (m *passwordRequest) decode(rest []byte) error {
	r := wire.NewReader(rest)
	m.change, m.password = r.Bool(), r.String()
	if m.change {
		m.new = r.String()
	}
	return r.Done()
}

func (m *passwordRequest) append(b []byte) []byte {
	b = wire.AppendString(wire.AppendBool(b, m.change), m.password)
	if m.change {
		b = wire.AppendString(b, m.new)
	}
	return b
}

// changeRequest is USERAUTH_PASSWD_CHANGEREQ.
type changeRequest struct{ prompt, language string }

func (m *changeRequest) append(b []byte) []byte {
	return wire.AppendText(wire.AppendText(append(b, wire.MsgUserauthPasswdChangereq), m.prompt), m.language)
}

func (m *changeRequest) decode(p []byte) error {
	r := wire.NewReader(p[1:])
	m.prompt, m.language = r.Text(), r.Text()
	return r.Done()
}

// PasswordChangeRequired is returned by Password when the password is right
// but expired, and by ChangePassword when the new one does not please. The
// client is asked for a new one; without ChangePassword the attempt fails.
type PasswordChangeRequired struct {
	Prompt, Language string
}

func (e *PasswordChangeRequired) Error() string { return "userauth: password must be changed" }

var (
	errPassword = errors.New("userauth: password is too long, empty or holds a NUL byte")
	errChange   = errors.New("userauth: password change not supported")
)

// acceptable refuses what no password can be before any work is done for it
// (AUT-13, AUT-14, AUT-21).
func (s *server) acceptable(password []byte, empty bool) bool {
	return len(password) <= MaxPassword && (empty || len(password) > 0) && bytes.IndexByte(password, 0) < 0
}

func (s *server) password(ctx context.Context, r *attempt, a *Attempt, b *passwordRequest) {
	defer func() {
		clear(b.password)
		clear(b.new)
		r.info = a.Info
	}()
	if !s.acceptable(b.password, s.cfg.PermitEmptyPasswords) || b.change && !s.acceptable(b.new, false) {
		r.err = errPassword
		return
	}
	switch {
	case !b.change:
		r.decided(s.cfg.Password(ctx, a, b.password))
	case s.cfg.ChangePassword == nil:
		r.err = errChange
	default:
		r.decided(s.cfg.ChangePassword(ctx, a, b.password, b.new))
	}
	var must *PasswordChangeRequired
	if errors.As(r.err, &must) && s.cfg.ChangePassword != nil {
		r.outcome = Postponed
		m := changeRequest{must.Prompt, must.Language}
		if err := s.c.WritePacket(m.append(nil)); err != nil {
			r.outcome, s.fatal = Failed, err
		}
	}
}

// Password is the client's password method.
type Password struct {
	// Prompt returns the password for the attempt-th try, from 0. It is asked
	// only after the server named the method.
	Prompt func(ctx context.Context, attempt int) (string, error)
	// Change is asked for the old and a new password when the server wants a
	// change; its prompt is the server's text, raw. Without it the method ends
	// there.
	Change func(ctx context.Context, prompt string) (old, new string, err error)
	// Tries is how often Prompt is asked; 0 means DefaultTries.
	Tries int
}

// DefaultTries is NumberOfPasswordPrompts.
const DefaultTries = 3

// Name is "password".
func (*Password) Name() string { return methodPassword }

func (m *Password) start(context.Context, *client) (readiness, error) {
	if m.Prompt == nil {
		return idle, nil
	}
	return waits, nil
}

func tries(n int) int {
	if n <= 0 {
		return DefaultTries
	}
	return n
}

func (m *Password) try(ctx context.Context, c *client) (reply, error) {
	if m.Prompt == nil || c.passwords >= tries(m.Tries) {
		return exhausted, nil
	}
	c.passwords++
	password, err := m.Prompt(ctx, c.passwords-1)
	if err != nil {
		return exhausted, skip(err)
	}
	b := passwordRequest{password: []byte(password)}
	for {
		body := b.append(nil)
		err := c.send(Queued{Method: methodPassword}, methodPassword, body, true, true)
		clear(body)
		clear(b.password)
		clear(b.new)
		if err != nil {
			return 0, err
		}
		c.trivial = false
		r, p, err := c.await(ctx)
		if err != nil || r != question {
			return r, err
		}
		c.waiting, c.asking = "", false
		var must changeRequest
		if err := must.decode(p); err != nil {
			return 0, malformed("password change request", err)
		}
		if m.Change == nil {
			return exhausted, nil
		}
		old, new, err := m.Change(ctx, must.prompt)
		if err != nil {
			return exhausted, skip(err)
		}
		b = passwordRequest{change: true, password: []byte(old), new: []byte(new)}
	}
}
