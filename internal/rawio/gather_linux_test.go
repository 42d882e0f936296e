package rawio

import (
	"testing"
	"time"
)

func TestGather(t *testing.T) {
	now := time.Unix(1, 0)
	g := &gather{}
	run := func(n int, each int64, gap time.Duration) (paused int, last time.Duration) {
		for range n {
			now = now.Add(gap)
			g.read = each
			if last = g.next(now); last > 0 {
				paused++
			}
		}
		return paused, last
	}
	// Keystrokes, and messages with gaps, never wait.
	if n, _ := run(1000, 10, time.Millisecond); n != 0 {
		t.Errorf("%d pauses for 10 KB", n)
	}
	if n, _ := run(1000, 64<<10, gatherGap+1); n != 0 {
		t.Errorf("%d pauses between blocks that are far apart", n)
	}
	// Questions and answers, however many, are no stream.
	if n, _ := run(100000, 1<<10, 100*time.Microsecond); n != 0 {
		t.Errorf("%d pauses at 10 MB/s", n)
	}
	// A stream of pieces waits once it has shown itself, and longer the smaller
	// they are.
	g = &gather{}
	n, small := run(1000, 8<<10, 10*time.Microsecond)
	if want := 1000 - gatherAfter/(8<<10) + 1; n != want || small != gatherMost {
		t.Errorf("%d pauses, the last %v; want %d and %v", n, small, want, gatherMost)
	}
	if _, large := run(1000, 256<<10, 10*time.Microsecond); large != gatherLeast {
		t.Errorf("large pieces are waited for %v, want %v", large, gatherLeast)
	}
	// It ends when it slows down, and with a gap.
	if _, slow := run(10000, 1<<10, 100*time.Microsecond); slow != 0 {
		t.Error("a pause in a slow stream")
	}
	run(1000, 8<<10, 10*time.Microsecond)
	if n, _ := run(1, 8<<10, gatherGap+1); n != 0 {
		t.Error("a pause after a gap")
	}
}
