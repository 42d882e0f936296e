//go:build unix

package client

import (
	"errors"
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

// passedSocket runs command, which connects and hands its socket over on its
// standard output (ProxyUseFdpass).
func passedSocket(shell, command string, env []string, stderr *os.File, log *Logger) (net.Conn, error) {
	command = "exec " + command
	log.Debug1("Executing proxy dialer command: %s", command)
	cmd := shellCommand(shell, command)
	cmd.Env, cmd.Stderr = env, stderr
	conn, files, err := proxyStreams(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = cmd.Start()
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		return nil, err
	}
	defer cmd.Wait()
	var data [1]byte
	oob := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(data[:], oob)
	if err != nil {
		return nil, errDialer
	}
	fds := rights(oob[:n])
	if len(fds) != 1 {
		for _, fd := range fds {
			syscall.Close(fd)
		}
		return nil, errDialer
	}
	f := os.NewFile(uintptr(fds[0]), "passed")
	defer f.Close()
	return net.FileConn(f)
}

var errDialer = errors.New("proxy dialer did not pass back a connection")

// rights are the descriptors of a control message, closed on exec.
func rights(oob []byte) []int {
	var all []int
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if fds, err := syscall.ParseUnixRights(&msgs[i]); err == nil {
			for _, fd := range fds {
				syscall.CloseOnExec(fd)
			}
			all = append(all, fds...)
		}
	}
	return all
}
