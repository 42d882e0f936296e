//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// entrant is a connection that has logged in.
type entrant struct {
	v       *visitor
	conn    *ssh.ServerConn
	account *account.Account
	options *keyfile.AuthorizedOptions // of all keys together
	budget  atomic.Int32               // pipes that may grow
	info    *login.AuthInfo            // the file of ExposeAuthInfo

	forwards *forward.Server

	mu       sync.Mutex
	terminal map[*ssh.Session]*pty.Pty // granted, not started yet
	slots    []bool                    // sessions that run, by their number in the log
}

// loggedIn settles what the login may do. It runs before the client's first
// request is looked at.
func (g *generation) loggedIn(c *ssh.ServerConn) {
	v := g.visit(c.Meta)
	g.startups.done()
	if v.granted == nil { // the judge was not asked: nothing may be done
		c.Close()
		v.granted = &auth.Login{Account: &account.Account{Shell: "/bin/false"}, Config: v.cfg, Options: &keyfile.AuthorizedOptions{}}
	}
	l := &entrant{v: v, conn: c, account: v.granted.Account, options: v.granted.Options, terminal: map[*ssh.Session]*pty.Pty{}}
	l.budget.Store(growBudget)
	forced := *l.options
	if v.cfg.ForceCommand != "" {
		forced.Command = &v.cfg.ForceCommand
	}
	c.Permissions = permissions(&forced)
	if v.cfg.ExposeAuthInfo {
		l.exposeInfo()
	}
	l.forwards = l.newForwards()
	v.login = l
	v.lines.Logf(sshconfig.Verbose, "User child is on pid %d", os.Getpid())
	if m := g.cfg.MaxSessions; v.cfg.MaxSessions != m {
		v.lines.Logf(sshconfig.Error, "MaxSessions within Match is not supported yet: %d instead of %d", m, v.cfg.MaxSessions)
	}
}

// exposeInfo writes the file that SSH_USER_AUTH names.
func (l *entrant) exposeInfo() {
	identity, err := identityOf(l.v.g.s.db, l.account)
	if err == nil {
		l.info, err = login.NewAuthInfo(&login.SessionInfo{Account: l.account, Identity: identity, Config: l.v.cfg}, l.v.granted.Completed)
	}
	if err != nil {
		l.v.lines.Logf(sshconfig.Error, "ExposeAuthInfo: %s", reason(err))
	}
}

// end is called when the connection is over.
func (l *entrant) end() {
	l.info.Remove()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, t := range l.terminal {
		t.Close()
		delete(l.terminal, s)
	}
}

func (g *generation) acceptEnv(name string) bool {
	return login.EnvAllowed(name, g.cfg.AcceptEnv) || g.cfg.HasMatch() // the session looks again
}

// subsystems are the names that may be asked for.
func (g *generation) subsystems() map[string]func(*ssh.Session) {
	m := map[string]func(*ssh.Session){}
	for _, s := range g.cfg.Subsystem {
		m[s.Name] = g.session
	}
	if g.cfg.HasMatch() {
		m["sftp"] = g.session // a Match block may have it
	}
	return m
}

func (g *generation) loginOf(s *ssh.Session) *entrant { return g.visit(s.Conn().Meta).login }

// openPTY allocates the terminal of a pty-req.
func (g *generation) openPTY(s *ssh.Session, t *ssh.PTY) error {
	l := g.loginOf(s)
	p, err := pty.Open()
	if err != nil {
		l.v.lines.Logf(sshconfig.Error, "openpty: %s", reason(err))
		return err
	}
	gid, mode := l.account.GID, os.FileMode(0o600)
	if tty, err := g.s.db.LookupGroup("tty"); err == nil {
		gid, mode = tty.GID, 0o620
	}
	if err := p.SetOwner(l.account.UID, gid, mode); err != nil && os.Geteuid() == 0 {
		p.Close()
		l.v.lines.Logf(sshconfig.Fatal, "chown(%s): %s", p.Name, reason(err))
		return err
	}
	unknown, err := p.Apply(t.Modes)
	if err != nil {
		l.v.lines.Logf(sshconfig.Debug1, "Setting tty modes failed: %s", reason(err))
	}
	for _, op := range unknown {
		l.v.lines.Logf(sshconfig.Debug1, "tty_parse_modes: unknown opcode %d", op)
	}
	_ = p.SetSize(tty.Size(t.Window))
	l.mu.Lock()
	l.terminal[s] = p
	l.mu.Unlock()
	return nil
}

// session runs a shell, a command or a subsystem.
func (g *generation) session(s *ssh.Session) {
	l := g.loginOf(s)
	r := &run{l: l, s: s, cfg: l.v.cfg}
	l.mu.Lock()
	r.pty = l.terminal[s]
	delete(l.terminal, s)
	l.mu.Unlock()
	if !r.prepare() {
		if r.pty != nil {
			r.pty.Close()
		}
		return
	}
	slot := l.takeSlot()
	on := ""
	if r.pty != nil {
		on = " on " + strings.TrimPrefix(r.pty.Name, "/dev/")
	}
	l.v.lines.Logf(sshconfig.Verbose, "Starting session: %s%s for %s from %s id %d", r.plan.Title, on, l.account.Name, l.v.from(), slot)
	r.do()
	l.giveSlot(slot)
	if s.Conn().Context().Err() == nil {
		l.v.lines.Logf(sshconfig.Verbose, "Close session: user %s from %s id %d", l.account.Name, l.v.from(), slot)
	}
}

func (l *entrant) takeSlot() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, used := range l.slots {
		if !used {
			l.slots[i] = true
			return i
		}
	}
	l.slots = append(l.slots, true)
	return len(l.slots) - 1
}

func (l *entrant) giveSlot(i int) {
	l.mu.Lock()
	l.slots[i] = false
	l.mu.Unlock()
}

// run is one session's program.
type run struct {
	l    *entrant
	s    *ssh.Session
	cfg  *sshconfig.Server
	pty  *pty.Pty
	plan *login.Plan
}

// prepare plans the session's process. False refuses; the client has been told.
func (r *run) prepare() bool {
	l, v := r.l, r.l.v
	identity, err := identityOf(v.g.s.db, l.account)
	if err == nil {
		r.plan, err = login.NewSession(&login.SessionInfo{
			Account: l.account, Identity: identity, Config: r.cfg, Options: l.options, Request: r.request(),
			Remote: v.remote, RemotePort: v.remotePort, Local: v.local, LocalPort: v.localPort,
			AuthFile: l.info.File(), MustChange: v.granted.MustChange, Messages: l.messages(), TZ: v.g.s.tz, Debug: v.g.s.flags.debug > 0,
		})
	}
	var refused *login.RefusedError
	switch {
	case err == nil:
		return true
	case errors.As(err, &refused):
		v.lines.Logf(refused.Level, "%s", refused.Line)
		fmt.Fprint(r.s, refused.Text)
	default:
		v.lines.Logf(sshconfig.Error, "%s", reason(err))
	}
	r.s.Exit(1)
	return false
}

// messages are the texts for the user, once.
func (l *entrant) messages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.v.granted.Messages
	l.v.granted.Messages = nil
	return m
}

// request is what the client asks for.
func (r *run) request() login.Request {
	q := login.Request{Kind: login.Shell}
	if name := r.s.Subsystem(); name != "" {
		q.Kind, q.Name = login.Subsystem, name
	} else if command := r.s.RequestedCommand(); command != "" {
		q.Kind, q.Name = login.Exec, command
	}
	for _, v := range r.s.Environ() {
		if !login.EnvAllowed(v.Name, r.cfg.AcceptEnv) {
			r.l.v.lines.Logf(sshconfig.Debug2, "Ignoring env request %s: disallowed name", v.Name)
		}
		q.Env = append(q.Env, v.Name+"="+v.Value)
	}
	if t, ok := r.s.PTY(); ok {
		q.Term = t.Term
	}
	if r.pty != nil {
		q.TTY = r.pty.Name
	}
	return q
}

// do runs the program to its end, or to that of the session.
func (r *run) do() {
	c, err := r.start()
	if err != nil {
		r.l.v.lines.Logf(sshconfig.Error, "%s: %s", r.plan.Title, reason(err))
		fmt.Fprintf(r.s.Stderr(), "%s: %s\n", r.l.account.Shell, reason(err))
		r.s.Exit(1)
		return
	}
	// The client's CLOSE, and the end of the connection, take our ends from the
	// program; it may live on.
	stop := context.AfterFunc(r.s.Context(), c.close)
	defer func() {
		stop()
		c.close()
	}()
	r.attach(c)
	c.watch(r.exit) // at once, whoever still holds the output
	r.pump(c)
	// The end of the output and that of the program mostly come together. The
	// status goes first then: Dropbear and PuTTY close at EOF, and take a status
	// that is missing for success.
	c.endsWithin(statusGrace)
	r.s.CloseWrite()
	select {
	case <-c.ended:
		if c.refused {
			r.s.Conn().Close()
		}
	case <-r.s.Context().Done():
		if !c.endsWithin(statusGrace) {
			r.s.Close() // it lives on: no status is better than a wrong one
		}
	}
}

// statusGrace is how long a program whose output has ended may take to end.
const statusGrace = 100 * time.Millisecond

func (c *child) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.ended:
		return true
	case <-timer.C:
		return false
	}
}

func (r *run) start() (*child, error) {
	if qos := r.cfg.IPQoS; r.pty != nil {
		r.setQoS(qos.Interactive)
		return startTerminal(r.plan, r.l.v.lines, r.pty)
	} else {
		r.setQoS(qos.Bulk)
	}
	return startPlain(r.plan, r.l.v.lines, &r.l.budget)
}

func (r *run) setQoS(q sshconfig.QoS) {
	if q != sshconfig.QoSNone {
		r.s.Conn().SetIPQoS(int(q))
	}
}

// attach connects what comes from the client.
func (r *run) attach(c *child) {
	r.s.Channel().AttachSink(0, c.in)
	if c.pty != nil {
		r.s.OnWindowChange(func(w ssh.Window) { _ = c.resize(tty.Size(w)) })
		r.s.OnBreak(func(uint32) bool { return c.pty.Break() == nil })
	}
	r.s.OnSignal(func(sig ssh.Signal) {
		switch {
		case r.plan.Forced:
			r.l.v.lines.Logf(sshconfig.Error, "session_signal_req: session signalling requires privilege separation; refusing to send signal %s to forced-command session", sig)
		case r.plan.Subsystem:
			r.l.v.lines.Logf(sshconfig.Error, "refusing to send signal %s to subsystem session", sig)
		default:
			if err := c.proc.Signal(string(sig)); errors.Is(err, login.ErrSignal) {
				r.l.v.lines.Logf(sshconfig.Error, "unsupported signal \"%s\"", sig)
			}
		}
	})
	r.s.OnEndOfWrite(func() {
		// Nobody reads any more: writers are to notice.
		if c.pty == nil {
			c.out.Close()
		}
	})
}

// pump sends the program's output until there is no more.
func (r *run) pump(c *child) {
	ch := r.s.Channel()
	if c.pty != nil {
		_, _ = ch.Pump(0, output{c, c.out})
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if r.plan.Subsystem {
			discard(c.err)
		} else {
			_, _ = ch.Pump(1, c.err)
		}
	})
	_, _ = ch.Pump(0, c.out)
	wg.Wait()
}

// discard reads f to its end.
func discard(f *rawio.File) {
	b := make([]byte, 4<<10)
	for {
		if _, err := f.Read(b); err != nil {
			return
		}
	}
}

// exit tells the client how the program ended.
func (r *run) exit(st login.Status) {
	if st.Signal != "" {
		_ = r.s.ExitSignal(ssh.Signal(st.Signal), st.Core, "")
		return
	}
	_ = r.s.Exit(st.Code)
}

// identityOf is who a process of the account is to be, nil for what it is
// already.
func identityOf(db *account.Database, a *account.Account) (*login.Identity, error) {
	cred, err := auth.Credential(db, a)
	if cred == nil {
		return nil, err
	}
	return &login.Identity{UID: cred.Uid, GID: cred.Gid, Groups: cred.Groups}, nil
}
