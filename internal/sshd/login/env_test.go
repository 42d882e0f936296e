package login

import (
	"slices"
	"strconv"
	"testing"
)

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
		e.set("X"+strconv.Itoa(i), "")
	}
	if len(e) != MaxEnv {
		t.Errorf("%d variables", len(e))
	}
	e.set("A", "still")
	if e.get("A") != "still" {
		t.Error("a full list must still take new values")
	}
}
