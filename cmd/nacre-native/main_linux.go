package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/nacre-ssh/nacre/cmd/nacre-native/limit"
	"github.com/nacre-ssh/nacre/internal/sshd/native"
	"golang.org/x/sys/unix"
)

// The first thread is the one that counts; only here is it certain to be ours.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) != 2 || !isSocket(native.HelperFD) {
		fmt.Fprintln(os.Stderr, "nacre-native: this program is started by sshd itself")
		return 1
	}
	limit.Restore()
	// What passes through here is secret.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	c, err := native.NewConn(native.HelperFD)
	if err != nil {
		return 1
	}
	defer c.Close()
	switch args[1] {
	case "pam":
		return servePAM(c)
	case "crypt":
		return serveCrypt(c)
	}
	return 1
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
