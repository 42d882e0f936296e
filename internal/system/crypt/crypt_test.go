package crypt

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

const long = "longer than sixteen bytes, and then some more of it; it must be more than 64 bytes to be sure"

// Made by OpenSSL and libcrypt.
var vectors = []struct{ password, hash string }{
	{"", "$1$abcdefgh$M55TzYaaccxVGbptZWaxX/"},
	{"a", "$1$abcdefgh$jUYc1Xi7pkozuzWQ0Dft71"},
	{"password", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"},
	{long, "$1$abcdefgh$W4p8SHx8SBFZC28ccys9Z."},
	{"a", "$5$abcdefgh$GzAL/HPD/MYJIjVUUnvBTiqueLrt/LVxJEZtz0qaNX2"},
	{"password", "$5$abcdefgh$ZLdkj8mkc2XVSrPVjskDAgZPGjtj1VGVaa1aUkrMTU/"},
	{long, "$5$abcdefgh$k0X80qGgb4JPp.hoMkrQL7JXKkf41I/GkaZj0a18Ok1"},
	{"a", "$6$abcdefgh$GjMgmmowSihU3X8xhdMxaCaEziO5NUh/IZqYnnZhN1j7.JYnm2e5BnPfWNUdj17OlEroBdrPtMnfsmwWCrkw70"},
	{"password", "$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1"},
	{long, "$6$abcdefgh$8TFw.gbZ30y5MbdBydaAutJSwQ04GopORC8zIm2Q4r7rABmV2I.JhJwvRuo0ASnIRTX6XZUFT6xb1kKTDmb21."},
	{"password", "$6$rounds=1234$saltstring$HTiUHYGuz2ikmv1xaKTHxieJWkBJKPiG6T/MJlvPsukwvXPTlAJd4x8nEHbVjx5SJORkplky9i7nqO5A7RFi30"},
	{"password", "$2b$04$.g8rhZhL7ehjR4eQFUrvgeiVNVa4jFxaZ7sZvvIm3nkr9h1Obu/TC"},
	{strings.Repeat("p", 100), "$2b$04$abcdefghijklmnopqrstuuNt.0ah97gHY3F7JC1Z6EXmQc0bQBhIO"},
}

func TestCheck(t *testing.T) {
	for _, v := range vectors {
		if ok, err := Check(v.hash, []byte(v.password)); !ok || err != nil {
			t.Errorf("%q %s: %v %v", v.password, v.hash, ok, err)
		}
		for _, wrong := range []string{v.password + "x", "x" + v.password, strings.ToUpper(v.password) + "0"} {
			if strings.HasPrefix(v.hash, "$2") && len(v.password) > 72 && strings.HasPrefix(wrong, v.password[:72]) {
				continue // bcrypt looks at 72 bytes
			}
			if ok, err := Check(v.hash, []byte(wrong)); ok || err != nil {
				t.Errorf("%q %s: %v %v", wrong, v.hash, ok, err)
			}
		}
	}
}

// AUT-13: a long password costs nothing.
func TestAUT13_LongPassword(t *testing.T) {
	v := vectors[8]
	if ok, err := Check(v.hash, make([]byte, MaxPassword+1)); ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := Check("?", make([]byte, MaxPassword)); ok || !errors.Is(err, ErrMethod) {
		t.Error(ok, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		hash string
		want error
	}{
		{"", ErrMethod}, {"*", ErrMethod}, {"!", ErrMethod}, {"x", ErrMethod}, {"ab0123456789.", ErrMethod},
		{"$y$j9T$abcdefgh$79JhsKZwfY/UU2qrk3QcffpHl7EyEEJK0pA5pD1wu73", ErrMethod}, {"$7$", ErrMethod},
		{"$6$", ErrHash}, {"$6$salt", ErrHash}, {"$6$rounds=999$salt$x", ErrHash}, {"$6$rounds=1000000000$salt$x", ErrHash},
		{"$6$rounds=01000$salt$x", ErrHash}, {"$6$rounds=$salt$x", ErrHash}, {"$6$rounds=1000", ErrHash}, {"$6$12345678901234567$x", ErrHash},
		{"$1$123456789$x", ErrHash}, {"$1$x", ErrHash}, {"$2b$04$short", ErrHash}, {"$2b$99$.g8rhZhL7ehjR4eQFUrvgeiVNVa4jFxaZ7sZvvIm3nkr9h1Obu/TC", ErrHash},
		{"$6$rounds=1000$salt$", nil}, {"$6$salt$x", nil}, {"$1$12345678$x", nil},
	} {
		if ok, err := Check(c.hash, []byte("password")); ok || !errors.Is(err, c.want) {
			t.Errorf("%q: %v %v, want %v", c.hash, ok, err, c.want)
		}
	}
}

// The system's own library must agree.
func TestLibcrypt(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("peer lacks perl")
	}
	for n := 0; n < 80; n += 9 {
		password := strings.Repeat("Aq", n)[:n]
		for _, setting := range []string{"$1$s$", "$5$rounds=1000$salt$", "$6$rounds=1001$longersaltthan16$", "$6$$"} {
			out, err := exec.Command("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, setting).Output()
			if err != nil || !strings.HasPrefix(string(out), "$") {
				t.Skip("peer lacks a crypt that knows", setting)
			}
			if ok, err := Check(string(out), []byte(password)); !ok || err != nil {
				t.Errorf("%q %s: %v %v", password, out, ok, err)
			}
			if ok, _ := Check(string(out), []byte(password+"x")); ok {
				t.Errorf("%q %s: wrong password taken", password, out)
			}
		}
	}
}

func TestFake(t *testing.T) {
	for _, like := range []string{vectors[0].hash, vectors[5].hash, vectors[10].hash, vectors[11].hash, "$y$j9T$abcdefgh$79JhsKZwfY/UU2qrk3QcffpHl7EyEEJK0pA5pD1wu73", "", "*", "!", "x", "$6$"} {
		f := Fake(like)
		if f == like || f == Fake(like) {
			t.Errorf("%q is not random: %q", like, f)
		}
		if ok, err := Check(f, []byte("password")); ok || err != nil && !strings.HasPrefix(like, "$y$") {
			t.Errorf("%q: %q %v %v", like, f, ok, err)
		}
		if len(like) > 5 && (len(f) != len(like) || f[:7] != like[:7]) {
			t.Errorf("%q is like %q", f, like)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.hash, []byte(v.password))
	}
	f.Fuzz(func(t *testing.T, hash string, password []byte) {
		if i := strings.Index(hash, "rounds="); i >= 0 && len(hash) > i+11 || strings.HasPrefix(hash, "$2") && len(hash) > 6 && hash[4:6] > "05" {
			return // honest work, but too much of it here
		}
		if ok, _ := Check(hash, password); ok && !strings.HasPrefix(hash, "$2") && !strings.HasPrefix(hash, "$") {
			t.Error("something without a method fits")
		}
	})
}
