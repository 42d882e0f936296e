//go:build darwin || freebsd || openbsd

package auth

import (
	"context"
	"errors"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/sshd/native"
)

// helper is a nacre-native process, which there is not on this system.
type helper struct{}

var errHelper = errors.New("auth: PAM is not available on this system; set UsePAM no")

func (h *Host) startHelper(role, title string) (*helper, error) { return nil, errHelper }

func (p *helper) ask(context.Context, *native.Message, func(int32, string) (string, error)) (*native.Message, error) {
	return nil, errHelper
}

func (p *helper) wait(int) (syscall.WaitStatus, bool) { return 0, false }
func (p *helper) killed() bool                        { return false }
func (p *helper) kill()                               {}
func (p *helper) close()                              {}

func (h *Host) nativeCrypt(context.Context, string, []byte) (bool, error) { return false, errHelper }
