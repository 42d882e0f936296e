//go:build darwin || freebsd || openbsd

package login

import (
	"fmt"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/reason"
)

// permanently sets real, effective and saved ids: for root, setgid and setuid
// do.
func permanently(uid, gid uint32) error {
	if err := syscall.Setgid(int(gid)); err != nil {
		return fmt.Errorf("setgid %d: %s", gid, reason.Of(err))
	}
	if err := syscall.Setuid(int(uid)); err != nil {
		return fmt.Errorf("setuid %d: %s", uid, reason.Of(err))
	}
	return nil
}
