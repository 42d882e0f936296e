package ssh

import "iter"

// Flag is a letter of the command line, for manuals and completion.
type Flag struct {
	Letter  byte
	Arg     string // name of its value; "" for none
	Keyword string // of ssh_config(5) that its value is for, where it is for one
	Doc     string // a phrase without a full stop
}

// Flags yields the letters of ssh(1) in the order of the usage line.
func Flags() iter.Seq[Flag] {
	return func(yield func(Flag) bool) {
		for i := range flags {
			f := &flags[i]
			if !yield(Flag{f.letter, f.arg, f.keyword, f.doc}) {
				return
			}
		}
	}
}

// Queries are the words of -Q.
func Queries() []string { return queries[:] }
