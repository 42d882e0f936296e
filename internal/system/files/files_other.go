//go:build !linux && !darwin && !freebsd && !openbsd

package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/nacre-ssh/nacre/sftp"
)

// What a system without POSIX's calls has of them: owners are not told, and
// not set.

func status(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &sftp.StatusError{Code: sftp.StatusOf(err), Err: err}
}

func tooLong() error          { return &sftp.StatusError{Code: sftp.StatusBadMessage} }
func tooManyLinks() error     { return &sftp.StatusError{Code: sftp.StatusNoSuchFile} }
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
func unsupported() error      { return &sftp.StatusError{Code: sftp.StatusOpUnsupported} }

// DescriptorLimit is unknown here.
func DescriptorLimit() uint64 { return 0 }

// Umask has no meaning here.
func Umask(int) {}

func workingDir() (string, error) {
	dir, err := os.Getwd()
	return dir, status(err)
}

func linkAt(name string) (link string, isLink bool, err error) {
	st, err := os.Lstat(name)
	if err != nil {
		return "", false, status(err)
	}
	if st.Mode()&fs.ModeSymlink == 0 {
		return "", false, nil
	}
	link, err = os.Readlink(name)
	return link, true, status(err)
}

func attrOf(a *sftp.Attr, st fs.FileInfo) {
	*a = sftp.Attr{
		Flags: sftp.AttrSize | sftp.AttrPermissions | sftp.AttrACModTime,
		Size:  uint64(st.Size()),
		Mode:  uint32(st.Mode().Perm()),
		ATime: uint32(st.ModTime().Unix()),
		MTime: uint32(st.ModTime().Unix()),
	}
	switch m := st.Mode(); {
	case m.IsDir():
		a.Mode |= sftp.ModeDir
	case m&fs.ModeSymlink != 0:
		a.Mode |= sftp.ModeSymlink
	default:
		a.Mode |= sftp.ModeRegular
	}
}

// Open opens or makes a file.
func (t *Tree) Open(name string, flags sftp.OpenFlags, a *sftp.Attr) (sftp.File, error) {
	how := os.O_RDONLY
	switch flags & (sftp.OpenRead | sftp.OpenWrite) {
	case sftp.OpenRead | sftp.OpenWrite:
		how = os.O_RDWR
	case sftp.OpenWrite:
		how = os.O_WRONLY
	}
	if flags&sftp.OpenAppend != 0 {
		how |= os.O_APPEND
	}
	if flags&sftp.OpenCreate != 0 {
		how |= os.O_CREATE
	}
	if flags&sftp.OpenTruncate != 0 {
		how |= os.O_TRUNC
	}
	if flags&sftp.OpenExcl != 0 {
		how |= os.O_EXCL
	}
	mode := fs.FileMode(0o666)
	if a.Flags&sftp.AttrPermissions != 0 {
		mode = fs.FileMode(a.Mode & 0o777)
	}
	f, err := os.OpenFile(name, how, mode)
	if err != nil {
		return nil, status(err)
	}
	return &file{f: f, appends: flags&sftp.OpenAppend != 0}, nil
}

type file struct {
	f       *os.File
	appends bool
}

// ReadAt reads at off.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	return n, status(err)
}

// WriteAt writes all of p, to the end of a file that was opened so.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	if f.appends {
		n, err = f.f.Write(p)
	} else {
		n, err = f.f.WriteAt(p, off)
	}
	return n, status(err)
}

// Stat fills a.
func (f *file) Stat(a *sftp.Attr) error {
	st, err := f.f.Stat()
	if err != nil {
		return status(err)
	}
	attrOf(a, st)
	return nil
}

// Setstat sets what a.Flags names.
func (f *file) Setstat(a *sftp.Attr) error {
	if a.Flags&sftp.AttrSize != 0 {
		if err := f.f.Truncate(int64(a.Size)); err != nil {
			return status(err)
		}
	}
	a.Flags &^= sftp.AttrSize
	return set(f.f.Name(), a)
}

// Close closes the file.
func (f *file) Close() error { return status(f.f.Close()) }

func set(name string, a *sftp.Attr) error {
	var err error
	if a.Flags&sftp.AttrSize != 0 {
		err = os.Truncate(name, int64(a.Size))
	}
	if a.Flags&sftp.AttrPermissions != 0 && err == nil {
		err = os.Chmod(name, fs.FileMode(a.Mode&0o777))
	}
	if a.Flags&sftp.AttrACModTime != 0 && err == nil {
		err = os.Chtimes(name, time.Unix(int64(a.ATime), 0), time.Unix(int64(a.MTime), 0))
	}
	if a.Flags&sftp.AttrUIDGID != 0 && err == nil {
		return unsupported()
	}
	return status(err)
}

// Stat fills a, following links.
func (t *Tree) Stat(name string, a *sftp.Attr) error {
	st, err := os.Stat(name)
	if err != nil {
		return status(err)
	}
	attrOf(a, st)
	return nil
}

// Lstat fills a, of a link itself.
func (t *Tree) Lstat(name string, a *sftp.Attr) error {
	st, err := os.Lstat(name)
	if err != nil {
		return status(err)
	}
	attrOf(a, st)
	return nil
}

// Setstat sets what a.Flags names, following links.
func (t *Tree) Setstat(name string, a *sftp.Attr) error { return set(name, a) }

// Lsetstat is not there.
func (t *Tree) Lsetstat(string, *sftp.Attr) error { return unsupported() }

// Remove removes a name that is no folder.
func (t *Tree) Remove(name string) error {
	st, err := os.Lstat(name)
	if err == nil && st.IsDir() {
		return &sftp.StatusError{Code: sftp.StatusFailure}
	}
	return status(os.Remove(name))
}

// Mkdir makes a folder.
func (t *Tree) Mkdir(name string, mode uint32) error {
	return status(os.Mkdir(name, fs.FileMode(mode&0o777)))
}

// Rmdir removes an empty folder.
func (t *Tree) Rmdir(name string) error {
	st, err := os.Lstat(name)
	if err == nil && !st.IsDir() {
		return &sftp.StatusError{Code: sftp.StatusNoSuchFile}
	}
	return status(os.Remove(name))
}

// Readlink is what a link says.
func (t *Tree) Readlink(name string) (string, error) {
	s, err := os.Readlink(name)
	return s, status(err)
}

// Symlink makes a link.
func (t *Tree) Symlink(target, name string) error { return status(os.Symlink(target, name)) }

// Link makes another name of a file.
func (t *Tree) Link(oldname, newname string) error { return status(os.Link(oldname, newname)) }

// PosixRename renames, replacing what has the new name.
func (t *Tree) PosixRename(oldname, newname string) error {
	return status(os.Rename(oldname, newname))
}

// Rename never replaces, as far as looking before can tell.
func (t *Tree) Rename(oldname, newname string) error {
	if _, err := os.Lstat(newname); err == nil {
		return &sftp.StatusError{Code: sftp.StatusFailure, Err: fs.ErrExist}
	}
	return status(os.Rename(oldname, newname))
}

// Sync has the file written to the disk.
func (t *Tree) Sync(f sftp.File) error { return status(f.(*file).f.Sync()) }

// StatVFS is not there.
func (t *Tree) StatVFS(string, *sftp.VFS) error { return unsupported() }

// FstatVFS is not there.
func (t *Tree) FstatVFS(sftp.File, *sftp.VFS) error { return unsupported() }

// SameFile tells whether both are one file.
func (t *Tree) SameFile(a, b sftp.File) bool {
	x, err1 := a.(*file).f.Stat()
	y, err2 := b.(*file).f.Stat()
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// CopyData copies by reading and writing.
func (t *Tree) CopyData(dst sftp.File, dstOff uint64, src sftp.File, srcOff, n uint64) (uint64, error) {
	b := make([]byte, min(n, 256<<10))
	m, err := src.ReadAt(b, int64(srcOff))
	if m == 0 {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	k, err := dst.WriteAt(b[:m], int64(dstOff))
	return uint64(k), err
}

// OpenDir opens a folder for listing.
func (t *Tree) OpenDir(name string) (sftp.Dir, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, status(err)
	}
	if st, err := f.Stat(); err != nil || !st.IsDir() {
		f.Close()
		return nil, &sftp.StatusError{Code: sftp.StatusNoSuchFile, Err: err}
	}
	return &dir{t: t, f: f}, nil
}

type dir struct {
	t    *Tree
	f    *os.File
	list []fs.FileInfo
}

// Next tells the next name.
func (d *dir) Next(e *sftp.Entry) error {
	const atOnce = 100
	if len(d.list) == 0 {
		var err error
		if d.list, err = d.f.Readdir(atOnce); len(d.list) == 0 {
			return status(err)
		}
	}
	st := d.list[0]
	d.list = d.list[1:]
	e.Name = st.Name()
	attrOf(&e.Attr, st)
	e.Longname = d.t.longname(e.Name, &e.Attr, 1)
	return nil
}

// Close closes the folder.
func (d *dir) Close() error { return status(d.f.Close()) }
