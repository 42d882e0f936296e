package ssh

import (
	"context"
	"errors"
	"fmt"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// HostKeysRequest is the global request by which a server tells all its host
// keys after login. A client that wants to learn them has a handler for it in
// ClientConfig.Requests, which calls ParseHostKeys and ProveHostKeys.
const HostKeysRequest = "hostkeys-00@openssh.com"

const hostKeysProve = wire.HostKeysProve

// maxHostKeys is how many keys a server may tell of (GLB-4).
const maxHostKeys = 64

// ParseHostKeys reads the payload of HostKeysRequest. Keys of kinds that are
// not known are left out. None of them is to be believed before ProveHostKeys.
func ParseHostKeys(payload []byte) ([]PublicKey, error) {
	var keys []PublicKey
	r := wire.NewReader(payload)
	for n := 0; r.Len() > 0; n++ {
		blob := r.String()
		if r.Err() != nil || n >= maxHostKeys {
			return nil, fmt.Errorf("ssh: %s: malformed, or more than %d keys", HostKeysRequest, maxHostKeys)
		}
		if key, err := pubkey.ParsePublicKey(blob); err == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// ProveHostKeys has the server prove that it holds the private halves of keys:
// it signs this session with each. nil means that it proved all of them.
func (c *Client) ProveHostKeys(ctx context.Context, keys []PublicKey) error {
	if len(keys) == 0 || len(keys) > maxHostKeys {
		return fmt.Errorf("ssh: %d host keys to prove, want 1 to %d", len(keys), maxHostKeys)
	}
	var ask []byte
	for _, k := range keys {
		ask = wire.AppendString(ask, k.Marshal())
	}
	ok, reply, err := c.SendRequest(ctx, hostKeysProve, true, ask)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("ssh: server does not prove its host keys")
	}
	r := wire.NewReader(reply)
	for _, k := range keys {
		sig, err := pubkey.ParseSignature(r.String())
		if err == nil {
			err = r.Err()
		}
		if err == nil && sig.Format == pubkey.KeyAlgoRSA {
			err = errors.New("signature is SHA-1")
		}
		if err == nil {
			err = k.Verify(wire.HostKeyProof(c.SessionID(), k.Marshal()), sig)
		}
		if err != nil {
			return fmt.Errorf("ssh: server does not prove its host key %s: %w", FingerprintSHA256(k), err)
		}
	}
	return r.Done()
}
