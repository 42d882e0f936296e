package manual

import (
	"fmt"
	"strings"

	"github.com/nacre-ssh/nacre/internal/program/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const completionHead = "# Completion of ssh's command line. Made by `make gen`: do not edit.\n"

// hosts is a shell function that lists the hosts of the configuration and of
// known_hosts, with what it includes one level deep; hashed names stay secret.
const hosts = `_nacre_ssh_hosts() {
	{
		cat ~/.ssh/config ~/.ssh/config.d/* /etc/ssh/ssh_config /etc/ssh/ssh_config.d/* 2>/dev/null |
			awk 'tolower($1) == "host" { for (i = 2; i <= NF; i++) if ($i !~ /[*?!"]/) print $i }'
		cat ~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts 2>/dev/null |
			awk '/^[^#@|]/ { n = split($1, h, ","); for (i = 1; i <= n; i++) { sub(/^\[/, "", h[i]); sub(/\]:.*/, "", h[i]); if (h[i] !~ /[*?!]/) print h[i] } }'
	} | sort -u
}
`

// words are what a keyword's value is one of; nil where it is free.
func words(k sshconfig.Keyword) []string {
	var l []string
	for w := range strings.SplitSeq(k.Values, ", ") {
		if strings.ContainsAny(w, " |+:$") || w == "" || w == "none" && len(l) == 0 {
			return nil
		}
		if w != strings.ToUpper(w) || strings.HasPrefix(k.Values, "QUIET") || strings.HasPrefix(k.Values, "DAEMON") {
			l = append(l, w)
		}
	}
	if len(l) < 2 {
		return nil
	}
	return l
}

func keywordNames() (names []string) {
	for k := range sshconfig.ClientKeywords() {
		if !k.Ignored && k.Name != "Host" && k.Name != "Match" && k.Name != "Include" {
			names = append(names, k.Name)
		}
	}
	return names
}

// values are lines "KEYWORD words" of the keywords whose values are known.
func values(line func(keyword string, words []string) string) string {
	var b strings.Builder
	for k := range sshconfig.ClientKeywords() {
		if w := words(k); w != nil && !k.Ignored && k.Name != "Match" {
			b.WriteString(line(k.Name, w))
		}
	}
	return b.String()
}

func letters() (alone, valued string) {
	for f := range ssh.Flags() {
		if f.Arg == "" {
			alone += string(f.Letter)
		} else {
			valued += string(f.Letter)
		}
	}
	return alone, valued
}

func bash() string {
	alone, valued := letters()
	var b strings.Builder
	b.WriteString(completionHead + hosts)
	b.WriteString("_nacre_ssh() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n\tCOMPREPLY=()\n")
	b.WriteString("\tcase $prev in\n")
	b.WriteString("\t-i | -E | -F | -I | -S) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n")
	b.WriteString("\t-c) COMPREPLY=($(compgen -W \"$(ssh -Q cipher 2>/dev/null)\" -- \"$cur\")); return ;;\n")
	b.WriteString("\t-m) COMPREPLY=($(compgen -W \"$(ssh -Q mac 2>/dev/null)\" -- \"$cur\")); return ;;\n")
	fmt.Fprintf(&b, "\t-Q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", strings.Join(ssh.Queries(), " "))
	b.WriteString("\t-J) COMPREPLY=($(compgen -W \"$(_nacre_ssh_hosts)\" -- \"$cur\")); return ;;\n")
	b.WriteString("\t-o)\n\t\tcase $cur in\n")
	b.WriteString(values(func(k string, w []string) string {
		return fmt.Sprintf("\t\t%s=*) COMPREPLY=($(compgen -P %s= -W %q -- \"${cur#*=}\")) ;;\n", k, k, strings.Join(w, " "))
	}))
	fmt.Fprintf(&b, "\t\t*=*) ;;\n\t\t*) compopt -o nospace; COMPREPLY=($(compgen -S = -W %q -- \"$cur\")) ;;\n\t\tesac\n\t\treturn\n\t\t;;\n", strings.Join(keywordNames(), " "))
	fmt.Fprintf(&b, "\t-[%s]) return ;;\n\tesac\n", strings.NewReplacer("i", "", "E", "", "F", "", "I", "", "S", "", "c", "", "m", "", "Q", "", "J", "", "o", "").Replace(valued))
	var all []string
	for _, c := range alone + valued {
		all = append(all, "-"+string(c))
	}
	fmt.Fprintf(&b, "\tcase $cur in\n\t-*) COMPREPLY=($(compgen -W %q -- \"$cur\")) ;;\n", strings.Join(all, " "))
	b.WriteString("\t*@*) COMPREPLY=($(compgen -P \"${cur%%@*}@\" -W \"$(_nacre_ssh_hosts)\" -- \"${cur#*@}\")) ;;\n")
	b.WriteString("\t*)\n\t\tCOMPREPLY=($(compgen -W \"$(_nacre_ssh_hosts)\" -- \"$cur\"))\n\t\t;;\n\tesac\n}\ncomplete -F _nacre_ssh ssh slogin\n")
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "'\\''") + "'" }

func zsh() string {
	var b strings.Builder
	b.WriteString("#compdef ssh slogin\n" + completionHead + hosts)
	b.WriteString("_nacre_ssh_option() {\n\tif compset -P '*='; then\n\t\tcase ${(L)IPREFIX} in\n")
	b.WriteString(values(func(k string, w []string) string {
		return fmt.Sprintf("\t\t%s=) compadd -- %s ;;\n", strings.ToLower(k), strings.Join(w, " "))
	}))
	fmt.Fprintf(&b, "\t\tesac\n\telse\n\t\tcompadd -S = -- %s\n\tfi\n}\n", strings.Join(keywordNames(), " "))
	b.WriteString("_nacre_ssh_destination() {\n\tcompset -P '*@'\n\tcompadd -- ${(f)\"$(_nacre_ssh_hosts)\"}\n}\n_arguments -s \\\n")
	for f := range ssh.Flags() {
		doc := strings.NewReplacer("[", "(", "]", ")", ":", ",").Replace(f.Doc)
		spec := "*-" + string(f.Letter) + "[" + doc + "]"
		if f.Arg != "" {
			spec = "*-" + string(f.Letter) + "+[" + doc + "]:" + strings.NewReplacer(":", " ", "[", "", "]", "").Replace(f.Arg) + ":"
			switch f.Letter {
			case 'i', 'E', 'F', 'I', 'S':
				spec += "_files"
			case 'o':
				spec += "_nacre_ssh_option"
			case 'J':
				spec += "_nacre_ssh_destination"
			case 'Q':
				spec += "(" + strings.Join(ssh.Queries(), " ") + ")"
			}
		}
		b.WriteString("\t" + quote(spec) + " \\\n")
	}
	b.WriteString("\t'1:destination:_nacre_ssh_destination' \\\n\t'*::command:_normal'\n")
	return b.String()
}

func fish() string {
	var b strings.Builder
	b.WriteString(completionHead)
	b.WriteString("function __nacre_ssh_hosts\n\tsh -c " + quote(hosts+"_nacre_ssh_hosts") + "\nend\n")
	b.WriteString("complete -c ssh -f -a '(__nacre_ssh_hosts)'\n")
	for f := range ssh.Flags() {
		fmt.Fprintf(&b, "complete -c ssh -s %c -d %s", f.Letter, quote(f.Doc))
		if f.Arg != "" {
			b.WriteString(" -r")
			switch f.Letter {
			case 'i', 'E', 'F', 'I', 'S':
				b.WriteString(" -F")
			case 'J':
				b.WriteString(" -f -a '(__nacre_ssh_hosts)'")
			case 'Q':
				b.WriteString(" -f -a " + quote(strings.Join(ssh.Queries(), " ")))
			case 'o':
				var l []string
				for k := range sshconfig.ClientKeywords() {
					if k.Ignored || k.Name == "Host" || k.Name == "Match" || k.Name == "Include" {
						continue
					}
					w := words(k)
					for _, v := range w {
						l = append(l, k.Name+"="+v)
					}
					if w == nil {
						l = append(l, k.Name+"=")
					}
				}
				b.WriteString(" -f -a " + quote(strings.Join(l, " ")))
			default:
				b.WriteString(" -f")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
