package penalty

import (
	"net/netip"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Refusal is what a client is told that is not served.
const Refusal = "Not allowed at this time\r\n"

// Limits of connections that have not logged in.
type Limits struct {
	MaxStartups sshconfig.MaxStartups
	PerSource   int // PerSourceMaxStartups; negative for none
}

// Gate counts connections from their first moment to their login or end, and
// says who may come in and who may go on.
type Gate struct {
	Table  *Table
	limits Limits
	bits   sshconfig.NetBlockSize
	log    Log
	roll   func(n int) int // a random number below n

	conns     map[int64]*conn
	startups  int                  // left the lobby, not logged in
	perSource map[netip.Prefix]int // of those

	penalties, drops limiter

	// Counters since the start.
	Accepted, Penalised, Dropped, LoggedIns uint64
	Events                                  [maxEvent]uint64
}

type conn struct {
	remote, local netip.AddrPort
	left, in      bool // left the lobby; logged in
}

// NewGate makes a door. roll(n) is a random number from 0 to n-1.
func NewGate(cfg Config, limits Limits, roll func(n int) int, log Log) *Gate {
	return &Gate{Table: NewTable(cfg, log), limits: limits, bits: cfg.Bits, log: log, roll: roll,
		conns: map[int64]*conn{}, perSource: map[netip.Prefix]int{}, penalties: penaltyLimiter(), drops: startupsLimiter()}
}

// Configure changes the rules; counts and memory stay.
func (g *Gate) Configure(cfg Config, limits Limits) {
	g.Table.Configure(cfg)
	if g.bits != cfg.Bits {
		g.bits, g.perSource = cfg.Bits, map[netip.Prefix]int{}
		for _, c := range g.conns {
			if c.left && !c.in {
				g.perSource[Source(c.remote.Addr(), g.bits)]++
			}
		}
	}
	g.limits = limits
}

// Startups is the number of connections that left the lobby and have not logged
// in; Open that of all connections.
func (g *Gate) Startups() int { return g.startups }

// Open: see Startups.
func (g *Gate) Open() int { return len(g.conns) }

// Limits are the present ones.
func (g *Gate) Limits() Limits { return g.limits }

// Accept asks for a connection that was just accepted. Refused ones are logged.
func (g *Gate) Accept(number int64, remote, local netip.AddrPort, now time.Time) bool {
	if reason, refused := g.Table.Refuses(remote.Addr(), now); refused {
		g.Penalised++
		g.drop(&g.penalties, "PerSourcePenalties", remote, local, reason, now)
		return false
	}
	g.Accepted++
	g.conns[number] = &conn{remote: remote, local: local}
	return true
}

// Addresses are those of a connection that is there.
func (g *Gate) Addresses(number int64) (remote, local netip.AddrPort, ok bool) {
	c := g.conns[number]
	if c == nil {
		return netip.AddrPort{}, netip.AddrPort{}, false
	}
	return c.remote, c.local, true
}

// Leave asks for a connection that has shown to be an SSH client's: may it leave
// the lobby. Those that may not are logged and forgotten.
func (g *Gate) Leave(number int64, now time.Time) bool {
	c := g.conns[number]
	if c == nil || c.left {
		return false
	}
	source := Source(c.remote.Addr(), g.bits)
	if g.full() || g.limits.PerSource >= 0 && g.perSource[source] >= g.limits.PerSource {
		g.Dropped++
		g.drop(&g.drops, "Maxstartups", c.remote, c.local, "Maxstartups", now)
		delete(g.conns, number)
		return false
	}
	c.left = true
	g.startups++
	g.perSource[source]++
	return true
}

// full is MaxStartups' verdict: from Start on connections are dropped at random,
// more and more, and from Full on all of them.
func (g *Gate) full() bool {
	m, n := g.limits.MaxStartups, g.startups
	switch {
	case n < m.Start:
		return false
	case n >= m.Full, m.Rate == 100:
		return true
	}
	p := m.Rate + (100-m.Rate)*(n-m.Start)/(m.Full-m.Start)
	return g.roll(100) < p
}

// drop writes the line about a connection that is refused.
func (g *Gate) drop(l *limiter, subsystem string, remote, local netip.AddrPort, reason string, now time.Time) {
	write, tell, others := l.event(now)
	if tell {
		g.log(sshconfig.Info, "%s logging rate-limited: additional %d connections dropped", subsystem, others)
	}
	if write {
		g.log(sshconfig.Info, "drop connection #%d from [%s]:%d on [%s]:%d %s", g.startups, host(remote), remote.Port(), host(local), local.Port(), reason)
	}
}

func host(a netip.AddrPort) string {
	if !a.IsValid() {
		return "UNKNOWN"
	}
	return a.Addr().Unmap().WithZone("").String()
}

// LoggedIn says that a connection is a stranger's no more. With a key, half of
// what is held against its source is forgiven.
func (g *Gate) LoggedIn(number int64, key bool, now time.Time) {
	c := g.conns[number]
	if c == nil || c.in {
		return
	}
	g.settle(c)
	c.in = true
	g.LoggedIns++
	if key {
		g.Table.Forgive(c.remote.Addr(), now)
	}
}

// Ended says that a connection is gone, and what it did that is held against its
// source.
func (g *Gate) Ended(number int64, ev Event, now time.Time) {
	c := g.conns[number]
	if c == nil || !ev.Valid() {
		return
	}
	g.settle(c)
	delete(g.conns, number)
	g.Events[ev]++
	g.Table.Penalise(c.remote.Addr(), ev, now)
}

// settle takes a connection off the counts of strangers.
func (g *Gate) settle(c *conn) {
	if !c.left || c.in {
		return
	}
	g.startups--
	source := Source(c.remote.Addr(), g.bits)
	if g.perSource[source]--; g.perSource[source] <= 0 {
		delete(g.perSource, source)
	}
}
