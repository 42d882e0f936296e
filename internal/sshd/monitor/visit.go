//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// visit is one connection.
type visit struct {
	// constant
	g                     *Generation
	link                  *privsep.Conn
	peer                  Peer
	lines                 *log.Lines
	judge                 *auth.Visitor
	remote, local         string
	remotePort, localPort int
	grace                 *time.Timer // nil without one

	timedOut atomic.Bool // the grace time ran out, or the login was in time

	// owned by the handler of messages, which takes them one by one
	guard     privsep.Guard
	cfg       *sshconfig.Server // as matched; the global one before
	user      string
	sessionID []byte // the first hash that was signed
	hostKey   []byte // with which key
	proved    map[uint32]bool
	talk      *talk // a dialogue that is under way
	login     *auth.Login
	info      *login.AuthInfo // the file of ExposeAuthInfo
	said      bool            // farewell
	clean     bool            // in order
	broken    bool            // asked for what it may not

	mu       sync.Mutex
	sessions map[uint32]*session
	slots    []bool // sessions by their number in the log
	over     bool
}

// hostPort splits an address; what is no address of a network is UNKNOWN.
func hostPort(a netip.AddrPort) (string, int) {
	if !a.IsValid() {
		return "UNKNOWN", 65535
	}
	return a.Addr().Unmap().WithZone("").String(), int(a.Port())
}

// from is "A port P".
func (v *visit) from() string { return v.remote + " port " + strconv.Itoa(v.remotePort) }

// handle answers one message. An error ends the connection.
func (v *visit) handle(ctx context.Context, in *privsep.Incoming) error {
	err := v.guard.Allow(in.Number, privsep.Network, len(in.Files), time.Now())
	if err == nil {
		err = v.answer(ctx, in)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, privsep.ErrClosed) {
		v.broken = true
		v.lines.Logf(sshconfig.Error, "%s: %s", v.judge.Whom(), err)
	}
	return err
}

// errOrder is a message that the table allows and the rest of what is known does
// not.
var errOrder = errors.New("monitor: request out of order")

func (v *visit) answer(ctx context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumSign:
		return v.sign(in)
	case privsep.NumProve:
		return v.prove(in)
	case privsep.NumModuli:
		return v.moduli(in)
	case privsep.NumUser:
		return v.meet(ctx, in)
	case privsep.NumFailed:
		var m privsep.Failed
		if err := in.Decode(&m); err != nil {
			return err
		}
		v.judge.Failed(m.Method)
		return nil
	case privsep.NumBegin:
		return v.begin(ctx, in)
	case privsep.NumLog:
		return v.log(in)
	case privsep.NumFarewell:
		return v.farewell(in)
	case privsep.NumPTY:
		return v.pty(in)
	case privsep.NumExec:
		return v.exec(ctx, in)
	case privsep.NumSignal:
		return v.signal(in)
	case privsep.NumClose:
		return v.closeSession(in)
	case privsep.NumSockets:
		return v.sockets(ctx, in)
	}
	return v.attempt(ctx, in)
}

// hashes are the lengths that exchange hashes have.
func isHash(n int) bool { return n == 20 || n == 32 || n == 48 || n == 64 }

// key is the host key that a message names, for an algorithm that it may sign
// with.
func (v *visit) key(i uint32, algorithm string) (*hostKey, error) {
	if int64(i) >= int64(len(v.g.keys)) {
		return nil, errOrder
	}
	k := &v.g.keys[i]
	row := pubkey.AlgorithmByName(algorithm)
	if row == nil || row.KeyType != k.public.Type() {
		return nil, fmt.Errorf("%w: algorithm of another key", errOrder)
	}
	return k, nil
}

// sign signs an exchange hash: one before the login, then one for each
// re-exchange.
func (v *visit) sign(in *privsep.Incoming) error {
	var m privsep.Sign
	if err := in.Decode(&m); err != nil {
		return err
	}
	k, err := v.key(m.Key, m.Algorithm)
	if err != nil {
		return err
	}
	if !isHash(len(m.Hash)) {
		return fmt.Errorf("%w: %d bytes are no exchange hash", errOrder, len(m.Hash))
	}
	sig, err := pubkey.SignWith(k.signer, rand.Reader, m.Hash, pubkey.SignatureFormat(m.Algorithm))
	if err != nil {
		v.lines.Logf(sshconfig.Error, "host key %s: %s", k.public.Type(), err)
		return in.Answer(&privsep.Signature{})
	}
	if v.sessionID == nil {
		v.sessionID, v.hostKey = append([]byte(nil), m.Hash...), k.blob
		v.guard.Advance(privsep.Keyed)
	} else {
		v.lines.Logf(sshconfig.Debug2, "signed an exchange hash of a re-exchange for %s", v.from())
	}
	return in.Answer(&privsep.Signature{Blob: pubkey.MarshalSignature(sig)})
}

// prove proves that a host key is held here, once for each: what is signed is
// composed here.
func (v *visit) prove(in *privsep.Incoming) error {
	var m privsep.Prove
	if err := in.Decode(&m); err != nil {
		return err
	}
	k, err := v.key(m.Key, m.Algorithm)
	if err != nil {
		return err
	}
	if v.proved[m.Key] {
		return errOrder
	}
	if v.proved == nil {
		v.proved = map[uint32]bool{}
	}
	v.proved[m.Key] = true
	sig, err := pubkey.SignWith(k.signer, rand.Reader, wire.HostKeyProof(v.sessionID, k.blob), pubkey.SignatureFormat(m.Algorithm))
	if err != nil {
		return in.Answer(&privsep.Signature{})
	}
	return in.Answer(&privsep.Signature{Blob: pubkey.MarshalSignature(sig)})
}

func (v *visit) moduli(in *privsep.Incoming) error {
	var m privsep.Moduli
	if err := in.Decode(&m); err != nil {
		return err
	}
	var g privsep.Group
	if v.g.Moduli != nil {
		const bits = 1 << 14
		if p, gen, ok := v.g.Moduli.Pick(int(min(m.Min, bits)), int(min(m.Preferred, bits)), int(min(m.Max, bits)), rand.Reader); ok {
			g.P, g.G = p, gen
		}
	}
	return in.Answer(&g)
}

// outcome is an error of the judge as the room is told it.
func outcome(err error) (o privsep.Outcome) {
	var fatal *auth.Fatal
	var change *userauth.PasswordChangeRequired
	switch {
	case err == nil:
		o.Code = privsep.OK
	case errors.Is(err, userauth.ErrTooManyFailures):
		o.Code = privsep.TooMany
	case errors.As(err, &fatal):
		o.Code, o.Banner = privsep.Fatal, fatal.Banner
		if fatal.Disconnect != "" {
			o.Code, o.Reason, o.Text = privsep.Disconnect, uint32(wire.ReasonProtocolError), fatal.Disconnect
		}
	case errors.As(err, &change):
		o.Code, o.Text = privsep.Change, change.Prompt
	case errors.Is(err, userauth.ErrServerFailure):
		o.Code = privsep.OurFault
	default:
		o.Code = privsep.Denied
	}
	return o
}

// meet resolves the user's name, once.
func (v *visit) meet(ctx context.Context, in *privsep.Incoming) error {
	var m privsep.User
	if err := in.Decode(&m); err != nil {
		return err
	}
	v.user = m.Name
	v.guard.Advance(privsep.Named)
	if m.Nobody || strings.IndexByte(m.Name, ':') >= 0 {
		v.judge.Nobody(m.Name)
		return in.Answer(&privsep.Policy{})
	}
	p, err := v.judge.Meet(ctx, m.Name, m.Style)
	a := &privsep.Policy{Outcome: outcome(err)}
	if err != nil {
		return in.Answer(a)
	}
	v.cfg = p.Config
	if p.Methods != nil && len(p.Methods) == 0 {
		v.lines.Logf(sshconfig.Error, "No AuthenticationMethods left after eliminating disabled methods")
		a.Outcome = privsep.Outcome{Code: privsep.Disconnect, Reason: uint32(wire.ReasonProtocolError), Text: "no authentication methods enabled"}
		return in.Answer(a)
	}
	for _, l := range p.Methods {
		a.Methods = append(a.Methods, strings.Join(l, ","))
	}
	a.Banner = p.Banner
	a.Devices = p.Devices
	a.None, a.Password, a.PublicKey, a.Hostbased, a.Empty = p.None, p.Password, p.PublicKey, p.Hostbased, p.PermitEmptyPasswords
	a.MaxAuthTries, a.MinRSABits, a.LogLevel = p.MaxAuthTries, p.Config.RequiredRSASize, int(p.Config.LogLevel)
	a.SigAlgs, a.HostbasedAlgs = p.Config.PubkeyAcceptedAlgorithms, p.Config.HostbasedAcceptedAlgorithms
	return in.Answer(a)
}

func (v *visit) log(in *privsep.Incoming) error {
	var m privsep.Log
	if err := in.Decode(&m); err != nil {
		return err
	}
	v.lines.Relay(log.Record{Level: sshconfig.LogLevel(m.Level), Pre: v.guard.State() != privsep.In, Text: m.Text}, time.Now())
	return nil
}

// Reasons of RFC 4253 §11.1 that have lines of their own.
const byApplication = 11

// farewell writes why the connection ended, in OpenSSH's words.
func (v *visit) farewell(in *privsep.Incoming) error {
	var m privsep.Farewell
	if err := in.Decode(&m); err != nil {
		return err
	}
	v.said = true
	v.g.BytesIn.Add(m.In)
	v.g.BytesOut.Add(m.Out)
	v.clean = m.End == privsep.EndDone || m.End == privsep.EndDisconnect && m.Reason == byApplication
	v.guard.Advance(privsep.Over)
	say, whom := v.lines.Pref, v.judge.Whom()
	if v.login != nil {
		say = v.lines.Logf
	}
	if v.timedOut.Load() && v.login == nil {
		return nil
	}
	switch m.End {
	case privsep.EndDone:
		if v.login != nil {
			say(sshconfig.Verbose, "Transferred: sent %d, received %d bytes", m.Out, m.In)
		}
		say(sshconfig.Verbose, "Closing connection to %s", v.from())
	case privsep.EndTooMany:
		v.judge.TooMany()
		say(sshconfig.Info, "Disconnecting %s: Too many authentication failures", whom)
	case privsep.EndDisconnect:
		level := sshconfig.Error
		if m.Reason == byApplication {
			level = sshconfig.Info
		}
		say(level, "Received disconnect from %s:%d: %s", v.from(), m.Reason, m.Text)
		say(sshconfig.Info, "Disconnected from %s", whom)
	case privsep.EndNegotiate:
		kind, offer, _ := strings.Cut(m.Text, "\n")
		say(sshconfig.Info, "Unable to negotiate with %s: no matching %s found. Their offer: %s", v.from(), kind, offer)
	case privsep.EndIdent:
		say(sshconfig.Verbose, "kex_exchange_identification: %s", m.Text)
		say(sshconfig.Info, "banner exchange: Connection from %s: invalid format", v.from())
	case privsep.EndTimeout:
		say(sshconfig.Info, "Timeout, client not responding from %s", whom)
	case privsep.EndUnused:
		say(sshconfig.Info, "terminating inactive connection from %s", whom)
	case privsep.EndRefused:
		// The reason has been told.
	case privsep.EndMAC:
		say(sshconfig.Error, "ssh_dispatch_run_fatal: Connection from %s: message authentication code incorrect", whom)
	case privsep.EndOurs:
		say(sshconfig.Info, "Disconnecting %s: %s", whom, m.Text)
	case privsep.EndClosed:
		say(sshconfig.Info, "Connection closed by %s", whom)
	case privsep.EndReset:
		say(sshconfig.Info, "Connection reset by %s", whom)
	case privsep.EndPanic:
		v.broken = true
		text, stack, _ := strings.Cut(m.Text, "\n")
		say(sshconfig.Error, "Connection from %s: %s", whom, text)
		for line := range strings.Lines(stack) {
			say(sshconfig.Error, "%s", strings.TrimRight(line, "\n"))
		}
	default:
		say(sshconfig.Error, "Connection from %s: %s", whom, m.Text)
	}
	return nil
}

// end cleans up: the link is gone, and no handler runs any more.
func (v *visit) end(ctx context.Context, err error) Outcome {
	if v.grace != nil {
		v.grace.Stop()
	}
	o := Outcome{LoggedIn: v.login != nil, Clean: v.clean, Broken: v.broken || err == nil && !v.said}
	if v.login == nil && v.timedOut.Load() {
		o.Grace, o.Broken = true, false
		v.lines.Logf(sshconfig.Info, "Timeout before authentication for connection from %s to %s, pid = %d", v.remote, v.local, v.peer.Number)
	}
	v.mu.Lock()
	v.over = true
	all := v.sessions
	v.sessions = nil
	v.mu.Unlock()
	for _, s := range all {
		v.release(s)
	}
	v.info.Remove()
	if v.talk != nil {
		v.talk.drop()
	}
	o.Event = v.judge.End(context.WithoutCancel(ctx))
	if v.login != nil {
		v.login.CloseSession()
	}
	return o
}
