package ssh

import (
	"context"
	"strings"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// TestGLB04_HostKeys: what a server tells of its keys is believed when it proves
// them, and not without.
func TestGLB04_HostKeys(t *testing.T) {
	second := newSigner(t)
	told := make(chan []PublicKey, 1)
	addr, host, user := testServer(t, func(s *Server) { s.HostKeys = append(s.HostKeys, second) })
	c := dialTest(t, addr, host, user, func(cfg *ClientConfig) {
		cfg.Requests = map[string]func(context.Context, *Client, *GlobalRequest){
			HostKeysRequest: func(_ context.Context, _ *Client, r *GlobalRequest) {
				keys, err := ParseHostKeys(r.Payload)
				if err != nil {
					t.Error(err)
				}
				told <- keys
			},
		}
	})
	keys := <-told
	if len(keys) != 2 || string(keys[0].Marshal()) != string(host.Marshal()) {
		t.Fatalf("told of %d keys", len(keys))
	}
	ctx := context.Background()
	if err := c.ProveHostKeys(ctx, []PublicKey{newSigner(t).PublicKey()}); err == nil {
		t.Error("another's key was proved")
	}
	if err := c.ProveHostKeys(ctx, keys[:1]); err != nil {
		t.Error(err)
	}
	if err := c.ProveHostKeys(ctx, nil); err == nil {
		t.Error("nothing was proved")
	}
	blob := wire.AppendString(nil, host.Marshal())
	if _, err := ParseHostKeys([]byte(strings.Repeat(string(blob), maxHostKeys+1))); err == nil {
		t.Error("too many keys were taken")
	}
	if keys, err := ParseHostKeys([]byte(strings.Repeat(string(blob), maxHostKeys))); err != nil || len(keys) != maxHostKeys {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if _, err := ParseHostKeys(blob[:10]); err == nil {
		t.Error("half a key was taken")
	}
}
