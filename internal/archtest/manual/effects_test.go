package manual

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/sshconfig"
)

// TestEffects: every keyword has a test of its effect by name, or stands in
// the list of those that have none, which only becomes shorter.
func TestEffects(t *testing.T) {
	check := func(page string, keywords []sshconfig.Keyword, effects []effect, notYet []string, most int) {
		missing := map[string]bool{}
		for _, k := range notYet {
			missing[k] = true
		}
		if len(notYet) > most {
			t.Errorf("%s: %d keywords without a test, %d were enough before", page, len(notYet), most)
		}
		for _, k := range keywords {
			if k.Ignored {
				continue
			}
			test := ""
			for _, e := range effects {
				if e.keyword == k.Name {
					test = e.test
				}
			}
			if test == "" && page == "ssh_config" && exists(t, table+k.Name) {
				test = table + k.Name
			}
			switch {
			case missing[k.Name] && test != "":
				t.Errorf("%s: %s has a test now: take it off the list, and lower its bound", page, k.Name)
			case missing[k.Name]:
			case test == "":
				t.Errorf("%s: no test shows what %s does: add a case to TestKeyword, or name the test in effects.go", page, k.Name)
			case !exists(t, test):
				t.Errorf("%s: %s is to be shown by %s, which does not exist", page, k.Name, test)
			}
			delete(missing, k.Name)
		}
		for k := range missing {
			t.Errorf("%s: %s is no keyword", page, k)
		}
	}
	check("ssh_config", collect(t, true), clientEffects[:], clientNotYet[:], clientNotYetMost)
	check("sshd_config", collect(t, false), serverEffects[:], serverNotYet[:], serverNotYetMost)
}

// exists says whether a test of the form PACKAGE:TEST or PACKAGE:TEST/CASE is
// there. A case is a text in quotes in the package's tests, or a script.
func exists(t *testing.T, test string) bool {
	t.Helper()
	dir, name, _ := strings.Cut(test, ":")
	name, of, cased := strings.Cut(name, "/")
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("\nfunc "+name+"(")) {
			continue
		}
		if !cased || bytes.Contains(b, []byte("{\""+of+"\",")) {
			return true
		}
		_, err = os.Stat(filepath.Join(root, filepath.FromSlash(dir), "testdata", "script", of+".txtar"))
		return err == nil
	}
	return false
}
