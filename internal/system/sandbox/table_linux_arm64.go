package sandbox

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_AARCH64

// machine are the rows of calls that other machines do not have.
var machine = Filter{
	{Call: unix.SYS_FSTATAT, Errno: unix.EACCES},
}
