package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// key makes a private key and its signer.
func key(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return k, s
}

func certificate(t *testing.T, k ssh.PublicKey, typ uint32, names ...string) *ssh.Certificate {
	t.Helper()
	_, ca := key(t)
	c := &ssh.Certificate{Key: k, CertType: typ, ValidPrincipals: names, ValidBefore: pubkey.CertTimeInfinity, KeyId: "id"}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func writePrivate(t *testing.T, dir, name string, k ed25519.PrivateKey, pass string) string {
	t.Helper()
	b, err := keyfile.MarshalPrivateKey(k, name, keyfile.MarshalOptions{Passphrase: []byte(pass), Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, name, b)
}

// config loads a client configuration from text.
func config(t *testing.T, text string) *sshconfig.Client {
	t.Helper()
	algs := sshconfig.NameList{Default: pubkey.DefaultHostKeyAlgorithms(), Known: pubkey.Query("key-sig")}
	c := sshconfig.NewClient(&sshconfig.ClientContext{Host: "host", LocalUser: "me", Home: "/home/me",
		Algorithms: sshconfig.Algorithms{PubkeyAcceptedAlgorithms: algs, HostKeyAlgorithms: algs, HostbasedAcceptedAlgorithms: algs}})
	if err := c.Load(sshconfig.Source{Name: "cfg", Data: []byte(text), User: true}); err != nil {
		t.Fatal(err)
	}
	return c
}

func names(ids []*Identity) string {
	var l []string
	for _, id := range ids {
		s := filepath.Base(id.File)
		if _, ok := id.Key.(*ssh.Certificate); ok {
			s += "(cert)"
		}
		if id.Agent {
			s += "+agent"
		}
		l = append(l, s)
	}
	return strings.Join(l, " ")
}

func TestIdentityOrder(t *testing.T) {
	dir := t.TempDir()
	k1, s1 := key(t)
	k2, s2 := key(t)
	_, s3 := key(t)
	f1 := writePrivate(t, dir, "one", k1, "")
	f2 := writePrivate(t, dir, "two", k2, "pass")
	c2 := certificate(t, s2.PublicKey(), ssh.UserCert, "me")
	write(t, dir, "two-cert.pub", ssh.MarshalAuthorizedKey(c2))
	c3 := write(t, dir, "three-cert.pub", ssh.MarshalAuthorizedKey(certificate(t, s3.PublicKey(), ssh.UserCert, "me")))
	host := write(t, dir, "host-cert.pub", ssh.MarshalAuthorizedKey(certificate(t, s3.PublicKey(), ssh.HostCert, "me")))
	agent := []AgentKey{{Key: s3.PublicKey(), Comment: "three", Signer: s3}, {Key: s1.PublicKey(), Comment: "uno", Signer: s1}}

	files := "IdentityFile " + f1 + "\nIdentityFile " + f2 + "\nIdentityFile " + filepath.Join(dir, "missing") + "\n"
	for _, c := range []struct {
		text  string
		agent []AgentKey
		want  string
	}{
		{files, nil, "one two two(cert) missing"},
		{files, agent, "one+agent three+agent two two(cert) missing"},
		{files + "IdentitiesOnly yes", agent, "one+agent two two(cert) missing"},
		{files + "CertificateFile " + c3, agent, "three-cert.pub(cert) one+agent three+agent two missing"},
		{files + "CertificateFile " + host, nil, "one two missing"},
		{files + "CertificateFile " + f1, nil, "one two missing"},
		{"IdentityFile none", agent, "three+agent uno+agent"},
		{files + "PubkeyAcceptedAlgorithms ssh-ed25519", nil, "one two missing"},
		{files + "PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com", nil, "two(cert) missing"},
	} {
		ids := &Identities{Conf: config(t, c.text)}
		if err := ids.LoadPublic(); err != nil {
			t.Fatal(err)
		}
		if got := names(ids.Arrange(c.agent)); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

// TestArrange: what the person named keeps its place, the rest is sorted
// around it by what using it costs a person.
func TestArrange(t *testing.T) {
	_, s := key(t)
	cert := certificate(t, s.PublicKey(), ssh.UserCert)
	plain := func(name string, explicit bool) *Identity {
		return &Identity{File: name, Key: s.PublicKey(), Explicit: explicit}
	}
	group := []*Identity{plain("a", false), plain("b", true), {File: "c", Key: cert}, plain("d", false), {File: "e", Key: cert}, {File: "f", Explicit: true, Key: cert}}
	got := names(arrange(group))
	if want := "c(cert) b e(cert) a d f(cert)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrivateKeys(t *testing.T) {
	dir := t.TempDir()
	k, s := key(t)
	open := writePrivate(t, dir, "open", k, "")
	locked := writePrivate(t, dir, "locked", k, "pass")
	loose := writePrivate(t, dir, "loose", k, "")
	os.Chmod(loose, 0o640)
	junk := write(t, dir, "junk", []byte("no key\n"))
	for _, c := range []struct {
		file, answer, config string
		ok                   bool
		log                  string
	}{
		{open, "", "", true, ""},
		{locked, "pass", "", true, ""},
		{locked, "wrong", "", false, "bad passphrase given, try again..."},
		{locked, "", "", false, "no passphrase given, try next key"},
		{locked, "pass", "BatchMode yes", false, ""},
		{loose, "", "", false, "Permissions 0640 for '" + loose + "' are too open."},
		{junk, "", "", false, "Load key \"" + junk + "\": invalid format"},
		{filepath.Join(dir, "none"), "", "", false, "no such identity: "},
	} {
		var log bytes.Buffer
		ids := &Identities{Conf: config(t, "NumberOfPasswordPrompts 2\n"+c.config), Log: NewLogger(&log, LevelDebug3, true)}
		ids.Ask = dialog(t, "echo '"+c.answer+"'")
		got, err := ids.private(t.Context(), &Identity{File: c.file})
		if (err == nil) != c.ok || c.ok && !pubkey.Equal(got.PublicKey(), s.PublicKey()) {
			t.Errorf("%s with %q: %v", filepath.Base(c.file), c.answer, err)
		}
		if err != nil && err != ssh.ErrSkip {
			t.Errorf("%s: the error %v would end the login", filepath.Base(c.file), err)
		}
		if !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: log %q lacks %q", filepath.Base(c.file), log.String(), c.log)
		}
	}
}

// TestSingleKey: one key that needs nobody signs at once; any other case asks
// the server first.
func TestSingleKey(t *testing.T) {
	dir := t.TempDir()
	k, s := key(t)
	k2, _ := key(t)
	open := "IdentityFile " + writePrivate(t, dir, "open", k, "") + "\n"
	locked := "IdentityFile " + writePrivate(t, dir, "locked", k2, "pass") + "\n"
	for _, c := range []struct {
		text  string
		agent []AgentKey
		now   []bool
	}{
		{open, nil, []bool{true}},
		{locked, nil, []bool{false}},
		{open + locked, nil, []bool{false, false}},
		{open + "IdentityFile " + dir + "/missing", nil, []bool{true, false}},
		{open, []AgentKey{{Key: s.PublicKey(), Signer: s}}, []bool{false}},
	} {
		ids := &Identities{Conf: config(t, c.text)}
		ids.LoadPublic()
		ids.Arrange(c.agent)
		var now []bool
		for _, k := range ids.Method().Keys {
			now = append(now, k.SignNow)
		}
		if !slices.Equal(now, c.now) {
			t.Errorf("%s with agent %v: sign at once %v, want %v", c.text, c.agent != nil, now, c.now)
		}
	}
}

// TestCertificateSigner: a certificate signs with the private key that belongs
// to it, wherever that is.
func TestCertificateSigner(t *testing.T) {
	dir := t.TempDir()
	k, s := key(t)
	_, other := key(t)
	file := writePrivate(t, dir, "id", k, "")
	cert := certificate(t, s.PublicKey(), ssh.UserCert, "me")
	certFile := write(t, dir, "c.pub", ssh.MarshalAuthorizedKey(cert))
	strange := write(t, dir, "s.pub", ssh.MarshalAuthorizedKey(certificate(t, other.PublicKey(), ssh.UserCert, "me")))
	ids := &Identities{Conf: config(t, "IdentityFile "+file+"\nCertificateFile "+certFile+"\nCertificateFile "+strange)}
	if err := ids.LoadPublic(); err != nil {
		t.Fatal(err)
	}
	all := ids.Arrange(nil)
	got, err := ids.signer(t.Context(), all[0])
	if err != nil || !pubkey.Equal(got.PublicKey(), cert) {
		t.Fatalf("signer of a certificate: %v", err)
	}
	sig, err := got.Sign(rand.Reader, []byte("data"))
	if err != nil || s.PublicKey().Verify([]byte("data"), sig) != nil {
		t.Errorf("signature of a certificate: %v", err)
	}
	if _, err := ids.signer(t.Context(), all[1]); err != ssh.ErrSkip {
		t.Errorf("certificate without a key: %v", err)
	}
}

func TestAgentPath(t *testing.T) {
	env := func(name string) string { return map[string]string{"SSH_AUTH_SOCK": "/sock", "OTHER": "/other"}[name] }
	for in, want := range map[string]string{"": "/sock", "SSH_AUTH_SOCK": "/sock", "none": "", "None": "", "$OTHER": "/other", "$MISSING": "", "/path": "/path"} {
		if got := AgentPath(in, env); got != want {
			t.Errorf("AgentPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNoAgent(t *testing.T) {
	if a := OpenAgent("", nil); a != nil {
		t.Error("an agent without a socket")
	}
	a := OpenAgent(filepath.Join(t.TempDir(), "none"), nil)
	a.Bind(&ssh.Client{})
	if a.Keys() != nil {
		t.Error("a missing agent has keys")
	}
	a.Close()
}
