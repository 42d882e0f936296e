//go:build unix

package listener

import (
	"net/netip"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/sshd/log"
	"github.com/nacre-ssh/nacre/internal/sshd/privsep"
	"github.com/nacre-ssh/nacre/sshconfig"
)

// byApplication is the reason of a client that simply leaves (RFC 4253 §11.1).
const byApplication = 11

// farewell writes how a connection ended in the lobby, in OpenSSH's words.
func farewell(x *log.Lines, _ sshconfig.LogLevel, m *privsep.Gone, remote, local netip.AddrPort) {
	a, p := host(remote), port(remote)
	x.Logf(sshconfig.Verbose, "Connection from %s port %d on %s port %d rdomain \"\"", a, p, host(local), port(local))
	switch m.End {
	case privsep.EndClosed:
		if m.Text != "" {
			x.Pref(sshconfig.Verbose, "kex_exchange_identification: Connection closed by remote host")
		}
		x.Pref(sshconfig.Info, "Connection closed by %s port %d", a, p)
	case privsep.EndReset:
		if m.Text != "" {
			x.Pref(sshconfig.Error, "kex_exchange_identification: read: Connection reset by peer")
		}
		x.Pref(sshconfig.Info, "Connection reset by %s port %d", a, p)
	case privsep.EndIdent:
		if m.Text != "" {
			x.Pref(sshconfig.Verbose, "kex_exchange_identification: client sent invalid protocol identifier \"%s\"", m.Text)
		}
		why := "invalid format"
		if major(m.Text) == "1" {
			why = "could not read protocol version"
		}
		x.Pref(sshconfig.Info, "banner exchange: Connection from %s port %d: %s", a, p, why)
	case privsep.EndDisconnect:
		level := sshconfig.Error
		if m.Reason == byApplication {
			level = sshconfig.Info
		}
		x.Pref(level, "Received disconnect from %s port %d:%d: %s", a, p, m.Reason, m.Text)
		x.Pref(sshconfig.Info, "Disconnected from %s port %d", a, p)
	case privsep.EndOurs:
		x.Pref(sshconfig.Info, "Disconnecting %s port %d: %s", a, p, m.Text)
	case privsep.EndTimeout:
		x.Logf(sshconfig.Info, "Timeout before authentication for connection from %s to %s, pid = %d", a, host(local), x.Number())
	case privsep.EndRefused: // to make room for others
		x.Logf(sshconfig.Info, "drop connection from [%s]:%d on [%s]:%d %s", a, p, host(local), port(local), m.Text)
	default:
		if penalty.Event(m.Event) != penalty.None || m.Text != "" {
			x.Pref(sshconfig.Error, "Connection from %s port %d: %s", a, p, m.Text)
		}
	}
}

// major is the protocol version's first number in an identification, "" if it is
// none.
func major(line string) string {
	if len(line) > 5 && line[:4] == "SSH-" && line[5] == '.' {
		return line[4:5]
	}
	return ""
}
