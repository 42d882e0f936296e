package sandbox

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_X86_64

// machine are the rows of calls that other machines do not have. Numbers of the
// x32 interface begin at 1<<30 and meet no row.
var machine = Filter{
	{Call: unix.SYS_EPOLL_WAIT},
	{Call: unix.SYS_OPEN, Errno: unix.EACCES},
	{Call: unix.SYS_ACCESS, Errno: unix.EACCES},
	{Call: unix.SYS_STAT, Errno: unix.EACCES},
	{Call: unix.SYS_LSTAT, Errno: unix.EACCES},
	{Call: unix.SYS_NEWFSTATAT, Errno: unix.EACCES},
	{Call: unix.SYS_READLINK, Errno: unix.EACCES},
}
