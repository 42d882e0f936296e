package sshconfig

import "iter"

// Keyword describes a keyword for manuals, completion and checks.
type Keyword struct {
	Name    string
	Values  string   // what it takes
	Default string   // as it is written in a file
	Doc     string   // one sentence without a full stop
	Aliases []string // old names for the same
	InMatch bool     // server: may stand in a Match block
	Adds    bool     // every line adds; otherwise the first value wins
	Last    bool     // the last value wins
	Ignored bool     // an old word that is taken and does nothing
}

// ClientKeywords yields every keyword of ssh_config(5), the block words Host,
// Match and Include first, the ignored ones last.
func ClientKeywords() iter.Seq[Keyword] {
	return func(yield func(Keyword) bool) {
		_ = yield(Keyword{Name: "Host", Values: "patterns; !PATTERN negates", Default: "none", Doc: "the lines up to the next Host or Match are for these hosts only"}) &&
			yield(Keyword{Name: "Match", Values: "all, canonical, final, exec, localnetwork, host, originalhost, tagged, command, user, localuser, version, sessiontype; !CRITERION negates", Default: "none", Doc: "the lines up to the next Host or Match are only for connections that meet all criteria"}) &&
			yield(Keyword{Name: "Include", Values: "paths with wildcards", Default: "none", Doc: "read other files here"}) &&
			keywords(clientRows[:], clientOld[:], yield)
	}
}

// ServerKeywords is [ClientKeywords] for sshd_config(5).
func ServerKeywords() iter.Seq[Keyword] {
	return func(yield func(Keyword) bool) {
		_ = yield(Keyword{Name: "Match", Values: "All, User, Group, Host, Address, LocalAddress, LocalPort, RDomain, Version, Invalid-User", Default: "none", InMatch: true, Doc: "the lines up to the next Match are only for connections that meet all criteria"}) &&
			yield(Keyword{Name: "Include", Values: "paths with wildcards", Default: "none", InMatch: true, Doc: "read other files here"}) &&
			keywords(serverRows[:], serverOld[:], yield)
	}
}

func keywords[T any](rows []row[T], olds []oldName, yield func(Keyword) bool) bool {
	for i := range rows {
		r := &rows[i]
		k := Keyword{
			Name: r.name, Doc: r.doc,
			InMatch: r.flag&inMatch != 0, Adds: r.flag&appends != 0, Last: r.flag&lastWins != 0,
		}
		k.Values, k.Default = r.kind.describe()
		for j := range olds {
			if olds[j].how == alias && olds[j].is == r.name {
				k.Aliases = append(k.Aliases, olds[j].name)
			}
		}
		if !yield(k) {
			return false
		}
	}
	for j := range olds {
		if olds[j].how != alias && !yield(Keyword{Name: olds[j].name, InMatch: olds[j].inMatch, Ignored: true, Doc: "accepted, of no effect"}) {
			return false
		}
	}
	return true
}
