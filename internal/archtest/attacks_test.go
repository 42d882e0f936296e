package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// MaxUntested is how many rows of docs/attacks.md have no test. It may only
// fall.
const MaxUntested = 21

// Every test that docs/attacks.md names exists and still cites its row, and
// the rows without one do not become more.
func TestAttacks(t *testing.T) {
	tr := tree(t)
	doc, err := os.ReadFile(filepath.Join(tr.Root, AttacksDoc))
	if err != nil {
		t.Fatal(err)
	}
	cited := Cited(tr)
	name := regexp.MustCompile("`([^`]+)`")
	rows, untested := 0, []string{}
	Rows(doc, func(id string, cells []string) []string {
		rows++
		tests := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			untested = append(untested, id)
		}
		for _, m := range tests {
			if !slices.Contains(cited[id], m[1]) {
				t.Errorf("%s names %s for %s: no such test cites it (make gen)", AttacksDoc, m[1], id)
			}
		}
		return cells
	})
	if rows < 100 {
		t.Errorf("%d rows in %s: the table was not read", rows, AttacksDoc)
	}
	if len(untested) > MaxUntested {
		t.Errorf("%d rows without a test, %d are allowed: %v (make gen fills the column)", len(untested), MaxUntested, untested)
	}
	t.Logf("%d rows, %d without a test: %v", rows, len(untested), untested)
}
