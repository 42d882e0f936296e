package client

import "testing"

func TestParsePort(t *testing.T) {
	for s, want := range map[string]int{"1": 1, "22": 22, "65535": 65535, "ssh": 22,
		"0": 0, "65536": 0, "22x": 0, "+22": 0, "-1": 0, " 22": 0, "": 0, "no-such-service": 0} {
		if got, ok := ParsePort(s); got != want && ok || ok != (want > 0) {
			t.Errorf("ParsePort(%q) = %d, %v; want %d", s, got, ok, want)
		}
	}
}
