package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// match reads the criteria of a client's Match line. All must hold.
func (r *clientReader) match(l *line) (bool, *problem) {
	c, x := r.c, r.c.ctx
	result, attributes := true, 0
	for len(l.words) > 0 {
		word, _ := l.next()
		name := word
		negate := strings.HasPrefix(name, "!")
		if negate {
			name = name[1:]
		}
		switch toLower(name) {
		case "all":
			if attributes > 1 || len(l.words) > 0 && l.words[0] != "" {
				return false, l.matchf("%.200s line %d: '%s' cannot be combined with other Match attributes", l.file, l.number, word)
			}
			return result && !negate, nil
		case "canonical", "final":
			attributes++
			if equalFold(name, "final") {
				r.wantFinal = true
			}
			result = result && r.final != negate
			r.criterion(word, "", r.final != negate)
			continue
		}
		attributes++
		name, arg, p := matchArgument(l, name)
		if p != nil {
			return false, p
		}
		holds, have := false, ""
		switch name {
		case "host":
			have = r.matchHost()
			holds = MatchHost(have, arg) == 1
		case "originalhost":
			have = x.Host
			holds = MatchHost(have, arg) == 1
		case "user":
			have = c.remoteUser()
			holds = MatchList(have, arg, false) == 1
		case "localuser":
			have = x.LocalUser
			holds = MatchList(have, arg, false) == 1
		case "localnetwork":
			if holds, p = r.localNetwork(l, arg); p != nil {
				return false, p
			}
		case "tagged":
			have = c.Tag
			holds = matchOrEmpty(have, arg)
		case "command":
			command := x.Command
			if command == "" {
				command = c.RemoteCommand
			}
			have = command
			holds = matchOrEmpty(command, arg)
		case "version":
			have = x.Version
			holds = MatchList(have, arg, false) == 1
		case "sessiontype":
			have = c.sessionKind()
			holds = MatchList(have, arg, false) == 1
		case "exec":
			command, err := r.tokens().Expand(arg, TokensDefault)
			if err != nil {
				return false, l.matchf("match exec '%.100s': %s", arg, err)
			}
			if !result || x.Exec == nil {
				l.warnf(LevelDebug2, "skipped exec \"%.100s\"", command)
				result = false
				r.criterion(word+" "+arg, "not run", false)
				continue
			}
			have = command
			if holds, err = x.Exec(command); err != nil {
				return false, &problem{fatal: true, text: "match exec '" + command + "' error"}
			}
		default:
			return false, l.matchf("Unsupported Match attribute %s", name)
		}
		if r.c.ctx.Step != nil {
			text := word
			if !strings.Contains(word, "=") || name == "sessiontype" {
				text += " " + arg
			}
			r.criterion(text, have, holds != negate)
		}
		result = result && holds != negate
	}
	if attributes == 0 {
		return false, l.matchf("One or more attributes required for Match")
	}
	return result, nil
}

// matchf is a broken Match line: what is wrong, and where.
func (l *line) matchf(format string, args ...any) *problem {
	p := l.countf("Bad Match condition")
	p.before = fmt.Sprintf(format, args...)
	return p
}

// matchArgument takes a criterion's argument: behind "=", or the next word.
func matchArgument(l *line, name string) (string, string, *problem) {
	arg, ok := "", false
	if i := strings.IndexByte(name, '='); i > 0 && !equalFold(name[:i], "sessiontype") {
		name, arg, ok = name[:i], name[i+1:], true
	} else {
		arg, ok = l.next()
	}
	lowered := toLower(name)
	if !ok || arg == "" && lowered != "tagged" && lowered != "command" {
		return "", "", l.matchf("Missing Match criteria for %s", name)
	}
	return lowered, arg, nil
}

// matchOrEmpty matches a pattern-list; nothing matches only "".
func matchOrEmpty(s, list string) bool {
	if s == "" || list == "" {
		return s == list
	}
	return MatchList(s, list, false) == 1
}

// matchHost is the host name as far as it is known while reading.
func (r *clientReader) matchHost() string {
	c := r.c
	if r.final || c.Hostname == "" {
		return r.host
	}
	host, err := (&Tokens{Host: c.ctx.Host}).Expand(c.Hostname, TokensHostname)
	if err != nil {
		return c.Hostname
	}
	return host
}

func (c *Client) remoteUser() string {
	if c.User != "" {
		return c.User
	}
	return c.ctx.LocalUser
}

func (c *Client) sessionKind() string {
	switch {
	case c.SessionType == SessionNone:
		return "none"
	case c.SessionType == SessionSubsystem:
		return "subsystem"
	case c.ctx.Command != "" || c.RemoteCommand != "":
		return "exec"
	}
	return "shell"
}

func (r *clientReader) localNetwork(l *line, list string) (bool, *problem) {
	if _, err := MatchAddress("", list); err != nil {
		return false, l.matchf("Invalid network entry \"%.100s\"", list)
	}
	if r.c.ctx.LocalAddrs == nil {
		return false, nil
	}
	addrs, err := r.c.ctx.LocalAddrs()
	if err != nil {
		return false, nil
	}
	for _, a := range addrs {
		if n, _ := MatchAddress(a.WithZone("").String(), list); n == 1 {
			return true, nil
		}
	}
	return false, nil
}

// tokens are the values as far as they are known while reading.
func (r *clientReader) tokens() *Tokens {
	t := r.c.Tokens()
	t.Host = r.matchHost()
	return t
}

// Tokens are the values of the percent tokens, but those of single commands.
func (c *Client) Tokens() *Tokens {
	x := c.ctx
	port := c.Port
	if port == 0 {
		port = 22
	}
	t := &Tokens{
		Host: c.Hostname, Original: x.Host, Port: strconv.Itoa(port), User: c.remoteUser(),
		LocalUser: x.LocalUser, UID: x.UID, Home: x.Home, LocalHost: x.LocalHost,
		KeyAlias: c.HostKeyAlias, Getenv: x.Getenv,
	}
	if t.Host == "" {
		t.Host = x.Host
	}
	if t.KeyAlias == "" {
		t.KeyAlias = x.Host
	}
	if hops, err := ParseJump(c.ProxyJump); err == nil && c.ProxyJump != "none" {
		t.Jump = hops[len(hops)-1].Host
	}
	return t
}
