package native

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestConn(t *testing.T) {
	a, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewConn(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	long := strings.Repeat("x", 100<<10)
	if err := a.Send(&Message{Kind: Spawn, Text: long, Files: []*os.File{w}}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	m, err := b.Receive()
	if err != nil || m.Kind != Spawn || m.Text != long || len(m.Files) != 1 {
		t.Fatal(m, err)
	}
	m.Files[0].WriteString("hello")
	m.Files[0].Close()
	if text, _ := io.ReadAll(r); string(text) != "hello" {
		t.Errorf("%q through the descriptor", text)
	}
	if err := b.Send(&Message{Kind: Result, Text: strings.Repeat("x", MaxMessage)}); err == nil {
		t.Error("a message that is too long was sent")
	}
	done := make(chan error)
	go func() {
		_, err := a.Receive()
		done <- err
	}()
	b.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("the other end is gone: %v", err)
	}
	go func() {
		_, err := a.Receive()
		done <- err
	}()
	a.Close()
	if <-done == nil {
		t.Error("a closed end receives")
	}
}
