//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/system/reason"
)

const (
	// MaxUserFile is how long a user's file of keys or principals may be, in
	// bytes; a longer one is not used.
	MaxUserFile = 1 << 20
	// MaxUserLines is how many lines of such a file, or of what a command
	// prints, are looked at.
	MaxUserLines = 10_000
)

// errNotThere says that a user's file does not exist, which is no news.
var errNotThere = errors.New("does not exist")

// insecureError is why StrictModes refuses a file.
type insecureError struct{ why string }

func (e *insecureError) Error() string { return e.why }

// readUserFile reads a file that says who may log in as the user uid, whose
// home is home. It must be a regular file, whatever StrictModes says; opening
// does not wait where it is not. With strict it and the directories above it,
// up to home or the root, must be such that only the user and root can change
// them. The error is errNotThere, an *insecureError, or the system's.
func readUserFile(path string, uid uint32, home string, strict bool) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, errNotThere
		}
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &insecureError{"is not a regular file"}
	}
	if strict {
		if err := securePath(st, path, uid, home); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxUserFile+1))
	if err == nil && len(b) > MaxUserFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, MaxUserFile)
	}
	return b, err
}

// securePath checks an open file, by what st says of it, and the directories
// above its real path (OpenSSH's secure_filename).
func securePath(st os.FileInfo, path string, uid uint32, home string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return &insecureError{fmt.Sprintf("realpath %s failed: %s", path, reason.Of(err))}
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	} else {
		home = ""
	}
	if !onlyFor(st, uid) {
		return &insecureError{"bad ownership or modes for file " + file}
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		st, err := os.Lstat(dir) // a link that appeared since is not a directory
		if err != nil || !st.IsDir() || !onlyFor(st, uid) {
			return &insecureError{"bad ownership or modes for directory " + dir}
		}
		if dir == home || dir == "/" {
			return nil
		}
	}
}

// onlyFor tells whether only root and the user may change what st describes.
func onlyFor(st os.FileInfo, uid uint32) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && (sys.Uid == 0 || sys.Uid == uid) && st.Mode().Perm()&0o022 == 0
}

// secureProgram checks a program that the configuration names and that runs
// for strangers: the file and all directories above it belong to root alone.
func secureProgram(path string) error {
	if !filepath.IsAbs(path) {
		return &insecureError{"path is not absolute"}
	}
	st, err := os.Stat(path)
	if err != nil {
		return &insecureError{reason.Of(err)}
	}
	if !st.Mode().IsRegular() {
		return &insecureError{path + " is not a regular file"}
	}
	return securePath(st, path, 0, "")
}

// maxFile is how much of an administrator's file is read, in bytes.
const maxFile = 1 << 20

// readRegular reads an administrator's file of at most maxFile bytes.
func readRegular(path string) ([]byte, error) { return readAtMost(path, maxFile) }

func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return b, err
}
