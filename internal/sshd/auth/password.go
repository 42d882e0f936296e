//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/system/crypt"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// chkpwdTime bounds a question to unix_chkpwd.
	chkpwdTime = 30 * time.Second
	// junk is what PAM is asked about when no password can be right, as long
	// as the one that was given.
	junk = "\b\n\r\177INCORRECT"
)

// errNoChecker says that nothing here knows the hash's method.
var errNoChecker = errors.New("auth: nothing here can check this kind of password; install nacre-native beside the server")

// real tells whether a password can be right at all: the account exists and may
// log in, and root only with PermitRootLogin yes.
func (v *Visitor) real() bool {
	return v.valid && (v.account.UID != 0 || v.cfg.PermitRootLogin == sshconfig.RootYes)
}

// Password checks a password.
func (v *Visitor) Password(ctx context.Context, password []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tryPassword(ctx, methodPassword, password)
}

// ChangePassword is Password with a new one beside it, which is not supported:
// an expired password is changed in a session or by PAM's dialogue.
func (v *Visitor) ChangePassword(context.Context, []byte, []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.begin(methodPassword, ""); err != nil {
		return err
	}
	v.requests++
	v.lines.Logf(sshconfig.Info, "password change not supported")
	return v.fail(&attempt{method: methodPassword}, nil)
}

// None is the none method: the empty password, where that is permitted, at the
// first time only.
func (v *Visitor) None(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.triedNone || !v.cfg.PermitEmptyPasswords || !v.cfg.PasswordAuthentication {
		return ErrRefused
	}
	v.triedNone = true
	return v.tryPassword(ctx, methodNone, nil)
}

func (v *Visitor) tryPassword(ctx context.Context, method string, password []byte) error {
	if err := v.begin(method, ""); err != nil {
		return err
	}
	if !v.cfg.PasswordAuthentication || v.noSecrets {
		return fmt.Errorf("%w: no passwords", ErrRefused)
	}
	v.requests++
	v.attempted = true
	a := &attempt{method: method}
	ok, err := v.passwordFits(ctx, password)
	if err != nil {
		v.lines.Logf(sshconfig.Error, "%s", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !ok {
		v.record()
		return v.fail(a, err)
	}
	return v.succeed(a, nil)
}

// record has the failure written into the records of the system.
func (v *Visitor) record() {
	if v.h.FailedLogin != nil {
		v.h.FailedLogin(v.user, v.host, v.addr)
	}
}

// passwordFits does the same work for everybody, and says yes to whom it may.
func (v *Visitor) passwordFits(ctx context.Context, password []byte) (bool, error) {
	if len(password) > crypt.MaxPassword || bytes.IndexByte(password, 0) >= 0 || len(password) == 0 && !v.cfg.PermitEmptyPasswords {
		return false, nil
	}
	release, err := v.h.slot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if v.cfg.UsePAM {
		return v.pamPassword(ctx, password)
	}
	v.passwordAge()
	if !v.real() {
		_, err := v.h.fits(ctx, "", v.h.fakeHash(), password)
		return false, err
	}
	hash := v.account.Password
	if v.shadow != nil {
		hash = v.shadow.Password
	}
	if hash == "" {
		if len(password) == 0 {
			return true, nil // PermitEmptyPasswords, else we are not here
		}
		hash = v.h.fakeHash()
	}
	if len(password) == 0 || strings.HasPrefix(hash, "*") || strings.HasPrefix(hash, "!") {
		// Nobody's password; the work is done all the same.
		_, err := v.h.fits(ctx, "", v.h.fakeHash(), password)
		return false, err
	}
	return v.h.fits(ctx, v.account.Name, hash, password)
}

// passwordAge looks at the dates of shadow(5), once in a connection.
func (v *Visitor) passwordAge() {
	s := v.shadow
	if v.ageChecked || !v.valid || s == nil {
		return
	}
	v.ageChecked = true
	today := v.h.today()
	switch left := s.LastChange + s.Max - today; {
	case s.LastChange == 0:
		v.lines.Logf(sshconfig.Info, "User %s password has expired (root forced)", v.account.Name)
		v.expired = true
	case s.Max == -1 || s.LastChange == -1:
	case left < 0:
		v.lines.Logf(sshconfig.Info, "User %s password has expired (password aged)", v.account.Name)
		v.expired = true
	case left <= s.Warn:
		v.messages = append(v.messages, fmt.Sprintf("Your password will expire in %s.", days(left)))
	}
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// slot waits until one more password may be checked: with yescrypt each check
// takes 16 MB and tens of milliseconds.
func (h *Host) slot(ctx context.Context) (release func(), err error) {
	h.once.Do(h.prepare)
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// MaxChecks is how many passwords are checked at once for each processor.
const MaxChecks = 2

func (h *Host) prepare() {
	h.slots = make(chan struct{}, MaxChecks*runtime.NumCPU())
	// What most accounts have is what a missing one is to look like.
	like := ""
	if h.DB != nil {
		like = h.DB.UsualHash()
	}
	h.fake = crypt.Fake(like)
}

// fakeHash is the hash of accounts that have none.
func (h *Host) fakeHash() string {
	h.once.Do(h.prepare)
	return h.fake
}

// fits tells whether the password is the one of hash, which is user's ("" for
// nobody's).
func (h *Host) fits(ctx context.Context, user, hash string, password []byte) (bool, error) {
	ok, err := crypt.Check(hash, password)
	switch {
	case err == nil:
		return ok, nil
	case errors.Is(err, crypt.ErrHash):
		return false, nil
	}
	if h.Native != "" && hash != "x" {
		ok, err = h.nativeCrypt(ctx, hash, password)
		if err == nil || ctx.Err() != nil {
			return ok, err
		}
	}
	if user == "" {
		user = "root" // the answer is dropped
	}
	return chkpwd(ctx, user, password)
}

// chkpwd asks PAM's unix_chkpwd, which may read shadow(5) where we may not, and
// knows what the system knows.
func chkpwd(ctx context.Context, user string, password []byte) (bool, error) {
	path := ""
	for _, p := range [...]string{"/usr/sbin/unix_chkpwd", "/sbin/unix_chkpwd", "/usr/lib/security/unix_chkpwd"} {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			path = p
			break
		}
	}
	if path == "" {
		return false, errNoChecker
	}
	ctx, cancel := context.WithTimeout(ctx, chkpwdTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, user, "nonull")
	cmd.Env, cmd.Dir = []string{}, "/"
	input := append(bytes.Clone(password), 0)
	defer clear(input)
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() == nil && errors.As(err, &exit) && exit.Exited():
		return false, nil
	}
	return false, fmt.Errorf("auth: %s: %w", path, err)
}
