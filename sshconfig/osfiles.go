package sshconfig

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// OSFiles are the files of this machine.
type OSFiles struct{}

// ReadFile implements [Files]. Only regular files and pipes are read.
func (OSFiles) ReadFile(name string, guarded bool) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, &os.PathError{Op: "read", Path: name, Err: errIsDirectory}
	}
	if guarded && !onlyOurs(st) {
		return nil, &PermissionError{name}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("sshconfig: %s is larger than %d bytes", name, MaxFileSize)
	}
	return data, nil
}

// Glob implements [Files].
func (OSFiles) Glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	if err != nil { // a broken pattern is a name
		if _, err := os.Lstat(pattern); err == nil {
			return []string{pattern}, nil
		}
		return nil, nil
	}
	return names, nil
}
