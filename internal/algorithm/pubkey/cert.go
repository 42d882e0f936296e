package pubkey

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Kinds of certificates.
const (
	UserCert = 1
	HostCert = 2
)

// CertTimeInfinity as ValidBefore means that a certificate does not expire.
const CertTimeInfinity = 1<<64 - 1

// MaxPrincipals is how many principals one certificate may have.
const MaxPrincipals = 256

// Critical options and extensions that mean something to OpenSSH.
const (
	OptionForceCommand  = "force-command"
	OptionSourceAddress = "source-address"
	OptionVerify        = "verify-required"

	ExtensionNoTouch         = "no-touch-required"
	ExtensionX11Forwarding   = "permit-X11-forwarding"
	ExtensionAgentForwarding = "permit-agent-forwarding"
	ExtensionPortForwarding  = "permit-port-forwarding"
	ExtensionPTY             = "permit-pty"
	ExtensionUserRC          = "permit-user-rc"
)

// Permissions are what a certificate restricts and allows, by name. A name
// without a value has an empty one.
type Permissions struct {
	CriticalOptions map[string]string // unknown ones must be refused
	Extensions      map[string]string // unknown ones are ignored
}

// Certificate is OpenSSH's certificate, version 01: a key, what it may be used
// for, and an authority's signature over both. The fields are those of
// golang.org/x/crypto/ssh. A parsed certificate has not been verified: that is
// the work of [CertChecker].
type Certificate struct {
	Nonce           []byte
	Key             PublicKey // a plain key
	Serial          uint64
	CertType        uint32 // UserCert or HostCert
	KeyId           string
	ValidPrincipals []string // empty matches nobody
	ValidAfter      uint64   // seconds since 1970; valid from then on
	ValidBefore     uint64   // and until just before then
	Permissions
	Reserved     []byte
	SignatureKey PublicKey // the authority's plain key
	Signature    *Signature

	// odd keeps the bytes of options whose data is not a string in a string,
	// so that Marshal gives back what was parsed.
	odd map[oddOption][]byte
}

type oddOption struct {
	critical bool
	name     string
}

// parseCertificate decodes a certificate blob of row a's type.
func parseCertificate(blob []byte, a *Algorithm) (*Certificate, error) {
	plain := plainRow(a)
	r := wire.NewReader(bytes.Clone(blob))
	r.String() // the type, which the caller has looked at
	c := &Certificate{Nonce: r.String()}
	if err := r.Err(); err != nil {
		return nil, malformed(a.Name, err)
	}
	var err error
	if c.Key, err = parseFields(&r, plain.Name); err != nil {
		return nil, err
	}
	c.Serial, c.CertType, c.KeyId = r.Uint64(), r.Uint32(), r.Name()
	principals := wire.NewReader(r.String())
	c.ValidAfter, c.ValidBefore = r.Uint64(), r.Uint64()
	critical, extensions := r.String(), r.String()
	c.Reserved = r.String()
	ca, sig := r.String(), r.String()
	if err := r.Done(); err != nil {
		return nil, malformed(a.Name, err)
	}
	if c.CertType != UserCert && c.CertType != HostCert {
		return nil, malformed(a.Name, fmt.Errorf("certificate is for neither user nor host (type %d)", c.CertType))
	}
	for principals.Len() > 0 {
		if len(c.ValidPrincipals) == MaxPrincipals {
			return nil, malformed(a.Name, fmt.Errorf("more than %d principals", MaxPrincipals))
		}
		c.ValidPrincipals = append(c.ValidPrincipals, principals.Name())
		if err := principals.Err(); err != nil {
			return nil, malformed(a.Name, fmt.Errorf("principals: %w", err))
		}
	}
	if c.CriticalOptions, err = c.parseOptions(critical, true); err != nil {
		return nil, malformed(a.Name, fmt.Errorf("critical options: %w", err))
	}
	if c.Extensions, err = c.parseOptions(extensions, false); err != nil {
		return nil, malformed(a.Name, fmt.Errorf("extensions: %w", err))
	}
	if c.SignatureKey, err = parsePlain(ca); err != nil {
		return nil, fmt.Errorf("pubkey: signing key of certificate: %w", err)
	}
	if c.Signature, err = ParseSignature(sig); err != nil {
		return nil, malformed(a.Name, err)
	}
	return c, nil
}

var errOrder = errors.New("names are not in ascending order")

// parseOptions decodes names and data. Data holds a string, or nothing; what
// else an unknown name may have is kept as it is.
func (c *Certificate) parseOptions(b []byte, critical bool) (map[string]string, error) {
	r := wire.NewReader(b)
	m := make(map[string]string)
	last := ""
	for n := 0; r.Len() > 0; n++ {
		name, data := r.Name(), r.String()
		if err := r.Err(); err != nil {
			return nil, err
		}
		if n > 0 && name <= last {
			return nil, errOrder
		}
		last = name
		value, ok := optionValue(data)
		if !ok {
			if knownOption(name, critical) {
				return nil, fmt.Errorf("%s: malformed value", name)
			}
			if c.odd == nil {
				c.odd = make(map[oddOption][]byte)
			}
			c.odd[oddOption{critical, name}] = data
		}
		m[name] = value
	}
	return m, nil
}

// optionValue reads an option's data: nothing, or one string that is not
// empty. Anything else is returned as it is and is not ok.
func optionValue(data []byte) (string, bool) {
	if len(data) == 0 {
		return "", true
	}
	r := wire.NewReader(data)
	if v := r.String(); r.Done() == nil && len(v) > 0 {
		return string(v), true
	}
	return string(data), false
}

func knownOption(name string, critical bool) bool {
	switch name {
	case OptionForceCommand, OptionSourceAddress, OptionVerify:
		return critical
	case ExtensionNoTouch, ExtensionX11Forwarding, ExtensionAgentForwarding,
		ExtensionPortForwarding, ExtensionPTY, ExtensionUserRC:
		return !critical
	}
	return false
}

// OptionData is the raw data of a critical option or an extension, as it
// stands in the blob; nil if there is none of that name.
func (c *Certificate) OptionData(critical bool, name string) []byte {
	m := c.Extensions
	if critical {
		m = c.CriticalOptions
	}
	v, ok := m[name]
	if !ok {
		return nil
	}
	if raw, ok := c.odd[oddOption{critical, name}]; ok && string(raw) == v {
		return bytes.Clone(raw)
	}
	if v == "" {
		return []byte{}
	}
	return wire.AppendText(nil, v)
}

func (c *Certificate) appendOptions(b []byte, critical bool) []byte {
	m := c.Extensions
	if critical {
		m = c.CriticalOptions
	}
	var l []byte
	for _, name := range slices.Sorted(maps.Keys(m)) {
		l = wire.AppendString(wire.AppendText(l, name), c.OptionData(critical, name))
	}
	return wire.AppendString(b, l)
}

// signed is the blob without its signature: what the authority signs.
func (c *Certificate) signed() []byte {
	key := c.Key.Marshal()
	r := wire.NewReader(key)
	r.String()
	b := wire.AppendText(nil, c.Type())
	b = append(wire.AppendString(b, c.Nonce), r.Rest()...)
	b = wire.AppendUint32(wire.AppendUint64(b, c.Serial), c.CertType)
	b = wire.AppendText(b, c.KeyId)
	var l []byte
	for _, p := range c.ValidPrincipals {
		l = wire.AppendText(l, p)
	}
	b = wire.AppendString(b, l)
	b = wire.AppendUint64(wire.AppendUint64(b, c.ValidAfter), c.ValidBefore)
	b = c.appendOptions(c.appendOptions(b, true), false)
	b = wire.AppendString(b, c.Reserved)
	return wire.AppendString(b, c.SignatureKey.Marshal())
}

// Marshal is the certificate's blob. Key, SignatureKey and Signature must be
// set.
func (c *Certificate) Marshal() []byte {
	return wire.AppendString(c.signed(), MarshalSignature(c.Signature))
}

// Type is the certificate's format name, "" if its key is none that has
// certificates.
func (c *Certificate) Type() string {
	if c.Key == nil {
		return ""
	}
	a := keyType(c.Key.Type())
	if a == nil || a.Cert {
		return ""
	}
	return certRow(a).Name
}

// Verify checks a signature that was made with the certified key. It says
// nothing about the certificate itself.
func (c *Certificate) Verify(data []byte, sig *Signature) error {
	return c.Key.Verify(data, sig)
}

// VerifySignature checks the authority's signature and nothing else: whether
// the authority is one, and what the certificate allows, is [CertChecker]'s to
// say. The algorithm must be among allowed; nil means the default list. As in
// OpenSSH, an authority's security key need not have been touched.
func (c *Certificate) VerifySignature(allowed []string) error {
	if c.Key == nil || c.SignatureKey == nil || c.Signature == nil || c.Type() == "" {
		return errors.New("pubkey: certificate is not signed")
	}
	if a := keyType(c.SignatureKey.Type()); a == nil || a.Cert {
		return malformed("certificate's signing key", errNotPlain)
	}
	// A signature's format is the plain algorithm's name.
	var ok bool
	if allowed == nil {
		ok = slices.Contains(preference[:], c.Signature.Format)
	} else {
		ok = slices.Contains(allowed, c.Signature.Format)
	}
	if !ok {
		return fmt.Errorf("pubkey: certificate is signed with %q, which is not among the CA signature algorithms", c.Signature.Format)
	}
	if err := VerifyWith(c.SignatureKey, c.signed(), c.Signature, c.Signature.Format, SKOptions{NoTouchRequired: true}); err != nil {
		return fmt.Errorf("pubkey: certificate: %w", err)
	}
	return nil
}

// SignCert signs the certificate: it sets Nonce, SignatureKey and Signature.
// The authority may not be a certificate. The first of its algorithms is used.
// A nil random means crypto/rand.
func (c *Certificate) SignCert(random io.Reader, authority Signer) error {
	if random == nil {
		random = rand.Reader
	}
	if c.Type() == "" {
		return fmt.Errorf("%w: such a key cannot be certified", ErrUnknownType)
	}
	if len(c.ValidPrincipals) > MaxPrincipals {
		return fmt.Errorf("pubkey: more than %d principals", MaxPrincipals)
	}
	ca := authority.PublicKey()
	if a := keyType(ca.Type()); a == nil || a.Cert {
		return fmt.Errorf("%w: %q cannot be an authority's key", ErrUnknownType, ca.Type())
	}
	c.Nonce = make([]byte, 32)
	if _, err := io.ReadFull(random, c.Nonce); err != nil {
		return fmt.Errorf("pubkey: random nonce: %w", err)
	}
	c.SignatureKey = ca
	sig, err := SignWith(authority, random, c.signed(), SignerAlgorithms(authority)[0])
	if err != nil {
		return err
	}
	c.Signature = sig
	return nil
}

// NewCertSigner is a signer that shows the certificate and signs with the key
// that it certifies.
func NewCertSigner(cert *Certificate, signer Signer) (MultiAlgorithmSigner, error) {
	if cert.Type() == "" || !bytes.Equal(cert.Key.Marshal(), signer.PublicKey().Marshal()) {
		return nil, errors.New("pubkey: certificate belongs to another key")
	}
	return &certSigner{cert, signer}, nil
}

type certSigner struct {
	cert   *Certificate
	signer Signer
}

func (s *certSigner) PublicKey() PublicKey { return s.cert }
func (s *certSigner) Algorithms() []string { return SignerAlgorithms(s.signer) }

func (s *certSigner) Sign(random io.Reader, data []byte) (*Signature, error) {
	return s.signer.Sign(random, data)
}

func (s *certSigner) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*Signature, error) {
	if algorithm == "" {
		return s.signer.Sign(random, data)
	}
	return SignWith(s.signer, random, data, algorithm)
}

// validName reports whether a principal's name may be compared at all.
func validName(s string) bool { return s != "" && strings.IndexByte(s, 0) < 0 }
