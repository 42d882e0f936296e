package tty

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Suspend stops this process as the terminal's suspend character would and
// returns when it is continued; at once where nobody could continue it (an
// orphaned process group).
//
// SIGTSTP stops only by its default action, which the runtime does not give
// back once it has a handler: the action is set to the default by the system
// call itself, as all zero bytes, and put back as it was, so that its layout
// does not matter. The signal goes to the calling thread, which takes it
// before it runs on; one for the process could be taken by another thread,
// later.
func Suspend() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stop, before [64]byte // more than any system's struct sigaction
	if err := action(&stop, &before); err != nil {
		return err
	}
	defer action(&before, nil)
	return unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGTSTP)
}

// action sets what SIGTSTP does and returns what it did.
func action(set, before *[64]byte) error {
	const maskSize = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGTSTP),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(before)), maskSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
