package transport

import (
	"bytes"
	"errors"
	"time"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Limits of what is handed over.
const (
	MaxRest  = 64 << 10  // bytes read behind the peer's KEXINIT
	maxStart = 160 << 10 // of an encoded Start
)

// Start is how far a server's connection had come elsewhere: both sides have
// introduced themselves and sent KEXINIT, and no key exists yet. See
// Conn.HandshakeFrom.
type Start struct {
	LocalVersion, RemoteVersion []byte // identification lines without CR LF
	LocalKexInit, RemoteKexInit []byte // payloads, byte for byte
	Rest                        []byte // what was read behind the peer's KEXINIT, at most MaxRest
	Sent, Received              uint32 // packets, which is the next sequence number
	BytesIn, BytesOut           uint64 // since the start
	// Waited is the time since the connection was accepted: it counts against
	// the time for logging in.
	Waited time.Duration
}

// Append encodes s behind b.
func (s *Start) Append(b []byte) []byte {
	for _, f := range [...][]byte{s.LocalVersion, s.RemoteVersion, s.LocalKexInit, s.RemoteKexInit, s.Rest} {
		b = wire.AppendString(b, f)
	}
	b = wire.AppendUint32(b, s.Sent)
	b = wire.AppendUint32(b, s.Received)
	for _, n := range [...]uint64{s.BytesIn, s.BytesOut, uint64(s.Waited)} {
		b = wire.AppendUint64(b, n)
	}
	return b
}

// errStart is a Start that nobody could have made who kept to the rules.
var errStart = errors.New("transport: handed over: not the beginning of a connection")

// ParseStart decodes what Append made. It is as strict as the reading of the
// same bytes from the peer: who hands over is not trusted. The fields are parts
// of b.
func ParseStart(b []byte) (*Start, error) {
	if len(b) > maxStart {
		return nil, errStart
	}
	r := wire.NewReader(b)
	s := &Start{}
	for _, f := range [...]*[]byte{&s.LocalVersion, &s.RemoteVersion, &s.LocalKexInit, &s.RemoteKexInit, &s.Rest} {
		*f = r.String()
	}
	s.Sent, s.Received = r.Uint32(), r.Uint32()
	s.BytesIn, s.BytesOut, s.Waited = r.Uint64(), r.Uint64(), time.Duration(r.Uint64())
	if err := r.Done(); err != nil {
		return nil, err
	}
	for _, line := range [...][]byte{s.LocalVersion, s.RemoteVersion} {
		if _, err := judgeIdent(line); err != nil || len(line) > MaxVersionLine || bytes.IndexByte(line, '\n') >= 0 {
			return nil, errStart
		}
	}
	var m wire.KexInit
	for _, p := range [...][]byte{s.LocalKexInit, s.RemoteKexInit} {
		if len(p) > wire.MaxPacket || m.Decode(p) != nil {
			return nil, errStart
		}
	}
	if len(s.Rest) > MaxRest || s.Sent != 1 || s.Received == 0 || s.Received > PreAuthPackets ||
		s.BytesIn > PreAuthBytes+MaxRest || s.BytesOut > PreAuthBytes || s.Waited < 0 {
		return nil, errStart
	}
	return s, nil
}

// Hello is what a server says first: its identification and KEXINIT. They are
// the same for every peer but for the cookie.
type Hello struct {
	version []byte // without CR LF
	kexInit []byte // payload, with an empty cookie
}

// CookieSize is the number of random bytes in a KEXINIT.
const CookieSize = 16

// Hello prepares the first words of a server with this configuration.
func (cfg *Config) Hello() *Hello {
	return &Hello{version: []byte(cfg.Version), kexInit: cfg.kexInit(true).Append(nil)}
}

// Version is the identification line without CR LF.
func (h *Hello) Version() []byte { return h.version }

// KexInit is the payload with the cookie in it.
func (h *Hello) KexInit(cookie [CookieSize]byte) []byte {
	p := bytes.Clone(h.kexInit)
	copy(p[1:], cookie[:])
	return p
}

// Append appends what goes over the wire.
func (h *Hello) Append(b []byte, cookie [CookieSize]byte) []byte {
	b = append(append(b, h.version...), '\r', '\n')
	at := len(b)
	b = appendClear(b, h.kexInit)
	copy(b[at+5+1:], cookie[:])
	return b
}

// appendClear frames a payload while there is no key.
func appendClear(b, payload []byte) []byte {
	pad := layoutOf(nil).padding(len(payload))
	b = wire.AppendUint32(b, uint32(1+len(payload)+pad))
	b = append(append(b, byte(pad)), payload...)
	return append(b, make([]byte, pad)...)
}

// Opening is a server's connection before its first key exchange: no goroutine,
// no buffer, no stream. Whoever reads the bytes hands them to Next until the
// peer's KEXINIT is there.
type Opening struct {
	version []byte // the peer's, nil until it came
	packets uint32
	taken   uint64
}

// Version is the peer's identification line, nil until it came.
func (o *Opening) Version() []byte { return o.version }

// Next takes what it can from data, all that was received and not taken yet: n
// bytes. kexInit is the payload of the peer's KEXINIT, a part of data, and nil
// until it is there; what follows it in data is not looked at. The caller keeps
// what was not taken for the next call.
func (o *Opening) Next(data []byte) (n int, kexInit []byte, err error) {
	if o.version == nil {
		line, used, err := cutLine(data, 0)
		if used == 0 || err != nil {
			return 0, nil, err
		}
		if _, err := judgeIdent(line); err != nil {
			return 0, nil, err
		}
		o.version = bytes.Clone(line)
		n, o.taken = used, uint64(used)
	}
	half := in{rb: data, a: n, e: len(data), plen: -1}
	for {
		p, err := half.next()
		o.taken += uint64(half.a - n)
		n = half.a
		if p == nil || err != nil {
			return n, nil, err
		}
		if o.packets++; o.packets > PreAuthPackets || o.taken > PreAuthBytes {
			return n, nil, wire.Disconnectf(wire.ReasonProtocolError, "too much was sent before authentication")
		}
		switch judgeExchange(false, true, p[0], wire.MsgKexInit) {
		case vUp:
			var m wire.KexInit
			if err := m.Decode(p); err != nil {
				return n, nil, wire.Disconnectf(wire.ReasonProtocolError, "KEXINIT: %w", err)
			}
			return n, p, nil
		case vDrop:
		case vHere: // DISCONNECT and DEBUG
			if p[0] == wire.MsgDisconnect {
				return n, nil, peerDisconnect(p)
			}
		default:
			return n, nil, wire.Disconnectf(wire.ReasonProtocolError, "%s during key exchange", wire.MessageName(p[0]))
		}
	}
}

// Start is what is handed over when Next has returned the peer's KEXINIT.
// rest is what follows it; the byte slices become part of the result.
func (o *Opening) Start(h *Hello, cookie [CookieSize]byte, kexInit, rest []byte, waited time.Duration) *Start {
	packets := len(h.Append(nil, cookie)) - len(h.version) - len("\r\n") // lines are not counted on the way out
	return &Start{
		LocalVersion: h.version, RemoteVersion: o.version,
		LocalKexInit: h.KexInit(cookie), RemoteKexInit: kexInit, Rest: rest,
		Sent: 1, Received: o.packets,
		BytesIn:  o.taken + uint64(len(rest)),
		BytesOut: uint64(packets), Waited: waited,
	}
}

// Farewell is what a stranger is told who is sent away because of err: clear
// text while he has not introduced himself, DISCONNECT after that, nothing when
// it was he who left.
func (o *Opening) Farewell(err error) []byte {
	var ident *IdentError
	var d *wire.DisconnectError
	switch {
	case errors.As(err, &d) && d.Reason == wire.ReasonVersionNotSupported:
		return []byte(textVersion)
	case errors.As(err, &ident):
		return []byte(textNotSSH)
	case errors.As(err, &d) && o.version != nil:
		m := wire.Disconnect{Reason: d.Reason, Description: d.Message}
		return appendClear(nil, m.Append(nil))
	}
	return nil
}
