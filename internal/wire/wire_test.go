package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// message is what every struct of messages.go is.
type message interface {
	Append([]byte) []byte
	Decode([]byte) error
}

func samples() []message {
	return []message{
		&KexInit{Kex: []string{"a", "b"}, HostKey: []string{"c"}, CiphersC2S: []string{"d"}, FirstKexPacketFollows: true, Reserved: 7},
		&Disconnect{Reason: ReasonByApplication, Description: "bye", Language: "en"},
		&Debug{AlwaysDisplay: true, Message: "text"},
		&ExtInfo{Extensions: []Extension{{"server-sig-algs", []byte("ssh-ed25519")}, {"x", []byte{}}}},
		&UserauthRequest{User: "ann", Service: "ssh-connection", Method: "none", Rest: []byte{}},
		&UserauthFailure{Methods: []string{"publickey"}, PartialSuccess: true},
		&UserauthBanner{Message: "hello"},
		&GlobalRequest{Type: "tcpip-forward", WantReply: true, Payload: []byte{1}},
		&ChannelOpen{Type: "session", Sender: 1, Window: 2, MaxPacket: 3, Payload: []byte{}},
		&ChannelOpenConfirmation{Recipient: 1, Sender: 2, Window: 3, MaxPacket: 4, Payload: []byte{5}},
		&ChannelOpenFailure{Recipient: 1, Reason: OpenConnectFailed, Description: "no"},
		&ChannelRequest{Recipient: 9, Type: "exec", WantReply: true, Payload: []byte("x")},
	}
}

func fresh(m message) message { return reflect.New(reflect.TypeOf(m).Elem()).Interface().(message) }

func TestMessagesRoundTrip(t *testing.T) {
	for _, m := range samples() {
		p := m.Append(nil)
		got := fresh(m)
		if err := got.Decode(p); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %+v, %v, want %+v", m, got, err, m)
		}
		if err := fresh(m).Decode(append([]byte{p[0] + 1}, p[1:]...)); !errors.Is(err, ErrNumber) {
			t.Errorf("%T takes another number: %v", m, err)
		}
		if err := fresh(m).Decode(nil); err == nil {
			t.Errorf("%T takes nothing", m)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for _, m := range samples() {
		p := m.Append(nil)
		optional := 0 // bytes at the end that peers leave out
		switch m := m.(type) {
		case *Disconnect:
			optional = 4 + len(m.Language)
		case *ChannelOpenFailure:
			optional = 8 + len(m.Description)
		case *UserauthRequest, *GlobalRequest, *ChannelOpen, *ChannelRequest, *ChannelOpenConfirmation:
			optional = 1 // what is left belongs to the payload
		}
		for n := 1; n < len(p)-optional; n++ {
			if err := fresh(m).Decode(p[:n]); err == nil {
				t.Errorf("%T takes %d of %d bytes", m, n, len(p))
			}
		}
	}
}

func TestReader(t *testing.T) {
	r := NewReader([]byte{0xff, 0xff, 0xff, 0xff, 1})
	if s := r.String(); s != nil || !errors.Is(r.Err(), ErrShort) {
		t.Errorf("a string of 4 GiB gave %v, %v", s, r.Err())
	}
	if r.Byte() != 0 || r.Uint64() != 0 || r.Rest() != nil || r.Err() != ErrShort {
		t.Error("the first error does not stick")
	}
	r = NewReader([]byte{1, 2})
	r.Byte()
	if r.Done() != ErrTrailing {
		t.Error("trailing byte was not noticed")
	}
	r = NewReader(AppendText(nil, "a\x00b"))
	if r.Name(); r.Err() != ErrNUL {
		t.Errorf("NUL in a name: %v", r.Err())
	}
}

func TestMpint(t *testing.T) {
	for _, c := range []struct{ in, out []byte }{ // the examples of RFC 4251 §5
		{nil, []byte{0, 0, 0, 0}},
		{[]byte{0, 0}, []byte{0, 0, 0, 0}},
		{[]byte{0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7}, []byte{0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7}},
		{[]byte{0, 0x80}, []byte{0, 0, 0, 2, 0, 0x80}},
	} {
		got := AppendMpint(nil, c.in)
		if !bytes.Equal(got, c.out) {
			t.Errorf("AppendMpint(%x) = %x, want %x", c.in, got, c.out)
		}
		r := NewReader(got)
		if m := r.Mpint(); !bytes.Equal(m, bytes.TrimLeft(c.in, "\x00")) || r.Done() != nil {
			t.Errorf("Mpint(%x) = %x, %v", got, m, r.Err())
		}
	}
	for _, bad := range [][]byte{{0x80}, {0xff, 1}, {0}, {0, 1}, {0, 0, 0x80}} {
		r := NewReader(AppendString(nil, bad))
		if r.Mpint(); r.Err() != ErrMpint {
			t.Errorf("KEX-16: %x gave %v", bad, r.Err())
		}
	}
}

func TestNameList(t *testing.T) {
	limit := strings.Repeat("a,", MaxNameList/2)[:MaxNameList-1]
	for _, c := range []struct {
		in string
		n  int // names, -1 for an error
	}{
		{"", 0}, {"a", 1}, {"a,b,a", 3}, {strings.Repeat("x", MaxName), 1}, {limit, MaxNameList / 2},
		{",", -1}, {"a,", -1}, {",a", -1}, {"a,,b", -1}, {"a b", -1}, {"a\x00", -1}, {"\xc3\xa4", -1}, {"a\x7f", -1},
		{strings.Repeat("x", MaxName+1), -1}, {limit + ",aa", -1},
	} {
		r := NewReader(AppendText(nil, c.in))
		l := r.NameList()
		if c.n < 0 != errors.Is(r.Err(), ErrNameList) || c.n >= 0 && (len(l) != c.n || r.Done() != nil) {
			t.Errorf("NEG-6: %.20q (%d bytes): %d names, %v, want %d", c.in, len(c.in), len(l), r.Err(), c.n)
		}
	}
}

func TestDisconnectf(t *testing.T) {
	err := Disconnectf(ReasonMACError, "wrapping %w", ErrShort)
	var d *DisconnectError
	if !errors.As(err, &d) || d.Reason != ReasonMACError || !errors.Is(err, ErrShort) || err.Error() != "wrapping "+ErrShort.Error() {
		t.Errorf("got %v", err)
	}
}

// FuzzMessages: what decodes encodes to something that decodes to the same.
func FuzzMessages(f *testing.F) {
	for i, m := range samples() {
		f.Add(byte(i), m.Append(nil))
	}
	all := samples()
	f.Fuzz(func(t *testing.T, which byte, p []byte) {
		m := fresh(all[int(which)%len(all)])
		if m.Decode(p) != nil {
			return
		}
		again := fresh(m)
		if err := again.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(m.Append(nil), again.Append(nil)) {
			t.Fatalf("%T: %+v became %+v, %v", m, m, again, err)
		}
	})
}

// FuzzReader: no sequence of calls panics, and no result is larger than the
// message.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{0, 0, 0, 1, 'a', 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, calls, p []byte) {
		r := NewReader(p)
		for _, c := range calls {
			n := 0
			switch c % 9 {
			case 0:
				r.Byte()
			case 1:
				r.Uint32()
			case 2:
				r.Uint64()
			case 3:
				n = len(r.String())
			case 4:
				n = len(r.Mpint())
			case 5:
				for _, s := range r.NameList() {
					n += len(s)
				}
			case 6:
				n = len(r.Fixed(int(c)))
			case 7:
				n = len(r.Name())
			case 8:
				n = len(r.Rest())
			}
			if n > len(p) {
				t.Fatalf("%d bytes out of %d", n, len(p))
			}
		}
	})
}
