//go:build !linux

package room

import (
	"errors"
	"os"
	"syscall"
)

// FirstFile is the number of the first descriptor that a room is given.
const FirstFile = 3

// Binary is the file of the running program.
type Binary struct{}

// Self is not to be had: the server is one process here.
func Self() (*Binary, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (b *Binary) Close() error { return nil }

// Command says how a room is started.
type Command struct {
	Role      Role
	Title     string
	Args, Env []string
	Files     []*os.File
	Stderr    *os.File
	Attr      *syscall.SysProcAttr
}

// Start is not to be had.
func (b *Binary) Start(*Command) (*Process, error) { return nil, errors.ErrUnsupported }

// Process is a room that was started.
type Process struct{}

// Pid is 0.
func (p *Process) Pid() int { return 0 }

// Wait is not to be had.
func (p *Process) Wait() (syscall.WaitStatus, error) {
	var s syscall.WaitStatus
	return s, errors.ErrUnsupported
}

// Kill is not to be had.
func (p *Process) Kill() error { return errors.ErrUnsupported }

// Crashed is false.
func Crashed(syscall.WaitStatus) bool { return false }

// Files are none.
func Files(int) []*os.File { return nil }

// Signal is not to be had.
func (p *Process) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Title is what ps shows of this process.
type Title struct{}

// Begin does nothing.
func Begin(string) *Title { return nil }

// Set does nothing.
func (t *Title) Set(string) {}

// Enter is not to be had.
func Enter(Options) error { return errors.ErrUnsupported }

// EmptyRoot is not to be had.
func EmptyRoot() (string, error) { return "", errors.ErrUnsupported }
