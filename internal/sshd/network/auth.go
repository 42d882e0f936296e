//go:build linux || darwin || freebsd || openbsd

package network

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

var errDenied = errors.New("network: the monitor says no")

// verdict is the monitor's answer as userauth wants it.
func verdict(o *privsep.Outcome) error {
	switch o.Code {
	case privsep.OK:
		return nil
	case privsep.Denied:
		return errDenied
	case privsep.Disconnect:
		return &wire.DisconnectError{Reason: wire.Reason(o.Reason), Message: o.Text, Err: errGone}
	case privsep.TooMany:
		return fmt.Errorf("%w: %w", errDenied, userauth.ErrTooManyFailures)
	case privsep.OurFault:
		return fmt.Errorf("%w: %w", errDenied, userauth.ErrServerFailure)
	case privsep.Change:
		return &userauth.PasswordChangeRequired{Prompt: o.Text}
	}
	return &userauth.FatalError{Err: errGone}
}

// closed is what an attempt permits by itself: nothing. The monitor says at the
// end what the login may do.
func closed() *ssh.Permissions { return &ssh.Permissions{} }

// ask puts an attempt's question to the monitor.
func (v *visit) ask(ctx context.Context, a *userauth.Attempt, m privsep.Message) (*ssh.Permissions, error) {
	v.asked = true
	var o privsep.Outcome
	if err := v.call(ctx, m, &o); err != nil {
		return nil, &userauth.FatalError{Err: err}
	}
	return v.settle(a, &o)
}

func (v *visit) settle(a *userauth.Attempt, o *privsep.Outcome) (*ssh.Permissions, error) {
	if o.Banner != "" {
		if err := a.SendBanner(o.Banner); err != nil {
			return nil, err
		}
	}
	if err := verdict(o); err != nil {
		return nil, err
	}
	return closed(), nil
}

// auth is how this client may log in.
func (v *visit) auth() *ssh.AuthConfig {
	refuse := func(context.Context, *ssh.AuthKeyAttempt) (*ssh.Permissions, error) { return nil, errDenied }
	base := &ssh.AuthConfig{
		// Until the name is known, and for names that nobody can have.
		KeyAllowed:   refuse,
		MaxAuthTries: v.r.setup.MaxAuthTries,
		DelaySecret:  v.r.setup.DelaySecret,
		Log:          v.attempt,
	}
	base.ForUser = func(ctx context.Context, u ssh.AuthUser) (*ssh.AuthConfig, error) { return v.meet(ctx, base, u) }
	return base
}

// meet tells the monitor who wants to log in.
func (v *visit) meet(ctx context.Context, base *ssh.AuthConfig, u ssh.AuthUser) (*ssh.AuthConfig, error) {
	v.known, v.name = true, u.Name
	v.title()
	var p privsep.Policy
	if err := v.call(ctx, &privsep.User{Name: u.Name, Style: cut(u.Style)}, &p); err != nil {
		return nil, &userauth.FatalError{Err: err}
	}
	if err := verdict(&p.Outcome); err != nil {
		return nil, err
	}
	v.level = sshconfig.LogLevel(p.LogLevel)
	own := *base
	own.MaxAuthTries = p.MaxAuthTries
	own.SigAlgs, own.HostbasedAlgs = p.SigAlgs, p.HostbasedAlgs
	own.MinRSABits = p.MinRSABits
	own.PermitEmptyPasswords = p.Empty
	own.Banner = func(string) string { return p.Banner }
	if len(p.Methods) > 0 {
		var lists [][]string
		for _, m := range p.Methods {
			lists = append(lists, strings.Split(m, ","))
		}
		own.Methods = func(string) [][]string { return lists }
	}
	own.KeyAllowed, own.KeyVerify = nil, nil
	if p.PublicKey {
		own.KeyAllowed, own.KeyVerify = v.keyAllowed, v.keyVerify
	}
	if p.Password {
		own.Password = func(ctx context.Context, a *userauth.Attempt, password []byte) (*ssh.Permissions, error) {
			return v.ask(ctx, a, &privsep.Password{Password: password})
		}
		own.ChangePassword = func(ctx context.Context, a *userauth.Attempt, old, new []byte) (*ssh.Permissions, error) {
			return v.ask(ctx, a, &privsep.ChangePassword{Old: old, New: new})
		}
	}
	if p.None {
		own.None = func(ctx context.Context, a *userauth.Attempt) (*ssh.Permissions, error) {
			return v.ask(ctx, a, &privsep.None{})
		}
	}
	for _, d := range p.Devices {
		own.KeyboardInteractive = append(own.KeyboardInteractive, ssh.AuthDevice{Name: d,
			Authenticate: func(ctx context.Context, a *userauth.Attempt, ask ssh.AuthAsk) (*ssh.Permissions, error) {
				return v.interactive(ctx, d, a, ask)
			}})
	}
	if p.Hostbased {
		own.HostbasedAllowed, own.HostbasedVerify = v.hostbasedAllowed, v.hostbasedVerify
	}
	own.Authorize = v.authorize
	return &own, nil
}

func cut(s string) string { return s[:min(len(s), privsep.MaxName)] }

func (v *visit) keyAllowed(ctx context.Context, a *ssh.AuthKeyAttempt) (*ssh.Permissions, error) {
	return v.ask(ctx, &a.Attempt, &privsep.KeyAllowed{Algorithm: a.Algorithm, Key: a.Key.Marshal(), Signed: a.Signed})
}

func (v *visit) keyVerify(ctx context.Context, a *ssh.AuthKeyAttempt, data, sig []byte) error {
	_, err := v.ask(ctx, &a.Attempt, &privsep.KeyVerify{Algorithm: a.Algorithm, Key: a.Key.Marshal(), Data: data, Signature: sig})
	return err
}

func (v *visit) hostbasedAllowed(ctx context.Context, a *ssh.AuthHostbasedAttempt) (*ssh.Permissions, error) {
	return v.ask(ctx, &a.Attempt, &privsep.HostbasedAllowed{Algorithm: a.Algorithm, Key: a.Key.Marshal(), ClientHost: a.ClientHost, ClientUser: a.ClientUser})
}

func (v *visit) hostbasedVerify(ctx context.Context, a *ssh.AuthHostbasedAttempt, data, sig []byte) error {
	_, err := v.ask(ctx, &a.Attempt, &privsep.HostbasedVerify{Algorithm: a.Algorithm, Key: a.Key.Marshal(),
		ClientHost: a.ClientHost, ClientUser: a.ClientUser, Data: data, Signature: sig})
	return err
}

// interactive carries a device's questions to the client and the answers back.
func (v *visit) interactive(ctx context.Context, device string, a *userauth.Attempt, ask ssh.AuthAsk) (*ssh.Permissions, error) {
	v.asked = true
	var q privsep.Question
	err := v.call(ctx, &privsep.Interactive{Device: device}, &q)
	for ; err == nil && q.Asking; err = v.call(ctx, v.answer(ctx, &q, ask), &q) {
	}
	if err != nil {
		return nil, &userauth.FatalError{Err: err}
	}
	return v.settle(a, &q.Outcome)
}

func (v *visit) answer(ctx context.Context, q *privsep.Question, ask ssh.AuthAsk) *privsep.Answer {
	question := &ssh.Question{Name: q.Name, Instruction: q.Instruction}
	for _, p := range q.Prompts {
		question.Prompts = append(question.Prompts, ssh.Prompt{Text: p.Text, Echo: p.Echo})
	}
	*q = privsep.Question{}
	answers, err := ask(ctx, question)
	return &privsep.Answer{Given: err == nil, Answers: answers}
}

// unasked tells of keys that the monitor was not asked about, in OpenSSH's
// words.
func (v *visit) unasked(l *ssh.AuthLog) {
	switch {
	case errors.Is(l.Err, userauth.ErrAlgorithm) && l.Method == "hostbased":
		v.logf(sshconfig.Info, "userauth_hostbased: signature algorithm %s not in HostbasedAcceptedAlgorithms", cut(l.Algorithm))
	case errors.Is(l.Err, userauth.ErrAlgorithm):
		v.logf(sshconfig.Info, "userauth_pubkey: signature algorithm %s not in PubkeyAcceptedAlgorithms", cut(l.Algorithm))
	case errors.Is(l.Err, userauth.ErrKeySize):
		kind := "RSA"
		if strings.Contains(l.Algorithm, "-cert-") {
			kind = "RSA-CERT"
		}
		v.logf(sshconfig.Info, "refusing %s key: Invalid key length", kind)
	}
}

// attempt is told every attempt before its answer leaves. The monitor knows of
// those that it decided; the others count, too.
func (v *visit) attempt(l ssh.AuthLog) {
	asked := v.asked
	v.asked = false
	if !v.known { // a name that nobody can have
		v.known = true
		var p privsep.Policy
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		_ = v.call(ctx, &privsep.User{Name: cut(l.User.Name), Nobody: true}, &p)
	}
	if asked || l.Outcome != userauth.Failed {
		return
	}
	v.unasked(&l)
	f := &privsep.Failed{Method: cut(l.Method), Submethod: cut(l.Submethod), Algorithm: cut(l.Algorithm)}
	if l.Key != nil {
		if f.Key = l.Key.Marshal(); len(f.Key) > privsep.MaxBlob {
			f.Key = nil
		}
	}
	_ = v.link.Notify(f)
}

// authorize asks whether the login is complete: the monitor has counted the
// methods itself.
func (v *visit) authorize(ctx context.Context, a *userauth.Attempt, r *userauth.Result) error {
	sub := ""
	if n := len(r.Completed); n > 0 {
		sub = r.Completed[n-1].Submethod
	}
	v.asked = true
	var l privsep.Login
	if err := v.call(ctx, &privsep.Begin{Method: cut(a.Method), Submethod: cut(sub)}, &l); err != nil {
		return &userauth.FatalError{Err: err}
	}
	if _, err := v.settle(a, &l.Outcome); err != nil {
		return err
	}
	v.login = &l
	return nil
}

// loggedIn puts what the login may do in force, before the client's first
// request is looked at.
func (v *visit) loggedIn(c *ssh.ServerConn) {
	l := v.login
	v.conn = c
	v.level = sshconfig.LogLevel(l.LogLevel)
	c.Permissions = closed()
	if l.PTY {
		c.Permissions.Extensions = map[string]string{"permit-pty": ""}
	}
	p := &ssh.Policy{
		MaxSessions: l.MaxSessions, RekeyBytes: l.RekeyBytes, RekeyInterval: l.RekeyInterval,
		ClientAliveInterval: l.ClientAliveInterval, ClientAliveCount: l.ClientAliveCount,
		UnusedTimeout: l.UnusedTimeout,
		AcceptEnv: func(name string) bool {
			for _, pattern := range l.AcceptEnv {
				if sshconfig.MatchPattern(name, pattern) {
					return true
				}
			}
			v.logf(sshconfig.Debug2, "Ignoring env request %s: disallowed name", name)
			return false
		},
	}
	if p.MaxSessions == 0 {
		p.MaxSessions = -1
	}
	if l.ClientAliveCount == 0 {
		p.ClientAliveInterval = 0 // probes that end nothing
	}
	if len(l.ChannelTimeouts) > 0 {
		p.ChannelTimeout = func(channelType string) time.Duration {
			for _, t := range l.ChannelTimeouts {
				if sshconfig.MatchPattern(channelType, t.Pattern) {
					return t.After
				}
			}
			return 0
		}
	}
	c.SetPolicy(p)
	v.forwards = v.newForwards()
	v.title()
}
