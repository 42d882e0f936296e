package rows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// R01: who else could change the keys may let nobody in; the page's three
// commands mend it.
func TestR01_Permissions(t *testing.T) {
	p := newPlace(t)
	p.asRoot()
	s := p.inHome()
	conf := p.toServer(s, s.Port)
	ssh, keys := filepath.Join(p.w.Home, ".ssh"), filepath.Join(p.w.Home, ".ssh/authorized_keys")
	defer p.restore()
	for _, c := range []struct {
		name, want string
		spoil      func() error
	}{
		{"home is the group's", "bad ownership or modes for directory " + p.w.Home, func() error { return os.Chmod(p.w.Home, 0o775) }},
		{".ssh is everybody's", "bad ownership or modes for directory " + ssh, func() error { return os.Chmod(ssh, 0o777) }},
		{"keys are the group's", "bad ownership or modes for file " + keys, func() error { return os.Chmod(keys, 0o664) }},
		{"keys are somebody else's", "bad ownership or modes for file " + keys, func() error { return os.Chown(keys, p.w.UID+1, p.w.GID) }},
	} {
		p.restore()
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		if o := p.run(stock, "-F", conf, "host", "echo in"); o.code != 255 || !strings.Contains(o.err, "Permission denied (") {
			t.Errorf("%s: %+v", c.name, o)
		}
		if want := "Authentication refused: " + c.want; !strings.Contains(s.Log(), want) && c.name != "keys are somebody else's" {
			t.Errorf("%s: no %q in\n%s", c.name, want, s.Log())
		}
		p.restore()
		if o := p.run(stock, "-F", conf, "host", "echo in"); o.out != "in\n" {
			t.Errorf("%s, mended: %+v\n%s", c.name, o, s.Log())
		}
	}
	// The same of a private key, by the client's own words.
	key := p.file("key", "")
	b, err := os.ReadFile(p.w.UserKey("ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, in := range map[os.FileMode]bool{0o644: false, 0o600: true} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		o := p.run("ssh", "-F", conf, "-o", "IdentityFile="+key, "host", "echo in")
		if unprotected := strings.Contains(o.err, "UNPROTECTED PRIVATE KEY FILE!"); unprotected == in {
			t.Errorf("%o: %+v", mode, o)
		}
	}
}

// R02: a wrong key; the server's log names what it refused.
func TestR02_WrongKey(t *testing.T) {
	p := newPlace(t)
	s := p.start("nacre")
	key := filepath.Join(p.dir, "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fp, err := exec.Command("ssh-keygen", "-lf", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Fields(string(fp))[1]
	conf := strings.ReplaceAll(p.read(p.toServer(s, s.Port)), p.w.UserKey("ed25519"), key)
	o := p.run(stock, "-v", "-F", p.file("other-config", conf), "host", "true")
	if o.code != 255 || !strings.Contains(o.err, "Offering public key: "+key+" ED25519 "+hash) {
		t.Errorf("%+v", o)
	}
	if !strings.Contains(s.Log(), "Failed publickey for "+p.w.User+" from 127.0.0.1 port ") || !strings.Contains(s.Log(), "ED25519 "+hash) {
		t.Errorf("no fingerprint in\n%s", s.Log())
	}
}

func (p *place) read(file string) string {
	p.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		p.Fatal(err)
	}
	return string(b)
}

// R03: whom AllowUsers and AllowGroups do not name does not get in, and the log
// says why.
func TestR03_AllowedUsers(t *testing.T) {
	for config, want := range map[string]string{
		"AllowUsers somebody":  " not allowed because not listed in AllowUsers",
		"AllowGroups nobodies": " not allowed because none of user's groups are listed in AllowGroups",
	} {
		p := newPlace(t)
		s := p.start("nacre", config)
		if o := p.run(stock, "-F", p.toServer(s, s.Port), "host", "true"); o.code != 255 || !strings.Contains(s.Log(), want) {
			t.Errorf("%s: %+v\n%s", config, o, s.Log())
		}
	}
}

// R04: an account without a password gets in by key; one that is locked does
// not.
func TestR04_NoPassword(t *testing.T) {
	p := newPlace(t)
	p.asRoot()
	shadow, err := os.ReadFile("/etc/shadow")
	if err != nil {
		t.Fatal(err)
	}
	// The rig has a file of its own over it; what is written stays there.
	defer os.WriteFile("/etc/shadow", shadow, 0o640)
	for _, c := range []struct {
		hash string
		in   bool
	}{{"*", true}, {"!", false}, {"!$6$x$y", false}, {"", true}} {
		var b strings.Builder
		for l := range strings.Lines(string(shadow)) {
			if f := strings.Split(l, ":"); f[0] == p.w.User {
				f[1] = c.hash
				l = strings.Join(f, ":")
			}
			b.WriteString(l)
		}
		if err := os.WriteFile("/etc/shadow", []byte(b.String()), 0o640); err != nil {
			t.Fatal(err)
		}
		s := p.start("nacre")
		o := p.run(stock, "-F", p.toServer(s, s.Port), "host", "echo in")
		if (o.code == 0) != c.in || !c.in && !strings.Contains(s.Log(), "User "+p.w.User+" not allowed because account is locked") {
			t.Errorf("%q: %+v\n%s", c.hash, o, s.Log())
		}
	}
}

// R07: whoever lists sockets finds the server by its name.
func TestR07_ProcessName(t *testing.T) {
	p := newPlace(t)
	p.need("ss")
	s := p.start("nacre")
	o := p.run("ss", "-tnlp", "sport", "=", s.Addr[strings.LastIndexByte(s.Addr, ':'):])
	if !strings.Contains(o.out, `(("sshd",pid=`) {
		t.Errorf("%+v", o)
	}
}

// R17: the client may set the terminal's name.
func TestR17_Term(t *testing.T) {
	p := newPlace(t)
	s := p.start("nacre")
	if o := p.run(stock, "-tt", "-F", p.toServer(s, s.Port, "SetEnv TERM=xterm"), "host", "echo $TERM"); o.out != "xterm\r\n" {
		t.Errorf("%+v", o)
	}
}

// R18: without a host key the server says so and does not start; with one it
// does.
func TestR18_NoHostKey(t *testing.T) {
	p := newPlace(t)
	ours := rigNacre(p)
	missing := filepath.Join(p.dir, "missing")
	o := p.run(ours, "sshd", "-t", "-f", "/dev/null", "-h", missing)
	if o.code != 1 || !strings.Contains(o.err, missing) || !strings.Contains(o.err, "no hostkeys available -- exiting.") {
		t.Errorf("%+v", o)
	}
	if o := p.run(ours, "sshd", "-t", "-f", "/dev/null", "-h", missing, "-h", p.w.HostKey("ed25519")); o.code != 0 || !strings.Contains(o.err, missing) {
		t.Errorf("%+v", o)
	}
}

// R21: a terminal multiplexer outlives the connection it was started in.
func TestR21_Tmux(t *testing.T) {
	p := newPlace(t)
	p.need("tmux")
	s := p.start("nacre")
	conf := p.toServer(s, s.Port)
	defer p.run(stock, "-F", conf, "host", "TMUX_TMPDIR=$HOME tmux kill-server")
	if o := p.run(stock, "-tt", "-F", conf, "host", "TMUX_TMPDIR=$HOME tmux -f /dev/null new -d -s row21"); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	if o := p.run(stock, "-F", conf, "host", "TMUX_TMPDIR=$HOME tmux has-session -t row21 && echo lives"); o.out != "lives\n" {
		t.Errorf("%+v", o)
	}
}

// R23: the modes of flow control are those of the client's terminal, and mean
// what they say.
func TestR23_FlowControl(t *testing.T) {
	p := newPlace(t)
	p.need("script")
	s := p.start("nacre")
	conf := p.toServer(s, s.Port)
	for modes, want := range map[string]string{"ixon -ixoff -ixany": "ixon -ixoff -ixany", "-ixon ixoff ixany": "-ixon ixoff ixany"} {
		// script gives the client a terminal, whose modes it sends.
		o := p.run("script", "-qec", "stty "+modes+"; "+stock+" -tt -F "+conf+" host 'stty -a'", "/dev/null")
		got := strings.Join(strings.Fields(strings.NewReplacer(";", " ", "\r", " ").Replace(o.out)), " ")
		for _, w := range strings.Fields(want) {
			if !strings.Contains(" "+got+" ", " "+w+" ") {
				t.Errorf("%s: no %s in %s", modes, w, got)
			}
		}
	}
}
