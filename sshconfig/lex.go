package sshconfig

import "strings"

// MaxFileSize bounds one configuration file: bytes. A larger file is refused
// before it is looked at.
const MaxFileSize = 16 << 20

// MaxIncludeDepth bounds Include inside Include.
const MaxIncludeDepth = 16

// isBlank tells the bytes that end a keyword and that lead and trail a line.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimLine takes blanks and form feeds off the end; a form feed means
// something nowhere else.
func trimLine(s string) string {
	for len(s) > 1 && (isBlank(s[len(s)-1]) || s[len(s)-1] == '\f') {
		s = s[:len(s)-1]
	}
	return s
}

// cutKeyword splits a line into its keyword and the rest. Between them stand
// blanks, at most one "=" among them. The keyword may end in double quotes.
// A blank line or a comment gives an empty keyword.
func cutKeyword(s string) (keyword, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" || s[0] == '#' {
		return "", ""
	}
	end := strings.IndexAny(s, " \t\r\n=\"")
	if end < 0 {
		return s, ""
	}
	keyword, s = s[:end], s[end:]
	if s[0] == '"' {
		quoted, rest, closed := strings.Cut(s[1:], "\"")
		if !closed {
			return "", ""
		}
		return keyword + quoted, strings.TrimLeft(rest, " \t\r\n")
	}
	equals := s[0] == '='
	s = strings.TrimLeft(s[1:], " \t\r\n")
	if !equals && s != "" && s[0] == '=' {
		s = strings.TrimLeft(s[1:], " \t\r\n")
	}
	return keyword, s
}

// splitWords splits the rest of a line into words. Single and double quotes
// group; a backslash protects a quote or a backslash, and outside quotes a
// blank; elsewhere it stands for itself. A word that begins with "#" outside
// quotes starts a comment. ok is false when a quote is not closed.
func splitWords(s string, comments bool) (words []string, ok bool) {
	var word []byte
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if comments && s[i] == '#' {
			break
		}
		word = word[:0]
		quote := byte(0)
		plain, start := true, i // a word without quotes needs no copy
		for ; i < len(s); i++ {
			c := s[i]
			if c == '\\' && i+1 < len(s) {
				n := s[i+1]
				if n == '\'' || n == '"' || n == '\\' || quote == 0 && n == ' ' {
					if plain {
						plain, word = false, append(word, s[start:i]...)
					}
					word = append(word, n)
					i++
					continue
				}
			} else if quote == 0 && (c == ' ' || c == '\t') {
				break
			} else if quote == 0 && (c == '"' || c == '\'') || quote != 0 && c == quote {
				if plain {
					plain, word = false, append(word, s[start:i]...)
				}
				if quote == 0 {
					quote = c
				} else {
					quote = 0
				}
				continue
			}
			if !plain {
				word = append(word, c)
			}
		}
		if quote != 0 {
			return nil, false
		}
		if plain {
			words = append(words, s[start:i])
		} else {
			words = append(words, string(word))
		}
	}
	return words, true
}

// SplitWords splits the text of a command into words as OpenSSH does where no
// shell is asked: single and double quotes group. ok is false when a quote is
// not closed.
func SplitWords(s string) (words []string, ok bool) { return splitWords(s, false) }

// joinWords is the opposite of splitWords: quotes and backslashes are
// protected and words with blanks put in double quotes, so that splitting
// gives the same words again.
func joinWords(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		quote := w == "" || strings.ContainsAny(w, " \t") || w[0] == '#'
		if quote {
			b.WriteByte('"')
		}
		for j := 0; j < len(w); j++ {
			if w[j] == '"' || w[j] == '\\' || w[j] == '\'' {
				b.WriteByte('\\')
			}
			b.WriteByte(w[j])
		}
		if quote {
			b.WriteByte('"')
		}
	}
	return b.String()
}

// Option makes the text of one -o option, "Name=value value", from words that
// may hold anything: blanks and quotes in them are protected.
func Option(name string, words ...string) string { return name + "=" + joinWords(words) }

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func toLower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
}
