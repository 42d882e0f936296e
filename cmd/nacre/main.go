// Command nacre is Secure Shell in one file: every program of the suite,
// chosen by the last part of argv[0] (a link named ssh is ssh) or by the
// first word (nacre ssh host). Alone it lists its programs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nacre-ssh/nacre/internal/program"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/internal/version"
)

func main() {
	os.Exit(run(context.Background(), os.Args))
}

// run chooses the program for argv and runs it in this process's world.
func run(ctx context.Context, argv []string) int {
	var words []string
	called := "nacre"
	if len(argv) > 0 {
		words = argv[1:]
		called = calledAs(argv[0])
	}
	if p, ok := program.ByName(called); ok {
		return p.Main(ctx, stdio.Process(called), words)
	}
	io := stdio.Process("nacre")
	if len(words) == 0 {
		fmt.Fprint(io.Out, list())
		return 0
	}
	switch word := words[0]; word {
	case "-V", "--version", "version":
		fmt.Fprintln(io.Out, version.Line(vector()))
		return 0
	case "-h", "--help", "help":
		fmt.Fprint(io.Out, list())
		return 0
	case "--links": // for make install: folder and name, one link a line
		for _, p := range program.Programs() {
			if p.Dir == program.Nowhere {
				continue
			}
			for _, n := range append([]string{p.Name}, p.Aliases...) {
				fmt.Fprintln(io.Out, p.Dir, n)
			}
		}
		return 0
	default:
		if p, ok := program.ByName(word); ok {
			return p.Main(ctx, stdio.Process(word), words[1:])
		}
		if near := program.Nearest(word); near != "" {
			io.Errorf("nacre: no program named %q; did you mean `nacre %s`? `nacre` alone lists them", word, near)
		} else {
			io.Errorf("nacre: no program named %q; `nacre` alone lists them", word)
		}
		return 2
	}
}

// calledAs is the name argv0 asks for: its last part, without the dash of a
// login shell, the ".exe" of Windows, or what a server process has behind
// its name for ps to see ("sshd: ann [net]").
func calledAs(argv0 string) string {
	argv0, _, _ = strings.Cut(argv0, ": ")
	name := filepath.Base(argv0)
	name = strings.TrimPrefix(name, "-")
	name = strings.TrimSuffix(name, ".exe")
	return name
}

// list is what `nacre` alone prints: one line a program.
func list() string {
	var b strings.Builder
	b.WriteString("nacre " + version.Number + ": Secure Shell in one file\n\nusage: nacre program [argument ...]\n\n")
	for _, p := range program.Programs() {
		fmt.Fprintf(&b, "  %-14s %s\n", p.Name, p.Line)
	}
	b.WriteString("\nA link to this file named like a program is that program. `nacre -V` prints the version.\n")
	return b.String()
}
