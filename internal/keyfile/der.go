package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Contents of the object identifiers that are met.
const (
	oidRSA     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	oidEC      = "\x2a\x86\x48\xce\x3d\x02\x01"         // 1.2.840.10045.2.1
	oidEd25519 = "\x2b\x65\x70"                         // 1.3.101.112 (RFC 8410)

	oidP256 = "\x2a\x86\x48\xce\x3d\x03\x01\x07" // 1.2.840.10045.3.1.7
	oidP384 = "\x2b\x81\x04\x00\x22"             // 1.3.132.0.34
	oidP521 = "\x2b\x81\x04\x00\x23"             // 1.3.132.0.35

	oidPBES2      = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d" // 1.2.840.113549.1.5.13
	oidPBKDF2     = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c" // 1.2.840.113549.1.5.12
	oidHMACSHA1   = "\x2a\x86\x48\x86\xf7\x0d\x02\x07"     // 1.2.840.113549.2.7
	oidHMACSHA256 = "\x2a\x86\x48\x86\xf7\x0d\x02\x09"     // 1.2.840.113549.2.9
	oidHMACSHA384 = "\x2a\x86\x48\x86\xf7\x0d\x02\x0a"     // 1.2.840.113549.2.10
	oidHMACSHA512 = "\x2a\x86\x48\x86\xf7\x0d\x02\x0b"     // 1.2.840.113549.2.11
	oid3DES       = "\x2a\x86\x48\x86\xf7\x0d\x03\x07"     // 1.2.840.113549.3.7
	oidAES128CBC  = "\x60\x86\x48\x01\x65\x03\x04\x01\x02" // 2.16.840.1.101.3.4.1.2
	oidAES192CBC  = "\x60\x86\x48\x01\x65\x03\x04\x01\x16" // 2.16.840.1.101.3.4.1.22
	oidAES256CBC  = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a" // 2.16.840.1.101.3.4.1.42
)

func oidCurve(oid string) string {
	switch oid {
	case oidP256:
		return "nistp256"
	case oidP384:
		return "nistp384"
	case oidP521:
		return "nistp521"
	}
	return ""
}

func curveOID(bits int) string {
	switch bits {
	case 256:
		return oidP256
	case 384:
		return oidP384
	}
	return oidP521
}

var errDER = errors.New("ASN.1 structure is not what it should be")

// parseDER reads a block of PEM or PKCS#8, decrypting it if it must.
func parseDER(b *pem.Block, o ReadOptions) (*Key, error) {
	k := &Key{Format: FormatPEM}
	der, typ := b.Bytes, b.Type
	if typ == blockPKCS8 || typ == blockEncrypted {
		k.Format = FormatPKCS8
	}
	encrypted := true
	var err error
	switch {
	case strings.HasSuffix(b.Headers["Proc-Type"], "ENCRYPTED"):
		if len(o.Passphrase) == 0 {
			return nil, &PassphraseMissingError{}
		}
		der, k.Cipher, err = decryptPEM(b, o.Passphrase)
	case typ == blockEncrypted:
		if len(o.Passphrase) == 0 {
			return nil, &PassphraseMissingError{}
		}
		der, k.Cipher, k.Rounds, err = decryptPBES2(der, o)
		typ = blockPKCS8
	default:
		encrypted = false
	}
	if err != nil {
		return nil, err
	}
	switch typ {
	case blockRSA:
		k.Key, err = parsePKCS1(der)
	case blockEC:
		k.Key, err = parseSEC1(der, "")
	default:
		k.Key, err = parsePKCS8(der)
	}
	if err != nil {
		if encrypted && errors.Is(err, errDER) {
			return nil, ErrPassphrase // padding that was right by chance
		}
		return nil, malformed(typ, err)
	}
	return k, nil
}

// parsePKCS1 reads RSAPrivateKey (RFC 8017 §A.1.2).
func parsePKCS1(der []byte) (any, error) {
	s := cryptobyte.String(der)
	var seq cryptobyte.String
	var version int
	var n, e, d, p, q, dp, dq, qinv []byte
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1Integer(&version) {
		return nil, errDER
	}
	if version != 0 {
		return nil, fmt.Errorf("%w: RSA key of version %d", ErrUnsupported, version)
	}
	for _, v := range [...]*[]byte{&n, &e, &d, &p, &q, &dp, &dq, &qinv} {
		if !seq.ReadASN1Integer(v) {
			return nil, errDER
		}
	}
	if !seq.Empty() {
		return nil, errDER
	}
	return pubkey.NewRSAPrivateKey(n, e, d, p, q)
}

// parseSEC1 reads ECPrivateKey (RFC 5915). curve is known already when it
// stands in PKCS#8.
func parseSEC1(der []byte, curve string) (any, error) {
	s := cryptobyte.String(der)
	var seq, scalar, params, public cryptobyte.String
	var version int
	var hasParams, hasPublic bool
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1(&scalar, asn1.OCTET_STRING) ||
		!seq.ReadOptionalASN1(&params, &hasParams, tag(0)) ||
		!seq.ReadOptionalASN1(&public, &hasPublic, tag(1)) || !seq.Empty() {
		return nil, errDER
	}
	if hasParams {
		var oid cryptobyte.String
		if !params.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) || !params.Empty() {
			return nil, errDER
		}
		named := oidCurve(string(oid))
		if curve != "" && named != curve {
			return nil, errors.New("two curves are named")
		}
		curve = named
	}
	if curve == "" {
		return nil, fmt.Errorf("%w: elliptic curve is none of nistp256, nistp384 and nistp521", ErrUnsupported)
	}
	var point []byte
	if hasPublic {
		if !public.ReadASN1BitStringAsBytes(&point) || !public.Empty() {
			return nil, errDER
		}
	}
	return pubkey.NewECDSAPrivateKey(curve, scalar, point)
}

// parsePKCS8 reads OneAsymmetricKey (RFC 5958 §2, RFC 8410 §7).
func parsePKCS8(der []byte) (any, error) {
	s := cryptobyte.String(der)
	var seq, alg, oid, octets, attributes, public cryptobyte.String
	var version int
	var hasPublic bool
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1Integer(&version) ||
		!seq.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) ||
		!seq.ReadASN1(&octets, asn1.OCTET_STRING) ||
		!seq.ReadOptionalASN1(&attributes, nil, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&public, &hasPublic, asn1.Tag(1).ContextSpecific()) || !seq.Empty() {
		return nil, errDER
	}
	if version != 0 && version != 1 {
		return nil, fmt.Errorf("%w: PKCS#8 version %d", ErrUnsupported, version)
	}
	switch string(oid) {
	case oidRSA:
		return parsePKCS1(octets)
	case oidEC:
		var curve cryptobyte.String
		if !alg.ReadASN1(&curve, asn1.OBJECT_IDENTIFIER) || !alg.Empty() {
			return nil, errDER
		}
		name := oidCurve(string(curve))
		if name == "" {
			return nil, fmt.Errorf("%w: elliptic curve is none of nistp256, nistp384 and nistp521", ErrUnsupported)
		}
		return parseSEC1(octets, name)
	case oidEd25519:
		var seed cryptobyte.String
		if !alg.Empty() || !octets.ReadASN1(&seed, asn1.OCTET_STRING) || !octets.Empty() || len(seed) != ed25519.SeedSize {
			return nil, errDER
		}
		k := ed25519.NewKeyFromSeed(seed)
		// A BIT STRING's content begins with the number of unused bits.
		if hasPublic && string(public) != "\x00"+string(k[ed25519.SeedSize:]) {
			return nil, errors.New("public and private half do not belong together") // KEX-17
		}
		return k, nil
	}
	return nil, fmt.Errorf("%w: key algorithm in PKCS#8", ErrUnsupported)
}

// blockCipher makes the cipher of an encrypted PEM or PKCS#8 file.
func blockCipher(name string, key []byte) (cipher.Block, error) {
	if name == "3des-cbc" {
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

// openCBC decrypts into a copy and takes PKCS#7's padding off.
func openCBC(b cipher.Block, iv, text []byte) ([]byte, error) {
	size := b.BlockSize()
	if len(text) == 0 || len(text)%size != 0 {
		return nil, malformed(fmt.Sprintf("%d bytes of ciphertext", len(text)), nil)
	}
	out := make([]byte, len(text))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, text)
	n := int(out[len(out)-1])
	if n == 0 || n > size {
		return nil, ErrPassphrase
	}
	for _, v := range out[len(out)-n:] {
		if int(v) != n {
			return nil, ErrPassphrase
		}
	}
	return out[:len(out)-n], nil
}

// sealCBC pads and encrypts.
func sealCBC(b cipher.Block, iv, text []byte) []byte {
	n := b.BlockSize() - len(text)%b.BlockSize()
	out := make([]byte, len(text)+n)
	copy(out, text)
	for i := len(text); i < len(out); i++ {
		out[i] = byte(n)
	}
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, out)
	return out
}

// decryptPEM opens OpenSSL's old encryption: the header names cipher and IV,
// the key is an MD5 of passphrase and salt.
func decryptPEM(b *pem.Block, passphrase []byte) (der []byte, name string, err error) {
	dek, ivHex, ok := strings.Cut(b.Headers["DEK-Info"], ",")
	if !ok {
		return nil, "", malformed("DEK-Info is missing", nil)
	}
	var size int
	switch dek {
	case "DES-EDE3-CBC":
		name, size = "3des-cbc", 24
	case "AES-128-CBC":
		name, size = "aes128-cbc", 16
	case "AES-192-CBC":
		name, size = "aes192-cbc", 24
	case "AES-256-CBC":
		name, size = "aes256-cbc", 32
	default:
		return nil, "", fmt.Errorf("%w: cipher %q", ErrUnsupported, clip([]byte(dek)))
	}
	iv, err := hex.DecodeString(ivHex)
	if err != nil {
		return nil, "", malformed("DEK-Info", err)
	}
	if len(iv) < 8 {
		return nil, "", malformed("IV is too short", nil)
	}
	c, err := blockCipher(name, pemKey(passphrase, iv[:8], size))
	if err != nil {
		return nil, "", malformed("cipher", err)
	}
	if len(iv) != c.BlockSize() {
		return nil, "", malformed("IV of wrong length", nil)
	}
	der, err = openCBC(c, iv, b.Bytes)
	return der, name, err
}

// pemKey is OpenSSL's EVP_BytesToKey with MD5 and one iteration.
func pemKey(passphrase, salt []byte, size int) []byte {
	var key, d []byte
	for len(key) < size {
		h := md5.New()
		h.Write(d)
		h.Write(passphrase)
		h.Write(salt)
		d = h.Sum(nil)
		key = append(key, d...)
	}
	return key[:size]
}

// decryptPBES2 opens EncryptedPrivateKeyInfo (RFC 5958 §3) with PBES2 and
// PBKDF2 (RFC 8018 §A.4, §A.2).
func decryptPBES2(der []byte, o ReadOptions) (out []byte, name string, iterations int, err error) {
	s := cryptobyte.String(der)
	var seq, alg, oid, params, kdf, kdfOID, kdfParams, salt, enc, encOID, iv, text, prf cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1(&alg, asn1.SEQUENCE) ||
		!alg.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) || !seq.ReadASN1(&text, asn1.OCTET_STRING) || !seq.Empty() {
		return nil, "", 0, malformed("encrypted key", errDER)
	}
	if string(oid) != oidPBES2 {
		return nil, "", 0, fmt.Errorf("%w: PKCS#8 encryption is not PBES2", ErrUnsupported)
	}
	if !alg.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&kdf, asn1.SEQUENCE) || !params.ReadASN1(&enc, asn1.SEQUENCE) ||
		!kdf.ReadASN1(&kdfOID, asn1.OBJECT_IDENTIFIER) || !enc.ReadASN1(&encOID, asn1.OBJECT_IDENTIFIER) {
		return nil, "", 0, malformed("PBES2", errDER)
	}
	if string(kdfOID) != oidPBKDF2 {
		return nil, "", 0, fmt.Errorf("%w: PKCS#8 key derivation is not PBKDF2", ErrUnsupported)
	}
	var size int
	switch string(encOID) {
	case oid3DES:
		name, size = "3des-cbc", 24
	case oidAES128CBC:
		name, size = "aes128-cbc", 16
	case oidAES192CBC:
		name, size = "aes192-cbc", 24
	case oidAES256CBC:
		name, size = "aes256-cbc", 32
	default:
		return nil, "", 0, fmt.Errorf("%w: cipher of PBES2", ErrUnsupported)
	}
	length, hash := size, oidHMACSHA1
	if !kdf.ReadASN1(&kdfParams, asn1.SEQUENCE) || !kdfParams.ReadASN1(&salt, asn1.OCTET_STRING) ||
		!kdfParams.ReadASN1Integer(&iterations) ||
		kdfParams.PeekASN1Tag(asn1.INTEGER) && !kdfParams.ReadASN1Integer(&length) ||
		!enc.ReadASN1(&iv, asn1.OCTET_STRING) || !enc.Empty() {
		return nil, "", 0, malformed("PBKDF2", errDER)
	}
	if !kdfParams.Empty() {
		var oid cryptobyte.String
		if !kdfParams.ReadASN1(&prf, asn1.SEQUENCE) || !prf.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) || !kdfParams.Empty() {
			return nil, "", 0, malformed("PBKDF2", errDER)
		}
		hash = string(oid)
	}
	if length != size || iterations < 1 {
		return nil, "", 0, malformed("PBKDF2", errors.New("key length or iterations"))
	}
	limit := o.MaxIterations
	if limit == 0 {
		limit = MaxIterations
	}
	if iterations > limit {
		return nil, "", 0, fmt.Errorf("%w: %d iterations of PBKDF2, at most %d are taken", ErrRounds, iterations, limit)
	}
	key, err := deriveKey(hash, o.Passphrase, salt, iterations, size)
	if err != nil {
		return nil, "", 0, err
	}
	defer clear(key)
	c, err := blockCipher(name, key)
	if err != nil {
		return nil, "", 0, malformed("cipher", err)
	}
	if len(iv) != c.BlockSize() {
		return nil, "", 0, malformed("IV of wrong length", nil)
	}
	out, err = openCBC(c, iv, text)
	return out, name, iterations, err
}

func deriveKey(prf string, passphrase, salt []byte, iterations, size int) ([]byte, error) {
	var h func() hash.Hash
	switch prf {
	case oidHMACSHA1:
		h = sha1.New
	case oidHMACSHA256:
		h = sha256.New
	case oidHMACSHA384:
		h = sha512.New384
	case oidHMACSHA512:
		h = sha512.New
	default:
		return nil, fmt.Errorf("%w: hash of PBKDF2", ErrUnsupported)
	}
	key, err := pbkdf2.Key(h, string(passphrase), salt, iterations, size)
	if err != nil {
		return nil, malformed("PBKDF2", err)
	}
	return key, nil
}

// pbkdf2Iterations protect new PKCS#8 files.
const pbkdf2Iterations = 600_000

// MarshalPEM is a private key file of PKCS#1 (RSA) or SEC 1 (ECDSA) form, as
// `ssh-keygen -m PEM` writes it. A passphrase protects it with AES-128-CBC and
// one MD5, which is all that the format has. Other keys have no such form:
// the error wraps ErrUnsupported.
func MarshalPEM(key any, o MarshalOptions) ([]byte, error) {
	name, der, err := traditional(private(key).Key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	if len(o.Passphrase) == 0 {
		return armor(name, nil, der, 64), nil
	}
	iv, err := fresh(o.Random, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(pemKey(o.Passphrase, iv[:8], 16))
	if err != nil {
		return nil, err
	}
	headers := []string{"Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC," + strings.ToUpper(hex.EncodeToString(iv))}
	return armor(name, headers, sealCBC(c, iv, der), 64), nil
}

// MarshalPKCS8 is a private key file of PKCS#8 form, as `ssh-keygen -m PKCS8`
// writes it: of an RSA, ECDSA or Ed25519 key. A passphrase protects it with
// PBES2, PBKDF2 with HMAC-SHA-256 and AES-256-CBC. Other keys have no such
// form: the error wraps ErrUnsupported.
func MarshalPKCS8(key any, o MarshalOptions) ([]byte, error) {
	der, err := pkcs8(private(key).Key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	if len(o.Passphrase) == 0 {
		return armor(blockPKCS8, nil, der, 64), nil
	}
	r, err := fresh(o.Random, saltSize+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	salt, iv := r[:saltSize], r[saltSize:]
	k, err := deriveKey(oidHMACSHA256, o.Passphrase, salt, pbkdf2Iterations, 32)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	c, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidPBES2)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidPBKDF2)
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1OctetString(salt)
						b.AddASN1Int64(pbkdf2Iterations)
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							addOID(b, oidHMACSHA256)
							b.AddASN1NULL()
						})
					})
				})
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidAES256CBC)
					b.AddASN1OctetString(iv)
				})
			})
		})
		b.AddASN1OctetString(sealCBC(c, iv, der))
	})
	out, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return armor(blockEncrypted, nil, out, 64), nil
}

func fresh(random io.Reader, n int) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("keyfile: random numbers: %w", err)
	}
	return b, nil
}

func addOID(b *cryptobyte.Builder, oid string) {
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
}

// traditional is the block's name and the DER form of a key that had one
// before PKCS#8.
func traditional(key any) (string, []byte, error) {
	var b cryptobyte.Builder
	switch k := key.(type) {
	case *rsa.PrivateKey:
		k.Precompute()
		if err := k.Validate(); err != nil || len(k.Primes) != 2 {
			return "", nil, malformed("RSA key", err)
		}
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			for _, v := range [...]*big.Int{k.N, big.NewInt(int64(k.E)), k.D, k.Primes[0], k.Primes[1],
				k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv} {
				b.AddASN1BigInt(v)
			}
		})
		der, err := b.Bytes()
		return blockRSA, der, err
	case *ecdsa.PrivateKey:
		der, err := sec1(k, true)
		return blockEC, der, err
	}
	return "", nil, fmt.Errorf("%w: %T in PEM form; use OpenSSH's own", ErrUnsupported, key)
}

func sec1(k *ecdsa.PrivateKey, named bool) ([]byte, error) {
	scalar, err := k.Bytes()
	if err != nil {
		return nil, malformed("ECDSA key", err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		return nil, malformed("ECDSA key", err)
	}
	tag := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1OctetString(scalar)
		if named {
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) { addOID(b, curveOID(k.Curve.Params().BitSize)) })
		}
		b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddASN1BitString(point) })
	})
	return b.Bytes()
}

func pkcs8(key any) ([]byte, error) {
	var inner []byte
	var err error
	var b cryptobyte.Builder
	switch k := key.(type) {
	case ed25519.PrivateKey:
		inner = append([]byte{byte(asn1.OCTET_STRING), ed25519.SeedSize}, k.Seed()...)
	case *rsa.PrivateKey:
		_, inner, err = traditional(k)
	case *ecdsa.PrivateKey:
		inner, err = sec1(k, false)
	default:
		return nil, fmt.Errorf("%w: %T in PKCS#8 form; use OpenSSH's own", ErrUnsupported, key)
	}
	if err != nil {
		return nil, err
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		addAlgorithm(b, key)
		b.AddASN1OctetString(inner)
	})
	return b.Bytes()
}

// addAlgorithm adds the AlgorithmIdentifier of a key, private or public.
func addAlgorithm(b *cryptobyte.Builder, key any) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		switch k := key.(type) {
		case ed25519.PrivateKey, ed25519.PublicKey:
			addOID(b, oidEd25519)
		case *rsa.PrivateKey, *rsa.PublicKey:
			addOID(b, oidRSA)
			b.AddASN1NULL()
		case *ecdsa.PrivateKey:
			addOID(b, oidEC)
			addOID(b, curveOID(k.Curve.Params().BitSize))
		case *ecdsa.PublicKey:
			addOID(b, oidEC)
			addOID(b, curveOID(k.Curve.Params().BitSize))
		}
	})
}
