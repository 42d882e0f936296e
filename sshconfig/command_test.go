package sshconfig

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"a", []string{"a"}},
		{"  a\t b  ", []string{"a", "b"}},
		{`/bin/x "a b" 'c "d"' e\ f \" "\"" ''`, []string{"/bin/x", "a b", `c "d"`, "e f", `"`, `"`, ""}},
		{`a"b"c`, []string{"abc"}},
		{`a\b`, []string{`a\b`}},
		{"", nil}, {"  ", nil}, {`"`, nil}, {`a 'b`, nil},
	} {
		got, err := SplitCommand(c.in)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q %v", c.in, got, err)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`/bin/x "a b" 'c' \"`)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		words, err := SplitCommand(s)
		if err != nil {
			return
		}
		// Quoted one by one they are the same words again.
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
		again, err := SplitCommand(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q, again %q %v", s, words, again, err)
		}
	})
}
