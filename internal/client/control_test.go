package client

import (
	"bytes"
	"errors"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// TestControlMessages: what a control socket carries is what was written, and
// what is malformed or larger than allowed is an error.
func TestControlMessages(t *testing.T) {
	for _, c := range []struct {
		way  ForwardWay
		spec string
		dyn  bool
	}{{ForwardLocal, "8080:h:80", false}, {ForwardLocal, "*:8080:h:80", false}, {ForwardRemote, "0:h:80", false}, {ForwardRemote, "l:1080", true}, {ForwardDynamic, "1080", true}} {
		f, err := sshconfig.ParseForward(c.spec, c.dyn, c.way == ForwardRemote)
		if err != nil {
			t.Fatal(err)
		}
		way, got, err := parseMuxForward(appendMuxForward(nil, c.way, &f))
		if err != nil || way != c.way || !sameForward(got, f) {
			t.Errorf("%s became %d %+v, %v", c.spec, way, got, err)
		}
	}
	forward := func(kind uint32, host string, port uint32, to string, toPort uint32) []byte {
		b := wire.AppendUint32(wire.AppendText(wire.AppendUint32(nil, kind), host), port)
		return wire.AppendUint32(wire.AppendText(b, to), toPort)
	}
	for _, c := range []struct {
		b   []byte
		bad error
	}{
		{forward(1, "", 1, "h", 1), nil},
		{forward(0, "", 1, "h", 1), errMuxForward},
		{forward(4, "", 1, "h", 1), errMuxForward},
		{forward(1, "", 0, "h", 1), errMuxForward},
		{forward(1, "", 1, "", 1), errMuxForward},
		{forward(2, "", 0, "h", 0), errMuxForward},
		{forward(1, "", 65536, "h", 1), errControl},
		{forward(1, "", 1, "h", 70000), errControl},
		{forward(1, "", 1, "h", 1)[:12], errControl},
	} {
		if _, _, err := parseMuxForward(c.b); !errors.Is(err, c.bad) || (err == nil) != (c.bad == nil) {
			t.Errorf("%q: %v, want %v", c.b, err, c.bad)
		}
	}
	s := muxSession{tty: true, subsystem: true, escape: '~', term: "xterm", command: "x y", env: []string{"A=1", "B=2"}}
	got, err := parseMuxSession(s.append(nil))
	if err != nil || got.command != s.command || got.term != s.term || !got.tty || !got.subsystem || got.x11 || len(got.env) != 2 || got.escape != '~' {
		t.Errorf("%+v became %+v, %v", s, got, err)
	}
	s.env = make([]string, MaxControlEnv+10)
	if got, _ := parseMuxSession(s.append(nil)); len(got.env) != MaxControlEnv {
		t.Errorf("%d variables are kept", len(got.env))
	}
	for n, ok := range map[int]bool{3: false, 4: true, MaxControlMessage: true, MaxControlMessage + 1: false} {
		if _, err := readControl(bytes.NewReader(framed(make([]byte, n)))); (err == nil) != ok {
			t.Errorf("a message of %d bytes: %v", n, err)
		}
	}
	if ext, err := parseHello(muxHelloMessage(extInfo)); err != nil || len(ext) != 1 || ext[0] != extInfo {
		t.Errorf("hello: %q, %v", ext, err)
	}
	if _, err := parseHello(u32s(muxHello, 3)); err == nil {
		t.Error("hello of version 3")
	}
}

func FuzzControl(f *testing.F) {
	f.Add(muxHelloMessage(extInfo))
	f.Add((&muxSession{tty: true, term: "xterm", command: "x", env: []string{"A=1"}}).append(nil))
	f.Add(appendMuxForward(nil, ForwardLocal, &sshconfig.Forward{ListenPort: 1, ConnectHost: "h", ConnectPort: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseHello(b)
		parseMuxSession(b)
		if way, fwd, err := parseMuxForward(b); err == nil {
			again, got, err := parseMuxForward(appendMuxForward(nil, way, &fwd))
			if err != nil || again != way || !sameForward(got, fwd) {
				t.Errorf("%+v became %+v, %v", fwd, got, err)
			}
		}
		readControl(bytes.NewReader(b))
	})
}
