//go:build linux || darwin || freebsd || openbsd

package sshd

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
		got, err := splitCommand(c.in)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q %v", c.in, got, err)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`/bin/x "a b" 'c' \"`)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitCommand(s)
		if err != nil {
			return
		}
		// Quoted one by one they are the same words again.
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
		again, err := splitCommand(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q, again %q %v", s, words, again, err)
		}
	})
}

func FuzzPlan(f *testing.F) {
	p := plan{shell: "/bin/sh", argv: []string{"-sh"}, early: environment{"A=1"}}
	f.Add(p.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		var p plan
		if p.unmarshal(b) == nil {
			var q plan
			if err := q.unmarshal(p.marshal()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTokens(t *testing.T) {
	k := tokens{'u': "ann%u", 'h': "/home/ann", 'U': "7"}
	for _, c := range []struct{ in, want string }{
		{"%h/.ssh/%u-%U-%%u", "/home/ann/.ssh/ann%u-7-%u"}, {"plain", "plain"}, {"%k", ""}, {"x%", ""}, {"%C", ""},
	} {
		got, err := k.expand(c.in, "huU")
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q %v", c.in, got, err)
		}
	}
}

func TestEnvironmentList(t *testing.T) {
	var e environment
	e.set("A", "1")
	e.set("B", "2")
	e.set("A", "3")
	e.set("AB", "4")
	e.set("", "x")
	e.set("C=D", "x")
	e.set("N", "a\x00b")
	if want := []string{"A=3", "B=2", "AB=4"}; !slices.Equal(e, want) {
		t.Errorf("%q", e)
	}
	if e.get("A") != "3" || e.get("C") != "" {
		t.Error("get")
	}
	for i := range 2 * MaxEnv {
		e.set("X"+itoa(i), "")
	}
	if len(e) != MaxEnv {
		t.Errorf("%d variables", len(e))
	}
	e.set("A", "still")
	if e.get("A") != "still" {
		t.Error("a full list must still take new values")
	}
}
