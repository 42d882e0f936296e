package ssh

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// orders are the words of -O.
var orders = [...]string{"check", "conninfo", "channels", "forward", "exit", "stop", "cancel", "proxy"}

// order is -O: something for a master to do.
func (r *run) controlOrder(v string) error {
	if r.stdio != nil {
		return fault("Cannot specify multiplexing command with -W")
	}
	if r.order != "" {
		return fault("Multiplexing command already specified")
	}
	for _, o := range orders {
		if v == o {
			r.order = v
			return nil
		}
	}
	return fault("Invalid multiplex command.")
}

// beMaster is -M; given twice, everybody who comes is asked about.
func (r *run) beMaster(string) error {
	v := sshconfig.MasterYes
	if r.conf.ControlMaster == sshconfig.MasterYes {
		v = sshconfig.MasterAsk
	}
	return r.force("ControlMaster=yes", func(c *sshconfig.Client) { c.ControlMaster = v })
}

func (r *run) controlPath(v string) error {
	if strings.EqualFold(v, "none") {
		v = ""
	}
	return r.force("ControlPath=none", func(c *sshconfig.Client) { c.ControlPath = v })
}

// shares is the path of the control socket, "" for none.
func (r *run) shares() string {
	if strings.EqualFold(r.conf.ControlPath, "none") {
		return ""
	}
	return r.conf.ControlPath
}

// masters reports whether this run is to be a master.
func (r *run) masters() bool {
	return r.conf.ControlMaster != sshconfig.MasterNo && r.shares() != "" && r.order == ""
}

// persists reports whether the connection goes to the background when it is
// there, and we become a passenger of it.
func (r *run) persists() bool {
	return r.masters() && r.conf.ControlPersist.On && !r.conf.ForkAfterAuthentication
}

// asks reports whether a master of this configuration asks before it answers:
// then its silence means nothing.
func (r *run) asks() bool {
	return r.conf.ControlMaster == sshconfig.MasterAsk || r.conf.ControlMaster == sshconfig.MasterAutoAsk
}

// ride tries to have a master do what was asked for. done says that it did, or
// that nothing else can be tried.
func (r *run) ride(ctx context.Context) (status int, done bool) {
	path := r.shares()
	if path == "" {
		if r.order != "" {
			r.log.Fatal("No ControlPath specified for \"-O\" command")
			return failure, true
		}
		return 0, false
	}
	if len(path) >= client.MaxSocketPath {
		r.log.Fatal("ControlPath too long ('%s' >= %d bytes)", path, client.MaxSocketPath)
		return failure, true
	}
	auto := r.conf.ControlMaster == sshconfig.MasterAuto || r.conf.ControlMaster == sshconfig.MasterAutoAsk
	switch {
	case r.order != "":
	case auto:
		r.log.Debug1("auto-mux: Trying existing master at '%s'", path)
	case r.conf.ControlMaster != sshconfig.MasterNo:
		return 0, false
	}
	wait := client.ControlTimeout
	if t := r.conf.ConnectTimeout; t > 0 && t < wait {
		wait = t
	}
	c, err := client.OpenControl(path, wait)
	if err != nil {
		return r.noMaster(path, err)
	}
	defer c.Close()
	if r.order != "" {
		return r.obey(c), true
	}
	status, err = r.passenger(c, wait)
	var refused *client.RefusedError
	switch {
	case err == nil:
		return status, true
	case errors.As(err, &refused):
		return 0, false // it has been said
	}
	return r.noMaster(path, err)
}

// noMaster: nobody answers at the path, or not in time.
func (r *run) noMaster(path string, err error) (status int, done bool) {
	master := r.conf.ControlMaster != sshconfig.MasterNo
	switch {
	case r.order != "":
		if errors.Is(err, client.ErrWedged) {
			r.log.Fatal("Control socket connect(%s): the master does not answer", path)
		} else {
			r.log.Fatal("Control socket connect(%s): %s", path, client.Strerror(err))
		}
		return failure, true
	case errors.Is(err, syscall.ECONNREFUSED) && master:
		r.log.Debug1("Stale control socket %s, unlinking", path)
		os.Remove(path)
	case errors.Is(err, os.ErrNotExist):
		r.log.Debug1("Control socket \"%s\" does not exist", path)
	case errors.Is(err, client.ErrWedged) && master:
		r.log.Verbose("The master at %s does not answer; taking its place", path)
		os.Remove(path)
	case errors.Is(err, client.ErrWedged):
		r.log.Info("The master at %s does not answer; making a connection of our own", path)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		r.log.Debug1("The master at %s has gone", path)
	default:
		r.log.Error("Control socket connect(%s): %s", path, client.Strerror(err))
	}
	return 0, false
}

// obey has the master do what -O says.
func (r *run) obey(c *client.Control) int {
	c.Limit(client.ControlTimeout)
	told := func(format string, args ...any) {
		if r.log.Enabled(client.LevelFatal) {
			r.tell(format, args...)
		}
	}
	switch r.order {
	case "check":
		pid, err := c.Alive()
		if err != nil {
			r.log.Fatal("muxclient: master alive check failed")
			return failure
		}
		r.tell("Master running (pid=%d)", pid)
	case "conninfo", "channels":
		what := "connection"
		if r.order == "channels" {
			what = r.order
		}
		text, err := c.Info(what)
		if err != nil {
			r.log.Fatal("muxclient: %s", err)
			return failure
		}
		io.WriteString(r.io.Out, text)
	case "exit":
		if r.asks() {
			c.Limit(0)
		}
		if err := c.Terminate(); err != nil {
			r.log.Fatal("Master refused termination request: %s", err)
			return failure
		}
		told("Exit request sent.")
	case "stop":
		if r.asks() {
			c.Limit(0)
		}
		if err := c.StopListening(); err != nil {
			r.log.Fatal("mux_client_request_stop_listening: Master refused stop listening request: %s", err)
			return failure
		}
		told("Stop listening request sent.")
	case "forward", "cancel":
		c.Limit(0) // a server has to answer, or a person
		if !r.masterForwards(c, r.order == "cancel") {
			if r.order == "forward" {
				r.log.Fatal("muxclient: master forward request failed")
				return failure
			}
			r.log.Error("muxclient: master cancel forward request failed")
		}
	default:
		r.log.Fatal("-O %s: not there yet in this version", r.order)
		return failure
	}
	return 0
}

// tell writes a line as stock programs do beside a terminal.
func (r *run) tell(format string, args ...any) { r.io.Errorf(format+"\r", args...) }

// masterForwards has the master do all forwards of the configuration, and says
// what it would not.
func (r *run) masterForwards(c *client.Control, cancel bool) bool {
	good := true
	for _, l := range [...]struct {
		way  client.ForwardWay
		list []sshconfig.Forward
	}{
		{client.ForwardLocal, r.conf.LocalForward},
		{client.ForwardDynamic, r.conf.DynamicForward},
		{client.ForwardRemote, r.conf.RemoteForward},
	} {
		for i := range l.list {
			f := &l.list[i]
			port, err := c.Forward(cancel, l.way, f)
			var refused *client.RefusedError
			switch {
			case errors.As(err, &refused) && refused.Denied:
				r.log.Error("Master refused forwarding request: %s", refused)
			case err != nil:
				r.log.Error("mux_client_forward: forwarding request failed: %s", err)
			case port != 0 && r.order == "forward":
				io.WriteString(r.io.Out, itoa(port)+"\n")
			case port != 0:
				r.log.Info("Allocated port %d for remote forward to %s", port, client.ConnectText(f))
			}
			if err != nil {
				return false
			}
			good = good && err == nil
		}
	}
	return good
}

// passenger runs the session over a master. An error means that a connection of
// our own is to be tried.
func (r *run) passenger(c *client.Control, wait time.Duration) (int, error) {
	c.Limit(wait)
	pid, err := c.Alive()
	if err != nil {
		return 0, err
	}
	// Without an answer of the server there is no session: a master whose link
	// is gone is found out by that.
	if r.conf.ControlMaster == sshconfig.MasterAuto {
		c.Limit(max(wait, client.ControlTimeout))
	} else {
		c.Limit(0)
	}
	if !r.attached && !r.masterForwards(c, false) {
		r.log.Error("muxclient: master forward request failed")
		return 0, &client.RefusedError{}
	}
	in := r.io.In
	if r.conf.StdinNull {
		if in, err = os.Open(os.DevNull); err != nil {
			return 0, err
		}
		defer in.Close()
	}
	if r.stdio != nil {
		return r.stdioPassenger(c, in)
	}
	if r.conf.SessionType == sshconfig.SessionNone {
		c.Limit(0)
		if err := r.toBackgroundNow(); err != nil {
			return failure, nil
		}
		c.Wait(0, nil) // nothing comes but the master's end
		return 0, nil
	}
	s := client.ControlSession{TTY: r.tty, Subsystem: r.conf.SessionType == sshconfig.SessionSubsystem,
		Escape: int(r.conf.EscapeChar), Term: r.io.Getenv("TERM"), Command: r.command}
	if r.conf.EscapeChar == sshconfig.NoEscape {
		s.Escape = -1
	}
	for _, e := range r.environment() {
		s.Env = append(s.Env, e.Name+"="+e.Value)
	}
	number, err := c.Session(s, fileNumber(in), fileNumber(r.io.Out), fileNumber(r.io.Err))
	var refused *client.RefusedError
	if errors.As(err, &refused) {
		if refused.Denied {
			r.log.Error("Master refused session request: %s", refused)
		} else {
			r.log.Error("mux_client_request_session: session request failed: %s", refused)
		}
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	c.Limit(0)
	r.log.Debug1("mux_client_request_session: master session id: %d", number)
	var t *terminal
	if r.tty {
		t = &terminal{f: r.io.In}
		t.raw()
		defer t.restore()
	}
	if err := r.toBackgroundNow(); err != nil {
		return failure, nil
	}
	killed := false
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	notifyResize(signals)
	defer signal.Stop(signals)
	done := make(chan struct{})
	defer close(done)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if isResize(s) {
					tellResize(pid)
					continue
				}
				killed = true
				close(ended)
				c.Close()
				return
			case <-done:
				return
			}
		}
	}()
	status, err := c.Wait(number, func() { t.restore() })
	t.restore()
	select {
	case <-ended:
		status = failure
	default:
	}
	switch {
	case killed, err != nil, status < 0:
		r.log.Debug2("Control master terminated unexpectedly")
		status = failure
	default:
		r.log.Debug2("Received exit status from master %d", status)
	}
	if r.tty && r.log.Enabled(client.LevelInfo) {
		r.tell("Shared connection to %s closed.", r.conf.Hostname)
	}
	return status, nil
}

// stdioPassenger is -W over a master.
func (r *run) stdioPassenger(c *client.Control, in *os.File) (int, error) {
	number, err := c.Stdio(r.stdio.Host, int(r.stdio.Port), fileNumber(in), fileNumber(r.io.Out))
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Denied:
		r.log.Fatal("Master refused stdio forwarding request: %s", refused)
		return failure, nil
	case errors.As(err, &refused):
		r.log.Fatal("Stdio forwarding request failed: %s", refused)
		return failure, nil
	case err != nil:
		return 0, err
	}
	c.Limit(0)
	if _, err := c.Wait(number, nil); err != nil {
		r.log.Fatal("%s", err)
		return failure, nil
	}
	return 0, nil
}

// listenControl makes the loop's connection one that others can share.
func (l *loop) listenControl(ctx context.Context) {
	if !l.masters() {
		return
	}
	m := &client.Master{
		Conf: l.conf, Log: l.log, Client: l.client, Forwards: l.forwards,
		Info: l.connectionInfo, Channels: l.listChannels,
		Exit: func() {
			l.terminated.Store(true)
			l.client.Close()
		},
	}
	if l.asks() {
		m.Permit = func(question string) bool { return l.ask.Permit(ctx, question) }
	}
	path := l.shares()
	if err := m.Listen(path); err != nil {
		if errors.Is(err, client.ErrControlTaken) {
			l.log.Error("ControlSocket %s already exists, disabling multiplexing", path)
		} else {
			l.log.Error("ControlSocket %s: %s", path, client.Strerror(err))
		}
		return
	}
	l.log.Debug1("setting up multiplex master socket")
	l.master = m
	l.stopResize = onResize(m.Resized)
}

// stay is a master in the background without a session of its own. What we were
// started for is done by our parent, as a passenger.
func (l *loop) stay(ctx context.Context) error {
	word := "p"
	if l.conf.SessionType == sshconfig.SessionNone && l.stdio == nil {
		word = "b"
	}
	if err := l.leave(word); err != nil {
		return err
	}
	return l.linger(ctx, l.patience())
}

// forever is a patience without end.
const forever = -1

// patience is how long an idle connection stays once its own session is over.
func (l *loop) patience() time.Duration {
	switch p := l.conf.ControlPersist; {
	case l.master == nil || !p.On:
		return 0
	case p.Idle == 0:
		return forever
	default:
		return p.Idle
	}
}

// linger waits until nothing uses the connection and nothing has for as long as
// limit says. Where nobody can come any more, nothing is waited for once it is
// idle.
func (l *loop) linger(ctx context.Context, limit time.Duration) error {
	var stopped <-chan struct{}
	if l.master != nil {
		stopped = l.master.Stopped()
	}
	last := time.Now()
	_, seen := l.client.Idle()
	for {
		idle, ever := l.client.Idle()
		quiet := false
		select {
		case <-idle:
			quiet = true
		default:
		}
		if !quiet || ever != seen {
			last, seen = time.Now(), ever
		}
		if quiet {
			select {
			case <-stopped:
				return nil
			default:
			}
			if limit >= 0 && time.Since(last) >= limit {
				return nil
			}
			idle = nil
		}
		// The clock starts when the last channel closes, of which only its being
		// so tells: it is looked at often enough.
		var tick <-chan time.Time
		if quiet && limit >= 0 {
			tick = time.After(min(max(limit/16, 20*time.Millisecond), time.Second))
		}
		select {
		case <-idle:
			last = time.Now()
		case <-tick:
		case <-stopped:
			if !quiet {
				stopped = nil
				select {
				case <-idle:
					return nil
				case <-l.client.Done():
				case <-ctx.Done():
				}
			}
		case <-l.client.Done():
			return l.client.Wait()
		case <-ctx.Done():
			l.client.Close()
			return context.Cause(ctx)
		}
	}
}
