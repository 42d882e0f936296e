//go:build linux || darwin || freebsd || openbsd

package login

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/nacre-ssh/nacre/internal/system/reason"
)

// AuthInfo is the file that SSH_USER_AUTH names: the methods that a login
// completed, for its programs to read.
type AuthInfo struct {
	root *os.Root
	name string
}

// NewAuthInfo writes the file, for the user of the session, in the root
// directory that the session will have. A path that leads out of it is not
// followed.
func NewAuthInfo(s *SessionInfo, completed []string) (*AuthInfo, error) {
	dir, err := chrootPath(s.Config.ChrootDirectory, s.Account)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir + "/")
	if err != nil {
		return nil, err
	}
	a := &AuthInfo{root: root}
	if err := a.write(s.Identity, completed); err != nil {
		root.Close()
		return nil, err
	}
	return a, nil
}

func (a *AuthInfo) write(id *Identity, completed []string) error {
	text := ""
	if len(completed) > 0 {
		text = strings.Join(completed, "\n") + "\n"
	}
	var f *os.File
	for range 100 {
		// As mkstemp makes of fifteen X: it replaces six.
		a.name = "tmp/sshauth.XXXXXXXXX" + rand.Text()[:6]
		var err error
		f, err = a.root.OpenFile(a.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if f == nil {
		return os.ErrExist
	}
	defer f.Close()
	_, err := f.WriteString(text)
	if err == nil && id != nil {
		err = f.Chown(int(id.UID), int(id.GID))
	}
	if err != nil {
		_ = a.root.Remove(a.name)
		return fmt.Errorf("%s: %s", a.name, reason.Of(err))
	}
	return nil
}

// File is its path as the user's programs see it, "" for nil.
func (a *AuthInfo) File() string {
	if a == nil {
		return ""
	}
	return "/" + a.name
}

// Remove takes the file away. It may be called on nil.
func (a *AuthInfo) Remove() {
	if a == nil {
		return
	}
	_ = a.root.Remove(a.name) // the user may have done so
	a.root.Close()
}
