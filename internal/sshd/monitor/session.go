//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// session is a session of the client, from its pty-req or the start of its
// program until the channel is closed and the program has ended. Its fields are
// under visit.mu once it is in the table.
type session struct {
	id        uint32
	term      string
	tty       string   // path of its terminal, "" without one
	slave     *os.File // until the program has it
	recorded  bool     // in utmp and wtmp
	lastLogin string

	slot    int // number in the log, -1 before the start
	proc    *login.Process
	closed  bool // the client is done with it
	ended   bool // the program has ended
	refused string
}

// open finds the session of a number, or makes it if there is room. nil without
// an error means that there is none.
func (v *visit) open(id uint32) (*session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.sessions[id]; s != nil {
		return s, nil
	}
	if v.over || len(v.sessions) >= v.cfg.MaxSessions {
		return nil, nil
	}
	if v.sessions == nil {
		v.sessions = map[uint32]*session{}
	}
	s := &session{id: id, slot: -1}
	v.sessions[id] = s
	return s, nil
}

// pty allocates a session's terminal.
func (v *visit) pty(in *privsep.Incoming) error {
	var m privsep.PTY
	if err := in.Decode(&m); err != nil {
		return err
	}
	if !v.login.Options.PTY {
		return errOrder
	}
	s, err := v.open(m.Session)
	if err != nil {
		return err
	}
	denied := func() error { return in.Answer(&privsep.Terminal{Outcome: privsep.Outcome{Code: privsep.Denied}}) }
	if s == nil {
		return denied()
	}
	if s.tty != "" || s.slot >= 0 {
		return errOrder
	}
	p, err := v.allocate(&m)
	if err != nil {
		v.forget(s)
		return denied()
	}
	s.term, s.tty, s.slave = m.Term, p.Name, p.Slave
	v.record(s)
	return in.Answer(&privsep.Terminal{Name: strings.TrimPrefix(p.Name, "/dev/")}, p.Master)
}

func (v *visit) allocate(m *privsep.PTY) (*pty.Pty, error) {
	a := v.login.Account
	p, err := pty.Open()
	if err != nil {
		v.lines.Logf(sshconfig.Error, "openpty: %s", reason.Of(err))
		return nil, err
	}
	gid, mode := a.GID, os.FileMode(0o600)
	if g, err := v.g.DB.LookupGroup("tty"); err == nil {
		gid, mode = g.GID, 0o620
	}
	if err := p.SetOwner(a.UID, gid, mode); err != nil && os.Geteuid() == 0 {
		p.Close()
		v.lines.Logf(sshconfig.Fatal, "chown(%s): %s", p.Name, reason.Of(err))
		return nil, err
	}
	unknown, err := p.Apply(m.Modes)
	if err != nil {
		v.lines.Logf(sshconfig.Debug1, "Setting tty modes failed: %s", reason.Of(err))
	}
	for _, op := range unknown {
		v.lines.Logf(sshconfig.Debug1, "tty_parse_modes: unknown opcode %d", op)
	}
	_ = p.SetSize(tty.Size(m.Size))
	return p, nil
}

// record writes that the user has come, and keeps when it was last so.
func (v *visit) record(s *session) {
	r, a := v.g.Records, v.login.Account
	if r == nil {
		return
	}
	if at, host := r.LastLogin(a.Name, a.UID); v.cfg.PrintLastLog {
		s.lastLogin = login.LastLoginLine(at, host)
	}
	if os.Geteuid() != 0 {
		return
	}
	e := account.Entry{Line: strings.TrimPrefix(s.tty, "/dev/"), User: a.Name, UID: a.UID,
		Host: account.RecordHost(v.login.Host, v.remote, v.g.UtmpHost), Addr: v.peer.Remote.Addr(), PID: v.peer.PID, Time: time.Now()}
	if err := r.Login(e); err != nil {
		v.lines.Logf(sshconfig.Debug1, "login record of %s: %s", s.tty, reason.Of(err))
	}
	s.recorded = true
}

// release takes back what the monitor holds of a session's terminal.
func (v *visit) release(s *session) {
	v.mu.Lock()
	recorded, slave := s.recorded, s.slave
	s.recorded, s.slave = false, nil
	v.mu.Unlock()
	if slave != nil {
		slave.Close()
	}
	if recorded {
		if err := v.g.Records.Logout(strings.TrimPrefix(s.tty, "/dev/"), v.peer.PID, time.Now()); err != nil {
			v.lines.Logf(sshconfig.Info, "syslogin_perform_logout: logout() returned an error")
		}
	}
}

// forget takes a session out of the table.
func (v *visit) forget(s *session) {
	v.mu.Lock()
	delete(v.sessions, s.id)
	slot, over := s.slot, v.over
	if slot >= 0 {
		v.slots[slot] = false
	}
	v.mu.Unlock()
	if slot >= 0 && !over {
		v.lines.Logf(sshconfig.Verbose, "Close session: user %s from %s id %d", v.login.Account.Name, v.from(), slot)
	}
}

// takeSlot gives the session its number in the log.
func (v *visit) takeSlot(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, used := range v.slots {
		if !used {
			v.slots[i], s.slot = true, i
			return
		}
	}
	s.slot = len(v.slots)
	v.slots = append(v.slots, true)
}

// exec starts a session's program.
func (v *visit) exec(ctx context.Context, in *privsep.Incoming) error {
	var m privsep.Exec
	if err := in.Decode(&m); err != nil {
		return err
	}
	if m.Kind > privsep.Subsystem {
		return errOrder
	}
	s, err := v.open(m.Session)
	if err != nil {
		return err
	}
	if s == nil {
		v.lines.Logf(sshconfig.Error, "no more sessions")
		return in.Answer(refusal("", ""))
	}
	if s.slot >= 0 {
		return errOrder
	}
	plan, err := v.plan(s, &m)
	if err != nil {
		v.release(s)
		v.forget(s)
		var refused *login.RefusedError
		if errors.As(err, &refused) {
			v.lines.Logf(refused.Level, "%s", refused.Line)
			return in.Answer(refusal(refused.Text, ""))
		}
		v.lines.Logf(sshconfig.Error, "%s", reason.Of(err))
		return in.Answer(refusal("", ""))
	}
	return v.start(ctx, in, s, plan)
}

// refusal is the answer to a program that is not started.
func refusal(stdout, stderr string) *privsep.Started {
	return &privsep.Started{Outcome: privsep.Outcome{Code: privsep.Denied, Reason: 1, Text: stdout, Banner: stderr}}
}

// plan settles what runs.
func (v *visit) plan(s *session, m *privsep.Exec) (*login.Plan, error) {
	l := v.login
	q := login.Request{Name: m.Text, Env: m.Env, Term: s.term, TTY: s.tty}
	switch m.Kind {
	case privsep.Command:
		q.Kind = login.Exec
	case privsep.Subsystem:
		q.Kind = login.Subsystem
	}
	messages := l.Messages
	l.Messages = nil // shown or not, once
	return login.NewSession(&login.SessionInfo{
		Account: l.Account, Identity: l.Identity(), Config: v.cfg, Options: l.Options, Request: q,
		Remote: v.remote, RemotePort: v.remotePort, Local: v.local, LocalPort: v.localPort,
		AuthFile: v.info.File(), PAMEnv: l.Env, NotOpen: l.NotOpen, MustChange: l.MustChange, Messages: messages, LastLogin: s.lastLogin,
		TZ: v.g.TZ, OOMScore: v.g.OOMScore, Debug: v.g.Debug, Self: v.g.Self,
	})
}

func (v *visit) start(ctx context.Context, in *privsep.Incoming, s *session, plan *login.Plan) error {
	v.takeSlot(s)
	v.g.Sessions.Add(1)
	on := ""
	if s.tty != "" {
		on = " on " + strings.TrimPrefix(s.tty, "/dev/")
	}
	v.lines.Logf(sshconfig.Verbose, "Starting session: %s%s for %s from %s id %d", plan.Title, on, v.login.Account.Name, v.from(), s.slot)
	theirs, ours, err := v.files(s)
	var cmd *login.Command
	if err == nil {
		cmd, err = plan.Command(theirs[0], theirs[1], theirs[2], s.tty != "")
	}
	if err == nil {
		s.proc, err = v.login.Start(ctx, cmd)
	}
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		for _, f := range ours {
			f.Close()
		}
		v.lines.Logf(sshconfig.Error, "%s: %s", plan.Title, reason.Of(err))
		v.release(s)
		v.forget(s)
		return in.Answer(refusal("", fmt.Sprintf("%s: %s\n", v.login.Account.Shell, reason.Of(err))))
	}
	v.lines.Logf(sshconfig.Debug1, "session %d: pid %d", s.slot, s.proc.Pid())
	v.mu.Lock()
	s.slave = nil // closed: the program has it
	v.mu.Unlock()
	a := &privsep.Started{NoStderr: plan.Subsystem}
	switch {
	case plan.Forced:
		a.NoSignal = "session_signal_req: session signalling requires privilege separation; refusing to send signal %s to forced-command session"
	case plan.Subsystem:
		a.NoSignal = "refusing to send signal %s to subsystem session"
	}
	s.refused = a.NoSignal
	// The answer goes first: an Exit that came before it would be of a program
	// that nobody knows of.
	err = in.Answer(a, ours...)
	go v.wait(s, cmd)
	return err
}

// files are the descriptors of a session's program and those that its room gets:
// none with a terminal, whose master it has.
func (v *visit) files(s *session) (theirs, ours []*os.File, err error) {
	if s.tty != "" {
		if s.slave == nil {
			return nil, nil, errOrder
		}
		return []*os.File{s.slave, s.slave, s.slave}, nil, nil
	}
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, ours, err
		}
		if i == 0 {
			r, w = w, r
		}
		// Theirs is switched to blocking when it is handed on; ours stays as the
		// poller wants it.
		ours, theirs = append(ours, r), append(theirs, w)
	}
	return theirs, ours, nil
}

// wait reaps the program and tells how it ended. It may outlive the connection:
// then reaping is all it does.
func (v *visit) wait(s *session, cmd *login.Command) {
	told := make(chan bool, 1)
	go func() { told <- cmd.Relay(v.lines) }()
	st := s.proc.Wait()
	if <-told { // it told of a refusal that is final
		v.link.Close()
		return
	}
	_ = v.link.Notify(&privsep.Exit{Session: s.id, Code: uint32(st.Code), Signal: st.Signal, Core: st.Core})
	v.mu.Lock()
	s.ended = true
	done := s.closed
	v.mu.Unlock()
	if done {
		v.forget(s)
	}
}

// signal sends a signal to a session's program.
func (v *visit) signal(in *privsep.Incoming) error {
	var m privsep.Signal
	if err := in.Decode(&m); err != nil {
		return err
	}
	v.mu.Lock()
	s := v.sessions[m.Session]
	v.mu.Unlock()
	if s == nil || s.proc == nil {
		return nil
	}
	if s.refused != "" {
		return errOrder
	}
	if err := s.proc.Signal(m.Name); errors.Is(err, login.ErrSignal) {
		v.lines.Logf(sshconfig.Error, "unsupported signal \"%s\"", m.Name)
	}
	return nil
}

// closeSession notes that the client is done with a session.
func (v *visit) closeSession(in *privsep.Incoming) error {
	var m privsep.Close
	if err := in.Decode(&m); err != nil {
		return err
	}
	v.mu.Lock()
	s := v.sessions[m.Session]
	if s == nil || s.closed {
		v.mu.Unlock()
		return nil
	}
	s.closed = true
	done := s.ended || s.proc == nil
	v.mu.Unlock()
	v.release(s)
	if done {
		v.forget(s)
	}
	return nil
}

// sockets starts the process that dials and listens as the user. One that has
// ended may be started again, as often as the table says.
func (v *visit) sockets(ctx context.Context, in *privsep.Incoming) error {
	var m privsep.Sockets
	if err := in.Decode(&m); err != nil {
		return err
	}
	f := v.forwarding()
	if !f.Key || !f.Local && !f.Remote {
		return errOrder
	}
	link, err := v.startSockets(ctx, f)
	if err != nil {
		v.lines.Logf(sshconfig.Error, "forwarding: %s", reason.Of(err))
		return in.Answer(&privsep.Outcome{Code: privsep.Denied})
	}
	return in.Answer(&privsep.Outcome{}, link)
}

func (v *visit) startSockets(ctx context.Context, f *privsep.Forwarding) (link *os.File, err error) {
	service, err := privsep.Append(nil, f)
	if err != nil {
		return nil, err
	}
	l := v.login
	plan, err := login.NewSockets(&login.SessionInfo{
		Account: l.Account, Identity: l.Identity(), Config: v.cfg, Options: l.Options, OOMScore: v.g.OOMScore, Self: v.g.Self,
	}, service)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := privsep.SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd, err := plan.Channel(theirs)
	if err == nil {
		var p *login.Process
		if p, err = l.Start(ctx, cmd); err == nil {
			go func() {
				cmd.Relay(v.lines)
				p.Wait()
			}()
			return ours, nil
		}
	}
	ours.Close()
	return nil, err
}

// placeLists writes the places of keys as comma lists.
func placeLists(lists [][]keyfile.HostPort) (all []string) {
	for _, l := range lists {
		words := make([]string, 0, len(l))
		for _, p := range l {
			port := "*"
			if p.Port != 0 {
				port = strconv.Itoa(int(p.Port))
			}
			words = append(words, "["+p.Host+"]:"+port)
		}
		all = append(all, strings.Join(words, ","))
	}
	return all
}
