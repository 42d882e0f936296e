package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/sshconfig"
)

const root = "../../.."

// What is committed is what the tables make.
func TestFiles(t *testing.T) {
	for name, want := range Files() {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the tables make (%v): run `make gen`", name, err)
		}
	}
}

// Every keyword has a paragraph of at least two sentences, and every text is
// about a keyword.
func TestParagraphs(t *testing.T) {
	check := func(page string, keywords []sshconfig.Keyword, texts []text) {
		seen := map[string]bool{}
		for _, k := range keywords {
			p := paragraph(k, texts)
			seen[k.Name] = true
			if n := strings.Count(p+"\n", ".\n") + strings.Count(p, ". "); n < 2 && !k.Ignored {
				t.Errorf("%s: %s has %d sentences: %q", page, k.Name, n, p)
			}
		}
		for _, x := range texts {
			if !seen[x.keyword] {
				t.Errorf("%s: a text about %s, which is no keyword", page, x.keyword)
			}
		}
	}
	check("ssh_config", collect(t, true), clientText[:])
	check("sshd_config", collect(t, false), serverText[:])
}

func collect(t *testing.T, client bool) (l []sshconfig.Keyword) {
	t.Helper()
	seq := sshconfig.ServerKeywords()
	if client {
		seq = sshconfig.ClientKeywords()
	}
	for k := range seq {
		l = append(l, k)
	}
	return l
}

// The pages are read by the system's own formatter without a complaint.
func TestPagesFormat(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("peer lacks groff")
	}
	for name := range Files() {
		if !strings.HasPrefix(name, "docs/man/") {
			continue
		}
		out, err := exec.Command(groff, "-mdoc", "-Tascii", "-ww", "-z", filepath.Join(root, filepath.FromSlash(name))).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The completion for bash works: a keyword, its values, hosts.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("peer lacks bash")
	}
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, ".ssh"), 0o700)
	os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("Host alpha beta-*\n  Port 1\nhost gamma\n"), 0o600)
	os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), []byte("delta,192.0.2.1 ssh-ed25519 x\n[epsilon]:22 ssh-ed25519 x\n|1|salt|hash ssh-ed25519 x\n@revoked zeta ssh-ed25519 x\n"), 0o600)
	for _, c := range []struct{ words, want string }{
		{"ssh alp", "alpha"}, {"ssh ann@gam", "ann@gamma"}, {"ssh del", "delta"}, {"ssh eps", "epsilon"}, {"ssh zet", ""}, {"ssh beta", ""},
		{"ssh -o StrictHostKeyChecking=acc", "StrictHostKeyChecking=accept-new"}, {"ssh -o Visual", "VisualHostKey="}, {"ssh -Q cipher-", "cipher-auth"},
	} {
		w := strings.Fields(c.words)
		script := "compopt() { :; }; . " + root + "/dist/completion/ssh.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($#-1)); _nacre_ssh; echo \"${COMPREPLY[*]}\""
		cmd := exec.Command(bash, append([]string{"--norc", "-c", script, "bash"}, w...)...)
		cmd.Env = append(os.Environ(), "HOME="+home)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.words, got, c.want, err)
		}
	}
}

// Other shells at least read theirs.
func TestCompletionSyntax(t *testing.T) {
	for shell, args := range map[string][]string{"bash": {"-n", root + "/dist/completion/ssh.bash"}, "zsh": {"-n", root + "/dist/completion/_ssh"}, "fish": {"-n", root + "/dist/completion/ssh.fish"}} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("peer lacks %s", shell)
			continue
		}
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}
