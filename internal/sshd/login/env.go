package login

import "strings"

const (
	// MaxEnv is the number of variables a session may have in all.
	MaxEnv = 1000
	// MaxClientEnv is how many of them a client may ask for, and MaxClientValue
	// how long each may be in bytes, its name included.
	MaxClientEnv   = 128
	MaxClientValue = 8 << 10
)

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

// join is early and late together.
func join(parts ...environment) environment {
	var e environment
	for _, p := range parts {
		e.setAll(p, nil)
	}
	return e
}
