package rawio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

func TestPipeBothWays(t *testing.T) {
	child, w, err := PipeToChild()
	must(t, err)
	want := bytes.Repeat([]byte("abcdefgh"), 64<<10)
	done := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(child)
		child.Close()
		done <- b
	}()
	n, err := w.Writev([][]byte{want[:10], nil, want[10:70_000], want[70_000:]})
	if n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	must(t, w.CloseWrite())
	if !bytes.Equal(<-done, want) {
		t.Error("bytes differ")
	}

	r, child, err := PipeFromChild()
	must(t, err)
	go func() { child.Write(want); child.Close() }()
	var got []byte
	bufs := [][]byte{make([]byte, 5), {}, make([]byte, 9000), make([]byte, 40_000)}
	for {
		n, err := r.Readv(bufs)
		for _, b := range bufs {
			k := min(n, len(b))
			got = append(got, b[:k]...)
			n -= k
		}
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d", len(got), len(want))
	}
	must(t, r.Close())
	must(t, r.Close())
	if _, err := r.Readv(bufs); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestManyVectors(t *testing.T) {
	r, w, err := PipeFromChild()
	must(t, err)
	defer r.Close()
	defer w.Close()
	wf := NewFile(w)
	var bufs, in [][]byte
	for i := range 3000 {
		bufs = append(bufs, []byte{byte(i)})
		in = append(in, make([]byte, 1))
	}
	if n, err := wf.Writev(bufs); n != 3000 || err != nil {
		t.Fatal(n, err)
	}
	for got := 0; got < 3000; {
		n, err := r.Readv(in[got:])
		must(t, err)
		got += n
	}
	for i := range in {
		if in[i][0] != byte(i) {
			t.Fatalf("byte %d is %d", i, in[i][0])
		}
	}
	if n, err := wf.Writev(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, err := wf.TryWritev([][]byte{{}, {}}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, err := r.Readv([][]byte{{}}); n != 0 || err != errNoRoom {
		t.Error(n, err)
	}
}

func TestClosedReaderEndsWriters(t *testing.T) {
	child, w, err := PipeToChild()
	must(t, err)
	defer w.Close()
	child.Close()
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("no error")
	}
}

func TestCloseEndsWaitingRead(t *testing.T) {
	r, child, err := PipeFromChild()
	must(t, err)
	defer child.Close()
	for _, wait := range []func() error{
		func() error { _, err := r.Readv([][]byte{make([]byte, 1)}); return err },
	} {
		errc := make(chan error)
		go func() { errc <- wait() }()
		r.Close()
		if err := <-errc; !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func TestFileDeadline(t *testing.T) {
	r, child, err := PipeFromChild()
	must(t, err)
	defer child.Close()
	defer r.Close()
	must(t, r.SetReadDeadline(time.Now().Add(-time.Second)))
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestRegularFile(t *testing.T) {
	p := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(p)
	must(t, err)
	w := NewFile(f)
	if !w.IsRegular() || w.IsPipe() || w.IsTerminal() || w.IsSocket() {
		t.Error("kind")
	}
	if n, err := w.Writev([][]byte{[]byte("one "), []byte("two")}); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	must(t, w.Close())
	f, err = os.Open(p)
	must(t, err)
	r := NewFile(f)
	defer r.Close()
	b := make([]byte, 20)
	if n, err := r.Read(b); n != 7 || err != nil || string(b[:n]) != "one two" {
		t.Error(n, err)
	}
	if n, err := r.Read(b); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
}

func TestGrowIsHarmlessElsewhere(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	must(t, err)
	k := NewFile(f)
	defer k.Close()
	k.GrowPipe(1 << 20)
	k.GrowPipeAfter(1, 1<<20, new(atomic.Int32))
	k.Write([]byte("xx"))
}
