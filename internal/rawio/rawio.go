package rawio

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// ErrAgain is returned by [File.TryReadv] when nothing is there to read.
var ErrAgain = errors.New("rawio: nothing to read yet")

// errNoRoom is what a read into nothing gives: it could never end.
var errNoRoom = errors.New("rawio: read: no buffer to read into")

// Duplex is a net.Conn made of two files, such as the standard input and
// output of a program that was started with a connection in its hands.
// [NewConn] knows it and keeps the raw paths of its files.
type Duplex struct {
	r, w *File
	name string
	once sync.Once
	err  error
}

// NewDuplex joins r and w. name is what the addresses of the connection read
// as, for instance "UNKNOWN". Close closes both; r and w may be the same.
func NewDuplex(r, w *File, name string) *Duplex { return &Duplex{r: r, w: w, name: name} }

type fileAddr string

func (a fileAddr) Network() string { return "file" }
func (a fileAddr) String() string  { return string(a) }

// Read reads from the first file.
func (d *Duplex) Read(p []byte) (int, error) { return d.r.Read(p) }

// Write writes all of p to the second file.
func (d *Duplex) Write(p []byte) (int, error) { return d.w.Write(p) }

// CloseWrite ends the outgoing direction.
func (d *Duplex) CloseWrite() error { return d.w.CloseWrite() }

// Close closes both files.
func (d *Duplex) Close() error {
	d.once.Do(func() {
		d.err = d.w.Close()
		if d.r != d.w {
			d.err = errors.Join(d.err, d.r.Close())
		}
	})
	return d.err
}

// LocalAddr is the name given to NewDuplex.
func (d *Duplex) LocalAddr() net.Addr { return fileAddr(d.name) }

// RemoteAddr is the name given to NewDuplex.
func (d *Duplex) RemoteAddr() net.Addr { return fileAddr(d.name) }

// SetDeadline sets both deadlines.
func (d *Duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.r.SetReadDeadline(t), d.w.SetWriteDeadline(t))
}

// SetReadDeadline fails with os.ErrNoDeadline where the descriptor is not in
// the poller (an inherited terminal or socket, a regular file).
func (d *Duplex) SetReadDeadline(t time.Time) error { return d.r.SetReadDeadline(t) }

// SetWriteDeadline fails with os.ErrNoDeadline where the descriptor is not in
// the poller.
func (d *Duplex) SetWriteDeadline(t time.Time) error { return d.w.SetWriteDeadline(t) }

// readReady is ReadReady over a portable reader: the buffer must be there first.
func readReady(r io.Reader, get func() []byte) (int, error) {
	p := get()
	if len(p) == 0 {
		return 0, errNoRoom
	}
	n, err := r.Read(p)
	if n > 0 {
		return n, nil // an error that came with bytes comes again
	}
	return 0, err
}

// total is the number of bytes in bufs.
func total(bufs [][]byte) int {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	return n
}
