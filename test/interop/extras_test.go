package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/test/interop/rig"
)

// What is tried beside algorithms, between our programs and OpenSSH's.

// couple is one client and one server of which one is ours.
type couple struct {
	tool   *rig.Tool
	daemon *rig.Daemon
}

func (c couple) String() string { return c.tool.Name + " to " + c.daemon.Name }

func couples(l *lab) []couple {
	var out []couple
	for _, name := range []string{"openssh", "openssh10"} {
		out = append(out, couple{l.client, rig.DaemonByName(name)}, couple{rig.ToolByName(name), l.daemon})
	}
	return append(out, couple{l.client, l.daemon})
}

// each runs f for every couple with a server started with o.
func (l *lab) each(t *testing.T, o rig.ServerOptions, f func(t *testing.T, c couple, s *rig.Server)) {
	for _, c := range couples(l) {
		t.Run(c.String(), func(t *testing.T) {
			if c.tool.Program(l.w) == "" {
				missing(t, c.tool.Name)
			}
			f(t, c, l.start(t, c.daemon, o))
		})
	}
}

func TestCompression(t *testing.T) {
	l := newLab(t)
	l.each(t, rig.ServerOptions{}, func(t *testing.T, c couple, s *rig.Server) {
		l.try(t, c.tool, &rig.Request{Server: s, Options: []string{"Compression=yes"}})
	})
}

// The server asks for new keys, again and again.
func TestServerRekeys(t *testing.T) {
	l := newLab(t)
	l.each(t, rig.ServerOptions{Rekey: "100K"}, func(t *testing.T, c couple, s *rig.Server) {
		l.try(t, c.tool, &rig.Request{Server: s, Kex: "curve25519-sha256", Rekey: "1G"})
	})
}

// Both ask at once, with the smallest limit that OpenSSH's own tests use.
func TestBothRekey(t *testing.T) {
	l := newLab(t)
	l.each(t, rig.ServerOptions{Rekey: "64K"}, func(t *testing.T, c couple, s *rig.Server) {
		l.try(t, c.tool, &rig.Request{Server: s, Kex: "curve25519-sha256", Rekey: "64K"})
	})
}

func TestPassword(t *testing.T) {
	l := newLab(t)
	if !l.w.Root {
		t.Skip("peer lacks an account with a known password: not root")
	}
	l.each(t, rig.ServerOptions{}, func(t *testing.T, c couple, s *rig.Server) {
		if strings.Contains(s.Log(), "Unsupported option PasswordAuthentication") {
			t.Skipf("peer lacks passwords: %s says so itself", c.daemon.Name)
		}
		l.try(t, c.tool, &rig.Request{Server: s, Password: true})
	})
}

func TestTerminal(t *testing.T) {
	l := newLab(t)
	l.each(t, rig.ServerOptions{}, func(t *testing.T, c couple, s *rig.Server) {
		r := &rig.Request{Server: s, TTY: true, Verbose: true, Command: `test -t 0 && test -t 1 && test -t 2 && echo "terminal $TERM"; exit 5`}
		t.Setenv("TERM", "vt220")
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		o, err := l.w.Run(ctx, c.tool, r, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(o.Stdout)); got != "terminal vt220" || o.Code != 5 {
			t.Errorf("%q, status %d\nstderr: %s\nclient's log: %s\nserver's log: %s", got, o.Code, o.Stderr, tail(o.Log), tail(s.Log()))
		}
	})
}

// Certificates of users and hosts, made by the stock ssh-keygen.
func TestCertificates(t *testing.T) {
	l := newLab(t)
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %q: %v: %s", args, err, out)
		}
	}
	ca := l.w.Path("ca")
	keygen("-q", "-t", "ed25519", "-N", "", "-f", ca)
	var config []string
	config = append(config, "TrustedUserCAKeys "+ca+".pub", "AuthorizedKeysFile none")
	for _, k := range rig.KeyTypes {
		keygen("-q", "-s", ca, "-I", "user", "-n", l.w.User, "-V", "-1m:+1h", l.w.UserKey(k.Name)+".pub")
		keygen("-q", "-s", ca, "-I", "host", "-h", "-n", "example.test", "-V", "-1m:+1h", l.w.HostKey(k.Name)+".pub")
		config = append(config, "HostCertificate "+l.w.HostKey(k.Name)+"-cert.pub")
	}
	pub, err := os.ReadFile(ca + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	known := l.w.Path("known_ca")
	if err := os.WriteFile(known, append([]byte("@cert-authority *.test "), pub...), 0o644); err != nil {
		t.Fatal(err)
	}
	// Beside the keys the other tests would offer them.
	t.Cleanup(func() {
		certs, _ := filepath.Glob(l.w.Path("*-cert.pub"))
		for _, f := range certs {
			os.Remove(f)
		}
	})
	l.each(t, rig.ServerOptions{Config: config}, func(t *testing.T, c couple, s *rig.Server) {
		for _, k := range rig.KeyTypes {
			for _, a := range rig.HostKeyAlgorithms(k.Name) {
				if a == "ssh-rsa" {
					continue // SHA-1 in certificates: off on both sides
				}
				t.Run(a, func(t *testing.T) {
					cert := a + "-cert-v01@openssh.com"
					l.try(t, c.tool, &rig.Request{Server: s, Key: k.Name, HostKeyAlgorithm: cert, UserKeyAlgorithm: cert, Kex: "curve25519-sha256",
						Options: []string{"UserKnownHostsFile=" + known, "HostKeyAlias=example.test", "CASignatureAlgorithms=ssh-ed25519"}})
				})
			}
		}
	})
}

// How a program ends reaches the other side: any status, and a signal.
func TestStatus(t *testing.T) {
	l := newLab(t)
	l.each(t, rig.ServerOptions{}, func(t *testing.T, c couple, s *rig.Server) {
		for _, e := range []struct {
			command string
			want    int
		}{{"exit 0", 0}, {"exit 1", 1}, {"exit 254", 254}, {"exit 255", 255}, {"kill -TERM $$", 255}, {"no-such-program-here", 127}} {
			o, err := l.w.Run(t.Context(), c.tool, &rig.Request{Server: s, Command: e.command}, bytes.NewReader(nil))
			if err != nil {
				t.Fatal(err)
			}
			if o.Code != e.want {
				t.Errorf("%s: status %d, want %d\nstderr: %s", e.command, o.Code, e.want, o.Stderr)
			}
		}
	})
}

// Many bytes on both streams, both ways at once, of sizes that fit no packet.
func TestStreams(t *testing.T) {
	l := newLab(t)
	const n = 3_000_001
	l.each(t, rig.ServerOptions{}, func(t *testing.T, c couple, s *rig.Server) {
		command := fmt.Sprintf("head -c %d /dev/zero | tr '\\0' e >&2 & head -c %d /dev/zero | tr '\\0' o; cat >/dev/null; wait", n, n)
		o, err := l.w.Run(t.Context(), c.tool, &rig.Request{Server: s, Command: command}, bytes.NewReader(bytes.Repeat(l.data, 3)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(o.Stdout, bytes.Repeat([]byte("o"), n)) || !bytes.Equal(o.Stderr, bytes.Repeat([]byte("e"), n)) || o.Code != 0 {
			t.Errorf("%d bytes of output, %d of errors, status %d; want %d each", len(o.Stdout), len(o.Stderr), o.Code, n)
		}
	})
}
