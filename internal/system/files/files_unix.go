//go:build linux || darwin || freebsd || openbsd

package files

import (
	"errors"
	"io"
	"math"
	"syscall"

	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

// codes are OpenSSH's codes for an errno; those that are not here are
// StatusFailure.
var codes = [...]struct {
	errno syscall.Errno
	code  sftp.Status
}{
	{unix.ENOENT, sftp.StatusNoSuchFile},
	{unix.ENOTDIR, sftp.StatusNoSuchFile},
	{unix.EBADF, sftp.StatusNoSuchFile},
	{unix.ELOOP, sftp.StatusNoSuchFile},
	{unix.EPERM, sftp.StatusPermissionDenied},
	{unix.EACCES, sftp.StatusPermissionDenied},
	{unix.EFAULT, sftp.StatusPermissionDenied},
	{unix.ENAMETOOLONG, sftp.StatusBadMessage},
	{unix.EINVAL, sftp.StatusBadMessage},
	{unix.ENOSYS, sftp.StatusOpUnsupported},
}

// status turns an error of a system call into one with a code.
func status(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	s := &sftp.StatusError{Code: sftp.StatusFailure, Err: err}
	for _, c := range codes {
		if err == error(c.errno) {
			s.Code = c.code
			break
		}
	}
	return s
}

// again repeats f while a signal interrupts it.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func tooLong() error      { return status(unix.ENAMETOOLONG) }
func tooManyLinks() error { return status(unix.ELOOP) }

// notThere tells a missing file from a path through one that is no folder.
func notThere(err error) bool { return errors.Is(err, unix.ENOENT) }

func workingDir() (string, error) {
	dir, err := unix.Getwd()
	return dir, status(err)
}

// linkAt is what the link name says, if it is one.
func linkAt(name string) (link string, isLink bool, err error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Lstat(name, &st) }); err != nil {
		return "", false, status(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, nil
	}
	link, err = readlink(name)
	return link, true, err
}

func readlink(name string) (string, error) {
	b := make([]byte, sftp.MaxPath+1)
	n, err := unix.Readlink(name, b)
	if err != nil {
		return "", status(err)
	}
	return string(b[:n]), nil
}

// attrOf turns what the system says of a file into what the protocol does.
func attrOf(a *sftp.Attr, st *unix.Stat_t) {
	*a = sftp.Attr{
		Flags: sftp.AttrAll,
		Size:  uint64(st.Size),
		UID:   st.Uid,
		GID:   st.Gid,
		Mode:  uint32(st.Mode),
		ATime: uint32(st.Atim.Sec),
		MTime: uint32(st.Mtim.Sec),
	}
}

// Open opens or makes a file. A FIFO without another end does not make it
// wait, and no terminal becomes the session's.
func (t *Tree) Open(name string, flags sftp.OpenFlags, a *sftp.Attr) (sftp.File, error) {
	how := unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	switch flags & (sftp.OpenRead | sftp.OpenWrite) {
	case sftp.OpenRead | sftp.OpenWrite:
		how |= unix.O_RDWR
	case sftp.OpenWrite:
		how |= unix.O_WRONLY
	}
	for _, f := range [...]struct {
		flag sftp.OpenFlags
		how  int
	}{{sftp.OpenAppend, unix.O_APPEND}, {sftp.OpenCreate, unix.O_CREAT}, {sftp.OpenTruncate, unix.O_TRUNC}, {sftp.OpenExcl, unix.O_EXCL}} {
		if flags&f.flag != 0 {
			how |= f.how
		}
	}
	mode := uint32(0o666)
	if a.Flags&sftp.AttrPermissions != 0 {
		mode = a.Mode
	}
	fd := -1
	err := again(func() (err error) { fd, err = unix.Open(name, how, mode); return err })
	if err != nil {
		return nil, status(err)
	}
	return &file{fd: fd, appends: flags&sftp.OpenAppend != 0}, nil
}

// file is an open file.
type file struct {
	fd      int
	appends bool
}

// ReadAt gives what one system call does.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	for {
		n, err := pread(f.fd, p, off)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, status(err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// WriteAt writes all of p, to the end of a file that was opened so.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		var err error
		if f.appends {
			n, err = unix.Write(f.fd, p[done:])
		} else {
			n, err = pwrite(f.fd, p[done:], off+int64(done))
		}
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, status(err)
		case n == 0:
			return done, &sftp.StatusError{Code: sftp.StatusFailure, Err: io.ErrShortWrite}
		default:
			done += n
		}
	}
	return done, nil
}

// Stat fills a.
func (f *file) Stat(a *sftp.Attr) error {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return status(err)
	}
	attrOf(a, &st)
	return nil
}

// Setstat sets what a.Flags names.
func (f *file) Setstat(a *sftp.Attr) error {
	return set(a, setters{
		size:  func(n int64) error { return unix.Ftruncate(f.fd, n) },
		mode:  func(m uint32) error { return unix.Fchmod(f.fd, m) },
		times: func(tv []unix.Timeval) error { return unix.Futimes(f.fd, tv) },
		owner: func(uid, gid int) error { return unix.Fchown(f.fd, uid, gid) },
	})
}

// Close closes the file. The descriptor is gone even when a signal came.
func (f *file) Close() error {
	err := unix.Close(f.fd)
	f.fd = -1
	if err == unix.EINTR {
		err = nil
	}
	return status(err)
}

// setters are the ways to set attributes of one thing.
type setters struct {
	size  func(int64) error
	mode  func(uint32) error
	times func([]unix.Timeval) error
	owner func(uid, gid int) error
}

// set sets what a.Flags names; a failure does not stop the rest, and the last
// one is returned.
func set(a *sftp.Attr, s setters) (last error) {
	do := func(f func() error) {
		if err := again(f); err != nil {
			last = status(err)
		}
	}
	if a.Flags&sftp.AttrSize != 0 {
		do(func() error {
			if a.Size > math.MaxInt64 {
				return unix.EINVAL
			}
			return s.size(int64(a.Size))
		})
	}
	if a.Flags&sftp.AttrPermissions != 0 {
		do(func() error { return s.mode(a.Mode & 0o7777) })
	}
	if a.Flags&sftp.AttrACModTime != 0 {
		tv := []unix.Timeval{
			unix.NsecToTimeval(int64(a.ATime) * 1e9),
			unix.NsecToTimeval(int64(a.MTime) * 1e9),
		}
		do(func() error { return s.times(tv) })
	}
	if a.Flags&sftp.AttrUIDGID != 0 {
		do(func() error { return s.owner(int(a.UID), int(a.GID)) })
	}
	return last
}

// Stat fills a, following links.
func (t *Tree) Stat(name string, a *sftp.Attr) error {
	var st unix.Stat_t
	if err := again(func() error { return unix.Stat(name, &st) }); err != nil {
		return status(err)
	}
	attrOf(a, &st)
	return nil
}

// Lstat fills a, of a link itself.
func (t *Tree) Lstat(name string, a *sftp.Attr) error {
	var st unix.Stat_t
	if err := again(func() error { return unix.Lstat(name, &st) }); err != nil {
		return status(err)
	}
	attrOf(a, &st)
	return nil
}

// Setstat sets what a.Flags names, following links.
func (t *Tree) Setstat(name string, a *sftp.Attr) error {
	return set(a, setters{
		size:  func(n int64) error { return unix.Truncate(name, n) },
		mode:  func(m uint32) error { return unix.Chmod(name, m) },
		times: func(tv []unix.Timeval) error { return unix.Utimes(name, tv) },
		owner: func(uid, gid int) error { return unix.Chown(name, uid, gid) },
	})
}

// Lsetstat sets what a.Flags names, of a link itself. It has no size.
func (t *Tree) Lsetstat(name string, a *sftp.Attr) error {
	if a.Flags&sftp.AttrSize != 0 {
		return status(unix.EINVAL)
	}
	return set(a, setters{
		mode:  func(m uint32) error { return lchmod(name, m) },
		times: func(tv []unix.Timeval) error { return unix.Lutimes(name, tv) },
		owner: func(uid, gid int) error { return unix.Lchown(name, uid, gid) },
	})
}

// Remove removes a name that is no folder.
func (t *Tree) Remove(name string) error {
	return status(again(func() error { return unix.Unlink(name) }))
}

// Mkdir makes a folder.
func (t *Tree) Mkdir(name string, mode uint32) error {
	return status(again(func() error { return unix.Mkdir(name, mode) }))
}

// Rmdir removes an empty folder.
func (t *Tree) Rmdir(name string) error {
	return status(again(func() error { return unix.Rmdir(name) }))
}

// Readlink is what a link says.
func (t *Tree) Readlink(name string) (string, error) { return readlink(name) }

// Symlink makes a link.
func (t *Tree) Symlink(target, name string) error {
	return status(again(func() error { return unix.Symlink(target, name) }))
}

// Link makes another name of a file.
func (t *Tree) Link(oldname, newname string) error {
	return status(again(func() error { return unix.Link(oldname, newname) }))
}

// PosixRename renames, replacing what has the new name.
func (t *Tree) PosixRename(oldname, newname string) error {
	return status(again(func() error { return unix.Rename(oldname, newname) }))
}

// Rename never replaces: in one step where the system has one (SFT-7), else
// for a file by a second name and the removal of the first, else by looking
// before.
func (t *Tree) Rename(oldname, newname string) error {
	err := renameNoReplace(oldname, newname)
	if err != errNoStep {
		return status(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(oldname, &st); err != nil {
		return status(err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		switch err := unix.Link(oldname, newname); err {
		case nil:
			if err := unix.Unlink(oldname); err != nil {
				unix.Unlink(newname)
				return status(err)
			}
			return nil
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EXDEV, unix.EPERM:
			// The file system has no hard links.
		default:
			return status(err)
		}
	}
	if err := unix.Lstat(newname, &st); err == nil {
		return status(unix.EEXIST)
	}
	return status(unix.Rename(oldname, newname))
}

// errNoStep says that the system cannot rename without replacing in one step.
var errNoStep = errors.New("files: no rename that never replaces")

// Sync has the file's data and attributes written to the disk.
func (t *Tree) Sync(f sftp.File) error {
	return status(again(func() error { return unix.Fsync(f.(*file).fd) }))
}

// StatVFS tells about the file system that name is on.
func (t *Tree) StatVFS(name string, v *sftp.VFS) error {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(name, &st) }); err != nil {
		return status(err)
	}
	vfsOf(v, &st)
	return nil
}

// FstatVFS tells about the file system that f is on.
func (t *Tree) FstatVFS(f sftp.File, v *sftp.VFS) error {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(f.(*file).fd, &st) }); err != nil {
		return status(err)
	}
	vfsOf(v, &st)
	return nil
}

// SameFile tells whether both are one file.
func (t *Tree) SameFile(a, b sftp.File) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a.(*file).fd, &x) == nil && unix.Fstat(b.(*file).fd, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// copySize is how many bytes are copied by one read and one write.
const copySize = 256 << 10

// copyPiece copies some bytes by reading and writing them.
func copyPiece(dst *file, dstOff int64, src *file, srcOff int64, n uint64) (uint64, error) {
	b := make([]byte, min(n, copySize))
	m, err := src.ReadAt(b, srcOff)
	if err == io.EOF {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	k, err := dst.WriteAt(b[:m], dstOff)
	return uint64(k), err
}

// OpenDir opens a folder for listing.
func (t *Tree) OpenDir(name string) (sftp.Dir, error) {
	fd := -1
	err := again(func() (err error) {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, status(err)
	}
	return &dir{t: t, fd: fd, names: []string{".", ".."}}, nil
}

// dirSize is how many bytes of names are read from the system at once.
const dirSize = 16 << 10

// dir is a folder that is being listed. What is told of a name is asked of the
// folder that was opened, wherever it is moved meanwhile.
type dir struct {
	t     *Tree
	fd    int
	buf   []byte
	names []string // read and not told yet
	done  bool
}

// Next tells the next name; one that is gone meanwhile is left out.
func (d *dir) Next(e *sftp.Entry) error {
	for {
		for len(d.names) > 0 {
			name := d.names[0]
			d.names = d.names[1:]
			var st unix.Stat_t
			if err := again(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
				continue
			}
			e.Name = name
			attrOf(&e.Attr, &st)
			e.Longname = d.t.longname(name, &e.Attr, uint64(st.Nlink))
			return nil
		}
		if d.done {
			return io.EOF
		}
		if d.buf == nil {
			d.buf = make([]byte, dirSize)
		}
		n := 0
		err := again(func() (err error) { n, err = unix.ReadDirent(d.fd, d.buf); return err })
		if err != nil {
			return status(err)
		}
		if n <= 0 {
			d.done, d.buf = true, nil
			continue
		}
		_, _, d.names = unix.ParseDirent(d.buf[:n], -1, d.names[:0])
	}
}

// Close closes the folder.
func (d *dir) Close() error {
	err := unix.Close(d.fd)
	d.fd = -1
	return status(err)
}

// DescriptorLimit is how many descriptors the process may have; 0 is unknown.
func DescriptorLimit() uint64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return uint64(r.Cur)
}

// Umask sets the process's umask.
func Umask(mask int) { unix.Umask(mask) }
