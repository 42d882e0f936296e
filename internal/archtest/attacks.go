package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// AttacksDoc is the table of attacks, below the root.
const AttacksDoc = "docs/attacks.md"

// mostNames is how many tests a row names; those with the id in their name
// come first.
const mostNames = 4

// Cited returns, for every attack id that a test mentions, the tests that do:
// in their name (TestPKT04_Oracle, TestAUT01Something), in their comment or in
// their body ("PKT-4"). Names are "folder.TestName".
func Cited(tr *Tree) map[string][]string {
	inName := regexp.MustCompile(`^(?:Test|Fuzz)([A-Z]{2,3})0?([0-9]{1,2})(?:[^0-9]|$)`)
	inText := regexp.MustCompile(`\b([A-Z]{2,3})-0?([0-9]{1,2})\b`)
	named, cited := map[string][]string{}, map[string][]string{}
	for _, p := range tr.Sorted() {
		var files []string
		for name := range p.Tests {
			files = append(files, name)
		}
		sort.Strings(files)
		for _, name := range files {
			f := p.Tests[name]
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil || !isTest(fn.Name.Name) {
					continue
				}
				full := p.Path + "." + fn.Name.Name
				add := func(to map[string][]string, kind, n string) {
					num, err := strconv.Atoi(n)
					if err != nil {
						return
					}
					id := fmt.Sprintf("%s-%d", kind, num)
					if !slices.Contains(to[id], full) {
						to[id] = append(to[id], full)
					}
				}
				if m := inName.FindStringSubmatch(fn.Name.Name); m != nil {
					add(named, m[1], m[2])
				}
				for _, m := range inText.FindAllStringSubmatch(fn.Doc.Text(), -1) {
					add(cited, m[1], m[2])
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					if lit, ok := n.(*ast.BasicLit); ok {
						for _, m := range inText.FindAllStringSubmatch(lit.Value, -1) {
							add(cited, m[1], m[2])
						}
					}
					return true
				})
				for _, c := range f.Comments { // those inside the body
					if c.Pos() > fn.Pos() && c.End() < fn.End() {
						for _, m := range inText.FindAllStringSubmatch(c.Text(), -1) {
							add(cited, m[1], m[2])
						}
					}
				}
			}
		}
	}
	for id, tests := range cited {
		for _, t := range tests {
			if !slices.Contains(named[id], t) {
				named[id] = append(named[id], t)
			}
		}
	}
	return named
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example")
}

// columns of a row: id, what goes wrong, seen in, right behaviour, test.
const columns = 5

// Rows calls f for every row of the document with its id and cells, and
// returns the document with the rows that f returned in their place.
func Rows(doc []byte, f func(id string, cells []string) []string) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(string(doc)) {
		body := strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(body, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if strings.HasPrefix(body, "|") && len(cells) == columns && isID(cells[0]) {
			line = "| " + strings.Join(f(cells[0], cells), " | ") + " |\n"
		}
		out.WriteString(line)
	}
	return out.Bytes()
}

func isID(s string) bool {
	kind, n, ok := strings.Cut(s, "-")
	if !ok || len(kind) < 2 || len(kind) > 3 || strings.ToUpper(kind) != kind {
		return false
	}
	_, err := strconv.Atoi(n)
	return err == nil
}

// WriteTests fills the last column of the document with the tests that cite
// each row.
func WriteTests(doc []byte, cited map[string][]string) []byte {
	return Rows(doc, func(id string, cells []string) []string {
		tests := cited[id]
		text := "–"
		if len(tests) > 0 {
			text = "`" + strings.Join(tests[:min(len(tests), mostNames)], "` `") + "`"
			if more := len(tests) - mostNames; more > 0 {
				text += fmt.Sprintf(" and %d more", more)
			}
		}
		cells[len(cells)-1] = text
		return cells
	})
}
