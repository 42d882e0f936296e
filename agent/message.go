package agent

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Message numbers (RFC 9987 §5.1).
const (
	msgV1RemoveAll = 9 // protocol 1's, which still removes all

	msgFailure           = 5
	msgSuccess           = 6
	msgRequestIdentities = 11
	msgIdentitiesAnswer  = 12
	msgSignRequest       = 13
	msgSignResponse      = 14
	msgAdd               = 17
	msgRemove            = 18
	msgRemoveAll         = 19
	msgAddSmartcard      = 20
	msgRemoveSmartcard   = 21
	msgLock              = 22
	msgUnlock            = 23
	msgAddConstrained    = 25
	msgAddSmartcardConst = 26
	msgExtension         = 27
	msgExtensionFailure  = 28
	msgExtensionResponse = 29
)

// Limits of what an end takes.
const (
	MaxMessage = 256 << 10 // bytes of one message (AGT-1)
	MaxKeys    = 2048      // identities in a list, and in a Keyring
)

// readMessage reads one message into buf, which it may replace. Memory grows
// with the bytes that have come, not with the length that was claimed. The end
// of the stream in front of a message is io.EOF.
func readMessage(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return buf, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > MaxMessage {
		return buf, fmt.Errorf("%w: %d bytes, not 1 to %d", ErrProtocol, n, MaxMessage)
	}
	buf = buf[:0]
	for len(buf) < int(n) {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(int(n), max(2*len(buf), 4096)))
			copy(grown, buf)
			clear(buf) // it may hold a private key
			buf = grown
		}
		end := min(cap(buf), int(n))
		m, err := io.ReadFull(r, buf[len(buf):end])
		buf = buf[:len(buf)+m]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
	}
	return buf, nil
}

// writeMessage writes one message. frame is the payload with four bytes of
// room in front of it.
func writeMessage(w io.Writer, frame []byte) error {
	if len(frame)-4 > MaxMessage {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrProtocol, len(frame)-4, MaxMessage)
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	_, err := w.Write(frame)
	return err
}

// newFrame begins a message.
func newFrame(number byte) []byte { return append(make([]byte, 4, 512), number) }

func malformed(err error) error {
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}

// appendKeys appends the body of an identities answer.
func appendKeys(b []byte, keys []*Key) []byte {
	b = wire.AppendUint32(b, uint32(len(keys)))
	for _, k := range keys {
		b = wire.AppendText(wire.AppendString(b, k.Blob), k.Comment)
	}
	return b
}

// readKeys reads the body of an identities answer.
func readKeys(r *wire.Reader) ([]*Key, error) {
	n := r.Uint32()
	if n > MaxKeys {
		return nil, malformed(wire.ErrTooMany)
	}
	var keys []*Key
	for i := uint32(0); i < n && r.Err() == nil; i++ {
		k := &Key{Blob: append([]byte(nil), r.String()...), Comment: r.Text()}
		blob := wire.NewReader(k.Blob)
		k.Format = blob.Text()
		if err := blob.Err(); err != nil {
			return nil, malformed(err)
		}
		keys = append(keys, k)
	}
	if err := r.Done(); err != nil {
		return nil, malformed(err)
	}
	return keys, nil
}

// appendKey appends a private key as requests to add one have it.
func appendKey(b []byte, key *AddedKey) ([]byte, error) {
	p := &pubkey.PrivateKey{Key: key.PrivateKey, Certificate: key.Certificate}
	b, err := p.Append(b)
	if err != nil {
		return nil, err
	}
	return wire.AppendText(b, key.Comment), nil
}
