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
	// deviceNone fails without a question. The method is offered all the same,
	// as OpenSSH without PAM does.
	deviceNone = ""
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
// one, for passwords where they are permitted and where a list of
// AuthenticationMethods wants it; lists that name pam mean it then. Otherwise it
// would be a way for passwords that were switched off.
func (v *Visitor) devices() []string {
	switch {
	case !v.cfg.KbdInteractiveAuthentication:
		return nil
	case v.cfg.UsePAM:
		return []string{devicePAM}
	}
	device := deviceNone
	if v.cfg.PasswordAuthentication {
		device = deviceOTP
	}
	for _, l := range v.cfg.AuthenticationMethods {
		for entry := range strings.SplitSeq(l, ",") {
			switch name, sub, _ := strings.Cut(entry, ":"); {
			case name != methodInteractive:
			case sub == devicePAM:
				return []string{devicePAM}
			default:
				device = deviceOTP
			}
		}
	}
	return []string{device}
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
	switch {
	case v.cfg.UsePAM:
		run = v.pamDialogue
	case device == deviceNone:
		return v.fail(a, nil)
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

// codeDialogue is the device that is built in: the password, and the one-time
// code of whoever has a file of codes, asked for whether or not the password
// was right. Who has none gets in by the password alone where passwords are
// permitted. After another method the code is enough, and the password asked
// only of who has no codes and has not given it yet. Names that nobody has are
// asked for the password, in vain.
func (v *Visitor) codeDialogue(ctx context.Context, d *dialogue) (bool, error) {
	codes := v.real() && v.hasCodes(ctx)
	alone := v.cfg.PasswordAuthentication && !codes // the password decides
	known := len(v.completed) > 0
	if known && alone {
		for _, c := range v.completed {
			if c.Method == methodPassword || c.Method == methodInteractive || c.Method == methodNone {
				alone = false // it proves nothing more
			}
		}
		known = !alone
	}
	if !known {
		password, err := d.one(ctx, "Password: ", false)
		if err != nil {
			return false, err
		}
		if known, err = v.passwordFits(ctx, []byte(password)); err != nil {
			v.lines.Logf(sshconfig.Error, "%s", err)
		}
		if !codes {
			return known && alone && v.real(), nil
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
