package sftp

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// What a memFS holds, at most: hostile streams are run over it.
const (
	memNodes = 256
	memBytes = 1 << 20 // of one file
)

// memFS is a tree in memory with all extensions. Names are absolute or
// relative to "/".
type memFS struct {
	nodes map[string]*memNode // by clean absolute name
	opens int                 // files and folders that are open
	full  bool                // the disk is full: no write succeeds
}

type memNode struct {
	attr Attr
	data []byte
	link string
}

func newMemFS() *memFS {
	m := &memFS{nodes: map[string]*memNode{}}
	m.nodes["/"] = &memNode{attr: Attr{Flags: AttrAll, Mode: ModeDir | 0o755}}
	return m
}

func (m *memFS) clean(name string) string { return path.Clean("/" + name) }

// find follows links, a few.
func (m *memFS) find(name string) (string, *memNode, error) {
	name = m.clean(name)
	for range 8 {
		n := m.nodes[name]
		if n == nil {
			return name, nil, fs.ErrNotExist
		}
		if n.attr.Mode&ModeType != ModeSymlink {
			return name, n, nil
		}
		if strings.HasPrefix(n.link, "/") {
			name = m.clean(n.link)
		} else {
			name = m.clean(path.Dir(name) + "/" + n.link)
		}
	}
	return name, nil, fs.ErrNotExist
}

func (m *memFS) make(name string, mode uint32) (*memNode, error) {
	name = m.clean(name)
	if m.nodes[name] != nil {
		return nil, fs.ErrExist
	}
	if p := m.nodes[path.Dir(name)]; p == nil || p.attr.Mode&ModeType != ModeDir {
		return nil, fs.ErrNotExist
	}
	if len(m.nodes) >= memNodes {
		return nil, errors.New("no room")
	}
	n := &memNode{attr: Attr{Flags: AttrAll, Mode: mode, UID: 1, GID: 2, ATime: 3, MTime: 4}}
	m.nodes[name] = n
	return n, nil
}

func (m *memFS) Open(name string, flags OpenFlags, a *Attr) (File, error) {
	_, n, err := m.find(name)
	if n == nil && flags&OpenCreate != 0 {
		mode := uint32(0o644)
		if a.Flags&AttrPermissions != 0 {
			mode = a.Mode & 0o7777
		}
		if n, err = m.make(name, ModeRegular|mode); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	} else if flags&(OpenCreate|OpenExcl) == OpenCreate|OpenExcl {
		return nil, fs.ErrExist
	}
	if n.attr.Mode&ModeType != ModeRegular {
		return nil, errors.New("not a file")
	}
	if flags&OpenTruncate != 0 {
		n.data = nil
	}
	m.opens++
	return &memFile{m: m, n: n, flags: flags}, nil
}

type memFile struct {
	m     *memFS
	n     *memNode
	flags OpenFlags
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if f.flags&OpenWrite != 0 && f.flags&OpenRead == 0 {
		return 0, &StatusError{Code: StatusNoSuchFile} // EBADF
	}
	if off < 0 {
		panic("a negative offset reached the FS")
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if f.flags&OpenWrite == 0 {
		return 0, &StatusError{Code: StatusNoSuchFile}
	}
	if off < 0 {
		panic("a negative offset reached the FS")
	}
	if f.flags&OpenAppend != 0 {
		off = int64(len(f.n.data))
	}
	if f.m.full || off > memBytes || off+int64(len(p)) > memBytes {
		return 0, errors.New("no room")
	}
	if end := int(off) + len(p); end > len(f.n.data) {
		f.n.data = append(f.n.data, make([]byte, end-len(f.n.data))...)
	}
	return copy(f.n.data[off:], p), nil
}

func (f *memFile) Stat(a *Attr) error { return f.n.stat(a) }

func (n *memNode) stat(a *Attr) error {
	*a = n.attr
	a.Size = uint64(len(n.data))
	return nil
}

func (f *memFile) Setstat(a *Attr) error { return f.n.set(a) }

func (n *memNode) set(a *Attr) error {
	if a.Flags&AttrSize != 0 {
		if a.Size > memBytes {
			return errors.New("no room")
		}
		n.data = append(n.data, make([]byte, memBytes)...)[:a.Size:a.Size]
	}
	if a.Flags&AttrPermissions != 0 {
		n.attr.Mode = n.attr.Mode&ModeType | a.Mode&0o7777
	}
	if a.Flags&AttrUIDGID != 0 {
		n.attr.UID, n.attr.GID = a.UID, a.GID
	}
	if a.Flags&AttrACModTime != 0 {
		n.attr.ATime, n.attr.MTime = a.ATime, a.MTime
	}
	return nil
}

func (f *memFile) Close() error {
	f.m.opens--
	return nil
}

func (m *memFS) children(name string) (names []string) {
	for n := range m.nodes {
		if n != "/" && path.Dir(n) == name {
			names = append(names, path.Base(n))
		}
	}
	sort.Strings(names)
	return names
}

type memDir struct {
	m     *memFS
	at    string
	names []string
}

func (m *memFS) OpenDir(name string) (Dir, error) {
	at, n, err := m.find(name)
	if err != nil {
		return nil, err
	}
	if n.attr.Mode&ModeType != ModeDir {
		return nil, fs.ErrNotExist
	}
	m.opens++
	return &memDir{m, at, append([]string{".", ".."}, m.children(at)...)}, nil
}

func (d *memDir) Next(e *Entry) error {
	for len(d.names) > 0 {
		name := d.names[0]
		d.names = d.names[1:]
		if n := d.m.nodes[d.m.clean(d.at+"/"+name)]; n != nil {
			e.Name = name
			return n.stat(&e.Attr)
		}
	}
	return io.EOF
}

func (d *memDir) Close() error {
	d.m.opens--
	return nil
}

func (m *memFS) Stat(name string, a *Attr) error {
	_, n, err := m.find(name)
	if err != nil {
		return err
	}
	return n.stat(a)
}

func (m *memFS) Lstat(name string, a *Attr) error {
	n := m.nodes[m.clean(name)]
	if n == nil {
		return fs.ErrNotExist
	}
	return n.stat(a)
}

func (m *memFS) Setstat(name string, a *Attr) error {
	_, n, err := m.find(name)
	if err != nil {
		return err
	}
	return n.set(a)
}

func (m *memFS) Lsetstat(name string, a *Attr) error {
	n := m.nodes[m.clean(name)]
	if n == nil {
		return fs.ErrNotExist
	}
	return n.set(a)
}

func (m *memFS) Remove(name string) error {
	name = m.clean(name)
	n := m.nodes[name]
	if n == nil {
		return fs.ErrNotExist
	}
	if n.attr.Mode&ModeType == ModeDir {
		return errors.New("a folder")
	}
	delete(m.nodes, name)
	return nil
}

func (m *memFS) Mkdir(name string, mode uint32) error {
	_, err := m.make(name, ModeDir|mode)
	return err
}

func (m *memFS) Rmdir(name string) error {
	name = m.clean(name)
	n := m.nodes[name]
	if n == nil || n.attr.Mode&ModeType != ModeDir {
		return fs.ErrNotExist
	}
	if name == "/" || len(m.children(name)) > 0 {
		return errors.New("not empty")
	}
	delete(m.nodes, name)
	return nil
}

func (m *memFS) RealPath(name string) (string, error) { return m.clean(name), nil }

func (m *memFS) Rename(oldname, newname string) error {
	if m.nodes[m.clean(newname)] != nil {
		return fs.ErrExist
	}
	return m.PosixRename(oldname, newname)
}

func (m *memFS) PosixRename(oldname, newname string) error {
	oldname, newname = m.clean(oldname), m.clean(newname)
	n := m.nodes[oldname]
	if n == nil {
		return fs.ErrNotExist
	}
	if n.attr.Mode&ModeType == ModeDir || m.nodes[path.Dir(newname)] == nil {
		return errors.New("not here")
	}
	if o := m.nodes[newname]; o != nil && o.attr.Mode&ModeType == ModeDir {
		return errors.New("a folder")
	}
	delete(m.nodes, oldname)
	m.nodes[newname] = n
	return nil
}

func (m *memFS) Readlink(name string) (string, error) {
	n := m.nodes[m.clean(name)]
	if n == nil {
		return "", fs.ErrNotExist
	}
	if n.attr.Mode&ModeType != ModeSymlink {
		return "", fs.ErrInvalid
	}
	return n.link, nil
}

func (m *memFS) Symlink(target, name string) error {
	n, err := m.make(name, ModeSymlink|0o777)
	if err == nil {
		n.link = target
	}
	return err
}

func (m *memFS) Link(oldname, newname string) error {
	_, n, err := m.find(oldname)
	if err != nil {
		return err
	}
	o, err := m.make(newname, 0)
	if err != nil {
		return err
	}
	*o = *n
	return nil
}

func (m *memFS) Sync(File) error { return nil }

func (m *memFS) StatVFS(name string, v *VFS) error {
	*v = VFS{1, 2, 3, 4, 5, 6, 7, 8, 9, VFSReadOnly, 255}
	return m.Stat(name, new(Attr))
}

func (m *memFS) FstatVFS(_ File, v *VFS) error { return m.StatVFS("/", v) }

func (m *memFS) Expand(name string) (string, error) {
	if strings.HasPrefix(name, "~nobody") {
		return "", &StatusError{Code: StatusNoSuchFile, Message: "no such user"}
	}
	return m.clean(strings.TrimPrefix(name, "~")), nil
}

func (m *memFS) HomeDirectory(user string) (string, error) {
	if user != "" && user != "ann" {
		return "", errors.New("who")
	}
	return "/home/ann", nil
}

func (m *memFS) UserName(uid uint32) string {
	if uid == 1000 {
		return "ann"
	}
	return ""
}

func (m *memFS) GroupName(gid uint32) string {
	if gid == 100 {
		return "users"
	}
	return ""
}
