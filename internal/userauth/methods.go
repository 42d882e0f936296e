package userauth

import (
	"fmt"
	"slices"
	"strings"
)

// reported are the methods a FAILURE names, in OpenSSH's order. The
// host-bound publickey method is publickey to everybody.
var reported = [...]string{methodPublicKey, methodPassword, methodInteractive, methodHostbased}

// ParseMethodLists reads the arguments of AuthenticationMethods: each is a
// comma list of methods, all of which must succeed in that order; one list is
// enough. "any" alone gives nil: any one method will do. Submethods
// ("keyboard-interactive:pam") name the device.
func ParseMethodLists(args []string) ([][]string, error) {
	if len(args) == 1 && args[0] == "any" {
		return nil, nil
	}
	lists := make([][]string, 0, len(args))
	for _, arg := range args {
		list := strings.Split(arg, ",")
		for _, m := range list {
			name, sub, has := strings.Cut(m, ":")
			if name != methodNone && !slices.Contains(reported[:], name) || has && sub == "" {
				return nil, fmt.Errorf("userauth: unknown method %q in authentication methods list %q; known are none, %s",
					m, arg, strings.Join(reported[:], ", "))
			}
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("userauth: empty authentication methods list; write any for any one method")
	}
	return lists, nil
}

// matchMethod says how entry, for example "keyboard-interactive:pam", fits a
// method and its submethod: at all, and by name so that it may be ticked off.
// Without a submethod an entry with one fits, but cannot be ticked off.
func matchMethod(entry, method, sub string) (fits, done bool) {
	name, want, has := strings.Cut(entry, ":")
	switch {
	case name != method:
		return false, false
	case !has:
		return true, true
	case sub == "":
		return true, false
	}
	return want == sub, want == sub
}

// MethodLists are what is still to be completed of lists of methods, see
// [ParseMethodLists]; with Any one method is enough, whichever it is.
type MethodLists struct {
	Lists [][]string
	Any   bool
}

// Allows reports whether method (with submethod sub, "" for any) may be tried
// now: whether a list begins with it.
func (r *MethodLists) Allows(method, sub string) bool {
	if r.Any {
		return true
	}
	for _, l := range r.Lists {
		if fits, _ := matchMethod(l[0], method, sub); fits {
			return true
		}
	}
	return false
}

// Complete ticks method off in every list that begins with it. It reports
// whether that finished a list, and whether there was one at all.
func (r *MethodLists) Complete(method, sub string) (finished, found bool) {
	if r.Any {
		return true, true
	}
	next := make([][]string, len(r.Lists))
	for i, l := range r.Lists {
		next[i] = l
		if _, done := matchMethod(l[0], method, sub); done {
			found = true
			if len(l) == 1 {
				return true, true
			}
			next[i] = l[1:]
		}
	}
	if found {
		r.Lists = next
	}
	return false, found
}
