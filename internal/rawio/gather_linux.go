package rawio

import (
	"time"

	"golang.org/x/sys/unix"
)

// gather lets more than one small piece of a stream arrive before it is read.
// Whoever writes 8 KiB at a time (head, cat of an old day) otherwise wakes the
// reader of the pipe, and that one the other side of the connection, for each:
// measured 5 to 10 CPU-seconds a GB instead of 2. It belongs to the one who
// holds the reading half.
type gather struct {
	read   int64 // bytes since before
	before time.Time
	moved  int64 // bytes since begun
	begun  time.Time
	stream bool
	wait   time.Duration
}

const (
	// gatherGap is a wait that ends a stream. One is a stream when it has moved
	// gatherAfter without such a gap, at gatherRate bytes a second or more.
	// What types, trickles or waits for answers is never held up.
	gatherGap   = 20 * time.Millisecond
	gatherAfter = 1 << 20
	gatherRate  = 32 << 20
	// gatherGoal is what a pause should bring, within these bounds. The kernel
	// adds its timer slack of 50 µs.
	gatherGoal              = 128 << 10
	gatherLeast, gatherMost = 50 * time.Microsecond, 500 * time.Microsecond
)

// pause is called before a wait for a pipe. Sockets are not paused: there it
// cost more than it saved (1.6 instead of 1.2 CPU-seconds a GB).
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
		g.moved, g.begun, g.stream, g.wait = 0, now, false, gatherLeast
	}
	switch {
	case g.read < gatherGoal/2:
		g.wait = min(g.wait+g.wait/2, gatherMost)
	case g.read > gatherGoal:
		g.wait = max(g.wait-g.wait/4, gatherLeast)
	}
	g.moved += g.read
	g.before, g.read = now, 0
	if g.moved >= gatherAfter {
		g.stream = float64(g.moved) >= gatherRate*now.Sub(g.begun).Seconds()
		g.moved, g.begun = 0, now
	}
	if !g.stream {
		return 0
	}
	return g.wait
}
