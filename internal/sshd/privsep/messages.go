package privsep

import "time"

// Limits of fields.
const (
	MaxMessage   = 192 << 10 // bytes of a message; a default socket buffer holds it
	MaxBlob      = 64 << 10  // bytes of a key, certificate or signature
	MaxText      = 64 << 10  // bytes of a banner or of a question
	MaxName      = 1024      // bytes of a user, host or method name
	MaxLine      = 4 << 10   // bytes of a line for the log
	MaxHash      = 64        // bytes of an exchange hash
	MaxSecret    = 1024      // bytes of a password or an answer
	MaxPrompts   = 100
	MaxAlgs      = 128 // names in a list of algorithms
	MaxHostKeys  = 64
	MaxPatterns  = 1024
	MaxVariables = 1024
	MaxCommand   = 160 << 10 // bytes of a command
	MaxStart     = 160 << 10 // bytes of a connection's beginning
	MaxGroup     = 2 << 10   // bytes of a prime
)

// HostKey is one key that the monitor signs with, or a certificate of one.
type HostKey struct {
	Blob []byte // public key or certificate
	Cert bool
}

// Setup is all that a network room is told of the configuration.
type Setup struct {
	Version                                                               string // identification
	KeyExchanges, Ciphers, MACs, Compressions, HostKeyAlgs, PublicKeyAlgs []string
	HostKeys                                                              []HostKey
	MinRSABits                                                            int
	RekeyBytes                                                            uint64
	RekeyInterval                                                         time.Duration
	MaxAuthTries                                                          int
	LogLevel                                                              int
	Moduli                                                                bool // group exchanges ask with Moduli
	Once                                                                  bool // the room serves one connection and ends
	DelaySecret                                                           uint64
}

func (m *Setup) fields(c *codec) {
	c.text(&m.Version, 255)
	for _, l := range []*[]string{&m.KeyExchanges, &m.Ciphers, &m.MACs, &m.Compressions, &m.HostKeyAlgs, &m.PublicKeyAlgs} {
		c.texts(l, MaxAlgs, MaxName)
	}
	list(c, &m.HostKeys, MaxHostKeys, func(k *HostKey) {
		c.bytes(&k.Blob, MaxBlob)
		c.bool(&k.Cert)
	})
	c.int(&m.MinRSABits)
	c.uint64(&m.RekeyBytes)
	c.duration(&m.RekeyInterval)
	c.int(&m.MaxAuthTries)
	c.int(&m.LogLevel)
	c.bool(&m.Moduli)
	c.bool(&m.Once)
	c.uint64(&m.DelaySecret)
}

// Take gives a room a connection: its descriptors are the socket and the
// connection link.
type Take struct {
	Number int64  // the connection's in the log
	Start  []byte // what a lobby has read of it; empty for nothing
}

func (m *Take) fields(c *codec) {
	c.int64(&m.Number)
	c.bytes(&m.Start, MaxStart)
}

// HandOver gives the monitor a stranger that has shown what it is.
type HandOver struct {
	Number int64         // the listener's
	Waited time.Duration // since the connection was accepted
	Start  []byte
}

func (m *HandOver) fields(c *codec) {
	c.int64(&m.Number)
	c.duration(&m.Waited)
	c.bytes(&m.Start, MaxStart)
}

// Sign asks for a signature over an exchange hash.
type Sign struct {
	Key       uint32 // index in Setup.HostKeys
	Algorithm string
	Hash      []byte
}

func (m *Sign) fields(c *codec) {
	c.uint32(&m.Key)
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Hash, MaxHash)
}

// Prove asks for a proof that the monitor holds a host key.
type Prove struct {
	Key       uint32
	Algorithm string
}

func (m *Prove) fields(c *codec) {
	c.uint32(&m.Key)
	c.text(&m.Algorithm, MaxName)
}

// Signature answers Sign and Prove.
type Signature struct{ Blob []byte }

func (m *Signature) fields(c *codec) { c.bytes(&m.Blob, MaxBlob) }

// Moduli asks for a group of about Preferred bits (RFC 4419).
type Moduli struct{ Min, Preferred, Max uint32 }

func (m *Moduli) fields(c *codec) {
	c.uint32(&m.Min)
	c.uint32(&m.Preferred)
	c.uint32(&m.Max)
}

// Group answers Moduli; empty means that there is none.
type Group struct{ P, G []byte }

func (m *Group) fields(c *codec) {
	c.bytes(&m.P, MaxGroup)
	c.bytes(&m.G, MaxGroup)
}

// User names who wants to log in.
type User struct {
	Name, Style, ClientVersion string
	Nobody                     bool // no name that anybody can have
}

func (m *User) fields(c *codec) {
	c.text(&m.Name, MaxName)
	c.text(&m.Style, MaxName)
	c.text(&m.ClientVersion, 255)
	c.bool(&m.Nobody)
}

// Policy answers User: how the user may try to log in. It has the same shape
// for whoever cannot.
type Policy struct {
	Outcome                                     Outcome
	Banner                                      string
	Methods                                     []string // comma lists, none for any method
	Devices                                     []string
	None, Password, PublicKey, Hostbased, Empty bool // Empty: an empty password may be tried
	MaxAuthTries                                int
	SigAlgs, HostbasedAlgs                      []string
	MinRSABits                                  int
	LogLevel                                    int
}

func (m *Policy) fields(c *codec) {
	m.Outcome.fields(c)
	c.text(&m.Banner, MaxText)
	c.texts(&m.Methods, MaxAlgs, MaxName)
	c.texts(&m.Devices, 16, MaxName)
	for _, b := range []*bool{&m.None, &m.Password, &m.PublicKey, &m.Hostbased, &m.Empty} {
		c.bool(b)
	}
	c.int(&m.MaxAuthTries)
	c.texts(&m.SigAlgs, MaxAlgs, MaxName)
	c.texts(&m.HostbasedAlgs, MaxAlgs, MaxName)
	c.int(&m.MinRSABits)
	c.int(&m.LogLevel)
}

// Code is what became of a question.
type Code uint8

// Codes.
const (
	OK         Code = iota
	Denied          // an attempt that failed
	Fatal           // the connection ends without an answer
	Disconnect      // the connection ends with Reason and Text
	TooMany         // as at MaxAuthTries
	OurFault        // a failure that does not count
	Change          // the password must change: Text is the prompt
)

// Outcome answers what decides.
type Outcome struct {
	Code   Code
	Reason uint32 // of Disconnect
	Text   string
	Banner string // shown to the user first
}

func (m *Outcome) fields(c *codec) {
	c.byte((*uint8)(&m.Code))
	c.uint32(&m.Reason)
	c.text(&m.Text, MaxText)
	c.text(&m.Banner, MaxText)
}

// None tries the none method.
type None struct{}

func (*None) fields(*codec) {}

// KeyAllowed asks whether a key may log the user in. Signed says that a
// signature follows.
type KeyAllowed struct {
	Algorithm string
	Key       []byte
	Signed    bool
}

func (m *KeyAllowed) fields(c *codec) {
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Key, MaxBlob)
	c.bool(&m.Signed)
}

// KeyVerify is a signature and what it is over.
type KeyVerify struct {
	Algorithm            string
	Key, Data, Signature []byte
}

func (m *KeyVerify) fields(c *codec) {
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Key, MaxBlob)
	c.bytes(&m.Data, MaxBlob)
	c.bytes(&m.Signature, MaxBlob)
}

// Password is an attempt with a password.
type Password struct{ Password []byte }

func (m *Password) fields(c *codec) { c.bytes(&m.Password, MaxSecret) }

// ChangePassword is an attempt with a new password.
type ChangePassword struct{ Old, New []byte }

func (m *ChangePassword) fields(c *codec) {
	c.bytes(&m.Old, MaxSecret)
	c.bytes(&m.New, MaxSecret)
}

// Interactive begins a dialogue.
type Interactive struct{ Device string }

func (m *Interactive) fields(c *codec) { c.text(&m.Device, MaxName) }

// Prompt is one question.
type Prompt struct {
	Text string
	Echo bool
}

// Question answers Interactive and Answer: a question while Asking is set, else
// the outcome.
type Question struct {
	Asking            bool
	Outcome           Outcome
	Name, Instruction string
	Prompts           []Prompt
}

func (m *Question) fields(c *codec) {
	c.bool(&m.Asking)
	m.Outcome.fields(c)
	c.text(&m.Name, MaxText)
	c.text(&m.Instruction, MaxText)
	list(c, &m.Prompts, MaxPrompts, func(p *Prompt) {
		c.text(&p.Text, MaxText)
		c.bool(&p.Echo)
	})
}

// Answer answers a Question. Given is false when the client gave up.
type Answer struct {
	Given   bool
	Answers []string
}

func (m *Answer) fields(c *codec) {
	c.bool(&m.Given)
	c.texts(&m.Answers, MaxPrompts, MaxSecret)
}

// HostbasedAllowed asks whether a host's key may log the user in.
type HostbasedAllowed struct {
	Algorithm              string
	Key                    []byte
	ClientHost, ClientUser string
}

func (m *HostbasedAllowed) fields(c *codec) {
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Key, MaxBlob)
	c.text(&m.ClientHost, MaxName)
	c.text(&m.ClientUser, MaxName)
}

// HostbasedVerify is a signature of the client's host.
type HostbasedVerify struct {
	Algorithm              string
	Key                    []byte
	ClientHost, ClientUser string
	Data, Signature        []byte
}

func (m *HostbasedVerify) fields(c *codec) {
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Key, MaxBlob)
	c.text(&m.ClientHost, MaxName)
	c.text(&m.ClientUser, MaxName)
	c.bytes(&m.Data, MaxBlob)
	c.bytes(&m.Signature, MaxBlob)
}

// Failed is an attempt that the room refused by itself.
type Failed struct {
	Method, Submethod string
	Algorithm         string
	Key               []byte // empty without one
	Partial           bool   // of AuthenticationMethods: not the method's turn
}

func (m *Failed) fields(c *codec) {
	c.text(&m.Method, MaxName)
	c.text(&m.Submethod, MaxName)
	c.text(&m.Algorithm, MaxName)
	c.bytes(&m.Key, MaxBlob)
	c.bool(&m.Partial)
}

// Begin says that the methods are complete.
type Begin struct{ Method, Submethod string }

func (m *Begin) fields(c *codec) {
	c.text(&m.Method, MaxName)
	c.text(&m.Submethod, MaxName)
}

// ChannelTimeout closes channels whose type matches a pattern when nothing moved
// for so long (0: never).
type ChannelTimeout struct {
	Pattern string
	After   time.Duration
}

// Forwarding is what may be forwarded, in the words of internal/forward.
type Forwarding struct {
	Local, Remote   bool     // AllowTcpForwarding
	Gateway, Family uint8    // GatewayPorts, AddressFamily
	LowPorts        bool     // below 1024
	Any             bool     // no PermitOpen: Open says nothing
	AnyListen       bool     // no PermitListen
	Open, Listen    []string // PermitOpen and PermitListen
	Key             bool     // permit-port-forwarding of the keys
	// permitopen and permitlisten of the keys: comma lists, each of which must
	// allow it
	KeyOpen, KeyListen []string
}

func (m *Forwarding) fields(c *codec) {
	for _, b := range []*bool{&m.Local, &m.Remote, &m.LowPorts, &m.Any, &m.AnyListen, &m.Key} {
		c.bool(b)
	}
	c.byte(&m.Gateway)
	c.byte(&m.Family)
	for _, l := range []*[]string{&m.Open, &m.Listen, &m.KeyOpen, &m.KeyListen} {
		c.texts(l, MaxPatterns, MaxName)
	}
}

// Login answers Begin: what the room enforces, and what it need not ask for
// because it would be refused. The monitor and the login process refuse it too.
type Login struct {
	Outcome             Outcome
	PTY                 bool
	Refused             []Refusal  // kinds of channels and requests that are refused, and why
	Forwarding          Forwarding // of TCP
	Forced              bool       // a forced command takes the place of every request
	Subsystems          []string   // that there are
	AcceptEnv           []string   // patterns
	MaxSessions         int        // 0: none
	RekeyBytes          uint64
	RekeyInterval       time.Duration
	ClientAliveInterval time.Duration
	ClientAliveCount    int
	ChannelTimeouts     []ChannelTimeout
	UnusedTimeout       time.Duration
	Interactive, Bulk   int // IPQoS, negative for none
	LogLevel            int
}

// Refusal is why a kind of channel or request is refused.
type Refusal struct{ Type, Why string }

func (m *Login) fields(c *codec) {
	m.Outcome.fields(c)
	c.bool(&m.PTY)
	list(c, &m.Refused, MaxPatterns, func(r *Refusal) {
		c.text(&r.Type, MaxName)
		c.text(&r.Why, MaxName)
	})
	m.Forwarding.fields(c)
	c.bool(&m.Forced)
	c.texts(&m.Subsystems, MaxPatterns, MaxName)
	c.texts(&m.AcceptEnv, MaxPatterns, MaxName)
	c.int(&m.MaxSessions)
	c.uint64(&m.RekeyBytes)
	c.duration(&m.RekeyInterval)
	c.duration(&m.ClientAliveInterval)
	c.int(&m.ClientAliveCount)
	list(c, &m.ChannelTimeouts, MaxPatterns, func(t *ChannelTimeout) {
		c.text(&t.Pattern, MaxName)
		c.duration(&t.After)
	})
	c.duration(&m.UnusedTimeout)
	c.int(&m.Interactive)
	c.int(&m.Bulk)
	c.int(&m.LogLevel)
}

// Size is a terminal's, in characters and pixels.
type Size struct{ Columns, Rows, Width, Height uint32 }

// PTY asks for a session's terminal. Sessions are numbered by the room.
type PTY struct {
	Session uint32
	Term    string
	Size    Size
	Modes   []byte // RFC 4254 §8
}

func (m *PTY) fields(c *codec) {
	c.uint32(&m.Session)
	c.text(&m.Term, MaxName)
	for _, n := range []*uint32{&m.Size.Columns, &m.Size.Rows, &m.Size.Width, &m.Size.Height} {
		c.uint32(n)
	}
	c.bytes(&m.Modes, MaxName*2)
}

// Terminal answers PTY; the master comes with it.
type Terminal struct {
	Outcome Outcome
	Name    string // "pts/3"
}

func (m *Terminal) fields(c *codec) {
	m.Outcome.fields(c)
	c.text(&m.Name, MaxName)
}

// Kind is what a session runs.
type Kind uint8

// Kinds.
const (
	Shell Kind = iota
	Command
	Subsystem
)

// Exec starts a session's program.
type Exec struct {
	Session uint32
	Kind    Kind
	Text    string   // command or name
	Env     []string // NAME=VALUE, of AcceptEnv
}

func (m *Exec) fields(c *codec) {
	c.uint32(&m.Session)
	c.byte((*uint8)(&m.Kind))
	c.text(&m.Text, MaxCommand)
	c.texts(&m.Env, MaxVariables, MaxText)
}

// Started answers Exec: the pipes to standard input, output and error come with
// it unless the session has a terminal. If the outcome is not OK, Text is for
// the client's standard output, Banner for its standard error, and Reason the
// exit status.
type Started struct {
	Outcome  Outcome
	NoStderr bool   // what comes from it is dropped
	NoSignal string // why the client's signals are refused, "" if they are not
}

func (m *Started) fields(c *codec) {
	m.Outcome.fields(c)
	c.bool(&m.NoStderr)
	c.text(&m.NoSignal, MaxName)
}

// Signal sends a signal to a session's program, by its name in RFC 4254 §6.10.
type Signal struct {
	Session uint32
	Name    string
}

func (m *Signal) fields(c *codec) {
	c.uint32(&m.Session)
	c.text(&m.Name, MaxName)
}

// Close says that a session is over for the client.
type Close struct{ Session uint32 }

func (m *Close) fields(c *codec) { c.uint32(&m.Session) }

// Sockets asks for the process that opens sockets.
type Sockets struct{}

func (*Sockets) fields(*codec) {}

// Exit is how a session's program ended.
type Exit struct {
	Session uint32
	Code    uint32
	Signal  string // RFC 4254 §6.10 without "SIG"; "" when it exited
	Core    bool
}

func (m *Exit) fields(c *codec) {
	c.uint32(&m.Session)
	c.uint32(&m.Code)
	c.text(&m.Signal, MaxName)
	c.bool(&m.Core)
}

// Log is a line.
type Log struct {
	Level int
	Text  string // raw: who writes it escapes it
}

func (m *Log) fields(c *codec) {
	c.int(&m.Level)
	c.text(&m.Text, MaxLine)
}

// End is how a connection ended.
type End uint8

// Ends, with what Text holds.
const (
	EndClosed     End = iota // the client closed the stream
	EndReset                 // the stream broke
	EndDone                  // closed by us in order
	EndDisconnect            // the client's DISCONNECT: its text, and Reason
	EndTooMany               // MaxAuthTries
	EndNegotiate             // nothing in common: the kind, a line feed, their offer
	EndIdent                 // no SSH client: what it sent, if anything
	EndTimeout               // ClientAlive
	EndUnused                // UnusedConnectionTimeout
	EndMAC                   // a packet did not verify
	EndOurs                  // our DISCONNECT: its text
	EndRefused               // the monitor's own doing
	EndError                 // anything else: the error
	EndPanic                 // a broken invariant of ours: the panic
	maxEnd
)

// Farewell is the last word of a connection.
type Farewell struct {
	End     End
	Reason  uint32
	Text    string
	In, Out uint64 // bytes
}

func (m *Farewell) fields(c *codec) {
	c.byte((*uint8)(&m.End))
	if m.End >= maxEnd {
		m.End = EndError
	}
	c.uint32(&m.Reason)
	c.text(&m.Text, MaxLine)
	c.uint64(&m.In)
	c.uint64(&m.Out)
}

// Drain ends a room after its last connection.
type Drain struct{}

func (*Drain) fields(*codec) {}

// number is the table's number of a message, 0 of an answer.
func number(m Message) Number {
	switch m.(type) {
	case *Setup:
		return NumSetup
	case *Take:
		return NumTake
	case *Drain:
		return NumDrain
	case *HandOver:
		return NumHandOver
	case *Sign:
		return NumSign
	case *Prove:
		return NumProve
	case *Moduli:
		return NumModuli
	case *User:
		return NumUser
	case *None:
		return NumNone
	case *KeyAllowed:
		return NumKeyAllowed
	case *KeyVerify:
		return NumKeyVerify
	case *Password:
		return NumPassword
	case *ChangePassword:
		return NumChangePassword
	case *Interactive:
		return NumInteractive
	case *Answer:
		return NumAnswer
	case *HostbasedAllowed:
		return NumHostbasedAllowed
	case *HostbasedVerify:
		return NumHostbasedVerify
	case *Failed:
		return NumFailed
	case *Begin:
		return NumBegin
	case *PTY:
		return NumPTY
	case *Exec:
		return NumExec
	case *Signal:
		return NumSignal
	case *Close:
		return NumClose
	case *Sockets:
		return NumSockets
	case *Exit:
		return NumExit
	case *Log:
		return NumLog
	case *Farewell:
		return NumFarewell
	case *Ready:
		return NumReady
	case *Unready:
		return NumUnready
	case *Lobby:
		return NumLobby
	case *LoggedIn:
		return NumLoggedIn
	case *Ended:
		return NumEnded
	case *Retire:
		return NumRetire
	case *Status:
		return NumStatus
	case *Rules:
		return NumRules
	case *Stranger:
		return NumStranger
	case *Leave:
		return NumLeave
	case *Gone:
		return NumGone
	case *Dial:
		return NumDial
	case *Listen:
		return NumListen
	case *Accepted:
		return NumAccepted
	case *Unlisten:
		return NumUnlisten
	}
	return 0
}
