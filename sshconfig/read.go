package sshconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Files is what reading may ask of a file system. [OSFiles] is the real one.
type Files interface {
	// ReadFile reads a whole file of at most [MaxFileSize] bytes. With
	// guarded, a file that somebody but root and the user may write, or that
	// belongs to somebody else, gives a *[PermissionError].
	ReadFile(name string, guarded bool) ([]byte, error)
	// Glob lists what a pattern matches, sorted; no match is no error.
	Glob(pattern string) ([]string, error)
}

// PermissionError is a configuration file that others may write.
type PermissionError struct{ Name string }

func (e *PermissionError) Error() string { return "Bad owner or permissions on " + e.Name }

// Source is one configuration file to read.
type Source struct {
	Name     string
	Data     []byte // used in place of the file when not nil
	User     bool   // the user's own: Include takes ~ and starts in ~/.ssh
	Optional bool   // passed over when it cannot be read
	Guarded  bool   // refused when others may write it
}

// ConfigError is why a configuration was refused: lines for the user, in
// OpenSSH's words, with a hint on a line of its own here and there.
type ConfigError struct {
	Lines  []string
	Status int // exit status that scripts expect of sshd; 0 stands for 255
}

func (e *ConfigError) Error() string { return strings.Join(e.Lines, "\n") }

// text is a problem as the user reads it.
func (p *problem) lines(file string, number int) []string {
	colon := ""
	if p.colon {
		colon = ":"
	}
	text := visible(p.text)
	if !p.bare {
		text = fmt.Sprintf("%s%s line %d: %s", visible(file), colon, number, text)
	}
	var lines []string
	if p.before != "" {
		lines = append(lines, visible(p.before))
	}
	lines = append(lines, text)
	if p.hint != "" {
		lines = append(lines, visible(p.hint))
	}
	return lines
}

// visible makes text from a file fit for a terminal: what does not print is
// shown as a backslash and its octal bytes.
func visible(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = ' ' <= s[i] && s[i] < 0x7f && s[i] != '\\'
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch n := utf8.RuneLen(r); {
		case r == '\\':
			b.WriteString("\\\\")
		case r == utf8.RuneError && s[i] != 0xef:
			fmt.Fprintf(&b, "\\%03o", s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, "\\%03o", c)
			}
		}
	}
	return b.String()
}

// eachLine reads a file line by line. A problem is counted, or ends the file
// if it is fatal; a second result, with a text of its own (an included
// file's), ends it too.
func eachLine(name string, data []byte, read func(number int, text string) (*problem, *ConfigError)) error {
	if len(data) > MaxFileSize {
		return fatal("%s: larger than %d bytes", name, MaxFileSize)
	}
	var errs ConfigError
	bad := 0
	text, more := string(data), true
	for n := 1; more && text != ""; n++ {
		var s string
		s, text, more = cutLine(text)
		p, ended := read(n, s)
		if ended != nil {
			errs.Lines = append(errs.Lines, ended.Lines...)
			errs.Status = ended.Status
			return &errs
		}
		if p == nil {
			continue
		}
		errs.add(p, name, n)
		if p.fatal {
			return &errs
		}
		bad++
	}
	if bad > 0 {
		errs.Lines = append(errs.Lines, fmt.Sprintf("%s: terminating, %d bad configuration options", visible(name), bad))
		return &errs
	}
	return nil
}

// fatal is an error of its own, with no line to show.
func fatal(format string, args ...any) *ConfigError {
	return &ConfigError{Lines: []string{visible(fmt.Sprintf(format, args...))}}
}

func asConfigError(err error) *ConfigError {
	var c *ConfigError
	if errors.As(err, &c) {
		return c
	}
	return &ConfigError{Lines: []string{visible(err.Error())}}
}

// reason is the system's words for why a file could not be opened.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case errors.Is(err, fs.ErrPermission):
		return "Permission denied"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// find looks a keyword up in a table and among the old names. A row of -1
// and a nil old is an unknown keyword.
func find[T any](rows []row[T], olds []oldName, keyword string) (int, *oldName) {
	for i := range olds {
		if equalFold(olds[i].name, keyword) {
			if olds[i].how == alias {
				i2, _ := find(rows, nil, olds[i].is)
				return i2, &olds[i]
			}
			return -1, &olds[i]
		}
	}
	for i := range rows {
		if equalFold(rows[i].name, keyword) {
			return i, nil
		}
	}
	return -1, nil
}

// unknown is the problem of an unknown keyword. The hint names the keyword
// that was meant, or the file it belongs in.
func unknown[T any](rows []row[T], shown, keyword string) *problem {
	p := &problem{colon: true, text: "Bad configuration option: " + shown}
	// Each side asks the other whether it is there, by a word of its own.
	for _, pair := range [...][2]string{{"ServerAliveInterval", "ClientAliveInterval"}, {"ServerAliveCountMax", "ClientAliveCountMax"}} {
		for i, name := range pair {
			if equalFold(keyword, name) {
				p.hint = "did you mean " + pair[1-i] + "?"
				return p
			}
		}
	}
	if i, _ := find(serverRows[:], nil, keyword); i >= 0 {
		p.hint = serverRows[i].name + " belongs in sshd_config"
		return p
	}
	if i, _ := find(clientRows[:], nil, keyword); i >= 0 {
		p.hint = clientRows[i].name + " belongs in ssh_config"
		return p
	}
	best := nearest(keyword, len(rows)+3, func(i int) string {
		if i < len(rows) {
			return rows[i].name
		}
		return [...]string{"Host", "Match", "Include"}[i-len(rows)]
	})
	if best != "" {
		p.hint = "did you mean " + best + "?"
	}
	return p
}

// cutLine takes the first line off a file.
func cutLine(data string) (line, rest string, more bool) {
	if i := strings.IndexByte(data, '\n'); i >= 0 {
		return data[:i], data[i+1:], true
	}
	return data, "", data != ""
}

func (c *ConfigError) add(p *problem, file string, number int) {
	c.Lines = append(c.Lines, p.lines(file, number)...)
}
