//go:build linux || darwin || freebsd || openbsd

package auth

import "testing"

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
