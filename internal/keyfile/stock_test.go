package keyfile_test

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// stockPrograms finds a program of OpenSSH in each release that is there: the
// system's, and the one that `make peers` unpacks.
func stockPrograms(name string) []string {
	var l []string
	if p, err := exec.LookPath(name); err == nil {
		l = append(l, p)
	}
	if p, err := filepath.Abs("../../build/peers/openssh-10/usr/bin/" + name); err == nil {
		if _, err := os.Stat(p); err == nil {
			l = append(l, p)
		}
	}
	return l
}

// eachStock runs a test with every release of ssh-keygen. run's last argument
// is what it reads; the output is both streams.
func eachStock(t *testing.T, f func(t *testing.T, dir string, run func(stdin string, args ...string) (string, error))) {
	l := stockPrograms("ssh-keygen")
	if len(l) == 0 {
		t.Skip("peer lacks ssh-keygen")
	}
	for _, program := range l {
		t.Run(strings.ReplaceAll(filepath.Dir(program), "/", "_"), func(t *testing.T) {
			dir := t.TempDir()
			f(t, dir, func(stdin string, args ...string) (string, error) {
				c := exec.Command(program, args...)
				c.Dir, c.Stdin = dir, strings.NewReader(stdin)
				c.Env = append(os.Environ(), "SSH_ASKPASS=/bin/false", "DISPLAY=", "TZ=UTC")
				out, err := c.CombinedOutput()
				return string(out), err
			})
		})
	}
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What ssh-keygen makes, we read.
func TestStockMakes(t *testing.T) {
	eachStock(t, func(t *testing.T, dir string, run func(string, ...string) (string, error)) {
		for i, args := range [][]string{
			{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "ecdsa", "-b", "521"}, {"-t", "rsa", "-b", "1024"},
			{"-t", "rsa", "-b", "2048", "-m", "PEM"}, {"-t", "ecdsa", "-m", "PEM"}, {"-t", "rsa", "-b", "2048", "-m", "PKCS8"}, {"-t", "ecdsa", "-m", "PKCS8"},
		} {
			for _, pass := range []string{"", "secret"} {
				name := fmt.Sprintf("k%d%s", i, pass)
				if out, err := run("", append(args, "-q", "-N", pass, "-a", "1", "-f", name, "-C", "c c")...); err != nil {
					t.Fatalf("%v: %s", args, out)
				}
				want, comment, err := keyfile.ParsePublicKeyFile(read(t, dir, name+".pub"))
				if err != nil || comment != "c c" {
					t.Fatal(err)
				}
				k, err := keyfile.Parse(read(t, dir, name), keyfile.ReadOptions{Passphrase: []byte(pass)})
				if err != nil {
					t.Errorf("%v %q: %v", args, pass, err)
					continue
				}
				if pub, err := k.PublicKey(); err != nil || !pubkey.Equal(pub, want) {
					t.Errorf("%v %q: %v", args, pass, err)
				}
			}
		}
	})
}

// What we make, ssh-keygen reads: it finds the same public key, comment and
// fingerprints, and can change the passphrase.
func TestStockReads(t *testing.T) {
	eachStock(t, func(t *testing.T, dir string, run func(string, ...string) (string, error)) {
		check := func(name, pass string, key any, file []byte) {
			t.Helper()
			pub, err := pubkey.NewPublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, name, file)
			out, err := run("", "-y", "-P", pass, "-f", name)
			if err != nil || !strings.HasPrefix(out, strings.TrimSpace(string(keyfile.MarshalPublicKeyLine(pub, "")))) {
				t.Errorf("%s: ssh-keygen -y: %v\n%s", name, err, out)
			}
			write(t, dir, name+".pub", keyfile.MarshalPublicKeyLine(pub, "c"))
			hashes := map[string]string{"sha256": pubkey.FingerprintSHA256(pub)}
			if pass == "" {
				hashes["md5"] = "MD5:" + pubkey.FingerprintLegacyMD5(pub)
			}
			if pass == "" {
				out, err := run("", "-B", "-f", name+".pub")
				if line := fmt.Sprintf("%d %s c (%s)\n", pubkey.Bits(pub), pubkey.BubbleBabble(pub), pubkey.TypeName(pub)); err != nil || out != line {
					t.Errorf("%s: ssh-keygen -B: %v\n%s%s", name, err, out, line)
				}
			}
			for hash, want := range hashes {
				out, err := run("", "-l", "-v", "-E", hash, "-f", name+".pub")
				if line := fmt.Sprintf("%d %s c (%s)\n%s\n", pubkey.Bits(pub), want, pubkey.TypeName(pub), pubkey.RandomArt(pub, hash)); err != nil || out != line {
					t.Errorf("%s: ssh-keygen -l: %v\n%s%s", name, err, out, line)
				}
			}
		}
		for name, key := range testKeys() {
			if name == "mldsa" {
				continue // newer than both
			}
			file, err := keyfile.MarshalPrivateKey(key, "our comment", keyfile.MarshalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			check(name, "", key, file)
		}
		key := testKeys()["ed25519"]
		for _, cipher := range keyfile.Ciphers() {
			file, err := keyfile.MarshalPrivateKey(key, "our comment", keyfile.MarshalOptions{Passphrase: []byte("pass"), Cipher: cipher, Rounds: 2})
			if err != nil {
				t.Fatal(err)
			}
			check(cipher, "pass", key, file)
		}
		out, err := run("", "-p", "-P", "pass", "-N", "other", "-a", "1", "-f", "aes256-ctr")
		if err != nil || !strings.Contains(out, "our comment") {
			t.Errorf("ssh-keygen -p: %v\n%s", err, out)
		}
		if k, err := keyfile.Parse(read(t, dir, "aes256-ctr"), keyfile.ReadOptions{Passphrase: []byte("other")}); err != nil || k.Comment != "our comment" {
			t.Errorf("after ssh-keygen -p: %v", err)
		}
		for _, name := range []string{"rsa", "ecdsa256", "ecdsa384", "ecdsa521"} {
			for i, marshal := range []func(any, keyfile.MarshalOptions) ([]byte, error){keyfile.MarshalPEM, keyfile.MarshalPKCS8} {
				for _, pass := range []string{"", "pass"} {
					if pass != "" && name != "rsa" {
						continue // PKCS#8's key derivation takes its time
					}
					file, err := marshal(testKeys()[name], keyfile.MarshalOptions{Passphrase: []byte(pass)})
					if err != nil {
						t.Fatal(err)
					}
					check(fmt.Sprintf("%s-%d%s", name, i, pass), pass, testKeys()[name], file)
				}
			}
			pub, _ := pubkey.NewPublicKey(testKeys()[name])
			write(t, dir, "rfc4716", keyfile.MarshalRFC4716(pub, "x y"))
			if out, err := run("", "-i", "-f", "rfc4716"); err != nil || out != string(keyfile.MarshalPublicKeyLine(pub, "")) {
				t.Errorf("%s: ssh-keygen -i: %v\n%s", name, err, out)
			}
		}
	})
}

// Certificates that we sign, ssh-keygen takes (it verifies them before it
// shows them); those that it signs, we take.
func TestStockCertificatesBothWays(t *testing.T) {
	eachStock(t, func(t *testing.T, dir string, run func(string, ...string) (string, error)) {
		for caName, caKey := range testKeys() {
			if caName == "mldsa" || strings.HasPrefix(caName, "sk-") {
				continue
			}
			ca, err := pubkey.NewSignerFromKey(caKey)
			if err != nil {
				t.Fatal(err)
			}
			file, err := keyfile.MarshalPrivateKey(caKey, "", keyfile.MarshalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "ca", file)
			for name, key := range testKeys() {
				if name == "mldsa" || name != caName && caName != "ed25519" {
					continue
				}
				pub, _ := pubkey.NewPublicKey(key)
				c := &pubkey.Certificate{Key: pub, Serial: 5, CertType: pubkey.UserCert, KeyId: "id", ValidPrincipals: []string{"ann"}, ValidBefore: pubkey.CertTimeInfinity,
					Permissions: pubkey.Permissions{CriticalOptions: map[string]string{"force-command": "ls"}, Extensions: map[string]string{"permit-pty": "", "no-touch-required": ""}}}
				if err := c.SignCert(nil, ca); err != nil {
					t.Fatal(err)
				}
				write(t, dir, "c-cert.pub", keyfile.MarshalPublicKeyLine(c, ""))
				out, err := run("", "-L", "-f", "c-cert.pub")
				for _, want := range []string{c.Type() + " user certificate", pubkey.TypeName(c) + " " + pubkey.FingerprintSHA256(c), "(using " + c.Signature.Format + ")",
					`Key ID: "id"`, "Serial: 5", "Valid: forever", "force-command ls", "no-touch-required", "permit-pty"} {
					if !strings.Contains(out, want) {
						t.Errorf("%s by %s: ssh-keygen -L lacks %q: %v\n%s", name, caName, want, err, out)
					}
				}
				write(t, dir, "u.pub", keyfile.MarshalPublicKeyLine(pub, "c"))
				if out, err := run("", "-q", "-s", "ca", "-I", "id", "-n", "ann,bob", "-V", "20000101:20990101", "-O", "verify-required", "-O", "extension:x@y=z", "-O", "critical:a@b", "u.pub"); err != nil {
					t.Fatalf("ssh-keygen -s: %s", out)
				}
				k, _, err := keyfile.ParsePublicKeyFile(read(t, dir, "u-cert.pub"))
				if err != nil {
					t.Fatal(err)
				}
				cert := k.(*pubkey.Certificate)
				ch := &pubkey.CertChecker{SupportedCriticalOptions: []string{"verify-required", "a@b"}, Clock: func() time.Time { return time.Unix(1e9, 0) },
					IsUserAuthority: func(a pubkey.PublicKey) bool { return pubkey.Equal(a, ca.PublicKey()) }}
				if err := ch.CheckUser(cert, "bob"); err != nil || cert.Extensions["x@y"] != "z" {
					t.Errorf("%s by %s: %v", name, caName, err)
				}
			}
		}
	})
}

// sshsig is a signature file as `ssh-keygen -Y` has it.
func sshsig(t *testing.T, key pubkey.PublicKey, message string, sign func([]byte) (*pubkey.Signature, error)) []byte {
	t.Helper()
	h := sha512.Sum512([]byte(message))
	field := func(b []byte) []byte {
		b = wire.AppendText(wire.AppendText(b, "file"), "")
		return wire.AppendText(b, "sha512")
	}
	sig, err := sign(wire.AppendString(field([]byte("SSHSIG")), h[:]))
	if err != nil {
		t.Fatal(err)
	}
	b := wire.AppendString(wire.AppendUint32([]byte("SSHSIG"), 1), key.Marshal())
	b = wire.AppendString(field(b), pubkey.MarshalSignature(sig))
	return []byte("-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END SSH SIGNATURE-----\n")
}

// Signatures of every key, security keys and webauthn included, are good for
// ssh-keygen too.
func TestStockVerifies(t *testing.T) {
	eachStock(t, func(t *testing.T, dir string, run func(string, ...string) (string, error)) {
		verify := func(name string, file []byte, good bool) {
			t.Helper()
			write(t, dir, "sig", file)
			out, err := run("message", "-Y", "check-novalidate", "-n", "file", "-s", "sig")
			if (err == nil) != good {
				t.Errorf("%s: %v %s", name, err, out)
			}
		}
		for name, key := range testKeys() {
			if name == "mldsa" || strings.HasPrefix(name, "sk-") {
				continue
			}
			s, _ := pubkey.NewSignerFromKey(key)
			verify(name, sshsig(t, s.PublicKey(), "message", func(b []byte) (*pubkey.Signature, error) { return s.Sign(nil, b) }), true)
			verify(name, sshsig(t, s.PublicKey(), "massage", func(b []byte) (*pubkey.Signature, error) { return s.Sign(nil, b) }), false)
		}
		for _, typ := range []string{pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKECDSA256} {
			tok, err := sktest.New(typ, "ssh:")
			if err != nil {
				t.Fatal(err)
			}
			verify(typ, sshsig(t, tok.Key.PublicKey, "message", func(b []byte) (*pubkey.Signature, error) { return tok.Sign(nil, b) }), true)
			if typ == pubkey.KeyAlgoSKECDSA256 {
				verify("webauthn", sshsig(t, tok.Key.PublicKey, "message", func(b []byte) (*pubkey.Signature, error) { return tok.WebAuthn("https://example.com", b) }), true)
				tok.Flags = 0x81
				verify("webauthn with extensions", sshsig(t, tok.Key.PublicKey, "message", func(b []byte) (*pubkey.Signature, error) {
					return tok.WebAuthnRaw("https://example.com", `{"type":"webauthn.get","challenge":"`+base64.RawURLEncoding.EncodeToString(b)+`","origin":"https://example.com"}`, []byte("\xa1\x61\x61\x01"))
				}), true)
			}
		}
	})
}

// `ssh -Q` of stock releases: what they list is in our lists, in our order.
func TestStockQuery(t *testing.T) {
	l := stockPrograms("ssh")
	if len(l) == 0 {
		t.Skip("peer lacks ssh")
	}
	for _, program := range l {
		for _, kind := range []string{"key", "key-cert", "key-plain", "key-sig", "sig", "HostKeyAlgorithms", "key-ca-sign"} {
			out, err := exec.Command(program, "-Q", kind).Output()
			if err != nil {
				if kind != "key-ca-sign" { // not known to 9.2
					t.Errorf("%s -Q %s: %v", program, kind, err)
				}
				continue
			}
			ours := pubkey.Query(kind)
			for _, name := range strings.Fields(string(out)) {
				if strings.Contains(name, "dss") {
					continue // gone since
				}
				i := slices.Index(ours, name)
				if i < 0 {
					t.Errorf("%s -Q %s: %s is missing or out of order", program, kind, name)
					continue
				}
				ours = ours[i+1:]
			}
		}
	}
}
