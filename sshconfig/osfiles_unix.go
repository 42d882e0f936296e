//go:build unix

package sshconfig

import (
	"os"
	"syscall"
)

const errIsDirectory = syscall.EISDIR

// onlyOurs tells whether a file belongs to root or the user and nobody else
// may write it.
func onlyOurs(st os.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && (s.Uid == 0 || int(s.Uid) == os.Getuid()) && st.Mode().Perm()&0o022 == 0
}
