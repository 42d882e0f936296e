//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/login"
	"github.com/nacre-ssh/nacre/internal/system/account"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// maxKeyOutput is how much an AuthorizedKeysCommand or
	// AuthorizedPrincipalsCommand may print, in bytes.
	maxKeyOutput = 1 << 20
	// keyCommandTime is how long it may take.
	keyCommandTime = 10 * time.Second
	// maxKeyFiles bounds what the patterns of AuthorizedKeysFile may match.
	maxKeyFiles = 1024
)

// errNoKey is the answer for a key that no source knows.
var errNoKey = errors.New("key is not authorized")

// keyCheck looks for what one offered key may do.
type keyCheck struct {
	db   *account.Database
	cfg  *sshconfig.Server // as matched for the connection
	user *account.Account
	ids  []uint32   // the user's groups
	host string     // the client's name, its address without UseDNS
	addr netip.Addr // zero when unknown
	tok  tokens
	log  func(v sshconfig.LogLevel, format string, args ...any)
	now  time.Time
	// commandTime is keyCommandTime but in tests.
	commandTime time.Duration
}

// keyCheck makes one for the visitor.
func (v *Visitor) keyCheck() *keyCheck {
	k := &keyCheck{db: v.h.DB, cfg: v.cfg, user: v.account, host: v.host, addr: v.addr,
		tok: userTokens(v.account), log: v.lines.Logf, now: v.h.now(), commandTime: keyCommandTime}
	k.tok['C'] = fmt.Sprintf("%s %d %s %d", v.local, v.localPort, v.remote, v.remotePort)
	k.ids, _ = v.h.DB.GroupIDs(v.account)
	return k
}

// read reads a file of the user's with the user's rights.
func (k *keyCheck) read(ctx context.Context, file string) (b []byte, err error) {
	err = asUser(ctx, k.user.UID, k.user.GID, k.ids, func() (err error) {
		b, err = readUserFile(file, k.user.UID, k.user.Home, k.cfg.StrictModes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// allowed gives the options under which key may log the user in, from the
// first source that lets it.
func (k *keyCheck) allowed(ctx context.Context, key pubkey.PublicKey) (*keyfile.AuthorizedOptions, error) {
	if err := k.revoked(key); err != nil {
		return nil, err
	}
	cert, _ := key.(*pubkey.Certificate)
	for _, file := range k.files(ctx, k.cfg.AuthorizedKeysFile) {
		b, err := k.read(ctx, file)
		if err != nil {
			k.unreadable("authorized keys", file, err)
			continue
		}
		if o := k.lookIn(b, file, key, cert); o != nil {
			return o, nil
		}
	}
	if cert != nil {
		if o := k.trustedCA(ctx, cert); o != nil {
			return o, nil
		}
	}
	if c := k.cfg.AuthorizedKeysCommand; c != "" {
		b, err := k.run(ctx, "AuthorizedKeysCommand", c, k.cfg.AuthorizedKeysCommandUser, key)
		if err != nil {
			k.log(sshconfig.Error, "%s", err)
		} else if o := k.lookIn(b, c, key, cert); o != nil {
			return o, nil
		}
	}
	return nil, errNoKey
}

// lines are the lines of a file with their numbers, MaxUserLines at most.
func (k *keyCheck) lines(b []byte, name string) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		n := 0
		for line := range bytes.Lines(b) {
			if n++; n > MaxUserLines {
				k.log(sshconfig.Info, "%s has more than %d lines; the rest is not read", name, MaxUserLines)
				return
			}
			if !yield(n, line) {
				return
			}
		}
	}
}

// lookIn goes through the lines of an authorized_keys text.
func (k *keyCheck) lookIn(b []byte, name string, key pubkey.PublicKey, cert *pubkey.Certificate) *keyfile.AuthorizedOptions {
	want := key
	if cert != nil {
		want = cert.SignatureKey
	}
	m := keyfile.NewMatcher(want)
	for n, line := range k.lines(b, name) {
		l, ok := keyfile.ScanLine(line)
		if !ok || !m.Match(&l) || bytes.IndexByte(line, 0) >= 0 {
			continue
		}
		at := fmt.Sprintf("%s:%d", name, n)
		o, err := keyfile.ParseOptions(string(l.Options), time.Local)
		if err != nil {
			k.log(sshconfig.Debug1, "%s: bad key options: %s", at, err)
			continue
		}
		if o.CertAuthority != (cert != nil) {
			continue
		}
		if !k.mayUse(o, at) {
			continue
		}
		if cert != nil {
			names := o.Principals
			if names == nil {
				names = []string{k.user.Name}
			}
			if o = k.certificate(cert, names, o); o == nil {
				continue
			}
			k.log(sshconfig.Verbose, "Accepted certificate ID \"%s\" (serial %d) signed by CA %s %s found at %s",
				cert.KeyId, cert.Serial, pubkey.TypeName(want), Fingerprint(k.cfg.FingerprintHash, want), at)
		} else {
			k.log(sshconfig.Verbose, "Accepted key %s %s found at %s", pubkey.TypeName(want), Fingerprint(k.cfg.FingerprintHash, want), at)
		}
		return o
	}
	return nil
}

// mayUse checks what a line demands of the moment and the client.
func (k *keyCheck) mayUse(o *keyfile.AuthorizedOptions, at string) bool {
	if o.Expired(k.now) {
		k.log(sshconfig.Debug1, "%s: entry expired at %s", at, o.ExpiryTime.Format("2006-01-02T15:04:05"))
		return false
	}
	if !o.MatchSource(k.host, k.addr) {
		addr := "UNKNOWN"
		if k.addr.IsValid() {
			addr = k.addr.String()
		}
		k.log(sshconfig.Info, "%s: Authentication tried for %s with correct key but not from a permitted host (host=%s, ip=%s, required=%s).",
			at, k.user.Name, k.host, addr, strings.Join(append(append([]string(nil), o.From...), o.SourceAddress...), ","))
		return false
	}
	return true
}

// certificate checks a user's certificate whose authority is trusted for
// names, and puts its options together with those of the line o.
func (k *keyCheck) certificate(cert *pubkey.Certificate, names []string, o *keyfile.AuthorizedOptions) *keyfile.AuthorizedOptions {
	checker := pubkey.CertChecker{
		SupportedCriticalOptions: []string{pubkey.OptionForceCommand, pubkey.OptionSourceAddress, pubkey.OptionVerify},
		IsUserAuthority:          func(pubkey.PublicKey) bool { return true }, // the line says so
		Clock:                    func() time.Time { return k.now },
		CASignatureAlgorithms:    k.cfg.CASignatureAlgorithms,
	}
	if err := checker.CheckUser(cert, names...); err != nil {
		k.log(sshconfig.Error, "%s", certReason(err))
		return nil
	}
	own, err := keyfile.FromCertificate(cert)
	if err == nil {
		o, err = o.Merge(own)
	}
	if err != nil {
		k.log(sshconfig.Error, "Certificate ID \"%s\": %s", cert.KeyId, strings.TrimPrefix(err.Error(), "keyfile: "))
		return nil
	}
	if !k.mayUse(o, "certificate "+cert.KeyId) {
		return nil
	}
	return o
}

func certReason(err error) string {
	var ce *pubkey.CertError
	if errors.As(err, &ce) {
		return "Certificate invalid: " + ce.Reason
	}
	return err.Error()
}

// trustedCA looks for the certificate's authority in TrustedUserCAKeys.
func (k *keyCheck) trustedCA(ctx context.Context, cert *pubkey.Certificate) *keyfile.AuthorizedOptions {
	file := k.cfg.TrustedUserCAKeys
	if file == "" {
		return nil
	}
	b, err := readRegular(file)
	if err != nil {
		k.log(sshconfig.Error, "Could not open trusted user CA keys '%s': %s", file, reason.Of(err))
		return nil
	}
	m := keyfile.NewMatcher(cert.SignatureKey)
	found := false
	for line := range bytes.Lines(b) {
		l, ok := keyfile.ScanLine(line)
		found = found || ok && len(l.Options) == 0 && m.Match(&l)
	}
	if !found {
		return nil
	}
	plain, _ := keyfile.ParseOptions("", time.Local)
	o := k.principals(ctx, cert, plain)
	if o != nil {
		k.log(sshconfig.Verbose, "Accepted certificate ID \"%s\" (serial %d) signed by %s CA %s via %s",
			cert.KeyId, cert.Serial, pubkey.TypeName(cert.SignatureKey), Fingerprint(k.cfg.FingerprintHash, cert.SignatureKey), file)
	}
	return o
}

// principals finds a name of the certificate that the account accepts: from
// AuthorizedPrincipalsFile and AuthorizedPrincipalsCommand, or else its own.
func (k *keyCheck) principals(ctx context.Context, cert *pubkey.Certificate, o *keyfile.AuthorizedOptions) *keyfile.AuthorizedOptions {
	if k.cfg.AuthorizedPrincipalsFile == "" && k.cfg.AuthorizedPrincipalsCommand == "" {
		return k.certificate(cert, []string{k.user.Name}, o)
	}
	if k.cfg.AuthorizedPrincipalsFile != "" {
		for _, file := range k.files(ctx, []string{k.cfg.AuthorizedPrincipalsFile}) {
			b, err := k.read(ctx, file)
			if err != nil {
				k.unreadable("authorized principals", file, err)
				continue
			}
			if o := k.principalLines(b, file, cert); o != nil {
				return o
			}
		}
	}
	if c := k.cfg.AuthorizedPrincipalsCommand; c != "" {
		b, err := k.run(ctx, "AuthorizedPrincipalsCommand", c, k.cfg.AuthorizedPrincipalsCommandUser, cert)
		if err != nil {
			k.log(sshconfig.Error, "%s", err)
			return nil
		}
		return k.principalLines(b, c, cert)
	}
	return nil
}

// principalLines reads "[options] NAME" lines.
func (k *keyCheck) principalLines(b []byte, name string, cert *pubkey.Certificate) *keyfile.AuthorizedOptions {
	for n, line := range k.lines(b, name) {
		text := strings.TrimSpace(string(line))
		if text == "" || len(text) > keyfile.MaxLine || text[0] == '#' || strings.IndexByte(text, 0) >= 0 {
			continue
		}
		options, principal := "", text
		if i := strings.LastIndexAny(text, " \t"); i >= 0 {
			options, principal = strings.TrimSpace(text[:i]), text[i+1:]
		}
		listed := false
		for _, p := range cert.ValidPrincipals {
			listed = listed || p == principal
		}
		if !listed {
			continue
		}
		at := fmt.Sprintf("%s:%d", name, n)
		o, err := keyfile.ParseOptions(options, time.Local)
		if err != nil {
			k.log(sshconfig.Debug1, "%s: bad principals options: %s", at, err)
			continue
		}
		if !k.mayUse(o, at) {
			continue
		}
		if o := k.certificate(cert, []string{principal}, o); o != nil {
			return o
		}
	}
	return nil
}

// unreadable tells why a user's file was left out.
func (k *keyCheck) unreadable(kind, file string, err error) {
	var bad *insecureError
	switch {
	case errors.Is(err, errNotThere):
		k.log(sshconfig.Debug1, "Could not open user '%s' %s '%s': No such file or directory", k.user.Name, kind, file)
	case errors.As(err, &bad) && bad.why == "is not a regular file":
		k.log(sshconfig.Info, "User '%s' %s '%s' is not a regular file", k.user.Name, kind, file)
	case errors.As(err, &bad):
		k.log(sshconfig.Info, "Authentication refused: %s", bad.why)
	default:
		k.log(sshconfig.Info, "Could not open user '%s' %s '%s': %s", k.user.Name, kind, file, reason.Of(err))
	}
}

// files expands the words of AuthorizedKeysFile: tokens, then wildcards; what
// is relative is so to the home directory.
func (k *keyCheck) files(ctx context.Context, words []string) []string {
	var list []string
	for _, w := range words {
		if strings.EqualFold(w, "none") {
			continue
		}
		path, err := k.tok.expand(w, "hUu")
		if err != nil {
			k.log(sshconfig.Error, "%s", err)
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(k.user.Home, path)
		}
		if strings.ContainsAny(w, "*?[") {
			var found []string
			err := asUser(ctx, k.user.UID, k.user.GID, k.ids, func() (err error) {
				found, err = filepath.Glob(path)
				return err
			})
			if err == nil && len(found) > 0 {
				list = append(list, found[:min(len(found), maxKeyFiles)]...)
				continue
			}
		}
		list = append(list, path)
	}
	return list
}

// revoked refuses a key that RevokedKeys names, itself or by the authority of
// its certificate. A list that cannot be read refuses all.
func (k *keyCheck) revoked(key pubkey.PublicKey) error {
	for _, file := range k.cfg.RevokedKeys {
		if file == "none" {
			continue
		}
		path, err := k.tok.expand(file, "hUu")
		if err != nil {
			path = file
		}
		var list *keyfile.Revoked
		b, err := readAtMost(path, keyfile.MaxRevokedSize)
		if err == nil {
			list, err = keyfile.ParseRevoked(b)
		}
		if err != nil {
			k.log(sshconfig.Error, "Error checking authentication key %s %s in revoked keys file %s: %s",
				pubkey.TypeName(key), Fingerprint(k.cfg.FingerprintHash, key), path, reason.Of(err))
			return errNoKey
		}
		if list.Has(key) {
			k.log(sshconfig.Error, "Authentication key %s %s revoked by file %s", pubkey.TypeName(key), Fingerprint(k.cfg.FingerprintHash, key), path)
			return errNoKey
		}
	}
	return nil
}

// unsafeError is a program that others than root may change.
type unsafeError struct {
	what, path string
	err        error
}

func (e *unsafeError) Error() string {
	return "Unsafe " + e.what + " \"" + e.path + "\": " + e.err.Error()
}

// run runs an AuthorizedKeysCommand or AuthorizedPrincipalsCommand as the
// account that is configured for it.
func (k *keyCheck) run(ctx context.Context, what, command, as string, key pubkey.PublicKey) ([]byte, error) {
	words, err := sshconfig.SplitCommand(command)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", what, command, err)
	}
	if err := secureProgram(words[0]); err != nil {
		return nil, &unsafeError{what, words[0], err}
	}
	a, err := k.db.Lookup(as)
	if err != nil {
		return nil, fmt.Errorf("%s user \"%s\" not found", what, as)
	}
	t := k.tok
	t.setKey(k.cfg, key)
	allowed := "CDfhktUu"
	if what == "AuthorizedPrincipalsCommand" {
		allowed = "CDFKTfhiksTtUu"
	}
	argv := []string{words[0]}
	for _, w := range words[1:] {
		s, err := t.expand(w, allowed)
		if err != nil {
			return nil, err
		}
		argv = append(argv, s)
	}
	if len(words) == 1 && what == "AuthorizedKeysCommand" {
		argv = append(argv, k.user.Name) // without arguments it gets the name
	}
	cred, err := Credential(k.db, a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, k.commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + login.StdPath, "USER=" + a.Name, "LOGNAME=" + a.Name, "HOME=" + a.Home}
	if lang := os.Getenv("LANG"); lang != "" {
		cmd.Env = append(cmd.Env, "LANG="+lang)
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: cred}
	out := &limited{left: maxKeyOutput}
	cmd.Stdout = out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s failed: %w", what, words[0], err)
	}
	return out.b.Bytes(), nil
}

// limited is a buffer that refuses more than it may hold.
type limited struct {
	b    bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errors.New("it prints too much")
	}
	return l.b.Write(p)
}

// Credential is what a process of the account needs, nil for our own. Only
// root becomes somebody else.
func Credential(db *account.Database, a *account.Account) (*syscall.Credential, error) {
	if int(a.UID) == os.Geteuid() {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("this server does not run as root and cannot become %s", a.Name)
	}
	groups, err := db.GroupIDs(a)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: groups}, nil
}
