//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// minABI is the least of Landlock that counts: files and TCP.
const minABI = 4

// memoryReserve is what the runtime keeps free below the limit on memory, so
// that it collects garbage before the kernel refuses (GO-8).
const memoryReserve = 4

// Enter gives up all but what Strangers needs, for all threads and for good. The
// ids must have been given up before.
func Enter(l Limits) error {
	if err := Supported(); err != nil {
		return err
	}
	// The runtime asks for the number of processors every second, from files,
	// unless it was told.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	if err := warm(); err != nil {
		return err
	}
	if err := limit(l); err != nil {
		return err
	}
	// Nobody of the same account may look into the process or attach to it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if _, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	if err := noFiles(l); err != nil {
		return err
	}
	return Strangers().Install()
}

// warm has the runtime make what it makes on first use.
func warm() error {
	r, w, err := os.Pipe() // the poller
	if err != nil {
		return err
	}
	r.Close()
	return w.Close()
}

func limit(l Limits) error {
	set := func(which int, v uint64) error {
		var old unix.Rlimit
		if err := unix.Getrlimit(which, &old); err != nil {
			return os.NewSyscallError("getrlimit", err)
		}
		if v > old.Max {
			v = old.Max
		}
		// By way of package syscall, which has a memory of the descriptors' limit.
		return os.NewSyscallError("setrlimit", syscall.Setrlimit(which, &syscall.Rlimit{Cur: v, Max: v}))
	}
	err := errors.Join(set(unix.RLIMIT_CORE, 0), set(unix.RLIMIT_FSIZE, 0), set(unix.RLIMIT_MEMLOCK, 0), set(unix.RLIMIT_MSGQUEUE, 0))
	if l.Files > 0 {
		err = errors.Join(err, set(unix.RLIMIT_NOFILE, l.Files))
	}
	if l.Memory > 0 {
		err = errors.Join(err, set(unix.RLIMIT_DATA, l.Memory))
		debug.SetMemoryLimit(int64(l.Memory - l.Memory/memoryReserve))
	}
	return err
}

// noFiles has the kernel refuse every file, TCP port, abstract socket and signal
// that seccomp would let by.
func noFiles(l Limits) error {
	err := landlock.V11.BestEffort().Restrict()
	if err == nil {
		var abi uintptr
		const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
		abi, _, _ = unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
		if int(abi) >= minABI && int(abi) < 1<<16 {
			return nil
		}
		err = errors.New("the kernel has none, or an old one")
	}
	if l.NoLandlock {
		return nil
	}
	return fmt.Errorf("sandbox: landlock: %w", err)
}
