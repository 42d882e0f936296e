// Package limit remembers how many descriptors the program may have, as it was
// started. Package os raises that limit when it is initialised, and package
// syscall gives programs that are started the former one back, which would undo
// what a module of PAM sets. This package imports so little that it is
// initialised before.
package limit

import "syscall"

// files is the limit, of the time before package os.
var files, known = read()

func read() (syscall.Rlimit, bool) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l, err == nil
}

// Restore makes the limit what it was, and programs that are started have the
// one that this program then has.
func Restore() {
	if known {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	}
}
