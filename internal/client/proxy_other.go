//go:build !unix

package client

import (
	"errors"
	"net"
	"os"
	"os/exec"

	"github.com/nacre-ssh/nacre/internal/rawio"
)

// proxyStreams gives cmd a pipe each as standard input and output. files are
// closed once cmd was started.
func proxyStreams(cmd *exec.Cmd) (conn net.Conn, files []*os.File, err error) {
	in, w, err := rawio.PipeToChild()
	if err != nil {
		return nil, nil, err
	}
	r, out, err := rawio.PipeFromChild()
	if err != nil {
		in.Close()
		w.Close()
		return nil, nil, err
	}
	cmd.Stdin, cmd.Stdout = in, out
	return rawio.NewDuplex(r, w, "UNKNOWN"), []*os.File{in, out}, nil
}

// shellCommand has the command interpreter run command.
func shellCommand(shell, command string) *exec.Cmd {
	if len(command) > 5 {
		command = command[len("exec "):]
	}
	return exec.Command("cmd.exe", "/c", command)
}

func hangUp(p *os.Process) { p.Kill() }

func passedSocket(string, string, []string, *os.File, *Logger) (net.Conn, error) {
	return nil, errors.New("ProxyUseFdpass: no sockets can be handed over on this system")
}
