package client

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nacre-ssh/nacre/ssh"
)

// FindTerminfo is the compiled description of a terminal as ncurses would find
// it: in $TERMINFO, ~/.terminfo, $TERMINFO_DIRS and the system's folders. nil
// where there is none that is whole, and for terminals that every machine knows.
func FindTerminfo(term, home string, getenv func(string) string) *ssh.Terminfo {
	t := &ssh.Terminfo{Name: term}
	if everywhere(term) || !ssh.ValidTermName(term) {
		return nil
	}
	dirs := []string{getenv("TERMINFO"), filepath.Join(home, ".terminfo")}
	dirs = append(dirs, filepath.SplitList(getenv("TERMINFO_DIRS"))...)
	dirs = append(dirs, "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/local/share/terminfo")
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		for _, sub := range [...]string{term[:1], fmt.Sprintf("%02x", term[0])} {
			data, err := readSmall(filepath.Join(dir, sub, term))
			if err != nil || len(data) > ssh.MaxTerminfo {
				continue
			}
			if t.Entry = data; t.Check() == nil {
				return t
			}
		}
	}
	return nil
}

// everywhere reports whether every machine has a terminal's description.
func everywhere(term string) bool {
	switch term {
	case "", "dumb", "ansi", "linux", "vt100", "vt102", "vt220", "xterm", "xterm-color", "xterm-256color", "screen", "screen-256color":
		return true
	}
	return false
}

// TakesTerminfo reports whether a server takes a description with the session.
func TakesTerminfo(c *ssh.Client) bool {
	return strings.HasPrefix(string(c.ServerVersion()), "SSH-2.0-OpenSSH_compatible_nacre")
}
