package privsep

import (
	"io"
	"sync"
)

// memoryQueue is how many frames wait in one direction of a link inside a
// process.
const memoryQueue = 16

// Pair is a link between two goroutines of one process. Bytes travel as they
// would between processes; descriptors change hands as they are.
func Pair() (a, b *Conn) {
	l := &memory{over: make(chan struct{})}
	ab, ba := make(chan frame, memoryQueue), make(chan frame, memoryQueue)
	return newConn(&memoryEnd{l, ab, ba}), newConn(&memoryEnd{l, ba, ab})
}

type memory struct {
	once sync.Once
	over chan struct{}
}

type memoryEnd struct {
	*memory
	out chan<- frame
	in  <-chan frame
}

func (e *memoryEnd) send(f frame) error {
	select {
	case <-e.over:
		f.close()
		return ErrClosed
	default:
	}
	select {
	case e.out <- f:
		return nil
	case <-e.over:
		f.close()
		return ErrClosed
	}
}

func (e *memoryEnd) recv() (frame, error) {
	select {
	case f := <-e.in:
		return f, nil
	default:
	}
	select {
	case f := <-e.in:
		return f, nil
	case <-e.over:
		// What was sent before the end arrives, as on a socket.
		select {
		case f := <-e.in:
			return f, nil
		default:
			return frame{}, io.EOF
		}
	}
}

func (e *memoryEnd) close() error {
	e.once.Do(func() { close(e.over) })
	return nil
}
