package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

func TestVER01_LongLine(t *testing.T) {
	const head = "SSH-2.0-"
	for _, c := range []struct {
		n  int
		ok bool
	}{{MaxVersionLine, true}, {MaxVersionLine + 1, false}, {100000, false}} {
		r, result := against(t, false, nil)
		r.text(head + strings.Repeat("x", c.n-len(head)-2) + "\r\n")
		r.CloseWrite()
		err := result()
		var id *IdentError
		if got := !errors.As(err, &id); got != c.ok {
			t.Errorf("%d bytes: %v", c.n, err)
		}
	}
	// Without an end: nothing is kept beyond the limit.
	r, result := against(t, false, nil)
	r.text(strings.Repeat("x", MaxVersionLine))
	var id *IdentError
	if err := result(); !errors.As(err, &id) || len(id.Line) > MaxVersionLine {
		t.Errorf("got %v", err)
	}
}

func TestVER02_LinesBeforeVersion(t *testing.T) {
	for _, c := range []struct {
		n  int
		ok bool
	}{{0, true}, {MaxPreVersionLines, true}, {MaxPreVersionLines + 1, false}} {
		r, result := against(t, true, nil)
		r.text(strings.Repeat("hello\r\n", c.n) + "SSH-2.0-x\r\n")
		r.CloseWrite()
		err := result()
		var id *IdentError
		if got := !errors.As(err, &id); got != c.ok {
			t.Errorf("%d lines: %v", c.n, err)
		}
	}
	r, result := against(t, false, nil) // a server takes none
	r.text("hello\r\nSSH-2.0-x\r\n")
	var id *IdentError
	if err := result(); !errors.As(err, &id) {
		t.Errorf("got %v", err)
	}
	if s := r.said(); !strings.HasPrefix(s, "SSH-2.0-test\r\n") || !strings.HasSuffix(s, textNotSSH) {
		t.Errorf("a stranger is told %q", s)
	}
}

func TestVER03_ControlBytes(t *testing.T) {
	for _, line := range []string{"SSH-2.0-a\x00b\r\n", "SSH-2.0-a\rb\r\n", "SSH-2.0\r\n", "SSH-\r\n"} {
		r, result := against(t, false, nil)
		r.text(line)
		var id *IdentError
		if err := result(); !errors.As(err, &id) {
			t.Errorf("%q: got %v", line, err)
		}
	}
	if s := printable([]byte("a\x1b[31mb\x07")); s != "a?[31mb?" {
		t.Errorf("VER-3: traced as %q", s)
	}
}

func TestVER06_KeepsWhatFollows(t *testing.T) {
	r, result := against(t, false, nil)
	// LF alone, and KEXINIT in the same segment.
	r.Write(append([]byte("SSH-2.0-x\n"), frame(kexInit(false))...))
	r.packet(make([]byte, 1)) // not a key exchange message
	wantReason(t, result(), wire.ReasonProtocolError, "during key exchange")
}

func TestVER07_Versions(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   bool
	}{{"SSH-2.0-x", true}, {"SSH-1.99-x", true}, {"SSH-1.5-x", false}, {"SSH-1.0-x", false}, {"SSH-3.0-x", false}} {
		r, result := against(t, false, nil)
		r.text(c.line + "\r\n")
		r.CloseWrite()
		err := result()
		if c.ok {
			if err != io.EOF {
				t.Errorf("%s: %v", c.line, err)
			}
			continue
		}
		wantReason(t, err, wire.ReasonVersionNotSupported, "is not 2.0")
		if s := r.said(); !strings.HasSuffix(s, textVersion) {
			t.Errorf("%s is told %q", c.line, s)
		}
	}
}

// inject runs a handshake in which the client sends extra as soon as its trace
// says when, and returns what the server made of it.
func inject(t *testing.T, when string, extra ...[]byte) error {
	t.Helper()
	client, server := pair(t, nil)
	done := false
	client.hook = func(c *Conn, text string) {
		if !done && strings.HasPrefix(text, when) {
			done = true
			for _, p := range extra {
				c.out.queue(p, true)
			}
		}
	}
	cerr := make(chan error, 1)
	go func() { cerr <- client.Handshake() }()
	err := server.Handshake()
	if err != nil {
		server.Disconnect(err)
	}
	client.Close()
	<-cerr
	return err
}

func TestNEG01_StrictResetsSequence(t *testing.T) {
	client, server := connected(t, nil)
	if !client.strict || !server.strict {
		t.Fatal("strict key exchange was not agreed")
	}
	if client.out.seq != 0 || server.in.seq != 0 || client.in.seq != 0 || server.out.seq != 0 {
		t.Errorf("sequence numbers are %d, %d, %d, %d after NEWKEYS", client.out.seq, server.in.seq, client.in.seq, server.out.seq)
	}
	logIn(client, server)
	exchangeOnce(t, client, server)
	if client.out.seq > 1 || server.in.seq > 1 {
		t.Errorf("sequence numbers are %d, %d after a rekey", client.out.seq, server.in.seq)
	}
}

// exchangeOnce has client rekey and passes one message to prove that both go on.
func exchangeOnce(t testing.TB, client, server *end) {
	t.Helper()
	before := server.exchanges
	if err := client.RequestRekey(); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 2)
	read := func(e *end) {
		for {
			p, err := e.ReadPacket()
			if err != nil || p[0] == 80 {
				got <- err
				return
			}
		}
	}
	go read(server)
	go read(client)
	for _, e := range []*end{client, server} {
		if err := e.Send([]byte{80, 1}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
	if server.exchanges != before+1 {
		t.Fatalf("%d exchanges, want %d", server.exchanges, before+1)
	}
}

func TestNEG02_StrayPacketInStrictExchange(t *testing.T) {
	for name, p := range map[string][]byte{
		"IGNORE": {wire.MsgIgnore, 0, 0, 0, 0}, "DEBUG": (&wire.Debug{}).Append(nil), "UNIMPLEMENTED": {wire.MsgUnimplemented, 0, 0, 0, 0},
		"EXT_INFO": (&wire.ExtInfo{}).Append(nil), "PING": {wire.MsgPing, 0, 0, 0, 0}, "SERVICE_REQUEST": {5, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			wantReason(t, inject(t, "expecting SSH2_MSG_KEX", p), wire.ReasonProtocolError, "strict KEX violation")
		})
	}
	t.Run("first", func(t *testing.T) { // KEXINIT must be packet 0
		r, result := against(t, false, nil)
		r.text("SSH-2.0-x\r\n")
		r.packet([]byte{wire.MsgIgnore, 0, 0, 0, 0})
		r.packet(kexInit(false, strictC))
		wantReason(t, result(), wire.ReasonProtocolError, "strict KEX violation")
	})
}

func TestNEG03_MarkerOnlyInFirst(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	m := client.newKexInit()
	for _, k := range m.Kex {
		if marker(k) {
			t.Errorf("%s stands in a rekey's KEXINIT", k)
		}
	}
}

func TestNEG04_SecondKexInit(t *testing.T) {
	wantReason(t, inject(t, "expecting SSH2_MSG_KEX", kexInit(false)), wire.ReasonProtocolError, "strict KEX violation")
	r, result := against(t, false, nil)
	r.text("SSH-2.0-x\r\n")
	r.packet(kexInit(false))
	r.packet(kexInit(false))
	wantReason(t, result(), wire.ReasonProtocolError, "KEXINIT during key exchange")
}

func TestNEG05_MarkersAreNoMethods(t *testing.T) {
	if got := pick([]string{extInfoC, strictC, extInfoS}, []string{extInfoC, strictC, extInfoS, "x"}); got != "" {
		t.Errorf("agreed on %q", got)
	}
	r, result := against(t, false, func(c *Config) { c.KeyExchanges = []string{"curve25519-sha256"} })
	r.text("SSH-2.0-x\r\n")
	m := wire.KexInit{Kex: []string{extInfoS, strictS, strictC}, HostKey: []string{"ssh-ed25519"}}
	r.packet(m.Append(nil))
	wantReason(t, result(), wire.ReasonKeyExchangeFailed, "no matching key exchange method found")
}

func TestNEG06_Lists(t *testing.T) {
	long := strings.Repeat("nothing,", 8000)
	many := strings.Split(strings.TrimSuffix(long, ","), ",")
	if pick(many, append(many[:len(many):len(many)], "x")) != "nothing" || pick(append([]string{"y"}, many...), []string{"x"}) != "" {
		t.Error("long lists are matched wrongly")
	}
	for name, kex := range map[string][]string{"empty": nil, "unknown": many} {
		r, result := against(t, false, nil)
		r.text("SSH-2.0-x\r\n")
		m := wire.KexInit{Kex: kex, HostKey: []string{"ssh-ed25519"}}
		r.packet(m.Append(nil))
		err := result()
		wantReason(t, err, wire.ReasonKeyExchangeFailed, "no matching key exchange method found")
		var n *NegotiationError
		if !errors.As(err, &n) || n.Kind != "key exchange method" {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, result := against(t, false, nil) // not ASCII
	r.text("SSH-2.0-x\r\n")
	m := wire.KexInit{Kex: []string{"caf\xc3\xa9"}}
	r.packet(m.Append(nil))
	wantReason(t, result(), wire.ReasonProtocolError, "KEXINIT")
}

func TestNEG07_NoMACForAEAD(t *testing.T) {
	connected(t, func(client, server *Config) {
		client.MACs, server.MACs = []string{"hmac-sha2-256"}, []string{"hmac-sha2-512"}
	})
}

func TestNEG08_Guess(t *testing.T) {
	for name, kex := range map[string][]string{"right": {"curve25519-sha256"}, "wrong": {"ecdh-sha2-nistp256", "curve25519-sha256"}} {
		t.Run(name, func(t *testing.T) {
			client, _ := connected(t, func(client, server *Config) { client.KeyExchanges, client.Guess = kex, true })
			if client.Algorithms.Kex != "curve25519-sha256" {
				t.Errorf("agreed on %s", client.Algorithms.Kex)
			}
		})
	}
}

func TestNEG09_DataDuringExchange(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	// The client says KEXINIT and goes on with data.
	client.out.mu.Lock()
	client.out.sealLocked(client.newKexInit().Append(nil))
	client.out.sealLocked([]byte{94, 0, 0, 0, 0, 0, 0, 0, 0})
	client.out.mu.Unlock()
	client.Flush()
	_, err := server.ReadPacket()
	wantReason(t, err, wire.ReasonProtocolError, "during key exchange")
}

func TestNEG09_HeldAnswersAreBounded(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	if err := server.RequestRekey(); err != nil { // the client never answers
		t.Fatal(err)
	}
	var err error
	sent := 0
	answer := append([]byte{99}, make([]byte, 999)...)
	for sent = 0; sent < 2*MaxHeld; sent += 1000 {
		if err = server.Queue(answer); err != nil {
			break
		}
	}
	wantReason(t, err, wire.ReasonProtocolError, "key exchange was not finished")
	if sent > MaxHeld {
		t.Errorf("%d bytes were held", sent)
	}
}

func TestNEG10_RekeyStorm(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	for range 5 {
		exchangeOnce(t, client, server)
	}
	// Beyond the budget of computing the connection is cut.
	now := time.Now()
	server.cfg.Now = func() time.Time { now = now.Add(ExchangeBudget / 4); return now }
	got := make(chan error, 1)
	go func() {
		for {
			if _, err := server.ReadPacket(); err != nil {
				got <- err
				return
			}
		}
	}()
	go func() {
		for {
			if _, err := client.ReadPacket(); err != nil {
				return
			}
		}
	}()
	client.RequestRekey()
	wantReason(t, <-got, wire.ReasonByApplication, "too many key exchanges")
}

func TestNEG13_ServiceBeforeKeys(t *testing.T) {
	for n := range 256 {
		switch n {
		case wire.MsgDisconnect, wire.MsgKexInit, wire.MsgIgnore, wire.MsgDebug, wire.MsgUnimplemented:
			continue
		}
		if judgeExchange(false, true, byte(n), wire.MsgKexInit) != vRefuse {
			t.Errorf("message %d before KEXINIT is not refused", n)
		}
	}
	r, result := against(t, false, nil)
	r.text("SSH-2.0-x\r\n")
	r.packet([]byte{wire.MsgServiceRequest, 0, 0, 0, 0})
	wantReason(t, result(), wire.ReasonProtocolError, "during key exchange")
}

func TestNEG15_ExtInfo(t *testing.T) {
	info := func(n int) []byte {
		m := wire.ExtInfo{}
		for range n {
			m.Extensions = append(m.Extensions, wire.Extension{Name: "unknown@example.org", Value: []byte("x")})
		}
		return m.Append(nil)
	}
	t.Run("first", func(t *testing.T) {
		client, server := connected(t, nil)
		client.Send(info(wire.MaxExtensions))
		client.Send([]byte{5})
		if p, err := server.ReadPacket(); err != nil || p[0] != 5 {
			t.Errorf("got %v, %v", p, err)
		}
	})
	t.Run("late", func(t *testing.T) {
		client, server := connected(t, nil)
		client.Send([]byte{5})
		client.Send(info(1))
		server.ReadPacket()
		_, err := server.ReadPacket()
		wantReason(t, err, wire.ReasonProtocolError, "EXT_INFO")
	})
	t.Run("many", func(t *testing.T) {
		client, server := connected(t, nil)
		client.Send(info(wire.MaxExtensions + 1))
		_, err := server.ReadPacket()
		wantReason(t, err, wire.ReasonProtocolError, "EXT_INFO")
	})
	t.Run("count", func(t *testing.T) {
		client, server := connected(t, nil)
		client.Send([]byte{wire.MsgExtInfo, 0xff, 0xff, 0xff, 0xff})
		_, err := server.ReadPacket()
		wantReason(t, err, wire.ReasonProtocolError, "EXT_INFO")
	})
	t.Run("client takes two", func(t *testing.T) {
		client, server := connected(t, nil)
		for range 3 {
			server.Send(info(1))
		}
		_, err := client.ReadPacket()
		wantReason(t, err, wire.ReasonProtocolError, "EXT_INFO")
		if client.extInfos != 2 {
			t.Errorf("took %d", client.extInfos)
		}
	})
}

func TestKEX07_SecondInit(t *testing.T) {
	r, result := against(t, false, nil)
	r.text("SSH-2.0-x\r\n")
	r.packet(kexInit(false))
	init := wire.AppendString([]byte{30}, append([]byte{9}, make([]byte, 31)...))
	r.packet(init)
	r.packet(init)
	wantReason(t, result(), wire.ReasonProtocolError, "during key exchange")
}

func TestPKT01_Length(t *testing.T) {
	for _, n := range []uint32{0, 1, 4, 13, wire.MaxPacket + 1, wire.MaxPacket + 4, 1 << 31, 0xffffffff} {
		r, result := against(t, false, nil)
		r.text("SSH-2.0-x\r\n")
		r.Write(binary.BigEndian.AppendUint32(nil, n))
		wantReason(t, result(), wire.ReasonProtocolError, "Bad packet length")
	}
	// The largest is taken, and the buffer grows with what arrives only.
	client, server := connected(t, nil)
	logIn(client, server)
	p := append([]byte{100}, make([]byte, wire.MaxPacket-1-16-15)...)
	go client.Send(p)
	if got, err := server.ReadPacket(); err != nil || len(got) != len(p) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestPKT01_NoAllocationAhead(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	client.stream.Write(append(binary.BigEndian.AppendUint32(nil, wire.MaxPacket), 1, 2, 3))
	client.stream.Close()
	server.ReadPacket()
	if len(server.in.rb) > readSizes[1] {
		t.Errorf("a claimed length made the buffer %d bytes", len(server.in.rb))
	}
}

func TestPKT02_Padding(t *testing.T) {
	for _, c := range []struct{ length, pad int }{{12, 3}, {12, 11}, {12, 12}, {12, 255}, {28, 27}, {28, 0}} {
		r, result := against(t, false, nil)
		r.text("SSH-2.0-x\r\n")
		b := binary.BigEndian.AppendUint32(nil, uint32(c.length))
		b = append(b, byte(c.pad))
		r.Write(append(b, make([]byte, c.length-1)...))
		wantReason(t, result(), wire.ReasonProtocolError, "padding error")
	}
}

func TestPKT03_Alignment(t *testing.T) {
	for _, n := range []uint32{11, 13, 16, 27} {
		r, result := against(t, false, nil)
		r.text("SSH-2.0-x\r\n")
		r.Write(append(binary.BigEndian.AppendUint32(nil, n), make([]byte, n)...))
		wantReason(t, result(), wire.ReasonProtocolError, "Bad packet length")
	}
}

// TestPKT04_Oracle: with CBC a wrong MAC and a wrong length cost the same bytes
// and read the same.
func TestPKT04_Oracle(t *testing.T) {
	for _, n := range []int{16, 64, 4096} {
		client, server := connected(t, func(c, s *Config) { c.Ciphers, s.Ciphers = []string{"aes128-cbc"}, []string{"aes128-cbc"} })
		logIn(client, server)
		go func() {
			junk := make([]byte, n)
			for sent := 0; sent < wire.MaxPacket+4096; sent += n {
				if _, err := client.stream.Write(junk); err != nil {
					return
				}
			}
		}()
		before := server.in.total
		_, err := server.ReadPacket()
		wantReason(t, err, wire.ReasonMACError, "Corrupted MAC")
		if read := server.in.total - before; read < wire.MaxPacket {
			t.Errorf("told after %d bytes", read)
		}
	}
}

func TestPKT06_Tampering(t *testing.T) {
	for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"} {
		for _, how := range []string{"flip", "replay", "drop"} {
			t.Run(cipher+"/"+how, func(t *testing.T) {
				client, server := connected(t, func(c, s *Config) { c.Ciphers, s.Ciphers = []string{cipher}, []string{cipher} })
				logIn(client, server)
				seal := func(p []byte) []byte {
					client.out.mu.Lock()
					defer client.out.mu.Unlock()
					client.out.sealLocked(p)
					b := client.out.obuf
					client.out.obuf = nil
					return b
				}
				a, b := seal([]byte{100, 1}), seal([]byte{100, 2})
				switch how {
				case "flip":
					a[len(a)-1] ^= 1
				case "replay":
					b = append([]byte(nil), a...)
				case "drop":
					a = nil
				}
				client.stream.Write(append(append(a, b...), make([]byte, 512)...))
				var err error
				for range 2 {
					if _, err = server.ReadPacket(); err != nil {
						break
					}
				}
				var d *wire.DisconnectError
				if !errors.As(err, &d) || d.Reason != wire.ReasonMACError && d.Reason != wire.ReasonProtocolError {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestPKT08_BeforeAuthentication(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		client, server := connected(t, nil)
		client.out.limited = false
		go func() {
			for client.Send(append([]byte{50}, make([]byte, 60000)...)) == nil {
			}
		}()
		var err error
		n := 0
		for err == nil {
			var p []byte
			p, err = server.ReadPacket()
			n += len(p)
		}
		wantReason(t, err, wire.ReasonProtocolError, "before authentication")
		if n > PreAuthBytes {
			t.Errorf("%d bytes were taken", n)
		}
	})
	t.Run("packets", func(t *testing.T) {
		client, server := connected(t, nil)
		client.out.limited = false
		go func() {
			for client.Send([]byte{50}) == nil {
			}
		}()
		var err error
		n := 0
		for err == nil {
			if _, err = server.ReadPacket(); err == nil {
				n++
			}
		}
		wantReason(t, err, wire.ReasonProtocolError, "before authentication")
		if n > PreAuthPackets || n < PreAuthPackets-10 {
			t.Errorf("%d packets were taken", n)
		}
	})
}

func TestPKT09_Compression(t *testing.T) {
	client, server := connected(t, func(c, s *Config) {
		c.Compressions, s.Compressions = []string{"zlib@openssh.com"}, []string{"zlib@openssh.com"}
	})
	if err := client.Send([]byte{50, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if p, err := server.ReadPacket(); err != nil || !bytes.Equal(p, []byte{50, 1, 2, 3}) {
		t.Fatalf("before login: %v, %v", p, err)
	}
	logIn(client, server)
	text := append([]byte{100}, bytes.Repeat([]byte("compressible "), 2000)...)
	go func() {
		client.Send(text)
		client.Send([]byte{101})
		client.out.limited = false
		client.Send(append([]byte{100}, make([]byte, wire.MaxPacket)...)) // one byte too many
	}()
	if p, err := server.ReadPacket(); err != nil || !bytes.Equal(p, text) {
		t.Fatalf("got %d bytes, %v", len(p), err)
	}
	if p, err := server.ReadPacket(); err != nil || !bytes.Equal(p, []byte{101}) {
		t.Fatalf("got %v, %v", p, err)
	}
	before := server.in.bytes
	_, err := server.ReadPacket()
	wantReason(t, err, wire.ReasonCompressionError, "compressed packet")
	if sent := server.in.bytes - before; sent > 4096 {
		t.Errorf("the bomb was %d bytes", sent)
	}
}

// Payloads of one read that were inflated are delivered before the next is.
func TestCompressedPayloadsAreDelivered(t *testing.T) {
	client, server := connected(t, func(c, s *Config) {
		c.Compressions, s.Compressions = []string{"zlib@openssh.com"}, []string{"zlib@openssh.com"}
	})
	logIn(client, server)
	var held [][]byte
	var got []string
	server.OnDrain = func() error {
		for _, p := range held {
			got = append(got, string(p))
		}
		held = nil
		return nil
	}
	if err := client.Send([]byte{100, 'a'}, []byte{100, 'b'}, []byte{100, 'c'}); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 3; {
		p, err := server.Next()
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			if err := server.Fill(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		held = append(held, p)
		n++
	}
	server.OnDrain()
	if want := []string{"da", "db", "dc"}; !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}

func TestPKT11_Unimplemented(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	now := time.Now()
	server.cfg.Now = func() time.Time { return now }
	for range 3 * MaxUnimplemented {
		client.Send([]byte{191})
	}
	client.Send([]byte{100})
	if p, err := server.ReadPacket(); err != nil || p[0] != 100 {
		t.Fatalf("got %v, %v", p, err)
	}
	server.Send([]byte{100})
	before := client.in.totalPkt
	if p, err := client.ReadPacket(); err != nil || p[0] != 100 {
		t.Fatalf("got %v, %v", p, err)
	}
	if n := client.in.totalPkt - before - 1; n != MaxUnimplemented {
		t.Errorf("%d answers in one second, want %d", n, MaxUnimplemented)
	}
}

func TestPKT12_Floods(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	msgs := [][]byte{{wire.MsgIgnore, 0, 0, 0, 0}, {wire.MsgUnimplemented, 0, 0, 0, 0}, {wire.MsgIgnore}, (&wire.Debug{Message: "x"}).Append(nil)}
	go func() {
		for i := range 20000 {
			if client.Send(msgs[i%len(msgs)]) != nil {
				return
			}
		}
		client.Send([]byte{100})
	}()
	if p, err := server.ReadPacket(); err != nil || p[0] != 100 {
		t.Fatalf("got %v, %v", p, err)
	}
}

func TestPKT13_Ping(t *testing.T) {
	client, server := connected(t, nil)
	ping := wire.AppendText([]byte{wire.MsgPing}, "PING!")
	client.Send(ping) // before login: ignored
	client.Send([]byte{50})
	if p, err := server.ReadPacket(); err != nil || p[0] != 50 {
		t.Fatalf("got %v, %v", p, err)
	}
	logIn(client, server)
	client.Send(ping)
	client.Send([]byte{100})
	if p, err := server.ReadPacket(); err != nil || p[0] != 100 {
		t.Fatalf("got %v, %v", p, err)
	}
	server.Flush()
	if p, err := client.ReadPacket(); err != nil || !bytes.Equal(p, wire.AppendText([]byte{wire.MsgPong}, "PING!")) {
		t.Fatalf("got %q, %v", p, err)
	}
	if client.in.packets != 1 {
		t.Errorf("%d packets came, want the one PONG", client.in.packets)
	}
}

func TestPKT14_Disconnect(t *testing.T) {
	client, server := connected(t, nil)
	m := wire.Disconnect{Reason: 11, Description: strings.Repeat("x", 5000)}
	client.Send(m.Append(nil))
	_, err := server.ReadPacket()
	var p *wire.PeerDisconnect
	if !errors.As(err, &p) || p.Reason != 11 || len(p.Message) != MaxDescription {
		t.Fatalf("got %v", err)
	}
	if s := (&wire.PeerDisconnect{Message: "a\x1b[m\nb"}).Error(); strings.ContainsAny(s, "\x1b\n") {
		t.Errorf("control bytes in %q", s)
	}
}

// TestPKT16_SlowReader: a peer that asks and never reads its answers stops
// being read, and what waits for it is bounded.
func TestPKT16_SlowReader(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	ping := append(wire.AppendUint32([]byte{wire.MsgPing}, 32000), make([]byte, 32000)...)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for range 4000 { // 128 MB of questions
			if client.Send(ping) != nil {
				return
			}
		}
	}()
	go func() {
		for {
			if _, err := server.ReadPacket(); err != nil {
				return
			}
		}
	}()
	select {
	case <-stopped:
		t.Error("all was read although no answer was taken")
	case <-time.After(2 * time.Second):
	}
	server.out.mu.Lock()
	n := cap(server.out.obuf)
	server.out.mu.Unlock()
	if n > 4*MaxOutbound {
		t.Errorf("%d bytes wait", n)
	}
	client.Close()
	server.Close()
	<-stopped
}

// TestBothStopReading: two ends whose sockets are full in both directions, with
// readers that have answers to write, go on when they are read again.
func TestBothStopReading(t *testing.T) {
	client, server := connected(t, nil)
	logIn(client, server)
	const rounds = 300
	msg := append([]byte{100}, make([]byte, 100000)...)
	ping := wire.AppendString([]byte{wire.MsgPing}, make([]byte, 10000))
	errs := make(chan error, 4)
	for _, e := range []*end{client, server} {
		go func() {
			for range rounds {
				if err := e.Send(ping, msg); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for _, e := range []*end{client, server} {
		go func() {
			n := 0
			for n < rounds {
				p, err := e.ReadPacket()
				if err != nil {
					errs <- err
					return
				}
				if p[0] == 100 {
					n++
				}
			}
			errs <- e.Flush()
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// TestJudge holds the whole table against what each phase may see.
func TestJudge(t *testing.T) {
	for _, client := range []bool{true, false} {
		for _, ph := range []phase{phaseAuth, phaseOpen} {
			for n := range 256 {
				v := judge(client, ph, byte(n))
				var want verdict
				switch {
				case n == 1 || n == 4 || n == 7 || n == 20 || n == 192 && ph == phaseOpen,
					n == 3 && client && ph == phaseAuth:
					want = vHere
				case n == 2 || n == 3 || n == 192 || n == 193 && ph == phaseAuth:
					want = vDrop
				case n == 5 && !client && ph == phaseAuth, n == 6 && client && ph == phaseAuth,
					n >= 50 && n < 128, n == 193:
					want = vUp
				case n == 5 || n == 6 || n == 21 || n >= 30 && n < 50:
					want = vRefuse
				default:
					want = vUnimplemented
				}
				if v != want {
					t.Errorf("client %v, phase %d, message %d: %d, want %d", client, ph, n, v, want)
				}
			}
		}
	}
}
