//go:build linux || darwin || freebsd || openbsd

package auth

import "testing"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
