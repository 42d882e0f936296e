package transport

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/rawio"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// end is one side of a test connection.
type end struct {
	*Conn
	t    testing.TB
	cfg  *Config
	hook func(c *Conn, text string) // called for every trace line
	wg   sync.WaitGroup
}

func testKey(t testing.TB) (blob []byte, sign func(string, []byte) ([]byte, error), check func(string, []byte, []byte, []byte) error) {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := pubkey.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	blob = signer.PublicKey().Marshal()
	sign = func(algorithm string, h []byte) ([]byte, error) {
		sig, err := pubkey.SignWith(signer, rand.Reader, h, algorithm)
		if err != nil {
			return nil, err
		}
		return pubkey.MarshalSignature(sig), nil
	}
	check = func(algorithm string, k, h, sig []byte) error {
		s, err := pubkey.ParseSignature(sig)
		if err != nil {
			return err
		}
		if !bytes.Equal(k, blob) {
			return errors.New("another key")
		}
		return pubkey.VerifyAlgorithm(signer.PublicKey(), h, s, algorithm)
	}
	return
}

func newEnd(t testing.TB, c net.Conn, client bool, change func(*Config)) *end {
	e := &end{t: t}
	e.cfg = &Config{
		Client: client, Version: "SSH-2.0-test",
		KeyExchanges: []string{"curve25519-sha256"}, HostKeyAlgorithms: []string{"ssh-ed25519"},
		Ciphers: []string{"aes128-gcm@openssh.com"}, MACs: []string{"hmac-sha2-256"}, Compressions: []string{"none"},
		Now: time.Now, Buffers: &Buffers{},
	}
	e.cfg.Trace = func(level int, format string, args ...any) {
		if e.hook != nil && e.Conn != nil {
			e.hook(e.Conn, fmt.Sprintf(format, args...))
		}
	}
	if change != nil {
		change(e.cfg)
	}
	e.Conn = New(rawio.NewConn(c), e.cfg, func(f func()) { e.wg.Go(f) })
	t.Cleanup(func() { e.Close(); e.wg.Wait() })
	return e
}

// sockets is a pair of connected TCP sockets.
func sockets(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	deadline := time.Now().Add(20 * time.Second) // a hang fails the test, not the run
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	return a, b
}

// pair is a client and a server that have not shaken hands.
func pair(t testing.TB, change func(client, server *Config)) (client, server *end) {
	t.Helper()
	a, b := sockets(t)
	blob, sign, check := testKey(t)
	client, server = newEnd(t, a, true, nil), newEnd(t, b, false, nil)
	client.cfg.VerifyHostKey = check
	server.cfg.HostKeys = []HostKey{{Algorithms: []string{"ssh-ed25519"}, Blob: blob, Sign: sign}}
	if change != nil {
		change(client.cfg, server.cfg)
	}
	return client, server
}

// shake runs both handshakes and returns their errors.
func shake(client, server *end) (cerr, serr error) {
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err != nil {
			server.Disconnect(err)
		}
		done <- err
	}()
	cerr = client.Handshake()
	if cerr != nil {
		client.Disconnect(cerr)
	}
	client.Flush()
	return cerr, <-done
}

// connected is a pair after the handshake.
func connected(t testing.TB, change func(client, server *Config)) (client, server *end) {
	t.Helper()
	client, server = pair(t, change)
	if cerr, serr := shake(client, server); cerr != nil || serr != nil {
		t.Fatalf("client %v, server %v", cerr, serr)
	}
	return client, server
}

// logIn is what comes after the handshake for connections that are past login.
func logIn(ends ...*end) {
	for _, e := range ends {
		e.SetAuthenticated()
	}
}

// wantReason demands a DisconnectError with the reason, and text in it.
func wantReason(t *testing.T, err error, reason wire.Reason, text string) {
	t.Helper()
	var d *wire.DisconnectError
	if !errors.As(err, &d) || d.Reason != reason || !strings.Contains(d.Message, text) {
		t.Errorf("got %v, want reason %d with %q", err, reason, text)
	}
}

// raw is a peer that speaks in clear, byte for byte.
type raw struct {
	net.Conn
	t testing.TB
}

// against is a raw peer and our end, client or server, with the handshake under
// way; its error comes from the returned function.
func against(t *testing.T, client bool, change func(*Config)) (raw, func() error) {
	t.Helper()
	a, b := sockets(t)
	e := newEnd(t, b, client, change)
	blob, sign, check := testKey(t)
	e.cfg.VerifyHostKey = check
	e.cfg.HostKeys = []HostKey{{Algorithms: []string{"ssh-ed25519"}, Blob: blob, Sign: sign}}
	done := make(chan error, 1)
	go func() {
		err := e.Handshake()
		if err != nil {
			e.Disconnect(err)
		}
		done <- err
	}()
	return raw{a, t}, func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the handshake goes on")
			return nil
		}
	}
}

func (r raw) text(s string) {
	if _, err := io.WriteString(r, s); err != nil {
		r.t.Logf("writing: %v", err)
	}
}

// CloseWrite ends what we say; the answer can still be read.
func (r raw) CloseWrite() { r.Conn.(*net.TCPConn).CloseWrite() }

// packet frames a payload in clear.
func (r raw) packet(payload []byte) { r.Write(frame(payload)) }

func frame(payload []byte) []byte {
	pad := layout{0, 8, 0}.padding(len(payload))
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	return append(append(append(b, byte(pad)), payload...), make([]byte, pad)...)
}

// kexInit is an acceptable KEXINIT of the other side.
func kexInit(server bool, more ...string) []byte {
	m := wire.KexInit{Kex: append([]string{"curve25519-sha256"}, more...), HostKey: []string{"ssh-ed25519"},
		CiphersC2S: []string{"aes128-gcm@openssh.com"}, CiphersS2C: []string{"aes128-gcm@openssh.com"},
		MACsC2S: []string{"hmac-sha2-256"}, MACsS2C: []string{"hmac-sha2-256"},
		CompressionC2S: []string{"none"}, CompressionS2C: []string{"none"}}
	return m.Append(nil)
}

// said is everything that our end sent, as text.
func (r raw) said() string {
	r.SetReadDeadline(time.Now().Add(5 * time.Second))
	b, _ := io.ReadAll(r.Conn)
	return string(b)
}
