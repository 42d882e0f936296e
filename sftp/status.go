package sftp

import (
	"errors"
	"io"
	"io/fs"
)

// Status is the code of a STATUS packet (draft §7).
type Status uint32

// Codes of STATUS.
const (
	StatusOK Status = iota
	StatusEOF
	StatusNoSuchFile
	StatusPermissionDenied
	StatusFailure
	StatusBadMessage
	StatusNoConnection
	StatusConnectionLost
	StatusOpUnsupported
)

// statusTexts are OpenSSH's, word for word.
var statusTexts = [...]string{
	StatusOK:               "Success",
	StatusEOF:              "End of file",
	StatusNoSuchFile:       "No such file",
	StatusPermissionDenied: "Permission denied",
	StatusFailure:          "Failure",
	StatusBadMessage:       "Bad message",
	StatusNoConnection:     "No connection",
	StatusConnectionLost:   "Connection lost",
	StatusOpUnsupported:    "Operation unsupported",
}

// String is the text that goes with the code.
func (s Status) String() string {
	if int(s) < len(statusTexts) {
		return statusTexts[s]
	}
	return "Unknown error"
}

// StatusError is an error with a code of its own: what a server answers when
// an FS returns it, and what a client returns when a server has said it.
type StatusError struct {
	Code    Status
	Message string // "" is the code's own text
	Err     error  // the cause, not sent
}

func (e *StatusError) Error() string {
	text := e.Message
	if text == "" {
		text = e.Code.String()
	}
	if e.Err != nil {
		return "sftp: " + text + ": " + e.Err.Error()
	}
	return "sftp: " + text
}

// Unwrap is the cause.
func (e *StatusError) Unwrap() error { return e.Err }

// Is makes errors.Is know the codes that io/fs has errors for.
func (e *StatusError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Code == StatusNoSuchFile
	case fs.ErrPermission:
		return e.Code == StatusPermissionDenied
	case errors.ErrUnsupported:
		return e.Code == StatusOpUnsupported
	case io.EOF:
		return e.Code == StatusEOF
	}
	return false
}

// StatusOf is the code that tells err: that of a *StatusError, the nearest one
// for the errors of io and io/fs, else StatusFailure.
func StatusOf(err error) Status {
	var e *StatusError
	switch {
	case err == nil:
		return StatusOK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, io.EOF):
		return StatusEOF
	case errors.Is(err, fs.ErrNotExist):
		return StatusNoSuchFile
	case errors.Is(err, fs.ErrPermission):
		return StatusPermissionDenied
	case errors.Is(err, fs.ErrInvalid):
		return StatusBadMessage
	case errors.Is(err, errors.ErrUnsupported):
		return StatusOpUnsupported
	}
	return StatusFailure
}
