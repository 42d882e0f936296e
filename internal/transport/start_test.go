package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// handOver reads a client's beginning as another process would, in pieces of
// at most chunk bytes, and returns what it hands on.
func handOver(t *testing.T, c net.Conn, cfg *Config, chunk int) (*Start, error) {
	t.Helper()
	h, cookie := cfg.Hello(), [CookieSize]byte{1, 2, 3}
	if _, err := c.Write(h.Append(nil, cookie)); err != nil {
		t.Fatal(err)
	}
	var o Opening
	var data []byte
	b := make([]byte, chunk)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		data = append(data, b[:n]...)
		n, kexInit, err := o.Next(data)
		if err != nil {
			c.Write(o.Farewell(err))
			return nil, err
		}
		if kexInit != nil {
			s, err := ParseStart(o.Start(h, cookie, kexInit, data[n:], time.Second).Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			return s, nil
		}
		data = data[n:]
	}
}

// A connection that was handed over is the one that was not: the client finds
// nothing, and both ends have the same sequence numbers and counts, whether the
// client guesses, talks before KEXINIT, or neither (GO-1, LOD-2).
func TestHandshakeFrom(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(client, server *Config)
	}{
		{"plain", nil},
		{"guess", func(c, _ *Config) { c.Guess = true }},
		{"wrong guess", func(c, s *Config) {
			c.Guess = true
			c.KeyExchanges = []string{"ecdh-sha2-nistp256", "curve25519-sha256"}
		}},
		{"extensions", func(_, s *Config) {
			s.ExtInfo = []wire.Extension{{Name: "ping@openssh.com", Value: []byte("0")}}
		}},
	} {
		for _, chunk := range []int{1, 7, 4096} {
			t.Run(tt.name, func(t *testing.T) {
				client, whole := connected(t, tt.change)
				want := [2]Stats{client.Stats(), whole.Stats()}
				wantIn, wantOut := whole.in.seq, whole.out.seq

				client, server := pair(t, tt.change)
				done := make(chan error, 1)
				go func() {
					err := client.Handshake()
					client.Flush()
					done <- err
				}()
				s, err := handOver(t, server.stream.(interface{ NetConn() net.Conn }).NetConn(), server.cfg, chunk)
				if err != nil {
					t.Fatal(err)
				}
				if err := server.HandshakeFrom(s); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(client.SessionID(), server.SessionID()) || client.Algorithms.Kex != server.Algorithms.Kex {
					t.Error("the ends disagree")
				}
				if server.in.seq != wantIn || server.out.seq != wantOut || server.strict != whole.strict {
					t.Errorf("sequence numbers %d and %d, want %d and %d", server.in.seq, server.out.seq, wantIn, wantOut)
				}
				if got := [2]Stats{client.Stats(), server.Stats()}; got != want {
					t.Errorf("counted %+v, want %+v", got, want)
				}
				if string(server.LocalVersion()) != "SSH-2.0-test" || string(server.RemoteVersion()) != "SSH-2.0-test" {
					t.Error("identifications are lost")
				}
				logIn(client, server)
				if err := client.Send([]byte{100, 1, 2, 3}); err != nil {
					t.Fatal(err)
				}
				if p, err := server.ReadPacket(); err != nil || !bytes.Equal(p, []byte{100, 1, 2, 3}) {
					t.Errorf("got %x, %v", p, err)
				}
			})
		}
	}
}

// A packet before KEXINIT is as wrong under strict key exchange, and as right
// without it, as it is in one place (NEG-2).
func TestHandshakeFromStrict(t *testing.T) {
	for _, strict := range []bool{true, false} {
		a, b := sockets(t)
		server := newEnd(t, b, false, nil)
		blob, sign, _ := testKey(t)
		server.cfg.HostKeys = []HostKey{{Algorithms: []string{"ssh-ed25519"}, Blob: blob, Sign: sign}}
		r := raw{a, t}
		r.text("SSH-2.0-x\r\n")
		r.packet([]byte{wire.MsgIgnore, 0, 0, 0, 0})
		var more []string
		if strict {
			more = []string{strictC}
		}
		r.packet(kexInit(false, more...))
		s, err := handOver(t, b, server.cfg, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if s.Received != 2 {
			t.Errorf("%d packets received, want 2", s.Received)
		}
		r.CloseWrite()
		err = server.HandshakeFrom(s)
		if strict {
			wantReason(t, err, wire.ReasonProtocolError, "strict KEX violation")
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want the end of the stream", err)
		}
	}
}

// What may not stand before KEXINIT ends the connection with the same reason,
// and the stranger is told as much as by Handshake.
func TestOpeningRefuses(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, MaxVersionLine+1)
	const id = "SSH-2.0-x\r\n"
	for _, tt := range []struct{ name, said, farewell string }{
		{"not SSH", "GET / HTTP/1.1\r\n", textNotSSH},
		{"SSH 1", "SSH-1.5-x\r\n", textVersion},
		{"a long line", "SSH-2.0-" + string(long), textNotSSH},
		{"a NUL", "SSH-2.0-\x00\r\n", textNotSSH},
		{"a length", id + "\xff\xff\xff\xff\x00\x00\x00\x00", "Bad packet length"},
		{"a service", id + string(frame([]byte{wire.MsgServiceRequest, 0, 0, 0, 0})), "SERVICE_REQUEST"},
		{"a broken KEXINIT", id + string(frame([]byte{wire.MsgKexInit, 0, 0, 0, 0, 0})), "KEXINIT"},
		{"a farewell", id + string(frame((&wire.Disconnect{Reason: 11}).Append(nil))), ""},
	} {
		var o Opening
		data := []byte(tt.said)
		n, _, err := o.Next(data)
		if err == nil {
			_, _, err = o.Next(data[n:])
		}
		if err == nil {
			t.Errorf("%s is taken", tt.name)
			continue
		}
		if f := o.Farewell(err); !bytes.Contains(f, []byte(tt.farewell)) || len(f) > 0 != (tt.farewell != "") {
			t.Errorf("%s: farewell %q, want %q in it", tt.name, f, tt.farewell)
		}
	}
}

// Both sides of the bounds before the first key exchange.
func TestOpeningBounds(t *testing.T) {
	ignore := frame([]byte{wire.MsgIgnore, 0, 0, 0, 0})
	for _, tt := range []struct {
		ignores int
		ok      bool
	}{{PreAuthPackets - 1, true}, {PreAuthPackets, false}} {
		var o Opening
		data := append([]byte("SSH-2.0-x\n"), bytes.Repeat(ignore, tt.ignores)...)
		_, p, err := o.Next(append(data, frame(kexInit(false))...))
		if (p != nil && err == nil) != tt.ok {
			t.Errorf("%d packets before KEXINIT: %v", tt.ignores, err)
		}
	}
}

func validStart() *Start {
	return &Start{LocalVersion: []byte("SSH-2.0-a"), RemoteVersion: []byte("SSH-2.0-b"),
		LocalKexInit: kexInit(true), RemoteKexInit: kexInit(false), Rest: []byte("rest"), Sent: 1, Received: 1, BytesIn: 9, BytesOut: 9, Waited: 3}
}

func TestParseStartRefuses(t *testing.T) {
	for name, change := range map[string]func(*Start){
		"a long version":   func(s *Start) { s.RemoteVersion = append([]byte("SSH-2.0-"), make([]byte, 300)...) },
		"a version 1":      func(s *Start) { s.RemoteVersion = []byte("SSH-1.5-x") },
		"two lines":        func(s *Start) { s.RemoteVersion = []byte("SSH-2.0-x\ny") },
		"no KEXINIT":       func(s *Start) { s.RemoteKexInit = nil },
		"much rest":        func(s *Start) { s.Rest = make([]byte, MaxRest+1) },
		"no packet":        func(s *Start) { s.Received = 0 },
		"many packets":     func(s *Start) { s.Received = PreAuthPackets + 1 },
		"two packets sent": func(s *Start) { s.Sent = 2 },
		"the future":       func(s *Start) { s.Waited = -1 },
	} {
		s := validStart()
		change(s)
		if _, err := ParseStart(s.Append(nil)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	s := validStart()
	s.Rest = make([]byte, MaxRest)
	if _, err := ParseStart(s.Append(nil)); err != nil {
		t.Error(err)
	}
}

func FuzzParseStart(f *testing.F) {
	f.Add(validStart().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStart(b)
		if err != nil {
			return
		}
		if again := s.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

// However the bytes are cut, the verdict is the same.
func FuzzOpening(f *testing.F) {
	f.Add(slices.Concat([]byte("SSH-2.0-x\r\n"), frame(kexInit(false)), []byte("more")), uint8(3))
	f.Add(slices.Concat([]byte("SSH-2.0-x\n"), frame([]byte{wire.MsgIgnore, 0, 0, 0, 0}), frame(kexInit(false))), uint8(50))
	f.Add([]byte("GET /\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		run := func(step int) (used int, kexInit []byte, failed bool) {
			var o Opening
			for end := min(step, len(b)); ; end = min(end+step, len(b)) {
				n, p, err := o.Next(b[used:end])
				if n < 0 || n > end-used {
					t.Fatalf("took %d of %d bytes", n, end-used)
				}
				used += n
				if err != nil || p != nil {
					return used, p, err != nil
				}
				if end == len(b) {
					return used, nil, false
				}
			}
		}
		n1, p1, e1 := run(len(b) + 1)
		n2, p2, e2 := run(int(cut) + 1)
		if e1 != e2 || !bytes.Equal(p1, p2) || !e1 && n1 != n2 {
			t.Errorf("at once: %d %x %v; in steps of %d: %d %x %v", n1, p1, e1, cut+1, n2, p2, e2)
		}
	})
}
