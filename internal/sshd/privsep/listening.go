package privsep

import (
	"net/netip"
	"time"
)

// Limits of what the listener, the monitors and the lobbies say to each other.
const (
	MaxAddress  = 64  // bytes of an address with its port
	MaxCounters = 256 // of a status
)

// Ready says that a generation can serve: its configuration, keys and rooms are
// there.
type Ready struct{}

func (*Ready) fields(*codec) {}

// Unready says why a generation cannot serve; it ends.
type Unready struct{ Text string }

func (m *Unready) fields(c *codec) { c.text(&m.Text, MaxLine) }

// Lobby comes with the listener's end of a link to a lobby: the first, or one
// in the place of one that died.
type Lobby struct{}

func (*Lobby) fields(*codec) {}

// LoggedIn says that a connection is a stranger's no more.
type LoggedIn struct {
	Number int64
	Key    bool // a key was among what it showed
}

func (m *LoggedIn) fields(c *codec) {
	c.int64(&m.Number)
	c.bool(&m.Key)
}

// Ended says that a connection that had left the lobby is gone. Event is what it
// costs its source: a penalty.Event.
type Ended struct {
	Number int64
	Event  uint8
}

func (m *Ended) fields(c *codec) {
	c.int64(&m.Number)
	c.byte(&m.Event)
}

// Retire says to a generation that no stranger comes any more: it ends with its
// last connection. So does the end of the link.
type Retire struct{}

func (*Retire) fields(*codec) {}

// Status asks a generation for its counters.
type Status struct{}

func (*Status) fields(*codec) {}

// Counter is one number of a status.
type Counter struct {
	Name  string
	Value uint64
}

// Counters answers Status. Those of one name are added up over generations.
type Counters struct{ List []Counter }

func (m *Counters) fields(c *codec) {
	list(c, &m.List, MaxCounters, func(n *Counter) {
		c.text(&n.Name, MaxName)
		c.uint64(&n.Value)
	})
}

// Rules are the bounds of a lobby, and come before the first stranger.
type Rules struct {
	PerSource, Max int           // strangers
	Bits4, Bits6   int           // of an address that make a source
	Grace          time.Duration // from accept to login; 0 for no bound
}

func (m *Rules) fields(c *codec) {
	for _, n := range []*int{&m.PerSource, &m.Max, &m.Bits4, &m.Bits6} {
		c.int(n)
	}
	c.duration(&m.Grace)
}

// Stranger comes with a socket that was accepted.
type Stranger struct {
	Number        int64
	Remote, Local netip.AddrPort
}

func (m *Stranger) fields(c *codec) {
	c.int64(&m.Number)
	c.addrPort(&m.Remote)
	c.addrPort(&m.Local)
}

// addrPort is an address and a port; the zero value is empty.
func (c *codec) addrPort(p *netip.AddrPort) {
	var s string
	if p.IsValid() {
		s = p.String()
	}
	c.text(&s, MaxAddress)
	if !c.reading {
		return
	}
	*p = netip.AddrPort{}
	if s == "" {
		return
	}
	var err error
	if *p, err = netip.ParseAddrPort(s); err != nil {
		c.fail()
	}
}

// Leave asks whether a stranger that has sent its KEXINIT may be handed over.
type Leave struct{ Number int64 }

func (m *Leave) fields(c *codec) { c.int64(&m.Number) }

// Verdict answers Leave. Text is what one who may not is told.
type Verdict struct {
	Admit bool
	Text  string
}

func (m *Verdict) fields(c *codec) {
	c.bool(&m.Admit)
	c.text(&m.Text, MaxName)
}

// Gone says that a stranger's connection ended in the lobby, how, and what was
// left to say about it.
type Gone struct {
	Number int64
	Event  uint8 // a penalty.Event
	End    End
	Reason uint32
	Text   string
}

func (m *Gone) fields(c *codec) {
	c.int64(&m.Number)
	c.byte(&m.Event)
	c.byte((*uint8)(&m.End))
	if m.End >= maxEnd {
		m.End = EndError
	}
	c.uint32(&m.Reason)
	c.text(&m.Text, MaxLine)
}
