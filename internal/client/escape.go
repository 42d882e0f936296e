package client

// Escape finds escape sequences in what a person types: the escape character
// as the first of a line, and the character behind it. Its zero value has no
// escape character; make one with NewEscape.
type Escape struct {
	char    byte
	on      bool
	start   bool // the last character sent ended a line
	pending bool // an escape character waits for its second
	out     []byte
}

// NewEscape looks for escape character char. The beginning of the session
// counts as the beginning of a line.
func NewEscape(char byte) *Escape { return &Escape{char: char, on: true, start: true} }

// Char is the escape character.
func (e *Escape) Char() byte { return e.char }

// The characters behind the escape character that Next reports.
const (
	EscapeTerminate   = '.'
	EscapeSuspend     = 'Z' - 64
	EscapeBreak       = 'B'
	EscapeCommand     = 'C'
	EscapeInfo        = 'I'
	EscapeRekey       = 'R'
	EscapeMoreVerbose = 'v'
	EscapeLessVerbose = 'V'
	EscapeBackground  = '&'
	EscapeHelp        = '?'
	EscapeList        = '#'
)

// Next takes what was typed and returns what goes to the server before the
// first escape sequence, the sequence's second character (0: none came) and
// what is behind it, for the next call. An escape character typed twice, or
// before a character that means nothing, is data. data is valid until the
// next call and never longer than typed by more than one byte.
func (e *Escape) Next(typed []byte) (data []byte, command byte, rest []byte) {
	if !e.on {
		return typed, 0, nil
	}
	e.out = e.out[:0]
	for i, c := range typed {
		if e.pending {
			e.pending = false
			switch c {
			case EscapeTerminate, EscapeSuspend, EscapeBreak, EscapeCommand, EscapeInfo, EscapeRekey,
				EscapeMoreVerbose, EscapeLessVerbose, EscapeBackground, EscapeHelp, EscapeList:
				return e.out, c, typed[i+1:]
			case e.char:
			default:
				e.out = append(e.out, e.char)
			}
		} else if e.start && c == e.char {
			e.pending = true
			continue
		}
		e.start = c == '\r' || c == '\n'
		e.out = append(e.out, c)
	}
	return e.out, 0, nil
}

// Help is the answer to `~?`, lines ending in CR LF. command says whether the
// command line can be opened, mux that the session runs over another
// program's connection, which answers fewer escapes.
func (e *Escape) Help(command, mux bool) string {
	c := string(e.char)
	s := c + "?\r\nSupported escape sequences:\r\n"
	if mux {
		s += " " + c + ".   - terminate session\r\n"
	} else {
		s += " " + c + ".   - terminate connection (and any multiplexed sessions)\r\n"
	}
	s += " " + c + "B   - send a BREAK to the remote system\r\n"
	if command && !mux {
		s += " " + c + "C   - open a command line\r\n"
	}
	s += " " + c + "I   - show connection information\r\n"
	s += " " + c + "R   - request rekey\r\n"
	if !mux {
		s += " " + c + "V/v - decrease/increase verbosity (LogLevel)\r\n"
		s += " " + c + "^Z  - suspend ssh\r\n"
	}
	s += " " + c + "#   - list forwarded connections\r\n"
	if !mux {
		s += " " + c + "&   - background ssh (when waiting for connections to terminate)\r\n"
	}
	s += " " + c + "?   - this message\r\n"
	s += " " + c + c + "   - send the escape character by typing it twice\r\n"
	return s + "(Note that escapes are only recognized immediately after newline.)\r\n"
}
