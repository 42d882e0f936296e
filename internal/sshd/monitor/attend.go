//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// warmRooms is how many network rooms of a single connection are locked up
	// and wait. Each is an idle process of less than a megabyte; fewer than
	// arrive at once cost the rest the start of a process.
	warmRooms = 3
	// starting bounds the rooms that are being started at once.
	starting = 4
	// leaveTime is how long a room may take to end after its connection has.
	leaveTime = 5 * time.Second
	// restartPause is how long a lobby that dies at once is left dead.
	restartPause = 100 * time.Millisecond
)

// Carriers start the rooms of a generation, as processes or as goroutines.
type Carriers struct {
	// Lobby starts a lobby. Arrivals goes to the listener.
	Lobby func() (r *Room, arrivals Arrivals, err error)
	// Network starts a network room; single says that it will have one
	// connection.
	Network func(single bool) (*Room, error)
	// Link makes the two ends of a connection link; theirs goes to the room.
	Link func() (ours *privsep.Conn, theirs *os.File, err error)
	// Take, if set, gives a room of this process a connection, in place of a
	// Take over its control link.
	Take func(r *Room, m *privsep.Take, socket *os.File) (*privsep.Conn, error)
	// Processes says that rooms are processes of their own.
	Processes bool
}

// Arrivals is the listener's end of a link to a lobby: a descriptor between
// processes, a Conn within one.
type Arrivals struct {
	File *os.File
	Conn *privsep.Conn
}

// Room is a room that was started.
type Room struct {
	Control *privsep.Conn // our end
	Pid     int           // 0 in this process
	Wait    func() error  // for its end; the error says how it crashed
	Kill    func()        // nil in this process
}

// CrashError is a room that died of something.
type CrashError struct{ How string }

func (e *CrashError) Error() string { return e.How }

// attendance is a generation at work for a listener.
type attendance struct {
	g       *Generation
	c       Carriers
	link    *privsep.Conn // to the listener
	lobbies chan<- *privsep.Conn
	ctx     context.Context
	wg      sync.WaitGroup

	mu      sync.Mutex
	lobby   *Room
	warm    []*Room
	coming  int     // rooms that are being started for the warm pool
	shared  []*Room // with NetworkRooms shared or a number
	turn    int     // the next of them
	retired bool
	active  int
	idle    chan struct{} // closed when retired and nothing is active
}

// Attend serves the connections that a lobby hands over, until the listener
// says that no more will come, or is gone, and the last connection has ended.
// lobbies is where listener's ends of links to lobbies go within one process,
// nil where they go over link.
func (g *Generation) Attend(ctx context.Context, link *privsep.Conn, lobbies chan<- *privsep.Conn, c Carriers) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attendance{g: g, c: c, link: link, lobbies: lobbies, ctx: ctx, idle: make(chan struct{})}
	var listening sync.WaitGroup
	listening.Go(func() {
		_ = link.Serve(ctx, a.fromListener)
		a.retire()
	})
	err := a.startLobby()
	if err == nil {
		a.fill()
		err = link.Notify(&privsep.Ready{})
	} else {
		_ = link.Notify(&privsep.Unready{Text: err.Error()[:min(len(err.Error()), privsep.MaxLine)]})
		a.retire()
	}
	<-a.idle
	a.dismiss()
	a.wg.Wait()
	link.Close()
	listening.Wait()
	if errors.Is(err, privsep.ErrClosed) {
		return nil
	}
	return err
}

// dismiss ends the rooms.
func (a *attendance) dismiss() {
	a.mu.Lock()
	rooms := append(append(a.warm, a.shared...), a.lobby)
	a.warm, a.shared, a.lobby = nil, nil, nil
	a.mu.Unlock()
	for _, r := range rooms {
		if r != nil {
			r.Control.Close()
		}
	}
}

func (a *attendance) fromListener(_ context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumRetire:
		a.retire()
		return nil
	case privsep.NumStatus:
		return in.Answer(a.counters())
	}
	return fmt.Errorf("%w: %s from the listener", privsep.ErrProtocol, in.Number)
}

func (a *attendance) counters() *privsep.Counters {
	a.mu.Lock()
	active, warm := uint64(a.active), uint64(len(a.warm))
	a.mu.Unlock()
	return &privsep.Counters{List: []privsep.Counter{
		{Name: "connections", Value: active}, {Name: "connections total", Value: a.g.Connections.Load()},
		{Name: "logins total", Value: a.g.Logins.Load()}, {Name: "sessions total", Value: a.g.Sessions.Load()},
		{Name: "rooms warm", Value: warm},
		{Name: "bytes in", Value: a.g.BytesIn.Load()}, {Name: "bytes out", Value: a.g.BytesOut.Load()},
	}}
}

// retire lets the lobby empty itself; connections go on.
func (a *attendance) retire() {
	a.mu.Lock()
	if a.retired {
		a.mu.Unlock()
		return
	}
	a.retired = true
	lobby := a.lobby
	if lobby == nil && a.active == 0 {
		close(a.idle)
	}
	a.mu.Unlock()
	if lobby != nil {
		_ = lobby.Control.Notify(&privsep.Drain{})
	}
}

// done takes one off what a retired generation waits for.
func (a *attendance) done() {
	a.mu.Lock()
	a.active--
	if a.retired && a.active == 0 && a.lobby == nil {
		close(a.idle)
	}
	a.mu.Unlock()
}

// startLobby starts a lobby and tells the listener. When it dies another takes
// its place.
func (a *attendance) startLobby() error {
	r, arrivals, err := a.c.Lobby()
	if err != nil {
		return err
	}
	if err := r.Control.Notify(a.g.Setup(false)); err != nil {
		return err
	}
	a.mu.Lock()
	a.lobby = r
	a.mu.Unlock()
	begun := time.Now()
	a.wg.Go(func() {
		err := r.Control.Serve(a.ctx, func(_ context.Context, in *privsep.Incoming) error { return a.fromLobby(in) })
		if r.Kill != nil && err != nil {
			r.Kill()
		}
		how := r.Wait()
		a.mu.Lock()
		again := !a.retired && a.lobby == r
		if a.lobby == r {
			a.lobby = nil
			if a.retired && a.active == 0 {
				close(a.idle)
			}
		}
		a.mu.Unlock()
		if !again {
			return
		}
		if how == nil {
			how = err
		}
		a.g.Log.Errorf("lobby %d died: %v; another takes its place", r.Pid, how)
		for time.Since(begun) < restartPause {
			time.Sleep(restartPause)
		}
		if err := a.startLobby(); err != nil {
			a.g.Log.Fatalf("lobby: %v", err)
			a.retire()
		}
	})
	if a.lobbies != nil {
		select {
		case a.lobbies <- arrivals.Conn:
			return nil
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
	}
	return a.link.Notify(&privsep.Lobby{}, arrivals.File)
}

func (a *attendance) fromLobby(in *privsep.Incoming) error {
	if in.Number != privsep.NumHandOver {
		return fmt.Errorf("%w: %s from a lobby", privsep.ErrProtocol, in.Number)
	}
	var m privsep.HandOver
	if err := in.Decode(&m); err != nil {
		return err
	}
	socket := in.Files[0]
	in.Files = nil
	remote, local, err := addresses(socket)
	if err != nil {
		socket.Close()
		_ = a.link.Notify(&privsep.Ended{Number: m.Number})
		return nil // it is gone already
	}
	a.mu.Lock()
	a.active++
	a.mu.Unlock()
	a.wg.Go(func() {
		defer a.done()
		e := a.visit(&m, socket, remote, local)
		_ = a.link.Notify(&privsep.Ended{Number: m.Number, Event: uint8(e)})
	})
	return nil
}

// visit serves one connection to its end and says what it costs its source.
func (a *attendance) visit(m *privsep.HandOver, socket *os.File, remote, local netip.AddrPort) penalty.Event {
	r, single, err := a.room()
	if err != nil {
		socket.Close()
		a.g.Log.Errorf("network room: %s", reason.Of(err))
		return penalty.None
	}
	p := Peer{Number: m.Number, ID: m.Number, Remote: remote, Local: local, Waited: m.Waited, PID: r.Pid}
	if single && r.Pid != 0 {
		p.Number = int64(r.Pid)
	}
	link, err := a.give(r, &privsep.Take{Number: p.Number, Start: m.Start}, socket)
	if err != nil {
		a.g.Log.Errorf("network room %d: %s", r.Pid, reason.Of(err))
		if single {
			a.farewell(r)
		}
		return penalty.None
	}
	o := a.g.Serve(a.ctx, link, p)
	var how error
	if single {
		how = a.farewell(r)
	}
	var crash *CrashError
	switch {
	case errors.As(how, &crash):
		a.g.Log.For(p.Number).Logf(sshconfig.Error, "session process %d for connection from %s to %s %s", r.Pid, remote.Addr(), local.Addr(), crash.How)
		fallthrough
	case o.Broken && !o.LoggedIn:
		return penalty.Crash
	case o.LoggedIn:
		return penalty.None
	case o.Grace:
		return penalty.GraceExceeded
	}
	switch o.Event {
	case auth.EventNoAuth:
		return penalty.NoAuth
	case auth.EventAuthFail:
		return penalty.AuthFail
	case auth.EventInvalidUser:
		return penalty.InvalidUser
	case auth.EventRefuseConnection:
		return penalty.RefuseConnection
	}
	return penalty.None
}

// give gives a room a connection and keeps the other end of its link.
func (a *attendance) give(r *Room, m *privsep.Take, socket *os.File) (*privsep.Conn, error) {
	if a.c.Take != nil {
		return a.c.Take(r, m, socket)
	}
	ours, theirs, err := a.c.Link()
	if err != nil {
		socket.Close()
		return nil, err
	}
	if err := r.Control.Notify(m, socket, theirs); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// farewell waits for the end of a room whose connection has ended.
func (a *attendance) farewell(r *Room) error {
	timer := time.AfterFunc(leaveTime, func() {
		if r.Kill != nil {
			r.Kill()
		}
	})
	defer timer.Stop()
	r.Control.Close()
	return r.Wait()
}

// room is a room for one more connection; single tells whether it is for no
// other.
func (a *attendance) room() (r *Room, single bool, err error) {
	if n := a.g.Config.NetworkRooms; n.Shared || !a.c.Processes {
		r, err = a.sharedRoom(max(n.Count, 1))
		return r, false, err
	}
	a.mu.Lock()
	if n := len(a.warm); n > 0 {
		r = a.warm[0]
		a.warm = append(a.warm[:0:0], a.warm[1:]...)
	}
	a.mu.Unlock()
	if r == nil {
		r, err = a.startNetwork(true)
	}
	a.fill()
	return r, true, err
}

// fill has the pool of warm rooms filled.
func (a *attendance) fill() {
	if a.g.Config.NetworkRooms.Shared || !a.c.Processes {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.retired && len(a.warm)+a.coming < warmRooms && a.coming < starting {
		a.coming++
		a.wg.Go(func() {
			r, err := a.startNetwork(true)
			a.mu.Lock()
			a.coming--
			if err == nil {
				a.warm = append(a.warm, r)
			}
			a.mu.Unlock()
			if err != nil {
				a.g.Log.Errorf("network room: %s", reason.Of(err))
			}
		})
	}
}

// startNetwork starts a room and tells it what it is for.
func (a *attendance) startNetwork(single bool) (*Room, error) {
	r, err := a.c.Network(single)
	if err != nil {
		return nil, err
	}
	if err := r.Control.Notify(a.g.Setup(single)); err != nil {
		a.farewell(r)
		return nil, err
	}
	a.wg.Go(func() {
		// A room says nothing over this link; its end is the room's.
		_ = r.Control.Serve(a.ctx, func(_ context.Context, in *privsep.Incoming) error {
			return fmt.Errorf("%w: %s from a network room", privsep.ErrProtocol, in.Number)
		})
		a.lose(r)
	})
	return r, nil
}

// lose forgets a room that is gone.
func (a *attendance) lose(r *Room) {
	a.mu.Lock()
	for i, w := range a.warm {
		if w == r {
			a.warm = append(a.warm[:i:i], a.warm[i+1:]...)
			break
		}
	}
	shared := false
	for i, s := range a.shared {
		if s == r {
			a.shared[i], shared = nil, true
		}
	}
	a.mu.Unlock()
	if shared {
		if how := r.Wait(); how != nil {
			a.g.Log.Errorf("network room %d died: %v; another takes its place", r.Pid, how)
		}
	}
}

// sharedRoom is the next of n rooms, started if need be.
func (a *attendance) sharedRoom(n int) (*Room, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.shared) < n {
		a.shared = append(a.shared, nil)
	}
	i := a.turn % n
	a.turn++
	if a.shared[i] == nil {
		r, err := a.startNetwork(false)
		if err != nil {
			return nil, err
		}
		a.shared[i] = r
	}
	return a.shared[i], nil
}
