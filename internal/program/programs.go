// Package program is the table of programs: which names exist, what each does
// in one line, and where it begins. One binary holds them all; the name it is
// called by, or its first word, chooses.
//
// The programs themselves are the folders below this one. They take what
// package stdio defines and return an exit status; none of them calls
// os.Exit or knows this table.
package program

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/program/demo"
	"github.com/nacre-ssh/nacre/internal/program/doctor"
	"github.com/nacre-ssh/nacre/internal/program/explain"
	"github.com/nacre-ssh/nacre/internal/program/sftpserver"
	"github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/internal/program/sshd"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
)

// Where a program's name is laid down by `make install`.
const (
	Bin     = "bin"           // what people type
	Sbin    = "sbin"          // what administrators start
	Libexec = "libexec/nacre" // what only other programs start
	Nowhere = ""              // only as the first word after nacre
)

// Program is one row of the table.
type Program struct {
	Name    string   // the name it is installed and listed by
	Aliases []string // other names that mean it
	Dir     string   // Bin, Sbin, Libexec or Nowhere
	Line    string   // what it does, in one line
	// Main runs the program and returns its exit status. args are the words
	// after the name.
	Main func(ctx context.Context, io stdio.Stdio, args []string) int
}

// Programs returns the table, in the order in which it is listed. It is a
// function and not a variable so that a start pays only for the row it needs.
func Programs() []Program {
	return []Program{
		{Name: "ssh", Aliases: []string{"slogin"}, Dir: Bin, Line: "log in to another machine, or run a command there", Main: ssh.Main},
		{Name: "sshd", Dir: Sbin, Line: "let others log in to this machine", Main: sshd.Main},
		{Name: "sftp-server", Dir: Libexec, Line: "serve files over standard input and output", Main: sftpserver.Main},
		{Name: "doctor", Dir: Nowhere, Line: "what keeps ssh from getting to a host, and what to do about it", Main: doctor.Main},
		{Name: "explain", Dir: Nowhere, Line: "which line of which file set each value for a host", Main: explain.Main},
		{Name: "demo", Dir: Nowhere, Line: "a throw-away server here, and our client logged in to it", Main: demo.Main},
	}
}

// ByName returns the program whose name or alias is name.
func ByName(name string) (Program, bool) {
	for _, p := range Programs() {
		if p.Name == name {
			return p, true
		}
		for _, a := range p.Aliases {
			if a == name {
				return p, true
			}
		}
	}
	return Program{}, false
}

// Nearest returns the name in the table that is fewest edits from word, or ""
// when none is near enough to be meant: within two edits, and fewer than half
// of the word.
func Nearest(word string) string {
	const most = 2
	best, name := most+1, ""
	for _, p := range Programs() {
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if d := edits(word, n); d < best && 2*d < len(word) {
				best, name = d, n
			}
		}
	}
	return name
}

// edits is the Levenshtein distance, with a swap of neighbours as one edit.
// Words longer than any name are as far away as they are long.
func edits(a, b string) int {
	const longest = 32
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, cur := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := prev[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
