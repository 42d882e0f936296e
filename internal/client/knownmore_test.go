package client

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/nacre-ssh/nacre/ssh"
)

// nameServer is a name server in this process that answers every question
// with records, and sets AD if it is told to. By UDP it says cut when the
// answer is to be fetched by TCP.
func nameServer(t *testing.T, ad, cut bool, code dnsmessage.RCode, records ...[]byte) *Resolver {
	t.Helper()
	answer := func(q []byte, udp bool) []byte {
		var m dnsmessage.Message
		if m.Unpack(q) != nil || len(m.Questions) != 1 || len(m.Additionals) != 1 || !m.Additionals[0].Header.DNSSECAllowed() {
			return nil
		}
		m.Response, m.AuthenticData, m.RCode, m.Truncated = true, ad, code, cut && udp
		for _, r := range records {
			if m.Truncated {
				break
			}
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, Type: typeSSHFP},
				Body:   &dnsmessage.UnknownResource{Type: typeSSHFP, Data: r},
			})
		}
		out, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return out
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); u.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			a := answer(buf[:n], true)
			wrong := slices.Clone(a)
			wrong[0] ^= 1
			u.WriteTo(wrong, from) // of another question: passed over
			u.WriteTo(a, from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			n, _ := c.Read(buf)
			if n > 2 {
				a := answer(buf[2:n], false)
				c.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...))
			}
			c.Close()
		}
	}()
	return &Resolver{Servers: []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())}, TrustAD: true}
}

// CLI-9: only validated answers of DNS vouch for a key, and one record that
// speaks against it outweighs all others.
func TestVerifyHostKeyDNS(t *testing.T) {
	_, s := key(t)
	_, other := key(t)
	k := s.PublicKey()
	record := func(k ssh.PublicKey, hash byte) []byte {
		if hash == 1 {
			d := sha1.Sum(k.Marshal())
			return append([]byte{4, 1}, d[:]...)
		}
		d := sha256.Sum256(k.Marshal())
		return append([]byte{4, 2}, d[:]...)
	}
	good, bad, old := record(k, 2), record(other.PublicKey(), 1), record(k, 1)
	foreign := append([]byte{1}, good[1:]...)
	for _, c := range []struct {
		name, text string
		ad, cut    bool
		code       dnsmessage.RCode
		records    [][]byte
		ok         bool
		log        string
	}{
		{"validated", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, [][]byte{good}, true, "found 1 secure fingerprints in DNS"},
		{"by TCP", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, true, 0, [][]byte{good, old}, true, "found 2 secure"},
		{"SHA-1", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, [][]byte{old}, true, "matching host key fingerprint found in DNS"},
		{"not validated", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", false, false, 0, [][]byte{good}, false, "found 1 insecure fingerprints in DNS"},
		{"ask", "VerifyHostKeyDNS ask\nStrictHostKeyChecking yes", true, false, 0, [][]byte{good}, false, "No ED25519 host key is known for h.example"},
		{"one against", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, [][]byte{good, bad}, false, "Update the SSHFP RR in DNS with the new host key to get rid of this message."},
		{"changed", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, [][]byte{bad}, false, "REMOTE HOST IDENTIFICATION HAS CHANGED"},
		{"other kind of key", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, [][]byte{foreign}, false, "mismatching host key fingerprint"},
		{"no record", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, 0, nil, false, "DNS lookup error: data does not exist"},
		{"no name", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, dnsmessage.RCodeNameError, nil, false, "DNS lookup error: name does not exist"},
		{"failure", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes", true, false, dnsmessage.RCodeServerFailure, nil, false, "DNS lookup error: general failure"},
		{"address", "VerifyHostKeyDNS yes\nStrictHostKeyChecking yes\nHostKeyAlias x\nHostname 192.0.2.7", true, false, 0, [][]byte{good}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, c.text, "")
			if c.name == "address" {
				r.h.Conf.Hostname = "192.0.2.7"
			}
			r.h.Resolver = nameServer(t, c.ad, c.cut, c.code, c.records...)
			if err := r.check(k); (err == nil) != c.ok {
				t.Errorf("%v\n%s", err, r.log.String())
			}
			if !strings.Contains(r.log.String(), c.log) {
				t.Errorf("the log lacks %q:\n%s", c.log, r.log.String())
			}
		})
	}
	// The question says what DNS said.
	for want, records := range map[string][][]byte{"Matching host key fingerprint found in DNS.": {good}, "No matching host key fingerprint found in DNS.": nil} {
		r := newHostRig(t, "VerifyHostKeyDNS yes\nStrictHostKeyChecking ask", "")
		r.h.Ask = dialog(t, "case \"$1\" in *'"+want+"'*) echo yes;; *) echo no;; esac")
		r.h.Resolver = nameServer(t, false, false, 0, records...)
		if err := r.check(k); err != nil {
			t.Errorf("%s: %v\n%s", want, err, r.log.String())
		}
	}
}

func TestSystemResolver(t *testing.T) {
	for text, want := range map[string]string{
		"nameserver 192.0.2.1\nnameserver ::1\noptions timeout:2 attempts:1\n": "[192.0.2.1:53 [::1]:53] false 2s 1",
		"nameserver 127.0.0.53\n":                        "[127.0.0.53:53] true 0s 0",
		"nameserver 192.0.2.1\noptions edns0 trust-ad\n": "[192.0.2.1:53] true 0s 0",
		"# none\n": "[127.0.0.1:53] true 0s 0",
	} {
		r := SystemResolver(write(t, t.TempDir(), "resolv.conf", []byte(text)), func(string) string { return "" })
		var servers []string
		for _, s := range r.Servers {
			servers = append(servers, s.String())
		}
		got := "[" + strings.Join(servers, " ") + "] " + map[bool]string{true: "true", false: "false"}[r.TrustAD] + " " + r.Timeout.String() + " " + string(rune('0'+r.Attempts))
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// FuzzSSHFP: no answer of a name server does harm.
func FuzzSSHFP(f *testing.F) {
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, AuthenticData: true}}
	name := dnsmessage.MustNewName("h.example.")
	m.Questions = []dnsmessage.Question{{Name: name, Type: typeSSHFP, Class: dnsmessage.ClassINET}}
	m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.UnknownResource{Type: typeSSHFP, Data: []byte{4, 2, 1, 2, 3}}}}
	seed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := &Resolver{}
		records, secure, err := r.read(answer)
		if secure || len(records) > maxSSHFP || err != nil && len(records) > 0 {
			t.Errorf("%d records, secure %v, %v", len(records), secure, err)
		}
	})
}

// CLI-12: KnownHostsCommand is started without a shell, and its tokens are
// words of their own whatever they hold.
func TestKnownHostsCommand(t *testing.T) {
	_, s := key(t)
	k := s.PublicKey()
	dir := t.TempDir()
	script := func(text string) string {
		file := filepath.Join(dir, "command")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	entry := strings.TrimSuffix(line("h.example", k), "\n")
	for _, c := range []struct {
		name, script, text string
		ok                 bool
		log                string
	}{
		{"known", "echo '" + entry + "'", "", true, "Found key in KnownHostsCommand-HOSTNAME:1"},
		{"unknown", "echo '# nothing'", "StrictHostKeyChecking yes", false, "No ED25519 host key is known"},
		{"fails", "echo '" + entry + "'; exit 3", "", false, "failed, status 3"},
		{"tokens", `[ "$1 $2 $4" = "HOSTNAME h.example ssh-ed25519" ] && case "$3" in SHA256:*) echo "$2 $4 $5";; esac`, "", true, ""},
		{"address", `[ "$1" = ADDRESS ] && echo "$2 $4 $5"; exit 0`, "CheckHostIP yes\nStrictHostKeyChecking yes", false, "No ED25519 host key is known"},
		{"other words", `[ "$6" = '$(touch x) ;' ] && echo "$2 $4 $5"`, "", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, "KnownHostsCommand "+script(c.script)+" %I %H %f %t %K '$(touch x) ;'\n"+c.text, "")
			if err := r.check(k); (err == nil) != c.ok {
				t.Errorf("%v\n%s", err, r.log.String())
			}
			if !strings.Contains(r.log.String(), c.log) {
				t.Errorf("the log lacks %q:\n%s", c.log, r.log.String())
			}
		})
	}
	r := newHostRig(t, "KnownHostsCommand "+script(`[ "$1 $2 $3 $4 $5" = "ORDER h.example NONE NONE NONE" ] && echo "h.example ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8fr1Vv3H0Xb1wHlwZ1kQ1m0t2X3M5vJ6Qk1eFfVn5zY3k1D2V4rj0j3qv8b3R8Q9mQ2f7YkJgkq5b0b8o4xW8zq3m5n5w2m7a1c3e5g7i9k1m3o5q7s9u1w3y5A7C9E1G3I5K7M9O1Q3S5U7W9Y1a3c5e7g9"`)+" %I %H %f %t %K", "")
	if _, err := r.h.Algorithms(t.Context()); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"KnownHostsCommand relative", "KnownHostsCommand /nonexistent/x"} {
		r := newHostRig(t, text, "")
		if _, err := r.h.Algorithms(t.Context()); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// TestVisualHostKey: the picture is that of ssh-keygen.
func TestVisualHostKey(t *testing.T) {
	_, s := key(t)
	k := s.PublicKey()
	file := write(t, t.TempDir(), "k.pub", []byte(k.Type()+" "+strings.Fields(string(ssh.MarshalAuthorizedKey(k)))[1]+"\n"))
	for _, hash := range []string{"sha256", "md5"} {
		out, err := exec.Command("ssh-keygen", "-lv", "-E", hash, "-f", file).Output()
		if err != nil {
			t.Skip("peer lacks ssh-keygen")
		}
		_, art, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), "\n")
		r := newHostRig(t, "VisualHostKey yes\nFingerprintHash "+hash, line("h.example", k))
		if err := r.check(k); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ReplaceAll(r.log.String(), "\r", ""), "Host key fingerprint is ") || !strings.Contains(r.log.String(), art) {
			t.Errorf("%s: the log lacks the picture\n%s\nhas\n%s", hash, art, r.log.String())
		}
		r = newHostRig(t, "VisualHostKey yes\nStrictHostKeyChecking ask\nFingerprintHash "+hash, "")
		r.h.Ask = dialog(t, "case \"$1\" in *'"+art+"'*) echo yes;; *) echo no;; esac")
		if err := r.check(k); err != nil {
			t.Errorf("%s: the question lacks the picture", hash)
		}
	}
}

func TestRevokedHostKeys(t *testing.T) {
	_, s := key(t)
	_, other := key(t)
	k := s.PublicKey()
	dir := t.TempDir()
	text := write(t, dir, "text", []byte("# revoked\n"+strings.TrimPrefix(line("x", k), "x ")))
	innocent := write(t, dir, "innocent", []byte(strings.TrimPrefix(line("x", other.PublicKey()), "x ")))
	pub := write(t, dir, "k.pub", []byte(strings.TrimPrefix(line("x", k), "x ")))
	list := filepath.Join(dir, "krl")
	for name, c := range map[string]struct {
		files string
		ok    bool
		log   string
	}{
		"text":    {text, false, "revoked by file " + text},
		"other":   {innocent, true, ""},
		"second":  {innocent + " " + text, false, "revoked by file"},
		"missing": {filepath.Join(dir, "none"), false, "Error checking host key"},
		"broken":  {write(t, dir, "broken", []byte("nonsense\n")), false, "Error checking host key"},
		"binary":  {list, false, "revoked by file " + list},
	} {
		if name == "binary" {
			if err := exec.Command("ssh-keygen", "-q", "-k", "-f", list, pub).Run(); err != nil {
				continue
			}
		}
		r := newHostRig(t, "RevokedHostKeys "+c.files, line("h.example", k))
		if err := r.check(k); (err == nil) != c.ok || !strings.Contains(r.log.String(), c.log) {
			t.Errorf("%s: %v\n%s", name, err, r.log.String())
		}
	}
}

func TestUpdateHostKeys(t *testing.T) {
	var keys []ssh.PublicKey
	for range 4 {
		_, s := key(t)
		keys = append(keys, s.PublicKey())
	}
	k, second, third, foreign := keys[0], keys[1], keys[2], keys[3]
	for _, c := range []struct {
		name, text, lines string
		offered           []ssh.PublicKey
		prove             error
		want              string // "" for unchanged
		log               string
	}{
		{"learns", "UpdateHostKeys yes", "# top\n" + line("h.example", k) + line("z", foreign), []ssh.PublicKey{k, second}, nil, "# top\n" + line("h.example", k) + line("z", foreign) + line("h.example", second), "Learned new hostkey: ED25519 "},
		{"drops", "UpdateHostKeys yes", line("h.example", third) + "# comment\n" + line("h.example", k), []ssh.PublicKey{k}, nil, "# comment\n" + line("h.example", k), "Deprecating obsolete hostkey: ED25519 "},
		{"no proof", "UpdateHostKeys yes", line("h.example", k), []ssh.PublicKey{k, second}, errors.New("no"), "", "Server failed to confirm ownership of private host keys"},
		{"nothing new", "UpdateHostKeys yes", line("h.example", k), []ssh.PublicKey{k}, nil, "", "no new or deprecated keys from server"},
		{"off", "UpdateHostKeys no", line("h.example", k), []ssh.PublicKey{k, second}, nil, "", ""},
		{"default with a file given", "", line("h.example", k), []ssh.PublicKey{k, second}, nil, "", ""},
		{"asked, yes", "UpdateHostKeys ask\nRequestTTY yes", line("h.example", k), []ssh.PublicKey{k, second}, nil, line("h.example", k) + line("h.example", second), "The server has updated its host keys."},
		{"batch", "UpdateHostKeys ask\nRequestTTY yes\nBatchMode yes", line("h.example", k), []ssh.PublicKey{k, second}, nil, "", ""},
		{"another's too", "UpdateHostKeys yes", line("h.example", k) + line("z", second), []ssh.PublicKey{k, second}, nil, "", "host key found matching a different name/address"},
		{"dropped is another's", "UpdateHostKeys yes", line("h.example", k) + line("h.example", third) + line("z", third), []ssh.PublicKey{k}, nil, "", "key to be removed is known under a different name"},
		{"wildcard", "UpdateHostKeys yes", line("h.example", k) + "*.example" + strings.TrimPrefix(line("x", third), "x"), []ssh.PublicKey{k, second}, nil, "", "wildcard host pattern found"},
		{"twice the same", "UpdateHostKeys yes", line("h.example", k), []ssh.PublicKey{k, second, second}, nil, "", "received duplicated"},
		{"hashed", "UpdateHostKeys yes\nHashKnownHosts yes", line("h.example", k), []ssh.PublicKey{k, second}, nil, "|1|", "Learned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, "LogLevel DEBUG3\n"+c.text, c.lines)
			if err := r.check(k); err != nil {
				t.Fatal(err)
			}
			r.h.Learn(t.Context(), c.offered, func(asked []ssh.PublicKey) error {
				if len(asked) != 1 || asked[0] != second {
					t.Errorf("asked to prove %d keys", len(asked))
				}
				return c.prove
			})
			data, _ := os.ReadFile(r.file)
			want := c.want
			if want == "" {
				want = c.lines
			}
			if got := string(data); got != want && !(want == "|1|" && strings.Contains(got, "\n|1|")) {
				t.Errorf("file is\n%s\nwant\n%s\n%s", got, want, r.log.String())
			}
			if !strings.Contains(r.log.String(), c.log) {
				t.Errorf("the log lacks %q:\n%s", c.log, r.log.String())
			}
		})
	}
	// Whoever is not known by a line of the user's teaches nothing.
	r := newHostRig(t, "UpdateHostKeys yes\nStrictHostKeyChecking accept-new", "")
	if err := r.check(k); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(r.file)
	r.h.Learn(context.Background(), []ssh.PublicKey{k, second}, func([]ssh.PublicKey) error { t.Error("asked for proof"); return nil })
	if after, _ := os.ReadFile(r.file); string(after) != string(before) {
		t.Errorf("learned from an unknown host: %s", after)
	}
}
