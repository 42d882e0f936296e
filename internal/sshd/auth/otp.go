//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/otp"
	"github.com/nacre-ssh/nacre/internal/system/reason"
)

// codeFile is the file of codes in the user's home.
const codeFile = ".google_authenticator"

// codeFits checks a one-time code of the user's, and writes down that it was
// used. Everything happens with the user's rights, one check at a time.
func (v *Visitor) codeFits(ctx context.Context, code string) error {
	groups, err := v.h.DB.GroupIDs(v.account)
	if err != nil {
		return err
	}
	v.h.codes.Lock()
	defer v.h.codes.Unlock()
	path, uid, now := filepath.Join(v.account.Home, codeFile), v.account.UID, v.h.now()
	return asUser(ctx, uid, v.account.GID, groups, func() error {
		old, st, err := readCodes(path, uid)
		if err != nil {
			return err
		}
		after, err := otp.Check(old, code, now)
		if after == nil {
			return err
		}
		if e := writeCodes(path, after, st); e != nil {
			return fmt.Errorf("otp: %s cannot be written, so no code of it counts: %s", path, reason.Of(e))
		}
		return err
	})
}

// hasCodes tells whether the user has a file of codes. One that cannot be
// looked at counts: then no code will be right.
func (v *Visitor) hasCodes(ctx context.Context) bool {
	groups, err := v.h.DB.GroupIDs(v.account)
	if err != nil {
		return true
	}
	err = asUser(ctx, v.account.UID, v.account.GID, groups, func() error {
		_, err := os.Lstat(filepath.Join(v.account.Home, codeFile))
		return err
	})
	return !errors.Is(err, os.ErrNotExist)
}

// readCodes reads the file, which must be the user's alone.
func readCodes(path string, uid uint32) ([]byte, *syscall.Stat_t, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("otp: %s: %s", path, reason.Of(err))
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.Mode().IsRegular() || sys.Uid != uid || st.Mode().Perm()&0o177 != 0 {
		return nil, nil, fmt.Errorf("otp: %s must be a file of the user's with mode 0600 or less", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, otp.MaxFile+1))
	return b, sys, err
}

var errChanged = errors.New("somebody else has changed it meanwhile")

// writeCodes puts a new file in the place of the one that was read.
func writeCodes(path string, b []byte, was *syscall.Stat_t) (err error) {
	temp := path + "~" + rand.Text()
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0o400)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(os.FileMode(was.Mode)&0o600), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if now, ok := st.Sys().(*syscall.Stat_t); !ok || now.Ino != was.Ino || now.Dev != was.Dev || now.Size != was.Size {
		return errChanged
	}
	return os.Rename(temp, path)
}
