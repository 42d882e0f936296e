package agent_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
)

// stockPrograms finds a program of OpenSSH in each release that is there: the
// system's, and the one that `make peers` unpacks.
func stockPrograms(t *testing.T, name string) []string {
	t.Helper()
	var l []string
	if p, err := exec.LookPath(name); err == nil {
		l = append(l, p)
	}
	if p, err := filepath.Abs("../build/peers/openssh-10/usr/bin/" + name); err == nil {
		if _, err := os.Stat(p); err == nil {
			l = append(l, p)
		}
	}
	if len(l) == 0 {
		t.Skip("peer lacks " + name)
	}
	return l
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "na")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// stockAgent runs ssh-agent and connects to it.
func stockAgent(t *testing.T, program string) func() *agent.Client {
	t.Helper()
	socket := filepath.Join(shortDir(t), "s")
	c := exec.Command(program, "-D", "-a", socket)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	// It prints its variables when it listens.
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return func() *agent.Client {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return agent.NewClient(conn)
	}
}

func TestStockAgent(t *testing.T) {
	for _, program := range stockPrograms(t, "ssh-agent") {
		t.Run(strings.ReplaceAll(filepath.Dir(program), "/", "_"), func(t *testing.T) {
			dial := stockAgent(t, program)
			exercise(t, dial(), func(k testKey) bool { return k.tok != nil || k.name == "mldsa" })
			c := dial()
			for _, k := range testKeys() {
				if k.tok == nil {
					continue
				}
				// A security key goes in, and comes back as a public key.
				if err := c.Add(agent.AddedKey{PrivateKey: k.raw, Comment: "token", ConstraintExtensions: []agent.ConstraintExtension{agent.SKProvider("internal")}}); err != nil {
					t.Errorf("%s: %v", k.name, err)
				}
			}
			if err := c.Add(agent.AddedKey{PrivateKey: keyOf("ed25519").raw, LifetimeSecs: 100, ConfirmBeforeUse: true}); err != nil {
				t.Error(err)
			}
			if l, err := c.List(); err != nil || len(l) != 3 {
				t.Errorf("%d keys: %v", len(l), err)
			}
			if _, err := c.Extension("unknown@example.com", nil); !errors.Is(err, agent.ErrExtensionUnsupported) {
				t.Errorf("unknown extension: %v", err)
			}
			if err := c.RemoveAll(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The same walk along hops with a stock agent and with ours: they agree.
func TestStockAgentDestinations(t *testing.T) {
	for _, program := range stockPrograms(t, "ssh-agent") {
		t.Run(strings.ReplaceAll(filepath.Dir(program), "/", "_"), func(t *testing.T) {
			a, b, evil := newHost(t), newHost(t), newHost(t)
			key := keyOf("P-256")
			ext, err := agent.RestrictDestination([]agent.Destination{
				{To: hop("ann", "a", a)},
				{From: hop("", "a", a), To: hop("b*", "b", b)},
			})
			if err != nil {
				t.Fatal(err)
			}
			stock := stockAgent(t, program)
			ring := fullRing()
			ours := func() *agent.Client { return agent.NewClient(serve(t, ring)) }
			for _, dial := range []func() *agent.Client{stock, ours} {
				if err := dial().Add(agent.AddedKey{PrivateKey: key.raw, ConstraintExtensions: []agent.ConstraintExtension{ext}}); err != nil {
					t.Fatal(err)
				}
			}
			hosts := []pubkey.Signer{a, b, evil}
			// Every way of up to two bindings, and every request at its end.
			var ways [][]int // 2*host + forwarding
			ways = append(ways, nil)
			for i := range 6 {
				ways = append(ways, []int{i})
				for j := range 6 {
					ways = append(ways, []int{i, j})
				}
			}
			for _, way := range ways {
				s, o := stock(), ours()
				id := "none"
				for n, step := range way {
					id = fmt.Sprintf("session%d", n)
					for _, c := range []*agent.Client{s, o} {
						err := bind(t, c, hosts[step/2], id, step%2 == 1)
						if n == 1 && way[0]%2 == 0 {
							if err == nil {
								t.Fatalf("%v: bound after a login", way)
							}
						} else if err != nil {
							t.Fatalf("%v: %v", way, err)
						}
					}
				}
				ls, err1 := s.List()
				lo, err2 := o.List()
				if err1 != nil || err2 != nil || len(ls) != len(lo) {
					t.Errorf("%v: the stock agent shows %d keys, ours %d: %v %v", way, len(ls), len(lo), err1, err2)
				}
				for _, user := range []string{"ann", "bob"} {
					for h := -1; h < 3; h++ {
						var hk pubkey.PublicKey
						if h >= 0 {
							hk = hosts[h].PublicKey()
						}
						data := authData([]byte(id), user, key.pub, hk)
						_, err1 := s.Sign(key.pub, data)
						_, err2 := o.Sign(key.pub, data)
						if (err1 == nil) != (err2 == nil) {
							t.Errorf("%v, %s, host %d: stock: %v, ours: %v", way, user, h, err1, err2)
						}
					}
				}
			}
		})
	}
}

// ssh-add with our agent.
func TestStockAdd(t *testing.T) {
	for _, program := range stockPrograms(t, "ssh-add") {
		t.Run(strings.ReplaceAll(filepath.Dir(program), "/", "_"), func(t *testing.T) {
			dir := shortDir(t)
			ring := fullRing()
			l, err := net.Listen("unix", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { _ = agent.ServeAgent(ring, c); c.Close() }()
				}
			}()
			if err := os.WriteFile(filepath.Join(dir, "askpass"), []byte("#!/bin/sh\necho secret\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			run := func(want int, args ...string) string {
				t.Helper()
				c := exec.Command(program, args...)
				c.Dir = dir
				c.Env = append(os.Environ(), "SSH_AUTH_SOCK="+filepath.Join(dir, "s"), "SSH_ASKPASS="+filepath.Join(dir, "askpass"), "SSH_ASKPASS_REQUIRE=force", "HOME="+dir)
				out, err := c.CombinedOutput()
				if got := c.ProcessState.ExitCode(); got != want {
					t.Errorf("ssh-add %v: status %d, not %d: %v\n%s", args, got, want, err, out)
				}
				return string(out)
			}
			write := func(name string, b []byte) string {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
				return name
			}
			if out := run(1, "-l"); !strings.Contains(out, "The agent has no identities.") {
				t.Error(out)
			}
			lines := ""
			for _, k := range testKeys() {
				if k.name == "mldsa" || k.tok != nil {
					continue
				}
				file, err := keyfile.MarshalPrivateKey(k.raw, "c of "+k.name, keyfile.MarshalOptions{Passphrase: []byte("secret"), Rounds: 1})
				if err != nil {
					t.Fatal(err)
				}
				write(k.name, file)
				write(k.name+".pub", keyfile.MarshalPublicKeyLine(k.pub, "c of "+k.name))
				write(k.name+"-cert.pub", keyfile.MarshalPublicKeyLine(certFor(t, k), "c of "+k.name))
				out := run(0, "-t", "1000", "-c", k.name)
				for _, want := range []string{"Identity added: " + k.name + " (c of " + k.name + ")", "Certificate added: " + k.name + "-cert.pub (id)", "Lifetime set to 1000 seconds"} {
					if !strings.Contains(out, want) {
						t.Errorf("%s: no %q in\n%s", k.name, want, out)
					}
				}
				run(0, "-T", k.name+".pub")
				lines += fmt.Sprintf("%d %s c of %s (%s)\n%d %s c of %s (%s-CERT)\n", pubkey.Bits(k.pub), pubkey.FingerprintSHA256(k.pub), k.name, pubkey.TypeName(k.pub),
					pubkey.Bits(k.pub), pubkey.FingerprintSHA256(k.pub), k.name, pubkey.TypeName(k.pub))
			}
			if out := run(0, "-l"); out != lines {
				t.Errorf("ssh-add -l:\n%swant\n%s", out, lines)
			}
			if out := run(0, "-L"); !strings.Contains(out, string(keyfile.MarshalPublicKeyLine(keyOf("rsa").pub, "c of rsa"))) {
				t.Errorf("ssh-add -L:\n%s", out)
			}
			run(0, "-x")
			run(1, "-l")
			if _, err := ring.Sign(keyOf("rsa").pub, nil); !errors.Is(err, agent.ErrLocked) {
				t.Errorf("after ssh-add -x: %v", err)
			}
			run(0, "-X")
			run(0, "-l")
			run(0, "-d", "ed25519")
			if out := run(0, "-l"); strings.Contains(out, "ED25519") {
				t.Errorf("after ssh-add -d:\n%s", out)
			}
			// Destinations from a known_hosts file.
			a, b := newHost(t), newHost(t)
			write("kh", []byte("a "+string(keyfile.MarshalPublicKeyLine(a.PublicKey(), ""))+"b "+string(keyfile.MarshalPublicKeyLine(b.PublicKey(), ""))))
			run(0, "-D")
			run(0, "-H", "kh", "-h", "ann@a", "-h", "a>b", "rsa")
			conn, err := net.Dial("unix", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := agent.NewClient(conn)
			if err := bind(t, c, a, "s1", true); err != nil {
				t.Fatal(err)
			}
			if err := bind(t, c, b, "s2", false); err != nil {
				t.Fatal(err)
			}
			if _, err := c.SignWithFlags(keyOf("rsa").pub, authData([]byte("s2"), "x", keyOf("rsa").pub, b.PublicKey()), agent.SignatureFlagRsaSha512); err != nil {
				t.Errorf("a>b: %v", err)
			}
			run(0, "-D")
			run(1, "-l")
		})
	}
}
