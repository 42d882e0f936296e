package rawio

import (
	"os"

	"golang.org/x/sys/unix"
)

// PipeToChild makes a pipe whose reading end goes to a child and stays
// blocking; the writing end is ours, non-blocking, in the poller. Close the
// child's end once the child has it.
func PipeToChild() (child *os.File, w *File, err error) {
	p, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(p[0]), "|0"), ours(p[1], "|1"), nil
}

// PipeFromChild makes a pipe whose writing end goes to a child and stays
// blocking; the reading end is ours, non-blocking, in the poller. Close the
// child's end once the child has it.
func PipeFromChild() (r *File, child *os.File, err error) {
	p, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	return ours(p[0], "|0"), os.NewFile(uintptr(p[1]), "|1"), nil
}

func pipe() (p [2]int, err error) {
	if err = unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		err = os.NewSyscallError("pipe2", err)
	}
	return p, err
}

func ours(fd int, name string) *File {
	_ = unix.SetNonblock(fd, true) // a failure only costs a thread while it waits
	return NewFile(os.NewFile(uintptr(fd), name))
}
