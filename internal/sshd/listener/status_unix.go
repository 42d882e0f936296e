//go:build unix

package listener

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/system/reason"
)

const (
	statusWait = 5 * time.Second // for a generation to count, and for a client to listen
	statusMax  = 8               // clients at once
)

// statusSocket is where `sshd -O status` asks.
type statusSocket struct {
	s  *Server
	l  *net.UnixListener
	wg sync.WaitGroup
}

// openStatus opens the status socket. Failure is told and stops nothing.
func (s *Server) openStatus() {
	path := s.paths.status
	if path == "" {
		return
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		os.Remove(path) // of one that was killed
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		if err = os.Chmod(path, 0o600); err != nil {
			l.Close()
		}
	}
	if err != nil {
		s.o.Log.Errorf("status socket: %s", reason.Of(err))
		return
	}
	s.status = &statusSocket{s: s, l: l}
	s.status.wg.Go(s.status.serve)
}

func (k *statusSocket) close() {
	if k == nil {
		return
	}
	k.l.Close()
	k.wg.Wait()
}

func (k *statusSocket) serve() {
	places := make(chan struct{}, statusMax)
	for {
		c, err := k.l.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(outOfPause)
			continue
		}
		select {
		case places <- struct{}{}:
			k.wg.Go(func() {
				defer func() { <-places }()
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(2 * statusWait))
				if !mayAsk(c) {
					return
				}
				w := bufio.NewWriter(c)
				for _, n := range k.s.Counters() {
					fmt.Fprintf(w, "%s %d\n", n.Name, n.Value)
				}
				_ = w.Flush()
			})
		default:
			c.Close()
		}
	}
}

// Status asks the server whose socket path is, and copies its answer to w.
func Status(path string, w io.Writer) error {
	c, err := net.DialTimeout("unix", path, statusWait)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(3 * statusWait))
	_, err = io.Copy(w, c)
	return err
}

// Counters are the server's numbers: its own, and those of its generations added
// up.
func (s *Server) Counters() []privsep.Counter {
	s.mu.Lock()
	now := s.now()
	v4, v6 := s.gate.Table.Active(now)
	g := s.gate
	list := []privsep.Counter{
		{Name: "uptime", Value: uint64(now.Sub(s.begun) / time.Second)},
		{Name: "generations", Value: uint64(len(s.generations))},
		{Name: "accepted", Value: g.Accepted},
		{Name: "open", Value: uint64(g.Open())},
		{Name: "lobby", Value: uint64(len(s.where))},
		{Name: "startups", Value: uint64(g.Startups())},
		{Name: "logins", Value: g.LoggedIns},
		{Name: "refused.penalty", Value: g.Penalised},
		{Name: "refused.maxstartups", Value: g.Dropped},
		{Name: "penalties.ipv4", Value: uint64(v4)},
		{Name: "penalties.ipv6", Value: uint64(v6)},
		{Name: "ended.crash", Value: g.Events[penalty.Crash]},
		{Name: "ended.authfail", Value: g.Events[penalty.AuthFail]},
		{Name: "ended.invaliduser", Value: g.Events[penalty.InvalidUser]},
		{Name: "ended.noauth", Value: g.Events[penalty.NoAuth]},
		{Name: "ended.grace-exceeded", Value: g.Events[penalty.GraceExceeded]},
		{Name: "ended.refuseconnection", Value: g.Events[penalty.RefuseConnection]},
	}
	generations := slices.Clone(s.generations)
	s.mu.Unlock()
	own := len(list)
	for _, x := range generations {
		ctx, cancel := context.WithTimeout(context.Background(), statusWait)
		var m privsep.Counters
		_, err := x.Link.Call(ctx, &privsep.Status{}, &m)
		cancel()
		if err != nil {
			continue
		}
	counters:
		for _, n := range m.List {
			for i := own; i < len(list); i++ {
				if list[i].Name == n.Name {
					list[i].Value += n.Value
					continue counters
				}
			}
			list = append(list, n)
		}
	}
	return list
}
