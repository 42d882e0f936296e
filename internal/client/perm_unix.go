//go:build unix

package client

import (
	"os"
	"syscall"
)

// OthersMay says whether a private key file of ours may be read or written by
// others (CLI-13). Whoever may read somebody else's file may use it.
func OthersMay(st os.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Getuid() && st.Mode().Perm()&0o077 != 0
}

// oursAlone says whether a file or directory is ours and nobody else may write
// it.
func oursAlone(st os.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Getuid() && st.Mode().Perm()&0o022 == 0
}
