package archtest

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every extension name that the code speaks stands in PROTOCOL.md, every room
// of the import law in ARCHITECTURE.md.
func TestDocsNameEverything(t *testing.T) {
	tr := tree(t)
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(tr.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	protocol := strings.ReplaceAll(read("PROTOCOL.md"), "@openssh.com", "@o")
	name := regexp.MustCompile(`^[a-zA-Z0-9-]+@(openssh\.com|libssh\.org|matt\.ucc\.asn\.au|lysator\.liu\.se)$`)
	said := map[string]bool{}
	for _, p := range tr.Sorted() {
		if n, ok := floor(p.Path); !ok || n > 7 {
			continue
		}
		for _, f := range p.Files {
			ast.Inspect(f, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(lit.Value)
				if err != nil || !name.MatchString(s) || said[s] || s[0] == '-' {
					return true
				}
				said[s] = true
				short := strings.ReplaceAll(s, "@openssh.com", "@o")
				if strings.Contains(short, "-etm@") && strings.Contains(protocol, "*-etm@o") || strings.Contains(protocol, short) {
					return true
				}
				t.Errorf("%s speaks %s, of which PROTOCOL.md says nothing", tr.Fset.Position(lit.Pos()), s)
				return true
			})
		}
	}
	if len(said) < 20 {
		t.Errorf("only %d extension names seen in the code", len(said))
	}
	architecture := read("ARCHITECTURE.md")
	for _, r := range Rooms {
		if !strings.Contains(architecture, r.Path) {
			t.Errorf("ARCHITECTURE.md does not name %s", r.Path)
		}
	}
}
