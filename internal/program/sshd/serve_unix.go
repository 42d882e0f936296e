//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/monitor"
	"github.com/nacre-ssh/nacre/internal/sshd/network"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// firstNumber is above every process number, so that those of connections do
// not meet them in the log.
const firstNumber = 1 << 22

// server is the program while it serves. A generation is what it does with one
// reading of its configuration.
type server struct {
	io     stdio.Stdio
	flags  *flags
	log    *sshdlog.Logger
	logTo  sshdlog.Config
	db     *account.Database
	tz     string
	given  []*os.File // sockets of a service manager
	number atomic.Int64

	active sync.WaitGroup // generations that still have connections
}

func (s *server) nextNumber() int64 { return firstNumber + s.number.Add(1) }

// generation is a configuration, its keys and its sockets. Connections keep
// the one they came with.
type generation struct {
	s         *server
	cfg       *sshconfig.Server
	monitor   *monitor.Generation
	room      *network.Room
	startups  *startups
	listeners []net.Listener
}

func (s *server) newGeneration(cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate) (g *generation, err error) {
	g = &generation{s: s, cfg: cfg, startups: &startups{max: cfg.MaxStartups, log: s.log}}
	if g.monitor, err = s.newMonitor(cfg, keys, certs, func(int64, bool) { g.startups.done() }); err != nil {
		return nil, err
	}
	g.room, err = network.New(g.monitor.Setup(false), network.Options{Dial: dialForward, Listen: listenForward})
	return g, err
}

// newMonitor makes root's half of a generation. loggedIn is told of each login.
func (s *server) newMonitor(cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate, loggedIn func(id int64, key bool)) (*monitor.Generation, error) {
	host := &auth.Host{Config: cfg, DB: s.db, TZ: s.tz, Native: auth.FindNative(self())}
	o := monitor.Options{
		Config: cfg, DB: s.db, Log: s.log, Auth: host, Keys: keys, Certificates: certs,
		TZ: s.tz, UtmpHost: s.flags.utmp, Debug: s.flags.debug > 0, LoggedIn: loggedIn,
	}
	if err := host.Check(); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		o.Records = account.SystemRecords()
		host.FailedLogin = func(user, from string, addr netip.Addr) {
			err := o.Records.Failed(user, from, addr, os.Getpid(), time.Now())
			if errors.Is(err, account.ErrExcess) {
				s.log.Infof("%v", err)
			}
		}
	}
	for _, name := range cfg.KexAlgorithms {
		if strings.Contains(name, "group-exchange") {
			if b, err := os.ReadFile(cfg.ModuliFile); err == nil {
				if o.Moduli, err = ssh.ParseModuli(b); err != nil {
					s.log.Errorf("%s: %v", cfg.ModuliFile, err)
				}
			}
			break
		}
	}
	return monitor.New(o), nil
}

// counted is a listener that asks startups about each connection.
type counted struct {
	net.Listener
	g *generation
}

func (l counted) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.g.startups.admit(c) {
			return c, nil
		}
		_ = c.SetWriteDeadline(time.Now())
		_, _ = c.Write([]byte(refusal)) // best effort: nobody waits for strangers
		c.Close()
	}
}

// serve serves until the sockets of the generation are closed.
func (g *generation) serve(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // connections outlive the socket they came by
	for _, l := range g.listeners {
		g.s.active.Add(1)
		go func() {
			defer g.s.active.Done()
			forward.AcceptAll(ctx, counted{l, g}, func(err error) { g.s.log.Errorf("accept: %s", reason(err)) }, func(c net.Conn) {
				g.s.active.Go(func() { g.visit(ctx, c) })
			})
		}()
	}
}

// visit serves a connection: the monitor and the network room are goroutines of
// this process, joined by a link.
func (g *generation) visit(ctx context.Context, c net.Conn) monitor.Outcome {
	ours, theirs := privsep.Pair()
	peer := monitor.Peer{Number: g.s.nextNumber(), Remote: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr())}
	served := make(chan struct{})
	go func() {
		defer close(served)
		g.room.Serve(ctx, theirs, c, nil)
	}()
	o := g.monitor.Serve(ctx, ours, peer)
	<-served
	if !o.LoggedIn {
		g.startups.done()
	}
	return o
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// close stops listening. Connections go on.
func (g *generation) close() {
	for _, l := range g.listeners {
		l.Close()
	}
}

// one serves a single connection, for -i and -d. The status says whether it
// ended well.
func (g *generation) one(ctx context.Context, c net.Conn) int {
	g.startups.admit(c)
	if g.visit(ctx, c).Clean {
		return 0
	}
	return 255
}

// inetd is the connection on standard input and output.
func inetd() (net.Conn, error) {
	in := rawio.Inherited(0, "stdin")
	if in.IsSocket() {
		f := os.NewFile(0, "socket")
		c, err := net.FileConn(f) // a duplicate
		if err == nil {
			f.Close()
			return c, nil
		}
	}
	return rawio.NewDuplex(in, rawio.Inherited(1, "stdout"), "UNKNOWN"), nil
}

// run serves until a signal or ctx ends it. listening is called when the
// sockets are open and the PidFile is written.
func (s *server) run(ctx context.Context, cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate, listening func() error) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT)
	defer signal.Stop(signals)

	g, err := s.newGeneration(cfg, keys, certs)
	if err != nil {
		s.fatal("%v", err)
		return 255
	}
	if g.listeners, err = s.sockets(ctx, cfg); err != nil {
		s.fatal("%s", cannotListen(err))
		return 255
	}
	pid := s.takePid(cfg)
	if listening != nil {
		if err := listening(); err != nil {
			s.log.Fatalf("%v", err)
			return 255
		}
	}
	notify("READY=1")
	if s.flags.debug > 0 {
		return s.debugOne(ctx, g)
	}
	g.serve(ctx)
	for {
		select {
		case <-ctx.Done():
			g.close()
			removePid(pid)
			s.active.Wait()
			return 0
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				if next := s.restart(ctx, g, pid); next != nil {
					g = next
					pid = s.takePid(g.cfg)
					notify("READY=1")
				}
				continue
			}
			n := sig.(syscall.Signal)
			s.log.Infof("Received signal %d; terminating.", int(n))
			g.close()
			removePid(pid)
			signal.Reset(n) // once more, and sessions end too
			s.active.Wait()
			switch n {
			case syscall.SIGINT:
				return raise(n)
			case syscall.SIGQUIT:
				return 255
			}
			return 0
		}
	}
}

// cannotListen is OpenSSH's text where it has one.
func cannotListen(err error) string {
	if err == errNoAddress {
		return "Cannot bind any address."
	}
	return err.Error()
}

// fatal tells of an end before the server is one: also to whoever waits in
// the foreground.
func (s *server) fatal(format string, args ...any) {
	s.log.Fatalf(format, args...)
	if s.log.Away() && !s.flags.quiet {
		s.io.Errorf(format, args...)
	}
}

// debugOne is -d: one connection, then the end.
func (s *server) debugOne(ctx context.Context, g *generation) int {
	first := make(chan net.Conn, len(g.listeners))
	for _, l := range g.listeners {
		go func() {
			if c, err := l.Accept(); err == nil {
				first <- c
			}
		}()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGHUP)
	select {
	case c := <-first:
		g.close()
		return g.one(ctx, c)
	case <-ctx.Done():
		g.close()
		return 0
	case sig := <-stop:
		g.close()
		s.log.Infof("Received signal %d; terminating.", int(sig.(syscall.Signal)))
		return 0
	}
}

// restart is SIGHUP: everything is read again and the sockets are opened
// anew. What cannot be read leaves the old generation at work.
func (s *server) restart(ctx context.Context, old *generation, pid string) *generation {
	s.log.Infof("Received SIGHUP; restarting.")
	notify("RELOADING=1")
	cfg, status := load(s.flags, s.db, s.log)
	if status != 0 {
		s.log.Errorf("the configuration was not changed")
		notify("READY=1")
		return nil
	}
	refuse, tell := unsupported(cfg)
	keys, certs := hostKeys(cfg, s.log)
	if len(refuse) > 0 || len(keys) == 0 {
		s.log.Errorf("the configuration was not changed: %s", cannot(refuse))
		notify("READY=1")
		return nil
	}
	s.configureLog(cfg)
	s.tell(tell)
	g, err := s.newGeneration(cfg, keys, certs)
	if err != nil {
		s.log.Errorf("the configuration was not changed: %v", err)
		notify("READY=1")
		return nil
	}
	old.close()
	removePid(pid)
	if g.listeners, err = s.sockets(ctx, cfg); err != nil {
		s.log.Fatalf("%s", cannotListen(err)) // nothing to serve with: what is open goes on
		return nil
	}
	g.serve(ctx)
	return g
}

// configureLog has the log as cfg says. A file is opened anew: it may have been
// moved away.
func (s *server) configureLog(cfg *sshconfig.Server) {
	s.logTo.Level, s.logTo.Verbose, s.logTo.Facility, s.logTo.Format = cfg.LogLevel, cfg.LogVerbose, cfg.SyslogFacility, cfg.LogFormat
	if err := s.log.Configure(s.logTo); err != nil {
		s.log.Errorf("%v", err)
	}
}

func cannot(refuse []string) string {
	if len(refuse) == 0 {
		return "no hostkeys available"
	}
	return strings.Join(refuse, ", ") + " is not supported yet"
}

func (s *server) tell(words []string) {
	for _, w := range words {
		s.log.Infof("Unsupported option %s: not there yet, the server goes on without it", w)
	}
}

// takePid writes the PidFile and returns its path, "" when there is none.
func (s *server) takePid(cfg *sshconfig.Server) string {
	if cfg.PidFile == "" || strings.EqualFold(cfg.PidFile, "none") || s.flags.debug > 0 {
		return ""
	}
	if err := writePid(cfg.PidFile); err != nil {
		s.log.Errorf("Couldn't create pid file \"%s\": %s", cfg.PidFile, reason(err))
		return ""
	}
	return cfg.PidFile
}

func removePid(path string) {
	if path != "" {
		os.Remove(path)
	}
}

// notify tells the service manager, where there is one.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if state == "RELOADING=1" {
		state += "\n" + monotonic()
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}

// Main runs the program.
func Main(ctx context.Context, io stdio.Stdio, args []string) int {
	switch role, rest := room.FromArgs(args); role {
	case room.Login:
		return login.Main(services(room.Begin("sshd")))
	case room.Network, room.Lobby:
		return runRoom(role, rest)
	case room.Monitor:
		return runMonitor(ctx, io, rest)
	}
	room.Begin("sshd") // also when called as a word of the suite's one program
	behind := len(args) > 0 && args[0] == daemonWord
	if behind {
		args = args[1:]
	}
	tidy()
	f, status, done := parse(io, args)
	if done {
		return status
	}
	return f.run(ctx, io, behind)
}

// open starts the log and reads the configuration; behind says that all that is
// wrong with it has been told already. Without a server the process ends with
// status.
func (f *flags) open(io stdio.Stdio, behind bool) (s *server, cfg *sshconfig.Server, status int) {
	to := sshdlog.Config{Level: sshconfig.Info, Output: io.Err}
	switch {
	case f.quiet:
		to.Level = sshconfig.Quiet
	case f.debug > 0:
		to.Level = sshconfig.Verbose + sshconfig.LogLevel(f.debug)
	}
	if f.config != "" && !strings.EqualFold(f.config, "none") {
		f.config = absolute(f.config)
	}
	if f.logFile != "" {
		path, err := sshdlog.ExpandName(absolute(f.logFile), "sshd")
		if err != nil {
			io.Errorf("%v", err)
			return nil, nil, 1
		}
		to.File = path
	} else if f.inetd && !f.stderr {
		to.Output, to.Facility = nil, sshconfig.FacilityAuth
	}
	log, err := sshdlog.New(to)
	if err != nil {
		io.Errorf("%v", err)
		return nil, nil, 1
	}
	if f.spec != nil && !f.extended {
		log.Fatalf("Config test connection parameter (-C) provided without test mode (-T)")
		return nil, nil, 255
	}
	s = &server{io: io, flags: f, log: log, db: account.System(), tz: io.Getenv("TZ")}
	early := log
	if behind {
		early = &sshdlog.Logger{}
	}
	if cfg, status = load(f, s.db, early); status != 0 {
		return nil, nil, status
	}
	log.SetLevel(cfg.LogLevel)
	if f.logFile == "" && !f.stderr && f.debug == 0 {
		to.Output = nil // from configureLog on
	}
	s.logTo = to
	return s, cfg, 0
}

func (f *flags) run(ctx context.Context, io stdio.Stdio, behind bool) int {
	s, cfg, status := f.open(io, behind)
	if s == nil {
		return status
	}
	log, early := s.log, s.log
	if behind {
		early = &sshdlog.Logger{} // the foreground has told it all
	}
	if f.foreground {
		s.given = givenSockets(io.Getenv)
	}
	if f.dump && !f.extended {
		return f.print(io, cfg)
	}
	keys, certs := hostKeys(cfg, early)
	if len(keys) == 0 {
		log.Infof("sshd: no hostkeys available -- exiting.")
		return 1
	}
	if f.extended {
		return f.print(io, cfg)
	}
	refuse, tell := unsupported(cfg)
	if len(refuse) > 0 {
		log.Fatalf("%s", cannot(refuse))
		return 255
	}
	if f.test {
		return 0
	}
	if f.daemon() && !behind {
		s.tell(tell)
		return background(io, f.args)
	}
	s.configureLog(cfg)
	if !behind {
		s.tell(tell)
	}
	if f.inetd {
		c, err := inetd()
		if err != nil {
			log.Fatalf("%v", err)
			return 255
		}
		g, err := s.newGeneration(cfg, keys, certs)
		if err != nil {
			log.Fatalf("%v", err)
			return 255
		}
		return g.one(ctx, c)
	}
	if err := os.Chdir("/"); err != nil {
		log.Errorf("chdir(\"/\"): %s", reason(err))
	}
	var listening func() error
	if behind {
		listening = ready
	}
	return s.run(ctx, cfg, keys, certs, listening)
}

// print is -T and -G.
func (f *flags) print(io stdio.Stdio, cfg *sshconfig.Server) int {
	if f.spec != nil {
		matched, err := cfg.Match(f.spec)
		if err != nil {
			io.Errorf("%v", err)
			return 255
		}
		cfg = matched
	}
	if err := cfg.Print(io.Out, false); err != nil {
		io.Errorf("sshd: %s", reason(err))
		return 255
	}
	return 0
}
