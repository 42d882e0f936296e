//go:build unix

package client

import (
	"net"
	"os"
	"os/exec"
	"syscall"
)

// proxyStreams gives cmd one end of a socket pair as standard input and
// output. files are closed once cmd was started.
func proxyStreams(cmd *exec.Cmd) (conn net.Conn, files []*os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "proxy"), os.NewFile(uintptr(fds[1]), "proxy")
	conn, err = net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	cmd.Stdin, cmd.Stdout = theirs, theirs
	return conn, []*os.File{theirs}, nil
}

// shellCommand has shell run command.
func shellCommand(shell, command string) *exec.Cmd {
	if shell == "" {
		shell = "/bin/sh"
	}
	return exec.Command(shell, "-c", command)
}

func hangUp(p *os.Process) { p.Signal(syscall.SIGHUP) }
