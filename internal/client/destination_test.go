package client

import "testing"

func TestParseDestination(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Destination
		bad  bool
	}{
		{in: "h", want: Destination{"", "h", 0}},
		{in: "u@h", want: Destination{"u", "h", 0}},
		{in: "a@b@h", want: Destination{"a@b", "h", 0}},
		{in: "a@", want: Destination{"a", "", 0}},
		{in: "@h", bad: true},
		{in: "::1", want: Destination{"", "::1", 0}},
		{in: "SSH://h", want: Destination{"", "SSH://h", 0}},
		{in: "ssh://h", want: Destination{"", "h", 0}},
		{in: "ssh://h/", want: Destination{"", "h", 0}},
		{in: "ssh://h:", want: Destination{"", "h", 0}},
		{in: "ssh://h:22/", want: Destination{"", "h", 22}},
		{in: "ssh://u@h:2222", want: Destination{"u", "h", 2222}},
		{in: "ssh://a%40b@h:1/", want: Destination{"a@b", "h", 1}},
		{in: "ssh://a;x=y@h", want: Destination{"a", "h", 0}},
		{in: "ssh://a_b.c:1", want: Destination{"", "a_b.c", 1}},
		{in: "ssh://[::1]:1", want: Destination{"", "::1", 1}},
		{in: "ssh://[127.0.0.1]:1", want: Destination{"", "127.0.0.1", 1}},
		{in: "ssh://", bad: true}, {in: "ssh://@h", bad: true}, {in: "ssh://h:0", bad: true}, {in: "ssh://h:65536", bad: true},
		{in: "ssh://h:22x", bad: true}, {in: "ssh://h/x", bad: true}, {in: "ssh://h:1//", bad: true}, {in: "ssh://a..b", bad: true},
		{in: "ssh://-a", bad: true}, {in: "ssh://h o", bad: true}, {in: "ssh://%zz@h", bad: true}, {in: "ssh://%4@h", bad: true},
		{in: "ssh://::1", bad: true}, {in: "ssh://u@b@h", bad: true}, {in: "ssh://[::1", bad: true}, {in: "ssh://%00@h", bad: true},
	} {
		got, err := ParseDestination(c.in)
		if (err != nil) != c.bad || !c.bad && got != c.want {
			t.Errorf("ParseDestination(%q) = %+v, %v; want %+v, bad %v", c.in, got, err, c.want, c.bad)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"u@h", "ssh://a%40b;c@[::1]:22/", "ssh://h:22"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDestination(s); err == nil && (d.Port < 0 || d.Port > 65535) {
			t.Errorf("%q: port %d", s, d.Port)
		}
	})
}

func TestParsePort(t *testing.T) {
	for s, want := range map[string]int{"1": 1, "22": 22, "65535": 65535, "ssh": 22,
		"0": 0, "65536": 0, "22x": 0, "+22": 0, "-1": 0, " 22": 0, "": 0, "no-such-service": 0} {
		if got, ok := ParsePort(s); got != want && ok || ok != (want > 0) {
			t.Errorf("ParsePort(%q) = %d, %v; want %d", s, got, ok, want)
		}
	}
}

func TestValidNames(t *testing.T) {
	for s, want := range map[string]bool{"ann": true, "": true, "a b": true, `DOM\ann`: true, "ä": true, "a$b": true, "a@b": true,
		"-x": false, "a -b": false, `a\`: false, "a;b": false, "a`b": false, "a'b": false, `a"b`: false, "a|b": false, "a(b": false,
		"a{b": false, "a<b": false, "a&b": false, "a\nb": false, "a\x7fb": false} {
		if got := ValidUser(s); got != want {
			t.Errorf("ValidUser(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{"h": true, "": true, "::1": true, "fe80::1%eth0": true, "h_1.example": true, "ä": true,
		"-h": false, "h h": false, "h\t": false, "h$x": false, `h\x`: false, "a,b": false, "h;": false, "h`": false, "h(": false, "h\x01": false} {
		if got := ValidHost(s); got != want {
			t.Errorf("ValidHost(%q) = %v", s, got)
		}
	}
}
