package client

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestFindTerminfo(t *testing.T) {
	// Header, names, one boolean; nothing else.
	entry := append([]byte{0x1a, 1, 6, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "odd|x\x00\x01\x00"...)
	home, other := t.TempDir(), t.TempDir()
	put := func(dir, sub, name string, data []byte) {
		os.MkdirAll(filepath.Join(dir, sub), 0o755)
		if err := os.WriteFile(filepath.Join(dir, sub, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(home, ".terminfo"), "o", "odd", entry)
	put(other, "6f", "odder", entry) // as on file systems without case
	put(other, "b", "bad", entry[:10])
	put(other, "x", "xterm", entry)
	env := map[string]string{"TERMINFO_DIRS": "relative:" + other}
	for name, want := range map[string]bool{"odd": true, "odder": true, "bad": false, "none": false, "xterm": false, "": false, "../o/odd": false} {
		got := FindTerminfo(name, home, func(n string) string { return env[n] })
		if got != nil != want || want && (got.Name != name || !bytes.Equal(got.Entry, entry)) {
			t.Errorf("%q: %v", name, got)
		}
	}
}
