//go:build !unix

package lobby

import (
	"errors"
	"os"
)

func newPoller() (poller, error) { return nil, errors.ErrUnsupported }

func descriptor(*os.File) (int, error) { return -1, errors.ErrUnsupported }
func read(int, []byte) (int, error)    { return 0, errors.ErrUnsupported }
func write(int, []byte) error          { return errors.ErrUnsupported }
func greet(int, []byte) error          { return errors.ErrUnsupported }
func again(error) bool                 { return false }
