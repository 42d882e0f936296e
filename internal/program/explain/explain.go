package explain

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/nacre-ssh/nacre/internal/client"
	"github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/internal/program/stdio"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Main explains the configuration for a host.
func Main(_ context.Context, std stdio.Stdio, args []string) int {
	if len(args) == 0 {
		std.Errorf("usage: nacre explain [options of ssh] destination [keyword ...]")
		return 255
	}
	var e explanation
	plan, status := ssh.NewPlan(std, args, func(s sshconfig.Step) { e.steps = append(e.steps, s) })
	if plan == nil {
		return status
	}
	var wanted []string
	for _, w := range plan.Words {
		name := sshconfig.KeywordName(w)
		if name == "" {
			std.Errorf("%s: no such keyword of ssh_config%s", client.Visible(w), didYouMean(w))
			return 1
		}
		wanted = append(wanted, name)
	}
	e.home = plan.Home
	e.values = values(plan.Conf)
	var b bytes.Buffer
	if wanted == nil {
		e.all(&b)
	} else {
		for _, name := range wanted {
			e.one(&b, name)
		}
	}
	std.Out.Write(b.Bytes())
	return 0
}

func didYouMean(word string) string {
	for k := range sshconfig.ClientKeywords() {
		name := k.Name
		if len(word) > 2 && strings.Contains(strings.ToLower(name), strings.ToLower(word)) {
			return "; did you mean " + name + "?"
		}
	}
	return ""
}

// values are the lines of ssh -G by the keyword's name.
func values(c *sshconfig.Client) map[string][]string {
	var b bytes.Buffer
	c.Print(&b)
	m := map[string][]string{}
	for line := range strings.Lines(b.String()) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name := sshconfig.KeywordName(key); name != "" {
			m[name] = append(m[name], value)
		}
	}
	return m
}

// explanation is what was read and what came of it.
type explanation struct {
	home   string
	steps  []sshconfig.Step
	values map[string][]string
}

// all explains every keyword that a line has set, and every block that did not
// apply.
func (e *explanation) all(w io.Writer) {
	var seen []string
	for _, s := range e.steps {
		if !isBlock(s) && s.Outcome == sshconfig.Applied && !slices.Contains(seen, s.Keyword) {
			seen = append(seen, s.Keyword)
			e.one(w, s.Keyword)
		}
	}
	if len(seen) == 0 {
		fmt.Fprintln(w, "No line sets anything: every value is the default.")
	}
	e.blocks(w)
	for _, s := range e.steps {
		if s.Outcome == sshconfig.NotKnown && !s.Final {
			fmt.Fprintf(w, "\n%s: ignored, because IgnoreUnknown says so: %s\n", e.place(s), client.Visible(s.Text))
		}
	}
}

// one explains a keyword.
func (e *explanation) one(w io.Writer, name string) {
	value := "not set"
	if v := e.values[name]; len(v) > 0 {
		value = client.Visible(strings.Join(v, "\n    "))
	}
	fmt.Fprintf(w, "%s %s\n", name, value)
	origin := false
	for _, s := range e.of(name) {
		if s.Outcome == sshconfig.Applied {
			fmt.Fprintf(w, "    set by %s%s\n", e.where(s), text(s))
			origin = true
		}
	}
	if !origin {
		fmt.Fprintln(w, "    the default: no line that applies sets it")
	}
	for _, s := range e.of(name) {
		switch s.Outcome {
		case sshconfig.Overridden:
			fmt.Fprintf(w, "    overrides %s%s\n", e.where(s), text(s))
		case sshconfig.Inactive:
			fmt.Fprintf(w, "    not from %s%s\n        %s\n", e.where(s), text(s), e.why(s))
		}
	}
}

func text(s sshconfig.Step) string { return ": " + client.Visible(s.Text) }

// of are the steps of a keyword. What the second pass says again counts only
// where it says something else.
func (e *explanation) of(name string) []sshconfig.Step {
	var out []sshconfig.Step
	for _, s := range e.steps {
		if s.Keyword != name {
			continue
		}
		again := -1
		for i, o := range out {
			if o.File == s.File && o.Line == s.Line && s.Line > 0 {
				again = i
			}
		}
		switch {
		case again < 0:
			out = append(out, s)
		case out[again].Outcome == sshconfig.Inactive:
			out[again] = s // it applies on second thoughts
		}
	}
	return out
}

func isBlock(s sshconfig.Step) bool {
	return s.Keyword == "Host" || s.Keyword == "Match" || s.Keyword == "Include"
}

// place is file and line.
func (e *explanation) place(s sshconfig.Step) string {
	if s.Line == 0 {
		return "the command line"
	}
	file := s.File
	if rest, ok := strings.CutPrefix(file, strings.TrimSuffix(e.home, "/")+"/"); ok && e.home != "" {
		file = "~/" + rest
	}
	return client.Visible(file) + " line " + strconv.Itoa(s.Line)
}

// block is the Host or Match line that a step stands under.
func (e *explanation) block(s sshconfig.Step) (sshconfig.Step, bool) {
	var found sshconfig.Step
	ok := false
	for _, b := range e.steps {
		if b.File == s.File && b.Final == s.Final && b.Line < s.Line && (b.Keyword == "Host" || b.Keyword == "Match") && (!ok || b.Line > found.Line) {
			found, ok = b, true
		}
	}
	return found, ok
}

func (e *explanation) where(s sshconfig.Step) string {
	if b, ok := e.block(s); ok && s.Line > 0 {
		return e.place(s) + " (" + client.Visible(b.Text) + ")"
	}
	return e.place(s)
}

// why says why the block of a line does not apply.
func (e *explanation) why(s sshconfig.Step) string {
	b, ok := e.block(s)
	if !ok || b.Outcome == sshconfig.Applied {
		// The block applies, so it is the file that does not.
		for _, i := range e.steps {
			if i.Keyword == "Include" && i.Outcome == sshconfig.Inactive && i.Final == s.Final {
				return "the file is included at " + e.place(i) + ", where " + e.why(i)
			}
		}
		return "the file is included where nothing applies"
	}
	return because(b)
}

// because says which part of a block did not hold.
func because(b sshconfig.Step) string {
	if b.Keyword == "Host" {
		have := ""
		for _, c := range b.Criteria {
			if strings.HasPrefix(c.Text, "!") && !c.Holds {
				return fmt.Sprintf("the host %q is excluded by %s", client.Visible(c.Have), client.Visible(c.Text))
			}
			have = c.Have
		}
		return fmt.Sprintf("no pattern matches the host %q", client.Visible(have))
	}
	for _, c := range b.Criteria {
		if c.Holds {
			continue
		}
		text := client.Visible(c.Text)
		word, _, _ := strings.Cut(text, " ")
		word, _, _ = strings.Cut(word, "=")
		switch strings.TrimPrefix(strings.ToLower(word), "!") {
		case "canonical":
			return "\"" + text + "\" fails: host names are not canonicalised here, or this is the first pass"
		case "final":
			return "\"" + text + "\" fails in the first pass"
		case "exec":
			if c.Have == "not run" {
				return "\"" + text + "\" was not run, because a criterion before it failed"
			}
			return "\"" + text + "\" fails: the command did not end with status 0"
		case "localnetwork":
			return "\"" + text + "\" fails: no address of this machine is in it"
		}
		return fmt.Sprintf("\"%s\" fails: it is %q", text, client.Visible(c.Have))
	}
	return "the file is included where nothing applies"
}

// blocks lists the Host and Match lines that did not apply, in neither pass.
func (e *explanation) blocks(w io.Writer) {
	first := true
	for i, s := range e.steps {
		if s.Keyword != "Host" && s.Keyword != "Match" || s.Outcome == sshconfig.Applied {
			continue
		}
		later := false
		for _, o := range e.steps[i+1:] {
			later = later || o.File == s.File && o.Line == s.Line
		}
		applied := false
		for _, o := range e.steps[:i] {
			applied = applied || o.File == s.File && o.Line == s.Line && o.Outcome == sshconfig.Applied
		}
		if later || applied {
			continue
		}
		if first {
			fmt.Fprintln(w, "\nBlocks that do not apply:")
			first = false
		}
		fmt.Fprintf(w, "%s: %s\n    %s\n", e.place(s), client.Visible(s.Text), because(s))
	}
}
