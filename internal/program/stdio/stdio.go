// Package stdio is what every program is handed instead of the process's own
// globals: three files, the environment and the name it was called by. So a
// program can be run by a test, by another program or by `nacre` alike.
//
// It stands below the program table, because the table imports the programs
// and the programs import this. It must never know a program.
package stdio

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Stdio is the world around one run of a program. The zero value has no
// files; programs may count on all three being set.
type Stdio struct {
	// In, Out and Err are standard input, output and error. They are files,
	// not readers, because the byte path hands their descriptors to the
	// kernel and asks whether they are terminals.
	In, Out, Err *os.File
	// Env is the environment, "NAME=value" each, as os.Environ gives it. Of
	// two entries with one name the last counts, as in os/exec.
	Env []string
	// Name is the name the program was called by: the last part of argv[0],
	// or the first word after nacre. Messages begin with it.
	Name string
}

// Process returns the world of this process, for a program called by name.
func Process(name string) Stdio {
	return Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ(), Name: name}
}

// LookupEnv returns the value of the environment variable name, and whether
// it is set at all.
func (s Stdio) LookupEnv(name string) (string, bool) {
	for i := len(s.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(s.Env[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// Getenv returns the value of the environment variable name, "" when unset.
func (s Stdio) Getenv(name string) string {
	v, _ := s.LookupEnv(name)
	return v
}

// Errorf writes one line to Err: the format as given, a newline added where
// it has none.
func (s Stdio) Errorf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	io.WriteString(s.Err, line)
}
