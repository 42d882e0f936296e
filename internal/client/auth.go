package client

import (
	"context"
	"io"
	"strings"

	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// defaultMethods is the order of PreferredAuthentications where none is given.
const defaultMethods = "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password"

// Login makes the authentication methods of one login and asks the person
// what they need to know.
type Login struct {
	Conf       *sshconfig.Client
	Log        *Logger
	Ask        *Prompter
	Identities *Identities // arranged
	Host       string      // as prompts show it
	Banners    io.Writer   // where the server's banners go
	Keysign    *Keysign    // for hostbased; nil: none

	offered *ssh.AuthKey // the key that was used without asking the server
	last    *ssh.AuthKey // the key that was offered last
}

// Methods are the ways to log in that the configuration allows, in the order
// of PreferredAuthentications.
func (l *Login) Methods() []ssh.AuthMethod {
	order := l.Conf.PreferredAuthentications
	if order == "" {
		order = defaultMethods
	}
	var methods []ssh.AuthMethod
	for name := range strings.SplitSeq(order, ",") {
		switch {
		case name == "hostbased" && l.Conf.HostbasedAuthentication:
			if m := l.hostbased(); m != nil {
				methods = append(methods, m)
			}
		case name == "publickey" && l.Conf.PubkeyAuthentication != sshconfig.PubkeyNo:
			methods = append(methods, l.Identities.Method())
		case name == "keyboard-interactive" && l.Conf.KbdInteractiveAuthentication && !l.Conf.BatchMode && l.Conf.NumberOfPasswordPrompts > 0:
			methods = append(methods, &ssh.AuthKeyboardInteractive{
				Challenge: l.challenge, Devices: l.Conf.KbdInteractiveDevices, Tries: l.Conf.NumberOfPasswordPrompts})
		case name == "password" && l.Conf.PasswordAuthentication && !l.Conf.BatchMode && l.Conf.NumberOfPasswordPrompts > 0:
			methods = append(methods, &ssh.AuthPassword{
				Prompt: l.password, Change: l.changePassword, Tries: l.Conf.NumberOfPasswordPrompts})
		}
	}
	return methods
}

// account is "USER@HOST".
func (l *Login) account() string { return l.Conf.User + "@" + l.Host }

// password asks for the password. No answer is the empty password, as with
// OpenSSH.
func (l *Login) password(ctx context.Context, attempt int) (string, error) {
	if attempt > 0 {
		l.Log.Error("Permission denied, please try again.")
	}
	return l.secret(ctx, l.account()+"'s password: "), nil
}

func (l *Login) secret(ctx context.Context, prompt string) string {
	answer, _ := l.Ask.Ask(ctx, prompt, 0)
	defer clear(answer)
	return string(answer)
}

// changePassword asks for the old password and twice for a new one. text is
// the server's.
func (l *Login) changePassword(ctx context.Context, text string) (old, new string, err error) {
	if text != "" {
		l.Log.Info("%s", text)
	}
	old = l.secret(ctx, "Enter "+l.account()+"'s old password: ")
	for {
		first, ok := l.Ask.Ask(ctx, "Enter "+l.account()+"'s new password: ", 0)
		if !ok {
			return "", "", ssh.ErrSkip
		}
		again := l.secret(ctx, "Retype "+l.account()+"'s new password: ")
		new = string(first)
		clear(first)
		if new == again {
			return old, new, nil
		}
		l.Log.Info("Mismatch; try again, EOF to quit.")
	}
}

// challenge shows one round of keyboard-interactive and asks its prompts. All
// text is the server's and marked as such (CLI-18).
func (l *Login) challenge(ctx context.Context, _ int, q *ssh.Question) ([]string, error) {
	if q.Name != "" {
		l.Log.Info("%s", q.Name)
	}
	if q.Instruction != "" {
		l.Log.Info("%s", q.Instruction)
	}
	answers := make([]string, len(q.Prompts))
	for i, p := range q.Prompts {
		flags := AskFlags(0)
		if p.Echo {
			flags = AskEcho
		}
		answer, _ := l.Ask.Ask(ctx, "("+l.account()+") "+Visible(p.Text), flags)
		answers[i] = string(answer)
		clear(answer)
	}
	return answers, nil
}

// Banner shows a banner of the server, unless the log is below INFO.
func (l *Login) Banner(text string) {
	if l.Banners == nil || !l.Log.Enabled(LevelInfo) {
		return
	}
	// A line may end as it would on the wire.
	io.WriteString(l.Banners, Visible(strings.ReplaceAll(text, "\r\n", "\n")))
}

// Trace logs the steps of the authentication.
func (l *Login) Trace(e ssh.AuthEvent) {
	text := e.Text(func(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) })
	switch e.Level() {
	case -1:
		l.Log.Error("%s", text)
	case 0:
		l.Log.Verbose("%s", text)
	default:
		l.Log.Debug1("%s", text)
	}
	if strings.HasPrefix(text, "Offering public key: ") {
		l.offered, l.last = nil, e.Key
		if e.Key != nil && e.Key.SignNow {
			l.offered = e.Key
		}
	}
}

// Succeeded completes the log once the server has let us in.
func (l *Login) Succeeded(method string) {
	if k := l.offered; k != nil && method == "publickey" {
		l.Log.Debug1("Server accepts key: %s", k.Describe(func(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) }))
	}
}
