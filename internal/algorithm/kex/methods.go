package kex

import (
	"crypto"
	"crypto/ecdh"
	_ "crypto/sha1"   // crypto.SHA1.New
	_ "crypto/sha256" // crypto.SHA256.New
	_ "crypto/sha512" // crypto.SHA384.New, crypto.SHA512.New
)

// Method is one key exchange method: a row of [Methods].
type Method struct {
	Name string
	Hash crypto.Hash // of the exchange and of key derivation
	// PostQuantum marks the hybrids, which a recording made today will not
	// give up to a quantum computer.
	PostQuantum bool
	// FiniteField marks the methods whose exponentiations let a client burn a
	// server's processor (KEX-5).
	FiniteField   bool
	GroupExchange bool // RFC 4419
	// ClientDefault and ServerDefault tell whether it is offered unasked.
	ClientDefault, ServerDefault bool

	rank  uint8             // place in the default lists, from 1; 0 is none
	curve func() ecdh.Curve // the curve's share, or the classical half's
	kem   *kem              // the post-quantum half
	group *group            // the fixed group
}

// Methods are all methods, in the order in which `ssh -Q kex` lists them.
var Methods = [...]Method{
	{Name: "diffie-hellman-group1-sha1", Hash: crypto.SHA1, FiniteField: true, group: &group1},
	{Name: "diffie-hellman-group14-sha1", Hash: crypto.SHA1, FiniteField: true, group: &group14},
	{Name: "diffie-hellman-group14-sha256", Hash: crypto.SHA256, FiniteField: true, group: &group14, rank: 12, ClientDefault: true},
	{Name: "diffie-hellman-group16-sha512", Hash: crypto.SHA512, FiniteField: true, group: &group16, rank: 10, ClientDefault: true},
	{Name: "diffie-hellman-group18-sha512", Hash: crypto.SHA512, FiniteField: true, group: &group18, rank: 11, ClientDefault: true},
	{Name: "diffie-hellman-group-exchange-sha1", Hash: crypto.SHA1, FiniteField: true, GroupExchange: true},
	{Name: "diffie-hellman-group-exchange-sha256", Hash: crypto.SHA256, FiniteField: true, GroupExchange: true, rank: 9, ClientDefault: true},
	{Name: "ecdh-sha2-nistp256", Hash: crypto.SHA256, curve: ecdh.P256, rank: 6, ClientDefault: true, ServerDefault: true},
	{Name: "ecdh-sha2-nistp384", Hash: crypto.SHA384, curve: ecdh.P384, rank: 7, ClientDefault: true, ServerDefault: true},
	{Name: "ecdh-sha2-nistp521", Hash: crypto.SHA512, curve: ecdh.P521, rank: 8, ClientDefault: true, ServerDefault: true},
	{Name: "mlkem768nistp256-sha256", Hash: crypto.SHA256, PostQuantum: true, curve: ecdh.P256, kem: &mlkem768},
	{Name: "curve25519-sha256", Hash: crypto.SHA256, curve: ecdh.X25519, rank: 4, ClientDefault: true, ServerDefault: true},
	{Name: "curve25519-sha256@libssh.org", Hash: crypto.SHA256, curve: ecdh.X25519, rank: 5, ClientDefault: true, ServerDefault: true},
	{Name: "sntrup761x25519-sha512", Hash: crypto.SHA512, PostQuantum: true, curve: ecdh.X25519, kem: &sntrup, rank: 2, ClientDefault: true, ServerDefault: true},
	{Name: "sntrup761x25519-sha512@openssh.com", Hash: crypto.SHA512, PostQuantum: true, curve: ecdh.X25519, kem: &sntrup, rank: 3, ClientDefault: true, ServerDefault: true},
	{Name: "mlkem768x25519-sha256", Hash: crypto.SHA256, PostQuantum: true, curve: ecdh.X25519, kem: &mlkem768, rank: 1, ClientDefault: true, ServerDefault: true},
}

// MethodByName returns the row of the name, nil if there is none.
func MethodByName(name string) *Method {
	for i := range Methods {
		if Methods[i].Name == name {
			return &Methods[i]
		}
	}
	return nil
}

// ClientDefaults returns the names a client offers unasked, best first, in the
// order of OpenSSH 10.5.
func ClientDefaults() []string { return defaults(func(m *Method) bool { return m.ClientDefault }) }

// ServerDefaults is the same for a server: no finite-field methods (KEX-5).
func ServerDefaults() []string { return defaults(func(m *Method) bool { return m.ServerDefault }) }

func defaults(in func(*Method) bool) []string {
	var byRank [len(Methods) + 1]string
	for i := range Methods {
		if m := &Methods[i]; in(m) {
			byRank[m.rank] = m.Name
		}
	}
	names := make([]string, 0, len(Methods))
	for _, s := range byRank[1:] {
		if s != "" {
			names = append(names, s)
		}
	}
	return names
}

// NewClient begins an exchange as its initiator. The private half is made now,
// so that it can be done while a connection is being established; o may be
// nil. It fails only when the source of randomness does.
func (m *Method) NewClient(o *Options) (Client, error) {
	switch {
	case m.GroupExchange:
		return newGroupClient(m, o), nil
	case m.group != nil:
		return newFixedClient(m, o)
	default:
		return newShareClient(m, o)
	}
}

// NewServer begins an exchange as its responder. Nothing is computed before
// the client's share arrives; o may be nil.
func (m *Method) NewServer(o *Options) (Server, error) {
	switch {
	case m.GroupExchange:
		return &groupServer{m: m, o: o}, nil
	case m.group != nil:
		return &fixedServer{m: m, o: o}, nil
	default:
		return &shareServer{m: m, o: o}, nil
	}
}
