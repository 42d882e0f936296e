package program

import "testing"

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Programs() {
		if p.Name == "" || p.Line == "" || p.Main == nil {
			t.Errorf("program %q: a row needs a name, a line and a Main", p.Name)
		}
		switch p.Dir {
		case Bin, Sbin, Libexec, Nowhere:
		default:
			t.Errorf("program %q: no such folder %q", p.Name, p.Dir)
		}
		for _, n := range append([]string{p.Name}, p.Aliases...) {
			if seen[n] {
				t.Errorf("the name %q stands twice in the table", n)
			}
			seen[n] = true
			if got, ok := ByName(n); !ok || got.Name != p.Name {
				t.Errorf("ByName(%q) = %q, %v", n, got.Name, ok)
			}
			if got := Nearest(n); len(n) > 1 && got != n {
				t.Errorf("Nearest(%q) = %q", n, got)
			}
		}
	}
	if _, ok := ByName("no-such-program"); ok {
		t.Error("ByName found a program that does not exist")
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"ssh", "ssh", 0}, {"", "scp", 3}, {"scp", "", 3},
		{"shs", "ssh", 1}, {"sftp", "scp", 2}, {"kitten", "sitting", 3}, {"ssh", "sshd", 1},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	long := string(make([]byte, 100))
	if got := edits(long, "ssh"); got != 100 {
		t.Errorf("edits of a word too long to be meant = %d", got)
	}
}
