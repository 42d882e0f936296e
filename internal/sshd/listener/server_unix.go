//go:build unix

package listener

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/notify"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

const (
	// firstNumber is above every process number, so that those of connections do
	// not meet them in the log.
	firstNumber = 1 << 22
	// startTime bounds how long a generation takes to get ready.
	startTime = 2 * time.Minute
	// outOfPause is how long nothing is accepted when the system has run out of
	// something.
	outOfPause = 100 * time.Millisecond
	// outOfEvery is how often the log says so.
	outOfEvery = 30 * time.Second
	// fileReserve are descriptors that the lobby leaves to others.
	fileReserve = 256
)

// Generation is what serves connections by one reading of the configuration:
// a process, or goroutines of this one.
type Generation struct {
	// Link is the listener's end; the rows of the link are in privsep.Table.
	Link *privsep.Conn
	// Lobbies are the lobbies of a generation in this process, one after the
	// other; nil when they come over Link.
	Lobbies <-chan *privsep.Conn
	// Pid is its process, 0 for this one.
	Pid int
	// Wait waits for its end and says how it was, nil for a good one.
	Wait func() error
}

// Options are what a listener is given.
type Options struct {
	Config *sshconfig.Server
	Log    *log.Logger
	// Fatal tells why the server does not start; nil for Log alone.
	Fatal func(format string, args ...any)
	// Load reads the configuration again. It has told why when it fails.
	Load func() (*sshconfig.Server, error)
	// Start starts a generation.
	Start func(ctx context.Context, cfg *sshconfig.Server) (*Generation, error)
	// Given are sockets of a service manager, nil to open those of the
	// configuration.
	Given []*os.File
	// Listening is called once, when the sockets are open and the PidFile is
	// written.
	Listening func() error
	// Title sets what ps shows; it may be nil. Command is this server's command
	// line for it.
	Title   func(string)
	Command string
	// Getenv is the environment.
	Getenv func(string) string
	// Upgrade is the file of the program that takes this process's place at
	// SIGUSR2, "" for none; it gets Before and then Args, which are those of the
	// command line.
	Upgrade      string
	Before, Args []string
	// NoPidFile leaves that file and the status socket alone (-d).
	NoPidFile bool
	Now       func() time.Time // nil for time.Now
}

// Server is a listener at work.
type Server struct {
	o       Options
	now     func() time.Time
	number  atomic.Int64
	begun   time.Time
	paths   paths
	pidFile string
	status  *statusSocket
	wg      sync.WaitGroup // of accepting and of what is told by generations

	mu          sync.Mutex
	cfg         *sshconfig.Server
	gate        *penalty.Gate
	changed     chan struct{}           // closed, and made anew, when the present lobby changes
	where       map[int64]*privsep.Conn // the lobby that a stranger is in
	generations []*generation           // the last is the present one
	sockets     []*socket
	given       bool
	stopped     bool
	paused      bool // nobody comes in: an upgrade is under way
	parked      int  // sockets that keep to it
	lastOut     map[string]time.Time
	dirty       bool // penalties have changed since they were written
	gone        sync.WaitGroup
}

type generation struct {
	*Generation
	s     *Server
	ready chan error
	told  sync.Once

	lobby *privsep.Conn // under Server.mu; nil while there is none
	rules *privsep.Rules
}

// Run serves until a signal or ctx ends it, and returns the process's status.
func Run(ctx context.Context, o Options) int {
	s := &Server{o: o, now: o.Now, cfg: o.Config, changed: make(chan struct{}), lastOut: map[string]time.Time{}, where: map[int64]*privsep.Conn{}}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Fatal == nil {
		o.Fatal = o.Log.Fatalf
	}
	s.begun = s.now()
	s.number.Store(firstNumber)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGUSR2)
	defer signal.Stop(signals)
	s.gate = penalty.NewGate(s.rules(s.cfg), s.limits(s.cfg), roll, o.Log.Logf)
	s.paths = pathsOf(s.cfg, o.NoPidFile)
	s.recall()

	if err := s.listen(ctx); err != nil {
		o.Fatal("%v", err)
		return 255
	}
	defer s.closeSockets()
	g, err := s.start(ctx, s.cfg)
	if err != nil {
		o.Fatal("%v", err)
		return 255
	}
	s.install(g)
	s.takePid(s.cfg)
	if o.Listening != nil {
		if err := o.Listening(); err != nil {
			o.Log.Fatalf("%v", err)
			return 255
		}
	}
	s.retitle()
	_ = notify.Send(o.Getenv, notify.Ready)
	s.openStatus()
	for _, k := range s.sockets {
		s.serve(k)
	}
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.finish(0)
		case <-save.C:
			s.save()
		case sig := <-signals:
			switch n := sig.(syscall.Signal); n {
			case syscall.SIGHUP:
				s.reload(ctx)
			case syscall.SIGUSR2:
				s.upgrade()
			default:
				o.Log.Infof("Received signal %d; terminating.", int(n))
				signal.Reset(n) // once more, and sessions of this process end too
				status := 255
				if n == syscall.SIGTERM {
					status = 0
				}
				status = s.finish(status)
				if n == syscall.SIGINT {
					_ = unix.Kill(os.Getpid(), unix.SIGINT)
				}
				return status
			}
		}
	}
}

func roll(n int) int {
	var b [8]byte
	rand.Read(b[:])
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n))
}

func (s *Server) rules(cfg *sshconfig.Server) penalty.Config {
	return penalty.Config{Penalties: cfg.PerSourcePenalties, Exempt: cfg.PerSourcePenaltyExemptList, Bits: cfg.PerSourceNetBlockSize}
}

func (s *Server) limits(cfg *sshconfig.Server) penalty.Limits {
	return penalty.Limits{MaxStartups: cfg.MaxStartups, PerSource: cfg.PerSourceMaxStartups}
}

// lobbyRules are the bounds of a lobby under a configuration and the limits of
// this process.
func lobbyRules(cfg *sshconfig.Server) *privsep.Rules {
	r := &privsep.Rules{PerSource: cfg.LobbyPerSource, Max: cfg.LobbyMax,
		Bits4: cfg.PerSourceNetBlockSize.IPv4, Bits6: cfg.PerSourceNetBlockSize.IPv6, Grace: cfg.LoginGraceTime}
	if !cfg.IsSet("LobbyPerSource") {
		// Who has raised the bound on strangers in all means single sources too.
		r.PerSource = max(r.PerSource, cfg.MaxStartups.Start)
	}
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && int64(lim.Cur) > 0 {
		most := int64(lim.Cur) - min(int64(lim.Cur)/2, fileReserve)
		r.Max = int(min(int64(r.Max), most))
	}
	return r
}

// listen opens the sockets, or takes those that are given.
func (s *Server) listen(ctx context.Context) error {
	if files, keys := inherited(s.o.Getenv); files != nil {
		// Those that the configuration does not name any more, or not yet, are for
		// the next reload.
		list, err := adopt(files, keys, s.o.Log)
		if err != nil {
			return err
		}
		s.sockets = list
		s.given = true
		for _, k := range list {
			s.given = s.given && k.key == ""
		}
		return nil
	}
	if s.o.Given != nil {
		s.given = true
		if s.cfg.IsSet("ListenAddress") || s.cfg.IsSet("Port") {
			s.o.Log.Infof("Port and ListenAddress are not used: the service manager has opened the sockets")
		}
		list, err := adopt(s.o.Given, nil, s.o.Log)
		s.sockets = list
		return err
	}
	list, _, err := open(ctx, s.cfg, nil, s.o.Log)
	s.sockets = list
	return err
}

func (s *Server) closeSockets() {
	s.mu.Lock()
	list := s.sockets
	s.sockets, s.stopped = nil, true
	s.changedLocked()
	s.mu.Unlock()
	for _, k := range list {
		k.close()
	}
}

func (k *socket) close() {
	k.f.Close()
	if k.done != nil {
		<-k.done
	}
}

// start starts a generation and waits until it can serve.
func (s *Server) start(ctx context.Context, cfg *sshconfig.Server) (*generation, error) {
	made, err := s.o.Start(context.WithoutCancel(ctx), cfg)
	if err != nil {
		return nil, err
	}
	g := &generation{Generation: made, s: s, ready: make(chan error, 1), rules: lobbyRules(cfg)}
	s.gone.Go(g.run)
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	select {
	case err = <-g.ready:
	case <-limit.C:
		err = fmt.Errorf("it did not get ready within %v", startTime)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		g.Link.Close()
		return nil, err
	}
	return g, nil
}

func (g *generation) is(err error) { g.told.Do(func() { g.ready <- err }) }

// run listens to a generation until it has ended.
func (g *generation) run() {
	stop := make(chan struct{})
	var lobbies sync.WaitGroup
	if g.Lobbies != nil {
		lobbies.Go(func() {
			for {
				select {
				case c, ok := <-g.Lobbies:
					if !ok {
						return
					}
					g.s.newLobby(g, c)
				case <-stop:
					return
				}
			}
		})
	}
	err := g.Link.Serve(context.Background(), g.incoming)
	close(stop)
	lobbies.Wait()
	if err == nil {
		err = errors.New("it ended before it was ready")
	}
	g.is(err)
	how := g.Wait()
	s := g.s
	s.mu.Lock()
	present := len(s.generations) > 0 && s.generations[len(s.generations)-1] == g
	for i, x := range s.generations {
		if x == g {
			s.generations = append(s.generations[:i:i], s.generations[i+1:]...)
			break
		}
	}
	stopped := s.stopped
	s.mu.Unlock()
	if how != nil && !stopped {
		s.o.Log.Errorf("monitor %d: %v", g.Pid, how)
	}
	if present && !stopped {
		g.again()
	}
}

// again replaces a generation that ended though it should serve.
func (g *generation) again() {
	s := g.s
	s.o.Log.Errorf("monitor %d ended; starting another", g.Pid)
	s.gone.Go(func() {
		for pause := outOfPause; ; pause = min(2*pause, outOfEvery) {
			s.mu.Lock()
			cfg, stopped := s.cfg, s.stopped || len(s.generations) > 0 && s.presentLocked() != g
			s.mu.Unlock()
			if stopped {
				return
			}
			n, err := s.start(context.Background(), cfg)
			if err == nil {
				s.install(n)
				return
			}
			s.o.Log.Errorf("cannot start a monitor: %v", err)
			time.Sleep(pause)
		}
	})
}

// install makes a generation the present one; the one before retires.
func (s *Server) install(g *generation) {
	s.mu.Lock()
	old := s.presentLocked()
	s.generations = append(s.generations, g)
	s.changedLocked()
	s.mu.Unlock()
	if old != nil {
		_ = old.Link.Notify(&privsep.Retire{})
	}
}

// presentLocked is the generation that gets the connections.
func (s *Server) presentLocked() *generation {
	if n := len(s.generations); n > 0 {
		return s.generations[n-1]
	}
	return nil
}

// changedLocked wakes those who wait for a lobby.
func (s *Server) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// incoming handles what a generation says.
func (g *generation) incoming(_ context.Context, in *privsep.Incoming) error {
	s := g.s
	row := privsep.Find(in.Number)
	if row == nil || row.Link != privsep.Generation || row.From != privsep.Monitor {
		return fmt.Errorf("%w: %s to the listener", privsep.ErrProtocol, in.Number)
	}
	switch in.Number {
	case privsep.NumReady:
		g.is(nil)
	case privsep.NumUnready:
		var m privsep.Unready
		if err := in.Decode(&m); err != nil {
			return err
		}
		g.is(errors.New(m.Text))
	case privsep.NumLobby:
		c, err := privsep.NewConn(in.Files[0])
		in.Files = nil
		if err != nil {
			return err
		}
		s.newLobby(g, c)
	case privsep.NumLoggedIn:
		var m privsep.LoggedIn
		if err := in.Decode(&m); err != nil {
			return err
		}
		s.mu.Lock()
		s.gate.LoggedIn(m.Number, m.Key, s.now())
		s.mu.Unlock()
		s.retitle()
	case privsep.NumEnded:
		var m privsep.Ended
		if err := in.Decode(&m); err != nil {
			return err
		}
		s.mu.Lock()
		s.gate.Ended(m.Number, penalty.Event(m.Event), s.now())
		s.dirty = s.dirty || m.Event != 0
		s.mu.Unlock()
		s.retitle()
	}
	return nil
}

// newLobby takes up a lobby of a generation. One that was there before is dead
// or dies.
func (s *Server) newLobby(g *generation, c *privsep.Conn) {
	if err := c.Notify(g.rules); err != nil {
		c.Close()
		return
	}
	s.mu.Lock()
	old := g.lobby
	g.lobby = c
	s.changedLocked()
	s.mu.Unlock()
	if old != nil {
		old.Close()
	}
	s.wg.Go(func() {
		err := c.Serve(context.Background(), func(_ context.Context, in *privsep.Incoming) error { return s.fromLobby(c, in) })
		s.mu.Lock()
		if g.lobby == c {
			g.lobby = nil
			s.changedLocked()
		}
		lost := 0
		for n, at := range s.where {
			if at == c {
				delete(s.where, n)
				s.gate.Ended(n, penalty.None, s.now())
				lost++
			}
		}
		stopped := s.stopped
		s.mu.Unlock()
		if err != nil && !errors.Is(err, privsep.ErrClosed) {
			s.o.Log.Errorf("lobby: %v", err)
		} else if lost > 0 && !stopped {
			s.o.Log.Errorf("lobby ended with %d connections in it", lost)
		}
	})
}

// fromLobby handles what a lobby says.
func (s *Server) fromLobby(c *privsep.Conn, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumLeave:
		var m privsep.Leave
		if err := in.Decode(&m); err != nil {
			return err
		}
		v := privsep.Verdict{}
		s.mu.Lock()
		if s.where[m.Number] == c {
			delete(s.where, m.Number)
			v.Admit = s.gate.Leave(m.Number, s.now())
		}
		s.mu.Unlock()
		if !v.Admit {
			v.Text = plain(penalty.Refusal)
		}
		s.retitle()
		return in.Answer(&v)
	case privsep.NumGone:
		var m privsep.Gone
		if err := in.Decode(&m); err != nil {
			return err
		}
		s.mu.Lock()
		remote, local, ok := s.gate.Addresses(m.Number)
		if s.where[m.Number] != c {
			ok = false // it left, or was never there
		}
		if ok {
			delete(s.where, m.Number)
			s.gate.Ended(m.Number, penalty.Event(m.Event), s.now())
			s.dirty = s.dirty || m.Event != 0
		}
		level := s.cfg.LogLevel
		s.mu.Unlock()
		if ok {
			farewell(s.o.Log.For(m.Number), level, &m, remote, local)
		}
		return nil
	}
	return fmt.Errorf("%w: %s to the listener", privsep.ErrProtocol, in.Number)
}

// serve accepts connections of a socket until it is closed.
func (s *Server) serve(k *socket) {
	k.done = make(chan struct{})
	go func() {
		defer close(k.done)
		for {
			s.pause()
			fd, remote, local, err := k.accept()
			if err == nil {
				s.admit(fd, remote, local)
				continue
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue // an upgrade is under way
			}
			s.mu.Lock()
			over := s.stopped || !slices.Contains(s.sockets, k)
			s.mu.Unlock()
			if over {
				return
			}
			s.outOf("accept", err)
			time.Sleep(outOfPause)
		}
	}()
}

// pause waits while an upgrade is under way.
func (s *Server) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.paused && !s.stopped {
		s.parked++
		changed := s.changed
		s.mu.Unlock()
		<-changed
		s.mu.Lock()
		s.parked--
	}
}

// outOf tells what the system has run out of, now and then.
func (s *Server) outOf(what string, err error) {
	s.mu.Lock()
	now := s.now()
	tell := now.Sub(s.lastOut[what]) >= outOfEvery
	if tell {
		s.lastOut[what] = now
	}
	s.mu.Unlock()
	if tell {
		s.o.Log.Errorf("%s: %s", what, reason.Of(err))
	}
}

// admit asks the door and hands a connection to the lobby. It waits while there
// is none: the system's queue is the place for more.
func (s *Server) admit(fd int, remote, local netip.AddrPort) {
	number := s.number.Add(1)
	s.mu.Lock()
	ok := s.gate.Accept(number, remote, local, s.now())
	s.mu.Unlock()
	if !ok {
		_ = unix.SetNonblock(fd, true)
		_, _ = unix.Write(fd, []byte(penalty.Refusal)) // best effort: nobody waits for strangers
		unix.Close(fd)
		return
	}
	f := os.NewFile(uintptr(fd), "connection")
	m := &privsep.Stranger{Number: number, Remote: remote, Local: local}
	for {
		s.mu.Lock()
		changed := s.changed
		var c *privsep.Conn
		if g := s.presentLocked(); g != nil {
			c = g.lobby
		}
		over := s.stopped
		if c != nil {
			s.where[number] = c
		}
		if over {
			delete(s.where, number)
			s.gate.Ended(number, penalty.None, s.now())
		}
		s.mu.Unlock()
		switch {
		case over:
			f.Close()
			return
		case c == nil:
			<-changed
			continue
		}
		// A link that is gone has closed the file with the message; whoever was
		// in it is lost like those that were there.
		if err := c.Notify(m, f); err != nil && !errors.Is(err, privsep.ErrClosed) {
			s.outOf("lobby", err)
		}
		return
	}
}

// retitle shows who is there.
func (s *Server) retitle() {
	if s.o.Title == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.cfg.MaxStartups
	s.o.Title(fmt.Sprintf("sshd: %s [listener] %d of %d-%d startups", s.o.Command, s.gate.Startups(), m.Start, m.Full))
}

// reload is SIGHUP: everything is read again. What cannot be read, or not be
// served, leaves everything as it is.
func (s *Server) reload(ctx context.Context) {
	s.o.Log.Infof("Received SIGHUP; restarting.")
	_ = notify.Send(s.o.Getenv, notify.Reloading)
	defer func() { _ = notify.Send(s.o.Getenv, notify.Ready) }()
	cfg, err := s.o.Load()
	if err != nil {
		s.o.Log.Errorf("the configuration was not changed")
		return
	}
	s.mu.Lock()
	old := s.sockets
	s.mu.Unlock()
	list, fresh := old, []*socket(nil)
	if !s.given {
		if list, fresh, err = open(ctx, cfg, old, s.o.Log); err != nil {
			s.o.Log.Errorf("%v The configuration was not changed", err)
			return
		}
	}
	g, err := s.start(ctx, cfg)
	if err != nil {
		for _, k := range fresh {
			k.f.Close()
		}
		s.o.Log.Errorf("the configuration was not changed: %v", err)
		return
	}
	s.mu.Lock()
	s.cfg, s.sockets = cfg, list
	s.gate.Configure(s.rules(cfg), s.limits(cfg))
	s.mu.Unlock()
	s.install(g)
	for _, k := range old {
		if !slices.Contains(list, k) {
			k.close()
		}
	}
	for _, k := range fresh {
		s.serve(k)
	}
	s.takePid(cfg)
	s.retitle()
}

// finish stops listening. Generations in processes of their own go on; those of
// this process are waited for.
func (s *Server) finish(status int) int {
	_ = notify.Send(s.o.Getenv, notify.Stopping)
	s.closeSockets()
	s.dropPid()
	s.status.close()
	s.save()
	s.mu.Lock()
	list := slices.Clone(s.generations)
	s.mu.Unlock()
	here := false
	for _, g := range list {
		here = here || g.Pid == 0
		_ = g.Link.Notify(&privsep.Retire{})
	}
	if here {
		s.gone.Wait()
		s.wg.Wait()
	}
	return status
}
