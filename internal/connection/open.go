package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// OpenError is a channel that the peer did not open (RFC 4254 §5.1).
type OpenError struct {
	Reason  wire.OpenReason
	Message string // the peer's text: escape it before it is shown
}

func (e *OpenError) Error() string {
	name := "unknown reason"
	switch e.Reason {
	case wire.OpenAdministrativelyProhibited:
		name = "administratively prohibited"
	case wire.OpenConnectFailed:
		name = "connect failed"
	case wire.OpenUnknownChannelType:
		name = "unknown channel type"
	case wire.OpenResourceShortage:
		name = "resource shortage"
	}
	return fmt.Sprintf("%s: %q", name, e.Message)
}

// Incoming is a channel that the peer wants to open. It is answered once, on
// the reader or later from another goroutine.
type Incoming struct {
	Type    string
	Payload []byte // valid until the callback returns; see Keep

	m                 *Mux
	peer, window, max uint32
	once              sync.Once
}

// Keep copies the payload so that it may be used after the callback.
func (in *Incoming) Keep() { in.Payload = append([]byte(nil), in.Payload...) }

func (m *Mux) channelOpen(p []byte) error {
	var w wire.ChannelOpen
	if err := w.Decode(p); err != nil {
		return protocolError("CHANNEL_OPEN: %w", err)
	}
	if w.MaxPacket == 0 || len(w.Type) > MaxTypeLen {
		return protocolError("CHANNEL_OPEN with a maximum packet size of %d and a type of %d bytes", w.MaxPacket, len(w.Type)) // CHN-4
	}
	in := &Incoming{Type: w.Type, Payload: w.Payload, m: m, peer: w.Sender, window: w.Window, max: w.MaxPacket}
	m.mu.Lock()
	m.pending++
	full := m.pending > MaxOpening || m.open >= MaxChannels || len(w.Payload) > MaxOpenLen
	m.mu.Unlock()
	if full {
		return in.Reject(wire.OpenResourceShortage, "too many channels")
	}
	if m.cfg.Open == nil {
		return in.Reject(wire.OpenUnknownChannelType, "unknown channel type")
	}
	m.cfg.Open(in)
	return nil
}

// Reject refuses the channel. The answer is queued; see Mux.Flush.
func (in *Incoming) Reject(reason wire.OpenReason, text string) (err error) {
	in.once.Do(func() {
		in.m.mu.Lock()
		in.m.pending--
		in.m.mu.Unlock()
		msg := wire.ChannelOpenFailure{Recipient: in.peer, Reason: reason, Description: text}
		err = in.m.t.Queue(msg.Append(nil))
	})
	return err
}

// Accept opens the channel. setup may attach sinks and handlers before the
// peer learns of it. The answer is queued; see Mux.Flush.
func (in *Incoming) Accept(setup func(*Channel)) (ch *Channel, err error) {
	err = errClosed
	in.once.Do(func() {
		m := in.m
		ch = newChannel(m, in.Type)
		ch.peerOpened(in.peer, in.window, in.max)
		m.mu.Lock()
		m.pending--
		if err = m.addLocked(ch); err == nil {
			ch.confirmed = true
		}
		m.mu.Unlock()
		if err != nil {
			msg := wire.ChannelOpenFailure{Recipient: in.peer, Reason: wire.OpenResourceShortage, Description: "too many channels"}
			m.t.Queue(msg.Append(nil))
			ch = nil
			return
		}
		if setup != nil {
			setup(ch)
		}
		m.opened(ch)
		msg := wire.ChannelOpenConfirmation{Recipient: in.peer, Sender: ch.id, Window: Window, MaxPacket: MaxPacket}
		if err = m.t.Queue(msg.Append(nil)); err != nil {
			ch = nil
		}
	})
	return ch, err
}

// Flush sends what Accept, Reject and Reply have queued, for callers that are
// not the reader.
func (m *Mux) Flush() error { return m.t.Flush() }

// OpenChannel opens a channel and waits for the peer's answer. setup, if not
// nil, is called before the peer can send on it.
func (m *Mux) OpenChannel(ctx context.Context, typ string, payload []byte, setup func(*Channel)) (*Channel, error) {
	ch, err := m.StartOpen(typ, payload, setup)
	if err != nil {
		return nil, err
	}
	return ch, ch.WaitOpen(ctx)
}

// StartOpen sends CHANNEL_OPEN and does not wait: see Channel.WaitOpen.
func (m *Mux) StartOpen(typ string, payload []byte, setup func(*Channel)) (*Channel, error) {
	return m.startOpen(typ, payload, Window, MaxPacket, setup)
}

// OpenSized is OpenChannel with a first window and a largest message of the
// caller's choice.
func (m *Mux) OpenSized(ctx context.Context, typ string, payload []byte, window, maxPacket uint32, setup func(*Channel)) (*Channel, error) {
	ch, err := m.startOpen(typ, payload, window, maxPacket, setup)
	if err != nil {
		return nil, err
	}
	return ch, ch.WaitOpen(ctx)
}

func (m *Mux) startOpen(typ string, payload []byte, window, maxPacket uint32, setup func(*Channel)) (*Channel, error) {
	ch, msg, err := m.prepareOpen(typ, payload, window, maxPacket, setup)
	if err != nil {
		return nil, err
	}
	if err := m.t.Send(msg); err != nil {
		m.remove(ch)
		return nil, err
	}
	return ch, nil
}

// prepareOpen gives a channel its number and makes the message that opens it.
func (m *Mux) prepareOpen(typ string, payload []byte, window, maxPacket uint32, setup func(*Channel)) (*Channel, []byte, error) {
	ch := newChannel(m, typ)
	ch.granted, ch.target = int64(window), int64(window)
	ch.opened = make(chan error, 1)
	if setup != nil {
		setup(ch)
	}
	m.mu.Lock()
	if err := m.addLocked(ch); err != nil {
		m.mu.Unlock()
		return nil, nil, err
	}
	m.mu.Unlock()
	msg := wire.ChannelOpen{Type: typ, Sender: ch.id, Window: window, MaxPacket: maxPacket, Payload: payload}
	return ch, msg.Append(nil), nil
}

// QueueOpen queues CHANNEL_OPEN and takes the peer's number of the channel to be
// guess, so that QueueRequests may follow in the same flight: right for peers
// that are known to look at requests of a channel they have just opened. Data
// waits for WaitOpen, which fails with ErrGuess where the number is another.
func (m *Mux) QueueOpen(typ string, payload []byte, guess uint32, setup func(*Channel)) (*Channel, error) {
	ch, msg, err := m.prepareOpen(typ, payload, Window, MaxPacket, setup)
	if err != nil {
		return nil, err
	}
	ch.guessed, ch.peer = true, guess
	if err := m.t.Queue(msg); err != nil {
		m.remove(ch)
		return nil, err
	}
	return ch, nil
}

// ErrGuess is a channel that the peer gave another number than QueueOpen
// guessed. It is closed.
var ErrGuess = errors.New("connection: the peer's number of the channel was guessed wrong")

// Forget drops a channel whose CHANNEL_OPEN the peer has refused to look at
// (UNIMPLEMENTED): nothing of it will ever be answered.
func (ch *Channel) Forget() {
	ch.m.mu.Lock()
	confirmed := ch.confirmed
	ch.m.mu.Unlock()
	if !confirmed {
		ch.m.remove(ch)
		ch.lost(errClosed)
	}
}

// WaitOpen waits for the answer to StartOpen: nil, an *OpenError, or why the
// connection ended. When ctx ends first the channel is closed as soon as it
// opens.
func (ch *Channel) WaitOpen(ctx context.Context) error {
	select {
	case err := <-ch.opened:
		return err
	case <-ctx.Done():
	}
	ch.mu.Lock()
	ch.abandoned = true
	ch.mu.Unlock()
	select {
	case err := <-ch.opened: // it came in between
		if err == nil {
			ch.Close()
		}
	default:
	}
	return context.Cause(ctx)
}

func (m *Mux) openAnswer(p []byte) error {
	var conf wire.ChannelOpenConfirmation
	var fail wire.ChannelOpenFailure
	var err error
	if p[0] == wire.MsgChannelOpenConfirmation {
		err = conf.Decode(p)
	} else {
		err = fail.Decode(p)
		conf.Recipient = fail.Recipient
	}
	if err != nil {
		return protocolError("%s: %w", wire.MessageName(p[0]), err)
	}
	m.mu.Lock()
	var ch *Channel
	if uint64(conf.Recipient) < uint64(len(m.channels)) {
		ch = m.channels[conf.Recipient]
	}
	if ch == nil || ch.confirmed {
		m.mu.Unlock()
		return protocolError("%s for channel %d, which is not being opened", wire.MessageName(p[0]), conf.Recipient) // CHN-11
	}
	if p[0] == wire.MsgChannelOpenFailure {
		m.mu.Unlock()
		m.remove(ch)
		ch.lost(&OpenError{fail.Reason, fail.Description})
		return nil
	}
	if conf.MaxPacket == 0 {
		m.mu.Unlock()
		return protocolError("CHANNEL_OPEN_CONFIRMATION with a maximum packet size of 0")
	}
	wrong := ch.guessed && ch.peer != conf.Sender
	ch.peerOpened(conf.Sender, conf.Window, conf.MaxPacket)
	ch.confirmed = true
	m.mu.Unlock()
	if wrong {
		// The requests went to a channel that is not there.
		ch.opened <- ErrGuess
		return ch.closeFromReader()
	}
	ch.mu.Lock()
	abandoned := ch.abandoned
	ch.mu.Unlock()
	m.opened(ch)
	ch.opened <- nil
	if abandoned {
		return ch.closeFromReader()
	}
	return nil
}
