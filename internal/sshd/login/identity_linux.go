package login

import (
	"fmt"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/reason"
)

// permanently sets real, effective and saved ids, on all threads.
func permanently(uid, gid uint32) error {
	if err := syscall.Setresgid(int(gid), int(gid), int(gid)); err != nil {
		return fmt.Errorf("setresgid %d: %s", gid, reason.Of(err))
	}
	if err := syscall.Setresuid(int(uid), int(uid), int(uid)); err != nil {
		return fmt.Errorf("setresuid %d: %s", uid, reason.Of(err))
	}
	return nil
}
