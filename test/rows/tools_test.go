package rows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// one is a server and a configuration in which it is called box.
func one(p *place, kind string, config ...string) string {
	p.Helper()
	s := p.start(kind, config...)
	return boxConfig(p, s.Port)
}

func boxConfig(p *place, port int) string {
	p.Helper()
	pub, err := os.ReadFile(p.w.HostKey("ed25519") + ".pub")
	if err != nil {
		p.Fatal(err)
	}
	kh := p.file("known_hosts", "box.key "+string(pub))
	return p.file("config", fmt.Sprintf("Host box\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  HostKeyAlias box.key\nHost *\n  IdentityFile %s\n"+
		"  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  WarnWeakCrypto no\n",
		port, p.w.User, p.w.UserKey("ed25519"), kh))
}

// Programs that start ssh find ours first in PATH and notice nothing.
func TestProgramsAroundSSH(t *testing.T) {
	for _, kind := range []string{"openssh", "nacre"} {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			for _, tool := range []string{"git", "rsync", "ansible"} {
				p.need(tool)
			}
			conf := one(p, kind)

			// git: a clone, and a push back.
			repo := filepath.Join(p.w.Home, "repo-"+kind+".git")
			git := func(argv ...string) outcome {
				t.Helper()
				o := p.with([]string{"GIT_SSH_COMMAND=ssh -F " + conf, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
					"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}, append([]string{"git"}, argv...)...)
				if o.code != 0 {
					t.Errorf("git %q: %+v", argv, o)
				}
				return o
			}
			git("init", "-q", "--bare", repo)
			if out, err := exec.Command("chown", "-R", p.w.User, repo).CombinedOutput(); err != nil && p.w.Root {
				t.Fatalf("%v %s", err, out)
			}
			git("clone", "-q", "ssh://box"+repo, "clone")
			work := filepath.Join(p.dir, "clone")
			os.WriteFile(filepath.Join(work, "file"), []byte("content"), 0o644)
			git("-C", work, "add", "file")
			git("-C", work, "commit", "-q", "-m", "one")
			git("-C", work, "push", "-q", "origin", "HEAD:refs/heads/main")
			git("clone", "-q", "-b", "main", "box:"+repo, "again")
			if got, err := os.ReadFile(filepath.Join(p.dir, "again", "file")); err != nil || string(got) != "content" {
				t.Errorf("cloned %q, %v", got, err)
			}

			// rsync, both ways.
			tree := filepath.Join(p.dir, "tree")
			os.MkdirAll(tree, 0o755)
			for i := range 20 {
				os.WriteFile(filepath.Join(tree, fmt.Sprint("f", i)), []byte(strings.Repeat(fmt.Sprint(i), 5000)), 0o644)
			}
			if o := p.run("rsync", "-a", "-e", "ssh -F "+conf, tree+"/", "box:tree-"+kind+"/"); o.code != 0 {
				t.Errorf("%+v", o)
			}
			if o := p.run("rsync", "-a", "-e", "ssh -F "+conf, "box:tree-"+kind+"/", filepath.Join(p.dir, "back")); o.code != 0 {
				t.Errorf("%+v", o)
			}
			if o := p.run("diff", "-r", tree, filepath.Join(p.dir, "back")); o.code != 0 {
				t.Errorf("%+v", o)
			}

			// ansible, with its own idea of sharing connections turned off: that has
			// tests of its own.
			inv := p.file("inventory", "box ansible_python_interpreter=/usr/bin/python3\n")
			home := filepath.Join(p.dir, "home")
			os.Mkdir(home, 0o700)
			o := p.with([]string{"HOME=" + home, "ANSIBLE_SSH_ARGS=-F " + conf, "ANSIBLE_HOST_KEY_CHECKING=True", "ANSIBLE_LOCALHOST_WARNING=False",
				"LC_ALL=C.UTF-8"}, "ansible", "-i", inv, "all", "-m", "ping")
			if o.code != 0 || !strings.Contains(o.out, `"ping": "pong"`) {
				t.Errorf("%+v", o)
			}
		})
	}
}
