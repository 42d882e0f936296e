//go:build linux || darwin || freebsd || openbsd

package auth

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
)

// HostbasedAllowed says whether the user of that name on the host of that name
// may log in by the host's key.
func (v *Visitor) HostbasedAllowed(ctx context.Context, key pubkey.PublicKey, algorithm, clientHost, clientUser string) error {
	return errNoMethod
}

// HostbasedVerified verifies the signature blob of the host key that
// HostbasedAllowed said yes to last.
func (v *Visitor) HostbasedVerified(ctx context.Context, key pubkey.PublicKey, algorithm, clientHost, clientUser string, signed, sig []byte) error {
	return errNoMethod
}
