package penalty

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// defaults are sshd_config's.
func defaults() sshconfig.Penalties {
	return sshconfig.Penalties{On: true, Crash: 90 * time.Second, AuthFail: 5 * time.Second, InvalidUser: 5 * time.Second, NoAuth: time.Second,
		GraceExceeded: 10 * time.Second, RefuseConnection: 10 * time.Second, Max: 10 * time.Minute, Min: 15 * time.Second, MaxSources4: 65536, MaxSources6: 65536}
}

type lines []string

func (l *lines) log(level sshconfig.LogLevel, format string, args ...any) {
	p := ""
	if level == sshconfig.Verbose {
		p = "V "
	}
	*l = append(*l, p+fmt.Sprintf(format, args...))
}

func (l *lines) take() string {
	s := strings.Join(*l, "\n")
	*l = nil
	return s
}

func newTable(change func(*Config)) (*Table, *lines) {
	cfg := Config{Penalties: defaults(), Bits: sshconfig.NetBlockSize{IPv4: 32, IPv6: 64}}
	if change != nil {
		change(&cfg)
	}
	l := &lines{}
	return NewTable(cfg, l.log), l
}

func addr(s string) netip.Addr         { return netip.MustParseAddr(s) }
func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func at(s float64) time.Time           { return start.Add(time.Duration(s * float64(time.Second))) }

// One wrong password costs nothing; the fourth within the window does, with the
// very words and sums (BAN-1).
func TestAccumulation(t *testing.T) {
	tab, l := newTable(nil)
	a := addr("192.0.2.7")
	for i := range 3 {
		tab.Penalise(a, AuthFail, at(0.149*float64(i)))
		if _, refused := tab.Refuses(a, at(0.149*float64(i))); refused {
			t.Fatalf("refused after %d", i+1)
		}
	}
	if got := l.take(); got != "V srclimit_penalise: ipv4: new 192.0.2.7/32 deferred penalty of 5.000 seconds for penalty: failed authentication" {
		t.Errorf("logged %q", got)
	}
	tab.Penalise(a, AuthFail, at(0.447))
	if got := l.take(); got != "srclimit_penalise: 192.0.2.7/32: activating ipv4 penalty of 19.553 seconds for penalty: failed authentication" {
		t.Errorf("logged %q", got)
	}
	for _, tt := range []struct {
		at   float64
		want bool
	}{{0.447, true}, {19.9, true}, {20, false}, {21, false}} {
		reason, refused := tab.Refuses(a, at(tt.at))
		if refused != tt.want || refused && reason != "penalty: failed authentication" {
			t.Errorf("after %v s: %v %q", tt.at, refused, reason)
		}
	}
	if _, refused := tab.Refuses(addr("192.0.2.8"), at(1)); refused {
		t.Error("a neighbour is refused")
	}
}

// Each event has its price, its words, and can be switched off with 0.
func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		ev   Event
		cost float64
		text string
		off  func(*sshconfig.Penalties)
	}{
		{Crash, 90, "penalty: caused crash", func(p *sshconfig.Penalties) { p.Crash = 0 }},
		{AuthFail, 5, "penalty: failed authentication", func(p *sshconfig.Penalties) { p.AuthFail = 0 }},
		{InvalidUser, 5, "penalty: attempted authentication by invalid user", func(p *sshconfig.Penalties) { p.InvalidUser = 0 }},
		{NoAuth, 1, "penalty: connections without attempting authentication", func(p *sshconfig.Penalties) { p.NoAuth = 0 }},
		{GraceExceeded, 10, "penalty: exceeded LoginGraceTime", func(p *sshconfig.Penalties) { p.GraceExceeded = 0 }},
		{RefuseConnection, 10, "penalty: connection prohibited by RefuseConnection", func(p *sshconfig.Penalties) { p.RefuseConnection = 0 }},
	} {
		kind, prefix := "deferred", "V "
		if tt.cost > 15 {
			kind, prefix = "active", ""
		}
		tab, l := newTable(nil)
		tab.Penalise(addr("2001:db8::1"), tt.ev, start)
		want := fmt.Sprintf("%ssrclimit_penalise: ipv6: new 2001:db8::/64 %s penalty of %.3f seconds for %s", prefix, kind, tt.cost, tt.text)
		if got := l.take(); got != want {
			t.Errorf("logged %q, want %q", got, want)
		}
		tab, l = newTable(func(c *Config) { tt.off(&c.Penalties) })
		tab.Penalise(addr("2001:db8::1"), tt.ev, start)
		if got := l.take(); got != "" {
			t.Errorf("switched off, logged %q", got)
		}
	}
	tab, l := newTable(nil)
	tab.Penalise(addr("2001:db8::1"), None, start)
	if tab, l2 := newTable(func(c *Config) { c.Penalties.On = false }); true {
		tab.Penalise(addr("192.0.2.1"), Crash, start)
		if _, refused := tab.Refuses(addr("192.0.2.1"), start); refused || len(*l2) > 0 {
			t.Error("penalties are off")
		}
	}
	if len(*l) > 0 {
		t.Error("nothing was held against somebody")
	}
}

// What remains is never more than max, and the threshold min is to be exceeded.
func TestCeilingAndThreshold(t *testing.T) {
	tab, _ := newTable(nil)
	a := addr("192.0.2.1")
	for range 20 {
		tab.Penalise(a, Crash, start)
	}
	if _, refused := tab.Refuses(a, at(599.9)); !refused {
		t.Error("forgotten before max")
	}
	if _, refused := tab.Refuses(a, at(600)); refused {
		t.Error("remembered beyond max")
	}
	tab, _ = newTable(nil)
	for range 3 {
		tab.Penalise(a, AuthFail, start) // 15, not more
	}
	if _, refused := tab.Refuses(a, start); refused {
		t.Error("refused at the threshold")
	}
	tab.Penalise(a, NoAuth, start)
	if reason, refused := tab.Refuses(a, start); !refused || reason != NoAuth.String() {
		t.Errorf("beyond the threshold: %v %q", refused, reason)
	}
	// Once active it stays so to its end.
	if _, refused := tab.Refuses(a, at(15.9)); !refused {
		t.Error("an active penalty fell below the threshold and ended")
	}
}

// The exempt are never refused, however they are written (BAN-5).
func TestExempt(t *testing.T) {
	tab, _ := newTable(func(c *Config) { c.Exempt = "127.0.0.0/8,::1,10.1.*" })
	for a, want := range map[string]bool{"127.0.0.1": false, "::ffff:127.0.0.1": false, "::1": false, "10.1.2.3": false, "10.2.2.3": true, "::2": true} {
		tab.Penalise(addr(a), Crash, start)
		if _, refused := tab.Refuses(addr(a), start); refused != want {
			t.Errorf("%s: refused %v", a, refused)
		}
	}
}

// A /64 is one source, and ten of them in a /48 are one too (BAN-2).
func TestRotation(t *testing.T) {
	tab, _ := newTable(nil)
	tab.Penalise(addr("2001:db8:1:2::1"), Crash, start)
	if _, refused := tab.Refuses(addr("2001:db8:1:2:ffff::9"), start); !refused {
		t.Error("another address of the same /64 is let in")
	}
	for i := range wideCount - 2 {
		tab.Penalise(addr(fmt.Sprintf("2001:db8:1:%x::1", 16+i)), Crash, start)
	}
	if _, refused := tab.Refuses(addr("2001:db8:1:99::1"), start); refused {
		t.Errorf("a /48 is refused for %d of its sources", wideCount-1)
	}
	tab.Penalise(addr("2001:db8:1:77::1"), Crash, at(1))
	if _, refused := tab.Refuses(addr("2001:db8:1:99::1"), at(1)); !refused {
		t.Errorf("a /48 is let in after %d of its sources", wideCount)
	}
	if _, refused := tab.Refuses(addr("2001:db8:2:99::1"), at(1)); refused {
		t.Error("the next /48 is refused")
	}
	if _, refused := tab.Refuses(addr("2001:db8:1:99::1"), at(90.5)); refused {
		t.Error("a /48 is refused after its sources have expired")
	}
	if len(tab.tab[1].wide) != 1 {
		t.Errorf("%d wider networks are remembered, want 1", len(tab.tab[1].wide))
	}
}

// Each family has a table of its own size; when it is full the one that ends
// first goes, or everybody is refused (BAN-4).
func TestOverflow(t *testing.T) {
	tab, _ := newTable(func(c *Config) { c.Penalties.MaxSources4, c.Penalties.MaxSources6 = 3, 2 })
	for i := range 4 {
		tab.Penalise(addr(fmt.Sprintf("192.0.2.%d", i)), Crash, at(float64(i)))
	}
	for i := range 9 {
		tab.Penalise(addr(fmt.Sprintf("2001:db8:%x::1", i)), Crash, at(5))
	}
	for i := range 4 {
		if _, refused := tab.Refuses(addr(fmt.Sprintf("192.0.2.%d", i)), at(6)); refused != (i > 0) {
			t.Errorf("source %d: refused %v", i, refused)
		}
	}
	if n := len(tab.tab[1].sources); n != 2 {
		t.Errorf("%d of IPv6 in a table of 2", n)
	}

	tab, l := newTable(func(c *Config) {
		c.Penalties.MaxSources4, c.Penalties.DenyAll = 2, true
	})
	for i := range 3 {
		tab.Penalise(addr(fmt.Sprintf("192.0.2.%d", i)), Crash, start)
	}
	l.take()
	tab.Penalise(addr("192.0.2.9"), Crash, start)
	if got := l.take(); got != "V srclimit_penalise: ipv4 penalty table full, cannot penalise 192.0.2.9/32 for penalty: caused crash" {
		t.Errorf("logged %q", got)
	}
	if reason, refused := tab.Refuses(addr("198.51.100.1"), start); !refused || reason != "too many penalised addresses" {
		t.Errorf("with a full table: %v %q", refused, reason)
	}
	if _, refused := tab.Refuses(addr("2001:db8::1"), start); refused {
		t.Error("the other family is refused")
	}
	if _, refused := tab.Refuses(addr("198.51.100.1"), at(91)); refused {
		t.Error("refused when the table has emptied")
	}
}

// A key takes off half (BAN-5).
func TestForgive(t *testing.T) {
	tab, _ := newTable(nil)
	a := addr("192.0.2.1")
	tab.Penalise(a, GraceExceeded, start)
	tab.Penalise(a, GraceExceeded, start)
	tab.Forgive(a, start)
	if _, refused := tab.Refuses(a, start); refused {
		t.Error("10 s left and refused")
	}
	tab.Penalise(a, AuthFail, start)
	if _, refused := tab.Refuses(a, start); refused {
		t.Error("15 s left and refused")
	}
	tab.Penalise(a, NoAuth, start)
	if _, refused := tab.Refuses(a, start); !refused {
		t.Error("16 s left and let in")
	}
	tab.Forgive(addr("192.0.2.2"), start)
}

func TestSnapshot(t *testing.T) {
	tab, _ := newTable(nil)
	tab.Penalise(addr("192.0.2.1"), Crash, start)
	tab.Penalise(addr("192.0.2.2"), NoAuth, start)
	tab.Penalise(addr("2001:db8::1"), Crash, at(10))
	s := tab.Snapshot(at(0.5))
	again, _ := newTable(nil)
	if err := again.Restore(s, at(0.5)); err != nil {
		t.Fatal(err)
	}
	if got := again.Snapshot(at(0.5)); string(got) != string(s) {
		t.Errorf("%s became %s", s, got)
	}
	for a, want := range map[string]bool{"192.0.2.1": true, "192.0.2.2": false, "2001:db8::9": true, "192.0.2.3": false} {
		if _, refused := again.Refuses(addr(a), at(60)); refused != want {
			t.Errorf("%s after a restart: %v", a, refused)
		}
	}
	if v4, v6 := again.Active(at(60)); v4 != 1 || v6 != 1 || len(again.List(at(60))) != 2 {
		t.Errorf("%d and %d active", v4, v6)
	}
	// What is over is left out, what is from a clock that ran ahead is cut.
	late, _ := newTable(nil)
	if err := late.Restore(s, at(95)); err != nil || len(late.List(at(95))) != 1 {
		t.Errorf("%v, %v", err, late.List(at(95)))
	}
	early, _ := newTable(nil)
	if err := early.Restore(s, start.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, p := range early.List(start.Add(-24 * time.Hour)) {
		if p.Left > 10*time.Minute {
			t.Errorf("%v for %v", p.Source, p.Left)
		}
	}
	for _, bad := range []string{"", "x\n", snapshotHead, snapshotHead + "\n192.0.2.1/32 1.000 active\n", snapshotHead + "\n192.0.2.1/24 1.000 active 1\n",
		snapshotHead + "\n192.0.2.1/32 1.000 active 99\n", snapshotHead + "\n192.0.2.1/32 1 active 1\n"} {
		if err := early.Restore([]byte(bad), start); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzRestore(f *testing.F) {
	tab, _ := newTable(nil)
	tab.Penalise(addr("192.0.2.1"), Crash, start)
	tab.Penalise(addr("2001:db8::1"), NoAuth, start)
	f.Add(tab.Snapshot(start))
	f.Fuzz(func(t *testing.T, b []byte) {
		tab, _ := newTable(func(c *Config) { c.Penalties.MaxSources4, c.Penalties.MaxSources6 = 5, 5 })
		if tab.Restore(b, start) != nil {
			return
		}
		s := tab.Snapshot(start)
		again, _ := newTable(nil)
		if err := again.Restore(s, start); err != nil || string(again.Snapshot(start)) != string(s) {
			t.Errorf("%q: %v", s, err)
		}
		if len(tab.tab[0].sources) > 5 || len(tab.tab[1].sources) > 5 {
			t.Error("a table grew beyond its size")
		}
	})
}

func newGate(m sshconfig.MaxStartups, perSource, roll int) (*Gate, *lines) {
	l := &lines{}
	cfg := Config{Penalties: defaults(), Bits: sshconfig.NetBlockSize{IPv4: 32, IPv6: 64}}
	return NewGate(cfg, Limits{m, perSource}, func(int) int { return roll }, l.log), l
}

// MaxStartups: nobody below start, everybody from full on, and in between as the
// formula says, on both sides of each number.
func TestMaxStartups(t *testing.T) {
	for _, tt := range []struct {
		m          sshconfig.MaxStartups
		have, roll int
		want       bool
	}{
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 9, 0, true},
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 10, 29, false},
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 10, 30, true},
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 55, 64, false},
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 55, 65, true},
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 99, 99, true}, // 99 percent
		{sshconfig.MaxStartups{Start: 10, Rate: 30, Full: 100}, 100, 99, false},
		{sshconfig.MaxStartups{Start: 2, Rate: 100, Full: 9}, 2, 99, false},
		{sshconfig.MaxStartups{Start: 3, Rate: 100, Full: 3}, 2, 0, true},
		{sshconfig.MaxStartups{Start: 3, Rate: 100, Full: 3}, 3, 99, false},
	} {
		g, _ := newGate(tt.m, -1, tt.roll)
		g.startups = tt.have
		g.Accept(1, addrPort("192.0.2.1:5"), addrPort("192.0.2.9:22"), start)
		if got := g.Leave(1, start); got != tt.want {
			t.Errorf("%v with %d there and %d thrown: %v", tt.m, tt.have, tt.roll, got)
		}
	}
}

// Strangers in the lobby do not count; those that left it do, until they have
// logged in or are gone; and a source has its own bound (LOD-1).
func TestGate(t *testing.T) {
	g, l := newGate(sshconfig.MaxStartups{Start: 10, Rate: 100, Full: 10}, 2, 0)
	local := addrPort("[::ffff:192.0.2.9]:22")
	for i := range int64(100) {
		if !g.Accept(i, addrPort("192.0.2.1:5"), local, start) {
			t.Fatal("refused at accept")
		}
	}
	if g.Startups() != 0 || g.Open() != 100 {
		t.Errorf("%d of %d count", g.Startups(), g.Open())
	}
	for i, want := range []bool{true, true, false} {
		if got := g.Leave(int64(i), start); got != want {
			t.Errorf("connection %d: %v", i, got)
		}
	}
	if got := l.take(); got != "drop connection #2 from [192.0.2.1]:5 on [192.0.2.9]:22 Maxstartups" {
		t.Errorf("logged %q", got)
	}
	if g.Leave(0, start) || g.Leave(999, start) {
		t.Error("one left twice")
	}
	g.LoggedIn(0, false, start)
	g.LoggedIn(0, false, start)
	if g.Startups() != 1 || !g.Leave(3, start) {
		t.Errorf("%d count after a login", g.Startups())
	}
	g.Ended(0, None, start)
	g.Ended(1, AuthFail, start)
	g.Ended(1, AuthFail, start)
	g.Ended(3, NoAuth, start)
	g.Ended(4, NoAuth, start) // still in the lobby
	if g.Startups() != 0 || len(g.perSource) != 0 || g.Open() != 95 {
		t.Errorf("%d startups, %v, %d open", g.Startups(), g.perSource, g.Open())
	}
	if g.Events[AuthFail] != 1 || g.Events[NoAuth] != 2 || g.LoggedIns != 1 || g.Dropped != 1 || g.Accepted != 100 {
		t.Errorf("counted %+v", g.Events)
	}
	for i := range int64(4) {
		g.Ended(10+i, GraceExceeded, start)
	}
	l.take()
	if g.Accept(500, addrPort("192.0.2.1:7"), local, start) {
		t.Error("a penalised source comes in")
	}
	if got := l.take(); got != "drop connection #0 from [192.0.2.1]:7 on [192.0.2.9]:22 penalty: exceeded LoginGraceTime" {
		t.Errorf("logged %q", got)
	}
	g.Configure(Config{Penalties: sshconfig.Penalties{}, Bits: sshconfig.NetBlockSize{IPv4: 24, IPv6: 48}}, Limits{sshconfig.MaxStartups{Start: 1, Rate: 1, Full: 1}, -1})
	if !g.Accept(500, addrPort("192.0.2.1:7"), local, start) {
		t.Error("refused with penalties off")
	}
}

// Lines about drops are limited: seven, then one in two minutes with the number
// of the others, and none are lost for good; calm brings them back.
func TestLineLimit(t *testing.T) {
	g, l := newGate(sshconfig.MaxStartups{Start: 10, Rate: 100, Full: 10}, -1, 0)
	a, local := addrPort("192.0.2.1:5"), addrPort("192.0.2.9:22")
	g.Table.Penalise(a.Addr(), Crash, start)
	for range 6 {
		g.Table.Penalise(a.Addr(), Crash, start)
	}
	l.take()
	const line = "drop connection #0 from [192.0.2.1]:5 on [192.0.2.9]:22 penalty: caused crash"
	for range 20 {
		g.Accept(1, a, local, start)
	}
	if got := l.take(); got != strings.TrimSuffix(strings.Repeat(line+"\n", 7), "\n") {
		t.Errorf("logged %q", got)
	}
	for s := range 119 { // keeps the counter up
		g.Accept(1, a, local, at(float64(s)))
	}
	if got := l.take(); got != "" {
		t.Errorf("logged %q", got)
	}
	g.Accept(1, a, local, at(120))
	if got := l.take(); got != "PerSourcePenalties logging rate-limited: additional 132 connections dropped\n"+line {
		t.Errorf("logged %q", got)
	}
	g.Accept(1, a, local, at(200)) // below the threshold: calm begins
	if got := l.take(); got != "" {
		t.Errorf("logged %q", got)
	}
	g.Accept(1, a, local, at(230))
	if got := l.take(); got != "PerSourcePenalties logging rate-limited: additional 1 connections dropped\n"+line {
		t.Errorf("logged %q", got)
	}
	g.Accept(1, a, local, at(231))
	if got := l.take(); got != line {
		t.Errorf("logged %q", got)
	}
}
