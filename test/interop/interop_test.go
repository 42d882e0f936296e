package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/test/interop/rig"
)

var subjectName = flag.String("subject", "nacre", "whose client and server are tried (openssh tries the rig itself)")

func TestMain(m *testing.M) {
	rig.GoPrivate()
	code := m.Run()
	if theLab != nil {
		theLab.w.Close()
	}
	os.Exit(code)
}

// What is sent each way, how often keys change on the way, and how long a run
// may take on a busy machine.
const (
	payload = 1 << 20
	rekey   = "700K"
	patient = 2 * time.Minute
)

// lab is what all runs share.
type lab struct {
	w      *rig.World
	data   []byte
	client *rig.Tool   // ours
	daemon *rig.Daemon // ours

	mu   sync.Mutex
	used [2]map[int]bool // lines of Lacks and Ours that were true
	ran  map[string]bool // peers that were tried, as "role peer"
}

// theLab is shared by all tests, so that the last can say what none used.
var theLab *lab

func newLab(t *testing.T) *lab {
	t.Helper()
	if theLab != nil {
		return theLab
	}
	w, err := rig.NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{ran: map[string]bool{}, w: w, data: make([]byte, payload), client: rig.ToolByName(*subjectName), daemon: rig.DaemonByName(*subjectName)}
	rand.Read(l.data)
	l.used = [2]map[int]bool{{}, {}}
	if l.client == nil || l.daemon == nil {
		t.Fatalf("no such subject: %q", *subjectName)
	}
	if l.client.Program(w) == "" || l.daemon.Program(w) == "" {
		t.Fatalf("%s is not built: make build", *subjectName)
	}
	theLab = l
	return l
}

// missing skips a test whose peer is not on this machine, and fails it where
// all are wanted.
func missing(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("NACRE_PEERS") == "all" {
		t.Fatalf("%s is not on this machine: make peers", name)
	}
	t.Skipf("peer lacks itself: %s is not on this machine: make peers", name)
}

func (l *lab) start(t *testing.T, d *rig.Daemon, o rig.ServerOptions) *rig.Server {
	t.Helper()
	s, err := l.w.Start(d, o)
	if errors.Is(err, rig.ErrNotHere) {
		missing(t, d.Name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// try runs one connection through everything a connection does.
func (l *lab) try(t *testing.T, tool *rig.Tool, r *rig.Request) {
	t.Helper()
	r.Command = "cat; echo problem >&2; exit 7"
	rekeys := !tool.NoRekey && !r.Server.Daemon.NoRekey
	if rekeys && tool.Chooses.Rekey && r.Rekey == "" {
		r.Rekey = rekey
	}
	speaksOpenSSH := strings.HasPrefix(tool.Name, "openssh") || tool.Name == "nacre"
	r.Verbose = speaksOpenSSH
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	o, err := l.w.Run(ctx, tool, r, bytes.NewReader(l.data))
	if o == nil {
		t.Fatal(err)
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s\ncommand: %q\nstderr: %s\nclient's log: %s\nserver's log: %s", fmt.Sprintf(format, args...), o.Argv, o.Stderr, tail(o.Log), tail(r.Server.Log()))
	}
	switch {
	case err != nil:
		fail("%v", err)
	case o.Code != 7:
		fail("exit status %d, want 7", o.Code)
	case !bytes.Equal(o.Stdout, l.data):
		fail("%d bytes came back, want the %d that were sent", len(o.Stdout), len(l.data))
	case speaksOpenSSH && string(o.Stderr) != "problem\n", !bytes.Contains(o.Stderr, []byte("problem\n")):
		fail("standard error %q", o.Stderr)
	}
	if speaksOpenSSH && rekeys {
		if n := strings.Count(o.Log, "SSH2_MSG_NEWKEYS sent"); n < 2 {
			fail("%d key exchanges, want a second one in the middle", n)
		}
	}
}

func tail(s string) string {
	if len(s) > 3000 {
		s = "…" + s[len(s)-3000:]
	}
	return s
}

// lists are the algorithms of one side.
type lists struct{ kex, ciphers, macs, hostKeys []string }

// ourLists asks the subject's client what there is.
func (l *lab) ourLists(t *testing.T) lists {
	t.Helper()
	file := l.client.Program(l.w)
	words := []string{file}
	if l.client.Name == "nacre" {
		words = append(words, "ssh")
	}
	q := func(kind string) []string { return rig.Query(kind, words...) }
	out := lists{q("kex"), q("cipher"), q("mac"), plain(q("HostKeyAlgorithms"))}
	if len(out.kex) == 0 || len(out.ciphers) == 0 || len(out.macs) == 0 || len(out.hostKeys) == 0 {
		t.Fatalf("%q -Q lists nothing of something: %+v", words, out)
	}
	return out
}

// plain drops what is tried elsewhere: certificates, and keys that live in
// hardware.
func plain(algs []string) []string {
	return slices.DeleteFunc(slices.Clone(algs), func(a string) bool {
		return strings.Contains(a, "-cert-v") || strings.Contains(a, "sk-") || a == "ssh-dss" || !algorithmOfRig(a)
	})
}

// algorithmOfRig reports that the rig has keys of an algorithm.
func algorithmOfRig(alg string) bool { return keyOf(alg) != "" }

// keyOf returns the rig's name of the key that an algorithm signs with.
func keyOf(alg string) string {
	for _, k := range rig.KeyTypes {
		if slices.Contains(rig.HostKeyAlgorithms(k.Name), alg) {
			return k.Name
		}
	}
	return ""
}

func fromOffer(k *wire.KexInit) lists {
	real := func(names []string) []string {
		return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "ext-info-") || strings.HasPrefix(n, "kex-strict-") })
	}
	return lists{real(k.Kex), k.CiphersC2S, k.MACsC2S, plain(k.HostKey)}
}

// common returns what both sides have, and fails for every gap that is not in
// the lists of lacks.go.
func (l *lab) common(t *testing.T, peer, role, kind string, ours, theirs []string) []string {
	t.Helper()
	var out []string
	for _, a := range ours {
		if slices.Contains(theirs, a) {
			out = append(out, a)
			continue
		}
		l.gap(t, 0, Lacks[:], peer, role, kind, a)
	}
	for _, a := range theirs {
		if !slices.Contains(ours, a) {
			l.gap(t, 1, Ours[:], peer, role, kind, a)
		}
	}
	return out
}

func (l *lab) gap(t *testing.T, which int, list []Lack, peer, role, kind, name string) {
	t.Helper()
	if l.client.Name != "nacre" { // the list is about us
		return
	}
	if i := find(list, peer, role, kind, name); i >= 0 {
		l.mu.Lock()
		l.used[which][i] = true
		l.mu.Unlock()
		return
	}
	who := peer + " lacks"
	if which == 1 {
		who = "we lack, of what " + peer + " has,"
	}
	t.Errorf("%s the %s %s (as %s), and lacks.go does not say why", who, kind, name, role)
}

// suites are the pairs of cipher and MAC that are tried. The whole product
// where a connection is cheap; each cipher and each MAC once where it is not.
func suites(ciphers, macs []string, whole bool) [][2]string {
	var out [][2]string
	for i, c := range ciphers {
		switch {
		case aead(c):
			out = append(out, [2]string{c, ""})
		case whole:
			for _, m := range macs {
				out = append(out, [2]string{c, m})
			}
		case len(macs) > 0:
			out = append(out, [2]string{c, macs[i%len(macs)]})
		}
	}
	if !whole {
		for _, c := range ciphers {
			if aead(c) {
				continue
			}
			for _, m := range macs {
				if !slices.Contains(out, [2]string{c, m}) {
					out = append(out, [2]string{c, m})
				}
			}
			break
		}
	}
	return out
}

func aead(cipher string) bool {
	return strings.Contains(cipher, "-gcm@") || strings.HasPrefix(cipher, "chacha20-poly1305")
}

// cheap peers are those whose start costs less than a connection.
func cheap(peer string) bool { return peer != "paramiko" && peer != "asyncssh" }

// TestServers: our client, every real server.
func TestServers(t *testing.T) {
	l := newLab(t)
	ours := l.ourLists(t)
	for _, d := range rig.Daemons() {
		t.Run(d.Name, func(t *testing.T) {
			if d.Program(l.w) == "" {
				missing(t, d.Name)
			}
			s := l.start(t, d, rig.ServerOptions{})
			k, err := s.Offer()
			if err != nil {
				t.Fatal(err)
			}
			l.matrix(t, d.Name, "server", ours, fromOffer(k), l.client, d.HostKeys, func(*testing.T, choice) *rig.Server { return s })
		})
	}
}

// TestClients: every real client, our server.
func TestClients(t *testing.T) {
	l := newLab(t)
	ours := l.ourLists(t)
	for _, tool := range rig.Tools() {
		t.Run(tool.Name, func(t *testing.T) {
			if tool.Program(l.w) == "" {
				missing(t, tool.Name)
			}
			theirs := l.clientLists(t, tool)
			shared := l.start(t, l.daemon, rig.ServerOptions{})
			l.matrix(t, tool.Name, "client", ours, theirs, tool, l.daemon.HostKeys, func(t *testing.T, c choice) *rig.Server {
				o := c.forServer(tool)
				if o == nil {
					return shared
				}
				return l.start(t, l.daemon, *o)
			})
		})
	}
}

// clientLists finds out what a client has: by asking it, or by listening.
func (l *lab) clientLists(t *testing.T, tool *rig.Tool) lists {
	t.Helper()
	file := tool.Program(l.w)
	switch tool.Name {
	case "nacre":
		return l.ourLists(t)
	case "openssh", "openssh10":
		return lists{rig.Query("kex", file), rig.Query("cipher", file), rig.Query("mac", file), plain(rig.Query("HostKeyAlgorithms", file))}
	}
	k, err := l.w.Offer(tool)
	if err != nil {
		t.Fatal(err)
	}
	return fromOffer(k)
}

// choice is what one run fixes.
type choice struct{ kex, cipher, mac, hostKey, userKey string }

// forServer returns how our server must be set up because the client cannot
// choose by itself, nil when it can.
func (c choice) forServer(tool *rig.Tool) *rig.ServerOptions {
	o := rig.ServerOptions{}
	fix := func(can bool, keyword, value string) {
		if !can && value != "" {
			o.Config = append(o.Config, keyword+" "+value)
		}
	}
	fix(tool.Chooses.Kex, "KexAlgorithms", c.kex)
	fix(tool.Chooses.Cipher, "Ciphers", c.cipher)
	fix(tool.Chooses.MAC, "MACs", c.mac)
	fix(tool.Chooses.HostKey, "HostKeyAlgorithms", c.hostKey)
	if !tool.Chooses.HostKey && c.hostKey != "" {
		o.HostKeys = []string{keyOf(c.hostKey)}
	}
	fix(tool.Chooses.UserKey, "PubkeyAcceptedAlgorithms", c.userKey)
	if len(o.Config) == 0 && o.HostKeys == nil {
		return nil
	}
	if !tool.Chooses.Rekey && !tool.NoRekey {
		o.Rekey = rekey
	}
	return &o
}

// matrix runs every algorithm that both sides know.
func (l *lab) matrix(t *testing.T, peer, role string, ours, theirs lists, tool *rig.Tool, hostKeys []string, server func(*testing.T, choice) *rig.Server) {
	defer func() { l.ran[role+" "+peer] = true }()
	kexs := l.common(t, peer, role, "kex", ours.kex, theirs.kex)
	run := func(name string, c choice) {
		if c.kex == "" { // a light one, where it is not what is tried
			c.kex = kexs[0]
			for _, k := range []string{"curve25519-sha256@libssh.org", "curve25519-sha256"} {
				if slices.Contains(kexs, k) {
					c.kex = k
				}
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, c)
			r := &rig.Request{Server: s}
			if tool.Chooses.Kex {
				r.Kex = c.kex
			}
			if tool.Chooses.Cipher {
				r.Cipher = c.cipher
			}
			if tool.Chooses.MAC {
				r.MAC = c.mac
			}
			if tool.Chooses.HostKey {
				r.HostKeyAlgorithm = c.hostKey
			}
			if tool.Chooses.UserKey {
				r.UserKeyAlgorithm = c.userKey
			}
			if c.userKey != "" {
				r.Key = keyOf(c.userKey)
			}
			l.try(t, tool, r)
		})
	}
	for _, k := range kexs {
		run("kex "+k, choice{kex: k})
	}
	ciphers := l.common(t, peer, role, "cipher", ours.ciphers, theirs.ciphers)
	macs := l.common(t, peer, role, "mac", ours.macs, theirs.macs)
	for _, s := range suites(ciphers, macs, cheap(peer)) {
		run(strings.TrimSpace("suite "+s[0]+" "+s[1]), choice{cipher: s[0], mac: s[1]})
	}
	for _, a := range l.common(t, peer, role, "hostkey", ours.hostKeys, theirs.hostKeys) {
		if slices.Contains(hostKeys, keyOf(a)) {
			run("hostkey "+a, choice{hostKey: a})
		}
	}
	for _, a := range l.common(t, peer, role, "userkey", ours.hostKeys, userKeys(peer, role, tool)) {
		run("userkey "+a, choice{userKey: a})
	}
}

// userKeys are the signature algorithms that a peer logs in or lets in with.
// Servers do not offer a list before the login, so this is known, not asked.
func userKeys(peer, role string, tool *rig.Tool) []string {
	kinds, not := tool.UserKeys, tool.NotUser
	if role == "server" {
		d := rig.DaemonByName(peer)
		kinds, not = d.UserKeys, d.NotUser
	}
	var out []string
	for _, k := range kinds {
		for _, a := range rig.HostKeyAlgorithms(k) {
			if !slices.Contains(not, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// TestLacksAreTrue runs last: a line of lacks.go whose peer was tried and that
// no gap needed is to be taken away.
func TestLacksAreTrue(t *testing.T) {
	l := newLab(t)
	if l.client.Name != "nacre" {
		return
	}
	for which, list := range [][]Lack{Lacks[:], Ours[:]} {
		for i, line := range list {
			tried := l.ran["client "+line.Peer] || line.Role == "server" || !isTool(line.Peer)
			tried = tried && (l.ran["server "+line.Peer] || line.Role == "client" || rig.DaemonByName(line.Peer) == nil)
			if tried && !l.used[which][i] {
				t.Errorf("not true any more, take it away: %+v", line)
			}
		}
	}
}

func isTool(name string) bool { return rig.ToolByName(name) != nil }
