package forward

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// TestGLB02_Ports: ports are 0 to 65,535 and nothing is cut to fit; hosts have
// a longest length (GLB-2, GLB-8).
func TestGLB02_Ports(t *testing.T) {
	open := func(host string, port uint32, origin string, originPort uint32) []byte {
		b := wire.AppendUint32(wire.AppendText(nil, host), port)
		return wire.AppendUint32(wire.AppendText(b, origin), originPort)
	}
	long := strings.Repeat("h", MaxHost)
	for _, c := range []struct {
		p   []byte
		err error
	}{
		{open("h", 65535, "o", 1), nil},
		{open("h", 0, "", 1<<31), nil}, // what the originator says informs only
		{open("h", 65536, "o", 1), ErrPort},
		{open("h", 70000, "o", 1), ErrPort},
		{open(long, 1, long, 1), nil},
		{open(long+"h", 1, "o", 1), ErrHost},
		{open("h", 1, long+"h", 1), ErrHost},
	} {
		o, err := ParseOpen(c.p)
		if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
			t.Errorf("%.40q: %v, want %v", c.p, err, c.err)
		}
		if err == nil && o.OriginPort <= 1 && !bytes.Equal(o.Append(nil), c.p) && o.OriginPort == 1 {
			t.Errorf("%+v does not become %.40q again", o, c.p)
		}
	}
	listen := func(host string, port uint32) []byte {
		return wire.AppendUint32(wire.AppendText(nil, host), port)
	}
	for _, c := range []struct {
		p   []byte
		err error
	}{
		{listen("", 0), nil}, {listen("*", 65535), nil}, {listen("localhost", 1), nil}, {listen("::1", 1), nil},
		{listen("h", 65536), ErrPort}, {listen(long, 1), nil}, {listen(long+"h", 1), ErrHost},
		{listen("a\nb", 1), ErrHost}, {listen("a b", 1), ErrHost}, {listen("a\x00", 1), ErrHost}, {listen("-o", 1), ErrHost},
	} {
		l, err := ParseListen(c.p)
		if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
			t.Errorf("%.40q: %v, want %v", c.p, err, c.err)
		}
		if err == nil && !bytes.Equal(l.Append(nil), c.p) {
			t.Errorf("%+v does not become %.40q again", l, c.p)
		}
	}
	if _, err := ParseOpen(append(open("h", 1, "o", 1), 0)); err == nil {
		t.Error("bytes behind the payload")
	}
	for _, port := range []uint32{0, 65536} {
		if _, err := ParsePort(wire.AppendUint32(nil, port)); !errors.Is(err, ErrPort) {
			t.Errorf("answer of port %d: %v", port, err)
		}
	}
	if port, err := ParsePort(AppendPort(nil, 65535)); port != 65535 || err != nil {
		t.Errorf("got %d, %v", port, err)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add((&Open{"host", 80, "127.0.0.1", 1234}).Append(nil))
	f.Add(Listen{"localhost", 0}.Append(nil))
	f.Add(AppendPort(nil, 8080))
	f.Fuzz(func(t *testing.T, p []byte) {
		if o, err := ParseOpen(p); err == nil {
			again, err := ParseOpen(o.Append(nil))
			if err != nil || again != o {
				t.Errorf("%+v became %+v, %v", o, again, err)
			}
		}
		if l, err := ParseListen(p); err == nil && !bytes.Equal(l.Append(nil), p) {
			t.Errorf("%+v does not become %q again", l, p)
		}
		if port, err := ParsePort(p); err == nil && !bytes.Equal(AppendPort(nil, port), p) {
			t.Errorf("%d does not become %q again", port, p)
		}
	})
}
