//go:build !unix

package sshconfig

import (
	"errors"
	"os"
)

var errIsDirectory = errors.New("is a directory")

// onlyOurs has nothing to go by: access is not in mode bits here.
func onlyOurs(os.FileInfo) bool { return true }
