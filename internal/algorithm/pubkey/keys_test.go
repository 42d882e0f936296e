package pubkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey/sktest"
	"github.com/nacre-ssh/nacre/internal/wire"
	"golang.org/x/crypto/ssh"
)

type pair struct {
	name   string
	raw    any // for NewSignerFromKey; nil for security keys
	signer pubkey.MultiAlgorithmSigner
}

// pairs has one key of every type.
var pairs = sync.OnceValue(func() []pair {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var l []pair
	add := func(raw any) {
		s, err := pubkey.NewSignerFromKey(raw)
		must(err)
		l = append(l, pair{s.PublicKey().Type(), raw, s.(pubkey.MultiAlgorithmSigner)})
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	add(ed)
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		must(err)
		add(k)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	add(r)
	ml, err := pubkey.GenerateMLDSA44ED25519(nil)
	must(err)
	add(ml)
	for _, t := range []string{pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKECDSA256} {
		tok, err := sktest.New(t, "ssh:")
		must(err)
		l = append(l, pair{t, nil, tok.Signer()})
	}
	return l
})

func pairOf(name string) pair {
	for _, p := range pairs() {
		if p.name == name {
			return p
		}
	}
	panic(name)
}

// Each key and each of its algorithms, against x/crypto in both directions.
func TestAgainstOracle(t *testing.T) {
	data := []byte("what is signed")
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			pub := p.signer.PublicKey()
			blob := pub.Marshal()
			again, err := pubkey.ParsePublicKey(blob)
			if err != nil || !pubkey.Equal(pub, again) || again.Type() != p.name {
				t.Fatalf("own blob: %v", err)
			}
			oracle, oerr := ssh.ParsePublicKey(blob)
			if p.name == pubkey.KeyAlgoMLDSA44ED25519 {
				if oerr == nil {
					t.Error("the oracle has learnt this type: test it")
				}
			} else {
				if oerr != nil {
					t.Fatal(oerr)
				}
				if !bytes.Equal(oracle.Marshal(), blob) {
					t.Error("blobs differ")
				}
				if a, b := pubkey.FingerprintSHA256(pub), ssh.FingerprintSHA256(oracle); a != b {
					t.Errorf("fingerprint %s, not %s", a, b)
				}
				if a, b := pubkey.FingerprintLegacyMD5(pub), ssh.FingerprintLegacyMD5(oracle); a != b {
					t.Errorf("fingerprint %s, not %s", a, b)
				}
			}
			for _, alg := range p.signer.Algorithms() {
				sig, err := pubkey.SignWith(p.signer, nil, data, alg)
				if err != nil {
					t.Fatal(err)
				}
				if err := pubkey.VerifyAlgorithm(again, data, sig, alg); err != nil {
					t.Errorf("%s: %v", alg, err)
				}
				if err := again.Verify(data[1:], sig); err == nil {
					t.Errorf("%s: signature is good for other data", alg)
				}
				parsed, err := pubkey.ParseSignature(pubkey.MarshalSignature(sig))
				if err != nil || parsed.Format != sig.Format || !bytes.Equal(parsed.Blob, sig.Blob) || !bytes.Equal(parsed.Rest, sig.Rest) {
					t.Errorf("%s: signature blob: %v", alg, err)
				}
				if oracle != nil {
					if err := oracle.Verify(data, &ssh.Signature{Format: sig.Format, Blob: sig.Blob, Rest: sig.Rest}); err != nil {
						t.Errorf("oracle on our %s: %v", alg, err)
					}
				}
			}
			if oracle == nil || p.raw == nil {
				return
			}
			os, err := ssh.NewSignerFromKey(p.raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, alg := range p.signer.Algorithms() {
				sig, err := os.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, alg)
				if err != nil {
					t.Fatal(err)
				}
				if err := pubkey.VerifyAlgorithm(again, data, &pubkey.Signature{Format: sig.Format, Blob: sig.Blob}, alg); err != nil {
					t.Errorf("the oracle's %s: %v", alg, err)
				}
			}
		})
	}
}

func TestNewPublicKey(t *testing.T) {
	for _, p := range pairs() {
		if p.raw == nil {
			continue
		}
		for _, k := range []any{p.raw, p.signer.PublicKey(), p.signer} {
			pub, err := pubkey.NewPublicKey(k)
			if err != nil || !pubkey.Equal(pub, p.signer.PublicKey()) {
				t.Errorf("%s from %T: %v", p.name, k, err)
			}
		}
		if c, ok := p.signer.PublicKey().(pubkey.CryptoPublicKey); ok {
			pub, err := pubkey.NewPublicKey(c.CryptoPublicKey())
			if err != nil || !pubkey.Equal(pub, p.signer.PublicKey()) {
				t.Errorf("%s from %T: %v", p.name, c.CryptoPublicKey(), err)
			}
		}
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []any{nil, "x", 1, p224, &rsa.PublicKey{}, &rsa.PublicKey{N: big.NewInt(-5), E: 3},
		ed25519.PublicKey{}, ed25519.PrivateKey{}} {
		if _, err := pubkey.NewPublicKey(bad); err == nil {
			t.Errorf("public key of %T", bad)
		}
		if _, err := pubkey.NewSignerFromKey(bad); err == nil {
			t.Errorf("signer of %T", bad)
		}
	}
}

func TestEd25519HalvesCompared(t *testing.T) {
	_, a, _ := ed25519.GenerateKey(rand.Reader)
	b, _, _ := ed25519.GenerateKey(rand.Reader)
	mixed := append(slices.Clone(a[:32]), b...)
	if _, err := pubkey.NewSignerFromKey(mixed); !errors.Is(err, pubkey.ErrMalformed) {
		t.Errorf("KEX-17: signer of two halves that differ: %v", err)
	}
}

// str builds blobs: strings are strings, the rest is appended as it is.
func str(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			b = wire.AppendText(b, f)
		case []byte:
			b = wire.AppendString(b, f)
		case uint64:
			b = wire.AppendUint64(b, f)
		case uint32:
			b = wire.AppendUint32(b, f)
		case byte:
			b = append(b, f)
		case raw:
			b = append(b, f...)
		}
	}
	return b
}

type raw []byte

func TestStrictKeys(t *testing.T) {
	pt := func(name string) []byte {
		q, err := pairOf(name).raw.(*ecdsa.PrivateKey).PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q256, q384 := pt(pubkey.KeyAlgoECDSA256), pt(pubkey.KeyAlgoECDSA384)
	with := func(b []byte, i int, v byte) []byte {
		b = bytes.Clone(b)
		b[i] = v
		return b
	}
	compressed := append([]byte{2 | q256[64]&1}, q256[1:33]...)
	ed := pairOf(pubkey.KeyAlgoED25519).signer.PublicKey().Marshal()
	edpk := ed[len(ed)-32:]
	mod := func(bits int) []byte { // an odd number of so many bits
		n := make([]byte, (bits+7)/8)
		n[0] = 1 << ((bits - 1) % 8)
		n[len(n)-1] |= 1
		return n
	}
	mp := func(b []byte) raw { return wire.AppendMpint(nil, b) }
	e3 := mp([]byte{3})
	e := mp([]byte{1, 0, 1})
	good := []struct {
		id   string
		blob []byte
	}{
		{"ed25519", ed},
		{"rsa smallest", str("ssh-rsa", e, mp(mod(1024)))},
		{"rsa largest", str("ssh-rsa", e, mp(mod(16384)))},
		{"rsa odd size", str("ssh-rsa", e, mp(mod(1025)))},
		{"rsa exponent 3", str("ssh-rsa", e3, mp(mod(2048)))},
		{"rsa exponent of 31 bits", str("ssh-rsa", mp([]byte{0x7f, 0xff, 0xff, 0xff}), mp(mod(2048)))},
		{"sk application of any name", str("sk-ssh-ed25519@openssh.com", edpk, "web:x")},
	}
	for _, c := range good {
		k, err := pubkey.ParsePublicKey(c.blob)
		if err != nil {
			t.Errorf("%s: %v", c.id, err)
		} else if !bytes.Equal(k.Marshal(), c.blob) {
			t.Errorf("%s: blob comes back changed", c.id)
		}
	}
	bad := []struct {
		id   string
		blob []byte
	}{
		{"empty", nil},
		{"name only", str("ssh-ed25519")},
		{"length beyond end", raw{0, 0, 1, 0, 's'}},
		{"huge length", raw{0xff, 0xff, 0xff, 0xff}},
		{"unknown type", str("ssh-dss", edpk)},
		{"KEX-11 dsa", str("ssh-dss", mp(mod(1024)), mp(mod(160)), mp(mod(1024)), mp(mod(1024)))},
		{"signature name as key type", str("rsa-sha2-256", e, mp(mod(2048)))},
		{"webauthn as key type", str("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", q256, "ssh:")},
		{"KEX-13 ed25519 short", str("ssh-ed25519", edpk[1:])},
		{"KEX-13 ed25519 long", str("ssh-ed25519", append(bytes.Clone(edpk), 0))},
		{"ed25519 empty", str("ssh-ed25519", "")},
		{"trailing byte", append(bytes.Clone(ed), 0)},
		{"KEX-12 curve of another name", str("ecdsa-sha2-nistp256", "nistp384", q256)},
		{"KEX-12 curve and point of another name", str("ecdsa-sha2-nistp256", "nistp384", q384)},
		{"KEX-12 point of another size", str("ecdsa-sha2-nistp256", "nistp256", q384)},
		{"KEX-2 compressed point", str("ecdsa-sha2-nistp256", "nistp256", compressed)},
		{"KEX-2 hybrid point", str("ecdsa-sha2-nistp256", "nistp256", with(q256, 0, 6))},
		{"KEX-2 infinity", str("ecdsa-sha2-nistp256", "nistp256", []byte{0})},
		{"KEX-2 off the curve", str("ecdsa-sha2-nistp256", "nistp256", with(q256, 40, q256[40]^1))},
		{"KEX-2 zero point", str("ecdsa-sha2-nistp256", "nistp256", append([]byte{4}, make([]byte, 64)...))},
		{"KEX-2 coordinates above the prime", str("ecdsa-sha2-nistp256", "nistp256", append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...))},
		{"ecdsa empty point", str("ecdsa-sha2-nistp256", "nistp256", "")},
		{"KEX-10 rsa too small", str("ssh-rsa", e, mp(mod(1023)))},
		{"KEX-10 rsa too large", str("ssh-rsa", e, mp(mod(16385)))},
		{"KEX-10 rsa giant", str("ssh-rsa", e, mp(bytes.Repeat([]byte{0x7f}, 200<<10)))},
		{"KEX-10 rsa even modulus", str("ssh-rsa", e, mp(append(mod(2040), 0)))},
		{"KEX-10 rsa zero", str("ssh-rsa", e, "")},
		{"KEX-10 exponent 0", str("ssh-rsa", "", mp(mod(2048)))},
		{"KEX-10 exponent 1", str("ssh-rsa", mp([]byte{1}), mp(mod(2048)))},
		{"KEX-10 exponent 2", str("ssh-rsa", mp([]byte{2}), mp(mod(2048)))},
		{"KEX-10 exponent even", str("ssh-rsa", mp([]byte{1, 0, 0}), mp(mod(2048)))},
		{"KEX-10 exponent of 33 bits", str("ssh-rsa", mp([]byte{1, 0, 0, 0, 1}), mp(mod(2048)))},
		{"KEX-10 exponent giant", str("ssh-rsa", mp(mod(100000)), mp(mod(2048)))},
		{"KEX-16 negative exponent", str("ssh-rsa", []byte{0x81}, mp(mod(2048)))},
		{"KEX-16 negative modulus", str("ssh-rsa", e, bytes.Repeat([]byte{0xff}, 256))},
		{"KEX-16 padded exponent", str("ssh-rsa", []byte{0, 1, 0, 1}, mp(mod(2048)))},
		{"KEX-16 padded modulus", str("ssh-rsa", e, append([]byte{0, 0}, bytes.Repeat([]byte{0xff}, 256)...))},
		{"sk without application", str("sk-ssh-ed25519@openssh.com", edpk)},
		{"sk application with NUL", str("sk-ssh-ed25519@openssh.com", edpk, "ssh:\x00x")},
		{"sk-ecdsa of another curve", str("sk-ecdsa-sha2-nistp256@openssh.com", "nistp384", q384, "ssh:")},
		{"mldsa short", str("ssh-mldsa44-ed25519@openssh.com", make([]byte, 1343))},
		{"mldsa long", str("ssh-mldsa44-ed25519@openssh.com", make([]byte, 1345))},
	}
	for _, c := range bad {
		if k, err := pubkey.ParsePublicKey(c.blob); err == nil {
			t.Errorf("%s: taken as %s", c.id, k.Type())
		} else if !errors.Is(err, pubkey.ErrMalformed) && !errors.Is(err, pubkey.ErrUnknownType) && !errors.Is(err, pubkey.ErrKeySize) {
			t.Errorf("%s: untyped error %v", c.id, err)
		}
	}
}

func TestStrictSignatures(t *testing.T) {
	data := []byte("data")
	sign := func(name, alg string) *pubkey.Signature {
		s, err := pubkey.SignWith(pairOf(name).signer, nil, data, alg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	change := func(s *pubkey.Signature, f func(s *pubkey.Signature)) *pubkey.Signature {
		c := &pubkey.Signature{Format: s.Format, Blob: bytes.Clone(s.Blob), Rest: bytes.Clone(s.Rest)}
		f(c)
		return c
	}
	blob := func(s *pubkey.Signature, b []byte) *pubkey.Signature {
		return change(s, func(s *pubkey.Signature) { s.Blob = b })
	}
	ed := sign(pubkey.KeyAlgoED25519, pubkey.KeyAlgoED25519)
	ec := sign(pubkey.KeyAlgoECDSA256, pubkey.KeyAlgoECDSA256)
	sk := sign(pubkey.KeyAlgoSKED25519, pubkey.KeyAlgoSKED25519)
	ske := sign(pubkey.KeyAlgoSKECDSA256, pubkey.KeyAlgoSKECDSA256)
	rs := sign(pubkey.KeyAlgoRSA, pubkey.KeyAlgoRSASHA256)
	ml := sign(pubkey.KeyAlgoMLDSA44ED25519, pubkey.KeyAlgoMLDSA44ED25519)

	// S + L is the other encoding of the same scalar.
	malleable := bytes.Clone(ed.Blob)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).SetBytes(reversed(malleable[32:]))
	copy(malleable[32:], reversed(s.Add(s, order).FillBytes(make([]byte, 32))))

	er := wire.NewReader(ec.Blob)
	r, sv := er.Mpint(), er.Mpint()
	n256 := elliptic.P256().Params().N
	beyond := new(big.Int).Add(new(big.Int).SetBytes(r), n256).Bytes()

	for _, c := range []struct {
		id, key string
		sig     *pubkey.Signature
	}{
		{"nil", pubkey.KeyAlgoED25519, nil},
		{"nil", pubkey.KeyAlgoRSA, nil},
		{"nil", pubkey.KeyAlgoSKED25519, nil},
		{"nil", pubkey.KeyAlgoECDSA256, nil},
		{"nil", pubkey.KeyAlgoMLDSA44ED25519, nil},
		{"KEX-13 short", pubkey.KeyAlgoED25519, blob(ed, ed.Blob[:63])},
		{"KEX-13 long", pubkey.KeyAlgoED25519, blob(ed, append(bytes.Clone(ed.Blob), 0))},
		{"KEX-13 empty", pubkey.KeyAlgoED25519, blob(ed, nil)},
		{"KEX-15 S not reduced", pubkey.KeyAlgoED25519, blob(ed, malleable)},
		{"rest", pubkey.KeyAlgoED25519, change(ed, func(s *pubkey.Signature) { s.Rest = []byte{0} })},
		{"format", pubkey.KeyAlgoED25519, change(ed, func(s *pubkey.Signature) { s.Format = "ssh-rsa" })},
		{"format", pubkey.KeyAlgoECDSA384, ec},
		{"r zero", pubkey.KeyAlgoECDSA256, blob(ec, str("", raw(wire.AppendMpint(nil, sv))))},
		{"s zero", pubkey.KeyAlgoECDSA256, blob(ec, str(raw(wire.AppendMpint(nil, r)), ""))},
		{"r not reduced", pubkey.KeyAlgoECDSA256, blob(ec, str(raw(wire.AppendMpint(nil, beyond)), raw(wire.AppendMpint(nil, sv))))},
		{"KEX-16 padded", pubkey.KeyAlgoECDSA256, blob(ec, str(append([]byte{0, 0}, r...), raw(wire.AppendMpint(nil, sv))))},
		{"KEX-16 negative", pubkey.KeyAlgoECDSA256, blob(ec, str(append([]byte{0x80}, r[1:]...), raw(wire.AppendMpint(nil, sv))))},
		{"giant r", pubkey.KeyAlgoECDSA256, blob(ec, str(bytes.Repeat([]byte{1}, 100000), raw(wire.AppendMpint(nil, sv))))},
		{"trailing", pubkey.KeyAlgoECDSA256, blob(ec, append(bytes.Clone(ec.Blob), 0))},
		{"truncated", pubkey.KeyAlgoECDSA256, blob(ec, ec.Blob[:len(ec.Blob)-1])},
		{"rest", pubkey.KeyAlgoECDSA256, change(ec, func(s *pubkey.Signature) { s.Rest = []byte{0} })},
		{"long", pubkey.KeyAlgoRSA, blob(rs, append([]byte{0}, rs.Blob...))},
		{"empty", pubkey.KeyAlgoRSA, blob(rs, nil)},
		{"short", pubkey.KeyAlgoRSA, blob(rs, rs.Blob[1:])},
		{"other hash", pubkey.KeyAlgoRSA, change(rs, func(s *pubkey.Signature) { s.Format = pubkey.KeyAlgoRSASHA512 })},
		{"certificate name", pubkey.KeyAlgoRSA, change(rs, func(s *pubkey.Signature) { s.Format = pubkey.CertAlgoRSASHA256v01 })},
		{"rest", pubkey.KeyAlgoRSA, change(rs, func(s *pubkey.Signature) { s.Rest = []byte{0} })},
		{"AUT-19 no rest", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Rest = nil })},
		{"short rest", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Rest = s.Rest[:4] })},
		{"long rest", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Rest = append(s.Rest, 0) })},
		{"flags changed", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Rest[0] ^= 4 })},
		{"counter changed", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Rest[4] ^= 1 })},
		{"plain format", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Format = pubkey.KeyAlgoED25519 })},
		{"webauthn format", pubkey.KeyAlgoSKED25519, change(sk, func(s *pubkey.Signature) { s.Format = pubkey.KeyAlgoWebAuthnSKECDSA256 })},
		{"webauthn without fields", pubkey.KeyAlgoSKECDSA256, change(ske, func(s *pubkey.Signature) { s.Format = pubkey.KeyAlgoWebAuthnSKECDSA256 })},
		{"short", pubkey.KeyAlgoMLDSA44ED25519, blob(ml, ml.Blob[:2420])},
		{"classical half changed", pubkey.KeyAlgoMLDSA44ED25519, change(ml, func(s *pubkey.Signature) { s.Blob[2483] ^= 1 })},
		{"lattice half changed", pubkey.KeyAlgoMLDSA44ED25519, change(ml, func(s *pubkey.Signature) { s.Blob[5] ^= 1 })},
	} {
		if err := pairOf(c.key).signer.PublicKey().Verify(data, c.sig); err == nil {
			t.Errorf("%s, %s: taken", c.key, c.id)
		}
	}
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

// PuTTY leaves leading zeros of RSA signatures out: such a signature is good.
func TestShortRSASignature(t *testing.T) {
	p := pairOf(pubkey.KeyAlgoRSA)
	for i := byte(0); ; i++ {
		data := []byte{i, byte(len(p.name))}
		for j := 0; j < 256; j++ {
			data = append(data, byte(j))
			sig, err := p.signer.SignWithAlgorithm(nil, data, pubkey.KeyAlgoRSASHA256)
			if err != nil {
				t.Fatal(err)
			}
			if sig.Blob[0] == 0 {
				sig.Blob = sig.Blob[1:]
				if err := p.signer.PublicKey().Verify(data, sig); err != nil {
					t.Errorf("signature without its leading zero: %v", err)
				}
				return
			}
		}
	}
}

func TestVerifyAlgorithm(t *testing.T) {
	data := []byte("data")
	for _, p := range pairs() {
		for i := range pubkey.Algorithms {
			a := &pubkey.Algorithms[i]
			want := a.KeyType == p.name && !a.Cert && a.Format != pubkey.KeyAlgoWebAuthnSKECDSA256
			sig, err := pubkey.SignWith(p.signer, nil, data, a.Name)
			can := slices.Contains(p.signer.Algorithms(), a.Format)
			if (err == nil) != can {
				t.Errorf("%s signing for %s: %v", p.name, a.Name, err)
			}
			if err != nil {
				sig, _ = p.signer.Sign(nil, data)
			}
			if err := pubkey.VerifyAlgorithm(p.signer.PublicKey(), data, sig, a.Name); (err == nil) != want {
				t.Errorf("KEX-13: %s key under %s: %v", p.name, a.Name, err)
			}
		}
		sig, _ := p.signer.Sign(nil, data)
		var ae *pubkey.AgreementError
		if err := pubkey.VerifyAlgorithm(p.signer.PublicKey(), data, sig, "none"); !errors.As(err, &ae) {
			t.Errorf("unknown algorithm: %v", err)
		}
	}
}

func TestAlgorithmTable(t *testing.T) {
	for i := range pubkey.Algorithms {
		a := &pubkey.Algorithms[i]
		if got := pubkey.AlgorithmByName(a.Name); got != a {
			t.Errorf("%s is there twice", a.Name)
		}
		if a.Cert != (i%2 == 1) {
			t.Errorf("%s: certificates follow their plain algorithm", a.Name)
		}
		if a.Cert && (a.Format != pubkey.Algorithms[i-1].Format || a.Short != pubkey.Algorithms[i-1].Short+"-CERT") {
			t.Errorf("%s: differs from its plain algorithm", a.Name)
		}
		if pubkey.SignatureFormat(a.Name) != a.Format {
			t.Errorf("%s: signature format", a.Name)
		}
		in := slices.Contains(pubkey.DefaultHostKeyAlgorithms(), a.Name)
		if in != a.Default {
			t.Errorf("%s: Default and the default list disagree", a.Name)
		}
	}
	if pubkey.AlgorithmByName("") != nil || pubkey.AlgorithmByName("ssh-dss") != nil {
		t.Error("unknown names are found")
	}
	l := pubkey.DefaultHostKeyAlgorithms()
	l[0] = "changed"
	if pubkey.DefaultHostKeyAlgorithms()[0] != pubkey.CertAlgoED25519v01 {
		t.Error("the default list can be changed")
	}
}

// The lists of 10.5, in its order.
func TestQuery(t *testing.T) {
	for kind, want := range map[string]string{
		"key-plain": "ssh-ed25519 sk-ssh-ed25519@openssh.com ssh-mldsa44-ed25519@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ecdsa-sha2-nistp256@openssh.com ssh-rsa",
		"key-cert":  "ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519-cert-v01@openssh.com ssh-mldsa44-ed25519-cert-v01@openssh.com ecdsa-sha2-nistp256-cert-v01@openssh.com ecdsa-sha2-nistp384-cert-v01@openssh.com ecdsa-sha2-nistp521-cert-v01@openssh.com sk-ecdsa-sha2-nistp256-cert-v01@openssh.com ssh-rsa-cert-v01@openssh.com",
		"sig":       "ssh-ed25519 sk-ssh-ed25519@openssh.com ssh-mldsa44-ed25519@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ecdsa-sha2-nistp256@openssh.com webauthn-sk-ecdsa-sha2-nistp256@openssh.com ssh-rsa rsa-sha2-256 rsa-sha2-512",
	} {
		if got := strings.Join(pubkey.Query(kind), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", kind, got, want)
		}
	}
	if !slices.Equal(pubkey.Query("key-ca-sign"), pubkey.Query("sig")) || !slices.Equal(pubkey.Query("CASignatureAlgorithms"), pubkey.Query("sig")) {
		t.Error("key-ca-sign")
	}
	if len(pubkey.Query("key")) != 16 || len(pubkey.Query("key-sig")) != 22 || !slices.Equal(pubkey.Query("HostKeyAlgorithms"), pubkey.Query("key-sig")) {
		t.Error("key, key-sig")
	}
	for _, kind := range []string{"", "cipher", "KEY", "help"} {
		if pubkey.Query(kind) != nil {
			t.Errorf("%q has a list", kind)
		}
	}
}

func TestNamesAndSizes(t *testing.T) {
	for name, want := range map[string]struct {
		short string
		bits  int
	}{
		pubkey.KeyAlgoED25519: {"ED25519", 256}, pubkey.KeyAlgoECDSA256: {"ECDSA", 256}, pubkey.KeyAlgoECDSA384: {"ECDSA", 384},
		pubkey.KeyAlgoECDSA521: {"ECDSA", 521}, pubkey.KeyAlgoRSA: {"RSA", 2048}, pubkey.KeyAlgoMLDSA44ED25519: {"MLDSA44-ED25519", 256},
		pubkey.KeyAlgoSKED25519: {"ED25519-SK", 256}, pubkey.KeyAlgoSKECDSA256: {"ECDSA-SK", 256},
	} {
		k := pairOf(name).signer.PublicKey()
		if pubkey.TypeName(k) != want.short || pubkey.Bits(k) != want.bits {
			t.Errorf("%s: %s, %d bits", name, pubkey.TypeName(k), pubkey.Bits(k))
		}
		if r := pubkey.RSABits(k); (r != 0) != (name == pubkey.KeyAlgoRSA) {
			t.Errorf("%s: RSABits %d", name, r)
		}
	}
}

func TestRestrictedSigner(t *testing.T) {
	p := pairOf(pubkey.KeyAlgoRSA)
	s, err := pubkey.NewSignerWithAlgorithms(p.signer, []string{pubkey.KeyAlgoRSASHA256})
	if err != nil {
		t.Fatal(err)
	}
	if sig, err := s.Sign(nil, nil); err != nil || sig.Format != pubkey.KeyAlgoRSASHA256 {
		t.Errorf("default algorithm: %v", err)
	}
	if _, err := s.SignWithAlgorithm(nil, nil, pubkey.KeyAlgoRSASHA512); err == nil {
		t.Error("signs with an algorithm it was denied")
	}
	if _, err := pubkey.NewSignerWithAlgorithms(s, []string{pubkey.KeyAlgoRSASHA512}); err == nil {
		t.Error("a restriction can be widened")
	}
	for _, l := range [][]string{nil, {pubkey.KeyAlgoED25519}, {pubkey.CertAlgoRSASHA256v01}} {
		if _, err := pubkey.NewSignerWithAlgorithms(p.signer, l); err == nil {
			t.Errorf("%v taken", l)
		}
	}
}

// plainSigner hides what a signer can be told.
type plainSigner struct{ pubkey.Signer }

func TestSignWithPlainSigner(t *testing.T) {
	s := plainSigner{pairOf(pubkey.KeyAlgoRSA).signer}
	if _, err := pubkey.SignWith(s, nil, nil, pubkey.KeyAlgoRSASHA512); err != nil {
		t.Error(err)
	}
	if _, err := pubkey.SignWith(s, nil, nil, pubkey.KeyAlgoRSASHA256); err == nil {
		t.Error("a signature of another format is returned")
	}
}
