package sockets

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
)

// Limits of one connection's process.
const (
	MaxDialing   = 128                  // connections that are being made at once
	MaxListeners = forward.MaxListeners // sockets that are listened on
	dialTime     = 2 * time.Minute      // what a connection may take to be made
)

// server is the process.
type server struct {
	conn  *privsep.Conn
	rules *forward.Rules

	mu        sync.Mutex
	dialing   int
	listeners map[uint32]net.Listener
	chosen    map[uint16]bool // ports that the system chose
	work      sync.WaitGroup
}

// Serve opens what conn asks for, as far as f permits it, until conn ends.
func Serve(ctx context.Context, conn *privsep.Conn, f *privsep.Forwarding) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{conn: conn, rules: Rules(f), listeners: map[uint32]net.Listener{}, chosen: map[uint16]bool{}}
	err := conn.Serve(ctx, func(ctx context.Context, in *privsep.Incoming) error { return s.handle(ctx, in) })
	cancel()
	s.mu.Lock()
	for id, l := range s.listeners {
		l.Close()
		delete(s.listeners, id)
	}
	s.mu.Unlock()
	s.work.Wait()
	return err
}

func (s *server) handle(ctx context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumDial:
		var m privsep.Dial
		if err := in.Decode(&m); err != nil {
			return err
		}
		return s.dial(ctx, in, m)
	case privsep.NumListen:
		var m privsep.Listen
		if err := in.Decode(&m); err != nil {
			return err
		}
		return s.listen(ctx, in, m)
	case privsep.NumUnlisten:
		var m privsep.Unlisten
		if err := in.Decode(&m); err != nil {
			return err
		}
		s.mu.Lock()
		l := s.listeners[m.ID]
		delete(s.listeners, m.ID)
		s.mu.Unlock()
		if l != nil {
			l.Close()
		}
		return nil
	}
	return privsep.ErrProtocol
}

// tcp tells whether network is one of those that forwards have.
func tcp(network string) bool { return network == "tcp" || network == "tcp4" || network == "tcp6" }

func (s *server) dial(ctx context.Context, in *privsep.Incoming, m privsep.Dial) error {
	host, port, ok := place(m.Addr)
	if !ok || !tcp(m.Network) || !forward.ValidHost(host) || !s.rules.LocalOn() || !s.rules.MayOpen(host, port) {
		return in.Answer(&privsep.Opened{Why: privsep.NotPermitted})
	}
	s.mu.Lock()
	full := s.dialing >= MaxDialing
	if !full {
		s.dialing++
	}
	s.mu.Unlock()
	if full {
		return in.Answer(&privsep.Opened{Why: privsep.SystemSays, Errno: uint32(syscall.EAGAIN)})
	}
	s.work.Go(func() {
		d := net.Dialer{Timeout: dialTime}
		c, err := d.DialContext(ctx, m.Network, m.Addr)
		s.mu.Lock()
		s.dialing--
		s.mu.Unlock()
		var f *os.File
		if err == nil {
			f, err = file(c)
			c.Close()
		}
		if err != nil {
			_ = in.Answer(why(err)) // a link that is gone ends everything anyway
			return
		}
		_ = in.Answer(&privsep.Opened{}, f)
	})
	return nil
}

// file is the descriptor of a connection.
func file(c net.Conn) (*os.File, error) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return t.File()
}

// why is an error on its way to the other room.
func why(err error) *privsep.Opened {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &privsep.Opened{Why: privsep.NoSuchHost}
	case errors.As(err, &dns):
		return &privsep.Opened{Why: privsep.NoAnswer}
	case errors.As(err, &errno):
		return &privsep.Opened{Why: privsep.SystemSays, Errno: uint32(errno)}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return &privsep.Opened{Why: privsep.SystemSays, Errno: uint32(syscall.ETIMEDOUT)}
	}
	text := err.Error()
	return &privsep.Opened{Why: privsep.OtherError, Text: text[:min(len(text), privsep.MaxLine)]}
}

func (s *server) listen(ctx context.Context, in *privsep.Incoming, m privsep.Listen) error {
	host, port, ok := place(m.Addr)
	s.mu.Lock()
	_, used := s.listeners[m.ID]
	full := len(s.listeners) >= MaxListeners
	// The second family of a port that the system chose has the chosen one.
	asked := port
	if s.chosen[port] {
		asked = 0
	}
	s.mu.Unlock()
	if !ok || !tcp(m.Network) || host != "" && !forward.ValidHost(host) || used || full || !mayBind(s.rules, host, asked) {
		return in.Answer(&privsep.Opened{Why: privsep.NotPermitted})
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, m.Network, m.Addr)
	if err != nil {
		return in.Answer(why(err))
	}
	if port == 0 {
		if t, ok := l.Addr().(*net.TCPAddr); ok {
			s.mu.Lock()
			s.chosen[uint16(t.Port)] = true
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	s.listeners[m.ID] = l
	s.mu.Unlock()
	if err := in.Answer(&privsep.Opened{Addr: l.Addr().String()}); err != nil {
		return err
	}
	s.work.Go(func() {
		// AcceptAll waits where the machine has run out of something.
		forward.AcceptAll(ctx, l, func(error) {}, func(c net.Conn) {
			f, err := file(c)
			c.Close()
			if err == nil {
				// The link is as long as a socket's buffer: what the other room does
				// not take waits here, and then in the listener's own queue.
				_ = s.conn.Notify(&privsep.Accepted{ID: m.ID}, f)
			}
		})
	})
	return nil
}
