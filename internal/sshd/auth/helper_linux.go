package auth

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/sshd/native"
)

// helperPatience is how long a helper may take to close what is open after its
// connection has ended: modules may talk to other machines.
const helperPatience = 30 * time.Second

// helper is a nacre-native process: the PAM transaction of one connection.
type helper struct {
	c       *native.Conn
	cmd     *exec.Cmd
	answers chan *native.Message // results and prompts
	done    chan struct{}        // it is gone
	quit    chan struct{}        // it was killed
	once    sync.Once            // of quit

	mu     sync.Mutex
	exits  map[int]syscall.WaitStatus // of programs that nobody has asked about yet
	waits  map[int]chan syscall.WaitStatus
	closed bool
}

var errHelper = errors.New("auth: nacre-native has gone")

// startHelper starts one in a role. title is what it is called in the list of
// processes.
func (h *Host) startHelper(role, title string) (*helper, error) {
	c, theirs, err := native.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := &exec.Cmd{Path: h.Native, Args: []string{title, role}, Env: []string{}, Dir: "/", ExtraFiles: []*os.File{theirs}}
	if h.TZ != "" {
		cmd.Env = append(cmd.Env, "TZ="+h.TZ)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.Close()
		return nil, err
	}
	p := &helper{c: c, cmd: cmd, answers: make(chan *native.Message), done: make(chan struct{}), quit: make(chan struct{}),
		exits: map[int]syscall.WaitStatus{}, waits: map[int]chan syscall.WaitStatus{}}
	go p.read()
	return p, nil
}

// read takes what the helper says until it is gone.
func (p *helper) read() {
	defer func() {
		close(p.done)
		_ = p.cmd.Wait()
	}()
	for {
		m, err := p.c.Receive()
		if err != nil {
			return
		}
		for _, f := range m.Files {
			f.Close()
		}
		switch m.Kind {
		case native.Exited:
			p.mu.Lock()
			if w := p.waits[int(m.Code)]; w != nil {
				delete(p.waits, int(m.Code))
				w <- syscall.WaitStatus(m.More)
			} else {
				p.exits[int(m.Code)] = syscall.WaitStatus(m.More)
			}
			p.mu.Unlock()
		case native.Result, native.Prompt:
			select {
			case p.answers <- m:
			case <-p.quit:
				return
			}
		default:
			return
		}
	}
}

// ask asks one question. Prompts that come before its result are given to
// prompt; when that fails, or is nil, the module has none. A context that ends
// ends the helper.
func (p *helper) ask(ctx context.Context, m *native.Message, prompt func(style int32, text string) (string, error)) (*native.Message, error) {
	if err := p.c.Send(m); err != nil {
		return nil, errors.Join(errHelper, err)
	}
	for {
		select {
		case r := <-p.answers:
			if r.Kind == native.Result {
				return r, nil
			}
			a := &native.Message{Kind: native.Answer, Code: 1}
			if prompt != nil {
				if text, err := prompt(r.Code, r.Text); err == nil {
					a.Code, a.Text = 0, text
				}
			}
			if err := p.c.Send(a); err != nil {
				return nil, errors.Join(errHelper, err)
			}
		case <-p.done:
			return nil, errHelper
		case <-ctx.Done():
			p.kill()
			return nil, ctx.Err()
		}
	}
}

// wait waits for the end of a program that the helper has started.
func (p *helper) wait(pid int) (syscall.WaitStatus, bool) {
	p.mu.Lock()
	if st, ok := p.exits[pid]; ok {
		delete(p.exits, pid)
		p.mu.Unlock()
		return st, true
	}
	w := make(chan syscall.WaitStatus, 1)
	p.waits[pid] = w
	p.mu.Unlock()
	select {
	case st := <-w:
		return st, true
	case <-p.done:
		select {
		case st := <-w:
			return st, true
		default:
			return 0, false
		}
	}
}

// killed tells whether kill was called.
func (p *helper) killed() bool {
	select {
	case <-p.quit:
		return true
	default:
		return false
	}
}

// kill ends the helper whatever it is doing.
func (p *helper) kill() {
	p.once.Do(func() { close(p.quit) })
	_ = p.cmd.Process.Kill()
	p.c.Close()
}

// close lets the helper close what is open and end. It does not wait for it.
func (p *helper) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	_ = p.c.Shutdown()
	go func() {
		timer := time.NewTimer(helperPatience)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
		p.kill()
	}()
}

// nativeCrypt asks the system's library whether a password fits a hash.
func (h *Host) nativeCrypt(ctx context.Context, hash string, password []byte) (bool, error) {
	p, err := h.startHelper("crypt", "sshd: [crypt]")
	if err != nil {
		return false, err
	}
	defer p.kill()
	r, err := p.ask(ctx, &native.Message{Kind: native.Crypt, Text: hash, List: []string{string(password)}}, nil)
	if err != nil {
		return false, err
	}
	if r.Code != 0 && r.Code != 1 {
		return false, errors.New("auth: nacre-native: " + r.Text)
	}
	return r.Code == 0, nil
}
