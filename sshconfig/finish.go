package sshconfig

import (
	"errors"
	"io"
	"strings"
)

// finish fills in the defaults and expands what is expanded once.
func (c *Client) finish() error {
	e := c.environment()
	for i := range clientRows {
		if !c.set.has(i) && clientRows[i].name != "User" && clientRows[i].name != "Hostname" {
			clientRows[i].kind.preset(c, e)
		}
	}
	c.presetByOthers()
	if err := c.expandAll(); err != nil {
		return asConfigError(err)
	}
	return nil
}

// presetByOthers settles values that depend on other keywords.
func (c *Client) presetByOthers() {
	if c.User == "" {
		c.User = c.ctx.LocalUser
		c.lits.user = true
	}
	if !c.IsSet("UpdateHostKeys") {
		c.UpdateHostKeys = AskYes
		if c.VerifyHostKeyDNS != AskNo || c.IsSet("UserKnownHostsFile") {
			c.UpdateHostKeys = AskNo
		}
	}
	c.HostKeyAlias = toLower(c.HostKeyAlias)
	if c.ProxyCommand == "none" {
		c.ProxyCommand = ""
	}
	if c.ProxyJump == "none" {
		c.ProxyJump = ""
	}
	if c.ProxyJump != "" {
		c.ProxyUseFdpass = false
	}
	for _, list := range [...]*[]string{&c.CanonicalDomains, &c.RevokedHostKeys} {
		if len(*list) == 1 && equalFold((*list)[0], "none") {
			*list = nil
		}
	}
	if len(c.LogVerbose) == 1 && equalFold(c.LogVerbose[0], "none") {
		c.LogVerbose = nil
	}
	if c.ClearAllForwardings {
		c.LocalForward, c.RemoteForward, c.DynamicForward = nil, nil, nil
		c.Tunnel = TunnelNo
	}
	if c.UpdateHostKeys == AskAsk {
		c.mayAskForHostKeys()
	}
	if c.Hostname == "" {
		c.Hostname = c.ctx.Host
	}
}

// mayAskForHostKeys turns UpdateHostKeys=ask off where nobody could answer.
func (c *Client) mayAskForHostKeys() {
	why := ""
	switch {
	case c.ControlPersist.On && c.ControlPath != "":
		why = "ControlPersist"
	case c.ctx.Command != "" || c.RemoteCommand != "" || c.RequestTTY == TTYNo:
		why = "remote command execution"
	case c.LogLevel >= Info:
		return
	}
	c.UpdateHostKeys = AskNo
	if why != "" && c.ctx.Warn != nil {
		c.ctx.Warn(LevelDebug, "UpdateHostKeys=ask is incompatible with "+why+"; disabling")
	}
}

// Errors of names, which are printed as they are.
var (
	ErrUserName = errors.New("remote username contains invalid characters")
	ErrHostName = errors.New("hostname contains invalid characters")
)

// ValidUser tells whether a login name can do no harm in a command line that
// a proxy command or a log makes of it (CLI-5). It is asked about names of a
// command line and those that tokens or variables made; a literal one in a
// file is its owner's business.
func ValidUser(name string) bool {
	if name == "" {
		return true
	}
	if name[0] == '-' || name[len(name)-1] == '\\' {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < ' ' || c == 0x7f || strings.IndexByte("'`\";&<>|(){}", c) >= 0 || c == '-' && name[i-1] == ' ' {
			return false
		}
	}
	return true
}

// ValidHost is [ValidUser] for a host name given on a command line.
func ValidHost(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte("'`\"$\\;&<>|(){},", c) >= 0 {
			return false
		}
	}
	return true
}

// expandAll expands tokens, variables and ~ in the values that -G shows
// expanded. Identities, certificates, commands run later and ProxyCommand
// are expanded where they are used, with [Client.Tokens].
func (c *Client) expandAll() error {
	var first error
	t := c.Tokens()
	if !c.lits.user {
		v, err := t.ExpandEnv(c.User, TokensUser)
		if err != nil {
			return err
		}
		if v != c.User && !ValidUser(v) {
			return ErrUserName
		}
		c.User, c.lits.user, t.User = v, true, v
	}
	path := func(s *string) {
		if first == nil && *s != "" {
			*s, first = c.expandPath(t, *s)
		}
	}
	words := func(list []string, f func(*string)) []string {
		list = append([]string(nil), list...)
		for i := range list {
			f(&list[i])
		}
		return list
	}
	if c.RemoteCommand != "" {
		if c.RemoteCommand, first = t.Expand(c.RemoteCommand, TokensDefault); first != nil {
			return first
		}
	}
	path(&c.ControlPath)
	if c.IdentityAgent != "SSH_AUTH_SOCK" && !equalFold(c.IdentityAgent, "none") && !isVariable(c.IdentityAgent) {
		path(&c.IdentityAgent)
	}
	if !isVariable(c.ForwardAgent.Path) {
		path(&c.ForwardAgent.Path)
	}
	c.RevokedHostKeys = words(c.RevokedHostKeys, path)
	c.UserKnownHostsFile = words(c.UserKnownHostsFile, path)
	c.globalKnownHosts = c.GlobalKnownHostsFile
	c.GlobalKnownHostsFile = words(c.GlobalKnownHostsFile, func(s *string) {
		if first == nil {
			*s, first = expandTilde(*s, c.ctx.Home, c.ctx.LookupHome)
		}
	})
	c.SetEnv = words(c.SetEnv, func(s *string) {
		name, v, _ := strings.Cut(*s, "=")
		if first == nil {
			v, first = t.ExpandEnv(v, TokensDefault)
			*s = name + "=" + v
		}
	})
	if first == nil && c.VersionAddendum != "" {
		c.VersionAddendum, first = t.ExpandEnv(c.VersionAddendum, TokensDefault)
	}
	for _, list := range [...][]Forward{c.LocalForward, c.RemoteForward} {
		for i := range list {
			for _, p := range [...]*string{&list[i].ListenPath, &list[i].ConnectPath} {
				if first == nil && *p != "" {
					*p, first = t.Expand(*p, TokensDefault)
				}
			}
		}
	}
	return first
}

// isVariable tells the form "$NAME", which names a variable to be looked up
// later.
func isVariable(s string) bool { return len(s) > 1 && s[0] == '$' && s[1] != '{' }

func (c *Client) expandPath(t *Tokens, s string) (string, error) {
	s, err := expandTilde(s, c.ctx.Home, c.ctx.LookupHome)
	if err != nil {
		return s, err
	}
	return t.ExpandEnv(s, TokensDefault)
}

// ExpandPath expands the value of IdentityFile, CertificateFile and other
// paths: a leading ~, tokens and variables.
func (c *Client) ExpandPath(s string) (string, error) { return c.expandPath(c.Tokens(), s) }

// Print writes the configuration as `ssh -G` does.
func (c *Client) Print(w io.Writer) error {
	p := &printer{w: w, lower: true}
	p.line("host", c.ctx.Host)
	for i := range clientRows {
		r := &clientRows[i]
		if r.flag&hidden != 0 {
			continue
		}
		switch {
		case r.name == "ProxyCommand" && c.ProxyJump != "":
		case r.name == "GlobalKnownHostsFile" && len(c.globalKnownHosts) > 0:
			p.line(r.name, strings.Join(c.globalKnownHosts, " "))
		default:
			r.kind.print(p, r.name, c)
		}
	}
	return p.err
}
