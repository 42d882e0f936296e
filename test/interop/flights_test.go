package interop

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/test/interop/rig"
	"github.com/nacre-ssh/nacre/test/simnet"
)

// flights is a place of its own for what a client remembers, and a slow path to
// a server.
type flights struct {
	*lab
	t      *testing.T
	server *rig.Server
	dir    string
}

// newFlights knows the server's key, as known_hosts has it, and nothing else.
func newFlights(t *testing.T, l *lab, s *rig.Server) *flights {
	t.Helper()
	known, err := s.KnownHosts()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	f := &flights{l, t, s, t.TempDir()}
	if err := os.WriteFile(filepath.Join(f.dir, "known"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// trips is how many round trips `ssh host true` takes, that of TCP included.
func (f *flights) trips(tool *rig.Tool, options ...string) (int64, *rig.Outcome) {
	f.t.Helper()
	p, err := simnet.Listen("127.0.0.1:0", f.server.Addr, simnet.Link{Delay: 20 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(f.t.Context(), patient)
	defer cancel()
	r := &rig.Request{Server: f.server, Addr: p.Addr().String(), Command: "true", Verbose: true,
		Options: append([]string{"UserKnownHostsFile=" + f.dir + "/known", "UpdateHostKeys=no"}, options...)}
	// Standard input stays open: its end is one more message of the client, which
	// the server's last ones may come behind.
	stdin, end, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	defer stdin.Close()
	defer end.Close()
	o, err := f.w.Run(ctx, tool, r, stdin)
	if err != nil || o.Code != 0 {
		f.t.Fatalf("%v %+v\n%s", err, o, f.server.Log())
	}
	return p.Count().Rounds + p.Count().Conns, o
}

// TestRoundTrips counts round trips on the wire, of a first login and of one to
// a server met before.
func TestRoundTrips(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		server       string
		first, again int64
		hostKeys     []string
	}{
		{"nacre", 5, 3, []string{"ed25519"}},
		{"openssh", 4, 3, []string{"ed25519"}},
		{"openssh10", 4, 3, []string{"ed25519"}},
		// The keys in the order of a stock server: a known RSA key is taken first.
		{"openssh", 4, 3, []string{"rsa3072", "ecdsa256", "ed25519"}},
	} {
		t.Run(c.server+" "+strings.Join(c.hostKeys, ","), func(t *testing.T) {
			s := l.start(t, rig.DaemonByName(c.server), rig.ServerOptions{HostKeys: c.hostKeys, Defaults: true})
			f := newFlights(t, l, s)
			if n, o := f.trips(l.client); n > c.first {
				t.Errorf("%d round trips at the first meeting, want at most %d\n%s", n, c.first, o.Log)
			}
			for range 2 {
				if n, o := f.trips(l.client); n != c.again {
					data, _ := os.ReadFile(f.dir + "/nacre_hosts")
					t.Errorf("%d round trips to a server met before, want %d\n%s\n%s", n, c.again, data, o.Log)
				}
			}
			if stock := rig.ToolByName("openssh"); stock.Program(l.w) != "" {
				if n, _ := f.trips(stock); n < c.again+3 {
					t.Errorf("%d round trips of the stock client: the count is wrong", n)
				}
			}
		})
	}
}

// What is remembered may be wrong: a key that is taken no more, favourites
// that have changed.
func TestWrongMemory(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		server string
		conns  int64 // with a key that the server has forgotten
	}{
		{"openssh", 1}, // answers what came early with UNIMPLEMENTED
		{"openssh10", 1},
		{"nacre", 2}, // closes the connection
	} {
		t.Run(c.server, func(t *testing.T) {
			keys := filepath.Join(t.TempDir(), "keys")
			authorize := func(names ...string) {
				var all []byte
				for _, n := range names {
					pub, err := os.ReadFile(l.w.UserKey(n) + ".pub")
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, pub...)
				}
				if err := os.WriteFile(keys, all, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			authorize("ed25519", "ecdsa256")
			os.Chmod(filepath.Dir(keys), 0o755)
			os.Chmod(filepath.Dir(filepath.Dir(keys)), 0o755)
			s := l.start(t, rig.DaemonByName(c.server), rig.ServerOptions{HostKeys: []string{"ed25519"}, Defaults: true,
				Config: []string{"AuthorizedKeysFile " + keys}})
			f := newFlights(t, l, s)
			second := "IdentityFile=" + l.w.UserKey("ecdsa256")
			if n, o := f.trips(l.client, second); n != 5 {
				t.Errorf("%d round trips with a question about the key, want 5\n%s", n, o.Log)
			}
			if n, o := f.trips(l.client, second); n != 3 {
				t.Errorf("%d round trips with the key that was taken, want 3\n%s", n, o.Log)
			}
			authorize("ecdsa256")
			_, o := f.trips(l.client, second)
			if n := strings.Count(o.Log, "Connecting to "); int64(n) != c.conns {
				t.Errorf("%d connections after the key was forgotten, want %d\n%s", n, c.conns, o.Log)
			}
			if !strings.Contains(o.Log, "ecdsa256 ECDSA") || strings.Count(o.Log, "Sending command: true") != 1 {
				t.Errorf("not the other key, or the command more than once:\n%s", o.Log)
			}

			// A wrong guess costs one round trip.
			file := f.dir + "/nacre_hosts"
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, line, _ := strings.Cut(string(data), "\n")
			fields := strings.Fields(line)
			fields[1], fields[2], fields[3], fields[6] = "curve25519-sha256", "ssh-ed25519", "curve25519-sha256", "0"
			if err := os.WriteFile(file, []byte(head+"\n"+strings.Join(fields, " ")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			n, o := f.trips(l.client, second, "KexAlgorithms=curve25519-sha256,ecdh-sha2-nistp256")
			if n > 4 || !strings.Contains(o.Log, "kex: algorithm: curve25519-sha256") {
				t.Errorf("%d round trips after a wrong guess, want at most 4\n%s", n, o.Log)
			}
		})
	}
}

// TestEarlyMessages logs in to every kind of server three times: what is
// remembered of it must never be what it cannot bear.
func TestEarlyMessages(t *testing.T) {
	l := newLab(t)
	for _, d := range rig.Daemons() {
		t.Run(d.Name, func(t *testing.T) {
			s := l.start(t, d, rig.ServerOptions{HostKeys: []string{"ed25519"}})
			f := newFlights(t, l, s)
			for i := range 3 {
				n, o := f.trips(l.client)
				if n > 8 { // slow servers say in two rounds what others say in one
					t.Errorf("login %d takes %d round trips\n%s", i+1, n, o.Log)
				}
				if strings.Count(o.Log, "Connecting to ") != 1 {
					t.Errorf("login %d takes two connections\n%s", i+1, o.Log)
				}
			}
		})
	}
}
