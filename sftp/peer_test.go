package sftp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
)

// peer is a client over a pipe to a server under test.
type peer struct {
	t    *testing.T
	conn net.Conn
	id   uint32
	done chan error
	err  error
	over bool
}

// dial starts s and greets it.
func dial(t *testing.T, s *Server) *peer {
	t.Helper()
	p := raw(t, s)
	p.send(&Request{Op: OpInit, ID: Version})
	if r := p.recv(); r.Kind != ReplyVersion || r.ID != Version {
		t.Fatalf("INIT was answered by %+v", r)
	}
	return p
}

// raw starts s and says nothing.
func raw(t *testing.T, s *Server) *peer {
	t.Helper()
	a, b := net.Pipe()
	p := &peer{t: t, conn: a, done: make(chan error, 1)}
	go func() {
		err := s.Serve(b, b)
		b.Close()
		p.done <- err
	}()
	t.Cleanup(func() {
		a.Close()
		p.wait()
	})
	return p
}

func (p *peer) wait() error {
	if !p.over {
		p.err, p.over = <-p.done, true
	}
	return p.err
}

func (p *peer) send(q *Request) {
	p.t.Helper()
	p.sendRaw(q.Append(nil))
}

func (p *peer) sendRaw(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) recv() *Reply {
	p.t.Helper()
	r, err := readReply(p.conn)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func readReply(r io.Reader) (*Reply, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > MaxPacket {
		return nil, ErrPacketSize
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	var p Reply
	return &p, p.Decode(b)
}

// ask sends q under a new id and returns its answer.
func (p *peer) ask(q Request) *Reply {
	p.t.Helper()
	p.id++
	q.ID = p.id
	p.send(&q)
	r := p.recv()
	if r.ID != q.ID {
		p.t.Fatalf("%s %d was answered with id %d", q.Op, q.ID, r.ID)
	}
	return r
}

// want asks and checks the status.
func (p *peer) want(s Status, q Request) {
	p.t.Helper()
	r := p.ask(q)
	if r.Kind != ReplyStatus || r.Status != s {
		p.t.Fatalf("%s: %+v, want status %d", q.Op, r, s)
	}
	if s <= StatusOpUnsupported && r.Message == "" {
		p.t.Errorf("%s: a status without text", q.Op)
	}
}

// open opens a file or, without flags, a folder.
func (p *peer) open(name string, flags OpenFlags) []byte {
	p.t.Helper()
	q := Request{Op: OpOpen, Path: name, Flags: flags}
	if flags == 0 {
		q.Op = OpOpendir
	}
	r := p.ask(q)
	if r.Kind != ReplyHandle {
		p.t.Fatalf("open %q: %+v", name, r)
	}
	return bytes.Clone(r.Handle)
}

// write makes a file with data in it.
func (p *peer) write(name string, data []byte) {
	p.t.Helper()
	h := p.open(name, OpenWrite|OpenCreate|OpenTruncate)
	for at := 0; at < len(data); at += MaxWrite {
		p.want(StatusOK, Request{Op: OpWrite, Handle: h, Offset: uint64(at), Data: data[at:min(at+MaxWrite, len(data))]})
	}
	p.want(StatusOK, Request{Op: OpClose, Handle: h})
}

// names lists a folder.
func (p *peer) names(name string) (list []Entry) {
	p.t.Helper()
	h := p.open(name, 0)
	for {
		r := p.ask(Request{Op: OpReaddir, Handle: h})
		if r.Kind == ReplyStatus && r.Status == StatusEOF {
			break
		}
		if r.Kind != ReplyName {
			p.t.Fatalf("readdir: %+v", r)
		}
		list = append(list, r.Names...)
	}
	p.want(StatusOK, Request{Op: OpClose, Handle: h})
	return list
}

// ends waits for the server and checks how it ended.
func (p *peer) ends(want error) {
	p.t.Helper()
	go io.Copy(io.Discard, p.conn)
	if err := p.wait(); !errors.Is(err, want) {
		p.t.Fatalf("the session ended with %v, want %v", err, want)
	}
}
