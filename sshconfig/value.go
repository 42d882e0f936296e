package sshconfig

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseTime reads OpenSSH's time format: a sequence of numbers with s, m, h,
// d or w behind them in either case; without one, seconds; the parts add up.
// ok is false for an empty or wrong text and for more than 2³¹−1 seconds.
func ParseTime(s string) (d time.Duration, ok bool) {
	total := int64(0)
	if s == "" {
		return 0, false
	}
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		n, err := strconv.ParseInt(s[start:i], 10, 64)
		if err != nil {
			return 0, false
		}
		unit := int64(1)
		if i < len(s) {
			unit = timeUnit(s[i])
			if unit == 0 {
				return 0, false
			}
			i++
		}
		if n > math.MaxInt32/unit || total > math.MaxInt32-n*unit {
			return 0, false
		}
		total += n * unit
	}
	return time.Duration(total) * time.Second, true
}

func timeUnit(c byte) int64 {
	switch lower(c) {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	case 'w':
		return 604800
	}
	return 0
}

// parseFraction is ParseTime with a fraction allowed in the seconds, which
// may then be given only once, as PerSourcePenalties takes it.
func parseFraction(s string) (time.Duration, bool) {
	dot := strings.IndexByte(s, '.')
	if dot < 0 {
		return ParseTime(s)
	}
	start := dot
	for start > 0 && '0' <= s[start-1] && s[start-1] <= '9' {
		start--
	}
	end := dot + 1
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	frac, err := strconv.ParseFloat(s[start:end], 64)
	if err != nil || start == dot && end == dot+1 || frac > math.MaxInt32 {
		return 0, false
	}
	rest := s[end:]
	if rest != "" {
		if lower(rest[0]) != 's' {
			return 0, false
		}
		rest = rest[1:]
	}
	whole := time.Duration(0)
	for _, part := range [...]string{s[:start], rest} {
		if part == "" {
			continue
		}
		if strings.ContainsAny(part, "sS") || !strings.ContainsAny(part[len(part)-1:], "mMhHdDwW") {
			return 0, false
		}
		d, ok := ParseTime(part)
		if !ok {
			return 0, false
		}
		whole += d
	}
	return whole + time.Duration(frac*float64(time.Second)), true
}

// parseInt reads a decimal number as the integer keywords take it. The word
// is OpenSSH's for what is wrong: "missing", "invalid", "too small", "too
// large"; empty when all is well.
func parseInt(s string, ok bool) (n int, wrong string) {
	if !ok || s == "" {
		return 0, "missing"
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		if e, is := err.(*strconv.NumError); is && e.Err == strconv.ErrRange {
			if s[0] == '-' {
				return 0, "too small"
			}
			return 0, "too large"
		}
		return 0, "invalid"
	}
	switch {
	case v < 0:
		return 0, "too small"
	case v > math.MaxInt32:
		return 0, "too large"
	}
	return int(v), ""
}

// parseScaled reads a byte count with an optional K, M, G (or T, P, E) of
// either case, powers of 1024, and an optional fraction before it. The text
// is what strerror would say.
func parseScaled(s string) (n uint64, wrong string) {
	const invalid, tooLarge = "Invalid argument", "Numerical result out of range"
	s = strings.Trim(s, " \t")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	digits := 0
	for digits < len(s) && ('0' <= s[digits] && s[digits] <= '9' || s[digits] == '.') {
		digits++
	}
	whole, frac, _ := strings.Cut(s[:digits], ".")
	if whole == "" && frac == "" || strings.Contains(frac, ".") {
		return 0, invalid
	}
	shift := 0
	if rest := s[digits:]; rest != "" {
		i := strings.IndexByte("bkmgtpe", lower(rest[0]))
		if i < 0 || len(rest) > 1 {
			return 0, invalid
		}
		shift = 10 * i
	}
	if whole == "" {
		whole = "0"
	}
	v, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || v > uint64(math.MaxInt64)>>shift {
		return 0, tooLarge
	}
	n = v << shift
	if frac != "" {
		if len(frac) > 15 {
			frac = frac[:15]
		}
		f, err := strconv.ParseFloat("0."+frac, 64)
		if err != nil {
			return 0, invalid
		}
		n += uint64(f * float64(uint64(1)<<shift))
	}
	if negative && n > 0 {
		n = 1 // below every limit there is
	}
	return n, ""
}

// parsePort reads a port number from 1 to 65535, or a service name when
// lookup knows it. It returns 0 for anything else.
func parsePort(s string, lookup func(service string) int) int {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil && s[0] != '+' {
		return int(n)
	}
	if lookup == nil {
		switch s {
		case "ssh":
			return 22
		case "http":
			return 80
		case "https":
			return 443
		}
		return 0
	}
	return lookup(s)
}
