//go:build amd64 || arm64

package sandbox

import (
	"os"

	"golang.org/x/sys/unix"
)

// MaxNames bounds the calls that a room of strangers may make.
const MaxNames = 45

// threadFlags are those the Go runtime starts a thread with (runtime/os_linux.go).
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD

// Strangers is the filter of the rooms that talk to strangers: descriptors that
// are there already or come over a socket are read, written, waited for and
// closed; memory and threads come and go; nothing is opened, connected, started
// or signalled.
func Strangers() Filter {
	own := []Arg{{Index: 0, Value: uint32(os.Getpid())}}
	f := Filter{
		// What the runtime and the byte path do all the time.
		{Call: unix.SYS_READ},
		{Call: unix.SYS_WRITE},
		{Call: unix.SYS_FUTEX},
		{Call: unix.SYS_EPOLL_PWAIT},
		{Call: unix.SYS_READV},
		{Call: unix.SYS_WRITEV},
		{Call: unix.SYS_NANOSLEEP},
		{Call: unix.SYS_CLOCK_GETTIME}, // where the vDSO has no clock
		{Call: unix.SYS_SCHED_YIELD},
		{Call: unix.SYS_RESTART_SYSCALL},

		// Sockets that are there. What is sent to an address has a socket that is
		// not connected, and no such socket is here.
		{Call: unix.SYS_SENDMSG},
		{Call: unix.SYS_RECVMSG},
		{Call: unix.SYS_RECVFROM},
		{Call: unix.SYS_SHUTDOWN},
		{Call: unix.SYS_GETSOCKNAME},
		{Call: unix.SYS_GETPEERNAME},
		{Call: unix.SYS_GETSOCKOPT},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_NODELAY}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_QUICKACK}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_NOTSENT_LOWAT}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_KEEPIDLE}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_KEEPINTVL}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_TCP}, {Index: 2, Value: unix.TCP_KEEPCNT}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_IP}, {Index: 2, Value: unix.IP_TOS}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.IPPROTO_IPV6}, {Index: 2, Value: unix.IPV6_TCLASS}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.SOL_SOCKET}, {Index: 2, Value: unix.SO_KEEPALIVE}}},
		{Call: unix.SYS_SETSOCKOPT, Args: []Arg{{Index: 1, Value: unix.SOL_SOCKET}, {Index: 2, Value: unix.SO_LINGER}}},

		// Descriptors.
		{Call: unix.SYS_CLOSE},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_GETFL}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_SETFL}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_GETFD}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_SETFD}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_DUPFD_CLOEXEC}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_GETPIPE_SZ}}},
		{Call: unix.SYS_FCNTL, Args: []Arg{{Index: 1, Value: unix.F_SETPIPE_SZ}}},
		{Call: unix.SYS_FSTAT},
		{Call: unix.SYS_EPOLL_CTL},
		{Call: unix.SYS_EPOLL_CREATE1},
		{Call: unix.SYS_EVENTFD2},
		{Call: unix.SYS_PPOLL},
		{Call: unix.SYS_PIPE2},
		{Call: unix.SYS_IOCTL, Args: []Arg{{Index: 1, Value: unix.TIOCSWINSZ}}},
		{Call: unix.SYS_IOCTL, Args: []Arg{{Index: 1, Value: unix.TIOCGWINSZ}}},
		{Call: unix.SYS_IOCTL, Args: []Arg{{Index: 1, Value: unix.TCGETS}}},
		{Call: unix.SYS_IOCTL, Args: []Arg{{Index: 1, Value: unix.TIOCINQ}}},

		// Memory, none of it executable.
		{Call: unix.SYS_MMAP, Args: []Arg{{Index: 2, Mask: unix.PROT_EXEC}, {Index: 3, Mask: unix.MAP_ANONYMOUS, Value: unix.MAP_ANONYMOUS}}},
		{Call: unix.SYS_MUNMAP},
		{Call: unix.SYS_MADVISE},
		{Call: unix.SYS_MPROTECT, Args: []Arg{{Index: 2, Mask: unix.PROT_EXEC}}},
		{Call: unix.SYS_BRK},
		{Call: unix.SYS_GETRANDOM},

		// Threads of this process and their signals.
		{Call: unix.SYS_CLONE, Args: []Arg{{Index: 0, Mask: ^uint32(unix.CLONE_SETTLS), Value: threadFlags, Wide: true}}},
		{Call: unix.SYS_TGKILL, Args: own},
		{Call: unix.SYS_GETPID},
		{Call: unix.SYS_GETTID},
		{Call: unix.SYS_RT_SIGRETURN},
		{Call: unix.SYS_RT_SIGPROCMASK},
		{Call: unix.SYS_RT_SIGACTION},
		{Call: unix.SYS_SIGALTSTACK},
		{Call: unix.SYS_EXIT},
		{Call: unix.SYS_EXIT_GROUP},

		// What a library may try, and can do without.
		{Call: unix.SYS_OPENAT, Errno: unix.EACCES},
		{Call: unix.SYS_OPENAT2, Errno: unix.EACCES},
		{Call: unix.SYS_FACCESSAT, Errno: unix.EACCES},
		{Call: unix.SYS_FACCESSAT2, Errno: unix.EACCES},
		{Call: unix.SYS_READLINKAT, Errno: unix.EACCES},
		{Call: unix.SYS_STATX, Errno: unix.EACCES},
		{Call: unix.SYS_SCHED_GETAFFINITY, Errno: unix.EPERM},
	}
	return append(f, machine...)
}
