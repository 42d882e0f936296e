package transport

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// script is a stream whose bytes are given, a few at a time.
type script struct {
	data []byte
	step int
}

func (s *script) ReadReady(get func() []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(get(), s.data[:min(s.step, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}
func (s *script) OnPark(func())                    {}
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) TryWrite(p []byte) (int, error)   { return len(p), nil }
func (s *script) QuickAck()                        {}
func (s *script) RTT() time.Duration               { return 0 }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Close() error                     { return nil }

// FuzzPackets: no bytes make either role panic or take a packet beyond the
// limits, in clear (login false) or where an opened connection stands.
func FuzzPackets(f *testing.F) {
	f.Add([]byte("SSH-2.0-x\r\n"), byte(3), false, false)
	f.Add(append([]byte("SSH-2.0-x\r\n"), frame(kexInit(false))...), byte(200), false, false)
	f.Add(append([]byte("hello\nSSH-2.0-x\r\n"), frame(kexInit(true, strictS))...), byte(7), true, false)
	f.Add(append(frame([]byte{100, 1}), frame([]byte{192, 0, 0, 0, 0})...), byte(50), false, true)
	f.Add(append(frame(kexInit(false)), frame([]byte{2})...), byte(50), true, true)
	f.Fuzz(func(t *testing.T, data []byte, step byte, client, login bool) {
		cfg := &Config{Client: client, Version: "SSH-2.0-t", KeyExchanges: []string{"curve25519-sha256"},
			HostKeyAlgorithms: []string{"ssh-ed25519"}, Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-256"},
			Compressions: []string{"none"}, Now: time.Now, Buffers: &Buffers{},
			HostKeys: []HostKey{{Algorithms: []string{"ssh-ed25519"}, Blob: []byte("blob"),
				Sign: func(string, []byte) ([]byte, error) { return []byte("sig"), nil }}},
			VerifyHostKey: func(string, []byte, []byte, []byte) error { return errors.New("never") }}
		done := make(chan struct{}, 100)
		c := New(&script{data, int(step) + 1}, cfg, func(f func()) { go func() { f(); done <- struct{}{} }() })
		if !login {
			if c.Handshake() == nil {
				t.Fatal("shook hands with nobody")
			}
			return
		}
		c.sessionID, c.exchanges = []byte("id"), 1
		c.SetAuthenticated()
		for {
			p, err := c.ReadPacket()
			if err != nil {
				break
			}
			if len(p) == 0 || len(p) > wire.MaxPacket {
				t.Fatalf("a payload of %d bytes", len(p))
			}
		}
	})
}
