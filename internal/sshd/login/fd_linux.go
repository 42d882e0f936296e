package login

import (
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CloseOnExec marks every descriptor from first on: no program that is started
// from now on gets it.
func CloseOnExec(first int) {
	if unix.CloseRange(uint(first), 1<<31-1, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	d, err := os.ReadDir("/proc/self/fd") // kernels before 5.11
	if err != nil {
		return
	}
	for _, e := range d {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
}

// unblock leaves no signal blocked in the calling thread, and none from 32 on
// ignored: those the Go runtime leaves as whoever started the daemon had them.
func unblock() {
	for s := uintptr(32); s <= 64; s++ {
		var plain [4]uintptr // struct sigaction with SIG_DFL; the largest of any machine
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&plain)), 0, 8, 0, 0)
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
}

// untraceable keeps other processes of the user from attaching to this one: what
// the server of files denies could otherwise be had of it.
func untraceable() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
