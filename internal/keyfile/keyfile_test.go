package keyfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/crypto/ssh"
)

var stock = sync.OnceValue(func() map[string][]byte {
	a, err := txtar.ParseFile("testdata/stock.txtar")
	if err != nil {
		panic(err)
	}
	m := make(map[string][]byte)
	for _, f := range a.Files {
		m[f.Name] = f.Data
	}
	return m
})

// testKeys has one private key of every type.
var testKeys = sync.OnceValue(func() map[string]any {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	m := make(map[string]any)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	m["ed25519"] = ed
	for name, c := range map[string]elliptic.Curve{"ecdsa256": elliptic.P256(), "ecdsa384": elliptic.P384(), "ecdsa521": elliptic.P521()} {
		m[name], err = ecdsa.GenerateKey(c, rand.Reader)
		must(err)
	}
	m["rsa"], err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	m["mldsa"], err = pubkey.GenerateMLDSA44ED25519(nil)
	must(err)
	for name, t := range map[string]string{"sk-ed25519": pubkey.KeyAlgoSKED25519, "sk-ecdsa": pubkey.KeyAlgoSKECDSA256} {
		tok, err := sktest.New(t, "ssh:")
		must(err)
		m[name] = tok.Key
	}
	return m
})

// Every private key that stock tools made, with the right passphrase, with a
// wrong one and with none.
func TestStockFiles(t *testing.T) {
	n := 0
	for name, file := range stock() {
		pubFile, ok := stock()[name+".pub"]
		if !ok || strings.HasSuffix(name, ".pub") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, comment, err := keyfile.ParsePublicKeyFile(pubFile)
			if err != nil {
				t.Fatal(err)
			}
			k, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("secret")})
			if err != nil {
				t.Fatal(err)
			}
			pub, err := k.PublicKey()
			if err != nil || !pubkey.Equal(pub, want) {
				t.Fatalf("other public key: %v", err)
			}
			if k.Format == keyfile.FormatOpenSSH && k.Comment != comment {
				t.Errorf("comment %q, not %q", k.Comment, comment)
			}
			s, c, err := keyfile.ParsePrivateKeyWithPassphrase(file, []byte("secret"))
			if err != nil || c != k.Comment {
				t.Fatal(err)
			}
			sig, err := s.Sign(nil, []byte("x"))
			if err != nil || want.Verify([]byte("x"), sig) != nil {
				t.Errorf("signing: %v", err)
			}
			encrypted := k.Cipher != ""
			_, _, err = keyfile.ParsePrivateKey(file)
			var missing *keyfile.PassphraseMissingError
			if errors.As(err, &missing) != encrypted {
				t.Errorf("without passphrase: %v", err)
			}
			if missing != nil && (missing.PublicKey != nil) != (k.Format == keyfile.FormatOpenSSH) {
				t.Error("public key in the error")
			}
			if missing != nil && missing.PublicKey != nil && !pubkey.Equal(missing.PublicKey, want) {
				t.Error("other public key in the error")
			}
			for _, wrong := range []string{"Secret", "secret2", "x"} {
				_, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte(wrong)})
				if encrypted && !errors.Is(err, keyfile.ErrPassphrase) || !encrypted && err != nil {
					t.Errorf("passphrase %q: %v", wrong, err)
				}
			}
			pub, err = keyfile.ParsePublic(file)
			if encrypted && k.Format != keyfile.FormatOpenSSH {
				if !errors.As(err, &missing) {
					t.Errorf("public key alone: %v", err)
				}
			} else if err != nil || !pubkey.Equal(pub, want) {
				t.Errorf("public key alone: %v", err)
			}
			// CRLF and words around the block do not matter.
			crlf := "some words\r\n" + strings.ReplaceAll(string(file), "\n", "\r\n") + "\r\nmore"
			if _, err := keyfile.Parse([]byte(crlf), keyfile.ReadOptions{Passphrase: []byte("secret")}); err != nil {
				t.Errorf("with CRLF: %v", err)
			}
		})
	}
	if n < 30 {
		t.Errorf("only %d files", n)
	}
}

func TestStockCertificates(t *testing.T) {
	for name, ca := range map[string]string{"ed25519-cert.pub": "rsa.pub", "ecdsa256-cert.pub": "ed25519.pub"} {
		key, comment, _, _, err := keyfile.ParseAuthorizedKey(stock()[name])
		if err != nil {
			t.Fatal(err)
		}
		auth, _, err := keyfile.ParsePublicKeyFile(stock()[ca])
		if err != nil {
			t.Fatal(err)
		}
		cert := key.(*pubkey.Certificate)
		if !strings.HasPrefix(comment, "comment of") || !bytes.Contains(stock()[name], keyfile.MarshalPublicKeyLine(key, comment)) {
			t.Errorf("%s: comment or line", name)
		}
		ch := &pubkey.CertChecker{
			SupportedCriticalOptions: []string{"force-command", "source-address"},
			Clock:                    func() time.Time { return time.Unix(1700000000, 0) },
			IsUserAuthority:          func(k pubkey.PublicKey) bool { return pubkey.Equal(k, auth) },
			IsHostAuthority:          func(k pubkey.PublicKey, _ string) bool { return pubkey.Equal(k, auth) },
		}
		if cert.CertType == pubkey.UserCert {
			err = ch.CheckUser(cert, "bob")
			o, oerr := keyfile.FromCertificate(cert)
			if oerr != nil || *o.Command != "ls" || !o.PTY || o.SourceAddress[0] != "10.0.0.0/8" {
				t.Errorf("options: %+v %v", o, oerr)
			}
		} else {
			err = ch.CheckHost(cert, "a.example")
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every key in every cipher goes out and comes back, and the oracle reads what
// it knows.
func TestRoundTrip(t *testing.T) {
	pass := []byte("päss phrase\x00\n")
	for name, key := range testKeys() {
		ciphers := []string{"", keyfile.DefaultCipher}
		if name == "ed25519" {
			ciphers = append(keyfile.Ciphers(), "")
		}
		for _, cipher := range ciphers {
			o := keyfile.MarshalOptions{Passphrase: pass, Cipher: cipher, Rounds: 1}
			if cipher == "" {
				o = keyfile.MarshalOptions{}
			}
			file, err := keyfile.MarshalPrivateKey(key, "a comment", o)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, cipher, err)
			}
			k, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: pass})
			if err != nil {
				t.Fatalf("%s, %s: %v", name, cipher, err)
			}
			a, _ := (&pubkey.PrivateKey{Key: key}).Append(nil)
			b, _ := k.Append(nil)
			if !bytes.Equal(a, b) || k.Comment != "a comment" || k.Cipher != cipher {
				t.Errorf("%s, %s: comes back changed", name, cipher)
			}
			if _, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("other")}); cipher != "" && !errors.Is(err, keyfile.ErrPassphrase) {
				t.Errorf("%s, %s: wrong passphrase: %v", name, cipher, err)
			}
			if name == "mldsa" || strings.HasPrefix(name, "sk-") {
				continue
			}
			switch cipher {
			case "":
				_, err = ssh.ParsePrivateKey(file)
			case "aes256-ctr", "aes256-cbc":
				_, err = ssh.ParsePrivateKeyWithPassphrase(file, pass)
			}
			if err != nil {
				t.Errorf("oracle, %s, %s: %v", name, cipher, err)
			}
		}
	}
	// The oracle's own.
	for name, key := range testKeys() {
		if name == "mldsa" || strings.HasPrefix(name, "sk-") {
			continue
		}
		b, err := ssh.MarshalPrivateKey(key, "c")
		if name == "ed25519" {
			b, err = ssh.MarshalPrivateKeyWithPassphrase(key, "c", pass)
		}
		if err != nil {
			t.Fatal(err)
		}
		k, err := keyfile.Parse(pem.EncodeToMemory(b), keyfile.ReadOptions{Passphrase: pass})
		if err != nil || k.Comment != "c" {
			t.Errorf("the oracle's %s: %v", name, err)
		}
	}
}

// A pair with its certificate in one file, and pairs in other wrappings.
func TestMarshalWrapped(t *testing.T) {
	ca, _ := pubkey.NewSignerFromKey(testKeys()["ed25519"])
	for name, key := range testKeys() {
		s, err := pubkey.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		cert := &pubkey.Certificate{Key: s.PublicKey(), CertType: pubkey.UserCert}
		if err := cert.SignCert(nil, ca); err != nil {
			t.Fatal(err)
		}
		cs, err := pubkey.NewCertSigner(cert, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			key  any
			want pubkey.PublicKey
		}{{s, s.PublicKey()}, {cs, cert}, {&pubkey.PrivateKey{Key: key, Certificate: cert}, cert}} {
			file, err := keyfile.MarshalPrivateKey(v.key, "", keyfile.MarshalOptions{})
			if err != nil {
				t.Fatalf("%s as %T: %v", name, v.key, err)
			}
			k, err := keyfile.Parse(file, keyfile.ReadOptions{})
			if err != nil {
				t.Fatalf("%s as %T: %v", name, v.key, err)
			}
			if pub, err := k.PublicKey(); err != nil || !pubkey.Equal(pub, v.want) {
				t.Errorf("%s as %T: %v", name, v.key, err)
			}
		}
	}
}

func TestPEMAndPKCS8(t *testing.T) {
	for name, key := range testKeys() {
		for form, marshal := range map[string]func(any, keyfile.MarshalOptions) ([]byte, error){"PEM": keyfile.MarshalPEM, "PKCS8": keyfile.MarshalPKCS8} {
			can := name == "rsa" || strings.HasPrefix(name, "ecdsa") || name == "ed25519" && form == "PKCS8"
			for _, pass := range []string{"", "secret"} {
				if pass != "" && form == "PKCS8" && name != "ed25519" {
					continue // the same code, and a fifth of a second each
				}
				file, err := marshal(key, keyfile.MarshalOptions{Passphrase: []byte(pass)})
				if can != (err == nil) || err != nil && !errors.Is(err, keyfile.ErrUnsupported) {
					t.Errorf("%s, %s: %v", name, form, err)
				}
				if err != nil {
					continue
				}
				k, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte(pass)})
				if err != nil || (k.Cipher != "") != (pass != "") {
					t.Fatalf("%s, %s, %q: %v", name, form, pass, err)
				}
				a, _ := (&pubkey.PrivateKey{Key: key}).Append(nil)
				b, _ := k.Append(nil)
				if !bytes.Equal(a, b) {
					t.Errorf("%s, %s: comes back changed", name, form)
				}
				if pass == "" {
					if _, err := ssh.ParseRawPrivateKey(file); err != nil {
						t.Errorf("oracle, %s, %s: %v", name, form, err)
					}
				}
			}
		}
	}
}

// FIL-1: rounds at the limit and beyond it.
func TestRoundsLimit(t *testing.T) {
	file, err := keyfile.MarshalPrivateKey(testKeys()["ed25519"], "", keyfile.MarshalOptions{Passphrase: []byte("x"), Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	for max, good := range map[int]bool{0: true, 3: true, 4: true, 2: false, 1: false} {
		_, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("x"), MaxRounds: max})
		if (err == nil) != good || err != nil && !errors.Is(err, keyfile.ErrRounds) {
			t.Errorf("3 rounds with limit %d: %v", max, err)
		}
	}
	// The default limit, without spending the time: the wrong side of it must
	// answer at once, the right side is a matter of the constant.
	for rounds, want := range map[uint32]error{keyfile.MaxRounds + 1: keyfile.ErrRounds, 1 << 30: keyfile.ErrRounds, 1<<30 + 1: keyfile.ErrMalformed, 1<<32 - 1: keyfile.ErrMalformed, 0: keyfile.ErrMalformed} {
		c := openssh{rounds: rounds}
		_, err := keyfile.Parse(c.file(t), keyfile.ReadOptions{Passphrase: []byte("x")})
		if !errors.Is(err, want) {
			t.Errorf("%d rounds: %v", rounds, err)
		}
	}
	p8 := stock()["rsa-pkcs8-enc"] // 2,048 iterations
	for max, good := range map[int]bool{0: true, 2048: true, 2047: false} {
		_, err := keyfile.Parse(p8, keyfile.ReadOptions{Passphrase: []byte("secret"), MaxIterations: max})
		if (err == nil) != good || err != nil && !errors.Is(err, keyfile.ErrRounds) {
			t.Errorf("2,048 iterations with limit %d: %v", max, err)
		}
	}
	if keyfile.MaxRounds != 2048 {
		t.Error("the limit has changed")
	}
}

// openssh builds containers by hand.
type openssh struct {
	cipher, kdf      string
	options          []byte
	rounds           uint32
	n                uint32
	private          []byte
	public           []byte
	tail             []byte
	check            uint32 // added to the second check number
	pad              []byte
	comment, noMagic string
}

func (c openssh) file(t *testing.T) []byte {
	t.Helper()
	ed := testKeys()["ed25519"]
	p := &pubkey.PrivateKey{Key: ed}
	pub, _ := p.PublicKey()
	if c.public == nil {
		c.public = pub.Marshal()
	}
	if c.kdf == "" {
		c.cipher, c.kdf = "aes256-ctr", "bcrypt"
	}
	if c.options == nil && c.kdf == "bcrypt" {
		c.options = wire.AppendUint32(wire.AppendString(nil, make([]byte, 16)), c.rounds)
	}
	if c.private == nil {
		b := wire.AppendUint32(wire.AppendUint32(nil, 5), 5+c.check)
		b, _ = p.Append(b)
		b = wire.AppendText(b, c.comment)
		if c.pad == nil {
			for i := byte(1); len(b)%16 != 0; i++ {
				b = append(b, i)
			}
		}
		c.private = append(b, c.pad...)
	}
	if c.n == 0 {
		c.n = 1
	}
	b := []byte("openssh-key-v1\x00")
	if c.noMagic != "" {
		b = []byte(c.noMagic)
	}
	b = wire.AppendText(wire.AppendText(b, c.cipher), c.kdf)
	b = wire.AppendUint32(wire.AppendString(b, c.options), c.n)
	b = wire.AppendString(wire.AppendString(b, c.public), c.private)
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: append(b, c.tail...)})
}

// FIL-3 and the rest of what a container may have wrong.
func TestStrictContainer(t *testing.T) {
	other, _ := pubkey.NewPublicKey(testKeys()["ecdsa256"])
	plain := openssh{cipher: "none", kdf: "none"}
	for _, c := range []struct {
		id     string
		change func(c *openssh)
		want   error
	}{
		{"good", func(c *openssh) {}, nil},
		{"magic", func(c *openssh) { c.noMagic = "openssh-key-v2\x00" }, keyfile.ErrMalformed},
		{"two keys", func(c *openssh) { c.n = 2 }, keyfile.ErrUnsupported},
		{"4e9 keys", func(c *openssh) { c.n = 1<<32 - 1 }, keyfile.ErrUnsupported},
		{"tail", func(c *openssh) { c.tail = []byte{0} }, keyfile.ErrMalformed},
		{"check numbers", func(c *openssh) { c.check = 1 }, keyfile.ErrMalformed},
		{"public half of another key", func(c *openssh) { c.public = other.Marshal() }, keyfile.ErrMalformed},
		{"public half malformed", func(c *openssh) { c.public = []byte{0, 0, 0, 1} }, pubkey.ErrMalformed},
		{"public half unknown", func(c *openssh) { c.public = wire.AppendText(nil, "ssh-dss") }, pubkey.ErrUnknownType},
		{"cipher without kdf", func(c *openssh) { c.cipher = "aes256-ctr" }, keyfile.ErrMalformed},
		{"kdf options without kdf", func(c *openssh) { c.options = []byte{1} }, keyfile.ErrMalformed},
		{"unknown kdf", func(c *openssh) { c.kdf = "argon2id" }, keyfile.ErrUnsupported},
		{"no private part", func(c *openssh) { c.private = []byte{} }, keyfile.ErrMalformed},
		{"private part not of whole blocks", func(c *openssh) { c.private = make([]byte, 15) }, keyfile.ErrMalformed},
		{"private part of zeros", func(c *openssh) { c.private = make([]byte, 64) }, pubkey.ErrUnknownType},
		{"padding", func(c *openssh) { c.comment = "1234567"; c.pad = []byte{1, 2, 4} }, keyfile.ErrMalformed},
		{"kdf without cipher", func(c *openssh) { c.kdf = "bcrypt"; c.rounds = 1 }, keyfile.ErrUnsupported},
		{"unknown cipher", func(c *openssh) { c.kdf, c.cipher, c.rounds = "bcrypt", "rc4", 1 }, keyfile.ErrUnsupported},
		{"no salt", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", wire.AppendUint32(wire.AppendText(nil, ""), 1)
		}, keyfile.ErrMalformed},
		{"short salt", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", wire.AppendUint32(wire.AppendText(nil, "1234567"), 1)
		}, keyfile.ErrMalformed},
		{"shortest salt", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", wire.AppendUint32(wire.AppendText(nil, "12345678"), 1)
		}, keyfile.ErrPassphrase},
		{"longest salt", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", wire.AppendUint32(wire.AppendString(nil, make([]byte, 64)), 1)
		}, keyfile.ErrPassphrase},
		{"long salt", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", wire.AppendUint32(wire.AppendString(nil, make([]byte, 65)), 1)
		}, keyfile.ErrMalformed},
		{"kdf options with a tail", func(c *openssh) {
			c.kdf, c.cipher, c.options = "bcrypt", "aes256-ctr", append(wire.AppendUint32(wire.AppendText(nil, "12345678"), 1), 0)
		}, keyfile.ErrMalformed},
		{"tag missing", func(c *openssh) { c.kdf, c.cipher, c.rounds = "bcrypt", "aes256-gcm@openssh.com", 1 }, keyfile.ErrMalformed},
		{"tag wrong", func(c *openssh) {
			c.kdf, c.cipher, c.rounds, c.tail = "bcrypt", "chacha20-poly1305@openssh.com", 1, make([]byte, 16)
		}, keyfile.ErrPassphrase},
		{"tag long", func(c *openssh) {
			c.kdf, c.cipher, c.rounds, c.tail = "bcrypt", "chacha20-poly1305@openssh.com", 1, make([]byte, 17)
		}, keyfile.ErrMalformed},
	} {
		o := plain
		c.change(&o)
		_, err := keyfile.Parse(o.file(t), keyfile.ReadOptions{Passphrase: []byte("x")})
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.id, err, c.want)
		}
	}
	for _, bad := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n"} {
		if _, err := keyfile.Parse([]byte(bad), keyfile.ReadOptions{}); !errors.Is(err, keyfile.ErrFormat) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := keyfile.Parse([]byte("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"), keyfile.ReadOptions{}); !errors.Is(err, keyfile.ErrUnsupported) {
		t.Errorf("DSA: %v", err)
	}
	if _, err := keyfile.Parse(make([]byte, keyfile.MaxFileSize+1), keyfile.ReadOptions{}); !errors.Is(err, keyfile.ErrMalformed) {
		t.Errorf("giant file: %v", err)
	}
	if _, err := keyfile.Parse(make([]byte, keyfile.MaxFileSize), keyfile.ReadOptions{}); !errors.Is(err, keyfile.ErrFormat) {
		t.Errorf("large file: %v", err)
	}
	for _, o := range []keyfile.MarshalOptions{{Passphrase: []byte("x"), Cipher: "rc4"}, {Rounds: -1}, {Random: strings.NewReader("short")}} {
		if _, err := keyfile.MarshalPrivateKey(testKeys()["ed25519"], "", o); err == nil {
			t.Errorf("written with %+v", o)
		}
	}
}

func TestPublicForms(t *testing.T) {
	rsaPub, _, err := keyfile.ParsePublicKeyFile(stock()["rsa.pub"])
	if err != nil {
		t.Fatal(err)
	}
	ecPub, _, _ := keyfile.ParsePublicKeyFile(stock()["ecdsa384.pub"])
	edPub, _, _ := keyfile.ParsePublicKeyFile(stock()["ed25519.pub"])
	for _, c := range []struct {
		file    string
		key     pubkey.PublicKey
		comment string
		marshal func() ([]byte, error)
	}{
		{"rsa.rfc4716", rsaPub, "2048-bit RSA, converted by ann@host from OpenSSH", func() ([]byte, error) {
			return keyfile.MarshalRFC4716(rsaPub, "2048-bit RSA, converted by ann@host from OpenSSH"), nil
		}},
		{"ed25519.rfc4716", edPub, "256-bit ED25519, converted by ann@host from OpenSSH", func() ([]byte, error) {
			return keyfile.MarshalRFC4716(edPub, "256-bit ED25519, converted by ann@host from OpenSSH"), nil
		}},
		{"rsa.pubpem", rsaPub, "", func() ([]byte, error) { return keyfile.MarshalPublicPEM(rsaPub) }},
		{"ecdsa384.pubpkcs8", ecPub, "", func() ([]byte, error) { return keyfile.MarshalPublicPKCS8(ecPub) }},
	} {
		key, comment, err := keyfile.ParsePublicKeyFile(stock()[c.file])
		if err != nil || !pubkey.Equal(key, c.key) || comment != c.comment {
			t.Errorf("%s: %q %v", c.file, comment, err)
		}
		b, err := c.marshal()
		if err != nil || !bytes.Equal(b, stock()[c.file]) {
			t.Errorf("%s is written otherwise: %v\n%s", c.file, err, b)
		}
	}
	for name, key := range testKeys() {
		pub, _ := pubkey.NewPublicKey(key)
		long := strings.Repeat("long comment ", 30)
		got, comment, err := keyfile.ParsePublicKeyFile(keyfile.MarshalRFC4716(pub, long))
		if err != nil || comment != long || !pubkey.Equal(got, pub) {
			t.Errorf("%s, RFC 4716: %q %v", name, comment, err)
		}
		for line := range strings.Lines(string(keyfile.MarshalRFC4716(pub, long))) {
			if len(line) > 73 {
				t.Errorf("line of %d bytes", len(line))
			}
		}
		for _, marshal := range []func(pubkey.PublicKey) ([]byte, error){keyfile.MarshalPublicPKCS8, keyfile.MarshalPublicPEM} {
			b, err := marshal(pub)
			if err != nil {
				if !errors.Is(err, keyfile.ErrUnsupported) || name == "rsa" || strings.HasPrefix(name, "ecdsa") {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if got, _, err := keyfile.ParsePublicKeyFile(b); err != nil || !pubkey.Equal(got, pub) {
				t.Errorf("%s: %v", name, err)
			}
		}
		got, comment, err = keyfile.ParsePublicKeyFile(keyfile.MarshalPublicKeyLine(pub, "a b  c"))
		if err != nil || comment != "a b  c" || !pubkey.Equal(got, pub) {
			t.Errorf("%s, line: %q %v", name, comment, err)
		}
	}
	for _, bad := range []string{"", "ssh-rsa", "ssh-rsa AAAA", "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \\",
		"---- BEGIN SSH2 PUBLIC KEY ----\n!\n---- END SSH2 PUBLIC KEY ----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"} {
		if _, _, err := keyfile.ParsePublicKeyFile([]byte(bad)); err == nil {
			t.Errorf("%q is a public key", bad)
		}
	}
}

// OpenBSD's vectors of bcrypt_pbkdf are in bcrypt_test.go; here is what it
// costs to open a file with ssh-keygen's defaults.
func BenchmarkOpen24Rounds(b *testing.B) {
	file, err := keyfile.MarshalPrivateKey(testKeys()["ed25519"], "", keyfile.MarshalOptions{Passphrase: []byte("x")})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := keyfile.Parse(file, keyfile.ReadOptions{Passphrase: []byte("x")}); err != nil {
			b.Fatal(err)
		}
	}
}
