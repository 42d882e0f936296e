package pubkey

import (
	"bytes"
	"testing"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// The two forms of an ECDSA signature turn into each other and back.
func FuzzECDSASignatureForms(f *testing.F) {
	f.Add(wire.AppendMpint(wire.AppendMpint(nil, []byte{1}), []byte{0x80}), []byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add(wire.AppendMpint(wire.AppendMpint(nil, bytes.Repeat([]byte{0xff}, 66)), bytes.Repeat([]byte{0xff}, 66)), []byte{0x30, 0x81, 3, 2, 1, 1})
	f.Fuzz(func(t *testing.T, blob, der []byte) {
		for _, size := range []int{32, 48, 66} {
			d, err := derSignature(blob, size)
			if err != nil {
				continue
			}
			if again, err := sshSignature(d); err != nil || !bytes.Equal(again, blob) {
				t.Fatalf("%x by way of %x is %x: %v", blob, d, again, err)
			}
		}
		if s, err := sshSignature(der); err == nil {
			r := wire.NewReader(s)
			r.Mpint()
			r.Mpint()
			if r.Done() != nil {
				t.Fatalf("%x gives %x", der, s)
			}
		}
	})
}
