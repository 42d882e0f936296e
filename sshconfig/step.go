package sshconfig

import "strings"

// What became of a line of a configuration.
type Outcome uint8

// Outcomes.
const (
	Applied    Outcome = iota // it set its keyword, or its block begins to apply
	Overridden                // its keyword had a value already
	Inactive                  // its block does not apply; or the block that it begins does not
	NotKnown                  // its keyword is ignored
)

// A Step is one line of a configuration as it was read, for who wants to tell
// why a value is what it is. See ClientContext.Step.
type Step struct {
	File    string // "command-line" for options
	Line    int    // 0 for options
	Text    string // the line, without blanks around it
	Keyword string // as the manual writes it; "Host", "Match", "Include"
	Outcome Outcome
	Final   bool // read in the second pass (canonical and final)
	// Criteria are those of a Match or Host line, as far as they were looked at.
	Criteria []Criterion
}

// A Criterion is a part of a Host or Match line.
type Criterion struct {
	Text  string // as written, negation included
	Holds bool   // after negation
	Have  string // what it was compared with
}

// step tells of a line.
func (r *clientReader) step(l *line, text, keyword string, o Outcome) {
	if f := r.c.ctx.Step; f != nil {
		f(Step{File: l.file, Line: l.number, Text: strings.TrimSpace(text), Keyword: keyword, Outcome: o, Final: r.final, Criteria: r.criteria})
		r.criteria = nil
	}
}

// criterion notes a part of the line that is being read.
func (r *clientReader) criterion(text, have string, holds bool) {
	if r.c.ctx.Step != nil {
		r.criteria = append(r.criteria, Criterion{Text: text, Holds: holds, Have: have})
	}
}

// KeywordName is the name that the manual has for a client's keyword, by any of
// its names; "" for none.
func KeywordName(keyword string) string {
	if i := clientIndex(toLower(keyword)); i >= 0 {
		return clientRows[i].name
	}
	return ""
}
