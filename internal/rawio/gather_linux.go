package rawio

import (
	"time"

	"golang.org/x/sys/unix"
)

// gather lets a program that streams through a pipe write more than one piece
// before it is read. Whoever writes 8 KiB at a time (head, cat of an old day)
// otherwise wakes the reader, and the reader the other side of the connection,
// for each: measured 10 CPU-seconds a GB instead of 2. It belongs to the one
// who holds the reading half.
type gather struct {
	read   int64 // bytes since before
	before time.Time
	moved  int64 // bytes since the last gap
	wait   time.Duration
}

const (
	// gatherGap is a wait that ends a stream, gatherAfter how much it must have
	// carried without one. What types or trickles is never held up.
	gatherGap   = 20 * time.Millisecond
	gatherAfter = 1 << 20
	// gatherGoal is what a pause should bring, within these bounds. The kernel
	// adds its timer slack of 50 µs.
	gatherGoal              = 128 << 10
	gatherLeast, gatherMost = 50 * time.Microsecond, 500 * time.Microsecond
)

// pause is called before a wait.
func (g *gather) pause() {
	if d := g.next(time.Now()); d > 0 {
		// In the kernel: a timer of the runtime costs more than it saves here.
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil)
	}
}

// next is how long to pause.
func (g *gather) next(now time.Time) time.Duration {
	if now.Sub(g.before) > gatherGap {
		g.moved, g.wait = 0, gatherLeast
	}
	switch {
	case g.read < gatherGoal/2:
		g.wait = min(g.wait+g.wait/2, gatherMost)
	case g.read > gatherGoal:
		g.wait = max(g.wait-g.wait/4, gatherLeast)
	}
	g.moved += g.read
	g.before, g.read = now, 0
	if g.moved < gatherAfter {
		return 0
	}
	return g.wait
}
