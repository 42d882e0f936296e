//go:build linux || darwin || freebsd || openbsd

package sshd

import "strings"

// MaxEnv is the number of variables a session may have in all.
const MaxEnv = 1000

// stdPath is the PATH of a session, for users and for root, as OpenSSH has it
// built in.
const stdPath = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"

// environment is a list of "NAME=value" in order; a later value of a name
// replaces an earlier one in its place.
type environment []string

// set adds or replaces name. What cannot stand in an environment is left out.
func (e *environment) set(name, value string) {
	if name == "" || strings.ContainsAny(name, "=\x00") || strings.IndexByte(value, 0) >= 0 {
		return
	}
	for i, kv := range *e {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			(*e)[i] = name + "=" + value
			return
		}
	}
	if len(*e) < MaxEnv {
		*e = append(*e, name+"="+value)
	}
}

// setAll sets each "NAME=value" of list that keep, where given, lets through.
func (e *environment) setAll(list []string, keep func(name string) bool) {
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok && (keep == nil || keep(name)) {
			e.set(name, value)
		}
	}
}

// get returns the value of name, "" when unset.
func (e environment) get(name string) string {
	for _, kv := range e {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}

// sessionEnv is what a session's environment is made of.
type sessionEnv struct {
	client  []string // accepted env requests, in order of arrival
	user    string
	home    string
	shell   string
	mail    bool     // UsePAM no
	tz      string   // of the server's own environment
	term    string   // of pty-req
	display string   // of x11-req
	agent   string   // socket of a forwarded agent
	key     []string // environment= of the key, already filtered
	config  []string // SetEnv
	ssh     []string // SSH_CLIENT and its kin: nothing replaces them
}

// early is the environment up to the key's own; ~/.ssh/environment comes
// behind it.
func (s *sessionEnv) early() environment {
	var e environment
	e.setAll(s.client, nil)
	e.set("USER", s.user)
	e.set("LOGNAME", s.user)
	e.set("HOME", s.home)
	e.set("PATH", stdPath)
	if s.mail {
		e.set("MAIL", "/var/mail/"+s.user)
	}
	e.set("SHELL", s.shell)
	for _, v := range [...]struct{ name, value string }{
		{"TZ", s.tz}, {"TERM", s.term}, {"DISPLAY", s.display}, {"SSH_AUTH_SOCK", s.agent},
	} {
		if v.value != "" {
			e.set(v.name, v.value)
		}
	}
	e.setAll(s.key, nil)
	return e
}

// late is what comes behind ~/.ssh/environment.
func (s *sessionEnv) late() environment {
	var e environment
	e.setAll(s.config, nil)
	e.setAll(s.ssh, nil)
	return e
}

// join is early and late together.
func join(parts ...environment) environment {
	var e environment
	for _, p := range parts {
		e.setAll(p, nil)
	}
	return e
}
