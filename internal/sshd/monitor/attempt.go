//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// attempt answers what decides.
func (v *visit) attempt(ctx context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumInteractive, privsep.NumAnswer:
		return v.interactive(ctx, in)
	}
	if v.talk != nil { // a client that began something else: the dialogue is over
		v.talk.drop()
		v.talk = nil
	}
	var err error
	switch in.Number {
	case privsep.NumNone:
		err = v.judge.None(ctx)
	case privsep.NumKeyAllowed:
		var m privsep.KeyAllowed
		if err := in.Decode(&m); err != nil {
			return err
		}
		key, e := pubkey.ParsePublicKey(m.Key)
		if e != nil {
			return e // the room has read it before
		}
		_, err = v.judge.KeyAllowed(ctx, key, m.Algorithm, !m.Signed)
	case privsep.NumKeyVerify:
		var m privsep.KeyVerify
		if err := in.Decode(&m); err != nil {
			return err
		}
		key, e := pubkey.ParsePublicKey(m.Key)
		if e == nil {
			e = v.checkKeyData(&m)
		}
		if e != nil {
			return e
		}
		err = v.judge.KeyVerified(ctx, key, m.Algorithm, m.Data, m.Signature)
	case privsep.NumPassword:
		var m privsep.Password
		if err := in.Decode(&m); err != nil {
			return err
		}
		err = v.judge.Password(ctx, m.Password)
		clear(m.Password)
	case privsep.NumChangePassword:
		v.lines.Logf(sshconfig.Info, "password change not supported")
		err = auth.ErrRefused
	case privsep.NumHostbasedAllowed:
		var m privsep.HostbasedAllowed
		if err := in.Decode(&m); err != nil {
			return err
		}
		key, e := pubkey.ParsePublicKey(m.Key)
		if e != nil {
			return e
		}
		err = v.judge.HostbasedAllowed(ctx, key, m.Algorithm, m.ClientHost, m.ClientUser)
	case privsep.NumHostbasedVerify:
		var m privsep.HostbasedVerify
		if err := in.Decode(&m); err != nil {
			return err
		}
		key, e := pubkey.ParsePublicKey(m.Key)
		if e == nil {
			e = v.checkHostData(&m)
		}
		if e != nil {
			return e
		}
		err = v.judge.HostbasedVerified(ctx, key, m.Algorithm, m.ClientHost, m.ClientUser, m.Data, m.Signature)
	default:
		return errOrder
	}
	o := outcome(err)
	return in.Answer(&o)
}

const serviceConnection = "ssh-connection"

// signed begins to check what a signature is over (RFC 4252 §7 and §9): it must
// be this session's, this user's and that method's.
func (v *visit) signed(data []byte, methods ...string) (r wire.Reader, method string, err error) {
	r = wire.NewReader(data)
	id, n, user, service := r.String(), r.Byte(), r.Text(), r.Text()
	method = r.Text()
	name, _, _ := strings.Cut(user, ":")
	ok := false
	for _, m := range methods {
		ok = ok || m == method
	}
	if r.Err() != nil || string(id) != string(v.sessionID) || n != wire.MsgUserauthRequest || name != v.user || service != serviceConnection || !ok {
		return r, "", fmt.Errorf("%w: a signature over something else", errOrder)
	}
	return r, method, nil
}

func (v *visit) checkKeyData(m *privsep.KeyVerify) error {
	const bound = "publickey-hostbound-v00@openssh.com"
	r, method, err := v.signed(m.Data, "publickey", bound)
	if err != nil {
		return err
	}
	ok := r.Bool() && r.Text() == m.Algorithm && string(r.String()) == string(m.Key)
	if method == bound {
		ok = ok && string(r.String()) == string(v.hostKey)
	}
	if !ok || r.Done() != nil {
		return fmt.Errorf("%w: a signature over something else", errOrder)
	}
	return nil
}

func (v *visit) checkHostData(m *privsep.HostbasedVerify) error {
	r, _, err := v.signed(m.Data, "hostbased")
	if err != nil {
		return err
	}
	ok := r.Text() == m.Algorithm && string(r.String()) == string(m.Key) &&
		strings.TrimSuffix(r.Text(), ".") == m.ClientHost && r.Text() == m.ClientUser
	if !ok || r.Done() != nil {
		return fmt.Errorf("%w: a signature over something else", errOrder)
	}
	return nil
}

// talk is a dialogue: the device asks on a goroutine of its own, the room
// fetches questions and brings answers.
type talk struct {
	ask    chan *privsep.Question // the next question, or the outcome
	answer chan *privsep.Answer
	cancel context.CancelFunc
	done   chan struct{}
}

// drop ends a dialogue that nobody goes on with.
func (t *talk) drop() {
	t.cancel()
	<-t.done
}

var errGaveUp = errors.New("monitor: the client gave up the dialogue")

func (v *visit) interactive(ctx context.Context, in *privsep.Incoming) error {
	if in.Number == privsep.NumInteractive {
		var m privsep.Interactive
		if err := in.Decode(&m); err != nil {
			return err
		}
		if v.talk != nil {
			v.talk.drop()
		}
		v.talk = v.startTalk(ctx, m.Device)
	} else {
		var m privsep.Answer
		if err := in.Decode(&m); err != nil {
			return err
		}
		if v.talk == nil {
			return errOrder
		}
		select {
		case v.talk.answer <- &m:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case q := <-v.talk.ask:
		if !q.Asking {
			v.talk.drop()
			v.talk = nil
		}
		return in.Answer(q)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (v *visit) startTalk(ctx context.Context, device string) *talk {
	t := &talk{ask: make(chan *privsep.Question, 1), answer: make(chan *privsep.Answer), done: make(chan struct{})}
	ctx, t.cancel = context.WithCancel(ctx)
	ask := func(ctx context.Context, name, instruction string, prompts []auth.Prompt) ([]string, error) {
		q := &privsep.Question{Asking: true, Name: name, Instruction: instruction}
		for _, p := range prompts {
			q.Prompts = append(q.Prompts, privsep.Prompt{Text: p.Text, Echo: p.Echo})
		}
		t.ask <- q // has room: the one before was fetched before its answer came
		select {
		case a := <-t.answer:
			if !a.Given || len(a.Answers) != len(prompts) {
				return nil, errGaveUp
			}
			return a.Answers, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	go func() {
		defer close(t.done)
		err := v.judge.Interactive(ctx, device, ask)
		select {
		case t.ask <- &privsep.Question{Outcome: outcome(err)}:
		case <-ctx.Done():
		}
	}()
	return t
}

// begin lets the user in, if the judge has found the methods complete.
func (v *visit) begin(ctx context.Context, in *privsep.Incoming) error {
	var m privsep.Begin
	if err := in.Decode(&m); err != nil {
		return err
	}
	l, err := v.judge.Authorize(ctx)
	if errors.Is(err, auth.ErrOrder) {
		return err // a room that believes what is not so
	}
	if err == nil && v.timedOut.Swap(true) {
		return errOrder // too late
	}
	if err != nil {
		return in.Answer(&privsep.Login{Outcome: outcome(err)})
	}
	if v.grace != nil {
		v.grace.Stop()
	}
	v.login, v.cfg = l, l.Config
	if err := l.OpenSession(ctx); err != nil {
		return in.Answer(&privsep.Login{Outcome: outcome(err)})
	}
	v.guard.Advance(privsep.In)
	v.g.Logins.Add(1)
	if v.g.LoggedIn != nil {
		v.g.LoggedIn(v.peer.ID, v.showedKey())
	}
	if v.cfg.ExposeAuthInfo {
		v.exposeInfo()
	}
	v.lines.Logf(sshconfig.Verbose, "User child is on pid %d", v.peer.PID)
	return in.Answer(v.permitted())
}

// showedKey tells whether a key was among what let the user in.
func (v *visit) showedKey() bool {
	for _, line := range v.login.Completed {
		if strings.HasPrefix(line, "publickey ") {
			return true
		}
	}
	return false
}

// permitted is what the room is told of the login.
func (v *visit) permitted() *privsep.Login {
	cfg, o := v.cfg, v.login.Options
	a := &privsep.Login{
		Outcome:   privsep.Outcome{Banner: v.login.BannerText},
		PTY:       o.PTY,
		Forced:    cfg.ForceCommand != "" || o.Command != nil,
		AcceptEnv: cfg.AcceptEnv, MaxSessions: cfg.MaxSessions,
		RekeyBytes: cfg.RekeyLimit.Bytes, RekeyInterval: cfg.RekeyLimit.Interval,
		ClientAliveInterval: cfg.ClientAliveInterval, ClientAliveCount: cfg.ClientAliveCountMax,
		UnusedTimeout: cfg.UnusedConnectionTimeout,
		Interactive:   qos(cfg.IPQoS.Interactive), Bulk: qos(cfg.IPQoS.Bulk),
		LogLevel: int(cfg.LogLevel),
	}
	for _, s := range cfg.Subsystem {
		a.Subsystems = append(a.Subsystems, s.Name)
	}
	for _, t := range cfg.ChannelTimeout {
		a.ChannelTimeouts = append(a.ChannelTimeouts, privsep.ChannelTimeout{Pattern: t.Type, After: t.Idle})
	}
	a.Forwarding = *v.forwarding()
	return a
}

// forwarding is what the login may forward.
func (v *visit) forwarding() *privsep.Forwarding {
	cfg, o := v.cfg, v.login.Options
	return &privsep.Forwarding{
		Local:   cfg.AllowTcpForwarding&sshconfig.ForwardLocal != 0 && !cfg.DisableForwarding,
		Remote:  cfg.AllowTcpForwarding&sshconfig.ForwardRemote != 0 && !cfg.DisableForwarding,
		Gateway: uint8(cfg.GatewayPorts), Family: uint8(cfg.AddressFamily),
		LowPorts: v.login.Account.UID == 0,
		Any:      cfg.PermitOpen == nil, Open: cfg.PermitOpen,
		AnyListen: cfg.PermitListen == nil, Listen: cfg.PermitListen,
		Key:     o.PortForwarding,
		KeyOpen: placeLists(o.PermitOpen), KeyListen: placeLists(o.PermitListen),
	}
}

func qos(q sshconfig.QoS) int {
	if q == sshconfig.QoSNone {
		return -1
	}
	return int(q)
}

// exposeInfo writes the file that SSH_USER_AUTH names.
func (v *visit) exposeInfo() {
	l := v.login
	var err error
	v.info, err = login.NewAuthInfo(&login.SessionInfo{Account: l.Account, Identity: l.Identity(), Config: v.cfg}, l.Completed)
	if err != nil {
		v.lines.Logf(sshconfig.Error, "ExposeAuthInfo: %s", reason.Of(err))
	}
}
