package files

import (
	"strconv"
	"syscall"
	"unsafe"

	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

// pread and pwrite are raw calls where an offset fits a register: they last as
// long as their copy, and told of them the scheduler takes the processor away
// in mid-call, 10 to 15 % of a transfer's cost. On a file system that hangs the
// session hangs either way; nothing else runs in its process.
func pread(fd int, p []byte, off int64) (int, error) {
	if wide {
		return raw(unix.SYS_PREAD64, fd, p, off)
	}
	return unix.Pread(fd, p, off)
}

func pwrite(fd int, p []byte, off int64) (int, error) {
	if wide {
		return raw(unix.SYS_PWRITE64, fd, p, off)
	}
	return unix.Pwrite(fd, p, off)
}

const wide = unsafe.Sizeof(uintptr(0)) == 8

func raw(trap uintptr, fd int, p []byte, off int64) (int, error) {
	n, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(off), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func renameNoReplace(oldname, newname string) error {
	err := again(func() error {
		return unix.Renameat2(unix.AT_FDCWD, oldname, unix.AT_FDCWD, newname, unix.RENAME_NOREPLACE)
	})
	if err == unix.EINVAL || err == unix.ENOSYS { // the file system, or the kernel, does not know the flag
		return errNoStep
	}
	return err
}

// lchmod changes the mode of what name is, if that is no link: links have none
// on this system. Kernels before 6.6 have no call for it.
func lchmod(name string, mode uint32) error {
	err := unix.Fchmodat(unix.AT_FDCWD, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if err != unix.EOPNOTSUPP {
		return err
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return unix.EOPNOTSUPP
	}
	err = unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
	if err == unix.ENOENT { // no /proc
		return unix.EOPNOTSUPP
	}
	return err
}

func vfsOf(v *sftp.VFS, st *unix.Statfs_t) {
	*v = sftp.VFS{
		BlockSize: uint64(st.Bsize), FragmentSize: uint64(st.Frsize),
		Blocks: st.Blocks, BlocksFree: st.Bfree, BlocksAv: st.Bavail,
		Files: st.Files, FilesFree: st.Ffree, FilesAv: st.Ffree,
		ID:      uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32,
		NameMax: uint64(st.Namelen),
	}
	if st.Frsize == 0 {
		v.FragmentSize = v.BlockSize
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		v.Flags |= sftp.VFSReadOnly
	}
	if st.Flags&unix.ST_NOSUID != 0 {
		v.Flags |= sftp.VFSNoSUID
	}
}

// copyAtOnce is how many bytes one system call is asked to copy.
const copyAtOnce = 64 << 20

// CopyData has the kernel copy, which shares blocks where it can.
func (t *Tree) CopyData(dst sftp.File, dstOff uint64, src sftp.File, srcOff, n uint64) (uint64, error) {
	to, from := dst.(*file), src.(*file)
	w, r := int64(dstOff), int64(srcOff)
	if !to.appends {
		wo, ro := w, r
		if m, err := unix.CopyFileRange(from.fd, &ro, to.fd, &wo, int(min(n, copyAtOnce)), 0); err == nil && m > 0 {
			return uint64(m), nil
		}
		// Not between these two, or it says that there is nothing, as of files
		// in /proc whose size is unknown.
	}
	return copyPiece(to, w, from, r, n)
}
