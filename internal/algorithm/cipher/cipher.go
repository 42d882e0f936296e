package cipher

// Packet protects the packets of one direction (RFC 4253 §6), in place.
//
// A packet is b = length(4) | padding_length(1) | payload | padding | tag.
// Sequence numbers are the caller's. No method allocates. A Packet is for one
// goroutine at a time.
//
// Every Packet that [New] returns is an [Eraser] too.
type Packet interface {
	// Seal encrypts and authenticates b, whose last Tag() bytes are room for
	// the tag and whose first four hold the packet_length in clear.
	Seal(b []byte, seq uint32)
	// First is how many bytes of a packet Length needs: 4, or a block where
	// the length is encrypted with the body.
	First() int
	// Length returns packet_length of the packet at b, len(b) >= First(). It
	// may decrypt those bytes in place and advance the stream: it is called
	// exactly once for each packet, before Open. The value is unchecked.
	Length(b []byte, seq uint32) uint32
	// Open checks and decrypts the whole packet b, tag included, on which
	// Length was called. After false b is garbage and the connection is over.
	// Any length of b is safe: one that cannot be a packet is refused.
	Open(b []byte, seq uint32) bool
	// Tag is the number of bytes behind the padding.
	Tag() int
	// Block is the size that the padded part is a multiple of.
	Block() int
	// AAD is 4 where the length field is not part of the padded multiple
	// (AEAD and encrypt-then-MAC modes), else 0.
	AAD() int
	// Oracle reports that a bad length must not be answered at once, because
	// the mode tells an attacker about plaintext (CBC without EtM, PKT-4).
	Oracle() bool
}

// Eraser is a Packet that forgets. Erase overwrites the key material that this
// package holds itself (PKT-15); state inside the library's objects goes with
// the garbage collector. The Packet is of no use afterwards: it seals zeros
// and opens nothing.
type Eraser interface {
	Erase()
}
