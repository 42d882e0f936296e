//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

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

var errRefused = errors.New("login refused")

// visitor is one connection: its judgement and what it writes into the log.
// Its fields belong to the goroutine of the login until LoggedIn.
type visitor struct {
	*auth.Visitor
	g          *generation
	lines      *sshdlog.Lines
	remote     string
	remotePort int
	local      string
	localPort  int

	cfg     *sshconfig.Server // as matched; the global one before
	user    string
	refused bool        // nobody has such a name
	granted *auth.Login // once authorized
	login   *entrant    // once logged in
}

func (g *generation) newVisitor(remote, local net.Addr) *visitor {
	v := &visitor{g: g, cfg: g.cfg, lines: g.s.log.For(g.s.nextNumber())}
	v.lines.SetLevel(g.cfg.LogLevel)
	v.remote, v.remotePort = hostPort(remote)
	v.local, v.localPort = hostPort(local)
	v.Visitor = g.auth.Visit(auth.Peer{Remote: addrPort(remote), Local: addrPort(local), Lines: v.lines})
	return v
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// from is "A port P".
func (v *visitor) from() string { return v.remote + " port " + itoa(v.remotePort) }

// auth makes the authentication of one connection.
func (v *visitor) auth(m *ssh.ConnMeta) *ssh.AuthConfig {
	base := &ssh.AuthConfig{MaxAuthTries: v.cfg.MaxAuthTries}
	// Until the name is known, and for names that nobody can have.
	base.KeyAllowed = func(context.Context, *ssh.AuthKeyAttempt) (*ssh.Permissions, error) { return nil, errRefused }
	base.Log = func(l ssh.AuthLog) {
		if errors.Is(l.Err, userauth.ErrUserName) && !v.refused {
			v.refused, v.user = true, l.User.Name
			v.Nobody(l.User.Name)
		}
	}
	base.ForUser = func(ctx context.Context, u ssh.AuthUser) (*ssh.AuthConfig, error) {
		v.user = u.Name
		p, err := v.Meet(ctx, u.Name, u.Style)
		if err != nil {
			return nil, v.ends(err)
		}
		v.cfg = p.Config
		if refuse, _ := unsupported(p.Config); len(refuse) > 0 {
			v.lines.Logf(sshconfig.Error, "%s of the configuration for user %s is not supported yet", strings.Join(refuse, ", "), u.Name)
			return nil, &userauth.FatalError{Err: errRefused}
		}
		own := *base
		v.fill(&own, p)
		return &own, nil
	}
	return base
}

// ends turns the judgement's last word into userauth's.
func (v *visitor) ends(err error) error {
	var f *auth.Fatal
	if errors.As(err, &f) {
		return &userauth.FatalError{Err: errors.Join(errRefused, err)}
	}
	return err
}

// fill makes the methods of a policy.
func (v *visitor) fill(c *ssh.AuthConfig, p *auth.Policy) {
	c.MaxAuthTries, c.SigAlgs, c.HostbasedAlgs = p.MaxAuthTries, p.Config.PubkeyAcceptedAlgorithms, p.Config.HostbasedAcceptedAlgorithms
	c.MinRSABits, c.PermitEmptyPasswords = p.Config.RequiredRSASize, p.PermitEmptyPasswords
	c.Banner = func(string) string { return p.Banner }
	c.KeyAllowed = nil
	if p.PublicKey {
		c.KeyAllowed = func(ctx context.Context, a *ssh.AuthKeyAttempt) (*ssh.Permissions, error) {
			o, err := v.KeyAllowed(ctx, a.Key, a.Algorithm, !a.Signed)
			if err != nil {
				return nil, v.ends(err)
			}
			return permissions(o), nil
		}
		c.KeyVerify = func(ctx context.Context, a *ssh.AuthKeyAttempt, data, sig []byte) error {
			return v.ends(v.KeyVerified(ctx, a.Key, a.Algorithm, data, sig))
		}
	}
	if p.Password {
		c.Password = func(ctx context.Context, _ *ssh.AuthAttempt, password []byte) (*ssh.Permissions, error) {
			return nil, v.ends(v.Password(ctx, password))
		}
	}
	if p.Hostbased {
		c.HostbasedAllowed = func(ctx context.Context, a *ssh.AuthHostbasedAttempt) (*ssh.Permissions, error) {
			return nil, v.ends(v.HostbasedAllowed(ctx, a.Key, a.Algorithm, a.ClientHost, a.ClientUser))
		}
		c.HostbasedVerify = func(ctx context.Context, a *ssh.AuthHostbasedAttempt, data, sig []byte) error {
			return v.ends(v.HostbasedVerified(ctx, a.Key, a.Algorithm, a.ClientHost, a.ClientUser, data, sig))
		}
	}
	if p.None {
		c.None = func(ctx context.Context, _ *ssh.AuthAttempt) (*ssh.Permissions, error) {
			return nil, v.ends(v.None(ctx))
		}
	}
	for _, name := range p.Devices {
		c.KeyboardInteractive = append(c.KeyboardInteractive, ssh.AuthDevice{Name: name,
			Authenticate: func(ctx context.Context, _ *ssh.AuthAttempt, ask ssh.AuthAsk) (*ssh.Permissions, error) {
				return nil, v.ends(v.Interactive(ctx, name, func(ctx context.Context, name, instruction string, prompts []auth.Prompt) ([]string, error) {
					q := &ssh.Question{Name: name, Instruction: instruction}
					for _, p := range prompts {
						q.Prompts = append(q.Prompts, ssh.Prompt{Text: p.Text, Echo: p.Echo})
					}
					return ask(ctx, q)
				}))
			}})
	}
	if p.Methods != nil {
		c.Methods = func(string) [][]string { return p.Methods }
	}
	c.Authorize = func(ctx context.Context, a *ssh.AuthAttempt, _ *userauth.Result) (err error) {
		if v.granted, err = v.Authorize(ctx); err != nil {
			var f *auth.Fatal
			if errors.As(err, &f) && f.Banner != "" {
				_ = a.SendBanner(f.Banner)
			}
			return v.ends(err)
		}
		if err := v.granted.OpenSession(ctx); err != nil {
			return v.ends(err)
		}
		if v.granted.BannerText != "" {
			return a.SendBanner(v.granted.BannerText)
		}
		return nil
	}
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

// fingerprint is a key's in the hash of FingerprintHash.
func fingerprint(cfg *sshconfig.Server, key pubkey.PublicKey) string {
	return auth.Fingerprint(cfg.FingerprintHash, key)
}
