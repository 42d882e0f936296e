package otp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a file and of its options, those of pam_google_authenticator.
const (
	MaxFile        = 64 << 10 // bytes
	MaxWindow      = 100      // codes
	MaxStep        = 60       // seconds
	MaxAttempts    = 100
	MaxInterval    = 3600 // seconds
	defaultWindow  = 3
	defaultStep    = 30
	digits         = 6
	modulus        = 1_000_000
	scratchDigits  = 8
	minSecretBytes = 1
)

// Reasons for a code not to be taken.
var (
	ErrFile      = errors.New("otp: malformed file of codes")
	ErrCode      = errors.New("otp: wrong code")
	ErrReused    = errors.New("otp: code was used before")
	ErrRateLimit = errors.New("otp: too many attempts in the interval of RATE_LIMIT")
)

// Code is the six digits of RFC 4226 for a counter; for RFC 6238 it is the
// number of steps since 1970.
func Code(secret []byte, counter uint64) string {
	h := hmac.New(sha1.New, secret)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], counter)
	h.Write(b[:])
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%0*d", digits, binary.BigEndian.Uint32(sum[at:])&0x7fffffff%modulus)
}

// Secret is the key of a file's first line.
func Secret(file []byte) ([]byte, error) {
	line, _, _ := bytes.Cut(file, []byte("\n"))
	text := strings.NewReplacer(" ", "", "-", "", "\t", "", "\r", "", "0", "O", "1", "L", "8", "B").Replace(strings.ToUpper(string(line)))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(secret) < minSecretBytes {
		return nil, fmt.Errorf("%w: no secret", ErrFile)
	}
	return secret, nil
}

// Check checks a code against a file. after is what the file must hold from
// then on, whatever the outcome; nil when it stays as it is.
func Check(file []byte, code string, now time.Time) (after []byte, err error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrFile, MaxFile)
	}
	secret, err := Secret(file)
	if err != nil {
		return nil, err
	}
	f := &state{lines: strings.SplitAfter(string(file), "\n")}
	if err = f.rateLimit(now.Unix()); err == nil {
		switch {
		case isCode(code, scratchDigits) && code[0] != '0':
			err = f.scratch(code)
		case !isCode(code, digits):
			err = ErrCode
		case f.has("HOTP_COUNTER"):
			err = f.counter(secret, code)
		case f.has("TOTP_AUTH"):
			err = f.clock(secret, code, now.Unix())
		default:
			err = fmt.Errorf("%w: neither TOTP_AUTH nor HOTP_COUNTER", ErrFile)
		}
	}
	if f.changed {
		after = []byte(strings.Join(f.lines, ""))
	}
	return after, err
}

func isCode(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// state is a file while it is looked at, its lines with their ends.
type state struct {
	lines   []string
	changed bool
}

// find is the number of the line of an option, -1 without one.
func (f *state) find(name string) int {
	for i, l := range f.lines {
		if rest, ok := strings.CutPrefix(l, `" `+name); ok && i > 0 && (rest == "" || strings.IndexByte(" \t\r\n", rest[0]) >= 0) {
			return i
		}
	}
	return -1
}

func (f *state) has(name string) bool { return f.find(name) >= 0 }

// values are the numbers behind an option's name.
func (f *state) values(name string) (list []int64, err error) {
	i := f.find(name)
	if i < 0 {
		return nil, nil
	}
	for _, w := range strings.Fields(f.lines[i])[2:] {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", ErrFile, name)
		}
		list = append(list, n)
	}
	return list, nil
}

// number is the one number of an option, or what it is without the option.
func (f *state) number(name string, least, most, without int64) (int64, error) {
	l, err := f.values(name)
	switch {
	case err != nil:
		return 0, err
	case !f.has(name):
		return without, nil
	case len(l) != 1 || l[0] < least || l[0] > most:
		return 0, fmt.Errorf("%w: %s", ErrFile, name)
	}
	return l[0], nil
}

// set changes the numbers of an option that is there.
func (f *state) set(name string, values ...int64) {
	b := []byte(`" ` + name)
	for _, v := range values {
		b = strconv.AppendInt(append(b, ' '), v, 10)
	}
	f.lines[f.find(name)] = string(append(b, '\n'))
	f.changed = true
}

// rateLimit counts the attempt: RATE_LIMIT ATTEMPTS SECONDS TIME….
func (f *state) rateLimit(now int64) error {
	if !f.has("RATE_LIMIT") {
		return nil
	}
	v, err := f.values("RATE_LIMIT")
	if err != nil {
		return err
	}
	if len(v) < 2 || v[0] < 1 || v[0] > MaxAttempts || v[1] < 1 || v[1] > MaxInterval {
		return fmt.Errorf("%w: RATE_LIMIT", ErrFile)
	}
	attempts, interval := int(v[0]), v[1]
	times := append(slices.Clone(v[2:]), now)
	times = slices.DeleteFunc(times, func(t int64) bool { return t < now-interval || t > now })
	slices.Sort(times)
	over := len(times) > attempts
	if over {
		times = times[len(times)-attempts:]
	}
	f.set("RATE_LIMIT", append([]int64{v[0], v[1]}, times...)...)
	if over {
		return ErrRateLimit
	}
	return nil
}

// scratch takes a scratch code, and takes it away.
func (f *state) scratch(code string) error {
	at := -1
	for i, l := range f.lines {
		if i > 0 && same(strings.TrimSpace(l), code) {
			at = i
		}
	}
	if at < 0 {
		return ErrCode
	}
	f.lines = slices.Delete(f.lines, at, at+1)
	f.changed = true
	return nil
}

// clock checks a code of RFC 6238.
func (f *state) clock(secret []byte, code string, now int64) error {
	step, err1 := f.number("STEP_SIZE", 1, MaxStep, defaultStep)
	window, err2 := f.number("WINDOW_SIZE", 1, MaxWindow, defaultWindow)
	skew, err3 := f.number("TIME_SKEW", -1<<31, 1<<31, 0)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	at := now/step + skew
	found, which := false, int64(0)
	for i := -(window - 1) / 2; i <= window/2; i++ {
		if at+i >= 0 && same(Code(secret, uint64(at+i)), code) && !found {
			found, which = true, at+i
		}
	}
	if !found {
		return ErrCode
	}
	if !f.has("DISALLOW_REUSE") {
		return nil
	}
	used, err := f.values("DISALLOW_REUSE")
	if err != nil {
		return err
	}
	if slices.Contains(used, which) {
		return ErrReused
	}
	used = slices.DeleteFunc(used, func(t int64) bool { return t-which >= window || which-t >= window })
	f.set("DISALLOW_REUSE", append(used, which)...)
	return nil
}

// counter checks a code of RFC 4226. Each attempt moves the counter.
func (f *state) counter(secret []byte, code string) error {
	next, err1 := f.number("HOTP_COUNTER", 1, 1<<62, 1)
	window, err2 := f.number("WINDOW_SIZE", 1, MaxWindow, defaultWindow)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for i := range window {
		if same(Code(secret, uint64(next+i)), code) {
			f.set("HOTP_COUNTER", next+i+1)
			return nil
		}
	}
	f.set("HOTP_COUNTER", next+1)
	return ErrCode
}
