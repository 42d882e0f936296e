package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

const (
	magic = "openssh-key-v1\x00"

	// DefaultRounds of bcrypt for new files.
	DefaultRounds = 24

	saltSize  = 16
	lineWidth = 70
)

// container is openssh-key-v1 before it is decrypted.
type container struct {
	cipher  *fileCipher // nil for none
	salt    []byte
	rounds  int
	public  pubkey.PublicKey
	private []byte // aliases what was read
	tag     []byte
}

func malformed(what string, err error) error {
	if err == nil {
		return fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}

// readContainer takes the outer form apart.
func readContainer(b []byte) (*container, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, malformed("magic is missing", nil)
	}
	r := wire.NewReader(b[len(magic):])
	cipherName, kdf, kdfOptions := r.String(), r.String(), r.String()
	n := r.Uint32()
	public, private := r.String(), r.String()
	if err := r.Err(); err != nil {
		return nil, malformed("header", err)
	}
	if n != 1 {
		return nil, fmt.Errorf("%w: %d keys in one file", ErrUnsupported, n)
	}
	c := &container{private: private}
	switch string(kdf) {
	case "none":
		if string(cipherName) != "none" || len(kdfOptions) > 0 {
			return nil, malformed("encryption without key derivation", nil)
		}
	case "bcrypt":
		if c.cipher = cipherByName(string(cipherName)); c.cipher == nil {
			return nil, fmt.Errorf("%w: cipher %q", ErrUnsupported, clip(cipherName))
		}
		o := wire.NewReader(kdfOptions)
		c.salt = o.String()
		rounds := o.Uint32()
		if err := o.Done(); err != nil {
			return nil, malformed("bcrypt's options", err)
		}
		if len(c.salt) < minSalt || len(c.salt) > maxSalt {
			return nil, malformed(fmt.Sprintf("salt of %d bytes", len(c.salt)), nil)
		}
		if rounds == 0 || rounds > 1<<30 {
			return nil, malformed(fmt.Sprintf("%d rounds of bcrypt", rounds), nil)
		}
		c.rounds = int(rounds)
	default:
		return nil, fmt.Errorf("%w: key derivation %q", ErrUnsupported, clip(kdf))
	}
	block := 8
	if c.cipher != nil {
		block = c.cipher.block
		c.tag = r.Fixed(c.cipher.tag)
	}
	if err := r.Done(); err != nil {
		return nil, malformed("private part", err)
	}
	if len(private) < block || len(private)%block != 0 {
		return nil, malformed(fmt.Sprintf("private part of %d bytes", len(private)), nil)
	}
	var err error
	if c.public, err = pubkey.ParsePublicKey(public); err != nil {
		return nil, err
	}
	return c, nil
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// open decrypts and reads the private part.
func (c *container) open(o ReadOptions) (*Key, error) {
	k := &Key{Format: FormatOpenSSH}
	b := bytes.Clone(c.private)
	defer clear(b)
	if c.cipher != nil {
		if len(o.Passphrase) == 0 {
			return nil, &PassphraseMissingError{c.public}
		}
		limit := o.MaxRounds
		if limit == 0 {
			limit = MaxRounds
		}
		if c.rounds > limit {
			return nil, fmt.Errorf("%w: %d rounds of bcrypt, at most %d are taken; re-encrypt the key with `ssh-keygen -p -a` or allow more",
				ErrRounds, c.rounds, limit)
		}
		k.Cipher, k.Rounds = c.cipher.name, c.rounds
		key, err := bcryptPBKDF(o.Passphrase, c.salt, c.rounds, c.cipher.key+c.cipher.iv)
		if err != nil {
			return nil, err
		}
		defer clear(key)
		if _, err := c.cipher.crypt(b, key, c.tag, false); err != nil {
			if errors.Is(err, errTag) {
				return nil, ErrPassphrase
			}
			return nil, malformed("decryption", err)
		}
	}
	r := wire.NewReader(b)
	if a, b := r.Uint32(), r.Uint32(); r.Err() != nil || a != b {
		if c.cipher != nil {
			return nil, ErrPassphrase
		}
		return nil, malformed("check numbers differ", r.Err())
	}
	p, err := pubkey.ReadPrivateKey(&r)
	if err != nil {
		return nil, err
	}
	k.PrivateKey, k.Comment = *p, r.Text()
	pad := r.Rest()
	if err := r.Err(); err != nil {
		return nil, malformed("comment", err)
	}
	for i, v := range pad {
		if v != byte(i+1) || i == 255 {
			return nil, malformed("padding", nil)
		}
	}
	pub, err := k.PublicKey()
	if err != nil {
		return nil, err
	}
	if !pubkey.Equal(pub, c.public) {
		return nil, malformed("public key differs from the private one", nil)
	}
	return k, nil
}

// MarshalOptions say how a private key file is protected. The zero value
// protects it by nothing but the file's mode.
type MarshalOptions struct {
	Passphrase []byte    // empty means none
	Cipher     string    // one of Ciphers; empty means DefaultCipher
	Rounds     int       // of bcrypt; 0 means DefaultRounds
	Random     io.Reader // nil means crypto/rand
}

// MarshalPrivateKey is a private key file in OpenSSH's own format. The key is
// a *pubkey.PrivateKey, what may stand in one, a *Key, or a signer that was
// made of one.
func MarshalPrivateKey(key any, comment string, o MarshalOptions) ([]byte, error) {
	p := private(key)
	random := o.Random
	if random == nil {
		random = rand.Reader
	}
	pub, err := p.PublicKey()
	if err != nil {
		return nil, err
	}
	name, kdf, block := "none", "none", 8
	var c *fileCipher
	if len(o.Passphrase) > 0 {
		if o.Cipher == "" {
			o.Cipher = DefaultCipher
		}
		if c = cipherByName(o.Cipher); c == nil {
			return nil, fmt.Errorf("%w: cipher %q", ErrUnsupported, o.Cipher)
		}
		name, kdf, block = c.name, "bcrypt", c.block
	}
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	if o.Rounds < 0 || o.Rounds > 1<<30 {
		return nil, fmt.Errorf("%w: %d rounds of bcrypt", ErrRounds, o.Rounds)
	}
	var fresh [4 + saltSize]byte // check number and salt
	if _, err := io.ReadFull(random, fresh[:]); err != nil {
		return nil, fmt.Errorf("keyfile: random numbers: %w", err)
	}
	b := make([]byte, 0, 4096) // room, lest secrets be left behind in old copies
	b = append(append(b, fresh[:4]...), fresh[:4]...)
	if b, err = p.Append(b); err != nil {
		return nil, err
	}
	defer func() { clear(b[:cap(b)]) }()
	b = wire.AppendText(b, comment)
	for i := byte(1); len(b)%block != 0; i++ {
		b = append(b, i)
	}
	var options, tag []byte
	if c != nil {
		options = wire.AppendUint32(wire.AppendString(nil, fresh[4:]), uint32(o.Rounds))
		key, err := bcryptPBKDF(o.Passphrase, fresh[4:], o.Rounds, c.key+c.iv)
		if err != nil {
			return nil, err
		}
		defer clear(key)
		if tag, err = c.crypt(b, key, nil, true); err != nil {
			return nil, err
		}
	}
	out := wire.AppendText(append(make([]byte, 0, 8192), magic...), name)
	out = wire.AppendString(wire.AppendText(out, kdf), options)
	out = wire.AppendString(wire.AppendUint32(out, 1), pub.Marshal())
	out = append(wire.AppendString(out, b), tag...)
	return armor(blockOpenSSH, nil, out, lineWidth), nil
}

// private is the pair that key is or stands for.
func private(key any) *pubkey.PrivateKey {
	switch k := key.(type) {
	case *pubkey.PrivateKey:
		return k
	case *Key:
		return &k.PrivateKey
	case *ed25519.PrivateKey:
		return &pubkey.PrivateKey{Key: *k}
	case pubkey.Signer:
		if p := pubkey.PrivateOf(k); p != nil {
			return p
		}
	}
	return &pubkey.PrivateKey{Key: key}
}
