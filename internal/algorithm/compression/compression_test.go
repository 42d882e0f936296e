package compression

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const limit = 256 << 10

// corpus is n bytes with repeats near and far, of every kind of block.
func corpus(r *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		k := 1 + r.IntN(400)
		switch r.IntN(5) {
		case 0: // noise
			for range k {
				b = append(b, byte(r.Uint32()))
			}
		case 1: // a run
			b = append(b, bytes.Repeat([]byte{byte(r.Uint32())}, k)...)
		case 2: // few symbols
			for range k {
				b = append(b, "etaoin shrdlu\n"[r.IntN(14)])
			}
		case 3: // a repeat from anywhere
			if len(b) > 0 {
				at := r.IntN(len(b))
				b = append(b, b[at:min(at+k, len(b))]...)
			}
		case 4: // a short period
			p := b[len(b)-min(len(b), 1+r.IntN(20)):]
			b = append(b, bytes.Repeat(p, k/20)...)
		}
	}
	return b[:n]
}

// packets reads a file that testdata/partial.py made.
func packets(t testing.TB, name string) (deflated, plain [][]byte) {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	next := func() []byte {
		n := binary.BigEndian.Uint32(b)
		p := b[4 : 4+n]
		b = b[4+n:]
		return p
	}
	for len(b) > 0 {
		deflated = append(deflated, next())
		plain = append(plain, next())
	}
	return deflated, plain
}

func files(t testing.TB) []string {
	names, err := filepath.Glob("testdata/*.packets")
	if err != nil || len(names) < 11 {
		t.Fatalf("fixtures are missing: %q, %v", names, err)
	}
	return names
}

// Every packet of C zlib with its partial flush comes out whole at once.
func TestPartialFlush(t *testing.T) {
	for _, name := range files(t) {
		deflated, plain := packets(t, name)
		d := NewDecompressor()
		buf := make([]byte, 0, 64)
		for i, z := range deflated {
			got, err := d.Decompress(buf[:0], z, limit)
			if err != nil {
				t.Fatalf("%s: packet %d: %v", name, i, err)
			}
			if !bytes.Equal(got, plain[i]) {
				t.Fatalf("%s: packet %d of %d bytes: got %d others", name, i, len(plain[i]), len(got))
			}
			buf = got
		}
	}
}

// The same bytes in pieces of any size give the same, and no piece waits for
// the next one with what it determines: after the last byte of a packet all of
// it is there.
func TestPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, name := range files(t) {
		deflated, plain := packets(t, name)
		for _, most := range []int{1, 2, 3, 7, 9, 100} {
			d := NewDecompressor()
			for i, z := range deflated {
				var got []byte
				for len(z) > 0 {
					n := min(1+r.IntN(most), len(z))
					var err error
					if got, err = d.Decompress(got, z[:n], limit); err != nil {
						t.Fatalf("%s: packet %d: %v", name, i, err)
					}
					z = z[n:]
				}
				if !bytes.Equal(got, plain[i]) {
					t.Fatalf("%s in pieces of %d: packet %d of %d bytes: got %d others", name, most, i, len(plain[i]), len(got))
				}
			}
		}
	}
}

// What the library deflates, at every level and of any sizes.
func TestAgainstLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for round := range 60 {
		var z bytes.Buffer
		w, _ := zlib.NewWriterLevel(&z, round%12-2)
		d := NewDecompressor()
		var buf []byte
		for range 20 {
			plain := corpus(r, r.IntN(1<<(r.IntN(17))))
			w.Write(plain)
			w.Flush()
			got, err := d.Decompress(buf[:0], z.Bytes(), limit)
			if err != nil {
				t.Fatalf("level %d: %v", round%12-2, err)
			}
			if !bytes.Equal(got, plain) {
				t.Fatalf("level %d: %d bytes differ", round%12-2, len(plain))
			}
			z.Reset()
			if r.IntN(4) > 0 {
				buf = got
			} else {
				buf = nil
			}
		}
	}
}

// Our own two ends, and our compressor with the library's reader.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, level := range []int{-1, 0, 1, 6, 7, 9, 10} {
		c, d := NewCompressor(level), NewDecompressor()
		var all, stream, z, buf []byte
		for range 40 {
			plain := corpus(r, r.IntN(1<<(r.IntN(18))))
			var err error
			if z, err = c.Compress(append(z[:0], "head"...), plain); err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(z, []byte("head")) {
				t.Fatal("what was in dst is gone")
			}
			all, stream = append(all, plain...), append(stream, z[4:]...)
			if buf, err = d.Decompress(append(buf[:0], "tail"...), z[4:], limit); err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(buf, []byte("tail")) || !bytes.Equal(buf[4:], plain) {
				t.Fatalf("level %d: %d bytes differ", level, len(plain))
			}
		}
		zr, err := zlib.NewReader(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(all))
		if _, err := io.ReadFull(zr, got); err != nil || !bytes.Equal(got, all) {
			t.Fatalf("level %d: the library reads otherwise: %v", level, err)
		}
	}
}

// Small packets are compressed with what went before: that is what compression
// of a terminal is for.
func TestSmallPackets(t *testing.T) {
	c := NewCompressor(6)
	line := []byte("drwxr-xr-x 2 user user 4096 Jan  1 12:00 directory\r\n")
	var z []byte
	for range 20 {
		z, _ = c.Compress(z[:0], line)
	}
	if len(z) > 20 {
		t.Errorf("%d bytes for a line of %d that was sent before", len(z), len(line))
	}
}

func TestNoAllocations(t *testing.T) {
	c, d := NewCompressor(6), NewDecompressor()
	plain := corpus(rand.New(rand.NewPCG(4, 4)), 3000)
	z, buf := make([]byte, 0, 8192), make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() {
		z, _ = c.Compress(z[:0], plain)
		buf, _ = d.Decompress(buf[:0], z, limit)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if !bytes.Equal(buf, plain) {
		t.Error("another packet")
	}
}

// A packet may inflate to as much as is allowed, and to no byte more, whatever
// kind of block it comes in (PKT-9).
func TestLimit(t *testing.T) {
	kinds := map[string]func(n int) []byte{
		"zeros": func(n int) []byte { return make([]byte, n) },
		"text":  func(n int) []byte { return corpus(rand.New(rand.NewPCG(5, 5)), n) },
		"noise": func(n int) []byte {
			b := make([]byte, n)
			rand.NewChaCha8([32]byte{}).Read(b)
			return b
		},
	}
	for name, make := range kinds {
		for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
			for _, n := range []int{0, 1, 2, 257, 258, 259, 1000, 10000, limit} {
				var z bytes.Buffer
				w, _ := zlib.NewWriterLevel(&z, level)
				plain := make(n)
				w.Write(plain)
				w.Flush()
				got, err := NewDecompressor().Decompress(nil, z.Bytes(), n)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, level %d: %d bytes of %d allowed: %v", name, level, n, n, err)
				}
				if n == 0 {
					continue
				}
				d := NewDecompressor()
				got, err = d.Decompress(nil, z.Bytes(), n-1)
				if !errors.Is(err, ErrTooLarge) || len(got) > n-1 {
					t.Fatalf("%s, level %d: %d bytes of %d allowed: %d and %v", name, level, n, n-1, len(got), err)
				}
				if _, err := d.Decompress(nil, nil, n); !errors.Is(err, ErrTooLarge) {
					t.Fatalf("the stream goes on after %v", err)
				}
			}
		}
	}
}

// A bomb costs what is allowed to come out, not what it holds.
func TestBomb(t *testing.T) {
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, 9)
	io.CopyN(w, zeros{}, 20<<20)
	w.Flush()
	d := NewDecompressor()
	got, err := d.Decompress(nil, z.Bytes(), limit)
	if !errors.Is(err, ErrTooLarge) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if cap(got) > limit+4096 {
		t.Errorf("took %d bytes for %d", cap(got), limit)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Every byte that is missing at the end is waited for, never guessed, and what
// came out before is right.
func TestTruncated(t *testing.T) {
	for _, name := range files(t) {
		deflated, plain := packets(t, name)
		z := deflated[0]
		for i, p := range deflated[1:] {
			if len(z) < 400 {
				z, plain[0] = append(z[:len(z):len(z)], p...), append(plain[0][:len(plain[0]):len(plain[0])], plain[i+1]...)
			}
		}
		for n := range z {
			got, err := NewDecompressor().Decompress(nil, z[:n], limit)
			if err != nil || !bytes.HasPrefix(plain[0], got) {
				t.Fatalf("%s: first %d of %d bytes: %v", name, n, len(z), err)
			}
		}
	}
}

// bits writes a stream from its lowest bit on: "n:value" is n bits, a string
// of 0 and 1 is a Huffman code, first bit first.
func bitStream(parts ...string) []byte {
	var b []byte
	n := 0
	put := func(bit byte) {
		if n%8 == 0 {
			b = append(b, 0)
		}
		b[n/8] |= bit << (n % 8)
		n++
	}
	for _, p := range parts {
		width, value, ok := strings.Cut(p, ":")
		if !ok {
			for _, c := range p {
				put(byte(c - '0'))
			}
			continue
		}
		w, v := 0, 0
		for _, c := range width {
			w = 10*w + int(c-'0')
		}
		for _, c := range value {
			v = 10*v + int(c-'0')
		}
		for i := range w {
			put(byte(v >> i & 1))
		}
	}
	return append([]byte(zlibHeader), b...)
}

func TestCorrupt(t *testing.T) {
	// A dynamic block: final, kind, HLIT, HDIST, HCLEN and the lengths of the
	// codes 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1.
	dynamic := func(hlit, hdist string, lengths ...string) []string {
		return append([]string{"1:0", "2:2", "5:" + hlit, "5:" + hdist, "4:14"}, lengths...)
	}
	// Codes of code lengths: 18 is 0, 1 is 10, 0 is 110, 2 is 111.
	code := []string{"3:0", "3:0", "3:1", "3:3", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:0", "3:3", "3:0", "3:2"}
	// With those: 138 zeros, and as many as are missing before symbol 256.
	zeros256 := []string{"0", "7:127", "0", "7:107"}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for name, v := range map[string]struct {
		z    []byte
		want error
	}{
		"nothing":                     {nil, nil},
		"half a header":               {[]byte{0x78}, nil},
		"header":                      {[]byte{0x78, 0x9c}, nil},
		"header of another level":     {[]byte{0x78, 0xda}, nil},
		"header of a small window":    {[]byte{0x18, 0x19}, nil},
		"header that does not add up": {[]byte{0x78, 0x9d}, ErrCorrupt},
		"method":                      {[]byte{0x77, 0x9f}, ErrCorrupt},
		"window":                      {[]byte{0x88, 0x1c}, ErrCorrupt},
		"dictionary":                  {[]byte{0x78, 0xbb}, ErrCorrupt},
		"kind of block":               {bitStream("1:0", "2:3"), ErrCorrupt},
		"stored length":               {bitStream("1:0", "2:0", "5:0", "16:5", "16:5"), ErrCorrupt},
		"empty stored block":          {bitStream("1:0", "2:0", "5:0", "16:0", "16:65535"), nil},
		"last block":                  {bitStream("1:1", "2:0", "5:0", "16:0", "16:65535"), ErrEnded},
		"last fixed block":            {bitStream("1:1", "2:1", "0000000"), ErrEnded},
		"fixed block with 286":        {bitStream("1:0", "2:1", "11000110", "16:0"), ErrCorrupt},
		"fixed block with 287":        {bitStream("1:0", "2:1", "11000111", "16:0"), ErrCorrupt},
		"distance 30":                 {bitStream("1:0", "2:1", "00110000", "0000001", "11110", "16:0"), ErrCorrupt},
		"distance 31":                 {bitStream("1:0", "2:1", "00110000", "0000001", "11111", "16:0"), ErrCorrupt},
		"distance before the start":   {bitStream("1:0", "2:1", "00110000", "0000001", "00001", "16:0"), ErrCorrupt},
		"distance to the start":       {bitStream("1:0", "2:1", "00110000", "0000001", "00000", "16:0"), nil},
		"287 literals":                {bitStream(dynamic("30", "0")...), ErrCorrupt},
		"31 distances":                {bitStream(dynamic("0", "30")...), ErrCorrupt},
		"empty code of code lengths":  {bitStream(dynamic("0", "0", "64:0", "64:0")...), ErrCorrupt},
		"single code of code lengths": {bitStream(dynamic("0", "0", "3:1", "64:0")...), ErrCorrupt},
		"too many codes":              {bitStream(dynamic("0", "0", "3:1", "3:1", "3:1", "64:0")...), ErrCorrupt},
		"repeat of nothing":           {bitStream(dynamic("0", "0", "3:1", "3:0", "3:1", "60:0", "0", "64:0")...), ErrCorrupt},
		"repeat beyond the end":       {bitStream(join(dynamic("0", "0", code...), []string{"0", "7:127", "0", "7:127"})...), ErrCorrupt},
		"no end of block":             {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"110", "10"})...), ErrCorrupt},
		"end of block alone":          {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"10", "110", "0"})...), nil},
		"the code that is not there":  {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"10", "110", "1"})...), ErrCorrupt},
		"one code of two bits":        {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"111", "110", "0"})...), ErrCorrupt},
		"one distance of one bit":     {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"10", "10", "0"})...), nil},
		"one distance of two bits":    {bitStream(join(dynamic("0", "0", code...), zeros256, []string{"10", "111", "0"})...), ErrCorrupt},
		"no distances, but a match":   {bitStream(join(dynamic("1", "0", code...), zeros256, []string{"10", "10", "110", "1", "1"})...), ErrCorrupt},
	} {
		got, err := NewDecompressor().Decompress(nil, v.z, limit)
		if !errors.Is(err, v.want) || v.want == nil && err != nil {
			t.Errorf("%s: %v, want %v (%q)", name, err, v.want, got)
		}
		// In pieces it is the same.
		d := NewDecompressor()
		err = nil
		for i := range v.z {
			if _, err = d.Decompress(nil, v.z[i:i+1], limit); err != nil {
				break
			}
		}
		if !errors.Is(err, v.want) || v.want == nil && err != nil {
			t.Errorf("%s, byte by byte: %v, want %v", name, err, v.want)
		}
	}
}

// Streams with a few bytes changed: no panic, nothing beyond the limit.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, name := range files(t) {
		deflated, _ := packets(t, name)
		for range 300 {
			d := NewDecompressor()
			for _, z := range deflated {
				z = bytes.Clone(z)
				for range r.IntN(3) {
					z[r.IntN(len(z))] = byte(r.Uint32())
				}
				got, err := d.Decompress(nil, z, 5000)
				if len(got) > 5000 {
					t.Fatalf("%s: %d bytes of 5000", name, len(got))
				}
				if err != nil {
					break
				}
			}
		}
	}
}

func BenchmarkDecompress(b *testing.B) {
	for _, name := range []string{"text", "mixed"} {
		_, plain := packets(b, "testdata/"+name+".packets")
		src := bytes.Join(plain, nil)
		for _, size := range []int{64, 1024, 32768} {
			var z [][]byte
			var buf bytes.Buffer
			w, _ := zlib.NewWriterLevel(&buf, 6)
			n := 0
			for n < 1<<20 {
				p := src[n%len(src):]
				p = p[:min(len(p), size)]
				w.Write(p)
				w.Flush()
				z = append(z, bytes.Clone(buf.Bytes()))
				buf.Reset()
				n += len(p)
			}
			b.Run(name+"/"+map[int]string{64: "64", 1024: "1024", 32768: "32768"}[size], func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				out := make([]byte, 0, 64<<10)
				for b.Loop() {
					d := NewDecompressor()
					for _, p := range z {
						var err error
						if out, err = d.Decompress(out[:0], p, limit); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	_, plain := packets(b, "testdata/text.packets")
	src := bytes.Join(plain, nil)
	for len(src) < 32768 {
		src = append(src, src...)
	}
	for name, size := range map[string]int{"64": 64, "1024": 1024, "32768": 32768} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			c := NewCompressor(6)
			var z []byte
			for b.Loop() {
				z, _ = c.Compress(z[:0], src[:size])
			}
		})
	}
}
