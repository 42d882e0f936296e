package pubkey

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

// The published vector of the composite, without a context: its key is made
// of the seeds, its signature verifies, and no changed byte of it does.
func TestCompositeVector(t *testing.T) {
	b, err := os.ReadFile("testdata/composite-mldsa44-ed25519.txt")
	if err != nil {
		t.Fatal(err)
	}
	var v [][]byte
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		d, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		v = append(v, d)
	}
	message, seed, blob := v[0], v[1], v[2]
	key, err := NewMLDSA44ED25519FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	sig := &Signature{Format: KeyAlgoMLDSA44ED25519, Blob: blob}
	if err := key.PublicKey().Verify(message, sig); err != nil {
		t.Fatalf("published signature: %v", err)
	}
	for _, i := range []int{0, 1, 1000, 2399, 2419, 2420, 2450, 2483} {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if key.PublicKey().Verify(message, &Signature{Format: sig.Format, Blob: bad}) == nil {
			t.Errorf("signature with byte %d changed verifies", i)
		}
	}
	if key.PublicKey().Verify(message, &Signature{Format: sig.Format, Blob: blob[:len(blob)-1]}) == nil {
		t.Error("short signature verifies")
	}
	own, err := key.Sign(nil, message)
	if err != nil || key.PublicKey().Verify(message, own) != nil {
		t.Errorf("own signature: %v", err)
	}
	if key.PublicKey().Verify(append(message, 0), own) == nil {
		t.Error("own signature verifies another message")
	}
}
