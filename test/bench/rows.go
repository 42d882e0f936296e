package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nacre-ssh/nacre/test/interop/rig"
	"github.com/nacre-ssh/nacre/test/simnet"
)

// The ciphers that are measured, in the words of -c and -m.
var ciphers = [...]struct{ cipher, mac string }{
	{"aes128-gcm@openssh.com", ""},
	{"aes256-gcm@openssh.com", ""},
	{"chacha20-poly1305@openssh.com", ""},
	{"aes256-ctr", "hmac-sha2-256-etm@openssh.com"},
}

func up(int64) (command string, stdin bool) { return "cat >/dev/null", true }
func down(n int64) (command string, stdin bool) {
	return "head -c " + strconv.FormatInt(n, 10) + " /dev/zero", false
}

// transfers: bulk data at full speed, each way, each cipher.
func (b *bench) transfers() error {
	for _, c := range ciphers {
		for _, way := range []struct {
			name    string
			command func(int64) (string, bool)
		}{{"up", up}, {"down", down}} {
			row := c.cipher + " " + way.name
			if c.mac != "" {
				row = c.cipher + " + " + c.mac + " " + way.name
			}
			if !b.wants(row) {
				continue
			}
			command, in := way.command(b.size)
			res, err := b.rounds(row, b.here(pairs[:]...), func(p pair) (cost, error) {
				r := rig.Request{Cipher: c.cipher, MAC: c.mac, Command: "true"}
				login, err := b.measure(p, r, "")
				if err != nil {
					return cost{}, err
				}
				r.Command = command
				stdin := ""
				if in {
					stdin = b.data
				}
				whole, err := b.measure(p, r, stdin)
				return whole.less(login), err
			})
			if err != nil {
				return err
			}
			b.report.transfer(row, b.size, res)
		}
	}
	return nil
}

// longPath: the same through a delay, where only the window matters.
func (b *bench) longPath() error {
	for _, way := range []struct {
		name    string
		command func(int64) (string, bool)
	}{{"up", up}, {"down", down}} {
		row := fmt.Sprintf("%v round trip, aes128-gcm %s", b.rtt, way.name)
		if !b.wants(row) {
			continue
		}
		res, err := b.rounds(row, b.here(pairs[:]...), func(p pair) (cost, error) {
			proxy, err := simnet.Listen("127.0.0.1:0", b.servers[p.server].Addr, simnet.Link{Delay: b.rtt / 2})
			if err != nil {
				return cost{}, err
			}
			defer proxy.Close()
			r := rig.Request{Cipher: "aes128-gcm@openssh.com", Addr: proxy.Addr().String(), Command: "true"}
			login, err := b.measure(p, r, "")
			if err != nil {
				return cost{}, err
			}
			command, in := way.command(b.long)
			r.Command = command
			stdin := ""
			if in {
				stdin = b.data
			}
			whole, err := b.measure(p, r, stdin)
			return whole.less(login), err
		})
		if err != nil {
			return err
		}
		b.report.transfer(row, b.long, res)
	}
	return nil
}

// execs: what `ssh host true` takes.
func (b *bench) execs() error {
	const row = "ssh host true"
	if !b.wants(row) {
		return nil
	}
	const each = 5 // runs in one figure
	res, err := b.rounds(row, b.here(pairs[:]...), func(p pair) (cost, error) {
		var sum cost
		for range each {
			c, err := b.measure(p, rig.Request{Command: "true"}, "")
			if err != nil {
				return sum, err
			}
			sum.wall, sum.client, sum.server = sum.wall+c.wall, sum.client+c.client, sum.server+c.server
		}
		return cost{wall: sum.wall / each, client: sum.client / each, server: sum.server / each}, nil
	})
	if err != nil {
		return err
	}
	b.report.each(row, res)
	return nil
}

// roundTrips: how long the path makes `ssh host true`, in round trips of it,
// TCP's own among them: to a server met before, and at the first meeting.
func (b *bench) roundTrips() error {
	for _, first := range []bool{false, true} {
		row := "round trips of ssh host true"
		if first {
			row += ", first meeting"
		}
		if !b.wants(row) {
			continue
		}
		res, err := b.rounds(row, b.here(pairs[:]...), func(p pair) (cost, error) {
			near, err := b.measure(p, rig.Request{Command: "true"}, "")
			if err != nil {
				return near, err
			}
			proxy, err := simnet.Listen("127.0.0.1:0", b.servers[p.server].Addr, simnet.Link{Delay: b.rtt / 2})
			if err != nil {
				return near, err
			}
			defer proxy.Close()
			if first {
				os.Remove(b.w.Path("nacre_hosts"))
			}
			far, err := b.measure(p, rig.Request{Addr: proxy.Addr().String(), Command: "true"}, "")
			far.client = far.wall - near.wall // the part the path made
			far.trips = proxy.Count().Rounds + proxy.Count().Conns
			return far, err
		})
		if err != nil {
			return err
		}
		b.report.trips(row, b.rtt, res)
	}
	return nil
}

// light is a client that only logs in: x/crypto's, in this process, whatever
// the server.
type light struct {
	config *ssh.ClientConfig
	addr   string
}

func (b *bench) light(s *server) (*light, error) {
	pem, err := os.ReadFile(b.w.UserKey("ed25519"))
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	return &light{addr: s.Addr, config: &ssh.ClientConfig{
		// One key exchange that all of them have.
		Config: ssh.Config{KeyExchanges: []string{"curve25519-sha256"}, Ciphers: []string{"aes128-gcm@openssh.com"}},
		User:   b.w.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         time.Minute,
	}}, nil
}

func (l *light) login() (*ssh.Client, error) { return ssh.Dial("tcp", l.addr, l.config) }

// many logs in n times, at most 16 at once, and gives each connection to keep.
func (l *light) many(n int, keep func(*ssh.Client)) error {
	const parallel = 16
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range parallel {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ctx.Err() == nil && left.Add(-1) >= 0 {
				c, err := l.login()
				if err != nil {
					cancel(err)
					return
				}
				keep(c)
			}
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

// loginRate: logins a second, 16 in parallel, nothing run.
func (b *bench) loginRate() error {
	const row = "logins, 16 in parallel"
	if !b.wants(row) {
		return nil
	}
	var ps []pair
	for _, n := range names {
		if b.servers[n.short] != nil {
			ps = append(ps, pair{"light", n.short})
		}
	}
	res, err := b.rounds(row, ps, func(p pair) (cost, error) {
		s := b.servers[p.server]
		l, err := b.light(s)
		if err != nil {
			return cost{}, err
		}
		cpu, start := s.group.CPU(), time.Now()
		if err := l.many(b.logins, func(c *ssh.Client) { c.Close() }); err != nil {
			return cost{}, fmt.Errorf("%s: %w\n%s", p, err, s.Log())
		}
		wall := time.Since(start)
		n := time.Duration(b.logins)
		return cost{wall: wall / n, server: (s.group.CPU() - cpu) / n}, nil
	})
	if err != nil {
		return err
	}
	b.report.logins(row, res)
	return nil
}

// idleMemory: what a login that does nothing keeps.
func (b *bench) idleMemory() error {
	const row = "idle logins"
	if !b.wants(row) {
		return nil
	}
	const few = 200 // where each login is a process or two
	for _, c := range []struct {
		name   string
		n      int
		config []string
	}{
		{"nacre", b.idle, []string{"NetworkRooms shared"}},
		{"nacre", few, []string{"NetworkRooms connection"}},
		{"xcrypto", b.idle, nil},
		{"stock", few, nil},
		{"stock10", few, nil},
	} {
		if b.servers[c.name] == nil {
			continue
		}
		what := c.name
		if len(c.config) > 0 {
			what += ", " + c.config[0]
		}
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s: %s: %d", row, what, c.n)
		each, err := b.hold(c.name, c.n, c.config)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", row, what, err)
		}
		b.report.idle(what, c.n, each)
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	return nil
}

// hold logs in n times to a fresh server and returns the private memory that
// each connection added to it.
func (b *bench) hold(name string, n int, config []string) (int64, error) {
	s, err := b.serve(b.servers[name].Daemon, config...)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	l, err := b.light(s)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var held []*ssh.Client
	keep := func(c *ssh.Client) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, c)
	}
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	// The first few pay for what all share.
	if err := l.many(16, keep); err != nil {
		return 0, err
	}
	settle(s.group)
	before := s.group.PrivateDirty()
	if err := l.many(n, keep); err != nil {
		return 0, err
	}
	settle(s.group)
	return (s.group.PrivateDirty() - before) / int64(n), nil
}

// settle waits until the group does nothing any more: collections over,
// warm processes started. At most 30 seconds.
func settle(g *rig.Group) {
	for range 15 {
		cpu := g.CPU()
		time.Sleep(2 * time.Second)
		if g.CPU()-cpu < 20*time.Millisecond {
			return
		}
	}
}

func fill(f *os.File, n int64) error {
	defer f.Close()
	block := make([]byte, 1<<20)
	rand.Read(block)
	for n > 0 {
		k, err := f.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}
