package penalty

import (
	"time"
)

// limiter keeps a kind of line from filling the log: from threshold events on
// of a counter that loses one a second, one line is written each every, until
// the counter has been below the threshold for calm.
type limiter struct {
	threshold, most uint64
	calm, every     time.Duration

	last, calmSince, lastLine time.Time
	events, dropped           uint64
	on                        bool
}

// Limits of OpenSSH's lines about connections that were dropped.
func penaltyLimiter() limiter {
	return limiter{threshold: 8, most: 60, calm: 30 * time.Second, every: 120 * time.Second}
}

func startupsLimiter() limiter {
	return limiter{threshold: 4, most: 60, calm: 20 * time.Second, every: 300 * time.Second}
}

// event counts one and says whether its line is written; with it, whether a line
// about others is due, and how many they were.
func (l *limiter) event(now time.Time) (write, tell bool, dropped uint64) {
	if !l.last.IsZero() {
		gone := uint64(max(0, now.Sub(l.last)/time.Second))
		l.events -= min(l.events, gone)
	}
	l.last = now
	l.events = min(l.events+1, l.most)
	if l.events < l.threshold {
		if !l.on {
			return true, false, 0
		}
		if l.calmSince.IsZero() {
			l.calmSince = now
		} else if now.Sub(l.calmSince) >= l.calm {
			tell, dropped = l.dropped > 0, l.dropped
			l.on, l.calmSince, l.dropped = false, time.Time{}, 0
			return true, tell, dropped
		}
	} else {
		l.calmSince = time.Time{}
		if !l.on {
			l.on, l.lastLine, l.dropped = true, now, 0
		}
	}
	if now.Sub(l.lastLine) < l.every {
		l.dropped++
		return false, false, 0
	}
	l.lastLine = now
	tell, dropped = l.dropped > 0, l.dropped
	l.dropped = 0
	return true, tell, dropped
}
