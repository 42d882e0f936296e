package cipher

import (
	stdcipher "crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// lengthSize is the size of packet_length.
const lengthSize = 4

// classic is a cipher without authentication and a MAC beside it: CTR and CBC
// modes, each with the MAC over the clear packet (RFC 4253 §6.4) or, with
// encrypt-then-MAC, over length and ciphertext.
type classic struct {
	stream stdcipher.Stream    // CTR, or nil and
	chain  stdcipher.BlockMode // CBC
	mac    mac
	etm    bool
	erased bool
	block  int
}

func (p *classic) crypt(b []byte) {
	if p.stream != nil {
		p.stream.XORKeyStream(b, b)
	} else {
		p.chain.CryptBlocks(b, b)
	}
}

func (p *classic) Seal(b []byte, seq uint32) {
	if p.erased {
		clear(b)
		return
	}
	e := len(b) - p.mac.size()
	if p.etm {
		p.crypt(b[lengthSize:e])
		copy(b[e:], p.mac.sum(seq, b[:e]))
		return
	}
	copy(b[e:], p.mac.sum(seq, b[:e]))
	p.crypt(b[:e])
}

func (p *classic) Length(b []byte, _ uint32) uint32 {
	if !p.etm {
		p.crypt(b[:p.block])
	}
	return binary.BigEndian.Uint32(b)
}

func (p *classic) Open(b []byte, seq uint32) bool {
	first := p.First() // bytes that are in clear, or were decrypted by Length
	e := len(b) - p.mac.size()
	if e < first || p.chain != nil && (e-first)%p.block != 0 || p.erased {
		return false
	}
	if !p.etm {
		p.crypt(b[first:e])
	}
	if subtle.ConstantTimeCompare(p.mac.sum(seq, b[:e]), b[e:]) != 1 {
		return false
	}
	if p.etm {
		p.crypt(b[first:e])
	}
	return true
}

func (p *classic) First() int {
	if p.etm {
		return lengthSize
	}
	return p.block
}

func (p *classic) AAD() int {
	if p.etm {
		return lengthSize
	}
	return 0
}

func (p *classic) Tag() int     { return p.mac.size() }
func (p *classic) Block() int   { return p.block }
func (p *classic) Oracle() bool { return p.chain != nil && !p.etm }

func (p *classic) Erase() {
	p.mac.erase()
	p.erased = true
}
