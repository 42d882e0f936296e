package compression

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/flate"
)

// Compressor deflates the payloads of one direction, in their order.
type Compressor interface {
	// Compress appends to dst one packet's payload src, deflated and flushed.
	Compress(dst, src []byte) ([]byte, error)
}

// Decompressor inflates the payloads of one direction, in their order.
type Decompressor interface {
	// Decompress appends to dst all that one packet's payload src inflates to,
	// at most max bytes: with more it fails with [ErrTooLarge], no later than
	// the first byte too many (PKT-9). No memory in proportion to anything but
	// what really came out is taken. After an error the stream is over, and
	// every call fails with that error.
	Decompress(dst, src []byte, max int) ([]byte, error)
}

// Errors of Decompress.
var (
	// ErrTooLarge: the payload would be larger than allowed.
	ErrTooLarge = errors.New("compression: packet inflates to more than is allowed")
	// ErrCorrupt: what came is no zlib stream, wrapped with what is wrong.
	ErrCorrupt = errors.New("compression: corrupt zlib stream")
	// ErrEnded: the peer ended the stream, which lasts as long as the
	// connection.
	ErrEnded = errors.New("compression: the peer ended the zlib stream")
)

// NewCompressor makes a Compressor of that level, 1 to 9 as zlib has them.
// Levels below 7 are as 7: the library's lower ones neither compress packets
// of less than 128 bytes nor remember anything across one, and it is faster
// than zlib's 6, the level of other implementations, at the same size. Memory,
// about a megabyte, is taken with the first packet.
func NewCompressor(level int) Compressor {
	return &compressor{level: min(max(level, 7), 9)}
}

// NewDecompressor makes a Decompressor. Memory, about 48 KiB, is taken with
// the first packet.
func NewDecompressor() Decompressor { return new(decompressor) }

type decompressor struct{ stream *inflater }

func (d *decompressor) Decompress(dst, src []byte, max int) ([]byte, error) {
	if d.stream == nil {
		d.stream = new(inflater)
	}
	return d.stream.decompress(dst, src, max)
}

// zlibHeader is RFC 1950 §2.2: deflate with a window of 32 KiB, default level.
const zlibHeader = "\x78\x9c"

// compressor writes deflate blocks behind one zlib header. The checksum at the
// end of a zlib stream is never due.
type compressor struct {
	w     *flate.Writer
	level int
	out   appender
}

func (c *compressor) Compress(dst, src []byte) ([]byte, error) {
	c.out = dst
	if c.w == nil {
		w, err := flate.NewWriter(&c.out, c.level)
		if err != nil {
			return dst, fmt.Errorf("compression: %w", err)
		}
		c.w = w
		c.out = append(c.out, zlibHeader...)
	}
	_, err := c.w.Write(src)
	if err == nil {
		err = c.w.Flush()
	}
	dst, c.out = c.out, nil
	if err != nil {
		return dst, fmt.Errorf("compression: %w", err)
	}
	return dst, nil
}

// appender is an io.Writer to the end of a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
