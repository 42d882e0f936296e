//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// MaxBanner is how much of a Banner file is sent, in bytes.
	MaxBanner = 64 << 10
	// lookupTimeout bounds a question to the name service.
	lookupTimeout = 10 * time.Second
	// day is the unit of the dates in shadow(5), in seconds.
	day = 24 * 60 * 60
)

// Meet looks at the user's name, once: the configuration for it, the account,
// and whether it may log in at all. Whoever may not goes on as nobody. An
// error, a *Fatal, ends the connection.
func (v *Visitor) Meet(ctx context.Context, user, style string) (*Policy, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.met {
		return nil, &Fatal{Err: errTwice}
	}
	v.met, v.user, v.style = true, user, style
	a, err := v.h.lookup(ctx, user)
	if err != nil && !errors.Is(err, account.ErrUnknown) {
		v.lines.Logf(sshconfig.Error, "%s", err)
	}
	if v.h.Config.UseDNS {
		v.resolve(ctx)
	}
	cfg, err := v.h.Config.Match(&sshconfig.Connection{
		User: user, InvalidUser: a == nil, Host: v.host, Address: v.remote,
		LocalAddr: v.local, LocalPort: v.localPort, RDomain: v.rdomain,
	})
	if err != nil {
		v.lines.Logf(sshconfig.Error, "%s", err)
		return nil, &Fatal{Err: err}
	}
	v.cfg, v.account = cfg, a
	v.lines.SetLevel(cfg.LogLevel)
	v.lines.SetVerbose(cfg.LogVerbose)
	if a == nil {
		v.lines.Logf(sshconfig.Info, "Invalid user %s from %s", user, v.from())
		v.record()
	} else {
		v.valid = v.mayLogIn(a)
	}
	if cfg.RefuseConnection {
		v.refused = true
		v.lines.Pref(sshconfig.Info, "administratively prohibited connection for %s%s from %s", v.invalid(), user, v.from())
		return nil, &Fatal{RefuseConnection: true, Err: ErrRefused}
	}
	p := &Policy{
		Config: cfg, User: user, Banner: v.banner(),
		PublicKey:            cfg.PubkeyAuthentication,
		Password:             cfg.PasswordAuthentication,
		None:                 cfg.PasswordAuthentication && cfg.PermitEmptyPasswords,
		Hostbased:            cfg.HostbasedAuthentication,
		Devices:              v.devices(),
		PermitEmptyPasswords: cfg.PermitEmptyPasswords,
		MaxAuthTries:         cfg.MaxAuthTries,
	}
	lists, err := v.methodLists(p)
	if err != nil {
		v.lines.Logf(sshconfig.Error, "%s", err)
		return nil, &Fatal{Err: err}
	}
	p.Methods, v.left = lists, userauth.MethodLists{Lists: lists, Any: len(cfg.AuthenticationMethods) == 0 || anyMethod(cfg)}
	if !v.left.Any && len(lists) == 0 {
		p.Methods = [][]string{} // nothing will do
	}
	return p, nil
}

// maxMiss bounds how long somebody who exists waits because others do not.
const maxMiss = 50 * time.Millisecond

// lookup finds the account, and takes as long for one that is in the file as
// for a name that every source was asked about in vain (AUT-10).
func (h *Host) lookup(ctx context.Context, user string) (*account.Account, error) {
	h.measured.Do(func() {
		start := time.Now()
		_, _ = h.DB.Lookup(nobodysName)
		h.miss.Store(int64(time.Since(start)))
	})
	start := time.Now()
	a, err := h.DB.Lookup(user)
	took := time.Since(start)
	miss := time.Duration(h.miss.Load())
	if err != nil {
		// The mean of the last few.
		h.miss.Store(int64(min(maxMiss, miss+(took-miss)/8)))
		return nil, err
	}
	if left := min(maxMiss, miss) - took; left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return a, nil
}

func anyMethod(cfg *sshconfig.Server) bool {
	return len(cfg.AuthenticationMethods) == 1 && cfg.AuthenticationMethods[0] == "any"
}

// resolve finds the client's name: it must lead back to its address.
func (v *Visitor) resolve(ctx context.Context) {
	if !v.addr.IsValid() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, v.addr.String())
	if err != nil || len(names) == 0 {
		return
	}
	name := strings.ToLower(strings.TrimSuffix(names[0], "."))
	if _, err := netip.ParseAddr(name); err == nil {
		v.lines.Logf(sshconfig.Info, "Nasty PTR record \"%s\" is set up for %s, ignoring", name, v.remote)
		return
	}
	back, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for _, b := range back {
		if b.Unmap() == v.addr {
			v.host = name
			return
		}
	}
	if err != nil {
		v.lines.Logf(sshconfig.Info, "reverse mapping checking getaddrinfo for %s [%s] failed.", name, v.remote)
		return
	}
	v.lines.Logf(sshconfig.Info, "Address %s maps to %s, but this does not map back to the address.", v.remote, name)
}

// mayLogIn goes through the reasons not to, in OpenSSH's order.
func (v *Visitor) mayLogIn(a *account.Account) bool {
	no := func(format string, args ...any) bool {
		v.lines.Logf(sshconfig.Info, format, args...)
		return false
	}
	if uid := os.Geteuid(); uid != 0 && uint32(uid) != a.UID {
		return no("User %s not allowed because this server runs with the rights of uid %d alone; start it as root to let others log in", a.Name, uid)
	}
	if !v.cfg.UsePAM {
		password := a.Password
		if s, err := v.h.DB.LookupShadow(a.Name); err == nil {
			v.shadow = s
			password = s.Password
			switch left := s.Expire - v.h.today(); {
			case s.Expire == -1:
			case left < 0:
				v.lines.Logf(sshconfig.Info, "Account %s has expired", a.Name)
				return no("User %s not allowed because account is locked", a.Name)
			case left <= s.Warn:
				v.messages = append(v.messages, "Your account will expire in "+days(left)+".")
			}
		}
		if strings.HasPrefix(password, "!") {
			return no("User %s not allowed because account is locked", a.Name)
		}
	}
	if v.cfg.ChrootDirectory == "" {
		st, err := os.Stat(a.Shell)
		if err != nil {
			return no("User %s not allowed because shell %s does not exist", a.Name, a.Shell)
		}
		if !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
			return no("User %s not allowed because shell %s is not executable", a.Name, a.Shell)
		}
	}
	return v.listed(a, no)
}

func (h *Host) today() int { return int(h.now().Unix() / day) }

// listed applies DenyUsers, AllowUsers, DenyGroups and AllowGroups.
func (v *Visitor) listed(a *account.Account, no func(string, ...any) bool) bool {
	denied, err := v.inUsers(a.Name, v.cfg.DenyUsers)
	if err == nil && denied {
		return no("User %s from %s not allowed because listed in DenyUsers", a.Name, v.host)
	}
	allowed, err2 := v.inUsers(a.Name, v.cfg.AllowUsers)
	if err = errors.Join(err, err2); err != nil {
		return no("User %s from %s not allowed: %s", a.Name, v.host, err)
	}
	if len(v.cfg.AllowUsers) > 0 && !allowed {
		return no("User %s from %s not allowed because not listed in AllowUsers", a.Name, v.host)
	}
	if len(v.cfg.DenyGroups) == 0 && len(v.cfg.AllowGroups) == 0 {
		return true
	}
	names := GroupNames(v.h.DB, a)
	if len(names) == 0 {
		return no("User %s from %s not allowed because not in any group", a.Name, v.host)
	}
	if groupsMatch(names, v.cfg.DenyGroups) {
		return no("User %s from %s not allowed because a group is listed in DenyGroups", a.Name, v.host)
	}
	if len(v.cfg.AllowGroups) > 0 && !groupsMatch(names, v.cfg.AllowGroups) {
		return no("User %s from %s not allowed because none of user's groups are listed in AllowGroups", a.Name, v.host)
	}
	return true
}

// inUsers matches the client against patterns of users and hosts. A network
// that is wrong is an error: then nobody is let in.
func (v *Visitor) inUsers(name string, patterns []string) (found bool, err error) {
	for _, p := range patterns {
		ok, e := sshconfig.MatchUser(name, v.host, v.remote, p)
		if e != nil {
			return false, e
		}
		found = found || ok
	}
	return found, nil
}

func groupsMatch(names, patterns []string) bool {
	for _, p := range patterns {
		for _, n := range names {
			if sshconfig.MatchPattern(n, p) {
				return true
			}
		}
	}
	return false
}

// GroupNames are the names of all groups of a, for Match group and AllowGroups.
func GroupNames(db *account.Database, a *account.Account) []string {
	groups, _ := db.Groups(a)
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		if g.Name != "" {
			names = append(names, g.Name)
		}
	}
	return names
}

// banner is the text of the Banner file.
func (v *Visitor) banner() string {
	if v.cfg.Banner == "" || strings.EqualFold(v.cfg.Banner, "none") {
		return ""
	}
	b, err := readRegular(v.cfg.Banner)
	if err != nil || len(b) > MaxBanner {
		return ""
	}
	return string(b)
}
