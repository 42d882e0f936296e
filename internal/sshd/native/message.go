package native

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits of a message.
const (
	// MaxMessage is how long one is, in bytes.
	MaxMessage = 160 << 10
	// MaxList is how many texts it holds.
	MaxList = 4096
	// MaxFiles is how many descriptors go with it.
	MaxFiles = 16
)

// Kind is what a message asks or tells.
type Kind uint8

// Kinds. What the fields mean stands beside each; a field that is not named is
// empty.
const (
	Start        Kind = iota + 1 // List: service, user, PAM_RHOST ("" none), PAM_TTY, then variables
	Authenticate                 // Code: flags; Text: SSH_AUTH_INFO_0; List: the password, or nothing for a dialogue
	Account                      // Text: SSH_AUTH_INFO_0; Code: 1 for a dialogue
	ChangeToken                  // pam_chauthtok(PAM_CHANGE_EXPIRED_AUTHTOK) in a dialogue
	Establish                    // pam_setcred(PAM_ESTABLISH_CRED)
	Open                         // Text: SSH_AUTH_INFO_0; pam_open_session
	Identity                     // Code: group; List: groups; then pam_setcred once more, for programs to come
	Environment                  // asks for the process's variables and then PAM's
	Spawn                        // Text: path; Code: 1 with a controlling terminal; List: directory, how many arguments, arguments, variables; Files
	Close                        // pam_close_session, pam_setcred(PAM_DELETE_CRED), pam_end
	Crypt                        // Text: hash; List: password; Result's Code is 0 if it fits, 1 if not
	Answer                       // Code: 0, or 1 when there will be none; Text: to a prompt

	Prompt // Code: style; Text
	Result // Code: PAM's or -1; Text: what it means; List: the texts of modules, or what was asked for
	Exited // Code: process; More: its wait status
)

// Styles of Prompt, those of pam_conv(3).
const (
	EchoOff = 1
	EchoOn  = 2
	Error   = 3
	Info    = 4
)

// Flags and results of PAM on Linux that somebody looks at.
const (
	DisallowNullToken = 0x1

	Success          = 0
	PermDenied       = 6
	AuthErr          = 7
	MaxTries         = 11
	NewTokenRequired = 12
	AccountExpired   = 13
	SessionErr       = 14
	ConvErr          = 19
	// Broken is the helper's own: the library is not there, or the question
	// makes no sense.
	Broken = -1
)

// Message is one message. Files do not travel in its bytes; whoever receives
// them owns them.
type Message struct {
	Kind  Kind
	Code  int32
	More  int32
	Text  string
	List  []string
	Files []*os.File
}

var (
	errGone    = fmt.Errorf("native: the other end is gone: %w", io.EOF)
	errMessage = errors.New("native: malformed message")
	errTooLong = fmt.Errorf("native: message is longer than %d bytes", MaxMessage)
)

// Append appends the bytes of m.
func (m *Message) Append(b []byte) []byte {
	b = append(b, byte(m.Kind))
	b = wire.AppendUint32(wire.AppendUint32(b, uint32(m.Code)), uint32(m.More))
	b = wire.AppendText(b, m.Text)
	b = wire.AppendUint32(b, uint32(len(m.List)))
	for _, s := range m.List {
		b = wire.AppendText(b, s)
	}
	return b
}

// Decode reads what Append wrote.
func (m *Message) Decode(b []byte) error {
	if len(b) == 0 || len(b) > MaxMessage {
		return errMessage
	}
	r := wire.NewReader(b[1:])
	d := Message{Kind: Kind(b[0]), Code: int32(r.Uint32()), More: int32(r.Uint32()), Text: r.Text()}
	n := r.Uint32()
	if r.Err() != nil || n > MaxList || d.Kind < Start || d.Kind > Exited {
		return errMessage
	}
	for range n {
		d.List = append(d.List, r.Text())
		if r.Err() != nil {
			return errMessage
		}
	}
	if r.Done() != nil {
		return errMessage
	}
	*m = d
	return nil
}
