// Package getopt reads a command line as the tools of OpenSSH do: one-letter
// options, bundled or not, the last of a bundle with its value joined or in
// the next word, `--` as the end. A reader can go on behind a word that is no
// option, as ssh does behind the destination.
//
// It must never know a program or what a letter means.
package getopt

// Error says what is wrong with an option, in the words of the stock tools.
type Error struct {
	Letter byte
	Value  bool // the value is missing; else the letter is unknown
}

func (e *Error) Error() string {
	if e.Value {
		return "option requires an argument -- " + string(e.Letter)
	}
	return "unknown option -- " + string(e.Letter)
}

// Reader goes through the words of a command line.
type Reader struct {
	Args []string // the words not yet read

	// Value reports whether letter exists and whether it takes a value.
	Value func(letter byte) (value, known bool)

	bundle string // letters of the current word not yet read
}

// Next reads the next option. letter is 0 where a word that is no option, or
// the end, comes first; Args then begins behind the options, and behind `--`.
func (r *Reader) Next() (letter byte, value string, err error) {
	if r.bundle == "" {
		if len(r.Args) == 0 || len(r.Args[0]) < 2 || r.Args[0][0] != '-' {
			return 0, "", nil
		}
		word := r.Args[0]
		r.Args = r.Args[1:]
		if word == "--" {
			return 0, "", nil
		}
		r.bundle = word[1:]
	}
	letter, r.bundle = r.bundle[0], r.bundle[1:]
	takes, known := r.Value(letter)
	switch {
	case !known:
		return letter, "", &Error{letter, false}
	case !takes:
		return letter, "", nil
	case r.bundle != "":
		value, r.bundle = r.bundle, ""
	case len(r.Args) > 0:
		value, r.Args = r.Args[0], r.Args[1:]
	default:
		return letter, "", &Error{letter, true}
	}
	return letter, value, nil
}

// Letters makes a Value function from the notation of getopt(3): the letters,
// each with a colon behind it that takes a value.
func Letters(spec string) func(byte) (value, known bool) {
	return func(letter byte) (value, known bool) {
		if letter == ':' {
			return false, false
		}
		for i := range len(spec) {
			if spec[i] == letter {
				return i+1 < len(spec) && spec[i+1] == ':', true
			}
		}
		return false, false
	}
}
