package login

import (
	"os"
	"syscall"
	"unsafe"

	"github.com/nacre-ssh/nacre/internal/rawio"
	"golang.org/x/sys/unix"
)

// attributes are those of a process with a descriptor for it that the poller
// can watch.
func attributes(pidfd *int) *syscall.SysProcAttr { return &syscall.SysProcAttr{PidFD: pidfd} }

// parkUntilGone waits for the end of the program in the poller: wait4 would
// hold a thread for every shell that somebody has left open. Where there are
// no such descriptors (before Linux 5.4) it returns at once.
func parkUntilGone(pidfd int) {
	if pidfd < 0 {
		return
	}
	if unix.SetNonblock(pidfd, true) != nil {
		unix.Close(pidfd)
		return
	}
	f := rawio.NewFile(os.NewFile(uintptr(pidfd), "pidfd"))
	_ = f.WaitRead()
	f.Close()
}

// threadAs gives the calling thread alone the effective ids of a user. Raw
// calls, as those of package syscall change every thread.
func threadAs(uid, gid uint32, groups []uint32) error {
	const keep = ^uintptr(0)
	if groups != nil {
		var at unsafe.Pointer
		if len(groups) > 0 {
			at = unsafe.Pointer(&groups[0])
		}
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(at), 0); errno != 0 {
			return os.NewSyscallError("setgroups", errno)
		}
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, keep, uintptr(gid), keep); errno != 0 {
			return os.NewSyscallError("setresgid", errno)
		}
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		return os.NewSyscallError("setresuid", errno)
	}
	return nil
}
