package transport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nacre-ssh/nacre/internal/algorithm/cipher"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Markers that stand in the key exchange list without being methods.
const (
	extInfoC = "ext-info-c" // RFC 8308 §2.1
	extInfoS = "ext-info-s"
	strictC  = "kex-strict-c-v00@openssh.com"
	strictS  = "kex-strict-s-v00@openssh.com"
)

// Direction is what was agreed for one direction. MAC is empty for an AEAD.
type Direction struct{ Cipher, MAC, Compression string }

// Algorithms is what was agreed in the last exchange.
type Algorithms struct {
	Kex, HostKey string
	Read, Write  Direction
}

// NegotiationError says in which kind of algorithm the two sides have nothing
// in common (RFC 4253 §7.1).
type NegotiationError struct {
	Kind  string   // "key exchange method", "host key type", "cipher", "MAC", "compression method"
	Offer []string // the peer's
}

func (e *NegotiationError) Error() string {
	return fmt.Sprintf("no matching %s found. Their offer: %s", e.Kind, strings.Join(e.Offer, ","))
}

// pick is the first of the client's names that the server has too, markers
// left out. Linear for lists of any length: long ones go through a set.
func pick(client, server []string) string {
	has := func(s string) bool { return slices.Contains(server, s) }
	if len(server) > 64 {
		set := make(map[string]struct{}, len(server))
		for _, s := range server {
			set[s] = struct{}{}
		}
		has = func(s string) bool { _, ok := set[s]; return ok }
	}
	for _, s := range client {
		if !marker(s) && has(s) {
			return strings.Clone(s) // the list that it is cut from goes
		}
	}
	return ""
}

func marker(s string) bool {
	return strings.HasPrefix(s, "ext-info-") || strings.HasPrefix(s, "kex-strict-")
}

// negotiate applies RFC 4253 §7.1 to both lists: the client's order decides.
// Read and Write are as seen by the side that isClient tells.
func negotiate(client, server *wire.KexInit, isClient bool) (*Algorithms, error) {
	var a Algorithms
	theirs := client
	if isClient {
		theirs = server
	}
	if a.Kex = pick(client.Kex, server.Kex); a.Kex == "" {
		return nil, kexFailure("key exchange method", theirs.Kex)
	}
	if a.HostKey = pick(client.HostKey, server.HostKey); a.HostKey == "" {
		return nil, kexFailure("host key type", theirs.HostKey)
	}
	c2s, err := direction(client.CiphersC2S, server.CiphersC2S, client.MACsC2S, server.MACsC2S,
		client.CompressionC2S, server.CompressionC2S, isClient)
	if err != nil {
		return nil, err
	}
	s2c, err := direction(client.CiphersS2C, server.CiphersS2C, client.MACsS2C, server.MACsS2C,
		client.CompressionS2C, server.CompressionS2C, isClient)
	if err != nil {
		return nil, err
	}
	if a.Read, a.Write = s2c, c2s; !isClient {
		a.Read, a.Write = c2s, s2c
	}
	return &a, nil
}

func direction(cc, sc, cm, sm, cz, sz []string, isClient bool) (d Direction, err error) {
	theirs := func(c, s []string) []string {
		if isClient {
			return s
		}
		return c
	}
	if d.Cipher = pick(cc, sc); d.Cipher == "" {
		return d, kexFailure("cipher", theirs(cc, sc))
	}
	// An AEAD brings its own integrity: the MAC lists are not even looked at
	// (NEG-7).
	if c := cipher.CipherByName(d.Cipher); c == nil || !c.AEAD {
		if d.MAC = pick(cm, sm); d.MAC == "" {
			return d, kexFailure("MAC", theirs(cm, sm))
		}
	}
	if d.Compression = pick(cz, sz); d.Compression == "" {
		return d, kexFailure("compression method", theirs(cz, sz))
	}
	return d, nil
}

func kexFailure(kind string, offer []string) error {
	err := &NegotiationError{kind, offer}
	return &wire.DisconnectError{Reason: wire.ReasonKeyExchangeFailed, Message: err.Error(), Err: err}
}

// guessedRight reports whether a guessed first packet counts: the favourites of
// both sides must be equal for both kinds (RFC 4253 §7).
func guessedRight(a, b *wire.KexInit) bool {
	return favourite(a.Kex) == favourite(b.Kex) && favourite(a.HostKey) == favourite(b.HostKey)
}

func favourite(l []string) string {
	if len(l) == 0 {
		return ""
	}
	return l[0]
}
