package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

func tree(t *testing.T) *Tree {
	t.Helper()
	tr, err := ReadTree()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// breaches returns every broken line of the import law in tr, sorted.
func breaches(tr *Tree) []string {
	var out []string
	for _, p := range tr.Packages {
		if len(p.Files) == 0 {
			continue
		}
		from, ok := floor(p.Path)
		if !ok {
			out = append(out, p.Path+" is in no room of the table\n\twhy: every package has its floor; add a line to Rooms and to ARCHITECTURE.md")
			continue
		}
		for imp, file := range p.Imports {
			to, ours := below(imp)
			if !ours {
				continue
			}
			n, ok := floor(to)
			if !ok || n < from || n == from && beside(p.Path, to) {
				continue
			}
			out = append(out, file+" (floor "+strconv.Itoa(from)+") imports "+to+" (floor "+strconv.Itoa(n)+")\n\twhy not: "+WhyDown)
		}
		for _, b := range Bans {
			if !b.holds(p.Path) {
				continue
			}
			for imp, chain := range tr.imports(p, b.Reach) {
				for _, pattern := range b.Imports {
					if forbids(pattern, imp) {
						out = append(out, chain+" imports "+imp+"\n\twhy not: "+b.Why)
					}
				}
			}
		}
		if from <= 4 && !anyIn(p.Path, CallsBut[:]) {
			out = append(out, calls(tr, p)...)
		}
	}
	sort.Strings(out)
	return out
}

func beside(from, to string) bool {
	for _, b := range Beside {
		if match(from, b.From) && match(to, b.To) {
			return true
		}
	}
	return false
}

func anyIn(p string, rooms []string) bool {
	for _, r := range rooms {
		if in(p, r) {
			return true
		}
	}
	return false
}

func (b Ban) holds(p string) bool {
	if anyIn(p, b.But) {
		return false
	}
	for _, r := range b.Rooms {
		if concerns(r, p) {
			return true
		}
	}
	return false
}

// imports returns what p imports, and with reach what the packages of this
// module that it imports do; with each the chain that leads there.
func (tr *Tree) imports(p *Package, reach bool) map[string]string {
	out := map[string]string{}
	var walk func(p *Package, chain string)
	walk = func(p *Package, chain string) {
		for imp, file := range p.Imports {
			if _, seen := out[imp]; seen {
				continue
			}
			if chain == "" {
				out[imp] = file
			} else {
				out[imp] = chain + " → " + file
			}
			if to, ours := below(imp); ours && reach && tr.Packages[to] != nil {
				walk(tr.Packages[to], out[imp])
			}
		}
	}
	walk(p, "")
	return out
}

// calls returns the uses of names in Calls by the package.
func calls(tr *Tree, p *Package) []string {
	var out []string
	for _, f := range p.Files {
		for _, c := range Calls {
			name := ""
			for _, s := range f.Imports {
				if s.Path.Value == strconv.Quote(c.Package) {
					name = c.Local
					if s.Name != nil {
						name = s.Name.Name
					}
				}
			}
			if name == "" {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok || x.Name != name || !forbidden(c.Names, c.But, sel.Sel.Name) {
					return true
				}
				out = append(out, tr.Fset.Position(sel.Pos()).String()+" uses "+c.Package+"."+sel.Sel.Name+"\n\twhy not: "+c.Why)
				return true
			})
		}
	}
	return out
}

func forbidden(names, but []string, name string) bool {
	if but != nil {
		return !contains(but, name)
	}
	return contains(names, name)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Who may import whom, and what floors 0 to 4 may touch.
func TestImports(t *testing.T) {
	for _, b := range breaches(tree(t)) {
		t.Error(b)
	}
}

// A law that nothing can break is no law: each line is broken once in a tree
// made up for it.
func TestImportsCanFail(t *testing.T) {
	for _, c := range []struct {
		from string
		imp  string
		via  []string // further packages: "path>import"
		bad  bool
	}{
		{"internal/wire", "fmt", nil, false},
		{"internal/transport", Module + "/internal/wire", nil, false},
		{"internal/wire", Module + "/internal/transport", nil, true},
		{"internal/userauth", Module + "/internal/connection", nil, true},
		{"internal/connection", Module + "/internal/userauth", nil, true},
		{"internal/keyfile", Module + "/internal/algorithm/pubkey", nil, false},
		{"internal/algorithm/pubkey", Module + "/internal/keyfile", nil, true},
		{"internal/transport", "os", nil, true},
		{"internal/transport", "os/exec", nil, true},
		{"internal/transport", "syscall", nil, true},
		{"sftp", "log/slog", nil, true},
		{"internal/rawio", "syscall", nil, false},
		{"internal/sshd/monitor", Module + "/internal/transport", nil, true},
		{"internal/sshd/monitor", Module + "/ssh", []string{"ssh>" + Module + "/internal/transport"}, true},
		{"internal/sshd/monitor", Module + "/internal/keyfile", nil, false},
		{"internal/sshd/network", Module + "/internal/system/pty", nil, true},
		{"internal/sshd/network", Module + "/internal/sshd/privsep", []string{"internal/sshd/privsep>os/exec"}, true},
		{"internal/sshd/network", Module + "/internal/sshd/monitor", nil, true},
		{"sftp", Module + "/internal/wire", nil, false},
		{"sftp", Module + "/internal/connection", nil, true},
		{"internal/mosh", Module + "/ssh", []string{"ssh>" + Module + "/internal/userauth"}, true},
		{"ssh", "golang.org/x/crypto/ssh", nil, true},
		{"ssh/xcrypto", "golang.org/x/crypto/ssh", nil, false},
		{"ssh", Module + "/internal/system/account", nil, true},
		{"internal/program/ssh", Module + "/internal/system/tty", nil, false},
		{"ssh", "C", nil, true},
		{"internal/client", "math/rand", nil, true},
		{"internal/nowhere", "fmt", nil, true},
	} {
		tr := &Tree{Fset: token.NewFileSet(), Packages: map[string]*Package{}}
		add := func(p, imp string) {
			tr.Packages[p] = &Package{Path: p, Files: map[string]*ast.File{p + "/x.go": {}}, Imports: map[string]string{imp: p + "/x.go"}}
		}
		add(c.from, c.imp)
		for _, v := range c.via {
			p, imp, _ := strings.Cut(v, ">")
			add(p, imp)
		}
		if got := breaches(tr); (len(got) > 0) != c.bad {
			t.Errorf("%s importing %s (%v): breaches %q, want some: %v", c.from, c.imp, c.via, got, c.bad)
		}
	}
}

// The calls that floors 0 to 4 may not make are seen, whatever the package is
// called in the file.
func TestCallsCanFail(t *testing.T) {
	for _, c := range []struct {
		src string
		bad int
	}{
		{`import "time"; var _ time.Duration; func f() { _ = time.Now() }`, 1},
		{`import clock "time"; func f() { _ = clock.Since }`, 1},
		{`import "net"; func f(net.Conn) { net.Dial("", "") }`, 1},
		{`import "net"; func f(net.Conn, net.Addr) {}`, 0},
		{`import "math/rand/v2"; func f(*rand.ChaCha8) {}`, 0},
		{`import "math/rand/v2"; func f() { rand.IntN(3) }`, 1},
	} {
		tr := &Tree{Fset: token.NewFileSet()}
		f, err := parser.ParseFile(tr.Fset, "x.go", "package x; "+c.src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := calls(tr, &Package{Files: map[string]*ast.File{"x.go": f}}); len(got) != c.bad {
			t.Errorf("%s: %q, want %d", c.src, got, c.bad)
		}
	}
}

// Nothing at package level but constants, tables and errors: what is computed
// at start is paid by every program, and what can be written is shared by
// every connection.
func TestPackageLevel(t *testing.T) {
	tr := tree(t)
	for _, p := range tr.Sorted() {
		if n, ok := floor(p.Path); !ok || n > 8 {
			continue
		}
		for _, f := range p.Files {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil && d.Name.Name == "init" && !slices.Contains(Inits[:], p.Path) {
						t.Errorf("%s: func init: start-up is a feature; do it where it is needed", tr.Fset.Position(d.Pos()))
					}
				case *ast.GenDecl:
					if d.Tok != token.VAR {
						continue
					}
					for _, s := range d.Specs {
						for _, v := range s.(*ast.ValueSpec).Values {
							if what := work(v); what != "" {
								t.Errorf("%s: %s at package level: use a [...]T literal, a switch or sync.OnceValue", tr.Fset.Position(v.Pos()), what)
							}
						}
					}
				}
			}
		}
	}
}

// work names what a package-level initialiser does at start, "" for nothing
// that matters. Bodies of functions are not run at start.
func work(e ast.Expr) string {
	what := ""
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CompositeLit:
			if _, ok := n.Type.(*ast.MapType); ok {
				what = "a map"
			}
		case *ast.CallExpr:
			switch fun := n.Fun.(type) {
			case *ast.Ident:
				if fun.Name == "make" {
					what = "make"
				}
			case *ast.SelectorExpr:
				if x, ok := fun.X.(*ast.Ident); ok && x.Name == "regexp" {
					what = "a compiled pattern"
				}
			}
		}
		return true
	})
	return what
}

// Every package says what it is.
func TestPackageComments(t *testing.T) {
	tr := tree(t)
	for _, p := range tr.Sorted() {
		if len(p.Files) == 0 {
			continue
		}
		said := false
		for _, f := range p.Files {
			said = said || f.Doc != nil
		}
		if !said {
			t.Errorf("%s has no package comment: what it is, its RFC, what it must never know", p.Path)
		}
	}
}

// No decoder without a fuzz target, no fuzz target without a seed.
func TestFuzzTargets(t *testing.T) {
	tr := tree(t)
	must := map[string]string{}
	for _, d := range Decoders {
		if p := tr.Packages[d]; p != nil && len(p.Files) > 0 {
			must[d] = "it is in the table of decoders"
		}
	}
	for _, p := range tr.Sorted() {
		if n, ok := floor(p.Path); !ok || n > 7 {
			continue
		}
		for _, f := range p.Files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && decodes(fn) {
					must[p.Path] = "it exports " + fn.Name.Name
				}
			}
		}
	}
	for path, why := range must {
		targets, seeded := fuzzers(tr.Packages[path])
		if len(targets) == 0 {
			t.Errorf("%s decodes (%s) and has no fuzz target", path, why)
		}
		for _, name := range targets {
			if !seeded[name] && !hasCorpus(tr.Root, path, name) {
				t.Errorf("%s: %s has no seed: f.Add one, or commit testdata/fuzz/%s", path, name, name)
			}
		}
	}
}

// decodes reports an exported function whose name says that it takes bytes
// apart and whose first parameter is bytes.
func decodes(fn *ast.FuncDecl) bool {
	if fn.Recv != nil || !fn.Name.IsExported() || len(fn.Type.Params.List) == 0 {
		return false
	}
	named := false
	for _, verb := range []string{"Parse", "Unmarshal", "Decode"} {
		named = named || strings.HasPrefix(fn.Name.Name, verb)
	}
	arr, ok := fn.Type.Params.List[0].Type.(*ast.ArrayType)
	if !named || !ok || arr.Len != nil {
		return false
	}
	elem, ok := arr.Elt.(*ast.Ident)
	return ok && elem.Name == "byte"
}

// fuzzers returns the fuzz targets of a package and which of them add seeds.
func fuzzers(p *Package) (names []string, seeded map[string]bool) {
	seeded = map[string]bool{}
	for _, f := range p.Tests {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Fuzz") || fn.Body == nil {
				continue
			}
			names = append(names, fn.Name.Name)
			// A seed is f.Add, or a helper that is handed the *testing.F.
			param := "f"
			if l := fn.Type.Params.List; len(l) == 1 && len(l[0].Names) == 1 {
				param = l[0].Names[0].Name
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == param && sel.Sel.Name == "Add" {
						seeded[fn.Name.Name] = true
					}
				}
				for _, a := range call.Args {
					if x, ok := a.(*ast.Ident); ok && x.Name == param {
						seeded[fn.Name.Name] = true
					}
				}
				return true
			})
		}
	}
	return names, seeded
}
