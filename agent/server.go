package agent

import (
	"errors"
	"fmt"
	"io"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// ServeAgent answers the requests that come over c with agent, one after the
// other, until c ends. A message that cannot be understood is answered with
// failure; one whose length is impossible ends the connection with an error.
// A [ConnAgent] is asked for a connection of its own first. c stays the
// caller's to close.
func ServeAgent(agent Agent, c io.ReadWriter) error {
	if m, ok := agent.(ConnAgent); ok {
		agent = m.NewConn()
	}
	var buf []byte
	defer func() { clear(buf[:cap(buf)]) }()
	for {
		var err error
		if buf, err = readMessage(c, buf); err != nil {
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("agent: reading a request: %w", err)
		}
		answer := handle(agent, buf)
		clear(buf) // it may have held a private key or a passphrase
		if err := writeMessage(c, answer); err != nil {
			return fmt.Errorf("agent: writing an answer: %w", err)
		}
	}
}

// handle answers one message. The answer has four bytes of room in front.
func handle(agent Agent, b []byte) []byte {
	r := wire.NewReader(b[1:])
	number := b[0]
	switch number {
	case msgRequestIdentities:
		if r.Done() != nil {
			break
		}
		keys, err := agent.List()
		if err != nil || len(keys) > MaxKeys {
			break
		}
		answer := appendKeys(newFrame(msgIdentitiesAnswer), keys)
		if len(answer)-4 <= MaxMessage {
			return answer
		}
	case msgSignRequest:
		if sig, err := sign(agent, &r); err == nil {
			return wire.AppendString(newFrame(msgSignResponse), pubkey.MarshalSignature(sig))
		}
	case msgExtension:
		return extension(agent, &r)
	default:
		if simple(agent, number, &r) == nil {
			return newFrame(msgSuccess)
		}
	}
	return newFrame(msgFailure)
}

func sign(agent Agent, r *wire.Reader) (*pubkey.Signature, error) {
	blob, data := r.String(), r.String()
	flags := SignatureFlags(r.Uint32())
	if err := r.Done(); err != nil {
		return nil, malformed(err)
	}
	key, err := pubkey.ParsePublicKey(blob)
	if err != nil {
		return nil, err
	}
	if e, ok := agent.(ExtendedAgent); ok {
		return e.SignWithFlags(key, data, flags)
	}
	return agent.Sign(key, data)
}

// extension answers an extension request: RFC 9987 §3.8 has a failure of its
// own for an extension that is known and refuses.
func extension(agent Agent, r *wire.Reader) []byte {
	name := r.Text()
	e, ok := agent.(ExtendedAgent)
	if !ok || r.Err() != nil {
		return newFrame(msgFailure)
	}
	answer, err := e.Extension(name, r.Rest())
	switch {
	case errors.Is(err, ErrExtensionUnsupported), errors.Is(err, ErrLocked):
		return newFrame(msgFailure)
	case err != nil || len(answer) > MaxMessage:
		return newFrame(msgExtensionFailure)
	case len(answer) == 0:
		return newFrame(msgSuccess)
	}
	return append(make([]byte, 4, 4+len(answer)), answer...)
}

// simple does what is answered with success or failure. Everything is read
// before anything is done (AGT-2).
func simple(agent Agent, number byte, r *wire.Reader) error {
	switch number {
	case msgRemoveAll, msgV1RemoveAll:
		if err := r.Done(); number == msgRemoveAll && err != nil {
			return err
		}
		return agent.RemoveAll()
	case msgRemove:
		blob := r.String()
		if err := r.Done(); err != nil {
			return err
		}
		key, err := pubkey.ParsePublicKey(blob)
		if err != nil {
			return err
		}
		return agent.Remove(key)
	case msgLock, msgUnlock:
		passphrase := r.String()
		if err := r.Done(); err != nil {
			return err
		}
		if number == msgLock {
			return agent.Lock(passphrase)
		}
		return agent.Unlock(passphrase)
	case msgAdd, msgAddConstrained:
		key, err := readAdd(r, number == msgAddConstrained)
		if err != nil {
			return err
		}
		return agent.Add(*key)
	case msgAddSmartcard, msgAddSmartcardConst, msgRemoveSmartcard:
		return smartcard(agent, number, r)
	}
	return ErrProtocol
}

// readAdd reads a request to add a key.
func readAdd(r *wire.Reader, constrained bool) (*AddedKey, error) {
	p, err := pubkey.ReadPrivateKey(r)
	if err != nil {
		return nil, err
	}
	key := &AddedKey{PrivateKey: p.Key, Certificate: p.Certificate, Comment: r.Text()}
	if err := r.Err(); err != nil {
		return nil, malformed(err)
	}
	if constrained {
		key.LifetimeSecs, key.ConfirmBeforeUse, key.ConstraintExtensions, err = readConstraints(r)
	} else {
		err = r.Done()
	}
	return key, err
}

func smartcard(agent Agent, number byte, r *wire.Reader) error {
	card := Smartcard{Provider: r.Name(), PIN: r.String()}
	err := r.Err()
	if err == nil && number == msgAddSmartcardConst {
		card.LifetimeSecs, card.ConfirmBeforeUse, card.ConstraintExtensions, err = readConstraints(r)
	} else if err == nil {
		err = r.Done()
	}
	if err != nil {
		return err
	}
	s, ok := agent.(SmartcardAgent)
	if !ok {
		return ErrFailure
	}
	if number == msgRemoveSmartcard {
		return s.RemoveSmartcard(card.Provider, card.PIN)
	}
	return s.AddSmartcard(card)
}
