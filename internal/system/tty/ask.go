package tty

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// MaxLine is the number of bytes of an answer that Ask keeps; the rest of the
// line is read and dropped.
const MaxLine = 1023

// ErrNoTerminal says that this process belongs to no terminal.
var ErrNoTerminal = errors.New("tty: no terminal to ask on")

// Question is what Ask writes and how it reads.
type Question struct {
	Prompt string // written as it is, after a carriage return
	Echo   bool   // whether what is typed is shown

	// Interrupted is called for a signal that ends the process, after the
	// terminal was put back. nil means Raise: the process dies of it.
	Interrupted func(os.Signal)
}

// Ask writes the question to terminal t and reads one line of answer, without
// its end. The terminal is put back before Ask returns, before the process is
// suspended and before a signal ends it; after a suspension the question is
// written again. The error is io.EOF when the end of input came instead of a
// line. Callers clear the answer when it is a secret.
func Ask(t *os.File, q Question) (answer []byte, err error) {
	e, err := echoOff(t, q)
	if err != nil {
		return nil, err
	}
	defer func() {
		if end := e.end(); err == nil {
			err = end
		}
	}()
	if _, err := io.WriteString(t, "\r"+q.Prompt); err != nil {
		return nil, err
	}
	return readLine(t)
}

// readLine reads to the end of a line, byte by byte where the terminal gives
// no lines, and never beyond it.
func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, MaxLine+1) // never grown: nothing is left behind in old memory
	one := make([]byte, 1)
	defer clear(one)
	for got := false; ; got = true {
		n, err := r.Read(one)
		if n == 0 {
			if err == nil {
				continue
			}
			if err == io.EOF && got {
				err = nil
			}
			return line, err
		}
		if one[0] == '\n' || one[0] == '\r' {
			return line, nil
		}
		if len(line) < MaxLine {
			line = append(line, one[0])
		}
	}
}

// Yes reports whether answer is a "yes" in any case with blanks around it.
func Yes(answer []byte) bool {
	return bytes.EqualFold(bytes.TrimSpace(answer), []byte("yes"))
}
