package ssh

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/client"
	public "github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// connect logs in, runs what was asked for and returns the exit status.
func (r *run) connect(ctx context.Context) int {
	if err := r.unfinished(); err != nil {
		return r.status(err)
	}
	if r.conf.ForkAfterAuthentication && r.parent == nil && r.order == "" {
		status, _ := r.startBackground()
		return status
	}
	if !r.persists() || r.parent == nil {
		r.speak()
		if status, done := r.ride(ctx); done {
			return status
		}
	}
	if r.persists() && r.parent == nil {
		status, attach := r.startBackground()
		if !attach {
			return status
		}
		return r.attach()
	}
	r.speak()
	// A closed pipe is an error of the write, not the end of the process; yet
	// programs that are started must not inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	r.ask = &client.Prompter{Getenv: r.io.Getenv, Environ: r.io.Env, Log: r.log, In: r.io.In, Err: r.io.Err}
	k := r.connector()
	l := &loop{run: r, connector: k, forwards: client.NewForwards(r.conf, r.log)}
	if r.tty {
		l.term = &terminal{f: r.io.In}
	}
	k.Early, k.LoggedIn = l.early, l.loggedIn
	k.Setup = l.forwards.Channels
	c, err := k.Connect(ctx)
	if err != nil {
		l.term.restore()
		k.Explain(r.io.Name, err)
		return failure
	}
	l.client = c
	defer k.Close()
	if err := r.localCommand(k); err != nil {
		c.Close()
		return r.status(err)
	}
	return l.main(ctx)
}

// connector connects as the configuration says.
func (r *run) connector() *client.Connector {
	return &client.Connector{
		Conf: r.conf, Log: r.log, Ask: r.ask, Home: r.cctx.Home, Program: r.io.Name, Hop: r.hop,
		Shell: r.shell(), Env: r.io.Env, Stderr: r.io.Err, In: r.io.In, Out: r.io.Out,
	}
}

// hop is the connector to a jump host: what `ssh -J before -W … host` would
// be, with a configuration of its own, within this process.
func (r *run) hop(h sshconfig.Hop, before string) (*client.Connector, error) {
	q := &run{io: r.io, log: client.NewLogger(r.io.Err, client.LevelInfo, false), logTo: r.io.Err, configFile: r.configFile}
	if r.levelSet && r.level >= sshconfig.Debug1 {
		q.level, q.levelSet = r.level, true
	}
	q.cctx = q.context()
	q.conf = sshconfig.NewClient(q.cctx)
	q.host, q.named = h.Host, true
	if h.User != "" {
		q.setUser(h.User)
	}
	if h.Port != 0 {
		q.conf.Set("Port=" + itoa(h.Port))
	}
	if before != "" {
		if err := q.set(sshconfig.Option("ProxyJump", before)); err != nil {
			return nil, err
		}
	}
	if r.planning { // asks nobody
		q.planning, q.log, q.logTo = true, r.log, r.logTo
		q.conf.Set("BatchMode=yes")
		q.conf.Set("StrictHostKeyChecking=yes")
	}
	q.conf.Set("ClearAllForwardings=yes")
	q.conf.Set("ExitOnForwardFailure=yes")
	q.noCommand("")
	if err := q.prepare(); err != nil {
		return nil, err
	}
	if err := q.unfinished(); err != nil {
		return nil, err
	}
	q.ask = &client.Prompter{Getenv: q.io.Getenv, Environ: q.io.Env, Log: q.log, In: q.io.In, Err: q.io.Err}
	return q.connector(), nil
}

// unfinished refuses what the configuration asks for and this version cannot
// do yet, where going on without it would be another thing than was asked
// for. What only makes things nicer is warned of.
func (r *run) unfinished() error {
	c := r.conf
	for _, m := range [...]struct {
		on   bool
		what string
	}{
		{c.PKCS11Provider != "", "PKCS11Provider"},
		{c.Tunnel != sshconfig.TunnelNo, "Tunnel"},
	} {
		if m.on {
			return fault(m.what + ": not there yet in this version")
		}
	}
	for _, m := range [...]struct {
		on   bool
		what string
	}{
		{c.ForwardAgent.On, "ForwardAgent"},
		{c.ForwardX11, "ForwardX11"},
	} {
		if m.on {
			r.log.Info("Warning: %s is not there yet in this version; going on without it.", m.what)
		}
	}
	return nil
}

// localCommand runs LocalCommand after login.
func (r *run) localCommand(k *client.Connector) error {
	c := r.conf
	if !c.PermitLocalCommand || c.LocalCommand == "" {
		return nil
	}
	t := c.Tokens()
	t.Tunnel = "NONE"
	command, err := t.Expand(c.LocalCommand, sshconfig.TokensLocalCommand)
	if err != nil {
		return err
	}
	r.runLocal(command)
	return nil
}

// runLocal has the person's shell run a command.
func (r *run) runLocal(command string) {
	r.log.Debug3("Executing %s -c \"%s\"", r.shell(), command)
	cmd := exec.Command(r.shell(), "-c", command)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.io.Env, r.io.In, r.io.Out, r.io.Err
	if err := cmd.Run(); err != nil {
		var status *exec.ExitError
		if !errors.As(err, &status) {
			r.log.Error("Couldn't execute %s -c \"%s\": %s", r.shell(), command, client.Strerror(err))
		}
	}
}

// environment is what SendEnv and SetEnv send.
func (r *run) environment() []public.Env {
	var env []public.Env
	if len(r.conf.SendEnv) > 0 {
		for _, e := range r.io.Env {
			if name, value, ok := strings.Cut(e, "="); ok && matchAny(name, r.conf.SendEnv) {
				env = append(env, public.Env{Name: name, Value: value})
			}
		}
	}
	for _, e := range r.conf.SetEnv {
		name, value, _ := strings.Cut(e, "=")
		env = append(env, public.Env{Name: name, Value: value})
	}
	return env
}

// tellEnvironment writes the lines about it to the log.
func (r *run) tellEnvironment() {
	if !r.log.Enabled(client.LevelDebug1) {
		return
	}
	if len(r.conf.SendEnv) > 0 {
		r.log.Debug1("Sending environment.")
		for _, e := range r.io.Env {
			if name, _, ok := strings.Cut(e, "="); !ok || !matchAny(name, r.conf.SendEnv) {
				r.log.Debug3("Ignored env %s", name)
			}
		}
	}
	for _, e := range r.environment() {
		r.log.Debug1("channel 0: setting env %s = \"%s\"", e.Name, e.Value)
	}
}

func matchAny(name string, patterns []string) bool {
	for _, p := range patterns {
		if sshconfig.MatchPattern(name, p) {
			return true
		}
	}
	return false
}
