//go:build !linux

package rawio

import "os"

// PipeToChild makes a pipe: its reading end goes to a child, the writing end
// is ours. Close the child's end once the child has it.
func PipeToChild() (child *os.File, w *File, err error) {
	r, pw, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return r, NewFile(pw), nil
}

// PipeFromChild makes a pipe: its writing end goes to a child, the reading end
// is ours. Close the child's end once the child has it.
func PipeFromChild() (r *File, child *os.File, err error) {
	pr, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return NewFile(pr), w, nil
}
