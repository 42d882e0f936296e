//go:build linux || darwin || freebsd || openbsd

package network

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/internal/wire"
	"github.com/nacre-ssh/nacre/ssh"
)

// farewell is why the connection ended, for the monitor to put into words.
func (v *visit) farewell(err error) *privsep.Farewell {
	f := &privsep.Farewell{}
	if v.conn != nil {
		st := v.conn.Stats()
		f.In, f.Out = st.BytesIn, st.BytesOut
	}
	f.End, f.Reason, f.Text = v.end(err)
	f.Text = f.Text[:min(len(f.Text), privsep.MaxLine)]
	return f
}

func (v *visit) end(err error) (privsep.End, uint32, string) {
	var left *ssh.PeerDisconnectError
	var ours *ssh.DisconnectError
	var nego *ssh.NegotiationError
	var ident *ssh.IdentificationError
	var crash *ssh.PanicError
	switch {
	case err == nil:
		return privsep.EndDone, 0, ""
	case errors.As(err, &crash):
		return privsep.EndPanic, 0, crash.Error() + "\n" + string(crash.Stack)
	case errors.Is(err, errGone):
		return privsep.EndRefused, 0, ""
	case errors.Is(err, ssh.ErrTooManyFailures):
		return privsep.EndTooMany, 0, ""
	case errors.As(err, &left):
		return privsep.EndDisconnect, uint32(left.Reason), left.Message
	case errors.As(err, &nego):
		return privsep.EndNegotiate, 0, nego.Kind + "\n" + strings.Join(nego.Offer, ",")
	case errors.As(err, &ident):
		if ident.Line == "" {
			return privsep.EndIdent, 0, ident.Why
		}
		return privsep.EndIdent, 0, "client sent invalid protocol identifier \"" + ident.Line + "\""
	case errors.Is(err, ssh.ErrUnused):
		return privsep.EndUnused, 0, ""
	case errors.Is(err, ssh.ErrTimeout):
		return privsep.EndTimeout, 0, ""
	case errors.Is(err, ssh.ErrServerClosed):
		return privsep.EndRefused, 0, ""
	case errors.As(err, &ours) && ours.Reason == wire.ReasonMACError:
		return privsep.EndMAC, 0, ""
	case errors.As(err, &ours):
		return privsep.EndOurs, uint32(ours.Reason), ours.Message
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return privsep.EndClosed, 0, ""
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return privsep.EndReset, 0, ""
	}
	return privsep.EndError, 0, err.Error()
}
