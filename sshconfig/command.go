package sshconfig

import (
	"errors"
	"strings"
)

var (
	errQuotes    = errors.New("sshconfig: unbalanced quotes in a command")
	errNoProgram = errors.New("sshconfig: a command without a program")
)

// SplitCommand takes the command line of AuthorizedKeysCommand and its kin,
// and that of internal-sftp, apart as a shell would, without expanding
// anything: blanks separate, single and double quotes join, a backslash before
// a quote, a blank or a backslash makes it an ordinary character.
func SplitCommand(s string) ([]string, error) {
	var words []string
	var b []byte
	in := false // within a word
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			b, in = append(b, s[i]), true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, in = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if in {
				words = append(words, string(b))
			}
			b, in = b[:0], false
		default:
			b, in = append(b, c), true
		}
	}
	if quote != 0 {
		return nil, errQuotes
	}
	if in {
		words = append(words, string(b))
	}
	if len(words) == 0 {
		return nil, errNoProgram
	}
	return words, nil
}
