package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// chain is three servers and a configuration by which they are bastion1,
// intermediate2 and target.
func chain(p *place, kind string, more string) (config string, servers []*rig.Server) {
	p.Helper()
	var conf, known strings.Builder
	for _, name := range []string{"bastion1", "intermediate2", "target"} {
		s := p.start(kind, "Subsystem sftp /usr/lib/openssh/sftp-server")
		servers = append(servers, s)
		pub, err := os.ReadFile(p.w.HostKey("ed25519") + ".pub")
		if err != nil {
			p.Fatal(err)
		}
		fmt.Fprintf(&known, "%s.key %s", name, pub)
		fmt.Fprintf(&conf, "Host %s\n  HostName 127.0.0.1\n  Port %d\n  HostKeyAlias %s.key\n  User %s\n", name, s.Port, name, p.w.User)
	}
	kh := p.file("known_hosts", known.String())
	fmt.Fprintf(&conf, "%s\nHost *\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  WarnWeakCrypto no\n",
		more, p.w.UserKey("ed25519"), kh)
	return p.file("config", conf.String()), servers
}

// logins is how many logins a server has seen.
func logins(s *rig.Server) int { return strings.Count(s.Log(), "Accepted publickey") }

// I02 and I03: hosts to go through, on the command line and in the file, and
// with the tools around ssh.
func TestI02_JumpHosts(t *testing.T) {
	for _, kind := range []string{"openssh", "nacre"} {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			p.need("rsync")
			conf, servers := chain(p, kind, "Host inner\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump bastion1,intermediate2\n")
			each := func(want int) {
				t.Helper()
				for i, s := range servers {
					if n := logins(s); n != want {
						t.Errorf("server %d has seen %d logins, want %d\n%s", i+1, n, want, s.Log())
					}
				}
			}
			user := p.w.User
			if o := p.run("ssh", "-F", conf, "-J", user+"@bastion1,"+user+"@intermediate2", user+"@target", "echo here; exit 3"); o.out != "here\n" || o.code != 3 {
				t.Fatalf("%+v", o)
			}
			each(1)
			// Without user@, which the configuration has.
			if o := p.run("ssh", "-F", conf, "-J", "bastion1,intermediate2", "target", "echo here"); o.out != "here\n" || o.code != 0 {
				t.Fatalf("%+v", o)
			}
			each(2)
			// A URI, and a hop whose own configuration has a jump: first hop's counts.
			if o := p.run("ssh", "-F", conf, "-J", fmt.Sprintf("ssh://%s@127.0.0.1:%d", user, servers[1].Port), "-o", "HostKeyAlias=target.key",
				"-o", "UserKnownHostsFile="+p.file("known2", anyHost(p)), fmt.Sprintf("ssh://%s@127.0.0.1:%d", user, servers[2].Port), "true"); o.code == 0 {
				t.Errorf("the hop's key is in no file of its own configuration, yet: %+v", o)
			}
			// The tools around ssh.
			data := p.file("data", strings.Repeat("0123456789\n", 10000))
			jump := "bastion1,intermediate2"
			for name, argv := range map[string][]string{
				"scp":   {"scp", "-q", "-S", filepath.Join(p.dir, "bin/ssh"), "-F", conf, "-J", jump, data, "target:scp.copy"},
				"sftp":  {"sftp", "-q", "-S", filepath.Join(p.dir, "bin/ssh"), "-F", conf, "-J", jump, "-b", p.file("batch", "put "+data+" sftp.copy\n"), "target"},
				"rsync": {"rsync", "-e", "ssh -F " + conf + " -J " + jump, data, "target:rsync.copy"},
			} {
				o := p.run(argv...)
				got, err := os.ReadFile(filepath.Join(p.w.Home, name+".copy"))
				if o.code != 0 || err != nil || len(got) != 110000 {
					t.Errorf("%s: %+v, %d bytes, %v", name, o, len(got), err)
				}
			}
			// The first hop does not answer.
			servers[0].Stop()
			o := p.run("ssh", "-F", conf, "-J", "bastion1,intermediate2", "target", "true")
			want := fmt.Sprintf("ssh: connect to host 127.0.0.1 port %d: Connection refused\n", servers[0].Port)
			if o.code != 255 || !strings.HasPrefix(o.err, want) || !strings.HasSuffix(o.err, "Connection closed by UNKNOWN port 65535\n") {
				t.Errorf("%+v", o)
			}
			// The last hop cannot reach the target.
			o = p.run("ssh", "-F", conf, "-J", "intermediate2", "-p", "1", "target", "true")
			if o.code != 255 || !strings.Contains(o.err, "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n") {
				t.Errorf("%+v", o)
			}
		})
	}
}

// anyHost is a known_hosts file with the servers' key under a name that no hop
// has.
func anyHost(p *place) string {
	pub, _ := os.ReadFile(p.w.HostKey("ed25519") + ".pub")
	return "nowhere " + string(pub)
}

// A way that leads back to itself is found, and none keeps a jump out.
func TestJumpLoopsAndNone(t *testing.T) {
	p := newPlace(t)
	conf, servers := chain(p, "openssh", "Host bastion1\n  ProxyJump intermediate2\nHost intermediate2\n  ProxyJump bastion1\n")
	o := p.run("ssh", "-F", conf, "bastion1", "true")
	if o.code != 255 || !strings.Contains(o.err, "ProxyJump: loop") {
		t.Errorf("%+v", o)
	}
	if o := p.run("ssh", "-F", conf, "-J", "none", "bastion1", "echo here"); o.out != "here\n" {
		t.Errorf("%+v", o)
	}
	if n := logins(servers[0]); n != 1 {
		t.Errorf("%d logins", n)
	}
	for _, argv := range [][]string{
		{"-J", "a", "-J", "b"}, {"-o", "ProxyCommand=nc %h %p", "-J", "a"}, {"-J", "a;b"}, {"-J", "$(id)@a"}, {"-J", "-oX@a"}, {"-J", "a,"},
	} {
		if o := p.run(append(append([]string{"ssh", "-F", conf}, argv...), "target", "true")...); o.code != 255 || o.err == "" {
			t.Errorf("%q: %+v", argv, o)
		}
	}
}
