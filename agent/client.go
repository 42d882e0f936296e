package agent

import (
	"fmt"
	"io"
	"sync"

	"github.com/nacre-ssh/nacre/internal/algorithm/pubkey"
	"github.com/nacre-ssh/nacre/internal/wire"
)

// Client is an agent at the other end of a stream. It is an [ExtendedAgent]
// and a [SmartcardAgent]. Many goroutines may use it; one request is under way
// at a time. After an error of the stream it stays broken.
type Client struct {
	mu  sync.Mutex
	rw  io.ReadWriter
	err error // of the stream; sticks
}

// NewClient speaks to an agent over rw, which stays the caller's to close.
// Closing it ends a request that waits.
func NewClient(rw io.ReadWriter) *Client { return &Client{rw: rw} }

// call sends a message and returns the answer's number and fields.
func (c *Client) call(frame []byte) (byte, wire.Reader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer clear(frame) // it may hold a private key or a passphrase
	if c.err != nil {
		return 0, wire.Reader{}, c.err
	}
	if len(frame)-4 > MaxMessage {
		return 0, wire.Reader{}, fmt.Errorf("agent: request of %d bytes is more than %d", len(frame)-4, MaxMessage)
	}
	err := writeMessage(c.rw, frame)
	var b []byte
	if err == nil {
		b, err = readMessage(c.rw, nil)
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		c.err = fmt.Errorf("agent: connection to the agent: %w", err)
		return 0, wire.Reader{}, c.err
	}
	return b[0], wire.NewReader(b[1:]), nil
}

// simple is a call whose answer is success or failure.
func (c *Client) simple(frame []byte) error {
	n, r, err := c.call(frame)
	switch {
	case err != nil:
		return err
	case n == msgSuccess && r.Len() == 0:
		return nil
	}
	return answerError(n)
}

func answerError(n byte) error {
	switch n {
	case msgFailure:
		return ErrFailure
	case msgExtensionFailure:
		return ErrExtensionFailed
	}
	return fmt.Errorf("%w: answer of type %d", ErrProtocol, n)
}

// List returns the identities that the agent shows.
func (c *Client) List() ([]*Key, error) {
	n, r, err := c.call(newFrame(msgRequestIdentities))
	if err != nil {
		return nil, err
	}
	if n != msgIdentitiesAnswer {
		return nil, answerError(n)
	}
	return readKeys(&r)
}

// Sign has the agent sign data without flags: an RSA key signs with SHA-1.
// Signers from [Client.Signers] ask for SHA-2.
func (c *Client) Sign(key pubkey.PublicKey, data []byte) (*pubkey.Signature, error) {
	return c.SignWithFlags(key, data, 0)
}

// SignWithFlags has the agent sign data.
func (c *Client) SignWithFlags(key pubkey.PublicKey, data []byte, flags SignatureFlags) (*pubkey.Signature, error) {
	b := wire.AppendString(newFrame(msgSignRequest), key.Marshal())
	n, r, err := c.call(wire.AppendUint32(wire.AppendString(b, data), uint32(flags)))
	if err != nil {
		return nil, err
	}
	if n != msgSignResponse {
		return nil, answerError(n)
	}
	blob := r.String()
	if err := r.Done(); err != nil {
		return nil, malformed(err)
	}
	sig, err := pubkey.ParseSignature(blob)
	if err != nil {
		return nil, malformed(err)
	}
	return sig, nil
}

// Signers returns a signer for each identity whose type is known. They can be
// told an algorithm, and check that the agent used it.
func (c *Client) Signers() ([]pubkey.Signer, error) { return signersOf(c) }

// Add sends a key, with all its constraints, to the agent.
func (c *Client) Add(key AddedKey) error {
	constraints := appendConstraints(nil, key.LifetimeSecs, key.ConfirmBeforeUse, key.ConstraintExtensions)
	number := byte(msgAdd)
	if len(constraints) > 0 {
		number = msgAddConstrained
	}
	// Room for all of it, lest the key be left behind in a smaller copy.
	b := append(make([]byte, 4, 16<<10+len(constraints)), number)
	b, err := appendKey(b, &key)
	if err != nil {
		return fmt.Errorf("agent: key cannot be sent: %w", err)
	}
	return c.simple(append(b, constraints...))
}

// Remove removes a key from the agent.
func (c *Client) Remove(key pubkey.PublicKey) error {
	return c.simple(wire.AppendString(newFrame(msgRemove), key.Marshal()))
}

// RemoveAll removes all keys from the agent.
func (c *Client) RemoveAll() error { return c.simple(newFrame(msgRemoveAll)) }

// Lock locks the agent.
func (c *Client) Lock(passphrase []byte) error {
	return c.simple(wire.AppendString(newFrame(msgLock), passphrase))
}

// Unlock unlocks the agent. A wrong passphrase is ErrFailure, after a while.
func (c *Client) Unlock(passphrase []byte) error {
	return c.simple(wire.AppendString(newFrame(msgUnlock), passphrase))
}

// AddSmartcard has the agent load the keys of a PKCS#11 provider.
func (c *Client) AddSmartcard(card Smartcard) error {
	constraints := appendConstraints(nil, card.LifetimeSecs, card.ConfirmBeforeUse, card.ConstraintExtensions)
	number := byte(msgAddSmartcard)
	if len(constraints) > 0 {
		number = msgAddSmartcardConst
	}
	b := wire.AppendString(wire.AppendText(newFrame(number), card.Provider), card.PIN)
	return c.simple(append(b, constraints...))
}

// RemoveSmartcard has the agent forget the keys of a provider.
func (c *Client) RemoveSmartcard(provider string, pin []byte) error {
	return c.simple(wire.AppendString(wire.AppendText(newFrame(msgRemoveSmartcard), provider), pin))
}

// Extension makes an extension request. The answer is the whole message, its
// type included. An agent that does not know the extension gives
// ErrExtensionUnsupported, one that refuses ErrExtensionFailed; old agents
// answer both alike.
func (c *Client) Extension(extensionType string, contents []byte) ([]byte, error) {
	b := append(wire.AppendText(newFrame(msgExtension), extensionType), contents...)
	n, r, err := c.call(b)
	if err != nil {
		return nil, err
	}
	switch n {
	case msgFailure:
		return nil, ErrExtensionUnsupported
	case msgExtensionFailure:
		return nil, ErrExtensionFailed
	}
	return append([]byte{n}, r.Rest()...), nil
}

// Names of extensions.
const (
	ExtensionSessionBind = "session-bind@openssh.com"
	ExtensionQuery       = "query"
)

// Query asks which extensions the agent has.
func (c *Client) Query() ([]string, error) {
	b, err := c.Extension(ExtensionQuery, nil)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(b)
	if r.Byte() != msgExtensionResponse || r.Text() != ExtensionQuery {
		return nil, fmt.Errorf("%w: answer to query", ErrProtocol)
	}
	var l []string
	for r.Len() > 0 {
		l = append(l, r.Text())
	}
	if err := r.Done(); err != nil {
		return nil, malformed(err)
	}
	return l, nil
}

// SessionBind tells the agent which session this stream is for: the server's
// host key, the session identifier and the server's signature over it, which
// ends the first key exchange. With forwarding set the stream is going to be
// used by that server, not to log in to it.
func (c *Client) SessionBind(hostKey pubkey.PublicKey, sessionID []byte, sig *pubkey.Signature, forwarding bool) error {
	b, err := c.Extension(ExtensionSessionBind, AppendSessionBind(nil, hostKey, sessionID, sig, forwarding))
	if err == nil && (len(b) != 1 || b[0] != msgSuccess) {
		err = fmt.Errorf("%w: answer to session-bind", ErrProtocol)
	}
	return err
}

// AppendSessionBind appends the contents of a session-bind request.
func AppendSessionBind(b []byte, hostKey pubkey.PublicKey, sessionID []byte, sig *pubkey.Signature, forwarding bool) []byte {
	b = wire.AppendString(wire.AppendString(b, hostKey.Marshal()), sessionID)
	return wire.AppendBool(wire.AppendString(b, pubkey.MarshalSignature(sig)), forwarding)
}
