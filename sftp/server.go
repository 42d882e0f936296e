package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Sizes of a session. Reading more than inputSize at once brings nothing: a
// pipe holds that much, and what is in the processor's cache stays there.
const (
	inputSize  = 64 << 10  // bytes that are read at once
	minPiece   = 16 << 10  // bytes of a WRITE that are worth a write of their own before the rest is there
	pieceAlign = 4 << 10   // where in the file a piece ends
	namesSize  = 128 << 10 // bytes of names in one answer, about
	copySize   = 256 << 10 // bytes that copy-data moves at once without a Copier

	// DefaultHandles is how many files and folders a session may have open
	// when Server.MaxHandles is 0.
	DefaultHandles = 1024
)

// Errors that end a session, for errors.Is.
var (
	ErrPacketSize = errors.New("sftp: packet is empty or larger than 256 KiB")
	ErrNoInit     = errors.New("sftp: request before INIT")
	ErrNoFS       = errors.New("sftp: Server has no FS")
)

// Level is how important a line of the log is, in OpenSSH's order.
type Level uint8

// Levels.
const (
	LevelError Level = iota
	LevelInfo
	LevelVerbose
	LevelDebug1
	LevelDebug2
	LevelDebug3
)

// Server serves an FS. Its fields may not change while it serves; one Server
// may serve many sessions.
type Server struct {
	FS FS

	// ReadOnly refuses every request that can change something.
	ReadOnly bool
	// Deny are requests that are refused with "Permission denied". Extensions
	// among them are not offered.
	Deny OpSet
	// MaxHandles is how many files and folders a session may have open.
	MaxHandles int

	// Log is given the lines that OpenSSH's sftp-server writes, up to level
	// LogLevel. What clients sent is in them with control characters, bytes
	// beyond ASCII and backslashes escaped, unless LogEscapes says that Log
	// does that itself. nil logs nothing.
	Log        func(l Level, line string)
	LogLevel   Level
	LogEscapes bool

	// Now tells the time for long names that the FS leaves to the server; nil
	// shows every file with its year.
	Now func() time.Time
}

// tryWriter writes what goes at once and never waits; a short count with a nil
// error is a full stream. Streams that have it are written to by the session
// itself as long as they take everything.
type tryWriter interface {
	TryWritev(bufs [][]byte) (int, error)
}

// Serve serves one client until r ends, which is no error, or the stream or
// the protocol fails. Files that are still open are closed then. It closes
// neither r nor w.
func (s *Server) Serve(r io.Reader, w io.Writer) error { return s.serve(r, newOutput(w)) }

func (s *Server) serve(r io.Reader, o *output) (err error) {
	if s.FS == nil {
		return ErrNoFS
	}
	c := &session{server: s, fs: s.FS, r: r, in: make([]byte, inputSize), out: o}
	c.maxHandles = s.MaxHandles
	if c.maxHandles <= 0 {
		c.maxHandles = DefaultHandles
	}
	defer func() {
		c.closeAll()
		if e := c.out.end(); err == nil && e != nil {
			err = fmt.Errorf("sftp: write: %w", e)
		}
	}()
	return c.serve()
}

// session is one client. All of it belongs to the goroutine that serves.
type session struct {
	server *Server
	fs     FS
	r      io.Reader
	in     []byte // buffer; what has arrived is in[start:end]
	start  int
	end    int
	out    *output
	init   bool
	req    Request

	handles    []handle
	free       []uint32 // numbers of unused handles
	open       int
	maxHandles int

	write partialWrite
	copy  []byte // of copy-data
}

// serve reads requests and answers them.
func (c *session) serve() error {
	for {
		for {
			more, err := c.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if err := c.out.full(); err != nil {
				return fmt.Errorf("sftp: write: %w", err)
			}
		}
		if err := c.out.flush(); err != nil {
			return fmt.Errorf("sftp: write: %w", err)
		}
		if c.start > 0 { // a copy: what is left is the front of one packet, less than minPiece of a WRITE
			c.end = copy(c.in, c.in[c.start:c.end])
			c.start = 0
		}
		n, err := c.r.Read(c.in[c.end:])
		c.end += n
		if n == 0 && err != nil {
			if err == io.EOF {
				c.logf(LevelDebug1, "read eof")
				if c.end > 0 || c.write.active {
					return fmt.Errorf("sftp: read: %w", io.ErrUnexpectedEOF)
				}
				return nil
			}
			return fmt.Errorf("sftp: read: %w", err)
		}
	}
}

// next handles the packet at the front of what has arrived, or what has
// arrived of its data; false when it needs more.
func (c *session) next() (bool, error) {
	if c.write.active {
		return c.goOnWriting()
	}
	b := c.in[c.start:c.end]
	if len(b) < 4 {
		return false, nil
	}
	size := binary.BigEndian.Uint32(b)
	if size == 0 || size > MaxPacket {
		return false, fmt.Errorf("%w: %d bytes", ErrPacketSize, size)
	}
	whole := 4 + int(size)
	if len(b) < whole {
		if c.init && len(b) > 4 && b[4] == fxpWrite {
			if began := c.beginPartial(b[4:], int(size)); began {
				return c.goOnWriting()
			}
		}
		if len(c.in) < whole {
			in := make([]byte, whole)
			c.end = copy(in, b)
			c.in, c.start = in, 0
		}
		return false, nil
	}
	c.start += whole
	return true, c.packet(b[4:whole])
}

// packet handles a whole packet.
func (c *session) packet(p []byte) error {
	q := &c.req
	err := q.Decode(p)
	if q.Op == OpInit && err == nil {
		c.hello(q.ID)
		return nil
	}
	if !c.init {
		return fmt.Errorf("%w: type %d", ErrNoInit, p[0])
	}
	if err != nil {
		// The frame is whole, so what follows it can be read.
		c.logf(LevelError, "%v", err)
		c.status(q.ID, StatusBadMessage)
		return nil
	}
	switch {
	case q.Op == OpUnknown && q.Number == fxpExtended:
		c.logf(LevelError, "Unknown extended request \"%.100s\"", c.visible(q.Extension))
		c.status(q.ID, StatusOpUnsupported)
	case q.Op == OpUnknown:
		c.logf(LevelError, "Unknown message %d", q.Number)
		c.status(q.ID, StatusOpUnsupported)
	case !c.permitted(q.Op):
		c.status(q.ID, StatusPermissionDenied)
	default:
		handlers[q.Op](c, q)
	}
	return nil
}

// permitted tells whether requests of kind op are served.
func (c *session) permitted(op Op) bool {
	switch {
	case c.server.ReadOnly && op.Writes():
		c.logf(LevelVerbose, "Refusing %s request in read-only mode", op)
	case c.server.Deny.Has(op):
		c.logf(LevelDebug2, "Refusing denylisted %s request", op)
	default:
		return true
	}
	return false
}

// hello answers INIT with VERSION.
func (c *session) hello(version uint32) {
	c.logf(LevelVerbose, "received client version %d", version)
	c.init = true
	p := Reply{Kind: ReplyVersion, ID: Version}
	for op := range Ops {
		name, version := op.Extension()
		if name == "" || !c.offers(op) {
			continue
		}
		if c.server.Deny.Has(op) || c.server.ReadOnly && op.Writes() {
			c.logf(LevelDebug2, "refusing to advertise disallowed extension %s", op)
			continue
		}
		p.Extensions = append(p.Extensions, Extension{name, version})
	}
	c.reply(&p)
}

// offers tells whether the FS has what the extension needs.
func (c *session) offers(op Op) (ok bool) {
	switch op {
	case OpPosixRename:
		_, ok = c.fs.(PosixRenamer)
	case OpStatVFS, OpFstatVFS:
		_, ok = c.fs.(StatVFSer)
	case OpHardlink:
		_, ok = c.fs.(Linker)
	case OpFsync:
		_, ok = c.fs.(Syncer)
	case OpLsetstat:
		_, ok = c.fs.(LinkSetstater)
	case OpExpandPath:
		_, ok = c.fs.(Expander)
	case OpHomeDirectory:
		_, ok = c.fs.(Homer)
	case OpUsersGroupsByID:
		_, ok = c.fs.(IDNamer)
	case OpLimits, OpCopyData:
		return true
	}
	return ok
}

// reply appends p to what is to be written.
func (c *session) reply(p *Reply) {
	c.out.buf = p.Append(c.out.room())
}

// status answers with a code and its text.
func (c *session) status(id uint32, s Status) { c.statusText(id, s, s.String()) }

func (c *session) statusText(id uint32, s Status, text string) {
	if c.logs(LevelDebug3) {
		c.logf(LevelDebug3, "request %d: sent status %d", id, s)
	}
	if c.server.Log != nil && (c.server.LogLevel > LevelVerbose || s != StatusOK && s != StatusEOF) {
		c.logf(LevelInfo, "sent status %s", s)
	}
	c.reply(&Reply{Kind: ReplyStatus, ID: id, Status: s, Message: text})
}

// fail answers with the status that tells err, OK when it is nil.
func (c *session) fail(id uint32, err error) {
	s := StatusOf(err)
	text := s.String()
	var e *StatusError
	if errors.As(err, &e) && e.Message != "" {
		text = e.Message
	}
	c.statusText(id, s, text)
}

func (c *session) logs(l Level) bool { return c.server.Log != nil && l <= c.server.LogLevel }

// logf gives one line to the log. Text of the client goes through visible.
func (c *session) logf(l Level, format string, args ...any) {
	if c.logs(l) {
		c.server.Log(l, fmt.Sprintf(format, args...))
	}
}

// visible is s as the log is to have it.
func (c *session) visible(s string) string {
	if c.server.LogEscapes {
		return s
	}
	return Visible(s)
}

// Visible is s with everything but printable ASCII shown as \ooo, and
// backslashes doubled: fit for a log and a terminal.
func Visible(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '\\' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, c, c)
		case c >= ' ' && c < 0x7f:
			b = append(b, c)
		default:
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	return string(b)
}

// partialWrite is a WRITE of which something has been handled.
type partialWrite struct {
	active bool
	id     uint32
	h      *handle
	offset uint64
	size   int   // bytes of data in all
	left   int   // bytes of data still to come
	skip   int   // bytes of the packet behind the data
	err    error // the first failure: the rest is passed over
}

// beginPartial starts a WRITE of which p has arrived, size bytes in all. False
// when its fields are not all there, or it has to be whole: a write to the end
// of a file may not be mixed with somebody else's.
func (c *session) beginPartial(p []byte, size int) bool {
	r := wire.NewReader(p[1:])
	id, name, offset, n := r.Uint32(), r.String(), r.Uint64(), r.Uint32()
	head := len(p) - r.Len()
	if r.Err() != nil || len(name) > MaxHandle || uint64(n) > uint64(size-head) {
		return false
	}
	q := &c.req
	*q = Request{Op: OpWrite, ID: id, Number: fxpWrite, Handle: name, Offset: offset}
	h := c.file(name)
	if !c.permitted(OpWrite) {
		c.write = partialWrite{err: &StatusError{Code: StatusPermissionDenied}}
	} else if h != nil && h.flags&OpenAppend != 0 {
		return false
	} else {
		c.write = partialWrite{h: h, err: c.startWrite(q, h, int(n))}
	}
	w := &c.write
	w.active, w.id, w.offset, w.size, w.left, w.skip = true, id, offset, int(n), int(n), size-head-int(n)
	c.start += 4 + head
	return true
}

// goOnWriting writes what has arrived of a WRITE's data.
func (c *session) goOnWriting() (bool, error) {
	w := &c.write
	have := c.end - c.start
	n := min(have, w.left)
	if n < w.left && w.err == nil {
		if n < minPiece {
			return false, nil
		}
		n -= int((w.offset + uint64(n)) % pieceAlign)
	}
	if w.err == nil && n > 0 {
		_, err := w.h.file.WriteAt(c.in[c.start:c.start+n], int64(w.offset))
		w.err = err
	}
	w.offset += uint64(n)
	w.left -= n
	c.start += n
	if w.left > 0 {
		return false, nil
	}
	n = min(c.end-c.start, w.skip)
	c.start += n
	if w.skip -= n; w.skip > 0 {
		return false, nil
	}
	w.active = false
	c.endWrite(w.id, w.h, w.size, w.err)
	return true, nil
}
