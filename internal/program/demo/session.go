package demo

import (
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/system/pty"
	"github.com/nacre-ssh/nacre/internal/system/tty"
	"github.com/nacre-ssh/nacre/ssh"
)

// host runs what the client asks for.
type host struct {
	std stdio.Stdio

	mu        sync.Mutex
	terminals map[*ssh.Session]*pty.Pty // opened, not yet used
}

func (h *host) openPTY(s *ssh.Session, t *ssh.PTY) error {
	p, err := pty.Open()
	if err != nil {
		return err
	}
	if _, err := p.Apply(t.Modes); err != nil {
		p.Close()
		return err
	}
	if err := p.SetSize(tty.Size(t.Window)); err != nil {
		p.Close()
		return err
	}
	h.mu.Lock()
	h.terminals[s] = p
	h.mu.Unlock()
	return nil
}

func (h *host) handle(s *ssh.Session) {
	h.mu.Lock()
	p := h.terminals[s]
	delete(h.terminals, s)
	h.mu.Unlock()

	shell := h.std.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	argv := []string{shell}
	if c := s.Command(); c != "" {
		argv = append(argv, "-c", c)
	}
	var err error
	if p == nil {
		err = h.onPipes(s, argv)
	} else {
		err = h.onTerminal(s, argv, p)
	}
	if err != nil {
		io.WriteString(s.Stderr(), "demo: "+err.Error()+"\r\n")
		s.Exit(failure)
	}
}

func (h *host) onPipes(s *ssh.Session, argv []string) error {
	cmd := exec.CommandContext(s.Context(), argv[0], argv[1:]...)
	cmd.Env = h.std.Env
	cmd.Stdout, cmd.Stderr = s, s.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { // ends with the session, which ends with the program
		io.Copy(in, s)
		in.Close()
	}()
	cmd.Wait()
	return finish(s, cmd.ProcessState)
}

func (h *host) onTerminal(s *ssh.Session, argv []string, p *pty.Pty) error {
	defer p.Close()
	t, _ := s.PTY()
	s.OnWindowChange(func(w ssh.Window) { p.SetSize(tty.Size(w)) })
	proc, err := p.Start(argv[0], argv, &os.ProcAttr{Env: append(h.std.Env, "TERM="+t.Term)})
	if err != nil {
		return err
	}
	go io.Copy(p.Master, s) // ends with the session
	io.Copy(s, p.Master)    // ends when nobody has the terminal open any more
	state, err := proc.Wait()
	if err != nil {
		return err
	}
	return finish(s, state)
}

// finish tells the client how the program ended.
func finish(s *ssh.Session, state *os.ProcessState) error {
	code := state.ExitCode()
	if code < 0 { // by a signal: as a shell puts it
		code = 128
	}
	return s.Exit(code)
}
