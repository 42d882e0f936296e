package penalty

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Of the address space of one customer of IPv6: as many penalised sources in
// one /48 are one source (BAN-2).
const (
	wideBits  = 48
	wideCount = 10
)

// Log is told a line for the log, as fmt.Printf.
type Log func(level sshconfig.LogLevel, format string, args ...any)

// Config is what the keywords say.
type Config struct {
	Penalties sshconfig.Penalties
	Exempt    string // PerSourcePenaltyExemptList
	Bits      sshconfig.NetBlockSize
}

// Table remembers sources that misbehaved.
type Table struct {
	cfg Config
	log Log
	tab [2]tree // IPv4 and IPv6 cannot push each other out (BAN-4)
}

// tree is the sources of one family.
type tree struct {
	family  string
	sources map[netip.Prefix]*entry
	byEnd   order                // the next to expire first
	wide    map[netip.Prefix]int // active ones by /48, for IPv6
}

type entry struct {
	source netip.Prefix
	expiry time.Time
	active bool
	reason Event
	at     int // in byEnd
}

type order []*entry

func (o order) Len() int           { return len(o) }
func (o order) Less(i, j int) bool { return o[i].expiry.Before(o[j].expiry) }
func (o order) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].at, o[j].at = i, j
}
func (o *order) Push(x any) {
	e := x.(*entry)
	e.at = len(*o)
	*o = append(*o, e)
}
func (o *order) Pop() any {
	old := *o
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*o = old[:len(old)-1]
	return e
}

// NewTable makes an empty table.
func NewTable(cfg Config, log Log) *Table {
	t := &Table{cfg: cfg, log: log}
	t.tab[0] = tree{family: "ipv4", sources: map[netip.Prefix]*entry{}}
	t.tab[1] = tree{family: "ipv6", sources: map[netip.Prefix]*entry{}, wide: map[netip.Prefix]int{}}
	return t
}

// Configure changes the rules; what is remembered stays.
func (t *Table) Configure(cfg Config) { t.cfg = cfg }

// Source is the network that addr counts for.
func Source(addr netip.Addr, bits sshconfig.NetBlockSize) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	n := bits.IPv6
	if addr.Is4() {
		n = bits.IPv4
	}
	p, err := addr.Prefix(n)
	if err != nil {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	return p
}

// rules are those of one family.
func (t *Table) rules(source netip.Prefix) (tab *tree, most int, deny bool) {
	p := &t.cfg.Penalties
	if source.Addr().Is4() {
		return &t.tab[0], p.MaxSources4, p.DenyAll
	}
	return &t.tab[1], p.MaxSources6, p.DenyAll6
}

// Refuses tells whether a connection from addr is not to be served now, and why
// in the words of the log.
func (t *Table) Refuses(addr netip.Addr, now time.Time) (reason string, refused bool) {
	if !t.cfg.Penalties.On || !addr.IsValid() || t.exempt(addr) {
		return "", false
	}
	source := Source(addr, t.cfg.Bits)
	tab, most, deny := t.rules(source)
	tab.expire(now)
	if deny && len(tab.sources) > most {
		return "too many penalised addresses", true
	}
	if e := tab.sources[source]; e != nil && e.active {
		return e.reason.String(), true
	}
	if tab.wide != nil && tab.wide[wideOf(source)] >= wideCount {
		return NoAuth.String(), true
	}
	return "", false
}

func (t *Table) exempt(addr netip.Addr) bool {
	if t.cfg.Exempt == "" {
		return false
	}
	n, err := sshconfig.MatchAddress(addr.Unmap().WithZone("").String(), t.cfg.Exempt)
	return err == nil && n == 1
}

// Penalise holds an event against addr.
func (t *Table) Penalise(addr netip.Addr, ev Event, now time.Time) {
	p := &t.cfg.Penalties
	cost := ev.cost(p)
	if !p.On || cost <= 0 || !addr.IsValid() {
		return
	}
	source := Source(addr, t.cfg.Bits)
	tab, most, deny := t.rules(source)
	tab.expire(now)
	if e := tab.sources[source]; e != nil {
		t.add(tab, e, cost, ev, now)
		return
	}
	if deny && len(tab.sources) > most {
		t.log(sshconfig.Verbose, "srclimit_penalise: %s penalty table full, cannot penalise %s for %s", tab.family, source, ev)
		return
	}
	e := &entry{source: source, expiry: now.Add(cost), reason: ev}
	tab.insert(e)
	level, kind := sshconfig.Verbose, "deferred"
	if cost > p.Min {
		level, kind = sshconfig.Info, "active"
		tab.activate(e, true)
	}
	t.log(level, "srclimit_penalise: %s: new %s %s penalty of %.3f seconds for %s", tab.family, source, kind, cost.Seconds(), ev)
	if !deny {
		for len(tab.sources) > max(most, 0) {
			tab.remove(tab.byEnd[0]) // the one that would be forgotten next
		}
	}
}

func (t *Table) add(tab *tree, e *entry, cost time.Duration, ev Event, now time.Time) {
	p := &t.cfg.Penalties
	e.expiry = e.expiry.Add(cost)
	if latest := now.Add(p.Max); e.expiry.After(latest) {
		e.expiry = latest
	}
	heap.Fix(&tab.byEnd, e.at)
	e.reason = ev
	if left := e.expiry.Sub(now); left > p.Min && !e.active {
		t.log(sshconfig.Info, "srclimit_penalise: %s: activating %s penalty of %.3f seconds for %s", e.source, tab.family, left.Seconds(), ev)
		tab.activate(e, true)
	}
}

// Forgive takes half of what is held against addr: somebody there has shown a
// key (BAN-5).
func (t *Table) Forgive(addr netip.Addr, now time.Time) {
	source := Source(addr, t.cfg.Bits)
	tab, _, _ := t.rules(source)
	tab.expire(now)
	e := tab.sources[source]
	if e == nil {
		return
	}
	left := e.expiry.Sub(now) / 2
	e.expiry = now.Add(left)
	heap.Fix(&tab.byEnd, e.at)
	if left <= t.cfg.Penalties.Min {
		tab.activate(e, false)
	}
}

// Active is the number of sources of each family that are refused now.
func (t *Table) Active(now time.Time) (v4, v6 int) {
	for i, n := range []*int{&v4, &v6} {
		t.tab[i].expire(now)
		for _, e := range t.tab[i].sources {
			if e.active {
				*n++
			}
		}
	}
	return v4, v6
}

// Penalised is a source that is refused.
type Penalised struct {
	Source netip.Prefix
	Reason Event
	Left   time.Duration
}

// List are the sources that are refused now, those that are refused longest
// last.
func (t *Table) List(now time.Time) []Penalised {
	var list []Penalised
	for i := range t.tab {
		t.tab[i].expire(now)
		for _, e := range t.tab[i].sorted() {
			if e.active {
				list = append(list, Penalised{e.source, e.reason, e.expiry.Sub(now)})
			}
		}
	}
	return list
}

func (tab *tree) expire(now time.Time) {
	for len(tab.byEnd) > 0 && !now.Before(tab.byEnd[0].expiry) {
		tab.remove(tab.byEnd[0])
	}
}

func (tab *tree) insert(e *entry) {
	tab.sources[e.source] = e
	heap.Push(&tab.byEnd, e)
}

func (tab *tree) remove(e *entry) {
	tab.activate(e, false)
	delete(tab.sources, e.source)
	heap.Remove(&tab.byEnd, e.at)
}

// activate says whether the source is refused, and keeps count by wider network.
func (tab *tree) activate(e *entry, on bool) {
	if e.active == on {
		return
	}
	e.active = on
	if tab.wide == nil {
		return
	}
	w := wideOf(e.source)
	if !w.IsValid() {
		return
	}
	if on {
		tab.wide[w]++
	} else if tab.wide[w]--; tab.wide[w] == 0 {
		delete(tab.wide, w)
	}
}

// wideOf is the /48 that holds a source, invalid if the source is no smaller.
func wideOf(source netip.Prefix) netip.Prefix {
	if source.Bits() <= wideBits || source.Addr().Is4() {
		return netip.Prefix{}
	}
	p, _ := source.Addr().Prefix(wideBits)
	return p
}
