//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// methodLists reads AuthenticationMethods and drops the lists that cannot be
// fulfilled. With none left nobody gets in.
func (v *Visitor) methodLists(p *Policy) (lists [][]string, err error) {
	if len(v.cfg.AuthenticationMethods) == 0 {
		return nil, nil
	}
	all, err := userauth.ParseMethodLists(v.cfg.AuthenticationMethods)
	if err != nil || all == nil {
		return nil, err
	}
	for i, l := range all {
		possible := true
		for _, entry := range l {
			possible = possible && p.offers(entry)
		}
		if !possible {
			v.lines.Logf(sshconfig.Info, "Authentication methods list \"%s\" contains disabled method, skipping", v.cfg.AuthenticationMethods[i])
			continue
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		v.lines.Logf(sshconfig.Error, "No AuthenticationMethods left after eliminating disabled methods")
	}
	return lists, nil
}

// offers tells whether the method of an entry of a list exists.
func (p *Policy) offers(entry string) bool {
	name, sub, has := strings.Cut(entry, ":")
	switch name {
	case methodNone:
		return p.None
	case methodPublicKey:
		return p.PublicKey
	case methodPassword:
		return p.Password
	case methodHostbased:
		return p.Hostbased
	case methodInteractive:
		return len(p.Devices) > 0 && (!has || slices.Contains(p.Devices, sub))
	}
	return false
}

// fits says how an entry of a list goes with a method and its submethod: at
// all, and by name so that it may be ticked off.
func fits(entry, method, sub string) (may, done bool) {
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

// mayTry tells whether a list begins with the method.
func (v *Visitor) mayTry(method, sub string) bool {
	if v.any {
		return true
	}
	for _, l := range v.lists {
		if may, _ := fits(l[0], method, sub); may {
			return true
		}
	}
	return false
}

// tick takes the method off every list that begins with it, and tells whether
// that finished one, and whether there was one at all.
func (v *Visitor) tick(method, sub string) (finished, found bool) {
	if v.any {
		return true, true
	}
	next := make([][]string, len(v.lists))
	for i, l := range v.lists {
		next[i] = l
		if _, done := fits(l[0], method, sub); done {
			found = true
			if len(l) == 1 {
				return true, true
			}
			next[i] = l[1:]
		}
	}
	if found {
		v.lists = next
	}
	return false, found
}
