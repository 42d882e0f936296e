//go:build linux || darwin || freebsd || openbsd

package auth

import "context"

// Prompt is one question of a dialogue; Echo says whether the answer may be
// shown.
type Prompt struct {
	Text string
	Echo bool
}

// Ask puts one question of a dialogue to the user and returns its answers, one
// for each prompt. Once it has failed it fails always.
type Ask func(ctx context.Context, name, instruction string, prompts []Prompt) ([]string, error)

// Password checks a password.
func (v *Visitor) Password(ctx context.Context, password []byte) error { return errNoMethod }

// Interactive runs the dialogue of a keyboard-interactive device.
func (v *Visitor) Interactive(ctx context.Context, device string, ask Ask) error { return errNoMethod }

// None is the none method: the empty password, where that is permitted.
func (v *Visitor) None(ctx context.Context) error { return errNoMethod }
