package pubkey

import (
	"fmt"
	"strings"
)

// Names of keys and signature algorithms without a certificate.
const (
	KeyAlgoED25519            = "ssh-ed25519"
	KeyAlgoSKED25519          = "sk-ssh-ed25519@openssh.com"
	KeyAlgoMLDSA44ED25519     = "ssh-mldsa44-ed25519@openssh.com"
	KeyAlgoECDSA256           = "ecdsa-sha2-nistp256"
	KeyAlgoECDSA384           = "ecdsa-sha2-nistp384"
	KeyAlgoECDSA521           = "ecdsa-sha2-nistp521"
	KeyAlgoSKECDSA256         = "sk-ecdsa-sha2-nistp256@openssh.com"
	KeyAlgoWebAuthnSKECDSA256 = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" // signatures only; the key is KeyAlgoSKECDSA256
	KeyAlgoRSA                = "ssh-rsa"                                     // the key type; as signature algorithm it means SHA-1
	KeyAlgoRSASHA256          = "rsa-sha2-256"                                // signatures only
	KeyAlgoRSASHA512          = "rsa-sha2-512"                                // signatures only
)

// Names of certificates and of the algorithms that ask for one.
const (
	CertAlgoED25519v01            = "ssh-ed25519-cert-v01@openssh.com"
	CertAlgoSKED25519v01          = "sk-ssh-ed25519-cert-v01@openssh.com"
	CertAlgoMLDSA44ED25519v01     = "ssh-mldsa44-ed25519-cert-v01@openssh.com"
	CertAlgoECDSA256v01           = "ecdsa-sha2-nistp256-cert-v01@openssh.com"
	CertAlgoECDSA384v01           = "ecdsa-sha2-nistp384-cert-v01@openssh.com"
	CertAlgoECDSA521v01           = "ecdsa-sha2-nistp521-cert-v01@openssh.com"
	CertAlgoSKECDSA256v01         = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"
	CertAlgoWebAuthnSKECDSA256v01 = "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"
	CertAlgoRSAv01                = "ssh-rsa-cert-v01@openssh.com"
	CertAlgoRSASHA256v01          = "rsa-sha2-256-cert-v01@openssh.com"
	CertAlgoRSASHA512v01          = "rsa-sha2-512-cert-v01@openssh.com"
)

// Algorithm is one row of the table: a name that may stand in a list of host
// key, public key or CA signature algorithms, and what must be found under it.
type Algorithm struct {
	Name    string // in negotiation and in authentication requests
	KeyType string // the format name at the front of the key blob
	Format  string // the format name at the front of the signature blob
	Short   string // OpenSSH's short name, as `ssh-keygen -l` shows it
	Cert    bool   // the key blob is a certificate
	SigOnly bool   // no key type of its own: Name is not KeyType
	Default bool   // in the default lists
}

// Algorithms is the table, in the order of `ssh -Q key-sig`: each certificate
// follows its plain algorithm.
var Algorithms = [...]Algorithm{
	{KeyAlgoED25519, KeyAlgoED25519, KeyAlgoED25519, "ED25519", false, false, true},
	{CertAlgoED25519v01, CertAlgoED25519v01, KeyAlgoED25519, "ED25519-CERT", true, false, true},
	{KeyAlgoSKED25519, KeyAlgoSKED25519, KeyAlgoSKED25519, "ED25519-SK", false, false, true},
	{CertAlgoSKED25519v01, CertAlgoSKED25519v01, KeyAlgoSKED25519, "ED25519-SK-CERT", true, false, true},
	{KeyAlgoMLDSA44ED25519, KeyAlgoMLDSA44ED25519, KeyAlgoMLDSA44ED25519, "MLDSA44-ED25519", false, false, false},
	{CertAlgoMLDSA44ED25519v01, CertAlgoMLDSA44ED25519v01, KeyAlgoMLDSA44ED25519, "MLDSA44-ED25519-CERT", true, false, false},
	{KeyAlgoECDSA256, KeyAlgoECDSA256, KeyAlgoECDSA256, "ECDSA", false, false, true},
	{CertAlgoECDSA256v01, CertAlgoECDSA256v01, KeyAlgoECDSA256, "ECDSA-CERT", true, false, true},
	{KeyAlgoECDSA384, KeyAlgoECDSA384, KeyAlgoECDSA384, "ECDSA", false, false, true},
	{CertAlgoECDSA384v01, CertAlgoECDSA384v01, KeyAlgoECDSA384, "ECDSA-CERT", true, false, true},
	{KeyAlgoECDSA521, KeyAlgoECDSA521, KeyAlgoECDSA521, "ECDSA", false, false, true},
	{CertAlgoECDSA521v01, CertAlgoECDSA521v01, KeyAlgoECDSA521, "ECDSA-CERT", true, false, true},
	{KeyAlgoSKECDSA256, KeyAlgoSKECDSA256, KeyAlgoSKECDSA256, "ECDSA-SK", false, false, true},
	{CertAlgoSKECDSA256v01, CertAlgoSKECDSA256v01, KeyAlgoSKECDSA256, "ECDSA-SK-CERT", true, false, true},
	{KeyAlgoWebAuthnSKECDSA256, KeyAlgoSKECDSA256, KeyAlgoWebAuthnSKECDSA256, "ECDSA-SK", false, true, true},
	{CertAlgoWebAuthnSKECDSA256v01, CertAlgoSKECDSA256v01, KeyAlgoWebAuthnSKECDSA256, "ECDSA-SK-CERT", true, true, true},
	{KeyAlgoRSA, KeyAlgoRSA, KeyAlgoRSA, "RSA", false, false, false},
	{CertAlgoRSAv01, CertAlgoRSAv01, KeyAlgoRSA, "RSA-CERT", true, false, false},
	{KeyAlgoRSASHA256, KeyAlgoRSA, KeyAlgoRSASHA256, "RSA", false, true, true},
	{CertAlgoRSASHA256v01, CertAlgoRSAv01, KeyAlgoRSASHA256, "RSA-CERT", true, true, true},
	{KeyAlgoRSASHA512, KeyAlgoRSA, KeyAlgoRSASHA512, "RSA", false, true, true},
	{CertAlgoRSASHA512v01, CertAlgoRSAv01, KeyAlgoRSASHA512, "RSA-CERT", true, true, true},
}

// preference is the order of the default lists, without certificates.
var preference = [...]string{
	KeyAlgoED25519, KeyAlgoECDSA256, KeyAlgoECDSA384, KeyAlgoECDSA521,
	KeyAlgoSKED25519, KeyAlgoSKECDSA256, KeyAlgoWebAuthnSKECDSA256,
	KeyAlgoRSASHA512, KeyAlgoRSASHA256,
}

// AlgorithmByName finds a row, nil if the name is unknown.
func AlgorithmByName(name string) *Algorithm {
	for i := range Algorithms {
		if Algorithms[i].Name == name {
			return &Algorithms[i]
		}
	}
	return nil
}

// keyType finds the row of a key blob's format name; rows that are signature
// algorithms only are not key types.
func keyType[T string | []byte](name T) *Algorithm {
	for i := range Algorithms {
		if a := &Algorithms[i]; !a.SigOnly && a.Name == string(name) {
			return a
		}
	}
	return nil
}

// certRow is the certificate row that belongs to a plain row.
func certRow(plain *Algorithm) *Algorithm {
	for i := range Algorithms[:len(Algorithms)-1] {
		if &Algorithms[i] == plain {
			return &Algorithms[i+1]
		}
	}
	return nil
}

// plainRow is the plain row that belongs to a certificate's.
func plainRow(cert *Algorithm) *Algorithm {
	for i := 1; i < len(Algorithms); i++ {
		if &Algorithms[i] == cert {
			return &Algorithms[i-1]
		}
	}
	return nil
}

// DefaultHostKeyAlgorithms is the default of HostKeyAlgorithms, and of
// PubkeyAcceptedAlgorithms and HostbasedAcceptedAlgorithms too: certificates
// first. The slice is the caller's.
func DefaultHostKeyAlgorithms() []string {
	l := make([]string, 0, 2*len(preference))
	for _, name := range preference {
		l = append(l, certRow(AlgorithmByName(name)).Name)
	}
	return append(l, preference[:]...)
}

// DefaultCASignatureAlgorithms is the default of CASignatureAlgorithms. The
// slice is the caller's.
func DefaultCASignatureAlgorithms() []string {
	return append([]string(nil), preference[:]...)
}

// Query is the list that `ssh -Q kind` shows for the kinds that concern keys:
// key, key-cert, key-plain, key-sig, key-ca-sign and sig, and for option names
// in any case, which stand for one of them. It is nil for other kinds.
func Query(kind string) []string {
	switch strings.ToLower(kind) {
	case "hostkeyalgorithms", "pubkeyacceptedalgorithms", "hostbasedacceptedalgorithms",
		"pubkeyacceptedkeytypes", "hostbasedacceptedkeytypes", "hostbasedkeytypes":
		kind = "key-sig"
	case "casignaturealgorithms":
		kind = "key-ca-sign"
	}
	var l []string
	for i := range Algorithms {
		a := &Algorithms[i]
		var in bool
		switch kind {
		case "key":
			in = !a.SigOnly
		case "key-cert":
			in = !a.SigOnly && a.Cert
		case "key-plain":
			in = !a.SigOnly && !a.Cert
		case "key-sig":
			in = true
		case "key-ca-sign", "sig":
			in = !a.Cert
		default:
			return nil
		}
		if in {
			l = append(l, a.Name)
		}
	}
	return l
}

// SignatureFormat is the format name of the signature that belongs to an
// algorithm: "rsa-sha2-256" for "rsa-sha2-256-cert-v01@openssh.com". An
// unknown name is returned as it is.
func SignatureFormat(algorithm string) string {
	if a := AlgorithmByName(algorithm); a != nil {
		return a.Format
	}
	return algorithm
}

// TypeName is OpenSSH's short name of a key's type: "ED25519", "RSA",
// "ECDSA-SK", "ED25519-CERT" and so on; the type itself in capitals if it is
// unknown.
func TypeName(key PublicKey) string {
	t := key.Type()
	if a := keyType(t); a != nil {
		return a.Short
	}
	return strings.ToUpper(t)
}

// AgreementError says that the algorithm that was declared, the key and the
// signature do not belong together (KEX-13).
type AgreementError struct {
	Algorithm string // declared
	KeyType   string // of the key blob
	Format    string // of the signature blob; empty if it was not looked at
}

func (e *AgreementError) Error() string {
	if e.Format == "" {
		return fmt.Sprintf("pubkey: a key of type %q cannot be used with algorithm %q", e.KeyType, e.Algorithm)
	}
	return fmt.Sprintf("pubkey: algorithm %q, key type %q and signature format %q do not belong together",
		e.Algorithm, e.KeyType, e.Format)
}

// CheckAlgorithm reports whether key and signature are of the kind that the
// declared algorithm asks for (KEX-13): the one exception to equal names is
// RSA, whose key type stays "ssh-rsa" whatever the hash, and webauthn, whose
// key is an sk-ecdsa one. A nil sig leaves the signature out of it. The error
// is an [*AgreementError].
func CheckAlgorithm(key PublicKey, sig *Signature, algorithm string) error {
	a := AlgorithmByName(algorithm)
	e := &AgreementError{Algorithm: algorithm, KeyType: key.Type()}
	if sig != nil {
		e.Format = sig.Format
	}
	if a == nil || a.KeyType != e.KeyType || sig != nil && a.Format != sig.Format {
		return e
	}
	return nil
}

// VerifyAlgorithm is CheckAlgorithm and then key.Verify: the way to check a
// signature that came with a declared algorithm. Whether that algorithm is
// allowed is the caller's question. Security keys must have been touched; see
// [VerifyWith] for other rules.
func VerifyAlgorithm(key PublicKey, data []byte, sig *Signature, algorithm string) error {
	return VerifyWith(key, data, sig, algorithm, SKOptions{})
}

// VerifyWith is VerifyAlgorithm with rules for security keys; other keys do
// not look at opts.
func VerifyWith(key PublicKey, data []byte, sig *Signature, algorithm string, opts SKOptions) error {
	if err := CheckAlgorithm(key, sig, algorithm); err != nil {
		return err
	}
	if !IsSK(key) {
		return key.Verify(data, sig)
	}
	flags, _, err := VerifySK(key, data, sig)
	if err != nil {
		return err
	}
	return opts.check(flags)
}
