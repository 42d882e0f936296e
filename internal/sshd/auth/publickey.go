//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/keyfile"
	"github.com/nacre-ssh/nacre/internal/userauth"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// plain identifies a key: a certificate and the key it certifies are one.
func plain(key pubkey.PublicKey) string { return string(pubkey.Plain(key).Marshal()) }

// KeyAllowed says what a key may do that is offered under the name of a
// signature algorithm. query says that there is no signature yet: a yes is
// then "Postponed" in the log. What it says counts only for KeyVerified.
func (v *Visitor) KeyAllowed(ctx context.Context, key pubkey.PublicKey, algorithm string, query bool) (*keyfile.AuthorizedOptions, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.offered = nil
	a := &attempt{method: methodPublicKey, key: key}
	if err := v.begin(a.method, ""); err != nil {
		return nil, err
	}
	if !v.cfg.PubkeyAuthentication {
		return nil, fmt.Errorf("%w: no public keys", ErrRefused)
	}
	v.requests++
	if !v.valid { // it never reaches OpenSSH's monitor, and has no line
		v.failures++
		return nil, ErrRefused
	}
	v.attempted = true
	if v.used[plain(key)] {
		v.lines.Logf(sshconfig.Info, "refusing previously-used %s key", pubkey.TypeName(key))
		return nil, v.fail(a, userauth.ErrKeyUsed)
	}
	o, err := v.keyCheck().allowed(ctx, key)
	if err != nil {
		return nil, v.fail(a, err)
	}
	if v.cfg.PubkeyAuthOptions.TouchRequired {
		o.SK.NoTouchRequired = false
	}
	o.SK.VerifyRequired = o.SK.VerifyRequired || v.cfg.PubkeyAuthOptions.VerifyRequired
	v.offered = &offer{blob: string(key.Marshal()), algorithm: algorithm, options: o}
	if query {
		v.tell(userauth.Postponed, a)
	}
	return o, nil
}

// KeyVerified verifies the signature blob of the key that KeyAllowed said yes
// to last. signed is what it is over; the caller has seen to it that this is
// the connection's own, for this user and this method.
func (v *Visitor) KeyVerified(_ context.Context, key pubkey.PublicKey, algorithm string, signed, sig []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.offered
	v.offered = nil
	if o == nil || o.hostbased != "" || o.blob != string(key.Marshal()) || o.algorithm != algorithm {
		return ErrOrder
	}
	if err := v.begin(methodPublicKey, ""); err != nil {
		return err
	}
	a := &attempt{method: methodPublicKey, key: key}
	if err := verify(key, algorithm, signed, sig, o.options.SK); err != nil {
		return v.fail(a, err)
	}
	return v.succeed(a, o.options)
}

func verify(key pubkey.PublicKey, algorithm string, signed, blob []byte, sk pubkey.SKOptions) error {
	sig, err := pubkey.ParseSignature(blob)
	if err != nil {
		return err
	}
	return pubkey.VerifyWith(key, signed, sig, algorithm, sk)
}
