package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// A Package is one folder with Go files, read whatever their build tags.
type Package struct {
	Path    string // below the module, "" for the root
	Files   map[string]*ast.File
	Tests   map[string]*ast.File
	Imports map[string]string // import path of a non-test file → one file that has it
}

// A Tree is every package of the module.
type Tree struct {
	Root     string
	Fset     *token.FileSet
	Packages map[string]*Package
}

// ReadTree parses the module that contains the working directory.
func ReadTree() (*Tree, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			return nil, fmt.Errorf("archtest: no go.mod above the working directory")
		}
		root = up
	}
	t := &Tree{Root: root, Fset: token.NewFileSet(), Packages: map[string]*Package{}}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "build" || name == "vendor") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return t.add(p)
	})
	return t, err
}

func (t *Tree) add(file string) error {
	f, err := parser.ParseFile(t.Fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(t.Root, file)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	dir := path.Dir(rel)
	if dir == "." {
		dir = ""
	}
	p := t.Packages[dir]
	if p == nil {
		p = &Package{Path: dir, Files: map[string]*ast.File{}, Tests: map[string]*ast.File{}, Imports: map[string]string{}}
		t.Packages[dir] = p
	}
	if strings.HasSuffix(rel, "_test.go") {
		p.Tests[rel] = f
		return nil
	}
	p.Files[rel] = f
	for _, s := range f.Imports {
		imp, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			return err
		}
		p.Imports[imp] = rel
	}
	return nil
}

// Sorted returns the packages by path.
func (t *Tree) Sorted() []*Package {
	var all []*Package
	for _, p := range t.Packages {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

// in reports that the path is room, or below it.
func in(p, room string) bool {
	return room == "" || p == room || strings.HasPrefix(p, room+"/")
}

// match reports that p is pattern, or below it where pattern ends in "/…".
func match(p, pattern string) bool {
	if above, ok := strings.CutSuffix(pattern, "/…"); ok {
		return strings.HasPrefix(p, above+"/") || p == above
	}
	return p == pattern
}

// floor returns the floor of the package at path p below the module.
func floor(p string) (int, bool) {
	best, n, ok := "", 0, false
	for _, r := range Rooms {
		if in(p, r.Path) && len(r.Path) >= len(best) {
			best, n, ok = r.Path, r.Floor, true
		}
	}
	return n, ok
}

// below returns the path below the module of an import, if it is ours.
func below(imp string) (string, bool) {
	if imp == Module {
		return "", true
	}
	return strings.CutPrefix(imp, Module+"/")
}

// concerns reports that room (a path, or "floor N") holds the package at p.
func concerns(room, p string) bool {
	if n, ok := strings.CutPrefix(room, "floor "); ok {
		f, known := floor(p)
		return known && strconv.Itoa(f) == n
	}
	return in(p, room)
}

// forbids reports that the pattern of a ban means the import path imp.
func forbids(pattern, imp string) bool {
	if n, ok := strings.CutPrefix(pattern, "floor "); ok {
		p, ours := below(imp)
		if !ours {
			return false
		}
		f, known := floor(p)
		return known && strconv.Itoa(f) == n
	}
	return match(imp, pattern)
}
