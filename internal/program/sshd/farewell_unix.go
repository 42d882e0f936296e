//go:build linux || darwin || freebsd || openbsd

package sshd

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/nacre-ssh/nacre/ssh"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// Disconnection reasons of RFC 4253 §11.1 that have lines of their own.
const (
	macError      = 5
	byApplication = 11
)

// farewell writes why the connection ended, in OpenSSH's words.
func (v *visitor) farewell(err error) {
	say := v.lines.Pref
	if v.login != nil {
		say = v.lines.Logf
	}
	var left *ssh.PeerDisconnectError
	var ours *ssh.DisconnectError
	var nego *ssh.NegotiationError
	var ident *ssh.IdentificationError
	switch {
	case err == nil:
		if v.login != nil {
			st := v.login.conn.Stats()
			say(sshconfig.Verbose, "Transferred: sent %d, received %d bytes", st.BytesOut, st.BytesIn)
		}
		say(sshconfig.Verbose, "Closing connection to %s", v.from())
	case errors.Is(err, ssh.ErrTooManyFailures):
		v.TooMany()
		say(sshconfig.Info, "Disconnecting %s: Too many authentication failures", v.Whom())
	case errors.As(err, &left):
		level := sshconfig.Error
		if left.Reason == byApplication {
			level = sshconfig.Info
		}
		say(level, "Received disconnect from %s:%d: %s", v.from(), left.Reason, left.Message)
		say(sshconfig.Info, "Disconnected from %s", v.Whom())
	case errors.As(err, &nego):
		say(sshconfig.Info, "Unable to negotiate with %s: no matching %s found. Their offer: %s", v.from(), nego.Kind, strings.Join(nego.Offer, ","))
	case errors.As(err, &ident):
		say(sshconfig.Verbose, "kex_exchange_identification: %s", identReason(ident))
		say(sshconfig.Info, "banner exchange: Connection from %s: invalid format", v.from())
	case errors.Is(err, ssh.ErrTimeout) && v.login == nil:
		v.lines.Logf(sshconfig.Info, "Timeout before authentication for connection from %s to %s, pid = %d", v.remote, v.local, v.lines.Number())
	case errors.Is(err, ssh.ErrTimeout):
		say(sshconfig.Info, "Timeout, client not responding from %s", v.Whom())
	case errors.Is(err, errRefused), errors.Is(err, ssh.ErrServerClosed):
		// The reason has been told.
	case errors.As(err, &ours) && ours.Reason == macError:
		say(sshconfig.Error, "ssh_dispatch_run_fatal: Connection from %s: message authentication code incorrect", v.Whom())
	case errors.As(err, &ours):
		say(sshconfig.Info, "Disconnecting %s: %s", v.Whom(), ours.Message)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		say(sshconfig.Info, "Connection closed by %s", v.Whom())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		say(sshconfig.Info, "Connection reset by %s", v.Whom())
	default:
		say(sshconfig.Error, "Connection from %s: %v", v.Whom(), err)
	}
}

func identReason(e *ssh.IdentificationError) string {
	if e.Line == "" {
		return e.Why
	}
	return "client sent invalid protocol identifier \"" + e.Line + "\""
}
