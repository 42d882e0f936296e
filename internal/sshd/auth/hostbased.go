//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/knownhosts"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// HostbasedFiles are the system's files that host-based authentication reads.
// The zero value is the usual ones.
type HostbasedFiles struct {
	HostsEquiv, ShostsEquiv string
	KnownHosts              []string
}

func (f HostbasedFiles) orUsual() HostbasedFiles {
	if f.HostsEquiv == "" {
		f.HostsEquiv = "/etc/hosts.equiv"
	}
	if f.ShostsEquiv == "" {
		f.ShostsEquiv = "/etc/ssh/shosts.equiv"
	}
	if f.KnownHosts == nil {
		f.KnownHosts = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	return f
}

const (
	// maxRhosts is how much of a .rhosts file and its kin is read, in bytes,
	// and maxRhostsLine how long one of its lines may be.
	maxRhosts     = 1 << 20
	maxRhostsLine = 1023
)

// HostbasedAllowed says whether the user called clientUser on the host that
// calls itself clientHost may log in by that host's key.
func (v *Visitor) HostbasedAllowed(ctx context.Context, key pubkey.PublicKey, algorithm, clientHost, clientUser string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.offered = nil
	if err := v.begin(methodHostbased, ""); err != nil {
		return err
	}
	if !v.cfg.HostbasedAuthentication {
		return fmt.Errorf("%w: no host-based authentication", ErrRefused)
	}
	v.requests++
	if !v.valid {
		v.failures++
		return ErrRefused
	}
	v.attempted = true
	a := hostAttempt(key, clientHost, clientUser)
	if err := v.hostAllowed(ctx, key, strings.TrimSuffix(clientHost, "."), clientUser); err != nil {
		return v.fail(a, err)
	}
	v.offered = &offer{blob: string(key.Marshal()), algorithm: algorithm, hostbased: a.info}
	return nil
}

func hostAttempt(key pubkey.PublicKey, host, user string) *attempt {
	return &attempt{method: methodHostbased, key: key,
		info: fmt.Sprintf("client user \"%.100s\", client host \"%.100s\"", user, strings.TrimSuffix(host, "."))}
}

// HostbasedVerified verifies the signature blob of the host key that
// HostbasedAllowed said yes to last.
func (v *Visitor) HostbasedVerified(_ context.Context, key pubkey.PublicKey, algorithm, clientHost, clientUser string, signed, sig []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.offered
	v.offered = nil
	a := hostAttempt(key, clientHost, clientUser)
	if o == nil || o.hostbased != a.info || o.blob != string(key.Marshal()) || o.algorithm != algorithm {
		return ErrOrder
	}
	if err := v.begin(methodHostbased, ""); err != nil {
		return err
	}
	if err := verify(key, algorithm, signed, sig, pubkey.SKOptions{}); err != nil {
		return v.fail(a, err)
	}
	return v.succeed(a, nil)
}

var (
	errEquiv    = errors.New("auth: no file lets this host's user in")
	errHostKey  = errors.New("auth: the host's key is not known")
	errHostCert = errors.New("auth: the host's certificate is not good")
)

// hostAllowed goes through the files that name hosts and users, and then those
// that hold the hosts' keys.
func (v *Visitor) hostAllowed(ctx context.Context, key pubkey.PublicKey, claim, user string) error {
	k := v.keyCheck()
	if err := k.revoked(key); err != nil {
		return err
	}
	name, addr := v.host, v.remote
	if v.cfg.HostbasedUsesNameFromPacketOnly {
		name, addr = claim, claim
	} else if !strings.EqualFold(name, claim) {
		v.lines.Logf(sshconfig.Info, "userauth_hostbased mismatch: client sends %s, but we resolve %s to %s", claim, v.remote, name)
	}
	e := &equiv{k: k, cfg: v.cfg, files: v.h.Hostbased.orUsual(), host: name, addr: addr, user: user}
	if !e.allowed(ctx) {
		return errEquiv
	}
	known := k.knownHosts(ctx, v.h.Hostbased.orUsual())
	r := known.CheckHost(name, 0, key)
	cert, isCert := key.(*pubkey.Certificate)
	switch {
	case r.Verdict == knownhosts.IsRevoked:
		v.lines.Logf(sshconfig.Error, "WARNING: revoked key for %s attempted authentication", name)
		return errHostKey
	case isCert && r.CertError != nil:
		v.lines.Logf(sshconfig.Error, "%s", certReason(r.CertError))
		return errHostCert
	case r.Verdict != knownhosts.Match:
		return errHostKey
	case isCert:
		v.lines.Logf(sshconfig.Verbose, "Accepted certificate ID \"%s\" signed by %s CA %s from %s@%s",
			cert.KeyId, pubkey.TypeName(cert.SignatureKey), v.fingerprint(cert.SignatureKey), user, name)
	default:
		v.lines.Logf(sshconfig.Verbose, "Accepted %s public key %s from %s@%s", pubkey.TypeName(key), v.fingerprint(key), user, name)
	}
	return nil
}

// knownHosts are the keys of hosts: the system's and, unless the configuration
// says no, the user's.
func (k *keyCheck) knownHosts(ctx context.Context, files HostbasedFiles) *knownhosts.Hosts {
	h := &knownhosts.Hosts{Now: func() time.Time { return k.now }, CASignatureAlgorithms: k.cfg.CASignatureAlgorithms}
	for _, name := range files.KnownHosts {
		if b, err := readRegular(name); err == nil {
			h.Files = append(h.Files, knownhosts.Parse(name, b))
		}
	}
	if k.cfg.IgnoreUserKnownHosts {
		return h
	}
	for _, base := range [...]string{"known_hosts", "known_hosts2"} {
		name := filepath.Join(k.user.Home, ".ssh", base)
		var b []byte
		var bad bool
		err := asUser(ctx, k.user.UID, k.user.GID, k.ids, func() (err error) {
			b, bad, err = readOwn(name, k.user.UID, k.cfg.StrictModes, MaxUserFile)
			return err
		})
		switch {
		case bad:
			k.log(sshconfig.Info, "Authentication refused for %s: bad owner or modes for %s", k.user.Name, name)
		case err == nil:
			h.Files = append(h.Files, knownhosts.Parse(name, b))
		}
	}
	return h
}

// readOwn reads a regular file; with strict it must be root's or the user's and
// changeable by nobody else, else it is bad.
func readOwn(path string, uid uint32, strict bool, most int64) (b []byte, bad bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !st.Mode().IsRegular() {
		return nil, false, errNotRegular
	}
	if strict && !onlyFor(st, uid) {
		return nil, true, errNotRegular
	}
	b, err = io.ReadAll(io.LimitReader(f, most))
	return b, false, err
}

var errNotRegular = errors.New("not a regular file")

// equiv looks for a line that lets user of a host in without a password.
type equiv struct {
	k          *keyCheck
	cfg        *sshconfig.Server
	files      HostbasedFiles
	host, addr string
	user       string // on the client
}

func (e *equiv) allowed(ctx context.Context) bool {
	a := e.k.user
	if a.UID != 0 { // for root the system's files do not count
		for _, name := range [...]string{e.files.HostsEquiv, e.files.ShostsEquiv} {
			b, _, err := readOwn(name, 0, false, maxRhosts)
			if errors.Is(err, errNotRegular) {
				e.notRegular(name)
			}
			if err == nil && e.match(b) {
				e.k.log(sshconfig.Debug1, "Accepted for %s [%s] by %s.", e.host, e.addr, name)
				return true
			}
		}
	}
	st, err := os.Stat(a.Home)
	if err != nil {
		e.k.log(sshconfig.Info, "Rhosts authentication refused for %s: no home directory %s", a.Name, a.Home)
		return false
	}
	if e.cfg.StrictModes && !onlyFor(st, a.UID) {
		e.k.log(sshconfig.Info, "Rhosts authentication refused for %s: bad ownership or modes for home directory.", a.Name)
		return false
	}
	for _, base := range [...]string{".shosts", ".rhosts"} {
		name := filepath.Join(a.Home, base)
		var b []byte
		var bad bool
		err := asUser(ctx, a.UID, a.GID, e.k.ids, func() (err error) {
			b, bad, err = readOwn(name, a.UID, e.cfg.StrictModes, maxRhosts)
			return err
		})
		switch {
		case bad:
			e.k.log(sshconfig.Info, "Rhosts authentication refused for %s: bad modes for %s", a.Name, name)
		case errors.Is(err, os.ErrNotExist):
		case e.cfg.IgnoreRhosts == sshconfig.RhostsIgnored, e.cfg.IgnoreRhosts == sshconfig.RhostsShostsOnly && base != ".shosts":
			e.k.log(sshconfig.Debug1, "Server has been configured to ignore %s.", base)
		case errors.Is(err, errNotRegular):
			e.notRegular(name)
		case err == nil && e.match(b):
			e.k.log(sshconfig.Debug1, "Accepted by %s.", base)
			return true
		}
	}
	return false
}

func (e *equiv) notRegular(name string) {
	e.k.log(sshconfig.Info, "User %s hosts file %s is not a regular file", e.k.user.Name, name)
}

// match goes through the lines "HOST [USER]" of a file. The first that fits
// decides; one with a minus refuses. A plus alone, which means everybody, is
// never taken, nor are network groups, which refuse where they would refuse
// some.
func (e *equiv) match(file []byte) bool {
	for line := range bytes.Lines(file) {
		if len(line) > maxRhostsLine || bytes.IndexByte(line, 0) >= 0 {
			continue
		}
		f := strings.Fields(string(line))
		if len(f) == 0 || f[0][0] == '#' || strings.HasPrefix(f[0], "NO_PLUS") || len(f) > 2 {
			continue
		}
		host, user := f[0], e.k.user.Name
		if len(f) == 2 {
			user = f[1]
		}
		host, no := sign(host)
		user, no2 := sign(user)
		negated := no || no2
		if host == "" || user == "" {
			continue
		}
		fits := func(what string, ok bool) bool { return what[0] == '@' && negated || what[0] != '@' && ok }
		if fits(host, strings.EqualFold(host, e.host) || host == e.addr) && fits(user, user == e.user) {
			return !negated
		}
	}
	return false
}

func sign(s string) (rest string, minus bool) {
	if s[0] == '-' || s[0] == '+' {
		return s[1:], s[0] == '-'
	}
	return s, false
}
