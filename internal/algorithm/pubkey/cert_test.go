package pubkey_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
	"golang.org/x/crypto/ssh"
)

func signedCert(t *testing.T, key pubkey.PublicKey, ca pubkey.Signer, change func(*pubkey.Certificate)) *pubkey.Certificate {
	t.Helper()
	c := &pubkey.Certificate{
		Key: key, Serial: 7, CertType: pubkey.UserCert, KeyId: "an id",
		ValidPrincipals: []string{"ann", "bob"}, ValidAfter: 1000, ValidBefore: 2000,
		Permissions: pubkey.Permissions{
			CriticalOptions: map[string]string{"source-address": "10.0.0.0/8", "force-command": "ls"},
			Extensions:      map[string]string{"permit-pty": "", "permit-X11-forwarding": "", "x@y": "value"},
		},
	}
	if change != nil {
		change(c)
	}
	if err := c.SignCert(nil, ca); err != nil {
		t.Fatal(err)
	}
	return c
}

// Certificates of every key by every authority: ours read by the oracle, the
// oracle's by us.
func TestCertAgainstOracle(t *testing.T) {
	checker := &pubkey.CertChecker{
		SupportedCriticalOptions: []string{"source-address", "force-command"},
		IsUserAuthority:          func(pubkey.PublicKey) bool { return true },
		Clock:                    func() time.Time { return time.Unix(1500, 0) },
		CASignatureAlgorithms:    pubkey.Query("key-ca-sign"),
	}
	for _, p := range pairs() {
		for _, ca := range pairs() {
			c := signedCert(t, p.signer.PublicKey(), ca.signer, nil)
			blob := c.Marshal()
			k, err := pubkey.ParsePublicKey(blob)
			if err != nil {
				t.Fatalf("%s by %s: %v", p.name, ca.name, err)
			}
			again := k.(*pubkey.Certificate)
			if !bytes.Equal(again.Marshal(), blob) || !pubkey.Equal(again.Key, p.signer.PublicKey()) || !pubkey.Equal(again.SignatureKey, ca.signer.PublicKey()) {
				t.Errorf("%s by %s: comes back changed", p.name, ca.name)
			}
			if err := checker.CheckUser(again, "bob"); err != nil {
				t.Errorf("%s by %s: %v", p.name, ca.name, err)
			}
			if pubkey.FingerprintSHA256(again) != pubkey.FingerprintSHA256(p.signer.PublicKey()) || !strings.HasSuffix(pubkey.TypeName(again), "-CERT") {
				t.Errorf("%s: name and fingerprint", p.name)
			}
			if p.name == pubkey.KeyAlgoMLDSA44ED25519 || ca.name == pubkey.KeyAlgoMLDSA44ED25519 {
				continue
			}
			ok, err := ssh.ParsePublicKey(blob)
			if err != nil {
				t.Fatalf("oracle, %s by %s: %v", p.name, ca.name, err)
			}
			oc := ok.(*ssh.Certificate)
			if oc.Type() != again.Type() || oc.KeyId != again.KeyId || oc.Serial != again.Serial || !slices.Equal(oc.ValidPrincipals, again.ValidPrincipals) ||
				fmt.Sprint(oc.CriticalOptions, oc.Extensions) != fmt.Sprint(again.CriticalOptions, again.Extensions) {
				t.Errorf("%s by %s: the oracle reads other fields", p.name, ca.name)
			}
			ochecker := &ssh.CertChecker{SupportedCriticalOptions: checker.SupportedCriticalOptions, Clock: checker.Clock}
			if err := ochecker.CheckCert("bob", oc); err != nil {
				t.Errorf("oracle, %s by %s: %v", p.name, ca.name, err)
			}
			if ca.raw == nil {
				continue
			}
			os, err := ssh.NewSignerFromKey(ca.raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := oc.SignCert(rand.Reader, os); err != nil {
				t.Fatal(err)
			}
			k, err = pubkey.ParsePublicKey(oc.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			if err := checker.CheckUser(k.(*pubkey.Certificate), "ann"); err != nil {
				t.Errorf("the oracle's, %s by %s: %v", p.name, ca.name, err)
			}
		}
	}
}

func TestCertSigner(t *testing.T) {
	for _, p := range pairs() {
		c := signedCert(t, p.signer.PublicKey(), pairOf(pubkey.KeyAlgoED25519).signer, nil)
		s, err := pubkey.NewCertSigner(c, p.signer)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Algorithms(), p.signer.Algorithms()) {
			t.Errorf("%s: algorithms %v", p.name, s.Algorithms())
		}
		for i := range pubkey.Algorithms {
			a := &pubkey.Algorithms[i]
			if !a.Cert || a.KeyType != c.Type() || a.Format == pubkey.KeyAlgoWebAuthnSKECDSA256 {
				continue
			}
			sig, err := pubkey.SignWith(s, nil, []byte("x"), a.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := pubkey.VerifyAlgorithm(c, []byte("x"), sig, a.Name); err != nil {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
		sig, err := s.Sign(nil, []byte("x"))
		if err != nil || c.Verify([]byte("x"), sig) != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	c := signedCert(t, pairOf(pubkey.KeyAlgoRSA).signer.PublicKey(), pairOf(pubkey.KeyAlgoED25519).signer, nil)
	if _, err := pubkey.NewCertSigner(c, pairOf(pubkey.KeyAlgoED25519).signer); err == nil {
		t.Error("certificate of another key")
	}
	cs, _ := pubkey.NewCertSigner(c, pairOf(pubkey.KeyAlgoRSA).signer)
	d := &pubkey.Certificate{Key: c.Key, CertType: 1}
	if err := d.SignCert(nil, cs); err == nil {
		t.Error("KEX-14: a certificate as authority")
	}
	d.Key = c
	if err := d.SignCert(nil, pairOf(pubkey.KeyAlgoED25519).signer); err == nil {
		t.Error("KEX-14: a certificate is certified")
	}
}

func TestCertChecker(t *testing.T) {
	key, ca, otherCA := pairOf(pubkey.KeyAlgoECDSA256).signer.PublicKey(), pairOf(pubkey.KeyAlgoED25519).signer, pairOf(pubkey.KeyAlgoRSA).signer
	checker := func(change func(*pubkey.CertChecker)) *pubkey.CertChecker {
		c := &pubkey.CertChecker{
			SupportedCriticalOptions: []string{"source-address", "force-command"},
			IsUserAuthority:          func(k pubkey.PublicKey) bool { return pubkey.Equal(k, ca.PublicKey()) },
			IsHostAuthority: func(k pubkey.PublicKey, host string) bool {
				return host != "untrusted" && pubkey.Equal(k, ca.PublicKey())
			},
			Clock: func() time.Time { return time.Unix(1500, 0) },
		}
		if change != nil {
			change(c)
		}
		return c
	}
	at := func(sec int64) func(*pubkey.CertChecker) {
		return func(c *pubkey.CertChecker) { c.Clock = func() time.Time { return time.Unix(sec, 0) } }
	}
	principals := func(p ...string) func(*pubkey.Certificate) {
		return func(c *pubkey.Certificate) { c.ValidPrincipals = p }
	}
	host := func(p ...string) func(*pubkey.Certificate) {
		return func(c *pubkey.Certificate) {
			c.CertType, c.ValidPrincipals, c.CriticalOptions = pubkey.HostCert, p, nil
		}
	}
	for _, c := range []struct {
		id    string
		cert  func(*pubkey.Certificate)
		check func(*pubkey.CertChecker)
		name  string
		good  bool
	}{
		{"good", nil, nil, "ann", true},
		{"second name", nil, nil, "bob", true},
		{"other name", nil, nil, "carl", false},
		{"no name", nil, nil, "", false},
		{"AUT-8 no principals", principals(), nil, "ann", false},
		{"AUT-8 no principals, no name", principals(), nil, "", false},
		{"AUT-8 empty principal, no name", principals(""), nil, "", false},
		{"AUT-8 wildcard for a user", principals("*"), nil, "ann", false},
		{"AUT-8 question mark for a user", principals("an?"), nil, "ann", false},
		{"AUT-8 a star is a name like others", principals("*"), nil, "*", true},
		{"AUT-8 comma", principals("ann,bob"), nil, "ann", false},
		{"AUT-8 comma in the name", nil, nil, "ann,bob", false},
		{"case", nil, nil, "Ann", false},
		{"before", nil, at(999), "ann", false},
		{"first second", nil, at(1000), "ann", true},
		{"last second", nil, at(1999), "ann", true},
		{"after", nil, at(2000), "ann", false},
		{"before 1970", nil, at(-1), "ann", false},
		{"for ever", func(c *pubkey.Certificate) { c.ValidBefore = pubkey.CertTimeInfinity }, at(1 << 40), "ann", true},
		{"almost for ever", func(c *pubkey.Certificate) { c.ValidBefore = pubkey.CertTimeInfinity - 1 }, at(1 << 40), "ann", true},
		{"not before the end of time", func(c *pubkey.Certificate) { c.ValidAfter, c.ValidBefore = 1<<63, pubkey.CertTimeInfinity }, nil, "ann", false},
		{"AUT-7 unknown critical option", func(c *pubkey.Certificate) { c.CriticalOptions["x@y"] = "" }, nil, "ann", false},
		{"AUT-7 critical option not supported", nil, func(c *pubkey.CertChecker) { c.SupportedCriticalOptions = []string{"force-command"} }, "ann", false},
		{"unknown extension", func(c *pubkey.Certificate) { c.Extensions["z@y"] = "" }, nil, "ann", true},
		{"host certificate for a user", host("ann"), nil, "-user ann", false},
		{"revoked", nil, func(c *pubkey.CertChecker) {
			c.IsRevoked = func(c *pubkey.Certificate) bool { return c.Serial == 7 }
		}, "ann", false},
		{"AUT-25 no authorities", nil, func(c *pubkey.CertChecker) { c.IsUserAuthority = nil }, "ann", false},
		{"AUT-25 no clock", nil, func(c *pubkey.CertChecker) { c.Clock = nil }, "ann", false},
		{"CA algorithm", nil, func(c *pubkey.CertChecker) { c.CASignatureAlgorithms = []string{"rsa-sha2-512"} }, "ann", false},
		{"CA algorithms empty", nil, func(c *pubkey.CertChecker) { c.CASignatureAlgorithms = []string{} }, "ann", false},
		{"host", host("ann.example"), nil, "-host ann.example", true},
		{"host in capitals", host("ann.EXAMPLE"), nil, "-host ANN.example", true},
		{"host wildcard", host("*.example"), nil, "-host ann.example", true},
		{"host wildcard is not the domain", host("*.example"), nil, "-host example", false},
		{"host question mark", host("ho?t"), nil, "-host host", true},
		{"host other", host("x"), nil, "-host y", false},
		{"host none", host(), nil, "-host y", false},
		{"host without name", host("*"), nil, "-host ", false},
		{"host untrusted", host("*"), nil, "-host untrusted", false},
		{"host critical option", func(c *pubkey.Certificate) { c.CertType = pubkey.HostCert }, nil, "-host ann", false},
		{"host no authorities", host("*"), func(c *pubkey.CertChecker) { c.IsHostAuthority = nil }, "-host ann", false},
		{"user certificate for a host", nil, nil, "-host ann", false},
	} {
		cert := signedCert(t, key, ca, c.cert)
		ch := checker(c.check)
		var err error
		if h, ok := strings.CutPrefix(c.name, "-host "); ok {
			err = ch.CheckHost(cert, h)
		} else if u, ok := strings.CutPrefix(c.name, "-user "); ok {
			err = ch.CheckUser(cert, u)
		} else {
			err = ch.CheckUser(cert, c.name)
			if e := ch.CheckCert(c.name, cert); (e == nil) != (err == nil) && ch.IsUserAuthority != nil {
				t.Errorf("%s: CheckCert: %v", c.id, e)
			}
		}
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.id, err)
		}
		var ce *pubkey.CertError
		if err != nil && (!errors.As(err, &ce) || ce.Serial != 7) {
			t.Errorf("%s: error is not a CertError: %v", c.id, err)
		}
	}
	if err := checker(nil).CheckUser(signedCert(t, key, otherCA, nil), "ann"); err == nil {
		t.Error("other authority")
	}
	if err := checker(nil).CheckUser(signedCert(t, key, ca, nil)); err == nil {
		t.Error("no names at all")
	}
	if err := checker(nil).CheckUser(signedCert(t, key, ca, nil), "x", "bob"); err != nil {
		t.Errorf("one of several names: %v", err)
	}
	// Every field is under the signature.
	for i, change := range []func(c *pubkey.Certificate){
		func(c *pubkey.Certificate) { c.Nonce[0] ^= 1 }, func(c *pubkey.Certificate) { c.Serial++ },
		func(c *pubkey.Certificate) { c.KeyId += "x" }, func(c *pubkey.Certificate) { c.ValidPrincipals = []string{"ann"} },
		func(c *pubkey.Certificate) { c.ValidAfter-- }, func(c *pubkey.Certificate) { c.ValidBefore++ },
		func(c *pubkey.Certificate) { delete(c.CriticalOptions, "force-command") }, func(c *pubkey.Certificate) { c.Extensions["a"] = "" },
		func(c *pubkey.Certificate) { c.Reserved = []byte{1} }, func(c *pubkey.Certificate) { c.Signature.Blob[3] ^= 1 },
		func(c *pubkey.Certificate) { c.Key = pairOf(pubkey.KeyAlgoECDSA384).signer.PublicKey() },
		func(c *pubkey.Certificate) { c.Signature = nil }, func(c *pubkey.Certificate) { c.SignatureKey = nil },
		func(c *pubkey.Certificate) { c.Signature.Format = pubkey.KeyAlgoRSA },
	} {
		c := signedCert(t, key, ca, nil)
		change(c)
		if err := checker(nil).CheckUser(c, "ann"); err == nil {
			t.Errorf("change %d goes unnoticed", i)
		}
	}
	// An RSA authority signs with SHA-2; SHA-1 is refused unless named.
	c := signedCert(t, key, otherCA, nil)
	if c.Signature.Format != pubkey.KeyAlgoRSASHA512 {
		t.Errorf("RSA authority signs with %s", c.Signature.Format)
	}
	old, _ := pubkey.NewSignerWithAlgorithms(otherCA, []string{pubkey.KeyAlgoRSA})
	c = signedCert(t, key, old, nil)
	if c.VerifySignature(nil) == nil || c.VerifySignature([]string{pubkey.KeyAlgoRSA}) != nil {
		t.Error("SHA-1 certificate")
	}
	// An authority on a token need not be touched.
	tok := token(t, pubkey.KeyAlgoSKED25519, "ssh:")
	tok.Flags = 0
	if err := signedCert(t, key, tok.Signer(), nil).VerifySignature(nil); err != nil {
		t.Errorf("authority on a token, not touched: %v", err)
	}
}

// Certificates that must not parse, made by hand around a good one.
func TestStrictCerts(t *testing.T) {
	ca := pairOf(pubkey.KeyAlgoED25519).signer
	caBlob := ca.PublicKey().Marshal()
	key := pairOf(pubkey.KeyAlgoED25519).signer.PublicKey().Marshal()
	pk := key[len(key)-32:]
	opt := func(pairs ...any) []byte { return str(pairs...) }
	sig := pubkey.MarshalSignature(&pubkey.Signature{Format: "ssh-ed25519", Blob: make([]byte, 64)})
	inner := signedCert(t, ca.PublicKey(), ca, nil).Marshal()
	type fields struct {
		name                        string
		pk                          []byte
		typ                         uint32
		id                          string
		principals, crit, ext, resv []byte
		ca, sig                     []byte
		tail                        []byte
	}
	build := func(f fields) []byte {
		return append(str(f.name, "nonce", f.pk, uint64(1), f.typ, f.id, f.principals, uint64(0), uint64(9), f.crit, f.ext, f.resv, f.ca, f.sig), f.tail...)
	}
	many := func(n int) []byte {
		var b []byte
		for range n {
			b = wire.AppendText(b, "p")
		}
		return b
	}
	for _, c := range []struct {
		id     string
		good   bool
		change func(*fields)
	}{
		{"plain", true, func(f *fields) {}},
		{"short nonce is OpenSSH's business too", true, func(f *fields) {}},
		{"type 0", false, func(f *fields) { f.typ = 0 }},
		{"type 3", false, func(f *fields) { f.typ = 3 }},
		{"trailing", false, func(f *fields) { f.tail = []byte{0} }},
		{"short key", false, func(f *fields) { f.pk = pk[1:] }},
		{"NUL in id", false, func(f *fields) { f.id = "a\x00b" }},
		{"principals truncated", false, func(f *fields) { f.principals = []byte{0, 0, 0, 5, 'a'} }},
		{"NUL in principal", false, func(f *fields) { f.principals = str("root\x00x") }},
		{"256 principals", true, func(f *fields) { f.principals = many(256) }},
		{"257 principals", false, func(f *fields) { f.principals = many(257) }},
		{"options", true, func(f *fields) { f.crit = opt("a", "", "b", "") }},
		{"options out of order", false, func(f *fields) { f.crit = opt("b", "", "a", "") }},
		{"option twice", false, func(f *fields) { f.crit = opt("a", "", "a", "") }},
		{"extension twice", false, func(f *fields) { f.ext = opt("", "", "", "") }},
		{"option name only", false, func(f *fields) { f.crit = opt("a") }},
		{"force-command", true, func(f *fields) { f.crit = opt("force-command", str("ls")) }},
		{"force-command not a string in a string", false, func(f *fields) { f.crit = opt("force-command", "ls") }},
		{"force-command with a tail", false, func(f *fields) { f.crit = opt("force-command", str("ls", raw{0})) }},
		{"unknown option with raw data", true, func(f *fields) { f.crit = opt("x@y", "raw") }},
		{"unknown extension with an empty string inside", true, func(f *fields) { f.ext = opt("x@y", str("")) }},
		{"permit-pty with data", false, func(f *fields) { f.ext = opt("permit-pty", "x") }},
		{"reserved", true, func(f *fields) { f.resv = []byte("x") }},
		{"KEX-14 authority is a certificate", false, func(f *fields) { f.ca = inner }},
		{"authority malformed", false, func(f *fields) { f.ca = caBlob[:len(caBlob)-1] }},
		{"authority with a tail", false, func(f *fields) { f.ca = append(bytes.Clone(caBlob), 0) }},
		{"authority of unknown type", false, func(f *fields) { f.ca = str("ssh-dss", "") }},
		{"authority empty", false, func(f *fields) { f.ca = nil }},
		{"signature empty", false, func(f *fields) { f.sig = nil }},
		{"signature with a tail", false, func(f *fields) { f.sig = append(bytes.Clone(sig), 0) }},
		{"certificate of a certificate", false, func(f *fields) { f.name = "ssh-ed25519-cert-v01@openssh.com-cert-v01@openssh.com" }},
	} {
		f := fields{name: pubkey.CertAlgoED25519v01, pk: pk, typ: 1, id: "id", ca: caBlob, sig: sig}
		c.change(&f)
		b := build(f)
		k, err := pubkey.ParsePublicKey(b)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.id, err)
		}
		if err == nil && !bytes.Equal(k.Marshal(), b) {
			t.Errorf("%s: comes back changed", c.id)
		}
	}
	// Thousands of certificates inside each other use neither stack nor time.
	nested := inner
	for range 2000 {
		nested = str(pubkey.CertAlgoED25519v01, "n", pk, uint64(1), uint32(1), "", "", uint64(0), uint64(9), "", "", "", nested, sig)
	}
	if _, err := pubkey.ParsePublicKey(nested); err == nil {
		t.Error("KEX-14: nested certificates")
	}
}

func TestOptionData(t *testing.T) {
	ca := pairOf(pubkey.KeyAlgoED25519).signer
	c := signedCert(t, ca.PublicKey(), ca, func(c *pubkey.Certificate) {
		c.Extensions = map[string]string{"flag": "", "value": "v"}
	})
	if d := c.OptionData(false, "flag"); d == nil || len(d) != 0 {
		t.Errorf("flag: %q", d)
	}
	if d := c.OptionData(false, "value"); string(d) != "\x00\x00\x00\x01v" {
		t.Errorf("value: %q", d)
	}
	if c.OptionData(true, "value") != nil || c.OptionData(false, "none") != nil {
		t.Error("options that are not there have data")
	}
}

func TestMatchSourceAddress(t *testing.T) {
	for _, c := range []struct {
		list, addr string
		match, bad bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true, false},
		{"10.0.0.0/8", "11.1.2.3", false, false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true, false},
		{"10.1.2.3", "10.1.2.3", true, false},
		{"192.168.0.0/16,10.1.2.3/32", "10.1.2.3", true, false},
		{"0.0.0.0/0", "10.1.2.3", true, false},
		{"0.0.0.0/0", "::1", false, false},
		{"::/0", "10.1.2.3", false, false},
		{"2001:db8::/32", "2001:db8::1", true, false},
		{"fe80::/10", "fe80::1%eth0", true, false},
		{"", "10.1.2.3", false, true},
		{",", "10.1.2.3", false, true},
		{"10.0.0.0/8,", "10.1.2.3", false, true},
		{"10.0.0.0/8, 11.0.0.0/8", "10.1.2.3", false, true},
		{"10.0.0.1/8", "10.0.0.1", false, true},
		{"10.0.0.0/33", "10.0.0.1", false, true},
		{"10.0.0.0/-1", "10.0.0.1", false, true},
		{"10.0.0", "10.0.0.1", false, true},
		{"*", "10.0.0.1", false, true},
		{"!10.0.0.0/8", "10.0.0.1", false, true},
		{"localhost", "127.0.0.1", false, true},
		{"fe80::1%eth0", "fe80::1", false, true},
	} {
		ok, err := pubkey.MatchSourceAddress(c.list, netip.MustParseAddr(c.addr))
		if ok != c.match || (err != nil) != c.bad {
			t.Errorf("AUT-7: %q on %s: %v, %v", c.list, c.addr, ok, err)
		}
	}
	if ok, _ := pubkey.MatchSourceAddress("0.0.0.0/0", netip.Addr{}); ok {
		t.Error("AUT-7: no address at all matches")
	}
}

func TestMatchPattern(t *testing.T) {
	for _, c := range []struct {
		s, p string
		want bool
	}{
		{"", "", true}, {"", "*", true}, {"", "?", false}, {"a", "", false}, {"a", "?", true}, {"ab", "?", false},
		{"abc", "a*c", true}, {"abc", "a*b", false}, {"abcbc", "a*bc", true}, {"abc", "***", true}, {"abc", "a*b*c*", true},
		{"abc", "*d*", false}, {"a.b", "*.b", true}, {"ab", "*.b", false}, {"aXbXc", "a?b?c", true}, {"*", "\\*", false},
	} {
		if got := pubkey.MatchPattern(c.s, c.p); got != c.want {
			t.Errorf("%q on %q: %v", c.p, c.s, got)
		}
	}
	// AGT-8: many stars cost no more than the product of the lengths.
	if pubkey.MatchPattern(strings.Repeat("a", 5000), strings.Repeat("a*", 2000)+"b") {
		t.Error("matches")
	}
}
