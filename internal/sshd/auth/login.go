//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"sync"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Login is a user who is in, and what the user may do.
type Login struct {
	Account *account.Account
	Config  *sshconfig.Server // as matched
	// Host is the client's name with UseDNS, if it leads back to the address;
	// else the address.
	Host string
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
	// Groups are the groups of the account, the primary one first.
	Groups []uint32
	// NotOpen says that PAM's session could not be opened: nothing may be done
	// but to show Messages.
	NotOpen bool

	mu          sync.Mutex // one question to the helper at a time
	helper      *helper    // of PAM; nil without
	lines       Lines
	interactive bool // the last method was a dialogue
}

// Authorize is asked when the network room thinks that the user is in. It is
// so only if the methods that were verified here complete a list.
func (v *Visitor) Authorize(ctx context.Context) (*Login, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil || v.dead || v.login != nil || !v.valid {
		return nil, ErrOrder
	}
	if v.cfg.UsePAM {
		if err := v.pamAccount(ctx); err != nil {
			return nil, err
		}
	}
	groups, err := v.h.DB.GroupIDs(v.account)
	if err != nil {
		v.dead = true
		v.lines.Logf(sshconfig.Error, "groups of %s: %s", v.account.Name, err)
		return nil, &Fatal{Err: err}
	}
	l := &Login{Account: v.account, Groups: groups, Config: v.cfg, Host: v.host, Messages: v.messages, BannerText: lines(v.pamTexts),
		MustChange: v.expired,
		helper:     v.helper, lines: v.lines, interactive: v.last.method == methodInteractive}
	for _, c := range v.completed {
		l.Completed = append(l.Completed, c.Line())
	}
	l.Options = v.permitted(l.MustChange)
	v.login, v.helper = l, nil
	v.tell(userauth.Accepted, v.last)
	return l, nil
}

// permitted are the options of all keys with what the configuration forbids
// taken away.
func (v *Visitor) permitted(mustChange bool) *keyfile.AuthorizedOptions {
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
	if v.cfg.DisableForwarding || mustChange {
		o.PortForwarding, o.AgentForwarding, o.X11Forwarding = false, false, false
	}
	return o
}
