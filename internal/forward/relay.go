package forward

import (
	"sync"

	"github.com/nacre-ssh/nacre/internal/connection"
	"github.com/nacre-ssh/nacre/internal/rawio"
)

// Relay carries bytes between a channel and a stream, both ways, until both
// directions have ended. Each ends by itself: the end of the stream becomes
// EOF, EOF closes the stream's writing half once everything before it was
// written. Where the stream breaks, the channel closes.
//
// Setup is given to whatever opens the channel, then Run does the work.
type Relay struct {
	ch    *connection.Channel
	name  string
	over  chan struct{} // closed: the channel is gone
	ended chan struct{} // closed: nothing more goes to the stream

	mu       sync.Mutex
	s        rawio.Stream // nil until it is known
	sinkDone bool
	gone     bool
}

// NewRelay makes a relay for s, which it closes in the end; nil where it is
// known only later, see Attach.
func NewRelay(s rawio.Stream) *Relay {
	return &Relay{s: s, over: make(chan struct{}), ended: make(chan struct{})}
}

// SetName gives the relay's channel a name for listings.
func (r *Relay) SetName(name string) { r.name = name }

// Setup prepares a channel that is being opened or accepted.
func (r *Relay) Setup(ch *connection.Channel) {
	r.ch = ch
	ch.SetName(r.name)
	ch.Discard(1)
	ch.Handle(nil, nil, r.lost)
	if r.s != nil {
		ch.AttachSink(0, relaySink{r.s, r})
	}
}

// Attach gives the stream to a relay that was made without one.
func (r *Relay) Attach(s rawio.Stream) {
	r.mu.Lock()
	r.s = s
	r.mu.Unlock()
	r.ch.AttachSink(0, relaySink{s, r})
}

// lost is called by the reader when the channel is gone. After a close in good
// order what has come still goes to the stream; with the whole connection gone
// nobody is left to wait for that.
func (r *Relay) lost(error) {
	r.mu.Lock()
	r.gone = true
	done := r.sinkDone || r.ch.Mux().Err() != nil
	s := r.s
	r.mu.Unlock()
	close(r.over)
	if done && s != nil {
		go s.Close() // a close may wait for the calls that it ends
	}
}

// end says that nothing more is written to the stream.
func (r *Relay) end() {
	r.mu.Lock()
	first := !r.sinkDone
	r.sinkDone = true
	gone, s := r.gone, r.s
	r.mu.Unlock()
	if first {
		close(r.ended)
	}
	if gone {
		go s.Close()
	}
}

// Run carries the bytes and returns when the channel is gone and the stream is
// closed. It is called once, after the channel was opened.
func (r *Relay) Run() {
	r.mu.Lock()
	s := r.s
	r.mu.Unlock()
	_, err := r.ch.Pump(0, s)
	if err != nil { // the stream broke, or the channel is gone already
		select {
		case <-r.over:
		default:
			r.ch.Close()
			s.Close() // what still comes has nowhere to go
		}
	} else {
		r.ch.CloseWrite()
	}
	select {
	case <-r.ended:
		r.ch.Close()
	case <-r.over:
	}
	<-r.over
	<-r.ended
	s.Close()
}

// Drop ends a relay whose channel was not opened.
func (r *Relay) Drop() {
	if r.s != nil {
		r.s.Close()
	}
}

// relaySink is a stream that tells its relay of the end.
type relaySink struct {
	rawio.Stream
	r *Relay
}

// TryWritev may be called with the channel locked: it only notes the end.
func (k relaySink) TryWritev(bufs [][]byte) (int, error) {
	n, err := k.Stream.TryWritev(bufs)
	if err != nil {
		k.r.end()
	}
	return n, err
}

func (k relaySink) Write(p []byte) (int, error) {
	n, err := k.Stream.Write(p)
	if err != nil {
		k.r.end()
	}
	return n, err
}

func (k relaySink) CloseWrite() error {
	err := k.Stream.CloseWrite()
	k.r.end()
	return err
}
