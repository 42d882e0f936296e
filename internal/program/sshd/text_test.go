//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"slices"
	"testing"
)

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
