package sshconfig

import "testing"

func TestParseDestination(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Hop
		bad  bool
	}{
		{in: "h", want: Hop{"", "h", 0}},
		{in: "u@h", want: Hop{"u", "h", 0}},
		{in: "a@b@h", want: Hop{"a@b", "h", 0}},
		{in: "a@", want: Hop{"a", "", 0}},
		{in: "@h", bad: true},
		{in: "::1", want: Hop{"", "::1", 0}},
		{in: "SSH://h", want: Hop{"", "SSH://h", 0}},
		{in: "ssh://h", want: Hop{"", "h", 0}},
		{in: "ssh://h/", want: Hop{"", "h", 0}},
		{in: "ssh://h:", want: Hop{"", "h", 0}},
		{in: "ssh://h:22/", want: Hop{"", "h", 22}},
		{in: "ssh://u@h:2222", want: Hop{"u", "h", 2222}},
		{in: "ssh://a%40b@h:1/", want: Hop{"a@b", "h", 1}},
		{in: "ssh://a;x=y@h", want: Hop{"a", "h", 0}},
		{in: "ssh://a_b.c:1", want: Hop{"", "a_b.c", 1}},
		{in: "ssh://[::1]:1", want: Hop{"", "::1", 1}},
		{in: "ssh://[127.0.0.1]:1", want: Hop{"", "127.0.0.1", 1}},
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

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]string{
		"127.0.0.1": "127.0.0.1", "127.1": "127.0.0.1", "0x7f000001": "127.0.0.1", "2130706433": "127.0.0.1", "0177.0.0.01": "127.0.0.1",
		"10.1.258": "10.1.1.2", "::1": "::1", "fe80::1%lo": "fe80::1%lo",
		"256.1": "", "1.2.3.4.5": "", "1.2.3.256": "", "h1": "", "1h": "", "": "", "0x": "", "1..2": "", "4294967296": "",
	} {
		a, ok := ParseAddress(s)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("ParseAddress(%q) = %v, %v; want %q", s, a, ok, want)
		}
	}
}
