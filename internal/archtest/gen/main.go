// Command gen writes what is generated from the tree itself: the column of
// tests in docs/attacks.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nacre-ssh/nacre/internal/archtest"
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
	return os.WriteFile(file, archtest.WriteTests(doc, archtest.Cited(tr)), 0o644)
}
