package stdio

import "testing"

func TestLookupEnv(t *testing.T) {
	s := Stdio{Env: []string{"A=1", "B=", "A=2", "C", "D=x=y"}}
	for _, c := range []struct {
		name, want string
		set        bool
	}{{"A", "2", true}, {"B", "", true}, {"C", "", false}, {"D", "x=y", true}, {"E", "", false}, {"", "", false}} {
		if got, set := s.LookupEnv(c.name); got != c.want || set != c.set {
			t.Errorf("LookupEnv(%q) = %q, %v; want %q, %v", c.name, got, set, c.want, c.set)
		}
		if got := s.Getenv(c.name); got != c.want {
			t.Errorf("Getenv(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}
