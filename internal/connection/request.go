package connection

import (
	"context"

	"github.com/nacre-ssh/nacre/internal/wire"
)

// Request is a channel request of the peer (RFC 4254 §5.4). Requests of one
// channel are handled one after the other: while one waits for its Reply, the
// next ones wait behind it.
type Request struct {
	Type      string
	WantReply bool
	Payload   []byte // valid until the callback returns, unless Later was called

	ch    *Channel
	later bool
}

func (m *Mux) channelRequest(p []byte) error {
	var w wire.ChannelRequest
	if err := w.Decode(p); err != nil {
		return protocolError("CHANNEL_REQUEST: %w", err)
	}
	if len(w.Type) > MaxTypeLen {
		return protocolError("CHANNEL_REQUEST with a name of %d bytes", len(w.Type))
	}
	ch, err := m.channel(w.Recipient)
	if err != nil || ch == nil {
		return err
	}
	r := &Request{Type: w.Type, WantReply: w.WantReply, Payload: w.Payload, ch: ch}
	ch.mu.Lock()
	if ch.gotClose {
		ch.mu.Unlock()
		return protocolError("CHANNEL_REQUEST for channel %d after its CLOSE", ch.id)
	}
	if ch.busy {
		defer ch.mu.Unlock()
		if len(ch.queue) >= MaxPending {
			return protocolError("more than %d unanswered requests on channel %d", MaxPending, ch.id)
		}
		r.Payload = append([]byte(nil), r.Payload...)
		ch.queue = append(ch.queue, r)
		return nil
	}
	ch.mu.Unlock()
	ch.handle(r)
	return nil
}

// handle asks the handler and refuses what it does not answer.
func (ch *Channel) handle(r *Request) {
	if ch.onReq == nil {
		r.Reply(false)
		return
	}
	ch.onReq(r)
}

// Later says that the answer will come from another goroutine. Until then the
// channel's further requests wait.
func (r *Request) Later() {
	r.later = true
	r.Payload = append([]byte(nil), r.Payload...)
	r.ch.mu.Lock()
	r.ch.busy = true
	r.ch.mu.Unlock()
}

// Reply answers the request once. It never waits.
func (r *Request) Reply(ok bool) error {
	ch := r.ch
	var err error
	if r.WantReply {
		r.WantReply = false
		n := byte(wire.MsgChannelFailure)
		if ok {
			n = wire.MsgChannelSuccess
		}
		err = ch.control(ch.message(n))
	}
	if !r.later {
		return err
	}
	r.later = false
	for {
		ch.mu.Lock()
		if len(ch.queue) == 0 {
			ch.busy, ch.queue = false, nil
			ch.mu.Unlock()
			break
		}
		next := ch.queue[0]
		ch.queue = ch.queue[1:]
		ch.mu.Unlock()
		ch.handle(next)
		if next.later {
			break // its Reply goes on
		}
	}
	return ch.m.t.Flush()
}

// requestAnswer hands CHANNEL_SUCCESS or CHANNEL_FAILURE to the oldest request
// that waits. An answer nobody waits for is dropped (CHN-7).
func (m *Mux) requestAnswer(p []byte) error {
	r := wire.NewReader(p[1:])
	id := r.Uint32()
	if err := r.Done(); err != nil {
		return protocolError("%s: %w", wire.MessageName(p[0]), err)
	}
	ch, err := m.channel(id)
	if err != nil || ch == nil {
		return err
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.asked) == 0 {
		return nil
	}
	c := ch.asked[0]
	ch.asked = ch.asked[1:]
	c <- reply{ok: p[0] == wire.MsgChannelSuccess}
	return nil
}

// Ask is a request to make of the peer.
type Ask struct {
	Type      string
	WantReply bool
	Payload   []byte
}

// SendRequest makes a channel request. With wantReply it waits for the answer.
func (ch *Channel) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, error) {
	answers, err := ch.SendRequests(Ask{name, wantReply, payload})
	if err != nil {
		return false, err
	}
	if !wantReply {
		return true, nil
	}
	return answers[0].Wait(ctx)
}

// Answer is one that is still to come.
type Answer struct{ c <-chan reply }

// Wait waits for it. Of a request without reply it is true at once.
func (a Answer) Wait(ctx context.Context) (bool, error) {
	if a.c == nil {
		return true, nil
	}
	select {
	case r := <-a.c:
		return r.ok, r.err
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// SendRequests makes several requests in one flight. Each answer is waited for
// by itself.
func (ch *Channel) SendRequests(asks ...Ask) ([]Answer, error) {
	answers, err := ch.QueueRequests(asks...)
	if err != nil {
		return nil, err
	}
	return answers, ch.m.t.Flush()
}

// QueueRequests is SendRequests for a caller that has more to queue: the
// requests leave with the next Flush.
func (ch *Channel) QueueRequests(asks ...Ask) ([]Answer, error) {
	answers := make([]Answer, len(asks))
	ch.mu.Lock()
	if ch.err != nil || ch.sentClose {
		err := ch.err
		ch.mu.Unlock()
		if err == nil {
			err = errClosed
		}
		return nil, err
	}
	// The places in the list and on the wire must agree: so both are taken under
	// the lock. Queue does not wait.
	for i, a := range asks {
		msg := wire.ChannelRequest{Recipient: ch.peer, Type: a.Type, WantReply: a.WantReply, Payload: a.Payload}
		if a.WantReply {
			c := make(chan reply, 1)
			ch.asked = append(ch.asked, c)
			answers[i].c = c
		}
		if err := ch.m.t.Queue(msg.Append(nil)); err != nil {
			ch.mu.Unlock()
			return nil, err
		}
	}
	ch.mu.Unlock()
	return answers, nil
}
