//go:build darwin || freebsd || openbsd

package files

import (
	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

func pread(fd int, p []byte, off int64) (int, error)  { return unix.Pread(fd, p, off) }
func pwrite(fd int, p []byte, off int64) (int, error) { return unix.Pwrite(fd, p, off) }

func renameNoReplace(string, string) error { return errNoStep }

func lchmod(name string, mode uint32) error {
	return unix.Fchmodat(unix.AT_FDCWD, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

// CopyData copies by reading and writing.
func (t *Tree) CopyData(dst sftp.File, dstOff uint64, src sftp.File, srcOff, n uint64) (uint64, error) {
	return copyPiece(dst.(*file), int64(dstOff), src.(*file), int64(srcOff), n)
}
