//go:build unix

package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
	"golang.org/x/sys/unix"
)

// MaxSockets is the number of listening sockets, as in OpenSSH.
const MaxSockets = 16

// ErrNoAddress says that not one socket could be opened.
var ErrNoAddress = errors.New("Cannot bind any address.") //nolint:staticcheck // OpenSSH's text

// socket is a listening socket.
type socket struct {
	key  string // what the configuration says; "" for one of a service manager
	f    *os.File
	rc   syscall.RawConn // of f
	name string          // host and port for the log
	port string
	done chan struct{} // closed when its goroutine has ended; nil if none runs
}

// newSocket takes over l: package net lets nobody wait on a listener for a bare
// descriptor, so the socket becomes a file in the poller.
func newSocket(key string, l net.Listener) (*socket, error) {
	defer l.Close()
	s := &socket{key: key}
	filer, ok := l.(interface{ File() (*os.File, error) })
	if u, isUnix := l.(*net.UnixListener); isUnix {
		u.SetUnlinkOnClose(false) // the manager's
		s.name = l.Addr().String()
	} else {
		s.name, s.port, _ = net.SplitHostPort(l.Addr().String())
	}
	if !ok {
		return nil, fmt.Errorf("sshd: %s is no socket", l.Addr())
	}
	var err error
	if s.f, err = filer.File(); err != nil {
		return nil, err
	}
	if s.rc, err = s.f.SyscallConn(); err != nil {
		s.f.Close()
		return nil, err
	}
	return s, nil
}

// tell writes the line that says where the server listens.
func (s *socket) tell(lg *log.Logger) {
	if s.port == "" {
		lg.Infof("Server listening on %s.", s.name)
		return
	}
	lg.Infof("Server listening on %s port %s.", s.name, s.port)
}

// open opens the sockets of a configuration, and takes over those of old that it
// has too. What cannot be opened is told; without any it is an error.
func open(ctx context.Context, cfg *sshconfig.Server, old []*socket, lg *log.Logger) (list, fresh []*socket, err error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		// Accepted sockets inherit these on Linux; accept sets them elsewhere.
		return c.Control(func(fd uintptr) { options(int(fd), cfg.TCPKeepAlive) })
	}}
	for _, a := range cfg.Listen() {
		if len(list) == MaxSockets {
			lg.Errorf("Too many listen sockets. Enlarge MAX_LISTEN_SOCKS")
			break
		}
		port := strconv.Itoa(a.Port)
		key := net.JoinHostPort(a.Host, port)
		var s *socket
		for _, o := range old {
			if o.key == key {
				s = o
				_ = s.rc.Control(func(fd uintptr) { options(int(fd), cfg.TCPKeepAlive) })
			}
		}
		if s == nil {
			network := "tcp"
			if ip, err := netip.ParseAddr(a.Host); err == nil {
				network = "tcp6" // each family has a socket of its own
				if ip.Unmap().Is4() {
					network = "tcp4"
				}
			}
			l, err := lc.Listen(ctx, network, key)
			if err == nil {
				s, err = newSocket(key, l)
			}
			if err != nil {
				lg.Errorf("Bind to port %s on %s failed: %s.", port, a.Host, reason.Of(err))
				continue
			}
			fresh = append(fresh, s)
		}
		s.tell(lg)
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, nil, ErrNoAddress
	}
	return list, fresh, nil
}

// options are what sockets of connections have.
func options(fd int, keepAlive bool) {
	on := 0
	if keepAlive {
		on = 1
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// adopt makes sockets of what a service manager or a predecessor has opened.
// They stay open through a reload: the manager is their owner.
func adopt(files []*os.File, keys []string, lg *log.Logger) ([]*socket, error) {
	var list []*socket
	for i, f := range files {
		l, err := net.FileListener(f) // a duplicate
		f.Close()
		var s *socket
		if err == nil {
			key := ""
			if i < len(keys) {
				key = keys[i]
			}
			s, err = newSocket(key, l)
		}
		if err != nil {
			lg.Errorf("socket of the service manager: %v", err)
			continue
		}
		s.tell(lg)
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, errors.New("no usable socket of the service manager")
	}
	return list, nil
}

// First opens the sockets of a configuration, or takes those of a service
// manager, waits for one connection, and closes them: what -d does. ready is
// called when they are open.
func First(ctx context.Context, cfg *sshconfig.Server, given []*os.File, lg *log.Logger, ready func() error) (net.Conn, error) {
	var list []*socket
	var err error
	if given != nil {
		list, err = adopt(given, nil, lg)
	} else {
		list, _, err = open(ctx, cfg, nil, lg)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range list {
			s.f.Close()
		}
	}()
	if ready != nil {
		if err := ready(); err != nil {
			return nil, err
		}
	}
	first := make(chan net.Conn, len(list))
	for _, s := range list {
		go func() {
			fd, _, _, err := s.accept()
			if err != nil {
				return
			}
			f := os.NewFile(uintptr(fd), "connection")
			defer f.Close()
			if c, err := net.FileConn(f); err == nil {
				first <- c
			}
		}()
	}
	select {
	case c := <-first:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// accept waits for a connection and returns its descriptor, with the flag for
// non-blocking calls not set: who serves it decides how.
func (s *socket) accept() (fd int, remote, local netip.AddrPort, err error) {
	var sa unix.Sockaddr
	e := s.rc.Read(func(l uintptr) bool {
		for {
			fd, sa, err = accept(int(l))
			if err != unix.EINTR && err != unix.ECONNABORTED {
				return err != unix.EAGAIN
			}
		}
	})
	if e != nil {
		return -1, remote, local, e
	}
	if err != nil {
		return -1, remote, local, os.NewSyscallError("accept", err)
	}
	remote = addrPort(sa)
	if sa, err := unix.Getsockname(fd); err == nil {
		local = addrPort(sa)
	}
	return fd, remote, local, nil
}

// addrPort is the address of a network, and invalid for others.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// host is an address as lines of the log show it.
func host(a netip.AddrPort) string {
	if !a.IsValid() {
		return "UNKNOWN"
	}
	return a.Addr().Unmap().WithZone("").String()
}

// port is 65535 where there is none, as in OpenSSH.
func port(a netip.AddrPort) int {
	if !a.IsValid() {
		return 65535
	}
	return int(a.Port())
}

func plain(s string) string { return strings.TrimSuffix(s, "\r\n") }
