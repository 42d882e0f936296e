package sftp

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// handlers are the server's answers, in the table's order. Each sends exactly
// one.
var handlers = [opCount]func(*session, *Request){
	OpOpen:            (*session).doOpen,
	OpClose:           (*session).doClose,
	OpRead:            (*session).doRead,
	OpWrite:           (*session).doWrite,
	OpLstat:           (*session).doStat,
	OpFstat:           (*session).doFstat,
	OpSetstat:         (*session).doSetstat,
	OpFsetstat:        (*session).doFsetstat,
	OpOpendir:         (*session).doOpendir,
	OpReaddir:         (*session).doReaddir,
	OpRemove:          (*session).doRemove,
	OpMkdir:           (*session).doMkdir,
	OpRmdir:           (*session).doRmdir,
	OpRealpath:        (*session).doRealpath,
	OpStat:            (*session).doStat,
	OpRename:          (*session).doRename,
	OpReadlink:        (*session).doReadlink,
	OpSymlink:         (*session).doSymlink,
	OpPosixRename:     (*session).doPosixRename,
	OpStatVFS:         (*session).doStatVFS,
	OpFstatVFS:        (*session).doFstatVFS,
	OpHardlink:        (*session).doHardlink,
	OpFsync:           (*session).doFsync,
	OpLsetstat:        (*session).doLsetstat,
	OpLimits:          (*session).doLimits,
	OpExpandPath:      (*session).doExpandPath,
	OpCopyData:        (*session).doCopyData,
	OpHomeDirectory:   (*session).doHomeDirectory,
	OpUsersGroupsByID: (*session).doUsersGroupsByID,
}

// errOffset is what lseek(2) says of an offset below zero.
var errOffset = &StatusError{Code: StatusBadMessage}

// goodOffset tells whether n bytes at offset are within 63 bits.
func goodOffset(offset, n uint64) bool {
	return offset <= math.MaxInt64 && n <= math.MaxInt64-offset
}

func (c *session) doOpen(q *Request) {
	c.logf(LevelDebug3, "request %d: open flags %d", q.ID, q.Flags)
	mode := uint32(0o666)
	if q.Attr.Flags&AttrPermissions != 0 {
		mode = q.Attr.Mode
	}
	c.logf(LevelInfo, "open \"%s\" flags %s mode 0%o", c.visible(q.Path), q.Flags, mode)
	if c.server.ReadOnly && q.Flags.writes() {
		c.logf(LevelVerbose, "Refusing open request in read-only mode")
		c.status(q.ID, StatusPermissionDenied)
		return
	}
	if !c.hasRoom() {
		c.status(q.ID, StatusFailure)
		return
	}
	f, err := c.fs.Open(q.Path, q.Flags, &q.Attr)
	if err != nil {
		c.fail(q.ID, err)
		return
	}
	c.sendHandle(q.ID, handle{file: f, name: q.Path, flags: q.Flags})
}

func (c *session) sendHandle(id uint32, h handle) {
	name := c.give(h)
	c.logf(LevelDebug1, "request %d: sent handle handle %d", id, number(name[:]))
	c.reply(&Reply{Kind: ReplyHandle, ID: id, Handle: name[:]})
}

func (c *session) doClose(q *Request) {
	c.logf(LevelDebug3, "request %d: close handle %d", q.ID, number(q.Handle))
	h := c.handleOf(q.Handle)
	c.logClose(h, "")
	if h == nil {
		c.status(q.ID, StatusNoSuchFile) // as OpenSSH
		return
	}
	c.fail(q.ID, c.release(q.Handle, h))
}

// doRead reads straight into the answer.
func (c *session) doRead(q *Request) {
	if c.logs(LevelDebug1) {
		c.logf(LevelDebug1, "request %d: read \"%s\" (handle %d) off %d len %d", q.ID, c.nameOf(q.Handle), number(q.Handle), q.Offset, q.Length)
	}
	h := c.file(q.Handle)
	if h == nil {
		c.status(q.ID, StatusFailure)
		return
	}
	want := min(q.Length, MaxRead)
	if !goodOffset(q.Offset, want) {
		c.status(q.ID, StatusBadMessage)
		return
	}
	const head = 13 // length, type, id, length of the data
	b := c.out.room()
	at := len(b)
	b = b[:at+head+int(want)]
	n := 0
	if want > 0 {
		var err error
		n, err = h.file.ReadAt(b[at+head:], int64(q.Offset))
		if n == 0 {
			if err == nil {
				err = io.EOF
			}
			c.fail(q.ID, err)
			return
		}
	}
	h.read += uint64(n)
	if c.logs(LevelDebug1) {
		c.logf(LevelDebug1, "request %d: sent data len %d", q.ID, n)
	}
	p := b[at:]
	binary.BigEndian.PutUint32(p, uint32(head-4+n))
	p[4] = fxpData
	binary.BigEndian.PutUint32(p[5:], q.ID)
	binary.BigEndian.PutUint32(p[9:], uint32(n))
	c.out.buf = b[:at+head+n]
}

// startWrite checks a WRITE of n bytes to h.
func (c *session) startWrite(q *Request, h *handle, n int) error {
	if c.logs(LevelDebug1) {
		c.logf(LevelDebug1, "request %d: write \"%s\" (handle %d) off %d len %d", q.ID, c.nameOf(q.Handle), number(q.Handle), q.Offset, n)
	}
	if h == nil {
		return &StatusError{Code: StatusFailure}
	}
	if !goodOffset(q.Offset, uint64(n)) {
		return errOffset
	}
	return nil
}

// endWrite answers a WRITE of n bytes.
func (c *session) endWrite(id uint32, h *handle, n int, err error) {
	if err == nil {
		h.written += uint64(n)
	}
	c.fail(id, err)
}

func (c *session) doWrite(q *Request) {
	h := c.file(q.Handle)
	if h != nil && h.flags&OpenAppend != 0 {
		q.Offset = 0 // means nothing
	}
	err := c.startWrite(q, h, len(q.Data))
	if err == nil && len(q.Data) > 0 {
		_, err = h.file.WriteAt(q.Data, int64(q.Offset))
	}
	c.endWrite(q.ID, h, len(q.Data), err)
}

func (c *session) sendAttr(id uint32, a *Attr, err error) {
	if err != nil {
		c.fail(id, err)
		return
	}
	c.logf(LevelDebug1, "request %d: sent attrib have 0x%x", id, uint32(a.Flags))
	c.reply(&Reply{Kind: ReplyAttrs, ID: id, Attr: *a})
}

func (c *session) doStat(q *Request) {
	c.logf(LevelDebug3, "request %d: %s", q.ID, q.Op)
	c.logf(LevelVerbose, "%s name \"%s\"", q.Op, c.visible(q.Path))
	var a Attr
	stat := c.fs.Stat
	if q.Op == OpLstat {
		stat = c.fs.Lstat
	}
	err := stat(q.Path, &a)
	c.sendAttr(q.ID, &a, err)
}

func (c *session) doFstat(q *Request) {
	c.logf(LevelDebug1, "request %d: fstat \"%s\" (handle %d)", q.ID, c.nameOf(q.Handle), number(q.Handle))
	h := c.file(q.Handle)
	if h == nil {
		c.status(q.ID, StatusFailure)
		return
	}
	var a Attr
	err := h.file.Stat(&a)
	c.sendAttr(q.ID, &a, err)
}

// setEach sets what a names one after the other, in OpenSSH's order; a failure
// does not stop the rest, and the last one is told.
func (c *session) setEach(name string, a *Attr, set func(*Attr) error) (err error) {
	for _, flag := range [...]AttrFlags{AttrSize, AttrPermissions, AttrACModTime, AttrUIDGID} {
		if a.Flags&flag == 0 {
			continue
		}
		if c.logs(LevelInfo) {
			name := c.visible(name)
			switch flag {
			case AttrSize:
				c.logf(LevelInfo, "set \"%s\" size %d", name, a.Size)
			case AttrPermissions:
				c.logf(LevelInfo, "set \"%s\" mode %04o", name, a.Mode)
			case AttrACModTime:
				c.logf(LevelInfo, "set \"%s\" modtime %s", name, c.clock(a.MTime))
			case AttrUIDGID:
				c.logf(LevelInfo, "set \"%s\" owner %d group %d", name, a.UID, a.GID)
			}
		}
		one := *a
		one.Flags = flag
		if e := set(&one); e != nil {
			err = e
		}
	}
	return err
}

// clock is a time in the form of sftp-server's log.
func (c *session) clock(seconds uint32) string {
	t := time.Unix(int64(seconds), 0).UTC()
	if c.server.Now != nil {
		t = t.In(c.server.Now().Location())
	}
	return t.Format("20060102-15:04:05")
}

func (c *session) doSetstat(q *Request) {
	c.logf(LevelDebug1, "request %d: setstat name \"%s\"", q.ID, c.visible(q.Path))
	c.fail(q.ID, c.setEach(q.Path, &q.Attr, func(a *Attr) error { return c.fs.Setstat(q.Path, a) }))
}

func (c *session) doFsetstat(q *Request) {
	c.logf(LevelDebug1, "request %d: fsetstat handle %d", q.ID, number(q.Handle))
	h := c.file(q.Handle)
	if h == nil {
		c.status(q.ID, StatusFailure)
		return
	}
	c.fail(q.ID, c.setEach(h.name, &q.Attr, h.file.Setstat))
}

func (c *session) doOpendir(q *Request) {
	c.logf(LevelDebug3, "request %d: opendir", q.ID)
	c.logf(LevelInfo, "opendir \"%s\"", c.visible(q.Path))
	if !c.hasRoom() {
		c.status(q.ID, StatusFailure)
		return
	}
	d, err := c.fs.OpenDir(q.Path)
	if err != nil {
		c.fail(q.ID, err)
		return
	}
	c.sendHandle(q.ID, handle{dir: d, name: q.Path})
}

// doReaddir fills an answer with names.
func (c *session) doReaddir(q *Request) {
	c.logf(LevelDebug1, "request %d: readdir \"%s\" (handle %d)", q.ID, c.nameOf(q.Handle), number(q.Handle))
	h := c.handleOf(q.Handle)
	if h == nil || h.dir == nil {
		c.status(q.ID, StatusFailure)
		return
	}
	b := c.out.room()
	at := len(b)
	b = append(b, 0, 0, 0, 0, fxpName)
	b = wire.AppendUint32(b, q.ID)
	b = wire.AppendUint32(b, 0)
	const head = 13
	count := uint32(0)
	var err error
	for {
		if !h.pending {
			h.next = Entry{}
			if err = h.dir.Next(&h.next); err != nil {
				break
			}
			if h.next.Longname == "" {
				h.next.Longname = c.longname(&h.next)
			}
			h.pending = true
		}
		before := len(b)
		b = h.next.append(b)
		if size := len(b) - at; size > head && count > 0 && size > namesSize {
			b = b[:before] // for the next answer
			break
		} else if size > MaxPacket {
			b, h.pending = b[:before], false // a name that cannot be told
			continue
		}
		h.pending = false
		count++
	}
	if count == 0 {
		if err == nil {
			err = io.EOF
		}
		c.fail(q.ID, err)
		return
	}
	c.logf(LevelDebug1, "request %d: sent names count %d", q.ID, count)
	b = setLength(b, at)
	binary.BigEndian.PutUint32(b[at+9:], count)
	c.out.buf = b
}

// longname is the long name of an entry whose FS made none.
func (c *session) longname(e *Entry) string {
	var now time.Time
	if c.server.Now != nil {
		now = c.server.Now()
	}
	return string(AppendLongname(nil, e.Name, &e.Attr, "?", decimal(e.Attr.UID), decimal(e.Attr.GID), now))
}

func (c *session) doRemove(q *Request) {
	c.logf(LevelDebug3, "request %d: remove", q.ID)
	c.logf(LevelInfo, "remove name \"%s\"", c.visible(q.Path))
	c.fail(q.ID, c.fs.Remove(q.Path))
}

func (c *session) doMkdir(q *Request) {
	mode := uint32(0o777)
	if q.Attr.Flags&AttrPermissions != 0 {
		mode = q.Attr.Mode & 0o7777
	}
	c.logf(LevelDebug3, "request %d: mkdir", q.ID)
	c.logf(LevelInfo, "mkdir name \"%s\" mode 0%o", c.visible(q.Path), mode)
	c.fail(q.ID, c.fs.Mkdir(q.Path, mode))
}

func (c *session) doRmdir(q *Request) {
	c.logf(LevelDebug3, "request %d: rmdir", q.ID)
	c.logf(LevelInfo, "rmdir name \"%s\"", c.visible(q.Path))
	c.fail(q.ID, c.fs.Rmdir(q.Path))
}

// sendName answers with one name, without attributes.
func (c *session) sendName(id uint32, name string, err error) {
	if err != nil {
		c.fail(id, err)
		return
	}
	c.logf(LevelDebug1, "request %d: sent names count 1", id)
	c.reply(&Reply{Kind: ReplyName, ID: id, Names: []Entry{{Name: name, Longname: name}}})
}

func (c *session) doRealpath(q *Request) {
	c.logf(LevelDebug3, "request %d: realpath", q.ID)
	if q.Path == "" {
		q.Path = "."
	}
	c.logf(LevelVerbose, "realpath \"%s\"", c.visible(q.Path))
	name, err := c.fs.RealPath(q.Path)
	c.sendName(q.ID, name, err)
}

func (c *session) doRename(q *Request) {
	c.logTwo(q)
	c.fail(q.ID, c.fs.Rename(q.Path, q.Target))
}

// logTwo is the line of a request with an old and a new name.
func (c *session) logTwo(q *Request) {
	c.logf(LevelDebug3, "request %d: %s", q.ID, q.Op)
	c.logf(LevelInfo, "%s old \"%s\" new \"%s\"", q.Op, c.visible(q.Path), c.visible(q.Target))
}

func (c *session) doReadlink(q *Request) {
	c.logf(LevelDebug3, "request %d: readlink", q.ID)
	c.logf(LevelVerbose, "readlink \"%s\"", c.visible(q.Path))
	name, err := c.fs.Readlink(q.Path)
	c.sendName(q.ID, name, err)
}

func (c *session) doSymlink(q *Request) {
	c.logf(LevelDebug3, "request %d: symlink", q.ID)
	c.logf(LevelInfo, "symlink old \"%s\" new \"%s\"", c.visible(q.Target), c.visible(q.Path))
	c.fail(q.ID, c.fs.Symlink(q.Target, q.Path))
}

func (c *session) doPosixRename(q *Request) {
	fs, ok := c.fs.(PosixRenamer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logTwo(q)
	c.fail(q.ID, fs.PosixRename(q.Path, q.Target))
}

// unsupported answers an extension that the FS lacks.
func (c *session) unsupported(q *Request) { c.fail(q.ID, errors.ErrUnsupported) }

func (c *session) sendVFS(id uint32, v *VFS, err error) {
	if err != nil {
		c.fail(id, err)
		return
	}
	c.extended(id, v.Append(nil))
}

func (c *session) extended(id uint32, body []byte) {
	c.reply(&Reply{Kind: ReplyExtended, ID: id, Body: body})
}

func (c *session) doStatVFS(q *Request) {
	fs, ok := c.fs.(StatVFSer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug3, "request %d: statvfs", q.ID)
	c.logf(LevelInfo, "statvfs \"%s\"", c.visible(q.Path))
	var v VFS
	err := fs.StatVFS(q.Path, &v)
	c.sendVFS(q.ID, &v, err)
}

func (c *session) doFstatVFS(q *Request) {
	fs, ok := c.fs.(StatVFSer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug1, "request %d: fstatvfs \"%s\" (handle %d)", q.ID, c.nameOf(q.Handle), number(q.Handle))
	h := c.file(q.Handle)
	if h == nil {
		c.status(q.ID, StatusFailure)
		return
	}
	var v VFS
	err := fs.FstatVFS(h.file, &v)
	c.sendVFS(q.ID, &v, err)
}

func (c *session) doHardlink(q *Request) {
	fs, ok := c.fs.(Linker)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logTwo(q)
	c.fail(q.ID, fs.Link(q.Path, q.Target))
}

func (c *session) doFsync(q *Request) {
	fs, ok := c.fs.(Syncer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug3, "request %d: fsync (handle %d)", q.ID, number(q.Handle))
	c.logf(LevelVerbose, "fsync \"%s\"", c.nameOf(q.Handle))
	h := c.file(q.Handle)
	if h == nil {
		c.status(q.ID, StatusNoSuchFile) // as OpenSSH
		return
	}
	c.fail(q.ID, fs.Sync(h.file))
}

func (c *session) doLsetstat(q *Request) {
	fs, ok := c.fs.(LinkSetstater)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug1, "request %d: lsetstat name \"%s\"", q.ID, c.visible(q.Path))
	if q.Attr.Flags&AttrSize != 0 { // a link has none that could be set
		c.status(q.ID, StatusBadMessage)
		return
	}
	c.fail(q.ID, c.setEach(q.Path, &q.Attr, func(a *Attr) error { return fs.Lsetstat(q.Path, a) }))
}

func (c *session) doLimits(q *Request) {
	c.logf(LevelDebug1, "request %d: limits", q.ID)
	l := Limits{Packet: MaxPacket, Read: MaxRead, Write: MaxWrite, Handles: uint64(c.maxHandles)}
	c.extended(q.ID, l.Append(nil))
}

func (c *session) doExpandPath(q *Request) {
	fs, ok := c.fs.(Expander)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug3, "request %d: expand, original \"%s\"", q.ID, c.visible(q.Path))
	name, err := fs.Expand(q.Path)
	if err == nil {
		c.logf(LevelVerbose, "expand \"%s\"", c.visible(name))
		name, err = c.fs.RealPath(name)
	}
	c.sendName(q.ID, name, err)
}

// doCopyData copies between two open files. A file onto itself would grow for
// ever, so that is refused (SFT-8).
func (c *session) doCopyData(q *Request) {
	src, dst := c.file(q.Handle), c.file(q.Handle2)
	c.logf(LevelDebug1, "request %d: copy-data from \"%s\" (handle %d) off %d len %d to \"%s\" (handle %d) off %d", q.ID,
		c.nameOf(q.Handle), number(q.Handle), q.Offset, q.Length, c.nameOf(q.Handle2), number(q.Handle2), q.Offset2)
	copier, _ := c.fs.(Copier)
	if src == nil || dst == nil || src == dst || src.name == dst.name || copier != nil && copier.SameFile(src.file, dst.file) {
		c.status(q.ID, StatusFailure)
		return
	}
	if dst.flags&OpenAppend != 0 {
		q.Offset2 = 0 // means nothing
	}
	left, toEnd := q.Length, q.Length == 0
	if q.Offset > math.MaxInt64 || q.Offset2 > math.MaxInt64 {
		c.status(q.ID, StatusBadMessage)
		return
	}
	if most := uint64(math.MaxInt64) - max(q.Offset, q.Offset2); toEnd || left > most {
		left = most
	}
	move := c.copyPiece
	if copier != nil {
		move = copier.CopyData
	}
	from, to := q.Offset, q.Offset2
	var err error
	for left > 0 {
		var n uint64
		n, err = move(dst.file, to, src.file, from, left)
		n = min(n, left)
		src.read += n
		dst.written += n
		from, to, left = from+n, to+n, left-n
		if err != nil {
			break
		}
		if n == 0 {
			if !toEnd {
				err = io.EOF
			}
			break
		}
	}
	c.fail(q.ID, err)
}

// copyPiece is CopyData by reading and writing.
func (c *session) copyPiece(dst File, dstOff uint64, src File, srcOff, n uint64) (uint64, error) {
	if c.copy == nil {
		c.copy = make([]byte, copySize)
	}
	m, err := src.ReadAt(c.copy[:min(n, copySize)], int64(srcOff))
	if m == 0 {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	k, err := dst.WriteAt(c.copy[:m], int64(dstOff))
	return uint64(max(k, 0)), err
}

func (c *session) doHomeDirectory(q *Request) {
	fs, ok := c.fs.(Homer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug3, "request %d: home-directory \"%s\"", q.ID, c.visible(q.Path))
	name, err := fs.HomeDirectory(q.Path)
	if err == nil {
		c.logf(LevelVerbose, "home-directory \"%s\"", c.visible(name))
	}
	c.sendName(q.ID, name, err)
}

// doUsersGroupsByID names ids. The answer has as many strings as were asked
// for; those for which the packet has no room are empty, as for ids without a
// name.
func (c *session) doUsersGroupsByID(q *Request) {
	fs, ok := c.fs.(IDNamer)
	if !ok {
		c.unsupported(q)
		return
	}
	c.logf(LevelDebug3, "request %d: users-groups-by-id", q.ID)
	const head = 1 + 4 + 4 + 4
	room := MaxPacket - head - len(q.UIDs) - len(q.GIDs)
	names := func(ids []byte, name func(uint32) string) []string {
		list := make([]string, 0, len(ids)/4)
		for ; len(ids) > 0; ids = ids[4:] {
			s := ""
			if room > 0 {
				if s = name(binary.BigEndian.Uint32(ids)); len(s) > room {
					s = ""
				}
				room -= len(s)
			}
			list = append(list, s)
		}
		return list
	}
	var n IDNames
	n.Users = names(q.UIDs, fs.UserName)
	n.Groups = names(q.GIDs, fs.GroupName)
	c.logf(LevelVerbose, "users-groups-by-id: %d users, %d groups", len(n.Users), len(n.Groups))
	c.extended(q.ID, n.Append(nil))
}
