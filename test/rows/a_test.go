package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// both runs a row against the stock server and ours.
func both(t *testing.T, row func(p *place, kind string)) {
	for _, kind := range []string{"openssh", "openssh10", "nacre"} {
		t.Run(kind, func(t *testing.T) { row(newPlace(t), kind) })
	}
}

// same complains unless a run ended with a status and wrote out.
func (p *place) same(o outcome, code int, out string) {
	p.Helper()
	if o.code != code || o.out != out {
		p.Errorf("status %d, out %q, want %d, %q\n%s", o.code, o.out, code, out, o.err)
	}
}

// A01, A03, A04: a host by its name in the configuration and by -p and user@,
// with the same effect; keywords in any spelling.
func TestA01_A03_A04_Connect(t *testing.T) {
	both(t, func(p *place, kind string) {
		conf := one(p, kind)
		text, err := os.ReadFile(conf)
		if err != nil {
			p.Fatal(err)
		}
		port := ""
		for l := range strings.Lines(string(text)) {
			if f := strings.Fields(l); len(f) == 2 && f[0] == "Port" {
				port = f[1]
			}
		}
		const command = "echo out; echo err >&2; exit 3"
		byName := p.run("ssh", "-F", conf, "box", command)
		p.same(byName, 3, "out\n")
		byPort := p.run("ssh", "-F", conf, "-o", "HostKeyAlias=box.key", "-p", port, p.w.User+"@127.0.0.1", command)
		uri := p.run("ssh", "-F", conf, "-o", "HostKeyAlias=box.key", "ssh://"+p.w.User+"@127.0.0.1:"+port, command)
		if byPort != byName || uri != byName || byName.err != "err\n" {
			p.Errorf("by name %+v, by port %+v, by URI %+v", byName, byPort, uri)
		}
		_, hosts, _ := strings.Cut(string(text), "Host *\n")
		odd := p.file("odd", fmt.Sprintf("\t user=%s\n\nHOST myserver\n    hostname   127.0.0.1\n\tPort     =     %s\n  hostKeyAlias \"box.key\"\nHost *\n%s", p.w.User, port, hosts))
		p.same(p.run("ssh", "-F", odd, "myserver", "echo there"), 0, "there\n")
		shown := p.run("ssh", "-F", odd, "-G", "myserver").out
		typed := p.run("ssh", "-F", p.file("rest", "Host *\n"+hosts), "-G", "-o", "HostKeyAlias=box.key", "-p", port, p.w.User+"@127.0.0.1").out
		_, a, _ := strings.Cut(shown, "\n")
		_, b, _ := strings.Cut(typed, "\n")
		if a != b {
			p.Errorf("-G of the name and of what is typed in full differ:\n%s\n%s", a, b)
		}
		for _, want := range []string{"user " + p.w.User, "hostname 127.0.0.1", "port " + port} {
			if !strings.Contains("\n"+shown, "\n"+want+"\n") {
				p.Errorf("-G lacks %q", want)
			}
		}
	})
}

// A02: a key that stock ssh-keygen made and stock ssh-copy-id carried over,
// logging in with a password, and then a server that takes keys only.
func TestA02_KeysOnly(t *testing.T) {
	both(t, func(p *place, kind string) {
		p.need("ssh-keygen")
		p.need("ssh-copy-id")
		if !p.w.Root {
			p.Skip("peer lacks an account of its own: not root")
		}
		authorized := filepath.Join(p.w.Home, ".ssh")
		// Others find it as it was.
		if err := os.Rename(authorized, authorized+".aside"); err != nil {
			p.Fatal(err)
		}
		p.Cleanup(func() {
			os.RemoveAll(authorized)
			if err := os.Rename(authorized+".aside", authorized); err != nil {
				p.Error(err)
			}
		})
		key := filepath.Join(p.dir, "id")
		if o := p.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); o.code != 0 {
			p.Fatalf("%+v", o)
		}
		file := "AuthorizedKeysFile .ssh/authorized_keys"
		alone := func(lines ...string) string {
			text, err := os.ReadFile(one(p, kind, append(lines, file)...))
			if err != nil {
				p.Fatal(err)
			}
			return p.file("alone", strings.ReplaceAll(string(text), p.w.UserKey("ed25519"), key))
		}
		home := filepath.Join(p.dir, "home")
		os.MkdirAll(filepath.Join(home, ".ssh"), 0o700)
		askpass := p.file("askpass", "#!/bin/sh\necho '"+rig.Password+"'\n")
		os.Chmod(askpass, 0o700)
		copyID := func(conf string) outcome {
			return p.with([]string{"HOME=" + home, "SSH_ASKPASS=" + askpass, "SSH_ASKPASS_REQUIRE=force"}, "ssh-copy-id", "-i", key+".pub", "-F", conf, "box")
		}
		open := alone()
		if o := copyID(open); o.code != 0 || !strings.Contains(o.out+o.err, "Number of key(s) added: 1") {
			p.Fatalf("ssh-copy-id: %+v", o)
		}
		if o := copyID(open); o.code != 0 || !strings.Contains(o.err, "already exist on the remote system") {
			p.Errorf("the second ssh-copy-id: %+v", o)
		}
		shut := alone("PasswordAuthentication no", "KbdInteractiveAuthentication no")
		p.same(p.run("ssh", "-F", shut, "-o", "PasswordAuthentication=no", "box", "echo in"), 0, "in\n")
		os.RemoveAll(authorized)
		if o := p.run("ssh", "-F", shut, "box", "true"); o.code != 255 || !strings.Contains(o.err, "Permission denied (publickey") {
			p.Errorf("a key that nobody knows: %+v", o)
		}
	})
}

// A05: a keyword without a letter of its own, as the seed writes it.
func TestA05_OptionWithoutLetter(t *testing.T) {
	both(t, func(p *place, kind string) {
		conf := one(p, kind, "KexAlgorithms diffie-hellman-group1-sha1")
		o := p.run("ssh", "-F", conf, "box", "true")
		if o.code != 255 || !strings.Contains(o.err, "no matching key exchange method found. Their offer: diffie-hellman-group1-sha1") {
			p.Errorf("%+v", o)
		}
		p.same(p.run("ssh", "-F", conf, "-oKexAlgorithms=+diffie-hellman-group1-sha1", "box", "echo old"), 0, "old\n")
	})
}

// A06: stock scp and sftp around our ssh, both ways, and scp's old protocol.
func TestA06_CopyingAroundSSH(t *testing.T) {
	both(t, func(p *place, kind string) {
		p.need("scp")
		p.need("sftp")
		conf := one(p, kind, "Subsystem sftp /usr/lib/openssh/sftp-server")
		ours := filepath.Join(p.dir, "bin", "ssh")
		data := strings.Repeat("0123456789abcdef\n", 40000)
		from := p.file("from", data)
		check := func(what string, o outcome, name string) {
			p.Helper()
			if got, err := os.ReadFile(name); o.code != 0 || err != nil || string(got) != data {
				p.Errorf("%s: %+v, %d bytes, %v", what, o, len(got), err)
			}
		}
		far := filepath.Join(p.w.Home, "far-"+kind)
		p.Cleanup(func() { os.Remove(far) })
		for i, how := range [][]string{nil, {"-O"}} {
			os.Remove(far)
			argv := append([]string{"scp", "-q", "-S", ours, "-F", conf}, how...)
			check("scp there", p.run(append(argv, from, "box:far-"+kind)...), far)
			back := filepath.Join(p.dir, fmt.Sprint("back", i))
			check("scp back", p.run(append(argv, "box:far-"+kind, back)...), back)
		}
		batch := p.file("batch", "put from far-"+kind+"\nget far-"+kind+" again\nbye\n")
		o := p.run("sftp", "-q", "-S", ours, "-F", conf, "-b", batch, "box")
		check("sftp there", o, far)
		check("sftp back", o, filepath.Join(p.dir, "again"))
	})
}

// A08: each side proves itself: an unknown server, a changed one and an
// unknown user are refused, with the stock words.
func TestA08_BothSidesProve(t *testing.T) {
	both(t, func(p *place, kind string) {
		conf := one(p, kind)
		o := p.run("ssh", "-F", conf, "-o", "HostKeyAlias=stranger", "box", "true")
		if o.code != 255 || !strings.Contains(o.err, "No ED25519 host key is known for stranger and you have requested strict checking.\nHost key verification failed.\n") {
			p.Errorf("unknown: %+v", o)
		}
		other, err := os.ReadFile(p.w.UserKey("ed25519") + ".pub")
		if err != nil {
			p.Fatal(err)
		}
		changed := p.file("changed", "box.key "+string(other))
		o = p.run("ssh", "-F", conf, "-o", "UserKnownHostsFile="+changed, "box", "true")
		if o.code != 255 || !strings.Contains(o.err, "REMOTE HOST IDENTIFICATION HAS CHANGED!") || !strings.Contains(o.err, "Offending ED25519 key in "+changed+":1") {
			p.Errorf("changed: %+v", o)
		}
		o = p.run("ssh", "-F", conf, "-o", "IdentityFile=none", "-o", "BatchMode=yes", "-i", p.file("none", ""), "-o", "PreferredAuthentications=hostbased", "box", "true")
		if o.code != 255 || !strings.Contains(o.err, "Permission denied (") {
			p.Errorf("nobody: %+v", o)
		}
	})
}

// A09: without a port in the configuration it is 22.
func TestA09_DefaultPort(t *testing.T) {
	p := newPlace(t)
	conf := p.file("config", "Host box\n  HostName 127.0.0.77\n  BatchMode yes\n")
	if o := p.run("ssh", "-F", conf, "-G", "box"); !strings.Contains(o.out, "\nport 22\n") {
		t.Errorf("%+v", o)
	}
	o := p.run("ssh", "-v", "-F", conf, "-o", "ConnectTimeout=5", "box", "true")
	if !strings.Contains(o.err, "Connecting to 127.0.0.77 [127.0.0.77] port 22.") {
		t.Errorf("%+v", o)
	}
}

// A server's new keys are learned, and its old ones forgotten, by
// UpdateHostKeys, as stock servers and ours tell of them.
func TestHostKeysAreLearned(t *testing.T) {
	both(t, func(p *place, kind string) {
		conf := one(p, kind, "HostKey "+p.w.HostKey("rsa3072"), "HostKey "+p.w.HostKey("ecdsa256"))
		stale, err := os.ReadFile(p.w.UserKey("ed25519") + ".pub")
		if err != nil {
			p.Fatal(err)
		}
		known := filepath.Join(p.dir, "known_hosts")
		before, _ := os.ReadFile(known)
		os.WriteFile(known, []byte("# mine\n"+string(before)+"box.key "+string(stale)), 0o600)
		p.same(p.run("ssh", "-F", conf, "-o", "UpdateHostKeys=yes", "box", "echo in"), 0, "in\n")
		after, _ := os.ReadFile(known)
		text := string(after)
		if !strings.HasPrefix(text, "# mine\n"+string(before)) || !strings.Contains(text, "box.key ssh-rsa ") || !strings.Contains(text, "box.key ecdsa-sha2-nistp256 ") || strings.Contains(text, strings.Fields(string(stale))[1]) {
			p.Errorf("known_hosts is\n%s", text)
		}
	})
}
