package getopt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNext(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"-a", "a"},
		{"-nNvM", "n N v M"},
		{"-tf FILE", "t f=FILE"},
		{"-tfFILE", "t f=FILE"},
		{"-E/path/log", "E=/path/log"},
		{"-vvvb -", "v v v b=-"},
		{"-b -n", "b=-n"},
		{"-b -- x", "b=-- | x"},
		{"-a -- -n", "a | -n"},
		{"-a - -n", "a | - -n"},
		{"host -n", "| host -n"},
		{"-n host -v cmd", "n | host -v cmd"},
		{"-nx", "n !unknown option -- x"},
		{"-n:", "n !unknown option -- :"},
		{"-nb", "n !option requires an argument -- b"},
	} {
		r := Reader{Args: strings.Fields(c.args), Value: Letters("aMNntvf:E:b:")}
		var got []string
		for {
			letter, value, err := r.Next()
			if err != nil {
				got = append(got, "!"+err.Error())
				break
			}
			if letter == 0 {
				if len(r.Args) > 0 {
					got = append(got, "|")
				}
				got = append(got, r.Args...)
				break
			}
			if value != "" {
				got = append(got, fmt.Sprintf("%c=%s", letter, value))
			} else {
				got = append(got, string(letter))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q: got %q, want %q", c.args, s, c.want)
		}
	}
}

func TestGoOn(t *testing.T) {
	r := Reader{Args: []string{"-v", "host", "-nb", "", "cmd"}, Value: Letters("vnb:")}
	var got []string
	for range 6 {
		letter, value, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if letter == 0 && len(r.Args) > 0 {
			got = append(got, r.Args[0])
			r.Args = r.Args[1:]
			continue
		}
		got = append(got, string(letter)+value)
	}
	if want := []string{"v", "host", "n", "b", "cmd", "\x00"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
