//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	maxListeners = 16 // sockets, as in OpenSSH
	// refusal is what a stranger is told who is not to be served at all.
	refusal = "Not allowed at this time\r\n"
)

var errNoAddress = errors.New("no address to listen on")

// listen opens the sockets of the configuration. Those that cannot be opened
// are told; without any it is an error.
func listen(ctx context.Context, cfg *sshconfig.Server, log *sshdlog.Logger) ([]net.Listener, error) {
	var list []net.Listener
	lc := net.ListenConfig{KeepAliveConfig: keepAlive(cfg)}
	for _, a := range cfg.Listen() {
		if len(list) == maxListeners {
			log.Errorf("Too many listen sockets. Enlarge MAX_LISTEN_SOCKS")
			break
		}
		port := strconv.Itoa(a.Port)
		network := "tcp4"
		if ip := net.ParseIP(a.Host); ip != nil && ip.To4() == nil || ip == nil {
			network = "tcp6" // both families have a socket each
			if ip == nil {
				network = "tcp"
			}
		}
		l, err := lc.Listen(ctx, network, net.JoinHostPort(a.Host, port))
		if err != nil {
			log.Errorf("%s", bindError(port, a.Host, err))
			continue
		}
		host, port, _ := net.SplitHostPort(l.Addr().String())
		log.Infof("Server listening on %s port %s.", host, port)
		list = append(list, l)
	}
	if len(list) == 0 {
		return nil, errNoAddress
	}
	return list, nil
}

// sockets are those that a service manager has opened for us, or else those of
// the configuration. A manager's sockets stay open through a restart: it is
// their owner.
func (s *server) sockets(ctx context.Context, cfg *sshconfig.Server) ([]net.Listener, error) {
	if s.given == nil {
		return listen(ctx, cfg, s.log)
	}
	var list []net.Listener
	for _, f := range s.given {
		l, err := net.FileListener(f) // a duplicate
		if err != nil {
			s.log.Errorf("socket of the service manager: %v", err)
			continue
		}
		list = append(list, l)
	}
	if len(list) == 0 {
		return nil, errors.New("no usable socket of the service manager")
	}
	return list, nil
}

// givenSockets are the descriptors of sd_listen_fds(3), nil when there are none.
func givenSockets(getenv func(string) string) []*os.File {
	const first = 3
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil
	}
	var list []*os.File
	for fd := first; fd < first+min(n, maxListeners); fd++ {
		list = append(list, os.NewFile(uintptr(fd), "socket"))
	}
	return list
}

// keepAlive leaves the times of TCP's own probes to the system.
func keepAlive(cfg *sshconfig.Server) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: cfg.TCPKeepAlive, Idle: -1, Interval: -1, Count: -1}
}

// startups counts connections that have not logged in yet, and refuses new
// ones as MaxStartups says.
type startups struct {
	max sshconfig.MaxStartups
	log *sshdlog.Logger

	mu        sync.Mutex
	n         int
	throttled bool
	since     time.Time
	dropped   int
}

// admit counts one more, or says no.
func (s *startups) admit(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dropLocked() {
		s.n++
		if s.throttled && s.n < s.max.Start {
			s.throttled = false
			s.log.Infof("exited MaxStartups throttling after %s, %d connections dropped", duration(time.Since(s.since)), s.dropped)
		}
		return true
	}
	if !s.throttled {
		s.throttled, s.since, s.dropped = true, time.Now(), 0
		s.log.Infof("beginning MaxStartups throttling")
	}
	s.dropped++
	s.log.Infof("drop connection #%d from %s on %s Maxstartups", s.n, bracketed(c.RemoteAddr()), bracketed(c.LocalAddr()))
	return false
}

func (s *startups) dropLocked() bool {
	m := s.max
	switch {
	case s.n < m.Start:
		return false
	case s.n >= m.Full || m.Rate == 100:
		return true
	}
	p := m.Rate + (100-m.Rate)*(s.n-m.Start)/max(1, m.Full-m.Start)
	var b [8]byte
	rand.Read(b[:])
	return int(binary.BigEndian.Uint64(b[:])%100) < p
}

// done takes one off: it has logged in, or gone.
func (s *startups) done() {
	s.mu.Lock()
	s.n--
	s.mu.Unlock()
}

func bracketed(a net.Addr) string {
	host, port := hostPort(a)
	return fmt.Sprintf("[%s]:%d", host, port)
}

// hostPort splits an address; what is no address of a network is UNKNOWN.
func hostPort(a net.Addr) (host string, port int) {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("").String(), t.Port
	}
	return "UNKNOWN", 65535
}

// duration is HH:MM:SS.
func duration(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
