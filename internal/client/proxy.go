package client

import (
	"net"
	"os"
	"os/exec"
	"sync"
)

// Proxy is a running proxy command and the connection through it. The zero
// value stands for a connection that somebody else has made.
type Proxy struct {
	net.Conn // its standard input and output
	cmd      *exec.Cmd
	hop      func() // ends the connection to a jump host
	done     chan struct{}
	once     sync.Once
}

// StartProxy runs command, whose tokens are expanded, by the user's shell,
// which it replaces, with standard error as ours. shell "" is /bin/sh.
func StartProxy(shell, command string, env []string, stderr *os.File, log *Logger) (*Proxy, error) {
	command = "exec " + command
	log.Debug1("Executing proxy command: %s", command)
	cmd := shellCommand(shell, command)
	cmd.Env = env
	cmd.Stderr = stderr
	conn, files, err := proxyStreams(cmd)
	if err != nil {
		return nil, err
	}
	err = cmd.Start()
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &Proxy{Conn: conn, cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Stop closes the connection and tells the command to go (SIGHUP). It does
// not wait for that; Done does.
func (p *Proxy) Stop() {
	p.once.Do(func() {
		if p.hop != nil {
			p.Conn.Close()
			p.hop()
		}
		if p.cmd != nil {
			p.Conn.Close()
			hangUp(p.cmd.Process)
		}
	})
}

// Done is closed when the command has ended.
func (p *Proxy) Done() <-chan struct{} { return p.done }
