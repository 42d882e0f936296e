package ssh

import "github.com/nacre-ssh/nacre/internal/keyfile"

// ParsePrivateKey reads a private key file in OpenSSH's format, PEM or PKCS#8.
// For an encrypted one the error is a *PassphraseMissingError.
func ParsePrivateKey(file []byte) (Signer, error) {
	s, _, err := keyfile.ParsePrivateKey(file)
	return s, err
}

// ParsePrivateKeyWithPassphrase reads an encrypted private key file.
func ParsePrivateKeyWithPassphrase(file, passphrase []byte) (Signer, error) {
	s, _, err := keyfile.ParsePrivateKeyWithPassphrase(file, passphrase)
	return s, err
}

// PassphraseMissingError is a private key file that is encrypted.
type PassphraseMissingError = keyfile.PassphraseMissingError

// ParseAuthorizedKey reads the next key line of an authorized_keys file.
func ParseAuthorizedKey(in []byte) (key PublicKey, comment string, options []string, rest []byte, err error) {
	return keyfile.ParseAuthorizedKey(in)
}

// MarshalAuthorizedKey writes key as a line of an authorized_keys file.
func MarshalAuthorizedKey(key PublicKey) []byte { return keyfile.MarshalAuthorizedKey(key) }
