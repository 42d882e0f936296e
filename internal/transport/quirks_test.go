package transport

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/algorithm/kex"
	"github.com/nacre-ssh/nacre/internal/wire"
)

func TestQuirks(t *testing.T) {
	for name, want := range map[string]bool{
		"PuTTY_Release_0.64": true, "PuTTY_Release_0.65": false, "PuTTY_Release_0.58": true, "PuTTY_Local:_Feb": true, "PuTTY-Release-0.53b": true,
		"FuTTY": true, "WinSCP_release_4.3.7": true, "WinSCP_release_5.1": true, "WinSCP_release_5.1.3": true, "WinSCP_release_5.10": false,
		"WinSCP_release_5.7.4": true, "WinSCP_release_5.7.5": false, "OpenSSH_9.2": false, "": false,
	} {
		if got := oldGroupExchange([]byte("SSH-2.0-" + name)); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	if !oldCisco([]byte("SSH-2.0-Cisco-1.25")) || oldCisco([]byte("SSH-2.0-Cisco-2.0")) {
		t.Error("Cisco")
	}
}

// The server waits with its offer until it knows whom it is for.
func TestOldGroupExchangeIsNotOffered(t *testing.T) {
	both := []string{"diffie-hellman-group-exchange-sha256", "curve25519-sha256"}
	for version, want := range map[string]string{
		"SSH-2.0-PuTTY_Release_0.62": "curve25519-sha256",
		"SSH-2.0-PuTTY_Release_0.81": "diffie-hellman-group-exchange-sha256",
	} {
		client, server := pair(t, func(c, s *Config) {
			c.Version, c.KeyExchanges, s.KeyExchanges = version, slices.Clone(both), slices.Clone(both)
		})
		if cerr, serr := shake(client, server); cerr != nil || serr != nil {
			t.Fatal(cerr, serr)
		}
		if got := client.Algorithms.Kex; got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// Groups for Cisco's old servers stay within what they can.
func TestCiscoGroup(t *testing.T) {
	for version, want := range map[string]int{"SSH-2.0-Cisco-1.25": 4096, "SSH-2.0-OpenSSH_9.2": 8192} {
		x := &exchange{c: &Conn{peerID: []byte(version)}, algs: &Algorithms{Read: Direction{Cipher: "aes256-ctr", MAC: "hmac-sha2-512"}}}
		if got := x.groupBits(); got != want {
			t.Errorf("%s: %d, want %d", version, got, want)
		}
	}
}

// KEX-5: who may not have an exchange is told so before anything is computed.
func TestKEX5_ExchangeNotAllowed(t *testing.T) {
	asked := ""
	client, server := pair(t, func(c, s *Config) {
		c.KeyExchanges, s.KeyExchanges = []string{"diffie-hellman-group14-sha256"}, []string{"diffie-hellman-group14-sha256"}
		s.KexAllowed = func(m *kex.Method) error { asked = m.Name; return errors.New("no") }
	})
	cerr, serr := shake(client, server)
	var told *wire.DisconnectError
	if !errors.As(serr, &told) || told.Reason != wire.ReasonByApplication || asked != "diffie-hellman-group14-sha256" {
		t.Errorf("%v, asked about %q", serr, asked)
	}
	if cerr == nil || strings.Contains(cerr.Error(), "panic") {
		t.Errorf("client: %v", cerr)
	}
}
