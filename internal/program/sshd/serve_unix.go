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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/listener"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/monitor"
	"github.com/nacre-ssh/nacre/internal/sshd/network"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/notify"
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
	title  *room.Title
	given  []*os.File // sockets of a service manager
	number atomic.Int64
}

func (s *server) nextNumber() int64 { return firstNumber + s.number.Add(1) }

// generation is a configuration and its keys in this process, for connections
// that need no listener.
type generation struct {
	s       *server
	monitor *monitor.Generation
	room    *network.Room
}

func (s *server) newGeneration(cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate) (g *generation, err error) {
	g = &generation{s: s}
	if g.monitor, err = s.newMonitor(cfg, keys, certs, func(int64, bool) {}); err != nil {
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
	return o
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// one serves a single connection, for -i and -d: this process is the monitor,
// and root leaves the protocol to a room of strangers. The status says whether
// the connection ended well.
func (s *server) one(ctx context.Context, cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate, c net.Conn) int {
	var o monitor.Outcome
	if os.Geteuid() == 0 {
		g, err := s.newMonitor(cfg, keys, certs, func(int64, bool) {})
		if err == nil {
			o, err = s.oneRoom(ctx, g, c)
		}
		if err != nil {
			s.fatal("%v", err)
			return 255
		}
	} else {
		g, err := s.newGeneration(cfg, keys, certs)
		if err != nil {
			s.fatal("%v", err)
			return 255
		}
		o = g.visit(ctx, c)
	}
	if o.Clean {
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

// run serves until a signal or ctx ends it. dir is where paths of the command
// line began, listening is called when the sockets are open and the PidFile is
// written.
func (s *server) run(ctx context.Context, cfg *sshconfig.Server, dir string, behind bool) int {
	o := listener.Options{
		Config: cfg, Log: s.log, Fatal: s.fatal, Load: s.reload, Given: s.given, Getenv: s.io.Getenv,
		Command: strings.Join(append([]string{"sshd"}, s.flags.args...), " "),
		Title:   s.title.Set,
	}
	if len(os.Args) > 0 {
		o.Command = strings.Join(append([]string{os.Args[0]}, s.flags.args...), " ")
	}
	if behind && s.io.Getenv(listener.InheritWord) == "" {
		o.Listening = ready
	}
	if exe, err := os.Executable(); err == nil {
		o.Upgrade, o.Args = strings.TrimSuffix(exe, " (deleted)"), s.flags.args
		if behind {
			o.Before = []string{daemonWord}
		}
	}
	o.Start = s.startHere
	if os.Geteuid() == 0 {
		p, err := newRoomProcesses(s.db, nil)
		if err != nil {
			s.fatal("%v", err)
			return 255
		}
		defer p.binary.Close()
		o.Start = func(_ context.Context, _ *sshconfig.Server) (*listener.Generation, error) {
			return s.startProcess(p.binary, dir, behind)
		}
	}
	return listener.Run(ctx, o)
}

// reload reads everything again. What is wrong with it has been told.
func (s *server) reload() (*sshconfig.Server, error) {
	cfg, status := load(s.flags, s.db, s.log)
	if status != 0 {
		return nil, errConfig
	}
	refuse, tell := unsupported(cfg)
	keys, _ := hostKeys(cfg, s.log)
	if len(refuse) > 0 || len(keys) == 0 {
		err := errors.New(cannot(refuse))
		s.log.Errorf("%v", err)
		return nil, err
	}
	s.configureLog(cfg)
	s.tell(tell)
	return cfg, nil
}

var errConfig = errors.New("the configuration cannot be read")

// first is -d: the first connection, then the end.
func (s *server) first(ctx context.Context, cfg *sshconfig.Server, keys []ssh.Signer, certs []*ssh.Certificate) int {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGHUP)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case sig := <-signals:
			s.log.Infof("Received signal %d; terminating.", int(sig.(syscall.Signal)))
			stop(errSignal)
		case <-done:
		}
	}()
	c, err := listener.First(ctx, cfg, s.given, s.log, func() error {
		_ = notify.Send(s.io.Getenv, notify.Ready)
		return nil
	})
	switch {
	case errors.Is(err, errSignal), err != nil && ctx.Err() != nil:
		return 0
	case err != nil:
		s.fatal("%v", err)
		return 255
	}
	signal.Stop(signals)
	return s.one(ctx, cfg, keys, certs, c)
}

var errSignal = errors.New("a signal")

// fatal tells of an end before the server is one: also to whoever waits in
// the foreground.
func (s *server) fatal(format string, args ...any) {
	s.log.Fatalf(format, args...)
	if s.log.Away() && !s.flags.quiet {
		s.io.Errorf(format, args...)
	}
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
	title := room.Begin("sshd") // also when called as a word of the suite's one program
	behind := len(args) > 0 && args[0] == daemonWord
	if behind {
		args = args[1:]
	}
	tidy()
	f, status, done := parse(io, args)
	if done {
		return status
	}
	return f.run(ctx, io, title, behind)
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

func (f *flags) run(ctx context.Context, io stdio.Stdio, title *room.Title, behind bool) int {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	s, cfg, status := f.open(io, behind)
	if s == nil {
		return status
	}
	s.title = title
	if f.control != "" {
		return s.control(cfg)
	}
	log, early := s.log, s.log
	if behind {
		early = &sshdlog.Logger{} // the foreground has told it all
	}
	if f.foreground {
		s.given = notify.Files(io.Getenv)
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
		return s.one(ctx, cfg, keys, certs, c)
	}
	if err := os.Chdir("/"); err != nil {
		log.Errorf("chdir(\"/\"): %s", reason(err))
	}
	if f.debug > 0 {
		return s.first(ctx, cfg, keys, certs)
	}
	return s.run(ctx, cfg, dir, behind)
}

// control is -O: a question to the server that runs with this configuration.
func (s *server) control(cfg *sshconfig.Server) int {
	if s.flags.control != "status" {
		s.io.Errorf("sshd: -O %s: only status can be asked for", s.flags.control)
		return 1
	}
	path := listener.StatusPath(cfg)
	if path == "" {
		s.io.Errorf("sshd: without a PidFile a server has no status socket")
		return 255
	}
	if err := listener.Status(path, s.io.Out); err != nil {
		s.io.Errorf("sshd: no status of a server at %s: %s", path, reason(err))
		return 255
	}
	return 0
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
