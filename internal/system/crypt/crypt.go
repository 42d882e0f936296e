package crypt

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Limits of what a hash may ask for. The work of a check is bounded by them
// whatever stands in shadow(5).
const (
	MinRounds     = 1000
	MaxRounds     = 999_999_999 // crypt(5)'s; the file is root's
	DefaultRounds = 5000
	MaxPassword   = 1024 // bytes; longer ones are refused before any work
	maxSaltSHA    = 16
	maxSaltMD5    = 8
	md5Rounds     = 1000
)

var (
	// ErrMethod says that the hash is of a method that is not ours.
	ErrMethod = errors.New("crypt: method is not built in")
	// ErrHash says that the field is no hash: nobody's password fits.
	ErrHash = errors.New("crypt: malformed hash")
)

// Check tells whether password is the one that hash was made of, in time that
// does not depend on where they differ. The error is ErrMethod or ErrHash;
// ok is false then.
func Check(hash string, password []byte) (ok bool, err error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	got := ""
	switch {
	case strings.HasPrefix(hash, "$6$"):
		got, err = shacrypt(hash, "$6$", sha512.New, permute512[:], password)
	case strings.HasPrefix(hash, "$5$"):
		got, err = shacrypt(hash, "$5$", sha256.New, permute256[:], password)
	case strings.HasPrefix(hash, "$1$"):
		got, err = md5crypt(hash, password)
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
		return checkBcrypt(hash, password)
	default:
		return false, ErrMethod
	}
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(hash)) == 1, nil
}

func checkBcrypt(hash string, password []byte) (bool, error) {
	// 72 bytes are all that bcrypt looks at; crypt(3) takes longer passwords
	// and looks at as much of them.
	if len(password) > 72 {
		password = password[:72]
	}
	// The three letters differ only in how old programs erred.
	switch err := bcrypt.CompareHashAndPassword([]byte("$2a$"+hash[4:]), password); {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, ErrHash
}

// alphabet is that of crypt(3)'s base 64.
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// append64 appends the low n·6 bits of v, the lowest first.
func append64(b []byte, v uint, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, alphabet[v&63])
		v >>= 6
	}
	return b
}

// The bytes of a digest in the order in which they are written, three by three
// from the most significant; -1 is a zero byte that is not there.
var (
	permute512 = [...]int8{
		0, 21, 42, 22, 43, 1, 44, 2, 23, 3, 24, 45, 25, 46, 4, 47, 5, 26, 6, 27, 48, 28, 49, 7, 50, 8, 29, 9, 30, 51, 31, 52, 10,
		53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14, 35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18, 39, 60, 40, 61, 19, 62, 20, 41, -1, -1, 63,
	}
	permute256 = [...]int8{
		0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29, -1, 31, 30,
	}
	permuteMD5 = [...]int8{0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, -1, -1, 11}
)

func encode(b, digest []byte, order []int8) []byte {
	for i := 0; i < len(order); i += 3 {
		v, n := uint(0), 1
		for j, at := range order[i : i+3] {
			if at >= 0 {
				v |= uint(digest[at]) << (16 - 8*j)
				n++
			}
		}
		b = append64(b, v, n)
	}
	return b
}

// shacrypt is sha256crypt and sha512crypt (Ulrich Drepper, "Unix crypt using
// SHA-256 and SHA-512"): the hash of password with the parameters of setting.
func shacrypt(setting, prefix string, h func() hash.Hash, order []int8, password []byte) (string, error) {
	rest := setting[len(prefix):]
	rounds, named := DefaultRounds, false
	if r, ok := strings.CutPrefix(rest, "rounds="); ok {
		digits, tail, ok := strings.Cut(r, "$")
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n < MinRounds || n > MaxRounds || digits[0] == '0' {
			return "", ErrHash
		}
		rounds, named, rest = int(n), true, tail
	}
	text, _, ok := strings.Cut(rest, "$")
	if !ok || len(text) > maxSaltSHA {
		return "", ErrHash
	}
	salt := []byte(text)

	b := h()
	b.Write(password)
	b.Write(salt)
	b.Write(password)
	sumB := b.Sum(nil)

	a := h()
	a.Write(password)
	a.Write(salt)
	repeat(a, sumB, len(password))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			a.Write(sumB)
		} else {
			a.Write(password)
		}
	}
	sum := a.Sum(nil)

	dp := h()
	for range password {
		dp.Write(password)
	}
	p := fill(dp.Sum(nil), len(password))
	ds := h()
	for range 16 + int(sum[0]) {
		ds.Write(salt)
	}
	s := fill(ds.Sum(nil), len(salt))

	c := h()
	for i := range rounds {
		c.Reset()
		if i&1 != 0 {
			c.Write(p)
		} else {
			c.Write(sum)
		}
		if i%3 != 0 {
			c.Write(s)
		}
		if i%7 != 0 {
			c.Write(p)
		}
		if i&1 != 0 {
			c.Write(sum)
		} else {
			c.Write(p)
		}
		sum = c.Sum(sum[:0])
	}
	out := []byte(prefix)
	if named {
		out = append(strconv.AppendInt(append(out, "rounds="...), int64(rounds), 10), '$')
	}
	out = append(append(out, salt...), '$')
	out = encode(out, sum, order)
	clear(p)
	clear(sum)
	return string(out), nil
}

// repeat writes the first n bytes of sum again and again.
func repeat(w hash.Hash, sum []byte, n int) {
	for ; n > len(sum); n -= len(sum) {
		w.Write(sum)
	}
	w.Write(sum[:n])
}

// fill is n bytes of sum again and again.
func fill(sum []byte, n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, sum[:min(len(sum), n-len(b))]...)
	}
	return b
}

// md5crypt is Poul-Henning Kamp's.
func md5crypt(setting string, password []byte) (string, error) {
	text, _, ok := strings.Cut(setting[3:], "$")
	if !ok || len(text) > maxSaltMD5 {
		return "", ErrHash
	}
	salt := []byte(text)
	b := md5.New()
	b.Write(password)
	b.Write(salt)
	b.Write(password)
	sumB := b.Sum(nil)
	a := md5.New()
	a.Write(password)
	a.Write([]byte("$1$"))
	a.Write(salt)
	repeat(a, sumB, len(password))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			a.Write([]byte{0})
		} else {
			a.Write(password[:1])
		}
	}
	sum := a.Sum(nil)
	for i := range md5Rounds {
		a.Reset()
		if i&1 != 0 {
			a.Write(password)
		} else {
			a.Write(sum)
		}
		if i%3 != 0 {
			a.Write(salt)
		}
		if i%7 != 0 {
			a.Write(password)
		}
		if i&1 != 0 {
			a.Write(sum)
		} else {
			a.Write(password)
		}
		sum = a.Sum(sum[:0])
	}
	out := encode([]byte("$1$"+text+"$"), sum, permuteMD5[:])
	clear(sum)
	return string(out), nil
}

// Fake is a hash that nobody knows the password of, whose check is as much
// work as that of like: the same method and parameters, a random digest. Where
// like is no hash it is one of sha512crypt.
func Fake(like string) string {
	if strings.HasPrefix(like, "$2") && len(like) == 60 {
		return like[:7] + randomText(53)
	}
	i := strings.LastIndexByte(like, '$')
	if !strings.HasPrefix(like, "$") || i < 4 || i == len(like)-1 {
		like = "$6$" + strings.Repeat(".", maxSaltSHA) + "$" + strings.Repeat(".", 86)
		i = 3 + maxSaltSHA
	}
	return like[:i+1] + randomText(len(like)-i-1)
}

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]&63]
	}
	return string(b)
}
