package connection

// ring holds bytes that wait. It grows by doubling up to what the window lets
// in, and holds nothing when empty.
type ring struct {
	b    []byte
	r, n int // data is b[r:r+n], around the end
}

const ringStart = 16 << 10

func (q *ring) len() int { return q.n }

func (q *ring) write(p []byte) {
	if q.n+len(p) > len(q.b) {
		size := max(len(q.b), ringStart)
		for size < q.n+len(p) {
			size *= 2
		}
		nb := make([]byte, size)
		n := copy(nb, q.b[q.r:min(q.r+q.n, len(q.b))])
		copy(nb[n:], q.b[:q.n-n])
		q.b, q.r = nb, 0
	}
	w := (q.r + q.n) % len(q.b)
	n := copy(q.b[w:], p)
	copy(q.b, p[n:])
	q.n += len(p)
}

// front is the first contiguous piece.
func (q *ring) front() []byte { return q.b[q.r:min(q.r+q.n, len(q.b))] }

func (q *ring) skip(n int) {
	q.n -= n
	if q.n == 0 {
		q.r = 0
		if len(q.b) > ringStart {
			q.b = nil
		}
		return
	}
	q.r = (q.r + n) % len(q.b)
}

func (q *ring) read(p []byte) int {
	n := 0
	for n < len(p) && q.n > 0 {
		c := copy(p[n:], q.front())
		q.skip(c)
		n += c
	}
	return n
}
