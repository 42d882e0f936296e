package keyfile

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Bounds of what is read, bytes.
const (
	MaxRevokedSize = 16 << 20 // of a file of revoked keys
	MaxBitmap      = 1 << 20  // of one bitmap of serial numbers (FIL-5)
)

// krlMagic begins a key revocation list in binary form.
const krlMagic = "SSHKRL\n\x00"

const krlFormat = 1

// Sections of a key revocation list, and those of a certificate section.
const (
	krlCertificates = 1
	krlKeys         = 2
	krlSHA1         = 3
	krlSignature    = 4
	krlSHA256       = 5
	krlExtension    = 255

	krlSerials      = 0x20
	krlSerialRange  = 0x21
	krlSerialBitmap = 0x22
	krlKeyIDs       = 0x23
	krlCertExt      = 0x39
)

// Revoked is a file of revoked keys: a binary key revocation list, or text
// with a public key on each line.
type Revoked struct {
	keys   map[string]struct{} // blobs of plain keys
	hashes map[string]struct{} // of such blobs, SHA-1 or SHA-256
	certs  []revokedCerts
}

// revokedCerts is what one section says of the certificates of an authority.
type revokedCerts struct {
	authority []byte // blob; empty: any
	ranges    []serialRange
	bitmaps   []serialBitmap
	ids       map[string]struct{}
}

type serialRange struct{ first, last uint64 }

// serialBitmap has a bit for each serial number from offset on, in the order
// of an mpint's.
type serialBitmap struct {
	offset uint64
	bits   []byte
}

// ParseRevoked reads a file of revoked keys. What cannot be understood whole
// is an error: a key must not be good because a line was not read.
func ParseRevoked(file []byte) (*Revoked, error) {
	if len(file) > MaxRevokedSize {
		return nil, fmt.Errorf("keyfile: revoked keys: larger than %d bytes", MaxRevokedSize)
	}
	r := &Revoked{keys: map[string]struct{}{}, hashes: map[string]struct{}{}}
	if bytes.HasPrefix(file, []byte(krlMagic)) {
		return r, r.parseKRL(file[len(krlMagic):])
	}
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, err := ParsePublicKeyFile(line)
		if err != nil {
			return nil, err
		}
		r.keys[string(pubkey.Plain(key).Marshal())] = struct{}{}
	}
	return r, nil
}

var errKRL = errors.New("keyfile: key revocation list: malformed")

func (r *Revoked) parseKRL(file []byte) error {
	in := wire.NewReader(file)
	format := in.Uint32()
	in.Fixed(3 * 8) // version of the list, time it was made, flags
	in.String()     // reserved
	in.String()     // comment
	if in.Err() != nil {
		return errKRL
	}
	if format != krlFormat {
		return fmt.Errorf("keyfile: key revocation list: format %d is not known", format)
	}
	for in.Len() > 0 {
		kind, data := in.Byte(), in.String()
		if in.Err() != nil {
			return errKRL
		}
		s := wire.NewReader(data)
		switch kind {
		case krlCertificates:
			if err := r.parseCerts(&s); err != nil {
				return err
			}
		case krlKeys:
			eachString(&s, r.keys)
		case krlSHA1, krlSHA256:
			eachString(&s, r.hashes)
		case krlSignature:
			in.String() // who made the list is no question any more
			s = wire.NewReader(nil)
		case krlExtension:
			if err := krlUnknown(&s); err != nil {
				return err
			}
		default:
			return fmt.Errorf("keyfile: key revocation list: section %d is not known", kind)
		}
		if in.Err() != nil || s.Done() != nil {
			return errKRL
		}
	}
	return nil
}

// eachString adds strings up to the end.
func eachString(s *wire.Reader, set map[string]struct{}) {
	for s.Len() > 0 {
		if v := s.String(); s.Err() == nil {
			set[string(v)] = struct{}{}
		}
	}
}

// krlUnknown passes over an extension, unless it must be understood.
func krlUnknown(s *wire.Reader) error {
	name, critical := s.String(), s.Bool()
	s.String()
	if s.Err() == nil && critical {
		return fmt.Errorf("keyfile: key revocation list: extension %q is not known", name)
	}
	return nil
}

func (r *Revoked) parseCerts(s *wire.Reader) error {
	c := revokedCerts{authority: s.String(), ids: map[string]struct{}{}}
	s.String() // reserved
	for s.Len() > 0 && s.Err() == nil {
		kind, data := s.Byte(), s.String()
		sub := wire.NewReader(data)
		switch kind {
		case krlSerials:
			for sub.Len() > 0 && sub.Err() == nil {
				n := sub.Uint64()
				c.ranges = append(c.ranges, serialRange{n, n})
			}
		case krlSerialRange:
			c.ranges = append(c.ranges, serialRange{sub.Uint64(), sub.Uint64()})
		case krlSerialBitmap:
			b := serialBitmap{sub.Uint64(), sub.Mpint()}
			if len(b.bits) > MaxBitmap {
				return fmt.Errorf("keyfile: key revocation list: a bitmap of more than %d bytes", MaxBitmap)
			}
			c.bitmaps = append(c.bitmaps, b)
		case krlKeyIDs:
			eachString(&sub, c.ids)
		case krlCertExt:
			if err := krlUnknown(&sub); err != nil {
				return err
			}
		default:
			return fmt.Errorf("keyfile: key revocation list: certificate section %d is not known", kind)
		}
		if s.Err() != nil || sub.Done() != nil {
			return errKRL
		}
	}
	if s.Err() != nil {
		return errKRL
	}
	slices.SortFunc(c.ranges, func(a, b serialRange) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	r.certs = append(r.certs, c)
	return nil
}

// Has reports whether a key is revoked, itself, its plain key, or the
// authority that signed it.
func (r *Revoked) Has(key pubkey.PublicKey) bool {
	if r.hasPlain(pubkey.Plain(key)) {
		return true
	}
	cert, ok := key.(*pubkey.Certificate)
	if !ok {
		return false
	}
	if r.hasPlain(cert.SignatureKey) {
		return true
	}
	authority := cert.SignatureKey.Marshal()
	for i := range r.certs {
		c := &r.certs[i]
		if len(c.authority) > 0 && !bytes.Equal(c.authority, authority) {
			continue
		}
		if _, named := c.ids[cert.KeyId]; named || cert.Serial != 0 && c.hasSerial(cert.Serial) {
			return true
		}
	}
	return false
}

func (r *Revoked) hasPlain(key pubkey.PublicKey) bool {
	blob := key.Marshal()
	if _, ok := r.keys[string(blob)]; ok {
		return true
	}
	if len(r.hashes) == 0 {
		return false
	}
	short, long := sha1.Sum(blob), sha256.Sum256(blob)
	_, a := r.hashes[string(short[:])]
	_, b := r.hashes[string(long[:])]
	return a || b
}

func (c *revokedCerts) hasSerial(n uint64) bool {
	for _, r := range c.ranges {
		if r.first > n {
			break
		}
		if n <= r.last {
			return true
		}
	}
	for _, b := range c.bitmaps {
		if n < b.offset {
			continue
		}
		at := n - b.offset
		if i := uint64(len(b.bits)) - 1 - at/8; at/8 < uint64(len(b.bits)) && b.bits[i]>>(at%8)&1 != 0 {
			return true
		}
	}
	return false
}
