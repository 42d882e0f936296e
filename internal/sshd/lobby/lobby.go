package lobby

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/transport"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Bounds of a lobby.
const (
	// MaxHeld is what beginnings of packets may take in all. A real KEXINIT comes
	// in one piece or two and is a few KiB.
	MaxHeld = 16 << 20
	// heldLittle is a beginning that never goes to make room.
	heldLittle = 4 << 10
	// Youth is how long a stranger is left in peace though its source has more
	// than its share: many at once that all speak at once are no attack.
	Youth = time.Second
	// maxTail is the random part of the time for logging in (VER-4).
	maxTail = 4 * time.Second
	// asking bounds the questions to the listener that wait for an answer.
	asking = 128
	// readSize is what one read takes at most.
	readSize = 8 << 10
)

// Config is what a lobby needs.
type Config struct {
	// Hello is what every stranger is told.
	Hello *transport.Hello
	// Listener is the link that strangers come by.
	Listener *privsep.Conn
	// HandOver takes a stranger that may leave: its number, the encoded
	// transport.Start, and the socket, which it owns from then on.
	HandOver func(number int64, start []byte, f *os.File) error
	// Now is the clock.
	Now func() time.Time
}

// Lobby holds strangers.
type Lobby struct {
	cfg    Config
	poller poller
	sem    chan struct{} // of asking
	wg     sync.WaitGroup

	mu       sync.Mutex
	rules    privsep.Rules
	bits     sshconfig.NetBlockSize
	here     map[int]*stranger // by descriptor
	sources  map[netip.Prefix]*source
	busy     busiest
	times    deadlines
	held     int
	leaving  int // asked about, or on their way
	draining bool
	closed   bool
	empty    chan struct{} // closed when draining and nobody is left
	scratch  [readSize]byte
}

type stranger struct {
	number  int64
	f       *os.File
	fd      int
	source  *source
	arrived time.Time
	end     time.Time // its deadline
	at      int       // in times
	doomed  bool      // has to go soon: not of the share any more
	cookie  [transport.CookieSize]byte
	opening transport.Opening
	held    []byte // the beginning of something
}

// source is those of one source, the oldest first.
type source struct {
	prefix netip.Prefix
	list   []*stranger
	doomed int
	at     int // in busy
}

// deadlines has the next to end first.
type deadlines []*stranger

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].end.Before(d[j].end) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].at, d[j].at = i, j
}
func (d *deadlines) Push(x any) {
	s := x.(*stranger)
	s.at = len(*d)
	*d = append(*d, s)
}
func (d *deadlines) Pop() any {
	old := *d
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	return s
}

// busiest has the source with the most strangers first.
type busiest []*source

func (b busiest) Len() int           { return len(b) }
func (b busiest) Less(i, j int) bool { return len(b[i].list) > len(b[j].list) }
func (b busiest) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].at, b[j].at = i, j
}
func (b *busiest) Push(x any) {
	s := x.(*source)
	s.at = len(*b)
	*b = append(*b, s)
}
func (b *busiest) Pop() any {
	old := *b
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*b = old[:len(old)-1]
	return s
}

// poller waits for strangers to say something. All but wait and close are called
// with mu held.
type poller interface {
	// add begins to watch a socket, remove ends it.
	add(fd int) error
	remove(fd int)
	// arm says when the next wait returns at the latest; never, if deadline is
	// zero. wake has it return at once.
	arm(deadline time.Time)
	wake()
	// wait waits until something is to be read, and returns the descriptors
	// that can be.
	wait(ready []int) ([]int, error)
	close()
}

// errDrained ends Serve when the last stranger of a draining lobby has gone.
var errDrained = errors.New("lobby: drained")

// New makes a lobby.
func New(cfg Config) (*Lobby, error) {
	l := &Lobby{cfg: cfg, sem: make(chan struct{}, asking), here: map[int]*stranger{}, sources: map[netip.Prefix]*source{}, empty: make(chan struct{})}
	var err error
	l.poller, err = newPoller()
	return l, err
}

// Serve serves until the link to the listener ends or ctx does, or, after
// Drain, until the last stranger has left.
func (l *Lobby) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.wg.Go(func() { cancel(l.loop()) })
	l.wg.Go(func() {
		select {
		case <-l.empty:
			cancel(errDrained)
		case <-ctx.Done():
		}
	})
	err := l.cfg.Listener.Serve(ctx, l.incoming)
	l.close()
	cancel(nil)
	l.wg.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, errDrained) || errors.Is(cause, context.Canceled) {
		return nil
	} else if err == nil && cause != nil {
		err = cause
	}
	return err
}

// Drain lets the strangers that are here finish; then Serve returns.
func (l *Lobby) Drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	l.checkEmptyLocked()
}

func (l *Lobby) checkEmptyLocked() {
	if l.draining && len(l.here) == 0 && l.leaving == 0 {
		l.draining = false
		close(l.empty)
	}
}

// Count is the number of strangers.
func (l *Lobby) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.here)
}

// close sends everybody away.
func (l *Lobby) close() {
	l.mu.Lock()
	l.closed = true
	for _, s := range l.here {
		l.forgetLocked(s)
		s.f.Close()
	}
	l.poller.wake()
	l.mu.Unlock()
}

// incoming handles what the listener says.
func (l *Lobby) incoming(_ context.Context, in *privsep.Incoming) error {
	switch in.Number {
	case privsep.NumRules:
		var m privsep.Rules
		if err := in.Decode(&m); err != nil {
			return err
		}
		l.mu.Lock()
		l.rules, l.bits = m, sshconfig.NetBlockSize{IPv4: m.Bits4, IPv6: m.Bits6}
		l.mu.Unlock()
		return nil
	case privsep.NumStranger:
		var m privsep.Stranger
		if err := in.Decode(&m); err != nil {
			return err
		}
		f := in.Files[0]
		in.Files = nil
		l.arrive(&m, f)
		return nil
	}
	return fmt.Errorf("%w: %s to a lobby", privsep.ErrProtocol, in.Number)
}

// arrive takes in a stranger and says hello.
func (l *Lobby) arrive(m *privsep.Stranger, f *os.File) {
	now := l.cfg.Now()
	s := &stranger{number: m.Number, f: f, arrived: now}
	rand.Read(s.cookie[:])
	gone := func(event penalty.Event, end privsep.End, text string) {
		f.Close()
		l.tell(s.number, event, end, 0, text)
	}
	fd, err := descriptor(f)
	if err != nil {
		gone(penalty.None, privsep.EndError, err.Error())
		return
	}
	s.fd = fd
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		f.Close()
		return
	}
	if err := greet(fd, l.cfg.Hello.Append(nil, s.cookie)); err != nil {
		end, text := endOf(err)
		gone(penalty.NoAuth, end, text)
		return
	}
	if max := l.rules.Max; max > 0 && len(l.here) >= max && len(l.busy) > 0 {
		l.evictLocked(l.busy[0].list[0], "LobbyMax")
	}
	if l.rules.Grace > 0 {
		s.end = now.Add(l.rules.Grace + tail())
	} else {
		s.end = now.AddDate(100, 0, 0)
	}
	l.here[fd] = s
	l.enterLocked(s, penalty.Source(m.Remote.Addr(), l.bits))
	heap.Push(&l.times, s)
	if err := l.poller.add(fd); err != nil {
		l.forgetLocked(s)
		gone(penalty.None, privsep.EndError, err.Error())
		return
	}
	l.shareLocked(s.source, now)
	if s.at == 0 {
		l.poller.wake() // it is the next to end
	}
}

// tail is the random part of a deadline.
func tail() time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(maxTail))
}

func (l *Lobby) enterLocked(s *stranger, p netip.Prefix) {
	src := l.sources[p]
	if src == nil {
		src = &source{prefix: p}
		l.sources[p] = src
		heap.Push(&l.busy, src)
	}
	s.source = src
	src.list = append(src.list, s)
	heap.Fix(&l.busy, src.at)
}

// shareLocked gives the oldest strangers of a source that has more than its
// share their last moment.
func (l *Lobby) shareLocked(src *source, now time.Time) {
	most := l.rules.PerSource
	if most <= 0 {
		return
	}
	for _, s := range src.list {
		if len(src.list)-src.doomed <= most {
			break
		}
		if s.doomed {
			continue
		}
		s.doomed = true
		src.doomed++
		if end := s.arrived.Add(Youth); end.Before(s.end) {
			s.end = end
			heap.Fix(&l.times, s.at)
		}
		l.poller.wake()
	}
	// Youth has its bound too.
	const much = 8
	if len(src.list) > much*most {
		l.evictLocked(src.list[0], "LobbyPerSource")
	}
}

// forgetLocked takes a stranger off all lists; its socket stays open.
func (l *Lobby) forgetLocked(s *stranger) {
	if l.here[s.fd] != s {
		return
	}
	l.poller.remove(s.fd)
	delete(l.here, s.fd)
	if s.at < len(l.times) && l.times[s.at] == s {
		heap.Remove(&l.times, s.at)
	}
	src := s.source
	for i, x := range src.list {
		if x == s {
			src.list = append(src.list[:i], src.list[i+1:]...)
			break
		}
	}
	if s.doomed {
		src.doomed--
	}
	if len(src.list) == 0 {
		heap.Remove(&l.busy, src.at)
		delete(l.sources, src.prefix)
	} else {
		heap.Fix(&l.busy, src.at)
	}
	l.held -= len(s.held)
}

// evictLocked sends a stranger away to make room. Nothing is held against its
// source: good users may have the same address.
func (l *Lobby) evictLocked(s *stranger, why string) {
	l.forgetLocked(s)
	s.f.Close()
	l.tell(s.number, penalty.None, privsep.EndRefused, 0, why)
}

// tell tells the listener of an end. A link that is gone has nobody to tell.
func (l *Lobby) tell(number int64, event penalty.Event, end privsep.End, reason wire.Reason, text string) {
	text = text[:min(len(text), privsep.MaxLine)]
	_ = l.cfg.Listener.Notify(&privsep.Gone{Number: number, Event: uint8(event), End: end, Reason: uint32(reason), Text: text})
}

// loop waits for words and deadlines.
func (l *Lobby) loop() error {
	defer l.poller.close()
	var ready []int
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return nil
		}
		l.expireLocked(l.cfg.Now())
		l.checkEmptyLocked() // after what there was to tell has been told
		var next time.Time
		if len(l.times) > 0 {
			next = l.times[0].end
		}
		l.poller.arm(next)
		l.mu.Unlock()
		var err error
		ready, err = l.poller.wait(ready[:0])
		if err != nil {
			return fmt.Errorf("lobby: %w", err)
		}
		l.mu.Lock()
		for _, fd := range ready {
			if s := l.here[fd]; s != nil {
				l.readLocked(s)
			}
		}
		l.mu.Unlock()
	}
}

// expireLocked ends those whose time is over.
func (l *Lobby) expireLocked(now time.Time) {
	for len(l.times) > 0 && !now.Before(l.times[0].end) {
		s := l.times[0]
		if s.doomed && (l.rules.Grace <= 0 || now.Sub(s.arrived) < l.rules.Grace) {
			l.evictLocked(s, "LobbyPerSource")
			continue
		}
		l.forgetLocked(s)
		s.f.Close()
		l.tell(s.number, penalty.GraceExceeded, privsep.EndTimeout, 0, "")
	}
}

// readLocked takes what a stranger has said.
func (l *Lobby) readLocked(s *stranger) {
	n, err := read(s.fd, l.scratch[:])
	switch {
	case again(err):
		return
	case err == nil && n == 0:
		err = io.EOF
	}
	if err != nil {
		end, text := endOf(err)
		if s.opening.Version() == nil {
			text = "identification" // it had not introduced itself
		}
		l.loseLocked(s, end, 0, text)
		return
	}
	data := l.scratch[:n]
	if s.held != nil {
		l.held += n
		s.held = append(s.held, data...)
		data = s.held
	}
	used, kexInit, err := s.opening.Next(data)
	switch {
	case err != nil:
		_ = write(s.fd, s.opening.Farewell(err))
		end, reason, text := verdict(err)
		l.loseLocked(s, end, reason, text)
	case kexInit != nil:
		l.leaveLocked(s, kexInit, data[used:])
	default:
		l.holdLocked(s, data, used)
	}
}

// holdLocked keeps what is not whole yet.
func (l *Lobby) holdLocked(s *stranger, data []byte, used int) {
	switch rest := data[used:]; {
	case len(rest) == 0:
		l.held -= len(s.held)
		s.held = nil
	case used == 0 && s.held != nil: // it is held already
	default:
		l.held += len(rest) - len(s.held)
		s.held = bytes.Clone(rest)
	}
	for l.held > MaxHeld {
		var most *stranger
		for _, x := range l.here {
			if len(x.held) > heldLittle && (most == nil || x.arrived.Before(most.arrived)) {
				most = x
			}
		}
		if most == nil {
			most = s
		}
		l.evictLocked(most, "LobbyMax")
	}
}

// loseLocked is the end of a stranger that went away, or was sent away for what
// it said.
func (l *Lobby) loseLocked(s *stranger, end privsep.End, reason wire.Reason, text string) {
	l.forgetLocked(s)
	s.f.Close()
	l.tell(s.number, penalty.NoAuth, end, reason, text)
}

// leaveLocked asks whether a stranger that has sent its KEXINIT may go on, and
// hands it over.
func (l *Lobby) leaveLocked(s *stranger, kexInit, rest []byte) {
	start := s.opening.Start(l.cfg.Hello, s.cookie, kexInit, rest, l.cfg.Now().Sub(s.arrived)).Append(nil)
	l.leaving++
	l.forgetLocked(s)
	l.wg.Go(func() {
		defer func() {
			l.mu.Lock()
			l.leaving--
			l.checkEmptyLocked()
			l.mu.Unlock()
		}()
		l.sem <- struct{}{}
		defer func() { <-l.sem }()
		var v privsep.Verdict
		if _, err := l.cfg.Listener.Call(context.Background(), &privsep.Leave{Number: s.number}, &v); err != nil {
			s.f.Close()
			return
		}
		if !v.Admit {
			// A refusal for want of places has a code of its own (RFC 4253 §11.1).
			refused := wire.Disconnectf(wire.ReasonTooManyConnections, "%s", v.Text)
			_ = write(s.fd, s.opening.Farewell(refused))
			s.f.Close()
			return
		}
		if err := l.cfg.HandOver(s.number, start, s.f); err != nil {
			l.tell(s.number, penalty.None, privsep.EndError, 0, err.Error())
		}
	})
}

// verdict is what an error of transport.Opening says about the end.
func verdict(err error) (end privsep.End, reason wire.Reason, text string) {
	var ident *transport.IdentError
	var ours *wire.DisconnectError
	var left *wire.PeerDisconnect
	switch {
	case errors.As(err, &ident):
		if ident.Line == "" {
			return privsep.EndIdent, 0, ""
		}
		return privsep.EndIdent, 0, ident.Line
	case errors.As(err, &left):
		return privsep.EndDisconnect, left.Reason, left.Message
	case errors.As(err, &ours):
		return privsep.EndOurs, ours.Reason, ours.Message
	}
	return privsep.EndError, 0, err.Error()
}

// endOf is the end that an error of a socket means.
func endOf(err error) (privsep.End, string) {
	switch {
	case errors.Is(err, io.EOF):
		return privsep.EndClosed, ""
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return privsep.EndReset, ""
	}
	return privsep.EndError, err.Error()
}
