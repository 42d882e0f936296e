package manual

import (
	"fmt"
	"iter"
	"strings"

	"github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Files are everything that is generated, by path below the module.
func Files() map[string]string {
	return map[string]string{
		"docs/man/ssh.1":           ssh1(),
		"docs/man/ssh_config.5":    configPage("ssh_config", "SSH_CONFIG", "what the client ssh(1) does where its command line does not say", clientIntro, sshconfig.ClientKeywords(), clientText[:], clientOutro),
		"docs/man/sshd.8":          sshd8(),
		"docs/man/sshd_config.5":   configPage("sshd_config", "SSHD_CONFIG", "what the server sshd(8) allows and how it works", serverIntro, sshconfig.ServerKeywords(), serverText[:], serverOutro),
		"docs/man/sftp-server.8":   sftpServer8(),
		"dist/completion/ssh.bash": bash(),
		"dist/completion/_ssh":     zsh(),
		"dist/completion/ssh.fish": fish(),
	}
}

// A text is what the manual says of a keyword beyond its row: whole sentences.
type text struct{ keyword, says string }

// find is the text of a keyword, "" for none.
func find(texts []text, keyword string) string {
	for _, t := range texts {
		if t.keyword == keyword {
			return t.says
		}
	}
	return ""
}

// Paragraph is what the manual says of one keyword.
func paragraph(k sshconfig.Keyword, texts []text) string {
	var b strings.Builder
	sentence := func(s string) {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(strings.ToUpper(s[:1]) + s[1:] + ".")
	}
	sentence(k.Doc)
	if k.Ignored {
		return b.String()
	}
	if k.Name != "Host" && k.Name != "Match" && k.Name != "Include" {
		if k.Default == "none" {
			sentence("its value is " + k.Values + "; there is no default")
		} else {
			sentence("its value is " + k.Values + "; the default is " + k.Default)
		}
	}
	switch {
	case k.Adds:
		sentence("every line adds to those before it")
	case k.Last:
		sentence("the last line counts")
	}
	if t := find(texts, k.Name); t != "" {
		b.WriteString("\n" + t)
	}
	if len(k.Aliases) > 0 {
		sentence("older configurations call it " + strings.Join(k.Aliases, ", "))
	}
	return b.String()
}

// roff makes text fit for a manual page: no line is taken for a request, no
// backslash for an escape.
func roff(s string) string {
	s = strings.NewReplacer("\\", "\\e", "…", "...", "≤", "at most ", "²", "^2").Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = "\\&" + l
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "-", "\\-")
}

const generated = ".\\\" Made by `make gen` from the tables of keywords and flags: do not edit.\n"

func head(name, title, section, what string) string {
	return generated + ".Dd 2026\n.Dt " + title + " " + section + "\n.Os\n.Sh NAME\n.Nm " + name + "\n.Nd " + what + "\n"
}

// section writes a heading and text whose paragraphs are parted by an empty
// line.
func section(b *strings.Builder, heading, text string) {
	fmt.Fprintf(b, ".Sh %s\n", heading)
	for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".Pp\n")
		}
		b.WriteString(roff(strings.TrimSpace(p)) + "\n")
	}
}

func configPage(name, title, what, intro string, keywords iter.Seq[sshconfig.Keyword], texts []text, outro [][2]string) string {
	var b strings.Builder
	b.WriteString(head(name, title, "5", what))
	section(&b, "DESCRIPTION", intro)
	b.WriteString(".Sh KEYWORDS\n.Bl -tag -width Ds\n")
	var ignored []string
	for k := range keywords {
		if k.Ignored {
			ignored = append(ignored, k.Name)
			continue
		}
		fmt.Fprintf(&b, ".It Cm %s\n%s\n", k.Name, roff(paragraph(k, texts)))
		if k.InMatch && name == "sshd_config" && k.Name != "Match" && k.Name != "Include" {
			b.WriteString("It may stand in a Match block.\n")
		}
	}
	b.WriteString(".El\n")
	section(&b, "WORDS OF FORMER TIMES", "These are taken so that old files can be read, and do nothing: "+strings.Join(ignored, ", ")+".")
	for _, s := range outro {
		section(&b, s[0], s[1])
	}
	return b.String()
}

func ssh1() string {
	var b strings.Builder
	b.WriteString(head("ssh", "SSH", "1", "log in to another machine, or run a command there"))
	b.WriteString(".Sh SYNOPSIS\n.Nm ssh\n.Op options\n.Ar destination\n.Op Ar command Op Ar argument ...\n.Nm ssh\n.Op Fl Q Ar query\n")
	section(&b, "DESCRIPTION", sshIntro)
	b.WriteString(".Sh OPTIONS\n.Bl -tag -width Ds\n")
	for f := range ssh.Flags() {
		b.WriteString(".It Fl " + string(f.Letter))
		if f.Arg != "" {
			b.WriteString(" Ar " + roff(f.Arg))
		}
		b.WriteString("\n" + roff(strings.ToUpper(f.Doc[:1])+f.Doc[1:]) + ".\n")
		if f.Keyword != "" {
			b.WriteString("This is the keyword " + f.Keyword + " of ssh_config(5).\n")
		}
		if t := find(sshFlagText[:], string(f.Letter)); t != "" {
			b.WriteString(roff(t) + "\n")
		}
	}
	b.WriteString(".El\n")
	for _, s := range sshOutro {
		section(&b, s[0], s[1])
	}
	return b.String()
}

func sshd8() string {
	var b strings.Builder
	b.WriteString(head("sshd", "SSHD", "8", "let others log in to this machine"))
	b.WriteString(".Sh SYNOPSIS\n.Nm sshd\n.Op options\n")
	section(&b, "DESCRIPTION", sshdIntro)
	b.WriteString(".Sh OPTIONS\n.Bl -tag -width Ds\n")
	for _, f := range sshdFlags {
		b.WriteString(".It Fl " + f.letter)
		if f.arg != "" {
			b.WriteString(" Ar " + roff(f.arg))
		}
		b.WriteString("\n" + roff(f.says) + "\n")
	}
	b.WriteString(".El\n")
	for _, s := range sshdOutro {
		section(&b, s[0], s[1])
	}
	return b.String()
}
