//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/sshd/auth"
	sshdlog "github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// maxKeyFile is how much of a key file is read.
const maxKeyFile = 1 << 20

// errPermissions is a private key that others may read.
var errPermissions = errors.New("bad permissions")

// hostKeys loads the keys and certificates of the configuration. What cannot
// be used is told and left out, as an error when the configuration names it.
func hostKeys(cfg *sshconfig.Server, log *sshdlog.Logger) (keys []ssh.Signer, certs []*ssh.Certificate) {
	level := sshconfig.Debug1
	if cfg.IsSet("HostKey") {
		level = sshconfig.Error
	}
	for i, path := range cfg.HostKey {
		key, err := readHostKey(path, log)
		if err != nil {
			if !missing(err) {
				log.Logf(level, "Unable to load host key \"%s\": %s", path, keyReason(err))
			}
			log.Logf(level, "Unable to load host key: %s", path)
			continue
		}
		public := key.PublicKey()
		if bits := pubkey.RSABits(public); bits != 0 && bits < cfg.RequiredRSASize {
			log.Errorf("Host key %s: Invalid key length", path)
			continue
		}
		if twin(keys, public) {
			log.Logf(level, "Host key %s: there is one of its type already; it is not used", path)
			continue
		}
		log.Debugf("private host key #%d: %s %s", i, public.Type(), auth.Fingerprint(cfg.FingerprintHash, public))
		keys = append(keys, key)
	}
	for _, path := range cfg.HostCertificate {
		cert, err := readHostCertificate(path)
		if err != nil {
			log.Errorf("Could not load host certificate \"%s\": %s", path, keyReason(err))
			continue
		}
		known := false
		for _, k := range keys {
			known = known || pubkey.Equal(k.PublicKey(), cert.Key)
		}
		if !known {
			log.Errorf("No matching private key for certificate: %s", path)
			continue
		}
		certs = append(certs, cert)
	}
	return keys, certs
}

// twin tells whether a key of the same type is there. Of two keys of one type
// a client could never learn which it will meet.
func twin(keys []ssh.Signer, key ssh.PublicKey) bool {
	for _, k := range keys {
		if k.PublicKey().Type() == key.Type() {
			return true
		}
	}
	return false
}

func readHostKey(path string, log *sshdlog.Logger) (ssh.Signer, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid == uint32(os.Getuid()) && st.Mode().Perm()&0o077 != 0 {
		const line = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
		log.Errorf(line)
		log.Errorf("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
		log.Errorf(line)
		log.Errorf("Permissions 0%o for '%s' are too open.", st.Mode().Perm(), path)
		log.Errorf("It is required that your private key files are NOT accessible by others.")
		log.Errorf("This private key will be ignored.")
		return nil, errPermissions
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	defer clear(b)
	if err != nil {
		return nil, err
	}
	key, _, err := keyfile.ParsePrivateKey(b)
	return key, err
}

func readHostCertificate(path string) (*ssh.Certificate, error) {
	b, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	key, _, err := keyfile.ParsePublicKeyFile(b)
	if err != nil {
		return nil, err
	}
	cert, ok := key.(*pubkey.Certificate)
	if !ok {
		return nil, errors.New("not a certificate")
	}
	if cert.CertType != pubkey.HostCert {
		return nil, errors.New("not a host certificate")
	}
	return cert, nil
}

// readRegular reads an administrator's file of at most maxKeyFile bytes.
func readRegular(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxKeyFile)
	}
	return b, err
}

func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)
}

// keyReason is the cause in OpenSSH's words where it has some.
func keyReason(err error) string {
	var pass *keyfile.PassphraseMissingError
	switch {
	case errors.As(err, &pass):
		return "incorrect passphrase supplied to decrypt private key"
	case errors.Is(err, errPermissions):
		return err.Error()
	}
	s := reason(err)
	if i := strings.LastIndex(s, "keyfile: "); i >= 0 {
		s = s[i+len("keyfile: "):]
	}
	return s
}
