//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Login is a user who is in, and what the user may do.
type Login struct {
	Account *account.Account
	Config  *sshconfig.Server // as matched
	// Options are those of all keys together, with what the configuration
	// forbids taken away.
	Options *keyfile.AuthorizedOptions
	// Completed are the methods, in order, in the words of SSH_USER_AUTH.
	Completed []string
	// BannerText goes to the user just before SUCCESS, "" for none.
	BannerText string
	// MustChange says that the password has expired: nothing may be done but to
	// change it.
	MustChange bool
	// Env are the variables of PAM, "NAME=VALUE".
	Env []string
	// Messages are texts for the user's first shell, one line each.
	Messages []string
}

// Authorize is asked when the network room thinks that the user is in. It is
// so only if the methods that were verified here complete a list.
func (v *Visitor) Authorize(ctx context.Context) (*Login, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil || v.dead || v.login != nil || !v.valid {
		return nil, ErrOrder
	}
	l := &Login{Account: v.account, Config: v.cfg, MustChange: v.mustChange, Messages: v.messages}
	for _, c := range v.completed {
		l.Completed = append(l.Completed, c.Line())
	}
	l.Options = v.permitted()
	v.login = l
	v.tell(userauth.Accepted, v.last)
	return l, nil
}

// permitted are the options of all keys with what the configuration forbids
// taken away.
func (v *Visitor) permitted() *keyfile.AuthorizedOptions {
	o, _ := keyfile.ParseOptions("", nil)
	if v.options != nil {
		if both, err := o.Merge(v.options); err == nil {
			o = both
		}
	}
	o.PTY = o.PTY && v.cfg.PermitTTY
	o.UserRC = o.UserRC && v.cfg.PermitUserRC
	o.AgentForwarding = o.AgentForwarding && v.cfg.AllowAgentForwarding
	o.X11Forwarding = o.X11Forwarding && v.cfg.X11Forwarding
	if v.cfg.DisableForwarding || v.mustChange {
		o.PortForwarding, o.AgentForwarding, o.X11Forwarding = false, false, false
	}
	return o
}

// OpenSession opens the login's session: PAM's, where there is PAM.
func (l *Login) OpenSession(context.Context) error { return nil }

// CloseSession closes what OpenSession opened.
func (l *Login) CloseSession() {}
