//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/sshd/native"
)

// selfLink is how a login process's command names this program: to the helper
// it would be the helper's.
const selfLink = "/proc/self/exe"

// Identity is who the programs of the login are to be: nil where this process
// is that already. With PAM they have their groups from the helper, which may
// have got more of them from modules.
func (l *Login) Identity() *login.Identity {
	if uid := os.Geteuid(); uid != 0 && uint32(uid) == l.Account.UID {
		return nil
	}
	return &login.Identity{UID: l.Account.UID, GID: l.Account.GID, Groups: l.Groups, KeepGroups: l.helper != nil}
}

// Start starts a process of the login, through PAM's helper where there is one,
// so that it has the limits, the umask and the session that modules have set.
// What is the process's alone of c is closed.
func (l *Login) Start(ctx context.Context, c *login.Command) (*login.Process, error) {
	if l.helper == nil {
		return login.Spawn(c)
	}
	defer c.Close()
	m := &native.Message{Kind: native.Spawn, Text: c.Path, Files: c.Files}
	if c.TTY {
		m.Code = 1
	}
	if c.Path == selfLink {
		self, err := os.Open(selfLink)
		if err != nil {
			return nil, err
		}
		defer self.Close()
		m.Files = append(m.Files[:len(m.Files):len(m.Files)], self)
		m.Text = fmt.Sprintf("/proc/self/fd/%d", len(m.Files)-1)
	}
	m.List = append(m.List, c.Dir, strconv.Itoa(len(c.Argv)))
	m.List = append(append(m.List, c.Argv...), c.Env...)
	l.mu.Lock()
	r, err := l.helper.ask(context.WithoutCancel(ctx), m, nil)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if r.Code <= 0 {
		return nil, errors.New("auth: nacre-native: " + r.Text)
	}
	pid, p := int(r.Code), l.helper
	return login.NewProcess(pid, c.UID, func() login.Status {
		if st, ok := p.wait(pid); ok {
			return login.StatusOf(st)
		}
		return login.Status{Code: 255}
	}), nil
}
