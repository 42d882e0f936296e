//go:build unix

package ssh

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nacre-ssh/nacre/internal/program/stdio"
	public "github.com/nacre-ssh/nacre/ssh"
	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the program too when it is called by its name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ssh" {
		os.Exit(Main(context.Background(), stdio.Process("ssh"), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// install puts the program, keys and a configuration for the peer into dir
// and returns the program's path.
func install(t testing.TB, p *peer, dir string) string {
	bin := programIn(t, filepath.Join(dir, "bin"))
	_, other := newSigner(t)
	otherLine := string(public.MarshalAuthorizedKey(other.PublicKey()))
	for name, text := range map[string]string{
		"key":           string(p.user),
		"key.pub":       string(public.MarshalAuthorizedKey(p.pub)),
		"known":         p.knownHosts(p.name()),
		"known_bare":    p.knownHosts("127.0.0.1"),
		"known_alias":   p.knownHosts("another.name"),
		"known_other":   "# comment\n" + p.name() + " " + otherLine,
		"known_revoked": p.knownHosts("@revoked " + p.name()),
		"fingerprint":   public.FingerprintSHA256(p.host.PublicKey()),
		"cfg": fmt.Sprintf("Host peer\n  HostName 127.0.0.1\nHost *\n  Port %d\n  User %s\n  IdentityFile %s/key\n  UserKnownHostsFile %s/known\n"+
			"  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  IdentityAgent none\n  WarnWeakCrypto no\n", p.port, peerUser, dir, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// programIn gives the test's binary the program's name in dir.
func programIn(t testing.TB, dir string) string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "ssh")
	if err := os.Symlink(exe, bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

func program(t testing.TB) string { return programIn(t, t.TempDir()) }

type peerKey struct{}

// TestScripts runs the program as people do. In $WORK are key, known_hosts
// files of several kinds, the host key's fingerprint and cfg; `peer` is a
// server in the test's process, $PORT its port, $SSH the program with -F cfg.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			p := startPeer(e.T().(testing.TB))
			e.Values[peerKey{}] = p
			bin := install(e.T().(testing.TB), p, e.WorkDir)
			e.Vars = append(e.Vars,
				"PATH="+filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"),
				"PORT="+fmt.Sprint(p.port), "SSH_AUTH_SOCK=", "DISPLAY=", "SSH_ASKPASS_REQUIRE=never", "SHELL=/bin/sh")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// noted REGEXP: what the peer noted.
			"noted": func(ts *testscript.TestScript, neg bool, args []string) {
				if len(args) != 1 {
					ts.Fatalf("usage: noted TEXT")
				}
				got := ts.Value(peerKey{}).(*peer).notes()
				if contains(got, args[0]) == neg {
					ts.Fatalf("the peer noted %q", got)
				}
			},
		},
	})
}

func contains(lines, line string) bool {
	for {
		i := len(lines)
		for j := range lines {
			if lines[j] == '\n' {
				i = j
				break
			}
		}
		if lines[:i] == line {
			return true
		}
		if i == len(lines) {
			return false
		}
		lines = lines[i+1:]
	}
}
