//go:build amd64 || arm64

package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"
)

// run executes a filter as the kernel does.
func run(t *testing.T, p []unix.SockFilter, arch, nr uint32, args [6]uint64) uint32 {
	t.Helper()
	word := func(k uint32) uint32 {
		switch {
		case k == offNr:
			return nr
		case k == offArch:
			return arch
		case k >= offArgs && k < offArgs+48:
			v := args[(k-offArgs)/8]
			if (k-offArgs)%8 == 4 {
				v >>= 32
			}
			return uint32(v)
		}
		t.Fatalf("load of %d", k)
		return 0
	}
	a := uint32(0)
	for pc := 0; ; pc++ {
		switch in := p[pc]; in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = word(in.K)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ:
			if a == in.K {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %x", in.Code)
		}
	}
}

// The filter says what its table says, for every number there is, and with
// arguments on both sides of each rule (GO-7).
func TestFilter(t *testing.T) {
	f := Strangers()
	p, err := f.Program()
	if err != nil {
		t.Fatal(err)
	}
	if n := f.Names(); n > MaxNames {
		t.Errorf("%d calls are allowed, at most %d may be", n, MaxNames)
	}
	rows := map[uint32][]Rule{}
	for _, r := range f {
		rows[uint32(r.Call)] = append(rows[uint32(r.Call)], r)
	}
	for nr := range uint32(1 << 10) {
		if got := run(t, p, arch, nr, [6]uint64{}); len(rows[nr]) == 0 && got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("call %d gets %x", nr, got)
		}
		if run(t, p, arch^1, nr, [6]uint64{}) != unix.SECCOMP_RET_KILL_PROCESS || run(t, p, arch, nr|1<<30, [6]uint64{}) != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("call %d of another machine is let by", nr)
		}
		for _, r := range rows[nr] {
			want := uint32(unix.SECCOMP_RET_ALLOW)
			if r.Errno != 0 {
				want = unix.SECCOMP_RET_ERRNO | uint32(r.Errno)
			}
			var args [6]uint64
			for i := range args {
				args[i] = 0xffff_ffff_ffff_ffff
			}
			for _, a := range r.Args {
				args[a.Index] = uint64(a.Value)
				if !a.Wide {
					args[a.Index] |= 1 << 40
				}
			}
			if got := run(t, p, arch, nr, args); got != want {
				t.Errorf("call %d %v gets %x, want %x", nr, r.Args, got, want)
			}
			for _, a := range r.Args {
				bad := args
				bad[a.Index] ^= 0x4000_0000
				if a.Mask != 0 {
					bad[a.Index] = args[a.Index] ^ uint64(a.Mask&-a.Mask)
				}
				if got := run(t, p, arch, nr, bad); got != unix.SECCOMP_RET_KILL_PROCESS {
					t.Errorf("call %d with argument %d = %x gets %x", nr, a.Index, bad[a.Index], got)
				}
				if bad = args; a.Wide {
					bad[a.Index] |= 1 << 40
					if got := run(t, p, arch, nr, bad); got != unix.SECCOMP_RET_KILL_PROCESS {
						t.Errorf("call %d with a wide argument %d gets %x", nr, a.Index, got)
					}
				}
			}
		}
	}
}

// What would open a way out has no row.
func TestNoWayOut(t *testing.T) {
	for _, r := range Strangers() {
		switch r.Call {
		case unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_ACCEPT4,
			unix.SYS_KILL, unix.SYS_PTRACE, unix.SYS_CLONE3, unix.SYS_PRCTL, unix.SYS_SENDTO, unix.SYS_PIDFD_GETFD, unix.SYS_MREMAP:
			t.Errorf("call %d is in the table", r.Call)
		}
	}
}
