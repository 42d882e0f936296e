package knownhosts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read reads one file. A file that is too large is an error.
func Read(name string) (*File, error) {
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
		return nil, fmt.Errorf("knownhosts: %s is a directory", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("knownhosts: %s is larger than %d bytes", name, MaxFileSize)
	}
	return Parse(name, data), nil
}

// Open reads several files. Files that do not exist are as good as empty;
// others that cannot be read are an error, and what could be read is returned
// beside it.
func Open(names ...string) (*Hosts, error) {
	h := &Hosts{}
	var errs []error
	for _, name := range names {
		f, err := Read(name)
		switch {
		case err == nil:
			h.Files = append(h.Files, f)
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	return h, errors.Join(errs...)
}

// New is Open by the name and shape of golang.org/x/crypto/ssh/knownhosts:
// every file must exist.
func New(names ...string) (*Hosts, error) {
	h := &Hosts{}
	for _, name := range names {
		f, err := Read(name)
		if err != nil {
			return nil, err
		}
		h.Files = append(h.Files, f)
	}
	return h, nil
}

// Add appends a key to a file for all of names, as [Name] makes them, hashed
// if hash is set. The file, and its directory, are made if they do not
// exist. A last line without an end gets one first. The entry is written in
// one piece, so several programs may add at the same time.
func Add(file string, names []string, key Key, hash bool) error {
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, " \t\r\n,#|*?!@\x00") {
			return fmt.Errorf("knownhosts: %q is no host name", n)
		}
	}
	if len(names) == 0 {
		return errors.New("knownhosts: no name to add the key for")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	text := strings.Join(entryTexts(names, key, hash), "\n") + "\n"
	if !endsLine(f) {
		text = "\n" + text
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// endsLine tells whether a file is empty or its last byte a newline.
func endsLine(f *os.File) bool {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return true
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return err != nil || last[0] == '\n'
}

// Update makes a file hold exactly the given keys of a host, see
// [File.WithKeys]. It writes only if something changed.
func Update(file string, names []string, keys []Key, hash bool) (Change, error) {
	f, err := Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = Parse(file, nil), os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err != nil {
		return Change{}, err
	}
	out, change := f.WithKeys(names, keys, hash)
	if len(change.Added) == 0 && len(change.Removed) == 0 {
		return change, nil
	}
	return change, Rewrite(file, out.Bytes())
}

// Rewrite replaces a file at once by new contents. The former file stays as
// FILE.old, if there was one; the new one has its mode, less what others
// could write. A file behind a symbolic link is replaced, not the link.
func Rewrite(file string, data []byte) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	mode := fs.FileMode(0o644)
	st, err := os.Stat(file)
	exists := err == nil
	if exists {
		mode &= st.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil && exists {
		err = backup(file)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// backup makes FILE.old another name of the file.
func backup(file string) error {
	old := file + ".old"
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(file, old); err == nil {
		return nil
	}
	data, err := os.ReadFile(file) // a file system without links
	if err != nil {
		return err
	}
	return os.WriteFile(old, data, 0o600)
}
