//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// MaxBanner is how much of a Banner file is sent.
const MaxBanner = 64 << 10

// Permissions of a certificate, as extensions, and what ends up in
// ssh.Permissions for every login.
const (
	permitPTY    = "permit-pty"
	permitPort   = "permit-port-forwarding"
	permitAgent  = "permit-agent-forwarding"
	permitX11    = "permit-X11-forwarding"
	permitUserRC = "permit-user-rc"
	noTouch      = "no-touch-required"
	forceCommand = "force-command"
	mustVerify   = "verify-required"
)

// optionsOf is the key under which a verified key's options travel in
// Permissions.ExtraData, so that those of several keys are all kept.
type optionsOf string

var errRefused = errors.New("login refused")

// visitor is one connection: who it is, and what was decided about it. Its
// fields belong to the goroutine of the login until LoggedIn.
type visitor struct {
	g          *generation
	lines      *sshdlog.Lines
	remote     string
	remotePort int
	local      string
	localPort  int
	addr       netip.Addr // zero when unknown
	host       string     // the client's name with UseDNS, else its address

	cfg     *sshconfig.Server // as matched; the global one before
	user    string
	account *account.Account // nil: nobody, or somebody who may not log in
	valid   bool             // account is set and the login may succeed
	known   bool             // the user name is known
	last    *keyfile.AuthorizedOptions
	login   *login // once logged in
}

func (g *generation) newVisitor(remote, local net.Addr) *visitor {
	v := &visitor{g: g, cfg: g.cfg, lines: g.s.log.For(g.s.nextNumber())}
	v.lines.SetLevel(g.cfg.LogLevel)
	v.remote, v.remotePort = hostPort(remote)
	v.local, v.localPort = hostPort(local)
	if t, ok := remote.(*net.TCPAddr); ok {
		v.addr = t.AddrPort().Addr().Unmap().WithZone("")
	}
	v.host = v.remote
	return v
}

// from is "A port P".
func (v *visitor) from() string { return fmt.Sprintf("%s port %d", v.remote, v.remotePort) }

// auth makes the authentication of one connection.
func (v *visitor) auth(m *ssh.ConnMeta) *ssh.AuthConfig {
	base := &ssh.AuthConfig{}
	refuse := func(context.Context, *ssh.AuthKeyAttempt) (*ssh.Permissions, error) { return nil, errRefused }
	// Until the name is known, and for names that nobody can have.
	base.KeyAllowed = refuse
	base.MaxAuthTries = v.cfg.MaxAuthTries
	base.Log = func(l ssh.AuthLog) { v.attempt(l) }
	base.ForUser = func(ctx context.Context, u ssh.AuthUser) (*ssh.AuthConfig, error) {
		if err := v.meet(ctx, u.Name); err != nil {
			return nil, err
		}
		own := *base
		own.MaxAuthTries = v.cfg.MaxAuthTries
		own.SigAlgs = v.cfg.PubkeyAcceptedAlgorithms
		own.MinRSABits = v.cfg.RequiredRSASize
		own.Banner = func(string) string { return v.banner() }
		own.KeyAllowed = nil
		if v.cfg.PubkeyAuthentication {
			own.KeyAllowed = refuse
			if v.valid {
				own.KeyAllowed, own.KeyVerify = v.keyAllowed, v.keyVerify
			}
		}
		lists, err := userauth.ParseMethodLists(methodWords(v.cfg))
		if err != nil {
			return nil, err
		}
		if lists != nil {
			own.Methods = func(string) [][]string { return lists }
		}
		return &own, nil
	}
	return base
}

func methodWords(cfg *sshconfig.Server) []string {
	if len(cfg.AuthenticationMethods) == 0 {
		return []string{"any"}
	}
	return cfg.AuthenticationMethods
}

// meet looks at the user name: the configuration for it, the account, and
// whether it may log in at all. An error ends the connection; whoever may not
// log in goes on as nobody (AUT-10).
func (v *visitor) meet(ctx context.Context, name string) error {
	v.user, v.known = name, true
	a, err := v.g.s.db.Lookup(name)
	if err != nil && !errors.Is(err, account.ErrUnknown) {
		v.lines.Logf(sshconfig.Error, "%s", err)
	}
	if v.g.cfg.UseDNS {
		v.resolve(ctx)
	}
	cfg, err := v.g.cfg.Match(&sshconfig.Connection{
		User: name, InvalidUser: a == nil, Host: v.host, Address: v.remote,
		LocalAddr: v.local, LocalPort: v.localPort,
	})
	if err != nil {
		v.lines.Logf(sshconfig.Error, "%s", err)
		return err
	}
	v.cfg = cfg
	v.lines.SetLevel(cfg.LogLevel)
	v.lines.SetVerbose(cfg.LogVerbose)
	v.account = a
	switch {
	case a == nil:
		v.lines.Logf(sshconfig.Info, "Invalid user %s from %s", name, v.from())
	default:
		v.valid = v.mayLogIn(a)
	}
	if cfg.RefuseConnection {
		v.lines.Pref(sshconfig.Info, "administratively prohibited connection for %s%s from %s", v.invalid(), name, v.from())
		return &userauth.FatalError{Err: errRefused}
	}
	if refuse, _ := unsupported(cfg); len(refuse) > 0 {
		v.lines.Logf(sshconfig.Error, "%s of the configuration for user %s is not supported yet", strings.Join(refuse, ", "), name)
		return &userauth.FatalError{Err: errRefused}
	}
	return nil
}

// invalid is the word in front of a name that cannot log in.
func (v *visitor) invalid() string {
	if v.valid {
		return ""
	}
	return "invalid user "
}

// resolve finds the client's name: it must lead back to its address.
func (v *visitor) resolve(ctx context.Context) {
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
func (v *visitor) mayLogIn(a *account.Account) bool {
	no := func(format string, args ...any) bool {
		v.lines.Logf(sshconfig.Info, format, args...)
		return false
	}
	db := v.g.s.db
	if uid := os.Geteuid(); uid != 0 && uint32(uid) != a.UID {
		return no("User %s not allowed because this server runs with the rights of uid %d alone; start it as root to let others log in", a.Name, uid)
	}
	if !v.cfg.UsePAM {
		password := a.Password
		if s, err := db.LookupShadow(a.Name); err == nil {
			password = s.Password
			if day := int(time.Now().Unix() / (24 * 60 * 60)); s.Expire >= 0 && day > s.Expire {
				v.lines.Logf(sshconfig.Info, "Account %s has expired", a.Name)
				return no("User %s not allowed because account is locked", a.Name)
			}
		}
		if strings.HasPrefix(password, "!") {
			return no("User %s not allowed because account is locked", a.Name)
		}
	}
	st, err := os.Stat(a.Shell)
	if err != nil {
		return no("User %s not allowed because shell %s does not exist", a.Name, a.Shell)
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 {
		return no("User %s not allowed because shell %s is not executable", a.Name, a.Shell)
	}
	return v.listed(a, no)
}

// listed applies DenyUsers, AllowUsers, DenyGroups and AllowGroups.
func (v *visitor) listed(a *account.Account, no func(string, ...any) bool) bool {
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
	names := groupNames(v.g.s.db, a)
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
func (v *visitor) inUsers(name string, patterns []string) (found bool, err error) {
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

// banner is the text of the Banner file.
func (v *visitor) banner() string {
	if v.cfg.Banner == "" || strings.EqualFold(v.cfg.Banner, "none") {
		return ""
	}
	b, err := readRegular(v.cfg.Banner)
	if err != nil || len(b) > MaxBanner {
		return ""
	}
	return string(b)
}

// keyAllowed says what an offered key may do, before its signature counts.
func (v *visitor) keyAllowed(ctx context.Context, a *ssh.AuthKeyAttempt) (*ssh.Permissions, error) {
	k := &keyCheck{db: v.g.s.db, cfg: v.cfg, user: v.account, host: v.host, addr: v.addr, tok: userTokens(v.account), log: v.lines.Logf, now: time.Now()}
	k.tok['C'] = fmt.Sprintf("%s %d %s %d", v.local, v.localPort, v.remote, v.remotePort)
	o, err := k.allowed(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	if v.cfg.PubkeyAuthOptions.TouchRequired {
		o.SK.NoTouchRequired = false
	}
	o.SK.VerifyRequired = o.SK.VerifyRequired || v.cfg.PubkeyAuthOptions.VerifyRequired
	v.last = o
	p := permissions(o)
	p.ExtraData = map[any]any{optionsOf(pubkey.Plain(a.Key).Marshal()): o}
	return p, nil
}

// permissions says what options allow in the words of certificates.
func permissions(o *keyfile.AuthorizedOptions) *ssh.Permissions {
	p := &ssh.Permissions{CriticalOptions: map[string]string{}, Extensions: map[string]string{}}
	for _, e := range [...]struct {
		on   bool
		name string
	}{
		{o.PTY, permitPTY}, {o.PortForwarding, permitPort}, {o.AgentForwarding, permitAgent},
		{o.X11Forwarding, permitX11}, {o.UserRC, permitUserRC}, {o.SK.NoTouchRequired, noTouch},
	} {
		if e.on {
			p.Extensions[e.name] = ""
		}
	}
	if o.Command != nil {
		p.CriticalOptions[forceCommand] = *o.Command
	}
	if o.SK.VerifyRequired {
		p.CriticalOptions[mustVerify] = ""
	}
	return p
}

// keyVerify checks a signature, and then whether root may log in by it: a
// method that root may not use does not count, not even in part.
func (v *visitor) keyVerify(ctx context.Context, a *ssh.AuthKeyAttempt, data, blob []byte) error {
	sig, err := pubkey.ParseSignature(blob)
	if err != nil {
		return err
	}
	if err := pubkey.VerifyWith(a.Key, data, sig, a.Algorithm, v.last.SK); err != nil {
		return err
	}
	if v.account.UID != 0 {
		return nil
	}
	switch v.cfg.PermitRootLogin {
	case sshconfig.RootYes, sshconfig.RootProhibitPassword:
		return nil
	case sshconfig.RootForcedCommandsOnly:
		if v.last.Command != nil {
			v.lines.Logf(sshconfig.Info, "Root login accepted for forced command.")
			return nil
		}
	}
	v.lines.Logf(sshconfig.Info, "ROOT LOGIN REFUSED FROM %s", v.from())
	return errRefused
}

// attempt writes OpenSSH's line about one request.
func (v *visitor) attempt(l ssh.AuthLog) {
	if !v.known { // a name that nobody can have
		v.user, v.known = l.User.Name, true
		v.lines.Logf(sshconfig.Info, "Invalid user %s from %s", v.user, v.from())
	}
	if l.Method == "none" || !v.valid && l.Method == "publickey" {
		return // OpenSSH never shows these to its monitor
	}
	level := sshconfig.Verbose
	if l.Outcome == userauth.Accepted || !v.valid || l.Failures >= l.MaxTries/2 || l.Method == "password" {
		level = sshconfig.Info
	}
	method := l.Method
	if l.Submethod != "" {
		method += "/" + l.Submethod
	}
	extra := ""
	if l.Key != nil {
		extra = ": " + userauth.KeyDetails(l.Key, func(k pubkey.PublicKey) string { return fingerprint(v.cfg, k) })
		if l.Info != "" {
			extra += ", " + l.Info
		}
	} else if l.Info != "" {
		extra = ": " + l.Info
	}
	say := v.lines.Logf
	if l.Outcome == userauth.Postponed {
		say = v.lines.Pref
	}
	say(level, "%s %s for %s%s from %s ssh2%s", l.Outcome, method, v.invalid(), v.user, v.from(), extra)
}
