package auth

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asUser calls f with the file-system ids of the account, on a thread that
// ends with it: no thread that goes on ever had them, and f never has root's.
// Without root's rights f is called as it is. It waits no longer than ctx; f
// may still run then, and its results must not be looked at.
func asUser(ctx context.Context, uid, gid uint32, groups []uint32, f func() error) error {
	if os.Geteuid() != 0 {
		return f()
	}
	done := make(chan error, 1)
	go onOwnThread(func() {
		if err := takeIDs(uid, gid, groups); err != nil {
			done <- err
			return
		}
		done <- f()
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onOwnThread runs f on a thread that nothing else will run on. The process's
// first thread cannot end, and what it looks like is what the process looks
// like: f never runs on that one.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			onOwnThread(f)
		}()
		<-done
		runtime.UnlockOSThread()
		return
	}
	f() // and the thread ends with the goroutine, which stays locked to it
}

// takeIDs changes the ids of this thread alone, by the system's calls: those
// of package syscall change all threads.
func takeIDs(uid, gid uint32, groups []uint32) error {
	gids := append([]uint32{gid}, groups...)
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)), uintptr(unsafe.Pointer(&gids[0])), 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	for _, c := range [...]struct {
		name   string
		number uintptr
		id     uint32
	}{{"setfsgid", unix.SYS_SETFSGID, gid}, {"setfsuid", unix.SYS_SETFSUID, uid}} {
		// The call returns the former id and no error; asking for one that
		// cannot be shows what it is now.
		syscall.RawSyscall(c.number, uintptr(c.id), 0, 0)
		if now, _, _ := syscall.RawSyscall(c.number, ^uintptr(0), 0, 0); uint32(now) != c.id {
			return os.NewSyscallError(c.name, syscall.EPERM)
		}
	}
	return nil
}
