//go:build darwin || freebsd

package files

import (
	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

// nameMax is NAME_MAX of the usual file systems.
const nameMax = 255

func vfsOf(v *sftp.VFS, st *unix.Statfs_t) {
	*v = sftp.VFS{
		BlockSize: uint64(st.Bsize), FragmentSize: uint64(st.Bsize),
		Blocks: st.Blocks, BlocksFree: st.Bfree, BlocksAv: uint64(st.Bavail),
		Files: st.Files, FilesFree: uint64(st.Ffree), FilesAv: uint64(st.Ffree),
		ID:      uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32,
		NameMax: nameMax,
	}
	if uint64(st.Flags)&unix.MNT_RDONLY != 0 {
		v.Flags |= sftp.VFSReadOnly
	}
	if uint64(st.Flags)&unix.MNT_NOSUID != 0 {
		v.Flags |= sftp.VFSNoSUID
	}
}
