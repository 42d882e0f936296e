package kex

import (
	"bytes"
	"errors"
	mathrand "math/rand/v2"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

var (
	testTranscript = &Transcript{
		ClientID: []byte("SSH-2.0-client"), ServerID: []byte("SSH-2.0-server"),
		ClientKexInit: bytes.Repeat([]byte{wire.MsgKexInit, 1}, 500), ServerKexInit: bytes.Repeat([]byte{wire.MsgKexInit, 2}, 400),
	}
	testHostKey   = bytes.Repeat([]byte{0xab}, 51)
	testSignature = bytes.Repeat([]byte{0xcd}, 83)
)

// each runs f for every method, the smallest group where the size is free.
func each(t *testing.T, f func(t *testing.T, m *Method)) {
	for i := range Methods {
		m := &Methods[i]
		t.Run(m.Name, func(t *testing.T) { f(t, m) })
	}
}

// small makes group exchanges quick.
var small = &Options{GroupBits: MinGroupBits, Moduli: func(int, int, int) ([]byte, []byte, bool) {
	p, g := group14.params()
	return p.Bytes(), g.Bytes(), true
}}

func newClient(t testing.TB, m *Method, o *Options) Client {
	t.Helper()
	c, err := m.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newServer(t testing.TB, m *Method, o *Options) Server {
	t.Helper()
	s, err := m.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// started returns a client that waits for the last message, the server that
// waits for init, and init.
func started(t testing.TB, m *Method) (Client, Server, []byte) {
	t.Helper()
	c, s := newClient(t, m, small), newServer(t, m, small)
	msg, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	if m.GroupExchange {
		grp, res, err := s.Next(msg, testTranscript, testHostKey)
		if err != nil || res != nil {
			t.Fatal(res, err)
		}
		var cres *ClientResult
		if msg, cres, err = c.Next(grp, testTranscript); err != nil || cres != nil {
			t.Fatal(cres, err)
		}
	}
	return c, s, msg
}

// replied returns a client and the message it waits for.
func replied(t testing.TB, m *Method) (Client, []byte, *ServerResult) {
	t.Helper()
	c, s, init := started(t, m)
	send, res, err := s.Next(init, testTranscript, testHostKey)
	if err != nil || send != nil {
		t.Fatal(send, err)
	}
	return c, res.Reply(testSignature), res
}

// wantError demands the cause and the disconnect reason of err.
func wantError(t *testing.T, what string, err, cause error, reason wire.Reason) {
	t.Helper()
	var d *wire.DisconnectError
	if !errors.Is(err, cause) || !errors.As(err, &d) || d.Reason != reason {
		t.Errorf("%s: %v; want %q with reason %d", what, err, cause, reason)
	}
}

func seeded(n byte) *mathrand.ChaCha8 { return mathrand.NewChaCha8([32]byte{n}) }
