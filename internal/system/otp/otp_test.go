package otp

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// RFC 4226, appendix D.
func TestCode(t *testing.T) {
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := Code([]byte("12345678901234567890"), uint64(i)); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}

func TestOathtool(t *testing.T) {
	out, err := exec.Command("oathtool", "--totp", "-b", "-N", "2026-11-25 03:04:05 UTC", "ABCDEFGHIJKLMNOP").Output()
	if err != nil {
		t.Skip("peer lacks oathtool")
	}
	file := []byte("ABCDEFGHIJKLMNOP\n\" TOTP_AUTH\n")
	if after, err := Check(file, strings.TrimSpace(string(out)), time.Date(2026, 11, 25, 3, 4, 5, 0, time.UTC)); err != nil || after != nil {
		t.Errorf("%s: %q %v", out, after, err)
	}
}

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"

func TestCheck(t *testing.T) {
	at := func(step int64) string { return Code([]byte("12345678901234567890"), uint64(step)) }
	now := time.Unix(30*1000+7, 0)
	for _, c := range []struct {
		name, options, code string
		want                error
		after               string // "" unchanged
	}{
		{"now", "\" TOTP_AUTH\n", at(1000), nil, ""},
		{"one before", "\" TOTP_AUTH\n", at(999), nil, ""},
		{"one behind", "\" TOTP_AUTH\n", at(1001), nil, ""},
		{"two before", "\" TOTP_AUTH\n", at(998), ErrCode, ""},
		{"two behind", "\" TOTP_AUTH\n", at(1002), ErrCode, ""},
		{"window 1", "\" WINDOW_SIZE 1\n\" TOTP_AUTH\n", at(999), ErrCode, ""},
		{"window 5", "\" WINDOW_SIZE 5\n\" TOTP_AUTH\n", at(998), nil, ""},
		{"step", "\" STEP_SIZE 60\n\" TOTP_AUTH\n", at(500), nil, ""},
		{"skew", "\" TIME_SKEW -10\n\" TOTP_AUTH\n", at(990), nil, ""},
		{"no method", "", at(1000), ErrFile, ""},
		{"commented", "x\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"longer word", "\" TOTP_AUTHX\n", at(1000), ErrFile, ""},
		{"bad window", "\" WINDOW_SIZE x\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"window 0", "\" WINDOW_SIZE 0\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"window 101", "\" WINDOW_SIZE 101\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"step 61", "\" STEP_SIZE 61\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"empty", "\" TOTP_AUTH\n", "", ErrCode, ""},
		{"letters", "\" TOTP_AUTH\n", "abcdef", ErrCode, ""},
		{"seven digits", "\" TOTP_AUTH\n", at(1000) + "0", ErrCode, ""},

		{"first use", "\" DISALLOW_REUSE\n\" TOTP_AUTH\n", at(1000), nil, "\" DISALLOW_REUSE 1000\n\" TOTP_AUTH\n"},
		{"second use", "\" DISALLOW_REUSE 1000\n\" TOTP_AUTH\n", at(1000), ErrReused, ""},
		{"old uses go", "\" DISALLOW_REUSE 1 996 998 1002 1003\n\" TOTP_AUTH\n", at(1000), nil, "\" DISALLOW_REUSE 998 1002 1000\n\" TOTP_AUTH\n"},

		{"scratch", "\" TOTP_AUTH\n12345678\n87654321\n", "12345678", nil, "\" TOTP_AUTH\n87654321\n"},
		{"last scratch, no end", "\" TOTP_AUTH\n12345678", "12345678", nil, "\" TOTP_AUTH\n"},
		{"no such scratch", "\" TOTP_AUTH\n12345678\n", "12345679", ErrCode, ""},

		{"counter", "\" HOTP_COUNTER 7\n", at(7), nil, "\" HOTP_COUNTER 8\n"},
		{"counter ahead", "\" HOTP_COUNTER 7\n", at(9), nil, "\" HOTP_COUNTER 10\n"},
		{"counter too far ahead", "\" HOTP_COUNTER 7\n", at(10), ErrCode, "\" HOTP_COUNTER 8\n"},
		{"counter behind", "\" HOTP_COUNTER 7\n", at(6), ErrCode, "\" HOTP_COUNTER 8\n"},
		{"counter 0", "\" HOTP_COUNTER 0\n", at(0), ErrFile, ""},

		{"first of three", "\" RATE_LIMIT 3 30\n\" TOTP_AUTH\n", at(1000), nil, "\" RATE_LIMIT 3 30 30007\n\" TOTP_AUTH\n"},
		{"third, wrong", "\" RATE_LIMIT 3 30 30000 30001\n\" TOTP_AUTH\n", "000000", ErrCode, "\" RATE_LIMIT 3 30 30000 30001 30007\n\" TOTP_AUTH\n"},
		{"fourth", "\" RATE_LIMIT 3 30 30000 30001 30002\n\" TOTP_AUTH\n", at(1000), ErrRateLimit, "\" RATE_LIMIT 3 30 30001 30002 30007\n\" TOTP_AUTH\n"},
		{"fourth, but later", "\" RATE_LIMIT 3 30 29976 30001 30002\n\" TOTP_AUTH\n", at(1000), nil, "\" RATE_LIMIT 3 30 30001 30002 30007\n\" TOTP_AUTH\n"},
		{"of the future", "\" RATE_LIMIT 3 30 40000 40001 40002\n\" TOTP_AUTH\n", at(1000), nil, "\" RATE_LIMIT 3 30 30007\n\" TOTP_AUTH\n"},
		{"0 attempts", "\" RATE_LIMIT 0 30\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"101 attempts", "\" RATE_LIMIT 101 30\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
		{"long interval", "\" RATE_LIMIT 3 3601\n\" TOTP_AUTH\n", at(1000), ErrFile, ""},
	} {
		after, err := Check([]byte(secret+"\n"+c.options), c.code, now)
		if !errors.Is(err, c.want) || err != nil && c.want == nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		want := c.after
		if want != "" {
			want = secret + "\n" + want
		}
		if string(after) != want {
			t.Errorf("%s: file is %q, want %q", c.name, after, want)
		}
	}
	for _, file := range []string{"", "\n", "!\n\" TOTP_AUTH\n", strings.Repeat("A", MaxFile+1)} {
		if _, err := Check([]byte(file), at(1000), now); !errors.Is(err, ErrFile) {
			t.Errorf("%.20q: %v", file, err)
		}
	}
	if _, err := Check([]byte("gezd gnbv-gy3tqojqgezdgnbvgy3tqojq====\n\" TOTP_AUTH\n"), at(1000), now); err != nil {
		t.Error("as people write it:", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(secret+"\n\" RATE_LIMIT 3 30\n\" TOTP_AUTH\n\" DISALLOW_REUSE 1\n12345678\n"), "12345678", int64(30007))
	f.Add([]byte(secret+"\n\" HOTP_COUNTER 7\n"), "162583", int64(0))
	f.Fuzz(func(t *testing.T, file []byte, code string, now int64) {
		after, err := Check(file, code, time.Unix(now, 0))
		if len(after) > 0 {
			if _, err := Secret(after); err != nil {
				t.Errorf("what is written has no secret: %q", after)
			}
		}
		if err == nil && len(code) != digits && len(code) != scratchDigits {
			t.Errorf("%q fits", code)
		}
	})
}
