//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// Devices of keyboard-interactive.
const (
	devicePAM = "pam"
	deviceOTP = "otp" // built in: password and one-time code
)

// Prompt is one question of a dialogue; Echo says whether the answer may be
// shown.
type Prompt struct {
	Text string
	Echo bool
}

// Ask puts one question of a dialogue to the user and returns its answers, one
// for each prompt. Once it has failed it fails always.
type Ask func(ctx context.Context, name, instruction string, prompts []Prompt) ([]string, error)

// devices are those of keyboard-interactive. Without PAM there is the built-in
// one; lists that name pam mean it then.
func (v *Visitor) devices() []string {
	switch {
	case !v.cfg.KbdInteractiveAuthentication:
		return nil
	case v.cfg.UsePAM:
		return []string{devicePAM}
	}
	for _, l := range v.cfg.AuthenticationMethods {
		for entry := range strings.SplitSeq(l, ",") {
			if entry == methodInteractive+":"+devicePAM {
				return []string{devicePAM}
			}
		}
	}
	return []string{deviceOTP}
}

// Interactive runs the dialogue of a keyboard-interactive device.
func (v *Visitor) Interactive(ctx context.Context, device string, ask Ask) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.begin(methodInteractive, device); err != nil {
		return err
	}
	have := v.devices()
	if len(have) == 0 || have[0] != device || v.noSecrets {
		return fmt.Errorf("%w: no such device", ErrRefused)
	}
	v.requests++
	v.attempted = true
	a := &attempt{method: methodInteractive, sub: device}
	d := &dialogue{ask: ask}
	run := v.codeDialogue
	if v.cfg.UsePAM {
		run = v.pamDialogue
	}
	ok, err := run(ctx, d)
	switch {
	case d.err != nil:
		// The client went on to something else, or went: nobody's failure.
		return d.err
	case ctx.Err() != nil:
		return ctx.Err()
	case !ok:
		v.record()
		return v.fail(a, err)
	}
	return v.succeed(a, nil)
}

// dialogue is a conversation with the user.
type dialogue struct {
	ask Ask
	err error // the first failure; it stays
}

var errAnswers = errors.New("auth: number of answers is not the number of prompts")

// one asks for one answer.
func (d *dialogue) one(ctx context.Context, text string, echo bool) (string, error) {
	answers, err := d.put(ctx, "", []Prompt{{text, echo}})
	if err != nil {
		return "", err
	}
	return answers[0], nil
}

// show shows a text.
func (d *dialogue) show(ctx context.Context, text string) error {
	_, err := d.put(ctx, text, nil)
	return err
}

func (d *dialogue) put(ctx context.Context, text string, prompts []Prompt) ([]string, error) {
	if d.err != nil {
		return nil, d.err
	}
	answers, err := d.ask(ctx, "", text, prompts)
	if err == nil && len(answers) != len(prompts) {
		err = errAnswers
	}
	d.err = err
	return answers, err
}

// codeDialogue is the device that is built in: a one-time code of the user's
// file and, unless something else has been proved in this connection, the
// password before it. A code alone lets nobody in. Everybody is asked the same.
func (v *Visitor) codeDialogue(ctx context.Context, d *dialogue) (bool, error) {
	known := len(v.completed) > 0
	if !known {
		password, err := d.one(ctx, "Password: ", false)
		if err != nil {
			return false, err
		}
		if known, err = v.passwordFits(ctx, []byte(password)); err != nil {
			v.lines.Logf(sshconfig.Error, "%s", err)
		}
	}
	code, err := d.one(ctx, "Verification code: ", false)
	if err != nil {
		return false, err
	}
	if !v.real() || !known {
		return false, nil
	}
	if err := v.codeFits(ctx, strings.TrimSpace(code)); err != nil {
		v.lines.Logf(sshconfig.Info, "one-time code of %s refused: %s", v.user, strings.TrimPrefix(err.Error(), "otp: "))
		return false, err
	}
	return true, nil
}
