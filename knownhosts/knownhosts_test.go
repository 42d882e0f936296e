package knownhosts

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	xssh "golang.org/x/crypto/ssh"
	xknown "golang.org/x/crypto/ssh/knownhosts"
)

func newSigner(t testing.TB) pubkey.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pubkey.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newKey(t testing.TB) Key { return newSigner(t).PublicKey() }

func newECDSA(t testing.TB) Key {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := pubkey.NewPublicKey(&priv.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func text(k Key) string { return keyText(k) }

func hosts(lines ...string) *Hosts {
	return &Hosts{Files: []*File{Parse("known_hosts", []byte(strings.Join(lines, "\n")+"\n"))}}
}

func places(list []Entry) string {
	var out []string
	for _, e := range list {
		out = append(out, strings.TrimPrefix(e.Place(), "known_hosts:"))
	}
	return strings.Join(out, " ")
}

func TestLookup(t *testing.T) {
	a, b, c := newKey(t), newKey(t), newECDSA(t)
	h := hosts(
		"# comment",
		"one,two "+text(a)+" comment",
		"one "+text(b),
		"*.wild,!not.wild "+text(a),
		HashName("hashed")+" "+text(a),
		"[port]:2222 "+text(a),
		"@revoked three "+text(a),
		"three "+text(a),
		"@revoked * "+text(c),
		"UPPER "+text(a),
		"four "+text(c),
	)
	for _, tc := range []struct {
		name      string
		key       Key
		verdict   Verdict
		matches   string
		offending string
	}{
		{"one", a, Match, "2", ""},
		{"one", b, Match, "3", ""},
		{"one", c, IsRevoked, "", "9"},
		{"two", b, Changed, "", "2"},
		{"zero", a, Unknown, "", ""},
		{"x.wild", a, Match, "4", ""},
		{"not.wild", a, Unknown, "", ""},
		{"hashed", a, Match, "5", ""},
		{"HASHED", a, Match, "5", ""},
		{"hashed", b, Changed, "", "5"},
		{"[port]:2222", a, Match, "6", ""},
		{"port", a, Unknown, "", ""},
		{"three", a, IsRevoked, "", "7"},
		{"three", b, Changed, "", "8"},
		{"upper", a, Match, "10", ""},
		{"four", c, IsRevoked, "", "9"},
	} {
		r := h.Lookup(tc.name, tc.key)
		if r.Verdict != tc.verdict || places(r.Matches) != tc.matches || places(r.Offending) != tc.offending {
			t.Errorf("%s %s: %v, matches %q, offending %q; want %v, %q, %q", tc.name, tc.key.Type(), r.Verdict, places(r.Matches), places(r.Offending), tc.verdict, tc.matches, tc.offending)
		}
	}
	if r := h.CheckHost("one", 2222, a); r.Verdict != Match || !r.WithoutPort {
		t.Errorf("one:2222: %v, %v: a host with a port may be known without it", r.Verdict, r.WithoutPort)
	}
	if r := h.CheckHost("port", 2222, b); r.Verdict != Changed {
		t.Errorf("port:2222: %v", r.Verdict)
	}
	if r := h.CheckHost("two", 2222, b); r.Verdict != Unknown {
		t.Errorf("two:2222 with another key: %v, want unknown: the name without port says nothing against it", r.Verdict)
	}
	if got := places(h.OtherNames("one", a)); got != "4 5 6 8 10" {
		t.Errorf("OtherNames: %s", got)
	}
}

// TestBadLines is CLI-8: what is wrong with a line must not make it, or its
// neighbours, mean something else.
func TestBadLines(t *testing.T) {
	a := newKey(t)
	ec := newECDSA(t)
	blob := base64.StdEncoding.EncodeToString(a.Marshal())
	for _, tc := range []struct {
		line string
		want error
	}{
		{"@foo host " + text(a), ErrMarker},
		{"@revoked @cert-authority host " + text(a), ErrMarker},
		{"@cert-authority @revoked host " + text(a), ErrMarker},
		{"@Revoked host " + text(a), ErrMarker},
		{"@", ErrMarker},
		{"@revoked", ErrFields},
		{"host", ErrFields},
		{"host ssh-ed25519", ErrFields},
		{"host ssh-ed25519 ", ErrFields},
		{"host 1024 35 12345", ErrKeyType},
		{"host rsa-sha2-256 " + blob, ErrKeyType},
		{"host\u00a0" + text(a), ErrFields}, // a blank of Unicode is part of a word
		{"host ssh-ed25519\u2003" + blob, ErrFields},
		{"host " + text(a) + "\x00", ErrNUL},
		{"ho\x00st " + text(a), ErrNUL},
		{"host " + text(a) + " " + strings.Repeat("x", MaxLine), ErrTooLong},
	} {
		f := Parse("f", []byte(tc.line+"\nother "+text(a)+"\n"))
		if err := f.Lines[0].Err; !errors.Is(err, tc.want) {
			t.Errorf("%.60q: %v, want %v", tc.line, err, tc.want)
		}
		if f.Lines[0].Matches("host") || !f.Lines[1].Matches("other") || len(f.Lines) != 2 {
			t.Errorf("%.60q: counts, or hides its neighbour", tc.line)
		}
		if !bytes.Equal(f.Bytes(), []byte(tc.line+"\nother "+text(a)+"\n")) {
			t.Errorf("%.60q: not kept", tc.line)
		}
	}
	for _, line := range []string{
		"host ssh-rsa " + blob,                      // type is not the blob's
		"host ssh-ed25519 " + blob[:len(blob)-4],    // cut
		"host ssh-ed25519 " + blob + "AAAA",         // longer
		"host ssh-ed25519 !" + blob,                 // not base64
		"host ecdsa-sha2-nistp384 " + text(ec)[20:], // another curve
	} {
		h := hosts(line)
		if r := h.Lookup("host", a); r.Verdict != Unknown || len(r.Known) != 0 {
			t.Errorf("%q: %v", line, r.Verdict)
		}
	}
	// The longest line that counts, to the byte.
	pad := MaxLine - len("host "+text(a)+" ")
	for n, want := range map[int]Verdict{pad: Match, pad + 1: Unknown} {
		if r := hosts("host "+text(a)+" "+strings.Repeat("x", n)).Lookup("host", a); r.Verdict != want {
			t.Errorf("line of %d bytes: %v", MaxLine-pad+n, r.Verdict)
		}
	}
	// CR before LF is an editor's doing; a CR elsewhere is not a line end.
	if r := hosts("host "+text(a)+"\r").Lookup("host", a); r.Verdict != Match {
		t.Errorf("CR LF: %v", r.Verdict)
	}
	if r := hosts("# x\rhost "+text(a)).Lookup("host", a); r.Verdict != Unknown {
		t.Errorf("CR alone: %v", r.Verdict)
	}
}

func TestCertificates(t *testing.T) {
	ca, other, host := newSigner(t), newSigner(t), newSigner(t)
	now := time.Unix(1_800_000_000, 0)
	cert := func(change func(*pubkey.Certificate)) *pubkey.Certificate {
		c := &pubkey.Certificate{
			Key: host.PublicKey(), CertType: pubkey.HostCert, KeyId: "id", ValidPrincipals: []string{"a.example"},
			ValidAfter: uint64(now.Unix()) - 60, ValidBefore: uint64(now.Unix()) + 60,
		}
		if change != nil {
			change(c)
		}
		signer := ca
		if c.Serial == 99 {
			signer = other
		}
		if err := c.SignCert(rand.Reader, signer); err != nil {
			t.Fatal(err)
		}
		return c
	}
	good := cert(nil)
	authority := "@cert-authority *.example " + text(ca.PublicKey())
	for _, tc := range []struct {
		name  string
		lines []string
		host  string
		port  int
		key   Key
		want  Verdict
	}{
		{"good", []string{authority}, "a.example", 22, good, Match},
		{"good, port", []string{"@cert-authority [*.example]:* " + text(ca.PublicKey())}, "a.example", 2222, good, Match},
		{"good, authority without port", []string{authority}, "a.example", 2222, good, Match},
		{"upper case", []string{authority}, "A.Example", 22, good, Match},
		{"plain key of an authority is no host key", []string{authority}, "a.example", 22, ca.PublicKey(), Unknown},
		{"other principal", []string{authority}, "b.example", 22, good, Unknown},
		{"other domain", []string{authority}, "a.net", 22, cert(func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"a.net"} }), Unknown},
		{"no principals", []string{authority}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.ValidPrincipals = nil }), Unknown},
		{"expired", []string{authority}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.ValidBefore = uint64(now.Unix()) }), Unknown},
		{"user certificate", []string{authority}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.CertType = pubkey.UserCert }), Unknown},
		{"critical option", []string{authority}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }), Unknown},
		{"unknown authority", []string{authority}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.Serial = 99 }), Unknown},
		{"expired, plain key known", []string{authority, "a.example " + text(host.PublicKey())}, "a.example", 22, cert(func(c *pubkey.Certificate) { c.ValidBefore = uint64(now.Unix()) }), Match},
		{"unknown authority, plain key known", []string{"a.example " + text(host.PublicKey())}, "a.example", 22, good, Match},
		{"unknown authority, other key known", []string{"a.example " + text(other.PublicKey())}, "a.example", 22, good, Changed},
		{"revoked authority", []string{authority, "@revoked * " + text(ca.PublicKey())}, "a.example", 22, good, IsRevoked},
		{"revoked key", []string{authority, "@revoked * " + text(host.PublicKey())}, "a.example", 22, good, IsRevoked},
		{"revoked after plain", []string{"a.example " + text(host.PublicKey()), "@revoked a.example " + text(host.PublicKey())}, "a.example", 22, host.PublicKey(), IsRevoked},
	} {
		h := hosts(tc.lines...)
		h.Now = func() time.Time { return now }
		if r := h.CheckHost(tc.host, tc.port, tc.key); r.Verdict != tc.want {
			t.Errorf("%s: %v (%v), want %v", tc.name, r.Verdict, r.CertError, tc.want)
		}
	}
	h := hosts(authority)
	h.Now = func() time.Time { return now }
	for _, k := range []Key{host.PublicKey(), ca.PublicKey(), good} {
		h.RevokedKey = func(x Key) bool { return pubkey.Equal(x, k) }
		if r := h.CheckHost("a.example", 22, good); r.Verdict != IsRevoked {
			t.Errorf("RevokedKey %s: %v", k.Type(), r.Verdict)
		}
	}
}

func TestHostKeyAlgorithms(t *testing.T) {
	pref := pubkey.DefaultHostKeyAlgorithms()
	ed, ec := newKey(t), newECDSA(t)
	h := hosts("ed "+text(ed), "ec "+text(ec), "both "+text(ec), "both "+text(ed), "@cert-authority ca "+text(ed), "@revoked rev "+text(ed))
	if got := h.HostKeyAlgorithms("nobody", pref); !slices.Equal(got, pref) {
		t.Errorf("unknown host: %v", got)
	}
	// ssh-ed25519-cert leads the list and the plain Ed25519 key is known: the
	// list tells nothing (NEG-14).
	for _, name := range []string{"ed", "both"} {
		if got := h.HostKeyAlgorithms(name, pref); !slices.Equal(got, pref) {
			t.Errorf("%s: order changed: %v", name, got)
		}
	}
	got := h.HostKeyAlgorithms("ec", pref)
	if got[0] != pubkey.CertAlgoECDSA256v01 || got[1] != pubkey.KeyAlgoECDSA256 || got[2] != pref[0] || len(got) != len(pref) {
		t.Errorf("ec: %v", got)
	}
	got = h.HostKeyAlgorithms("ca", pref)
	if !strings.Contains(got[0], "-cert-") || !slices.Equal(got, pref) {
		t.Errorf("ca: %v", got) // certificates lead the default already
	}
	plainFirst := []string{"rsa-sha2-512", "ssh-ed25519", "rsa-sha2-512-cert-v01@openssh.com"}
	if got := h.HostKeyAlgorithms("ca", plainFirst); got[0] != plainFirst[2] {
		t.Errorf("ca: %v", got)
	}
	if got := h.HostKeyAlgorithms("rev", plainFirst); !slices.Equal(got, plainFirst) {
		t.Errorf("revoked keys are no reason to ask for them: %v", got)
	}
}

// TestAgainstXCrypto compares Check with golang.org/x/crypto/ssh/knownhosts.
func TestAgainstXCrypto(t *testing.T) {
	a, b, gone := newKey(t), newECDSA(t), newKey(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	lines := []string{
		"plain " + text(a), "list,more,[p]:2222 " + text(a), "*.wild,!no.wild " + text(b), "@revoked * " + text(gone), "gone " + text(gone),
		HashName("hashed") + " " + text(b), "[::1]:22 " + text(a), "10.0.0.1 " + text(b),
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, err := xknown.New(file)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := New(file)
	if err != nil {
		t.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}
	for _, host := range []string{"plain:22", "list:22", "more:22", "p:2222", "p:22", "x.wild:22", "no.wild:22", "gone:22", "hashed:22", "other:22", "10.0.0.1:22"} {
		for _, k := range []Key{a, b, gone} {
			xk, err := xssh.ParsePublicKey(k.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			want := theirs(host, addr, xk)
			got := ours.Check(context.Background(), host, addr, k)
			var xe *xknown.KeyError
			var xr *xknown.RevokedError
			var ke *KeyError
			var re *RevokedError
			same := (want == nil) == (got == nil) && errors.As(want, &xr) == errors.As(got, &re)
			if errors.As(want, &xe) {
				same = same && errors.As(got, &ke) && len(xe.Want) == len(ke.Want)
			}
			if !same {
				t.Errorf("%s %s: ours %v, x/crypto %v", host, k.Type(), got, want)
			}
		}
	}
}

func needKeygen(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("peer lacks ssh-keygen")
	}
}

// stockFile is a file with lines of every kind, good for ssh-keygen.
func stockFile(t *testing.T) string {
	a, b := newKey(t), newECDSA(t)
	return "# comment\n\na,b.example " + text(a) + " com ment\n  lead " + text(b) + "\n*.wild,!x.wild " + text(a) +
		"\n[p]:2222 " + text(a) + "\n@cert-authority *.ca " + text(a) + " ca\n@revoked a " + text(b) +
		"\ntab\t" + text(a) + "\nUpper.Example " + text(a) + "\nh1,H2 " + text(b) + " x\n" +
		HashName("hidden") + " " + text(a) + " y\n" + HashName("[hidden]:99") + " " + text(a) + "\nlast " + text(a)
}

func TestStockFind(t *testing.T) {
	needKeygen(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	data := stockFile(t)
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	f := Parse(file, []byte(data))
	for _, name := range []string{"a", "b.example", "lead", "foo.wild", "x.wild", "p", "[p]:2222", "P.CA", "x.ca", "tab", "upper.example", "UPPER.example", "h1", "h2", "H2", "hidden", "[hidden]:99", "last", "nobody", "*", "a,b.example"} {
		out, _ := exec.Command("ssh-keygen", "-F", name, "-f", file).Output()
		var want []string
		for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if l != "" && !strings.HasPrefix(l, "# Host ") {
				want = append(want, strings.TrimSpace(l))
			}
		}
		var got []string
		for _, l := range f.Find(name) {
			got = append(got, strings.TrimSpace(l.Text))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %q, ssh-keygen %q", name, got, want)
		}
	}
	// What we hash, ssh-keygen finds; what it hashes, we find.
	hashed, changed, wild := f.Hashed()
	if !changed || len(wild) != 2 {
		t.Errorf("Hashed: changed %v, %d lines with wildcards", changed, len(wild))
	}
	ours := filepath.Join(t.TempDir(), "ours")
	if err := os.WriteFile(ours, hashed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", "-H", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	theirs, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(theirs.Lines) != len(hashed.Lines) {
		t.Errorf("ssh-keygen -H makes %d lines, we %d", len(theirs.Lines), len(hashed.Lines))
	}
	for _, name := range []string{"a", "b.example", "lead", "tab", "upper.example", "h1", "h2", "[p]:2222", "foo.wild", "hidden", "last"} {
		if err := exec.Command("ssh-keygen", "-F", name, "-f", ours).Run(); err != nil {
			t.Errorf("%s: ssh-keygen does not find what we hashed", name)
		}
		if len(theirs.Find(name)) != len(f.Find(name)) {
			t.Errorf("%s: not found in what ssh-keygen hashed", name)
		}
	}
}

func TestStockRemove(t *testing.T) {
	needKeygen(t)
	data := stockFile(t)
	for _, name := range []string{"a", "b.example", "foo.wild", "[p]:2222", "x.ca", "h2", "hidden", "last", "nobody"} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-R", name, "-f", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want, _ := os.ReadFile(file)
		rest, removed := Parse(file, []byte(data)).Without(name)
		if len(removed) == 0 {
			if !strings.Contains(string(out), "not found") {
				t.Errorf("%s: ssh-keygen: %s", name, out)
			}
			continue
		}
		if !bytes.Equal(rest.Bytes(), want) {
			t.Errorf("%s: ssh-keygen leaves\n%s\nwe\n%s", name, want, rest.Bytes())
		}
	}
}

func TestAdd(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "new", "known_hosts")
	a, b := newKey(t), newECDSA(t)
	if err := Add(file, []string{"one", "10.0.0.1"}, a, false); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(file)
	if string(got) != "one,10.0.0.1 "+text(a)+"\n" {
		t.Errorf("%q", got)
	}
	// A last line without an end gets one.
	if err := os.WriteFile(file, []byte("two "+text(a)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Add(file, []string{"three", "10.0.0.3"}, b, true); err != nil {
		t.Fatal(err)
	}
	f, err := Read(file)
	if err != nil || len(f.Lines) != 3 {
		t.Fatal(err, len(f.Lines))
	}
	for i, name := range []string{"two", "three", "10.0.0.3"} {
		if !f.Lines[i].Matches(name) || (i > 0) != f.Lines[i].IsHashed() {
			t.Errorf("line %d: %s", i+1, f.Lines[i].Text)
		}
	}
	for _, bad := range []string{"", "a b", "a,b", "a\nb", "*", "a?", "!a", "#a", "@a", "|1|a", "a\x00"} {
		if err := Add(file, []string{bad}, a, false); err == nil {
			t.Errorf("%q taken as a name", bad)
		}
	}
	if err := Add(file, nil, a, false); err == nil {
		t.Error("no name taken")
	}
}

func TestUpdate(t *testing.T) {
	a, b, c := newKey(t), newECDSA(t), newKey(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	before := "# head\nhost " + text(a) + " c1\nother " + text(a) + "\nhost,friend " + text(c) + "\n@cert-authority host " + text(c) + "\n@revoked host " + text(c) + "\nho*t " + text(c) + "\nbroken\n# tail"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	change, err := Update(file, []string{"host"}, []Key{a, b}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(change.Added) != 1 || len(change.Removed) != 1 || change.Removed[0].Number != 4 {
		t.Errorf("%+v", change)
	}
	want := "# head\nhost " + text(a) + " c1\nother " + text(a) + "\nfriend " + text(c) + "\nhost " + text(b) + "\n@cert-authority host " + text(c) + "\n@revoked host " + text(c) + "\nho*t " + text(c) + "\nbroken\n# tail\n"
	got, _ := os.ReadFile(file)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if old, _ := os.ReadFile(file + ".old"); string(old) != before {
		t.Errorf("no backup: %q", old)
	}
	// A second time nothing changes and nothing is written.
	st, _ := os.Stat(file)
	change, err = Update(file, []string{"host"}, []Key{a, b}, false)
	st2, _ := os.Stat(file)
	if err != nil || len(change.Added)+len(change.Removed) != 0 || !os.SameFile(st, st2) {
		t.Errorf("second time: %+v %v", change, err)
	}
	// Hashed entries, and a file that is not there.
	file2 := filepath.Join(t.TempDir(), "d", "known_hosts")
	if _, err := Update(file2, []string{"host", "10.0.0.1"}, []Key{a, b}, true); err != nil {
		t.Fatal(err)
	}
	f, _ := Read(file2)
	if len(f.Lines) != 4 || len(f.Find("host")) != 2 || len(f.Find("10.0.0.1")) != 2 || !f.Lines[0].IsHashed() {
		t.Errorf("%s", f.Bytes())
	}
	if _, err := Update(file2, []string{"host"}, []Key{c}, true); err != nil {
		t.Fatal(err)
	}
	f, _ = Read(file2)
	if len(f.Find("host")) != 1 || len(f.Find("10.0.0.1")) != 2 {
		t.Errorf("%s", f.Bytes())
	}
}

func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "known_hosts")
	if err := Rewrite(file, []byte("x\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".old"); err == nil {
		t.Error("backup of nothing")
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Skip("peer lacks symbolic links")
	}
	if err := Rewrite(link, []byte("y\n")); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(file)
	old, _ := os.ReadFile(file + ".old")
	st, _ := os.Stat(file)
	if string(got) != "y\n" || string(old) != "x\n" || st.Mode().Perm() != 0o644 {
		t.Errorf("%q, old %q, mode %v", got, old, st.Mode())
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 3 {
		t.Errorf("left over: %v", left)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	a := newKey(t)
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	os.WriteFile(one, []byte("host "+text(a)+"\n"), 0o600)
	os.WriteFile(two, make([]byte, MaxFileSize+1), 0o600)
	h, err := Open(one, filepath.Join(dir, "missing"))
	if err != nil || len(h.Files) != 1 {
		t.Error(err)
	}
	if h, err = Open(one, two); err == nil || len(h.Files) != 1 {
		t.Error("too large a file was read, or kept the other from being used")
	}
	if h, err = Open(dir); err == nil {
		t.Error("a directory was read")
	}
	if _, err = New(filepath.Join(dir, "missing")); err == nil {
		t.Error("New takes a missing file")
	}
	os.WriteFile(two, bytes.Repeat([]byte("#\n"), MaxFileSize/2), 0o600)
	if _, err = Open(two); err != nil {
		t.Error(err)
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"Host": "host", "host:22": "host", "host:2222": "[host]:2222", "[host]:2222": "[host]:2222",
		"::1": "::1", "[::1]:22": "::1", "[::1]:99": "[::1]:99", "[::1]": "::1", "1.2.3.4:99": "[1.2.3.4]:99",
	} {
		if got := Normalize(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if Name("A", 0) != "a" || Name("A", 1) != "[a]:1" {
		t.Error("Name")
	}
}

func FuzzParse(f *testing.F) {
	a := newKey(f)
	for _, s := range []string{
		"", "# c\n", "host " + text(a), "h1,h2 " + text(a) + " c\n@revoked h " + text(a), HashName("host") + " " + text(a),
		"|1|", "|1|a|b ssh-rsa x", "|1||", "@cert-authority *.x,!y.x " + text(a) + "\r\n", "\x00\nhost " + text(a),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse("f", data)
		out := file.Bytes()
		if want := data; !bytes.Equal(out, want) && !bytes.Equal(out, append(bytes.Clone(want), '\n')) {
			t.Fatalf("text is not kept: %q, %q", data, out)
		}
		for i := range file.Lines {
			l := &file.Lines[i]
			if l.IsEntry() && l.Err != nil {
				t.Fatal("a bad line counts")
			}
			l.Comment()
			if key, err := l.Key(); err == nil && key.Type() != l.KeyType {
				t.Fatal("type is not the key's")
			}
		}
		file.Find("host")
		rest, removed := file.Without("host")
		if len(rest.Lines)+len(removed) != len(file.Lines) || len(rest.Find("host")) > len(file.Find("host")) {
			t.Fatal("Without loses lines")
		}
		hashed, _, _ := file.Hashed()
		for i := range hashed.Lines {
			if l := &hashed.Lines[i]; l.IsEntry() && l.Marker == Plain && !l.IsHashed() && !l.HasWildcards() {
				t.Fatalf("not hashed: %q", l.Text)
			}
		}
		updated, _ := file.WithKeys([]string{"host"}, []Key{a}, false)
		if r := (&Hosts{Files: []*File{updated}}).Lookup("host", a); r.Verdict != Match && r.Verdict != IsRevoked {
			t.Fatalf("updated, but %v", r.Verdict)
		}
	})
}
