package ssh

import (
	"os"
	"sync"

	"github.com/nacre-ssh/nacre/internal/system/tty"
	public "github.com/nacre-ssh/nacre/ssh"
)

// terminal is the person's terminal and the state it was found in. Safe for
// concurrent use: whoever ends the program puts it back.
type terminal struct {
	f *os.File

	mu     sync.Mutex
	before *tty.State // not nil: in raw mode
}

func (t *terminal) control(f func(fd int) error) error {
	c, err := t.f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// raw sets raw mode. Modes are those of before.
func (t *terminal) raw() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before != nil {
		return nil
	}
	return t.control(func(fd int) (err error) {
		t.before, err = tty.Raw(fd)
		return err
	})
}

// restore ends raw mode. A nil terminal is none.
func (t *terminal) restore() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before == nil {
		return
	}
	t.control(t.before.Restore)
	t.before = nil
}

// modes are the encoded terminal modes, from before raw mode; without a
// terminal none but the end.
func (t *terminal) modes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.before
	if state == nil {
		t.control(func(fd int) (err error) {
			state, err = tty.GetState(fd)
			return err
		})
	}
	if state == nil {
		return []byte{0}
	}
	return state.Modes()
}

// size is the window's size, zero where there is none.
func (t *terminal) size() public.Window {
	var s tty.Size
	t.control(func(fd int) (err error) {
		s, err = tty.GetSize(fd)
		return err
	})
	return public.Window(s)
}
