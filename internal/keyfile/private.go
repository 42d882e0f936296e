package keyfile

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// Limits of what a private key file may hold.
const (
	MaxFileSize = 1 << 20 // bytes of a file

	// MaxRounds is how many rounds of bcrypt a file may ask for unless its
	// reader allows more (FIL-1): 2,048 take about ten seconds.
	MaxRounds = 2048
	// MaxIterations is the same for PBKDF2 in PKCS#8 files: about a second.
	MaxIterations = 2_000_000

	minSalt, maxSalt = 8, 64 // bytes of bcrypt's salt
)

// Errors that callers may act on; what is returned wraps them.
var (
	ErrFormat      = errors.New("keyfile: not a private key file of a known format")
	ErrMalformed   = errors.New("keyfile: malformed private key file")
	ErrPassphrase  = errors.New("keyfile: wrong passphrase")
	ErrUnsupported = errors.New("keyfile: not supported")
	ErrRounds      = errors.New("keyfile: key derivation is too expensive")
)

// PassphraseMissingError says that a file cannot be read without a passphrase.
// PublicKey is set if the file shows it all the same, which only OpenSSH's own
// format does.
type PassphraseMissingError struct {
	PublicKey pubkey.PublicKey
}

func (*PassphraseMissingError) Error() string {
	return "keyfile: the private key is protected by a passphrase"
}

// Format is the outer form of a private key file.
type Format int

// Formats, as `ssh-keygen -m` names them.
const (
	FormatOpenSSH Format = iota // openssh-key-v1
	FormatPEM                   // PKCS#1 and SEC 1, with OpenSSL's old encryption
	FormatPKCS8                 // PKCS#8, with PBES2
)

// Key is a private key file's content.
type Key struct {
	pubkey.PrivateKey
	Comment string // only OpenSSH's own format has one
	Format  Format
	Cipher  string // what protected it; empty if nothing did
	Rounds  int    // of bcrypt, or iterations of PBKDF2
}

// ReadOptions are what [Parse] is allowed and told. The zero value reads
// files that need no passphrase.
type ReadOptions struct {
	Passphrase    []byte // nil if none was asked for; a file without one does not mind
	MaxRounds     int    // of bcrypt; 0 means the constant
	MaxIterations int    // of PBKDF2; 0 means the constant
}

// ParsePrivateKey reads a private key file of any format that has no
// passphrase. If it has one, the error is a [*PassphraseMissingError].
func ParsePrivateKey(file []byte) (pubkey.Signer, string, error) {
	return signer(Parse(file, ReadOptions{}))
}

// ParsePrivateKeyWithPassphrase reads a private key file of any format. If the
// passphrase is wrong the error wraps ErrPassphrase.
func ParsePrivateKeyWithPassphrase(file, passphrase []byte) (pubkey.Signer, string, error) {
	return signer(Parse(file, ReadOptions{Passphrase: passphrase}))
}

func signer(k *Key, err error) (pubkey.Signer, string, error) {
	if err != nil {
		return nil, "", err
	}
	s, err := k.Signer()
	if err != nil {
		return nil, "", err
	}
	return s, k.Comment, nil
}

// Parse reads a private key file: OpenSSH's own format, PEM or PKCS#8.
func Parse(file []byte, o ReadOptions) (*Key, error) {
	b, err := findBlock(file)
	if err != nil {
		return nil, err
	}
	if b.Type == blockOpenSSH {
		c, err := readContainer(b.Bytes)
		if err != nil {
			return nil, err
		}
		return c.open(o)
	}
	return parseDER(b, o)
}

// ParsePublic reads the public key out of a private key file, without a
// passphrase where the format allows it: else the error is a
// [*PassphraseMissingError].
func ParsePublic(file []byte) (pubkey.PublicKey, error) {
	b, err := findBlock(file)
	if err != nil {
		return nil, err
	}
	if b.Type == blockOpenSSH {
		c, err := readContainer(b.Bytes)
		if err != nil {
			return nil, err
		}
		return c.public, nil
	}
	k, err := parseDER(b, ReadOptions{})
	if err != nil {
		return nil, err
	}
	return k.PublicKey()
}

// Block types.
const (
	blockOpenSSH   = "OPENSSH PRIVATE KEY"
	blockRSA       = "RSA PRIVATE KEY"
	blockEC        = "EC PRIVATE KEY"
	blockPKCS8     = "PRIVATE KEY"
	blockEncrypted = "ENCRYPTED PRIVATE KEY"
	blockDSA       = "DSA PRIVATE KEY"
)

// findBlock finds the first block that holds a private key.
func findBlock(file []byte) (*pem.Block, error) {
	if len(file) > MaxFileSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(file))
	}
	for {
		b, rest := pem.Decode(file)
		if b == nil {
			return nil, ErrFormat
		}
		switch b.Type {
		case blockOpenSSH, blockRSA, blockEC, blockPKCS8, blockEncrypted:
			return b, nil
		case blockDSA:
			return nil, fmt.Errorf("%w: DSA keys", ErrUnsupported)
		}
		file = rest
	}
}

// armor is a block of PEM with lines of width characters.
func armor(name string, headers []string, der []byte, width int) []byte {
	var b bytes.Buffer
	b.WriteString("-----BEGIN " + name + "-----\n")
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	if len(headers) > 0 {
		b.WriteByte('\n')
	}
	text := base64.StdEncoding.EncodeToString(der)
	for len(text) > width {
		b.WriteString(text[:width])
		b.WriteByte('\n')
		text = text[width:]
	}
	b.WriteString(text + "\n-----END " + name + "-----\n")
	return b.Bytes()
}
