package privsep

// Number is a message's number on the wire between two rooms.
type Number uint8

// Messages. Numbers stay what they are: rooms of one generation come from one
// binary, but a number that moves is a bug that no compiler sees.
const (
	NumSetup    Number = 1
	NumTake     Number = 2
	NumDrain    Number = 3
	NumHandOver Number = 4

	NumSign             Number = 16
	NumProve            Number = 17
	NumModuli           Number = 18
	NumUser             Number = 19
	NumNone             Number = 20
	NumKeyAllowed       Number = 21
	NumKeyVerify        Number = 22
	NumPassword         Number = 23
	NumChangePassword   Number = 24
	NumInteractive      Number = 25
	NumAnswer           Number = 26
	NumHostbasedAllowed Number = 27
	NumHostbasedVerify  Number = 28
	NumFailed           Number = 29
	NumBegin            Number = 30

	NumPTY      Number = 40
	NumExec     Number = 41
	NumSignal   Number = 42
	NumClose    Number = 43
	NumSockets  Number = 44
	NumExit     Number = 45
	NumLog      Number = 46
	NumFarewell Number = 47

	NumReady    Number = 64
	NumUnready  Number = 65
	NumLobby    Number = 66
	NumLoggedIn Number = 67
	NumEnded    Number = 68
	NumRetire   Number = 69
	NumStatus   Number = 70
	NumRules    Number = 80
	NumStranger Number = 81
	NumLeave    Number = 82
	NumGone     Number = 83

	NumDial     Number = 96
	NumListen   Number = 97
	NumAccepted Number = 98
	NumUnlisten Number = 99
)

// Side is one end of a link.
type Side uint8

// Sides. A lobby is a network room that also hands over.
const (
	Monitor Side = iota
	Network
	Listener
	LoginRoom
)

// Link is the kind of a link.
type Link uint8

// Links.
const (
	Control Link = iota
	Connection
	Generation // between the listener and a monitor
	Arrivals   // between the listener and a lobby
	Forwards   // between a network room and the process that opens sockets for one connection
)

// State is how far a connection has come, as the monitor sees it. Rows hold
// sets of them.
type State uint8

// States, in their order.
const (
	Fresh State = 1 << iota // nothing was signed
	Keyed                   // the session id is known
	Named                   // the user is known
	In                      // the login is complete
	Over                    // nothing more is taken

	anytime = Fresh | Keyed | Named | In
	before  = Fresh | Keyed | Named
)

// Limits on how often a message may come in one connection.
const (
	MaxSigns    = 1 << 16 // of key exchanges after login: see Guard.Allow for their rate
	MaxAttempts = 128     // authentication requests of one kind; userauth ends a connection at as many
	MaxAnswers  = 1024    // rounds of keyboard-interactive
	MaxProofs   = 64      // host keys
	MaxGroups   = 1 << 10 // group exchanges
	MaxPrograms = 1 << 20 // sessions, one after the other
	MaxSignals  = 1 << 24
	MaxLines    = 1 << 20 // of log, each bounded
	MaxBefore   = 1 << 10 // messages of all kinds before login
)

// Row is one message.
type Row struct {
	Number Number
	Name   string
	Link   Link
	From   Side
	Call   bool  // an answer is waited for
	When   State // in which it is taken; of a control link any
	Most   int   // how often in one connection; 0 without a limit
	Early  int   // how often before the login is complete; 0 for Most
	Files  int   // descriptors that go with it, exactly
	Back   int   // descriptors that come with the answer, at most
	Says   string
}

// Table is every message there is.
var Table = [...]Row{
	{Number: NumSetup, Name: "Setup", Link: Control, From: Monitor, When: anytime, Says: "the configuration that a room serves by; again after a reload in a process of its own"},
	{Number: NumTake, Name: "Take", Link: Control, From: Monitor, When: anytime, Files: 2, Says: "a connection: its socket, and a connection link for it"},
	{Number: NumDrain, Name: "Drain", Link: Control, From: Monitor, When: anytime, Says: "no connection comes any more: end when the last has ended"},
	{Number: NumHandOver, Name: "HandOver", Link: Control, From: Network, When: anytime, Files: 1, Says: "a stranger that has sent a KEXINIT: the socket and all that was said on it"},

	{Number: NumSign, Name: "Sign", Link: Connection, From: Network, Call: true, When: Fresh | In, Most: MaxSigns, Early: 1, Says: "sign an exchange hash with a host key; the first is the session id"},
	{Number: NumProve, Name: "Prove", Link: Connection, From: Network, Call: true, When: In, Most: MaxProofs, Says: "sign the session for hostkeys-prove-00@openssh.com, once for each key"},
	{Number: NumModuli, Name: "Moduli", Link: Connection, From: Network, Call: true, When: Fresh | In, Most: MaxGroups, Early: 1, Says: "a group for a group exchange"},
	{Number: NumUser, Name: "User", Link: Connection, From: Network, Call: true, When: Keyed, Most: 1, Says: "the user's name: account and configuration are looked up, once, with the same answer for everybody"},
	{Number: NumNone, Name: "None", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "the none method"},
	{Number: NumKeyAllowed, Name: "KeyAllowed", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "may this key log the user in"},
	{Number: NumKeyVerify, Name: "KeyVerify", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "a signature by the key of the KeyAllowed before it"},
	{Number: NumPassword, Name: "Password", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "a password"},
	{Number: NumChangePassword, Name: "ChangePassword", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "an old password and a new one"},
	{Number: NumInteractive, Name: "Interactive", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "begin a dialogue with a device; the answer is a question or the outcome"},
	{Number: NumAnswer, Name: "Answer", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAnswers, Says: "answers to the question before it, or that there are none"},
	{Number: NumHostbasedAllowed, Name: "HostbasedAllowed", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "may this host's key log the user in"},
	{Number: NumHostbasedVerify, Name: "HostbasedVerify", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "a signature by the key of the HostbasedAllowed before it"},
	{Number: NumFailed, Name: "Failed", Link: Connection, From: Network, When: Named, Most: MaxAttempts, Says: "an attempt that failed without a question to the monitor"},
	{Number: NumBegin, Name: "Begin", Link: Connection, From: Network, Call: true, When: Named, Most: MaxAttempts, Says: "the methods are complete: the monitor counts for itself, and says what the login may do"},

	{Number: NumPTY, Name: "PTY", Link: Connection, From: Network, Call: true, When: In, Most: MaxPrograms, Back: 1, Says: "a terminal: its master"},
	{Number: NumExec, Name: "Exec", Link: Connection, From: Network, Call: true, When: In, Most: MaxPrograms, Back: 3, Says: "start a session's program: the pipes to it, none on a terminal"},
	{Number: NumSignal, Name: "Signal", Link: Connection, From: Network, When: In, Most: MaxSignals, Says: "a signal for a session's program"},
	{Number: NumClose, Name: "Close", Link: Connection, From: Network, When: In, Most: MaxPrograms, Says: "a session's channel is closed: its terminal's record ends"},
	{Number: NumSockets, Name: "Sockets", Link: Connection, From: Network, Call: true, When: In, Most: MaxProofs, Back: 1, Says: "the login process that dials and listens as the user"},
	{Number: NumExit, Name: "Exit", Link: Connection, From: Monitor, When: In, Says: "how a session's program ended"},
	{Number: NumLog, Name: "Log", Link: Connection, From: Network, When: anytime, Most: MaxLines, Early: MaxBefore, Says: "a line for the log"},
	{Number: NumFarewell, Name: "Farewell", Link: Connection, From: Network, When: anytime, Most: 1, Says: "how the connection ended, and its counters"},

	{Number: NumReady, Name: "Ready", Link: Generation, From: Monitor, When: anytime, Says: "the generation can serve"},
	{Number: NumUnready, Name: "Unready", Link: Generation, From: Monitor, When: anytime, Says: "why the generation cannot serve"},
	{Number: NumLobby, Name: "Lobby", Link: Generation, From: Monitor, When: anytime, Files: 1, Says: "the listener's end of a link to a lobby, the first or one in place of one that died"},
	{Number: NumLoggedIn, Name: "LoggedIn", Link: Generation, From: Monitor, When: anytime, Says: "a connection has logged in"},
	{Number: NumEnded, Name: "Ended", Link: Generation, From: Monitor, When: anytime, Says: "a connection that had left the lobby is gone, and what that costs its source"},
	{Number: NumRetire, Name: "Retire", Link: Generation, From: Listener, When: anytime, Says: "no stranger comes any more: end with the last connection"},
	{Number: NumStatus, Name: "Status", Link: Generation, From: Listener, Call: true, When: anytime, Says: "the generation's counters"},

	{Number: NumRules, Name: "Rules", Link: Arrivals, From: Listener, When: anytime, Says: "the bounds of the lobby, before the first stranger"},
	{Number: NumStranger, Name: "Stranger", Link: Arrivals, From: Listener, When: anytime, Files: 1, Says: "a socket that was accepted"},
	{Number: NumLeave, Name: "Leave", Link: Arrivals, From: Network, Call: true, When: anytime, Says: "a stranger has sent its KEXINIT: may it be handed over"},
	{Number: NumGone, Name: "Gone", Link: Arrivals, From: Network, When: anytime, Says: "a stranger's connection ended in the lobby, and how"},

	{Number: NumDial, Name: "Dial", Link: Forwards, From: Network, Call: true, When: anytime, Back: 1, Says: "connect as the user: the socket, or why not"},
	{Number: NumListen, Name: "Listen", Link: Forwards, From: Network, Call: true, When: anytime, Says: "listen as the user, on one address"},
	{Number: NumAccepted, Name: "Accepted", Link: Forwards, From: LoginRoom, When: anytime, Files: 1, Says: "a connection to a listener"},
	{Number: NumUnlisten, Name: "Unlisten", Link: Forwards, From: Network, When: anytime, Says: "listen there no more"},
}

// Find is the row of a number, nil if there is none.
func Find(n Number) *Row {
	for i := range Table {
		if Table[i].Number == n {
			return &Table[i]
		}
	}
	return nil
}

func (n Number) String() string {
	if r := Find(n); r != nil {
		return r.Name
	}
	return "message " + itoa(int(n))
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
