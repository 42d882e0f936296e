// Command gen writes what is generated from the tree itself: the column of
// tests in docs/attacks.md, the manual pages and the shell completion.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nacre-ssh/nacre/internal/archtest"
	"github.com/nacre-ssh/nacre/internal/archtest/manual"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	tr, err := archtest.ReadTree()
	if err != nil {
		return err
	}
	file := filepath.Join(tr.Root, filepath.FromSlash(archtest.AttacksDoc))
	doc, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, archtest.WriteTests(doc, archtest.Cited(tr)), 0o644); err != nil {
		return err
	}
	for name, text := range manual.Files() {
		file := filepath.Join(tr.Root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
