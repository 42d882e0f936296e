package sshconfig

import "strings"

// A NameList is what a keyword of algorithm names needs to know.
type NameList struct {
	Default []string // in order of preference
	Known   []string // every name that exists; empty: all names are taken
}

// Algorithms are the lists behind the keywords of algorithm names. The zero
// value takes every name and has empty defaults.
type Algorithms struct {
	Ciphers                     NameList
	MACs                        NameList
	KexAlgorithms               NameList
	HostKeyAlgorithms           NameList
	PubkeyAcceptedAlgorithms    NameList
	HostbasedAcceptedAlgorithms NameList
	CASignatureAlgorithms       NameList
}

// Resolve turns the text of a list keyword into names: "+LIST" puts names
// behind the default, "-LIST" (with wildcards) takes names out of it, "^LIST"
// puts names in front; anything else replaces it. With patterns, wildcards
// stand for all known names that match. unknown is the first element that
// names nothing; names are then of no use.
func (n *NameList) Resolve(spec string, patterns bool) (names []string, unknown string) {
	how := byte(0)
	if spec != "" && strings.IndexByte("+-^", spec[0]) >= 0 {
		how, spec = spec[0], spec[1:]
	}
	if how == '-' {
		for _, name := range n.Default {
			if MatchList(name, spec, false) == 0 {
				names = append(names, name)
			}
		}
		return names, ""
	}
	var given []string
	for more := true; more; {
		var e string
		e, spec, more = strings.Cut(spec, ",")
		if e == "" {
			continue
		}
		if len(n.Known) == 0 {
			given = appendNew(given, e)
			continue
		}
		found := false
		for _, name := range n.Known {
			if name == e || patterns && MatchPattern(name, e) {
				given, found = appendNew(given, name), true
			}
		}
		if !found {
			return nil, e
		}
	}
	if len(given) == 0 {
		return nil, "empty list"
	}
	switch how {
	case '+':
		for _, name := range n.Default {
			names = appendNew(names, name)
		}
		for _, name := range given {
			names = appendNew(names, name)
		}
		return names, ""
	case '^':
		for _, name := range n.Default {
			given = appendNew(given, name)
		}
	}
	return given, ""
}

func appendNew(names []string, name string) []string {
	for _, have := range names {
		if have == name {
			return names
		}
	}
	return append(names, name)
}

// nearest finds the word among n that is closest to what was typed, or "" if
// none is close: more than a quarter of it would have to change.
func nearest(typed string, n int, word func(int) string) string {
	const longest = 64
	if len(typed) == 0 || len(typed) > longest {
		return ""
	}
	typed = toLower(typed)
	best, limit := "", len(typed)/4+1
	for i := 0; i < n; i++ {
		w := word(i)
		if len(w) > longest || len(w)-len(typed) >= limit || len(typed)-len(w) >= limit {
			continue
		}
		if d := distance(typed, toLower(w)); d < limit {
			best, limit = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove, change or swap with
// their neighbour to get from a to b; both have at most 64.
func distance(a, b string) int {
	var rows [3][65]int
	for j := range rows[1][:len(b)+1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
