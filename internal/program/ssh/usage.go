package ssh

import "strings"

// usage is the lines shown for a wrong command line, made from the table.
func usage() string {
	var alone strings.Builder
	var words []string
	for i := range flags {
		switch f := &flags[i]; {
		case f.letter == '1' || f.letter == '2':
		case f.arg == "":
			alone.WriteByte(f.letter)
		case f.letter != 'Q':
			words = append(words, "[-"+string(f.letter)+" "+f.arg+"]")
		}
	}
	words = append([]string{"[-" + alone.String() + "]"}, words...)
	words = append(words, "destination", "[command", "[argument", "...]]")

	const indent, width = "          ", 80
	var b strings.Builder
	line := "usage: ssh"
	for _, w := range words {
		if len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = indent
		}
		line += " " + w
	}
	b.WriteString(line + "\n")
	b.WriteString("       ssh [-Q query_option]\n")
	return b.String()
}
