//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"errors"
	"fmt"
	pump "io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/sshd/listener"
	"github.com/nacre-ssh/nacre/internal/sshd/lobby"
	"github.com/nacre-ssh/nacre/internal/sshd/monitor"
	"github.com/nacre-ssh/nacre/internal/sshd/network"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/sshd/room"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// strangerAccounts own the rooms that strangers speak with, in order of
// preference. Nothing else may be theirs.
var strangerAccounts = [...]string{"nacre", "sshd"}

const (
	// roomGC is the garbage collector's percentage in a network room: its heap is
	// small, and what it holds at rest is what every idle login costs.
	roomGC = 50
	// roomProcessors is how many processors a room uses at once: a connection
	// keeps two busy, reading and writing.
	roomProcessors = 4
	// singleMemory bounds what a room of one connection may have: windows of
	// channels are the bulk of it.
	singleMemory = 1 << 30
	// sharedMemory and sharedFiles bound a room of many.
	sharedMemory = 8 << 30
	sharedFiles  = 1 << 16
)

// errNoAccount says what is missing for privilege separation.
var errNoAccount = errors.New("Privilege separation user nacre (or sshd) does not exist; make it with: useradd --system --no-create-home --home-dir /run/sshd --shell /usr/sbin/nologin nacre")

// roomProcesses starts rooms of strangers as processes.
type roomProcesses struct {
	binary *room.Binary
	args   []string // account, group, root
	env    []string
	stderr *os.File
}

// newRoomProcesses finds what rooms need, as root.
func newRoomProcesses(db *account.Database, stderr *os.File) (*roomProcesses, error) {
	var a *account.Account
	for _, name := range strangerAccounts {
		if found, err := db.Lookup(name); err == nil {
			a = found
			break
		}
	}
	if a == nil {
		return nil, errNoAccount
	}
	if a.UID == 0 || a.GID == 0 {
		return nil, fmt.Errorf("account %s has the number of root: strangers would be served with all rights", a.Name)
	}
	root, err := room.EmptyRoot()
	if err != nil {
		return nil, err
	}
	self, err := room.Self()
	if err != nil {
		return nil, err
	}
	return &roomProcesses{
		binary: self, stderr: stderr,
		args: []string{strconv.FormatUint(uint64(a.UID), 10), strconv.FormatUint(uint64(a.GID), 10), root},
		env: []string{
			// The runtime is to keep no file open by which it would follow limits.
			"GODEBUG=containermaxprocs=0,updatemaxprocs=0",
			"GOGC=" + strconv.Itoa(roomGC),
		},
	}, nil
}

// start starts a room. Behind its control link come files.
func (p *roomProcesses) start(role room.Role, title, size string, files ...*os.File) (*monitor.Room, error) {
	ours, theirs, err := privsep.SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	args := append(append([]string(nil), p.args...), size)
	processors := min(runtime.GOMAXPROCS(0), roomProcessors)
	if size == sizeSingle {
		processors = 1 // until it moves bulk
	}
	proc, err := p.binary.Start(&room.Command{Role: role, Title: title, Args: args, Files: append([]*os.File{theirs}, files...), Stderr: p.stderr,
		Env: append(p.env[:len(p.env):len(p.env)], "GOMAXPROCS="+strconv.Itoa(processors))})
	if err != nil {
		ours.Close()
		return nil, err
	}
	control, err := privsep.NewConn(ours)
	if err != nil {
		_ = proc.Kill()
		_, _ = proc.Wait()
		return nil, err
	}
	return &monitor.Room{Control: control, Pid: proc.Pid(), Kill: func() { _ = proc.Kill() }, Wait: func() error {
		st, err := proc.Wait()
		switch {
		case err != nil:
			return err
		case room.Crashed(st) && st.Signaled():
			return &monitor.CrashError{How: "killed by signal " + strconv.Itoa(int(st.Signal()))}
		case room.Crashed(st):
			return &monitor.CrashError{How: "exited with status " + strconv.Itoa(st.ExitStatus())}
		case st.Signaled() || st.ExitStatus() != 0:
			return fmt.Errorf("it ended with status %#x", uint32(st))
		}
		return nil
	}}, nil
}

// carriers start the rooms of a generation.
func (p *roomProcesses) carriers() monitor.Carriers {
	return monitor.Carriers{
		Processes: true,
		Lobby: func() (*monitor.Room, monitor.Arrivals, error) {
			listener, lobby, err := privsep.SocketPair()
			if err != nil {
				return nil, monitor.Arrivals{}, err
			}
			defer lobby.Close()
			r, err := p.start(room.Lobby, "sshd: [lobby]", sizeShared, lobby)
			if err != nil {
				listener.Close()
				return nil, monitor.Arrivals{}, err
			}
			return r, monitor.Arrivals{File: listener}, nil
		},
		Network: func(single bool) (*monitor.Room, error) {
			title, size := "sshd: [net]", sizeShared
			if single {
				title, size = "sshd: [warm]", sizeSingle
			}
			return p.start(room.Network, title, size)
		},
		Link: func() (*privsep.Conn, *os.File, error) {
			ours, theirs, err := privsep.SocketPair()
			if err != nil {
				return nil, nil, err
			}
			c, err := privsep.NewConn(ours)
			if err != nil {
				theirs.Close()
				return nil, nil, err
			}
			return c, theirs, nil
		},
	}
}

// Sizes of rooms, an argument of theirs.
const (
	sizeSingle = "single"
	sizeShared = "shared"
)

// lockUp makes this process a room of strangers: args are what start gave it.
func lockUp(args []string) error {
	if len(args) != 4 {
		return errors.New("this way of starting is for sshd itself")
	}
	uid, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(args[1], 10, 32)
	if err != nil {
		return err
	}
	o := room.Options{UID: uint32(uid), GID: uint32(gid), Root: args[2], Memory: singleMemory}
	if args[3] != sizeSingle {
		o.Memory, o.Files = sharedMemory, sharedFiles
	}
	return room.Enter(o)
}

// runRoom is the process of a room. It returns when the room has ended.
func runRoom(role room.Role, args []string) int {
	title := room.Begin("sshd")
	fail := func(err error) int {
		fmt.Fprintf(os.Stderr, "sshd: %s room: %v\r\n", role, err)
		return 1
	}
	links := 1
	if role == room.Lobby {
		links = 2
	}
	for i := range links {
		if !isSocket(room.FirstFile + i) {
			return fail(errors.New("this way of starting is for sshd itself"))
		}
	}
	files := room.Files(links)
	if err := lockUp(args); err != nil {
		return fail(err)
	}
	var err error
	switch role {
	case room.Network:
		err = network.Main(files[0], network.Options{Title: title.Set, Processors: min(runtime.NumCPU(), roomProcessors)})
	case room.Lobby:
		debug.SetGCPercent(100) // it holds many, each small
		err = runLobby(files[0], files[1])
	}
	if err != nil && !errors.Is(err, privsep.ErrClosed) {
		return fail(err)
	}
	return 0
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

func runLobby(control, arrivals *os.File) error {
	c, err := privsep.NewConn(control)
	if err != nil {
		return err
	}
	a, err := privsep.NewConn(arrivals)
	if err != nil {
		return err
	}
	return serveLobby(context.Background(), c, a)
}

// serveLobby is the life of a lobby: the monitor says what strangers are told
// first, and gets those that have spoken.
func serveLobby(ctx context.Context, control, arrivals *privsep.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var l *lobby.Lobby
	served := make(chan error, 1)
	err := control.Serve(ctx, func(ctx context.Context, in *privsep.Incoming) error {
		switch {
		case in.Number == privsep.NumSetup && l == nil:
			var m privsep.Setup
			err := in.Decode(&m)
			if err == nil {
				l, err = newLobby(&m, control, arrivals)
			}
			if err != nil {
				return err
			}
			go func() {
				served <- l.Serve(ctx)
				control.Close()
			}()
			return nil
		case in.Number == privsep.NumDrain && l != nil:
			l.Drain()
			return nil
		}
		return fmt.Errorf("%w: %s to a lobby", privsep.ErrProtocol, in.Number)
	})
	cancel()
	arrivals.Close()
	if l != nil {
		<-served
	}
	return err
}

func newLobby(m *privsep.Setup, control, arrivals *privsep.Conn) (*lobby.Lobby, error) {
	r, err := network.New(m, network.Options{})
	if err != nil {
		return nil, err
	}
	hello, err := r.Hello()
	if err != nil {
		return nil, err
	}
	return lobby.New(lobby.Config{Hello: hello, Listener: arrivals, Now: time.Now,
		HandOver: func(number int64, start []byte, f *os.File) error {
			s, err := ssh.ParseStart(start)
			if err != nil {
				f.Close()
				return err
			}
			return control.Notify(&privsep.HandOver{Number: number, Waited: s.Waited, Start: start}, f)
		}})
}

// goroutines carry a generation within this process: the rooms are the same, the
// walls are not.
func goroutines(ctx context.Context, g *monitor.Generation) (monitor.Carriers, error) {
	opt := network.Options{Dial: dialForward, Listen: listenForward}
	net1, err := network.New(g.Setup(false), opt)
	if err != nil {
		return monitor.Carriers{}, err
	}
	inside := func(serve func(c *privsep.Conn) error) *monitor.Room {
		ours, theirs := privsep.Pair()
		ended := make(chan struct{})
		var how error
		go func() {
			defer close(ended)
			how = serve(theirs)
			theirs.Close()
		}()
		return &monitor.Room{Control: ours, Wait: func() error {
			<-ended
			if errors.Is(how, privsep.ErrClosed) {
				return nil
			}
			return how
		}}
	}
	return monitor.Carriers{
		Lobby: func() (*monitor.Room, monitor.Arrivals, error) {
			listener, lobby := privsep.Pair()
			r := inside(func(c *privsep.Conn) error { return serveLobby(ctx, c, lobby) })
			return r, monitor.Arrivals{Conn: listener}, nil
		},
		Network: func(bool) (*monitor.Room, error) {
			return inside(func(c *privsep.Conn) error {
				// Its control link says nothing that Take does not.
				return c.Serve(ctx, func(context.Context, *privsep.Incoming) error { return nil })
			}), nil
		},
		Take: func(_ *monitor.Room, m *privsep.Take, socket *os.File) (*privsep.Conn, error) {
			start, err := ssh.ParseStart(m.Start)
			if err != nil {
				socket.Close()
				return nil, err
			}
			nc, err := net.FileConn(socket)
			socket.Close()
			if err != nil {
				return nil, err
			}
			ours, theirs := privsep.Pair()
			go net1.Serve(ctx, theirs, nc, start)
			return ours, nil
		},
	}, nil
}

// startHere starts a generation whose rooms are goroutines of this process.
func (s *server) startHere(ctx context.Context, cfg *sshconfig.Server) (*listener.Generation, error) {
	keys, certs := hostKeys(cfg, s.log)
	if len(keys) == 0 {
		return nil, errors.New("no hostkeys available")
	}
	ours, theirs := privsep.Pair()
	lobbies := make(chan *privsep.Conn, 1)
	g, err := s.newMonitor(cfg, keys, certs, func(id int64, key bool) { _ = theirs.Notify(&privsep.LoggedIn{Number: id, Key: key}) })
	if err != nil {
		return nil, err
	}
	carriers, err := goroutines(ctx, g)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Attend(ctx, theirs, lobbies, carriers) }()
	return &listener.Generation{Link: ours, Lobbies: lobbies, Wait: func() error { return <-ended }}, nil
}

// startProcess starts a generation as a process of its own: it reads the same
// configuration with the same arguments.
func (s *server) startProcess(b *room.Binary, dir string, behind bool) (*listener.Generation, error) {
	ours, theirs, err := privsep.SocketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	var stderr *os.File
	if !behind { // or whoever waits in the foreground waits for ever
		stderr = os.Stderr
	}
	p, err := b.Start(&room.Command{Role: room.Monitor, Title: "sshd: [monitor]", Args: append([]string{dir}, s.flags.args...),
		Env: s.io.Env, Files: []*os.File{theirs}, Stderr: stderr})
	if err != nil {
		ours.Close()
		return nil, err
	}
	link, err := privsep.NewConn(ours)
	if err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		return nil, err
	}
	return &listener.Generation{Link: link, Pid: p.Pid(), Wait: func() error {
		st, err := p.Wait()
		switch {
		case err != nil:
			return err
		case st.Signaled():
			return fmt.Errorf("killed by signal %d", int(st.Signal()))
		case st.ExitStatus() != 0:
			return fmt.Errorf("exited with status %d", st.ExitStatus())
		}
		return nil
	}}, nil
}

// oneRoom serves a connection in a network room of its own, with this process
// for its monitor.
func (s *server) oneRoom(ctx context.Context, g *monitor.Generation, c net.Conn) (o monitor.Outcome, err error) {
	defer c.Close()
	processes, err := newRoomProcesses(s.db, nil)
	if err != nil {
		return o, err
	}
	defer processes.binary.Close()
	socket, err := asSocket(c)
	if err != nil {
		return o, err
	}
	carriers := processes.carriers()
	r, err := carriers.Network(true)
	if err != nil {
		socket.Close()
		return o, err
	}
	p := monitor.Peer{Number: int64(os.Getpid()), Remote: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr()), PID: r.Pid}
	link, theirs, err := carriers.Link()
	if err == nil {
		err = r.Control.Notify(g.Setup(true))
	}
	if err != nil {
		socket.Close()
		r.Kill()
		_ = r.Wait()
		return o, err
	}
	go func() {
		// A room says nothing over this link.
		_ = r.Control.Serve(ctx, func(context.Context, *privsep.Incoming) error { return privsep.ErrProtocol })
	}()
	if err := r.Control.Notify(&privsep.Take{Number: p.Number}, socket, theirs); err != nil {
		link.Close()
	}
	o = g.Serve(ctx, link, p)
	late := time.AfterFunc(leaveTime, r.Kill)
	defer late.Stop()
	r.Control.Close()
	if how := r.Wait(); how != nil {
		o.Clean = false
		s.log.Errorf("network room %d: %v", r.Pid, how)
	}
	return o, nil
}

// leaveTime is how long a room may take to end after its connection has.
const leaveTime = 5 * time.Second

// asSocket is a connection's descriptor. For what is no socket there is one, and
// goroutines that carry what goes over it.
func asSocket(c net.Conn) (*os.File, error) {
	if f, ok := c.(interface{ File() (*os.File, error) }); ok {
		return f.File()
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	near, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, err
	}
	go func() {
		_, _ = pump.Copy(near, c)
		_ = near.(*net.UnixConn).CloseWrite()
	}()
	go func() {
		_, _ = pump.Copy(c, near)
		near.Close()
		c.Close()
	}()
	return theirs, nil
}

// runMonitor is the process of a generation: it reads the configuration as the
// listener did, with the same arguments, and serves over the link to it.
func runMonitor(ctx context.Context, io stdio.Stdio, args []string) int {
	_ = room.Begin("sshd")
	if !isSocket(room.FirstFile) {
		io.Errorf("sshd: this way of starting is for sshd itself")
		return 1
	}
	link, err := privsep.NewConn(room.Files(1)[0])
	if err != nil {
		io.Errorf("sshd: %v", err)
		return 1
	}
	tidy()
	unready := func(text string) int {
		_ = link.Notify(&privsep.Unready{Text: text[:min(len(text), privsep.MaxLine)]})
		link.Close()
		return 1
	}
	if len(args) == 0 {
		return unready("no directory")
	}
	_ = os.Chdir(args[0]) // paths may be relative to where the server was started
	f, status, done := parse(io, args[1:])
	if done {
		return status
	}
	s, cfg, status := f.open(io, true)
	_ = os.Chdir("/")
	if s == nil {
		_ = unready("the configuration cannot be read")
		return status
	}
	s.configureLog(cfg)
	keys, certs := hostKeys(cfg, s.log)
	if len(keys) == 0 {
		return unready("no hostkeys available")
	}
	processes, err := newRoomProcesses(s.db, os.Stderr)
	if err != nil {
		return unready(err.Error())
	}
	g, err := s.newMonitor(cfg, keys, certs, func(id int64, key bool) { _ = link.Notify(&privsep.LoggedIn{Number: id, Key: key}) })
	if err != nil {
		return unready(err.Error())
	}
	if err := g.Attend(ctx, link, nil, processes.carriers()); err != nil {
		s.log.Errorf("%v", err)
		return 255
	}
	return 0
}
