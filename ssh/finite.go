package ssh

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// What a Server computes for clients that ask for key exchanges over finite
// fields, unless its KexAllowed decides.
const (
	FiniteFieldBurst = 10 // of one source, at once
	FiniteFieldRate  = 1  // of one source, a second

	finiteAll     = 10   // as often as one source, all together
	finiteSources = 4096 // that are remembered
)

// ErrFiniteField is a source that asks for too many exchanges over finite
// fields (KEX-5).
var ErrFiniteField = errors.New("ssh: too many key exchanges over finite fields from one source")

// finiteLimit is a bucket for each source and one for all. What it forgets, when
// there are too many sources, are those that have been quiet longest: their
// buckets are nearly full.
type finiteLimit struct {
	mu      sync.Mutex
	all     bucket
	sources map[netip.Prefix]*bucket
}

// bucket holds what may still be done.
type bucket struct {
	used float64 // of the burst
	at   time.Time
}

// take takes one of a bucket.
func (b *bucket) take(now time.Time, burst, rate float64) bool {
	if !b.at.IsZero() {
		b.used = max(0, b.used-rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}

func (l *finiteLimit) take(a net.Addr, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := sourceOfAddr(a)
	b := l.sources[key]
	if b == nil {
		if l.sources == nil {
			l.sources = map[netip.Prefix]*bucket{}
		}
		if len(l.sources) >= finiteSources {
			l.forget()
		}
		b = &bucket{}
		l.sources[key] = b
	}
	if !b.take(now, FiniteFieldBurst, FiniteFieldRate) || !l.all.take(now, finiteAll*FiniteFieldBurst, finiteAll*FiniteFieldRate) {
		return ErrFiniteField
	}
	return nil
}

// forget drops the source that has been quiet longest.
func (l *finiteLimit) forget() {
	var oldest netip.Prefix
	var at time.Time
	for k, b := range l.sources {
		if at.IsZero() || b.at.Before(at) {
			oldest, at = k, b.at
		}
	}
	delete(l.sources, oldest)
}

// sourceOfAddr is the IPv4 address or the IPv6 network that counts as one
// source; all that have none are one.
func sourceOfAddr(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}
