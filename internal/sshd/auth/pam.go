//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/sshd/native"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// pamTTY is PAM_TTY, never the real terminal's name.
const pamTTY = "ssh"

// nobodysName is what PAM is asked about instead of a name that no account can
// have: modules make file names of it (AUT-15).
const nobodysName = "NOUSER"

// pam is the connection's helper, started when something is to be asked of it.
func (v *Visitor) pam(ctx context.Context) (*helper, error) {
	if v.helper != nil && !v.helper.killed() {
		return v.helper, nil
	}
	if v.h.Native == "" {
		return nil, errNoNative
	}
	name, title := v.user, v.user
	if !account.ValidName(name) {
		name = nobodysName
	}
	if !v.valid {
		title = "unknown"
	}
	p, err := v.h.startHelper("pam", "sshd: "+title+" [pam]")
	if err != nil {
		return nil, err
	}
	host := v.host
	if host == "UNKNOWN" {
		host = ""
	}
	r, err := p.ask(ctx, &native.Message{Kind: native.Start, List: []string{v.cfg.PAMServiceName, name, host, pamTTY,
		fmt.Sprintf("SSH_CONNECTION=%s %d %s %d", v.remote, v.remotePort, v.local, v.localPort)}}, nil)
	if err == nil && r.Code != native.Success {
		err = errors.New("auth: " + r.Text)
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	v.helper = p
	return p, nil
}

var errNoNative = errors.New("auth: UsePAM is set, but there is no nacre-native beside the server or in libexec/nacre; install it or set UsePAM no")

// Check tells whether what the configuration wants is there.
func (h *Host) Check() error {
	if h.Config.UsePAM && h.Native == "" {
		return errNoNative
	}
	return nil
}

// pamFatal ends the connection: without an answer of PAM nobody gets in. When
// it is the question that was given up, the next one has a new helper.
func (v *Visitor) pamFatal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.dead = true
	v.lines.Logf(sshconfig.Fatal, "PAM: initialisation failed: %s", err)
	return &Fatal{Err: err}
}

// authInfo is what has been completed so far, a line each.
func (v *Visitor) authInfo() string {
	var b strings.Builder
	for _, c := range v.completed {
		b.WriteString(c.Line() + "\n")
	}
	return b.String()
}

func (v *Visitor) pamFlags() int32 {
	if v.cfg.PermitEmptyPasswords {
		return 0
	}
	return native.DisallowNullToken
}

// pamPassword asks PAM about a password; about one that cannot be right when
// the user may not have one.
func (v *Visitor) pamPassword(ctx context.Context, password []byte) (bool, error) {
	p, err := v.pam(ctx)
	if err != nil {
		return false, v.pamFatal(ctx, err)
	}
	text := string(password)
	if !v.real() {
		text = string(bytes.Repeat([]byte(junk), len(password)/len(junk)+1)[:len(password)])
	}
	r, err := p.ask(ctx, &native.Message{Kind: native.Authenticate, Code: v.pamFlags(), Text: v.authInfo(), List: []string{text}}, nil)
	if err != nil {
		return false, v.pamFatal(ctx, err)
	}
	v.pamTexts = append(v.pamTexts, r.List...)
	return v.pamAnswer(r), nil
}

// pamAnswer judges a result of pam_authenticate.
func (v *Visitor) pamAnswer(r *native.Message) bool {
	if r.More == 1 { // another user than the one that was asked about
		v.lines.Logf(sshconfig.Error, "%s", r.Text)
	}
	if r.Code == native.MaxTries {
		v.noSecrets = true
	}
	return r.Code == native.Success && v.real()
}

// pamDialogue has PAM authenticate in a dialogue, the account's checks and a
// change of the password included.
func (v *Visitor) pamDialogue(ctx context.Context, d *dialogue) (bool, error) {
	if v.noAccount {
		return false, nil
	}
	p, err := v.pam(ctx)
	if err != nil {
		return false, v.pamFatal(ctx, err)
	}
	real := v.real()
	prompt := func(style int32, text string) (string, error) {
		if style != native.EchoOff && style != native.EchoOn {
			return "", d.show(ctx, text)
		}
		answer, err := d.one(ctx, text, style == native.EchoOn)
		if err == nil && !real {
			answer = strings.Repeat(junk, len(answer)/len(junk)+1)[:len(answer)]
		}
		return answer, err
	}
	r, err := p.ask(ctx, &native.Message{Kind: native.Authenticate, Code: v.pamFlags(), Text: v.authInfo()}, prompt)
	ok := err == nil && v.pamAnswer(r)
	if ok {
		if r, err = p.ask(ctx, &native.Message{Kind: native.Account, Code: 1, Text: v.authInfo()}, prompt); err == nil {
			switch r.Code {
			case native.Success:
				v.accountDone = true
			case native.NewTokenRequired:
				if r, err = p.ask(ctx, &native.Message{Kind: native.ChangeToken}, prompt); err == nil && r.Code == native.Success {
					v.accountDone = true
				}
			default:
				v.noAccount = true
			}
			ok = v.accountDone
		}
	}
	if err != nil {
		return false, v.pamFatal(ctx, err)
	}
	if d.err != nil {
		return false, d.err
	}
	if !ok {
		illegal := ""
		if !v.valid {
			illegal = "illegal user "
		}
		text := r.Text
		if r.Code == native.Success {
			text = "Authentication failure" // right for somebody who may not log in
		}
		v.lines.Logf(sshconfig.Error, "PAM: %s for %s%s from %s", text, illegal, v.user, v.host)
		return false, nil
	}
	return true, d.show(ctx, "")
}

// pamAccount is the account phase, when the methods are complete.
func (v *Visitor) pamAccount(ctx context.Context) error {
	if v.accountDone {
		return nil
	}
	p, err := v.pam(ctx)
	if err != nil {
		return v.pamFatal(ctx, err)
	}
	r, err := p.ask(ctx, &native.Message{Kind: native.Account, Text: v.authInfo()}, nil)
	if err != nil {
		return v.pamFatal(ctx, err)
	}
	v.pamTexts = append(v.pamTexts, r.List...)
	switch r.Code {
	case native.Success:
	case native.NewTokenRequired:
		v.expired = true
	default:
		v.dead = true
		_ = v.fail(v.last, nil)
		v.lines.Pref(sshconfig.Fatal, "Access denied for user %s by PAM account configuration", v.user)
		return &Fatal{Banner: lines(v.pamTexts), Err: ErrRefused}
	}
	v.accountDone = true
	return nil
}

// lines are texts, one per line.
func lines(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return strings.Join(texts, "\n") + "\n"
}

// OpenSession opens the login's session: PAM's, where there is PAM. When that
// fails the login goes on as NotOpen; an error ends it.
func (l *Login) OpenSession(ctx context.Context) error {
	p := l.helper
	if p == nil {
		return nil
	}
	r, err := p.ask(ctx, &native.Message{Kind: native.Establish}, nil)
	if err != nil {
		return err
	}
	l.Messages = append(l.Messages, r.List...)
	if r.Code != native.Success {
		if l.interactive {
			l.lines.Logf(sshconfig.Fatal, "PAM: pam_setcred(): %s", r.Text)
			return &Fatal{Err: errors.New("auth: pam_setcred: " + r.Text)}
		}
		l.lines.Logf(sshconfig.Debug1, "PAM: pam_setcred(): %s", r.Text)
	}
	info := lines(l.Completed)
	if r, err = p.ask(ctx, &native.Message{Kind: native.Open, Text: info}, nil); err != nil {
		return err
	}
	l.Messages = append(l.Messages, r.List...)
	if r.Code != native.Success {
		l.lines.Logf(sshconfig.Error, "PAM: pam_open_session(): %s", r.Text)
		l.NotOpen = true
		l.Options.PortForwarding, l.Options.AgentForwarding, l.Options.X11Forwarding, l.Options.UserRC = false, false, false, false
		l.Options.Tunnel = nil
	}
	ids := make([]string, 0, len(l.Groups))
	for _, g := range l.Groups {
		ids = append(ids, strconv.FormatUint(uint64(g), 10))
	}
	if r, err = p.ask(ctx, &native.Message{Kind: native.Identity, Code: int32(l.Account.GID), List: ids}, nil); err != nil {
		return err
	}
	if r.Code == native.Broken {
		return errors.New("auth: nacre-native: " + r.Text)
	}
	if r, err = p.ask(ctx, &native.Message{Kind: native.Environment}, nil); err != nil {
		return err
	}
	l.Env = r.List
	return nil
}

// CloseSession closes what OpenSession opened, and what PAM holds.
func (l *Login) CloseSession() {
	if l.helper != nil {
		l.helper.close()
	}
}
