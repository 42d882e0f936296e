// Package reason gives the system's text of an error as the C library has it,
// for lines that people and programs know from there.
package reason

import (
	"errors"
	"strings"
	"syscall"
)

// Of is the cause of err in strerror(3)'s words, without what was tried; of an
// error that is not the system's it is the whole text.
func Of(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return Text(errno)
	}
	return err.Error()
}

// Text is strerror(3): Go's texts are the same but for the first letter.
func Text(errno syscall.Errno) string {
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
