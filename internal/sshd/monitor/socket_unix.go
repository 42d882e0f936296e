//go:build linux || darwin || freebsd || openbsd

package monitor

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// addresses are both ends of a socket, as the kernel knows them; zero for what
// has none, such as a socket between processes.
func addresses(f *os.File) (remote, local netip.AddrPort, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return remote, local, err
	}
	var r, l unix.Sockaddr
	e := rc.Control(func(fd uintptr) {
		if r, err = unix.Getpeername(int(fd)); err == nil {
			l, err = unix.Getsockname(int(fd))
		}
	})
	if e != nil {
		err = e
	}
	if err != nil {
		return remote, local, os.NewSyscallError("getpeername", err)
	}
	return addrPort(r), addrPort(l), nil
}

func addrPort(s unix.Sockaddr) netip.AddrPort {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port))
	}
	return netip.AddrPort{}
}
