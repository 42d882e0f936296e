//go:build !unix

package ssh

import (
	"errors"
	"os"
)

// startBackground: there is no background here.
func (r *run) startBackground() (status int, attach bool) {
	r.log.Fatal("-f: going to the background is not possible on this system")
	return failure, false
}

func detach(bool) error { return errors.ErrUnsupported }

func dupNumber(f *os.File) int { return fileNumber(f) }

func letGo() {}
