// Package simnet is a slow network on one machine: a TCP proxy that delays
// what passes through it, each way, holds as much in flight as a long path
// would, and counts how often the direction changed.
//
// What it is not: it ends TCP on both sides, so there is no congestion
// control, no loss and no shared queue in it. It answers "how many round trips
// does this take" and "does a window keep a long path full", nothing about
// fairness.
package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxInFlight is how many bytes one direction of one connection holds
	// before it stops reading: 20 Gbit/s for 100 ms.
	MaxInFlight = 256 << 20

	slabSize = 1 << 20
	// minRead is the least room that is worth a read.
	minRead = 64 << 10
)

// Link is what lies between the two ends.
type Link struct {
	// Delay is added to every byte, each way. The round trip is twice that.
	Delay time.Duration
	// Rate is bytes a second each way, 0 for no limit.
	Rate int64
	// InFlight bounds the bytes that one direction holds; 0 means MaxInFlight.
	// It is counted in slabs of 1 MiB.
	InFlight int
}

// Count is what a connection, or all of a proxy's, did so far. Up is from the
// side that connected, Down from the side that was dialled.
type Count struct {
	Conns    int64
	Up, Down int64 // bytes taken in
	// Turns is how often a byte came from the other side than the one before,
	// the first byte included; a question and its answer are two.
	Turns int64
	// Rounds is how many round trips the answers took: each byte that goes up
	// belongs to one round more than what had been delivered to its sender, each
	// that comes down to that of what had been delivered up, or to the first. What the connecting
	// side says at last and nobody answers is none, and neither is the handshake
	// of TCP. With a Delay longer than either side needs to say all that it can
	// say, it does not depend on time.
	Rounds int64
}

// Proxy accepts connections and joins each with one to its target.
type Proxy struct {
	link   Link
	ln     net.Listener
	target func() (net.Conn, error)
	cancel context.CancelFunc
	ctx    context.Context
	wg     sync.WaitGroup

	conns, up, down, turns, rounds atomic.Int64
}

// Listen starts a proxy on the TCP address addr ("127.0.0.1:0") towards the TCP
// address target.
func Listen(addr, target string, link Link) (*Proxy, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return Serve(ln, func() (net.Conn, error) { return net.Dial("tcp", target) }, link), nil
}

// Serve starts a proxy on ln, which it owns from then on. dial makes the
// connection to the far side of each accepted one.
func Serve(ln net.Listener, dial func() (net.Conn, error), link Link) *Proxy {
	p := &Proxy{link: link, ln: ln, target: dial}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Add(1)
	go p.accept()
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() net.Addr { return p.ln.Addr() }

// Count returns the sums over all connections so far.
func (p *Proxy) Count() Count {
	return Count{Conns: p.conns.Load(), Up: p.up.Load(), Down: p.down.Load(), Turns: p.turns.Load(), Rounds: p.rounds.Load()}
}

// Close stops accepting, cuts every connection and waits for all of it to end.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.ln.Close()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		a, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			b, err := p.target()
			if err != nil {
				a.Close()
				return
			}
			p.conns.Add(1)
			p.join(p.ctx, a, b)
		}()
	}
}

// Join carries bytes between a and b over the link until both directions have
// ended or ctx is done, then closes both. The end of one direction is passed
// on as a half-close where the connection can do that.
func (l Link) Join(ctx context.Context, a, b net.Conn) Count {
	p := &Proxy{link: l}
	p.join(ctx, a, b)
	c := p.Count()
	c.Conns = 1
	return c
}

func (p *Proxy) join(ctx context.Context, a, b net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { a.Close(); b.Close() })
	defer stop()

	var mu sync.Mutex
	last := 0              // who sent last
	var delivered [2]int64 // the latest round of what each direction has delivered
	var rounds int64
	spoken := false // something has gone up
	seen := func(way int, total *atomic.Int64) func(int) int64 {
		return func(n int) int64 {
			mu.Lock()
			defer mu.Unlock()
			total.Add(int64(n))
			if last != way {
				last = way
				p.turns.Add(1)
			}
			if way == goesUp && !spoken {
				spoken = true
				return 1 // a slow start is not a wait for the greeting
			}
			if way == goesUp {
				return delivered[goesDown-1] + 1
			}
			round := max(delivered[goesUp-1], 1) // unasked, it takes as long
			if round > rounds {
				p.rounds.Add(round - rounds)
				rounds = round
			}
			return round
		}
	}
	arrived := func(way int) func(int64) {
		return func(round int64) {
			mu.Lock()
			delivered[way-1] = max(delivered[way-1], round)
			mu.Unlock()
		}
	}
	up := newPipe(p.link, seen(goesUp, &p.up), arrived(goesUp))
	down := newPipe(p.link, seen(goesDown, &p.down), arrived(goesDown))
	var wg sync.WaitGroup
	for _, f := range []func(){
		func() { up.fill(a) },
		func() { down.fill(b) },
		func() { up.drain(ctx, b, a) },
		func() { down.drain(ctx, a, b) },
	} {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}
	wg.Wait()
	a.Close()
	b.Close()
}

// Directions.
const (
	goesUp = 1 + iota
	goesDown
)

// segment is a run of bytes with the time at which it comes out, or the notice
// that a slab is done with.
type segment struct {
	at    time.Time
	buf   []byte
	round int64
	slab  []byte // not nil: nothing before this uses slab any more
	err   error  // the end of this direction: io.EOF, or what the read failed with
}

// pipe is one direction. mu guards everything below it; wake is signalled when
// queue or slabs change.
type pipe struct {
	link    Link
	seen    func(n int) (round int64)
	arrived func(round int64)

	mu    sync.Mutex
	wake  sync.Cond
	queue []segment
	slabs int      // slabs in use
	free  [][]byte // slabs to use again
	dead  bool     // the far side takes nothing any more
}

func newPipe(l Link, seen func(int) int64, arrived func(int64)) *pipe {
	p := &pipe{link: l, seen: seen, arrived: arrived}
	p.wake.L = &p.mu
	return p
}

func (p *pipe) push(s segment) {
	p.mu.Lock()
	p.queue = append(p.queue, s)
	p.mu.Unlock()
	p.wake.Broadcast()
}

// slab waits until another slab may be used; nil when the far side is dead.
func (p *pipe) slab() []byte {
	most := p.link.InFlight
	if most <= 0 {
		most = MaxInFlight
	}
	most = max(2, most/slabSize)
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.slabs >= most && !p.dead {
		p.wake.Wait()
	}
	if p.dead {
		return nil
	}
	p.slabs++
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		return s
	}
	return make([]byte, slabSize)
}

// fill reads from, and queues what came with the time it is due.
func (p *pipe) fill(from net.Conn) {
	var slab []byte
	var departed time.Time // when the last byte left a link of limited rate
	off := 0
	for {
		if len(slab)-off < minRead {
			if slab != nil {
				p.push(segment{slab: slab})
			}
			if slab, off = p.slab(), 0; slab == nil {
				return
			}
		}
		n, err := from.Read(slab[off:])
		now := time.Now()
		if p.link.Rate > 0 {
			if departed.Before(now) {
				departed = now
			}
			departed = departed.Add(time.Duration(int64(n) * int64(time.Second) / p.link.Rate))
		} else {
			departed = now
		}
		at := departed.Add(p.link.Delay)
		if n > 0 {
			p.push(segment{at: at, buf: slab[off : off+n], round: p.seen(n)})
			off += n
		}
		if err != nil {
			p.push(segment{at: at, err: err})
			return
		}
	}
}

// drain writes what is due to the far side. When that fails it makes the near
// side fail too; when the near side ended it half-closes the far one.
func (p *pipe) drain(ctx context.Context, to, from net.Conn) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		for len(p.queue) == 0 {
			p.wake.Wait()
		}
		s := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()

		if s.slab != nil {
			p.mu.Lock()
			p.slabs--
			p.free = append(p.free, s.slab)
			p.mu.Unlock()
			p.wake.Broadcast()
			continue
		}
		if wait := time.Until(s.at); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if s.err != nil {
			if half, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(s.err, io.EOF) {
				half.CloseWrite()
			} else {
				to.Close()
			}
			return
		}
		p.arrived(s.round) // before the far side can answer
		if _, err := to.Write(s.buf); err != nil {
			p.mu.Lock()
			p.dead = true
			p.mu.Unlock()
			p.wake.Broadcast()
			from.Close()
			return
		}
	}
}
