package files

import (
	"github.com/nacre-ssh/nacre/sftp"
	"golang.org/x/sys/unix"
)

func vfsOf(v *sftp.VFS, st *unix.Statfs_t) {
	*v = sftp.VFS{
		BlockSize: uint64(st.F_iosize), FragmentSize: uint64(st.F_bsize),
		Blocks: st.F_blocks, BlocksFree: st.F_bfree, BlocksAv: uint64(st.F_bavail),
		Files: st.F_files, FilesFree: st.F_ffree, FilesAv: uint64(st.F_favail),
		ID:      uint64(uint32(st.F_fsid.Val[0])) | uint64(uint32(st.F_fsid.Val[1]))<<32,
		NameMax: uint64(st.F_namemax),
	}
	if st.F_flags&unix.MNT_RDONLY != 0 {
		v.Flags |= sftp.VFSReadOnly
	}
	if st.F_flags&unix.MNT_NOSUID != 0 {
		v.Flags |= sftp.VFSNoSUID
	}
}
