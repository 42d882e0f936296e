package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Identity is one key that may log us in: a private key file, a certificate
// for one, or a key of an agent.
type Identity struct {
	// File is the private key file, or the certificate's file where one was
	// named; for a key that only the agent has, its comment.
	File string
	// Key is the public key or certificate; nil where it is not known before
	// the private key is read.
	Key ssh.PublicKey
	// Where it comes from, as logs say it.
	Explicit, Token, Agent bool

	comment  string     // of the private key
	onlyCert bool       // File is that of a certificate
	agent    ssh.Signer // signs in the agent, when that has the key
	signer   ssh.Signer // the private key, once it was read
	failed   bool       // the private key could not be read
}

// words is what follows name, type and fingerprint.
func (id *Identity) words() string {
	s := ""
	if id.Explicit {
		s += " explicit"
	}
	if id.Token {
		s += " token"
	} else if id.Key != nil && pubkey.IsSK(id.Key) {
		s += " authenticator"
	}
	if id.Agent {
		s += " agent"
	}
	return s
}

// String is the identity as logs and -Z show it.
func (id *Identity) String() string {
	if id.Key == nil {
		return id.File + " " + id.words()
	}
	return id.File + " " + pubkey.TypeName(id.Key) + " " + ssh.FingerprintSHA256(id.Key) + id.words()
}

// AgentKey is a key that an agent holds.
type AgentKey struct {
	Key     ssh.PublicKey
	Comment string
	Signer  ssh.Signer
}

// Identities are the keys of one login in the order in which they are tried.
type Identities struct {
	Conf   *sshconfig.Client
	Log    *Logger
	Ask    *Prompter
	Rounds int // largest bcrypt cost taken of a file; 0 is keyfile.MaxRounds

	// Remembered says whether an identity is known to be the one that the server
	// takes; nil: none is.
	Remembered func(*Identity) bool

	// Agent takes what AddKeysToAgent adds; nil: there is none.
	Agent *Agent

	remembered *ssh.AuthKey // the key of that identity, put first

	files []*Identity // private key files and the certificates beside them
	certs []*Identity // of CertificateFile
	all   []*Identity // in order
}

// fingerprint is shown in logs.
func (ids *Identities) fingerprint(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) }

// LoadPublic reads the public halves of IdentityFile and the certificates,
// before a connection is made.
func (ids *Identities) LoadPublic() error {
	c := ids.Conf
	explicit := c.IsSet("IdentityFile")
	for _, name := range c.IdentityFile {
		if name == "none" {
			continue
		}
		file, err := c.ExpandPath(name)
		if err != nil {
			return err
		}
		key := loadPublic(file)
		ids.Log.Debug1("identity file %s type %d", file, keyNumber(key))
		ids.files = append(ids.files, &Identity{File: file, Key: key, Explicit: explicit})
		if len(c.CertificateFile) > 0 {
			continue
		}
		key = loadPublic(file + "-cert")
		ids.Log.Debug1("identity file %s type %d", file+"-cert", keyNumber(key))
		if key == nil {
			continue
		}
		if ids.usableCert(file+"-cert", key) {
			ids.files = append(ids.files, &Identity{File: file, Key: key, Explicit: explicit})
		}
	}
	for _, name := range c.CertificateFile {
		file, err := c.ExpandPath(name)
		if err != nil {
			return err
		}
		key := loadPublic(file)
		ids.Log.Debug1("certificate file %s type %d", file, keyNumber(key))
		if key != nil && ids.usableCert(file, key) {
			ids.certs = append(ids.certs, &Identity{File: file, Key: key, Explicit: true, onlyCert: true})
		}
	}
	return nil
}

// usableCert says whether key is a user's certificate.
func (ids *Identities) usableCert(file string, key ssh.PublicKey) bool {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		ids.Log.Error("load_public_identity_files: key %s type %s is not a certificate", file, pubkey.TypeName(key))
		return false
	}
	if cert.CertType != ssh.UserCert {
		ids.Log.Debug1("ignoring certificate %s: not a user certificate", file)
		return false
	}
	return true
}

// Arrange puts the identities and the agent's keys in the order of trial:
// certificates of CertificateFile; the agent's keys that belong to configured
// files, then its others; files that the agent does not have. In each group
// what the person named keeps its place and the rest is sorted around it.
func (ids *Identities) Arrange(agent []AgentKey) []*Identity {
	var inAgent, otherAgent, files []*Identity
	taken := make([]bool, len(ids.files))
	for i := range agent {
		k := &agent[i]
		found := false
		for j, id := range ids.files {
			if !taken[j] && id.Key != nil && pubkey.Equal(id.Key, k.Key) {
				taken[j], found = true, true
				id.Agent, id.agent = true, k.Signer
				inAgent = append(inAgent, id)
				break
			}
		}
		if !found && !ids.Conf.IdentitiesOnly {
			otherAgent = append(otherAgent, &Identity{File: k.Comment, Key: k.Key, Agent: true, agent: k.Signer})
		}
	}
	for j, id := range ids.files {
		if !taken[j] {
			files = append(files, id)
		}
	}
	all := arrange(ids.certs)
	all = append(all, arrange(append(inAgent, otherAgent...))...)
	all = append(all, arrange(files)...)
	all = slices.DeleteFunc(all, func(id *Identity) bool { return !ids.accepted(id) })
	ids.all = all
	for _, id := range all {
		ids.Log.Debug1("Will attempt key: %s", id)
	}
	return all
}

// accepted says whether PubkeyAcceptedAlgorithms and RequiredRSASize take the
// key.
func (ids *Identities) accepted(id *Identity) bool {
	if id.Key == nil {
		return true
	}
	if bits := pubkey.RSABits(id.Key); bits != 0 && bits < ids.Conf.RequiredRSASize {
		ids.Log.Debug1("Skipping %s key %s - Invalid key length", pubkey.TypeName(id.Key), id.File)
		return false
	}
	for _, name := range ids.Conf.PubkeyAcceptedAlgorithms {
		if a := pubkey.AlgorithmByName(name); a != nil && a.KeyType == id.Key.Type() {
			return true
		}
	}
	ids.Log.Debug1("Skipping %s key %s - corresponding algorithm not in PubkeyAcceptedAlgorithms", pubkey.TypeName(id.Key), id.File)
	return false
}

// arrange sorts a group, stably, around the identities that the person named.
func arrange(group []*Identity) []*Identity {
	var rest []*Identity
	for _, id := range group {
		if !id.Explicit {
			rest = append(rest, id)
		}
	}
	slices.SortStableFunc(rest, func(a, b *Identity) int { return rank(a) - rank(b) })
	out := make([]*Identity, 0, len(group))
	for _, id := range group {
		if !id.Explicit {
			id, rest = rest[0], rest[1:]
		}
		out = append(out, id)
	}
	return out
}

// rank orders what nobody named: certificates that ask nothing of a person
// first, plain keys last.
func rank(id *Identity) int {
	cert, ok := id.Key.(*ssh.Certificate)
	if !ok {
		return 3
	}
	if !pubkey.IsSK(cert) {
		return 1
	}
	if _, ok := cert.Permissions.CriticalOptions["verify-required"]; ok {
		return 2
	}
	if _, ok := cert.Permissions.Extensions["no-touch-required"]; ok {
		return 0
	}
	return 1
}

// Method is publickey authentication with the identities as Arrange put them.
func (ids *Identities) Method() *ssh.AuthPublicKeys {
	m := &ssh.AuthPublicKeys{}
	ids.remembered = nil
	candidates := 0
	for _, id := range ids.all {
		if id.Key != nil || exists(id.File) {
			candidates++
		}
	}
	for _, id := range ids.all {
		k := &ssh.AuthKey{PublicKey: id.Key, Name: id.File, Words: id.words()}
		k.Load = func(ctx context.Context) (ssh.Signer, error) { return ids.signer(ctx, id) }
		known := ids.remembered == nil && ids.Remembered != nil && id.Key != nil && !pubkey.IsSK(id.Key) && ids.Remembered(id)
		switch {
		case id.agent != nil:
			k.Signer, k.SignNow = id.agent, known
		case ids.Conf.AddKeysToAgent.On && ids.Agent != nil:
			// What the server does not take is not added: it is asked.
		case (candidates == 1 || known) && id.Key != nil:
			// A single key is not worth a question to the server, if using it
			// is not worth one to the person.
			if s, err := ids.quiet(id); err == nil {
				k.Signer, k.SignNow = s, true
			}
		}
		if known && k.SignNow {
			ids.remembered = k
			m.Keys = slices.Insert(m.Keys, 0, k)
			continue
		}
		m.Keys = append(m.Keys, k)
	}
	return m
}

// signer finds what signs for an identity. The error is ssh.ErrSkip when that
// was said already.
func (ids *Identities) signer(ctx context.Context, id *Identity) (ssh.Signer, error) {
	cert, ok := id.Key.(*ssh.Certificate)
	if !ok {
		return ids.private(ctx, id)
	}
	for _, other := range ids.withPlain(cert) {
		if other.agent != nil {
			ids.Log.Debug2("using private key \"%s\" from agent for certificate", other.File)
			return ssh.NewCertSigner(cert, other.agent)
		}
	}
	if others := ids.withPlain(cert); len(others) > 0 {
		other := others[0]
		ids.Log.Debug2("using private key \"%s\" for certificate", other.File)
		s, err := ids.private(ctx, other)
		if err != nil {
			return nil, err
		}
		return ssh.NewCertSigner(cert, s)
	}
	ids.Log.Debug1("sign_and_send_pubkey: no separate private key for certificate \"%s\"", id.File)
	if id.onlyCert {
		return nil, ssh.ErrSkip
	}
	s, err := ids.private(ctx, &Identity{File: id.File, Explicit: id.Explicit})
	if err != nil {
		return nil, err
	}
	return ssh.NewCertSigner(cert, s)
}

// withPlain lists the identities with the plain key of cert.
func (ids *Identities) withPlain(cert *ssh.Certificate) []*Identity {
	var l []*Identity
	for _, other := range ids.all {
		if other.Key == nil {
			continue
		}
		if _, is := other.Key.(*ssh.Certificate); !is && pubkey.Equal(other.Key, cert.Key) {
			l = append(l, other)
		}
	}
	return l
}

// quiet is the private key of an identity if it can be had without asking
// anybody.
func (ids *Identities) quiet(id *Identity) (ssh.Signer, error) {
	cert, isCert := id.Key.(*ssh.Certificate)
	if id.onlyCert {
		return nil, ssh.ErrSkip
	}
	if isCert {
		// Only the file beside it: the plain key is a candidate of its own.
		id = &Identity{File: id.File, Key: cert.Key}
	}
	s, err := ids.open(id, nil)
	if err == nil && pubkey.IsSK(s.PublicKey()) {
		err = errors.New("client: a security key asks for a touch")
	}
	if err != nil {
		return nil, err
	}
	if isCert {
		return ssh.NewCertSigner(cert, s)
	}
	id.signer = s
	return s, nil
}

// private reads the private key of an identity, asking for its passphrase as
// often as NumberOfPasswordPrompts says. What is wrong is logged; the error
// then is ssh.ErrSkip.
func (ids *Identities) private(ctx context.Context, id *Identity) (ssh.Signer, error) {
	if id.signer != nil {
		return id.signer, nil
	}
	if id.failed {
		return nil, ssh.ErrSkip
	}
	s, err := ids.askPrivate(ctx, id)
	if err != nil {
		id.failed = true
		return nil, ssh.ErrSkip
	}
	id.signer = s
	ids.addToAgent(ctx, id, s)
	return s, nil
}

func (ids *Identities) askPrivate(ctx context.Context, id *Identity) (ssh.Signer, error) {
	if !exists(id.File) {
		level := LevelDebug3
		if id.Explicit {
			level = LevelError
		}
		_, err := os.Stat(id.File)
		ids.Log.Log(level, "no such identity: %s: %s", id.File, Strerror(err))
		return nil, err
	}
	s, err := ids.open(id, nil)
	var missing *ssh.PassphraseMissingError
	for i := 0; i < ids.Conf.NumberOfPasswordPrompts && errors.As(err, &missing); i++ {
		if ids.Conf.BatchMode {
			return nil, err
		}
		pass, _ := ids.Ask.Ask(ctx, "Enter passphrase for key '"+id.File+"': ", 0)
		if len(pass) == 0 {
			ids.Log.Debug2("no passphrase given, try next key")
			return nil, err
		}
		var wrong error
		s, wrong = ids.open(id, pass)
		clear(pass)
		if wrong == nil {
			return s, nil
		}
		if !errors.Is(wrong, keyfile.ErrPassphrase) {
			err = wrong
			break
		}
		ids.Log.Debug2("bad passphrase given, try again...")
	}
	if err != nil && !errors.As(err, &missing) {
		ids.Log.Error("Load key \"%s\": %s", id.File, loadError(err))
	}
	return s, err
}

// errPermissions is a private key file that others may read.
var errPermissions = errors.New("bad permissions")

// open reads a private key file. Its error is not logged, but for the frame
// around bad permissions.
func (ids *Identities) open(id *Identity, passphrase []byte) (ssh.Signer, error) {
	f, err := os.Open(id.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if OthersMay(st) {
		const line = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
		ids.Log.Error(line)
		ids.Log.Error("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
		ids.Log.Error(line)
		ids.Log.Error("Permissions 0%03o for '%s' are too open.", st.Mode().Perm(), id.File)
		ids.Log.Error("It is required that your private key files are NOT accessible by others.")
		ids.Log.Error("This private key will be ignored.")
		return nil, errPermissions
	}
	data, err := io.ReadAll(io.LimitReader(f, keyfile.MaxFileSize+1))
	defer clear(data)
	if err != nil {
		return nil, err
	}
	k, err := keyfile.Parse(data, keyfile.ReadOptions{Passphrase: passphrase, MaxRounds: ids.Rounds})
	if err != nil {
		return nil, err
	}
	id.comment = k.Comment
	return k.Signer()
}

// loadError says why a key could not be read, in the words of the stock tools
// where those have any.
func loadError(err error) string {
	switch {
	case errors.Is(err, errPermissions):
		return errPermissions.Error()
	case errors.Is(err, keyfile.ErrPassphrase):
		return "incorrect passphrase supplied to decrypt private key"
	case errors.Is(err, keyfile.ErrFormat), errors.Is(err, keyfile.ErrMalformed):
		return "invalid format"
	}
	return Strerror(err)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// loadPublic reads the public half of an identity: of the file itself if that
// is a public key file, of the .pub beside it, or out of the private key file.
// nil when there is none.
func loadPublic(file string) ssh.PublicKey {
	data, err := readSmall(file)
	defer clear(data)
	if err == nil {
		if k, _, err := keyfile.ParsePublicKeyFile(data); err == nil {
			return k
		}
	}
	if pub, err := readSmall(file + ".pub"); err == nil {
		if k, _, err := keyfile.ParsePublicKeyFile(pub); err == nil {
			return k
		}
	}
	if len(data) > 0 {
		k, err := keyfile.ParsePublic(data)
		var missing *ssh.PassphraseMissingError
		if errors.As(err, &missing) {
			return missing.PublicKey
		}
		if err == nil {
			return k
		}
	}
	return nil
}

// readSmall reads a regular file of at most keyfile.MaxFileSize bytes.
func readSmall(name string) ([]byte, error) { return readRegular(name, keyfile.MaxFileSize) }

// readRegular reads a file that is no directory and not larger than size.
func readRegular(name string, size int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.IsDir() || st.Size() > size {
		return nil, fmt.Errorf("client: %s is no key file", filepath.Base(name))
	}
	return io.ReadAll(io.LimitReader(f, size+1))
}

// keyNumbers are the numbers by which logs call the kinds of keys.
var keyNumbers = [...]string{"RSA", "ECDSA", "ED25519", "RSA-CERT", "ECDSA-CERT", "ED25519-CERT", "ECDSA-SK", "ECDSA-SK-CERT",
	"ED25519-SK", "ED25519-SK-CERT", "MLDSA44-ED25519", "MLDSA44-ED25519-CERT"}

func keyNumber(k ssh.PublicKey) int {
	if k == nil {
		return -1
	}
	return slices.Index(keyNumbers[:], pubkey.TypeName(k))
}
