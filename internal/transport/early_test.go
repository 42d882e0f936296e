package transport

import (
	"bytes"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// What was sent early and refused is known by its sequence numbers, and only
// what was sent early.
func TestEarlyRefused(t *testing.T) {
	unimplemented := func(seq uint32) []byte { return wire.AppendUint32([]byte{wire.MsgUnimplemented}, seq) }
	for _, c := range []struct {
		name    string
		answers []int // sequence numbers, relative to the first early message
		want    bool
	}{
		{"none", nil, false},
		{"all", []int{0, 1, 2}, true},
		{"the first alone", []int{0}, true},
		{"a later one", []int{2}, false},
		{"what went before", []int{-1}, false},
		{"what was never sent", []int{3, 1 << 30}, false},
		{"more answers than messages", []int{1, 1, 1, 0}, false},
	} {
		e := early{on: true, first: 7, count: 3}
		for _, n := range c.answers {
			e.refuse(unimplemented(uint32(7 + n)))
		}
		conn := &Conn{early: e}
		if got := conn.EarlyRefused(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	e := early{on: true, first: 7, count: 3}
	e.refuse([]byte{wire.MsgUnimplemented, 0, 0})
	e.refuse(append(unimplemented(7), 0))
	if e.refused != 0 {
		t.Error("a malformed answer counts")
	}
}

// Settle takes EXT_INFO that is there and keeps what is not its own for Next.
func TestSettle(t *testing.T) {
	client, server := pair(t, func(c, s *Config) {
		s.ExtInfo = []wire.Extension{{Name: "server-sig-algs", Value: []byte("ssh-ed25519,rsa-sha2-512")}}
	})
	if cerr, serr := shake(client, server); cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	if err := server.Send([]byte{wire.MsgServiceAccept, 0, 0, 0, 1, 'x'}, []byte{wire.MsgUserauthBanner}); err != nil {
		t.Fatal(err)
	}
	for client.peeked == nil { // until it has arrived
		if err := client.Settle(); err != nil {
			t.Fatal(err)
		}
		if client.peeked == nil {
			if err := client.Fill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(client.PeerExt.ServerSigAlgs) != 2 {
		t.Errorf("server-sig-algs %q", client.PeerExt.ServerSigAlgs)
	}
	if err := client.Settle(); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]byte{{wire.MsgServiceAccept, 0, 0, 0, 1, 'x'}, {wire.MsgUserauthBanner}} {
		if p, err := client.ReadPacket(); err != nil || !bytes.Equal(p, want) {
			t.Errorf("%v %v, want %v", p, err, want)
		}
	}
}

// Early counts what was queued in it, and Guess tells the server's favourites.
func TestEarlyAndGuess(t *testing.T) {
	client, server := pair(t, func(c, s *Config) {
		c.Guess = true
		c.KeyExchanges, s.KeyExchanges = []string{"curve25519-sha256"}, []string{"ecdh-sha2-nistp256", "curve25519-sha256"}
	})
	if cerr, serr := shake(client, server); cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	if got := client.Guess(); !got.Sent || got.Right || got.Kex != "ecdh-sha2-nistp256" || got.HostKey != "ssh-ed25519" {
		t.Errorf("%+v", got)
	}
	client.Early(func() error {
		client.Queue([]byte{wire.MsgChannelOpen})
		return client.Queue([]byte{wire.MsgChannelRequest})
	})
	if client.early.count != 2 {
		t.Errorf("%d early messages, want 2", client.early.count)
	}
	client.Early(func() error { return nil })
	if client.early.count != 2 {
		t.Error("nothing was queued, and what was is forgotten")
	}
}
