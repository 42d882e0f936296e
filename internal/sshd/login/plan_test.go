package login

import (
	"reflect"
	"strings"
	"testing"
)

func fullPlan() *Plan {
	return &Plan{
		Role: SFTP, User: "u", Identity: &Identity{UID: 1, GID: 2, Groups: []uint32{2, 3}, KeepGroups: true}, Chroot: "/c", OOMScore: "-5",
		Shell: "/bin/sh", Argv: []string{"-sh"}, Early: []string{"A=1"}, Late: []string{"B=2", "C=3"}, EnvFile: "*", PrintEnv: true,
		Home: "/h", Text: "x", Motd: true, NotOpen: true, Nologin: true, MustChange: true, TTY: true, RC: true, SystemRC: true,
		X11: "a b", XAuth: "/x", XAuthDisplay: "unix:10.0", Service: []byte{1, 2}, ExitCode: 7, RefusalText: "no",
	}
}

func TestPlanSurvives(t *testing.T) {
	p := fullPlan()
	v := reflect.ValueOf(*p)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Title", "Forced", "Subsystem", "Self":
		default:
			if v.Field(i).IsZero() {
				t.Errorf("%s is not tested", name)
			}
		}
	}
	b := p.Marshal()
	var q Plan
	if err := q.Unmarshal(b); err != nil || !reflect.DeepEqual(*p, q) {
		t.Errorf("%v\n%+v\n%+v", err, *p, q)
	}
	for i := range b {
		if q.Unmarshal(b[:i]) == nil {
			t.Errorf("cut at %d is taken", i)
		}
	}
	if q.Unmarshal(append(b, 0)) == nil {
		t.Error("more than a plan is taken")
	}
}

// Every list has its limit, on both sides of which something is tried.
func TestPlanLimits(t *testing.T) {
	var q Plan
	for _, c := range []struct {
		name string
		p    *Plan
		ok   bool
	}{
		{"words", &Plan{Argv: make([]string, MaxList)}, true},
		{"too many words", &Plan{Argv: make([]string, MaxList+1)}, false},
		{"variables", &Plan{Argv: []string{"x"}, Early: make([]string, MaxList), Late: make([]string, MaxList)}, true},
		{"too many variables", &Plan{Argv: []string{"x"}, Late: make([]string, MaxList+1)}, false},
		{"groups", &Plan{Argv: []string{"x"}, Identity: &Identity{Groups: make([]uint32, MaxGroups)}}, true},
		{"too many groups", &Plan{Argv: []string{"x"}, Identity: &Identity{Groups: make([]uint32, MaxGroups+1)}}, false},
		{"long", &Plan{Argv: []string{strings.Repeat("x", MaxPlan/2)}}, true},
		{"too long", &Plan{Argv: []string{strings.Repeat("x", MaxPlan)}}, false},
		{"nothing to run", &Plan{}, false},
		{"nothing to run, and no need", &Plan{Role: Refuse, ExitCode: 255}, true},
		{"no role", &Plan{Role: Refuse + 1, Argv: []string{"x"}}, false},
		{"no status", &Plan{Role: Refuse, ExitCode: 256}, false},
	} {
		if err := q.Unmarshal(c.p.Marshal()); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(fullPlan().Marshal())
	f.Add((&Plan{Argv: []string{"sh"}}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Plan
		if p.Unmarshal(b) == nil {
			if err := q.Unmarshal(p.Marshal()); err != nil || !reflect.DeepEqual(p, q) {
				t.Error(err)
			}
		}
	})
}
