package pubkey

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"strings"
)

// The field of a key's picture.
const (
	artWidth  = 17
	artHeight = 9
)

// RandomArt is the picture of a key that `ssh-keygen -lv` and VisualHostKey
// show: eleven lines with a newline between them. A walk starts in the middle
// and takes two bits of the fingerprint for each step. hash is "sha256" or
// "md5", in any case; others give "".
func RandomArt(key PublicKey, hash string) string {
	blob := Plain(key).Marshal()
	var digest []byte
	switch hash = strings.ToUpper(hash); hash {
	case "SHA256":
		h := sha256.Sum256(blob)
		digest = h[:]
	case "MD5":
		h := md5.Sum(blob)
		digest = h[:]
	default:
		return ""
	}
	const symbols = " .o+=*BOX@%&#/^SE"
	var field [artHeight][artWidth]byte
	x, y := artWidth/2, artHeight/2
	for _, b := range digest {
		for range 4 {
			x = min(max(x+int(b&1)*2-1, 0), artWidth-1)
			y = min(max(y+int(b>>1&1)*2-1, 0), artHeight-1)
			if field[y][x] < byte(len(symbols)-3) {
				field[y][x]++
			}
			b >>= 2
		}
	}
	field[artHeight/2][artWidth/2] = byte(len(symbols) - 2)
	field[y][x] = byte(len(symbols) - 1)

	title := fmt.Sprintf("[%s %d]", TypeName(Plain(key)), Bits(key))
	if len(title) > artWidth {
		title = "[" + TypeName(Plain(key)) + "]"
	}
	var b strings.Builder
	b.WriteString(artEdge(title))
	for _, row := range field {
		b.WriteString("\n|")
		for _, n := range row {
			b.WriteByte(symbols[n])
		}
		b.WriteByte('|')
	}
	return b.String() + "\n" + artEdge("["+hash+"]")
}

// artEdge is the upper or lower edge with a text in its middle, cut as OpenSSH
// cuts it.
func artEdge(text string) string {
	before := max((artWidth-len(text))/2, 0)
	text = text[:min(len(text), artWidth-1)]
	return "+" + strings.Repeat("-", before) + text + strings.Repeat("-", artWidth-before-len(text)) + "+"
}

// BubbleBabble is the fingerprint that `ssh-keygen -B` shows: the SHA-1 of the
// key's blob in syllables that can be spoken.
func BubbleBabble(key PublicKey) string {
	h := sha1.Sum(Plain(key).Marshal())
	return babble(h[:])
}

func babble(data []byte) string {
	const vowels, consonants = "aeiouy", "bcdfghklmnprstvzx"
	b := []byte{'x'}
	seed := 1
	for i := 0; ; i += 2 {
		if i >= len(data) { // an even number of bytes ends with the sum alone
			b = append(b, vowels[seed%6], 'x', vowels[seed/6])
			break
		}
		x := int(data[i])
		b = append(b, vowels[(x>>6&3+seed)%6], consonants[x>>2&15], vowels[(x&3+seed/6)%6])
		if i+1 == len(data) {
			break
		}
		z := int(data[i+1])
		b = append(b, consonants[z>>4&15], '-', consonants[z&15])
		seed = (5*seed + 7*x + z) % 36
	}
	return string(append(b, 'x'))
}
