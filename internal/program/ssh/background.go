package ssh

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/client"
)

func pid() int { return os.Getpid() }

// backgroundEnv names, for a process that goes to the background after login,
// the descriptor on which it tells its parent so. A Go process cannot fork
// once it runs: the parent starts itself again before anything was asked or
// sent, the child owns the connection from its first byte, and the parent
// stays as long as the person may have to answer questions.
const backgroundEnv = "NACRE_SSH_BACKGROUND"

// beBackground takes the mark off the environment and says whether this run
// is such a child. What it would say about the command line and configuration
// was said by the parent.
func (r *run) beBackground() {
	env := r.io.Env[:0:0]
	for _, e := range r.io.Env {
		if v, ok := strings.CutPrefix(e, backgroundEnv+"="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 2 {
				r.parent = os.NewFile(uintptr(n), "parent")
			}
			continue
		}
		env = append(env, e)
	}
	r.io.Env = env
	if r.parent != nil {
		r.log.Redirect(nil)
	}
}

// speak ends the silence of a child that goes to the background.
func (r *run) speak() {
	if r.parent != nil {
		r.log.Redirect(r.logTo)
	}
}

// toBackground lets go of the terminal and of the parent, who returns 0.
func (l *loop) toBackground() error { return l.leave("b") }

// leave tells the parent that we are in the background, once the server has
// granted the forwards that are needed.
func (l *loop) leave(word string) error {
	if l.parent == nil {
		return nil
	}
	if l.conf.ExitOnForwardFailure {
		l.forwards.Confirmed()
		if l.fatal.Load() != nil {
			return *l.fatal.Load()
		}
	}
	return l.run.leave(word)
}

// toBackgroundNow is toBackground for a passenger of somebody else's
// connection.
func (r *run) toBackgroundNow() error { return r.leave("b") }

func (r *run) leave(word string) error {
	if r.parent == nil {
		return nil
	}
	r.log.Debug1("forking to background")
	keepErr := !r.log.ToFile() && r.log.Enabled(client.LevelDebug1)
	if err := detach(keepErr); err != nil {
		return err
	}
	_, err := io.WriteString(r.parent, word)
	r.parent.Close()
	return err
}

// attach runs the session over the connection that our child has made and
// keeps.
func (r *run) attach() int {
	r.attached = true
	c, err := client.OpenControl(r.shares(), client.ControlTimeout)
	if err != nil {
		r.log.Fatal("Control socket connect(%s): %s", r.shares(), client.Strerror(err))
		return failure
	}
	defer c.Close()
	status, err := r.passenger(c, client.ControlTimeout)
	if err != nil {
		r.log.Fatal("Failed to connect to new control master: %s", err)
		return failure
	}
	return status
}
