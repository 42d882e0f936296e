package sftp

import (
	"io"
	"sync"
)

const (
	// flushSize is how many bytes of answers wait for more before they are
	// written though there are requests to be answered.
	flushSize = MaxPacket
	// bufferSize leaves room for one more answer of any size.
	bufferSize = flushSize + MaxPacket + 4
	// pendingBuffers is how many buffers wait to be written, at most: about
	// 2 MiB, and then no request is read (SFT-6).
	pendingBuffers = 4
)

// mergeSize is up to how many bytes are copied behind others that wait.
const mergeSize = 16 << 10

// output collects answers and writes them, as few writes as can be.
//
// The session appends to buf, which is its own. What the stream does not take
// at once goes to a goroutine that waits for it; so a client that sends
// requests for a while without reading answers is not waited for, up to a
// point.
type output struct {
	w   io.Writer
	try tryWriter
	buf []byte
	one [1][]byte

	mu      sync.Mutex
	changed *sync.Cond    // of mu
	done    chan struct{} // closed when the goroutine has ended; nil before it is started
	queue   []pending     // waits to be written; the first is being written
	spare   [][]byte
	ending  bool
	err     error
	blocked func() // for tests: called before the session waits
}

// pending is a buffer of which the first sent bytes are written already.
type pending struct {
	b    []byte
	sent int
}

func newOutput(w io.Writer) *output {
	o := &output{w: w}
	o.try, _ = w.(tryWriter)
	o.changed = sync.NewCond(&o.mu)
	return o
}

// room is the buffer to append an answer to; there is room for the largest.
func (o *output) room() []byte {
	if o.buf == nil {
		o.buf = make([]byte, 0, bufferSize)
	}
	return o.buf
}

// full writes when enough has been collected.
func (o *output) full() error {
	if len(o.buf) < flushSize {
		return nil
	}
	return o.flush()
}

// flush writes all that has been collected, or leaves it to the goroutine.
func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	sent := 0
	if len(o.queue) == 0 && o.try != nil && o.err == nil {
		o.one[0] = o.buf
		if sent, o.err = o.try.TryWritev(o.one[:]); sent == len(o.buf) {
			o.buf = o.buf[:0]
			return nil
		}
	}
	for {
		switch {
		case o.err != nil:
			return o.err
		case o.merge():
			return nil
		case len(o.queue) < pendingBuffers:
			o.queue = append(o.queue, pending{o.buf, sent})
			o.buf = nil
			if n := len(o.spare); n > 0 {
				o.buf, o.spare = o.spare[n-1], o.spare[:n-1]
			}
			if o.done == nil {
				o.done = make(chan struct{})
				go o.drain()
			}
			o.changed.Broadcast()
			return nil
		}
		if o.blocked != nil {
			o.blocked()
		}
		o.changed.Wait()
	}
}

// merge copies what was collected behind what waits last, if it has room: many
// small answers are to wait in few buffers. The first is being written, and so
// is left alone. The lock is held.
func (o *output) merge() bool {
	last := len(o.queue) - 1
	if last < 1 || len(o.buf) > mergeSize || cap(o.queue[last].b)-len(o.queue[last].b) < len(o.buf) {
		return false
	}
	o.queue[last].b = append(o.queue[last].b, o.buf...)
	o.buf = o.buf[:0]
	return true
}

// drain is the goroutine.
func (o *output) drain() {
	defer close(o.done)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.queue) == 0 && !o.ending && o.err == nil {
			o.changed.Wait()
		}
		if len(o.queue) == 0 || o.err != nil {
			return
		}
		p := o.queue[0]
		o.mu.Unlock()
		_, err := o.w.Write(p.b[p.sent:])
		o.mu.Lock()
		if err != nil && o.err == nil {
			o.err = err
		}
		o.queue = append(o.queue[:0], o.queue[1:]...)
		o.spare = append(o.spare, p.b[:0])
		o.changed.Broadcast()
	}
}

// end writes what is left and ends the goroutine. It returns the error of
// writing.
func (o *output) end() error {
	err := o.flush()
	o.mu.Lock()
	o.ending = true
	o.changed.Broadcast()
	done := o.done
	o.mu.Unlock()
	if done != nil {
		<-done
	}
	if err == nil {
		err = o.err
	}
	return err
}
