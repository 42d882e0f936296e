package sntrup761

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
)

// Parameters, and sizes in bytes.
const (
	P = 761
	Q = 4591
	W = 286

	PublicKeySize  = 1158
	CiphertextSize = roundedSize + confirmSize
	SharedKeySize  = 32

	smallSize   = (P + 3) / 4 // 191
	roundedSize = 1007
	confirmSize = 32
	hashSize    = 32

	rounded = (Q + 2) / 3 // 1531 values of a rounded coefficient
	center  = (Q - 1) / 2 // coefficients are encoded from -2295 on
)

// Errors of Encapsulate and Decapsulate.
var (
	ErrPublicKeySize  = errors.New("sntrup761: a public key has 1158 bytes")
	ErrPublicKey      = errors.New("sntrup761: public key has coefficients out of range")
	ErrCiphertextSize = errors.New("sntrup761: a ciphertext has 1039 bytes")
	ErrErased         = errors.New("sntrup761: private key was erased")
)

type (
	rq    [P]uint16 // coefficients of R/q, 0 … q-1
	small [P]int8   // coefficients -1, 0, 1
)

// PrivateKey is a key pair. Its methods other than Erase may run concurrently.
type PrivateKey struct {
	f, ginv small
	public  [PublicKeySize]byte
	rho     [smallSize]byte // stands in for r in the secret of a bad ciphertext
	cache   [hashSize]byte  // hash of the public key
	live    bool
}

// GenerateKey makes a key pair from rand. It fails only when rand does.
func GenerateKey(rand io.Reader) (*PrivateKey, error) {
	k := new(PrivateKey)
	var g small
	var finv, h rq
	for {
		for {
			if err := randomSmall(&g, rand); err != nil {
				return nil, err
			}
			if invertTernary(&k.ginv, &g) {
				break
			}
		}
		if err := randomShort(&k.f, rand); err != nil {
			return nil, err
		}
		if invertTriple(&finv, &k.f) {
			break
		}
	}
	mulSmall(&h, &finv, &g)
	encodeRq(k.public[:0], &h)
	if _, err := io.ReadFull(rand, k.rho[:]); err != nil {
		return nil, err
	}
	k.cache = hash(4, k.public[:])
	k.live = true
	clear(g[:])
	clear(finv[:])
	return k, nil
}

// PublicKey returns the encoded public key.
func (k *PrivateKey) PublicKey() []byte { return append([]byte(nil), k.public[:]...) }

// Erase overwrites the key; Decapsulate refuses afterwards.
func (k *PrivateKey) Erase() { *k = PrivateKey{} }

// Encapsulate makes a shared key of 32 bytes and the ciphertext of 1039 bytes
// that carries it to the owner of the public key. Keys of another length or
// with coefficients out of range are errors.
func Encapsulate(rand io.Reader, public []byte) (shared, ciphertext []byte, err error) {
	if len(public) != PublicKeySize {
		return nil, nil, ErrPublicKeySize
	}
	var h rq
	if !decodeRq(&h, public) {
		return nil, nil, ErrPublicKey
	}
	var r small
	if err := randomShort(&r, rand); err != nil {
		return nil, nil, err
	}
	cache := hash(4, public)
	var renc [smallSize]byte
	ciphertext = hide(make([]byte, 0, CiphertextSize), &renc, &r, &h, &cache)
	key := session(1, &renc, ciphertext)
	clear(r[:])
	clear(renc[:])
	return key[:], ciphertext, nil
}

// Decapsulate returns the shared key of 32 bytes that the ciphertext carries.
// For a ciphertext that no Encapsulate made it is a key that nobody else knows;
// only a wrong length is an error.
func (k *PrivateKey) Decapsulate(ciphertext []byte) (shared []byte, err error) {
	if !k.live {
		return nil, ErrErased
	}
	if len(ciphertext) != CiphertextSize {
		return nil, ErrCiphertextSize
	}
	var r small
	k.decrypt(&r, ciphertext[:roundedSize])

	// Encrypt again: only what gives the same ciphertext was made with r.
	var h rq
	decodeRq(&h, k.public[:])
	var renc [smallSize]byte
	again := hide(make([]byte, 0, CiphertextSize), &renc, &r, &h, &k.cache)
	same := subtle.ConstantTimeCompare(again, ciphertext)
	subtle.ConstantTimeCopy(1-same, renc[:], k.rho[:])
	key := session(byte(same), &renc, ciphertext)
	clear(r[:])
	clear(renc[:])
	clear(again)
	return key[:], nil
}

// decrypt sets r to what the rounded element c hides, and to w ones followed by
// zeros if that has not the weight w.
func (k *PrivateKey) decrypt(r *small, c []byte) {
	var num [P]uint32
	decode(num[:], c, rounded)
	var x rq
	for i, v := range num {
		x[i] = uint16((3*v + Q - center) % Q)
	}
	mulSmall(&x, &x, &k.f)
	var e small
	for i, v := range x {
		// 3·c·f is, without wrapping, 3·(…) + g·r: its centred value modulo
		// 3. center and q-1 are multiples of 3.
		e[i] = int8((3*uint32(v) + center) % Q % 3)
		e[i] -= 3 & -(e[i] >> 1) // 2 is -1
	}
	mulTernary(&e, &e, &k.ginv)
	weight := int32(0)
	for _, v := range e {
		weight += int32(v & 1)
	}
	d := weight - W
	wrong := int8((d | -d) >> 31) // -1 unless the weight is w
	for i := range r {
		stand := int8((int32(i) - W) >> 31 & 1)
		r[i] = e[i] ^ (e[i]^stand)&wrong
	}
	clear(x[:])
	clear(e[:])
}

// hide appends the ciphertext of r under the public key h, whose hash is cache,
// and sets renc to the encoded r.
func hide(dst []byte, renc *[smallSize]byte, r *small, h *rq, cache *[hashSize]byte) []byte {
	encodeSmall(renc, r)
	var c rq
	mulSmall(&c, h, r)
	var num [P]uint32
	for i, v := range c {
		// The multiple of 3 next to the centred value, counted from -2295.
		num[i] = ((uint32(v)+center)%Q + 1) / 3
	}
	dst = encode(dst, num[:], rounded)
	inner := hash(3, renc[:])
	confirm := hash(2, inner[:], cache[:])
	clear(num[:])
	clear(c[:])
	return append(dst, confirm[:]...)
}

// session is the shared key; first is 1 for a good ciphertext, else 0.
func session(first byte, renc *[smallSize]byte, ciphertext []byte) [hashSize]byte {
	inner := hash(3, renc[:])
	return hash(first, inner[:], ciphertext)
}

// hash is SHA-512 of a byte and the parts, cut to 32 bytes. It holds at most a
// public key.
func hash(first byte, parts ...[]byte) (out [hashSize]byte) {
	var buf [1 + hashSize + PublicKeySize]byte
	b := append(buf[:0], first)
	for _, p := range parts {
		b = append(b, p...)
	}
	sum := sha512.Sum512(b)
	copy(out[:], sum[:])
	clear(buf[:])
	return out
}

func encodeRq(dst []byte, h *rq) []byte {
	var num [P]uint32
	for i, v := range h {
		num[i] = (uint32(v) + center) % Q
	}
	return encode(dst, num[:], Q)
}

// decodeRq reports whether the encoding was the one that encodeRq makes.
func decodeRq(h *rq, src []byte) bool {
	var num [P]uint32
	decode(num[:], src, Q)
	for i, v := range num {
		h[i] = uint16((v + Q - center) % Q)
	}
	var again [PublicKeySize]byte
	encode(again[:0], num[:], Q)
	return string(again[:]) == string(src)
}

// encodeSmall writes four coefficients in a byte, -1 as 0.
func encodeSmall(dst *[smallSize]byte, a *small) {
	for i := range P / 4 {
		c := a[4*i : 4*i+4 : 4*i+4]
		dst[i] = byte(c[0]+1) | byte(c[1]+1)<<2 | byte(c[2]+1)<<4 | byte(c[3]+1)<<6
	}
	dst[smallSize-1] = byte(a[P-1] + 1)
}

// randomWords fills w from rand.
func randomWords(w *[P]uint32, rand io.Reader) error {
	var b [4 * P]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return err
	}
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	clear(b[:])
	return nil
}

// randomSmall draws coefficients of -1, 0 and 1 with (nearly) equal chances.
func randomSmall(a *small, rand io.Reader) error {
	var w [P]uint32
	if err := randomWords(&w, rand); err != nil {
		return err
	}
	for i, v := range w {
		a[i] = int8((v&(1<<30-1))*3>>30) - 1
	}
	clear(w[:])
	return nil
}

// randomShort draws a small element of weight w: the coefficients ±1 (w times)
// and 0 in the order of random keys.
func randomShort(a *small, rand io.Reader) error {
	var w [P]uint32
	if err := randomWords(&w, rand); err != nil {
		return err
	}
	for i := range W {
		w[i] &^= 1 // 0 or 2: -1 or 1
	}
	for i := W; i < P; i++ {
		w[i] = w[i]&^3 | 1 // 0
	}
	sortWords(&w)
	for i, v := range w {
		a[i] = int8(v&3) - 1
	}
	clear(w[:])
	return nil
}

// sortWords is Batcher's merge exchange (Knuth 5.2.2, algorithm M), a sorting
// network: which words are compared does not depend on them.
func sortWords(w *[P]uint32) {
	const top = 512 // the largest power of two below P
	for p := top; p > 0; p >>= 1 {
		q, r, d := top, 0, p
		for {
			// i&p == r: runs of p indices, every other one.
			for from := r; from < P-d; from += 2 * p {
				to := min(from+p, P-d)
				lo, hi := w[from:to], w[from+d:to+d]
				hi = hi[:len(lo)]
				for i, a := range lo {
					b := hi[i]
					t := (a ^ b) & uint32((int64(b)-int64(a))>>63)
					lo[i], hi[i] = a^t, b^t
				}
			}
			if q == p {
				break
			}
			d, q, r = q-p, q>>1, p
		}
	}
}
