package sftp

import (
	"errors"
	"io"
)

// FS is a tree of files that a Server serves. Names are as the client sent
// them: without NUL, at most MaxPath bytes, relative or not, "" possible; what
// they mean, and what may be reached by them, is the FS's to decide.
//
// An error tells its status by StatusOf. A session calls its FS, and the files
// it has opened, from one goroutine; sessions that share an FS call it at the
// same time.
//
// Embed Unimplemented for what a tree has not. The extensions of OpenSSH are
// interfaces of their own, as in io/fs: those that an FS implements are
// offered to the client.
type FS interface {
	// Open opens or makes a file. Of a only the mode counts, if it is there.
	Open(name string, flags OpenFlags, a *Attr) (File, error)
	// OpenDir opens a folder for listing.
	OpenDir(name string) (Dir, error)
	// Stat fills a, following a link; Lstat does not follow the last one.
	Stat(name string, a *Attr) error
	Lstat(name string, a *Attr) error
	// Setstat sets what a.Flags names.
	Setstat(name string, a *Attr) error
	Remove(name string) error
	Mkdir(name string, mode uint32) error
	Rmdir(name string) error
	// RealPath is the absolute name without links, "." or "..". The last part
	// need not exist.
	RealPath(name string) (string, error)
	// Rename never replaces: where newname exists it fails.
	Rename(oldname, newname string) error
	Readlink(name string) (string, error)
	// Symlink makes the link name, which says target.
	Symlink(target, name string) error
}

// File is an open file. ReadAt may give less than was asked for, and need not
// say why.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Stat fills a; Setstat sets what a.Flags names.
	Stat(a *Attr) error
	Setstat(a *Attr) error
	// Close is also the last chance to say that something was not written.
	Close() error
}

// Dir is a folder that is being listed.
type Dir interface {
	// Next fills e with the next name, "." and ".." among them; io.EOF is the
	// end. An empty Longname is made by the server, with numbers for owners.
	Next(e *Entry) error
	Close() error
}

// PosixRenamer has posix-rename@openssh.com: a rename that replaces.
type PosixRenamer interface {
	PosixRename(oldname, newname string) error
}

// StatVFSer has statvfs@openssh.com and fstatvfs@openssh.com.
type StatVFSer interface {
	StatVFS(name string, v *VFS) error
	FstatVFS(f File, v *VFS) error
}

// Linker has hardlink@openssh.com.
type Linker interface {
	Link(oldname, newname string) error
}

// Syncer has fsync@openssh.com.
type Syncer interface {
	Sync(f File) error
}

// LinkSetstater has lsetstat@openssh.com: Setstat that does not follow a link.
// It is never asked for a size.
type LinkSetstater interface {
	Lsetstat(name string, a *Attr) error
}

// Expander has expand-path@openssh.com: it replaces ~ and ~user at the
// beginning of name. The server has RealPath make the answer of it.
type Expander interface {
	Expand(name string) (string, error)
}

// Homer has home-directory: the home of user, "" being whose session it is.
type Homer interface {
	HomeDirectory(user string) (string, error)
}

// IDNamer has users-groups-by-id@openssh.com; "" for an id without a name.
type IDNamer interface {
	UserName(uid uint32) string
	GroupName(gid uint32) string
}

// Copier makes copy-data better than reading and writing is. Without it the
// server does that, and only knows files to be one by their names.
type Copier interface {
	// CopyData copies up to n bytes and returns how many; fewer with a nil
	// error is the end of src. It may return after a part as well: a count of
	// 0 is the end.
	CopyData(dst File, dstOff uint64, src File, srcOff, n uint64) (uint64, error)
	// SameFile tells whether both are one file.
	SameFile(a, b File) bool
}

// Unimplemented answers every request of FS with errors.ErrUnsupported.
type Unimplemented struct{}

var _ FS = Unimplemented{}

// Open is not there.
func (Unimplemented) Open(string, OpenFlags, *Attr) (File, error) { return nil, errors.ErrUnsupported }

// OpenDir is not there.
func (Unimplemented) OpenDir(string) (Dir, error) { return nil, errors.ErrUnsupported }

// Stat is not there.
func (Unimplemented) Stat(string, *Attr) error { return errors.ErrUnsupported }

// Lstat is not there.
func (Unimplemented) Lstat(string, *Attr) error { return errors.ErrUnsupported }

// Setstat is not there.
func (Unimplemented) Setstat(string, *Attr) error { return errors.ErrUnsupported }

// Remove is not there.
func (Unimplemented) Remove(string) error { return errors.ErrUnsupported }

// Mkdir is not there.
func (Unimplemented) Mkdir(string, uint32) error { return errors.ErrUnsupported }

// Rmdir is not there.
func (Unimplemented) Rmdir(string) error { return errors.ErrUnsupported }

// RealPath is not there.
func (Unimplemented) RealPath(string) (string, error) { return "", errors.ErrUnsupported }

// Rename is not there.
func (Unimplemented) Rename(string, string) error { return errors.ErrUnsupported }

// Readlink is not there.
func (Unimplemented) Readlink(string) (string, error) { return "", errors.ErrUnsupported }

// Symlink is not there.
func (Unimplemented) Symlink(string, string) error { return errors.ErrUnsupported }
