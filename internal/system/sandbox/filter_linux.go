//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arg is what one argument of a call must be: its bits under Mask, all 32 low
// ones if that is 0, equal Value. The upper half is looked at when Wide is set:
// the kernel takes most arguments as an int and ignores it.
type Arg struct {
	Index int
	Mask  uint32
	Value uint32
	Wide  bool // the upper half must be 0
}

// Rule is one row: the call is allowed when every one of Args fits. Several rows
// of one call are alternatives.
type Rule struct {
	Call uintptr
	Args []Arg
	// Errno, if not 0, is what the call answers instead.
	Errno unix.Errno
}

// Filter is a list of rules. The busiest calls come first: it is walked in
// order.
type Filter []Rule

// Names counts the different calls that are allowed.
func (f Filter) Names() int {
	seen := map[uintptr]bool{}
	for _, r := range f {
		if r.Errno == 0 {
			seen[r.Call] = true
		}
	}
	return len(seen)
}

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

const maxJump = 255

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(test uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, Jt: uint8(yes), Jf: uint8(no), K: k}
}

func give(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// Program is the filter as the kernel takes it.
func (f Filter) Program() ([]unix.SockFilter, error) {
	p := []unix.SockFilter{
		load(offArch),
		jump(unix.BPF_JEQ, arch, 1, 0),
		give(unix.SECCOMP_RET_KILL_PROCESS),
	}
	for i := 0; i < len(f); {
		// The rows of one call stand together.
		n := i + 1
		for n < len(f) && f[n].Call == f[i].Call {
			n++
		}
		block, err := f[i:n].block()
		if err != nil {
			return nil, err
		}
		p = append(p, load(offNr), jump(unix.BPF_JEQ, uint32(f[i].Call), 0, len(block)))
		p = append(p, block...)
		i = n
	}
	return append(p, give(unix.SECCOMP_RET_KILL_PROCESS)), nil
}

// block judges one call whose number has been found.
func (f Filter) block() ([]unix.SockFilter, error) {
	var p []unix.SockFilter
	for _, r := range f {
		var tests []unix.SockFilter
		for _, a := range r.Args {
			if a.Index < 0 || a.Index > 5 {
				return nil, fmt.Errorf("sandbox: call %d: argument %d", r.Call, a.Index)
			}
			at := offArgs + 8*uint32(a.Index) // both machines are little endian
			if a.Wide {
				tests = append(tests, load(at+4), jump(unix.BPF_JEQ, 0, 0, 0))
			}
			tests = append(tests, load(at))
			if a.Mask != 0 {
				tests = append(tests, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: a.Mask})
			}
			tests = append(tests, jump(unix.BPF_JEQ, a.Value, 0, 0))
		}
		// What does not fit goes to the next row.
		for i := range tests {
			if tests[i].Code&7 == unix.BPF_JMP {
				tests[i].Jf = uint8(len(tests) - i)
			}
		}
		action := uint32(unix.SECCOMP_RET_ALLOW)
		if r.Errno != 0 {
			action = unix.SECCOMP_RET_ERRNO | uint32(r.Errno)&0xffff
		}
		p = append(append(p, tests...), give(action))
	}
	if len(f[len(f)-1].Args) > 0 {
		p = append(p, give(unix.SECCOMP_RET_KILL_PROCESS))
	}
	if len(p) > maxJump {
		return nil, fmt.Errorf("sandbox: call %d: %d instructions", f[0].Call, len(p))
	}
	return p, nil
}

// Install puts the filter on all threads (GO-7). No new privileges may be
// gained any more.
func (f Filter) Install() error {
	p, err := f.Program()
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: unsafe.SliceData(p)}
	thread, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	switch {
	case errno != 0:
		return os.NewSyscallError("seccomp", errno)
	case thread != 0:
		return fmt.Errorf("sandbox: seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}

// Supported says whether the kernel can do what Enter needs; nil if so.
func Supported() error {
	action := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return errors.New("sandbox: the kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)")
	}
	return nil
}
