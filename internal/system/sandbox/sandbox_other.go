//go:build !linux || !(amd64 || arm64)

package sandbox

import "errors"

// Supported says why there is no sandbox here.
func Supported() error { return errors.ErrUnsupported }

// Enter is not to be had.
func Enter(Limits) error { return errors.ErrUnsupported }
