package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MarshalPublicKeyLine is the line of a .pub file: type, base64 of the blob
// and, unless it is empty, the comment; with a newline at its end.
func MarshalPublicKeyLine(key pubkey.PublicKey, comment string) []byte {
	blob := key.Marshal()
	b := make([]byte, 0, 64+base64.StdEncoding.EncodedLen(len(blob))+len(comment))
	b = append(append(b, key.Type()...), ' ')
	b = base64.StdEncoding.AppendEncode(b, blob)
	if comment != "" {
		b = append(append(b, ' '), comment...)
	}
	return append(b, '\n')
}

// MarshalAuthorizedKey is MarshalPublicKeyLine without a comment, by the name
// that golang.org/x/crypto/ssh gives it.
func MarshalAuthorizedKey(key pubkey.PublicKey) []byte {
	return MarshalPublicKeyLine(key, "")
}

const (
	beginSSH2 = "---- BEGIN SSH2 PUBLIC KEY ----"
	endSSH2   = "---- END SSH2 PUBLIC KEY ----"

	maxHeaders = 1024 // bytes of one header's value (RFC 4716 §3.3)
)

// MarshalRFC4716 is a public key file as RFC 4716 has it, with the comment in
// its one header.
func MarshalRFC4716(key pubkey.PublicKey, comment string) []byte {
	var b strings.Builder
	b.WriteString(beginSSH2 + "\n")
	if comment != "" {
		comment = strings.Map(func(r rune) rune {
			if r == '\n' || r == '\r' {
				return ' '
			}
			return r
		}, comment)
		line := `Comment: "` + comment[:min(len(comment), maxHeaders)] + `"`
		for len(line) > lineWidth+1 {
			b.WriteString(line[:lineWidth+1] + "\\\n")
			line = line[lineWidth+1:]
		}
		b.WriteString(line + "\n")
	}
	text := base64.StdEncoding.EncodeToString(key.Marshal())
	for len(text) > lineWidth {
		b.WriteString(text[:lineWidth] + "\n")
		text = text[lineWidth:]
	}
	b.WriteString(text + "\n" + endSSH2 + "\n")
	return []byte(b.String())
}

// ParsePublicKeyFile reads a public key file of any form: a line as in .pub
// files, RFC 4716, or PKCS#8 ("PUBLIC KEY") and PKCS#1 ("RSA PUBLIC KEY") in
// PEM. The comment is empty where the form has none.
func ParsePublicKeyFile(file []byte) (key pubkey.PublicKey, comment string, err error) {
	if len(file) > MaxFileSize {
		return nil, "", malformed(fmt.Sprintf("%d bytes", len(file)), nil)
	}
	if i := bytes.Index(file, []byte(beginSSH2)); i >= 0 {
		return parseRFC4716(file[i+len(beginSSH2):])
	}
	if b, _ := pem.Decode(file); b != nil {
		key, err = parsePublicDER(b)
		return key, "", err
	}
	key, comment, _, _, err = ParseAuthorizedKey(file)
	return key, comment, err
}

// parseRFC4716 reads what stands behind the begin marker.
func parseRFC4716(file []byte) (pubkey.PublicKey, string, error) {
	var text strings.Builder
	var comment, header string
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(string(file), "\r\n", "\n"), "\r", "\n"), "\n") {
		switch {
		case header != "":
			header = strings.TrimSuffix(header, `\`) + line
		case strings.Contains(line, ":"):
			header = line
		case strings.HasPrefix(line, endSSH2):
			blob, err := base64.StdEncoding.DecodeString(text.String())
			if err != nil {
				return nil, "", malformed("base64", err)
			}
			key, err := pubkey.ParsePublicKey(blob)
			return key, comment, err
		default:
			text.WriteString(strings.TrimSpace(line))
			continue
		}
		if strings.HasSuffix(header, `\`) {
			continue
		}
		if name, value, ok := strings.Cut(header, ":"); ok && strings.EqualFold(name, "comment") {
			comment = strings.TrimSpace(value)
			if len(comment) >= 2 && comment[0] == '"' && comment[len(comment)-1] == '"' {
				comment = comment[1 : len(comment)-1]
			}
		}
		header = ""
	}
	return nil, "", malformed("no end of the public key", nil)
}

// parsePublicDER reads SubjectPublicKeyInfo (RFC 5280 §4.1) or RSAPublicKey
// (RFC 8017 §A.1.1).
func parsePublicDER(b *pem.Block) (pubkey.PublicKey, error) {
	s := cryptobyte.String(b.Bytes)
	switch b.Type {
	case "RSA PUBLIC KEY":
		return rsaPublic(s)
	case "PUBLIC KEY":
	default:
		return nil, fmt.Errorf("%w: a block %q is no public key", ErrUnsupported, clip([]byte(b.Type)))
	}
	var seq, alg, oid, curve cryptobyte.String
	var bits []byte
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1(&alg, asn1.SEQUENCE) ||
		!alg.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) || !seq.ReadASN1BitStringAsBytes(&bits) || !seq.Empty() {
		return nil, malformed("public key", errDER)
	}
	switch string(oid) {
	case oidRSA:
		return rsaPublic(bits)
	case oidEd25519:
		if len(bits) == ed25519.PublicKeySize {
			return pubkey.NewPublicKey(ed25519.PublicKey(bits))
		}
	case oidEC:
		if !alg.ReadASN1(&curve, asn1.OBJECT_IDENTIFIER) || !alg.Empty() {
			break
		}
		name := oidCurve(string(curve))
		if name == "" {
			return nil, fmt.Errorf("%w: elliptic curve is none of nistp256, nistp384 and nistp521", ErrUnsupported)
		}
		algorithm := "ecdsa-sha2-" + name
		return pubkey.ParsePublicKey(wire.AppendString(wire.AppendText(wire.AppendText(nil, algorithm), name), bits))
	default:
		return nil, fmt.Errorf("%w: algorithm of the public key", ErrUnsupported)
	}
	return nil, malformed("public key", errDER)
}

func rsaPublic(der cryptobyte.String) (pubkey.PublicKey, error) {
	var seq cryptobyte.String
	var n, e []byte
	if !der.ReadASN1(&seq, asn1.SEQUENCE) || !der.Empty() || !seq.ReadASN1Integer(&n) || !seq.ReadASN1Integer(&e) || !seq.Empty() {
		return nil, malformed("RSA public key", errDER)
	}
	return pubkey.ParsePublicKey(wire.AppendMpint(wire.AppendMpint(wire.AppendText(nil, pubkey.KeyAlgoRSA), e), n))
}

// MarshalPublicPKCS8 is a public key in PEM as `ssh-keygen -e -m PKCS8` writes
// it ("PUBLIC KEY"), for RSA, ECDSA and Ed25519 keys. For others the error
// wraps ErrUnsupported.
func MarshalPublicPKCS8(key pubkey.PublicKey) ([]byte, error) {
	pub, bits, err := publicBits(key)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addAlgorithm(b, pub)
		b.AddASN1BitString(bits)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return armor("PUBLIC KEY", nil, der, 64), nil
}

// MarshalPublicPEM is a public key in PEM as `ssh-keygen -e -m PEM` writes it:
// PKCS#1 for RSA keys ("RSA PUBLIC KEY"), PKCS#8's form for ECDSA keys. For
// others the error wraps ErrUnsupported.
func MarshalPublicPEM(key pubkey.PublicKey) ([]byte, error) {
	switch key.Type() {
	case pubkey.KeyAlgoRSA:
		_, der, err := publicBits(key)
		if err != nil {
			return nil, err
		}
		return armor("RSA PUBLIC KEY", nil, der, 64), nil
	case pubkey.KeyAlgoED25519:
		return nil, fmt.Errorf("%w: Ed25519 public keys in PEM form", ErrUnsupported)
	}
	return MarshalPublicPKCS8(key)
}

// publicBits is a standard library key and what its BIT STRING holds.
func publicBits(key pubkey.PublicKey) (any, []byte, error) {
	unsupported := fmt.Errorf("%w: %s keys in PEM form", ErrUnsupported, pubkey.TypeName(key))
	c, ok := key.(pubkey.CryptoPublicKey)
	if !ok || pubkey.IsSK(key) {
		return nil, nil, unsupported
	}
	switch k := c.CryptoPublicKey().(type) {
	case ed25519.PublicKey:
		return k, k, nil
	case *ecdsa.PublicKey:
		q, err := k.Bytes()
		return k, q, err
	case *rsa.PublicKey:
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(k.N)
			b.AddASN1BigInt(big.NewInt(int64(k.E)))
		})
		der, err := b.Bytes()
		return k, der, err
	}
	return nil, nil, unsupported
}
