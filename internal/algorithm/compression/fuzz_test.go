package compression

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"testing"
)

// FuzzDecompress inflates what no compressor made, whole and in pieces, and
// compares with the library: what both accept is the same, and what we refuse,
// it refuses, or is one of the incomplete codes on which it is laxer.
func FuzzDecompress(f *testing.F) {
	for _, name := range files(f) {
		deflated, _ := packets(f, name)
		// The beginning does: large seeds make the engine slow.
		all := bytes.Join(deflated, nil)
		f.Add(deflated[0][:min(len(deflated[0]), 400)], uint8(3))
		f.Add(all[:min(len(all), 700)], uint8(250))
	}
	f.Add(bitStream("1:0", "2:1", "00110000", "0000001", "00000", "0000000"), uint8(1))
	f.Add(bitStream("1:1", "2:0", "5:0", "16:2", "16:65533", "16:1000", "32:0"), uint8(2))
	f.Fuzz(func(t *testing.T, z []byte, piece uint8) {
		const limit = 64 << 10
		whole, err := NewDecompressor().Decompress(nil, z, limit)
		if len(whole) > limit {
			t.Fatalf("%d bytes of %d", len(whole), limit)
		}

		d := NewDecompressor()
		var parts []byte
		var partErr error
		for rest := z; len(rest) > 0 && partErr == nil; {
			n := min(int(piece)+1, len(rest))
			parts, partErr = d.Decompress(parts, rest[:n], limit-len(parts))
			rest = rest[n:]
		}
		if errors.Is(err, ErrTooLarge) != errors.Is(partErr, ErrTooLarge) || (err == nil) != (partErr == nil) {
			t.Fatalf("whole: %v, in pieces: %v", err, partErr)
		}
		if !errors.Is(err, ErrTooLarge) && !bytes.Equal(whole, parts) {
			t.Fatalf("%d bytes whole, %d in pieces", len(whole), len(parts))
		}

		zr, libErr := zlib.NewReader(bytes.NewReader(z))
		if libErr != nil {
			if err == nil && len(z) >= 2 {
				t.Fatalf("the library refuses the header: %v", libErr)
			}
			return
		}
		lib, libErr := io.ReadAll(io.LimitReader(zr, limit))
		n := min(len(lib), len(whole))
		if !bytes.Equal(lib[:n], whole[:n]) {
			t.Fatalf("the library inflates otherwise")
		}
		// It holds back what it decoded before a mistake or the end.
		if len(lib) > len(whole) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("the library inflates %d bytes, we %d (%v)", len(lib), len(whole), err)
		}
		if err == nil && libErr != io.ErrUnexpectedEOF {
			t.Fatalf("we wait for more, the library says %v", libErr)
		}
	})
}
