package knownhosts

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

func newSalt() []byte {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return salt
}

func hashWith(salt []byte, name string) string {
	enc := base64.StdEncoding
	return hashMagic + enc.EncodeToString(salt) + "|" + enc.EncodeToString(hostHash(salt, strings.ToLower(name)))
}

func keyText(key Key) string {
	return key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())
}

// Broken lists the lines that are neither entries nor comments.
func (f *File) Broken() []*Line {
	var list []*Line
	for i := range f.Lines {
		if f.Lines[i].Err != nil {
			list = append(list, &f.Lines[i])
		}
	}
	return list
}

// Without is the file without the plain entries of a host; whole lines go,
// as with ssh-keygen -R. Lines with a marker stay.
func (f *File) Without(name string) (rest *File, removed []*Line) {
	rest = &File{Name: f.Name}
	for i := range f.Lines {
		l := &f.Lines[i]
		if l.Marker == Plain && l.Matches(name) {
			removed = append(removed, l)
			continue
		}
		rest.Lines = append(rest.Lines, *l)
	}
	return rest, removed
}

// Hashed is the file with names hashed, a line for each. Lines with wildcards
// or markers stay as they are; the former are returned.
func (f *File) Hashed() (hashed *File, changed bool, wildcards []*Line) {
	hashed = &File{Name: f.Name}
	for i := range f.Lines {
		l := &f.Lines[i]
		if l.HasWildcards() {
			wildcards = append(wildcards, l)
		}
		if !l.IsEntry() || l.IsHashed() || l.HasWildcards() || l.Marker != Plain {
			hashed.Lines = append(hashed.Lines, *l)
			continue
		}
		changed = true
		for _, text := range l.HashNames() {
			hashed.Lines = append(hashed.Lines, parseLine(len(hashed.Lines)+1, text))
		}
	}
	return hashed, changed, wildcards
}

// HashNames is an entry as lines with one hashed name each.
func (l *Line) HashNames() []string {
	var lines []string
	for name := range strings.SplitSeq(l.Hosts, ",") {
		if name != "" {
			lines = append(lines, HashName(name)+" "+l.rest)
		}
	}
	return lines
}

// Change is what [File.WithKeys] did.
type Change struct {
	Added   []Key
	Removed []*Line
}

// WithKeys is the file in which a host has exactly the given plain keys: its
// other keys are removed and missing ones added, in the place of the first
// one removed or at the end. names are the host's names, the first being the
// one it was reached by. Lines with markers and wildcards stay, and a line
// that is also about other hosts only loses these names.
func (f *File) WithKeys(names []string, keys []Key, hash bool) (*File, Change) {
	out := &File{Name: f.Name}
	var change Change
	have := make([]bool, len(keys)*len(names))
	place := -1
	for i := range f.Lines {
		l := f.Lines[i]
		which := l.namesIn(names)
		if l.Marker != Plain || len(which) == 0 || l.HasWildcards() {
			out.Lines = append(out.Lines, l)
			continue
		}
		if k := indexKey(keys, &l); k >= 0 {
			for _, n := range which {
				have[k*len(names)+n] = true
			}
			out.Lines = append(out.Lines, l)
			continue
		}
		change.Removed = append(change.Removed, &f.Lines[i])
		if place < 0 {
			place = len(out.Lines)
		}
		if rest, ok := l.withoutNames(names); ok {
			out.Lines = append(out.Lines, parseLine(l.Number, rest))
			place = len(out.Lines)
		}
	}
	var added []Line
	for k, key := range keys {
		var missing []string
		for n, name := range names {
			if !have[k*len(names)+n] {
				missing = append(missing, strings.ToLower(name))
			}
		}
		if len(missing) == 0 {
			continue
		}
		change.Added = append(change.Added, key)
		for _, text := range entryTexts(missing, key, hash) {
			added = append(added, parseLine(0, text))
		}
	}
	if place < 0 {
		place = len(out.Lines)
	}
	out.Lines = append(out.Lines[:place:place], append(added, out.Lines[place:]...)...)
	for i := range out.Lines {
		out.Lines[i].Number = i + 1
	}
	return out, change
}

// namesIn lists which of names an entry is about.
func (l *Line) namesIn(names []string) (which []int) {
	for i, n := range names {
		if l.Matches(n) {
			which = append(which, i)
		}
	}
	return which
}

func indexKey(keys []Key, l *Line) int {
	key, err := l.Key()
	if err != nil {
		return -1
	}
	for i := range keys {
		if pubkey.Equal(keys[i], key) {
			return i
		}
	}
	return -1
}

// withoutNames is the line with the names taken out; ok is false when none
// is left.
func (l *Line) withoutNames(names []string) (text string, ok bool) {
	if l.IsHashed() {
		return "", false
	}
	var left []string
next:
	for have := range strings.SplitSeq(l.Hosts, ",") {
		for _, n := range names {
			if strings.EqualFold(have, n) || have == "" {
				continue next
			}
		}
		left = append(left, have)
	}
	return strings.Join(left, ",") + " " + l.rest, len(left) > 0
}

// entryTexts are the lines that hold a key for names: one line, or one for
// each hashed name.
func entryTexts(names []string, key Key, hash bool) []string {
	if !hash {
		return []string{EntryText(names, key)}
	}
	lines := make([]string, len(names))
	for i, n := range names {
		lines[i] = EntryText([]string{HashName(n)}, key)
	}
	return lines
}
