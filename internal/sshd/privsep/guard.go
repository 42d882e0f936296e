package privsep

import (
	"fmt"
	"time"
)

// Rate of signatures after login: a client that has each megabyte sent under
// keys of its own stays below it for as long as a core can follow.
const (
	SignBurst  = 1000
	SignPerSec = 100
)

// Guard is what a monitor knows of one connection's place in the table. It
// belongs to one goroutine. The zero value has signed nothing.
type Guard struct {
	state  State
	counts [len(Table)]int32
	early  int32
	signs  float64 // of the bucket, missing
	last   time.Time
}

// RefusedError says which message the table does not allow, and why.
type RefusedError struct {
	Number Number
	Why    string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("privsep: %s: %s", e.Number, e.Why)
}

// State is how far the connection has come.
func (g *Guard) State() State {
	if g.state == 0 {
		return Fresh
	}
	return g.state
}

// Advance sets the state; it only ever goes on.
func (g *Guard) Advance(s State) {
	if s > g.State() {
		g.state = s
	}
}

// Allow judges a message that came from side over a connection link, and counts
// it. An error ends the link. now is for the rate of Sign.
func (g *Guard) Allow(n Number, from Side, files int, now time.Time) error {
	for i := range Table {
		r := &Table[i]
		if r.Number != n {
			continue
		}
		return g.judge(i, r, from, files, now)
	}
	return &RefusedError{n, "there is no such message"}
}

func (g *Guard) judge(i int, r *Row, from Side, files int, now time.Time) error {
	refuse := func(why string) error { return &RefusedError{r.Number, why} }
	switch {
	case r.Link != Connection || r.From != from:
		return refuse("not on this link")
	case r.When&g.State() == 0:
		return refuse("not in this state")
	case files != r.Files:
		return refuse("wrong number of descriptors")
	}
	g.counts[i]++
	most := int32(r.Most)
	if g.State()&before != 0 {
		if r.Early > 0 {
			most = int32(r.Early)
		}
		if g.early++; g.early > MaxBefore {
			return refuse("too many messages before login")
		}
	}
	if most > 0 && g.counts[i] > most {
		return refuse("too often")
	}
	if r.Number == NumSign && g.State() == In {
		g.signs = max(0, g.signs-SignPerSec*now.Sub(g.last).Seconds())
		g.last = now
		if g.signs++; g.signs > SignBurst {
			return refuse("too many key exchanges in too little time")
		}
	}
	return nil
}
