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
