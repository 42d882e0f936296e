//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// login is a connection that has logged in.
type login struct {
	v       *visitor
	conn    *ssh.ServerConn
	account *account.Account
	options *keyfile.AuthorizedOptions // of all keys together
	budget  atomic.Int32               // pipes that may grow
	info    string                     // the file of ExposeAuthInfo

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
	l := &login{v: v, conn: c, account: v.granted.Account, options: v.granted.Options, terminal: map[*ssh.Session]*pty.Pty{}}
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
func (l *login) exposeInfo() {
	f, err := os.CreateTemp("/tmp", "sshauth.*")
	if err != nil {
		l.v.lines.Logf(sshconfig.Error, "ExposeAuthInfo: %s", reason(err))
		return
	}
	defer f.Close()
	var b strings.Builder
	for _, line := range l.v.granted.Completed {
		b.WriteString(line + "\n")
	}
	_, err = f.WriteString(b.String())
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(int(l.account.UID), int(l.account.GID))
	}
	if err != nil {
		l.v.lines.Logf(sshconfig.Error, "ExposeAuthInfo: %s", reason(err))
		os.Remove(f.Name())
		return
	}
	l.info = f.Name()
}

// end is called when the connection is over.
func (l *login) end() {
	if l.info != "" {
		os.Remove(l.info)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, t := range l.terminal {
		t.Close()
		delete(l.terminal, s)
	}
}

func (g *generation) acceptEnv(name string) bool {
	return matchesEnv(name, g.cfg.AcceptEnv) || g.cfg.HasMatch() // the session looks again
}

func matchesEnv(name string, patterns []string) bool {
	for _, p := range patterns {
		if sshconfig.MatchPattern(name, p) {
			return true
		}
	}
	return false
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

func (g *generation) loginOf(s *ssh.Session) *login { return g.visit(s.Conn().Meta).login }

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
	if !r.choose() {
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
	l.v.lines.Logf(sshconfig.Verbose, "Starting session: %s%s for %s from %s id %d", r.title, on, l.account.Name, l.v.from(), slot)
	r.do()
	l.giveSlot(slot)
	if s.Conn().Context().Err() == nil {
		l.v.lines.Logf(sshconfig.Verbose, "Close session: user %s from %s id %d", l.account.Name, l.v.from(), slot)
	}
}

func (l *login) takeSlot() int {
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

func (l *login) giveSlot(i int) {
	l.mu.Lock()
	l.slots[i] = false
	l.mu.Unlock()
}

// run is one session's program.
type run struct {
	l     *login
	s     *ssh.Session
	cfg   *sshconfig.Server
	pty   *pty.Pty
	title string // what the log calls it

	command   *string // nil: a login shell
	original  string  // SSH_ORIGINAL_COMMAND
	subsystem bool    // stderr goes nowhere
	forced    bool
	internal  []string // arguments of the built-in sftp server
}

const internalSFTP = "internal-sftp"

// choose finds out what is to run. False refuses; the client has been told.
func (r *run) choose() bool {
	asked := r.s.RequestedCommand()
	name := r.s.Subsystem()
	if name != "" {
		r.subsystem = true
		found := false
		for _, s := range r.cfg.Subsystem {
			if s.Name == name {
				asked, found = s.Command, true
				break
			}
		}
		if !found && r.s.Conn().ForcedCommand() == "" {
			r.l.v.lines.Logf(sshconfig.Info, "subsystem request for %s by user %s failed, subsystem not found", name, r.l.account.Name)
			r.s.Exit(1)
			return false
		}
		r.title = "subsystem '" + name + "'"
	} else if asked != "" {
		r.title = "command"
	} else {
		r.title = "shell"
	}
	forced, where := r.cfg.ForceCommand, "config"
	if forced == "" && r.l.options.Command != nil {
		forced, where = *r.l.options.Command, "key-option"
	}
	if forced != "" {
		r.forced, r.original = true, asked
		r.title = fmt.Sprintf("forced-command (%s) '%s'", where, forced)
		if isInternalSFTP(forced) && name != "sftp" {
			r.l.v.lines.Logf(sshconfig.Error, "Connection from user %s %s: refusing non-sftp session", r.l.account.Name, r.l.v.from())
			fmt.Fprint(r.s, "This service allows sftp connections only.\n")
			r.s.Exit(1)
			return false
		}
		r.command = &forced
	} else if asked != "" {
		r.command = &asked
	}
	if r.command != nil && (r.forced || r.subsystem) && isInternalSFTP(*r.command) {
		words, err := sshconfig.SplitCommand(*r.command)
		if err != nil {
			r.l.v.lines.Logf(sshconfig.Error, "%s: %v", *r.command, err)
			r.s.Exit(1)
			return false
		}
		r.internal = words
	}
	return true
}

func isInternalSFTP(command string) bool {
	rest, ok := strings.CutPrefix(command, internalSFTP)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// environment is what the program gets.
func (r *run) environment() *sessionEnv {
	l, a := r.l, r.l.account
	e := &sessionEnv{user: a.Name, home: a.Home, shell: a.Shell, mail: !r.cfg.UsePAM, tz: l.v.g.s.tz, config: r.cfg.SetEnv}
	for _, v := range r.s.Environ() {
		if matchesEnv(v.Name, r.cfg.AcceptEnv) {
			e.client = append(e.client, v.Name+"="+v.Value)
		} else {
			l.v.lines.Logf(sshconfig.Debug2, "Ignoring env request %s: disallowed name", v.Name)
		}
	}
	if t, ok := r.s.PTY(); ok {
		e.term = t.Term
	}
	if u := r.cfg.PermitUserEnvironment; u.On {
		for _, kv := range l.options.Environment {
			if name, _, ok := strings.Cut(kv, "="); ok && sshconfig.MatchList(name, userPatterns(u), false) == 1 {
				e.key = append(e.key, kv)
			}
		}
	}
	v := l.v
	e.ssh = append(e.ssh,
		fmt.Sprintf("SSH_CLIENT=%s %d %d", v.remote, v.remotePort, v.localPort),
		fmt.Sprintf("SSH_CONNECTION=%s %d %s %d", v.remote, v.remotePort, v.local, v.localPort))
	if l.info != "" {
		e.ssh = append(e.ssh, "SSH_USER_AUTH="+l.info)
	}
	if r.pty != nil {
		e.ssh = append(e.ssh, "SSH_TTY="+r.pty.Name)
	}
	if r.original != "" {
		e.ssh = append(e.ssh, "SSH_ORIGINAL_COMMAND="+r.original)
	}
	return e
}

func userPatterns(u sshconfig.UserEnvironment) string {
	if u.Patterns == "" {
		return "*"
	}
	return u.Patterns
}

// program plans the session's process.
func (r *run) program() (*program, error) {
	a := r.l.account
	env := r.environment()
	p := &plan{
		early: env.early(), late: env.late(), home: a.Home, user: a.Name,
		nologin: !r.cfg.UsePAM && a.UID != 0,
		rc:      r.l.options.UserRC && !r.subsystem && r.cfg.ForceCommand == "",
		sysRC:   true,
		motd:    r.cfg.PrintMotd && r.pty != nil && r.command == nil,
	}
	if u := r.cfg.PermitUserEnvironment; u.On {
		p.envFile = userPatterns(u)
	}
	p.setCommand(a.Shell, r.command)
	if r.internal != nil {
		p.shell, p.argv = self(), append([]string{"sftp-server"}, r.internal[1:]...)
	}
	if r.l.v.g.s.flags.debug > 0 {
		for i, kv := range join(p.early, p.late) {
			if i == 0 {
				fmt.Fprintln(r.l.v.g.s.io.Err, "Environment:")
			}
			fmt.Fprintln(r.l.v.g.s.io.Err, " ", kv)
		}
	}
	cred, err := auth.Credential(r.l.v.g.s.db, a)
	if err != nil {
		return nil, err
	}
	if cred == nil && p.direct() && len(filepath.Base(p.shell)) <= maxShellName {
		return &program{path: p.shell, argv: p.argv, env: join(p.early, p.late), dir: a.Home}, nil
	}
	return &program{path: self(), argv: []string{"sshd", loginWord}, env: []string{}, dir: "/", cred: cred, plan: p.marshal()}, nil
}

// do runs the program to its end, or to that of the session.
func (r *run) do() {
	c, err := r.start()
	if err != nil {
		r.l.v.lines.Logf(sshconfig.Error, "%s: %s", r.title, reason(err))
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
	p, err := r.program()
	if err != nil {
		if r.pty != nil {
			r.pty.Close()
		}
		return nil, err
	}
	if qos := r.cfg.IPQoS; r.pty != nil {
		r.setQoS(qos.Interactive)
		return startTerminal(p, r.pty)
	} else {
		r.setQoS(qos.Bulk)
	}
	return startPlain(p, &r.l.budget)
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
		case r.forced:
			r.l.v.lines.Logf(sshconfig.Error, "session_signal_req: session signalling requires privilege separation; refusing to send signal %s to forced-command session", sig)
		case r.subsystem:
			r.l.v.lines.Logf(sshconfig.Error, "refusing to send signal %s to subsystem session", sig)
		default:
			if err := c.kill(string(sig)); errors.Is(err, errSignal) {
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
		if r.subsystem {
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
func (r *run) exit(st status) {
	if st.signal != "" {
		_ = r.s.ExitSignal(ssh.Signal(st.signal), st.core, "")
		return
	}
	_ = r.s.Exit(st.code)
}
