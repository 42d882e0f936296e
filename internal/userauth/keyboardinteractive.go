package userauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// interactiveRequest holds the fields of a keyboard-interactive request (RFC
// 4256 §3.1).
type interactiveRequest struct {
	language, submethods string
}

func (m *interactiveRequest) decode(rest []byte) error {
	r := wire.NewReader(rest)
	m.language, m.submethods = r.Text(), r.Text()
	return r.Done()
}

func (m *interactiveRequest) append(b []byte) []byte {
	return wire.AppendText(wire.AppendText(b, m.language), m.submethods)
}

// Prompt is one question; Echo says whether the answer may be shown.
type Prompt struct {
	Text string
	Echo bool
}

// Question is one INFO_REQUEST (RFC 4256 §3.2): at most MaxPrompts prompts,
// also none, which only shows the text and is answered with nothing.
type Question struct {
	Name, Instruction string
	Prompts           []Prompt
}

var errPrompts = errors.New("userauth: more prompts than are taken")

func (q *Question) append(b []byte) []byte {
	b = wire.AppendText(append(b, wire.MsgUserauthInfoRequest), q.Name)
	b = wire.AppendText(wire.AppendText(b, q.Instruction), "")
	b = wire.AppendUint32(b, uint32(len(q.Prompts)))
	for _, p := range q.Prompts {
		b = wire.AppendBool(wire.AppendText(b, p.Text), p.Echo)
	}
	return b
}

func (q *Question) decode(p []byte) error {
	r := wire.NewReader(p[1:])
	q.Name, q.Instruction = r.Text(), r.Text()
	r.String() // language
	n := r.Uint32()
	if r.Err() == nil && n > MaxPrompts {
		return errPrompts
	}
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		q.Prompts = append(q.Prompts, Prompt{r.Text(), r.Bool()})
	}
	return r.Done()
}

func appendAnswers(b []byte, answers []string) []byte {
	b = wire.AppendUint32(append(b, wire.MsgUserauthInfoResponse), uint32(len(answers)))
	for _, a := range answers {
		b = wire.AppendText(b, a)
	}
	return b
}

var errAnswers = errors.New("userauth: number of answers is not the number of prompts")

// decodeAnswers reads INFO_RESPONSE, which must hold want answers.
func decodeAnswers(p []byte, want int) ([]string, error) {
	r := wire.NewReader(p[1:])
	n := r.Uint32()
	if r.Err() == nil && uint64(n) != uint64(want) {
		return nil, errAnswers
	}
	var answers []string
	for i := 0; i < want && r.Err() == nil; i++ {
		answers = append(answers, r.Text())
	}
	return answers, r.Done()
}

// Ask puts one question to the client and returns its answers, one for each
// prompt. Once it has failed it fails always: the device must give up then.
type Ask func(ctx context.Context, q *Question) ([]string, error)

// Device is a keyboard-interactive submethod, for example "pam".
type Device struct {
	Name string
	// Authenticate asks what it needs and decides. Success counts only if the
	// last question was answered.
	Authenticate func(ctx context.Context, a *Attempt, ask Ask) (*Permissions, error)
}

var (
	errDevices   = errors.New("userauth: no such keyboard-interactive device, or too many named")
	errAbandoned = errors.New("userauth: client gave the dialogue up")
	errAnswer    = errors.New("userauth: answer is too long or holds a NUL byte")
)

// devices are those the client named, each once, or all; and of them those
// that AuthenticationMethods lets be tried (AUT-16).
func (s *server) devices(named string) []Device {
	var names []string
	if named != "" {
		if names = strings.SplitN(named, ",", MaxDevices+1); len(names) > MaxDevices {
			return nil
		}
	}
	var out []Device
	for _, d := range s.cfg.KeyboardInteractive {
		if d.Authenticate == nil || names != nil && !slices.Contains(names, d.Name) || !s.left.Allows(methodInteractive, d.Name) {
			continue
		}
		out = append(out, d)
	}
	return out
}

// interactive runs the devices one after the other until one succeeds.
func (s *server) interactive(ctx context.Context, r *attempt, a Attempt, b *interactiveRequest) {
	r.err = errDevices
	for _, d := range s.devices(b.submethods) {
		own := a
		dlg := &dialogue{s: s, r: r, device: d.Name}
		perms, err := d.Authenticate(ctx, &own, dlg.ask)
		if dlg.err != nil {
			perms, err = nil, dlg.err // whatever the device makes of it
		}
		r.decided(perms, err)
		r.info = own.Info
		if s.held != nil {
			// RFC 4256 §3.1: a new request drops this one without an answer.
			r.dropped = true
			return
		}
		var more *PartialSuccess
		if err == nil || errors.As(err, &more) {
			r.submethod = d.Name
			return
		}
		if s.ends(ctx, err) != nil || errors.Is(err, ErrTooManyFailures) {
			return
		}
	}
}

// dialogue is the conversation of one device.
type dialogue struct {
	s      *server
	r      *attempt
	device string
	err    error // the first failure; it stays
}

func (d *dialogue) ask(ctx context.Context, q *Question) ([]string, error) {
	if d.err != nil {
		return nil, d.err
	}
	answers, err := d.question(ctx, q)
	d.err = err
	return answers, err
}

func (d *dialogue) question(ctx context.Context, q *Question) ([]string, error) {
	s := d.s
	if len(q.Prompts) > MaxPrompts {
		return nil, errPrompts
	}
	s.log(&attempt{outcome: Postponed, method: methodInteractive, submethod: d.r.submethod})
	d.r.submethod = d.device
	if err := s.c.WritePacket(q.append(nil)); err != nil {
		s.fatal = err
		return nil, err
	}
	p, err := s.read(ctx, serverAnswer)
	if err != nil {
		s.fatal = err
		return nil, err
	}
	if p[0] == wire.MsgUserauthRequest {
		s.held = p
		return nil, errAbandoned
	}
	answers, err := decodeAnswers(p, len(q.Prompts))
	if err != nil {
		s.fatal = malformed("answer", err)
		return nil, s.fatal
	}
	clear(p)
	for _, a := range answers {
		if len(a) > MaxPassword || strings.IndexByte(a, 0) >= 0 {
			return nil, errAnswer
		}
	}
	return answers, nil
}

// KeyboardInteractive is the client's keyboard-interactive method.
type KeyboardInteractive struct {
	// Challenge answers one question of the server with as many answers as it
	// has prompts. All text is the server's, raw: it must be marked as such
	// and escaped (CLI-18). attempt counts dialogues from 0.
	Challenge func(ctx context.Context, attempt int, q *Question) (answers []string, err error)
	// Devices is a comma list of submethods to ask for, usually empty.
	Devices string
	// Tries is how many dialogues are begun; 0 means DefaultTries.
	Tries int
}

// Name is "keyboard-interactive".
func (*KeyboardInteractive) Name() string { return methodInteractive }

// start: the first request asks the user nothing, but where the server has no
// such method it costs one of the failures.
func (m *KeyboardInteractive) start(context.Context, *client) (readiness, error) {
	if m.Challenge == nil {
		return idle, nil
	}
	return waits, nil
}

func (m *KeyboardInteractive) try(ctx context.Context, c *client) (reply, error) {
	// A server that failed the first dialogue without a question has none.
	if m.Challenge == nil || c.dialogues >= tries(m.Tries) || c.dialogues > 0 && !c.sawQuestion {
		return exhausted, nil
	}
	attempt := c.dialogues
	c.dialogues++
	b := interactiveRequest{submethods: m.Devices}
	if err := c.send(Queued{Method: methodInteractive}, methodInteractive, b.append(nil), true, false); err != nil {
		return 0, err
	}
	for {
		r, p, err := c.await(ctx)
		if err != nil || r != question {
			return r, err
		}
		c.sawQuestion = true
		var q Question
		if err := q.decode(p); err != nil {
			return 0, malformed("question", err)
		}
		answers, err := m.Challenge(ctx, attempt, &q)
		if err != nil {
			// The dialogue stays open; the next request drops it.
			c.waiting, c.asking = "", false
			return exhausted, skip(err)
		}
		if len(answers) != len(q.Prompts) {
			return 0, errAnswers
		}
		if len(answers) > 0 {
			c.trivial = false
		}
		reply := appendAnswers(nil, answers)
		err = writeSecret(c.c, reply)
		clear(reply)
		if err != nil {
			return 0, err
		}
	}
}
