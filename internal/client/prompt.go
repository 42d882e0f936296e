package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/nacre-ssh/nacre/internal/system/tty"
)

// DefaultAskpass is the dialog program where SSH_ASKPASS names none.
const DefaultAskpass = "/usr/bin/ssh-askpass"

// MaxAnswer is the number of bytes taken of an answer.
const MaxAnswer = 1023

// AskFlags say how a question may be asked.
type AskFlags uint8

// Flags of Ask.
const (
	AskEcho       AskFlags = 1 << iota // what is typed is shown
	AskStdin                           // a standard input that is a terminal will do; else the dialog program
	AskDialog                          // by the dialog program or not at all
	AskPermission                      // the dialog program is told to ask for a yes or no
)

// Prompter asks a person: on the process's terminal, or through the program
// that SSH_ASKPASS names, as SSH_ASKPASS_REQUIRE and DISPLAY say.
type Prompter struct {
	Getenv  func(string) string
	Environ []string // what the dialog program is started with
	Log     *Logger

	// In and Err stand in for a terminal under AskStdin where the process has
	// none. They may be nil.
	In, Err *os.File
}

// Ask asks prompt and returns the answer without its end of line. ok is false
// when there is no answer: nobody to ask, end of input, a dialog that was
// cancelled. The caller clears an answer that is a secret.
func (p *Prompter) Ask(ctx context.Context, prompt string, flags AskFlags) (answer []byte, ok bool) {
	use, allowed := p.dialog()
	var terminal *os.File
	switch {
	case use:
		p.Log.Debug1("read_passphrase: requested to askpass")
	case flags&AskDialog != 0:
		if !allowed {
			return nil, false
		}
		use = true
	case flags&AskStdin != 0 && (p.In == nil || !isTerminal(p.In)):
		p.Log.Debug1("read_passphrase: stdin is not a tty")
		use = true
	default:
		t, err := tty.Open()
		if err != nil {
			p.Log.Debug1("read_passphrase: can't open /dev/tty: %s", Strerror(err))
			use = true
		}
		terminal = t
	}
	if terminal != nil {
		defer terminal.Close()
	}
	if use && allowed {
		hint := ""
		if flags&AskPermission != 0 {
			hint = "confirm"
		}
		return p.runDialog(ctx, prompt, hint)
	}
	if terminal == nil {
		if flags&AskStdin == 0 {
			return nil, false
		}
		t, err := tty.Open()
		if err != nil {
			return p.askStreams(prompt)
		}
		defer t.Close()
		terminal = t
	}
	answer, err := tty.Ask(terminal, tty.Question{Prompt: prompt, Echo: flags&AskEcho != 0})
	return answer, err == nil
}

// dialog says whether the dialog program must be used and whether it may.
func (p *Prompter) dialog() (use, allowed bool) {
	allowed = p.getenv("DISPLAY") != "" || p.getenv("WAYLAND_DISPLAY") != ""
	switch strings.ToLower(p.getenv("SSH_ASKPASS_REQUIRE")) {
	case "force":
		return true, true
	case "prefer":
		return allowed, allowed
	case "never":
		return false, false
	}
	return false, allowed
}

func (p *Prompter) getenv(name string) string {
	if p.Getenv == nil {
		return ""
	}
	return p.Getenv(name)
}

// runDialog runs the dialog program: its first line is the answer, a status
// other than 0 means none.
func (p *Prompter) runDialog(ctx context.Context, prompt, hint string) ([]byte, bool) {
	cmd := p.dialogCommand(ctx, prompt, hint)
	cmd.Stderr = p.Err
	if p.Err == nil {
		cmd.Stderr = os.Stderr
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, false
	}
	if err := cmd.Start(); err != nil {
		p.Log.Error("ssh_askpass: exec(%s): %s", cmd.Args[0], Strerror(err))
		return nil, false
	}
	line, _ := io.ReadAll(io.LimitReader(out, MaxAnswer))
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		clear(line)
		return nil, false
	}
	if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	return line, true
}

func (p *Prompter) dialogCommand(ctx context.Context, prompt, hint string) *exec.Cmd {
	program := p.getenv("SSH_ASKPASS")
	if program == "" {
		program = DefaultAskpass
	}
	cmd := exec.CommandContext(ctx, program, prompt)
	cmd.Env = make([]string, 0, len(p.Environ)+1)
	for _, e := range p.Environ {
		if !strings.HasPrefix(e, "SSH_ASKPASS_PROMPT=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	if hint != "" {
		cmd.Env = append(cmd.Env, "SSH_ASKPASS_PROMPT="+hint)
	}
	return cmd
}

// Permit has the dialog program ask for a permission. No answer is none; an
// empty one is yes.
func (p *Prompter) Permit(ctx context.Context, question string) bool {
	answer, ok := p.Ask(ctx, question, AskDialog|AskPermission)
	return ok && (len(answer) == 0 || strings.EqualFold(string(answer), "yes"))
}

// Notify shows text that needs no answer, as "touch the key now". done takes
// it back. With a terminal it is written there, else the dialog program shows
// it and is ended by done.
func (p *Prompter) Notify(ctx context.Context, text string) (done func()) {
	use, allowed := p.dialog()
	if !use {
		if p.Err != nil && isTerminal(p.Err) {
			io.WriteString(p.Err, "\r"+text+"\n")
			return func() {}
		}
		if t, err := tty.Open(); err == nil {
			io.WriteString(t, "\r"+text+"\n")
			t.Close()
			return func() {}
		}
	}
	if !allowed {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := p.dialogCommand(ctx, text, "none")
	if err := cmd.Start(); err != nil {
		cancel()
		return func() {}
	}
	return func() { cancel(); cmd.Wait() }
}

// askStreams asks on standard error and reads one line of standard input.
func (p *Prompter) askStreams(prompt string) ([]byte, bool) {
	if p.In == nil || p.Err == nil {
		return nil, false
	}
	io.WriteString(p.Err, prompt)
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := p.In.Read(one)
		if n == 1 {
			if one[0] == '\n' || one[0] == '\r' {
				return line, true
			}
			if len(line) < MaxAnswer {
				line = append(line, one[0])
			}
		}
		if err != nil {
			return line, len(line) > 0 && errors.Is(err, io.EOF)
		}
	}
}

// Confirm asks prompt until the answer is yes, no or the text also ("": no
// such text); again is asked after any other. No answer means no. Blanks
// around an answer do not count, nor does case.
func (p *Prompter) Confirm(ctx context.Context, prompt, again, also string) bool {
	for q := prompt; ; q = again {
		answer, ok := p.Ask(ctx, q, AskEcho)
		if !ok {
			return false
		}
		word := strings.TrimLeft(string(answer), " \t")
		if i := strings.IndexAny(word, " \t\n"); i >= 0 {
			word = word[:i]
		}
		switch {
		case word == "" || strings.EqualFold(word, "no"):
			return false
		case strings.EqualFold(word, "yes"), also != "" && word == also:
			return true
		}
	}
}

func isTerminal(f *os.File) bool {
	c, err := f.SyscallConn()
	if err != nil {
		return false
	}
	is := false
	c.Control(func(fd uintptr) { is = tty.IsTerminal(int(fd)) })
	return is
}
