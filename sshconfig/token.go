package sshconfig

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
)

// Tokens are the values of the percent tokens of ssh_config(5).
type Tokens struct {
	Host      string // %h
	Original  string // %n
	Port      string // %p
	User      string // %r
	LocalUser string // %u
	UID       string // %i
	Home      string // %d
	LocalHost string // %l, and %L up to its first dot
	KeyAlias  string // %k
	Jump      string // %j

	// Known later, and only to some commands.
	Tunnel      string // %T
	KeyType     string // %t
	Key         string // %K, base64
	Fingerprint string // %f
	KnownName   string // %H
	Reason      string // %I

	// Getenv is asked for ${NAME}; nil knows no variable.
	Getenv func(string) (string, bool)
}

// Sets of tokens for [Tokens.Expand].
const (
	TokensHostname     = "h"
	TokensProxy        = "hnprk"
	TokensUser         = "dhijkLlnpu"
	TokensDefault      = "CdhijkLlnpru"
	TokensKnownHosts   = TokensDefault + "fHIKt"
	TokensLocalCommand = TokensDefault + "fHIKtT"
)

// ConnectionHash is %C: hex SHA-1 over %l, %h, %p, %r and %j joined.
func (t *Tokens) ConnectionHash() string {
	h := sha1.Sum([]byte(t.LocalHost + t.Host + t.Port + t.User + t.Jump))
	return hex.EncodeToString(h[:])
}

func (t *Tokens) value(c byte) string {
	switch c {
	case 'C':
		return t.ConnectionHash()
	case 'd':
		return t.Home
	case 'f':
		return t.Fingerprint
	case 'H':
		return t.KnownName
	case 'h':
		return t.Host
	case 'I':
		return t.Reason
	case 'i':
		return t.UID
	case 'j':
		return t.Jump
	case 'K':
		return t.Key
	case 'k':
		return t.KeyAlias
	case 'L':
		short, _, _ := strings.Cut(t.LocalHost, ".")
		return short
	case 'l':
		return t.LocalHost
	case 'n':
		return t.Original
	case 'p':
		return t.Port
	case 'r':
		return t.User
	case 'T':
		return t.Tunnel
	case 't':
		return t.KeyType
	case 'u':
		return t.LocalUser
	}
	return ""
}

// Expand replaces the percent tokens whose letters are in allowed, and %%.
// Any other token is an error.
func (t *Tokens) Expand(s, allowed string) (string, error) {
	return expand(s, func(c byte) (string, bool) {
		return t.value(c), strings.IndexByte(allowed, c) >= 0
	}, nil, false)
}

// ExpandEnv is Expand for keywords that also take ${NAME}. What a token or a
// variable stands for is not expanded again.
func (t *Tokens) ExpandEnv(s, allowed string) (string, error) {
	return expand(s, func(c byte) (string, bool) {
		return t.value(c), strings.IndexByte(allowed, c) >= 0
	}, t.Getenv, true)
}

// expandEnv replaces ${NAME} only.
func expandEnv(s string, getenv func(string) (string, bool)) (string, error) {
	return expand(s, nil, getenv, true)
}

// maxExpanded bounds the result of an expansion, bytes.
const maxExpanded = 1 << 20

// TokenError tells what is wrong with a token.
type TokenError struct{ Text, Reason string }

func (e *TokenError) Error() string {
	return "sshconfig: expanding \"" + e.Text + "\": " + e.Reason
}

// tokenReason is the cause of a failed expansion alone.
func tokenReason(err error) string {
	var e *TokenError
	if errors.As(err, &e) {
		return e.Reason
	}
	return err.Error()
}

var errTokens = errors.New("sshconfig: expansion is too long")

func expand(s string, token func(byte) (string, bool), getenv func(string) (string, bool), env bool) (string, error) {
	if !strings.ContainsAny(s, "%$") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case env && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", &TokenError{s, "environment variable '" + s[i+2:] + "' missing closing '}'"}
			}
			name := s[i+2 : i+end]
			v, ok := "", false
			if getenv != nil && name != "" {
				v, ok = getenv(name)
			}
			if !ok {
				return "", &TokenError{s, "env var ${" + name + "} has no value"}
			}
			b.WriteString(v)
			i += end
		case token != nil && s[i] == '%':
			i++
			switch {
			case i == len(s):
				return "", &TokenError{s, "invalid format"}
			case s[i] == '%':
				b.WriteByte('%')
			default:
				v, ok := token(s[i])
				if !ok {
					return "", &TokenError{s, "unknown key %" + s[i:i+1]}
				}
				b.WriteString(v)
			}
		default:
			b.WriteByte(s[i])
		}
		if b.Len() > maxExpanded {
			return "", errTokens
		}
	}
	return b.String(), nil
}

// expandTilde replaces a leading "~" by home and "~name" by what lookup says.
func expandTilde(s, home string, lookup func(user string) (string, bool)) (string, error) {
	if !strings.HasPrefix(s, "~") {
		return s, nil
	}
	user, rest := s[1:], ""
	if i := strings.IndexByte(user, '/'); i >= 0 {
		user, rest = user[:i], user[i+1:]
	}
	dir := home
	if user != "" {
		ok := false
		if lookup != nil {
			dir, ok = lookup(user)
		}
		if !ok {
			return "", &TokenError{s, "no such user " + user}
		}
	}
	if dir == "" {
		return s, nil // nobody has a home here
	}
	if !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	return dir + rest, nil
}
