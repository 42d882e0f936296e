// Package compression compresses payloads (RFC 4253 §6.2): zlib and
// zlib@openssh.com.
package compression

import "errors"

// Compressor deflates one direction's payloads, keeping its state.
type Compressor interface {
	// Compress appends one packet's deflated payload to dst, flushed.
	Compress(dst, src []byte) ([]byte, error)
}

// Decompressor inflates one direction's payloads.
type Decompressor interface {
	// Decompress appends what src inflates to, and fails as soon as that would
	// be more than max bytes.
	Decompress(dst, src []byte, max int) ([]byte, error)
}

var errAbsent = errors.New("compression: not built in")

type absent struct{}

func (absent) Compress(dst, src []byte) ([]byte, error)            { return nil, errAbsent }
func (absent) Decompress(dst, src []byte, max int) ([]byte, error) { return nil, errAbsent }

// NewCompressor makes a Compressor of the given level.
func NewCompressor(level int) Compressor { return absent{} }

// NewDecompressor makes a Decompressor.
func NewDecompressor() Decompressor { return absent{} }
