package sftp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHello(t *testing.T) {
	all := []Extension{{"posix-rename@openssh.com", "1"}, {"statvfs@openssh.com", "2"}, {"fstatvfs@openssh.com", "2"},
		{"hardlink@openssh.com", "1"}, {"fsync@openssh.com", "1"}, {"lsetstat@openssh.com", "1"}, {"limits@openssh.com", "1"},
		{"expand-path@openssh.com", "1"}, {"copy-data", "1"}, {"home-directory", "1"}, {"users-groups-by-id@openssh.com", "1"}}
	without := func(names ...string) (list []Extension) {
		for _, e := range all {
			if !slices.Contains(names, e.Name) {
				list = append(list, e)
			}
		}
		return list
	}
	for name, c := range map[string]struct {
		s    Server
		want []Extension
	}{
		"all":       {Server{FS: newMemFS()}, all},
		"read only": {Server{FS: newMemFS(), ReadOnly: true}, without("posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com", "lsetstat@openssh.com", "copy-data")},
		"denied":    {Server{FS: newMemFS(), Deny: OpSet(0).With(OpLimits)}, without("limits@openssh.com")},
		"poor":      {Server{FS: Unimplemented{}}, []Extension{{"limits@openssh.com", "1"}, {"copy-data", "1"}}},
	} {
		p := raw(t, &c.s)
		p.send(&Request{Op: OpInit, ID: 6})
		if r := p.recv(); r.Kind != ReplyVersion || r.ID != 3 || !slices.Equal(r.Extensions, c.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if err := (&Server{}).Serve(strings.NewReader(""), io.Discard); !errors.Is(err, ErrNoFS) {
		t.Error(err)
	}
}

// Every request once, over a tree that has everything.
func TestEveryRequest(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	p.want(StatusOK, Request{Op: OpMkdir, Path: "/d", Attr: Attr{Flags: AttrPermissions, Mode: 0o100700}})
	p.write("/d/f", []byte("hello, world"))
	h := p.open("/d/f", OpenRead)
	if r := p.ask(Request{Op: OpRead, Handle: h, Offset: 7, Length: 100}); r.Kind != ReplyData || string(r.Data) != "world" {
		t.Errorf("%+v", r)
	}
	if r := p.ask(Request{Op: OpRead, Handle: h, Offset: 0, Length: 0}); r.Kind != ReplyData || len(r.Data) != 0 {
		t.Errorf("%+v", r)
	}
	p.want(StatusEOF, Request{Op: OpRead, Handle: h, Offset: 12, Length: 1})
	p.want(StatusNoSuchFile, Request{Op: OpWrite, Handle: h, Data: []byte("x")}) // EBADF
	if r := p.ask(Request{Op: OpFstat, Handle: h}); r.Kind != ReplyAttrs || r.Attr.Size != 12 || r.Attr.Mode != 0o100644 {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpFsetstat, Handle: h, Attr: Attr{Flags: AttrSize | AttrPermissions, Size: 5, Mode: 0o600}})
	if r := p.ask(Request{Op: OpStat, Path: "d/f"}); r.Attr.Size != 5 || r.Attr.Mode != 0o100600 {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpSetstat, Path: "/d/f", Attr: Attr{Flags: AttrUIDGID | AttrACModTime, UID: 1000, GID: 100, ATime: 7, MTime: 8}})
	if r := p.ask(Request{Op: OpLstat, Path: "/d/f"}); r.Attr.UID != 1000 || r.Attr.GID != 100 || r.Attr.ATime != 7 || r.Attr.MTime != 8 {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpFsync, Handle: h})
	if r := p.ask(Request{Op: OpFstatVFS, Handle: h}); r.Kind != ReplyExtended {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpClose, Handle: h})

	p.want(StatusOK, Request{Op: OpSymlink, Path: "/l", Target: "d/f"})
	if r := p.ask(Request{Op: OpReadlink, Path: "/l"}); r.Kind != ReplyName || r.Names[0].Name != "d/f" || r.Names[0].Longname != "d/f" || r.Names[0].Attr.Flags != 0 {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpLsetstat, Path: "/l", Attr: Attr{Flags: AttrUIDGID, UID: 5, GID: 6}})
	p.want(StatusBadMessage, Request{Op: OpLsetstat, Path: "/l", Attr: Attr{Flags: AttrSize}})
	if r := p.ask(Request{Op: OpLstat, Path: "/l"}); r.Attr.UID != 5 || r.Attr.Mode != 0o120777 {
		t.Errorf("%+v", r)
	}
	p.want(StatusOK, Request{Op: OpHardlink, Path: "/d/f", Target: "/g"})
	p.want(StatusFailure, Request{Op: OpRename, Path: "/l", Target: "/g"})
	p.want(StatusOK, Request{Op: OpPosixRename, Path: "/l", Target: "/g"})
	p.want(StatusOK, Request{Op: OpRename, Path: "/g", Target: "/k"})
	if r := p.ask(Request{Op: OpRealpath, Path: ""}); r.Names[0].Name != "/" {
		t.Errorf("%+v", r)
	}
	if r := p.ask(Request{Op: OpRealpath, Path: "d/../d/./f"}); r.Names[0].Name != "/d/f" {
		t.Errorf("%+v", r)
	}
	if r := p.ask(Request{Op: OpExpandPath, Path: "~/d"}); r.Names[0].Name != "/d" {
		t.Errorf("%+v", r)
	}
	if r := p.ask(Request{Op: OpExpandPath, Path: "~nobody"}); r.Status != StatusNoSuchFile || r.Message != "no such user" {
		t.Errorf("%+v", r)
	}
	if r := p.ask(Request{Op: OpHomeDirectory, Path: "ann"}); r.Names[0].Name != "/home/ann" {
		t.Errorf("%+v", r)
	}
	p.want(StatusFailure, Request{Op: OpHomeDirectory, Path: "bob"})
	r := p.ask(Request{Op: OpUsersGroupsByID, UIDs: []byte{0, 0, 3, 232, 0, 0, 0, 9}, GIDs: []byte{0, 0, 0, 100}})
	var n IDNames
	if err := n.Decode(r.Body); err != nil || !slices.Equal(n.Users, []string{"ann", ""}) || !slices.Equal(n.Groups, []string{"users"}) {
		t.Errorf("%+v %v", n, err)
	}
	r = p.ask(Request{Op: OpLimits})
	var l Limits
	if err := l.Decode(r.Body); err != nil || l != (Limits{262144, 261120, 261120, DefaultHandles}) {
		t.Errorf("%+v %v", l, err)
	}
	r = p.ask(Request{Op: OpStatVFS, Path: "/d"})
	var v VFS
	if err := v.Decode(r.Body); err != nil || v != (VFS{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 255}) {
		t.Errorf("%+v %v", v, err)
	}
	list := p.names("/")
	if len(list) != 4 || list[0].Name != "." || list[2].Name != "d" || list[3].Name != "k" || list[3].Longname != "lrwxrwxrwx    ? 5        6               0 Jan  1  1970 k" {
		t.Errorf("%+v", list)
	}
	p.want(StatusFailure, Request{Op: OpRmdir, Path: "/d"})
	p.want(StatusFailure, Request{Op: OpRemove, Path: "/d"})
	p.want(StatusOK, Request{Op: OpRemove, Path: "/d/f"})
	p.want(StatusOK, Request{Op: OpRmdir, Path: "/d"})
	p.want(StatusNoSuchFile, Request{Op: OpStat, Path: "/d"})
	p.want(StatusNoSuchFile, Request{Op: OpOpendir, Path: "/d"})
	p.want(StatusNoSuchFile, Request{Op: OpOpen, Path: "/d", Flags: OpenRead})
	p.conn.Close()
	p.ends(nil)
	if m.opens != 0 {
		t.Errorf("%d files are still open", m.opens)
	}
}

// The extensions that the tree lacks are refused.
func TestUnsupported(t *testing.T) {
	p := dial(t, &Server{FS: Unimplemented{}})
	for op := range Ops {
		switch op {
		case OpLimits:
		case OpCopyData, OpRead, OpWrite, OpFstat, OpFsetstat, OpReaddir:
			p.want(StatusFailure, Request{Op: op})
		case OpClose:
			p.want(StatusNoSuchFile, Request{Op: op})
		case OpSetstat:
			p.want(StatusOpUnsupported, Request{Op: op, Attr: Attr{Flags: AttrSize}})
		default:
			p.want(StatusOpUnsupported, Request{Op: op})
		}
	}
}

// Packets that are none end the session; those whose frame is whole are
// answered (SFT-1).
func TestSFT01_PacketLength(t *testing.T) {
	for _, c := range []struct {
		size uint32
		want error
	}{{0, ErrPacketSize}, {MaxPacket + 1, ErrPacketSize}, {math.MaxUint32, ErrPacketSize}} {
		p := dial(t, &Server{FS: newMemFS()})
		p.sendRaw(binary.BigEndian.AppendUint32(nil, c.size))
		p.ends(c.want)
	}
	p := dial(t, &Server{FS: newMemFS()})
	// The largest packet: a STAT with a path beyond all bounds.
	q := Request{Op: OpStat, ID: 9, Path: strings.Repeat("x", MaxPacket-9)}
	p.send(&q)
	if r := p.recv(); r.ID != 9 || r.Status != StatusBadMessage {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"09 00000007 'x' 80000000 ffffffff 'k' 'v'", "03 00000008", "04 00000009 000000ff", "c8 0000000a 'copy-data'"} {
		b := packetBytes(t, bad)
		p.sendRaw(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
		if r := p.recv(); r.ID != binary.BigEndian.Uint32(b[1:]) || r.Status != StatusBadMessage {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	p.want(StatusNoSuchFile, Request{Op: OpStat, Path: "/x"})
	p.sendRaw([]byte{0, 0, 0, 9, 1})
	p.conn.Close()
	p.ends(io.ErrUnexpectedEOF)
}

func TestBeforeInit(t *testing.T) {
	for _, q := range []Request{{Op: OpStat, Path: "/"}, {Op: OpLimits}, {Op: OpUnknown}} {
		p := raw(t, &Server{FS: newMemFS()})
		p.send(&q)
		p.ends(ErrNoInit)
	}
}

// Handles that were closed, never given out, or of the other kind do nothing
// (SFT-2).
func TestSFT02_Handles(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	p.write("/f", []byte("x"))
	file, dir := p.open("/f", OpenRead|OpenWrite), p.open("/", 0)
	old := p.open("/f", OpenRead)
	p.want(StatusOK, Request{Op: OpClose, Handle: old})
	again := p.open("/f", OpenRead) // has the same number
	if !bytes.Equal(old[:4], again[:4]) || bytes.Equal(old, again) {
		t.Fatalf("%x was followed by %x", old, again)
	}
	for _, h := range [][]byte{old, nil, {0}, make([]byte, 7), make([]byte, 9), bytes.Repeat([]byte{255}, 8), append(bytes.Clone(file[:4]), 0, 0, 0, 77)} {
		for _, op := range []Op{OpRead, OpWrite, OpFstat, OpFsetstat, OpReaddir, OpFstatVFS} {
			p.want(StatusFailure, Request{Op: op, Handle: h, Data: []byte("y"), Length: 1, Attr: Attr{Flags: AttrSize}})
		}
		p.want(StatusNoSuchFile, Request{Op: OpClose, Handle: h}) // OpenSSH's code for these two
		p.want(StatusNoSuchFile, Request{Op: OpFsync, Handle: h})
		p.want(StatusFailure, Request{Op: OpCopyData, Handle: h, Handle2: file})
		p.want(StatusFailure, Request{Op: OpCopyData, Handle: file, Handle2: h})
	}
	for _, op := range []Op{OpRead, OpWrite, OpFstat, OpFsetstat, OpFstatVFS} {
		p.want(StatusFailure, Request{Op: op, Handle: dir, Length: 1})
	}
	p.want(StatusFailure, Request{Op: OpReaddir, Handle: file})
	if string(m.nodes["/f"].data) != "x" {
		t.Error("something was written")
	}
}

// Offsets beyond 63 bits reach no file, reads are cut (SFT-3).
func TestSFT03_Offsets(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	p.write("/f", make([]byte, 600<<10))
	p.write("/g", nil)
	h, g := p.open("/f", OpenRead|OpenWrite), p.open("/g", OpenWrite)
	for _, want := range []uint64{MaxRead - 1, MaxRead} {
		if r := p.ask(Request{Op: OpRead, Handle: h, Length: want}); uint64(len(r.Data)) != want {
			t.Errorf("%d bytes, want %d", len(r.Data), want)
		}
	}
	for _, n := range []uint64{MaxRead + 1, math.MaxUint32} {
		if r := p.ask(Request{Op: OpRead, Handle: h, Length: n}); len(r.Data) != MaxRead {
			t.Errorf("asked for %d: %d bytes", n, len(r.Data))
		}
	}
	for _, off := range []uint64{1 << 63, math.MaxUint64, math.MaxInt64} {
		p.want(StatusBadMessage, Request{Op: OpRead, Handle: h, Offset: off, Length: 1})
		p.want(StatusBadMessage, Request{Op: OpWrite, Handle: h, Offset: off, Data: []byte("x")})
	}
	p.want(StatusBadMessage, Request{Op: OpRead, Handle: h, Offset: 1 << 63})
	p.want(StatusEOF, Request{Op: OpRead, Handle: h, Offset: math.MaxInt64 - 1, Length: 1})
	for _, off := range []uint64{1 << 63, math.MaxUint64} {
		p.want(StatusBadMessage, Request{Op: OpCopyData, Handle: h, Offset: off, Handle2: g})
		p.want(StatusBadMessage, Request{Op: OpCopyData, Handle: h, Handle2: g, Offset2: off})
	}
	p.want(StatusFailure, Request{Op: OpCopyData, Handle: h, Handle2: g, Offset2: math.MaxInt64 - 1, Length: math.MaxUint64})
}

// A session has so many files open and no more; closing makes room (SFT-4).
func TestSFT04_HandleLimit(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m, MaxHandles: 3})
	p.write("/f", nil)
	h := p.open("/f", OpenRead)
	p.open("/", 0)
	p.open("/f", OpenRead)
	p.want(StatusFailure, Request{Op: OpOpen, Path: "/f", Flags: OpenRead})
	p.want(StatusFailure, Request{Op: OpOpendir, Path: "/"})
	p.want(StatusFailure, Request{Op: OpOpen, Path: "/new", Flags: OpenWrite | OpenCreate})
	if m.nodes["/new"] != nil {
		t.Error("a file was made for a handle that there is not")
	}
	p.want(StatusOK, Request{Op: OpClose, Handle: h})
	p.open("/", 0)
	p.want(StatusFailure, Request{Op: OpOpendir, Path: "/"})
	p.conn.Close()
	p.ends(nil)
	if m.opens != 0 {
		t.Errorf("%d files are still open", m.opens)
	}
}

// A path with a NUL, or longer than the system's, reaches no file (SFT-5).
func TestSFT05_Paths(t *testing.T) {
	p := dial(t, &Server{FS: newMemFS()})
	p.write("/f", nil)
	for _, name := range []string{"/f\x00", "\x00", "/f\x00g", strings.Repeat("/", MaxPath+1)} {
		for _, op := range []Op{OpOpen, OpLstat, OpSetstat, OpOpendir, OpRemove, OpMkdir, OpRmdir, OpRealpath, OpStat, OpReadlink,
			OpStatVFS, OpLsetstat, OpExpandPath, OpHomeDirectory} {
			p.want(StatusBadMessage, Request{Op: op, Path: name})
		}
		for _, op := range []Op{OpRename, OpSymlink, OpPosixRename, OpHardlink} {
			p.want(StatusBadMessage, Request{Op: op, Path: name, Target: "x"})
			p.want(StatusBadMessage, Request{Op: op, Path: "x", Target: name})
		}
	}
	if r := p.ask(Request{Op: OpStat, Path: strings.Repeat("/", MaxPath)}); r.Kind != ReplyAttrs {
		t.Errorf("the longest path: %+v", r)
	}
}

// stuck is a writer that takes nothing until it is let go.
type stuck struct {
	mu    sync.Mutex
	open  bool
	cond  *sync.Cond
	tried chan struct{} // gets a value when a write has begun to wait
	got   bytes.Buffer
}

func newStuck() *stuck {
	s := &stuck{tried: make(chan struct{}, 1)}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *stuck) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.open {
		select {
		case s.tried <- struct{}{}:
		default:
		}
		s.cond.Wait()
	}
	return s.got.Write(b)
}

func (s *stuck) release() {
	s.mu.Lock()
	s.open = true
	s.cond.Broadcast()
	s.mu.Unlock()
}

// counter counts what was read of a stream without end.
type counter struct {
	mu   sync.Mutex
	b    []byte // repeated
	at   int
	n    int
	most int // then the end
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n >= c.most {
		return 0, io.EOF
	}
	n := copy(p, c.b[c.at:])
	c.at = (c.at + n) % len(c.b)
	c.n += n
	return n, nil
}

func (c *counter) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// A client that asks and does not read its answers is not read from for ever;
// what it did not take is bounded (SFT-6).
func TestSFT06_Backpressure(t *testing.T) {
	m := newMemFS()
	n, _ := m.make("/f", ModeRegular)
	n.data = make([]byte, memBytes)
	w := newStuck()
	w.got.Grow(20 << 20)
	var in []byte
	in = (&Request{Op: OpInit, ID: 3}).Append(in)
	in = (&Request{Op: OpOpen, ID: 1, Path: "/f", Flags: OpenRead}).Append(in)
	const reads, size = 4500, 4 << 10
	read := (&Request{Op: OpRead, Handle: make([]byte, handleSize), Length: size}).Append(nil)
	tail := &counter{b: read, most: reads * len(read)}
	s := &Server{FS: m}
	done := make(chan error, 1)
	blocked := make(chan struct{})
	o := newOutput(w)
	o.blocked = func() { close(blocked); o.blocked = nil }
	go func() { done <- s.serve(io.MultiReader(bytes.NewReader(in), tail), o) }()
	<-blocked
	o.mu.Lock()
	held := len(o.queue)*bufferSize + cap(o.buf)
	o.mu.Unlock()
	if held > (pendingBuffers+1)*bufferSize {
		t.Errorf("%d bytes are held", held)
	}
	if taken := tail.taken(); taken > inputSize || tail.most < 2*inputSize {
		t.Errorf("%d bytes of requests were taken from a client that reads nothing", taken)
	}
	w.release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := w.got.Len(); got < reads*(13+size) || got > reads*(13+size)+1000 {
		t.Errorf("%d bytes of answers", got)
	}
}

// A client that writes a lot before it reads its answers gets through: those
// are small, and wait in few buffers.
func TestManySmallAnswers(t *testing.T) {
	m := newMemFS()
	w := newStuck()
	var in []byte
	in = (&Request{Op: OpInit, ID: 3}).Append(in)
	in = (&Request{Op: OpOpen, ID: 1, Path: "/f", Flags: OpenWrite | OpenCreate}).Append(in)
	write := (&Request{Op: OpWrite, Handle: make([]byte, handleSize), Data: make([]byte, 1000)}).Append(nil)
	const writes = 20000
	tail := &counter{b: write, most: writes * len(write)}
	done := make(chan error, 1)
	end := make(chan struct{})
	go func() {
		done <- (&Server{FS: m}).Serve(io.MultiReader(bytes.NewReader(in), tail, readerFunc(func([]byte) (int, error) {
			close(end)
			return 0, io.EOF
		})), w)
	}()
	<-end // all was taken
	w.release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(w.got.Bytes(), []byte("Success")); n != writes {
		t.Errorf("%d answers", n)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// copy-data between two names of one file is refused, as is one handle and one
// name (SFT-8).
func TestSFT08_CopyData(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	data := []byte("0123456789")
	p.write("/a", data)
	a, b := p.open("/a", OpenRead|OpenWrite), p.open("/b", OpenWrite|OpenCreate)
	p.want(StatusFailure, Request{Op: OpCopyData, Handle: a, Handle2: a})
	a2 := p.open("/a", OpenWrite)
	p.want(StatusFailure, Request{Op: OpCopyData, Handle: a, Handle2: a2})
	p.want(StatusOK, Request{Op: OpCopyData, Handle: a, Handle2: b})
	if got := m.nodes["/b"].data; !bytes.Equal(got, data) {
		t.Errorf("%q", got)
	}
	p.want(StatusOK, Request{Op: OpCopyData, Handle: a, Offset: 2, Length: 3, Handle2: b, Offset2: 12})
	p.want(StatusOK, Request{Op: OpCopyData, Handle: a, Offset: 10, Handle2: b})
	p.want(StatusEOF, Request{Op: OpCopyData, Handle: a, Offset: 8, Length: 3, Handle2: b, Offset2: 15})
	if got := m.nodes["/b"].data; string(got) != "0123456789\x00\x0023489" {
		t.Errorf("%q", got)
	}
	c := p.open("/c", OpenWrite|OpenCreate|OpenAppend)
	p.want(StatusOK, Request{Op: OpCopyData, Handle: a, Length: 3, Handle2: c, Offset2: math.MaxUint64})
	p.want(StatusOK, Request{Op: OpCopyData, Handle: a, Length: 3, Handle2: c})
	if got := m.nodes["/c"].data; string(got) != "012012" {
		t.Errorf("%q", got)
	}
	big := bytes.Repeat([]byte("abc"), memBytes/3)
	p.write("/big", big)
	h, d := p.open("/big", OpenRead), p.open("/d", OpenWrite|OpenCreate)
	p.want(StatusOK, Request{Op: OpCopyData, Handle: h, Handle2: d})
	if !bytes.Equal(m.nodes["/d"].data, big) {
		t.Error("a file larger than a piece came out otherwise")
	}
}

// sameFS is a memFS that says of all files that they are one.
type sameFS struct{ *memFS }

func (sameFS) SameFile(a, b File) bool { return true }
func (sameFS) CopyData(File, uint64, File, uint64, uint64) (uint64, error) {
	panic("asked to copy a file onto itself")
}

// What the FS knows to be one file is one, whatever its names (SFT-8).
func TestSFT08_SameFile(t *testing.T) {
	p := dial(t, &Server{FS: sameFS{newMemFS()}})
	p.write("/a", []byte("x"))
	p.want(StatusFailure, Request{Op: OpCopyData, Handle: p.open("/a", OpenRead), Handle2: p.open("/b", OpenWrite|OpenCreate)})
}

// In read-only mode nothing changes, whatever is asked (SFT-9).
func TestSFT09_ReadOnly(t *testing.T) {
	m := newMemFS()
	dial(t, &Server{FS: m}).write("/f", []byte("data"))
	p := dial(t, &Server{FS: m, ReadOnly: true})
	before := fmt.Sprint(len(m.nodes), *m.nodes["/f"])
	h := p.open("/f", OpenRead)
	allowed := OpSet(0)
	for _, op := range []Op{OpClose, OpRead, OpLstat, OpFstat, OpOpendir, OpReaddir, OpRealpath, OpStat, OpReadlink, OpStatVFS, OpFstatVFS,
		OpLimits, OpExpandPath, OpHomeDirectory, OpUsersGroupsByID} {
		allowed = allowed.With(op)
	}
	for op := range Ops {
		q := Request{Op: op, Path: "/f", Target: "/new", Handle: h, Handle2: h, Data: []byte("x"),
			Attr: Attr{Flags: AttrAll, Size: 1, UID: 9, GID: 9, Mode: 0o777, ATime: 9, MTime: 9}}
		switch {
		case op == OpOpen:
			for flags := OpenFlags(1); flags < 64; flags++ {
				q.Flags = flags
				r := p.ask(q)
				if flags&(OpenWrite|OpenCreate|OpenTruncate) != 0 {
					if r.Status != StatusPermissionDenied {
						t.Errorf("open %s: %+v", flags, r)
					}
				} else if r.Kind != ReplyHandle {
					t.Errorf("open %s: %+v", flags, r)
				}
			}
		case allowed.Has(op):
			if r := p.ask(q); r.Kind == ReplyStatus && r.Status == StatusPermissionDenied {
				t.Errorf("%s: %+v", op, r)
			}
			if op == OpClose {
				h = p.open("/f", OpenRead)
			}
		default:
			p.want(StatusPermissionDenied, q)
		}
	}
	// A WRITE that comes in pieces too.
	q := Request{Op: OpWrite, ID: 1, Handle: h, Data: make([]byte, 100<<10)}
	p.send(&q)
	if r := p.recv(); r.Status != StatusPermissionDenied {
		t.Errorf("%+v", r)
	}
	if after := fmt.Sprint(len(m.nodes), *m.nodes["/f"]); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}

// What nobody knows is answered (SFT-10).
func TestSFT10_Unknown(t *testing.T) {
	p := dial(t, &Server{FS: newMemFS()})
	for n := range 256 {
		if n == fxpInit || n >= fxpOpen && n <= fxpSymlink || n == fxpExtended {
			continue
		}
		p.sendRaw([]byte{0, 0, 0, 5, byte(n), 0, 0, 0, byte(n)})
		if r := p.recv(); r.Kind != ReplyStatus || r.Status != StatusOpUnsupported || r.ID != uint32(n) {
			t.Errorf("type %d: %+v", n, r)
		}
	}
	for _, name := range []string{"", "x", "posix-rename", "statvfs@openssh.com\x00", strings.Repeat("y", 1000)} {
		b := packetBytes(t, "c8 00000005")
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(name))), name...)
		p.sendRaw(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
		if r := p.recv(); r.Status != StatusOpUnsupported || r.ID != 5 {
			t.Errorf("%q: %+v", name, r)
		}
	}
}

// Every request can be denied, and is then (SFT-9).
func TestDeny(t *testing.T) {
	for op := range Ops {
		p := dial(t, &Server{FS: newMemFS(), Deny: OpSet(0).With(op)})
		p.want(StatusPermissionDenied, Request{Op: op, Path: "/", Target: "/"})
		if op != OpLimits {
			if r := p.ask(Request{Op: OpLimits}); r.Kind != ReplyExtended {
				t.Errorf("%s: %+v", op, r)
			}
		}
	}
}

// A disk that is full is told by the write that met it, whole or in pieces,
// and only by that (SFT-11).
func TestSFT11_DiskFull(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	h := p.open("/f", OpenWrite|OpenCreate)
	m.full = true
	p.want(StatusFailure, Request{Op: OpWrite, Handle: h, Data: []byte("x")})
	p.want(StatusFailure, Request{Op: OpWrite, Handle: h, Data: make([]byte, 200<<10)})
	m.full = false
	p.want(StatusOK, Request{Op: OpWrite, Handle: h, Data: []byte("x")})
	p.want(StatusOK, Request{Op: OpClose, Handle: h})
}

// failClose is a file whose last bytes are lost when it is closed.
type failClose struct{ File }

func (f failClose) Close() error {
	f.File.Close()
	return errors.New("quota")
}

type failCloseFS struct{ *memFS }

func (m failCloseFS) Open(name string, flags OpenFlags, a *Attr) (File, error) {
	f, err := m.memFS.Open(name, flags, a)
	return failClose{f}, err
}

// Closing tells what was not told before (SFT-11).
func TestSFT11_CloseFails(t *testing.T) {
	p := dial(t, &Server{FS: failCloseFS{newMemFS()}})
	h := p.open("/f", OpenWrite|OpenCreate)
	p.want(StatusFailure, Request{Op: OpClose, Handle: h})
	p.want(StatusNoSuchFile, Request{Op: OpClose, Handle: h})
}

// What was acknowledged is in the file, however the session ends (SFT-12).
func TestSFT12_Interrupted(t *testing.T) {
	m := newMemFS()
	p := dial(t, &Server{FS: m})
	h := p.open("/f", OpenWrite|OpenCreate)
	data := bytes.Repeat([]byte("0123456789abcdef"), 20<<10)
	for at := 0; at+MaxWrite <= len(data); at += MaxWrite {
		p.want(StatusOK, Request{Op: OpWrite, Handle: h, Offset: uint64(at), Data: data[at : at+MaxWrite]})
	}
	q := Request{Op: OpWrite, Handle: h, Offset: MaxWrite, Data: data[MaxWrite:]}
	cut := q.Append(nil)
	p.sendRaw(cut[:len(cut)-1000])
	p.conn.Close()
	p.ends(io.ErrUnexpectedEOF)
	if got := m.nodes["/f"].data; !bytes.Equal(got[:MaxWrite], data[:MaxWrite]) || !bytes.HasPrefix(data, got) {
		t.Error("the file has other bytes than were sent")
	}
}

// Packets arrive in pieces of any size.
func TestPieces(t *testing.T) {
	var in []byte
	in = (&Request{Op: OpInit, ID: 3}).Append(in)
	in = (&Request{Op: OpOpen, ID: 1, Path: "/f", Flags: OpenWrite | OpenRead | OpenCreate}).Append(in)
	in = (&Request{Op: OpOpen, ID: 2, Path: "/g", Flags: OpenWrite | OpenCreate | OpenAppend}).Append(in)
	data := make([]byte, 300<<10)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	h := []byte{0, 0, 0, 0, 0, 0, 0, 0}
	g := []byte{0, 0, 0, 1, 0, 0, 0, 0}
	for at := 0; at < len(data); at += 100 << 10 {
		w := (&Request{Op: OpWrite, ID: uint32(at), Handle: h, Offset: uint64(at), Data: data[at : at+100<<10]}).Append(nil)
		w = append(w, "tail"...) // bytes behind the last field
		in = append(in, setLength(w, 0)...)
		in = (&Request{Op: OpWrite, ID: uint32(at), Handle: g, Offset: 99, Data: data[at : at+100<<10]}).Append(in)
		in = (&Request{Op: OpWrite, ID: 7, Handle: []byte("none"), Data: data[:70<<10]}).Append(in)
	}
	in = (&Request{Op: OpRead, ID: 9, Handle: h, Offset: 5, Length: 10}).Append(in)
	var want []byte
	for _, size := range []int{len(in), 1, 7, 4096, 16384, 65536, 65537, 100000} {
		m := newMemFS()
		var out bytes.Buffer
		at := 0
		err := (&Server{FS: m}).Serve(readerFunc(func(p []byte) (int, error) {
			if at == len(in) {
				return 0, io.EOF
			}
			n := copy(p[:min(len(p), size)], in[at:])
			at += n
			return n, nil
		}), &out)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = out.Bytes()
			if n := bytes.Count(want, []byte("Success")); n != 6 {
				t.Fatalf("%d writes succeeded", n)
			}
		} else if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("in pieces of %d the answers are others", size)
		}
		if !bytes.Equal(m.nodes["/f"].data, data) || !bytes.Equal(m.nodes["/g"].data, data) {
			t.Errorf("in pieces of %d the files are others", size)
		}
	}
}

// A folder of any size is told whole, each name once.
func TestReaddirBatches(t *testing.T) {
	d := &longDir{n: 5000}
	p := dial(t, &Server{FS: d})
	h := p.open("/", 0)
	seen, answers := map[string]bool{}, 0
	for {
		r := p.ask(Request{Op: OpReaddir, Handle: h})
		if r.Status == StatusEOF {
			break
		}
		answers++
		size := len(r.Append(nil))
		if size > MaxPacket {
			t.Fatalf("an answer of %d bytes", size)
		}
		for _, e := range r.Names {
			if seen[e.Name] {
				t.Fatalf("%s twice", e.Name)
			}
			seen[e.Name] = true
		}
	}
	if len(seen) != d.n+1 || answers > 10 {
		t.Errorf("%d names in %d answers", len(seen), answers)
	}
}

// longDir has n names, one that is longer than many, and one that no packet
// can hold.
type longDir struct {
	Unimplemented
	n, at int
}

func (d *longDir) OpenDir(string) (Dir, error) { return d, nil }
func (d *longDir) Close() error                { return nil }
func (d *longDir) Next(e *Entry) error {
	switch d.at++; {
	case d.at == 10:
		e.Name = strings.Repeat("x", MaxPacket+1)
		e.Longname = "-"
	case d.at == 20:
		e.Name = strings.Repeat("y", MaxPacket/2+1000)
		e.Longname = "-"
	case d.at > d.n+2:
		return io.EOF
	default:
		e.Name = fmt.Sprint("name", d.at)
	}
	return nil
}

// users-groups-by-id answers as many as were asked for, whatever fits.
func TestManyIDs(t *testing.T) {
	p := dial(t, &Server{FS: newMemFS()})
	ids := bytes.Repeat([]byte{0, 0, 3, 232}, (MaxPacket-100)/8)
	r := p.ask(Request{Op: OpUsersGroupsByID, UIDs: ids, GIDs: ids})
	var n IDNames
	if err := n.Decode(r.Body); err != nil || len(n.Users) != len(ids)/4 || len(n.Groups) != len(ids)/4 || n.Users[0] != "ann" {
		t.Error(err, len(n.Users), len(n.Groups))
	}
	if size := len(r.Append(nil)); size > MaxPacket+4 {
		t.Errorf("%d bytes", size)
	}
}

// The lines of the log are OpenSSH's; what a client sent does no harm there
// (CLI-6).
func TestLog(t *testing.T) {
	var lines []string
	m := newMemFS()
	s := &Server{FS: m, LogLevel: LevelInfo, Now: func() time.Time { return time.Unix(0, 0).UTC() }}
	s.Log = func(l Level, line string) { lines = append(lines, fmt.Sprint(l, " ", line)) }
	p := dial(t, s)
	p.want(StatusOK, Request{Op: OpMkdir, Path: "/d"})
	p.write("/d/a\nb\x1b\\é", []byte("abc"))
	h := p.open("/d/a\nb\x1b\\é", OpenRead)
	p.ask(Request{Op: OpRead, Handle: h, Length: 2})
	p.want(StatusOK, Request{Op: OpSetstat, Path: "/d", Attr: Attr{Flags: AttrUIDGID | AttrPermissions | AttrACModTime, UID: 1, GID: 2, Mode: 0o755, MTime: 86400}})
	p.want(StatusNoSuchFile, Request{Op: OpRemove, Path: "/x"})
	p.want(StatusOK, Request{Op: OpSymlink, Path: "/l", Target: "t"})
	p.want(StatusNoSuchFile, Request{Op: OpRename, Path: "/o", Target: "/n"})
	p.open("/d", 0)
	p.conn.Close()
	p.ends(nil)
	want := []string{
		`1 mkdir name "/d" mode 0777`,
		`1 open "/d/a\012b\033\\\303\251" flags WRITE,CREATE,TRUNCATE mode 0666`,
		`1 close "/d/a\012b\033\\\303\251" bytes read 0 written 3`,
		`1 open "/d/a\012b\033\\\303\251" flags READ mode 0666`,
		`1 set "/d" mode 0755`,
		`1 set "/d" modtime 19700102-00:00:00`,
		`1 set "/d" owner 1 group 2`,
		`1 remove name "/x"`,
		`1 sent status No such file`,
		`1 symlink old "t" new "/l"`,
		`1 rename old "/o" new "/n"`,
		`1 sent status No such file`,
		`1 opendir "/d"`,
		`1 forced close "/d/a\012b\033\\\303\251" bytes read 2 written 0`,
		`1 forced closedir "/d"`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	lines = nil
	p = dial(t, &Server{FS: m, Log: s.Log, LogEscapes: true, LogLevel: LevelInfo})
	p.want(StatusNoSuchFile, Request{Op: OpRemove, Path: "a\nb"})
	if lines[0] != "1 remove name \"a\nb\"" {
		t.Errorf("%q", lines)
	}
}

// failing fails to write.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error)       { return 0, f.err }
func (f failing) TryWritev([][]byte) (int, error) { return 0, f.err }

func TestWriteFails(t *testing.T) {
	cause := errors.New("gone")
	in := (&Request{Op: OpInit, ID: 3}).Append(nil)
	for _, w := range []io.Writer{failing{cause}, struct{ io.Writer }{failing{cause}}} {
		in := io.MultiReader(bytes.NewReader(in), &counter{b: (&Request{Op: OpLimits}).Append(nil), most: 1 << 20})
		if err := (&Server{FS: newMemFS()}).Serve(in, w); !errors.Is(err, cause) {
			t.Error(err)
		}
	}
}
