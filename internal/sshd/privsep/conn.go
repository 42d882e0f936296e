package privsep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// MaxFiles is the number of descriptors that may come with one message.
const MaxFiles = 3

// MaxWaiting bounds the calls that wait for their answers on one link, and
// MaxQueued the messages that wait to be handled.
const (
	MaxWaiting = 256
	MaxQueued  = 16
)

// Errors of a Conn.
var (
	ErrClosed   = errors.New("privsep: the other room is gone")
	ErrProtocol = errors.New("privsep: the other room broke the protocol")
)

// Kinds of frames. A frame is kind, number, id and fields; an answer has the
// number of its question.
const (
	frameCall = iota
	frameAnswer
	frameNotice
	headLen = 6
)

// frame is one datagram.
type frame struct {
	b     []byte
	files []*os.File
}

func (f *frame) close() {
	for _, f := range f.files {
		f.Close()
	}
	f.files = nil
}

// carrier moves frames. Both methods may be called from several goroutines;
// recv from one.
type carrier interface {
	send(f frame) error // takes over the files, sent or not
	recv() (frame, error)
	close() error
}

// Conn is one end of a link.
type Conn struct {
	c carrier

	mu      sync.Mutex
	next    uint32
	waiting map[uint32]chan reply
	err     error
	done    chan struct{}
}

type reply struct {
	n Number
	frame
}

func newConn(c carrier) *Conn {
	return &Conn{c: c, done: make(chan struct{})}
}

// Close ends the link; the other end's Serve returns.
func (c *Conn) Close() error { return c.c.close() }

// Done is closed when Serve has returned.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Notify sends a message that has no answer. It takes over the files.
func (c *Conn) Notify(m Message, files ...*os.File) error {
	return c.send(frameNotice, 0, number(m), m, files)
}

func (c *Conn) send(kind byte, id uint32, n Number, m Message, files []*os.File) error {
	b := make([]byte, headLen, 128)
	b[0], b[1] = kind, byte(n)
	wire.AppendUint32(b[:2], id)
	b, err := Append(b, m)
	f := frame{b, files}
	switch {
	case err != nil:
	case len(b) > MaxMessage:
		err = fmt.Errorf("%w: %s of %d bytes", ErrLimit, n, len(b))
	case len(files) > MaxFiles:
		err = fmt.Errorf("%w: %d descriptors", ErrLimit, len(files))
	default:
		return c.c.send(f)
	}
	f.close()
	return err
}

// Call sends m and waits for its answer, which it decodes into answer. It takes
// over files, and returns those that came back, at most as many as the table
// says. When ctx ends it returns; the answer is dropped when it comes. Serve
// must be running.
func (c *Conn) Call(ctx context.Context, m Message, answer Message, files ...*os.File) ([]*os.File, error) {
	n := number(m)
	row := Find(n)
	if row == nil || !row.Call {
		return nil, fmt.Errorf("privsep: %T is no call", m)
	}
	ch := make(chan reply, 1)
	c.mu.Lock()
	if c.err != nil || len(c.waiting) >= MaxWaiting {
		err := c.err
		c.mu.Unlock()
		(&frame{files: files}).close()
		if err == nil {
			err = fmt.Errorf("%w: too many calls at once", ErrLimit)
		}
		return nil, err
	}
	c.next++
	id := c.next
	if c.waiting == nil {
		c.waiting = make(map[uint32]chan reply, 1)
	}
	c.waiting[id] = ch
	c.mu.Unlock()
	if err := c.send(frameCall, id, n, m, files); err != nil {
		c.forget(id, ch)
		return nil, err
	}
	var r reply
	select {
	case r = <-ch:
	case <-ctx.Done():
		c.forget(id, ch)
		return nil, context.Cause(ctx)
	case <-c.done:
		// The answer may have come just before the end.
		select {
		case r = <-ch:
		default:
			return nil, c.Err()
		}
	}
	if r.n != n || len(r.files) > row.Back {
		r.close()
		c.Close()
		return nil, ErrProtocol
	}
	if err := Decode(r.b, answer); err != nil {
		r.close()
		c.Close()
		return nil, err
	}
	return r.files, nil
}

// forget gives up an answer that may have come all the same.
func (c *Conn) forget(id uint32, ch chan reply) {
	c.mu.Lock()
	if _, ok := c.waiting[id]; ok {
		c.waiting[id] = nil // its answer is known, and dropped
	}
	c.mu.Unlock()
	select {
	case r := <-ch:
		r.close()
	default:
	}
}

// Err is why the link ended, nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Incoming is a message that came. Its handler takes Files or leaves them to
// be closed.
type Incoming struct {
	Number Number
	Body   []byte
	Files  []*os.File
	call   bool
	id     uint32
	c      *Conn
	told   bool
}

// Decode reads the message into m.
func (in *Incoming) Decode(m Message) error {
	if number(m) != in.Number {
		return fmt.Errorf("privsep: %s is not %T", in.Number, m)
	}
	return Decode(in.Body, m)
}

// Answer answers a call, once; it takes over files. Answers to what was no call
// go nowhere.
func (in *Incoming) Answer(m Message, files ...*os.File) error {
	if !in.call || in.told {
		(&frame{files: files}).close()
		return nil
	}
	in.told = true
	return in.c.send(frameAnswer, in.id, in.Number, m, files)
}

// Serve reads the link until it ends, and handles messages one after the other,
// in their order, on a goroutine that lives while there are some. An error of
// handle ends the link. The context that handle gets ends with the link. Serve
// returns when the last handler has, nil if the other end closed the link.
func (c *Conn) Serve(ctx context.Context, handle func(ctx context.Context, in *Incoming) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	w := worker{handle: handle, ctx: ctx, c: c}
	w.room.L = &w.mu
	err := c.read(&w)
	c.mu.Lock()
	c.err = ErrClosed
	if err != nil && err != io.EOF {
		c.err = err
	}
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	c.Close()
	cancel(ErrClosed)
	close(c.done)
	for _, ch := range waiting {
		if ch == nil {
			continue
		}
		select {
		case r := <-ch:
			r.close()
		default:
		}
	}
	if e := w.wait(); e != nil {
		return e
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func (c *Conn) read(w *worker) error {
	for {
		f, err := c.c.recv()
		if err != nil {
			return err
		}
		if len(f.b) < headLen || len(f.b) > MaxMessage {
			f.close()
			return ErrProtocol
		}
		r := wire.NewReader(f.b[2:headLen])
		kind, n, id := f.b[0], Number(f.b[1]), r.Uint32()
		f.b = f.b[headLen:]
		switch kind {
		case frameAnswer:
			if !c.answered(id, reply{n, f}) {
				f.close()
				return ErrProtocol
			}
		case frameCall, frameNotice:
			row := Find(n)
			if row == nil || row.Call != (kind == frameCall) || len(f.files) != row.Files {
				f.close()
				return fmt.Errorf("%w: %s", ErrProtocol, n)
			}
			if !w.put(&Incoming{Number: n, Body: f.b, Files: f.files, call: row.Call, id: id, c: c}) {
				f.close()
				return ErrClosed
			}
		default:
			f.close()
			return ErrProtocol
		}
	}
}

// answered hands an answer to who waits for it. False: nobody asked.
func (c *Conn) answered(id uint32, r reply) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, ok := c.waiting[id]
	if !ok {
		return false
	}
	delete(c.waiting, id)
	if ch == nil {
		r.close()
		return true
	}
	ch <- r // has room for the one that comes
	return true
}

// worker handles messages in order, on a goroutine that is there only while
// there are messages: an idle link costs its reader alone.
type worker struct {
	handle func(context.Context, *Incoming) error
	ctx    context.Context
	c      *Conn

	mu      sync.Mutex
	room    sync.Cond
	queue   []*Incoming
	running bool
	err     error
}

// put queues a message and waits while the queue is full. False when nothing is
// handled any more.
func (w *worker) put(in *Incoming) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) >= MaxQueued && w.err == nil {
		w.room.Wait()
	}
	if w.err != nil {
		return false
	}
	w.queue = append(w.queue, in)
	if !w.running {
		w.running = true
		go w.run()
	}
	return true
}

func (w *worker) run() {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 || w.err != nil {
			for _, in := range w.queue {
				(&frame{files: in.Files}).close()
			}
			w.queue, w.running = nil, false
			w.room.Broadcast()
			w.mu.Unlock()
			return
		}
		in := w.queue[0]
		w.queue = w.queue[1:]
		w.room.Broadcast()
		w.mu.Unlock()
		err := w.one(in)
		(&frame{files: in.Files}).close()
		if err != nil {
			w.mu.Lock()
			if w.err == nil {
				w.err = err
			}
			w.mu.Unlock()
			w.c.Close()
		}
	}
}

// one handles a message. A panic is a broken invariant of ours and costs this
// link, not the process.
func (w *worker) one(in *Incoming) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("privsep: %s: internal error: %v", in.Number, v)
		}
	}()
	return w.handle(w.ctx, in)
}

// wait waits for the last handler.
func (w *worker) wait() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running {
		w.room.Wait()
	}
	return w.err
}
