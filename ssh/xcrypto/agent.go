package xcrypto

import (
	"errors"

	"github.com/nacre-ssh/nacre/agent"
	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"golang.org/x/crypto/ssh"
	xagent "golang.org/x/crypto/ssh/agent"
)

// FromAgent converts an agent. Keys of types that this module does not have
// stay in its list, but give no signers.
func FromAgent(a xagent.Agent) agent.ExtendedAgent {
	if t, ok := a.(*toAgent); ok {
		if e, ok := t.agent.(agent.ExtendedAgent); ok {
			return e
		}
	}
	return &fromAgent{a}
}

type fromAgent struct{ agent xagent.Agent }

func (a *fromAgent) List() ([]*agent.Key, error) {
	keys, err := a.agent.List()
	if err != nil {
		return nil, err
	}
	l := make([]*agent.Key, len(keys))
	for i, k := range keys {
		l[i] = &agent.Key{Format: k.Format, Blob: k.Blob, Comment: k.Comment}
	}
	return l, nil
}

func (a *fromAgent) Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error) {
	return from(a.agent.Sign(wireKey(key), data))
}

func (a *fromAgent) SignWithFlags(key pubkey.PublicKey, data []byte, flags agent.SignatureFlags) (*pubkey.Signature, error) {
	if e, ok := a.agent.(xagent.ExtendedAgent); ok {
		return from(e.SignWithFlags(wireKey(key), data, xagent.SignatureFlags(flags)))
	}
	return a.Sign(key, data)
}

// wireKey is a key as agents compare them: by its blob.
func wireKey(key pubkey.PublicKey) ssh.PublicKey {
	return &xagent.Key{Format: key.Type(), Blob: key.Marshal()}
}

func (a *fromAgent) Add(key agent.AddedKey) error {
	k := xagent.AddedKey{PrivateKey: key.PrivateKey, Comment: key.Comment, LifetimeSecs: key.LifetimeSecs, ConfirmBeforeUse: key.ConfirmBeforeUse}
	if key.Certificate != nil {
		c, err := ToCertificate(key.Certificate)
		if err != nil {
			return err
		}
		k.Certificate = c
	}
	for _, e := range key.ConstraintExtensions {
		k.ConstraintExtensions = append(k.ConstraintExtensions, xagent.ConstraintExtension(e))
	}
	return a.agent.Add(k)
}

func (a *fromAgent) Remove(key pubkey.PublicKey) error { return a.agent.Remove(wireKey(key)) }
func (a *fromAgent) RemoveAll() error                  { return a.agent.RemoveAll() }
func (a *fromAgent) Lock(passphrase []byte) error      { return a.agent.Lock(passphrase) }
func (a *fromAgent) Unlock(passphrase []byte) error    { return a.agent.Unlock(passphrase) }
func (a *fromAgent) Signers() ([]pubkey.Signer, error) { return signers(a.agent) }

func signers(a xagent.Agent) ([]pubkey.Signer, error) {
	l, err := a.Signers()
	if err != nil {
		return nil, err
	}
	var out []pubkey.Signer
	for _, s := range l {
		if f, err := FromSigner(s); err == nil {
			out = append(out, f)
		}
	}
	return out, nil
}

func (a *fromAgent) Extension(extensionType string, contents []byte) ([]byte, error) {
	e, ok := a.agent.(xagent.ExtendedAgent)
	if !ok {
		return nil, agent.ErrExtensionUnsupported
	}
	b, err := e.Extension(extensionType, contents)
	if errors.Is(err, xagent.ErrExtensionUnsupported) {
		err = agent.ErrExtensionUnsupported
	}
	return b, err
}

// ToAgent converts an agent.
func ToAgent(a agent.Agent) xagent.ExtendedAgent {
	if f, ok := a.(*fromAgent); ok {
		if e, ok := f.agent.(xagent.ExtendedAgent); ok {
			return e
		}
	}
	return &toAgent{a}
}

type toAgent struct{ agent agent.Agent }

func (a *toAgent) List() ([]*xagent.Key, error) {
	keys, err := a.agent.List()
	if err != nil {
		return nil, err
	}
	l := make([]*xagent.Key, len(keys))
	for i, k := range keys {
		l[i] = &xagent.Key{Format: k.Format, Blob: k.Blob, Comment: k.Comment}
	}
	return l, nil
}

func (a *toAgent) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return a.SignWithFlags(key, data, 0)
}

func (a *toAgent) SignWithFlags(key ssh.PublicKey, data []byte, flags xagent.SignatureFlags) (*ssh.Signature, error) {
	k := &agent.Key{Format: key.Type(), Blob: key.Marshal()}
	var sig *pubkey.Signature
	var err error
	if e, ok := a.agent.(agent.ExtendedAgent); ok {
		sig, err = e.SignWithFlags(k, data, agent.SignatureFlags(flags))
	} else {
		sig, err = a.agent.Sign(k, data)
	}
	return ToSignature(sig), err
}

func (a *toAgent) Add(key xagent.AddedKey) error {
	k := agent.AddedKey{PrivateKey: key.PrivateKey, Comment: key.Comment, LifetimeSecs: key.LifetimeSecs, ConfirmBeforeUse: key.ConfirmBeforeUse}
	if key.Certificate != nil {
		c, err := FromCertificate(key.Certificate)
		if err != nil {
			return err
		}
		k.Certificate = c
	}
	for _, e := range key.ConstraintExtensions {
		k.ConstraintExtensions = append(k.ConstraintExtensions, agent.ConstraintExtension(e))
	}
	return a.agent.Add(k)
}

func (a *toAgent) Remove(key ssh.PublicKey) error {
	return a.agent.Remove(&agent.Key{Format: key.Type(), Blob: key.Marshal()})
}

func (a *toAgent) RemoveAll() error               { return a.agent.RemoveAll() }
func (a *toAgent) Lock(passphrase []byte) error   { return a.agent.Lock(passphrase) }
func (a *toAgent) Unlock(passphrase []byte) error { return a.agent.Unlock(passphrase) }

func (a *toAgent) Signers() ([]ssh.Signer, error) {
	l, err := a.agent.Signers()
	if err != nil {
		return nil, err
	}
	var out []ssh.Signer
	for _, s := range l {
		if t, err := ToSigner(s); err == nil {
			out = append(out, t)
		}
	}
	return out, nil
}

func (a *toAgent) Extension(extensionType string, contents []byte) ([]byte, error) {
	e, ok := a.agent.(agent.ExtendedAgent)
	if !ok {
		return nil, xagent.ErrExtensionUnsupported
	}
	b, err := e.Extension(extensionType, contents)
	if errors.Is(err, agent.ErrExtensionUnsupported) {
		err = xagent.ErrExtensionUnsupported
	}
	return b, err
}
