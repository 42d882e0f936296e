package sftp

import (
	"bytes"
	"io"
	"testing"
)

// A request that was decoded is encoded to what decodes to the same.
func FuzzRequest(f *testing.F) {
	for _, c := range requestBytes {
		f.Add(c.q.Append(nil)[4:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var q, again Request
		if q.Decode(b) != nil || q.Op == OpUnknown {
			return
		}
		p := q.Append(nil)
		if err := again.Decode(p[4:]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Append(nil), p) {
			t.Fatalf("%x became %x", p, again.Append(nil))
		}
	})
}

// An answer that was decoded is encoded to what decodes to the same.
func FuzzReply(f *testing.F) {
	for _, c := range replyBytes {
		f.Add(c.p.Append(nil)[4:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again Reply
		if p.Decode(b) != nil {
			return
		}
		var l Limits
		var v VFS
		var n IDNames
		_, _, _ = l.Decode(p.Body), v.Decode(p.Body), n.Decode(p.Body)
		out := p.Append(nil)
		if err := again.Decode(out[4:]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Append(nil), out) {
			t.Fatalf("%x became %x", out, again.Append(nil))
		}
	})
}

// Whatever is sent, the server ends when the stream does, answers each request
// that it can read once, closes what was opened, and holds no more than it may.
func FuzzServer(f *testing.F) {
	hello := (&Request{Op: OpInit, ID: 3}).Append(nil)
	all := bytes.Clone(hello)
	for _, c := range requestBytes {
		q := c.q
		q.Handle, q.Handle2 = make([]byte, handleSize), []byte{0, 0, 0, 1, 0, 0, 0, 0}
		f.Add(append(bytes.Clone(hello), q.Append(nil)...), uint16(0))
		all = q.Append(all)
	}
	f.Add(all, uint16(7))
	f.Add(all, uint16(200))
	f.Fuzz(func(t *testing.T, b []byte, piece uint16) {
		m := newMemFS()
		size := int(piece) + 1
		at := 0
		var out bytes.Buffer
		s := &Server{FS: m, MaxHandles: 8, ReadOnly: piece&1 != 0, LogLevel: LevelDebug3, Log: func(Level, string) {}}
		_ = s.Serve(readerFunc(func(p []byte) (int, error) {
			if at == len(b) {
				return 0, io.EOF
			}
			n := copy(p[:min(len(p), size)], b[at:])
			at += n
			return n, nil
		}), &out)
		if m.opens != 0 {
			t.Fatalf("%d files are still open", m.opens)
		}
		if s.ReadOnly && len(m.nodes) != 1 {
			t.Fatal("something was made in read-only mode")
		}
		for {
			if _, err := readReply(&out); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
