package main

import "testing"

func TestCalledAs(t *testing.T) {
	for _, c := range []struct{ argv0, want string }{
		{"nacre", "nacre"},
		{"/usr/local/bin/ssh", "ssh"},
		{"./build/nacre", "nacre"},
		{"-ssh", "ssh"},
		{"ssh.exe", "ssh"},
		{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "sshd"},
		{"/usr/sbin/sshd: ann [net]", "sshd"},
	} {
		if got := calledAs(c.argv0); got != c.want {
			t.Errorf("calledAs(%q) = %q, want %q", c.argv0, got, c.want)
		}
	}
}
