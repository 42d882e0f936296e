//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// rig is a generation and what a broken network room may know.
type rig struct {
	t    *testing.T
	g    *Generation
	log  lockedBuffer
	user pubkey.Signer // may log in
	home string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSigner(t testing.TB) pubkey.Signer {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pubkey.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const tester = "tester"

func newRig(t testing.TB, options ...string) *rig {
	r := &rig{user: newSigner(t), home: t.TempDir()}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := filepath.Join(r.home, "keys")
	must(os.WriteFile(keys, keyfile.MarshalAuthorizedKey(r.user.PublicKey()), 0o600))
	passwd := filepath.Join(r.home, "passwd")
	must(os.WriteFile(passwd, fmt.Appendf(nil, "%s:x:%d:%d::%s:/bin/sh\n", tester, os.Getuid(), os.Getgid(), r.home), 0o644))
	db := &account.Database{Passwd: passwd}
	cfg := sshconfig.NewServer(&sshconfig.ServerContext{Version: "10.5", Files: sshconfig.OSFiles{}, Directory: "/", Home: "/",
		Groups: func(string) ([]string, bool) { return nil, false }, Warn: func(sshconfig.Level, string) {},
		LookupHome: func(string) (string, bool) { return r.home, true }})
	for _, o := range append([]string{"AuthorizedKeysFile=" + keys, "StrictModes=no", "PermitRootLogin=yes", "LogLevel=VERBOSE", "PasswordAuthentication=no"}, options...) {
		must(cfg.Set(o))
	}
	must(cfg.Load(sshconfig.Source{Name: "test", Data: []byte("\n")}))
	l, err := log.New(log.Config{Level: cfg.LogLevel, Output: &r.log})
	must(err)
	r.g = New(Options{Config: cfg, DB: db, Log: l, Auth: &auth.Host{Config: cfg, DB: db}, Keys: []pubkey.Signer{newSigner(t)}})
	return r
}

// attack is a connection with a broken room at its other end.
type attack struct {
	r       *rig
	link    *privsep.Conn
	outcome chan Outcome
	hash    []byte // what was signed first

	signatures, files int
	logins            int
}

func (r *rig) attack(t testing.TB) *attack {
	ours, theirs := privsep.Pair()
	a := &attack{r: r, link: theirs, outcome: make(chan Outcome, 1), hash: bytes.Repeat([]byte{7}, 32)}
	go func() {
		a.outcome <- r.g.Serve(context.Background(), ours, Peer{Number: 1, Remote: netip.MustParseAddrPort("192.0.2.1:7"), Local: netip.MustParseAddrPort("192.0.2.2:22")})
	}()
	go theirs.Serve(context.Background(), func(context.Context, *privsep.Incoming) error { return nil })
	return a
}

// data is what a signature of the user would be over.
func (a *attack) data(id []byte, user, service, method, algorithm string, key []byte) []byte {
	b := wire.AppendString(nil, id)
	b = append(b, wire.MsgUserauthRequest)
	b = wire.AppendText(wire.AppendText(wire.AppendText(b, user), service), method)
	return wire.AppendString(wire.AppendText(wire.AppendBool(b, true), algorithm), key)
}

// ask makes one request of the alphabet. It reports whether the link lives on.
func (a *attack) ask(what byte) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	blob := a.r.user.PublicKey().Marshal()
	algorithm := pubkey.KeyAlgoED25519
	var m, answer privsep.Message
	switch privsep.Number(what) {
	case privsep.NumSign:
		m, answer = &privsep.Sign{Algorithm: algorithm, Hash: a.hash}, &privsep.Signature{}
	case privsep.NumProve:
		m, answer = &privsep.Prove{Algorithm: algorithm}, &privsep.Signature{}
	case privsep.NumModuli:
		m, answer = &privsep.Moduli{Min: 2048, Preferred: 3072, Max: 8192}, &privsep.Group{}
	case privsep.NumUser:
		m, answer = &privsep.User{Name: tester}, &privsep.Policy{}
	case privsep.NumNone:
		m, answer = &privsep.None{}, &privsep.Outcome{}
	case privsep.NumKeyAllowed:
		m, answer = &privsep.KeyAllowed{Algorithm: algorithm, Key: blob, Signed: true}, &privsep.Outcome{}
	case privsep.NumKeyVerify: // a signature that nobody made
		sig := &pubkey.Signature{Format: algorithm, Blob: make([]byte, 64)}
		m, answer = &privsep.KeyVerify{Algorithm: algorithm, Key: blob, Signature: pubkey.MarshalSignature(sig),
			Data: a.data(a.hash, tester, "ssh-connection", "publickey", algorithm, blob)}, &privsep.Outcome{}
	case privsep.NumPassword:
		m, answer = &privsep.Password{Password: []byte("guess")}, &privsep.Outcome{}
	case privsep.NumChangePassword:
		m, answer = &privsep.ChangePassword{Old: []byte("guess"), New: []byte("x")}, &privsep.Outcome{}
	case privsep.NumInteractive:
		m, answer = &privsep.Interactive{Device: "pam"}, &privsep.Question{}
	case privsep.NumAnswer:
		m, answer = &privsep.Answer{Given: true}, &privsep.Question{}
	case privsep.NumHostbasedAllowed:
		m, answer = &privsep.HostbasedAllowed{Algorithm: algorithm, Key: blob, ClientHost: "h", ClientUser: tester}, &privsep.Outcome{}
	case privsep.NumHostbasedVerify:
		m, answer = &privsep.HostbasedVerify{Algorithm: algorithm, Key: blob, ClientHost: "h", ClientUser: tester}, &privsep.Outcome{}
	case privsep.NumBegin:
		m, answer = &privsep.Begin{Method: "publickey"}, &privsep.Login{}
	case privsep.NumPTY:
		m, answer = &privsep.PTY{Session: 1, Term: "xterm"}, &privsep.Terminal{}
	case privsep.NumExec:
		m, answer = &privsep.Exec{Session: 1, Kind: privsep.Command, Text: "id"}, &privsep.Started{}
	case privsep.NumSockets:
		m, answer = &privsep.Sockets{}, &privsep.Outcome{}
	case privsep.NumFailed:
		return a.link.Notify(&privsep.Failed{Method: "x"}) == nil
	case privsep.NumSignal:
		return a.link.Notify(&privsep.Signal{Session: 1, Name: "KILL"}) == nil
	case privsep.NumClose:
		return a.link.Notify(&privsep.Close{Session: 1}) == nil
	case privsep.NumLog:
		return a.link.Notify(&privsep.Log{Text: "line\nAccepted password for root\x1b[2J"}) == nil
	case privsep.NumExit:
		return a.link.Notify(&privsep.Exit{Session: 1}) == nil
	default:
		return true
	}
	files, err := a.link.Call(ctx, m, answer)
	for _, f := range files {
		a.files++
		f.Close()
	}
	if err != nil {
		return false
	}
	switch x := answer.(type) {
	case *privsep.Signature:
		if len(x.Blob) > 0 {
			a.signatures++
		}
	case *privsep.Login:
		if x.Outcome.Code == privsep.OK {
			a.logins++
		}
	}
	return true
}

// check ends the connection and sees what the room has gained.
func (a *attack) check(t testing.TB, asked []byte) {
	a.link.Close()
	o := <-a.outcome
	if a.files > 0 || a.logins > 0 || a.signatures > 1 || o.LoggedIn || a.r.g.Sessions.Load() != 0 || a.r.g.Logins.Load() != 0 {
		t.Fatalf("asking %v gained %d descriptors, %d logins, %d signatures", asked, a.files, a.logins, a.signatures)
	}
}

// alphabet is every number that a room may try, and some that are none.
func alphabet() (all []byte) {
	for _, r := range privsep.Table {
		if r.Link == privsep.Connection && r.Number != privsep.NumFarewell {
			all = append(all, byte(r.Number))
		}
	}
	return all
}

// TestHostileRoom asks everything in every order of three after each way into a
// state: AUT-1, AUT-2, AUT-22. A broken room gains one signed hash and nothing
// else.
func TestHostileRoom(t *testing.T) {
	r := newRig(t)
	all := alphabet()
	sign, user := byte(privsep.NumSign), byte(privsep.NumUser)
	for _, prefix := range [][]byte{nil, {sign}, {sign, user}} {
		for _, a := range all {
			for _, b := range all {
				asked := append(slices.Clone(prefix), a, b)
				x := r.attack(t)
				for _, n := range asked {
					if !x.ask(n) {
						break
					}
				}
				x.check(t, asked)
			}
		}
	}
	if s := r.log.String(); strings.Contains(s, "\x1b") || strings.Contains(s, "\nAccepted password") {
		t.Error("the log holds what a stranger wrote, unescaped")
	}
}

// FuzzHostileRoom does so in orders of any length.
func FuzzHostileRoom(f *testing.F) {
	r := newRig(f)
	f.Add([]byte{16, 19, 21, 22, 30, 40, 41})
	f.Add([]byte{41, 16, 16, 30, 19, 19, 30})
	f.Add([]byte{16, 19, 25, 26, 26, 30, 44, 17})
	f.Fuzz(func(t *testing.T, asked []byte) {
		x := r.attack(t)
		for _, n := range asked[:min(len(asked), 40)] {
			if !x.ask(n) {
				break
			}
		}
		x.check(t, asked)
	})
}

// TestSignaturesOverSomethingElse: a room that holds a true signature of the
// user, made for another session, user or service, cannot use it.
func TestSignaturesOverSomethingElse(t *testing.T) {
	r := newRig(t)
	blob, algorithm := r.user.PublicKey().Marshal(), pubkey.KeyAlgoED25519
	hash := bytes.Repeat([]byte{7}, 32)
	other := bytes.Repeat([]byte{8}, 32)
	for _, c := range []struct {
		name string
		data func(a *attack) []byte
		good bool
	}{
		{"another session", func(a *attack) []byte {
			return a.data(other, tester, "ssh-connection", "publickey", algorithm, blob)
		}, false},
		{"another user", func(a *attack) []byte { return a.data(hash, "other", "ssh-connection", "publickey", algorithm, blob) }, false},
		{"another service", func(a *attack) []byte { return a.data(hash, tester, "ssh-userauth", "publickey", algorithm, blob) }, false},
		{"another method", func(a *attack) []byte { return a.data(hash, tester, "ssh-connection", "hostbased", algorithm, blob) }, false},
		{"bytes behind", func(a *attack) []byte {
			return append(a.data(hash, tester, "ssh-connection", "publickey", algorithm, blob), 0)
		}, false},
		{"another host key", func(a *attack) []byte {
			return wire.AppendString(a.data(hash, tester, "ssh-connection", "publickey-hostbound-v00@openssh.com", algorithm, blob), blob)
		}, false},
		{"the real one", func(a *attack) []byte { return a.data(hash, tester, "ssh-connection", "publickey", algorithm, blob) }, true},
	} {
		a := r.attack(t)
		for _, n := range []privsep.Number{privsep.NumSign, privsep.NumUser, privsep.NumKeyAllowed} {
			if !a.ask(byte(n)) {
				t.Fatalf("%s: %s was refused\n%s", c.name, n, r.log.String())
			}
		}
		data := c.data(a)
		sig, err := r.user.Sign(rand.Reader, data)
		if err != nil {
			t.Fatal(err)
		}
		var o privsep.Outcome
		_, err = a.link.Call(t.Context(), &privsep.KeyVerify{Algorithm: algorithm, Key: blob, Data: data, Signature: pubkey.MarshalSignature(sig)}, &o)
		if ok := err == nil && o.Code == privsep.OK; ok != c.good {
			t.Errorf("%s: %v %v\n%s", c.name, err, o, r.log.String())
		}
		if c.good && (!a.ask(byte(privsep.NumBegin)) || a.logins != 1) {
			t.Errorf("no login\n%s", r.log.String())
		}
		a.link.Close()
		if out := <-a.outcome; out.LoggedIn != c.good {
			t.Errorf("%s: %+v", c.name, out)
		}
	}
}

// TestHashLengths: what is signed has the length of an exchange hash.
func TestHashLengths(t *testing.T) {
	r := newRig(t)
	for n := range privsep.MaxHash + 1 {
		a := r.attack(t)
		a.hash = make([]byte, n)
		if got := a.ask(byte(privsep.NumSign)); got != isHash(n) {
			t.Errorf("%d bytes: signed is %v", n, got)
		}
		a.link.Close()
		<-a.outcome
	}
}

// TestGraceTimeIsTheMonitors: a room that does nothing is left behind.
func TestGraceTimeIsTheMonitors(t *testing.T) {
	r := newRig(t, "LoginGraceTime=1")
	ours, theirs := privsep.Pair()
	go theirs.Serve(t.Context(), func(context.Context, *privsep.Incoming) error { return errors.New("?") })
	o := r.g.Serve(t.Context(), ours, Peer{Number: 1, Waited: time.Hour})
	if !o.Grace {
		t.Errorf("%+v", o)
	}
	if !strings.Contains(r.log.String(), "Timeout before authentication for connection from UNKNOWN to UNKNOWN, pid = 1") {
		t.Error(r.log.String())
	}
}
