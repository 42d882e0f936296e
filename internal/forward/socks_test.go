package forward

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestGLB10_Socks: the parser reads what is there, bounded, in pieces of any
// size, and passes names on (GLB-10).
func TestGLB10_Socks(t *testing.T) {
	name := strings.Repeat("n", 255)
	ok4 := "\x00\x5a\x00\x00\x00\x00\x00\x00"
	no4 := "\x00\x5b\x00\x00\x00\x00\x00\x00"
	ok5 := "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	no5 := func(c string) string { return "\x05" + c + "\x00\x01\x00\x00\x00\x00\x00\x00" }
	for _, c := range []struct {
		what, in, reply string
		host            string
		port            uint16
		rest            string
		bad             bool
	}{
		{"4", "\x04\x01\x00\x50\x0a\x00\x00\x01\x00", ok4, "10.0.0.1", 80, "", false},
		{"4 with a user", "\x04\x01\x1f\x90\x0a\x00\x00\x01me\x00GET", ok4, "10.0.0.1", 8080, "GET", false},
		{"4a", "\x04\x01\x00\x50\x00\x00\x00\x01me\x00far.example\x00xyz", ok4, "far.example", 80, "xyz", false},
		{"4a, the longest name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00" + name + "\x00", ok4, name, 80, "", false},
		{"4a, a longer one", "\x04\x01\x00\x50\x00\x00\x00\x01\x00" + name + "n\x00", no4, "", 0, "", true},
		{"4, the longest user", "\x04\x01\x00\x50\x0a\x00\x00\x01" + name + "\x00", ok4, "10.0.0.1", 80, "", false},
		{"4, a longer one", "\x04\x01\x00\x50\x0a\x00\x00\x01" + name + "n\x00", no4, "", 0, "", true},
		{"4 bind", "\x04\x02\x00\x50\x0a\x00\x00\x01\x00", no4, "", 0, "", true},
		{"4 address 0.0.0.0", "\x04\x01\x00\x50\x00\x00\x00\x00\x00", ok4, "0.0.0.0", 80, "", false},
		{"4a, a line end in the name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00a\nb\x00", no4, "", 0, "", true},
		{"5 address", "\x05\x01\x00" + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00" + ok5, "10.0.0.1", 80, "", false},
		{"5 name", "\x05\x02\x02\x00" + "\x05\x01\x00\x03\x03far\x00\x50tail", "\x05\x00" + ok5, "far", 80, "tail", false},
		{"5 IPv6", "\x05\x01\x00" + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\xff\xff", "\x05\x00" + ok5, "::1", 65535, "", false},
		{"5 all methods, longest name", "\x05\xff" + strings.Repeat("\x02", 254) + "\x00" + "\x05\x01\x00\x03\xff" + name + "\x00\x50", "\x05\x00" + ok5, name, 80, "", false},
		{"5 no method", "\x05\x00", "\x05\xff", "", 0, "", true},
		{"5 password only", "\x05\x01\x02", "\x05\xff", "", 0, "", true},
		{"5 bind", "\x05\x01\x00" + "\x05\x02\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00" + no5("\x07"), "", 0, "", true},
		{"5 associate", "\x05\x01\x00" + "\x05\x03\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00" + no5("\x07"), "", 0, "", true},
		{"5 unknown address", "\x05\x01\x00" + "\x05\x01\x00\x02\x0a\x00\x00\x01\x00\x50", "\x05\x00" + no5("\x08"), "", 0, "", true},
		{"5 empty name", "\x05\x01\x00" + "\x05\x01\x00\x03\x00\x00\x50", "\x05\x00" + no5("\x01"), "", 0, "", true},
		{"HTTP", "GET / HTTP/1.0\r\n", "", "", 0, "", true},
		{"version 4 after 5", "\x05\x01\x00\x04\x01\x00\x50\x0a\x00\x00\x01\x00", "\x05\x00", "", 0, "", true},
	} {
		for _, piece := range []int{1, 3, 1 << 20} {
			var s Socks
			var reply []byte
			in := []byte(c.in)
			for done := false; !done; {
				n := min(piece, len(in))
				if n == 0 {
					t.Fatalf("%s: not done at the end", c.what)
				}
				r, rest, d, err := s.Advance(in[:n])
				in, reply, done = in[n:], append(reply, r...), d
				if err != nil {
					if !c.bad || !errors.Is(err, ErrSocks) {
						t.Errorf("%s in pieces of %d: %v", c.what, piece, err)
					}
					break
				}
				if !d {
					continue
				}
				host, port := s.Target()
				if got := string(rest) + string(in); c.bad || host != c.host || port != c.port || got != c.rest {
					t.Errorf("%s in pieces of %d: to %q %d, rest %q", c.what, piece, host, port, got)
				}
			}
			if string(reply) != c.reply {
				t.Errorf("%s in pieces of %d: answered %q, want %q", c.what, piece, reply, c.reply)
			}
		}
	}
}

// TestSocksBound: a client that never comes to the point is not listened to
// for ever.
func TestSocksBound(t *testing.T) {
	var s Socks
	sent := 0
	for {
		_, _, done, err := s.Advance([]byte("\x04\x01\x00\x50\x0a\x00\x00\x01")[:1])
		if sent++; err != nil {
			break
		}
		if done || sent > MaxSocks {
			t.Fatalf("%d bytes were taken", sent)
		}
	}
	s = Socks{}
	if _, _, _, err := s.Advance(bytes.Repeat([]byte{4}, 1<<20)); err == nil {
		t.Error("a request of a megabyte")
	}
}

func FuzzSocks(f *testing.F) {
	f.Add([]byte("\x04\x01\x00\x50\x00\x00\x00\x01me\x00far.example\x00xyz"), 1)
	f.Add([]byte("\x05\x02\x02\x00\x05\x01\x00\x03\x03far\x00\x50tail"), 2)
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff"), 7)
	run := func(p []byte, piece int) (reply, rest string, l Listen, failed bool) {
		var s Socks
		for len(p) > 0 {
			n := min(piece, len(p))
			r, tail, done, err := s.Advance(p[:n])
			reply += string(r)
			p = p[n:]
			if err != nil {
				return reply, "", Listen{}, true
			}
			if done {
				host, port := s.Target()
				return reply, string(tail) + string(p), Listen{host, port}, false
			}
			if len(s.buf) >= MaxSocks {
				panic("holds too much")
			}
		}
		return reply, "", Listen{}, false
	}
	f.Fuzz(func(t *testing.T, p []byte, piece int) {
		p = p[:min(len(p), 2*MaxSocks)]
		reply, rest, l, failed := run(p, max(1, piece))
		reply2, rest2, l2, failed2 := run(p, 1)
		if failed && failed2 {
			return
		}
		if reply != reply2 || rest != rest2 || l != l2 || failed != failed2 {
			t.Errorf("in pieces: %q %q %v %v, byte by byte: %q %q %v %v", reply, rest, l, failed, reply2, rest2, l2, failed2)
		}
		if l.Host != "" && !ValidHost(l.Host) {
			t.Errorf("leads to %q", l.Host)
		}
	})
}
