package client

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/knownhosts"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// mayUpdate says whether keys that the server tells of may be learned, and
// logs what stands against it.
func (h *HostKeys) mayUpdate() bool {
	c := h.Conf
	switch {
	case c.UpdateHostKeys == sshconfig.AskNo, c.UpdateHostKeys == sshconfig.AskAsk && c.BatchMode, len(h.userFiles()) == 0:
		return false
	case !h.Trusted:
		h.Log.Debug1("hostkey not known or explicitly trusted: disabling UpdateHostkeys")
	case h.Global:
		h.Log.Debug1("host key found in GlobalKnownHostsFile; disabling UpdateHostkeys")
	case h.Command:
		h.Log.Debug1("host key found via KnownHostsCommand; disabling UpdateHostkeys")
	case h.Certificate:
		h.Log.Debug1("certificate host key in use; disabling UpdateHostkeys")
	default:
		return true
	}
	return false
}

// hostKeyPlan is what has to be done for the user's files to hold exactly the
// keys of a server.
type hostKeyPlan struct {
	names []string // of the host, and of its address with CheckHostIP
	keys  []ssh.PublicKey
	add   []ssh.PublicKey // unknown so far: to be proved
	drop  []ssh.PublicKey // known, and no longer offered
	stop  string          // why nothing is done
}

// plan compares the keys that a server told of with the user's files.
func (h *HostKeys) plan(files []*knownhosts.File, offered []ssh.PublicKey) hostKeyPlan {
	p := hostKeyPlan{names: []string{h.Name()}}
	if h.Conf.CheckHostIP && !h.Proxied && h.address.IsValid() {
		p.names = append(p.names, knownhosts.Name(h.address.String(), h.Conf.Port))
	}
	for _, k := range offered {
		_, isCert := k.(*ssh.Certificate)
		switch {
		case isCert || !h.algorithmAllowed(k):
		case containsKey(p.keys, k):
			p.stop = "received duplicated " + k.Type() + " host key"
			return p
		default:
			p.keys = append(p.keys, k)
		}
	}
	if len(p.keys) == 0 {
		p.stop = "server sent no hostkeys"
		return p
	}
	known := make([]int, len(p.keys)) // names under which each is known
	var elsewhere, complex bool
	for _, f := range files {
		for i := range f.Lines {
			l := &f.Lines[i]
			key, err := l.Key()
			if !l.IsEntry() || err != nil {
				continue
			}
			n := 0
			for _, name := range p.names {
				if l.Matches(name) {
					n++
				}
			}
			at := slices.IndexFunc(p.keys, func(k ssh.PublicKey) bool { return pubkey.Equal(k, key) })
			switch {
			case n == 0:
				elsewhere = elsewhere || at >= 0
			case l.Marker != knownhosts.Plain || l.HasWildcards() || strings.Count(l.Hosts, ",") > 1:
				complex = true
			case at >= 0:
				known[at] += n
			default:
				if !containsKey(p.drop, key) {
					p.drop = append(p.drop, key)
				}
			}
		}
	}
	for i, k := range p.keys {
		if known[i] < len(p.names) {
			p.add = append(p.add, k)
		}
	}
	switch {
	case len(p.add) == 0 && len(p.drop) == 0:
		p.stop = "no new or deprecated keys from server"
	case complex:
		p.stop = "CA/revocation marker, manual host list or wildcard host pattern found, skipping UserKnownHostsFile update"
	case elsewhere:
		p.stop = "host key found matching a different name/address, skipping UserKnownHostsFile update"
	case h.knownElsewhere(files, &p):
		p.stop = "key to be removed is known under a different name/address, skipping UserKnownHostsFile update"
	}
	return p
}

// knownElsewhere says whether a key that would go is another host's too.
func (h *HostKeys) knownElsewhere(files []*knownhosts.File, p *hostKeyPlan) bool {
	for _, f := range files {
		for i := range f.Lines {
			l := &f.Lines[i]
			key, err := l.Key()
			if err != nil || !l.IsEntry() || !containsKey(p.drop, key) {
				continue
			}
			if !slices.ContainsFunc(p.names, l.Matches) {
				return true
			}
		}
	}
	return false
}

func containsKey(list []ssh.PublicKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(list, func(k ssh.PublicKey) bool { return pubkey.Equal(k, key) })
}

// algorithmAllowed says whether HostKeyAlgorithms has a name for the key.
func (h *HostKeys) algorithmAllowed(key ssh.PublicKey) bool {
	for _, name := range h.Conf.HostKeyAlgorithms {
		if a := pubkey.AlgorithmByName(name); a != nil && a.KeyType == key.Type() {
			return true
		}
	}
	return false
}

// Learn does what UpdateHostKeys says with the keys that a server told of:
// unknown ones are proved first, which prove has the server do.
func (h *HostKeys) Learn(ctx context.Context, offered []ssh.PublicKey, prove func([]ssh.PublicKey) error) {
	if !h.mayUpdate() {
		return
	}
	var files []*knownhosts.File
	for _, name := range h.userFiles() {
		f, err := knownhosts.Read(name)
		if err == nil {
			files = append(files, f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			h.Log.Error("hostkeys_foreach failed for %s: %s", name, Strerror(err))
			return
		}
	}
	p := h.plan(files, offered)
	if p.stop != "" {
		h.Log.Debug1("client_input_hostkeys: %s", p.stop)
		return
	}
	if len(p.add) > 0 {
		h.Log.Debug3("client_input_hostkeys: asking server to prove ownership for %d keys", len(p.add))
		if err := prove(p.add); err != nil {
			h.Log.Error("Server failed to confirm ownership of private host keys")
			h.Log.Debug1("%s", err)
			return
		}
	}
	if h.accept(ctx, &p) {
		h.replace(&p)
	}
}

// accept tells of the change, and asks where UpdateHostKeys says so.
func (h *HostKeys) accept(ctx context.Context, p *hostKeyPlan) bool {
	asking, level := h.Conf.UpdateHostKeys == sshconfig.AskAsk, LevelVerbose
	if asking {
		level = LevelInfo
		h.Log.Log(level, "The server has updated its host keys.")
		h.Log.Log(level, "These changes were verified by the server's existing trusted key.")
	}
	for _, k := range p.add {
		h.Log.Log(level, "Learned new hostkey: %s %s", pubkey.TypeName(k), h.fingerprint(k))
	}
	for _, k := range p.drop {
		h.Log.Log(level, "Deprecating obsolete hostkey: %s %s", pubkey.TypeName(k), h.fingerprint(k))
	}
	for range 3 {
		if !asking {
			return true
		}
		answer, is := h.Ask.Ask(ctx, "Accept updated hostkeys? (yes/no): ", AskEcho)
		switch {
		case is && strings.EqualFold(string(answer), "yes"):
			return true
		case !is || strings.EqualFold(string(answer), "no"):
			return false
		}
		h.Log.Log(level, "Please enter \"yes\" or \"no\"")
	}
	return false
}

// replace rewrites the user's files: keys are added to the first and removed
// from all.
func (h *HostKeys) replace(p *hostKeyPlan) {
	for i, name := range h.userFiles() {
		if _, err := os.Stat(name); err != nil {
			h.Log.Debug1("update_known_hosts: known hosts file %s: %s", name, Strerror(err))
			continue
		}
		var keys []ssh.PublicKey
		if i == 0 {
			keys = p.keys
		}
		if _, err := knownhosts.Update(name, p.names, keys, h.Conf.HashKnownHosts); err != nil {
			h.Log.Error("hostfile_replace_entries failed for %s: %s", name, Strerror(err))
		}
	}
}
