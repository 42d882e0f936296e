package pubkey_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func privateOf(t *testing.T, p pair) any {
	if p.raw != nil {
		return p.raw
	}
	return pubkey.SKPrivate(p.signer)
}

// Every key, alone and with a certificate, goes out and comes back.
func TestPrivateRoundTrip(t *testing.T) {
	ca := pairOf(pubkey.KeyAlgoED25519).signer
	for _, p := range pairs() {
		cert := &pubkey.Certificate{Key: p.signer.PublicKey(), CertType: pubkey.UserCert, ValidBefore: 1}
		if err := cert.SignCert(nil, ca); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*pubkey.Certificate{nil, cert} {
			k := &pubkey.PrivateKey{Key: privateOf(t, p), Certificate: c}
			b, err := k.Append([]byte{7})
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			r := wire.NewReader(append(b[1:], 1, 2, 3))
			again, err := pubkey.ReadPrivateKey(&r)
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			if r.Len() != 3 {
				t.Errorf("%s: %d bytes left, not 3", p.name, r.Len())
			}
			b2, err := again.Append(nil)
			if err != nil || !bytes.Equal(b[1:], b2) {
				t.Errorf("%s: comes back changed: %v", p.name, err)
			}
			want := p.signer.PublicKey()
			if c != nil {
				want = c
			}
			if pub, err := again.PublicKey(); err != nil || !pubkey.Equal(pub, want) {
				t.Errorf("%s: public key: %v", p.name, err)
			}
			s, err := again.Signer()
			if err != nil || !pubkey.Equal(s.PublicKey(), want) {
				t.Fatalf("%s: signer: %v", p.name, err)
			}
			if pubkey.IsSK(want) {
				if _, err := s.Sign(nil, nil); !errors.Is(err, pubkey.ErrNoAuthenticator) {
					t.Errorf("%s: %v", p.name, err)
				}
				continue
			}
			sig, err := s.Sign(nil, []byte("x"))
			if err != nil || want.Verify([]byte("x"), sig) != nil {
				t.Errorf("%s: signing: %v", p.name, err)
			}
			for n := range len(b2) { // every truncation is an error
				r := wire.NewReader(b2[:n])
				if _, err := pubkey.ReadPrivateKey(&r); err == nil {
					t.Errorf("%s: %d of %d bytes are enough", p.name, n, len(b2))
					break
				}
				if n > 200 && n < len(b2)-100 && n%7 != 0 {
					continue
				}
			}
		}
	}
}

// KEX-17, FIL-2, FIL-3: halves that do not belong together.
func TestPrivateHalves(t *testing.T) {
	ed := pairOf(pubkey.KeyAlgoED25519).raw.(ed25519.PrivateKey)
	ec := pairOf(pubkey.KeyAlgoECDSA256).raw.(*ecdsa.PrivateKey)
	r := pairOf(pubkey.KeyAlgoRSA).raw.(*rsa.PrivateKey)
	ml := pairOf(pubkey.KeyAlgoMLDSA44ED25519).raw.(*pubkey.MLDSA44ED25519PrivateKey)
	pub := []byte(ed[32:])
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	q, _ := ec.PublicKey.Bytes()
	other := pairOf(pubkey.KeyAlgoSKECDSA256).signer.PublicKey().(pubkey.CryptoPublicKey).CryptoPublicKey().(*ecdsa.PublicKey)
	q2, _ := other.Bytes()
	d, _ := ec.Bytes()
	mp := func(i *big.Int) raw { return wire.AppendMpint(nil, i.Bytes()) }
	one := big.NewInt(1)
	n, e := mp(r.N), mp(big.NewInt(int64(r.E)))
	D, P, Q := mp(r.D), mp(r.Primes[0]), mp(r.Primes[1])
	qinv := mp(new(big.Int).ModInverse(r.Primes[1], r.Primes[0]))
	mlpub := ml.PublicKey().Marshal()
	mlpub = mlpub[len(mlpub)-1344:]
	for _, c := range []struct {
		id   string
		blob []byte
		good bool
	}{
		{"ed25519", str("ssh-ed25519", pub, []byte(ed)), true},
		{"ed25519 public outside", str("ssh-ed25519", flip(pub), []byte(ed)), false},
		{"ed25519 public inside", str("ssh-ed25519", pub, flip(ed)), false},
		{"ed25519 both public", str("ssh-ed25519", flip(pub), flip(ed)), false},
		{"ed25519 seed", str("ssh-ed25519", pub, append(flip(ed[:32]), pub...)), false},
		{"ed25519 seed only", str("ssh-ed25519", pub, []byte(ed[:32])), false},
		{"ecdsa", str(pubkey.KeyAlgoECDSA256, "nistp256", q, raw(wire.AppendMpint(nil, d))), true},
		{"ecdsa other point", str(pubkey.KeyAlgoECDSA256, "nistp256", q2, raw(wire.AppendMpint(nil, d))), false},
		{"ecdsa other curve", str(pubkey.KeyAlgoECDSA256, "nistp384", q, raw(wire.AppendMpint(nil, d))), false},
		{"ecdsa zero", str(pubkey.KeyAlgoECDSA256, "nistp256", q, ""), false},
		{"ecdsa negative", str(pubkey.KeyAlgoECDSA256, "nistp256", q, []byte{0x80}), false},
		{"ecdsa too large", str(pubkey.KeyAlgoECDSA256, "nistp256", q, raw(wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, 32)))), false},
		{"ecdsa too long", str(pubkey.KeyAlgoECDSA256, "nistp256", q, raw(wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, 33)))), false},
		{"rsa", str("ssh-rsa", n, e, D, qinv, P, Q), true},
		{"rsa no coefficient", str("ssh-rsa", n, e, D, "", P, Q), false},
		{"rsa other coefficient", str("ssh-rsa", n, e, D, mp(one), P, Q), false},
		{"rsa primes exchanged", str("ssh-rsa", n, e, D, qinv, Q, P), false},
		{"rsa p is 1", str("ssh-rsa", n, e, D, mp(one), mp(one), n), false},
		{"rsa p is 0", str("ssh-rsa", n, e, D, qinv, "", Q), false},
		{"rsa q is 0", str("ssh-rsa", n, e, D, qinv, P, ""), false},
		{"rsa p even", str("ssh-rsa", n, e, D, qinv, mp(new(big.Int).Sub(r.Primes[0], one)), Q), false},
		{"rsa product", str("ssh-rsa", n, e, D, qinv, mp(new(big.Int).Add(r.Primes[0], big.NewInt(2))), Q), false},
		{"rsa exponent", str("ssh-rsa", n, e, mp(new(big.Int).Add(r.D, big.NewInt(2))), qinv, P, Q), false},
		{"rsa d is 0", str("ssh-rsa", n, e, "", qinv, P, Q), false},
		{"rsa e even", str("ssh-rsa", n, mp(big.NewInt(65536)), D, qinv, P, Q), false},
		{"rsa giant prime", str("ssh-rsa", n, e, D, qinv, raw(wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, 1025))), Q), false},
		{"rsa giant d", str("ssh-rsa", n, e, raw(wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, 257))), qinv, P, Q), false},
		{"mldsa", str(pubkey.KeyAlgoMLDSA44ED25519, mlpub, ml.Seed()), true},
		{"mldsa public", str(pubkey.KeyAlgoMLDSA44ED25519, flip(mlpub), ml.Seed()), false},
		{"mldsa seed", str(pubkey.KeyAlgoMLDSA44ED25519, mlpub, flip(ml.Seed())), false},
		{"mldsa short seed", str(pubkey.KeyAlgoMLDSA44ED25519, mlpub, ml.Seed()[1:]), false},
		{"signature name", str("rsa-sha2-256", n, e, D, qinv, P, Q), false},
		{"dsa", str("ssh-dss", n, e, D, qinv, P), false},
	} {
		r := wire.NewReader(c.blob)
		k, err := pubkey.ReadPrivateKey(&r)
		if (err == nil) != c.good || err != nil && k != nil {
			t.Errorf("%s: %v", c.id, err)
		}
	}

	// A certificate of another key.
	cert := &pubkey.Certificate{Key: pairOf(pubkey.KeyAlgoED25519).signer.PublicKey(), CertType: pubkey.UserCert}
	if err := cert.SignCert(nil, pairOf(pubkey.KeyAlgoECDSA256).signer); err != nil {
		t.Fatal(err)
	}
	fresh := ed25519.NewKeyFromSeed(make([]byte, 32))
	b := str(cert.Type(), cert.Marshal(), []byte(fresh[32:]), []byte(fresh))
	rd := wire.NewReader(b)
	if _, err := pubkey.ReadPrivateKey(&rd); !errors.Is(err, pubkey.ErrMalformed) {
		t.Errorf("certificate of another key: %v", err)
	}
	if _, err := (&pubkey.PrivateKey{Key: fresh, Certificate: cert}).Append(nil); err == nil {
		t.Error("certificate of another key is written")
	}
	b = str(pubkey.CertAlgoECDSA256v01, cert.Marshal(), raw(wire.AppendMpint(nil, d)))
	rd = wire.NewReader(b)
	if _, err := pubkey.ReadPrivateKey(&rd); err == nil {
		t.Error("certificate of another type")
	}
}

func TestNewPrivateKeys(t *testing.T) {
	r := pairOf(pubkey.KeyAlgoRSA).raw.(*rsa.PrivateKey)
	k, err := pubkey.NewRSAPrivateKey(append([]byte{0}, r.N.Bytes()...), big.NewInt(int64(r.E)).Bytes(), r.D.Bytes(), r.Primes[0].Bytes(), r.Primes[1].Bytes())
	if err != nil || !k.Equal(r) {
		t.Errorf("RSA: %v", err)
	}
	if _, err := pubkey.NewRSAPrivateKey(r.N.Bytes(), nil, nil, nil, nil); err == nil {
		t.Error("RSA of nothing")
	}
	ec := pairOf(pubkey.KeyAlgoECDSA521).raw.(*ecdsa.PrivateKey)
	d, _ := ec.Bytes()
	q, _ := ec.PublicKey.Bytes()
	for _, point := range [][]byte{nil, q} {
		k, err := pubkey.NewECDSAPrivateKey("nistp521", d, point)
		if err != nil || !k.Equal(ec) {
			t.Errorf("ECDSA: %v", err)
		}
	}
	if _, err := pubkey.NewECDSAPrivateKey("nistp384", d, nil); err == nil {
		t.Error("scalar of another curve")
	}
	if _, err := pubkey.NewECDSAPrivateKey("nistp224", d, nil); err == nil {
		t.Error("unknown curve")
	}
	if _, err := pubkey.NewECDSAPrivateKey("nistp521", d, q[:len(q)-1]); err == nil {
		t.Error("short point")
	}
}

// cryptoSigner is a signer that lives elsewhere and may be broken.
type cryptoSigner struct {
	crypto.Signer
	spoil func([]byte) []byte
}

func (s cryptoSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	b, err := s.Signer.Sign(r, digest, opts)
	return s.spoil(b), err
}

// Signers that live elsewhere: good ones are used, faults do not get out (KEX-9).
func TestForeignSigner(t *testing.T) {
	for _, name := range []string{pubkey.KeyAlgoED25519, pubkey.KeyAlgoECDSA256, pubkey.KeyAlgoECDSA384, pubkey.KeyAlgoECDSA521, pubkey.KeyAlgoRSA} {
		p := pairOf(name)
		s, err := pubkey.NewSignerFromKey(cryptoSigner{p.raw.(crypto.Signer), func(b []byte) []byte { return b }})
		if err != nil {
			t.Fatal(err)
		}
		for _, alg := range pubkey.SignerAlgorithms(s) {
			sig, err := pubkey.SignWith(s, nil, []byte("x"), alg)
			if err != nil || p.signer.PublicKey().Verify([]byte("x"), sig) != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
	}
	// KEX-9: a fault in an RSA signature must not leave the process.
	s, err := pubkey.NewSignerFromKey(cryptoSigner{pairOf(pubkey.KeyAlgoRSA).raw.(crypto.Signer), func(b []byte) []byte { b[9] ^= 1; return b }})
	if err != nil {
		t.Fatal(err)
	}
	if sig, err := s.Sign(nil, []byte("x")); !errors.Is(err, pubkey.ErrSignature) || sig != nil {
		t.Errorf("KEX-9: faulty signature: %v", err)
	}
	// A signer whose ASN.1 is broken.
	for i, spoil := range []func(b []byte) []byte{
		func(b []byte) []byte { return nil },
		func(b []byte) []byte { return b[:5] },
		func(b []byte) []byte { b[0] = 0x31; return b },
		func(b []byte) []byte { b[1]++; return b },
		func(b []byte) []byte { return append(b, 0) },
		func(b []byte) []byte { return append(b[:1:1], append([]byte{b[1] + 1}, append(b[2:], 0)...)...) },
		func(b []byte) []byte { b[3] = 0x7f; return b },
		func(b []byte) []byte { b[4] |= 0x80; return b },
		func([]byte) []byte { return []byte{0x30, 0x81} },
		func([]byte) []byte { return []byte{0x30, 0} },
	} {
		s, err := pubkey.NewSignerFromKey(cryptoSigner{pairOf(pubkey.KeyAlgoECDSA256).raw.(crypto.Signer), spoil})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(nil, []byte("x")); err == nil {
			t.Errorf("broken ASN.1 %d is taken", i)
		}
	}
}

// KEX-8: no nonce is used twice, and none is short for its curve: the first
// halves of signatures differ, and take the full width.
func TestNonces(t *testing.T) {
	for name, size := range map[string]int{pubkey.KeyAlgoECDSA256: 32, pubkey.KeyAlgoECDSA384: 48, pubkey.KeyAlgoECDSA521: 66} {
		seen := make(map[string]bool)
		long := 0
		for range 64 {
			sig, err := pairOf(name).signer.Sign(nil, []byte("the same"))
			if err != nil {
				t.Fatal(err)
			}
			r := wire.NewReader(sig.Blob)
			v := r.Mpint()
			if seen[string(v)] {
				t.Fatalf("KEX-8: %s: a nonce is used twice", name)
			}
			seen[string(v)] = true
			if len(v) == size {
				long++
			}
		}
		if long == 0 { // by chance once in 2^64, for P-521 with its one top bit too
			t.Errorf("KEX-8: %s: all of 64 signatures are short", name)
		}
	}
}
