package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/forward"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
)

// maxPending is how many connections to one listener wait to be taken.
const maxPending = 64

// Client is the room's side.
type Client struct {
	conn *privsep.Conn

	mu        sync.Mutex
	next      uint32
	listeners map[uint32]*listener
	closed    bool
}

// New speaks with the process at the other end of conn. Run must be running
// before anything is asked.
func New(conn *privsep.Conn) *Client {
	return &Client{conn: conn, listeners: map[uint32]*listener{}}
}

// Run reads the link until it ends or ctx does; the listeners end with it.
func (c *Client) Run(ctx context.Context) error {
	err := c.conn.Serve(ctx, func(_ context.Context, in *privsep.Incoming) error {
		var m privsep.Accepted
		if in.Number != privsep.NumAccepted {
			return privsep.ErrProtocol
		}
		if err := in.Decode(&m); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		l := c.listeners[m.ID]
		if l == nil { // it has just been closed
			return nil
		}
		select {
		case l.pending <- in.Files[0]:
			in.Files = nil
		default: // nobody takes them: that one is refused, by its end
		}
		return nil
	})
	c.mu.Lock()
	c.closed = true
	all := c.listeners
	c.listeners = nil
	c.mu.Unlock()
	for _, l := range all {
		l.end()
	}
	return err
}

// Close ends the process.
func (c *Client) Close() error { return c.conn.Close() }

// ErrNotPermitted is what the process would not do.
var ErrNotPermitted = errors.New("sockets: not permitted")

// failure is an answer as the error it was.
func failure(network, addr, op string, o *privsep.Opened) error {
	err := &net.OpError{Op: op, Net: network, Addr: text(addr)}
	switch o.Why {
	case privsep.NotPermitted:
		err.Err = ErrNotPermitted
	case privsep.SystemSays:
		err.Err = os.NewSyscallError(op, syscall.Errno(o.Errno))
	case privsep.NoSuchHost:
		err.Err = fmt.Errorf("%w: %w", forward.ErrUnknownHost, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true})
	case privsep.NoAnswer:
		err.Err = fmt.Errorf("%w: %w", forward.ErrUnknownHost, &net.DNSError{Err: "no answer", Name: addr, IsTemporary: true})
	default:
		err.Err = errors.New(o.Text)
	}
	return err
}

// text is an address that is only shown.
type text string

func (text) Network() string  { return "tcp" }
func (t text) String() string { return string(t) }

// Dial connects to addr as the user.
func (c *Client) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var o privsep.Opened
	files, err := c.conn.Call(ctx, &privsep.Dial{Network: network, Addr: addr}, &o)
	if err != nil {
		return nil, err
	}
	if o.Why != privsep.Opening || len(files) != 1 {
		for _, f := range files {
			f.Close()
		}
		if o.Why == privsep.Opening {
			return nil, privsep.ErrProtocol
		}
		return nil, failure(network, addr, "connect", &o)
	}
	return fileConn(files[0])
}

// fileConn is the connection that a descriptor is.
func fileConn(f *os.File) (net.Conn, error) {
	defer f.Close()
	return net.FileConn(f) // a duplicate
}

// Listen listens on addr as the user.
func (c *Client) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	l := &listener{c: c, pending: make(chan *os.File, maxPending), done: make(chan struct{})}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, privsep.ErrClosed
	}
	c.next++
	l.id = c.next
	c.listeners[l.id] = l
	c.mu.Unlock()
	var o privsep.Opened
	_, err := c.conn.Call(ctx, &privsep.Listen{ID: l.id, Network: network, Addr: addr}, &o)
	if err == nil && o.Why != privsep.Opening {
		err = failure(network, addr, "bind", &o)
	}
	if err == nil {
		var ap netip.AddrPort
		if ap, err = netip.ParseAddrPort(o.Addr); err == nil {
			l.addr = net.TCPAddrFromAddrPort(ap)
			return l, nil
		}
	}
	l.Close()
	return nil, err
}

// listener is a socket that the process listens on.
type listener struct {
	c       *Client
	id      uint32
	addr    net.Addr
	pending chan *os.File
	once    sync.Once
	done    chan struct{}
}

// Accept takes the next connection.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.done:
			return nil, net.ErrClosed
		default:
		}
		select {
		case f := <-l.pending:
			c, err := fileConn(f)
			if err != nil {
				continue // it has gone again
			}
			return c, nil
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
}

// Close ends the listener. Connections that nobody has taken are closed.
func (l *listener) Close() error {
	l.c.mu.Lock()
	delete(l.c.listeners, l.id)
	l.c.mu.Unlock()
	_ = l.c.conn.Notify(&privsep.Unlisten{ID: l.id}) // a link that is gone has ended it
	l.end()
	return nil
}

func (l *listener) end() {
	l.once.Do(func() { close(l.done) })
	for {
		select {
		case f := <-l.pending:
			f.Close()
		default:
			return
		}
	}
}

// Addr is where it listens.
func (l *listener) Addr() net.Addr { return l.addr }
