package sockets

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine takes from the process what it has no use for: it starts nothing
// that has more rights than it, writes no file and leaves no core, and other
// processes of its user cannot look into it.
func confine() error {
	// It is a thread's, and the runtime has several.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("no_new_privs", errno)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("dumpable", err)
	}
	for _, r := range [...]int{unix.RLIMIT_CORE, unix.RLIMIT_FSIZE} {
		if err := unix.Setrlimit(r, &unix.Rlimit{}); err != nil {
			return os.NewSyscallError("setrlimit", err)
		}
	}
	return nil
}
